//! The servers of the demo: one on a directory of its own, or several nodes on one MongoDB, of which one
//! is killed half-way.

use std::{
    collections::BTreeSet,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    mongod::{self, Mongod},
    processes::{Api, Gateways, Server},
};

/// The gateways know no quota, so the demo needs no limit. The key opens `/internal/state`.
const SETTINGS: &str =
    "[limits]\nfcm_per_second = 0\n\n[internal]\nkeys = [\"the-demo-looks-at-its-own-nodes\"]\n";
const INTERNAL_KEY: &str = "the-demo-looks-at-its-own-nodes";

/// The servers, running.
pub struct Installation {
    nodes: Vec<Server>,
    /// What the killed node had spent.
    cpu_of_killed: Duration,
    /// What the killed node had in hand, and when it was killed.
    orphaned: Option<(Instant, BTreeSet<String>)>,
    takeover: Option<Duration>,
    _mongod: Option<Mongod>,
}

impl Installation {
    /// One server with the embedded store.
    pub fn single(program: &Path, directory: &Path, gateways: &Gateways) -> Result<Self> {
        Ok(Self::of(vec![Server::start(program, directory, gateways, SETTINGS)?], None))
    }

    /// So many nodes on the MongoDB at `uri`, or on one of their own.
    pub fn cluster(
        program: &Path,
        directory: &Path,
        gateways: &Gateways,
        count: usize,
        uri: Option<&str>,
    ) -> Result<Self> {
        let (mongod, uri) = match uri {
            Some(uri) => (None, uri.to_owned()),
            None => {
                let mongod = Mongod::start(&mongod::program(), directory)?;
                let uri = mongod.uri("fanfare-demo");
                (Some(mongod), uri)
            }
        };
        let node = |index: usize| {
            let name = format!("node-{}", index + 1);
            Server::start_node(program, directory, gateways, (&name, &uri), SETTINGS)
        };
        Ok(Self::of((0..count).map(node).collect::<Result<_>>()?, mongod))
    }

    fn of(nodes: Vec<Server>, mongod: Option<Mongod>) -> Self {
        let (cpu_of_killed, orphaned, takeover) = (Duration::ZERO, None, None);
        Self { nodes, cpu_of_killed, orphaned, takeover, _mongod: mongod }
    }

    /// The API of the node that lives to the end.
    pub fn api(&self, gateways: &Gateways) -> Result<Api> {
        Ok(self.nodes.last().context("no node lives")?.api(gateways))
    }

    /// Whether there is a node to be killed, and none was yet.
    pub fn may_kill(&self) -> bool {
        self.nodes.len() > 1 && self.orphaned.is_none()
    }

    /// Kills the first node as a loss of power would.
    pub fn kill_one(&mut self, gateways: &Gateways) -> Result<()> {
        let victim = self.nodes.remove(0);
        let held = shards_of(&victim.api(gateways))?;
        self.cpu_of_killed = victim.cpu().unwrap_or_default();
        victim.kill()?;
        self.orphaned = Some((Instant::now(), held));
        Ok(())
    }

    /// Looks which of the killed node's shards others have taken over by now.
    pub fn watch_takeover(&mut self, gateways: &Gateways) -> Result<()> {
        let Some((killed_at, orphaned)) = &mut self.orphaned else { return Ok(()) };
        for node in &self.nodes {
            for shard in shards_of(&node.api(gateways))? {
                orphaned.remove(&shard);
            }
        }
        if orphaned.is_empty() && self.takeover.is_none() {
            self.takeover = Some(killed_at.elapsed());
        }
        Ok(())
    }

    /// From the kill until others worked on all that the killed node had in hand.
    pub fn takeover(&self) -> Option<Duration> {
        self.takeover
    }

    /// What all nodes have spent, where the system tells.
    pub fn cpu(&self) -> Option<Duration> {
        let living: Option<Duration> = self.nodes.iter().map(Server::cpu).sum();
        living.map(|living| living + self.cpu_of_killed)
    }

    /// The most memory that a node has held, in KiB, where the system tells.
    pub fn peak_rss_kib(&self) -> Option<u64> {
        self.nodes.iter().filter_map(Server::peak_rss_kib).max()
    }
}

/// The shards that a node works on, by the names of their actors.
fn shards_of(api: &Api) -> Result<BTreeSet<String>> {
    let state = api.internal_state(INTERNAL_KEY)?;
    let actors = state["actors"].as_object().context("the state has no actors")?;
    Ok(actors.keys().filter(|name| name.starts_with("shard ")).cloned().collect())
}
