//! By which URL, and from which address, a request came. Proxies say it in `X-Forwarded-*`; only those
//! that the settings trust are believed. Shared by the dialects.

use std::net::IpAddr;

use actix_web::{
    HttpRequest,
    http::header::{HOST, ORIGIN},
};

use crate::settings::ServerSettings;

/// The absolute URLs that the caller may have asked for: as trusted proxies say, and as the settings say
/// that callers reach the server. Where the settings say nothing, as the request itself says.
pub fn urls(request: &HttpRequest, server: &ServerSettings) -> Vec<String> {
    let rest = request.uri().path_and_query().map_or("/", |rest| rest.as_str());
    let trusted = comes_from_proxy(request, server);
    let forwarded = |name| Some(first(request, name)?.to_owned()).filter(|_| trusted);
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = request.uri().authority().map(|authority| authority.as_str());
    let public = server.public_url.as_deref().filter(|url| !url.is_empty());
    // Anybody can send any name; one that is not the server's must not do where its own is known.
    let named = authority.or(host).filter(|_| public.is_none()).map(str::to_owned);
    let host = forwarded("x-forwarded-host").or(named);
    let scheme = forwarded("x-forwarded-proto").unwrap_or_else(|| "http".to_owned());
    let asked = host.map(|host| format!("{scheme}://{host}{rest}"));
    let public = public.map(|url| format!("{}{rest}", url.trim_end_matches('/')));
    asked.into_iter().chain(public).collect()
}

/// Whether an `Origin` is the server's own: the name that the request was made by, which cookies are
/// bound to, or the one that the settings or a trusted proxy say; and the scheme, where one of these
/// says it. Behind a proxy that ends TLS and does not say so, the scheme is not known.
pub fn is_own(request: &HttpRequest, server: &ServerSettings, origin: &str) -> bool {
    let Some((scheme, authority)) = parts(origin) else { return false };
    let is_it = |name: &str| name.eq_ignore_ascii_case(authority);
    let public = server.public_url.as_deref().and_then(parts);
    if let Some((known, _)) = public.filter(|(_, name)| is_it(name)) {
        return known.eq_ignore_ascii_case(scheme);
    }
    let forwarded = |name| first(request, name).filter(|_| comes_from_proxy(request, server));
    if forwarded("x-forwarded-proto").and_then(scheme_of).is_some_and(|known| known != scheme) {
        return false;
    }
    let mut hosts = request.headers().get_all(HOST);
    let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|_| hosts.next().is_none());
    [forwarded("x-forwarded-host"), host].into_iter().flatten().any(is_it)
}

/// The scheme and the authority of an URL of the web.
fn parts(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split('/').next().filter(|_| matches!(scheme, "http" | "https"))?;
    Some((scheme, authority))
}

/// The scheme of pages that a proxy means: some name a websocket's.
fn scheme_of(forwarded: &str) -> Option<&'static str> {
    match forwarded.to_ascii_lowercase().as_str() {
        "http" | "ws" => Some("http"),
        "https" | "wss" => Some("https"),
        _ => None,
    }
}

/// Whether a request was made by HTTPS, as far as its `Origin`, a trusted proxy or the settings tell.
pub fn is_secure(request: &HttpRequest, server: &ServerSettings) -> bool {
    let origin = request.headers().get(ORIGIN).and_then(|origin| origin.to_str().ok());
    let forwarded = first(request, "x-forwarded-proto").and_then(scheme_of);
    match (origin, forwarded.filter(|_| comes_from_proxy(request, server))) {
        (Some(origin), _) => origin.starts_with("https://"),
        (None, Some(scheme)) => scheme == "https",
        (None, None) => server.public_url.as_deref().is_some_and(|url| url.starts_with("https://")),
    }
}

/// From where a request comes. Of the addresses that proxies say, the last that is no trusted proxy
/// itself counts: what stands before it, the caller may have made up.
pub fn address(request: &HttpRequest, server: &ServerSettings) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    let lines = request.headers().get_all("x-forwarded-for");
    let said = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    let said: Vec<_> = said.collect();
    // What does not read was made up, and so may be what stands before it.
    let said = said.into_iter().rev().map_while(|one| one.trim().parse::<IpAddr>().ok());
    let mut farthest = peer;
    for hop in std::iter::once(peer).chain(said) {
        farthest = hop;
        if !is_trusted(hop, server) {
            break;
        }
    }
    // Where all are proxies, the farthest of them stands for the caller.
    Some(farthest)
}

/// The first of the values that a proxy has put there: what the caller itself said to the first proxy.
fn first<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let value = request.headers().get(name)?.to_str().ok()?;
    value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
}

fn comes_from_proxy(request: &HttpRequest, server: &ServerSettings) -> bool {
    request.peer_addr().is_some_and(|peer| is_trusted(peer.ip(), server))
}

fn is_trusted(peer: IpAddr, server: &ServerSettings) -> bool {
    let peer = peer.to_canonical();
    server.trusted_proxies.iter().any(|known| known.parse() == Ok(peer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    use crate::settings::Settings;

    fn asked(environment: &[(&str, &str)], peer: &str) -> Vec<String> {
        let environment =
            environment.iter().map(|(k, v)| (format!("FANFARE__SERVER__{k}"), (*v).to_owned()));
        let settings = Settings::load_with(None, environment).expect("good settings");
        let request = TestRequest::with_uri("/m/?history=true")
            .insert_header(("host", "push:8080"))
            .insert_header(("x-forwarded-proto", "https"))
            .insert_header(("x-forwarded-host", "api.example.com, inner"))
            .peer_addr(format!("{peer}:9").parse().expect("an address"));
        urls(&request.to_http_request(), &settings.server)
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let direct = ["http://push:8080/m/?history=true"];
        assert_eq!(asked(&[], "127.0.0.1"), direct);
        let trusted = [("TRUSTED_PROXIES", "10.0.0.1,10.0.0.2")];
        assert_eq!(asked(&trusted, "10.0.0.3"), direct);
        assert_eq!(asked(&trusted, "10.0.0.2"), ["https://api.example.com/m/?history=true"]);
    }

    #[test]
    fn the_public_url_counts_alone_besides_what_proxies_say() {
        let public = ("PUBLIC_URL", "https://push.example.com/");
        let own = "https://push.example.com/m/?history=true";
        assert_eq!(asked(&[public], "127.0.0.1"), [own]);
        let trusted = asked(&[public, ("TRUSTED_PROXIES", "10.0.0.2")], "10.0.0.2");
        assert_eq!(trusted, ["https://api.example.com/m/?history=true", own]);
    }

    #[test]
    fn an_origin_is_own_by_the_name_it_was_asked_by() {
        let settings = |environment: &[(&str, &str)]| {
            let environment =
                environment.iter().map(|(k, v)| (format!("FANFARE__SERVER__{k}"), (*v).to_owned()));
            Settings::load_with(None, environment).expect("good settings").server
        };
        let request = TestRequest::default()
            .insert_header(("host", "push:8080"))
            .insert_header(("x-forwarded-host", "api.example.com"))
            .insert_header(("x-forwarded-proto", "https"))
            .peer_addr("10.0.0.2:9".parse().expect("an address"))
            .to_http_request();
        let (plain, trusting) = (settings(&[]), settings(&[("TRUSTED_PROXIES", "10.0.0.2")]));
        let public = settings(&[("PUBLIC_URL", "https://push.example.com/")]);
        let own_name = settings(&[("PUBLIC_URL", "https://push:8080/fanfare")]);
        for (server, origin, own) in [
            (&plain, "http://push:8080", true),
            (&plain, "https://PUSH:8080", true),
            (&plain, "http://push", false),
            (&plain, "http://push:8080.evil.example", false),
            (&plain, "null", false),
            (&plain, "", false),
            (&plain, "file://push:8080", false),
            (&plain, "https://api.example.com", false),
            (&trusting, "https://api.example.com", true),
            (&public, "https://push.example.com", true),
            (&public, "http://push.example.com", false),
            (&public, "https://push:8080", true),
            (&trusting, "https://push:8080", true),
            (&trusting, "http://push:8080", false),
            (&trusting, "http://api.example.com", false),
            (&own_name, "https://push:8080", true),
            (&own_name, "http://push:8080", false),
        ] {
            assert_eq!(is_own(&request, server, origin), own, "{origin}");
        }
        // A proxy may name a websocket's scheme, or none of the web.
        for (forwarded, origin, own) in [
            ("wss", "https://push:8080", true),
            ("ws", "https://push:8080", false),
            ("h2c", "https://push:8080", true),
        ] {
            let request = TestRequest::default()
                .insert_header(("host", "push:8080"))
                .insert_header(("x-forwarded-proto", forwarded))
                .peer_addr("10.0.0.2:9".parse().expect("an address"))
                .to_http_request();
            assert_eq!(is_own(&request, &trusting, origin), own, "{forwarded}");
        }
        assert!(!is_secure(&request, &plain));
        assert!(is_secure(&request, &trusting));
        assert!(is_secure(&request, &public));
    }

    fn address_of(peer: &str, forwarded: &str) -> String {
        let proxies =
            ("FANFARE__SERVER__TRUSTED_PROXIES".to_owned(), "10.0.0.1,10.0.0.2".to_owned());
        let settings = Settings::load_with(None, [proxies].into_iter()).expect("good settings");
        let request = TestRequest::default()
            .peer_addr(format!("{peer}:1").parse().expect("an address"))
            .insert_header(("x-forwarded-for", forwarded))
            .to_http_request();
        address(&request, &settings.server).expect("it has a peer").to_string()
    }

    #[test]
    fn an_address_is_believed_from_trusted_proxies_alone() {
        assert_eq!(address_of("9.9.9.9", "1.1.1.1"), "9.9.9.9");
        assert_eq!(address_of("10.0.0.1", "1.1.1.1"), "1.1.1.1");
        assert_eq!(address_of("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2"), "1.1.1.1");
        assert_eq!(address_of("10.0.0.1", "made up, 1.1.1.1"), "1.1.1.1");
        assert_eq!(address_of("10.0.0.1", ""), "10.0.0.1");
        assert_eq!(address_of("10.0.0.1", "10.0.0.2"), "10.0.0.2");
    }
}
