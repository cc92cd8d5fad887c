//! The streams of one app and the task that feeds them, and what a watcher holds of one. The task sleeps
//! while nobody watches, and ends when nobody has for a while.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::Value;
use tokio::{
    sync::{
        Notify,
        broadcast::{self, error::RecvError},
    },
    time::{Instant, MissedTickBehavior},
};

use super::{
    Shared, TICK,
    source::Source,
    topic::{Joined, Text, Topic},
};
use crate::domain::{
    Result,
    ids::{AppName, NotificationId},
};

/// How long a stream is kept for watchers to come back to.
const LINGER: Duration = Duration::from_secs(60);
/// Notifications of one app that have a stream at once. Each costs a look at the store and at the actors
/// at every tick.
pub const MOST_NOTIFICATIONS: usize = 50;
/// An app that more than so many watch is told of every second tick: each telling costs each watcher a
/// write to its socket, and a campaign on the same cores should hardly feel a thousand of them.
const CROWD: usize = 250;

/// The streams of one app.
pub struct AppFeed {
    source: tokio::sync::Mutex<Source>,
    streams: Mutex<Streams>,
    joined: Notify,
}

/// By the notification that a stream is of; none is all of the app's.
type Streams = HashMap<Option<NotificationId>, Stream>;

struct Stream {
    topic: Arc<Topic>,
    watched_at: Instant,
}

impl Stream {
    fn is_watched(&self) -> bool {
        self.topic.watchers() > 0
    }
}

impl AppFeed {
    /// Nobody watches yet.
    pub fn new(source: Source) -> Self {
        let source = tokio::sync::Mutex::new(source);
        Self { source, streams: Mutex::default(), joined: Notify::new() }
    }

    /// Joins a stream, all of the app's or one notification's; none where too many notifications are
    /// watched already.
    pub fn watch(
        &self,
        notification: Option<NotificationId>,
        resume: Option<&str>,
    ) -> Option<Watch> {
        let mut streams = self.streams();
        if notification.is_some() && !streams.contains_key(&notification) {
            make_room(&mut streams)?;
        }
        let stream = streams.entry(notification).or_insert_with(|| Stream {
            topic: Arc::new(Topic::new()),
            watched_at: Instant::now(),
        });
        let topic = &stream.topic;
        let seen = resume.and_then(|text| {
            let (epoch, seq) = text.rsplit_once('.')?;
            seq.parse().ok().filter(|_| topic.is_epoch(epoch))
        });
        let joined = topic.join(seen);
        self.joined.notify_one();
        Some(Watch::new(topic, joined))
    }

    /// Whether anybody watches.
    pub fn is_watched(&self) -> bool {
        self.watchers() > 0
    }

    /// How many watch.
    pub fn watchers(&self) -> usize {
        self.streams().values().map(|stream| stream.topic.watchers()).sum()
    }

    /// The status now.
    pub async fn status(&self) -> Result<Value> {
        Ok(self.source.lock().await.look(&BTreeSet::new()).await?.all())
    }

    /// Tells every stream that is watched the status as it is now.
    async fn tick(&self) {
        let watched = self.watched();
        let besides = watched.iter().filter_map(|(notification, _)| *notification).collect();
        let mut source = self.source.lock().await;
        let picture = match source.look(&besides).await {
            Ok(picture) => picture,
            // Nothing was ever read; the next tick tries again.
            Err(error) => return tracing::debug!(%error, "the status cannot be told"),
        };
        let (picture, source) = (&picture, &*source);
        join_all(watched.into_iter().map(|(notification, topic)| async move {
            match notification {
                Some(uuid) => {
                    let status = picture.of(uuid, source.actors_of(uuid).await);
                    topic.tell(status, picture.history_of(uuid));
                }
                None => topic.tell(picture.all(), picture.history()),
            }
        }))
        .await;
    }

    /// The streams that are watched now. Those that nobody has watched for long are dropped.
    fn watched(&self) -> Vec<(Option<NotificationId>, Arc<Topic>)> {
        let (mut streams, now) = (self.streams(), Instant::now());
        streams.values_mut().filter(|stream| stream.is_watched()).for_each(|stream| {
            stream.watched_at = now;
        });
        streams.retain(|_, stream| now - stream.watched_at < LINGER);
        let watched = streams.iter().filter(|(_, stream)| stream.is_watched());
        watched.map(|(of, stream)| (*of, Arc::clone(&stream.topic))).collect()
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room for one more notification's stream: one that is kept for watchers to come back to makes room.
fn make_room(streams: &mut Streams) -> Option<()> {
    if streams.keys().flatten().count() < MOST_NOTIFICATIONS {
        return Some(());
    }
    let is_left = |(of, stream): &(&Option<_>, &Stream)| of.is_some() && !stream.is_watched();
    let left = streams.iter().filter(is_left).min_by_key(|(_, stream)| stream.watched_at);
    let oldest = left.map(|(of, _)| *of)?;
    streams.remove(&oldest).map(drop)
}

/// Feeds an app's streams for as long as anybody watches, and a little longer.
pub async fn run(feed: Arc<AppFeed>, shared: Weak<Shared>, app: AppName) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let Some(shared) = shared.upgrade() else { return };
        if shared.engine.is_stopping() {
            shared.apps().remove(&app);
            return;
        }
        if feed.is_watched() {
            drop(shared);
            let pauses = if feed.watchers() > CROWD { 2 } else { 1 };
            for _ in 0..pauses {
                ticks.tick().await;
            }
            feed.tick().await;
            continue;
        }
        tokio::select! {
            () = feed.joined.notified() => ticks.reset_immediately(),
            () = tokio::time::sleep(LINGER) => {
                let mut apps = shared.apps();
                // Joined under this lock.
                if !feed.is_watched() {
                    apps.remove(&app);
                    return;
                }
            }
        }
    }
}

/// One watcher's part in a stream.
pub struct Watch {
    topic: Weak<Topic>,
    resume: String,
    first: VecDeque<Text>,
    rest: broadcast::Receiver<Text>,
}

impl Watch {
    fn new(topic: &Arc<Topic>, joined: Joined) -> Self {
        let Joined { resume, first, rest } = joined;
        Self { topic: Arc::downgrade(topic), resume, first: first.into(), rest }
    }

    /// What to say to come back here later.
    pub fn resume(&self) -> &str {
        &self.resume
    }

    /// The next message; none when the feed has ended. Whoever asks too seldom gets a snapshot in the
    /// place of what it missed. Nothing is lost where the future is dropped.
    pub async fn next(&mut self) -> Option<Text> {
        loop {
            if let Some(text) = self.first.pop_front() {
                return Some(text);
            }
            match self.rest.recv().await {
                Ok(text) => return Some(text),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(_)) => {
                    let joined = self.topic.upgrade()?.join(None);
                    self.first = joined.first.into();
                    self.rest = joined.rest;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::history::History, *};

    #[test]
    fn so_many_notifications_have_streams_and_those_left_make_room() {
        let id = |n: usize| Some(NotificationId(uuid::Uuid::from_u128(n as u128)));
        let start = Instant::now();
        let stream = |n: u64| Stream {
            topic: Arc::new(Topic::new()),
            watched_at: start + Duration::from_secs(n),
        };
        let mut streams: Streams =
            (0..MOST_NOTIFICATIONS - 1).map(|n| (id(n), stream(n as u64))).collect();
        streams.insert(None, stream(0));
        let heard: Vec<_> = streams.values().map(|stream| stream.topic.join(None)).collect();
        assert!(make_room(&mut streams).is_some());
        assert_eq!(streams.len(), MOST_NOTIFICATIONS, "there was room");
        streams.insert(id(1000), stream(2000));
        streams.insert(id(1001), stream(1000));
        assert!(make_room(&mut streams).is_some());
        assert!(streams.contains_key(&id(1000)) && !streams.contains_key(&id(1001)), "the oldest");
        streams.remove(&id(1000));
        let last = stream(0);
        let watched = last.topic.join(None);
        streams.insert(id(1002), last);
        assert!(make_room(&mut streams).is_none(), "all are watched");
        drop((heard, watched));
        assert!(make_room(&mut streams).is_some());
        assert!(streams.contains_key(&None), "the app's own does not count");
    }

    #[tokio::test]
    async fn a_watcher_that_fell_behind_goes_on_from_a_snapshot() {
        let topic = Arc::new(Topic::new());
        let tell = |sent: u64| topic.tell(json!({ "sent": sent }), History::default());
        tell(0);
        let mut watch = Watch::new(&topic, topic.join(None));
        let mut next = async || -> Value {
            let told = watch.next().await.expect("the stream goes on");
            serde_json::from_str(&told).expect("JSON")
        };
        assert_eq!(next().await["seq"], 1);
        (1..=100).for_each(tell);
        let told = next().await;
        assert_eq!((&told["type"], &told["status"]["sent"]), (&json!("snapshot"), &json!(100)));
        tell(101);
        let told = next().await;
        assert_eq!((&told["type"], &told["seq"]), (&json!("delta"), &json!(102)));
        drop(topic);
        assert!(watch.next().await.is_none(), "an ended stream says so");
    }
}
