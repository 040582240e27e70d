//! Watching: an ordered stream of changes to what is shown.
//!
//! Every change of an item's state makes exactly one [`Event`], whatever caused it: a local write, a
//! sync, a key that arrived late, a clock that reached a deferred entry. A [`Watch`] is pulled and
//! bounded; when its reader falls behind, the oldest events go and it says how many were lost.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};

use tidelog_log::ids::{CircleId, DeviceId, EntryId, StreamId, UserId};
use tokio::sync::Notify;

use super::address::{Scope, check_name, not_everybody, rows_of};
use crate::error::Result;
use crate::value::Value;

/// Events that wait for the reader of one watch; beyond it the oldest are dropped and counted.
pub const WATCH_EVENTS_MAX: usize = 4096;

/// What happened to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The item is there already: the state at the start of a watch that asked for it.
    Current,
    /// It got a new value.
    Put,
    /// It went.
    Delete,
    /// A document took up changes.
    Merge,
    /// An entry arrived that cannot be shown: its key is missing, or it is invalid.
    Unreadable,
}

impl EventKind {
    /// The name, the same in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Merge => "merge",
            Self::Unreadable => "unreadable",
        }
    }
}

/// One change of one item.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// Name of the database, if this device knows it.
    pub database: Option<String>,
    /// The circle whose database it is; `None` if all members share it. Databases of several circles may
    /// have one name.
    pub circle: Option<CircleId>,
    /// Name of the collection; empty for an unreadable entry.
    pub collection: String,
    /// The user whose own item it is.
    pub owner: Option<UserId>,
    /// The item's key; empty for an unreadable entry.
    pub key: String,
    /// The value before, if there was one. Documents carry none: read what is needed.
    pub old: Option<Value>,
    /// The value now, if there is one. Documents carry none: read what is needed.
    pub new: Option<Value>,
    /// The device that wrote the entry.
    pub author: DeviceId,
    /// When it was written, in milliseconds since 1970-01-01 UTC by the author's clock; 0 if unknown.
    pub hlc_ms: u64,
    /// Whether this device wrote it.
    pub local: bool,
    /// The entry.
    pub entry: EntryId,
}

/// What comes out of a [`Watch`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "nearly every notice is an event: boxing would cost each one")]
pub enum Notice {
    /// A change.
    Event(Event),
    /// This many events were dropped because the reader fell behind: read the state again.
    #[serde(serialize_with = "lost")]
    Lagged(u64),
}

/// For serde, what was missed is told by a field, so that it differs from an event.
fn lost<S: serde::Serializer>(lost: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map([("lost", lost)])
}

/// Which events a watch is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interest {
    /// Only this database, by what stands for it in rows.
    pub(crate) rows: Option<StreamId>,
    /// Only databases whose names match.
    pub(crate) pattern: Option<Pattern>,
    /// Only this scope.
    pub(crate) scope: Option<Scope>,
    /// Only this item.
    pub(crate) key: Option<String>,
}

impl Interest {
    fn takes(&self, rows: StreamId, scope: Option<&Scope>, event: &Event) -> bool {
        self.rows.is_none_or(|wanted| wanted == rows)
            && self
                .pattern
                .as_ref()
                .is_none_or(|pattern| event.database.as_deref().is_some_and(|name| pattern.matches(name)))
            && self.scope.as_ref().is_none_or(|wanted| Some(wanted) == scope)
            && self.key.as_ref().is_none_or(|key| *key == event.key)
    }
}

/// A pattern for names of databases: `*` stands for anything but `/`, `**` for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for one that no name can match.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        // Every star may stand for nothing, but a name cannot be empty.
        let shortest = text.replace('*', "");
        check_name("database", if shortest.is_empty() && !text.is_empty() { "*" } else { &shortest })?;
        Ok(Self(text.to_owned()))
    }

    /// Whether a name matches, in time at most the product of both lengths.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let name = name.as_bytes();
        // Positions in the name that the pattern so far can end at.
        let mut ends = vec![false; name.len() + 1];
        ends[0] = true;
        let mut rest = self.0.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            let mut next = vec![false; name.len() + 1];
            if first == b'*' {
                let deep = after.first() == Some(&b'*');
                rest = if deep { &after[1..] } else { after };
                let mut open = false;
                for position in 0..=name.len() {
                    open |= ends[position];
                    next[position] = open;
                    open &= deep || name.get(position) != Some(&b'/');
                }
            } else {
                rest = after;
                for position in 0..name.len() {
                    next[position + 1] = ends[position] && name[position] == first;
                }
            }
            ends = next;
        }
        ends[name.len()]
    }
}

#[derive(Debug)]
struct Subscriber {
    interest: Interest,
    queue: Mutex<Queue>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Event>,
    lost: u64,
    closed: bool,
}

impl Subscriber {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands events to the watches. Also knows the names of databases.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    subscribers: Mutex<Subscribers>,
    names: RwLock<Names>,
}

/// The databases that were named so far.
#[derive(Debug, Default)]
struct Names {
    by_rows: HashMap<StreamId, (CircleId, String)>,
    by_stream: HashMap<StreamId, (CircleId, StreamId)>,
}

#[derive(Debug, Default)]
struct Subscribers {
    list: Vec<Weak<Subscriber>>,
    closed: bool,
}

impl Hub {
    fn subscribers(&self) -> MutexGuard<'_, Subscribers> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a watch of what happens after this call.
    pub(crate) fn watch(&self, interest: Interest) -> Watch {
        let subscriber = Arc::new(Subscriber { interest, queue: Mutex::default(), notify: Notify::new() });
        let mut subscribers = self.subscribers();
        subscriber.queue().closed = subscribers.closed;
        subscribers.list.retain(|subscriber| subscriber.strong_count() > 0);
        subscribers.list.push(Arc::downgrade(&subscriber));
        drop(subscribers);
        Watch { subscriber, first: VecDeque::new() }
    }

    /// Whether anybody watches, so that events have to be made at all.
    pub(crate) fn is_watched(&self) -> bool {
        self.subscribers().list.iter().any(|subscriber| subscriber.strong_count() > 0)
    }

    /// Hands an event to everybody it concerns.
    pub(crate) fn send(&self, rows: StreamId, scope: Option<&Scope>, mut event: Event) {
        if let Some((circle, name)) = self.names().by_rows.get(&rows) {
            (event.database, event.circle) = (Some(name.clone()), not_everybody(*circle));
        }
        for subscriber in self.subscribers().list.iter().filter_map(Weak::upgrade) {
            if !subscriber.interest.takes(rows, scope, &event) {
                continue;
            }
            let mut queue = subscriber.queue();
            if queue.events.len() >= WATCH_EVENTS_MAX {
                queue.events.pop_front();
                queue.lost += 1;
            }
            queue.events.push_back(event.clone());
            drop(queue);
            subscriber.notify.notify_one();
        }
    }

    /// Ends every watch once its events are read.
    pub(crate) fn close(&self) {
        let mut subscribers = self.subscribers();
        subscribers.closed = true;
        for subscriber in subscribers.list.drain(..).filter_map(|subscriber| subscriber.upgrade()) {
            subscriber.queue().closed = true;
            subscriber.notify.notify_one();
        }
    }

    fn names(&self) -> RwLockReadGuard<'_, Names> {
        self.names.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the name of a database, and whose its stream is.
    pub(crate) fn set_name(&self, stream: StreamId, circle: &CircleId, name: &str) {
        let rows = rows_of(stream, circle);
        let known = self.names().by_rows.get(&rows).is_some_and(|(_, known)| known == name);
        if !known {
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            names.by_rows.insert(rows, (*circle, name.to_owned()));
            names.by_stream.insert(stream, (*circle, rows));
        }
    }

    /// The name of the database of a stream, if it is known.
    pub(crate) fn name(&self, stream: StreamId) -> Option<String> {
        let names = self.names();
        let (_, rows) = names.by_stream.get(&stream)?;
        names.by_rows.get(rows).map(|(_, name)| name.clone())
    }

    /// What stands for the database of a stream in rows, if it is known whose the stream is.
    pub(crate) fn rows(&self, stream: StreamId) -> Option<StreamId> {
        self.names().by_stream.get(&stream).map(|(_, rows)| *rows)
    }

    /// The circle whose the stream is, if that is known.
    pub(crate) fn circle(&self, stream: StreamId) -> Option<CircleId> {
        self.names().by_stream.get(&stream).map(|(circle, _)| *circle)
    }
}

/// A stream of changes, pulled by its reader. Dropping it ends it.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::{EventKind, Notice};
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let notes = workspace.database("main").collection::<String>("notes");
/// let mut watch = notes.watch(None, false)?;
/// notes.put("tide", &"Low at six.".to_owned()).await?;
///
/// let Some(Notice::Event(event)) = watch.next().await else { panic!("something was written") };
/// assert_eq!((event.kind, event.key.as_str()), (EventKind::Put, "tide"));
/// assert_eq!((event.old, event.new), (None, Some("Low at six.".into())));
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Debug)]
pub struct Watch {
    subscriber: Arc<Subscriber>,
    first: VecDeque<Event>,
}

impl Watch {
    /// Adds an event to those that come before all that happens.
    pub(crate) fn begin_with(&mut self, event: Event) {
        self.first.push_back(event);
    }

    /// The next change, once there is one; `None` after the workspace was shut down.
    ///
    /// # Cancellation
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            match self.try_next() {
                Ok(notice) => return Some(notice),
                Err(Empty::Closed) => return None,
                // A notice that comes before the wait is kept by `Notify` as a permit.
                Err(Empty::Waiting) => self.subscriber.notify.notified().await,
            }
        }
    }

    /// The next change if there is one already.
    pub fn next_now(&mut self) -> Option<Notice> {
        self.try_next().ok()
    }

    fn try_next(&mut self) -> Result<Notice, Empty> {
        if let Some(event) = self.first.pop_front() {
            return Ok(Notice::Event(event));
        }
        let mut queue = self.subscriber.queue();
        if queue.lost > 0 {
            return Ok(Notice::Lagged(std::mem::take(&mut queue.lost)));
        }
        match queue.events.pop_front() {
            Some(event) => Ok(Notice::Event(event)),
            None if queue.closed => Err(Empty::Closed),
            None => Err(Empty::Waiting),
        }
    }
}

enum Empty {
    Waiting,
    Closed,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::address::Policy;

    fn scope(collection: &str) -> Scope {
        Scope { stream: StreamId([1; 16]), collection: collection.into(), policy: Policy::Lww, owner: None }
    }

    fn event(collection: &str, key: &str) -> Event {
        Event {
            kind: EventKind::Put,
            database: None,
            circle: None,
            collection: collection.into(),
            owner: None,
            key: key.into(),
            old: None,
            new: Some(Value::Int(1)),
            author: DeviceId::ZERO,
            hlc_ms: 0,
            local: true,
            entry: EntryId::ZERO,
        }
    }

    fn send(hub: &Hub, collection: &str, key: &str) {
        hub.send(StreamId([1; 16]), Some(&scope(collection)), event(collection, key));
    }

    fn keys(watch: &mut Watch) -> Vec<String> {
        std::iter::from_fn(|| watch.next_now())
            .map(|notice| match notice {
                Notice::Event(event) => event.key,
                Notice::Lagged(count) => format!("lagged {count}"),
            })
            .collect()
    }

    #[test]
    fn each_watch_gets_what_it_is_interested_in() {
        let hub = Hub::default();
        hub.set_name(StreamId([1; 16]), &CircleId::WORKSPACE, "chat/room");
        let mut watches = [
            Interest::default(),
            Interest { rows: Some(StreamId([1; 16])), ..Interest::default() },
            Interest { rows: Some(StreamId([2; 16])), ..Interest::default() },
            Interest { scope: Some(scope("a")), ..Interest::default() },
            Interest { scope: Some(scope("a")), key: Some("k2".into()), ..Interest::default() },
            Interest { pattern: Some(Pattern::parse("chat/**").expect("a pattern")), ..Interest::default() },
            Interest { pattern: Some(Pattern::parse("mail/*").expect("a pattern")), ..Interest::default() },
        ]
        .map(|interest| hub.watch(interest));
        send(&hub, "a", "k1");
        send(&hub, "a", "k2");
        send(&hub, "b", "k3");
        let expected: [&[&str]; 7] =
            [&["k1", "k2", "k3"], &["k1", "k2", "k3"], &[], &["k1", "k2"], &["k2"], &["k1", "k2", "k3"], &[]];
        for (watch, expected) in watches.iter_mut().zip(expected) {
            assert_eq!(keys(watch), expected);
        }
    }

    #[test]
    fn a_full_watch_drops_the_oldest_events_and_says_how_many() {
        let hub = Hub::default();
        let mut watch = hub.watch(Interest::default());
        for number in 0..WATCH_EVENTS_MAX {
            send(&hub, "a", &number.to_string());
        }
        send(&hub, "a", "one more");
        let keys = keys(&mut watch);
        assert_eq!(keys[0], "lagged 1");
        assert_eq!(keys[1], "1");
        assert_eq!(keys.len(), 1 + WATCH_EVENTS_MAX);
    }

    #[test]
    fn nobody_watches_after_the_last_watch_is_dropped() {
        let hub = Hub::default();
        assert!(!hub.is_watched());
        let watch = hub.watch(Interest::default());
        assert!(hub.is_watched());
        drop(watch);
        assert!(!hub.is_watched());
    }

    #[tokio::test]
    async fn a_watch_ends_after_its_last_event_once_the_hub_is_closed() {
        let hub = Hub::default();
        let mut watch = hub.watch(Interest::default());
        watch.begin_with(event("a", "first"));
        send(&hub, "a", "k");
        hub.close();
        assert_eq!(keys(&mut watch), ["first", "k"]);
        assert_eq!(watch.next().await, None);
        assert_eq!(hub.watch(Interest::default()).next().await, None);
    }

    #[tokio::test]
    async fn a_waiting_reader_is_woken() {
        let hub = Arc::new(Hub::default());
        let mut watch = hub.watch(Interest::default());
        let reader = tokio::spawn(async move { watch.next().await });
        tokio::task::yield_now().await;
        send(&hub, "a", "k");
        assert_eq!(reader.await.expect("joins"), Some(Notice::Event(event("a", "k"))));
    }

    #[test]
    fn patterns_match_names() {
        for (pattern, name, expected) in [
            ("chat", "chat", true),
            ("chat", "chats", false),
            ("chat/*", "chat/room", true),
            ("chat/*", "chat/room/7", false),
            ("chat/**", "chat/room/7", true),
            ("**", "", true),
            ("*/room", "chat/room", true),
            ("*a*b", "xxaxxb", true),
            ("*a*b", "xxaxx", false),
            ("**/7", "chat/room/7", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).expect("a pattern").matches(name),
                expected,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn patterns_that_no_name_can_match_are_refused() {
        for pattern in ["", "chat/\n*", &"x".repeat(256)] {
            let refused = Pattern::parse(pattern).expect_err("refused");
            assert_eq!(refused.kind(), crate::ErrorKind::InvalidArgument, "{pattern:?}");
        }
        assert!(Pattern::parse(&format!("{}**", "x".repeat(255))).is_ok());
    }
}
