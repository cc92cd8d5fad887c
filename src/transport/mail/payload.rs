//! What a push looks like as an e-mail: plain text, rendered once; the recipient's own lines are put
//! before it.

use std::time::{Duration, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderMap;
use lettre::{
    Address,
    address::Envelope,
    message::{
        Mailbox, Message as Email,
        header::{ContentType, Header, HeaderName, HeaderValue},
    },
};

use super::super::{Destination, RenderError, Rendered};
use crate::domain::{
    ids::{self, NotificationId},
    message::Message,
    timestamp::Timestamp,
};

/// RFC 3834 section 5: keeps holiday notices from answering.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Renders everything but the recipient and the message's id.
pub(super) fn render(
    notification: NotificationId,
    message: &Message,
    sender: &Address,
    now: Timestamp,
) -> Result<Rendered, RenderError> {
    let refused = |error: &dyn std::fmt::Display| {
        let problem = format!("cannot be written as an e-mail: {error}");
        RenderError::Field { field: "body", problem }
    };
    let envelope = Envelope::new(Some(sender.clone()), vec![sender.clone()]);
    let secs = u64::try_from(now.seconds()).unwrap_or_default();
    let email = Email::builder()
        .envelope(envelope.map_err(|error| refused(&error))?)
        .from(Mailbox::new(None, sender.clone()))
        .subject(one_line(&message.title))
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(secs))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(text(message))
        .map_err(|error| refused(&error))?;
    let head = Bytes::from(email.formatted());
    Ok(Rendered { notification, head, tail: None, headers: HeaderMap::new() })
}

/// The e-mail for one recipient. Its id is the same at every try, so that a reader or the server on the
/// way may drop a repeat.
pub(super) fn email(rendered: &Rendered, to: &Destination<'_>, sender: &Address) -> Vec<u8> {
    let id = ids::push_id(rendered.notification, to.device);
    let own = format!("To: <{}>\r\nMessage-ID: <{id}@{}>\r\n", to.token, sender.domain());
    let mut email = BytesMut::with_capacity(own.len() + rendered.head.len());
    email.put_slice(own.as_bytes());
    email.put_slice(&rendered.head);
    email.into()
}

fn one_line(title: &str) -> String {
    title.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn text(message: &Message) -> String {
    let links = [&message.deep_link, &message.image_url].into_iter().flatten();
    links.fold(message.body.clone(), |text, link| format!("{text}\r\n\r\n{link}"))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::ids::DeviceId;

    fn written(message: &Message) -> String {
        let sender: Address = "fanfare@example.com".parse().unwrap();
        let id = NotificationId(Uuid::from_u128(7));
        let rendered = render(id, message, &sender, Timestamp(1_389_354_595_000)).unwrap();
        let to = Destination { device: DeviceId(3), token: "team@example.com" };
        String::from_utf8(email(&rendered, &to, &sender)).unwrap()
    }

    #[test]
    fn an_email_names_its_recipient_and_itself() {
        let message = Message {
            title: "Flood\r\nBcc: x@example.com".into(),
            body: "Avoid the area".into(),
            deep_link: Some("https://a.example/flood".into()),
            ..Message::default()
        };
        let text = written(&message);
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let lines: Vec<_> = head.split("\r\n").collect();
        for wanted in [
            "To: <team@example.com>",
            "Message-ID: <00000000-0000-8000-8000-000000000003@example.com>",
            "From: fanfare@example.com",
            "Subject: Flood Bcc: x@example.com",
            "Date: Fri, 10 Jan 2014 11:49:55 +0000",
            "Auto-Submitted: auto-generated",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(lines.contains(&wanted), "{wanted} is not in\n{head}");
        }
        assert!(!lines.iter().any(|line| line.starts_with("Bcc")), "{head}");
        assert_eq!(body.trim_end(), "Avoid the area\r\n\r\nhttps://a.example/flood");
    }

    #[test]
    fn other_letters_than_ascii_are_encoded() {
        let message = Message {
            title: "Überflutung".into(),
            body: "Straße gesperrt".into(),
            ..Message::default()
        };
        let text = written(&message);
        assert!(text.is_ascii(), "{text}");
        let plain = Message { body: "two\nlines".into(), ..message };
        assert!(written(&plain).ends_with("two\r\nlines"), "line ends are CR LF");
        assert!(text.contains("Stra=C3=9Fe gesperrt") || text.contains("U3RyYcOfZSBnZXNwZXJydA=="));
    }
}
