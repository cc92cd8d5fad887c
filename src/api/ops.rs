//! For operators and load balancers: whether the process lives (`/health`) and whether it can do its
//! work (`/ready`). Neither needs a key; neither shows more than names of apps and parts.

use actix_web::{
    HttpResponse, guard,
    http::StatusCode,
    web::{self, ServiceConfig},
};
use serde::Serialize;

use super::ApiState;

/// Puts the operators' pages on `config`.
pub fn mount(config: &mut ServiceConfig) {
    config.route("/health", web::route().guard(get_or_head()).to(health));
    config.route("/ready", web::route().guard(get_or_head()).to(ready));
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
