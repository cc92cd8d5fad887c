//! How answers look.

use actix_web::HttpResponse;
use serde::Serialize;

use super::{Answer, error::Failure};
use crate::domain::Error;

/// The type of every answer.
pub const JSON: &str = "application/json; charset=utf-8";

/// How a change that was made is answered: the bare word, as the document shows it, or as JSON.
#[derive(Clone, Copy, Debug)]
pub struct Success {
    /// As a JSON string.
    pub quoted: bool,
}

impl Success {
    /// The answer.
    pub fn answer(self) -> HttpResponse {
        let word = if self.quoted { r#""success""# } else { "success" };
        HttpResponse::Ok().content_type(JSON).body(word)
    }
}

/// What was asked for.
pub fn found(body: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(body)
        .map_err(|error| Failure::from(Error::internal("write an answer", error)))?;
    Ok(HttpResponse::Ok().content_type(JSON).body(body))
}
