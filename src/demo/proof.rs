//! Compares what the gateways recorded with what should have been sent.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    io::{BufRead, BufReader},
};

use anyhow::{Context, Result};

use super::{audience, processes::Gateways};

/// What the comparison showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Expected devices of which the gateways saw nothing.
    pub missed: u64,
    /// Pushes accepted for a device beyond its first.
    pub duplicates: u64,
    /// Pushes for devices that should have got none.
    pub unexpected: u64,
}

/// How often the gateways saw a token.
#[derive(Default)]
struct Seen {
    tried: bool,
    accepted: u32,
}

/// Reads the gateways' records and compares them with the demo's devices.
pub fn compare(gateways: &Gateways, devices: usize) -> Result<Proof> {
    let mut seen: HashMap<u64, Seen> = HashMap::new();
    for line in BufReader::new(gateways.records()?).lines() {
        let line = line.context("failed to read the gateways' records")?;
        let mut fields = line.split('\t');
        let (_provider, token, status) = (fields.next(), fields.next(), fields.next());
        let (token, status) = token.zip(status).context("a record is cut short")?;
        let seen = seen.entry(digest(token)).or_default();
        // Status 0: the gateway cut the push off before it did anything with it.
        seen.tried |= status != "0";
        seen.accepted += u32::from(status == "200");
    }
    let mut proof = Proof { missed: 0, duplicates: 0, unexpected: 0 };
    for token in (0..devices).filter_map(audience::expects) {
        match seen.remove(&digest(&token)) {
            Some(found) => proof.duplicates += u64::from(found.accepted.saturating_sub(1)),
            None => proof.missed += 1,
        }
    }
    proof.unexpected = seen.values().filter(|seen| seen.tried).count() as u64;
    Ok(proof)
}

/// A token's digest, so that a million of them fit in a small process.
fn digest(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}
