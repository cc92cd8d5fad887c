//! The OAuth access token that every push to Google carries: fetched once, renewed ahead of time.
//!
//! However many pushes need one, one request at a time asks for it. Callers wait only while there is
//! no valid token at all.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue,
    header::{ACCEPT, CONTENT_TYPE},
    uri::PathAndQuery,
};
use serde::Deserialize;
use tokio::{sync::watch, time::Instant};

use super::{
    super::{
        http2::{Call, Pool, Response},
        retry_after::retry_after,
    },
    credentials::Signer,
};
use crate::domain::{
    outcome::{Answer, Reason},
    timestamp::Timestamp,
};

/// A token is renewed this long before its end, or in its last tenth if that is shorter.
const LEAD: Duration = Duration::from_secs(300);
/// After a failed renewal the next waits this long at first, and twice as long each time, up to the
/// longest: no longer than a provider that is out of order is left alone before it is asked again.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A token refused by FCM is replaced no more often than this.
const MIN_REPLACEMENT: Duration = Duration::from_secs(1);
/// What a token is taken to live for when its server does not say.
const DEFAULT_LIFETIME_SECS: u64 = 3600;

/// The app's access tokens. Clones share one.
#[derive(Clone)]
pub(super) struct AccessTokens {
    inner: Arc<Inner>,
}

struct Inner {
    signer: Signer,
    pool: Pool,
    path: PathAndQuery,
    headers: HeaderMap,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// Told when the renewal under way ends; none when there is none under way.
    renewal: Option<watch::Receiver<()>>,
    failures: u32,
    /// The last renewal's failure, and until when it stands for further ones.
    failed: Option<(Answer, Instant)>,
    replaced: Option<Instant>,
}

#[derive(Clone)]
struct Token {
    header: HeaderValue,
    renew: Instant,
    end: Instant,
}

#[derive(Deserialize)]
struct Grant {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// RFC 6749 section 5.2.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    error: String,
}

impl AccessTokens {
    pub(super) fn new(signer: Signer, pool: Pool, path: PathAndQuery) -> Self {
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let state = Mutex::default();
        Self { inner: Arc::new(Inner { signer, pool, path, headers, state }) }
    }

    /// The `authorization` header to send now, or the answer of a push that cannot have one.
    pub(super) async fn current(&self) -> Result<HeaderValue, Answer> {
        let mut renewed = {
            let mut state = self.inner.lock();
            let now = Instant::now();
            let valid = state.token.as_ref().filter(|token| now < token.end).cloned();
            match (valid, state.failure(now)) {
                (Some(token), failure) => {
                    if now >= token.renew && failure.is_none() {
                        self.renew(&mut state);
                    }
                    return Ok(token.header);
                }
                (None, Some(failure)) => return Err(failure),
                (None, None) => self.renew(&mut state),
            }
        };
        // An end without a word means that the runtime which fetched it has ended.
        renewed.changed().await.ok();
        self.inner.lock().outcome()
    }

    /// Another token than the one that FCM refused; none when the refused one is itself so new that
    /// yet another would fare no better.
    pub(super) async fn replaced(
        &self,
        refused: &HeaderValue,
    ) -> Option<Result<HeaderValue, Answer>> {
        {
            let mut state = self.inner.lock();
            let now = Instant::now();
            if state.token.as_ref().is_some_and(|token| token.header == refused) {
                if state.replaced.is_some_and(|at| now < at + MIN_REPLACEMENT) {
                    return None;
                }
                state.replaced = Some(now);
                state.token = None;
            }
        }
        Some(self.current().await)
    }

    /// Why the last renewal failed; none once one went well.
    pub(super) fn trouble(&self) -> Option<String> {
        let state = self.inner.lock();
        let (Answer::BadCredential { reason } | Answer::Unavailable { reason, .. }) =
            &state.failed.as_ref()?.0
        else {
            return None;
        };
        Some(format!("access token: {}", reason.as_str()))
    }

    /// Begins a renewal unless one is under way.
    fn renew(&self, state: &mut State) -> watch::Receiver<()> {
        if let Some(renewal) = &state.renewal {
            return renewal.clone();
        }
        let (ended, renewal) = watch::channel(());
        state.renewal = Some(renewal.clone());
        let mut attempt = Attempt { inner: self.inner.clone(), ended, result: None };
        tokio::spawn(async move {
            let result = attempt.inner.fetch().await;
            attempt.finish(result);
        });
        renewal
    }
}

/// A renewal under way; its end, even in mid-air, is recorded and told.
struct Attempt {
    inner: Arc<Inner>,
    ended: watch::Sender<()>,
    result: Option<Result<Token, Answer>>,
}

impl Attempt {
    /// Leaves the result for the end.
    fn finish(&mut self, result: Result<Token, Answer>) {
        self.result = Some(result);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut state = self.inner.lock();
        state.renewal = None;
        match self.result.take() {
            Some(Ok(token)) => {
                state.token = Some(token);
                state.failures = 0;
                state.failed = None;
            }
            Some(Err(answer)) => state.fail(answer, Instant::now()),
            None => {}
        }
        drop(state);
        self.ended.send_replace(());
    }
}

impl State {
    /// The failure that stands at `now`.
    fn failure(&self, now: Instant) -> Option<Answer> {
        let (answer, until) = self.failed.as_ref()?;
        (now < *until).then(|| answer.clone())
    }

    fn fail(&mut self, answer: Answer, now: Instant) {
        let pause = FIRST_PAUSE * 2u32.saturating_pow(self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        self.failed = Some((answer, now + pause.min(LONGEST_PAUSE)));
    }

    /// What a caller gets who waited for a renewal.
    fn outcome(&self) -> Result<HeaderValue, Answer> {
        match (&self.token, &self.failed) {
            (Some(token), _) if Instant::now() < token.end => Ok(token.header.clone()),
            (_, Some((answer, _))) => Err(answer.clone()),
            _ => Err(unavailable("no_access_token", None)),
        }
    }
}

impl Inner {
    async fn fetch(&self) -> Result<Token, Answer> {
        let now = Timestamp::now();
        let assertion =
            self.signer.assertion(now).ok_or_else(|| bad_credential("signing_failed"))?;
        // RFC 7523 section 2.1. The assertion's alphabet needs no escapes in a form.
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
        );
        let call = Call {
            path: self.path.clone(),
            headers: &self.headers,
            own_headers: &[],
            body: body.into(),
        };
        let asked = Instant::now();
        let response = self.pool.send(&call).await.map_err(|failure| {
            // The push itself has not even begun.
            unavailable(failure.kind.word(), failure.retry_after)
        })?;
        let token = read(&response, asked, now);
        if let Err(answer) = &token {
            tracing::warn!(?answer, status = %response.status, "no access token from Google");
        }
        token
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while the access token is locked")
    }
}

/// What the token server's response gives.
fn read(response: &Response, asked: Instant, now: Timestamp) -> Result<Token, Answer> {
    let status = response.status.as_u16();
    if status != 200 {
        let refusal: Refusal = serde_json::from_slice(&response.body).unwrap_or_default();
        let wait = retry_after(&response.headers, now);
        return Err(match (refusal.error.as_str(), status) {
            (_, 429 | 500..) | ("temporarily_unavailable" | "internal_failure", _) => {
                unavailable(&format!("token_http_{status}"), wait)
            }
            ("", _) => bad_credential(&format!("token_http_{status}")),
            (word, _) => bad_credential(word),
        });
    }
    let grant: Grant = serde_json::from_slice(&response.body)
        .map_err(|_| unavailable("token_unreadable", None))?;
    let mut header = HeaderValue::from_maybe_shared(format!("Bearer {}", grant.access_token))
        .map_err(|_| unavailable("token_unreadable", None))?;
    header.set_sensitive(true);
    let lifetime =
        Duration::from_secs(grant.expires_in.unwrap_or(DEFAULT_LIFETIME_SECS).min(86_400));
    let end = asked + lifetime;
    Ok(Token { header, renew: end - LEAD.min(lifetime / 10), end })
}

fn bad_credential(word: &str) -> Answer {
    Answer::BadCredential { reason: Reason::new(word) }
}

fn unavailable(word: &str, retry_after: Option<Duration>) -> Answer {
    Answer::Unavailable { reason: Reason::new(word), retry_after, unsent: true }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;
    use crate::transport::{
        fcm::credentials::{self, tests::settings},
        http2::{Origin, PoolConfig, tls_config},
        testing::{Files, Received, Reply, TestServer, bounded, eventually},
    };

    fn grant(number: usize, lifetime: u64) -> Reply {
        let body = format!(r#"{{"access_token":"t{number}","expires_in":{lifetime}}}"#);
        Reply::Answer(200, Vec::new(), body)
    }

    async fn start(
        handler: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> (TestServer, AccessTokens) {
        let server = TestServer::start(10, handler).await;
        let signer = credentials::load(&settings(&Files::new())).unwrap().signer;
        let tls = tls_config(Some(server.ca_pem().as_bytes()), None).unwrap();
        let origin = Origin::parse(&server.url()).unwrap();
        let pool = Pool::new(origin, tls, PoolConfig::default());
        (server, AccessTokens::new(signer, pool, "/token?a=b".parse().unwrap()))
    }

    #[tokio::test]
    async fn many_callers_make_one_request() {
        let (server, tokens) = start(|received| {
            assert_eq!(received.path, "/token?a=b");
            assert!(received.body.starts_with(b"grant_type=urn%3Aietf%3Aparams%3Aoauth"));
            assert_eq!(received.headers["content-type"], "application/x-www-form-urlencoded");
            grant(received.number, 3600)
        })
        .await;
        let all = bounded(join_all((0..100).map(|_| tokens.current()))).await;
        assert!(all.iter().all(|token| token.as_ref().unwrap() == "Bearer t0"));
        assert_eq!(bounded(tokens.current()).await.unwrap(), "Bearer t0");
        assert_eq!(server.requests(), 1);
    }

    #[tokio::test]
    async fn a_token_near_its_end_is_renewed_behind_the_callers_back() {
        let (server, tokens) = start(|received| match received.number {
            1 => Reply::Answer(503, Vec::new(), String::new()),
            number => grant(number, 3600),
        })
        .await;
        assert_eq!(bounded(tokens.current()).await.unwrap(), "Bearer t0");
        let age = || tokens.inner.lock().token.as_mut().unwrap().renew = Instant::now();
        age();
        assert_eq!(tokens.current().await.unwrap(), "Bearer t0");
        // This renewal fails; the token in hand goes on.
        let failed = || tokens.inner.lock().failed.is_some();
        eventually("the renewal fails", failed).await;
        assert_eq!(tokens.current().await.unwrap(), "Bearer t0");
        assert_eq!(server.requests(), 2);
        tokens.inner.lock().failed = None;
        assert_eq!(tokens.current().await.unwrap(), "Bearer t0");
        eventually("the renewal succeeds", || !failed() && server.requests() == 3).await;
        let renewed = || tokens.inner.lock().token.as_ref().unwrap().header == "Bearer t2";
        eventually("the new token is there", renewed).await;
    }

    #[tokio::test]
    async fn a_refused_token_is_replaced_once_for_everybody() {
        let (server, tokens) = start(|received| grant(received.number, 3600)).await;
        let refused = bounded(tokens.current()).await.unwrap();
        let all = bounded(join_all((0..50).map(|_| tokens.replaced(&refused)))).await;
        assert!(all.iter().flatten().all(|token| token.as_ref().unwrap() == "Bearer t1"));
        assert_eq!((all.len(), server.requests()), (50, 2));
        let next = HeaderValue::from_static("Bearer t1");
        assert!(tokens.replaced(&next).await.is_none());
    }

    #[tokio::test]
    async fn failures_are_told_apart_and_stand_for_a_while() {
        let (server, tokens) = start(|received| match received.number {
            0 => Reply::Answer(400, Vec::new(), r#"{"error":"invalid_grant"}"#.into()),
            1 => Reply::Answer(503, vec![("retry-after", "9".into())], String::new()),
            number => grant(number, 3600),
        })
        .await;
        let refused = bounded(tokens.current()).await.unwrap_err();
        assert_eq!(refused, bad_credential("invalid_grant"));
        assert_eq!(tokens.current().await.unwrap_err(), refused);
        assert_eq!(server.requests(), 1);
        tokens.inner.lock().failed = None;
        let down = unavailable("token_http_503", Some(Duration::from_secs(9)));
        assert_eq!(bounded(tokens.current()).await.unwrap_err(), down);
        tokens.inner.lock().failed = None;
        assert_eq!(bounded(tokens.current()).await.unwrap(), "Bearer t2");
    }
}
