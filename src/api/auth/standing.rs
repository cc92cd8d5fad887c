//! Whether a caller that was admitted still is, for what lasts longer than a request. To ask is no use of
//! a session: it prolongs none.

use std::sync::Arc;

use actix_web::HttpRequest;

use super::{acting, missing_key, session, shown_or_open};
use crate::{
    api::ApiState,
    domain::{
        Result,
        app::{Identity, Scope},
        timestamp::Timestamp,
    },
    services::sessions::{Session, SessionEnd},
};

/// By what a request was admitted.
pub struct Standing {
    /// None where it showed a key, or needed none.
    session: Option<(Session, SessionEnd)>,
}

impl Standing {
    /// Of a request that was just admitted.
    pub async fn of(request: &HttpRequest, state: &ApiState) -> Result<Self> {
        if shown_or_open(request, state)?.is_some() {
            return Ok(Self { session: None });
        }
        let session = session::seen(request, state).await?.ok_or_else(missing_key)?;
        let end = state.services.sessions.end_of(&session);
        // It may have ended before anybody listened.
        let session = session::seen(request, state).await?.ok_or_else(missing_key)?;
        Ok(Self { session: Some((session, end)) })
    }

    /// Whether its key still permits `scope`, as far as this node knows: the store is not asked.
    pub fn permits(&self, scope: Scope, request: &HttpRequest, state: &ApiState) -> bool {
        let identity: Option<Arc<Identity>> = match &self.session {
            Some((session, _)) => session::holder(session, state),
            None => shown_or_open(request, state).ok().flatten(),
        };
        let principal = identity.map(|identity| acting(request, state, &identity));
        principal.is_some_and(|acting| acting.is_ok_and(|principal| principal.may(scope)))
    }

    /// Whether its session, if it has one, has not ended. The store is asked.
    pub async fn lasts(&self, state: &ApiState) -> Result<bool> {
        let Some((session, _)) = &self.session else { return Ok(true) };
        Ok(state.services.sessions.look(session.token(), Timestamp::now()).await?.is_some())
    }

    /// Returns when it may have ended; never for what has no session.
    pub async fn may_have_ended(&mut self) {
        match &mut self.session {
            Some((_, end)) => end.heard().await,
            None => std::future::pending().await,
        }
    }
}
