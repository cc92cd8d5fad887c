//! The packed form of a page's outcomes, about two bytes a device; the same in every store.
//!
//! ```text
//! body    = version(1 byte, 1) reasons entries
//! reasons = count(varint) { length(varint) utf-8 }
//! entries = count(varint) { step(varint) code(varint) [before(varint)] }
//! step    = the device's place less the one before it; the first counts from the span's start
//! code    = outcome << 3 | has_before << 2 | platform
//! outcome = 0 accepted, n the reason n - 1; before = the number of a reason
//! ```
//!
//! Varints are LEB128. A store tells a device's number from its place, so it is not kept. Entries ascend
//! by place. Used by each store's `page_rows`, `history` and `failures`.

use std::collections::HashMap;

use crate::domain::{
    Error, Result,
    campaign::{PageEntry, Position},
    device::DevicePlatform,
    ids::DeviceId,
    outcome::{Outcome, Reason},
};

/// Most devices of one page: an event's id is its page's number times this, plus its place.
pub const MAX_PAGE_ENTRIES: usize = 4096;

const VERSION: u8 = 1;

/// Packs entries, in any order, of a page that begins after `after`.
pub(in crate::storage) fn pack(entries: &[PageEntry], after: Position) -> Result<Vec<u8>> {
    if entries.len() > MAX_PAGE_ENTRIES {
        return Err(Error::too_large(format!("a page has over {MAX_PAGE_ENTRIES} devices")));
    }
    let mut sorted: Vec<&PageEntry> = entries.iter().collect();
    sorted.sort_by_key(|entry| entry.position);
    let mut table = ReasonTable::default();
    let mut body = Vec::with_capacity(entries.len() * 3);
    write_varint(&mut body, entries.len() as u64);
    let mut last = after.0;
    for entry in sorted {
        let step = entry.position.0.checked_sub(last);
        write_varint(&mut body, step.ok_or_else(|| Error::bug("pack a page outside its span"))?);
        last = entry.position.0;
        let outcome = match &entry.outcome {
            Outcome::Accepted => 0,
            Outcome::Failed(reason) => table.number(reason) + 1,
        };
        let before = entry.failed_before.as_ref().map(|reason| table.number(reason));
        let platform = u64::from(entry.platform.number());
        write_varint(&mut body, outcome << 3 | u64::from(before.is_some()) << 2 | platform);
        if let Some(before) = before {
            write_varint(&mut body, before);
        }
    }
    Ok(table.finish(&body))
}

#[derive(Default)]
struct ReasonTable<'a> {
    numbers: HashMap<&'a str, u64>,
    words: Vec<&'a str>,
}

impl<'a> ReasonTable<'a> {
    fn number(&mut self, reason: &'a Reason) -> u64 {
        let next = self.words.len() as u64;
        let number = *self.numbers.entry(reason.as_str()).or_insert(next);
        if number == next {
            self.words.push(reason.as_str());
        }
        number
    }

    fn finish(self, entries: &[u8]) -> Vec<u8> {
        let mut out = vec![VERSION];
        write_varint(&mut out, self.words.len() as u64);
        for word in self.words {
            write_varint(&mut out, word.len() as u64);
            out.extend_from_slice(word.as_bytes());
        }
        out.extend_from_slice(entries);
        out
    }
}

fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// One outcome as it is read; reasons by their number in the page's table.
#[derive(Clone, Copy, Debug)]
pub(in crate::storage) struct PackedEntry {
    pub(in crate::storage) place: u64,
    pub(in crate::storage) platform: DevicePlatform,
    /// None is accepted.
    pub(in crate::storage) failed: Option<usize>,
    pub(in crate::storage) before: Option<usize>,
}

/// A page being read.
pub(in crate::storage) struct Packed<'a> {
    /// The page's reasons by number.
    pub(in crate::storage) reasons: Vec<Reason>,
    rest: &'a [u8],
    left: u64,
    last: u64,
}

impl<'a> Packed<'a> {
    /// Reads the head of a body.
    pub(in crate::storage) fn open(body: &'a [u8], after: Position) -> Result<Self> {
        let (version, mut rest) = body.split_first().ok_or_else(|| corrupt("a page"))?;
        if *version != VERSION {
            return Err(corrupt("the version of a page"));
        }
        let count = read_varint(&mut rest)?;
        let mut reasons = Vec::new();
        for _ in 0..count {
            let length = usize::try_from(read_varint(&mut rest)?).unwrap_or(usize::MAX);
            let (word, after) = rest.split_at_checked(length).ok_or_else(|| corrupt("a reason"))?;
            let word = std::str::from_utf8(word).map_err(|_| corrupt("a reason"))?;
            reasons.push(Reason::new(word));
            rest = after;
        }
        let left = read_varint(&mut rest)?;
        Ok(Self { reasons, rest, left, last: after.0 })
    }

    /// The next outcome.
    pub(in crate::storage) fn next(&mut self) -> Result<Option<PackedEntry>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.last = self.last.saturating_add(read_varint(&mut self.rest)?);
        let code = read_varint(&mut self.rest)?;
        let before = if code & 4 == 0 { None } else { Some(read_varint(&mut self.rest)?) };
        let platform = DevicePlatform::ALL[(code & 3) as usize];
        let failed = (code >> 3).checked_sub(1);
        Ok(Some(PackedEntry {
            place: self.last,
            platform,
            failed: failed.map(|number| self.check(number)).transpose()?,
            before: before.map(|number| self.check(number)).transpose()?,
        }))
    }

    fn check(&self, number: u64) -> Result<usize> {
        let number = usize::try_from(number).ok().filter(|number| *number < self.reasons.len());
        number.ok_or_else(|| corrupt("a reason's number"))
    }
}

/// Reads a whole page; `device` tells a device's number from its place.
pub(in crate::storage) fn unpack(
    body: &[u8],
    after: Position,
    device: impl Fn(u64) -> DeviceId,
) -> Result<Vec<PageEntry>> {
    let mut packed = Packed::open(body, after)?;
    let mut entries = Vec::with_capacity(MAX_PAGE_ENTRIES.min(packed.left as usize));
    while let Some(entry) = packed.next()? {
        let reason = |number: usize| packed.reasons[number].clone();
        entries.push(PageEntry {
            device: device(entry.place),
            position: Position(entry.place),
            platform: entry.platform,
            outcome: entry
                .failed
                .map_or(Outcome::Accepted, |number| Outcome::Failed(reason(number))),
            failed_before: entry.before.map(reason),
        });
    }
    Ok(entries)
}

fn corrupt(what: &'static str) -> Error {
    Error::bug(format!("read {what} as it is stored"))
}

fn read_varint(rest: &mut &[u8]) -> Result<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or_else(|| corrupt("a page cut short"))?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(corrupt("a number of a page"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(device: u64, platform: DevicePlatform, failed: Option<&str>) -> PageEntry {
        PageEntry {
            device: DeviceId(device),
            position: Position(device),
            platform,
            outcome: failed.map_or(Outcome::Accepted, |word| Outcome::Failed(Reason::new(word))),
            failed_before: device.is_multiple_of(3).then(|| Reason::new("unavailable")),
        }
    }

    #[test]
    fn what_is_packed_comes_back_in_order() {
        let mut entries: Vec<_> = (0..500_u64)
            .map(|step| {
                let failed = [None, Some("Unregistered"), Some("ünïcode"), Some("")];
                let device = 1_000 + step * step * 40_000;
                let platform = DevicePlatform::ALL[(step % 4) as usize];
                entry(device, platform, failed[(step % 7).min(3) as usize])
            })
            .collect();
        let sorted = entries.clone();
        entries.reverse();
        let body = pack(&entries, Position(900)).expect("packed");
        assert_eq!(unpack(&body, Position(900), DeviceId).expect("readable"), sorted);
        assert!(
            unpack(&pack(&[], Position(5)).expect("packed"), Position(5), DeviceId)
                .is_ok_and(|e| e.is_empty())
        );
    }

    #[test]
    fn a_dense_page_takes_two_bytes_a_device() {
        let entries: Vec<_> = (1..=1000)
            .map(|device| PageEntry {
                failed_before: None,
                ..entry(device, DevicePlatform::Ios, (device % 50 == 0).then_some("Unregistered"))
            })
            .collect();
        let body = pack(&entries, Position(0)).expect("packed");
        assert!(body.len() <= 2 * 1000 + 20, "{} bytes", body.len());
    }

    #[test]
    fn what_is_cut_short_or_outside_its_span_is_refused() {
        let entries = [entry(7, DevicePlatform::Web, Some("x"))];
        let body = pack(&entries, Position(6)).expect("packed");
        for length in 0..body.len() {
            assert!(unpack(&body[..length], Position(6), DeviceId).is_err(), "{length}");
        }
        assert!(pack(&entries, Position(8)).is_err());
        assert!(pack(&vec![entries[0].clone(); MAX_PAGE_ENTRIES + 1], Position(6)).is_err());
    }
}
