//! The role of the campaign ledger.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::Connection;

use super::{
    Embedded,
    audiences::Audience,
    failures::failures,
    history::{heard, history},
    notification_row::number_of,
    page_rows::{drop_some, forget_keys, log, open_pages, outdated, record},
    shards::{self, cut},
    targets::read_page,
};
use crate::{
    domain::{
        Result,
        audience::Clause,
        campaign::{self, FailureFilter, PageRecord, RoundPlan, Shard, ShardKey, Span, TargetPage},
        ids::{AppName, DeviceId, NotificationId},
        tally::Tally,
        timestamp::Timestamp,
    },
    storage::{
        CampaignLedger, Event, EventKind, EventQuery, Failure, Found,
        pages::{MAX_PAGE_ENTRIES, pack},
    },
};

#[async_trait]
impl CampaignLedger for Embedded {
    /// The clause is read again from the stored notification, so that it is the same after a restart.
    async fn plan(
        &self,
        plan: &RoundPlan,
        _clause: Option<&Clause>,
        now: Timestamp,
    ) -> Result<Vec<Shard>> {
        let app = self.app_number(&plan.app).await?;
        let (index, wanted) = (self.inner.index.clone(), plan.clone());
        let spans = move |connection: &Connection| {
            let campaign = number_of(connection, wanted.notification)?;
            let round = Some(wanted.round);
            let stored = shards::shards(connection, wanted.notification, campaign, round)?;
            if !stored.is_empty() && !shards::may_replace(connection, campaign, wanted.round)? {
                return Ok((campaign, stored, Vec::new()));
            }
            let spans = if wanted.round == 0 {
                let index = index.read();
                cut(index.all(app).unwrap_or(&Default::default()), index.max_id(), wanted.shards)
            } else {
                let filter = wanted.failures.clone().unwrap_or_default();
                let failed =
                    Audience::of_failures(connection, campaign, wanted.round, &filter)?.matching;
                cut(&failed, index.read().max_id(), wanted.shards)
            };
            Ok((campaign, Vec::new(), spans))
        };
        let (campaign, stored, spans) = self.inner.readers.read(spans).await?;
        if !stored.is_empty() {
            return Ok(stored);
        }
        let plan = plan.clone();
        let job = move |work: &mut super::work::Work<'_>| {
            shards::plan(work, (campaign, app), &plan, now, &spans)
        };
        self.inner.writer.write(job).await
    }

    async fn shards(&self, notification: NotificationId) -> Result<Vec<Shard>> {
        let question = move |connection: &Connection| {
            let campaign = number_of(connection, notification)?;
            shards::shards(connection, notification, campaign, None)
        };
        self.inner.readers.read(question).await
    }

    async fn read_page(&self, shard: ShardKey, span: Span, limit: usize) -> Result<TargetPage> {
        let (index, audiences) = (self.inner.index.clone(), self.inner.audiences.clone());
        let question = move |connection: &Connection| {
            let audience = audiences.get(connection, &index, shard.notification, shard.round)?;
            read_page(connection, &audience, span, limit.min(MAX_PAGE_ENTRIES))
        };
        self.inner.readers.read(question).await
    }

    async fn open_pages(&self, shard: ShardKey) -> Result<Vec<PageRecord>> {
        let question = move |connection: &Connection| {
            let campaign = number_of(connection, shard.notification)?;
            open_pages(connection, campaign, shard)
        };
        self.inner.readers.read(question).await
    }

    async fn record(&self, page: PageRecord, checkpoint: Shard) -> Result<()> {
        let body = pack(&page.entries, page.span.after)?;
        let job = move |work: &mut super::work::Work<'_>| {
            let campaign = number_of(work.connection, page.shard.notification)?;
            record(work, campaign, &page, &body, &checkpoint)
        };
        self.inner.writer.write(job).await
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
        let question = move |connection: &Connection| {
            let campaign = number_of(connection, notification)?;
            failures(connection, campaign, &filter, start, size)
        };
        self.inner.readers.read(question).await
    }

    async fn log(
        &self,
        notification: NotificationId,
        devices: &[DeviceId],
        kind: EventKind,
        now: Timestamp,
    ) -> Result<()> {
        let devices = devices.to_vec();
        let job = move |work: &mut super::work::Work<'_>| {
            let campaign = number_of(work.connection, notification)?;
            log(work, campaign, &devices, kind, now)
        };
        self.inner.writer.write(job).await
    }

    async fn heard(&self, notification: NotificationId) -> Result<BTreeMap<EventKind, u64>> {
        let question =
            move |connection: &Connection| heard(connection, number_of(connection, notification)?);
        self.inner.readers.read(question).await
    }

    async fn history(
        &self,
        app: &AppName,
        device: DeviceId,
        query: &EventQuery,
    ) -> Result<Found<Event>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(Found::default()) };
        let query = query.clone();
        let question = move |connection: &Connection| history(connection, app, device.0, &query);
        self.inner.readers.read(question).await
    }

    async fn drop_before(&self, before: Timestamp) -> Result<u64> {
        let find = move |connection: &Connection| outdated(connection, before);
        let campaigns = self.inner.readers.read(find).await?;
        for campaign in &campaigns {
            let campaign = *campaign;
            while self.inner.writer.write(move |work| drop_some(work, campaign)).await? {}
        }
        self.inner.writer.write(move |work| forget_keys(work, before)).await?;
        Ok(campaigns.len() as u64)
    }

    async fn ping(&self) -> Result<()> {
        // Through both: a reader that answers and a writer that commits.
        self.inner.readers.read(|_| Ok(())).await?;
        self.inner.writer.write(|_| Ok(())).await
    }
}
