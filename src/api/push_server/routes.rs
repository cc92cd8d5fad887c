//! The table of paths, and what all handlers need of a request: its body, parts of its path, the token it
//! shows, and by what name it called this server.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource,
    dev::{AppService, HttpServiceFactory},
    http::{StatusCode, header},
    web::{self, Bytes, Data, Payload, ServiceConfig},
};

use serde::Deserialize;

use super::{
    answer::{self, Location, Refusal},
    clients,
    proof::RelayKey,
    tenants,
};
use crate::{
    api::{ApiState, extract, pace::Pace},
    domain::{Error, ErrorKind, ids::AppName},
    settings::{PushServerSettings, Settings},
};

/// How long a body may take to arrive.
const BODY_DEADLINE: Duration = Duration::from_secs(30);

/// What this dialect's requests share. Made once, for all workers.
pub struct PushServer {
    /// The app at the root.
    pub app: AppName,
    /// Who may push; without it, whoever reaches the server.
    pub relay_key: Option<RelayKey>,
    /// How often an address may register.
    pub registrations: Pace,
    /// The same, for those who try it out.
    test: Pace,
    public_url: Option<String>,
    prefix: String,
    trusted_proxies: Vec<IpAddr>,
}

impl PushServer {
    /// As the settings say, which have been validated.
    pub fn new(settings: &Settings) -> Self {
        let proxies = settings.server.trusted_proxies.iter();
        let key = settings.dialects.push_server.relay_public_key.as_deref();
        Self {
            app: AppName::new(&settings.dialect_app().name),
            relay_key: key.and_then(RelayKey::read),
            registrations: Pace::of_registrations(),
            test: Pace::of_registrations(),
            public_url: settings.server.public_url.clone(),
            prefix: settings.dialects.push_server.prefix.clone(),
            trusted_proxies: proxies.filter_map(|proxy| proxy.parse().ok()).collect(),
        }
    }

    /// From where a request comes. Of the addresses that proxies say, the last that is no trusted proxy
    /// itself counts: what stands before it, the caller may have made up.
    pub fn address(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        let lines = request.headers().get_all("x-forwarded-for");
        let said = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
        let said: Vec<_> = said.collect();
        // What does not read was made up, and so may be what stands before it.
        let said = said.into_iter().rev().map_while(|one| one.trim().parse::<IpAddr>().ok());
        let is_trusted = |address: &IpAddr| self.trusted_proxies.contains(address);
        let mut farthest = peer;
        for hop in std::iter::once(peer).chain(said) {
            farthest = hop;
            if !is_trusted(&hop) {
                break;
            }
        }
        // Where all are proxies, the farthest of them stands for the caller.
        Some(farthest)
    }
}

/// Puts its paths on `config`.
#[rustfmt::skip]
pub fn mount(config: &mut ServiceConfig, settings: &PushServerSettings) {
    if !settings.prefix.is_empty() {
        config.service(Path::at(settings, "/health").get(health));
    }
    config
        .service(Path::at(settings, "/rate_limit_test").get(rate_limit_test))
        .service(Path::at(settings, "/clients").post(clients::register))
        .service(Path::at(settings, "/clients/{id}").post(clients::push).delete(clients::unregister))
        .service(Path::at(settings, "/tenants").post(tenants::create))
        .service(Path::at(settings, "/tenants/{id}").get(tenants::show).delete(tenants::remove))
        .service(Path::at(settings, "/tenants/{id}/apns").post(tenants::set_apns).delete(tenants::unset_apns))
        .service(Path::at(settings, "/tenants/{id}/fcm_v1").post(tenants::set_fcm).delete(tenants::unset_fcm))
        .service(Path::at(settings, "/{tenant_id}/clients").post(clients::register))
        .service(Path::at(settings, "/{tenant_id}/clients/{id}").post(clients::push).delete(clients::unregister));
}

/// One path, and a refusal in this dialect's words for every other verb.
struct Path(Resource);

impl Path {
    fn at(settings: &PushServerSettings, path: &str) -> Self {
        Self(web::resource(format!("{}{path}", settings.prefix)))
    }

    fn get<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HttpRequest, Payload, Data<ApiState>) -> Fut + Clone + 'static,
        Fut: Future<Output = Result<HttpResponse, Refusal>> + 'static,
    {
        Self(self.0.route(web::get().to(told(handler))))
    }

    fn post<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HttpRequest, Payload, Data<ApiState>) -> Fut + Clone + 'static,
        Fut: Future<Output = Result<HttpResponse, Refusal>> + 'static,
    {
        Self(self.0.route(web::post().to(told(handler))))
    }

    fn delete<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HttpRequest, Payload, Data<ApiState>) -> Fut + Clone + 'static,
        Fut: Future<Output = Result<HttpResponse, Refusal>> + 'static,
    {
        Self(self.0.route(web::delete().to(told(handler))))
    }
}

impl HttpServiceFactory for Path {
    fn register(self, config: &mut AppService) {
        self.0.default_service(web::to(told(no_such_verb))).register(config);
    }
}

/// A handler whose refusals are told in the words that the settings choose.
fn told<F, Fut>(
    handler: F,
) -> impl Handler<(HttpRequest, Payload, Data<ApiState>), Output = HttpResponse>
where
    F: Fn(HttpRequest, Payload, Data<ApiState>) -> Fut + Clone + 'static,
    Fut: Future<Output = Result<HttpResponse, Refusal>> + 'static,
{
    move |request: HttpRequest, payload: Payload, state: Data<ApiState>| {
        let word = state.dialects.push_server.status_word;
        let admitted = state.keyring.admit(request.headers());
        let answer = admitted.map(|()| handler(request, payload, state));
        async move {
            let answer = match answer {
                Ok(answer) => answer.await,
                Err(error) => Err(error.into()),
            };
            answer.unwrap_or_else(|refusal| refusal.answer(word))
        }
    }
}

async fn no_such_verb(
    request: HttpRequest,
    _: Payload,
    _: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    let message = format!("{} is not allowed here", request.method());
    Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", message))
}

async fn health(_: HttpRequest, _: Payload, _: Data<ApiState>) -> Result<HttpResponse, Refusal> {
    Ok(answer::health())
}

/// `GET /rate_limit_test`: what a registration would hear of its pace.
async fn rate_limit_test(
    request: HttpRequest,
    _: Payload,
    state: Data<ApiState>,
) -> Result<HttpResponse, Refusal> {
    if let Some(address) = state.push_server.address(&request) {
        let counted = state.push_server.test.count(address, Instant::now());
        counted.map_err(Refusal::too_often)?;
    }
    Ok(answer::success(state.dialects.push_server.status_word))
}

/// The whole body, if it is within its limit and comes in time.
pub async fn body(request: &HttpRequest, payload: Payload) -> Result<Bytes, Refusal> {
    let mut payload = payload.into_inner();
    let body = Bytes::from_request(request, &mut payload);
    let late = |_| {
        let secs = BODY_DEADLINE.as_secs();
        Error::too_slow(format!("the request body did not arrive within {secs} seconds"))
    };
    let body = tokio::time::timeout(BODY_DEADLINE, body).await.map_err(late)?;
    body.map_err(|error| extract::body_error(&error).into())
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
    let configured = state.push_server.public_url.as_deref();
    let asked = || format!("http://{}", host(request));
    configured.map_or_else(asked, |url| url.trim_end_matches('/').to_owned())
}

/// Whether a token's audience is this server. Where its name is not configured, it is the one that the
/// caller used.
pub fn is_this_server(request: &HttpRequest, state: &ApiState, audience: &str) -> bool {
    let audience = audience.trim_end_matches('/');
    match &state.push_server.public_url {
        Some(url) => {
            let (tenant, prefix) =
                (request.match_info().get("tenant_id"), &state.push_server.prefix);
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
    use actix_web::test::TestRequest;

    use super::*;

    fn address(peer: &str, forwarded: &str) -> String {
        let environment = [("FANFARE__SERVER__TRUSTED_PROXIES", "10.0.0.1,10.0.0.2")];
        let environment = environment.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned()));
        let settings = Settings::load_with(None, environment).unwrap();
        let request = TestRequest::default()
            .peer_addr(format!("{peer}:1").parse().unwrap())
            .insert_header(("x-forwarded-for", forwarded))
            .to_http_request();
        PushServer::new(&settings).address(&request).unwrap().to_string()
    }

    #[test]
    fn a_tenants_clients_may_name_the_server_or_their_tenant() {
        let is = |tenant, audience| is_name("https://a", "", tenant, audience);
        assert!(is(None, "https://a") && is(Some("t1"), "https://a"));
        assert!(is(Some("t1"), "https://a/t1"));
        assert!(!is(None, "https://a/t1") && !is(Some("t2"), "https://a/t1"));
        assert!(!is(Some("t1"), "https://a/t1/x") && !is(Some("t1"), "https://b/t1"));
        assert!(is_name("https://a", "/push", Some("t1"), "https://a/push/t1"));
    }

    #[test]
    fn an_address_is_believed_from_trusted_proxies_alone() {
        assert_eq!(address("9.9.9.9", "1.1.1.1"), "9.9.9.9");
        assert_eq!(address("10.0.0.1", "1.1.1.1"), "1.1.1.1");
        assert_eq!(address("10.0.0.1", "6.6.6.6, 1.1.1.1, 10.0.0.2"), "1.1.1.1");
        assert_eq!(address("10.0.0.1", "made up, 1.1.1.1"), "1.1.1.1");
        assert_eq!(address("10.0.0.1", ""), "10.0.0.1");
        assert_eq!(address("10.0.0.1", "10.0.0.2"), "10.0.0.2");
    }
}
