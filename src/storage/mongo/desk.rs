//! The devices that one group of orders works on: every device and token that the orders name is read,
//! the orders are carried out in memory one after another, as the embedded store's writer does, and
//! `desk_plan` writes what came out of it. Used by `register`.

use std::collections::{HashMap, HashSet};

use futures_util::{TryStreamExt, future::try_join_all};
use mongodb::{bson::doc, options::Hint};

use super::{
    core::Core,
    desk_plan::Plan,
    device_row::{Stored, check_size, read_device},
    register::{Answer, DeviceOrder, Name, Trouble},
    schema::{BY_EXTERNAL_ID, BY_TOKEN, DEVICES},
};
use crate::{
    domain::{
        Result,
        device::{Device, DeviceEdit, Registration},
        ids::DeviceId,
        timestamp::Timestamp,
    },
    storage::blank::blank,
};

/// The devices that a group works on.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) stored: HashMap<Name, Stored>,
    /// As they are to be; none where a device is to be gone.
    pub(super) wanted: HashMap<Name, Option<Device>>,
    /// Who has a token now.
    pub(super) holders: HashMap<Name, Name>,
}

impl Desk {
    /// Reads what the orders name.
    pub(super) async fn load(core: &Core, orders: &[DeviceOrder]) -> Result<Self, Trouble> {
        let mut names: HashMap<i32, (Vec<String>, Vec<String>)> = HashMap::new();
        for order in orders {
            for (app, name) in order.names() {
                names.entry(app).or_default().0.push(name);
            }
            if let DeviceOrder::Register { app, registrations, .. } = order {
                let tokens = registrations.iter().map(|one| one.push_token.clone());
                names.entry(*app).or_default().1.extend(tokens);
            }
        }
        // The index is named: the planner would try every index that begins with the app, at each group.
        let finds = names.into_iter().flat_map(|(app, (names, tokens))| {
            let by_name = (BY_EXTERNAL_ID, doc! { "a": app, "x": { "$in": names } });
            let by_token = (BY_TOKEN, doc! { "a": app, "t": { "$in": &tokens } });
            [Some(by_name), (!tokens.is_empty()).then_some(by_token)].into_iter().flatten()
        });
        let finds = finds.map(|(index, filter)| async move {
            let find = core.raw(DEVICES).find(filter).hint(Hint::Name(index.to_owned()));
            find.batch_size(10_000).await?.try_collect::<Vec<_>>().await
        });
        let mut desk = Self::default();
        for row in try_join_all(finds).await?.iter().flatten() {
            let stored = read_device(row)?;
            let name = (stored.app, stored.device.external_id.clone());
            if let Some(token) = &stored.device.push_token {
                desk.holders.insert((stored.app, token.clone()), name.clone());
            }
            desk.wanted.insert(name.clone(), Some(stored.device.clone()));
            desk.stored.insert(name, stored);
        }
        Ok(desk)
    }

    /// Carries one order out, in memory.
    pub(super) async fn carry_out(&mut self, core: &Core, order: &DeviceOrder) -> Result<Answer> {
        Ok(match order {
            DeviceOrder::Register { app, registrations, now, .. } => {
                let mut answers = Vec::with_capacity(registrations.len());
                for registration in registrations {
                    answers.push(self.register(core, *app, registration, *now).await?);
                }
                Answer::Registered(answers)
            }
            DeviceOrder::Edit { name, edit, now, .. } => {
                Answer::Edited(self.edit(name, edit, *now).map(|device| device.map(Box::new)))
            }
            DeviceOrder::Remove { name, .. } => Answer::Removed(self.remove(name)),
        })
    }

    /// The inner error refuses this registration alone.
    async fn register(
        &mut self,
        core: &Core,
        app: i32,
        registration: &Registration,
        now: Timestamp,
    ) -> Result<Result<Device>> {
        let name = (app, registration.external_id.clone());
        let found = self.wanted.get(&name).cloned().flatten();
        let is_new = found.is_none();
        let mut device = found.unwrap_or_else(|| blank(registration.external_id.clone(), now));
        if let Err(refusal) = registration.edit.apply(&mut device) {
            return Ok(Err(refusal));
        }
        if is_new {
            device.id = DeviceId(core.device_ids.next().await?.cast_unsigned());
        }
        if let Err(refusal) = check_size(&device) {
            return Ok(Err(refusal));
        }
        let token = (app, registration.push_token.clone());
        if let Some(old) = device.push_token.take().filter(|old| *old != token.1) {
            self.holders.remove(&(app, old));
        }
        if let Some(holder) = self.holders.insert(token, name.clone()).filter(|one| *one != name)
            && let Some(Some(loser)) = self.wanted.get_mut(&holder)
        {
            loser.push_token = None;
        }
        device.push_token = Some(registration.push_token.clone());
        device.send_platform = registration.send_platform.unwrap_or(device.send_platform);
        device.device_platform = registration.device_platform.unwrap_or(device.device_platform);
        (device.registered_at, device.last_seen, device.pruned) = (now, now, None);
        self.wanted.insert(name, Some(device.clone()));
        Ok(Ok(device))
    }

    fn edit(&mut self, name: &Name, edit: &DeviceEdit, now: Timestamp) -> Result<Option<Device>> {
        let Some(Some(device)) = self.wanted.get_mut(name) else { return Ok(None) };
        let mut next = device.clone();
        edit.apply(&mut next)?;
        check_size(&next)?;
        next.last_seen = now;
        device.clone_from(&next);
        Ok(Some(next))
    }

    fn remove(&mut self, name: &Name) -> bool {
        let Some(removed) = self.wanted.get_mut(name).and_then(Option::take) else { return false };
        if let Some(token) = removed.push_token {
            self.holders.remove(&(name.0, token));
        }
        true
    }

    /// Writes what is to be; the devices for which it did not come about.
    pub(super) async fn store(&self, core: &Core) -> Result<HashSet<Name>, Trouble> {
        Plan::of(self, rand::random())?.carry_out(core).await
    }
}
