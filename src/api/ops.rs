//! For operators and load balancers: whether the process lives (`/health`) and whether it can do its
//! work (`/ready`). Neither needs a key; neither shows more than names of apps and parts.

use actix_web::{
    HttpRequest, HttpResponse, Route, guard,
    http::StatusCode,
    web::{self, ServiceConfig},
};
use serde::Serialize;

use super::{ApiState, native};

/// Puts the operators' pages on `config`.
pub fn mount(config: &mut ServiceConfig) {
    let shown = |route: Route| route.guard(get_or_head());
    let health = web::resource("/health").route(shown(web::route()).to(health));
    let ready = web::resource("/ready").route(shown(web::route()).to(ready));
    config.service(health.default_service(web::to(no_such_method)));
    config.service(ready.default_service(web::to(no_such_method)));
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

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

#[derive(Serialize)]
struct Readiness {
    status: &'static str,
    reasons: Vec<String>,
}

async fn ready(state: web::Data<ApiState>) -> HttpResponse {
    let reasons = state.services.status.troubles().await;
    let (code, status) = if reasons.is_empty() {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    HttpResponse::build(code).json(Readiness { status, reasons })
}
