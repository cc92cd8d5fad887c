//! Devices that come with nothing but a provider's token, and are given their name here.
//!
//! The name is made from the app and the token, so that the same token at the same moment from two
//! callers becomes one device. A device that has the token already keeps its own name.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use futures_util::future::try_join_all;
use ring::digest;
use serde_json::Value;

use crate::{
    domain::{
        Error, Result,
        device::{Device, DevicePlatform, Registration, SendPlatform},
        ids::AppName,
        timestamp::Timestamp,
    },
    storage::{DeviceQuery, Drawer, NewDocument, Stores},
};

/// Most tokens in one call.
pub const MAX_TOKENS: usize = 500;
/// How many names are tried where others have been given new tokens since.
const NAMES: u32 = 8;
/// How long it is known that somebody was told of a new device: longer than any call takes.
const MARK_KEPT: Duration = Duration::from_secs(10 * 60);

/// The use cases of tokens.
#[derive(Clone)]
pub struct Tokens {
    stores: Stores,
}

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The device.
    pub external_id: String,
    /// Whether it was made for this token.
    pub is_new: bool,
}

impl Tokens {
    /// Over these stores.
    pub fn new(stores: Stores) -> Self {
        Self { stores }
    }

    /// Registers 1 to [`MAX_TOKENS`] tokens of one kind of device. The answers come in order; a token
    /// refused refuses no other, and one given twice is new once.
    pub async fn register(
        &self,
        app: &AppName,
        provider: SendPlatform,
        platform: DevicePlatform,
        tokens: &[String],
        now: Timestamp,
    ) -> Result<Vec<Result<Named>>> {
        if !(1..=MAX_TOKENS).contains(&tokens.len()) {
            return Err(Error::invalid("tokens", format!("must have 1 to {MAX_TOKENS} tokens")));
        }
        let names = self.names(app, tokens).await?;
        let registration = |token: &String| Registration {
            external_id: names.get(token).cloned().unwrap_or_default(),
            push_token: token.clone(),
            send_platform: Some(provider),
            device_platform: Some(platform),
            ..Registration::default()
        };
        let mut good: Vec<_> = tokens.iter().map(registration).collect();
        good.retain(|registration| registration.validate().is_ok());
        good.sort_unstable_by(|one, other| one.push_token.cmp(&other.push_token));
        good.dedup_by(|one, other| one.push_token == other.push_token);
        let order: Vec<String> = good.iter().map(|one| one.push_token.clone()).collect();
        let stored = match good.is_empty() {
            true => Vec::new(),
            false => self.stores.devices.register(app, good, now).await?,
        };
        let mut stored: HashMap<String, Result<Device>> = order.into_iter().zip(stored).collect();
        let fresh = self.fresh(app, stored.values().flatten(), now).await?;
        let answer = |token: &String| {
            registration(token).validate()?;
            match stored.remove(token) {
                Some(device) => device.map(|device| Named {
                    is_new: fresh.contains(&device.external_id),
                    external_id: device.external_id,
                }),
                // Given twice.
                None => Ok(Named { external_id: registration(token).external_id, is_new: false }),
            }
        };
        Ok(tokens.iter().map(answer).collect())
    }

    /// Which of these devices were made for this caller. Several that register one token in the same
    /// millisecond all see a device of that moment: the first to take its mark made it.
    async fn fresh(
        &self,
        app: &AppName,
        devices: impl Iterator<Item = &Device>,
        now: Timestamp,
    ) -> Result<HashSet<String>> {
        let drawer = &Drawer { kind: "new-device", app: Some(app.clone()) };
        let made = devices.filter(|device| device.created_at == now);
        let marks = made.map(|device| async move {
            let key = format!("{}:{}", now.0, device.id.0);
            let expires_at = Some(now.plus(MARK_KEPT));
            let mark = NewDocument { key, body: Value::Null, expires_at };
            let first = self.stores.documents.insert(drawer, mark, now).await?;
            Ok::<_, Error>(first.then(|| device.external_id.clone()))
        });
        Ok(try_join_all(marks).await?.into_iter().flatten().collect())
    }

    /// The name of each token's device: that of who has it, or a name that is free.
    async fn names(&self, app: &AppName, tokens: &[String]) -> Result<HashMap<String, String>> {
        let holders = self.stores.devices.holders(app, tokens).await?;
        let held = holders.into_iter().filter_map(|one| Some((one.push_token?, one.external_id)));
        let mut names: HashMap<String, String> = held.collect();
        for attempt in 0..NAMES {
            let open = tokens.iter().filter(|token| !names.contains_key(*token));
            let asked: Vec<_> =
                open.map(|token| (token.clone(), name_of(app, token, attempt))).collect();
            if asked.is_empty() {
                break;
            }
            let external_ids = Some(asked.iter().map(|(_, name)| name.clone()).collect());
            let query = DeviceQuery { external_ids, size: asked.len(), ..DeviceQuery::default() };
            let taken = self.stores.devices.search(app, &query).await?.items;
            for (token, name) in asked {
                // One without a token may have this one.
                let other = taken.iter().find(|one| one.external_id == name);
                let free = other.is_none_or(|other| {
                    other.push_token.as_deref().is_none_or(|held| held == token)
                });
                if free {
                    names.insert(token, name);
                }
            }
        }
        Ok(names)
    }
}

/// A name of twenty hexadecimal digits.
fn name_of(app: &AppName, token: &str, attempt: u32) -> String {
    let text = format!("{attempt}\n{app}\n{token}");
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref()[..10].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_for_the_same_token_and_app_alone() {
        let (app, other) = (AppName::new("a"), AppName::new("b"));
        let name = name_of(&app, "t", 0);
        assert_eq!(name, name_of(&app, "t", 0));
        assert_eq!(name.len(), 20);
        for different in [name_of(&other, "t", 0), name_of(&app, "u", 0), name_of(&app, "t", 1)] {
            assert_ne!(name, different);
        }
    }
}
