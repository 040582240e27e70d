//! From entries to what is shown: the one place that writes the data tables.
//!
//! The tables are a function of (entries that count, keys held, local time), whatever order these
//! came in:
//!
//! * an entry whose key is missing waits, and is applied when the key comes;
//! * an entry of another device that is too far in the future waits until local time reaches it,
//!   save for its document changes, which need no clock;
//! * an entry that does not decrypt or decode changes nothing, on any replica, as a whole: one bad
//!   operation voids all of its entry;
//! * what an entry does is shown in the database of its stream and of the circle of its key: one sealed
//!   for another circle than the stream's is shown nowhere (see [`super::address::rows_of`]);
//! * an entry that counts no longer is taken back (see `retract`);
//! * everything else is decided by versions (see [`super::tables`]), never by arrival.
//!
//! What is shown of an item can be computed again from the entries that its history rows name.
//! Only the numbers in the table of changes, and the arrival numbers kept for them, follow the
//! order of arrival.
//!
//! Runs inside the log's state transaction. Events are kept back until that is committed.

mod document;
mod retract;
mod unseal;
mod waiting;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tidelog_log::directory::Directory;
use tidelog_log::entry::{Entry, Kind};
use tidelog_log::env::{Random, random_array};
use tidelog_log::ids::{CircleId, DeviceId, EntryId, StreamId};
use tidelog_log::log::{Apply, Held, LogError};
use tidelog_log::state::StateBatch;

pub(crate) use self::unseal::{Unseal, Unsealed, WorkspaceKeys, unseal};
use self::waiting::Deferred;
use super::address::{Policy, Scope, not_everybody, rows_of};
use super::beacon::{self, Beacon, BeaconError};
use super::hlc::{Hlc, HlcClock};
use super::operation::{Action, Operation, OperationError, Operations};
use super::tables::{
    self, CHANGES, COLLECTIONS, ChangeRow, HISTORY, ITEMS, ItemRow, META, META_CLOCK, META_EPOCH,
    META_NUMBER, Tables, UNREADABLE, Unread, Version, change_row, damaged, unreadable_row,
};
use super::watch::{Event, EventKind};
use super::{CATALOGUE_COLLECTION, Shared};
use crate::document::begin::Begin;
use crate::document::{DocumentChange, parse_change};
use crate::value::cbor;

/// Stands for the number of the change that an entry makes which makes none.
const NO_CHANGE: u64 = 0;

/// Computes the tables, entry by entry.
pub(crate) struct Materialiser<K> {
    keys: K,
    clock: Arc<HlcClock>,
    random: Arc<dyn Random>,
    shared: Arc<Shared>,
    /// The last number given out; `None` until it is read from the tables.
    number: Option<u64>,
    /// Whether the tables are known to have their epoch.
    has_epoch: bool,
    /// Whether the clock goes on from where the tables say it was.
    resumed: bool,
    deferred: Deferred,
    events: Vec<Happened>,
    /// Rows of `collections` that are in the tables, and those that will be with the present change.
    collections: HashSet<Vec<u8>>,
    collections_now: HashSet<Vec<u8>>,
    /// Entries opened ahead of their turn.
    ready: HashMap<EntryId, Unsealed>,
}

/// Bytes of operations that are opened ahead of their turn, at most, but for those of one entry.
const READY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An event and where it happened.
struct Happened {
    rows: StreamId,
    scope: Option<Scope>,
    event: Event,
}

/// Where an entry belongs.
struct Place {
    /// What stands in rows for its stream and the circle of its key.
    rows: StreamId,
    /// What stands in rows for the database that its stream is, if that is known; else the same.
    told: StreamId,
    /// The circle of its key; `None` if that is of several, so that it belongs to none.
    circle: Option<CircleId>,
    /// Whether it is known not to belong where it is.
    foreign: bool,
}

/// The entry being applied.
#[derive(Debug, Clone, Copy)]
struct Source {
    arrival: u64,
    entry: EntryId,
    author: DeviceId,
    /// Where its rows are.
    rows: StreamId,
    /// The circle of its key; `None` if that is of several.
    circle: Option<CircleId>,
    /// Whether it is part of the circle's catalogue.
    catalogue: bool,
    hlc: Hlc,
    local: bool,
}

/// All that an entry does to one item.
struct Target {
    scope: Scope,
    key: String,
    steps: Vec<(u32, Step)>,
}

enum Step {
    Put(Vec<u8>),
    Delete,
    Change(Box<DocumentChange>),
    Begin(Box<Begin>),
}

/// How much of an entry is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// Its document changes, without a place in time: the entry is deferred.
    Timeless,
}

impl<K: Unseal> Materialiser<K> {
    /// A materialiser for one open log.
    pub(crate) fn new(keys: K, clock: Arc<HlcClock>, random: Arc<dyn Random>, shared: Arc<Shared>) -> Self {
        Self {
            keys,
            clock,
            random,
            shared,
            number: None,
            has_epoch: false,
            resumed: false,
            deferred: Deferred::Unknown,
            events: Vec::new(),
            collections: HashSet::new(),
            collections_now: HashSet::new(),
            ready: HashMap::new(),
        }
    }

    /// Opens payloads before the tables can be touched.
    fn open_ahead(&mut self, entries: &[Entry]) {
        self.ready.clear();
        let mut bytes = 0;
        for entry in entries.iter().filter(|entry| entry.header().kind == Kind::Data) {
            if self.shared.fresh.holds(entry.payload()) {
                continue;
            }
            if let Unsealed::Plain { hlc, operations } = self.keys.unseal(entry) {
                bytes += operations.len();
                self.ready.insert(entry.id(), Unsealed::Plain { hlc, operations });
            }
            if bytes > READY_BYTES_MAX {
                break;
            }
        }
    }

    /// What an entry says: known already if this device has just written it, or it was opened ahead.
    fn unseal(&mut self, entry: &Entry) -> Unsealed {
        let own = self.keys.is_own(&entry.header().author);
        if let Some((hlc, operations)) = own.then(|| self.shared.fresh.take(entry.payload())).flatten() {
            return Unsealed::Plain { hlc, operations };
        }
        self.ready.remove(&entry.id()).unwrap_or_else(|| self.keys.unseal(entry))
    }

    /// Applies an entry that joined the log.
    fn add(&mut self, tables: &dyn Tables, arrival: u64, entry: &Entry) -> Result<(), LogError> {
        match entry.header().kind {
            Kind::Data => {}
            Kind::Beacon => return self.add_beacon(tables, arrival, entry),
            Kind::Directory | Kind::Checkpoint => return Ok(()),
        }
        let place = self.place(entry);
        let unsealed = if place.foreign { Unsealed::Invalid } else { self.unseal(entry) };
        match unsealed {
            Unsealed::Plain { hlc, operations } => {
                self.opened(tables, arrival, entry, &place, hlc, &operations)?;
            }
            Unsealed::Invalid => self.unreadable(tables, arrival, entry, place.told, Unread::Invalid)?,
            Unsealed::Newer => self.unreadable(tables, arrival, entry, place.told, Unread::Newer)?,
            Unsealed::MissingKey => {
                let number = self.unread(tables, arrival, entry, place.rows, Unread::MissingKey)?;
                waiting::put_for_key(tables, arrival, number, entry)?;
            }
        }
        Ok(())
    }

    /// Where an entry belongs, by its stream and by its key.
    fn place(&self, entry: &Entry) -> Place {
        let header = entry.header();
        let circle = self.keys.circle(header);
        let rows = rows_of(header.stream, &circle.unwrap_or(CircleId::WORKSPACE));
        let told = self.shared.hub.rows(header.stream).unwrap_or(rows);
        Place { rows, told, circle, foreign: circle.is_none() || told != rows }
    }

    /// An entry that can be read, as those who apply it see it.
    fn source(&self, arrival: u64, entry: &Entry, place: &Place, hlc: Hlc) -> Source {
        let author = entry.header().author;
        Source {
            arrival,
            entry: entry.id(),
            author,
            rows: place.rows,
            circle: place.circle,
            catalogue: entry.header().stream == StreamId::DIRECTORY,
            hlc,
            local: self.keys.is_own(&author),
        }
    }

    /// Keeps what a beacon claims. One that cannot be read is listed, but it is no change of data.
    fn add_beacon(&mut self, tables: &dyn Tables, arrival: u64, entry: &Entry) -> Result<(), LogError> {
        let reason = match self.keys.unseal(entry) {
            Unsealed::Plain { hlc, operations } => match Beacon::decode(&operations) {
                Ok(_) => return Ok(beacon::put(tables, arrival, entry, hlc, &operations)?),
                Err(BeaconError::Unsupported) => Unread::Newer,
                Err(_) => Unread::Invalid,
            },
            Unsealed::MissingKey => return waiting::put_for_key(tables, arrival, NO_CHANGE, entry),
            Unsealed::Invalid => Unread::Invalid,
            Unsealed::Newer => Unread::Newer,
        };
        Ok(tables.put(
            UNREADABLE,
            &arrival.to_be_bytes(),
            &unreadable_row(StreamId::DIRECTORY, NO_CHANGE, reason),
        )?)
    }

    /// Applies an entry that could be read.
    fn opened(
        &mut self,
        tables: &dyn Tables,
        arrival: u64,
        entry: &Entry,
        place: &Place,
        hlc: Hlc,
        operations: &[u8],
    ) -> Result<(), LogError> {
        let header = entry.header();
        let source = self.source(arrival, entry, place, hlc);
        let targets = match self.targets(&source, operations) {
            Ok(targets) => targets,
            Err(reason) => return self.unreadable(tables, arrival, entry, source.rows, reason),
        };
        let part = if source.local {
            self.clock.observe_own(hlc);
            Part::Whole
        } else if self.clock.is_deferred(hlc) {
            self.defer(tables, arrival, hlc)?;
            Part::Timeless
        } else {
            self.clock.observe(hlc);
            Part::Whole
        };
        for target in targets {
            self.target(tables, &source, target, part)?;
        }
        self.shared.key_uses.count(tables, &header.key_id, self.clock.now_ms())
    }

    /// What an entry does, item by item; or why not: it may not, or makes no sense here.
    fn targets(&self, source: &Source, operations: &[u8]) -> Result<Vec<Target>, Unread> {
        let operations = Operations::decode(operations).map_err(|error| match error {
            OperationError::Unsupported => Unread::Newer,
            _ => Unread::Invalid,
        })?;
        let mut targets: Vec<Target> = Vec::new();
        let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut index = 0;
        for group in operations.into_groups() {
            if group.owner.is_some_and(|owner| self.keys.user(&source.author) != Some(owner)) {
                return Err(Unread::Invalid);
            }
            let scope = group.scope(source.rows);
            for Operation { key, action } in group.operations {
                let step = match action {
                    Action::Put(value) => Step::Put(value),
                    Action::Delete => Step::Delete,
                    Action::Change(bytes) => {
                        Step::Change(Box::new(parse_change(&bytes).map_err(|_| Unread::Invalid)?))
                    }
                    Action::Begin { heads, before, change } => {
                        let begin = Begin::parse(heads, before, &change);
                        Step::Begin(Box::new(begin.map_err(|_| Unread::Invalid)?))
                    }
                };
                let place = *places.entry(scope.item_row(&key)).or_insert_with(|| {
                    targets.push(Target { scope: scope.clone(), key, steps: vec![] });
                    targets.len() - 1
                });
                targets[place].steps.push((index, step));
                index += 1;
            }
        }
        Ok(targets)
    }

    fn target(
        &mut self,
        tables: &dyn Tables,
        source: &Source,
        target: Target,
        part: Part,
    ) -> Result<(), LogError> {
        let row = tables::policy_row(&target.scope);
        if !self.collections.contains(&row) && !self.collections_now.contains(&row) {
            if tables.get(COLLECTIONS, &row)?.is_none() {
                tables.put(COLLECTIONS, &row, &[])?;
            }
            self.collections_now.insert(row);
        }
        match target.scope.policy {
            Policy::Lww if part == Part::Whole => self.lww(tables, source, target),
            Policy::Lww => Ok(()),
            Policy::Document => self.document(tables, source, target, part),
        }
    }

    /// The last operation of an entry on an item counts, and the item's highest version is shown.
    fn lww(&mut self, tables: &dyn Tables, source: &Source, target: Target) -> Result<(), LogError> {
        let Target { scope, key, mut steps } = target;
        let (index, step) = steps.pop().expect("a target has a step");
        let value = if let Step::Put(value) = step { Some(value) } else { None };
        let version = source.version(index, value.is_none());
        put_history(tables, &scope, &key, &version, source.arrival)?;
        let row = scope.item_row(&key);
        let old = tables::item(tables, &row)?;
        if old.as_ref().is_some_and(|old| old.version >= version) {
            return Ok(());
        }
        let new = ItemRow {
            version,
            live: value.is_some(),
            number: self.changed(tables, source.rows, &row, old.as_ref())?,
            arrival: source.arrival,
            author: source.author,
            body: value.unwrap_or_default(),
        };
        tables.put(ITEMS, &row, &new.encode())?;
        if let Some(circle) = source.circle
            && source.catalogue
            && scope.collection == CATALOGUE_COLLECTION
            && new.live
        {
            self.named(&circle, &key);
        }
        let was_live = old.as_ref().is_some_and(|old| old.live);
        if (was_live || new.live) && self.shared.hub.is_watched() {
            let value = |row: &ItemRow| {
                row.live.then(|| cbor::decode(&row.body)).transpose().map_err(|_| damaged(ITEMS))
            };
            let old = old.as_ref().map(value).transpose()?.flatten();
            let kind = if new.live { EventKind::Put } else { EventKind::Delete };
            let new = value(&new)?;
            self.happened(source, scope, key, kind, (old, new));
        }
        Ok(())
    }

    /// Remembers the name of a database that a circle's catalogue lists.
    fn named(&self, circle: &CircleId, name: &str) {
        if let Some(stream) = self.keys.stream(circle, name) {
            self.shared.hub.set_name(stream, circle, name);
        }
    }

    fn happened(
        &mut self,
        source: &Source,
        scope: Scope,
        key: String,
        kind: EventKind,
        values: (Option<crate::Value>, Option<crate::Value>),
    ) {
        let event = Event {
            kind,
            database: None,
            circle: source.circle.and_then(not_everybody),
            collection: scope.collection.clone(),
            owner: scope.owner,
            key,
            old: values.0,
            new: values.1,
            author: source.author,
            hlc_ms: source.hlc.ms(),
            local: source.local,
            entry: source.entry,
        };
        self.events.push(Happened { rows: source.rows, scope: Some(scope), event });
    }

    /// Moves an item to the end of the changes and gives its new number.
    fn changed(
        &mut self,
        tables: &dyn Tables,
        rows: StreamId,
        row: &[u8],
        old: Option<&ItemRow>,
    ) -> Result<u64, LogError> {
        if let Some(old) = old {
            tables.delete(CHANGES, &change_row(rows, old.number))?;
        }
        let number = self.next_number(tables)?;
        tables.put(CHANGES, &change_row(rows, number), &ChangeRow::Item(row.to_vec()).encode())?;
        Ok(number)
    }

    /// Lists an entry that cannot be shown by this version, whatever keys come.
    fn unreadable(
        &mut self,
        tables: &dyn Tables,
        arrival: u64,
        entry: &Entry,
        rows: StreamId,
        reason: Unread,
    ) -> Result<(), LogError> {
        let number = self.unread(tables, arrival, entry, rows, reason)?;
        Ok(tables.put(UNREADABLE, &arrival.to_be_bytes(), &unreadable_row(rows, number, reason))?)
    }

    /// Lists an entry that cannot be shown, and gives its number.
    fn unread(
        &mut self,
        tables: &dyn Tables,
        arrival: u64,
        entry: &Entry,
        rows: StreamId,
        reason: Unread,
    ) -> Result<u64, LogError> {
        let header = entry.header();
        let number = self.next_number(tables)?;
        let row = ChangeRow::Unread { reason, arrival, entry: entry.id(), author: header.author };
        tables.put(CHANGES, &change_row(rows, number), &row.encode())?;
        tracing::debug!(entry = %entry.id(), ?reason, "an entry is not shown");
        let event = Event {
            kind: EventKind::Unreadable,
            database: None,
            circle: self.keys.circle(header).and_then(not_everybody),
            collection: String::new(),
            owner: None,
            key: String::new(),
            old: None,
            new: None,
            author: header.author,
            hlc_ms: 0,
            local: self.keys.is_own(&header.author),
            entry: entry.id(),
        };
        self.events.push(Happened { rows, scope: None, event });
        Ok(number)
    }

    fn next_number(&mut self, tables: &dyn Tables) -> Result<u64, LogError> {
        let last = match self.number {
            Some(number) => number,
            None => match tables.get(META, META_NUMBER)? {
                Some(bytes) => u64::from_be_bytes(bytes.try_into().map_err(|_| damaged(META))?),
                None => 0,
            },
        };
        self.number = Some(last + 1);
        Ok(last + 1)
    }

    /// Lets the clock go on from where it was when the tables were last written.
    fn resume_clock(&mut self, tables: &dyn Tables) -> Result<(), LogError> {
        if !self.resumed
            && let Some(row) = tables.get(META, META_CLOCK)?
        {
            self.clock.resume(tables::parse_clock_row(&row).ok_or_else(|| damaged(META))?);
        }
        self.resumed = true;
        Ok(())
    }

    /// Writes down the last number given out, with an epoch for the numbers if there is none, and
    /// where the clock stands.
    fn keep_position(&mut self, tables: &dyn Tables) -> Result<(), LogError> {
        tables.put(META, META_CLOCK, &tables::clock_row(self.clock.position()))?;
        if !self.has_epoch && tables.get(META, META_EPOCH)?.is_none() {
            tables.put(META, META_EPOCH, &random_array::<16>(&*self.random))?;
        }
        if let Some(number) = self.number {
            tables.put(META, META_NUMBER, &number.to_be_bytes())?;
        }
        Ok(())
    }

    /// What was written so far is visible: the watches may hear of it.
    fn publish(&mut self) {
        self.has_epoch |= self.number.is_some();
        self.collections.extend(self.collections_now.drain());
        self.shared.fresh.clear();
        self.ready.clear();
        for happened in self.events.drain(..) {
            self.shared.hub.send(happened.rows, happened.scope.as_ref(), happened.event);
        }
    }
}

impl<K> Materialiser<K> {
    /// Nothing of the change is in the tables: what was noted of it is forgotten.
    fn forget_change(&mut self) {
        self.number = None;
        self.resumed = false;
        self.deferred = Deferred::Unknown;
        self.events.clear();
        self.collections_now.clear();
        self.shared.fresh.clear();
        self.ready.clear();
    }
}

impl Source {
    const fn version(&self, index: u32, delete: bool) -> Version {
        Version { hlc: self.hlc, delete, entry: self.entry, index }
    }
}

fn put_history(
    tables: &dyn Tables,
    scope: &Scope,
    key: &str,
    version: &Version,
    arrival: u64,
) -> Result<(), LogError> {
    let mut row = tables::part_row(scope, key);
    row.extend_from_slice(&version.encode());
    Ok(tables.put(HISTORY, &row, &arrival.to_be_bytes())?)
}

impl<K: Unseal> Apply for Materialiser<K> {
    fn prepare(&mut self, entries: &[Entry]) {
        self.open_ahead(entries);
    }

    fn apply(&mut self, batch: &StateBatch<'_>, arrival: u64, entry: &Entry) -> Result<(), LogError> {
        self.add(batch, arrival, entry)
    }

    fn retract(&mut self, batch: &StateBatch<'_>, arrivals: &[u64], held: &dyn Held) -> Result<(), LogError> {
        self.take_back(batch, arrivals, held)
    }

    fn directory_changed(
        &mut self,
        batch: &StateBatch<'_>,
        directory: &Directory,
        held: &dyn Held,
    ) -> Result<(), LogError> {
        self.keys_changed(batch, directory, held)
    }

    fn due(&self, _now_ms: u64) -> bool {
        self.is_due()
    }

    fn tick(&mut self, batch: &StateBatch<'_>, _now_ms: u64, held: &dyn Held) -> Result<(), LogError> {
        self.time_passed(batch, held)
    }

    fn finish(&mut self, batch: &StateBatch<'_>) -> Result<(), LogError> {
        self.keep_position(batch)
    }

    fn committed(&mut self) {
        self.publish();
    }

    fn undone(&mut self) {
        self.forget_change();
    }
}

#[cfg(test)]
mod tests;
