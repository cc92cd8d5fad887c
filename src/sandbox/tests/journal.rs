//! Records read back as they were written, in the space that was promised.

use std::borrow::Cow;

use super::super::journal::{Journal, Push};
use super::*;

fn push(number: u64) -> Push {
    Push {
        token: format!("{number:064x}"),
        status: 200,
        reason: Cow::Borrowed(""),
        id: Some(u128::from(number)),
        collapse_id: Some("3f1c7a52-9f0e-4b1c-8f3a-1d5a1e3f7b11".to_owned()),
    }
}

#[test]
fn records_read_back_as_written() {
    let journal = Journal::new("project");
    for token in ["", "abc", "ABCDEF", "abcdef", "é", &"x".repeat(9000)] {
        let rejected = Push {
            token: token.to_owned(),
            status: 410,
            reason: Cow::Borrowed("Unregistered"),
            id: None,
            collapse_id: None,
        };
        journal.append(Provider::Fcm, &rejected);
        let record = journal.snapshot().last().expect("a record");
        assert_eq!(record.token, token[..token.len().min(4096)]);
        assert_eq!((record.status, record.reason.as_str()), (410, "Unregistered"));
        assert!(record.id.is_empty() && record.collapse_id.is_empty());
    }
}

#[test]
fn many_records_span_chunks_and_take_little_memory() {
    const COUNT: u64 = 50_000;
    let journal = Journal::new("project");
    for number in 0..COUNT {
        let mut push = push(number);
        if number % 3 == 0 {
            // More collapse ids than are kept once.
            push.collapse_id = Some(format!("collapse-{number}"));
        }
        journal.append(Provider::Apns, &push);
    }
    let snapshot = journal.snapshot();
    assert_eq!(snapshot.size_hint().0 as u64, COUNT);
    assert!(snapshot.packed_bytes() as u64 <= COUNT * 90);
    let mut count = 0;
    for (number, record) in (0..).zip(snapshot) {
        assert_eq!(record.token, push(number).token);
        if number % 3 == 0 {
            assert_eq!(record.collapse_id, format!("collapse-{number}"));
        }
        count += 1;
    }
    assert_eq!(count, COUNT);
    journal.clear();
    assert_eq!(journal.snapshot().count(), 0);
}
