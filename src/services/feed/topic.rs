//! One stream of an app's status, for all who watch it: the latest, the patches that led to it, and
//! where new ones are heard. Whoever falls behind skips to a snapshot; nobody is waited for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{sync::broadcast, time::Instant};

use super::{history::History, patch};

/// Messages that a watcher may be behind before it skips.
const BEHIND: usize = 32;
/// Patches kept for those who come back, at the most.
const KEPT_PATCHES: usize = 240;
/// Their length together, at the most.
const KEPT_BYTES: usize = 512 * 1024;
/// Members that are about the moment alone: where nothing else has changed, nothing is told but now
/// and then.
const OF_THE_MOMENT: [&str; 1] = ["at"];
/// How many statuses in a row may differ in the moment alone before they are told.
const QUIET: u32 = 4;

/// A status that was told longer ago is of a time when nobody watched: whoever joins then waits for the
/// next, which comes at once.
const STALE: Duration = Duration::from_secs(1);

/// A message to a watcher, as JSON; the same text for all.
pub type Text = Arc<str>;

/// One stream.
pub struct Topic {
    epoch: String,
    sender: broadcast::Sender<Text>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Counts the statuses told.
    seq: u64,
    latest: Option<Value>,
    /// The rates up to the latest; told with it where it is told whole, and never in a patch.
    history: History,
    /// The latest written down, once somebody has asked for it.
    snapshot: Option<Text>,
    /// The patches that led to it, oldest first.
    patches: VecDeque<(u64, Text)>,
    bytes: usize,
    quiet: u32,
    /// When the latest was told, or could have been.
    told_at: Option<Instant>,
    /// Whether somebody has joined who waits for the next status whole.
    afresh: bool,
}

/// What a watcher joins with: what it must hear first, and where it hears the rest.
pub struct Joined {
    /// How to come back here.
    pub resume: String,
    /// To be told first.
    pub first: Vec<Text>,
    /// Everything after it.
    pub rest: broadcast::Receiver<Text>,
}

impl Topic {
    /// A stream on which nothing was told yet.
    pub fn new() -> Self {
        let epoch = uuid::Uuid::new_v4().simple().to_string();
        Self { epoch, sender: broadcast::Sender::new(BEHIND), state: Mutex::default() }
    }

    /// Whether a resume text of this epoch is meant for this stream.
    pub fn is_epoch(&self, epoch: &str) -> bool {
        self.epoch == epoch
    }

    /// How many watch.
    pub fn watchers(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Joins, after the status of number `seen` where that is given and still told of. Before the first
    /// status there is nothing to be told first.
    pub fn join(&self, seen: Option<u64>) -> Joined {
        let mut state = self.lock();
        let missed = seen.and_then(|seen| Some((seen, state.since(seen)?)));
        let (seq, first) = missed.unwrap_or_else(|| match state.is_stale() {
            true => {
                state.afresh = true;
                (state.seq, Vec::new())
            }
            false => (state.seq, state.snapshot()),
        });
        let resume = format!("{}.{seq}", self.epoch);
        // Under the lock: what is told from now on is heard.
        Joined { resume, first, rest: self.sender.subscribe() }
    }

    /// Tells the next status, and how the rates were before it.
    pub fn tell(&self, status: Value, history: History) {
        let mut state = self.lock();
        state.told_at = Some(Instant::now());
        // Whoever joined before the first status, or long after the latest, waits for a whole one.
        let is_whole = state.afresh || state.latest.is_none();
        let patch = state.latest.as_ref().map(|before| patch::difference(before, &status));
        if !is_whole && patch.as_ref().is_some_and(|patch| state.passes_over(patch.as_ref())) {
            return;
        }
        state.next(status, history);
        let delta = patch.map(|patch| state.delta(patch.unwrap_or_else(|| json!({}))));
        let told = if is_whole { state.snapshot() } else { delta.into_iter().collect() };
        // Nobody to hear it is no trouble.
        told.into_iter().for_each(|text| drop(self.sender.send(text)));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the latest is of a time when nobody watched.
    fn is_stale(&self) -> bool {
        self.told_at.is_some_and(|at| at.elapsed() > STALE)
    }

    /// Whether a difference is none, or is not worth telling yet.
    fn passes_over(&mut self, patch: Option<&Value>) -> bool {
        let Some(patch) = patch else { return true };
        let rests = is_of_the_moment(patch) && self.quiet + 1 < QUIET;
        self.quiet += u32::from(rests);
        rests
    }

    fn next(&mut self, status: Value, history: History) {
        self.seq += 1;
        (self.latest, self.history) = (Some(status), history);
        (self.snapshot, self.quiet, self.afresh) = (None, 0, false);
    }

    /// What has led to the latest, written down and held for those who come back.
    fn delta(&mut self, patch: Value) -> Text {
        let message = json!({ "type": "delta", "seq": self.seq, "patch": patch });
        let text: Text = message.to_string().into();
        self.keep(Arc::clone(&text));
        text
    }

    /// The patches after that one; none where not all of them are held.
    fn since(&self, seen: u64) -> Option<Vec<Text>> {
        let oldest = self.patches.front().map_or(self.seq + 1, |(seq, _)| *seq);
        let is_held =
            self.latest.is_some() && (oldest.saturating_sub(1)..=self.seq).contains(&seen);
        let after = self.patches.iter().filter(|(seq, _)| *seq > seen);
        is_held.then(|| after.map(|(_, text)| Arc::clone(text)).collect())
    }

    fn snapshot(&mut self) -> Vec<Text> {
        let Some(latest) = &self.latest else { return Vec::new() };
        let written = self.snapshot.get_or_insert_with(|| {
            let (seq, history) = (self.seq, &self.history);
            let told = json!({
                "type": "snapshot", "seq": seq, "status": latest, "history": history,
            });
            told.to_string().into()
        });
        vec![Arc::clone(written)]
    }

    fn keep(&mut self, text: Text) {
        self.bytes += text.len();
        self.patches.push_back((self.seq, text));
        while self.patches.len() > KEPT_PATCHES || self.bytes > KEPT_BYTES {
            let Some((_, oldest)) = self.patches.pop_front() else { return };
            self.bytes -= oldest.len();
        }
    }
}

/// Whether a patch says nothing but that time has passed.
fn is_of_the_moment(patch: &Value) -> bool {
    let of_nodes = |nodes: &Value| {
        nodes.as_object().is_some_and(|nodes| {
            let mut members =
                nodes.values().flat_map(|node| node.as_object().into_iter().flatten());
            nodes.values().all(Value::is_object) && members.all(|(key, _)| key == "last_seen")
        })
    };
    patch.as_object().is_some_and(|members| {
        members.iter().all(|(key, value)| match key.as_str() {
            "nodes" => of_nodes(value),
            key => OF_THE_MOMENT.contains(&key),
        })
    })
}

#[cfg(test)]
mod tests {
    use tokio::sync::broadcast::error::TryRecvError;

    use super::*;

    fn status(sent: u64) -> Value {
        json!({ "at": sent.to_string(), "sent": sent })
    }

    fn tell(topic: &Topic, sent: u64) {
        topic.tell(status(sent), History::default());
    }

    fn read(text: &Text) -> Value {
        serde_json::from_str(text).expect("JSON")
    }

    #[test]
    fn the_first_hears_a_snapshot_and_then_patches() {
        let topic = Topic::new();
        let mut joined = topic.join(None);
        assert!(joined.first.is_empty());
        tell(&topic, 1);
        tell(&topic, 2);
        let told = read(&joined.rest.try_recv().expect("told"));
        assert_eq!(
            told,
            json!({
                "type": "snapshot", "seq": 1, "status": status(1),
                "history": {"rates": {}, "campaigns": {}},
            })
        );
        let told = read(&joined.rest.try_recv().expect("told"));
        assert_eq!(told, json!({"type": "delta", "seq": 2, "patch": {"at": "2", "sent": 2}}));
        let later = topic.join(None);
        let first: Vec<_> = later.first.iter().map(read).collect();
        assert_eq!((first.len(), &first[0]["status"]), (1, &status(2)));
        assert!(later.resume.ends_with(".2") && topic.is_epoch(&later.resume[..32]));
        assert_eq!(topic.watchers(), 2);
    }

    #[test]
    fn who_comes_back_hears_what_it_missed() {
        let topic = Topic::new();
        (1..=5).for_each(|sent| tell(&topic, sent));
        let missed: Vec<_> = topic.join(Some(3)).first.iter().map(read).collect();
        assert_eq!(missed.iter().map(|told| told["seq"].clone()).collect::<Vec<_>>(), [4, 5]);
        assert!(topic.join(Some(5)).first.is_empty());
        for unheld in [0, 6, u64::MAX] {
            let joined = topic.join(Some(unheld));
            assert_eq!(read(&joined.first[0])["type"], "snapshot", "{unheld}");
            assert!(joined.resume.ends_with(".5"), "what was never told is not echoed: {unheld}");
        }
        (6..=6 + KEPT_PATCHES as u64).for_each(|sent| tell(&topic, sent));
        assert_eq!(read(&topic.join(Some(5)).first[0])["type"], "snapshot");
    }

    #[test]
    fn who_joins_after_a_while_waits_for_a_whole_status() {
        let topic = Topic::new();
        tell(&topic, 1);
        topic.lock().told_at = Some(Instant::now() - 2 * STALE);
        let (back, mut joined) = (topic.join(Some(1)), topic.join(None));
        assert!(back.first.is_empty() && joined.first.is_empty(), "what there is is old");
        tell(&topic, 2);
        let told = read(&joined.rest.try_recv().expect("told"));
        assert_eq!((&told["type"], &told["seq"]), (&json!("snapshot"), &json!(2)));
        tell(&topic, 3);
        assert_eq!(read(&joined.rest.try_recv().expect("told"))["type"], "delta");
        assert_eq!(topic.join(Some(1)).first.len(), 2, "what led there is held all the same");
    }

    #[test]
    fn who_does_not_listen_skips_and_holds_nothing() {
        let topic = Topic::new();
        let mut joined = topic.join(None);
        (1..=100).for_each(|sent| tell(&topic, sent));
        assert!(matches!(joined.rest.try_recv(), Err(TryRecvError::Lagged(_))));
        assert_eq!(read(&topic.join(None).first[0])["status"], status(100));
    }

    #[test]
    fn the_passing_of_time_alone_is_told_now_and_then() {
        let topic = Topic::new();
        let quiet =
            |at: u32| json!({ "at": at, "nodes": { "n": { "last_seen": at, "shards": 0 } } });
        let mut joined = topic.join(None);
        (0..=8).for_each(|at| topic.tell(quiet(at), History::default()));
        let told: Vec<_> = std::iter::from_fn(|| joined.rest.try_recv().ok()).collect();
        assert_eq!(told.len(), 3);
        assert_eq!(read(&told[2])["patch"]["at"], 8);
    }
}
