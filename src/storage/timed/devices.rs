//! The table of [`DeviceStore`].

use super::timed;
use crate::{
    domain::{
        Result,
        audience::Clause,
        device::{Device, DeviceEdit, Registration, SendPlatform},
        ids::{AppName, DeviceId},
        timestamp::Timestamp,
    },
    storage::{AudienceCount, DeviceQuery, DeviceStore, Found, PruneOrder, Restored},
};

timed! { DeviceStore, DeviceTimes:
    register(app: &AppName, registrations: Vec<Registration>, now: Timestamp) -> Vec<Result<Device>>;
    edit(app: &AppName, external_id: &str, edit: DeviceEdit, now: Timestamp) -> Option<Device>;
    remove(app: &AppName, external_id: &str) -> bool;
    get(app: &AppName, external_id: &str) -> Option<Device>;
    get_many(app: Option<&AppName>, ids: &[DeviceId]) -> Vec<Device>;
    holders(app: &AppName, tokens: &[String]) -> Vec<Device>;
    search(app: &AppName, query: &DeviceQuery) -> Found<Device>;
    count(app: &AppName, clause: Option<&Clause>, configured: &[SendPlatform], now: Timestamp) -> AudienceCount;
    reaches_any(app: &AppName, clause: Option<&Clause>, configured: &[SendPlatform], now: Timestamp) -> bool;
    restore(app: &AppName, external_id: &str) -> Option<Restored>;
    prune(app: &AppName, orders: Vec<PruneOrder>, now: Timestamp) -> u64;
}
