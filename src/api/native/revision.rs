//! Revisions of a draft, by RFC 9110 (8.8.3, 13.1.1): `ETag` says which one is shown, `If-Match` which one
//! a change is meant for.

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{ETAG, EntityTag, HeaderValue, IF_MATCH},
};

use super::{
    error::ApiError,
    request::{Extracting, once_settled},
};
use crate::{
    domain::{
        Error,
        notification::{Notification, Status},
    },
    services::notifications::Seen,
};

/// The `If-Match` header: `*`, or tags of which one must be the stored draft's.
pub struct IfMatch(pub Seen);

impl FromRequest for IfMatch {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let lines = request.headers().get_all(IF_MATCH);
        let seen = lines.map(HeaderValue::to_str).collect::<Result<Vec<_>, _>>();
        let seen = seen.ok().and_then(|lines| read(&lines.join(",")));
        let wrong = || Error::invalid("If-Match", "must be `*` or entity tags, such as `\"3\"`");
        let seen = seen.map(Self).ok_or_else(|| ApiError::from(wrong()));
        once_settled(request, async { seen })
    }
}

/// None where it does not read. A tag that was never given, or a weak one, matches nothing.
fn read(text: &str) -> Option<Seen> {
    if text.is_empty() || text.trim() == "*" {
        return Some(Seen::ANY);
    }
    let mut versions = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        let tag: EntityTag = tag.parse().ok()?;
        versions.extend(tag.tag().parse::<u64>().ok().filter(|_| !tag.weak));
    }
    Some(Seen::one_of(versions))
}

/// Adds the tag of a draft. What was launched has none: what it shows changes with every push.
pub fn tag(answer: &mut HttpResponse, notification: &Notification) {
    if notification.status != Status::Draft {
        return;
    }
    let tag = EntityTag::new_strong(notification.version.to_string()).to_string();
    if let Ok(value) = HeaderValue::from_str(&tag) {
        answer.headers_mut().insert(ETAG, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read() {
        for any in ["", "*", " * "] {
            assert_eq!(read(any), Some(Seen::ANY), "{any}");
        }
        assert_eq!(read("\"3\""), Some(Seen::one_of(vec![3])));
        assert_eq!(read("\"3\", \"4\""), Some(Seen::one_of(vec![3, 4])));
        for nothing in ["W/\"3\"", "\"abc\"", "\"\""] {
            assert_eq!(read(nothing), Some(Seen::one_of(vec![])), "{nothing}");
        }
        for wrong in ["3", "\"3", "\"3\" x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
