//! Reading requests: JSON bodies and query strings, with errors that name the field. Shared by the
//! dialects, which wrap the error as their wire has it.

use std::time::Duration;

use actix_web::{
    Error as ActixError, FromRequest, HttpRequest, dev::Payload, error::PayloadError, web::Bytes,
};
use serde::de::DeserializeOwned;

use super::locate;
use crate::{
    domain::{Error, Result},
    services::{MAX_LIST, OrderBy},
};

/// How many elements a listing answers unless asked.
const DEFAULT_SIZE: usize = 10;

/// How long a body may take to arrive, where it is not [`ORDINARY_DEADLINE`].
#[derive(Clone, Copy)]
pub struct BodyDeadline(pub Duration);

/// How long an ordinary body may take to arrive.
pub const ORDINARY_DEADLINE: Duration = Duration::from_secs(30);

/// The whole body, if it is within its limit and comes in time.
pub fn body(
    request: &HttpRequest,
    payload: &mut Payload,
) -> impl Future<Output = Result<Bytes>> + use<> {
    let deadline = request.app_data::<BodyDeadline>().map_or(ORDINARY_DEADLINE, |given| given.0);
    let body = tokio::time::timeout(deadline, Bytes::from_request(request, payload));
    async move {
        let late = |_| {
            let secs = deadline.as_secs();
            Error::too_slow(format!("the request body did not arrive within {secs} seconds"))
        };
        body.await.map_err(late)?.map_err(|error| body_error(&error))
    }
}

/// Reads a JSON body, which is an object everywhere; the error names the field. A list is refused
/// here because serde would take its elements for the fields in their order.
pub fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        return Err(Error::malformed("the body must be a JSON object, not a list"));
    }
    let read = serde_json::from_slice(body).map_err(|error| locate::explain(body, &error))?;
    match locate::rounded_property(body) {
        Some(path) => Err(Error::invalid(path, "does not fit into 64 bits with sign")),
        None => Ok(read),
    }
}

/// Why a body could not be read off the wire.
fn body_error(error: &ActixError) -> Error {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Error::too_large("the request body is over the limit"),
        _ => Error::malformed("the request body could not be read"),
    }
}

/// The parameters of a query string; each is taken once, and what is left over is an error.
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string.
    pub fn read(query: &str) -> Result<Self> {
        actix_web::web::Query::<Vec<(String, String)>>::from_query(query)
            .map(|pairs| Self(pairs.into_inner()))
            .map_err(|_| Error::malformed("the query string does not read"))
    }

    /// Takes a parameter; an empty one counts as left out.
    pub fn take(&mut self, name: &str) -> Result<Option<String>> {
        let Some(place) = self.0.iter().position(|(key, _)| key == name) else { return Ok(None) };
        let (_, value) = self.0.swap_remove(place);
        if self.0.iter().any(|(key, _)| key == name) {
            return Err(Error::invalid(name, "is given twice"));
        }
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    /// Takes `start` and `size`.
    pub fn page(&mut self) -> Result<(u64, usize)> {
        let start = self.number("start")?.unwrap_or(0);
        let size = self.number("size")?.unwrap_or(DEFAULT_SIZE as u64);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if !(1..=MAX_LIST).contains(&size) {
            return Err(Error::invalid("size", format!("must be 1 to {MAX_LIST}")));
        }
        Ok((start, size))
    }

    /// Takes a list of words separated by commas, each read by `read`.
    pub fn words<T>(&mut self, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
        let text = self.take(name)?.unwrap_or_default();
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let known = |word: &str| {
            let shown: String = word.chars().take(40).collect();
            read(word).ok_or_else(|| Error::invalid(name, format!("`{shown}` is not known")))
        };
        words.map(known).collect()
    }

    /// Takes `order_bys`: names in order of weight, `-` before those that run downwards.
    pub fn order_bys<F: Copy>(&mut self, fields: &[(&str, F)]) -> Result<Vec<OrderBy<F>>> {
        self.words("order_bys", |word| {
            let (name, descending) = match word.strip_prefix('-') {
                Some(name) => (name, true),
                None => (word, false),
            };
            let (_, field) = fields.iter().find(|(known, _)| *known == name)?;
            Some(OrderBy { field: *field, descending })
        })
    }

    /// Refuses what nobody took.
    pub fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(40).collect();
                Err(Error::invalid(shown, "is not a parameter here"))
            }
        }
    }

    /// Takes a whole number.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>> {
        let wrong = || Error::invalid(name, "must be a whole number, at least 0");
        self.take(name)?.map(|text| text.parse().map_err(|_| wrong())).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_taken_once_and_leftovers_named() {
        let mut params = Params::read("start=5&order_bys=-id,title&x=1").expect("reads");
        assert_eq!(params.page().expect("good"), (5, 10));
        let orders = params.order_bys(&[("id", 'i'), ("title", 't')]).expect("known");
        assert_eq!(orders[0], OrderBy { field: 'i', descending: true });
        assert_eq!(orders[1], OrderBy { field: 't', descending: false });
        assert_eq!(
            params.finish().expect_err("x is left").public_message(),
            "x: is not a parameter here"
        );
        for bad in ["size=0", "size=1001", "start=-1", "start=x", "size=1&size=2"] {
            assert!(Params::read(bad).expect("reads").page().is_err(), "{bad}");
        }
        let unknown = Params::read("order_bys=age").expect("reads").order_bys(&[("id", ())]);
        assert!(unknown.is_err());
    }
}
