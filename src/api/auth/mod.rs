//! Who calls: from a request to a [`Principal`], for every dialect.
//!
//! `keyring` holds the keys and reads those that headers show, `session` the cookies of the console,
//! `csrf` what a request with a cookie must carry besides, `strangers` keeps an installation without keys
//! to its own machine, `standing` is for what lasts longer than a request. A caller proves who it is
//! ([`identity`]); then it is settled on which app it acts ([`caller`]).

mod csrf;
mod keyring;
mod session;
mod standing;
mod strangers;

use std::sync::Arc;

use actix_web::{HttpRequest, http::header::UPGRADE, web};

pub use csrf::check_origin;
pub use keyring::{BasicRefusal, Keyring, SERVER_KEY};
pub use session::{clearing_cookie, of_cookie, setting_cookie};
pub use standing::Standing;
pub use strangers::refuse as refuse_strangers;

use super::ApiState;
use crate::domain::{
    Error, Result,
    app::{Identity, Principal},
    ids::AppName,
};

/// Says on which app an operator acts.
const NAMED_APP: &str = "X-Fanfare-App";

/// Who calls and on which app: by a key, a cookie, or, where calls need none, nothing. An operator names
/// the app in `X-Fanfare-App`, a websocket in the query, `app=`; without keys there is one to mean.
pub async fn caller(request: &HttpRequest, state: &ApiState) -> Result<Arc<Principal>> {
    let identity = identity(request, state).await?;
    acting(request, state, &identity)
}

/// A caller on the app that it means.
fn acting(request: &HttpRequest, state: &ApiState, identity: &Identity) -> Result<Arc<Principal>> {
    let named = named_app(request, state, identity)?;
    let missing = || Error::invalid(NAMED_APP, "is missing: an operator says on which app it acts");
    let only = || state.keyring.open().and_then(|open| open.home.clone());
    let app = named.or_else(|| identity.home.clone()).or_else(only).ok_or_else(missing)?;
    Ok(Arc::new(identity.acting_on(app)))
}

/// Who calls, whatever it acts on.
pub async fn identity(request: &HttpRequest, state: &ApiState) -> Result<Arc<Identity>> {
    if let Some(known) = shown_or_open(request, state)? {
        return Ok(known);
    }
    let session = of_cookie(request, state).await?;
    let (_, identity) = session.ok_or_else(missing_key)?;
    Ok(Arc::new(identity))
}

/// Who calls by a key that the request shows, or without one where calls need none.
pub fn shown_or_open(request: &HttpRequest, state: &ApiState) -> Result<Option<Arc<Identity>>> {
    let keyring = &state.keyring;
    keyring.admit(request.headers())?;
    let shown = keyring.shown(request.headers())?;
    Ok(shown.or_else(|| keyring.open().cloned()))
}

/// The app that a request names, if it names one: the caller's own, or for an operator any that there is.
pub fn named_app(
    request: &HttpRequest,
    state: &ApiState,
    identity: &Identity,
) -> Result<Option<AppName>> {
    let Some(named) = named_in(request)? else { return Ok(None) };
    if identity.home.as_ref() == Some(&named) {
        return Ok(Some(named));
    }
    if !identity.is_operator {
        return Err(Error::forbidden("X-Fanfare-App names another app than the key's"));
    }
    if !state.services.apps.has(&named) {
        return Err(Error::not_found("X-Fanfare-App: there is no such app"));
    }
    Ok(Some(named))
}

/// The refusal of whoever shows nothing at all.
pub fn missing_key() -> Error {
    Error::unauthenticated("a key is required: Authorization: Bearer …")
}

/// The app that a request names, whatever it is.
fn named_in(request: &HttpRequest) -> Result<Option<AppName>> {
    let mut values = request.headers().get_all(NAMED_APP);
    if let Some(value) = values.next() {
        let wrong = || Error::invalid(NAMED_APP, "must be the name of one app");
        let name = value.to_str().ok().filter(|_| values.next().is_none());
        return Ok(Some(AppName::new(name.ok_or_else(wrong)?)));
    }
    if !request.headers().contains_key(UPGRADE) {
        return Ok(None);
    }
    // Browsers give websockets no headers of their own.
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    let query = query.map_err(|_| Error::malformed("the query string does not read"))?;
    let named = query.iter().find(|(name, _)| name == "app");
    Ok(named.map(|(_, name)| AppName::new(name)))
}
