//! Notifications: versions, idempotency keys, lists, reports.

use std::time::Duration;

use fanfare::{
    domain::{
        ErrorKind,
        audience::ClauseSpec,
        message::Options,
        notification::{Notification, Status},
        tally::PlatformCounts,
    },
    storage::{IdempotencyKey, NotificationField, NotificationQuery, OrderBy, Stores},
};

use crate::support::stores::{Backend, NOW, app, notification};

async fn create(stores: &Stores, notification: Notification) -> Notification {
    stores.notifications.create(notification, None).await.expect("created")
}

fn key(key: &str, digest: &str) -> IdempotencyKey {
    IdempotencyKey { key: key.into(), digest: digest.into() }
}

pub async fn a_stale_update_changes_nothing(backend: &impl Backend) {
    let stores = backend.open().await;
    let store = &stores.notifications;
    let read = create(&stores, notification(&app(), None)).await;
    let mut mine = read.clone();
    mine.set_status(Status::Paused, NOW);
    let written = store.update(mine, None).await.expect("answered").expect("not stale");
    assert_eq!((written.version, written.status), (read.version + 1, Status::Paused));
    let mut theirs = read.clone();
    theirs.set_status(Status::Sent, NOW);
    assert_eq!(store.update(theirs, None).await.expect("answered"), None);
    let stored = store.get(Some(&app()), read.uuid).await.expect("answered");
    assert_eq!(stored, Some(written));
    let unknown = store.update(notification(&app(), None), None).await.expect("answered");
    assert_eq!(unknown, None);
    // Of many at once one wins.
    let read = store.get(None, read.uuid).await.expect("answered").expect("there");
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (store, read) = (store.clone(), read.clone());
            tokio::spawn(async move { store.update(read, None).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.expect("no panic").expect("answered").is_some());
    }
    assert_eq!(won, 1);
}

pub async fn a_key_makes_one_notification(backend: &impl Backend) {
    let stores = backend.open().await;
    let store = &stores.notifications;
    let made = store.create(notification(&app(), None), Some(key("k", "d"))).await.expect("made");
    let again = store.create(notification(&app(), None), Some(key("k", "d"))).await;
    assert_eq!(again.expect("answered"), made);
    let other = store.create(notification(&app(), None), Some(key("k", "other"))).await;
    assert_eq!(other.expect_err("used").kind(), &ErrorKind::Conflict);
    let answered = store.answered(&app(), &key("k", "d")).await.expect("answered");
    assert_eq!(answered.map(|found| found.uuid), Some(made.uuid));
    let refused = store.answered(&app(), &key("k", "other")).await;
    assert_eq!(refused.expect_err("used").kind(), &ErrorKind::Conflict);
    assert_eq!(store.answered(&app(), &key("new", "d")).await.expect("answered"), None);
    let elsewhere = fanfare::domain::ids::AppName::new("other");
    assert_eq!(store.answered(&elsewhere, &key("k", "d")).await.expect("answered"), None);
    let found = store.list(&app(), &NotificationQuery::default()).await.expect("listed");
    assert_eq!(found.total, 1);
    let twin = store.create(notification(&elsewhere, None), Some(key("k", "d"))).await;
    assert_ne!(twin.expect("keys are an app's own").uuid, made.uuid);
}

pub async fn a_key_of_an_update_is_remembered_with_it(backend: &impl Backend) {
    let stores = backend.open().await;
    let store = &stores.notifications;
    let read = create(&stores, notification(&app(), None)).await;
    let stale = Notification { version: 99, ..read.clone() };
    assert_eq!(store.update(stale, Some(key("l", "d"))).await.expect("answered"), None);
    assert_eq!(store.answered(&app(), &key("l", "d")).await.expect("answered"), None);
    store.update(read.clone(), Some(key("l", "d"))).await.expect("answered").expect("not stale");
    let answered = store.answered(&app(), &key("l", "d")).await.expect("answered");
    assert_eq!(answered.map(|found| found.version), Some(read.version + 1));
}

pub async fn lists_are_filtered_sorted_and_cut(backend: &impl Backend) {
    let stores = backend.open().await;
    for (number, title) in ["b", "a", "c", "a"].into_iter().enumerate() {
        let mut one = notification(&app(), None);
        one.message.title = title.into();
        one.created_at = NOW.plus(Duration::from_secs(10 - number as u64));
        one.status = if number < 2 { Status::Draft } else { Status::Queued };
        create(&stores, one).await;
    }
    create(&stores, notification(&fanfare::domain::ids::AppName::new("other"), None)).await;
    let list = async |statuses: &[Status], order_by: &[(NotificationField, bool)], start, size| {
        let order_by = order_by
            .iter()
            .map(|(field, descending)| OrderBy { field: *field, descending: *descending })
            .collect();
        let statuses = statuses.to_vec();
        let query = NotificationQuery { statuses, order_by, start, size, search: String::new() };
        let found = stores.notifications.list(&app(), &query).await.expect("listed");
        (found.total, found.items.iter().map(|found| found.id).collect::<Vec<_>>())
    };
    use NotificationField::{CreatedAt, Id, Title};
    assert_eq!(list(&[], &[], 0, 9).await, (4, vec![1, 2, 3, 4]));
    assert_eq!(list(&[], &[(Id, true)], 1, 2).await, (4, vec![3, 2]));
    assert_eq!(list(&[], &[(Title, false)], 0, 9).await, (4, vec![2, 4, 1, 3]));
    let keys = [(Title, false), (CreatedAt, false)];
    assert_eq!(list(&[], &keys, 0, 9).await, (4, vec![4, 2, 1, 3]));
    assert_eq!(list(&[Status::Queued], &[], 0, 1).await, (2, vec![3]));
    let active = stores.notifications.active().await.expect("active");
    assert_eq!(active.len(), 3, "of every app, queued and launched");
    let numbered = stores.notifications.get_by_number(2).await.expect("answered");
    assert_eq!(numbered.map(|found| found.message.title).as_deref(), Some("a"));
    assert_eq!(stores.notifications.get_by_number(99).await.expect("answered"), None);
}

pub async fn titles_are_searched_in_whatever_case(backend: &impl Backend) {
    let stores = backend.open().await;
    let titles = [
        "Spring sale",
        "SPRING, the last day",
        "Café 50% off",
        "ÜBER_morgen",
        "Стол (new)",
        "plain",
    ];
    for title in titles {
        let mut one = notification(&app(), None);
        one.message.title = title.into();
        one.status = if title.contains("last") { Status::Sent } else { Status::Draft };
        create(&stores, one).await;
    }
    let mut elsewhere = notification(&fanfare::domain::ids::AppName::new("other"), None);
    elsewhere.message.title = "Spring elsewhere".into();
    create(&stores, elsewhere).await;
    let search = async |search: &str, statuses: &[Status], start, size| {
        let order_by = vec![OrderBy { field: NotificationField::Id, descending: true }];
        let statuses = statuses.to_vec();
        let query = NotificationQuery { statuses, search: search.into(), order_by, start, size };
        let found = stores.notifications.list(&app(), &query).await.expect("listed");
        (found.total, found.items.iter().map(|found| found.id).collect::<Vec<_>>())
    };
    assert_eq!(search("spring", &[], 0, 9).await, (2, vec![2, 1]));
    assert_eq!(search("spring", &[], 1, 9).await, (2, vec![1]));
    assert_eq!(search("spring", &[], 0, 1).await, (2, vec![2]));
    assert_eq!(search("SPRING", &[Status::Sent], 0, 9).await, (1, vec![2]));
    // Letters beyond ASCII, and what means something in patterns, are letters like any other.
    for (text, number) in [("CAFÉ", 3), ("0% o", 3), ("über", 4), ("r_m", 4), ("стОЛ (N", 5)]
    {
        assert_eq!(search(text, &[], 0, 9).await, (1, vec![number]), "{text}");
    }
    for text in ["nowhere", ".*", "a%e", "plain\0", "^s", "r.m"] {
        assert_eq!(search(text, &[], 0, 9).await, (0, vec![]), "{text}");
    }
}

pub async fn reports_add_up_whatever_else_changes(backend: &impl Backend) {
    let stores = backend.open().await;
    let store = &stores.notifications;
    let read = create(&stores, notification(&app(), None)).await;
    let counts = PlatformCounts { ios: 2, android: 1, ..PlatformCounts::default() };
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (store, uuid) = (store.clone(), read.uuid);
            tokio::spawn(async move { store.report(uuid, counts).await })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("answered").expect("known");
    }
    // An update by one who read before the reports neither fails nor undoes them.
    let written = store.update(read.clone(), None).await.expect("answered").expect("not stale");
    let expected = PlatformCounts { ios: 16, android: 8, ..PlatformCounts::default() };
    assert_eq!(written.reported, expected);
    let stored = store.get(Some(&app()), read.uuid).await.expect("answered").expect("there");
    assert_eq!(stored.reported, expected);
    let unknown = notification(&app(), None).uuid;
    assert_eq!(store.report(unknown, counts).await.expect("answered"), None);
}

pub async fn everything_of_it_comes_back(backend: &impl Backend) {
    let stores = backend.open().await;
    let leaf = ClauseSpec::leaf("a.b\u{1f600}", "float_eq", 0.1 + 0.2);
    let mut full = notification(&app(), Some(ClauseSpec::branch("NOT", vec![leaf])));
    full.message.image_url = Some("https://example.com/a.png".into());
    full.message.options = Options {
        time_to_live: Some(60),
        badge: Some(3),
        rate_limit: Some(500),
        data: [("k".to_owned(), "\"v\"\n".to_owned())].into(),
        ..Options::default()
    };
    full.scheduled_at = Some(NOW);
    full.error = Some("why".into());
    let made = create(&stores, full.clone()).await;
    assert_eq!(made, Notification { id: made.id, ..full });
    drop(stores);
    let stores = backend.open().await;
    let elsewhere = fanfare::domain::ids::AppName::new("other");
    let found = stores.notifications.get(Some(&elsewhere), made.uuid).await.expect("answered");
    assert_eq!(found, None);
    let found = stores.notifications.get(None, made.uuid).await.expect("answered");
    assert_eq!(found, Some(made.clone()));
    let next = create(&stores, notification(&app(), None)).await;
    assert!(next.id > made.id);
}
