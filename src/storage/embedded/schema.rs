//! The tables, and how an older file becomes the current one. `PRAGMA user_version` says which
//! version a file has. Called once, by `open`, before any thread starts.

use rusqlite::Connection;

use super::failure::OrFailed;
use crate::domain::{Error, Result};

/// Each step takes a file from the version of its index to the next. Steps are only ever added.
const MIGRATIONS: &[&str] = &[VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5];

/// What a page reader needs stands first in `devices`, so that SQLite need not walk past the rest.
const VERSION_1: &str = "
CREATE TABLE sequences (
    name TEXT PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE apps (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    send_platform INTEGER NOT NULL,
    device_platform INTEGER NOT NULL,
    registered_at INTEGER NOT NULL,
    pruned_at INTEGER,
    push_token TEXT,
    app INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    tags TEXT,
    alias TEXT,
    timezone TEXT,
    locale TEXT,
    properties TEXT NOT NULL,
    external_id TEXT NOT NULL,
    object_id BLOB NOT NULL,
    random_bucket INTEGER NOT NULL,
    pruned_reason TEXT
);
CREATE UNIQUE INDEX devices_by_external_id ON devices (app, external_id);
CREATE UNIQUE INDEX devices_by_token ON devices (app, push_token) WHERE push_token IS NOT NULL;

-- `body` is the notification as JSON, all but what other systems report, which changes on its own.
CREATE TABLE notifications (
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL UNIQUE,
    app INTEGER NOT NULL,
    status INTEGER NOT NULL,
    title TEXT NOT NULL,
    scheduled_at INTEGER,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    finished_at INTEGER,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    reported TEXT NOT NULL
);
CREATE INDEX notifications_by_app ON notifications (app, status);
CREATE INDEX notifications_active ON notifications (status) WHERE status IN (1, 5);

CREATE TABLE idempotency_keys (
    app INTEGER NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    notification INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (app, key)
) WITHOUT ROWID;

-- `now` is the moment that relative times in the conditions count from.
CREATE TABLE rounds (
    campaign INTEGER NOT NULL,
    round INTEGER NOT NULL,
    app INTEGER NOT NULL,
    now INTEGER NOT NULL,
    failures TEXT,
    PRIMARY KEY (campaign, round)
) WITHOUT ROWID;
CREATE INDEX rounds_by_app ON rounds (app);

CREATE TABLE shards (
    campaign INTEGER NOT NULL,
    round INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    after INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    cursor INTEGER NOT NULL,
    done INTEGER NOT NULL,
    tally TEXT NOT NULL,
    again TEXT NOT NULL,
    PRIMARY KEY (campaign, round, shard)
) WITHOUT ROWID;

-- One row per page: its devices and their outcomes packed in `body` (pages.rs says how).
CREATE TABLE pages (
    seq INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL,
    round INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    after INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    done INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE UNIQUE INDEX pages_by_span ON pages (campaign, round, shard, after);

-- What comes in singly. `seq` is drawn from the same sequence as that of pages.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL,
    device INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX events_by_device ON events (device);
CREATE INDEX events_by_campaign ON events (campaign);
";

/// Rates that were changed while the server ran.
const VERSION_2: &str = "
CREATE TABLE rates (
    name TEXT PRIMARY KEY,
    per_second INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Small documents of dialects and of the console; `app` 0 is the installation.
const VERSION_3: &str = "
CREATE TABLE documents (
    kind TEXT NOT NULL,
    app INTEGER NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (kind, app, key)
) WITHOUT ROWID;
CREATE INDEX documents_by_end ON documents (expires_at) WHERE expires_at IS NOT NULL;
";

/// Who did what. `body` is the whole entry as JSON.
const VERSION_4: &str = "
CREATE TABLE audit (
    id TEXT PRIMARY KEY,
    app TEXT,
    action TEXT NOT NULL,
    target TEXT,
    body TEXT NOT NULL,
    expires_at INTEGER
) WITHOUT ROWID;
CREATE INDEX audit_by_app ON audit (app, id);
CREATE INDEX audit_by_target ON audit (target, id) WHERE target IS NOT NULL;
CREATE INDEX audit_by_end ON audit (expires_at) WHERE expires_at IS NOT NULL;
";

/// Who did something can be asked for: `actor` is the name within the body.
const VERSION_5: &str = "
ALTER TABLE audit ADD COLUMN actor TEXT;
UPDATE audit SET actor = json_extract(body, '$.actor.name');
CREATE INDEX audit_by_actor ON audit (actor, id);
";

/// Brings the file to the current version; refuses one that a newer program wrote.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    const DOING: &str = "bring the store to this version";
    let current = MIGRATIONS.len();
    let found: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .or_failed("read the store's version")?;
    let stored = usize::try_from(found).unwrap_or(usize::MAX);
    if stored > current {
        return Err(Error::conflict(format!(
            "the store has version {found}, and this program knows versions up to {current}: it \
             was written by a newer program"
        )));
    }
    for (step, ddl) in MIGRATIONS.iter().enumerate().skip(stored) {
        let transaction = connection.transaction().or_failed(DOING)?;
        transaction.execute_batch(ddl).or_failed(DOING)?;
        transaction.pragma_update(None, "user_version", step + 1).or_failed(DOING)?;
        transaction.commit().or_failed(DOING)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_first_version_is_brought_to_this_one() {
        let mut connection = Connection::open_in_memory().expect("in memory");
        connection.execute_batch(VERSION_1).expect("the first version");
        connection.pragma_update(None, "user_version", 1).expect("pragma");
        migrate(&mut connection).expect("migrated");
        connection.execute("INSERT INTO rates VALUES ('global', 1)", []).expect("a rate");
    }

    #[test]
    fn entries_of_an_older_log_know_who_did_it() {
        let mut connection = Connection::open_in_memory().expect("in memory");
        for ddl in [VERSION_1, VERSION_2, VERSION_3, VERSION_4] {
            connection.execute_batch(ddl).expect("the fourth version");
        }
        connection.pragma_update(None, "user_version", 4).expect("pragma");
        let body =
            r#"{"id": "1", "actor": {"name": "a \"b\"", "via": "key"}, "details": {"name": 1}}"#;
        let insert = "INSERT INTO audit (id, action, body) VALUES ('1', 'key.created', ?)";
        connection.execute(insert, [body]).expect("an entry");
        migrate(&mut connection).expect("migrated");
        let actor: String =
            connection.query_row("SELECT actor FROM audit", [], |row| row.get(0)).expect("named");
        assert_eq!(actor, "a \"b\"");
    }

    #[test]
    fn a_newer_store_is_refused_and_the_current_one_is_left_alone() {
        let mut connection = Connection::open_in_memory().expect("in memory");
        migrate(&mut connection).expect("created");
        migrate(&mut connection).expect("unchanged");
        connection.pragma_update(None, "user_version", 99).expect("pragma");
        let error = migrate(&mut connection).expect_err("newer");
        assert!(error.public_message().contains("version 99"), "{error}");
    }
}
