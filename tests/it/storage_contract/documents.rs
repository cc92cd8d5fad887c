//! Small documents.

use fanfare::{
    domain::timestamp::Timestamp,
    storage::{Document, Drawer, NewDocument, Stores},
};
use serde_json::json;

use crate::support::stores::{Backend, NOW, app};

fn drawer() -> Drawer {
    Drawer { kind: "test", app: Some(app()) }
}

fn document(key: &str, number: u64) -> NewDocument {
    NewDocument { key: key.into(), body: json!({ "$n.": number }), expires_at: None }
}

async fn found(stores: &Stores, drawer: &Drawer, key: &str) -> Option<Document> {
    stores.documents.get(drawer, key, NOW).await.expect("read")
}

pub async fn a_document_is_kept_once_and_changed_by_whoever_read_it(backend: &impl Backend) {
    let stores = backend.open().await;
    let (documents, drawer) = (&stores.documents, drawer());
    assert_eq!(found(&stores, &drawer, "one").await, None);
    assert!(!documents.replace(&drawer, 0, document("one", 0)).await.expect("nothing there"));
    assert!(documents.insert(&drawer, document("one", 1), NOW).await.expect("kept"));
    assert!(!documents.insert(&drawer, document("one", 2), NOW).await.expect("there already"));
    let read = found(&stores, &drawer, "one").await.expect("kept");
    assert_eq!((read.key.as_str(), &read.body), ("one", &json!({ "$n.": 1 })));
    assert!(documents.replace(&drawer, read.version, document("one", 3)).await.expect("replaced"));
    assert!(!documents.replace(&drawer, read.version, document("one", 4)).await.expect("stale"));
    drop(stores);
    let stores = backend.open().await;
    let read = found(&stores, &drawer, "one").await.expect("still there");
    assert_eq!(read.body, json!({ "$n.": 3 }));
    assert!(stores.documents.delete(&drawer, "one").await.expect("deleted"));
    assert!(!stores.documents.delete(&drawer, "one").await.expect("gone already"));
    assert_eq!(found(&stores, &drawer, "one").await, None);
}

pub async fn drawers_do_not_see_each_other(backend: &impl Backend) {
    let stores = backend.open().await;
    let drawers = [
        drawer(),
        Drawer { kind: "test", app: None },
        Drawer { kind: "tes", app: Some(app()) },
        Drawer { kind: "test2", app: Some(app()) },
    ];
    for (number, drawer) in (0..).zip(&drawers) {
        let kept = stores.documents.insert(drawer, document("same", number), NOW).await;
        assert!(kept.expect("kept"));
    }
    for (number, drawer) in (0_u64..).zip(&drawers) {
        let listed = stores.documents.list(drawer, None, 10, NOW).await.expect("listed");
        let bodies: Vec<_> = listed.into_iter().map(|one| one.body).collect();
        assert_eq!(bodies, [json!({ "$n.": number })]);
    }
}

pub async fn documents_are_listed_in_the_order_of_their_keys(backend: &impl Backend) {
    let stores = backend.open().await;
    for key in ["b", "ä", "a", "B", "a.$b", ""] {
        let kept = stores.documents.insert(&drawer(), document(key, 0), NOW).await;
        assert!(kept.expect("kept"), "{key}");
    }
    let list = async |after, limit| {
        let listed = stores.documents.list(&drawer(), after, limit, NOW).await.expect("listed");
        listed.into_iter().map(|one| one.key).collect::<Vec<_>>()
    };
    assert_eq!(list(None, 10).await, ["", "B", "a", "a.$b", "b", "ä"]);
    assert_eq!(list(Some("B"), 2).await, ["a", "a.$b"]);
    assert_eq!(list(None, 0).await, [""; 0]);
}

pub async fn what_has_expired_is_as_if_it_were_not_there(backend: &impl Backend) {
    let stores = backend.open().await;
    let (documents, drawer) = (&stores.documents, drawer());
    // Of today, since a server may remove what has expired by its own clock.
    let now = Timestamp::now();
    let at = |ms: i64| Timestamp(now.0 + ms);
    let until = |number, ms| NewDocument { expires_at: Some(at(ms)), ..document("one", number) };
    assert!(documents.insert(&drawer, until(1, 60_000), now).await.expect("kept"));
    assert!(!documents.insert(&drawer, until(2, 60_000), at(59_999)).await.expect("still there"));
    assert_eq!(documents.get(&drawer, "one", at(60_000)).await.expect("read"), None);
    assert_eq!(documents.list(&drawer, None, 9, at(60_000)).await.expect("listed"), []);
    let read = documents.get(&drawer, "one", now).await.expect("read").expect("there");
    assert_eq!(read.expires_at, Some(at(60_000)));
    assert!(documents.insert(&drawer, until(3, 120_000), at(60_000)).await.expect("kept anew"));
    assert!(!documents.replace(&drawer, read.version, until(4, 1)).await.expect("another by now"));
    let read = documents.get(&drawer, "one", at(60_000)).await.expect("read").expect("there");
    assert_eq!(read.body, json!({ "$n.": 3 }));
    assert!(documents.replace(&drawer, read.version, document("one", 5)).await.expect("replaced"));
    let kept = documents.get(&drawer, "one", at(i64::from(u32::MAX))).await.expect("read");
    assert_eq!(kept.expect("for ever").expires_at, None);
}

pub async fn of_many_inserts_at_once_one_is_kept(backend: &impl Backend) {
    let stores = backend.open().await;
    let inserts: Vec<_> = (0..16)
        .map(|number| {
            let documents = stores.documents.clone();
            let new = document("one", number);
            tokio::spawn(async move { documents.insert(&drawer(), new, NOW).await })
        })
        .collect();
    let mut kept = 0;
    for insert in inserts {
        kept += usize::from(insert.await.expect("no panic").expect("answered"));
    }
    assert_eq!(kept, 1);
}
