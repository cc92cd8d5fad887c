//! Keys and values to choose from.

use fanfare::{
    domain::{
        audience::{Field, Key},
        device::{DeviceEdit, PropertyValue, Registration, Scalar},
        ids::AppName,
    },
    storage::SuggestionStore,
};

use crate::support::stores::{Backend, NOW, app, int, ios, text, with_property, with_tags};

fn float(value: f64) -> PropertyValue {
    PropertyValue::One(Scalar::Float(value))
}

fn boolean(value: bool) -> PropertyValue {
    PropertyValue::One(Scalar::Bool(value))
}

/// Keys with the words for their types, and how many have them where the store tells.
async fn keys(
    store: &dyn SuggestionStore,
    prefix: &str,
    limit: usize,
) -> Vec<(String, Vec<&'static str>, Option<u64>)> {
    let found = store.keys(&app(), prefix, limit).await.expect("listed").into_iter();
    let row = |key: fanfare::storage::KnownKey| {
        (key.key, key.types.into_iter().map(|kind| kind.name()).collect(), key.devices)
    };
    found.map(row).collect()
}

async fn values(store: &dyn SuggestionStore, key: &str, prefix: &str, limit: usize) -> Vec<Scalar> {
    let key = Key::Property(key.to_owned());
    let found = store.values(&app(), &key, prefix, limit).await.expect("listed");
    found.into_iter().map(|known| known.value).collect()
}

/// Counts are exact where there are any.
fn counted(found: Option<u64>, wanted: u64) {
    assert!(found.is_none_or(|found| found == wanted), "{found:?}, not {wanted}");
}

fn ints(values: &[i64]) -> Vec<Scalar> {
    values.iter().copied().map(Scalar::Int).collect()
}

fn texts(values: &[&str]) -> Vec<Scalar> {
    values.iter().map(|text| Scalar::Text((*text).to_owned())).collect()
}

pub async fn keys_are_listed_by_how_they_begin(backend: &impl Backend) {
    let stores = backend.open().await;
    let many = (0..30).map(|number| {
        let device = with_tags(ios(&format!("d{number}")), &["vip"]);
        let device = with_property(device, "city", text("Seoul"));
        with_property(device, "age", if number % 2 == 0 { int(number) } else { float(0.5) })
    });
    let mut all: Vec<Registration> = many.collect();
    all[7].edit.properties.push(("city.code".to_owned(), Some(text("11"))));
    all[8].edit.properties.push(("City".to_owned(), Some(boolean(true))));
    all[9].edit.properties.push((" *.$[]".to_owned(), Some(int(1))));
    all[9].edit.properties.push(("none".to_owned(), Some(PropertyValue::List(Vec::new()))));
    let both = PropertyValue::List(vec![Scalar::Text("a".into()), Scalar::Bool(false)]);
    all[10].edit.properties.push(("été".to_owned(), Some(both)));
    stores.devices.register(&app(), all, NOW).await.expect("registered");
    let store = &*stores.suggestions;
    let names = async |prefix: &str, limit| -> Vec<String> {
        keys(store, prefix, limit).await.into_iter().map(|(key, ..)| key).collect()
    };
    let every = [" *.$[]", "City", "age", "city", "city.code", "none", "été"];
    assert_eq!(names("", 100).await, every);
    assert_eq!(names("", 3).await, every[..3]);
    assert_eq!(names("c", 100).await, ["city", "city.code"]);
    assert_eq!(names("city.", 100).await, ["city.code"]);
    assert_eq!(names("é", 100).await, ["été"]);
    for nobody in ["@", "@tag", "x", "$", "cityy"] {
        assert!(names(nobody, 100).await.is_empty(), "{nobody}");
    }
    let rows = keys(store, "", 100).await;
    let types: Vec<_> = rows.iter().map(|(_, types, _)| types.clone()).collect();
    let wanted: [&[&str]; 7] = [
        &["integer"],
        &["boolean"],
        &["integer", "float"],
        &["string"],
        &["string"],
        &[],
        &["string", "boolean"],
    ];
    assert_eq!(types, wanted);
    counted(rows[2].2, 30);
    counted(rows[5].2, 1);
    let other = AppName::new("other");
    assert!(store.keys(&other, "", 100).await.expect("listed").is_empty());
    stores.devices.remove(&app(), "d9").await.expect("removed");
    assert_eq!(names(" ", 100).await, [""; 0]);
}

pub async fn values_are_listed_by_how_they_are_written(backend: &impl Backend) {
    let stores = backend.open().await;
    let wide = [3, 39, 30, 300, 31, 4, -3, -30, 7, 999].map(int).into_iter();
    let wide = wide.chain([float(3.5), float(0.25), float(-3.25), float(32.0), float(-0.0)]);
    let texts_too = ["3", "three", "Three", "thr%e", "", "\u{1f600}"].map(text);
    let list = PropertyValue::List(vec![Scalar::Text("three".into()), Scalar::Int(4)]);
    let wide = wide.chain(texts_too).chain([boolean(true), boolean(false), list]);
    let all = wide.enumerate().map(|(number, value)| {
        let device = with_property(ios(&format!("d{number}")), "plan", text("gold"));
        with_property(device, "mixed", value)
    });
    stores.devices.register(&app(), all.collect(), NOW).await.expect("registered");
    let store = &*stores.suggestions;
    assert_eq!(values(store, "plan", "", 20).await, texts(&["gold"]));
    assert_eq!(values(store, "plan", "g", 20).await, texts(&["gold"]));
    assert!(values(store, "plan", "G", 20).await.is_empty());
    assert!(values(store, "nothing", "", 20).await.is_empty());
    let (three, one) = (Scalar::Float(3.5), Scalar::Float(32.0));
    let mut begun = vec![Scalar::Int(3), three.clone(), Scalar::Int(30), Scalar::Int(31), one];
    begun.extend(ints(&[39, 300]));
    begun.extend(texts(&["3"]));
    assert_eq!(values(store, "mixed", "3", 20).await, begun);
    assert_eq!(values(store, "mixed", "3", 4).await, begun[..4]);
    assert_eq!(values(store, "mixed", "3.", 20).await, [three]);
    let below = [Scalar::Int(-3), Scalar::Float(-3.25), Scalar::Int(-30)];
    let mut found = values(store, "mixed", "-3", 20).await;
    found.sort_by_key(|value| below.iter().position(|one| one == value));
    assert_eq!(found, below);
    let zero = [Scalar::Float(0.0), Scalar::Float(0.25)];
    assert_eq!(values(store, "mixed", "0", 20).await, zero);
    assert_eq!(values(store, "mixed", "th", 20).await, texts(&["thr%e", "three"]));
    assert_eq!(values(store, "mixed", "thr%", 20).await, texts(&["thr%e"]));
    assert_eq!(values(store, "mixed", "t", 1).await, [Scalar::Bool(true)]);
    let every = values(store, "mixed", "", 100).await;
    assert_eq!(every[..2], [Scalar::Bool(false), Scalar::Bool(true)]);
    assert_eq!(every[2], Scalar::Int(-30));
    assert_eq!(every.last(), Some(&Scalar::Text("\u{1f600}".into())));
    assert_eq!(every.len(), 2 + 15 + 6);
}

pub async fn values_of_a_devices_own_fields_are_listed(backend: &impl Backend) {
    let stores = backend.open().await;
    let all = (0..40).map(|number| {
        let mut device = with_tags(ios(&format!("d{number}")), &["vip", "beta"]);
        device.edit.locale = Some(Some(if number < 10 { "ko" } else { "en" }.to_owned()));
        device.edit.alias = Some(Some(format!("user-{number:02}")));
        device
    });
    let mut all: Vec<Registration> = all.collect();
    all[3].edit = DeviceEdit { timezone: Some(Some("Asia/Seoul".into())), ..DeviceEdit::default() };
    stores.devices.register(&app(), all, NOW).await.expect("registered");
    let store = &*stores.suggestions;
    let of = async |field, prefix: &str, limit| {
        store.values(&app(), &Key::Field(field), prefix, limit).await.expect("listed")
    };
    let tags = of(Field::Tag, "", 20).await;
    assert_eq!(tags.len(), 2);
    assert_eq!(tags[1].value, Scalar::Text("vip".into()));
    counted(tags[1].devices, 39);
    assert_eq!(of(Field::Tag, "v", 20).await, tags[1..]);
    let locales = of(Field::Locale, "", 20).await;
    assert_eq!(locales.len(), 2);
    counted(locales[1].devices, 9);
    assert_eq!(of(Field::Timezone, "Asia", 20).await[0].value, Scalar::Text("Asia/Seoul".into()));
    let aliases = of(Field::Alias, "user-1", 5).await;
    let wanted = ["user-10", "user-11", "user-12", "user-13", "user-14"];
    assert_eq!(aliases.into_iter().map(|one| one.value).collect::<Vec<_>>(), texts(&wanted));
    assert!(of(Field::Id, "", 20).await.is_empty());
}
