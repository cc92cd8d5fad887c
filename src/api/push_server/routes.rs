//! The table of paths, and what all requests go through on their way to a handler.

use std::time::Instant;

use actix_web::{
    Handler, HttpRequest, HttpResponse, Resource, Route,
    dev::{AppService, HttpServiceFactory},
    http::StatusCode,
    web::{self, Data, Payload, ServiceConfig},
};

use super::{
    answer::{self, Refusal},
    clients,
    proof::RelayKey,
    tenants,
};
use crate::{
    api::{
        ApiState,
        finish::Finishing,
        observe::Dialect,
        origin,
        pace::Pace,
        table::{Entry, Listed, Table},
    },
    settings::PushServerSettings,
};

/// What this dialect's requests share. Made once, for all workers.
pub struct PushServer {
    /// Who may push; without it, whoever reaches the server.
    pub relay_key: Option<RelayKey>,
    /// How often an address may register.
    pub registrations: Pace,
    /// The same, for those who try it out.
    test: Pace,
}

impl PushServer {
    /// As the settings say, which have been validated.
    pub fn new(settings: &PushServerSettings) -> Self {
        let key = settings.relay_public_key.as_deref();
        Self {
            relay_key: key.and_then(RelayKey::read),
            registrations: Pace::of_registrations(),
            test: Pace::of_registrations(),
        }
    }
}

/// Puts its paths on `config`.
pub fn mount(config: &mut ServiceConfig, settings: &PushServerSettings) {
    table(settings).mount(config);
}

/// Every path; `operations` describes each. At the root, `/health` is the operators' page.
#[rustfmt::skip]
pub fn table(settings: &PushServerSettings) -> Table {
    let mut table = Table::default();
    if !settings.prefix.is_empty() {
        table = table.service(Path::at(settings, "/health").get(health));
    }
    table
        .service(Path::at(settings, "/rate_limit_test").get(rate_limit_test))
        .service(Path::at(settings, "/clients").post(clients::register))
        .service(Path::at(settings, "/clients/{id}").post(clients::push).delete(clients::unregister))
        .service(Path::at(settings, "/tenants").post(tenants::create))
        .service(Path::at(settings, "/tenants/{id}").get(tenants::show).delete(tenants::remove))
        .service(Path::at(settings, "/tenants/{id}/apns").post(tenants::set_apns).delete(tenants::unset_apns))
        .service(Path::at(settings, "/tenants/{id}/fcm_v1").post(tenants::set_fcm).delete(tenants::unset_fcm))
        .service(Path::at(settings, "/{tenant_id}/clients").post(clients::register))
        .service(Path::at(settings, "/{tenant_id}/clients/{id}").post(clients::push).delete(clients::unregister))
}

/// One path, and a refusal in this dialect's words for every other verb.
struct Path {
    listed: Listed,
    resource: Resource,
}

impl Path {
    fn at(settings: &PushServerSettings, path: &str) -> Self {
        let path = format!("{}{path}", settings.prefix);
        let resource = web::resource(path.as_str());
        Self { listed: Listed { path, verbs: Vec::new() }, resource }
    }

    fn route(mut self, verb: &'static str, route: Route) -> Self {
        self.listed.verbs.push(verb);
        self.resource = self.resource.route(route);
        self
    }

    fn get<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HttpRequest, Payload, Data<ApiState>) -> Fut + Clone + 'static,
        Fut: Future<Output = Result<HttpResponse, Refusal>> + 'static,
    {
        self.route("GET", web::get().to(told(handler)))
    }

    fn post<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HttpRequest, Payload, Data<ApiState>) -> Fut + Clone + 'static,
        Fut: Future<Output = Result<HttpResponse, Refusal>> + 'static,
    {
        self.route("POST", web::post().to(Finishing(told(handler))))
    }

    fn delete<F, Fut>(self, handler: F) -> Self
    where
        F: Fn(HttpRequest, Payload, Data<ApiState>) -> Fut + Clone + 'static,
        Fut: Future<Output = Result<HttpResponse, Refusal>> + 'static,
    {
        self.route("DELETE", web::delete().to(Finishing(told(handler))))
    }
}

impl Entry for Path {
    fn listed(&self) -> Listed {
        self.listed.clone()
    }
}

impl HttpServiceFactory for Path {
    fn register(self, config: &mut AppService) {
        let resource = self.resource.app_data(Dialect::PushServer);
        resource.default_service(web::to(told(no_such_verb))).register(config);
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
    if let Some(address) = origin::address(&request, &state.server) {
        let counted = state.push_server.test.count(address, Instant::now());
        counted.map_err(Refusal::too_often)?;
    }
    Ok(answer::success(state.dialects.push_server.status_word))
}
