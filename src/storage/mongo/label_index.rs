//! What the indexes tell of tags and aliases without a look at the devices.

use mongodb::{
    ClientSession,
    bson::{Bson, Document, doc},
    error::Error as DriverError,
    options::Hint,
};

use super::{
    core::Core,
    schema::{BY_ATTRIBUTE, BY_TAG, DEVICES},
};
use crate::domain::{audience::Field, device::DevicePlatform};

/// Entries of the index read at once while its tags are listed: few where one tag fills them, more
/// where they hold many.
const FEWEST: i64 = 16;
const MOST: i64 = 16_384;

/// Who of these platforms has a tag.
pub(super) fn tagged(app: i32, tag: &str, platforms: &[DevicePlatform]) -> Document {
    let mut filter = doc! { "a": app, "j": tag };
    if platforms.len() < DevicePlatform::ALL.len() {
        let numbers: Vec<i32> = platforms.iter().map(|one| one.number().into()).collect();
        filter.insert("d", doc! { "$in": numbers });
    }
    filter
}

/// How many devices have a tag, counted up to `most`.
pub(super) async fn count_tag(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
    tag: &str,
    most: Option<u64>,
) -> Result<u64, DriverError> {
    let filter = tagged(app, tag, &DevicePlatform::ALL);
    count(core, session, filter, BY_TAG, most).await
}

/// How many devices have an alias, counted up to `most`.
pub(super) async fn aliased(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
    most: Option<u64>,
) -> Result<u64, DriverError> {
    let filter = doc! { "a": app, "p.k": Field::Alias.key() };
    count(core, session, filter, BY_ATTRIBUTE, most).await
}

/// The server walks the index alone: nothing of the devices is asked for but their number.
async fn count(
    core: &Core,
    session: &mut ClientSession,
    filter: Document,
    index: &str,
    most: Option<u64>,
) -> Result<u64, DriverError> {
    let documents = core.documents(DEVICES);
    let mut count = documents.count_documents(filter).hint(Hint::Name(index.to_owned()));
    if let Some(most) = most {
        count = count.limit(most);
    }
    count.session(session).await
}

/// Every tag of an app, in the order of their bytes: the index is read from one tag to the next, so that
/// a tag costs about the same however many devices have it.
pub(super) async fn tags_after(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
) -> Result<Vec<String>, DriverError> {
    let mut tags: Vec<String> = Vec::new();
    let mut entries = FEWEST;
    loop {
        let after = tags.last().map_or("", String::as_str);
        let command = doc! {
            "find": DEVICES,
            "filter": { "a": app, "j": { "$gt": after } },
            "hint": BY_TAG,
            "returnKey": true,
            "limit": entries,
            "batchSize": entries,
            "singleBatch": true,
        };
        let reply = core.database.run_command(command).session(&mut *session).await?;
        let keys = reply.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch"));
        let before = tags.len();
        for key in keys.into_iter().flatten() {
            let tag = key.as_document().and_then(|key| key.get("j")).and_then(Bson::as_str);
            if let Some(tag) = tag.filter(|tag| tags.last().map(String::as_str) != Some(*tag)) {
                tags.push(tag.to_owned());
            }
        }
        let new = (tags.len() - before) as i64;
        if new == 0 {
            return Ok(tags);
        }
        entries = if new > entries / 4 { entries * 2 } else { entries / 2 }.clamp(FEWEST, MOST);
    }
}
