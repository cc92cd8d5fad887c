//! Devices on the wire.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde::{Deserialize, Serialize, Serializer};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    Time,
    enums::Named,
    nullable,
    property::{OneKeyObjects, PropertyChange},
    schemas::{self, Conditions},
    time,
};
use crate::{
    domain::{
        audience::ClauseSpec,
        device::{
            Device, DeviceEdit, DevicePlatform, Pruned, Registration, SendPlatform, Unreachable,
        },
        ids::DeviceId,
        tally::PlatformCounts,
        timestamp::Timestamp,
    },
    services::{AudienceCount, devices::DeviceSearch},
};

/// `PUT /devices`, and one element of a bulk registration. What is left out stays as stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Registration)]
pub struct RegistrationBody {
    /// The caller's own name for the device.
    external_id: String,
    /// The provider's token; it belongs to the newest registration.
    push_token: String,
    /// Who delivers to it.
    #[serde(default)]
    #[schema(schema_with = schemas::named_provider)]
    send_platform: Option<Named<SendPlatform>>,
    /// What kind of device it is.
    #[serde(default)]
    #[schema(schema_with = schemas::named_platform)]
    device_platform: Option<Named<DevicePlatform>>,
    /// Properties to set and to remove.
    #[serde(default)]
    properties: Option<Vec<PropertyChange>>,
    /// All its tags; null is none.
    #[serde(default, deserialize_with = "nullable")]
    tags: Option<Option<BTreeSet<String>>>,
    /// Another name, which may be shared.
    #[serde(default, deserialize_with = "nullable")]
    alias: Option<Option<String>>,
    /// An IANA name.
    #[serde(default, deserialize_with = "nullable")]
    timezone: Option<Option<String>>,
    /// A language tag.
    #[serde(default, deserialize_with = "nullable")]
    locale: Option<Option<String>>,
}

impl RegistrationBody {
    /// As the domain has it.
    pub fn into_domain(self) -> Registration {
        let Self { properties, tags, alias, timezone, locale, .. } = self;
        Registration {
            external_id: self.external_id,
            push_token: self.push_token,
            send_platform: self.send_platform.map(|named| named.0),
            device_platform: self.device_platform.map(|named| named.0),
            edit: EditBody { properties, tags, alias, timezone, locale }.into_domain(),
        }
    }
}

/// `PATCH /devices/{external_id}`. What is left out stays; null clears.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = DeviceEdit)]
pub struct EditBody {
    /// Properties to set and to remove.
    #[serde(default)]
    properties: Option<Vec<PropertyChange>>,
    /// All its tags; null is none.
    #[serde(default, deserialize_with = "nullable")]
    tags: Option<Option<BTreeSet<String>>>,
    #[serde(default, deserialize_with = "nullable")]
    alias: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    timezone: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    locale: Option<Option<String>>,
}

impl EditBody {
    /// As the domain has it.
    pub fn into_domain(self) -> DeviceEdit {
        let properties = self.properties.unwrap_or_default();
        DeviceEdit {
            properties: properties.into_iter().map(PropertyChange::into_domain).collect(),
            tags: self.tags.map(Option::unwrap_or_default),
            alias: self.alias,
            timezone: self.timezone,
            locale: self.locale,
        }
    }
}

/// `POST /devices/-/:register`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Registrations)]
pub struct BulkBody {
    /// The devices, in the order of the answers.
    pub devices: Vec<RegistrationBody>,
}

/// One answer of a bulk registration: an `id`, or a `reason`.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegistrationRow)]
pub struct BulkRow {
    /// The device's external id, as asked.
    pub external_id: String,
    /// The device's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `POST /devices/{external_id}/properties/:add`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PropertyChanges)]
pub struct PropertiesBody {
    /// Properties to set and to remove.
    properties: Vec<PropertyChange>,
}

impl PropertiesBody {
    /// As the domain has it.
    pub fn into_domain(self) -> DeviceEdit {
        let properties = self.properties.into_iter().map(PropertyChange::into_domain).collect();
        DeviceEdit { properties, ..DeviceEdit::default() }
    }
}

/// `POST /devices/-/:search`
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = DeviceSearch)]
pub struct SearchBody {
    /// Among these alone; none or an empty list is all.
    external_ids: Option<Vec<String>>,
    /// Whom to find.
    #[schema(value_type = Option<Conditions>)]
    conditions: Option<ClauseSpec>,
    /// How many to pass over.
    start: u64,
    /// How many to answer.
    #[schema(minimum = 1, maximum = 1000, default = 10)]
    size: usize,
    /// Only those behind the device with this `id`, to walk everything.
    after: Option<u64>,
}

impl Default for SearchBody {
    fn default() -> Self {
        Self { external_ids: None, conditions: None, start: 0, size: 10, after: None }
    }
}

impl SearchBody {
    /// As the service has it.
    pub fn into_search(self) -> DeviceSearch {
        DeviceSearch {
            external_ids: self.external_ids,
            conditions: self.conditions,
            after: self.after.map(DeviceId),
            start: self.start,
            size: self.size,
        }
    }
}

/// `POST /devices/-/:count`
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AudienceToCount)]
pub struct CountBody {
    /// Whom to count; none is everyone.
    #[schema(value_type = Option<Conditions>)]
    pub conditions: Option<ClauseSpec>,
}

/// A device as every answer shows it.
pub struct DeviceJson<'a>(pub &'a Device);

#[derive(Serialize, ToSchema)]
struct DeviceFields<'a> {
    /// 24 hexadecimal digits.
    #[serde(rename = "_id", serialize_with = "shown")]
    #[schema(value_type = String)]
    object_id: crate::domain::ids::ObjectId,
    /// Its place among the shards, given once.
    #[schema(minimum = 1, maximum = 10000)]
    random_bucket: u16,
    /// Its number, which conditions know as `@id`.
    id: u64,
    external_id: &'a str,
    /// Null where another device has it by now.
    #[schema(required)]
    push_token: Option<&'a str>,
    #[schema(schema_with = schemas::send_platform)]
    send_platform: u8,
    #[schema(schema_with = schemas::device_platform)]
    device_platform: u8,
    #[schema(inline)]
    device_properties: OneKeyObjects<'a>,
    tags: &'a BTreeSet<String>,
    #[schema(required)]
    alias: Option<&'a str>,
    #[schema(required)]
    timezone: Option<&'a str>,
    #[schema(required)]
    locale: Option<&'a str>,
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
    created_at: Timestamp,
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
    last_seen: Timestamp,
    /// When and why the provider said that the token is gone.
    #[schema(required)]
    pruned: Option<PrunedJson<'a>>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Pruned)]
struct PrunedJson<'a> {
    #[serde(serialize_with = "time")]
    #[schema(value_type = Time)]
    at: Timestamp,
    reason: &'a str,
}

impl<'a> PrunedJson<'a> {
    fn new(pruned: &'a Pruned) -> Self {
        Self { at: pruned.at, reason: &pruned.reason }
    }
}

fn shown<T: std::fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

impl ToSchema for DeviceJson<'_> {
    fn name() -> Cow<'static, str> {
        "Device".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        DeviceFields::schemas(schemas);
    }
}

impl PartialSchema for DeviceJson<'_> {
    fn schema() -> RefOr<Schema> {
        DeviceFields::schema()
    }
}

impl Serialize for DeviceJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let device = self.0;
        DeviceFields {
            object_id: device.object_id,
            random_bucket: device.random_bucket,
            id: device.id.0,
            external_id: &device.external_id,
            push_token: device.push_token.as_deref(),
            send_platform: device.send_platform.number(),
            device_platform: device.device_platform.number(),
            device_properties: OneKeyObjects(&device.properties),
            tags: &device.tags,
            alias: device.alias.as_deref(),
            timezone: device.timezone.as_deref(),
            locale: device.locale.as_deref(),
            created_at: device.created_at,
            last_seen: device.last_seen,
            pruned: device.pruned.as_ref().map(PrunedJson::new),
        }
        .serialize(serializer)
    }
}

/// The answer of a count.
#[derive(Serialize, ToSchema)]
#[schema(as = AudienceCount)]
pub struct CountJson {
    /// How many devices the conditions mean.
    total: u64,
    #[schema(schema_with = schemas::platform_counts)]
    platforms: PlatformCounts,
    #[schema(schema_with = schemas::reachable)]
    reachable: BTreeMap<&'static str, u64>,
    #[schema(schema_with = schemas::unreachable)]
    unreachable: BTreeMap<&'static str, u64>,
}

impl CountJson {
    /// From what the store counted; every provider and reason is named, zeros included.
    pub fn new(count: &AudienceCount) -> Self {
        let providers = [SendPlatform::Apns, SendPlatform::Fcm, SendPlatform::Email];
        let reasons = [
            Unreachable::NoToken,
            Unreachable::Pruned,
            Unreachable::NoProvider,
            Unreachable::NoCredentials,
        ];
        let reachable = providers.map(|key| (key.name(), count.providers.get(&key)));
        let unreachable = reasons.map(|key| (key.name(), count.unreachable.get(&key)));
        let filled = |(name, count): (_, Option<&u64>)| (name, count.copied().unwrap_or(0));
        Self {
            total: count.platforms.total(),
            platforms: count.platforms,
            reachable: reachable.into_iter().map(filled).collect(),
            unreachable: unreachable.into_iter().map(filled).collect(),
        }
    }
}
