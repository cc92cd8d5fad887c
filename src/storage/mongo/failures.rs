//! Which devices of a campaign failed in the end: its pages folded, later rounds over earlier ones.
//! Used by `ledger` for the list of failures, and by `audiences` for the rounds that send them again.

use std::collections::{BTreeMap, HashMap};

use mongodb::bson::RawDocument;

use super::{
    core::Core,
    failure::{OrFailed, corrupt},
    page_rows::{page_body, pages_below},
    position::device,
    schema::LEDGER,
};
use crate::{
    domain::{
        Result, campaign::FailureFilter, device::DevicePlatform, ids::NotificationId,
        outcome::Reason, timestamp::Timestamp,
    },
    storage::{Failure, Found},
};

/// A device's latest outcome, where it is a failure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latest {
    pub(super) platform: DevicePlatform,
    /// Its place in [`LatestFailures::reasons`].
    pub(super) reason: u32,
    pub(super) at: Timestamp,
}

/// The failures of a campaign, by the device's place.
#[derive(Debug, Default)]
pub(super) struct LatestFailures {
    pub(super) devices: BTreeMap<u64, Latest>,
    pub(super) reasons: Vec<Reason>,
    numbers: HashMap<Reason, u32>,
}

/// Folds the pages of a campaign, only those of rounds before `before` where it is given.
pub(super) async fn latest_failures(
    core: &Core,
    notification: NotificationId,
    before: Option<u16>,
) -> Result<LatestFailures> {
    const DOING: &str = "read a campaign's failures";
    let mut latest = LatestFailures::default();
    // In the order of the key: by round, then by place.
    let pages = core.raw(LEDGER).find(pages_below(notification, before));
    let mut pages = pages.sort(mongodb::bson::doc! { "_id": 1 }).await.or_failed(DOING)?;
    while pages.advance().await.or_failed(DOING)? {
        latest.fold(pages.current())?;
    }
    Ok(latest)
}

impl LatestFailures {
    fn fold(&mut self, row: &RawDocument) -> Result<()> {
        let (key, mut page) = page_body(row)?;
        let at = Timestamp(row.get_i64("at").map_err(|_| corrupt("a page"))?);
        let numbers: Vec<u32> = page.reasons.iter().map(|reason| self.number(reason)).collect();
        while let Some(entry) = page.next()? {
            match entry.failed {
                Some(reason) => {
                    let latest = Latest { platform: entry.platform, reason: numbers[reason], at };
                    self.devices.insert(entry.place, latest);
                }
                // In the first round nothing came before.
                None if key.round == 0 => {}
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
pub(super) async fn failures(
    core: &Core,
    notification: NotificationId,
    filter: &FailureFilter,
    start: u64,
    size: usize,
) -> Result<Found<Failure>> {
    let latest = latest_failures(core, notification, None).await?;
    let passing = latest.devices.iter().filter_map(|(place, failure)| {
        let reason = &latest.reasons[failure.reason as usize];
        let passes = filter.passes(failure.platform, reason.as_str());
        passes.then(|| (device(*place), failure, reason))
    });
    let mut passing: Vec<_> = passing.collect();
    passing.sort_unstable_by_key(|(device, ..)| *device);
    let skip = usize::try_from(start).unwrap_or(usize::MAX);
    let items = passing.iter().skip(skip).take(size).map(|(device, failure, reason)| Failure {
        device: *device,
        platform: failure.platform,
        reason: (*reason).clone(),
        at: failure.at,
    });
    Ok(Found { total: passing.len() as u64, items: items.collect() })
}
