//! What handlers of this dialect take from a request, as extractors: the signature of a caller, the
//! body, names in the path.
//!
//! [`Signed`] comes first in a handler's arguments: extractors run in order, so a request that nobody
//! known has signed is refused before its body is read. So does [`Registering`], where nothing is signed.

use std::time::{Duration, Instant};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{AUTHORIZATION, DATE},
    web::{self, Data},
};
use futures_util::future::{FutureExt, LocalBoxFuture, Ready, ready};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    error::MoxieError,
    signature::{self, Users},
};
use crate::{
    api::{
        ApiState,
        deeds::{self, Deed},
        extract, origin,
    },
    domain::{
        Error,
        app::Via,
        audit::{Action, Actor},
        ids::{AppName, NotificationId},
        timestamp::Timestamp,
    },
};

/// What this dialect's handlers share.
pub struct Moxie {
    /// The app that it serves.
    pub app: AppName,
    /// Under which path.
    pub prefix: String,
    /// Who may write.
    pub users: Users,
    /// Whether nonces are remembered and dates looked at.
    pub is_fresh_only: bool,
}

/// Proof that a known user has signed the request, not long ago and not before.
pub struct Signed {
    user: String,
    request: HttpRequest,
}

impl Signed {
    /// Records in the audit log that the caller has launched a notification.
    pub async fn note_launch(&self, app: &AppName, notification: NotificationId) {
        let deed = Deed {
            app: Some(app.clone()),
            actor: Actor { name: self.user.clone(), via: Via::Key },
            action: Action::NotificationLaunched,
            target: Some(notification.to_string()),
            details: json!({ "status": "LAUNCHED", "api": "moxie" }),
        };
        deeds::record(&self.request, deed).await;
    }
}

impl FromRequest for Signed {
    type Error = MoxieError;
    type Future = LocalBoxFuture<'static, Result<Self, MoxieError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        async move {
            let user = check(&request).await?;
            Ok(Self { user, request })
        }
        .boxed_local()
    }
}

/// The user who has signed.
async fn check(request: &HttpRequest) -> Result<String, MoxieError> {
    let (state, moxie) = (state(request), moxie(request));
    let header = |name: &'static str| {
        let value = request.headers().get(name).ok_or_else(|| MoxieError::missing(name))?;
        value.to_str().map_err(|_| MoxieError::unauthorized("a header is not text"))
    };
    let (date, nonce) = (header(DATE.as_str())?, header("x-hmac-nonce")?);
    let (authorization, user) = (header(AUTHORIZATION.as_str())?, header("x-moxie-key")?);
    let signed = signature::Signed { method: request.method().as_str(), date, nonce };
    let urls = origin::urls(request, &state.server);
    if !moxie.users.accept(user, &signed, &urls, authorization) {
        return Err(MoxieError::unauthorized("the signature does not fit"));
    }
    if !moxie.is_fresh_only {
        return Ok(user.to_owned());
    }
    let now = Timestamp::now();
    if !signature::is_fresh(date, now) {
        let what = "Date must be an HTTP date, at most five minutes from the server's time";
        return Err(MoxieError::unauthorized(what));
    }
    let (nonces, kept_for) = (&state.services.nonces, signature::NONCE_KEPT);
    if !nonces.use_up(&moxie.app, user, nonce, kept_for, now).await? {
        return Err(MoxieError::unauthorized("the nonce was used before"));
    }
    Ok(user.to_owned())
}

/// Leave for a phone to register: somebody can push to it, and its address does not come too often.
pub struct Registering;

impl FromRequest for Registering {
    type Error = MoxieError;
    type Future = Ready<Result<Self, MoxieError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(may_register(request).map(|()| Self))
    }
}

fn may_register(request: &HttpRequest) -> Result<(), MoxieError> {
    let (state, moxie) = (state(request), moxie(request));
    if moxie.users.is_empty() {
        return Err(MoxieError::unauthorized("nobody registers where no users are configured"));
    }
    let Some(address) = origin::address(request, &state.server) else { return Ok(()) };
    let counted = state.moxie_registrations.count(address, Instant::now());
    counted.map_err(|secs| Error::limited(Duration::from_secs(secs)).into())
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = MoxieError;
    type Future = LocalBoxFuture<'static, Result<Self, MoxieError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = extract::body(request, payload);
        async move { Ok(Self(extract::json(&body.await?)?)) }.boxed_local()
    }
}

/// `{uuid}` of the path, in any of the ways to write a UUID; other text names nothing.
pub struct Ident(pub uuid::Uuid);

impl FromRequest for Ident {
    type Error = MoxieError;
    type Future = Ready<Result<Self, MoxieError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let part = request.match_info().get("uuid").and_then(|text| text.parse().ok());
        let unknown = || Error::not_found("there is no such notification").into();
        ready(part.map(Self).ok_or_else(unknown))
    }
}

/// `{id}` of the path.
pub struct Number(pub u64);

impl FromRequest for Number {
    type Error = MoxieError;
    type Future = Ready<Result<Self, MoxieError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let part = request.match_info().get("id").and_then(|text| text.parse().ok());
        let unknown = || Error::not_found("there is no such followup").into();
        ready(part.map(Self).ok_or_else(unknown))
    }
}

fn state(request: &HttpRequest) -> &ApiState {
    request.app_data::<Data<ApiState>>().expect("mount puts the state on every application")
}

fn moxie(request: &HttpRequest) -> &Moxie {
    request.app_data::<web::Data<Moxie>>().expect("mount puts it on this dialect's paths")
}
