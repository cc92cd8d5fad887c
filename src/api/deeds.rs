//! Recording who did what, and from which address, for the audit log. Handlers call it after what was asked
//! for is done, through the callers that their dialect extracts.

use actix_web::{HttpRequest, web::Data};

use super::{ApiState, origin};
pub use crate::domain::audit::Deed;

/// Records it. It is done, so this cannot fail.
pub async fn record(request: &HttpRequest, deed: Deed) {
    let state = request.app_data::<Data<ApiState>>();
    let state = state.expect("mount puts the state on every application");
    let address = origin::address(request, &state.server).map(|address| address.to_string());
    state.services.audit.record(deed, address).await;
}
