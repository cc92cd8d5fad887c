//! Building the index from the stored devices, at start. Rows come in the order of their ids, so every
//! posting grows at its end. Called once, by `open`.

use rusqlite::{Connection, Row, types::ValueRef};

use super::{AppIndex, Index, Values};
use crate::{
    domain::{Result, timestamp::Timestamp},
    storage::embedded::{
        failure::{OrFailed, corrupt},
        json::{Token, each_token},
    },
};

const ROWS: &str = "SELECT id, app, send_platform, device_platform, pruned_at IS NOT NULL, \
    push_token IS NOT NULL, created_at, last_seen, tags, alias, timezone, locale, properties \
    FROM devices ORDER BY id";

/// Reads every device.
pub(in crate::storage::embedded) fn load(connection: &Connection) -> Result<Index> {
    const DOING: &str = "read the devices";
    let mut index = Index::default();
    let mut statement = connection.prepare(ROWS).or_failed(DOING)?;
    let mut rows = statement.query([]).or_failed(DOING)?;
    while let Some(row) = rows.next().or_failed(DOING)? {
        take(&mut index, row)?;
    }
    index.apps.values_mut().for_each(AppIndex::shrink);
    Ok(index)
}

fn take(index: &mut Index, row: &Row<'_>) -> Result<()> {
    const DOING: &str = "read a device";
    let id: u32 = row.get(0).or_failed(DOING)?;
    let app: u32 = row.get(1).or_failed(DOING)?;
    index.set_created(id, Timestamp(row.get(6).or_failed(DOING)?));
    index.set_seen(id, Timestamp(row.get(7).or_failed(DOING)?));
    let app = index.apps.entry(app).or_default();
    app.all.insert(id);
    let provider: usize = row.get(2).or_failed(DOING)?;
    app.providers.get_mut(provider).ok_or_else(|| corrupt("a provider"))?.insert(id);
    let platform: usize = row.get(3).or_failed(DOING)?;
    app.platforms.get_mut(platform).ok_or_else(|| corrupt("a platform"))?.insert(id);
    if row.get(4).or_failed(DOING)? {
        app.pruned.insert(id);
    }
    if row.get(5).or_failed(DOING)? {
        app.token.insert(id);
    }
    if let Some(tags) = text(row, 8)? {
        app.tags.exists.insert(id);
        app.tags.take_tokens(tags, id)?;
    }
    let fields = [(9, &mut app.alias), (10, &mut app.timezone), (11, &mut app.locale)];
    for (column, values) in fields {
        if let Some(text) = text(row, column)? {
            values.exists.insert(id);
            values.insert_text(text, id);
        }
    }
    app.take_properties(text(row, 12)?.unwrap_or_default(), id)
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>> {
    match row.get_ref(column).or_failed("read a device")? {
        ValueRef::Null => Ok(None),
        other => other.as_str().map(Some).map_err(|_| corrupt("a device's text")),
    }
}

impl AppIndex {
    fn take_properties(&mut self, text: &str, id: u32) -> Result<()> {
        // Tokens of one value follow their key, so the key's values are looked up once.
        let mut current = None;
        each_token(text, |token| {
            if let Token::Key(key) = &token {
                current = Some(key.clone().into_owned());
                self.property(key).exists.insert(id);
            } else if let Some(values) =
                current.as_deref().and_then(|key| self.properties.get_mut(key))
            {
                values.take_token(&token, id);
            }
        })
    }

    fn shrink(&mut self) {
        let Self { all, token, pruned, providers, platforms, .. } = self;
        for bitmap in [all, token, pruned].into_iter().chain(providers).chain(platforms) {
            bitmap.optimize();
        }
        for values in [&mut self.tags, &mut self.alias, &mut self.timezone, &mut self.locale] {
            values.shrink();
        }
        self.properties.values_mut().for_each(Values::shrink);
    }
}

impl Values {
    fn take_tokens(&mut self, text: &str, id: u32) -> Result<()> {
        each_token(text, |token| self.take_token(&token, id))
    }

    fn take_token(&mut self, token: &Token<'_>, id: u32) {
        match token {
            Token::Int(value) => self.insert_int(*value, id),
            Token::Float(value) => self.insert_float(*value, id),
            Token::Bool(value) => self.insert_bool(*value, id),
            Token::Text(text) => self.insert_text(text, id),
            Token::Key(_) | Token::ListStart | Token::ListEnd => {}
        }
    }
}
