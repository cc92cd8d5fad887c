//! The audience of each round being sent: its bitmap, made once and kept while its pages are read.
//! After a restart it is made again from what the ledger keeps: the conditions and the moment that
//! their times count from, or the failures of the rounds before. Asked by reader threads.

use std::sync::{Arc, Mutex, PoisonError};

use roaring::RoaringBitmap;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    failure::OrFailed, failures::latest_failures, index::SharedIndex, notification_row::find_one,
};
use crate::domain::{
    Error, Result, audience::parse, campaign::FailureFilter, ids::NotificationId, outcome::Reason,
    timestamp::Timestamp,
};

/// Most audiences kept; the one unused for longest goes first. Each takes at most an eighth of a byte
/// per device, failures of earlier rounds apart.
const KEPT: usize = 16;

/// Whom a round is for.
#[derive(Debug, Default)]
pub(super) struct Audience {
    /// The devices.
    pub(super) matching: RoaringBitmap,
    /// In a later round, why each failed before: ascending by device, the reason by its place below.
    failed: Vec<(u32, u32)>,
    reasons: Vec<Reason>,
}

impl Audience {
    /// Why a device failed before; none in the first round.
    pub(super) fn failed_before(&self, device: u32) -> Option<Reason> {
        let place = self.failed.binary_search_by_key(&device, |(device, _)| *device).ok()?;
        self.reasons.get(self.failed[place].1 as usize).cloned()
    }

    /// The devices whose latest outcome before `round` is a failure that passes the filter.
    pub(super) fn of_failures(
        connection: &Connection,
        campaign: i64,
        round: u16,
        filter: &FailureFilter,
    ) -> Result<Self> {
        let latest = latest_failures(connection, campaign, Some(round))?;
        let mut failed = Vec::new();
        for (device, failure) in &latest.devices {
            let reason = &latest.reasons[failure.reason as usize];
            if filter.passes(failure.platform, reason.as_str())
                && let Ok(device) = u32::try_from(*device)
            {
                failed.push((device, failure.reason));
            }
        }
        let matching = failed.iter().map(|(device, _)| *device).collect();
        Ok(Self { matching, failed, reasons: latest.reasons })
    }
}

type Key = (NotificationId, u16);
/// Filled by the first who asks; others wait for it instead of doing the same work.
type Slot = Arc<Mutex<Option<Arc<Audience>>>>;

/// The audiences kept.
#[derive(Default)]
pub(super) struct Audiences(Mutex<Vec<(Key, Slot)>>);

impl Audiences {
    /// The audience of a planned round.
    pub(super) fn get(
        &self,
        connection: &Connection,
        index: &SharedIndex,
        notification: NotificationId,
        round: u16,
    ) -> Result<Arc<Audience>> {
        let slot = self.slot((notification, round));
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(audience) = &*held {
            return Ok(Arc::clone(audience));
        }
        let audience = Arc::new(make(connection, index, notification, round)?);
        *held = Some(Arc::clone(&audience));
        Ok(audience)
    }

    fn slot(&self, key: Key) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = slots.iter().position(|(held, _)| *held == key);
        let slot = found.map(|place| slots.remove(place).1).unwrap_or_default();
        if slots.len() >= KEPT {
            slots.remove(0);
        }
        slots.push((key, Arc::clone(&slot)));
        slot
    }
}

fn make(
    connection: &Connection,
    index: &SharedIndex,
    notification: NotificationId,
    round: u16,
) -> Result<Audience> {
    const ROUND: &str = "SELECT r.campaign, r.app, r.now, r.failures \
        FROM notifications n JOIN rounds r ON r.campaign = n.id WHERE n.uuid = ? AND r.round = ?";
    let found: Option<(i64, u32, i64, Option<String>)> = connection
        .prepare_cached(ROUND)
        .and_then(|mut find| {
            let read =
                |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            find.query_row(params![notification.0.as_bytes(), round], read).optional()
        })
        .or_failed("look a round up")?;
    let Some((campaign, app, now, failures)) = found else {
        let message = format!("round {round} of notification {notification} is not planned");
        return Err(Error::not_found(message));
    };
    if round > 0 {
        let filter = failures.as_deref().map(serde_json::from_str).transpose();
        let filter = filter.map_err(|error| Error::internal("read a round's filter", error))?;
        return Audience::of_failures(connection, campaign, round, &filter.unwrap_or_default());
    }
    let stored = find_one(connection, "id = ?", [campaign])?;
    let conditions = stored.and_then(|stored| stored.conditions);
    let clause = conditions.map(|spec| parse(&spec, "conditions")).transpose()?;
    let index = index.read();
    let matching = index.matching(app, clause.as_ref(), Timestamp(now)).into_owned();
    Ok(Audience { matching, ..Audience::default() })
}
