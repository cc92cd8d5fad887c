//! How long a store takes: every role wrapped so that each of its operations is timed, and its failures
//! counted. Both stores hand their roles out like this. Whoever shows the figures reads [`StoreTimes`].
//!
//! A role's operations stand in one table (`campaigns`, `devices`, `small`), from which the wrapper and
//! its figures are made. An operation that the trait answers by itself has its row too, or a store's
//! quicker way would be passed by.

mod campaigns;
mod devices;
mod small;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use self::{
    campaigns::{LedgerTimes, NotificationTimes},
    devices::DeviceTimes,
    small::{AuditTimes, DocumentTimes, LabelTimes, RateTimes, SuggestionTimes},
};
use super::Stores;
use crate::{
    domain::{ErrorKind, Result},
    telemetry::Histogram,
};

/// The figures of one operation.
#[derive(Debug, Default)]
pub struct Timing {
    /// How long each took, failed or not.
    pub took: Histogram,
    failures: AtomicU64,
}

impl Timing {
    /// How many failed through no fault of the caller.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    async fn time<T>(&self, operation: impl Future<Output = Result<T>>) -> Result<T> {
        let begun = Instant::now();
        let answer = operation.await;
        self.took.record(begun.elapsed());
        let failed =
            |kind: &ErrorKind| matches!(kind, ErrorKind::Unavailable | ErrorKind::Internal);
        if answer.as_ref().is_err_and(|error| failed(error.kind())) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

/// The figures of every operation of a store.
#[derive(Debug, Default)]
pub struct StoreTimes {
    devices: Arc<DeviceTimes>,
    notifications: Arc<NotificationTimes>,
    ledger: Arc<LedgerTimes>,
    rates: Arc<RateTimes>,
    documents: Arc<DocumentTimes>,
    audit: Arc<AuditTimes>,
    labels: Arc<LabelTimes>,
    suggestions: Arc<SuggestionTimes>,
}

impl StoreTimes {
    /// Each operation's, with the names of its role and its own.
    pub fn all(&self) -> Vec<(&'static str, &'static str, &Timing)> {
        let roles = [
            ("devices", self.devices.all()),
            ("notifications", self.notifications.all()),
            ("ledger", self.ledger.all()),
            ("rates", self.rates.all()),
            ("documents", self.documents.all()),
            ("audit", self.audit.all()),
            ("labels", self.labels.all()),
            ("suggestions", self.suggestions.all()),
        ];
        let named = |(role, operations): (&'static str, Vec<(&'static str, _)>)| {
            operations.into_iter().map(move |(operation, timing)| (role, operation, timing))
        };
        roles.into_iter().flat_map(named).collect()
    }
}

impl Stores {
    /// These roles, timed.
    pub(super) fn timed(self) -> Self {
        let times = self.times;
        Self {
            devices: Timed::wrap(self.devices, &times.devices),
            notifications: Timed::wrap(self.notifications, &times.notifications),
            ledger: Timed::wrap(self.ledger, &times.ledger),
            rates: Timed::wrap(self.rates, &times.rates),
            documents: Timed::wrap(self.documents, &times.documents),
            audit: Timed::wrap(self.audit, &times.audit),
            labels: Timed::wrap(self.labels, &times.labels),
            suggestions: Timed::wrap(self.suggestions, &times.suggestions),
            times,
        }
    }
}

/// A role whose operations are timed.
struct Timed<R: ?Sized, T> {
    role: Arc<R>,
    times: Arc<T>,
}

impl<R: ?Sized, T> Timed<R, T> {
    fn wrap(role: Arc<R>, times: &Arc<T>) -> Arc<Self> {
        Arc::new(Self { role, times: Arc::clone(times) })
    }
}

/// A table of a role's operations: makes the figures, and the role over [`Timed`].
macro_rules! timed {
    ($role:ident, $times:ident: $($operation:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[doc = concat!("The figures of [`", stringify!($role), "`].")]
        #[derive(Debug, Default)]
        pub struct $times {
            $($operation: $crate::storage::timed::Timing,)*
        }

        impl $times {
            /// Each operation's, by its name.
            pub fn all(&self) -> Vec<(&'static str, &$crate::storage::timed::Timing)> {
                vec![$((stringify!($operation), &self.$operation)),*]
            }
        }

        #[async_trait::async_trait]
        impl $role for $crate::storage::timed::Timed<dyn $role, $times> {
            $(async fn $operation(&self, $($name: $type),*) -> $crate::domain::Result<$answer> {
                self.times.$operation.time(self.role.$operation($($name),*)).await
            })*
        }
    };
}
use timed;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Error;

    #[tokio::test]
    async fn what_is_the_callers_fault_is_no_failure_of_the_store() {
        let timing = Timing::default();
        let errors = [Error::conflict("launched before"), Error::bug("count")];
        for error in errors {
            let answer: Result<()> = timing.time(async { Err(error) }).await;
            assert!(answer.is_err());
        }
        assert!(timing.time(async { Ok(1) }).await.is_ok());
        assert_eq!((timing.took.read().count(), timing.failures()), (3, 1));
    }
}
