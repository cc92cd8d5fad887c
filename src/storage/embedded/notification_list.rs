//! Lists of an app's notifications: filtered, sorted, cut.
//!
//! SQLite compares letters beyond ASCII as they are written, so titles are searched here: of the app's
//! notifications, which an index finds, number and title alone are read, and all of those that are shown.

use rusqlite::{Connection, params_from_iter};

use super::{
    failure::OrFailed,
    notification_row::{COLUMNS, all, find_one},
};
use crate::{
    domain::{Result, notification::Notification},
    storage::{Found, NotificationField, NotificationQuery, OrderBy},
};

const DOING: &str = "list notifications";

/// An app's notifications as asked for.
pub(super) fn list(
    connection: &Connection,
    app: u32,
    query: &NotificationQuery,
) -> Result<Found<Notification>> {
    let filter = Filter::new(app, query);
    match query.search.is_empty() {
        true => filter.plain(connection, query),
        false => filter.searched(connection, query),
    }
}

/// The condition of the query, and its values.
struct Filter {
    condition: String,
    values: Vec<i64>,
    order: String,
}

impl Filter {
    fn new(app: u32, query: &NotificationQuery) -> Self {
        let mut condition = String::from("app = ?");
        let mut values = vec![i64::from(app)];
        if !query.statuses.is_empty() {
            let marks = vec!["?"; query.statuses.len()].join(", ");
            condition.push_str(&format!(" AND status IN ({marks})"));
            values.extend(query.statuses.iter().map(|status| i64::from(status.number())));
        }
        Self { condition, values, order: order(&query.order_by) }
    }

    fn plain(
        &self,
        connection: &Connection,
        query: &NotificationQuery,
    ) -> Result<Found<Notification>> {
        let Self { condition, values, order } = self;
        let count = format!("SELECT count(*) FROM notifications WHERE {condition}");
        let total: i64 = connection
            .prepare_cached(&count)
            .and_then(|mut count| count.query_row(params_from_iter(values), |row| row.get(0)))
            .or_failed(DOING)?;
        let rows = format!(
            "SELECT {COLUMNS} FROM notifications WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?"
        );
        let bound = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let stretch = [bound(query.size as u64), bound(query.start)];
        let items = all(connection, &rows, params_from_iter(values.iter().chain(&stretch)))?;
        Ok(Found { total: total.cast_unsigned(), items })
    }

    fn searched(
        &self,
        connection: &Connection,
        query: &NotificationQuery,
    ) -> Result<Found<Notification>> {
        let Self { condition, values, order } = self;
        let titles =
            format!("SELECT id, title FROM notifications WHERE {condition} ORDER BY {order}");
        let mut statement = connection.prepare_cached(&titles).or_failed(DOING)?;
        let mut rows = statement.query(params_from_iter(values)).or_failed(DOING)?;
        let wanted = folded(&query.search);
        let mut found = Found::default();
        while let Some(row) = rows.next().or_failed(DOING)? {
            let title: String = row.get(1).or_failed(DOING)?;
            if !folded(&title).contains(&wanted) {
                continue;
            }
            found.total += 1;
            if found.total > query.start && found.items.len() < query.size {
                let number: i64 = row.get(0).or_failed(DOING)?;
                found.items.extend(find_one(connection, "id = ?", [number])?);
            }
        }
        Ok(found)
    }
}

/// A text without the difference between capitals and small letters, letter by letter.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// The keys as asked for, then the number, so that the order is the same every time.
fn order(keys: &[OrderBy<NotificationField>]) -> String {
    let mut order = String::new();
    for key in keys {
        let column = match key.field {
            NotificationField::Id => "id",
            NotificationField::Uuid => "uuid",
            NotificationField::Title => "title",
            NotificationField::Status => "status",
            NotificationField::ScheduledAt => "scheduled_at",
            NotificationField::CreatedAt => "created_at",
            NotificationField::ModifiedAt => "modified_at",
        };
        order.push_str(column);
        order.push_str(if key.descending { " DESC, " } else { ", " });
    }
    order + "id"
}
