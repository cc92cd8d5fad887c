//! The role of the suggestions: a walk along the index over attributes from one key or value to the
//! next, a find of one device for each, so that it costs the same however many devices have it. Nothing
//! is counted.

use std::{cmp::Ordering, collections::BTreeSet, ops::Bound, sync::Arc};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::{
    bson::{Bson, Document, doc},
    options::Hint,
};

use super::{
    Mongo,
    core::Core,
    failure::OrFailed,
    filter::after_prefix,
    schema::{BY_ATTRIBUTE, DEVICES},
};
use crate::{
    domain::{
        Result,
        audience::{Key, Number},
        device::{Scalar, ScalarType},
        ids::AppName,
    },
    storage::{
        KnownKey, KnownValue, SuggestionStore,
        suggestions::{NumberSpan, booleans, by_size, number_spans},
    },
};

/// Devices that are looked at for the types of a key's numbers, which the index does not tell apart.
const SAMPLE: i64 = 32;
/// Keys whose types are asked for at once.
const AT_ONCE: usize = 8;

#[async_trait]
impl SuggestionStore for Mongo {
    async fn keys(&self, app: &AppName, prefix: &str, limit: usize) -> Result<Vec<KnownKey>> {
        let Some(app) = self.app(app).await? else { return Ok(Vec::new()) };
        let prefix = prefix.to_owned();
        self.run(move |core| async move { keys(&core, app, &prefix, limit).await }).await
    }

    async fn values(
        &self,
        app: &AppName,
        key: &Key,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<KnownValue>> {
        let Some(app) = self.app(app).await? else { return Ok(Vec::new()) };
        let key = match key {
            Key::Property(key) => key.clone(),
            Key::Field(field) => field.key().to_owned(),
        };
        let prefix = prefix.to_owned();
        self.run(move |core| async move {
            let mut walk = Walk { core: &core, app, key: &key, limit, found: Vec::new() };
            walk.all(&prefix).await?;
            let known = |value| KnownValue { value, devices: None };
            Ok(walk.found.into_iter().map(known).collect())
        })
        .await
    }
}

async fn keys(core: &Arc<Core>, app: i32, prefix: &str, limit: usize) -> Result<Vec<KnownKey>> {
    let mut names: Vec<String> = Vec::new();
    // The device's own fields lie among the properties, under keys that begin with `@`.
    let stretches = match prefix {
        "" => vec![(String::new(), Some("@".to_owned())), ("A".to_owned(), None)],
        own if own.starts_with('@') => Vec::new(),
        prefix => vec![(prefix.to_owned(), after_prefix(prefix))],
    };
    for (first, below) in stretches {
        let mut from = Bound::Included(first);
        while names.len() < limit {
            let Some(next) = next_key(core, app, &from, below.as_deref()).await? else { break };
            names.push(next.clone());
            from = Bound::Excluded(next);
        }
    }
    let known = |key: String| async move {
        let types = types(core, app, &key).await?;
        Ok(KnownKey { key, types, devices: None })
    };
    stream::iter(names).map(known).buffered(AT_ONCE).try_collect().await
}

/// The first key of a stretch of keys.
async fn next_key(
    core: &Core,
    app: i32,
    from: &Bound<String>,
    below: Option<&str>,
) -> Result<Option<String>> {
    let mut wanted = match from {
        Bound::Included(from) => doc! { "$gte": from },
        Bound::Excluded(from) => doc! { "$gt": from },
        Bound::Unbounded => doc! { "$gte": "" },
    };
    if let Some(below) = below {
        wanted.insert("$lt", below);
    }
    let shown = doc! { "_id": 0, "p.k": 1 };
    let found = find(core, app, doc! { "k": wanted }, shown, 1).await?;
    // The device was found at its first key within the stretch.
    let keys = found.iter().flat_map(attributes).filter_map(|entry| entry.get_str("k").ok());
    let within = keys.filter(|key| {
        let after = match from {
            Bound::Included(from) => *key >= from.as_str(),
            Bound::Excluded(from) => *key > from.as_str(),
            Bound::Unbounded => true,
        };
        after && below.is_none_or(|below| *key < below)
    });
    Ok(within.min().map(str::to_owned))
}

/// The types of some of a key's values: text and booleans as the index tells, numbers by a sample.
async fn types(core: &Core, app: i32, key: &str) -> Result<BTreeSet<ScalarType>> {
    let probes = [
        (doc! { "$gte": "" }, 1),
        (doc! { "$gte": f64::NEG_INFINITY, "$lte": f64::INFINITY }, SAMPLE),
        (doc! { "$gte": false, "$lte": true }, 1),
    ];
    let mut types = BTreeSet::new();
    for (test, devices) in probes {
        let values = values_of(core, app, key, test, devices).await?;
        types.extend(values.iter().map(Scalar::kind));
    }
    Ok(types)
}

/// The values of one key being gathered.
struct Walk<'a> {
    core: &'a Core,
    app: i32,
    key: &'a str,
    limit: usize,
    found: Vec<Scalar>,
}

/// Values that lie together in the index.
enum Row<'a> {
    Numbers(NumberSpan),
    Texts(&'a str),
}

impl Walk<'_> {
    async fn all(&mut self, prefix: &str) -> Result<()> {
        for value in booleans(prefix) {
            if !self.values(doc! { "$eq": value }).await?.is_empty() {
                self.found.push(Scalar::Bool(value));
            }
        }
        let spans = number_spans(prefix);
        let any = doc! { "$gte": f64::NEG_INFINITY, "$lte": f64::INFINITY };
        // Most keys have no numbers, and a prefix makes many stretches of them.
        if spans.len() == 1 || (spans.len() > 1 && !self.values(any).await?.is_empty()) {
            for span in spans {
                self.along(&Row::Numbers(span)).await?;
            }
        }
        self.along(&Row::Texts(prefix)).await?;
        self.found.truncate(self.limit);
        Ok(())
    }

    /// From each value of a row to the next.
    async fn along(&mut self, row: &Row<'_>) -> Result<()> {
        let mut last: Option<Scalar> = None;
        while self.found.len() < self.limit {
            let mut values = self.values(row.test(last.as_ref())).await?;
            values.retain(|value| row.goes_on(value, last.as_ref()));
            values.sort_by(by_size);
            let Some(next) = values.first().cloned() else { break };
            // An integer and a float of one size lie at one place.
            values.retain(|value| by_size(value, &next) == Ordering::Equal && row.shows(value));
            values.sort_by_key(Scalar::kind);
            values.dedup();
            self.found.append(&mut values);
            last = Some(next);
        }
        Ok(())
    }

    /// The values of the device that lies first among those that have one which satisfies `test`.
    async fn values(&self, test: Document) -> Result<Vec<Scalar>> {
        values_of(self.core, self.app, self.key, test, 1).await
    }
}

impl Row<'_> {
    /// What lies in the row after `last`.
    fn test(&self, last: Option<&Scalar>) -> Document {
        let mut test = match self {
            Self::Numbers(span) => end_test(span),
            Self::Texts(prefix) => match after_prefix(prefix) {
                Some(after) => doc! { "$lt": after },
                None => Document::new(),
            },
        };
        let (operator, from) = match (last, self) {
            (Some(last), _) => ("$gt", written(last)),
            (None, Self::Texts(prefix)) => ("$gte", Bson::from(*prefix)),
            (None, Self::Numbers(span)) => match span.from {
                Bound::Included(from) => ("$gte", number(from)),
                Bound::Excluded(from) => ("$gt", number(from)),
                Bound::Unbounded => ("$gte", Bson::Double(f64::NEG_INFINITY)),
            },
        };
        test.insert(operator, from);
        test
    }

    /// Whether one of a device's values lies in the row after `last`.
    fn goes_on(&self, value: &Scalar, last: Option<&Scalar>) -> bool {
        let within = match (self, value) {
            (Self::Numbers(span), Scalar::Int(_) | Scalar::Float(_)) => within(span, value),
            (Self::Texts(prefix), Scalar::Text(text)) => text.starts_with(prefix),
            _ => false,
        };
        within && last.is_none_or(|last| by_size(value, last) == Ordering::Greater)
    }

    fn shows(&self, value: &Scalar) -> bool {
        !matches!((self, value), (Self::Numbers(span), Scalar::Int(_)) if span.floats_only)
    }
}

fn end_test(span: &NumberSpan) -> Document {
    match span.upto {
        Bound::Included(upto) => doc! { "$lte": number(upto) },
        Bound::Excluded(upto) => doc! { "$lt": number(upto) },
        Bound::Unbounded => doc! { "$lte": f64::INFINITY },
    }
}

fn within(span: &NumberSpan, value: &Scalar) -> bool {
    let order = |end: Number| {
        let end = match end {
            Number::Int(end) => Scalar::Int(end),
            Number::Float(end) => Scalar::Float(end),
        };
        by_size(value, &end)
    };
    let from = match span.from {
        Bound::Included(from) => order(from) != Ordering::Less,
        Bound::Excluded(from) => order(from) == Ordering::Greater,
        Bound::Unbounded => true,
    };
    from && match span.upto {
        Bound::Included(upto) => order(upto) != Ordering::Greater,
        Bound::Excluded(upto) => order(upto) == Ordering::Less,
        Bound::Unbounded => true,
    }
}

fn number(number: Number) -> Bson {
    match number {
        Number::Int(value) => Bson::Int64(value),
        Number::Float(value) => Bson::Double(value),
    }
}

fn written(value: &Scalar) -> Bson {
    match value {
        Scalar::Bool(value) => Bson::Boolean(*value),
        Scalar::Int(value) => Bson::Int64(*value),
        Scalar::Float(value) => Bson::Double(*value),
        Scalar::Text(text) => Bson::String(text.clone()),
    }
}

/// A key's values on the first devices that have one which satisfies `test`, those besides it included.
async fn values_of(
    core: &Core,
    app: i32,
    key: &str,
    test: Document,
    devices: i64,
) -> Result<Vec<Scalar>> {
    let own = doc! { "$eq": ["$$this.k", { "$literal": key }] };
    let shown = doc! { "_id": 0, "p": { "$filter": { "input": "$p", "cond": own } } };
    let entry = doc! { "k": { "$eq": key }, "v": test };
    let found = find(core, app, entry, shown, devices).await?;
    Ok(found.iter().flat_map(attributes).filter_map(read).collect())
}

/// The first devices, in the index's order, that have an attribute like `entry`.
async fn find(
    core: &Core,
    app: i32,
    entry: Document,
    shown: Document,
    devices: i64,
) -> Result<Vec<Document>> {
    const DOING: &str = "look for keys and values";
    let filter = doc! { "a": app, "p": { "$elemMatch": entry } };
    let find = core.documents(DEVICES).find(filter).projection(shown).limit(devices);
    let find = find.hint(Hint::Name(BY_ATTRIBUTE.to_owned())).comment(DOING);
    find.await.or_failed(DOING)?.try_collect().await.or_failed(DOING)
}

fn attributes(device: &Document) -> impl Iterator<Item = &Document> {
    device.get_array("p").into_iter().flatten().filter_map(Bson::as_document)
}

fn read(entry: &Document) -> Option<Scalar> {
    Some(match entry.get("v")? {
        Bson::Boolean(value) => Scalar::Bool(*value),
        Bson::Int64(value) => Scalar::Int(*value),
        // Both zeros are one value.
        Bson::Double(value) => Scalar::Float(if *value == 0.0 { 0.0 } else { *value }),
        Bson::String(text) => Scalar::Text(text.clone()),
        _ => return None,
    })
}
