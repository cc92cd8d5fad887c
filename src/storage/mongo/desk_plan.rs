//! What a desk's wishes become: one command of each kind, each write naming the version it was worked
//! out from, and how to tell which of them did not come about. Used by `desk`.

use std::collections::{HashMap, HashSet};

use futures_util::{TryStreamExt, future::try_join};
use mongodb::{
    bson::{Bson, Document, doc},
    error::Error as DriverError,
    options::Hint,
};

use super::{
    commands::{Kind, Outcome, Wait, update, write},
    core::Core,
    desk::Desk,
    device_row::{Stored, changes, write_device},
    register::{Name, Trouble},
    schema::{BY_EXTERNAL_ID, DEVICES},
};
use crate::domain::{Error, Result, device::Device};

/// The commands of one group.
#[derive(Default)]
pub(super) struct Plan {
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
        // By name: a list of keys would have the server read every device.
        let names: Vec<Bson> = self.names.iter().map(|name| name.1.as_str().into()).collect();
        let apps: HashSet<i32> = self.names.iter().map(|name| name.0).collect();
        let apps: Vec<i32> = apps.into_iter().collect();
        let mine = doc! { "a": { "$in": apps }, "x": { "$in": names }, "w": writer };
        let find = core.documents(DEVICES).find(mine).hint(Hint::Name(BY_EXTERNAL_ID.to_owned()));
        let done = find.projection(doc! { "_id": 1 }).await?;
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
    /// What to write so that the desk's wishes come about.
    pub(super) fn of(desk: &Desk, writer: i64) -> Result<Self> {
        let mut plan = Self { writer, ..Self::default() };
        for (name, wanted) in &desk.wanted {
            let stored = desk.stored.get(name);
            match (stored, wanted) {
                (Some(stored), Some(wanted)) if stored.device.id == wanted.id => {
                    plan.change(name, stored, wanted, &desk.holders)?;
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

    /// Writes what is to be; the devices for which it did not come about.
    pub(super) async fn carry_out(&self, core: &Core) -> Result<HashSet<Name>, Trouble> {
        let mut again = HashSet::new();
        let (database, wait) = (&core.database, Wait::Majority);
        // First what gives tokens and names free, then what may take them.
        let freed =
            write(database, DEVICES, Kind::Update, &self.frees.writes, Wait::Primary).await?;
        self.frees.left_out(core, &freed, self.writer, &mut again).await?;
        write(database, DEVICES, Kind::Delete, &self.deletes, wait).await?;
        let (updated, inserted) = try_join(
            write(database, DEVICES, Kind::Update, &self.updates.writes, wait),
            write(database, DEVICES, Kind::Insert, &self.inserts.writes, wait),
        )
        .await?;
        self.updates.left_out(core, &updated, self.writer, &mut again).await?;
        again.extend(inserted.refused.iter().map(|(place, _)| self.inserts.names[*place].clone()));
        Ok(again)
    }

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
