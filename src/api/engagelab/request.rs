//! What handlers take from a request: who calls and may do what, bodies, parameters. The caller comes
//! first in every handler's arguments, so that a request without credentials is refused before its body
//! is read.

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::error::Failure;
use crate::{
    api::{
        ApiState,
        deeds::{self, Deed},
        extract,
    },
    domain::{
        Error,
        app::{Identity, Scope},
        audit::Actor,
        device::{DevicePlatform, SendPlatform},
        ids::AppName,
    },
    services::notifications::Moved,
};

/// An app whose caller may read.
pub struct Reader(pub AppName);
/// An app whose caller may change devices, tags and aliases.
pub struct Registrar(pub AppName);
/// An app whose caller may send.
pub struct Sender {
    /// The app.
    pub app: AppName,
    actor: Actor,
    request: HttpRequest,
}

impl Sender {
    /// Records in the audit log what the caller has done to a notification.
    pub async fn note(&self, moved: &Moved) {
        let notification = &moved.view.notification;
        let (app, target) = (Some(self.app.clone()), Some(notification.uuid.to_string()));
        let details = json!({ "status": notification.status.name(), "api": "engagelab" });
        let (actor, action) = (self.actor.clone(), moved.action());
        deeds::record(&self.request, Deed { app, actor, action, target, details }).await;
    }
}

impl FromRequest for Sender {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(proven(request, Scope::Send).map(|(app, caller)| Self {
            app,
            actor: Actor::from(&*caller),
            request: request.clone(),
        }))
    }
}

/// Each is an app with a scope proven.
macro_rules! callers {
    ($($caller:ident: $scope:expr),*) => {
        $(impl FromRequest for $caller {
            type Error = Failure;
            type Future = Ready<Result<Self, Failure>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                ready(proven(request, $scope).map(|(app, _)| $caller(app)))
            }
        })*
    };
}
callers!(Reader: Scope::Read, Registrar: Scope::Register);

fn proven(request: &HttpRequest, scope: Scope) -> Result<(AppName, Arc<Identity>), Failure> {
    let state = request.app_data::<web::Data<ApiState>>();
    let state = state.expect("mount puts the state on every application");
    let caller = state.keyring.app_caller(request.headers())?;
    let app = caller.home.as_ref().filter(|_| caller.may(scope));
    let app = app.cloned().ok_or_else(|| Failure::forbidden(scope.name()))?;
    Ok((app, caller))
}

/// A JSON body, or why there is none; the handler says which code that has.
pub struct Body<T>(pub Result<T, Error>);

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = extract::body(request, payload);
        async move { Ok(Self(body.await.and_then(|body| extract::json(&body)))) }.boxed_local()
    }
}

/// The parameters of the query: each may be repeated, and each may hold several values, with commas.
pub struct Params(Vec<(String, String)>);

impl FromRequest for Params {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let wrong = |_| Failure::illegal("the query string does not read");
        ready(pairs.map(|pairs| Self(pairs.into_inner())).map_err(wrong))
    }
}

impl Params {
    /// Every value of a parameter, in order, each once.
    pub fn all(&self, name: &str) -> Vec<String> {
        let mut values: Vec<String> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (key, text) in &self.0 {
            let parts = text.split(',').map(str::trim);
            for part in parts.filter(|part| key == name && !part.is_empty()) {
                if seen.insert(part) {
                    values.push(part.to_owned());
                }
            }
        }
        values
    }

    /// The platforms named by `platform`; all where none is.
    pub fn platforms(&self) -> Result<Vec<DevicePlatform>, Failure> {
        let names = self.all("platform");
        if names.is_empty() || names.iter().any(|name| name == "all") {
            return Ok(DevicePlatform::ALL.to_vec());
        }
        let known = |name: &String| {
            let known = platform(name).map(|(device, _)| device);
            known.ok_or_else(|| Failure::illegal("platform: must be android, ios, web or hmos"))
        };
        names.iter().map(known).collect()
    }
}

/// What a platform's name means for a device: its kind, and who delivers to it. Browsers are reached
/// through FCM. HarmonyOS is no kind of ours; its devices count as unknown ones.
pub fn platform(name: &str) -> Option<(DevicePlatform, SendPlatform)> {
    Some(match name {
        "android" => (DevicePlatform::Android, SendPlatform::Fcm),
        "ios" => (DevicePlatform::Ios, SendPlatform::Apns),
        "web" => (DevicePlatform::Web, SendPlatform::Fcm),
        "hmos" => (DevicePlatform::Unknown, SendPlatform::Fcm),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        let request = actix_web::test::TestRequest::with_uri(&format!("/?{query}"));
        let (request, mut payload) = request.to_http_parts();
        Params::from_request(&request, &mut payload).into_inner().expect("it reads")
    }

    #[test]
    fn parameters_are_repeated_or_joined() {
        let query = params("tags=a&tags=b,c&tags=a&platform=ios&tags=%E6%A0%87");
        assert_eq!(query.all("tags"), ["a", "b", "c", "标"]);
        assert_eq!(query.platforms().expect("known"), [DevicePlatform::Ios]);
        assert_eq!(params("").platforms().expect("all").len(), 4);
        assert_eq!(params("platform=android,web").platforms().expect("known").len(), 2);
        assert!(params("platform=windows").platforms().is_err());
    }
}
