//! The table of endpoints: each path, its verbs, and the handler of each. Handlers are in the file of
//! their concept; each reads its request, calls one use case, and writes the answer.

mod apps;
mod audience;
mod audit;
mod devices;
mod endpoint;
mod internal;
mod limits;
mod notifications;

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{PayloadConfig, ServiceConfig},
};

pub use self::endpoint::at;
use self::endpoint::at_slashed;
use super::error::ApiError;
use crate::api::table::Table;

/// What handlers answer.
type Answer = Result<HttpResponse, ApiError>;

/// How many ordinary bodies' worth a bulk registration may bring.
const BULK_BODIES: usize = 16;

/// How long a bulk registration may take to arrive.
const BULK_DEADLINE: Duration = Duration::from_secs(60);

/// Puts the native API on `config`.
pub fn mount(config: &mut ServiceConfig, max_body_bytes: usize) {
    config.app_data(PayloadConfig::new(max_body_bytes));
    table(max_body_bytes).mount(config);
}

/// Every path; `operations` describes each.
#[rustfmt::skip]
pub fn table(max_body_bytes: usize) -> Table {
    let bulk = max_body_bytes.saturating_mul(BULK_BODIES);
    Table::default()
        .service(at_slashed("/devices").put(devices::register))
        .service(at("/devices/-/:register").bodies_up_to(bulk, BULK_DEADLINE).post(devices::register_many))
        .service(at("/devices/-/:search").post(devices::search))
        .service(at("/devices/-/:count").post(devices::count))
        .service(at("/devices/{external_id}").get(devices::show).patch(devices::edit).delete(devices::remove))
        .service(at("/devices/{external_id}/properties/:add").post(devices::add_properties))
        .service(at("/devices/{external_id}/:restore").post(devices::restore))
        .service(at("/devices/{external_id}/notifications").get(devices::history))
        .service(at("/devices/{external_id}/events").post(devices::report_event))

        .service(at("/audience/properties").get(audience::properties))
        .service(at("/audience/values").get(audience::values))
        .service(at("/audience/:explain").post(audience::explain))

        .service(at_slashed("/notifications").get(notifications::list).post(notifications::create))
        .service(at("/notifications/-/:preview").post(notifications::preview))
        .service(at("/notifications/{uuid}").get(notifications::show).put(notifications::edit))
        .service(at("/notifications/{uuid}/:launch").post(notifications::launch))
        .service(at("/notifications/{uuid}/:resend").post(notifications::resend))
        .service(at("/notifications/{uuid}/:test").post(notifications::test))
        .service(at("/notifications/{uuid}/status").put(notifications::set_status))
        .service(at("/notifications/{uuid}/rate_limit").put(notifications::set_rate))
        .service(at("/notifications/{uuid}/failures").get(notifications::failures))

        .service(at("/notifications/{uuid}/timeline").get(notifications::timeline))

        .service(at("/apps").get(apps::list).post(apps::create))
        .service(at("/apps/{name}").get(apps::show).delete(apps::remove))
        .service(at("/apps/{name}/providers/apns").put(apps::set_apns).delete(apps::unset_apns))
        .service(at("/apps/{name}/providers/fcm").put(apps::set_fcm).delete(apps::unset_fcm))
        .service(at("/apps/{name}/providers/{provider}/:check").post(apps::check))
        .service(at("/apps/{name}/keys").post(apps::create_key))
        .service(at("/apps/{name}/keys/{id}").delete(apps::remove_key))
        .service(at("/apps/{name}/keys/{id}/:rotate").post(apps::rotate_key))

        .service(at("/audit").get(audit::list))

        .service(at("/limits").get(limits::show).put(limits::change))

        .service(at("/internal/devices/logs/notification:add").post(internal::log))
        .service(at("/internal/notifications/{uuid}/sent:increase").post(internal::report))
        .service(at("/internal/limits").put(internal::change_limits))
        .service(at("/internal/state").get(internal::state))
}
