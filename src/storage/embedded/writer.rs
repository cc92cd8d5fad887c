//! The one writer thread, with group commit.
//!
//! It takes what has gathered in its bounded queue, runs all of it in one transaction, each job in a
//! savepoint so that one refused refuses no other, commits (one fsync for all), publishes the changes
//! to the index, and only then answers each caller. A commit that fails fails every job of its group
//! and leaves the index as it was; the next group starts afresh.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    failure::OrFailed,
    index::SharedIndex,
    label_changes::LabelChanges,
    work::{Sequences, Work},
};
use crate::domain::{Error, Result};

/// Most jobs that one commit makes durable.
const MAX_GROUP: usize = 1024;
/// Jobs that may wait; a caller beyond waits for room.
const QUEUE: usize = 4096;

/// The queue to the writer thread. Dropping it lets the thread finish what it was given and waits for
/// that.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread, which owns `connection` from now on.
    pub(super) fn start(connection: Connection, index: Arc<SharedIndex>) -> Result<Self> {
        let sequences = Sequences::load(&connection)?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let state = State { connection, index, sequences, stored: sequences };
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || state.run(jobs))
            .map_err(|error| Error::internal("start the store's writer", error))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in the next group; its answer is durable when this returns. Once handed over it
    /// runs even if the caller goes away. A failure undoes what it wrote, and nothing else of its group.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Work<'_>) -> Result<T> + Send + 'static,
    {
        self.hand_over(work, true).await
    }

    /// The same for work that refuses before it writes: a failure after that is the store's own, and
    /// fails the whole group. It needs no savepoint, which is a quarter of a small write's cost.
    pub(super) async fn write_unguarded<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Work<'_>) -> Result<T> + Send + 'static,
    {
        self.hand_over(work, false).await
    }

    async fn hand_over<T, F>(&self, work: F, guarded: bool) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Work<'_>) -> Result<T> + Send + 'static,
    {
        let closed = || Error::unavailable("the store is shutting down");
        let (reply, answer) = oneshot::channel();
        let task = Task { work: Some(work), outcome: None, guarded, reply };
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(Box::new(task)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was already seen by its callers as a closed queue.
            let _ = thread.join();
        }
    }
}

/// A job in the queue.
trait Job: Send {
    /// Whether a failure must undo what it wrote.
    fn is_guarded(&self) -> bool;
    /// Runs it; whether it succeeded.
    fn run(&mut self, work: &mut Work<'_>) -> bool;
    /// Answers its caller, once: with its own outcome, or with the failure of its group.
    fn answer(self: Box<Self>, failure: Option<Error>);
}

struct Task<T, F> {
    work: Option<F>,
    outcome: Option<Result<T>>,
    guarded: bool,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnOnce(&mut Work<'_>) -> Result<T> + Send,
{
    fn is_guarded(&self) -> bool {
        self.guarded
    }

    fn run(&mut self, work: &mut Work<'_>) -> bool {
        let Some(job) = self.work.take() else { return false };
        let outcome = catch_unwind(AssertUnwindSafe(|| job(work)))
            .unwrap_or_else(|_| Err(Error::bug("finish a write: it panicked")));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>, failure: Option<Error>) {
        let answer = match (failure, self.outcome) {
            (Some(error), _) => Err(error),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(Error::bug("run a write of a committed group")),
        };
        // A caller that went away wants no answer.
        let _ = self.reply.send(answer);
    }
}

/// What the writer thread owns.
struct State {
    connection: Connection,
    index: Arc<SharedIndex>,
    sequences: Sequences,
    stored: Sequences,
}

impl State {
    fn run(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut group = Vec::with_capacity(MAX_GROUP);
        while let Some(job) = jobs.blocking_recv() {
            group.push(job);
            while group.len() < MAX_GROUP
                && let Ok(job) = jobs.try_recv()
            {
                group.push(job);
            }
            self.run_group(&mut group);
        }
        // Leaves one file instead of three; the log alone would do, so a failure here loses nothing.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn run_group(&mut self, group: &mut Vec<Box<dyn Job>>) {
        let mut changes = Vec::new();
        let failure = self.transact(group, &mut changes).err();
        match &failure {
            None => self.index.publish(changes),
            Some(error) => {
                tracing::warn!(error = %error, jobs = group.len(), "a group of writes failed");
                if !self.connection.is_autocommit()
                    && let Err(error) = self.connection.execute_batch("ROLLBACK")
                {
                    tracing::error!(error = %error, "failed to roll a group of writes back");
                }
            }
        }
        for job in group.drain(..) {
            job.answer(failure.as_ref().map(repeat));
        }
    }

    /// Runs and commits a group. On an error nothing of it is stored.
    fn transact(
        &mut self,
        group: &mut [Box<dyn Job>],
        changes: &mut Vec<super::index::Change>,
    ) -> Result<()> {
        const DOING: &str = "commit a group of writes";
        let connection = &self.connection;
        let execute = |sql: &str| {
            connection.prepare_cached(sql).and_then(|mut sql| sql.execute([])).or_failed(DOING)
        };
        execute("BEGIN IMMEDIATE")?;
        let mut labels = LabelChanges::default();
        for job in group {
            let guarded = job.is_guarded();
            if guarded {
                execute("SAVEPOINT job")?;
            }
            let mark = changes.len();
            let sequences = &mut self.sequences;
            let mut work = Work { connection, sequences, changes, labels: &mut labels };
            if !job.run(&mut work) {
                // A full or broken disk ends the whole transaction, not the statement alone.
                if connection.is_autocommit() || !guarded {
                    return Err(Error::unavailable("the store cannot write now"));
                }
                changes.truncate(mark);
                labels.take_back(mark);
                execute("ROLLBACK TO job")?;
            }
            if guarded {
                execute("RELEASE job")?;
            }
        }
        self.sequences.save(self.stored, connection).or_failed(DOING)?;
        execute("COMMIT")?;
        self.stored = self.sequences;
        Ok(())
    }
}

/// The same failure for each caller of a group.
fn repeat(error: &Error) -> Error {
    let cause = std::io::Error::other(error.to_string());
    Error::unavailable("the store cannot write now").caused_by(cause)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::{
        domain::{
            ErrorKind,
            device::{Device, Registration},
            ids::AppName,
            timestamp::Timestamp,
        },
        storage::{
            DeviceStore,
            embedded::{Embedded, EmbeddedOptions},
        },
    };

    async fn register(store: &Embedded, name: &str, token_bytes: usize) -> Result<Device> {
        let registration = Registration {
            external_id: name.into(),
            push_token: format!("{name}{}", "t".repeat(token_bytes)),
            ..Registration::default()
        };
        let app = AppName::new("app");
        let answers = store.register(&app, vec![registration], Timestamp(0)).await?;
        answers.into_iter().next().expect("one answer for one registration")
    }

    async fn count(store: &Embedded) -> u64 {
        let app = AppName::new("app");
        let counted = store.count(&app, None, &[], Timestamp(0)).await.expect("counted");
        counted.platforms.total()
    }

    async fn limit_pages(store: &Embedded, pages: u32) {
        let limit = move |work: &mut Work<'_>| {
            work.connection
                .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
                .or_failed("limit the file")
        };
        store.inner.writer.write(limit).await.expect("limited");
    }

    #[tokio::test]
    async fn a_full_disk_fails_the_group_and_the_store_goes_on_after() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || Embedded::open(directory.path(), EmbeddedOptions::default());
        let store = open().await.expect("opened");
        register(&store, "before", 0).await.expect("registered");
        limit_pages(&store, 1).await;
        let full: Vec<_> = (0..8)
            .map(|number| {
                let store = store.clone();
                tokio::spawn(async move { register(&store, &format!("full{number}"), 4000).await })
            })
            .collect();
        for task in full {
            let error = task.await.expect("no panic").expect_err("the disk is full");
            assert_eq!(error.kind(), &ErrorKind::Unavailable, "{error}");
        }
        assert_eq!(count(&store).await, 1, "the index holds what is stored");
        limit_pages(&store, u32::MAX - 1).await;
        register(&store, "after", 4000).await.expect("registered");
        drop(store);
        assert_eq!(count(&open().await.expect("opened")).await, 2);
    }

    #[tokio::test]
    async fn a_job_that_fails_or_panics_refuses_no_other() {
        let mut connection = Connection::open_in_memory().expect("in memory");
        super::super::schema::migrate(&mut connection).expect("created");
        let writer =
            Arc::new(Writer::start(connection, Arc::default()).expect("the writer starts"));
        let jobs: Vec<_> = (0..30)
            .map(|number| {
                let writer = Arc::clone(&writer);
                tokio::spawn(async move {
                    let job = move |work: &mut Work<'_>| {
                        let insert = "INSERT INTO apps (name) VALUES (?)";
                        work.connection.execute(insert, [number]).or_failed("insert")?;
                        match number % 3 {
                            0 => Ok(()),
                            1 => Err(Error::malformed("refused after it wrote")),
                            _ => panic!("on purpose"),
                        }
                    };
                    writer.write(job).await.is_ok()
                })
            })
            .collect();
        for (number, job) in jobs.into_iter().enumerate() {
            assert_eq!(job.await.expect("no panic reaches the caller"), number % 3 == 0);
        }
        let count = |work: &mut Work<'_>| {
            let sql = "SELECT count(*) FROM apps";
            work.connection.query_row(sql, [], |row| row.get::<_, u32>(0)).or_failed("count")
        };
        assert_eq!(writer.write(count).await.expect("counted"), 10);
    }
}
