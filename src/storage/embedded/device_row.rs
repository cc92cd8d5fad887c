//! A device as its row keeps it: the columns, and the way from and to the domain's type.

use rusqlite::{Row, types::Type};

use super::{
    failure::{OrFailed, corrupt},
    json::{read_properties, read_tags},
};
use crate::domain::{
    Result,
    device::{Device, DevicePlatform, Pruned, SendPlatform},
    ids::{DeviceId, ObjectId},
    timestamp::Timestamp,
};

/// The columns that [`read_device`] expects, in its order.
pub(super) const COLUMNS: &str = "id, send_platform, device_platform, registered_at, pruned_at, \
    push_token, created_at, last_seen, tags, alias, timezone, locale, properties, external_id, \
    object_id, random_bucket, pruned_reason";

/// Reads a row of [`COLUMNS`].
pub(super) fn read_device(row: &Row<'_>) -> Result<Device> {
    const DOING: &str = "read a device";
    let tags: Option<&str> = text(row, 8)?;
    let pruned_at: Option<i64> = row.get(4).or_failed(DOING)?;
    let pruned_reason: Option<String> = row.get(16).or_failed(DOING)?;
    Ok(Device {
        id: DeviceId(row.get::<_, i64>(0).or_failed(DOING)?.cast_unsigned()),
        send_platform: send_platform(row, 1)?,
        device_platform: device_platform(row, 2)?,
        registered_at: Timestamp(row.get(3).or_failed(DOING)?),
        pruned: pruned_at
            .map(|at| Pruned { at: Timestamp(at), reason: pruned_reason.unwrap_or_default() }),
        push_token: row.get(5).or_failed(DOING)?,
        created_at: Timestamp(row.get(6).or_failed(DOING)?),
        last_seen: Timestamp(row.get(7).or_failed(DOING)?),
        tags: tags.map(read_tags).transpose()?.unwrap_or_default(),
        alias: row.get(9).or_failed(DOING)?,
        timezone: row.get(10).or_failed(DOING)?,
        locale: row.get(11).or_failed(DOING)?,
        properties: read_properties(text(row, 12)?.unwrap_or("{}"))?,
        external_id: row.get(13).or_failed(DOING)?,
        object_id: ObjectId(row.get(14).or_failed(DOING)?),
        random_bucket: row.get(15).or_failed(DOING)?,
    })
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<Option<&'a str>> {
    let value = row.get_ref(column).or_failed("read a device")?;
    if value.data_type() == Type::Null {
        return Ok(None);
    }
    value.as_str().map(Some).map_err(|_| corrupt("a device's text"))
}

/// A provider by its number in a column.
pub(super) fn send_platform(row: &Row<'_>, column: usize) -> Result<SendPlatform> {
    let number = row.get(column).or_failed("read a provider")?;
    SendPlatform::from_number(number).ok_or_else(|| corrupt("a provider"))
}

/// A platform by its number in a column.
pub(super) fn device_platform(row: &Row<'_>, column: usize) -> Result<DevicePlatform> {
    let number = row.get(column).or_failed("read a platform")?;
    DevicePlatform::from_number(number).ok_or_else(|| corrupt("a platform"))
}
