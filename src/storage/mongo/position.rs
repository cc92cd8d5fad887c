//! A device's place in this store's order, which is its `_id`: `app << 50 | number`.
//!
//! Leading with the app keeps an app's devices together in the clustered collection, so that a campaign
//! reads its own devices and no others. Within an app new devices come last: each is appended, there and
//! under each of its attributes, where a random place would cost the server twice as much. 13 bits for
//! the app, 50 for the number: it fits a positive 64-bit integer.

use mongodb::bson::{Document, doc};

use crate::domain::{
    Error, Result,
    campaign::{Position, Span},
    ids::DeviceId,
};

const APP_SHIFT: u32 = 50;
/// Most apps of one installation.
pub(super) const MAX_APP: i32 = (1 << 13) - 1;
const MAX_NUMBER: u64 = (1 << APP_SHIFT) - 1;

/// The place of a device.
pub(super) fn position(app: i32, device: DeviceId) -> Result<Position> {
    if device.0 > MAX_NUMBER {
        return Err(Error::too_large("this store numbers devices with 50 bits, and all are used"));
    }
    Ok(Position(start(app) | device.0))
}

/// The device at a place.
pub(super) fn device(place: u64) -> DeviceId {
    DeviceId(place & MAX_NUMBER)
}

/// Everything of an app; numbers count from 1, so the start itself is no device.
pub(super) fn whole(app: i32) -> Span {
    Span { after: Position(start(app)), upto: Position(start(app) | MAX_NUMBER) }
}

/// The devices of a stretch.
pub(super) fn parts_of(span: Span) -> Document {
    doc! { "_id": { "$gt": span.after.0.cast_signed(), "$lte": span.upto.0.cast_signed() } }
}

fn start(app: i32) -> u64 {
    u64::from(app.unsigned_abs()) << APP_SHIFT
}

/// Cuts `all` so that each part holds about equally many of `places`, which ascend.
pub(super) fn cut_places(all: Span, places: &[u64], count: u16) -> Vec<Span> {
    let count = count.max(1);
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
    fn a_place_tells_its_device() {
        let place = position(MAX_APP, DeviceId(MAX_NUMBER)).expect("in range");
        assert!(i64::try_from(place.0).is_ok());
        assert_eq!(device(place.0), DeviceId(MAX_NUMBER));
        assert!(position(1, DeviceId(MAX_NUMBER + 1)).is_err());
    }

    #[test]
    fn stretches_tile_an_app_and_hold_every_device() {
        let all = whole(3);
        let spans = cut_places(all, &[all.after.0 + 5; 20], 7);
        assert_eq!(spans.len(), 7);
        for pair in spans.windows(2) {
            assert_eq!(pair[0].upto, pair[1].after);
        }
        assert_eq!((spans[0].after, spans[6].upto), (all.after, all.upto));
        assert!(cut_places(all, &[], 4).iter().all(Span::is_empty));
    }
}
