//! The role of the label store: changes are jobs of the one writer, which decides on what is stored and
//! what its group has changed so far, so that two at once cannot take the same last place. Counts are
//! lengths of the index.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use rusqlite::Connection;

use super::{Embedded, index::SharedIndex, register, work::Work};
use crate::{
    domain::{
        Result,
        device::{Device, DevicePlatform},
        ids::AppName,
        labels::{LabelEdit, LabelUsage, Quotas, Refusal},
    },
    storage::{LabelStore, labels::LabelPlan},
};

/// Devices that one job takes a label from; others' writes come in between.
const DROPPED_AT_ONCE: usize = 1000;

/// Which label to take away.
#[derive(Clone, Copy)]
enum Kind {
    Tag,
    Alias,
}

#[async_trait]
impl LabelStore for Embedded {
    async fn change(
        &self,
        app: &AppName,
        edits: Vec<LabelEdit>,
        quotas: Quotas,
    ) -> Result<Result<(), Refusal>> {
        let app = self.app_number(app).await?;
        let index = Arc::clone(&self.inner.index);
        let job = move |work: &mut Work<'_>| change(work, &index, app, &edits, quotas);
        self.inner.writer.write(job).await
    }

    async fn tags(&self, app: &AppName) -> Result<Vec<String>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(Vec::new()) };
        let index = Arc::clone(&self.inner.index);
        self.inner.readers.read(move |_: &Connection| Ok(index.read().tags(app))).await
    }

    async fn counts(
        &self,
        app: &AppName,
        tags: &[String],
        platforms: &[DevicePlatform],
    ) -> Result<Vec<u64>> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(vec![0; tags.len()]) };
        let index = Arc::clone(&self.inner.index);
        let (tags, platforms) = (tags.to_vec(), platforms.to_vec());
        let question = move |_: &Connection| {
            let index = index.read();
            Ok(tags.iter().map(|tag| index.tagged(app, tag, &platforms).len()).collect())
        };
        self.inner.readers.read(question).await
    }

    async fn usage(&self, app: &AppName) -> Result<LabelUsage> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(LabelUsage::default()) };
        let index = self.inner.index.read();
        Ok(LabelUsage { tags: index.tags_in_use(app), aliases: index.aliases_in_use(app) })
    }

    async fn drop_tag(&self, app: &AppName, tag: &str, platforms: &[DevicePlatform]) -> Result<()> {
        self.drop_label(app, Kind::Tag, tag, platforms).await
    }

    async fn drop_alias(
        &self,
        app: &AppName,
        alias: &str,
        platforms: &[DevicePlatform],
    ) -> Result<()> {
        self.drop_label(app, Kind::Alias, alias, platforms).await
    }
}

impl Embedded {
    async fn drop_label(
        &self,
        app: &AppName,
        kind: Kind,
        label: &str,
        platforms: &[DevicePlatform],
    ) -> Result<()> {
        let Some(app) = self.inner.apps.find(app) else { return Ok(()) };
        let holders: Vec<u32> = {
            let index = self.inner.index.read();
            let holders = match kind {
                Kind::Tag => index.tagged(app, label, platforms),
                Kind::Alias => index.aliased(app, label, platforms),
            };
            holders.iter().collect()
        };
        for ids in holders.chunks(DROPPED_AT_ONCE) {
            let (ids, label, platforms) = (ids.to_vec(), label.to_owned(), platforms.to_vec());
            let job = move |work: &mut Work<'_>| {
                ids.iter().try_for_each(|id| drop_from(work, app, *id, kind, &label, &platforms))
            };
            self.inner.writer.write(job).await?;
        }
        Ok(())
    }
}

/// The inner error refuses before anything is written.
fn change(
    work: &mut Work<'_>,
    index: &SharedIndex,
    app: u32,
    edits: &[LabelEdit],
    quotas: Quotas,
) -> Result<Result<(), Refusal>> {
    let mut devices = Vec::with_capacity(edits.len());
    for edit in edits {
        devices.extend(register::find(work, app, &edit.external_id)?);
    }
    let plan = match LabelPlan::of(edits, devices) {
        Ok(plan) => plan,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Err(refusal) = judge(work, index, app, &plan, quotas) {
        return Ok(Err(refusal));
    }
    for (before, after) in plan.changed {
        register::replace(work, app, before, &after)?;
    }
    Ok(Ok(()))
}

fn judge(
    work: &mut Work<'_>,
    index: &SharedIndex,
    app: u32,
    plan: &LabelPlan,
    quotas: Quotas,
) -> Result<(), Refusal> {
    work.labels.take_in(work.changes);
    let (index, made) = (index.read(), &work.labels);
    let count = |tag: &String| (tag.clone(), made.tag_count(&index, app, tag));
    let counts: BTreeMap<String, u64> = plan.tags.keys().map(count).collect();
    let taken = |(alias, device): &(String, Device)| {
        let own = u32::try_from(device.id.0).unwrap_or(u32::MAX);
        made.is_taken(&index, app, alias, own)
    };
    if plan.claims.iter().any(taken) {
        return Err(Refusal::AliasTaken);
    }
    let tags = if plan.may_add_tags(&counts) { made.tags_in_use(&index, app) } else { 0 };
    let usage = LabelUsage { tags, aliases: made.aliases_in_use(&index, app) };
    plan.check(&counts, usage, quotas)
}

fn drop_from(
    work: &mut Work<'_>,
    app: u32,
    id: u32,
    kind: Kind,
    label: &str,
    platforms: &[DevicePlatform],
) -> Result<()> {
    let Some(before) = register::find_by_number(work, app, id)? else { return Ok(()) };
    if !platforms.contains(&before.device_platform) {
        return Ok(());
    }
    let mut after = before.clone();
    match kind {
        Kind::Tag => {
            after.tags.remove(label);
        }
        Kind::Alias => after.alias = after.alias.filter(|alias| alias != label),
    }
    if after == before { Ok(()) } else { register::replace(work, app, before, &after) }
}
