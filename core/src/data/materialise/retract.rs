//! Taking back entries that do not count any more: what remains is what the other entries make.
//!
//! The rows of an item's history name the entries behind it, so its value is found again by reading
//! the best one that is left, and a document by applying all that are left. Two rows outlive their
//! entries: that of an item of which nothing is left, so that readers of the changes hear that it is
//! gone, and that of a collection.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use tidelog_log::entry::{Entry, Kind};
use tidelog_log::ids::EntryId;
use tidelog_log::log::{Held, LogError};

use super::document::{compact, last_version, put_waiting};
use super::waiting::{read, waiting_row};
use super::{Materialiser, Part, Source, Step, Target, Unseal, Unsealed};
use crate::data::address::{Policy, Scope};
use crate::data::beacon;
use crate::data::hlc::Hlc;
use crate::data::tables::{
    self, CHANGES, DOCUMENT_BEGINS, DOCUMENT_SNAPSHOTS, DOCUMENT_TAILS, DOCUMENT_WAITING, HISTORY, ITEMS,
    ItemRow, Tables, UNREADABLE, Version, WAITING_CLOCK, WAITING_KEYS, change_row, damaged, parse_history,
    parse_unreadable,
};
use crate::data::watch::EventKind;
use crate::document::cache::{self, Cached};
use crate::document::generations::Generations;
use crate::value::cbor;

/// The items to be found again, each with the entry whose loss made that necessary.
type Touched = BTreeMap<Vec<u8>, (Scope, String, Source)>;

/// An entry that counts again or no longer, and its steps by number.
type Steps = (Source, Vec<(u32, Step)>);

impl<K: Unseal> Materialiser<K> {
    /// Takes back entries that were applied.
    pub(super) fn take_back(
        &mut self,
        tables: &dyn Tables,
        arrivals: &[u64],
        held: &dyn Held,
    ) -> Result<(), LogError> {
        self.resume_clock(tables)?;
        let mut touched = Touched::new();
        for &arrival in arrivals {
            let entry = held.entry(arrival)?;
            match entry.header().kind {
                Kind::Data => self.forget(tables, arrival, &entry, &mut touched)?,
                Kind::Beacon => forget_beacon(tables, arrival, &entry)?,
                Kind::Directory | Kind::Checkpoint => {}
            }
        }
        for (scope, key, lost) in touched.into_values() {
            match scope.policy {
                Policy::Lww => self.find_value(tables, &scope, &key, &lost, held)?,
                Policy::Document => self.find_document(tables, &scope, &key, &lost, held)?,
            }
        }
        self.keep_position(tables)
    }

    /// Removes the rows that stand for an entry.
    fn forget(
        &mut self,
        tables: &dyn Tables,
        arrival: u64,
        entry: &Entry,
        touched: &mut Touched,
    ) -> Result<(), LogError> {
        let header = entry.header();
        let waiting = waiting_row(&header.key_id.0, arrival);
        if let Some(row) = tables.get(WAITING_KEYS, &waiting)? {
            let number = row.first_chunk().map(|number| u64::from_be_bytes(*number));
            let number = number.ok_or_else(|| damaged(WAITING_KEYS))?;
            tables.delete(WAITING_KEYS, &waiting)?;
            return Ok(tables.delete(CHANGES, &change_row(self.place(entry).rows, number))?);
        }
        // It may yet have been applied, before it was known whose the stream is.
        forget_unreadable(tables, arrival)?;
        let Some((source, targets)) = self.opened_again(arrival, entry) else {
            return Ok(());
        };
        tables.delete(WAITING_CLOCK, &waiting_row(&source.hlc.bits().to_be_bytes(), arrival))?;
        for Target { scope, key, .. } in targets {
            let part_row = tables::part_row(&scope, &key);
            for row in tables::keys(tables, HISTORY, &part_row)? {
                let (version, _) = parse_history(&part_row, &row, &[0; 8]).ok_or_else(|| damaged(HISTORY))?;
                if version.entry == source.entry {
                    tables.delete(HISTORY, &row)?;
                }
            }
            touched.insert(part_row, (scope, key, source));
        }
        Ok(())
    }

    /// What an entry does, if it can be read and makes sense.
    fn opened_again(&self, arrival: u64, entry: &Entry) -> Option<(Source, Vec<Target>)> {
        let Unsealed::Plain { hlc, operations } = self.keys.unseal(entry) else { return None };
        let source = self.source(arrival, entry, &self.place(entry), hlc);
        let targets = self.targets(&source, &operations).ok()?;
        Some((source, targets))
    }

    /// What an entry does to one item.
    fn step_on(
        &self,
        scope: &Scope,
        key: &str,
        arrival: u64,
        held: &dyn Held,
    ) -> Result<Option<Steps>, LogError> {
        let Some(entry) = read(held, arrival) else { return Ok(None) };
        let opened = self.opened_again(arrival, &entry);
        Ok(opened.and_then(|(source, targets)| {
            let target = targets.into_iter().find(|target| target.scope == *scope && target.key == key)?;
            Some((source, target.steps))
        }))
    }

    /// Shows the highest version of an item that is left.
    fn find_value(
        &mut self,
        tables: &dyn Tables,
        scope: &Scope,
        key: &str,
        lost: &Source,
        held: &dyn Held,
    ) -> Result<(), LogError> {
        let row = scope.item_row(key);
        let Some(old) = tables::item(tables, &row)? else { return Ok(()) };
        let mut versions = history(tables, scope, key)?;
        let mut found = None;
        while let (None, Some((version, arrival))) = (&found, versions.pop()) {
            let step = self.step_on(scope, key, arrival, held)?;
            found = step.and_then(|(source, mut steps)| Some((version, source, steps.pop()?.1)));
        }
        let (version, source, value) = match found {
            Some((version, source, Step::Put(value))) => (version, source, Some(value)),
            Some((version, source, Step::Delete | Step::Change(_) | Step::Begin(_))) => {
                (version, source, None)
            }
            None => (Version::NONE, *lost, None),
        };
        if old.version == version {
            return Ok(());
        }
        let new = ItemRow {
            version,
            live: value.is_some(),
            number: self.changed(tables, scope.stream, &row, Some(&old))?,
            arrival: source.arrival,
            author: source.author,
            body: value.unwrap_or_default(),
        };
        tables.put(ITEMS, &row, &new.encode())?;
        if old.live || new.live {
            let value = |row: &ItemRow| {
                row.live.then(|| cbor::decode(&row.body)).transpose().map_err(|_| damaged(ITEMS))
            };
            let values = (value(&old)?, value(&new)?);
            let kind = if new.live { EventKind::Put } else { EventKind::Delete };
            self.happened(&source, scope.clone(), key.to_owned(), kind, values);
        }
        Ok(())
    }

    /// Makes a document again of the changes that are left.
    fn find_document(
        &mut self,
        tables: &dyn Tables,
        scope: &Scope,
        key: &str,
        lost: &Source,
        held: &dyn Held,
    ) -> Result<(), LogError> {
        let row = scope.item_row(key);
        let part_row = tables::part_row(scope, key);
        let Some(old) = tables::item(tables, &row)? else { return Ok(()) };
        let place = self.shared.documents.place(&part_row);
        let mut guard = cache::lock(&place);
        *guard = None;
        for table in [DOCUMENT_TAILS, DOCUMENT_WAITING, DOCUMENT_BEGINS] {
            for row in tables::keys(tables, table, &part_row)? {
                tables.delete(table, &row)?;
            }
        }
        tables.delete(DOCUMENT_SNAPSHOTS, &part_row)?;
        let mut document = Generations::empty();
        let mut best: Option<(Version, Source)> = None;
        let arrivals: BTreeSet<u64> =
            history(tables, scope, key)?.into_iter().map(|(_, arrival)| arrival).collect();
        for arrival in arrivals {
            let Some((source, steps)) = self.step_on(scope, key, arrival, held)? else { continue };
            let deferred = waiting_row(&source.hlc.bits().to_be_bytes(), arrival);
            let part =
                if tables.get(WAITING_CLOCK, &deferred)?.is_some() { Part::Timeless } else { Part::Whole };
            let version = last_version(&source, &steps, part);
            if let Some(version) = version.filter(|version| best.is_none_or(|(best, _)| best < *version)) {
                best = Some((version, source));
            }
            for (_, step) in steps {
                match step {
                    Step::Change(change) => drop(document.apply(*change)),
                    Step::Begin(begin) => drop(document.begin(&begin)),
                    Step::Delete | Step::Put(_) => {}
                }
            }
        }
        for (hash, begin) in document.begins() {
            tables.put(DOCUMENT_BEGINS, &[&part_row[..], &hash.0].concat(), &tables::begin_row(begin))?;
        }
        let (version, source) = best.unwrap_or((Version::NONE, *lost));
        let is_empty = document.all().is_empty();
        let live = !version.delete && !is_empty;
        let stamp = self.next_number(tables)?;
        let mut cached = Cached { document, stamp, tail_bytes: 0, snapshot_bytes: 0 };
        if is_empty {
            put_waiting(tables, &part_row, &mut cached.document)?;
        } else {
            compact(tables, &part_row, &mut cached)?;
        }
        let number = self.changed(tables, scope.stream, &row, Some(&old))?;
        let body = stamp.to_be_bytes().to_vec();
        let new = ItemRow { version, live, number, arrival: source.arrival, author: source.author, body };
        tables.put(ITEMS, &row, &new.encode())?;
        *guard = Some(cached);
        drop(guard);
        if old.live || live {
            let kind = if live { EventKind::Merge } else { EventKind::Delete };
            self.happened(&source, scope.clone(), key.to_owned(), kind, (None, None));
        }
        Ok(())
    }
}

/// The versions of an item with the arrival numbers of their entries, lowest first.
fn history(tables: &dyn Tables, scope: &Scope, key: &str) -> Result<Vec<(Version, u64)>, LogError> {
    let part_row = tables::part_row(scope, key);
    let mut rows = Vec::new();
    tables.prefix(HISTORY, &part_row, &mut |row, value| {
        rows.push(parse_history(&part_row, row, value));
        ControlFlow::Continue(())
    })?;
    rows.into_iter().collect::<Option<_>>().ok_or_else(|| damaged(HISTORY))
}

/// Removes the note that an entry cannot be read, if there is one.
fn forget_unreadable(tables: &dyn Tables, arrival: u64) -> Result<(), LogError> {
    let row = arrival.to_be_bytes();
    let Some(note) = tables.get(UNREADABLE, &row)? else { return Ok(()) };
    let (rows, number, _) = parse_unreadable(&note).ok_or_else(|| damaged(UNREADABLE))?;
    tables.delete(UNREADABLE, &row)?;
    Ok(tables.delete(CHANGES, &change_row(rows, number))?)
}

/// Forgets what a beacon claims.
fn forget_beacon(tables: &dyn Tables, arrival: u64, entry: &Entry) -> Result<(), LogError> {
    tables.delete(WAITING_KEYS, &waiting_row(&entry.header().key_id.0, arrival))?;
    tables.delete(UNREADABLE, &arrival.to_be_bytes())?;
    Ok(beacon::remove(tables, entry)?)
}

impl Version {
    /// The version of an item of which nothing is left: below all others.
    const NONE: Self = Self { hlc: Hlc::from_bits(0), delete: true, entry: EntryId::ZERO, index: 0 };
}
