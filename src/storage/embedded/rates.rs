//! The role of the changed rates: a row each.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::params;

use super::{Embedded, failure::OrFailed, work::Work};
use crate::{
    domain::{
        Result,
        rate::{Rate, RateChange},
    },
    storage::RateStore,
};

#[async_trait]
impl RateStore for Embedded {
    async fn rates(&self) -> Result<BTreeMap<Rate, u32>> {
        const DOING: &str = "read the changed rates";
        let read = |connection: &rusqlite::Connection| {
            let mut read =
                connection.prepare_cached("SELECT name, per_second FROM rates").or_failed(DOING)?;
            let rows = read.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)));
            let rows: rusqlite::Result<Vec<_>> = rows.or_failed(DOING)?.collect();
            let known = |(name, per_second): (String, u32)| {
                Rate::from_key(&name).map(|rate| (rate, per_second))
            };
            Ok(rows.or_failed(DOING)?.into_iter().filter_map(known).collect())
        };
        self.inner.readers.read(read).await
    }

    async fn change_rates(&self, changes: Vec<RateChange>) -> Result<()> {
        let change = move |work: &mut Work<'_>| changes.iter().try_for_each(|one| put(work, one));
        self.inner.writer.write(change).await
    }
}

fn put(work: &mut Work<'_>, (rate, per_second): &RateChange) -> Result<()> {
    let (connection, name) = (work.connection, rate.key());
    let done = match per_second {
        Some(per_second) => connection.execute(
            "INSERT OR REPLACE INTO rates (name, per_second) VALUES (?, ?)",
            params![name, per_second],
        ),
        None => connection.execute("DELETE FROM rates WHERE name = ?", [name]),
    };
    done.map(drop).or_failed("change a rate")
}
