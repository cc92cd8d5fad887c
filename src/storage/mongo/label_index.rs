//! What the indexes tell of tags and aliases without a look at the devices.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
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
const MOST: i64 = 4096;

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

/// Every tag of an app, in the order of their bytes.
///
/// The index is read from one tag to the next, a few entries at a time, so that a tag costs about the
/// same however many devices have it. A read shows a device once, at its first tag in the stretch that
/// is read; the tags of the devices shown are therefore all that lie in the stretch.
pub(super) async fn all_tags(
    core: &Core,
    session: &mut ClientSession,
    app: i32,
) -> Result<Vec<String>, DriverError> {
    let mut tags = BTreeSet::new();
    let (mut after, mut entries) = (String::new(), FEWEST);
    loop {
        let stretch = doc! { "a": app, "j": { "$gt": &after } };
        let find = core.documents(DEVICES).find(stretch).projection(doc! { "_id": 0, "j": 1 });
        let find = find.hint(Hint::Name(BY_TAG.to_owned())).limit(entries);
        let mut cursor = find.session(&mut *session).await?;
        let shown: Vec<Document> = cursor.stream(&mut *session).try_collect().await?;
        let mut firsts = BTreeSet::new();
        for device in &shown {
            let own = device.get_array("j").into_iter().flatten().filter_map(Bson::as_str);
            let own: Vec<&str> = own.filter(|tag| *tag > after.as_str()).collect();
            firsts.extend(own.iter().min().map(|first| (*first).to_owned()));
            tags.extend(own.into_iter().map(str::to_owned));
        }
        let Some(last) = firsts.last() else { return Ok(tags.into_iter().collect()) };
        after.clone_from(last);
        let many = firsts.len() as i64 > entries / 4;
        entries = if many { entries * 2 } else { entries / 2 }.clamp(FEWEST, MOST);
    }
}
