//! What clients say of themselves, and what is answered of tenants.

use serde::{Deserialize, Serialize};

use super::{answer::Refusal, jwt::DID_PREFIX};
use crate::domain::device::{
    Device, DeviceEdit, PropertyValue, Registration, Scalar, SendPlatform,
};

/// What a client's external id begins with. Devices of other APIs have other names, so none of them is
/// ever taken for a client.
const PREFIX: &str = "wc:";
/// The property that says by which service a client is pushed to.
const TYPE: &str = "push_type";
/// Whether the client decrypts everything itself.
const ALWAYS_RAW: &str = "always_raw";

/// The body of `POST /clients`.
#[derive(Deserialize)]
pub struct RegisterBody {
    client_id: String,
    #[serde(rename = "type")]
    push_type: String,
    token: String,
    #[serde(default)]
    always_raw: Option<bool>,
}

/// By which service a client is pushed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushType {
    /// Apple's, production.
    Apns,
    /// Apple's, sandbox.
    ApnsSandbox,
    /// Google's.
    Fcm,
}

impl PushType {
    /// The type of this name, whatever its case.
    fn read(name: &str) -> Option<Self> {
        let all = [Self::Apns, Self::ApnsSandbox, Self::Fcm];
        all.into_iter().find(|one| one.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Apns => "apns",
            Self::ApnsSandbox => "apns-sandbox",
            Self::Fcm => "fcm",
        }
    }

    fn provider(self) -> SendPlatform {
        match self {
            Self::Apns | Self::ApnsSandbox => SendPlatform::Apns,
            Self::Fcm => SendPlatform::Fcm,
        }
    }
}

impl RegisterBody {
    /// The client that registers.
    pub fn client(&self) -> &str {
        client_id(&self.client_id)
    }

    /// The device that it is, if its provider is one of these.
    pub fn into_registration(self, providers: &[SendPlatform]) -> Result<Registration, Refusal> {
        if matches!(self.client(), "" | "." | "..") {
            return Err(Refusal::field("client_id", "must not be empty, `.` or `..`"));
        }
        let available = |push_type: &PushType| providers.contains(&push_type.provider());
        let push_type = PushType::read(&self.push_type);
        let Some(push_type) = push_type.filter(available) else {
            let shown: String = self.push_type.chars().take(40).collect();
            let known = if push_type.is_some() { "not available here" } else { "not known" };
            let message = format!("the push service `{shown}` is {known}");
            return Err(Refusal::provider(message));
        };
        let mut edit = DeviceEdit::default();
        let text = |text: &str| Some(PropertyValue::One(Scalar::Text(text.to_owned())));
        edit.properties.push((TYPE.to_owned(), text(push_type.name())));
        let raw = self.always_raw.unwrap_or(false);
        let raw = PropertyValue::One(Scalar::Bool(raw));
        edit.properties.push((ALWAYS_RAW.to_owned(), Some(raw)));
        Ok(Registration {
            external_id: external_id(&self.client_id),
            push_token: self.token,
            send_platform: Some(push_type.provider()),
            device_platform: None,
            edit,
        })
    }
}

/// A client's id without the prefix that some write it with.
pub fn client_id(id: &str) -> &str {
    id.strip_prefix(DID_PREFIX).unwrap_or(id)
}

/// The external id of the device that a client is.
pub fn external_id(client: &str) -> String {
    format!("{PREFIX}{}", client_id(client))
}

/// Whether the device is a client.
pub fn is_client(device: &Device) -> bool {
    device.external_id.starts_with(PREFIX)
}

/// A device that was registered through this dialect.
pub struct Client(pub Device);

impl Client {
    /// Whether it decrypts everything itself.
    pub fn always_raw(&self) -> bool {
        let raw = PropertyValue::One(Scalar::Bool(true));
        self.0.properties.get(ALWAYS_RAW) == Some(&raw)
    }

    /// Whether its token is of Apple's sandbox.
    pub fn is_of_apple_sandbox(&self) -> bool {
        let sandbox = Scalar::Text(PushType::ApnsSandbox.name().to_owned());
        self.0.properties.get(TYPE) == Some(&PropertyValue::One(sandbox))
    }

    /// Whether it can be pushed to at all.
    pub fn is_reachable(&self) -> bool {
        self.0.push_token.is_some() && self.0.pruned.is_none()
    }
}

/// The body of `POST /tenants`.
#[derive(Deserialize)]
pub struct TenantBody {
    /// Its id.
    pub id: String,
}

/// What is answered of a tenant that was made.
#[derive(Serialize)]
pub struct TenantMade {
    /// What its clients reach it by.
    pub url: String,
}

/// What is answered of a tenant.
#[derive(Serialize)]
pub struct TenantJson {
    /// What its clients reach it by.
    pub url: String,
    /// The types that its clients may have.
    pub enabled_providers: Vec<&'static str>,
    /// The bundle id.
    pub apns_topic: Option<String>,
    /// `certificate` or `token`.
    pub apns_type: Option<&'static str>,
    /// Whether it may not send.
    pub suspended: bool,
    /// Why not.
    pub suspended_reason: Option<String>,
}

/// What is answered of a change.
#[derive(Serialize)]
pub struct Done {
    success: bool,
}

impl Done {
    /// It was made.
    pub const YES: Self = Self { success: true };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(push_type: &str) -> RegisterBody {
        let text = format!(
            r#"{{"client_id": "did:key:z6", "type": "{push_type}", "token": "t", "extra": 1}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_type_is_known_in_any_case_and_must_be_available() {
        let both = [SendPlatform::Apns, SendPlatform::Fcm];
        let registered = body("APNS-Sandbox").into_registration(&both).unwrap();
        assert_eq!(registered.external_id, "wc:z6");
        assert_eq!(registered.send_platform, Some(SendPlatform::Apns));
        assert!(body("fcm").into_registration(&both[..1]).is_err());
        assert!(body("hms").into_registration(&both).is_err());
    }
}
