//! The envelope of every answer.

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, http::header};
use serde::Serialize;

/// `{success, result, reason}`, and `total` where the result is a stretch of a list.
#[derive(Serialize)]
struct Envelope<'a, T: Serialize> {
    success: bool,
    result: Option<T>,
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

/// Success with a result.
pub fn success(result: impl Serialize) -> HttpResponse {
    let envelope = Envelope { success: true, result: Some(result), reason: None, total: None };
    written(StatusCode::OK, &envelope)
}

/// Success with nothing to tell.
pub fn done() -> HttpResponse {
    let envelope = Envelope { success: true, result: None::<()>, reason: None, total: None };
    written(StatusCode::OK, &envelope)
}

/// Success with a stretch of a list, and how much there is in all.
pub fn stretch(result: impl Serialize, total: u64) -> HttpResponse {
    let envelope =
        Envelope { success: true, result: Some(result), reason: None, total: Some(total) };
    written(StatusCode::OK, &envelope)
}

/// Failure, told in one sentence.
pub fn failure(status: StatusCode, reason: &str) -> HttpResponse {
    let envelope =
        Envelope { success: false, result: None::<()>, reason: Some(reason), total: None };
    written(status, &envelope)
}

/// The answer for paths that nobody serves.
pub async fn no_such_path() -> HttpResponse {
    failure(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// The answer for a path that exists, asked with a verb that it does not have.
pub fn no_such_method(request: &HttpRequest, allowed: &str) -> HttpResponse {
    let reason = format!("{} is not allowed here; allowed: {allowed}", request.method());
    let mut response = failure(StatusCode::METHOD_NOT_ALLOWED, &reason);
    if let Ok(allowed) = header::HeaderValue::from_str(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

fn written<T: Serialize>(status: StatusCode, envelope: &Envelope<'_, T>) -> HttpResponse {
    let mut body = Vec::with_capacity(512);
    match serde_json::to_writer(&mut body, envelope) {
        Ok(()) => HttpResponse::build(status).content_type("application/json").body(body),
        Err(error) => {
            tracing::error!(%error, "failed to write an answer");
            HttpResponse::InternalServerError()
                .content_type("application/json")
                .body(r#"{"success":false,"result":null,"reason":"internal error"}"#)
        }
    }
}
