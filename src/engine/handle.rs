//! What the rest of the house may ask of the engine. Cheap to clone; every clone speaks to the same
//! engine.

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Result,
        device::SendPlatform,
        ids::{AppName, NotificationId},
        message::Message,
    },
    transport::RenderError,
};

/// The engine, as services see it.
#[derive(Clone)]
pub struct EngineHandle {}

/// Rates in pushes per second; 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rates {
    /// Over every app.
    pub global: u32,
    /// Over this app.
    pub app: u32,
    /// This app's APNs.
    pub apns: u32,
    /// This app's FCM.
    pub fcm: u32,
}

/// What the engine is doing, for people to look at.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EngineState {
    /// Each actor's own account, by its name.
    pub actors: std::collections::BTreeMap<String, serde_json::Value>,
    /// How many times an actor had to be started again.
    pub restarts: u64,
}

impl EngineHandle {
    /// Tells the scheduler that something may be due: a launch, a resume, an unscheduling.
    pub fn nudge(&self) {
        unimplemented!()
    }

    /// Stops a campaign's pushes, after its new state (PAUSED, DELETED) is stored: when this returns,
    /// no new push of it begins, and what was under way is recorded or being recorded.
    pub async fn halt(&self, _notification: NotificationId) -> Result<()> {
        unimplemented!()
    }

    /// The providers this app has credentials for.
    pub fn providers(&self, _app: &AppName) -> Vec<SendPlatform> {
        unimplemented!()
    }

    /// Whether every provider of the app can carry the message; the error is the first that cannot.
    pub fn check_message(&self, _app: &AppName, _message: &Message) -> Result<(), RenderError> {
        unimplemented!()
    }

    /// The rates in force for an app.
    pub fn rates(&self, _app: &AppName) -> Rates {
        unimplemented!()
    }

    /// Changes an app's rates at once, for work under way too. `global` is not an app's to change and
    /// is ignored here.
    pub fn set_rates(&self, _app: &AppName, _rates: Rates) {
        unimplemented!()
    }

    /// Changes the rate over every app.
    pub fn set_global_rate(&self, _per_second: u32) {
        unimplemented!()
    }

    /// Changes a running campaign's rate at once; none is no limit.
    pub fn set_notification_rate(&self, _notification: NotificationId, _per_second: Option<u32>) {
        unimplemented!()
    }

    /// Why the engine cannot send now, by app and provider; empty when it can.
    pub async fn troubles(&self) -> Vec<String> {
        unimplemented!()
    }

    /// What every actor is doing.
    pub async fn state(&self) -> EngineState {
        unimplemented!()
    }
}
