//! A device's place in this store's order, which is its `_id`: `app << 50 | bucket << 36 | number`.
//!
//! Leading with the app keeps an app's devices together in the clustered collection, so that a campaign
//! reads its own devices and no others; the random bucket spreads them, so that ranges of buckets are
//! shards of about equal size. 13 bits for the app, 14 for the bucket, 36 for the number: it fits a
//! positive 64-bit integer.

use crate::domain::{
    Error, Result,
    campaign::{Position, Span},
    ids::DeviceId,
};

const APP_SHIFT: u32 = 50;
const BUCKET_SHIFT: u32 = 36;
/// Most apps of one installation.
pub(super) const MAX_APP: i32 = (1 << 13) - 1;
const MAX_NUMBER: u64 = (1 << BUCKET_SHIFT) - 1;
const BUCKETS: u64 = 10_000;

/// The place of a device.
pub(super) fn position(app: i32, bucket: u16, device: DeviceId) -> Result<Position> {
    if device.0 > MAX_NUMBER {
        return Err(Error::too_large("this store numbers devices with 36 bits, and all are used"));
    }
    Ok(Position(start(app) | u64::from(bucket) << BUCKET_SHIFT | device.0))
}

/// The device at a place.
pub(super) fn device(place: u64) -> DeviceId {
    DeviceId(place & MAX_NUMBER)
}

/// The bucket of a place.
pub(super) fn bucket(place: u64) -> u16 {
    (place >> BUCKET_SHIFT & 0x3fff) as u16
}

/// Everything of an app; numbers count from 1, so the start itself is no device.
pub(super) fn whole(app: i32) -> Span {
    buckets(app, 0, BUCKETS + 1)
}

/// The buckets from `from` up to and without `upto`.
fn buckets(app: i32, from: u64, upto: u64) -> Span {
    let at = |bucket: u64| Position(start(app) | bucket << BUCKET_SHIFT);
    Span { after: at(from), upto: at(upto) }
}

/// The first hundredth of an app's buckets: a fair sample, since buckets are drawn at random.
pub(super) fn sample(app: i32) -> Span {
    buckets(app, 1, 1 + BUCKETS / 100)
}

fn start(app: i32) -> u64 {
    u64::from(app.unsigned_abs()) << APP_SHIFT
}

/// Cuts the buckets into `count` stretches.
pub(super) fn cut_buckets(app: i32, count: u16) -> Vec<Span> {
    let count = u64::from(count.max(1));
    let edge = |number: u64| 1 + BUCKETS * number / count;
    (0..count).map(|number| buckets(app, edge(number), edge(number + 1))).collect()
}

/// Cuts an app's stretch so that each part holds about equally many of `places`, which ascend.
pub(super) fn cut_places(app: i32, places: &[u64], count: u16) -> Vec<Span> {
    let count = count.max(1);
    let all = whole(app);
    let mut after = all.after;
    let stretch = |number: u16| {
        let last = places.len() * usize::from(number) / usize::from(count);
        let upto = match last.checked_sub(1) {
            _ if places.is_empty() => after,
            _ if number == count => all.upto,
            None => after,
            Some(last) => Position(places[last]),
        };
        let span = Span { after, upto };
        after = upto;
        span
    };
    (1..=count).map(stretch).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_tells_its_device_and_bucket() {
        let place = position(MAX_APP, 10_000, DeviceId(MAX_NUMBER)).expect("in range");
        assert!(i64::try_from(place.0).is_ok());
        assert_eq!((device(place.0), bucket(place.0)), (DeviceId(MAX_NUMBER), 10_000));
        assert!(position(1, 1, DeviceId(MAX_NUMBER + 1)).is_err());
    }

    #[test]
    fn stretches_tile_an_app_and_hold_every_device() {
        for spans in [cut_buckets(3, 7), cut_places(3, &[whole(3).after.0 + 5; 20], 7)] {
            assert_eq!(spans.len(), 7);
            for pair in spans.windows(2) {
                assert_eq!(pair[0].upto, pair[1].after);
            }
            let (first, last) = (spans[0], spans[6]);
            for bucket in [1, 10_000] {
                let place = position(3, bucket, DeviceId(1)).expect("in range");
                assert!(first.after < place && place <= last.upto, "{bucket}");
            }
        }
        assert!(cut_places(3, &[], 4).iter().all(Span::is_empty));
    }
}
