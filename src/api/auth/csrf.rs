//! What a request with a cookie must carry besides, so that no other site's page can make one: browsers
//! send the cookie by themselves.

use actix_web::{
    HttpRequest,
    http::{Method, header::ORIGIN},
};

use crate::{
    api::origin,
    domain::{Error, Result},
    services::sessions::Session,
    settings::ServerSettings,
};

/// Carries a session's word against requests that it did not mean.
const HEADER: &str = "X-CSRF-Token";

/// Refuses pages of other sites, and changes without the session's word.
pub fn check(request: &HttpRequest, server: &ServerSettings, session: &Session) -> Result<()> {
    check_origin(request, server)?;
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(());
    }
    let mut values = request.headers().get_all(HEADER).map(|value| value.as_bytes());
    let given = values.next().filter(|_| values.next().is_none());
    if given.is_some_and(|given| session.fits_csrf(given)) {
        return Ok(());
    }
    Err(Error::forbidden("X-CSRF-Token must be the session's"))
}

/// Refuses pages of other sites.
pub fn check_origin(request: &HttpRequest, server: &ServerSettings) -> Result<()> {
    let mut origins = request.headers().get_all(ORIGIN);
    let is_own = |text: &str| origin::is_own(request, server, text);
    match (origins.next(), origins.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.to_str().is_ok_and(is_own) => Ok(()),
        _ => Err(Error::forbidden("Origin is another server's")),
    }
}
