//! Headers that answers have whatever they say: none is to be taken for another type than it names, and what
//! a key opens is kept by no cache.

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, X_CONTENT_TYPE_OPTIONS},
    middleware::Next,
};

use super::observe::{Dialect, dialect_of};

/// Goes around everything that answers.
pub async fn headers(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let mut answer = next.call(request).await?;
    let dialect = dialect_of(answer.request());
    add(dialect, answer.headers_mut());
    Ok(answer)
}

fn add(dialect: Dialect, headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let is_json = headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    // Of the console, the session is JSON; its files say themselves how they are kept.
    let is_of_a_key = dialect == Dialect::Native || (dialect == Dialect::Console && is_json);
    if is_of_a_key && !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_opens_is_not_kept() {
        let added = |dialect, given: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for &(name, value) in given {
                headers.insert(name.parse().expect("a name"), HeaderValue::from_static(value));
            }
            add(dialect, &mut headers);
            assert_eq!(headers.get_all(X_CONTENT_TYPE_OPTIONS).count(), 1);
            let kept: Vec<_> = headers.get_all(CACHE_CONTROL).cloned().collect();
            kept.iter().map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let json = ("content-type", "application/json");
        assert_eq!(added(Dialect::Native, &[json]), ["no-store"]);
        assert_eq!(added(Dialect::Console, &[json]), ["no-store"]);
        let file = [("content-type", "text/html"), ("cache-control", "no-cache")];
        assert_eq!(added(Dialect::Console, &file), ["no-cache"]);
        assert_eq!(added(Dialect::Console, &[]), [""; 0]);
        assert_eq!(added(Dialect::Operations, &[json]), [""; 0]);
        assert_eq!(added(Dialect::Other, &[("x-content-type-options", "nosniff")]), [""; 0]);
    }
}
