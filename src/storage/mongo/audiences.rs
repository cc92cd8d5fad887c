//! Whom each round being sent is for: its filter and the way to find them, or the failures it sends
//! again. Made once on each node from what the ledger keeps, and kept while its pages are read.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mongodb::{
    bson::{Document, doc},
    options::Hint,
};
use tokio::sync::OnceCell;

use super::{
    core::Core,
    failure::{OrFailed, corrupt},
    failures::latest_failures,
    filter::{compile, narrowest},
    notification_row::find_one,
    schema::{BY_ATTRIBUTE, ROUNDS},
    shards::round_key,
    spread::{count_each, known_span, windows},
};
use crate::domain::{
    Error, Result,
    audience::{Clause, parse},
    campaign::FailureFilter,
    ids::NotificationId,
    outcome::Reason,
    timestamp::Timestamp,
};

/// Rounds kept; beyond, all are made again as they are asked for.
const KEPT: usize = 64;
/// Below this share of an app's devices, in percent, walking the attribute index costs less than
/// reading the stretch: about 5 µs a match against 1 µs a device.
const NARROW_PERCENT: u64 = 12;

/// How devices are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Their stretch of the clustered collection, read through.
    Scan,
    /// The index over attributes, where few match.
    Attribute,
}

impl Route {
    pub(super) fn hint(self) -> Hint {
        match self {
            Self::Scan => Hint::Keys(doc! { "_id": 1 }),
            Self::Attribute => Hint::Name(BY_ATTRIBUTE.to_owned()),
        }
    }
}

/// Chooses by a sample, a hundredth of the devices or less: how many the narrowest comparison leaves.
pub(super) async fn route(core: &Core, app: i32, clause: &Clause, now: Timestamp) -> Result<Route> {
    const WINDOWS: u64 = 16;
    let narrow = narrowest(clause, now);
    if narrow.is_empty() {
        return Ok(Route::Scan);
    }
    let windows = windows(known_span(core, app).await?, WINDOWS);
    let (by_place, by_attribute) = (Route::Scan.hint(), Route::Attribute.hint());
    let all = count_each(core, &windows, &Document::new(), &by_place, None).await?;
    let most = all.iter().sum::<u64>() * NARROW_PERCENT / 100 + 1;
    for leaf in narrow {
        let filter = doc! { "a": app, "$and": [leaf] };
        let found = count_each(core, &windows, &filter, &by_attribute, Some(most)).await?;
        if found.iter().sum::<u64>() < most {
            return Ok(Route::Attribute);
        }
    }
    Ok(Route::Scan)
}

/// One round's audience.
pub(super) struct Round {
    /// What must hold of a device besides its stretch.
    pub(super) filter: Document,
    pub(super) route: Route,
    /// In a later round, the places of those that failed before, ascending, and why.
    pub(super) failed: Option<Vec<(u64, Reason)>>,
}

type Key = (NotificationId, u16);

/// The rounds kept; the first who asks makes one, others wait for it.
#[derive(Default)]
pub(super) struct Rounds(Mutex<HashMap<Key, Arc<OnceCell<Arc<Round>>>>>);

/// The audience of a planned round.
pub(super) async fn round(
    core: &Core,
    notification: NotificationId,
    round: u16,
) -> Result<Arc<Round>> {
    let cell = {
        let mut rounds = core.rounds.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rounds.len() >= KEPT && !rounds.contains_key(&(notification, round)) {
            rounds.clear();
        }
        Arc::clone(rounds.entry((notification, round)).or_default())
    };
    let made = cell.get_or_try_init(async || make(core, notification, round).await.map(Arc::new));
    made.await.cloned()
}

async fn make(core: &Core, notification: NotificationId, round: u16) -> Result<Round> {
    let key = doc! { "_id": round_key(notification, round) };
    let planned = core.documents(ROUNDS).find_one(key).await.or_failed("look a round up")?;
    let Some(planned) = planned else {
        let message = format!("round {round} of notification {notification} is not planned");
        return Err(Error::not_found(message));
    };
    let field = |name: &str| planned.get_i64(name).map_err(|_| corrupt("a round"));
    let app = planned.get_i32("a").map_err(|_| corrupt("a round"))?;
    let now = Timestamp(field("now")?);
    let mut filter = Document::new();
    if round > 0 {
        let text = planned.get_str("failures").ok();
        let wanted: Option<FailureFilter> = text
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| Error::internal("read a round's filter", error))?;
        let failed = failed_before(core, notification, round, &wanted.unwrap_or_default()).await?;
        return Ok(Round { filter, route: Route::Scan, failed: Some(failed) });
    }
    let stored = find_one(core, notification).await?;
    let conditions = stored.and_then(|stored| stored.conditions);
    let clause = conditions.map(|spec| parse(&spec, "conditions")).transpose()?;
    let mut way = Route::Scan;
    if let Some(clause) = &clause {
        way = route(core, app, clause, now).await?;
        if way == Route::Attribute {
            // Its index begins with the app; a stretch holds no other's devices.
            filter.insert("a", app);
        }
        filter.insert("$and", vec![compile(clause, now)?]);
    }
    Ok(Round { filter, route: way, failed: None })
}

/// The places of devices whose latest outcome before `round` is a failure that passes the filter.
pub(super) async fn failed_before(
    core: &Core,
    notification: NotificationId,
    round: u16,
    filter: &FailureFilter,
) -> Result<Vec<(u64, Reason)>> {
    let latest = latest_failures(core, notification, Some(round)).await?;
    let passing = latest.devices.into_iter().filter_map(|(place, failure)| {
        let reason = &latest.reasons[failure.reason as usize];
        filter.passes(failure.platform, reason.as_str()).then(|| (place, reason.clone()))
    });
    Ok(passing.collect())
}
