//! Writing devices: the jobs that the writer thread runs. One SELECT and one INSERT or UPDATE for a
//! registration in the usual case; a token that another device holds costs one more of each.

use std::sync::LazyLock;

use rusqlite::{ErrorCode, OptionalExtension, ffi, params};

use super::{
    device_row::{COLUMNS, read_device},
    failure::OrFailed,
    index::{Change, same_to_the_index},
    json::{write_properties, write_tags},
    work::Work,
};
use crate::{
    domain::{
        Result,
        device::{Device, DeviceEdit, Registration},
        ids::DeviceId,
        timestamp::Timestamp,
    },
    storage::{PruneOrder, Restored, blank::blank},
};

static FIND: LazyLock<String> =
    LazyLock::new(|| format!("SELECT {COLUMNS} FROM devices WHERE app = ? AND external_id = ?"));

/// Registers one device. The inner error refuses this registration alone, before anything is written.
pub(super) fn register(
    work: &mut Work<'_>,
    app: u32,
    registration: Registration,
    now: Timestamp,
) -> Result<Result<Device>> {
    let found = find(work, app, &registration.external_id)?;
    let Registration { external_id, push_token, send_platform, device_platform, edit } =
        registration;
    let mut device = found.clone().unwrap_or_else(|| blank(external_id, now));
    if let Err(refusal) = edit.apply(&mut device) {
        return Ok(Err(refusal));
    }
    let new_token = device.push_token.as_deref() != Some(&push_token);
    device.push_token = Some(push_token);
    device.send_platform = send_platform.unwrap_or(device.send_platform);
    device.device_platform = device_platform.unwrap_or(device.device_platform);
    device.registered_at = now;
    device.last_seen = now;
    device.pruned = None;
    if let Some(old) = found {
        update(work, app, &old, &device, new_token)?;
        publish(work, app, Some(old), &device);
    } else {
        let id = match work.next_device() {
            Ok(id) => id,
            Err(refusal) => return Ok(Err(refusal)),
        };
        device.id = DeviceId(id.into());
        insert(work, app, &device)?;
        publish(work, app, None, &device);
    }
    Ok(Ok(device))
}

/// Changes one device; none where there is none.
pub(super) fn edit(
    work: &mut Work<'_>,
    app: u32,
    external_id: &str,
    edit: &DeviceEdit,
    now: Timestamp,
) -> Result<Option<Device>> {
    let Some(old) = find(work, app, external_id)? else { return Ok(None) };
    let mut device = old.clone();
    edit.apply(&mut device)?;
    device.last_seen = now;
    update(work, app, &old, &device, false)?;
    publish(work, app, Some(old), &device);
    Ok(Some(device))
}

/// Forgets a device; whether there was one.
pub(super) fn remove(work: &mut Work<'_>, app: u32, external_id: &str) -> Result<bool> {
    let Some(old) = find(work, app, external_id)? else { return Ok(false) };
    work.connection
        .prepare_cached("DELETE FROM devices WHERE id = ?")
        .and_then(|mut delete| delete.execute([old.id.0.cast_signed()]))
        .or_failed("remove a device")?;
    work.changes.push(Change::Removed { app, old: Box::new(old) });
    Ok(true)
}

/// Gives one token up if it is still the device's and not given up before; whether it was.
pub(super) fn prune(
    work: &mut Work<'_>,
    app: u32,
    order: &PruneOrder,
    now: Timestamp,
) -> Result<bool> {
    const PRUNE: &str = "UPDATE devices SET pruned_at = ?, pruned_reason = ? \
        WHERE id = ? AND app = ? AND push_token = ? AND pruned_at IS NULL";
    let Ok(id) = u32::try_from(order.device.0) else { return Ok(false) };
    let changed = work
        .connection
        .prepare_cached(PRUNE)
        .and_then(|mut prune| {
            prune.execute(params![now.0, order.reason.as_str(), id, app, order.token])
        })
        .or_failed("prune a token")?;
    if changed > 0 {
        work.changes.push(Change::Pruned { app, id });
    }
    Ok(changed > 0)
}

/// Undoes a pruning; none where there is no such device.
pub(super) fn restore(
    work: &mut Work<'_>,
    app: u32,
    external_id: &str,
) -> Result<Option<Restored>> {
    let Some(old) = find(work, app, external_id)? else { return Ok(None) };
    if old.pruned.is_none() {
        return Ok(Some(Restored { device: old, changed: false }));
    }
    let mut device = old.clone();
    device.restore()?;
    replace(work, app, old, &device)?;
    Ok(Some(Restored { device, changed: true }))
}

/// Replaces what can change of a device, its token apart, by what it is to be.
pub(super) fn replace(work: &mut Work<'_>, app: u32, old: Device, new: &Device) -> Result<()> {
    update(work, app, &old, new, false)?;
    publish(work, app, Some(old), new);
    Ok(())
}

/// A device by its number.
pub(super) fn find_by_number(work: &Work<'_>, app: u32, id: u32) -> Result<Option<Device>> {
    const DOING: &str = "look a device up";
    let sql = format!("SELECT {COLUMNS} FROM devices WHERE id = ? AND app = ?");
    let mut statement = work.connection.prepare_cached(&sql).or_failed(DOING)?;
    let mut rows = statement.query([id, app]).or_failed(DOING)?;
    rows.next().or_failed(DOING)?.map(read_device).transpose()
}

/// A device by its name.
pub(super) fn find(work: &Work<'_>, app: u32, external_id: &str) -> Result<Option<Device>> {
    const DOING: &str = "look a device up";
    let mut statement = work.connection.prepare_cached(&FIND).or_failed(DOING)?;
    let mut rows = statement.query(params![app, external_id]).or_failed(DOING)?;
    rows.next().or_failed(DOING)?.map(read_device).transpose()
}

fn publish(work: &mut Work<'_>, app: u32, old: Option<Device>, new: &Device) {
    work.changes.push(match old {
        Some(old) if same_to_the_index(&old, new) => {
            let id = u32::try_from(new.id.0).expect("the writer draws no id beyond 32 bits");
            Change::Seen { id, at: new.last_seen }
        }
        old => Change::Put { app, old: old.map(Box::new), new: Box::new(new.clone()) },
    });
}

fn insert(work: &mut Work<'_>, app: u32, device: &Device) -> Result<()> {
    const INSERT: &str = "INSERT INTO devices (id, send_platform, device_platform, registered_at, \
        push_token, app, created_at, last_seen, tags, alias, timezone, locale, properties, \
        external_id, object_id, random_bucket) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    with_token(work, app, device, "insert a device", |connection| {
        connection.prepare_cached(INSERT)?.execute(params![
            device.id.0.cast_signed(),
            device.send_platform.number(),
            device.device_platform.number(),
            device.registered_at.0,
            device.push_token,
            app,
            device.created_at.0,
            device.last_seen.0,
            write_tags(&device.tags),
            device.alias,
            device.timezone,
            device.locale,
            write_properties(&device.properties),
            device.external_id,
            device.object_id.0,
            device.random_bucket,
        ])
    })
}

/// Writes what can change. The token is named only where it changed, since naming it rewrites its
/// index entry.
fn update(work: &mut Work<'_>, app: u32, old: &Device, new: &Device, token: bool) -> Result<()> {
    const REST: &str = "UPDATE devices SET send_platform = ?, device_platform = ?, \
        registered_at = ?, last_seen = ?, pruned_at = ?, pruned_reason = ?, tags = ?, alias = ?, \
        timezone = ?, locale = ?, properties = ? WHERE id = ?";
    const TOKEN: &str = "UPDATE devices SET push_token = ? WHERE id = ?";
    let id = old.id.0.cast_signed();
    if token {
        with_token(work, app, new, "change a token", |connection| {
            connection.prepare_cached(TOKEN)?.execute(params![new.push_token, id])
        })?;
    }
    let pruned = new.pruned.as_ref();
    work.connection
        .prepare_cached(REST)
        .and_then(|mut update| {
            update.execute(params![
                new.send_platform.number(),
                new.device_platform.number(),
                new.registered_at.0,
                new.last_seen.0,
                pruned.map(|pruned| pruned.at.0),
                pruned.map(|pruned| pruned.reason.as_str()),
                write_tags(&new.tags),
                new.alias,
                new.timezone,
                new.locale,
                write_properties(&new.properties),
                id,
            ])
        })
        .or_failed("update a device")?;
    Ok(())
}

/// Runs `write`; where it stumbles on another device's hold of the token, takes the token from that
/// one and runs it again.
fn with_token(
    work: &mut Work<'_>,
    app: u32,
    device: &Device,
    doing: &'static str,
    write: impl Fn(&rusqlite::Connection) -> rusqlite::Result<usize>,
) -> Result<()> {
    match write(work.connection) {
        Err(error) if is_unique_violation(&error) => {}
        other => return other.map(drop).or_failed(doing),
    }
    const TAKE: &str = "UPDATE devices SET push_token = NULL \
        WHERE app = ? AND push_token = ? AND id != ? RETURNING id";
    let loser: Option<u32> = work
        .connection
        .prepare_cached(TAKE)
        .and_then(|mut take| {
            let own = device.id.0.cast_signed();
            take.query_row(params![app, device.push_token, own], |row| row.get(0)).optional()
        })
        .or_failed("take a token over")?;
    if let Some(id) = loser {
        work.changes.push(Change::TokenLost { app, id });
    }
    write(work.connection).map(drop).or_failed(doing)
}

fn is_unique_violation(error: &rusqlite::Error) -> bool {
    matches!(error, rusqlite::Error::SqliteFailure(ffi::Error { code, extended_code }, _)
        if *code == ErrorCode::ConstraintViolation
            && *extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE)
}
