//! Strangers: whoever is not on this machine, where the loopback address is all that keeps them out.

use actix_web::http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};

use crate::domain::{Error, Result};

/// Refuses requests to an installation without keys that are made for others than its own user.
pub fn refuse(headers: &HeaderMap) -> Result<()> {
    refuse_foreign_names(headers)?;
    refuse_foreign_pages(headers)
}

/// Without keys, what keeps strangers out is the loopback address; a page of some other site in a
/// browser on this machine comes from there too, and names itself in `Origin`.
fn refuse_foreign_pages(headers: &HeaderMap) -> Result<()> {
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let host = origin.to_str().ok().and_then(|text| text.split_once("://"));
    if host.is_some_and(|(_, host)| is_this_machine(host)) {
        return Ok(());
    }
    Err(Error::forbidden("without keys, pages of other sites are refused"))
}

/// A foreign name that was made to lead here (DNS rebinding) comes without a foreign `Origin`, but the
/// browser still says which name it asked.
fn refuse_foreign_names(headers: &HeaderMap) -> Result<()> {
    let ours = |value: &HeaderValue| value.to_str().is_ok_and(is_this_machine);
    if headers.contains_key(HOST) && headers.get_all(HOST).all(ours) {
        return Ok(());
    }
    Err(Error::forbidden("without keys, Host must be localhost or a loopback address"))
}

/// Whether `HOST` or `HOST:PORT` is the loopback.
fn is_this_machine(authority: &str) -> bool {
    let (host, port) = match authority.strip_prefix('[') {
        Some(v6) => v6.split_once(']').unwrap_or_default(),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port_fits = port
        .strip_prefix(':')
        .map_or(port.is_empty(), |digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let address = host.parse::<std::net::IpAddr>();
    let ours = host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback());
    ours && port_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: actix_web::http::header::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).expect("a plain value"));
        headers
    }

    #[test]
    fn an_open_installation_serves_this_machine_but_no_foreign_page() {
        let local = with(HOST, "127.0.0.1:8080");
        assert!(refuse(&local).is_ok());
        for ours in ["localhost", "LOCALHOST:1", "127.9.9.9:80", "[::1]", "[::1]:8080"] {
            assert!(refuse(&with(HOST, ours)).is_ok(), "{ours}");
        }
        for foreign in ["evil.example", "localhost.evil.example:80", "10.0.0.1", "", "127.0.0.1@x"]
        {
            assert!(refuse(&with(HOST, foreign)).is_err(), "{foreign}");
        }
        let from = |origin: &str| {
            let mut headers = local.clone();
            headers.insert(ORIGIN, HeaderValue::from_str(origin).expect("a plain value"));
            refuse(&headers)
        };
        for ours in ["http://localhost:8080", "http://127.0.0.1:3000", "http://[::1]:8080"] {
            assert!(from(ours).is_ok(), "{ours}");
        }
        for foreign in ["https://evil.example", "null", "http://localhost.evil.example"] {
            assert!(from(foreign).is_err(), "{foreign}");
        }
    }
}
