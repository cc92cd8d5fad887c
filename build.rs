//! Takes the files that `/docs` shows out of the archive of Swagger UI that a crate holds, so that the binary
//! has two files of it and not all. An archive keeps each file deflated, which is what gzip wraps: the files
//! are served as they lie there, and nothing is unpacked.

use std::{env, error::Error, fs, path::Path};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED as ARCHIVE;

const WANTED: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

/// A file's record in the archive's directory begins so.
const RECORD: [u8; 4] = *b"PK\x01\x02";
/// The directory's end begins so.
const END: [u8; 4] = *b"PK\x05\x06";
const DEFLATED: usize = 8;
/// Deflated, with no name, of no time, by an unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("OUT_DIR")?;
    for name in WANTED {
        let record = find(&format!("/dist/{name}")).ok_or(format!("there is no {name}"))?;
        fs::write(Path::new(&target).join(format!("{name}.gz")), gzipped(record)?)?;
    }
    Ok(())
}

/// Where in the archive the record of the file lies whose path ends so.
fn find(suffix: &str) -> Option<usize> {
    let end = ARCHIVE.windows(4).rposition(|window| window == END)?;
    let mut at = number(end + 16, 4);
    while ARCHIVE.get(at..at + 4)? == RECORD {
        let name = at + 46..at + 46 + number(at + 28, 2);
        // The same file stands in the folders of other flavours too.
        let name = std::str::from_utf8(&ARCHIVE[name.clone()]).ok()?;
        if name.ends_with(suffix) && name.matches('/').count() == 2 {
            return Some(at);
        }
        at += 46 + number(at + 28, 2) + number(at + 30, 2) + number(at + 32, 2);
    }
    None
}

/// The file of a record, as gzip has it.
fn gzipped(record: usize) -> Result<Vec<u8>, String> {
    if number(record + 10, 2) != DEFLATED {
        return Err("the file is not deflated".to_owned());
    }
    let (checksum, packed, size) = (record + 16, number(record + 20, 4), record + 24);
    let local = number(record + 42, 4);
    let data = local + 30 + number(local + 26, 2) + number(local + 28, 2);
    let parts = [
        &GZIP_HEAD[..],
        &ARCHIVE[data..data + packed],
        &ARCHIVE[checksum..checksum + 4],
        &ARCHIVE[size..size + 4],
    ];
    Ok(parts.concat())
}

/// A little-endian number of so many bytes.
fn number(at: usize, bytes: usize) -> usize {
    let bytes = ARCHIVE[at..at + bytes].iter().rev();
    bytes.fold(0, |number, byte| (number << 8) | usize::from(*byte))
}
