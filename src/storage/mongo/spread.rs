//! How an app's devices are spread over its places. All apps draw from one sequence of numbers, so an
//! app's own lie unevenly; counting in windows, one at the beginning of each of so many equal stretches,
//! tells about how many lie where. Used by `shards`, which cuts rounds, and `audiences`, which samples.

use std::future::IntoFuture;

use futures_util::future::try_join_all;
use mongodb::{
    bson::{Document, doc},
    options::Hint,
};

use super::{
    core::Core,
    failure::OrFailed,
    position::{parts_of, whole},
    schema::DEVICES,
};
use crate::domain::{
    Result,
    campaign::{Position, Span},
};

/// A window is this part of its stretch, within these bounds.
const PART: u64 = 100;
const LEAST: u64 = 64;
const MOST: u64 = 1250;
/// Windows counted at the same time.
const AT_ONCE: usize = 8;

/// An app's stretch, up to the last device there is now.
pub(super) async fn known_span(core: &Core, app: i32) -> Result<Span> {
    let all = whole(app);
    let last = core.documents(DEVICES).find_one(parts_of(all)).sort(doc! { "_id": -1 });
    let last = last.hint(Hint::Keys(doc! { "_id": 1 })).projection(doc! { "_id": 1 });
    let last = last.await.or_failed("find an app's last device")?;
    let last = last.and_then(|row| row.get_i64("_id").ok()).map(i64::cast_unsigned);
    Ok(Span { upto: last.map_or(all.after, Position), ..all })
}

/// How many devices each of `windows` holds for which `besides` holds too, each counted up to `most`.
pub(super) async fn count_each(
    core: &Core,
    windows: &[Span],
    besides: &Document,
    hint: &Hint,
    most: Option<u64>,
) -> Result<Vec<u64>> {
    let mut found = Vec::with_capacity(windows.len());
    for some in windows.chunks(AT_ONCE) {
        let counts = some.iter().map(|window| {
            let mut filter = parts_of(*window);
            filter.extend(besides.clone());
            let count = core.documents(DEVICES).count_documents(filter).hint(hint.clone());
            let count = if let Some(most) = most { count.limit(most) } else { count };
            count.into_future()
        });
        found.extend(try_join_all(counts).await.or_failed("count devices in a window")?);
    }
    Ok(found)
}

/// `count` windows into `span`.
pub(super) fn windows(span: Span, count: u64) -> Vec<Span> {
    let edge = |number: u64| span.after.0 + share(span.upto.0 - span.after.0, number, count);
    let window = |number: u64| {
        let (from, end) = (edge(number), edge(number + 1));
        let wide = ((end - from) / PART).clamp(LEAST, MOST);
        Span { after: Position(from), upto: Position(end.min(from + wide)) }
    };
    (0..count).map(window).collect()
}

/// Cuts `span` so that each part holds about as many, by what was `found` in its windows.
pub(super) fn cut_windows(span: Span, found: &[u64], count: u16) -> Vec<Span> {
    let (count, stretches) = (u64::from(count.max(1)), found.len() as u64);
    let long = span.upto.0 - span.after.0;
    // A window that found nothing says little: no stretch counts as empty.
    let total: u64 = found.iter().map(|found| found + 1).sum();
    let edge = |part: u64| {
        let mut wanted = share(total, part, count);
        for (number, found) in (0..).zip(found) {
            if wanted <= *found {
                let from = share(long, number, stretches);
                let end = share(long, number + 1, stretches);
                return Position(span.after.0 + from + share(end - from, wanted, found + 1));
            }
            wanted -= found + 1;
        }
        span.upto
    };
    (0..count).map(|part| Span { after: edge(part), upto: edge(part + 1) }).collect()
}

/// So many parts of `of` where `whole` parts make it up.
fn share(of: u64, parts: u64, whole: u64) -> u64 {
    (u128::from(of) * u128::from(parts) / u128::from(whole.max(1))) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_hold_about_as_many_each() {
        let all = Span { after: Position(1000), upto: Position(2_001_000) };
        let within = |span: &Span, places: &[u64]| {
            let inside = |place: &&u64| (span.after.0 + 1..=span.upto.0).contains(place);
            places.iter().filter(inside).count() as u64
        };
        // A few long ago, and most of late.
        let places: Vec<u64> = (1001..1500).chain(1_500_000..=2_001_000).collect();
        let windows = windows(all, 64);
        let found: Vec<u64> = windows.iter().map(|window| within(window, &places)).collect();
        let spans = cut_windows(all, &found, 8);
        assert_eq!((spans[0].after, spans[7].upto), (all.after, all.upto));
        for pair in spans.windows(2) {
            assert_eq!(pair[0].upto, pair[1].after);
        }
        for span in spans {
            let held = within(&span, &places);
            // An eighth, give or take a stretch.
            assert!(held.abs_diff(62_500) <= 2_000_000 / 64, "{span:?} holds {held}");
        }
    }
}
