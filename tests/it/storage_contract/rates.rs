//! Rates changed while the installation runs.

use std::collections::BTreeMap;

use fanfare::domain::{ids::AppName, rate::Rate};

use crate::support::stores::{Backend, app};

/// A name that would be a path, an operator and a key of another rate where it was taken for one.
fn hostile() -> AppName {
    AppName::new("$app/a.b")
}

pub async fn a_changed_rate_stays_until_it_is_reset(backend: &impl Backend) {
    let stores = backend.open().await;
    let rates = &stores.rates;
    assert_eq!(rates.rates().await.expect("read"), BTreeMap::new());
    rates.change_rates(vec![(Rate::Fcm(app()), None)]).await.expect("nothing to reset");
    let first = vec![
        (Rate::Global, Some(u32::MAX)),
        (Rate::App(app()), Some(0)),
        (Rate::Apns(app()), Some(7)),
        (Rate::Apns(hostile()), Some(8)),
    ];
    rates.change_rates(first).await.expect("changed");
    let second = vec![(Rate::Apns(app()), Some(9)), (Rate::App(app()), None)];
    rates.change_rates(second).await.expect("changed");
    let expected: BTreeMap<_, _> =
        [(Rate::Global, u32::MAX), (Rate::Apns(app()), 9), (Rate::Apns(hostile()), 8)].into();
    assert_eq!(rates.rates().await.expect("read"), expected);
    drop(stores);
    assert_eq!(backend.open().await.rates.rates().await.expect("read"), expected);
}

pub async fn changes_at_once_lose_nothing(backend: &impl Backend) {
    let stores = backend.open().await;
    let changes: Vec<_> = (0..32_u32)
        .map(|number| {
            let (rates, own) = (stores.rates.clone(), AppName::new(&format!("app-{number}")));
            let change = vec![(Rate::App(own.clone()), Some(number)), (Rate::Fcm(own), Some(1))];
            tokio::spawn(async move { rates.change_rates(change).await })
        })
        .collect();
    for change in changes {
        change.await.expect("no panic").expect("changed");
    }
    assert_eq!(stores.rates.rates().await.expect("read").len(), 64);
}
