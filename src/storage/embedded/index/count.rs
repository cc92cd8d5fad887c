//! How many devices there are in a set, by platform, by provider, and by why they cannot be reached:
//! bitmap operations alone.

use roaring::RoaringBitmap;

use super::Index;
use crate::{
    domain::device::{DevicePlatform, SendPlatform, Unreachable},
    storage::AudienceCount,
};

impl Index {
    /// Counts `matching`, a set of the app's devices. What is zero is left out of the maps.
    pub(in crate::storage::embedded) fn count(
        &self,
        app: u32,
        matching: &RoaringBitmap,
        configured: &[SendPlatform],
    ) -> AudienceCount {
        let mut count = AudienceCount::default();
        let Some(app) = self.apps.get(&app) else { return count };
        let provider = |provider: SendPlatform| &app.providers[usize::from(provider.number())];
        for (platform, bitmap) in DevicePlatform::ALL.into_iter().zip(&app.platforms) {
            if platform != DevicePlatform::Unknown {
                *count.platforms.slot(platform) += matching.intersection_len(bitmap);
                continue;
            }
            let unknown = matching & bitmap;
            for sender in SendPlatform::ALL {
                let number = unknown.intersection_len(provider(sender));
                *count.platforms.slot(sender.counted_as(platform)) += number;
            }
        }
        let with_token = matching & &app.token;
        let mut reachable = with_token.clone();
        reachable -= &app.pruned;
        let mut unreachable = |why, number: u64| {
            if number > 0 {
                *count.unreachable.entry(why).or_default() += number;
            }
        };
        unreachable(Unreachable::NoToken, matching.len() - with_token.len());
        unreachable(Unreachable::Pruned, with_token.len() - reachable.len());
        for sender in SendPlatform::ALL {
            let number = reachable.intersection_len(provider(sender));
            if sender == SendPlatform::Unknown {
                unreachable(Unreachable::NoProvider, number);
            } else if !configured.contains(&sender) {
                unreachable(Unreachable::NoCredentials, number);
            } else if number > 0 {
                count.providers.insert(sender, number);
            }
        }
        count
    }
}
