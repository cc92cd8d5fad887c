//! Orders on devices, carried out in groups: what one group asks is worked out on a `desk`, written, and
//! answered. What another node changed in between is carried out anew.

use std::{collections::HashSet, sync::Arc, time::Duration};

use mongodb::error::Error as DriverError;
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    core::Core,
    desk::Desk,
    failure::{OrFailed, passes},
    writer::{Group, Lanes, repeat},
};
use crate::domain::{
    Error, Result,
    device::{Device, DeviceEdit, Registration},
    timestamp::Timestamp,
};

/// How often a group is carried out anew before its callers are told.
const TRIES: u32 = 30;

/// A device by its app and external id.
pub(super) type Name = (i32, String);

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

pub(super) enum Answer {
    Registered(Vec<Result<Device>>),
    Edited(Result<Option<Box<Device>>>),
    Removed(bool),
}

/// Starts the tasks that write devices. An order goes the lane of the first device it names; orders of
/// several lanes that meet at one device or token find out by its version, as those of other nodes do.
pub(super) fn lanes(core: &Arc<Core>, runtime: &Handle, linger: Duration) -> Lanes<DeviceOrder> {
    Lanes::start(|| {
        Group::start(core, runtime, linger, |core, orders| async move {
            carry_out(&core, orders).await;
        })
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

/// Why a group could not be carried out.
pub(super) enum Trouble {
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

impl DeviceOrder {
    /// The devices it is about.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> + '_ {
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
