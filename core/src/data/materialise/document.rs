//! Documents: every change counts, in whatever order it came.
//!
//! A small change costs a small row: changes are stored one by one behind a snapshot, and when they
//! outgrow it a new snapshot takes their place, so the cost per change stays the same however long
//! the document gets. A document is there if its highest version is not a delete and at least one
//! change was applied.

use std::collections::BTreeSet;

use tidelog_log::log::LogError;

use super::{Materialiser, Part, Source, Step, Target, Unseal, put_history};
use crate::data::hlc::Hlc;
use crate::data::tables::{
    self, DOCUMENT_BEGINS, DOCUMENT_SNAPSHOTS, DOCUMENT_TAILS, DOCUMENT_WAITING, ITEMS, ItemRow, Tables,
    Version,
};
use crate::data::watch::EventKind;
use crate::document::begin::Begin;
use crate::document::cache::{self, CHANGING, Cached};
use crate::document::generations::Generations;
use crate::document::{ChangeHash, DocumentChange, Outcome};
use crate::value::Value;

/// Bytes of changes behind a snapshot that are fine however small the snapshot is.
pub(crate) const TAIL_BYTES_MIN: usize = 32 * 1024;

impl<K: Unseal> Materialiser<K> {
    /// Applies all that an entry does to one document.
    pub(super) fn document(
        &mut self,
        tables: &dyn Tables,
        source: &Source,
        target: Target,
        part: Part,
    ) -> Result<(), LogError> {
        let Target { scope, key, steps } = target;
        let row = scope.item_row(&key);
        let part_row = tables::part_row(&scope, &key);
        let old = tables::item(tables, &row)?;
        let stamp = old.as_ref().and_then(ItemRow::stamp).unwrap_or(0);
        let place = self.shared.documents.place(&part_row);
        let mut guard = cache::lock(&place);
        if guard.as_ref().is_none_or(|cached| cached.stamp != stamp) {
            *guard = Some(Cached::load(tables, &part_row, stamp)?);
        }
        let cached = guard.as_mut().expect("loaded just now");
        // Until the rows are written this copy belongs to no state.
        cached.stamp = CHANGING;
        let mut before = Before::new(&mut cached.document, &steps);
        let version = last_version(source, &steps, part);
        let mut new_stamp = stamp;
        for (index, step) in steps {
            match step {
                Step::Change(change) => {
                    put_history(tables, &scope, &key, &source.version(index, false), source.arrival)?;
                    let outcome = cached.document.apply((*change).clone());
                    new_stamp = self.keep(tables, &part_row, cached, &change, outcome)?.unwrap_or(new_stamp);
                }
                Step::Begin(begin) => {
                    put_history(tables, &scope, &key, &source.version(index, false), source.arrival)?;
                    let change = begin.change.clone();
                    new_stamp = self.begin(tables, &part_row, cached, &begin)?.unwrap_or(new_stamp);
                    let outcome = cached.document.apply(change.clone());
                    new_stamp = self.keep(tables, &part_row, cached, &change, outcome)?.unwrap_or(new_stamp);
                }
                Step::Delete if part == Part::Whole => {
                    put_history(tables, &scope, &key, &source.version(index, true), source.arrival)?;
                }
                Step::Delete | Step::Put(_) => {}
            }
        }
        let Some(version) = old.as_ref().map(|old| old.version).max(version) else {
            cached.stamp = new_stamp;
            return Ok(());
        };
        if cached.tail_bytes > cached.snapshot_bytes.max(TAIL_BYTES_MIN) {
            compact(tables, &part_row, cached)?;
        }
        let was_live = old.as_ref().is_some_and(|old| old.live);
        let live = !version.delete && !cached.document.all().is_empty();
        let changed = was_live != live || (live && before.differs(&mut cached.document));
        let new = self.document_row(tables, source, &row, old.as_ref(), (version, live, changed))?;
        tables.put(ITEMS, &row, &ItemRow { body: new_stamp.to_be_bytes().to_vec(), ..new }.encode())?;
        cached.stamp = new_stamp;
        if changed {
            let kind = if live { EventKind::Merge } else { EventKind::Delete };
            self.happened(source, scope, key, kind, (None, None));
        }
        Ok(())
    }

    /// The new row of a document, without its body.
    fn document_row(
        &mut self,
        tables: &dyn Tables,
        source: &Source,
        row: &[u8],
        old: Option<&ItemRow>,
        (version, live, changed): (Version, bool, bool),
    ) -> Result<ItemRow, LogError> {
        let (number, arrival, author) = match old {
            Some(old) if !changed => (old.number, old.arrival, old.author),
            _ => (self.changed(tables, source.rows, row, old)?, source.arrival, source.author),
        };
        Ok(ItemRow { version, live, number, arrival, author, body: Vec::new() })
    }

    /// Stores that a change begins the document anew, and gives the number of that if it is news.
    fn begin(
        &mut self,
        tables: &dyn Tables,
        part_row: &[u8],
        cached: &mut Cached,
        begin: &Begin,
    ) -> Result<Option<u64>, LogError> {
        let hash = begin.change.hash();
        if !cached.document.expect(begin) {
            return Ok(None);
        }
        let beginning = &cached.document.begins()[&hash];
        tables.put(DOCUMENT_BEGINS, &[part_row, &hash.0].concat(), &tables::begin_row(beginning))?;
        Ok(Some(self.next_number(tables)?))
    }

    /// Stores a change that was applied, and gives the number of that if it is news.
    fn keep(
        &mut self,
        tables: &dyn Tables,
        part_row: &[u8],
        cached: &mut Cached,
        change: &DocumentChange,
        outcome: Outcome,
    ) -> Result<Option<u64>, LogError> {
        Ok(match outcome {
            Outcome::Known => None,
            Outcome::Waits => {
                tables.put(DOCUMENT_WAITING, &waiting_row(part_row, change), change.raw_bytes())?;
                Some(self.next_number(tables)?)
            }
            Outcome::Applied(woken) => {
                let mut number = self.append(tables, part_row, cached, change)?;
                for change in &woken {
                    tables.delete(DOCUMENT_WAITING, &waiting_row(part_row, change))?;
                    number = self.append(tables, part_row, cached, change)?;
                }
                Some(number)
            }
            Outcome::Recomputed => {
                compact(tables, part_row, cached)?;
                Some(self.next_number(tables)?)
            }
        })
    }

    fn append(
        &mut self,
        tables: &dyn Tables,
        part_row: &[u8],
        cached: &mut Cached,
        change: &DocumentChange,
    ) -> Result<u64, LogError> {
        let number = self.next_number(tables)?;
        let row = [part_row, &number.to_be_bytes()].concat();
        tables.put(DOCUMENT_TAILS, &row, change.raw_bytes())?;
        cached.tail_bytes += change.raw_bytes().len();
        Ok(number)
    }
}

/// What was shown of a document before an entry, as far as it is needed to tell whether that changed.
struct Before {
    heads: BTreeSet<ChangeHash>,
    value: Option<Value>,
}

impl Before {
    fn new(document: &mut Generations, steps: &[(u32, Step)]) -> Self {
        let begins = steps.iter().any(|(_, step)| matches!(step, Step::Begin(_)));
        let value = if begins { document.value().ok() } else { None };
        Self { heads: document.shown().latest().clone(), value }
    }

    /// Whether something else is shown now. If that had to be computed anew, its value says so: it
    /// may be the same in other changes.
    fn differs(&mut self, document: &mut Generations) -> bool {
        if let Some(shown) = document.outdated() {
            self.value = self.value.take().or_else(|| shown.value().ok());
        }
        match &self.value {
            Some(value) => document.value().ok().as_ref() != Some(value),
            None => *document.shown().latest() != self.heads,
        }
    }
}

/// The version that an entry gives a document: that of its last operation on it. A deferred entry
/// has no place in time yet, and its deletes do not count.
pub(super) fn last_version(source: &Source, steps: &[(u32, Step)], part: Part) -> Option<Version> {
    let version = |(index, step): &(u32, Step)| source.version(*index, matches!(step, Step::Delete));
    match part {
        Part::Whole => steps.last().map(version),
        Part::Timeless => steps
            .iter()
            .rfind(|(_, step)| matches!(step, Step::Change(_) | Step::Begin(_)))
            .map(|step| Version { hlc: Hlc::default(), ..version(step) }),
    }
}

/// Replaces the stored changes by a snapshot that has them.
pub(super) fn compact(tables: &dyn Tables, part_row: &[u8], cached: &mut Cached) -> Result<(), LogError> {
    let snapshot = cached.document.all().save().map_err(|error| LogError::Engine(error.to_string()))?;
    tables.put(DOCUMENT_SNAPSHOTS, part_row, &snapshot)?;
    for row in tables::keys(tables, DOCUMENT_TAILS, part_row)? {
        tables.delete(DOCUMENT_TAILS, &row)?;
    }
    put_waiting(tables, part_row, &mut cached.document)?;
    cached.tail_bytes = 0;
    cached.snapshot_bytes = snapshot.len();
    Ok(())
}

/// Stores which changes wait: those that turned out not to be sound do so, too.
pub(super) fn put_waiting(
    tables: &dyn Tables,
    part_row: &[u8],
    document: &mut Generations,
) -> Result<(), LogError> {
    let mut stored: BTreeSet<Vec<u8>> =
        tables::keys(tables, DOCUMENT_WAITING, part_row)?.into_iter().collect();
    for change in document.all().waiting() {
        let row = waiting_row(part_row, change);
        if !stored.remove(&row) {
            tables.put(DOCUMENT_WAITING, &row, change.raw_bytes())?;
        }
    }
    for row in stored {
        tables.delete(DOCUMENT_WAITING, &row)?;
    }
    Ok(())
}

fn waiting_row(part_row: &[u8], change: &DocumentChange) -> Vec<u8> {
    [part_row, &change.hash().0].concat()
}
