//! Recording who did what, and from which address, for the audit log. Handlers call it after what was asked
//! for is done, through the callers that their dialect extracts.

use actix_web::{HttpRequest, web::Data};
use serde_json::Value;

use super::{ApiState, origin};
use crate::{
    domain::{
        audit::{Action, Actor},
        ids::AppName,
    },
    services::audit::Deed,
};

/// What was done; the request tells the rest.
pub struct Done {
    /// The app it was done to; none is the installation.
    pub app: Option<AppName>,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// To what.
    pub target: Option<String>,
    /// What else there is to know, without secrets.
    pub details: Value,
}

/// Records it. It is done, so this cannot fail.
pub async fn record(request: &HttpRequest, done: Done) {
    let state = request.app_data::<Data<ApiState>>();
    let state = state.expect("mount puts the state on every application");
    let address = origin::address(request, &state.server).map(|address| address.to_string());
    let Done { app, actor, action, target, details } = done;
    state.services.audit.record(Deed { app, actor, action, target, details, address }).await;
}
