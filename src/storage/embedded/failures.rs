//! Which devices of a campaign failed in the end: its pages folded, later rounds over earlier ones.
//! Used by `ledger` for the list of failures, and by `audiences` for the rounds that send them again.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, params};

use super::failure::{OrFailed, corrupt};
use crate::{
    domain::{
        Result,
        campaign::{FailureFilter, Position},
        device::DevicePlatform,
        ids::DeviceId,
        outcome::Reason,
        timestamp::Timestamp,
    },
    storage::{Failure, Found, pages::Packed},
};

/// A device's latest outcome, where it is a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latest {
    pub(super) platform: DevicePlatform,
    /// Its place in [`LatestFailures::reasons`].
    pub(super) reason: u32,
    pub(super) at: Timestamp,
}

/// The failures of a campaign.
#[derive(Debug, Default)]
pub(super) struct LatestFailures {
    pub(super) devices: BTreeMap<u64, Latest>,
    pub(super) reasons: Vec<Reason>,
    numbers: HashMap<Reason, u32>,
}

/// Folds the pages of a campaign, only those of rounds before `before` where it is given.
pub(super) fn latest_failures(
    connection: &Connection,
    campaign: i64,
    before: Option<u16>,
) -> Result<LatestFailures> {
    const DOING: &str = "read a campaign's failures";
    const PAGES: &str = "SELECT round, after, at, body FROM pages \
        WHERE campaign = ? AND round < ? ORDER BY round, shard, after";
    let mut latest = LatestFailures::default();
    let mut statement = connection.prepare_cached(PAGES).or_failed(DOING)?;
    let bound = before.map_or(i64::MAX, i64::from);
    let mut rows = statement.query(params![campaign, bound]).or_failed(DOING)?;
    while let Some(row) = rows.next().or_failed(DOING)? {
        let round: u16 = row.get(0).or_failed(DOING)?;
        let after = row.get::<_, i64>(1).or_failed(DOING)?.cast_unsigned();
        let at = Timestamp(row.get(2).or_failed(DOING)?);
        let body = row.get_ref(3).or_failed(DOING)?;
        let body = body.as_blob().map_err(|_| corrupt("a page"))?;
        latest.fold(Packed::open(body, Position(after))?, round, at)?;
    }
    Ok(latest)
}

impl LatestFailures {
    fn fold(&mut self, mut page: Packed<'_>, round: u16, at: Timestamp) -> Result<()> {
        let numbers: Vec<u32> = page.reasons.iter().map(|reason| self.number(reason)).collect();
        while let Some(entry) = page.next()? {
            match entry.failed {
                Some(reason) => {
                    let latest = Latest { platform: entry.platform, reason: numbers[reason], at };
                    self.devices.insert(entry.place, latest);
                }
                // In the first round nothing came before.
                None if round == 0 => {}
                None => {
                    self.devices.remove(&entry.place);
                }
            }
        }
        Ok(())
    }

    fn number(&mut self, reason: &Reason) -> u32 {
        if let Some(number) = self.numbers.get(reason) {
            return *number;
        }
        let number = u32::try_from(self.reasons.len()).unwrap_or(u32::MAX);
        self.numbers.insert(reason.clone(), number);
        self.reasons.push(reason.clone());
        number
    }
}

/// A stretch of a campaign's failures, ascending by device.
pub(super) fn failures(
    connection: &Connection,
    campaign: i64,
    filter: &FailureFilter,
    start: u64,
    size: usize,
) -> Result<Found<Failure>> {
    let latest = latest_failures(connection, campaign, None)?;
    let mut found = Found::default();
    for (device, failure) in &latest.devices {
        let reason = &latest.reasons[failure.reason as usize];
        if !filter.passes(failure.platform, reason.as_str()) {
            continue;
        }
        found.total += 1;
        if found.total > start && found.items.len() < size {
            found.items.push(Failure {
                device: DeviceId(*device),
                platform: failure.platform,
                reason: reason.clone(),
                at: failure.at,
            });
        }
    }
    Ok(found)
}
