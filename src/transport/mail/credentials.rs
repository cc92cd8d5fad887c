//! From the settings to what the transport needs: the server, the sender, and the recipients that it
//! may write to.

use std::collections::HashSet;

use http::Uri;
use lettre::{
    Address, AsyncSmtpTransport, Tokio1Executor,
    transport::smtp::{self, AsyncSmtpTransportBuilder, SMTP_PORT, SUBMISSION_PORT},
};

use super::super::CredentialError;
use crate::settings::MailSettings;

/// What the settings come to.
pub(super) struct Loaded {
    pub(super) server: AsyncSmtpTransportBuilder,
    pub(super) sender: Address,
    /// As [`comparable`] writes them.
    pub(super) recipients: HashSet<String>,
}

/// Finds what is wrong with the settings before anything is sent.
pub fn check(settings: &MailSettings) -> Result<(), CredentialError> {
    load(settings).map(drop)
}

pub(super) fn load(settings: &MailSettings) -> Result<Loaded, CredentialError> {
    let address = |key, text: &str| {
        let wrong = |error| CredentialError::new(key, format!("`{text}`: {error}"));
        text.parse::<Address>().map_err(wrong)
    };
    let recipients = settings.send_to.iter().map(|text| address("send_to", text));
    Ok(Loaded {
        server: server(settings.smtp_server.expose())?,
        sender: address("sender_email", &settings.sender_email)?,
        recipients: recipients
            .map(|found| found.map(|address| comparable(&address)))
            .collect::<Result<_, _>>()?,
    })
}

/// A bare name stands for its URL. Without another word, a server is asked for STARTTLS: where a
/// password would be sent it must have it, else it is spoken to in the clear if it has not. No message
/// repeats the text, which may hold a password.
fn server(text: &str) -> Result<AsyncSmtpTransportBuilder, CredentialError> {
    let wrong = || {
        let what = "must be HOST, HOST:PORT, smtp://HOST:PORT or smtps://HOST:PORT";
        CredentialError::new("smtp_server", what)
    };
    let url = if text.contains("://") { text.to_owned() } else { format!("smtp://{text}") };
    let parsed: Uri = url.parse().map_err(|_| wrong())?;
    let authority = parsed.authority().ok_or_else(wrong)?.as_str();
    let says_how = parsed.query().is_some_and(|query| query.contains("tls="));
    if parsed.scheme_str() != Some("smtp") || says_how {
        return builder(&url).map_err(|_| wrong());
    }
    let has_password = authority.contains('@');
    let tls = if has_password { "required" } else { "opportunistic" };
    let path = parsed.path();
    let server = builder(&format!("smtp://{authority}{path}?tls={tls}")).map_err(|_| wrong())?;
    let port = parsed.port_u16().unwrap_or(if has_password { SUBMISSION_PORT } else { SMTP_PORT });
    Ok(server.port(port))
}

fn builder(url: &str) -> Result<AsyncSmtpTransportBuilder, smtp::Error> {
    AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
}

/// The domain's letters have no case; the rest is the receiving host's own affair (RFC 5321
/// section 2.4).
pub(super) fn comparable(address: &Address) -> String {
    format!("{}@{}", address.user(), address.domain().to_ascii_lowercase())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::settings::Secret;

    pub(in crate::transport::mail) fn settings(server: &str) -> MailSettings {
        MailSettings {
            smtp_server: Secret::new(server),
            sender_email: "fanfare@example.com".into(),
            send_to: vec!["team@Example.com".into(), "o.brien@example.com".into()],
        }
    }

    #[test]
    fn a_server_is_a_name_or_a_url() {
        let good = [
            "smtp.example.com",
            "smtp.example.com:2525",
            "127.0.0.1:1025",
            "[::1]:25",
            "smtp://user:p%40ss@smtp.example.com:587?tls=required",
            "smtp://user:pass@smtp.example.com",
            "smtps://smtp.example.com",
        ];
        for good in good {
            assert_eq!(check(&settings(good)), Ok(()), "{good}");
        }
        for bad in ["", ":25", "host:port", "http://host", "smtp://", "two words"] {
            let error = check(&settings(bad)).expect_err(bad);
            assert_eq!(error.key, "smtp_server", "{bad}");
        }
        let error = check(&settings("ftp://user:hidden@host")).unwrap_err();
        assert!(!error.problem.contains("hidden"), "{}", error.problem);
    }

    #[test]
    fn addresses_are_checked_and_compared() {
        let loaded = load(&settings("localhost")).unwrap();
        assert!(loaded.recipients.contains("team@example.com"));
        let wrong = MailSettings { send_to: vec!["a@b@c".into()], ..settings("localhost") };
        assert_eq!(check(&wrong).unwrap_err().key, "send_to");
        let wrong = MailSettings { sender_email: "nobody".into(), ..settings("localhost") };
        assert_eq!(check(&wrong).unwrap_err().key, "sender_email");
    }
}
