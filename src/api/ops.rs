//! For operators and load balancers: whether the process lives (`/health`) and whether it can do its
//! work (`/ready`). Neither needs a key; neither shows more than names of apps and parts. `/metrics` is
//! mounted here too.

use actix_web::{
    HttpRequest, HttpResponse, Route, guard,
    http::{StatusCode, header},
    web::{self, ServiceConfig},
};
use serde::Serialize;

use super::{ApiState, metrics, native, observe::Dialect, push_server};

/// Puts the operators' pages on `config`.
pub fn mount(config: &mut ServiceConfig) {
    let shown = |route: Route| route.guard(get_or_head());
    let at = |path: &str, route: Route| {
        let resource = web::resource(path).app_data(Dialect::Operations).route(route);
        resource.default_service(web::to(no_such_method))
    };
    config.service(at("/health", shown(web::route()).to(health)));
    config.service(at("/ready", shown(web::route()).to(ready)));
    config.service(at("/metrics", shown(web::route()).to(metrics::show)));
}

async fn no_such_method(request: HttpRequest) -> HttpResponse {
    native::no_such_method(&request, "GET, HEAD")
}

fn get_or_head() -> impl guard::Guard {
    guard::Any(guard::Get()).or(guard::Head())
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
    version: &'static str,
}

/// JSON, or where the Push Server is spoken at the root its one line of text: for whoever does not ask
/// for JSON.
async fn health(request: HttpRequest, state: web::Data<ApiState>) -> HttpResponse {
    let spoken = &state.dialects.push_server;
    if spoken.enabled && spoken.prefix.is_empty() && !asks_for_json(&request) {
        return push_server::health();
    }
    HttpResponse::Ok().json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

fn asks_for_json(request: &HttpRequest) -> bool {
    let mut accepted = request.headers().get_all(header::ACCEPT);
    accepted.any(|value| value.to_str().is_ok_and(|value| value.contains("json")))
}

#[derive(Serialize)]
struct ReadinessJson {
    status: &'static str,
    reasons: Vec<String>,
}

async fn ready(state: web::Data<ApiState>) -> HttpResponse {
    let readiness = state.services.status.readiness().await;
    let (code, status) = match readiness.is_ready {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
    };
    HttpResponse::build(code).json(ReadinessJson { status, reasons: readiness.reasons })
}
