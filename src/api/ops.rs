//! For operators and load balancers: whether the process lives (`/health`) and whether it can do its
//! work (`/ready`). Neither needs a key; neither shows more than names of apps and parts. `/metrics` is
//! mounted here too.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::{self, ServiceConfig},
};
use serde::Serialize;

use super::{ApiState, metrics, page::Page, push_server, table::Table};

/// Puts the operators' pages on `config`.
pub fn mount(config: &mut ServiceConfig) {
    table().mount(config);
}

/// Every page.
pub fn table() -> Table {
    Table::default()
        .service(Page::at("/health", health))
        .service(Page::at("/ready", ready))
        .service(Page::at("/metrics", metrics::show))
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
