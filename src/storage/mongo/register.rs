//! Writing devices: what one group of orders does. It reads every device and token that the orders name,
//! carries the orders out in memory one after another, as the embedded store's writer does, and writes
//! what came out of it with one command of each kind. What another node changed in between is seen by
//! its version, or by a key that is taken; the orders on those devices are then carried out anew.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::{TryStreamExt, future::try_join_all};
use mongodb::{
    bson::{Document, doc},
    error::Error as DriverError,
    options::Hint,
};
use rand::Rng;
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    commands::{Kind, Outcome, Wait, update, write},
    core::Core,
    device_row::{Stored, changes, check_size, read_device, write_device},
    failure::{OrFailed, passes},
    schema::{BY_EXTERNAL_ID, BY_TOKEN, DEVICES},
    writer::{Group, repeat},
};
use crate::domain::{
    Error, Result,
    device::{Device, DeviceEdit, DevicePlatform, Properties, Registration, SendPlatform},
    ids::{DeviceId, ObjectId},
    timestamp::Timestamp,
};

/// How often a group is carried out anew before its callers are told.
const TRIES: u32 = 30;

type Name = (i32, String);

/// What to do with a device, and where the answer goes.
pub(super) enum DeviceOrder {
    Register {
        app: i32,
        registrations: Vec<Registration>,
        now: Timestamp,
        reply: oneshot::Sender<Result<Vec<Result<Device>>>>,
    },
    Edit {
        name: Name,
        edit: DeviceEdit,
        now: Timestamp,
        reply: oneshot::Sender<Result<Option<Device>>>,
    },
    Remove {
        name: Name,
        reply: oneshot::Sender<Result<bool>>,
    },
}

enum Answer {
    Registered(Vec<Result<Device>>),
    Edited(Result<Option<Box<Device>>>),
    Removed(bool),
}

/// Starts the task that writes devices.
pub(super) fn group(core: &Arc<Core>, runtime: &Handle, linger: Duration) -> Group<DeviceOrder> {
    Group::start(core, runtime, linger, |core, orders| async move {
        carry_out(&core, orders).await;
    })
}

async fn carry_out(core: &Core, mut orders: Vec<DeviceOrder>) {
    for attempt in 1.. {
        match try_all(core, &orders).await {
            Ok((answers, again)) => {
                let mut left = Vec::new();
                for (order, answer) in orders.into_iter().zip(answers) {
                    if order.names().any(|name| again.contains(&name)) {
                        left.push(order);
                    } else {
                        order.answer(Ok(answer));
                    }
                }
                orders = left;
            }
            Err(Trouble::Database(error)) if passes(&error) && attempt < TRIES => {
                let error = Trouble::Database(error).into_error();
                tracing::warn!(%error, attempt, "failed to write devices; trying again");
                tokio::time::sleep(Duration::from_millis(20) * attempt).await;
            }
            Err(trouble) => {
                let error = trouble.into_error();
                tracing::warn!(%error, orders = orders.len(), "a group of writes failed");
                return orders.into_iter().for_each(|order| order.answer(Err(repeat(&error))));
            }
        }
        if orders.is_empty() {
            return;
        }
        if attempt >= TRIES {
            let busy = || Error::unavailable("others keep changing the same devices");
            return orders.into_iter().for_each(|order| order.answer(Err(busy())));
        }
    }
}

enum Trouble {
    Database(DriverError),
    Ours(Error),
}

impl From<DriverError> for Trouble {
    fn from(error: DriverError) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

impl Trouble {
    fn into_error(self) -> Error {
        match self {
            Self::Ours(error) => error,
            Self::Database(error) => {
                Err::<(), _>(error).or_failed("write devices").expect_err("an error stays one")
            }
        }
    }
}

/// Carries orders out once: their answers, and the devices whose writes did not come about.
async fn try_all(
    core: &Core,
    orders: &[DeviceOrder],
) -> Result<(Vec<Answer>, HashSet<Name>), Trouble> {
    let mut desk = Desk::load(core, orders).await?;
    let mut answers = Vec::with_capacity(orders.len());
    for order in orders {
        answers.push(desk.carry_out(core, order).await?);
    }
    Ok((answers, desk.store(core).await?))
}

/// The devices that a group works on.
#[derive(Default)]
struct Desk {
    stored: HashMap<Name, Stored>,
    /// As they are to be; none where a device is to be gone.
    wanted: HashMap<Name, Option<Device>>,
    /// Who has a token now.
    holders: HashMap<Name, Name>,
}

impl Desk {
    async fn load(core: &Core, orders: &[DeviceOrder]) -> Result<Self, Trouble> {
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

    async fn carry_out(&mut self, core: &Core, order: &DeviceOrder) -> Result<Answer> {
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
        if let Err(refusal) = write_device(app, &device).and_then(|row| check_size(&row)) {
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
        check_size(&write_device(name.0, &next)?)?;
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
    async fn store(&self, core: &Core) -> Result<HashSet<Name>, Trouble> {
        let plan = self.plan(rand::random::<i64>())?;
        let mut again = HashSet::new();
        let (database, wait) = (&core.database, Wait::Majority);
        // First what gives tokens and names free, then what may take them.
        let freed =
            write(database, DEVICES, Kind::Update, &plan.frees.writes, Wait::Primary).await?;
        plan.frees.left_out(core, &freed, plan.writer, &mut again).await?;
        write(database, DEVICES, Kind::Delete, &plan.deletes, wait).await?;
        let (updated, inserted) = futures_util::future::try_join(
            write(database, DEVICES, Kind::Update, &plan.updates.writes, wait),
            write(database, DEVICES, Kind::Insert, &plan.inserts.writes, wait),
        )
        .await?;
        plan.updates.left_out(core, &updated, plan.writer, &mut again).await?;
        again.extend(inserted.refused.iter().map(|(place, _)| plan.inserts.names[*place].clone()));
        Ok(again)
    }

    fn plan(&self, writer: i64) -> Result<Plan> {
        let mut plan = Plan { writer, ..Plan::default() };
        for (name, wanted) in &self.wanted {
            let stored = self.stored.get(name);
            match (stored, wanted) {
                (Some(stored), Some(wanted)) if stored.device.id == wanted.id => {
                    plan.change(name, stored, wanted, &self.holders)?;
                }
                (stored, wanted) => {
                    if let Some(stored) = stored {
                        let place = write_device(name.0, &stored.device)?.get_i64("_id");
                        let place = place.map_err(|_| Error::bug("place a device"))?;
                        plan.deletes.push(doc! { "q": { "_id": place }, "limit": 1 });
                    }
                    if let Some(wanted) = wanted {
                        let mut row = write_device(name.0, wanted)?;
                        row.insert("v", 1_i64);
                        row.insert("w", writer);
                        plan.inserts.push(name, row);
                    }
                }
            }
        }
        Ok(plan)
    }
}

/// The commands of one group.
#[derive(Default)]
struct Plan {
    writer: i64,
    frees: Batch,
    deletes: Vec<Document>,
    updates: Batch,
    inserts: Batch,
}

/// Writes, and whose they are.
#[derive(Default)]
struct Batch {
    names: Vec<Name>,
    places: Vec<i64>,
    writes: Vec<Document>,
}

impl Batch {
    fn push(&mut self, name: &Name, write: Document) {
        self.names.push(name.clone());
        self.writes.push(write);
    }

    /// Adds the devices of updates that met no document as it was read, or were refused.
    async fn left_out(
        &self,
        core: &Core,
        outcome: &Outcome,
        writer: i64,
        again: &mut HashSet<Name>,
    ) -> Result<(), DriverError> {
        again.extend(outcome.refused.iter().map(|(place, _)| self.names[*place].clone()));
        if outcome.n == self.writes.len() as i64 {
            return Ok(());
        }
        let mine = doc! { "_id": { "$in": &self.places }, "w": writer };
        let done = core.documents(DEVICES).find(mine).projection(doc! { "_id": 1 }).await?;
        let done: Vec<_> = done.try_collect().await?;
        let done: HashSet<i64> = done.iter().filter_map(|row| row.get_i64("_id").ok()).collect();
        for (name, place) in self.names.iter().zip(&self.places) {
            if !done.contains(place) {
                again.insert(name.clone());
            }
        }
        Ok(())
    }
}

impl Plan {
    fn change(
        &mut self,
        name: &Name,
        stored: &Stored,
        wanted: &Device,
        holders: &HashMap<Name, Name>,
    ) -> Result<()> {
        let (old, new) = (write_device(name.0, &stored.device)?, write_device(name.0, wanted)?);
        let (mut set, mut unset) = changes(&old, &new);
        if set.is_empty() && unset.is_empty() {
            return Ok(());
        }
        let place = new.get_i64("_id").map_err(|_| Error::bug("place a device"))?;
        let mut version = stored.version;
        let lost = stored.device.push_token.as_ref().filter(|old| {
            let holder = holders.get(&(name.0, (*old).clone()));
            holder.is_some_and(|holder| holder != name)
        });
        let mark = doc! { "v": version + 1, "w": self.writer };
        if lost.is_some() {
            let filter = doc! { "_id": place, "v": version };
            self.frees
                .push(name, update(filter, doc! { "$set": mark, "$unset": { "t": true } }, false));
            self.frees.places.push(place);
            version += 1;
            unset.remove("t");
        }
        if set.is_empty() && unset.is_empty() {
            return Ok(());
        }
        set.insert("v", version + 1);
        set.insert("w", self.writer);
        let mut order = doc! { "$set": set };
        if !unset.is_empty() {
            order.insert("$unset", unset);
        }
        self.updates.push(name, update(doc! { "_id": place, "v": version }, order, false));
        self.updates.places.push(place);
        Ok(())
    }
}

impl DeviceOrder {
    /// The devices it is about.
    fn names(&self) -> impl Iterator<Item = Name> + '_ {
        let (app, many, one) = match self {
            Self::Register { app, registrations, .. } => (*app, registrations.as_slice(), None),
            Self::Edit { name, .. } | Self::Remove { name, .. } => (name.0, &[][..], Some(name)),
        };
        let many = many.iter().map(move |registration| (app, registration.external_id.clone()));
        many.chain(one.cloned())
    }

    /// A caller that went away wants no answer.
    fn answer(self, answer: Result<Answer>) {
        match (self, answer) {
            (Self::Register { reply, .. }, answer) => {
                let _ = reply.send(answer.and_then(Answer::registered));
            }
            (Self::Edit { reply, .. }, answer) => {
                let _ = reply.send(answer.and_then(Answer::edited));
            }
            (Self::Remove { reply, .. }, answer) => {
                let _ = reply.send(answer.and_then(Answer::removed));
            }
        }
    }
}

impl Answer {
    fn registered(self) -> Result<Vec<Result<Device>>> {
        if let Self::Registered(devices) = self { Ok(devices) } else { Err(mixed_up()) }
    }

    fn edited(self) -> Result<Option<Device>> {
        if let Self::Edited(edited) = self {
            Ok(edited?.map(|device| *device))
        } else {
            Err(mixed_up())
        }
    }

    fn removed(self) -> Result<bool> {
        if let Self::Removed(removed) = self { Ok(removed) } else { Err(mixed_up()) }
    }
}

fn mixed_up() -> Error {
    Error::bug("answer an order with its own answer")
}

fn blank(external_id: String, now: Timestamp) -> Device {
    Device {
        object_id: new_object_id(now),
        id: DeviceId(0),
        external_id,
        push_token: None,
        send_platform: SendPlatform::Unknown,
        device_platform: DevicePlatform::Unknown,
        random_bucket: rand::rng().random_range(1..=10_000),
        properties: Properties::new(),
        tags: Default::default(),
        alias: None,
        timezone: None,
        locale: None,
        created_at: now,
        registered_at: now,
        last_seen: now,
        pruned: None,
    }
}

fn new_object_id(now: Timestamp) -> ObjectId {
    static PROCESS: LazyLock<[u8; 5]> = LazyLock::new(|| rand::rng().random());
    static COUNTER: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(rand::rng().random()));
    // The specification keeps the low 32 bits of the seconds.
    let seconds = (now.seconds() & i64::from(u32::MAX)) as u32;
    ObjectId::from_parts(seconds, *PROCESS, COUNTER.fetch_add(1, Ordering::Relaxed))
}
