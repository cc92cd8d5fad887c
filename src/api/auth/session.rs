//! The cookies of the console: whose a request's is, and how one is set.

use std::sync::Arc;

use actix_web::{HttpRequest, http::header::COOKIE};

use super::csrf;
use crate::{
    api::ApiState,
    domain::{
        Result,
        app::{Identity, Via},
        timestamp::Timestamp,
    },
    services::sessions::{LIFETIME, Session},
};

const NAME: &str = "fanfare_session";

/// The session that a request's cookie names, and who it is of; none where there is no cookie or it has
/// ended. The request may be made with it.
pub async fn of_cookie(
    request: &HttpRequest,
    state: &ApiState,
) -> Result<Option<(Session, Identity)>> {
    let Some(token) = token(request) else { return Ok(None) };
    let Some(session) = state.services.sessions.find(token, Timestamp::now()).await? else {
        return Ok(None);
    };
    let mut known = holder(&session, state);
    if known.is_none() {
        // Another node may have made the key a moment ago.
        state.services.apps.follow().await?;
        known = holder(&session, state);
    }
    let Some(known) = known else {
        state.services.sessions.end(&session).await?;
        return Ok(None);
    };
    csrf::check(request, &state.server, &session)?;
    let identity = Identity { via: Via::Session, ..Identity::clone(&known) };
    Ok(Some((session, identity)))
}

/// The session that a request's cookie names; to look is no use of it.
pub(super) async fn seen(request: &HttpRequest, state: &ApiState) -> Result<Option<Session>> {
    let Some(token) = token(request) else { return Ok(None) };
    state.services.sessions.look(token, Timestamp::now()).await
}

/// Who a session is of, by the keys that this node knows.
pub(super) fn holder(session: &Session, state: &ApiState) -> Option<Arc<Identity>> {
    state.keyring.holder(session.key(), |secret| session.was_begun_with(secret))
}

/// The value of the cookie; of several, the first, which is the one of the longest path.
fn token(request: &HttpRequest) -> Option<&str> {
    let lines = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    let mut own = pairs.filter(|(name, _)| name.trim() == NAME);
    own.next().map(|(_, value)| value.trim())
}

/// The `Set-Cookie` of a session.
pub fn setting_cookie(session: &Session) -> String {
    written(session.token(), LIFETIME.as_secs(), session.is_secure())
}

/// The `Set-Cookie` that takes it back.
pub fn clearing_cookie() -> String {
    written("", 0, false)
}

fn written(value: &str, max_age_secs: u64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={value}; Path=/; Max-Age={max_age_secs}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let found = |lines: &[&str]| {
            let mut request = TestRequest::default();
            for line in lines {
                request = request.append_header((COOKIE, *line));
            }
            token(&request.to_http_request()).map(str::to_owned)
        };
        assert_eq!(found(&["a=b; fanfare_session=x; c=d"]).as_deref(), Some("x"));
        assert_eq!(found(&["a=b", "fanfare_session=x=y"]).as_deref(), Some("x=y"));
        assert_eq!(found(&["my_fanfare_session=x"]), None);
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_cookie_is_kept_from_scripts_and_other_sites() {
        let cookie = written("x", 43_200, false);
        let expected = "fanfare_session=x; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict";
        assert_eq!(cookie, expected);
        assert_eq!(written("x", 43_200, true), format!("{expected}; Secure"));
        assert!(clearing_cookie().contains("Max-Age=0;"));
    }
}
