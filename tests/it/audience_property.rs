//! Every store agrees with the evaluator in `domain::audience`: random devices, edited and removed at
//! random, and random clauses over them, hostile keys and values included. What a search and a count
//! answer must be what the evaluator says of each device, also after reopening.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use fanfare::{
    domain::{
        audience::{
            Clause, Comparison, Explanation, Field, JoinType, Key, Leaf, MAX_SHOWN_CHARS, Number,
            Part, Test,
        },
        device::{
            Device, DeviceEdit, DevicePlatform, PropertyValue, Registration, Scalar, SendPlatform,
            Unreachable,
        },
        timestamp::Timestamp,
    },
    storage::{AudienceCount, DeviceQuery, DeviceStore},
};
use proptest::{collection::vec, option, prelude::*, sample::select};

use crate::support::stores::{Backend, EmbeddedBackend, MongoBackend, NOW, app};

const DAY_MS: i64 = 86_400_000;

/// What happens to one of a few devices.
#[derive(Clone, Debug)]
enum Step {
    Register(u8, Registration, Timestamp),
    Edit(u8, DeviceEdit, Timestamp),
    Remove(u8),
}

fn property_key() -> impl Strategy<Value = String> {
    let long = "k".repeat(128);
    let keys = [
        "a",
        "b",
        "c",
        "a.b",
        "$where",
        "$gt",
        "p.$[]",
        "__proto__",
        "constructor",
        "",
        " ",
        "키",
        "\"",
        "\\u0000",
    ];
    select(keys.map(str::to_owned).into_iter().chain([long]).collect::<Vec<_>>())
}

fn any_text() -> impl Strategy<Value = String> {
    let pool = [
        "",
        "a",
        "ab",
        "abc",
        "b",
        "A",
        "é",
        "e\u{301}",
        "\u{1f600}",
        "\u{10ffff}",
        "\"\\\n",
        "30",
        "ios",
        "2023-11-14T22:13:20Z",
        "2023-11-15T07:13:20+09:00",
        "2023-11-14T22:13:20.001",
        "2023-11-13",
        "2024-02-30",
        "2022-01-01T00:00:00Z",
        "not-a-time",
        "1969-12-31T23:59:59Z",
    ];
    let pool = pool.map(str::to_owned).into_iter().chain(["x".repeat(1024)]).collect::<Vec<_>>();
    prop_oneof![8 => select(pool), 1 => any::<String>().prop_map(|text| text.replace('\0', ""))]
}

fn any_int() -> impl Strategy<Value = i64> {
    prop_oneof![-2_i64..4, select(vec![i64::MIN, i64::MIN + 1, i64::MAX - 1, i64::MAX])]
}

fn any_float() -> impl Strategy<Value = f64> {
    let edges = [
        0.0,
        -0.0,
        1.0,
        -1.5,
        2.0,
        0.1 + 0.2,
        0.3,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        -5e-324,
        9_007_199_254_740_993.0,
        9.2e18,
    ];
    prop_oneof![4 => select(edges.to_vec()), 1 => any::<f64>().prop_filter("finite", |f| f.is_finite())]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        any::<bool>().prop_map(Scalar::Bool),
        any_int().prop_map(Scalar::Int),
        any_float().prop_map(Scalar::Float),
        any_text().prop_map(Scalar::Text),
    ]
}

fn value() -> impl Strategy<Value = PropertyValue> {
    prop_oneof![
        3 => scalar().prop_map(PropertyValue::One),
        1 => vec(scalar(), 0..5).prop_map(PropertyValue::List),
    ]
}

fn field_change() -> impl Strategy<Value = Option<Option<String>>> {
    option::of(option::of(select(vec!["a", "ab", "Asia/Seoul", "ko"]).prop_map(str::to_owned)))
}

fn edit() -> impl Strategy<Value = DeviceEdit> {
    let tag = select(vec!["a", "ab", "b", "\u{1f600}"]).prop_map(str::to_owned);
    let tags =
        option::of(vec(tag, 0..3).prop_map(|tags| tags.into_iter().collect::<BTreeSet<_>>()));
    let properties = vec((property_key(), option::weighted(0.8, value())), 0..5);
    (properties, tags, field_change(), field_change(), field_change()).prop_map(
        |(properties, tags, alias, timezone, locale)| DeviceEdit {
            properties,
            tags,
            alias,
            timezone,
            locale,
        },
    )
}

fn moment() -> impl Strategy<Value = Timestamp> {
    let near = (-3_i64..3).prop_map(|days| Timestamp(NOW.0 + days * DAY_MS));
    let far = select(vec![0, -1, 253_402_300_799_999, 253_402_300_800_000]).prop_map(Timestamp);
    prop_oneof![6 => near, 1 => far]
}

fn registration() -> impl Strategy<Value = Registration> {
    let send = option::of(select(SendPlatform::ALL.to_vec()));
    let platform = option::of(select(DevicePlatform::ALL.to_vec()));
    // Few tokens, so that they move between devices.
    (0..12_u8, send, platform, edit()).prop_map(|(token, send_platform, device_platform, edit)| {
        Registration {
            external_id: String::new(),
            push_token: format!("token-{token}"),
            send_platform,
            device_platform,
            edit,
        }
    })
}

fn step() -> impl Strategy<Value = Step> {
    let device = 0..10_u8;
    prop_oneof![
        5 => (device.clone(), registration(), moment())
            .prop_map(|(device, registration, at)| Step::Register(device, registration, at)),
        2 => (device.clone(), edit(), moment())
            .prop_map(|(device, edit, at)| Step::Edit(device, edit, at)),
        1 => device.prop_map(Step::Remove),
    ]
}

fn comparison() -> impl Strategy<Value = Comparison> {
    use Comparison::{Eq, Gt, Gte, Lt, Lte};
    select(vec![Eq, Gt, Gte, Lt, Lte])
}

fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        (comparison(), any_int()).prop_map(|(how, value)| Test::Compare(how, Number::Int(value))),
        (comparison(), any_float())
            .prop_map(|(how, value)| Test::Compare(how, Number::Float(value))),
        vec(any_int(), 1..4).prop_map(Test::IntIn),
        vec(any_float(), 1..4).prop_map(Test::FloatIn),
        any_text().prop_map(Test::TextEq),
        vec(any_text(), 1..4).prop_map(Test::TextIn),
        any_text().prop_map(Test::TextPrefix),
        any_text().prop_map(Test::TextContains),
        any::<bool>().prop_map(Test::Bool),
        Just(Test::Exists),
        moment().prop_map(Test::TimeBefore),
        moment().prop_map(Test::TimeAfter),
        select(vec![Timestamp(i64::MIN), Timestamp(i64::MAX)]).prop_map(Test::TimeBefore),
        select(vec![Timestamp(i64::MIN), Timestamp(i64::MAX)]).prop_map(Test::TimeAfter),
        (0_u64..4).prop_map(|days| Test::TimeWithin(Duration::from_secs(days * 86_400))),
    ]
}

fn clause() -> impl Strategy<Value = Clause> {
    let key = prop_oneof![
        2 => property_key().prop_map(Key::Property),
        1 => select(Field::ALL.to_vec()).prop_map(Key::Field),
    ];
    let leaf = (key, test(), any::<bool>())
        .prop_map(|(key, test, negated)| Clause::Leaf(Leaf { key, test, negated }));
    leaf.prop_recursive(4, 24, 4, |child| {
        let join = select(vec![JoinType::And, JoinType::Or, JoinType::Not]);
        (join, vec(child, 0..4)).prop_map(|(join, children)| Clause::Branch(join, children))
    })
}

/// What the store should hold, by external id.
type Model = BTreeMap<String, Device>;

async fn take(store: &dyn DeviceStore, model: &mut Model, step: Step) {
    let name = |device: u8| format!("d{device}");
    match step {
        Step::Register(device, registration, at) => {
            let registration = Registration { external_id: name(device), ..registration };
            let token = registration.push_token.clone();
            let answers = store.register(&app(), vec![registration], at).await.expect("answered");
            let device = answers.into_iter().next().expect("one answer").expect("not refused");
            for other in model.values_mut().filter(|other| other.id != device.id) {
                other.push_token.take_if(|held| *held == token);
            }
            model.insert(device.external_id.clone(), device);
        }
        Step::Edit(device, edit, at) => {
            let edited = store.edit(&app(), &name(device), edit, at).await.expect("answered");
            assert_eq!(edited.is_some(), model.contains_key(&name(device)));
            if let Some(edited) = edited {
                model.insert(name(device), edited);
            }
        }
        Step::Remove(device) => {
            let removed = store.remove(&app(), &name(device)).await.expect("answered");
            assert_eq!(removed, model.remove(&name(device)).is_some());
        }
    }
}

fn counted<'a>(devices: impl Iterator<Item = &'a Device>) -> AudienceCount {
    let mut count = AudienceCount::default();
    for device in devices {
        let provider = device.send_platform;
        *count.platforms.slot(provider.counted_as(device.device_platform)) += 1;
        let unreachable = match (&device.push_token, &device.pruned, provider) {
            (None, ..) => Some(Unreachable::NoToken),
            (_, Some(_), _) => Some(Unreachable::Pruned),
            (.., SendPlatform::Unknown) => Some(Unreachable::NoProvider),
            (.., SendPlatform::Fcm | SendPlatform::Email) => Some(Unreachable::NoCredentials),
            (.., SendPlatform::Apns) => None,
        };
        match unreachable {
            Some(why) => *count.unreachable.entry(why).or_default() += 1,
            None => *count.providers.entry(provider).or_default() += 1,
        }
    }
    count
}

/// Whether a clause holds as far as its explanation alone tells: each comparison by the value it shows.
fn told(clause: &Clause, explanation: &Explanation, device: &Device, path: &str) -> bool {
    assert_eq!(explanation.path, path);
    let matches = match (clause, &explanation.part) {
        // What is cut short does not tell: the evaluator says it of the whole.
        (Clause::Leaf(_), Part::Leaf(Some(actual)))
            if actual.value.scalars().iter().any(is_cut) =>
        {
            clause.matches(device, NOW)
        }
        (Clause::Leaf(leaf), Part::Leaf(actual)) => {
            let holds = actual.as_ref().is_some_and(|actual| {
                let any = actual.value.scalars().iter().any(|scalar| leaf.test.holds(scalar, NOW));
                leaf.test == Test::Exists || any
            });
            holds != leaf.negated
        }
        (Clause::Branch(join, children), Part::Branch(said, explained)) => {
            assert_eq!((join, children.len()), (said, explained.len()));
            let pairs = children.iter().zip(explained).enumerate();
            let children: Vec<bool> = pairs
                .map(|(index, (child, node))| {
                    told(child, node, device, &format!("{path}.conditions[{index}]"))
                })
                .collect();
            match join {
                JoinType::And => !children.contains(&false),
                JoinType::Or => children.contains(&true),
                JoinType::Not => !children.contains(&true),
            }
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(explanation.matches, matches, "{clause:?} {explanation:?}");
    matches
}

fn is_cut(scalar: &Scalar) -> bool {
    matches!(scalar, Scalar::Text(text) if text.chars().count() > MAX_SHOWN_CHARS)
}

async fn compare(store: &dyn DeviceStore, model: &Model, clauses: &[Clause]) {
    let everyone = DeviceQuery { size: 100, now: NOW, ..DeviceQuery::default() };
    let mut expected: Vec<&Device> = model.values().collect();
    expected.sort_by_key(|device| device.id);
    let found = store.search(&app(), &everyone).await.expect("found");
    assert_eq!(found.items.iter().collect::<Vec<_>>(), expected);
    for clause in clauses {
        let matching: Vec<_> =
            expected.iter().copied().filter(|device| clause.matches(device, NOW)).collect();
        for device in &expected {
            let explanation = clause.explain("conditions", device, NOW);
            assert_eq!(
                told(clause, &explanation, device, "conditions"),
                clause.matches(device, NOW)
            );
        }
        let query = DeviceQuery { clause: Some(clause.clone()), ..everyone.clone() };
        let found = store.search(&app(), &query).await.expect("found");
        let ids = |devices: &[&Device]| devices.iter().map(|device| device.id).collect::<Vec<_>>();
        assert_eq!(ids(&found.items.iter().collect::<Vec<_>>()), ids(&matching), "{clause:?}");
        assert_eq!(found.total, matching.len() as u64);
        let count = store.count(&app(), Some(clause), &[SendPlatform::Apns], NOW).await;
        assert_eq!(count.expect("counted"), counted(matching.into_iter()), "{clause:?}");
    }
}

async fn agrees<B: Backend>(steps: Vec<Step>, clauses: Vec<Clause>) {
    let backend = B::fresh().await;
    let store = backend.open().await.devices;
    let mut model = Model::new();
    for step in steps {
        take(&*store, &mut model, step).await;
    }
    compare(&*store, &model, &clauses).await;
    drop(store);
    compare(&*backend.open().await.devices, &model, &clauses).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn embedded_agrees_with_the_evaluator(
        steps in vec(step(), 1..40),
        clauses in vec(clause(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(agrees::<EmbeddedBackend>(steps, clauses));
    }
}

/// Whether a search by MongoDB can say it; what it cannot, the parser refuses before.
fn can_be_asked(clause: &Clause) -> bool {
    match clause {
        Clause::Branch(_, children) => children.iter().all(can_be_asked),
        Clause::Leaf(leaf) => {
            let moment = matches!(leaf.key, Key::Field(Field::LastSeen | Field::CreatedAt));
            !moment || !matches!(leaf.test, Test::TextPrefix(_) | Test::TextContains(_))
        }
    }
}

proptest! {
    // Fewer: each runs against a real server.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mongodb_agrees_with_the_evaluator(
        steps in vec(step(), 1..40),
        clauses in vec(clause().prop_filter("a parsed clause", can_be_asked), 1..40),
    ) {
        static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> =
            std::sync::LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));
        RUNTIME.block_on(agrees::<MongoBackend>(steps, clauses));
    }
}
