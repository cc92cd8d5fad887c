//! Group commit: orders that arrive while a command is under way, or within a moment of each other, go
//! out together in the next, and each caller learns the outcome of its own.
//!
//! One group of a queue is under way at a time, so orders in one queue take effect in the order they
//! came. `Lanes` are several queues side by side, so that the server works on one group while another is
//! being made ready or waits for the disk; orders on one thing always go the same lane.

use std::{
    future::Future,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash},
    sync::Arc,
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::core::Core;
use crate::domain::{Error, Result};

/// Most orders of one group.
const MAX_GROUP: usize = 1024;
/// Queues of a kind of orders that may go side by side.
const LANES: usize = 2;
/// Orders that may wait; a caller beyond waits for room.
const QUEUE: usize = 8192;

/// The queue to one kind of orders' task. When it is dropped the task ends after what it was given.
pub(super) struct Group<O> {
    queue: mpsc::Sender<O>,
}

impl<O: Send + 'static> Group<O> {
    /// Starts the task; `carry_out` answers every order it is given.
    pub(super) fn start<F, Fut>(
        core: &Arc<Core>,
        runtime: &Handle,
        linger: Duration,
        carry_out: F,
    ) -> Self
    where
        F: Fn(Arc<Core>, Vec<O>) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let (queue, mut orders) = mpsc::channel(QUEUE);
        let core = Arc::clone(core);
        runtime.spawn(async move {
            let mut before = 0;
            loop {
                let mut group = Vec::new();
                if orders.recv_many(&mut group, MAX_GROUP).await == 0 {
                    return;
                }
                // A caller alone does not wait; where many write, a moment gathers more.
                if (before > 1 || group.len() > 1) && group.len() < MAX_GROUP / 4 {
                    tokio::time::sleep(linger).await;
                    while group.len() < MAX_GROUP
                        && let Ok(order) = orders.try_recv()
                    {
                        group.push(order);
                    }
                }
                before = group.len();
                carry_out(Arc::clone(&core), group).await;
            }
        });
        Self { queue }
    }

    /// Hands an order over, made around where its answer goes, and waits for that. Once handed over it
    /// is carried out even if the caller goes away.
    pub(super) async fn order<T>(
        &self,
        make: impl FnOnce(oneshot::Sender<Result<T>>) -> O,
    ) -> Result<T> {
        let closed = || Error::unavailable("the store is shutting down");
        let (reply, answer) = oneshot::channel();
        self.queue.send(make(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

/// Queues of one kind of orders, side by side.
pub(super) struct Lanes<O>(Vec<Group<O>>);

impl<O: Send + 'static> Lanes<O> {
    /// Starts a task for each lane.
    pub(super) fn start(start: impl Fn() -> Group<O>) -> Self {
        Self((0..LANES).map(|_| start()).collect())
    }

    /// The lane of what `about` names.
    pub(super) fn of(&self, about: &impl Hash) -> &Group<O> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(about);
        &self.0[(hash % self.0.len() as u64) as usize]
    }
}

/// The same failure for each caller of a group.
pub(super) fn repeat(error: &Error) -> Error {
    let cause = std::io::Error::other(error.to_string());
    Error::unavailable("the store cannot write now").caused_by(cause)
}
