//! `GET /metrics`: what Prometheus reads. `page` writes the figures; here is who may see them: whoever
//! asks on this machine itself, and elsewhere who shows one of `internal.keys`. What came through a
//! proxy is from elsewhere, whatever it says.

mod page;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{AUTHORIZATION, HeaderMap},
    web::Data,
};

use super::{ApiState, auth, native, origin};
use crate::{
    domain::{Error, Result},
    telemetry::CONTENT_TYPE,
};

/// What proxies add to the requests that they pass on, besides `X-Forwarded-…`.
const FORWARDED: [&str; 6] =
    ["forwarded", "via", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip"];

/// `GET /metrics`
pub async fn show(request: HttpRequest, state: Data<ApiState>) -> HttpResponse {
    match admit(&request, &state) {
        Ok(()) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(page::write(&state).await),
        Err(error) => native::refused_internal(error),
    }
}

fn admit(request: &HttpRequest, state: &ApiState) -> Result<()> {
    let headers = request.headers();
    if let Some(key) = shown_key(headers)? {
        return state.keyring.operator_of(key).map(drop);
    }
    let needs =
        "from elsewhere, this needs one of internal.keys: X-Server-Key, or Authorization: Bearer";
    if !is_from_here(request, state) {
        return Err(Error::unauthenticated(needs));
    }
    // A browser on this machine may be led here by a page of some other site.
    auth::refuse_strangers(headers)
}

/// Whether somebody on this machine asks, and no proxy for somebody else. A proxy may say nothing of
/// itself, so where the settings tell of one, nobody is from here.
fn is_from_here(request: &HttpRequest, state: &ApiState) -> bool {
    let server = &state.server;
    let of_a_proxy = |name: &str| FORWARDED.contains(&name) || name.starts_with("x-forwarded-");
    let direct = !request.headers().keys().any(|name| of_a_proxy(name.as_str()))
        && server.public_url.is_none()
        && server.trusted_proxies.is_empty();
    let address = origin::address(request, &state.server);
    direct && address.is_some_and(|address| address.is_loopback())
}

/// The key of either header; of several, none counts.
fn shown_key(headers: &HeaderMap) -> Result<Option<&[u8]>> {
    let own = headers.get_all("X-Server-Key").map(|value| Some(value.as_bytes()));
    let bearer = headers.get_all(AUTHORIZATION).map(|value| {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim().as_bytes())
    });
    let mut shown = own.chain(bearer);
    let Some(first) = shown.next() else { return Ok(None) };
    match (first, shown.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => {
            Err(Error::unauthenticated("one key is taken: X-Server-Key, or Authorization: Bearer"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn key_of(pairs: &[(&str, &str)]) -> Result<Option<Vec<u8>>> {
        let mut request = TestRequest::default();
        for pair in pairs {
            request = request.append_header(*pair);
        }
        shown_key(request.to_http_request().headers()).map(|key| key.map(<[u8]>::to_vec))
    }

    #[test]
    fn one_key_is_taken_from_either_header() {
        let taken = |pairs: &[_]| key_of(pairs).expect("fits").map(|key| key.len());
        assert_eq!(taken(&[]), None);
        assert_eq!(taken(&[("x-server-key", "abc")]), Some(3));
        assert_eq!(taken(&[("authorization", "bearer  abcd")]), Some(4));
        let refused: [&[_]; 4] = [
            &[("x-server-key", "a"), ("x-server-key", "b")],
            &[("x-server-key", "a"), ("authorization", "Bearer a")],
            &[("authorization", "Basic YTpi")],
            &[("authorization", "abc")],
        ];
        for pairs in refused {
            assert!(key_of(pairs).is_err(), "{pairs:?}");
        }
    }
}
