//! Tags and aliases under quotas.

use std::sync::Arc;

use fanfare::{
    domain::{
        device::{DeviceEdit, DevicePlatform},
        labels::{LabelEdit, LabelUsage, Quotas, Refusal},
    },
    storage::{LabelStore, Stores},
};

use crate::support::stores::{Backend, NOW, android, app, ios, with_tags};

/// Quotas that nothing here reaches.
const WIDE: Quotas =
    Quotas { tags_per_device: 99, tags_per_app: 99, devices_per_tag: 99, aliases_per_app: 99 };
const ALL: &[DevicePlatform] = &DevicePlatform::ALL;

fn edit(device: &str, add: &[&str], remove: &[&str]) -> LabelEdit {
    let set = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect();
    let external_id = device.to_owned();
    LabelEdit { external_id, add: set(add), remove: set(remove), ..Default::default() }
}

fn named(device: &str, alias: Option<&str>) -> LabelEdit {
    let alias = Some(alias.map(str::to_owned));
    LabelEdit { external_id: device.to_owned(), alias, ..Default::default() }
}

async fn register(stores: &Stores, count: usize) {
    let devices = (0..count).map(|number| ios(&format!("d{number}"))).collect();
    stores.devices.register(&app(), devices, NOW).await.expect("registered");
}

async fn change(stores: &Stores, edits: Vec<LabelEdit>, quotas: Quotas) -> Result<(), Refusal> {
    stores.labels.change(&app(), edits, quotas).await.expect("the store answers")
}

async fn tags_of(stores: &Stores, device: &str) -> Vec<String> {
    let device = stores.devices.get(&app(), device).await.expect("read").expect("it is there");
    device.tags.into_iter().collect()
}

async fn counts(stores: &Stores, tags: &[&str], platforms: &[DevicePlatform]) -> Vec<u64> {
    let tags: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
    stores.labels.counts(&app(), &tags, platforms).await.expect("counted")
}

pub async fn labels_change_together_or_not_at_all(backend: &impl Backend) {
    let stores = backend.open().await;
    register(&stores, 3).await;
    let both = vec![edit("d0", &["a", "b"], &[]), edit("d1", &["b"], &["never"])];
    assert_eq!(change(&stores, both, WIDE).await, Ok(()));
    let unknown = vec![edit("d2", &["a"], &[]), edit("x", &["a"], &[]), edit("y", &["a"], &[])];
    let refused = Err(Refusal::UnknownDevices(vec!["x".into(), "y".into()]));
    assert_eq!(change(&stores, unknown, WIDE).await, refused);
    assert_eq!(tags_of(&stores, "d2").await, Vec::<String>::new());
    let swap = LabelEdit { clear_tags: true, ..edit("d0", &["c"], &[]) };
    assert_eq!(change(&stores, vec![swap], WIDE).await, Ok(()));
    assert_eq!(tags_of(&stores, "d0").await, ["c"]);
    assert_eq!(change(&stores, vec![named("d0", Some("anna"))], WIDE).await, Ok(()));
    assert_eq!(change(&stores, vec![named("d0", Some("anna"))], WIDE).await, Ok(()));
    assert_eq!(
        change(&stores, vec![named("d1", Some("anna"))], WIDE).await,
        Err(Refusal::AliasTaken)
    );
    assert_eq!(change(&stores, vec![named("d0", None)], WIDE).await, Ok(()));
    assert_eq!(change(&stores, vec![named("d1", Some("anna"))], WIDE).await, Ok(()));
    let device = stores.devices.get(&app(), "d1").await.expect("read").expect("there");
    assert_eq!((device.alias.as_deref(), device.last_seen), (Some("anna"), NOW));
    drop(stores);
    let stores = backend.open().await;
    assert_eq!(stores.labels.tags(&app()).await.expect("listed"), ["b", "c"]);
    let usage = LabelUsage { tags: 2, aliases: 1 };
    assert_eq!(stores.labels.usage(&app()).await.expect("counted"), usage);
}

pub async fn labels_are_counted_whoever_set_them(backend: &impl Backend) {
    let stores = backend.open().await;
    let devices = vec![
        with_tags(ios("i"), &["a", "b"]),
        with_tags(android("j"), &["a", "é.-"]),
        with_tags(android("k"), &["a"]),
    ];
    stores.devices.register(&app(), devices, NOW).await.expect("registered");
    assert_eq!(counts(&stores, &["a", "b", "é.-", "no"], ALL).await, [3, 1, 1, 0]);
    assert_eq!(counts(&stores, &["a", "b"], &[DevicePlatform::Android]).await, [2, 0]);
    let two = [DevicePlatform::Android, DevicePlatform::Ios];
    assert_eq!(counts(&stores, &["a"], &two).await, [3]);
    let other = DeviceEdit {
        tags: Some(["b".to_owned()].into()),
        alias: Some(Some("q".into())),
        ..DeviceEdit::default()
    };
    stores.devices.edit(&app(), "j", other, NOW).await.expect("edited");
    stores.devices.remove(&app(), "k").await.expect("removed");
    assert_eq!(counts(&stores, &["a", "b", "é.-"], ALL).await, [1, 2, 0]);
    assert_eq!(stores.labels.tags(&app()).await.expect("listed"), ["a", "b"]);
    let usage = stores.labels.usage(&app()).await.expect("counted");
    assert_eq!(usage, LabelUsage { tags: 2, aliases: 1 });
    let stranger = fanfare::domain::ids::AppName::new("other");
    assert!(stores.labels.tags(&stranger).await.expect("listed").is_empty());
    let token = "token-i".to_owned();
    let holders = stores.devices.holders(&app(), &[token, "none".into()]).await.expect("read");
    assert_eq!(holders.len(), 1);
    assert_eq!(holders[0].external_id, "i");
}

/// More tags than a store reads at once, with one device for most and many for some.
pub async fn every_tag_is_listed_however_they_lie(backend: &impl Backend) {
    let stores = backend.open().await;
    let tags = |number: usize| {
        let own = (0..4).map(move |tag| format!("t{:03}", (number * 7 + tag * 31) % 600));
        own.chain([format!("m{}", number % 3)]).collect::<Vec<_>>()
    };
    let device = |number: usize| {
        let tags = tags(number);
        with_tags(ios(&format!("d{number}")), &tags.iter().map(String::as_str).collect::<Vec<_>>())
    };
    stores.devices.register(&app(), (0..300).map(device).collect(), NOW).await.expect("registered");
    let expected: std::collections::BTreeSet<String> = (0..300).flat_map(tags).collect();
    let listed = stores.labels.tags(&app()).await.expect("listed");
    assert_eq!(listed, expected.into_iter().collect::<Vec<_>>());
}

pub async fn a_tag_and_an_alias_are_taken_away_by_platform(backend: &impl Backend) {
    let stores = backend.open().await;
    let tagged = |device| with_tags(device, &["a", "b"]);
    let mut devices = vec![tagged(ios("i")), tagged(android("j")), tagged(android("k"))];
    devices[0].edit.alias = Some(Some("q".into()));
    stores.devices.register(&app(), devices, NOW).await.expect("registered");
    let labels = &stores.labels;
    labels.drop_tag(&app(), "a", &[DevicePlatform::Android]).await.expect("dropped");
    assert_eq!(counts(&stores, &["a", "b"], ALL).await, [1, 3]);
    assert_eq!(tags_of(&stores, "j").await, ["b"]);
    labels.drop_tag(&app(), "a", ALL).await.expect("dropped");
    labels.drop_tag(&app(), "a", ALL).await.expect("there is none");
    assert_eq!(labels.tags(&app()).await.expect("listed"), ["b"]);
    labels.drop_alias(&app(), "q", &[DevicePlatform::Web]).await.expect("nobody has it there");
    assert_eq!(labels.usage(&app()).await.expect("counted").aliases, 1);
    labels.drop_alias(&app(), "q", ALL).await.expect("dropped");
    assert_eq!(labels.usage(&app()).await.expect("counted").aliases, 0);
    // What was taken away can be changed again.
    assert_eq!(change(&stores, vec![edit("i", &["a"], &["b"])], WIDE).await, Ok(()));
    assert_eq!(counts(&stores, &["a", "b"], ALL).await, [1, 2]);
}

pub async fn quotas_hold_and_what_ends_makes_room(backend: &impl Backend) {
    let stores = backend.open().await;
    register(&stores, 4).await;
    let quotas =
        Quotas { tags_per_device: 2, tags_per_app: 3, devices_per_tag: 2, aliases_per_app: 1 };
    let change = async |edits| change(&stores, edits, quotas).await;
    assert_eq!(change(vec![edit("d0", &["a", "b"], &[])]).await, Ok(()));
    assert_eq!(change(vec![edit("d0", &["c"], &[])]).await, Err(Refusal::TagsOfDevice));
    assert_eq!(change(vec![edit("d1", &["a", "c"], &[])]).await, Ok(()));
    assert_eq!(change(vec![edit("d2", &["a"], &[])]).await, Err(Refusal::DevicesOfTag));
    assert_eq!(change(vec![edit("d2", &["d"], &[])]).await, Err(Refusal::TagsOfApp));
    // d1 alone has `c`: its place is free for `d` with the same call.
    let swap = vec![edit("d1", &[], &["c"]), edit("d2", &["d"], &[])];
    assert_eq!(change(swap).await, Ok(()));
    assert_eq!(change(vec![named("d0", Some("x"))]).await, Ok(()));
    assert_eq!(change(vec![named("d1", Some("y"))]).await, Err(Refusal::AliasesOfApp));
    assert_eq!(change(vec![named("d0", Some("y"))]).await, Ok(()));
    stores.devices.remove(&app(), "d0").await.expect("removed");
    assert_eq!(change(vec![named("d1", Some("y")), edit("d3", &["a"], &[])]).await, Ok(()));
    assert_eq!(stores.labels.tags(&app()).await.expect("listed"), ["a", "d"]);
}

/// Many callers at once, on two nodes where the store has nodes: as many get through as there are
/// places, for each of the four quotas.
pub async fn callers_at_once_cannot_take_the_same_place(backend: &impl Backend) {
    const CALLERS: usize = 24;
    let stores = backend.open().await;
    register(&stores, CALLERS).await;
    let quotas =
        Quotas { tags_per_device: 5, tags_per_app: 7, devices_per_tag: 6, aliases_per_app: 3 };
    let nodes: Vec<Arc<dyn LabelStore>> = match backend.another_node().await {
        Some(other) => vec![stores.labels.clone(), other.labels],
        None => vec![stores.labels.clone()],
    };
    let at_once = async |make: fn(usize) -> LabelEdit| {
        let calls = (0..CALLERS).map(|caller| {
            let labels = Arc::clone(&nodes[caller % nodes.len()]);
            tokio::spawn(async move { labels.change(&app(), vec![make(caller)], quotas).await })
        });
        let calls: Vec<_> = calls.collect();
        let mut done = 0;
        for call in calls {
            done += usize::from(call.await.expect("no panic").expect("it answers").is_ok());
        }
        done
    };
    assert_eq!(at_once(|caller| edit(&format!("d{caller}"), &["one"], &[])).await, 6);
    assert_eq!(counts(&stores, &["one"], ALL).await, [6]);
    // The first device may be one of the six.
    let room = 5 - tags_of(&stores, "d0").await.len();
    assert_eq!(at_once(|caller| edit("d0", &[&format!("t{caller}")], &[])).await, room);
    assert_eq!(tags_of(&stores, "d0").await.len(), 5);
    let room = 7 - stores.labels.tags(&app()).await.expect("listed").len();
    let own = |caller| edit(&format!("d{caller}"), &[&format!("own{caller}")], &[]);
    assert_eq!(at_once(own).await, room);
    assert_eq!(stores.labels.usage(&app()).await.expect("counted").tags, 7);
    let alias = |caller| named(&format!("d{caller}"), Some(&format!("a{caller}")));
    assert_eq!(at_once(alias).await, 3);
    stores.labels.drop_alias(&app(), "a0", ALL).await.expect("dropped");
    let same = |caller| named(&format!("d{caller}"), Some("same"));
    let holders = at_once(same).await;
    assert_eq!(holders, 1, "one alias, one device");
    assert!(stores.labels.usage(&app()).await.expect("counted").aliases <= 3);
}
