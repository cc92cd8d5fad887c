//! The role of the campaign ledger.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{Document, doc};

use super::{
    Mongo,
    audiences::{failed_before, round},
    core::Core,
    failure::OrFailed,
    failures::failures,
    history::{heard, history},
    notification_row::{app_of, find_one, uuid_of},
    page_rows::{events_of, open_pages_of, pages_below},
    records::{EventOrder, event, ready},
    schema::{EVENTS, HEALTH, LEDGER, NOTIFICATIONS, ROUNDS},
    shards::{self, campaign, shard_key, stored, to_json},
    targets::read_page,
};
use crate::{
    domain::{
        Error, Result,
        audience::Clause,
        campaign::{self, FailureFilter, PageRecord, RoundPlan, Shard, ShardKey, Span, TargetPage},
        ids::{AppName, DeviceId, NotificationId},
        notification::Status,
        tally::Tally,
        timestamp::Timestamp,
    },
    storage::{
        CampaignLedger, Event, EventKind, EventQuery, Failure, Found, pages::MAX_PAGE_ENTRIES,
    },
};

#[async_trait]
impl CampaignLedger for Mongo {
    /// The clause is read again from the stored notification, so that it is the same on every node.
    async fn plan(
        &self,
        plan: &RoundPlan,
        _clause: Option<&Clause>,
        now: Timestamp,
    ) -> Result<Vec<Shard>> {
        let plan = plan.clone();
        self.run(|core| async move {
            known(&core, plan.notification).await?;
            let planned = shards::complete(&core, plan.notification, plan.round).await?;
            if !planned.is_empty() {
                return Ok(planned);
            }
            let app = core.app_number(&plan.app).await?;
            let places = if plan.round == 0 {
                None
            } else {
                let filter = plan.failures.clone().unwrap_or_default();
                let failed = failed_before(&core, plan.notification, plan.round, &filter).await?;
                Some(failed.into_iter().map(|(place, _)| place).collect())
            };
            shards::plan(&core, app, &plan, now, places).await
        })
        .await
    }

    async fn shards(&self, notification: NotificationId) -> Result<Vec<Shard>> {
        self.run(|core| async move {
            known(&core, notification).await?;
            shards::shards(&core, notification, None).await
        })
        .await
    }

    async fn read_page(&self, shard: ShardKey, span: Span, limit: usize) -> Result<TargetPage> {
        self.run(|core| async move {
            let round = round(&core, shard.notification, shard.round).await?;
            read_page(&core, &round, shard, span, limit.min(MAX_PAGE_ENTRIES)).await
        })
        .await
    }

    async fn open_pages(&self, shard: ShardKey) -> Result<Vec<PageRecord>> {
        self.run(|core| async move { open_pages_of(&core, &stored(&core, shard).await?).await })
            .await
    }

    async fn record(&self, page: PageRecord, checkpoint: Shard) -> Result<()> {
        let order = self.run(|core| async move { ready(&core, page, checkpoint).await }).await?;
        self.inner.records.order(order).await
    }

    async fn tally(&self, notification: NotificationId) -> Result<Tally> {
        Ok(campaign::total(&self.shards(notification).await?))
    }

    async fn failures(
        &self,
        notification: NotificationId,
        filter: &FailureFilter,
        start: u64,
        size: usize,
    ) -> Result<Found<Failure>> {
        let filter = filter.clone();
        self.run(|core| async move {
            known(&core, notification).await?;
            failures(&core, notification, &filter, start, size).await
        })
        .await
    }

    async fn log(
        &self,
        notification: NotificationId,
        devices: &[DeviceId],
        kind: EventKind,
        now: Timestamp,
    ) -> Result<()> {
        let devices = devices.to_vec();
        let events = self.run(|core| async move {
            let app = match core.known_app(notification) {
                Some(app) => app,
                None => app_of(&core, notification).await?,
            };
            core.remember_app(notification, app);
            let mut events = Vec::with_capacity(devices.len());
            for device in devices {
                events.push(event(&core, (notification, app), device.0, kind as u8, now).await?);
            }
            Ok(events)
        });
        let events = events.await?;
        self.inner.events.order(|reply| EventOrder { events, reply }).await
    }

    async fn heard(&self, notification: NotificationId) -> Result<BTreeMap<EventKind, u64>> {
        self.run(|core| async move { heard(&core, notification).await }).await
    }

    async fn history(
        &self,
        app: &AppName,
        device: DeviceId,
        query: &EventQuery,
    ) -> Result<Found<Event>> {
        let Some(app) = self.app(app).await? else { return Ok(Found::default()) };
        let query = query.clone();
        self.run(|core| async move { history(&core, app, device, &query).await }).await
    }

    async fn drop_before(&self, before: Timestamp) -> Result<u64> {
        self.run(|core| async move { drop_before(&core, before).await }).await
    }

    async fn ping(&self) -> Result<()> {
        // A write that a majority confirms: a primary that lost its set answers reads for a while.
        self.run(|core| async move {
            let seen = core.documents(HEALTH).find_one_and_update(
                doc! { "_id": "ping" },
                doc! { "$currentDate": { "at": true } },
            );
            seen.upsert(true).await.map(drop).or_failed("ask the store whether it answers")
        })
        .await
    }
}

async fn known(core: &Core, notification: NotificationId) -> Result<()> {
    match find_one(core, notification).await? {
        Some(_) => Ok(()),
        None => Err(Error::not_found(format!("there is no notification {notification}"))),
    }
}

async fn drop_before(core: &Core, before: Timestamp) -> Result<u64> {
    const DOING: &str = "drop outdated campaigns";
    let notifications = core.documents(NOTIFICATIONS);
    let ended = doc! { "finished": { "$lt": before.0 } };
    let deleted =
        doc! { "status": i32::from(Status::Deleted.number()), "modified": { "$lt": before.0 } };
    let filter = doc! { "kept": true, "$or": [ended, deleted] };
    let outdated = notifications.find(filter).projection(doc! { "_id": 1 });
    let outdated: Vec<_> = outdated.await.or_failed(DOING)?.try_collect().await.or_failed(DOING)?;
    let mut dropped = 0;
    for row in &outdated {
        dropped += u64::from(drop_campaign(core, uuid_of(row)?).await?);
    }
    // Idempotency keys of requests before then.
    let old = doc! { "at": { "$lt": before.0 } };
    let filter = doc! { "keys.at": { "$lt": before.0 } };
    let forget = notifications.update_many(filter, doc! { "$pull": { "keys": old } });
    forget.await.or_failed("forget idempotency keys")?;
    Ok(dropped)
}

/// Drops a campaign's pages and events; whether it had any.
async fn drop_campaign(core: &Core, notification: NotificationId) -> Result<bool> {
    const DOING: &str = "drop an outdated campaign";
    let ledger = core.documents(LEDGER);
    // What pages beyond a cursor count would go with them: it is added to the shard's own counts first.
    for shard in shards::shards(core, notification, None).await?.iter().filter(|one| !one.done) {
        let counts = doc! {
            "base": to_json(&shard.tally)?,
            "again": to_json(&shard.again)?,
            "cursor": shard.span.upto.0.cast_signed(),
        };
        let key = doc! { "_id": shard_key(shard.key) };
        ledger.update_one(key, doc! { "$set": counts }).await.or_failed(DOING)?;
    }
    let pages = ledger.delete_many(pages_below(notification, None)).await.or_failed(DOING)?;
    let events = core.documents(EVENTS).delete_many(events_of(notification));
    let events = events.await.or_failed(DOING)?;
    let rounds = doc! { "_id": { "$gte": { "c": campaign(notification), "r": 0_i64 },
    "$lte": { "c": campaign(notification), "r": i64::from(u16::MAX) } } };
    let gone = doc! { "$set": { "dropped": true } };
    core.documents(ROUNDS).update_many(rounds, gone).await.or_failed(DOING)?;
    let key: Document = doc! { "_id": campaign(notification) };
    let gone = doc! { "$unset": { "kept": true } };
    core.documents(NOTIFICATIONS).update_one(key, gone).await.or_failed(DOING)?;
    Ok(pages.deleted_count + events.deleted_count > 0)
}
