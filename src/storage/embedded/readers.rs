//! The reader threads, each with a read connection of its own. Whatever blocks on the disk or keeps a
//! core busy (compiling a clause, reading a page) runs here, so that no asynchronous thread does.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::{mpsc, oneshot};

use super::failure::OrFailed;
use crate::domain::{Error, Result};

/// Questions that may wait per thread; a caller beyond waits for room.
const QUEUE_PER_THREAD: usize = 64;

type Question = Box<dyn FnOnce(&Connection) + Send>;

/// The queue to the reader threads. Dropping it lets them finish and waits for that.
pub(super) struct Readers {
    queue: Option<mpsc::Sender<Question>>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts `count` threads, at least one, on the database at `path`.
    pub(super) fn start(path: &Path, count: usize) -> Result<Self> {
        let count = count.max(1);
        let (queue, questions) = mpsc::channel(QUEUE_PER_THREAD * count);
        let questions = Arc::new(Mutex::new(questions));
        let mut readers = Self { queue: Some(queue), threads: Vec::with_capacity(count) };
        for number in 0..count {
            let connection = connect(path)?;
            let questions = Arc::clone(&questions);
            let thread = std::thread::Builder::new()
                .name(format!("store-reader-{number}"))
                .spawn(move || serve(&connection, &questions))
                .map_err(|error| Error::internal("start a reader of the store", error))?;
            readers.threads.push(thread);
        }
        Ok(readers)
    }

    /// Answers `question` on one of the threads.
    pub(super) async fn read<T, F>(&self, question: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let closed = || Error::unavailable("the store is shutting down");
        let (reply, answer) = oneshot::channel();
        let ask = move |connection: &Connection| {
            if !reply.is_closed() {
                // A caller that went away meanwhile wants no answer.
                let _ = reply.send(question(connection));
            }
        };
        let queue = self.queue.as_ref().ok_or_else(closed)?;
        queue.send(Box::new(ask)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| Error::bug("finish a read: it panicked"))?
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // Its panics were already answered.
            let _ = thread.join();
        }
    }
}

fn serve(connection: &Connection, questions: &Mutex<mpsc::Receiver<Question>>) {
    loop {
        let next = questions.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(question) = next else { return };
        if catch_unwind(AssertUnwindSafe(|| question(connection))).is_err() {
            tracing::error!("a question to the store panicked");
        }
    }
}

/// A connection to read by.
pub(super) fn connect(path: &Path) -> Result<Connection> {
    const DOING: &str = "open a read connection";
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).or_failed(DOING)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection
        .execute_batch("PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;")
        .or_failed(DOING)?;
    Ok(connection)
}
