//! What a message looks like to a provider, for a person who is writing it. It takes no credentials, so
//! an app without any can be shown it too.

use serde_json::Value;

use super::{RenderError, apns, fcm};
use crate::domain::{
    device::SendPlatform, ids::NotificationId, message::Message, timestamp::Timestamp,
};

/// A message as one provider would be sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    /// The body; none where it cannot be written at all.
    pub payload: Option<Value>,
    /// How much of the limit it takes.
    pub bytes: usize,
    /// How much the provider takes.
    pub limit: usize,
    /// Why it cannot be sent so.
    pub problem: Option<RenderError>,
}

impl Preview {
    /// The message as `provider` would be sent it; none for a provider whose messages are no JSON.
    pub fn of(
        provider: SendPlatform,
        notification: NotificationId,
        message: &Message,
        now: Timestamp,
    ) -> Option<Self> {
        match provider {
            SendPlatform::Apns => Some(apns::preview(notification, message, now)),
            SendPlatform::Fcm => Some(fcm::preview(notification, message, now)),
            SendPlatform::Unknown | SendPlatform::Email => None,
        }
    }

    /// From a body as text, or why there is none, and why it cannot be sent.
    pub(super) fn new(
        body: Result<(&[u8], usize), RenderError>,
        limit: usize,
        problem: Option<RenderError>,
    ) -> Self {
        match body {
            Ok((body, bytes)) => {
                Self { payload: serde_json::from_slice(body).ok(), bytes, limit, problem }
            }
            Err(problem) => Self { payload: None, bytes: 0, limit, problem: Some(problem) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::Options;

    fn both(message: &Message) -> [Preview; 2] {
        let of = |provider| {
            let id = NotificationId(uuid::Uuid::nil());
            Preview::of(provider, id, message, Timestamp(0)).expect("JSON")
        };
        [of(SendPlatform::Apns), of(SendPlatform::Fcm)]
    }

    fn message(body: &str) -> Message {
        Message { title: "Hi".into(), body: body.into(), ..Message::default() }
    }

    #[test]
    fn it_shows_what_would_be_sent_and_how_much_room_is_left() {
        let [apns, fcm] = both(&message("there"));
        let payload = apns.payload.expect("a payload");
        assert_eq!(payload["aps"]["alert"]["body"], "there");
        assert_eq!((apns.bytes, apns.limit), (payload.to_string().len(), 4096));
        assert_eq!(fcm.payload.expect("a payload")["message"]["notification"]["body"], "there");
        assert_eq!((apns.problem, fcm.problem, fcm.limit), (None, None, 4096));
        let longer = both(&message("there!"));
        assert_eq!([longer[0].bytes, longer[1].bytes], [apns.bytes + 1, fcm.bytes + 1]);
    }

    #[test]
    fn what_is_too_large_is_shown_all_the_same() {
        for preview in both(&message(&"x".repeat(4096))) {
            assert!(preview.bytes > preview.limit && preview.payload.is_some());
            assert!(matches!(preview.problem, Some(RenderError::TooLarge { .. })));
        }
    }

    #[test]
    fn what_cannot_be_carried_is_a_problem() {
        let with = |options| Message { options, ..message("there") };
        let data = [("aps".to_owned(), String::new())].into();
        let [apns, fcm] = both(&with(Options { data, ..Options::default() }));
        assert!(matches!(apns.problem, Some(RenderError::Field { field: "data", .. })));
        assert_eq!((apns.payload, fcm.problem), (None, None));
        let collapse_id = Some("é".to_owned());
        let [apns, fcm] = both(&with(Options { collapse_id, ..Options::default() }));
        assert!(matches!(apns.problem, Some(RenderError::Field { field: "collapse_id", .. })));
        assert!(apns.payload.is_some() && fcm.problem.is_none());
    }
}
