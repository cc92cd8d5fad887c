//! A device as its document keeps it, and the way from and to the domain's type.
//!
//! `_id` is its place (`position`), `a` its app, `n` its number, `b` its random bucket, `x` its external id,
//! `t` its token (absent when it has none), `o` the ObjectId it shows, `s` and `d` its provider and platform, `c`, `r`, `l` the
//! moments of creation, registration and last sight, `g` set when its token was given up. `v` counts its
//! changes and `w` names the writer of the last, so that a writer can tell whether it was its own.
//!
//! `p` is the attribute pattern: one `{k, v}` for each value, so that any key is data and never part of a
//! path or an operator, and one index serves every key. An element of a list carries `i`, and an empty
//! list is `{k, i}` alone. Text that is a time carries its moment as `m`. Tags, alias, time zone and
//! locale are attributes too, under their reserved keys, which no property can have. `j` repeats the tags,
//! for an index that counts them.

use mongodb::bson::{Bson, Document, RawBsonRef, RawDocument, doc, oid};

use super::{failure::corrupt, position::position};
use crate::domain::{
    Error, Result,
    audience::Field,
    device::{Device, DevicePlatform, Properties, PropertyValue, Pruned, Scalar, SendPlatform},
    ids::{DeviceId, ObjectId},
    timestamp::Timestamp,
};

/// A document and what a writer needs to know of it besides.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) device: Device,
    pub(super) app: i32,
    pub(super) version: i64,
}

/// The document of a device, version and writer apart.
pub(super) fn write_device(app: i32, device: &Device) -> Result<Document> {
    let place = position(app, device.id)?.0;
    let mut row = doc! {
        "_id": place.cast_signed(),
        // First, because each test of a condition looks for it anew, field by field.
        "p": attributes(device),
        "a": app,
        "n": device.id.0.cast_signed(),
        "b": i32::from(device.random_bucket),
        "x": &device.external_id,
        "o": oid::ObjectId::from_bytes(device.object_id.0),
        "s": i32::from(device.send_platform.number()),
        "d": i32::from(device.device_platform.number()),
        "c": device.created_at.0,
        "r": device.registered_at.0,
        "l": device.last_seen.0,
    };
    if let Some(token) = &device.push_token {
        row.insert("t", token);
    }
    if !device.tags.is_empty() {
        let tags: Vec<&str> = device.tags.iter().map(String::as_str).collect();
        row.insert("j", tags);
    }
    if let Some(pruned) = &device.pruned {
        row.insert("g", write_pruned(pruned.at, &pruned.reason));
    }
    Ok(row)
}

/// What is kept of a token that was given up.
pub(super) fn write_pruned(at: Timestamp, reason: &str) -> Document {
    doc! { "at": at.0, "why": reason }
}

/// What turns one document of a device into the other.
pub(super) fn changes(old: &Document, new: &Document) -> (Document, Document) {
    let (mut set, mut unset) = (Document::new(), Document::new());
    for (key, value) in new {
        if old.get(key) != Some(value) {
            set.insert(key, value.clone());
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(key)) {
        unset.insert(key, true);
    }
    (set, unset)
}

fn attributes(device: &Device) -> Vec<Bson> {
    let mut list = Vec::new();
    let own = [
        (Field::Alias, &device.alias),
        (Field::Timezone, &device.timezone),
        (Field::Locale, &device.locale),
    ];
    for tag in &device.tags {
        list.push(attribute(Field::Tag.key(), &Scalar::Text(tag.clone()), false));
    }
    for (field, text) in own {
        if let Some(text) = text {
            list.push(attribute(field.key(), &Scalar::Text(text.clone()), false));
        }
    }
    for (key, value) in &device.properties {
        match value {
            PropertyValue::One(scalar) => list.push(attribute(key, scalar, false)),
            PropertyValue::List(scalars) if scalars.is_empty() => {
                list.push(Bson::Document(doc! { "k": key, "i": true }));
            }
            PropertyValue::List(scalars) => {
                list.extend(scalars.iter().map(|scalar| attribute(key, scalar, true)));
            }
        }
    }
    list
}

fn attribute(key: &str, scalar: &Scalar, element: bool) -> Bson {
    let mut entry = doc! { "k": key };
    match scalar {
        Scalar::Bool(value) => entry.insert("v", *value),
        Scalar::Int(value) => entry.insert("v", *value),
        Scalar::Float(value) => entry.insert("v", *value),
        Scalar::Text(text) => {
            if let Some(at) = Timestamp::parse(text) {
                entry.insert("m", at.0);
            }
            entry.insert("v", text)
        }
    };
    if element {
        entry.insert("i", true);
    }
    Bson::Document(entry)
}

/// Reads a document.
pub(super) fn read_device(row: &RawDocument) -> Result<Stored> {
    let mut stored = blank();
    for field in row {
        let (key, value) = field.map_err(|_| corrupt("a device"))?;
        read_field(&mut stored, key.as_str(), value).ok_or_else(|| corrupt("a device"))?;
    }
    Ok(stored)
}

fn blank() -> Stored {
    let device = Device {
        object_id: ObjectId([0; 12]),
        id: DeviceId(0),
        external_id: String::new(),
        push_token: None,
        send_platform: SendPlatform::Unknown,
        device_platform: DevicePlatform::Unknown,
        random_bucket: 0,
        properties: Properties::new(),
        tags: Default::default(),
        alias: None,
        timezone: None,
        locale: None,
        created_at: Timestamp(0),
        registered_at: Timestamp(0),
        last_seen: Timestamp(0),
        pruned: None,
    };
    Stored { device, app: 0, version: 0 }
}

/// None where the value is not of its field's type.
fn read_field(stored: &mut Stored, key: &str, value: RawBsonRef<'_>) -> Option<()> {
    let device = &mut stored.device;
    let moment = || value.as_i64().map(Timestamp);
    match key {
        "b" => device.random_bucket = u16::try_from(value.as_i32()?).ok()?,
        "a" => stored.app = value.as_i32()?,
        "v" => stored.version = value.as_i64()?,
        "n" => device.id = DeviceId(value.as_i64()?.cast_unsigned()),
        "x" => device.external_id = value.as_str()?.to_owned(),
        "t" => device.push_token = Some(value.as_str()?.to_owned()),
        "o" => device.object_id = ObjectId(value.as_object_id()?.bytes()),
        "s" => device.send_platform = SendPlatform::from_number(value.as_i32()?.into())?,
        "d" => device.device_platform = DevicePlatform::from_number(value.as_i32()?.into())?,
        "c" => device.created_at = moment()?,
        "r" => device.registered_at = moment()?,
        "l" => device.last_seen = moment()?,
        "g" => {
            let pruned = value.as_document()?;
            let reason = pruned.get_str("why").ok()?.to_owned();
            device.pruned = Some(Pruned { at: Timestamp(pruned.get_i64("at").ok()?), reason });
        }
        "p" => {
            for entry in value.as_array()? {
                read_attribute(device, entry.ok()?.as_document()?)?;
            }
        }
        _ => {}
    }
    Some(())
}

fn read_attribute(device: &mut Device, entry: &RawDocument) -> Option<()> {
    let (mut key, mut value, mut element) = ("", None, false);
    for field in entry {
        let (name, held) = field.ok()?;
        match name.as_str() {
            "k" => key = held.as_str()?,
            "v" => value = Some(scalar(held)?),
            "i" => element = true,
            _ => {}
        }
    }
    let Some(field) = Field::ALL.into_iter().find(|field| field.key() == key) else {
        let properties = &mut device.properties;
        match value {
            Some(value) if !element => {
                properties.insert(key.to_owned(), PropertyValue::One(value));
            }
            value => {
                let list = properties
                    .entry(key.to_owned())
                    .or_insert_with(|| PropertyValue::List(Vec::new()));
                if let PropertyValue::List(list) = list {
                    list.extend(value);
                }
            }
        }
        return Some(());
    };
    let Some(Scalar::Text(text)) = value else { return None };
    match field {
        Field::Tag => {
            device.tags.insert(text);
        }
        Field::Alias => device.alias = Some(text),
        Field::Timezone => device.timezone = Some(text),
        Field::Locale => device.locale = Some(text),
        Field::Platform | Field::LastSeen | Field::CreatedAt | Field::Id => return None,
    }
    Some(())
}

fn scalar(value: RawBsonRef<'_>) -> Option<Scalar> {
    Some(match value {
        RawBsonRef::Boolean(value) => Scalar::Bool(value),
        RawBsonRef::Int64(value) => Scalar::Int(value),
        RawBsonRef::Double(value) => Scalar::Float(value),
        RawBsonRef::String(text) => Scalar::Text(text.to_owned()),
        _ => return None,
    })
}

/// A document may have 16 MB; one that comes near is refused before it is sent.
pub(super) fn check_size(device: &Device) -> Result<()> {
    const MOST: usize = 15 << 20;
    let held = |scalar: &Scalar| 64 + if let Scalar::Text(text) = scalar { text.len() } else { 0 };
    let property = |(key, value): (&String, &PropertyValue)| match value {
        PropertyValue::One(scalar) => key.len() + held(scalar),
        PropertyValue::List(list) => list.iter().map(|scalar| key.len() + held(scalar)).sum(),
    };
    let tags = device.tags.iter().map(|tag| 64 + tag.len()).sum::<usize>();
    let bytes = tags + device.properties.iter().map(property).sum::<usize>();
    if bytes > MOST {
        return Err(Error::invalid("properties", "the device's properties are over 15 MB in all"));
    }
    Ok(())
}
