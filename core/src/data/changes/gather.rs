//! Changes out of entries that another log gave: checked and opened here, because whoever holds that
//! log may hold no keys, and may lie.

use std::collections::{HashMap, HashSet};

use tidelog_log::directory::Directory;
use tidelog_log::entry::{Entry, Header, Kind};
use tidelog_log::ids::{CircleId, EntryId, StreamId};
use tidelog_log::session::Replica as _;

use super::{Change, ChangeKind, storage};
use crate::data::materialise::{Unsealed, unseal};
use crate::data::operation::{Action, Operations};
use crate::data::tables::Version;
use crate::document::begin::Begin;
use crate::document::parse_change;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// Entries in the other log's order of arrival become one change for each item.
pub(crate) struct Gathering<'e> {
    engine: &'e Engine,
    directory: Directory,
    stream: StreamId,
    circle: CircleId,
    items: HashMap<Vec<u8>, (Version, Change)>,
    unread: Vec<Change>,
}

impl<'e> Gathering<'e> {
    /// Of the stream of a database, judged by the directory as it is now.
    pub(crate) fn new(engine: &'e Engine, (stream, circle): (StreamId, CircleId)) -> Self {
        let directory = engine.log.directory();
        Self { engine, directory, stream, circle, items: HashMap::new(), unread: Vec::new() }
    }

    /// How many of these entries, from the front, are vouched for by signatures of their authors.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] for what no honest log gives out.
    pub(crate) fn proven(&self, entries: &[(u64, Entry)]) -> Result<usize> {
        let mut vouched: HashSet<EntryId> = HashSet::new();
        let mut proven = entries.len();
        for (index, (_, entry)) in entries.iter().enumerate().rev() {
            let (id, header) = (entry.id(), entry.header());
            if header.stream != self.stream || header.workspace != self.engine.workspace() {
                return Err(dishonest("entries that were not asked for"));
            }
            if !vouched.remove(&id) && self.engine.log.position(&id).map_err(storage)?.is_none() {
                if header.covered {
                    proven = index;
                    continue;
                }
                let key = self.directory.public_key(&header.author);
                if !key.is_some_and(|key| header.verify(&key)) {
                    return Err(dishonest("an entry that its author did not sign"));
                }
            }
            vouched.insert(header.prev);
        }
        Ok(proven)
    }

    /// Adds a proven entry. What does not count is passed over.
    pub(crate) fn add(&mut self, arrival: u64, entry: &Entry) {
        if entry.header().kind != Kind::Data || !self.counts(entry.header()) {
            return;
        }
        if !self.belongs(entry.header()) {
            return self.unread(ChangeKind::Invalid, arrival, entry);
        }
        let (hlc, operations) = match unseal(&self.engine.keyring, entry) {
            Unsealed::Plain { hlc, operations } => (hlc, operations),
            Unsealed::MissingKey => return self.unread(ChangeKind::MissingKey, arrival, entry),
            Unsealed::Invalid | Unsealed::Newer => return self.unread(ChangeKind::Invalid, arrival, entry),
        };
        let Some(operations) = self.sound(entry, &operations) else {
            return self.unread(ChangeKind::Invalid, arrival, entry);
        };
        let mut index = 0;
        for group in operations.groups() {
            let scope = group.scope(self.stream);
            for operation in &group.operations {
                let delete = matches!(operation.action, Action::Delete);
                let version = Version { hlc, delete, entry: entry.id(), index };
                index += 1;
                let change = Change {
                    kind: if delete { ChangeKind::Delete } else { ChangeKind::Put },
                    collection: scope.collection.clone(),
                    policy: Some(scope.policy),
                    owner: scope.owner,
                    key: operation.key.clone(),
                    entry: entry.id(),
                    author: entry.header().author,
                    arrival,
                };
                let known = self.items.entry(scope.item_row(&operation.key));
                let (latest, shown) = known.or_insert_with(|| (version, change.clone()));
                if version > *latest {
                    (*latest, *shown) = (version, change);
                }
                shown.arrival = arrival;
            }
        }
    }

    /// Changes so far.
    pub(crate) fn len(&self) -> usize {
        self.items.len() + self.unread.len()
    }

    /// The changes, the earliest first.
    pub(crate) fn finish(self) -> Vec<Change> {
        let mut changes: Vec<Change> = self.items.into_values().map(|(_, change)| change).collect();
        changes.extend(self.unread);
        let place = |change: &Change| (change.arrival, change.collection.clone(), change.key.clone());
        changes.sort_by_cached_key(place);
        changes
    }

    /// Whether the author may write it, and it is not past a cut.
    fn counts(&self, header: &Header) -> bool {
        let may = self.directory.may_write(&header.author, &header.auth, &header.key_id).is_ok();
        let granted = self.directory.granted(&header.author, &header.stream);
        let limits = self.directory.limits(&header.author, &header.stream);
        let past = limits.iter().any(|limit| {
            limit.cut.is_none_or(|(seq, _)| header.seq > seq) && self.directory.binds(limit, header)
        });
        (may || granted.is_some_and(|(seq, _)| header.seq <= seq)) && !past
    }

    /// Whether its key is one of the database's circle, as far as its author could know; a key that was
    /// unknown there is one of circle zero.
    fn belongs(&self, header: &Header) -> bool {
        let circles = self.directory.circles_of_key_at(&header.key_id, &header.auth);
        if circles.is_empty() { self.circle == CircleId::WORKSPACE } else { circles == [self.circle].into() }
    }

    /// The operations of an entry, if all of them belong.
    fn sound(&self, entry: &Entry, operations: &[u8]) -> Option<Operations> {
        let operations = Operations::decode(operations).ok()?;
        let author = self.directory.owner_of(&entry.header().author);
        let sound = operations.groups().iter().all(|group| {
            let own = group.owner.is_none_or(|owner| author == Some(owner));
            own && group.operations.iter().all(|operation| match &operation.action {
                Action::Change(bytes) => parse_change(bytes).is_ok(),
                Action::Begin { heads, before, change } => {
                    Begin::parse(heads.clone(), before.clone(), change).is_ok()
                }
                Action::Put(_) | Action::Delete => true,
            })
        });
        sound.then_some(operations)
    }

    fn unread(&mut self, kind: ChangeKind, arrival: u64, entry: &Entry) {
        self.unread.push(Change {
            kind,
            collection: String::new(),
            policy: None,
            owner: None,
            key: String::new(),
            entry: entry.id(),
            author: entry.header().author,
            arrival,
        });
    }
}

fn dishonest(what: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("the other side gave {what}: do not trust it"))
}
