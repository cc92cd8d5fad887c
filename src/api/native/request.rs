//! What handlers of the native API take from a request, as extractors: the caller with the scope that
//! the endpoint needs, the body, the query, ids in the path, the idempotency key.
//!
//! The caller comes first in every handler's arguments: extractors run in order, so a request without
//! a key is refused before its body is read.

use std::{
    future::{Ready, ready},
    marker::PhantomData,
    sync::Arc,
};

use actix_web::{
    Error as ActixError, FromRequest, HttpRequest,
    dev::Payload,
    web::{self, Bytes},
};
use futures_util::future::{FutureExt, Map};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use crate::{
    api::{ApiState, extract},
    domain::{
        Error,
        app::{Principal, Scope},
        ids::{AppName, NotificationId},
    },
};

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
    scope: PhantomData<N>,
}

impl<N> Caller<N> {
    /// The caller's app.
    pub fn app(&self) -> &AppName {
        &self.principal.app
    }
}

impl<N: Needs> FromRequest for Caller<N> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = state(request).keyring.caller(request.headers()).and_then(|principal| {
            if principal.may(N::SCOPE) {
                return Ok(Self { principal, scope: PhantomData });
            }
            let scope = N::SCOPE.name();
            Err(Error::forbidden(format!("this needs a key with the scope `{scope}`")))
        });
        ready(caller.map_err(ApiError::from))
    }
}

/// A caller of `/internal`, proven by `X-Server-Key`.
pub struct InternalCaller;

impl FromRequest for InternalCaller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let key = request.headers().get("X-Server-Key").map(|value| value.as_bytes());
        let known = state(request).keyring.check_internal(key);
        ready(known.map(|()| Self).map_err(ApiError::internal))
    }
}

/// A JSON body.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = Map<
        <Bytes as FromRequest>::Future,
        fn(Result<Bytes, ActixError>) -> Result<Self, ApiError>,
    >;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Bytes::from_request(request, payload).map(|body| {
            let body = body.map_err(|error| extract::body_error(&error))?;
            Ok(Self(extract::json(&body)?))
        })
    }
}

/// A JSON body that may be left out.
pub struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest for OptionalBody<T> {
    type Error = ApiError;
    type Future = Map<
        <Bytes as FromRequest>::Future,
        fn(Result<Bytes, ActixError>) -> Result<Self, ApiError>,
    >;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Bytes::from_request(request, payload).map(|body| {
            let body = body.map_err(|error| extract::body_error(&error))?;
            Ok(Self(if body.is_empty() { T::default() } else { extract::json(&body)? }))
        })
    }
}

/// The query string.
pub struct Query(pub extract::Params);

impl FromRequest for Query {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let params = extract::Params::read(request.query_string());
        ready(params.map(Self).map_err(ApiError::from))
    }
}

/// `{external_id}` of the path, decoded.
pub struct ExternalId(pub String);

impl FromRequest for ExternalId {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(path_part(request).map(Self))
    }
}

/// `{uuid}` of the path; text that is no UUID names no notification.
pub struct Uuid(pub NotificationId);

impl FromRequest for Uuid {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = path_part(request).and_then(|text| {
            let uuid = uuid::Uuid::try_parse(&text);
            let unknown = |_| Error::not_found("there is no such notification: not a UUID").into();
            uuid.map(|uuid| Self(NotificationId(uuid))).map_err(unknown)
        });
        ready(parsed)
    }
}

/// The `Idempotency-Key` header, 1 to 255 visible characters.
pub struct IdempotencyHeader(pub Option<String>);

impl FromRequest for IdempotencyHeader {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(value) = request.headers().get("Idempotency-Key") else {
            return ready(Ok(Self(None)));
        };
        let fits = |text: &&str| (1..=255).contains(&text.len());
        let wrong = || Error::invalid("Idempotency-Key", "must be 1 to 255 visible characters");
        let key = value.to_str().ok().filter(fits).map(str::to_owned).ok_or_else(wrong);
        ready(key.map(|key| Self(Some(key))).map_err(ApiError::from))
    }
}

fn path_part(request: &HttpRequest) -> Result<String, ApiError> {
    let part = web::Path::<String>::extract(request).into_inner();
    let part = part.map_err(|_| Error::malformed("the path does not read"))?;
    Ok(part.into_inner())
}

fn state(request: &HttpRequest) -> &ApiState {
    request.app_data::<web::Data<ApiState>>().expect("mount puts the state on every application")
}
