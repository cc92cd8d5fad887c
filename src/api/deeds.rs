//! Recording who did what, and from which address, for the audit log. Handlers call it after what was asked
//! for is done, through the callers that their dialect extracts.

use actix_web::{HttpRequest, web::Data};

use super::{ApiState, origin};
pub use crate::domain::audit::Deed;

/// Records it. It is done, so this cannot fail.
pub async fn record(request: &HttpRequest, deed: Deed) {
    state(request).services.audit.record(deed, address(request)).await;
}

/// From which address a request came, as the audit log has it.
pub fn address(request: &HttpRequest) -> Option<String> {
    origin::address(request, &state(request).server).map(|address| address.to_string())
}

fn state(request: &HttpRequest) -> &ApiState {
    let state = request.app_data::<Data<ApiState>>();
    state.expect("mount puts the state on every application")
}
