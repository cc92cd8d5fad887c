//! Building the index from the stored devices, at start. Rows come in the order of their ids, so every
//! posting grows at its end; a large store is read in parts, each by a thread of its own, and the parts
//! are joined in their order (`merge`). Called once, by `open`.

use std::collections::HashMap;

use rusqlite::{Connection, Row, types::ValueRef};

use super::{AppIndex, Index, Values};
use crate::{
    domain::{Error, Result, timestamp::Timestamp},
    storage::embedded::{
        failure::{OrFailed, corrupt},
        json::{Token, each_token},
    },
};

const ROWS: &str = "SELECT id, app, send_platform, device_platform, pruned_at IS NOT NULL, \
    push_token IS NOT NULL, created_at, last_seen, tags, alias, timezone, locale, properties \
    FROM devices WHERE id > ?1 AND id <= ?2 ORDER BY id";

/// Fewer devices than this are not worth a further thread.
const PART: u32 = 50_000;
/// Threads that read at once, at most.
const THREADS: u32 = 8;

/// Reads every device; `connect` opens a connection to read by.
pub(in crate::storage::embedded) fn load(
    connect: impl Fn() -> Result<Connection> + Sync,
) -> Result<Index> {
    let most: u32 = connect()?
        .query_row("SELECT coalesce(max(id), 0) FROM devices", [], |row| row.get(0))
        .or_failed("find the last device")?;
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let parts = (most / PART).clamp(1, cores.min(THREADS));
    let bound = |part: u32| (u64::from(most) * u64::from(part) / u64::from(parts)) as u32;
    let loaded = std::thread::scope(|scope| {
        let part = |part: u32| {
            let connect = &connect;
            scope.spawn(move || load_part(&connect()?, bound(part), bound(part + 1)))
        };
        let threads: Vec<_> = (0..parts).map(part).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Result<Index>>| {
            thread.join().unwrap_or_else(|_| Err(Error::bug("read the devices: a thread died")))
        };
        threads.into_iter().map(join).collect::<Result<Vec<_>>>()
    })?;
    let joined = loaded.into_iter().reduce(Index::join);
    let mut index = joined.unwrap_or_default();
    index.apps.values_mut().for_each(AppIndex::shrink);
    Ok(index)
}

/// Reads the devices after `after`, up to and including `upto`.
fn load_part(connection: &Connection, after: u32, upto: u32) -> Result<Index> {
    const DOING: &str = "read the devices";
    let mut index = Index::default();
    let mut properties: HashMap<u32, Properties> = HashMap::new();
    let mut statement = connection.prepare(ROWS).or_failed(DOING)?;
    let mut rows = statement.query([after, upto]).or_failed(DOING)?;
    while let Some(row) = rows.next().or_failed(DOING)? {
        take(&mut index, &mut properties, row)?;
    }
    for (app, properties) in properties {
        index.apps.entry(app).or_default().properties.extend(properties.keys);
    }
    Ok(index)
}

/// An app's properties while they are read. Devices mostly have the same keys in the same order, so the
/// next key is looked for where the last device had it before it is looked up.
#[derive(Default)]
struct Properties {
    keys: Vec<(Box<str>, Values)>,
    places: HashMap<Box<str>, usize>,
}

impl Properties {
    fn place(&mut self, key: &str, likely: usize) -> usize {
        if self.keys.get(likely).is_some_and(|(held, _)| &**held == key) {
            return likely;
        }
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        self.keys.push((key.into(), Values::default()));
        self.places.insert(key.into(), self.keys.len() - 1);
        self.keys.len() - 1
    }

    /// Takes one device's properties in: tokens of a value follow their key.
    fn take(&mut self, text: &str, id: u32) -> Result<()> {
        let mut place = usize::MAX;
        each_token(text, |token| {
            if let Token::Key(key) = &token {
                place = self.place(key, place.wrapping_add(1));
                self.keys[place].1.exists.insert(id);
            } else if let Some((_, values)) = self.keys.get_mut(place) {
                values.take_token(&token, id);
            }
        })
    }
}

fn take(index: &mut Index, properties: &mut HashMap<u32, Properties>, row: &Row<'_>) -> Result<()> {
    const DOING: &str = "read a device";
    let id: u32 = row.get(0).or_failed(DOING)?;
    let app: u32 = row.get(1).or_failed(DOING)?;
    properties.entry(app).or_default().take(text(row, 12)?.unwrap_or_default(), id)?;
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
    Ok(())
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>> {
    match row.get_ref(column).or_failed("read a device")? {
        ValueRef::Null => Ok(None),
        other => other.as_str().map(Some).map_err(|_| corrupt("a device's text")),
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
