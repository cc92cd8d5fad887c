//! Counts and times every request as it passes: by the API that it is of, told by a mark which that
//! API's paths carry. A few additions for each request, no lock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use actix_web::{
    Error, HttpRequest,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web::Data,
};

use super::ApiState;
use crate::telemetry::Histogram;

/// Which API a path is of: put on it as application data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Fanfare's own.
    Native,
    /// WalletConnect's Push Server.
    PushServer,
    /// Moxie Notifications.
    Moxie,
    /// EngageLab.
    EngageLab,
    /// Health, readiness, metrics.
    Operations,
    /// The console's files.
    Console,
    /// Paths without a mark: those that nobody serves.
    Other,
}

impl Dialect {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::Native,
        Self::PushServer,
        Self::Moxie,
        Self::EngageLab,
        Self::Operations,
        Self::Console,
        Self::Other,
    ];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        ["native", "push_server", "moxie", "engagelab", "operations", "console", "other"]
            [self as usize]
    }
}

/// The classes of a status, by its first digit less one.
pub const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What was answered so far, by dialect.
#[derive(Debug, Default)]
pub struct HttpFigures {
    dialects: [DialectFigures; Dialect::ALL.len()],
}

/// What was answered of one dialect.
#[derive(Debug, Default)]
pub struct DialectFigures {
    classes: [AtomicU64; CLASSES.len()],
    /// How long answers took.
    pub took: Histogram,
}

impl HttpFigures {
    /// Those of one dialect.
    pub fn of(&self, dialect: Dialect) -> &DialectFigures {
        &self.dialects[dialect as usize]
    }
}

impl DialectFigures {
    /// How many answers there were of each class.
    pub fn by_class(&self) -> [u64; CLASSES.len()] {
        std::array::from_fn(|class| self.classes[class].load(Ordering::Relaxed))
    }

    fn count(&self, status: StatusCode, begun: Instant) {
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        self.classes[class].fetch_add(1, Ordering::Relaxed);
        self.took.record(begun.elapsed());
    }
}

/// Goes around everything else.
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let begun = Instant::now();
    let state = request.app_data::<Data<ApiState>>().cloned();
    let answer = next.call(request).await;
    if let Some(state) = state {
        let (dialect, status) = match &answer {
            Ok(answer) => (dialect_of(answer.request()), answer.status()),
            Err(error) => (Dialect::Other, error.as_response_error().status_code()),
        };
        state.http.of(dialect).count(status, begun);
    }
    answer
}

/// Which API's an answer is.
pub(super) fn dialect_of(request: &HttpRequest) -> Dialect {
    request.app_data().copied().unwrap_or(Dialect::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_counts_in_its_class() {
        let figures = HttpFigures::default();
        for status in [101, 200, 204, 304, 404, 503, 999] {
            let status = StatusCode::from_u16(status).expect("a status");
            figures.of(Dialect::Native).count(status, Instant::now());
        }
        assert_eq!(figures.of(Dialect::Native).by_class(), [1, 2, 1, 1, 2]);
        assert_eq!(figures.of(Dialect::Native).took.read().count(), 7);
        assert_eq!(figures.of(Dialect::Moxie).by_class(), [0; 5]);
    }
}
