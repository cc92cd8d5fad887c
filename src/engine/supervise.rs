//! Real supervision for actix actors. A panic in a handler ends an actor for good and nothing in actix
//! tells of it, so every actor owns a [`Guard`]: dropping it without a word means a crash. A keeper
//! task then starts the next generation in the same seat, after a wait.
//!
//! What an actor must not lose lives in the structures it is handed (`campaign::CampaignRun`,
//! `sender::Desk`, the ledger), not in the actor; its mailbox holds wake-ups, which the next generation
//! makes up for by looking.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use actix::{Actor, ArbiterHandle, Context, prelude::*};
use arc_swap::ArcSwapOption;
use serde_json::Value;
use tokio::sync::oneshot;

use super::backoff::Backoff;

/// Waits before the next generation of an actor that crashed.
const RESTART: Backoff = Backoff { base: Duration::from_millis(20), max: Duration::from_secs(5) };
/// An actor that lived this long is healthy again: its next crash is its first.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// Owned by an actor; tells its keeper how it ended.
#[derive(Debug)]
pub struct Guard {
    ended: Option<oneshot::Sender<()>>,
}

impl Guard {
    /// The actor's work is done: no next generation.
    pub fn finish(&mut self) {
        if let Some(ended) = self.ended.take() {
            // The keeper is gone only when the engine is.
            let _ = ended.send(());
        }
    }
}

/// Asks an actor something that every actor answers.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Value")]
pub enum Probe {
    /// What it holds and waits for.
    Inspect,
    /// Panic, for tests of supervision.
    Crash,
}

/// The seat of an actor: the address of its current generation.
#[derive(Debug)]
pub struct Seat<A: Actor> {
    address: ArcSwapOption<Addr<A>>,
}

impl<A: Actor<Context = Context<A>>> Seat<A> {
    /// A seat that nobody sits in yet.
    pub fn empty() -> Arc<Self> {
        Arc::new(Self { address: ArcSwapOption::empty() })
    }

    /// Sends a wake-up. A crashed actor misses it, which is why its next generation looks for itself;
    /// a full mailbox is waited for.
    pub fn tell<M>(&self, message: M)
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
    {
        let Some(address) = self.address.load_full() else { return };
        if let Err(SendError::Full(message)) = address.try_send(message) {
            actix::spawn(async move {
                // Closed means crashed: see above.
                let _ = address.send(message).await;
            });
        }
    }
}

/// Every living actor by name, to be asked, and how often one had to be started again.
#[derive(Default)]
pub struct Board {
    actors: Mutex<BTreeMap<String, Recipient<Probe>>>,
    restarts: AtomicU64,
}

impl Board {
    /// How many times an actor was started again.
    pub fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    /// The actors now living.
    pub fn list(&self) -> BTreeMap<String, Recipient<Probe>> {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, name: &str, actor: Recipient<Probe>) {
        let mut actors = self.actors.lock().unwrap_or_else(PoisonError::into_inner);
        actors.insert(name.to_owned(), actor);
    }

    fn take(&self, name: &str) {
        self.actors.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }
}

/// Keeps an actor in `seat` on `arbiter` until it finishes. `make` builds each generation; it runs on
/// the arbiter's thread, and a panic there counts as a crash of the actor.
pub fn keep<A, F>(
    name: String,
    arbiter: &ArbiterHandle,
    board: Arc<Board>,
    seat: Arc<Seat<A>>,
    make: F,
) where
    A: Actor<Context = Context<A>> + Handler<Probe>,
    F: Fn(Guard) -> A + Send + Sync + 'static,
{
    let thread = arbiter.clone();
    let make = Arc::new(make);
    arbiter.spawn(async move {
        let mut crashes = 0;
        loop {
            let (ended, end) = oneshot::channel();
            let guard = Guard { ended: Some(ended) };
            let born = tokio::time::Instant::now();
            let make = Arc::clone(&make);
            let address = A::start_in_arbiter(&thread, move |_| make(guard));
            board.put(&name, address.clone().recipient());
            seat.address.store(Some(Arc::new(address)));
            if end.await.is_ok() {
                board.take(&name);
                seat.address.store(None);
                tracing::debug!(actor = name, "actor finished");
                return;
            }
            crashes = if born.elapsed() > HEALTHY_AFTER { 1 } else { crashes + 1 };
            board.restarts.fetch_add(1, Ordering::Relaxed);
            let wait = RESTART.wait(crashes, 1.0);
            tracing::error!(actor = name, crashes, ?wait, "an actor crashed; it starts again");
            tokio::time::sleep(wait).await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fragile {
        guard: Guard,
        generation: u64,
    }

    impl Actor for Fragile {
        type Context = Context<Self>;
    }

    impl Handler<Probe> for Fragile {
        type Result = MessageResult<Probe>;
        fn handle(&mut self, probe: Probe, _: &mut Context<Self>) -> Self::Result {
            assert!(matches!(probe, Probe::Inspect), "asked to crash");
            MessageResult(Value::from(self.generation))
        }
    }

    #[derive(Message)]
    #[rtype(result = "()")]
    struct Finish;

    impl Handler<Finish> for Fragile {
        type Result = ();
        fn handle(&mut self, _: Finish, ctx: &mut Context<Self>) {
            self.guard.finish();
            ctx.stop();
        }
    }

    async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(found) = look().await {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "waited too long");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    #[actix::test]
    async fn a_crash_starts_the_next_generation_and_a_finish_does_not() {
        let (board, seat) = (Arc::new(Board::default()), Seat::<Fragile>::empty());
        let born = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&born);
        let arbiter = actix::Arbiter::new();
        keep("fragile".into(), &arbiter.handle(), Arc::clone(&board), Arc::clone(&seat), {
            move |guard| Fragile { guard, generation: counter.fetch_add(1, Ordering::SeqCst) }
        });
        let generation = async || board.list().get("fragile")?.send(Probe::Inspect).await.ok();
        assert_eq!(until(generation).await, 0);
        let first = board.list().remove("fragile").expect("it lives");
        assert!(first.send(Probe::Crash).await.is_err());
        let second = async || generation().await.filter(|generation| *generation == 1);
        until(second).await;
        assert_eq!(board.restarts(), 1);
        seat.tell(Finish);
        until(async || board.list().is_empty().then_some(())).await;
        assert_eq!(born.load(Ordering::SeqCst), 2);
    }
}
