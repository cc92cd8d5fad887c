//! What handlers of the native API take from a request, as extractors: the caller with the scope that
//! the endpoint needs, the body, the query, ids in the path, the idempotency key.
//!
//! The caller comes first in every handler's arguments. The others wait until it is settled who calls
//! (`settled_first`, `once_settled`), however long that takes: nothing of a body is read for strangers, and
//! what else is wrong with a request is not told to them.

use std::{marker::PhantomData, sync::Arc};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header::COOKIE, web};
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::error::ApiError;
use crate::{
    api::{
        ApiState,
        auth::{self, SERVER_KEY},
        deeds::{self, Deed},
        extract,
    },
    domain::{
        Error,
        app::{Identity, Principal, Scope},
        audit::{Action, Actor, Doer},
        ids::{AppName, NotificationId},
    },
};

/// What an extractor promises.
pub(super) type Extracting<T> = LocalBoxFuture<'static, Result<T, ApiError>>;

/// Closed once it is settled who calls.
struct Settling(watch::Receiver<()>);

/// Extracts the caller; what is extracted after it waits.
fn settled_first<T: 'static>(
    request: &HttpRequest,
    settle: impl AsyncFnOnce(HttpRequest) -> Result<T, ApiError> + 'static,
) -> Extracting<T> {
    let (open, settling) = watch::channel(());
    request.extensions_mut().insert(Settling(settling));
    let request = request.clone();
    async move {
        let caller = settle(request).await;
        drop(open);
        caller
    }
    .boxed_local()
}

/// Extracts something else, once the caller is settled. A caller that is refused is answered before this is
/// asked on.
pub(super) fn once_settled<T: 'static>(
    request: &HttpRequest,
    read: impl Future<Output = Result<T, ApiError>> + 'static,
) -> Extracting<T> {
    let settling = request.extensions().get::<Settling>().map(|settling| settling.0.clone());
    async move {
        if let Some(mut settling) = settling {
            while settling.changed().await.is_ok() {}
        }
        read.await
    }
    .boxed_local()
}

/// A scope as a type, for handlers to name in their signature.
pub trait Needs {
    /// The scope.
    const SCOPE: Scope;
}

/// Needs [`Scope::Admin`].
pub struct Admin;
/// Needs [`Scope::Send`].
pub struct Send;
/// Needs [`Scope::Read`].
pub struct Read;
/// Needs [`Scope::Register`].
pub struct Register;

impl Needs for Admin {
    const SCOPE: Scope = Scope::Admin;
}
impl Needs for Send {
    const SCOPE: Scope = Scope::Send;
}
impl Needs for Read {
    const SCOPE: Scope = Scope::Read;
}
impl Needs for Register {
    const SCOPE: Scope = Scope::Register;
}

/// A proven caller whose key has the scope `N`.
pub struct Caller<N> {
    principal: Arc<Principal>,
    request: HttpRequest,
    scope: PhantomData<N>,
}

impl<N> Caller<N> {
    /// The caller's app.
    pub fn app(&self) -> &AppName {
        &self.principal.app
    }

    /// Records in the audit log what the caller has done.
    pub async fn note(&self, action: Action, target: impl ToString, details: Value) {
        let (app, target) = (Some(self.principal.app.clone()), Some(target.to_string()));
        let actor = Actor::from(&*self.principal);
        deeds::record(&self.request, Deed { app, actor, action, target, details }).await;
    }
}

impl<N: Needs + 'static> FromRequest for Caller<N> {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        settled_first(request, async |request| {
            let principal = auth::caller(&request, state(&request)).await?;
            if principal.may(N::SCOPE) {
                let scope = PhantomData;
                return Ok(Self { principal, request, scope });
            }
            Err(lacks(N::SCOPE).into())
        })
    }
}

fn lacks(scope: Scope) -> Error {
    Error::forbidden(format!("this needs a key with the scope `{}`", scope.name()))
}

/// A proven caller with the scope `N`, who need not say on which app it acts.
pub struct Anyone<N> {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The app that the request names; none where it names none.
    named: Option<AppName>,
    request: HttpRequest,
    scope: PhantomData<N>,
}

impl<N> Anyone<N> {
    /// The app whose data it may see; none is all of them.
    pub fn sees(&self) -> Option<AppName> {
        let own = || self.identity.home.clone().filter(|_| !self.identity.is_operator);
        self.named.clone().or_else(own)
    }

    /// The app of this name, if it is the caller's to look after.
    pub fn own(&self, name: &str) -> Result<AppName, Error> {
        let app = AppName::new(name);
        if self.sees().is_none_or(|own| own == app) {
            return Ok(app);
        }
        Err(Error::not_found("there is no such app, or it is another's"))
    }

    /// Refuses whoever is no operator.
    pub fn must_be_operator(&self) -> Result<(), Error> {
        if self.identity.is_operator {
            return Ok(());
        }
        Err(Error::forbidden("this needs an operator: one of internal.keys"))
    }

    /// Who it is, for what is recorded by others.
    pub fn doer(&self) -> Doer {
        Doer { actor: Actor::from(&*self.identity), address: deeds::address(&self.request) }
    }

    /// Records in the audit log what the caller has done to an app, or to the installation.
    pub async fn note(
        &self,
        app: Option<AppName>,
        action: Action,
        target: Option<String>,
        details: Value,
    ) {
        let actor = Actor::from(&*self.identity);
        deeds::record(&self.request, Deed { app, actor, action, target, details }).await;
    }
}

impl<N: Needs + 'static> FromRequest for Anyone<N> {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        settled_first(request, async |request| {
            let state = state(&request);
            if !request.method().is_safe() {
                // A key that another node has revoked must make no other.
                state.services.apps.follow().await?;
            }
            let identity = auth::identity(&request, state).await?;
            let named = auth::named_app(&request, state, &identity)?;
            if identity.may(N::SCOPE) {
                let scope = PhantomData;
                return Ok(Self { identity, named, request, scope });
            }
            Err(lacks(N::SCOPE).into())
        })
    }
}

/// A caller of `/internal`, proven by `X-Server-Key` or by a console session begun with such a key.
pub struct InternalCaller {
    identity: Arc<Identity>,
    request: HttpRequest,
}

impl InternalCaller {
    /// Records in the audit log what the caller has done to the installation.
    pub async fn note(&self, action: Action, details: Value) {
        let actor = Actor::from(&*self.identity);
        let deed = Deed { app: None, actor, action, target: None, details };
        deeds::record(&self.request, deed).await;
    }
}

impl FromRequest for InternalCaller {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        settled_first(request, async |request| {
            let identity = internal(&request).await.map_err(ApiError::internal)?;
            Ok(Self { identity, request })
        })
    }
}

async fn internal(request: &HttpRequest) -> Result<Arc<Identity>, Error> {
    let (state, headers) = (state(request), request.headers());
    if !headers.contains_key(SERVER_KEY) && headers.contains_key(COOKIE) {
        let session = auth::of_cookie(request, state).await?;
        if let Some((_, identity)) = session.filter(|(_, identity)| identity.is_operator) {
            return Ok(Arc::new(identity));
        }
    }
    state.keyring.operator(headers)
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = extract::body(request, payload);
        once_settled(request, async move { Ok(Self(extract::json(&body.await?)?)) })
    }
}

/// A JSON body that may be left out.
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for OptionalBody<T> {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = extract::body(request, payload);
        once_settled(request, async move {
            let body = body.await?;
            Ok(Self(if body.is_empty() { T::default() } else { extract::json(&body)? }))
        })
    }
}

/// The query string.
pub struct Query(pub extract::Params);

impl FromRequest for Query {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let params = extract::Params::read(request.query_string());
        once_settled(request, async { params.map(Self).map_err(ApiError::from) })
    }
}

/// `{external_id}` of the path, decoded.
pub struct ExternalId(pub String);

impl FromRequest for ExternalId {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let part = path_part(request);
        once_settled(request, async { part.map(Self) })
    }
}

/// The variable parts of the path, decoded.
pub struct Parts<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Parts<T> {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parts = path_parts(request);
        once_settled(request, async { parts.map(Self) })
    }
}

/// How long a UUID with its hyphens is.
const HYPHENATED: usize = uuid::fmt::Hyphenated::LENGTH;

/// `{uuid}` of the path; text that is no UUID names no notification.
pub struct Uuid(pub NotificationId);

impl FromRequest for Uuid {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = path_part(request).and_then(|text| {
            // One name each: of the ways to write a UUID, the hyphenated one alone.
            let uuid = uuid::Uuid::try_parse(&text).ok().filter(|_| text.len() == HYPHENATED);
            let unknown = || Error::not_found("there is no such notification: not a UUID").into();
            uuid.map(|uuid| Self(NotificationId(uuid))).ok_or_else(unknown)
        });
        once_settled(request, async { parsed })
    }
}

/// The `Idempotency-Key` header, 1 to 255 visible ASCII characters.
pub struct IdempotencyHeader(pub Option<String>);

impl FromRequest for IdempotencyHeader {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(value) = request.headers().get("Idempotency-Key") else {
            return once_settled(request, async { Ok(Self(None)) });
        };
        let fits = |text: &&str| {
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        let wrong = || {
            Error::invalid(
                "Idempotency-Key",
                "must be 1 to 255 visible ASCII characters, without spaces",
            )
        };
        let key = value.to_str().ok().filter(fits).map(str::to_owned).ok_or_else(wrong);
        once_settled(request, async { key.map(|key| Self(Some(key))).map_err(ApiError::from) })
    }
}

fn path_part(request: &HttpRequest) -> Result<String, ApiError> {
    path_parts(request)
}

fn path_parts<T: DeserializeOwned + 'static>(request: &HttpRequest) -> Result<T, ApiError> {
    if !decodes_to_text(request.uri().path()) {
        return Err(Error::malformed("the path is not UTF-8").into());
    }
    let part = web::Path::<T>::extract(request).into_inner();
    let part = part.map_err(|_| Error::malformed("the path does not read"))?;
    Ok(part.into_inner())
}

/// Whether what a path's `%xx` stand for is text; decoders further in put U+FFFD for what is not.
fn decodes_to_text(path: &str) -> bool {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = behind.get(..2).filter(|_| byte == b'%');
        let hex = hex.and_then(|digits| std::str::from_utf8(digits).ok());
        match hex.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                decoded.push(escaped);
                rest = &behind[2..];
            }
            None => {
                decoded.push(byte);
                rest = behind;
            }
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

fn state(request: &HttpRequest) -> &ApiState {
    request.app_data::<web::Data<ApiState>>().expect("mount puts the state on every application")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use actix_web::{
        ResponseError, error::PayloadError, http::StatusCode, test::TestRequest, web::Bytes,
    };
    use futures_util::{StreamExt, stream};

    #[actix_web::test]
    async fn a_body_that_does_not_come_is_given_up() {
        let request =
            TestRequest::post().app_data(extract::BodyDeadline(Duration::from_millis(20)));
        let request = request.to_http_request();
        let begun = stream::iter([Ok::<_, PayloadError>(Bytes::from_static(b"{"))]);
        let stream: actix_web::dev::Payload =
            Payload::Stream { payload: Box::pin(begun.chain(stream::pending())) };
        let mut payload = stream;
        let read = Body::<serde_json::Value>::from_request(&request, &mut payload);
        let error = read.await.err().expect("given up");
        assert_eq!(error.status_code(), StatusCode::REQUEST_TIMEOUT);
        let answer = error.error_response();
        assert!(!answer.head().keep_alive(), "the connection must be closed");
    }

    #[test]
    fn a_path_must_be_text() {
        for good in ["/devices/a", "/devices/%C3%A4", "/devices/100%", "/devices/%2F%zz"] {
            assert!(decodes_to_text(good), "{good}");
        }
        for bad in ["/devices/%ff", "/devices/a%C3", "/%c3%28"] {
            assert!(!decodes_to_text(bad), "{bad}");
        }
    }
}
