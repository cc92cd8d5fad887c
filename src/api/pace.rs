//! How often one address may register or sign in: so many times within a minute, counted on this node. The
//! clock is passed in. Shared by the dialects whose clients register without a key, and the console.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Registrations from one address.
const MOST_REGISTRATIONS: u32 = 100;
/// Tries to sign in from one address.
const MOST_SIGN_INS: u32 = 20;
const SIGN_INS_WITHIN: Duration = Duration::from_secs(60);
const REGISTRATIONS_WITHIN: Duration = Duration::from_secs(60);
/// Addresses remembered at once; beyond that those whose minute is over are forgotten first.
const MOST_ADDRESSES: usize = 10_000;

/// Counts by address.
pub struct Pace {
    most: u32,
    within: Duration,
    seen: Mutex<HashMap<IpAddr, Seen>>,
}

struct Seen {
    since: Instant,
    count: u32,
}

impl Pace {
    /// `most` within each `within`.
    pub fn new(most: u32, within: Duration) -> Self {
        Self { most, within, seen: Mutex::default() }
    }

    /// As a dialect lets clients register.
    pub fn of_registrations() -> Self {
        Self::new(MOST_REGISTRATIONS, REGISTRATIONS_WITHIN)
    }

    /// As people try keys.
    pub fn of_sign_ins() -> Self {
        Self::new(MOST_SIGN_INS, SIGN_INS_WITHIN)
    }

    /// Counts one more; where it is one too many, in how many seconds the next may come.
    pub fn count(&self, address: IpAddr, now: Instant) -> Result<(), u64> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_ADDRESSES && !seen.contains_key(&address) {
            seen.retain(|_, seen| now.duration_since(seen.since) < self.within);
            if seen.len() >= MOST_ADDRESSES {
                // Rather than let nobody in, or remember without bound, the count begins anew.
                seen.clear();
            }
        }
        let own = seen.entry(address).or_insert(Seen { since: now, count: 0 });
        if now.duration_since(own.since) >= self.within {
            *own = Seen { since: now, count: 0 };
        }
        own.count = own.count.saturating_add(1);
        if own.count <= self.most {
            return Ok(());
        }
        let left = self.within.saturating_sub(now.duration_since(own.since));
        Err(left.as_secs().max(1))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn each_address_has_its_own_minute() {
        let (pace, start) = (Pace::new(2, Duration::from_secs(60)), Instant::now());
        let address = |last| IpAddr::from(Ipv4Addr::new(10, 0, 0, last));
        let later = |secs| start + Duration::from_secs(secs);
        assert_eq!(pace.count(address(1), start), Ok(()));
        assert_eq!(pace.count(address(1), later(10)), Ok(()));
        assert_eq!(pace.count(address(1), later(20)), Err(40));
        assert_eq!(pace.count(address(2), later(20)), Ok(()));
        assert_eq!(pace.count(address(1), later(60)), Ok(()));
    }

    #[test]
    fn it_remembers_only_so_many() {
        let (pace, now) = (Pace::new(1, Duration::from_secs(60)), Instant::now());
        for number in 0..=u32::try_from(MOST_ADDRESSES).unwrap() {
            assert_eq!(pace.count(IpAddr::from(Ipv4Addr::from(number)), now), Ok(()));
        }
        assert!(pace.seen.lock().unwrap().len() <= MOST_ADDRESSES);
    }
}
