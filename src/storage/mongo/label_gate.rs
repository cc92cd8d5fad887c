//! One change of an app's labels at a time, on whatever node: what is counted behind the gate stays true
//! until the change is written.
//!
//! On a replica set a change is a transaction that writes the gate's document first: of two at once the
//! second meets a conflict and begins anew, and a crash leaves nothing behind. A standalone server has no
//! transactions: there the gate is held for a while by name, the writes of one change are not one step,
//! and a gate whose holder died opens after that while.

use std::time::Duration;

use mongodb::{
    ClientSession,
    bson::doc,
    error::{Error as DriverError, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT},
    options::{ReadConcern, WriteConcern},
};

use super::{
    core::Core,
    failure::{OrFailed, is_duplicate, passes},
    schema::LABELS,
};
use crate::domain::{Error, Result};

/// How long a standalone server's gate is held at the most.
const HELD: Duration = Duration::from_secs(30);
/// How often a commit whose outcome is not known is asked for again.
const COMMITS: u32 = 10;

/// Why a change did not come about.
pub(super) enum Trouble {
    /// Somebody else was there first, or the database was away for a moment: begin anew.
    Passing,
    /// Beginning anew does not help.
    Lasting(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Lasting(error)
    }
}

impl From<DriverError> for Trouble {
    fn from(error: DriverError) -> Self {
        if error.contains_label(TRANSIENT_TRANSACTION_ERROR) || passes(&error) {
            return Self::Passing;
        }
        let failed = Err::<(), _>(error).or_failed("change labels");
        Self::Lasting(failed.expect_err("an error stays one"))
    }
}

/// The way in, being held.
pub(super) struct Gate<'a> {
    core: &'a Core,
    app: i32,
    /// Everything behind the gate is read and written in this.
    pub(super) session: ClientSession,
    /// Who holds a standalone server's gate; none in a transaction.
    holder: Option<i64>,
}

impl Core {
    /// A session of the driver.
    pub(super) async fn session(&self) -> Result<ClientSession> {
        self.database.client().start_session().await.or_failed("begin a session")
    }
}

impl<'a> Gate<'a> {
    /// Waits for nobody: where somebody else is inside, the trouble is passing.
    pub(super) async fn enter(core: &'a Core, app: i32) -> Result<Self, Trouble> {
        let session = core.session().await?;
        let mut gate = Self { core, app, session, holder: None };
        if core.has_transactions().await? {
            gate.begin().await?;
        } else {
            gate.hold().await?;
        }
        Ok(gate)
    }

    async fn begin(&mut self) -> Result<(), Trouble> {
        let begin = self.session.start_transaction();
        let begin = begin.read_concern(ReadConcern::snapshot());
        begin.write_concern(WriteConcern::majority()).await?;
        let gates = self.core.documents(LABELS);
        let passage = gates.update_one(doc! { "_id": self.app }, doc! { "$inc": { "n": 1_i64 } });
        let passed = passage.session(&mut self.session).await;
        if passed.as_ref().is_ok_and(|passed| passed.matched_count == 1) {
            return Ok(());
        }
        // An aborted transaction is forgotten in any case.
        let _ = self.session.abort_transaction().await;
        passed?;
        self.build().await
    }

    async fn hold(&mut self) -> Result<(), Trouble> {
        let gates = self.core.documents(LABELS);
        let holder: i64 = rand::random();
        let millis = i64::try_from(HELD.as_millis()).unwrap_or(i64::MAX);
        let open = vec![
            doc! { "holder": { "$exists": false } },
            doc! { "$expr": { "$lt": ["$until", "$$NOW"] } },
        ];
        let until = doc! { "$add": ["$$NOW", millis] };
        let take = vec![doc! { "$set": { "holder": holder, "until": until } }];
        let taken = gates.update_one(doc! { "_id": self.app, "$or": open }, take).await?;
        if taken.matched_count == 1 {
            self.holder = Some(holder);
            return Ok(());
        }
        self.build().await
    }

    /// Makes the gate where an app has none yet; either way, whoever wants in begins anew.
    async fn build(&self) -> Result<(), Trouble> {
        let gates = self.core.documents(LABELS);
        match gates.insert_one(doc! { "_id": self.app, "n": 0_i64 }).await {
            Err(error) if !is_duplicate(&error) => Err(error.into()),
            _ => Err(Trouble::Passing),
        }
    }

    /// Makes what was written last.
    pub(super) async fn commit(mut self) -> Result<(), Trouble> {
        if self.holder.is_some() {
            self.leave().await;
            return Ok(());
        }
        for _ in 0..COMMITS {
            match self.session.commit_transaction().await {
                Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                committed => return Ok(committed?),
            }
        }
        Err(Error::unavailable("the store did not confirm the change").into())
    }

    /// Lets the next one in; what was written in a transaction is undone.
    pub(super) async fn leave(&mut self) {
        let left = match self.holder {
            None => self.session.abort_transaction().await,
            Some(holder) => {
                let own = doc! { "_id": self.app, "holder": holder };
                let free = doc! { "$unset": { "holder": true, "until": true } };
                self.core.documents(LABELS).update_one(own, free).await.map(drop)
            }
        };
        if let Err(error) = left.or_failed("leave the gate of labels") {
            tracing::debug!(%error, "it opens by itself");
        }
    }
}
