//! Many writes in one command, each with its own outcome. The driver's typed calls take one update at a
//! time on the servers that are common today, and a command costs the server as much as a hundred of
//! the updates in it.

use mongodb::{
    Database,
    bson::{Bson, Document, RawArrayBuf, RawDocumentBuf, cstr, doc, rawdoc},
    error::Error as DriverError,
};

/// A command holds up to 48 MB, a document up to 16.
const MAX_COMMAND_BYTES: usize = 24 << 20;

/// What kind of writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Insert,
    Update,
    Delete,
}

/// Whether the writes wait for a majority of the members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    Majority,
    Primary,
}

/// What became of one command's writes.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// How many documents were matched, inserted or deleted.
    pub(super) n: i64,
    /// Which were refused, by their place, and the server's code.
    pub(super) refused: Vec<(usize, i32)>,
}

/// One update of a command.
pub(super) fn update(filter: Document, change: impl Into<Bson>, upsert: bool) -> Document {
    doc! { "q": filter, "u": change.into(), "upsert": upsert }
}

/// Runs `writes` as one command, or several where they are long. Each is done, in order, or refused on
/// its own.
pub(super) async fn write(
    database: &Database,
    collection: &str,
    kind: Kind,
    writes: &[Document],
    wait: Wait,
) -> Result<Outcome, DriverError> {
    let mut outcome = Outcome::default();
    let mut first = 0;
    while first < writes.len() {
        let (list, count) = gather(&writes[first..])?;
        let mut command = RawDocumentBuf::new();
        let (name, field) = match kind {
            Kind::Insert => (cstr!("insert"), cstr!("documents")),
            Kind::Update => (cstr!("update"), cstr!("updates")),
            Kind::Delete => (cstr!("delete"), cstr!("deletes")),
        };
        command.append(name, collection);
        command.append(field, list);
        command.append(cstr!("ordered"), false);
        command.append(
            cstr!("writeConcern"),
            match wait {
                Wait::Majority => rawdoc! { "w": "majority" },
                Wait::Primary => rawdoc! { "w": 1 },
            },
        );
        let reply = database.run_raw_command(command).await?;
        add(&mut outcome, &reply, first)?;
        first += count;
    }
    Ok(outcome)
}

/// As many writes as one command takes.
fn gather(writes: &[Document]) -> Result<(RawArrayBuf, usize), DriverError> {
    let mut list = RawArrayBuf::new();
    let (mut bytes, mut count) = (0, 0);
    for write in writes {
        let raw = RawDocumentBuf::try_from(write)?;
        bytes += raw.as_bytes().len();
        if count > 0 && bytes > MAX_COMMAND_BYTES {
            break;
        }
        count += 1;
        list.push(raw);
    }
    Ok((list, count))
}

/// Adds what a reply says. A majority that cannot be reached fails them all: nobody may be told that
/// they are durable.
fn add(outcome: &mut Outcome, reply: &Document, first: usize) -> Result<(), DriverError> {
    if let Ok(concern) = reply.get_document("writeConcernError") {
        let message = concern.get_str("errmsg").unwrap_or("the majority did not confirm");
        let error = std::io::Error::new(std::io::ErrorKind::TimedOut, message.to_owned());
        return Err(DriverError::from(error));
    }
    outcome.n += integer(reply, "n");
    for error in reply.get_array("writeErrors").into_iter().flatten() {
        if let Bson::Document(error) = error {
            let place = usize::try_from(integer(error, "index")).unwrap_or(usize::MAX);
            let code = i32::try_from(integer(error, "code")).unwrap_or(i32::MAX);
            outcome.refused.push((first.saturating_add(place), code));
        }
    }
    Ok(())
}

/// A whole number of an answer; the server answers small ones with 32 bits.
fn integer(document: &Document, key: &str) -> i64 {
    match document.get(key) {
        Some(Bson::Int32(number)) => i64::from(*number),
        Some(Bson::Int64(number)) => *number,
        Some(Bson::Double(number)) => *number as i64,
        _ => 0,
    }
}
