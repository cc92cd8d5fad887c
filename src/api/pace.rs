//! How often one address may register or sign in, and one watcher look elsewhere: so many times within a
//! stretch, counted on this node. The clock is passed in. Shared by the dialects whose clients register
//! without a key, and the console.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
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

impl Seen {
    /// Counts one more; where it is one too many, how long the stretch still lasts.
    fn count(&mut self, most: u32, within: Duration, now: Instant) -> Result<(), Duration> {
        if now.duration_since(self.since) >= within {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        if self.count <= most {
            return Ok(());
        }
        Err(within.saturating_sub(now.duration_since(self.since)))
    }
}

/// Counts for one alone.
pub struct Turns {
    most: u32,
    within: Duration,
    seen: Seen,
}

impl Turns {
    /// `most` within each `within`, from now on.
    pub fn new(most: u32, within: Duration, now: Instant) -> Self {
        Self { most, within, seen: Seen { since: now, count: 0 } }
    }

    /// Counts one more; whether it is not one too many.
    pub fn take(&mut self, now: Instant) -> bool {
        self.seen.count(self.most, self.within, now).is_ok()
    }
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
        let network = network_of(address);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MOST_ADDRESSES && !seen.contains_key(&network) {
            seen.retain(|_, seen| now.duration_since(seen.since) < self.within);
            if seen.len() >= MOST_ADDRESSES {
                // Rather than let nobody in, or remember without bound, the count begins anew.
                seen.clear();
            }
        }
        let own = seen.entry(network).or_insert(Seen { since: now, count: 0 });
        own.count(self.most, self.within, now).map_err(|left| left.as_secs().max(1))
    }
}

/// Whom an address stands for: an IPv4 address for itself, however it is written; of an IPv6 address the
/// first 64 bits, since whoever has one has all that begin so.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
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
    fn a_network_of_ipv6_counts_as_one() {
        let (pace, now) = (Pace::new(1, Duration::from_secs(60)), Instant::now());
        let counted = |address: &str| pace.count(address.parse().expect("an address"), now).is_ok();
        assert!(counted("2001:db8:0:1::1"));
        for same in ["2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:1:ffff:ffff:ffff:ffff"] {
            assert!(!counted(same), "{same}");
        }
        assert!(counted("2001:db8:0:2::1"), "another network");
        assert!(counted("192.0.2.1"));
        assert!(!counted("::ffff:192.0.2.1"), "the same IPv4 address in IPv6's notation");
        assert!(counted("::ffff:192.0.2.2"), "another");
    }

    #[test]
    fn turns_come_back_with_time() {
        let (start, within) = (Instant::now(), Duration::from_secs(10));
        let mut turns = Turns::new(2, within, start);
        assert!(turns.take(start) && turns.take(start));
        assert!(!turns.take(start + within / 2));
        assert!(turns.take(start + within));
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
