//! What handlers need of a request: its body, parts of its path, the token it shows, and by what name it
//! called this server.

use actix_web::{
    FromRequest, HttpRequest,
    http::{StatusCode, header},
    web::{self, Bytes, Payload},
};
use serde::Deserialize;

use super::answer::{Location, Refusal};
use crate::{
    api::{ApiState, extract},
    domain::{Error, ErrorKind},
};

/// The whole body, if it is within its limit and comes in time.
pub async fn body(request: &HttpRequest, payload: Payload) -> Result<Bytes, Refusal> {
    Ok(extract::body(request, &mut payload.into_inner()).await?)
}

/// What stands in the path for the names in it, decoded.
#[derive(Deserialize)]
pub struct PathParts {
    /// The client's, or the tenant's.
    #[serde(default)]
    pub id: String,
    /// Whose client.
    #[serde(default)]
    pub tenant_id: String,
}

impl PathParts {
    /// Those of this request.
    pub fn of(request: &HttpRequest) -> Result<Self, Refusal> {
        let parts = web::Path::<Self>::extract(request).into_inner();
        let unread = |_| Refusal::new(StatusCode::BAD_REQUEST, "path", "the path does not read");
        parts.map(web::Path::into_inner).map_err(unread)
    }
}

/// The one token of `Authorization`, with or without `Bearer`.
pub fn token(request: &HttpRequest) -> Option<&str> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?.trim();
    match value.split_once(' ') {
        None => Some(value),
        Some((scheme, token)) => scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()),
    }
}

/// What callers reach this server by: as configured, or as this one does.
pub fn base(request: &HttpRequest, state: &ApiState) -> String {
    let configured = state.server.public_url.as_deref();
    let asked = || format!("http://{}", host(request));
    configured.map_or_else(asked, |url| url.trim_end_matches('/').to_owned())
}

/// Whether a token's audience is this server. Where its name is not configured, it is the one that the
/// caller used.
pub fn is_this_server(request: &HttpRequest, state: &ApiState, audience: &str) -> bool {
    let audience = audience.trim_end_matches('/');
    match &state.server.public_url {
        Some(url) => {
            let (tenant, prefix) =
                (request.match_info().get("tenant_id"), &state.dialects.push_server.prefix);
            is_name(url.trim_end_matches('/'), prefix, tenant, audience)
        }
        None => {
            let authority = audience.split_once("://").map(|(_, rest)| rest);
            let authority = authority.and_then(|rest| rest.split('/').next());
            authority.is_some_and(|authority| authority == host(request))
        }
    }
}

/// Whether this names the server, or the tenant that is asked for as its clients know it.
fn is_name(url: &str, prefix: &str, tenant: Option<&str>, audience: &str) -> bool {
    audience == url || tenant.is_some_and(|id| audience == format!("{url}{prefix}/{id}"))
}

fn host(request: &HttpRequest) -> &str {
    let host = request.headers().get(header::HOST);
    host.and_then(|host| host.to_str().ok()).unwrap_or_default()
}

/// A tenant that is none is told of as the path's fault.
pub fn unknown_tenant(error: Error) -> Refusal {
    match error.kind() {
        ErrorKind::NotFound => {
            let message = error.public_message();
            let refusal = Refusal::new(StatusCode::NOT_FOUND, "tenant", message.clone());
            refusal.blaming("tenant.id", message, Location::Path)
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_clients_may_name_the_server_or_their_tenant() {
        let is = |tenant, audience| is_name("https://a", "", tenant, audience);
        assert!(is(None, "https://a") && is(Some("t1"), "https://a"));
        assert!(is(Some("t1"), "https://a/t1"));
        assert!(!is(None, "https://a/t1") && !is(Some("t2"), "https://a/t1"));
        assert!(!is(Some("t1"), "https://a/t1/x") && !is(Some("t1"), "https://b/t1"));
        assert!(is_name("https://a", "/push", Some("t1"), "https://a/push/t1"));
    }
}
