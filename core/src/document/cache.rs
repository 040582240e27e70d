//! Open documents, kept for the next change or read.
//!
//! A cached document carries the *stamp* of the rows it was loaded from or last written to. Whoever
//! uses it compares the stamp with the item's row in the state it sees, and loads anew if they
//! differ; so a transaction that failed, or a reader with another snapshot, never sees a document
//! that does not belong to its state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidelog_log::log::LogError;
use tidelog_log::state::StateRead;

use super::generations::Generations;
use crate::data::tables::{self, DOCUMENT_SNAPSHOTS, DOCUMENT_TAILS, DOCUMENT_WAITING};

/// Documents kept open; beyond it the least recently used one that is not in use is dropped.
pub(crate) const OPEN_DOCUMENTS_MAX: usize = 64;

/// A document and what is known of its rows.
#[derive(Debug)]
pub(crate) struct Cached {
    /// The document.
    pub(crate) document: Generations,
    /// Number of the last change to its rows.
    pub(crate) stamp: u64,
    /// Bytes of the changes stored since the snapshot.
    pub(crate) tail_bytes: usize,
    /// Bytes of the snapshot.
    pub(crate) snapshot_bytes: usize,
}

/// The stamp of a document in the middle of a change to its rows.
pub(crate) const CHANGING: u64 = u64::MAX;

impl Cached {
    /// Whether the document has all that rows with this stamp have.
    pub(crate) const fn is_current(&self, stamp: u64) -> bool {
        self.stamp >= stamp && self.stamp != CHANGING
    }

    /// Loads a document from its rows; one that has none is empty.
    ///
    /// # Errors
    ///
    /// If the rows cannot be read, or are not what was written.
    pub(crate) fn load(
        state: &(impl StateRead + ?Sized),
        part_row: &[u8],
        stamp: u64,
    ) -> Result<Self, LogError> {
        let snapshot = state.get(DOCUMENT_SNAPSHOTS, part_row)?;
        let tail = tables::values(state, DOCUMENT_TAILS, part_row)?;
        let waiting = tables::values(state, DOCUMENT_WAITING, part_row)?;
        let begins = tables::begins(state, part_row)?;
        let document = Generations::load(snapshot.as_deref(), &tail, &waiting, begins)
            .map_err(|error| LogError::Engine(error.to_string()))?;
        Ok(Self {
            document,
            stamp,
            tail_bytes: tail.iter().map(Vec::len).sum(),
            snapshot_bytes: snapshot.map_or(0, |snapshot| snapshot.len()),
        })
    }
}

/// A place in the cache; empty until somebody loads the document.
pub(crate) type Place = Arc<Mutex<Option<Cached>>>;

#[derive(Default)]
struct Open {
    places: HashMap<Vec<u8>, (u64, Place)>,
    uses: u64,
}

/// The cache.
#[derive(Default)]
pub(crate) struct Documents(Mutex<Open>);

impl std::fmt::Debug for Documents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Documents(..)")
    }
}

impl Documents {
    /// The place of a document, by its part row.
    pub(crate) fn place(&self, part_row: &[u8]) -> Place {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.uses += 1;
        let now = open.uses;
        if let Some((used, place)) = open.places.get_mut(part_row) {
            *used = now;
            return Arc::clone(place);
        }
        if open.places.len() >= OPEN_DOCUMENTS_MAX {
            // A place in use stays: it may hold changes that are ahead of their entries.
            let idle = open.places.iter().filter(|(_, (_, place))| Arc::strong_count(place) == 1);
            let oldest = idle.min_by_key(|(_, (used, _))| *used).map(|(row, _)| row.clone());
            if let Some(oldest) = oldest {
                open.places.remove(&oldest);
            }
        }
        let place = Place::default();
        open.places.insert(part_row.to_vec(), (now, Arc::clone(&place)));
        place
    }
}

/// Locks a place. A panic while it was held may have left half a change behind, so the document is
/// dropped then.
pub(crate) fn lock(place: &Place) -> MutexGuard<'_, Option<Cached>> {
    place.lock().unwrap_or_else(|poisoned| {
        let mut guard = poisoned.into_inner();
        *guard = None;
        place.clear_poison();
        guard
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: usize) -> Vec<u8> {
        number.to_string().into_bytes()
    }

    fn is_open(documents: &Documents, number: usize) -> bool {
        lock(&documents.place(&row(number))).is_some()
    }

    #[test]
    fn the_least_recently_used_document_that_nobody_uses_makes_room() {
        let documents = Documents::default();
        for number in 0..OPEN_DOCUMENTS_MAX {
            *lock(&documents.place(&row(number))) =
                Some(Cached { document: Generations::empty(), stamp: 1, tail_bytes: 0, snapshot_bytes: 0 });
        }
        let in_use = documents.place(&row(1));
        assert!(is_open(&documents, 0), "used just now, as is 1");
        documents.place(&row(OPEN_DOCUMENTS_MAX));
        documents.place(&row(OPEN_DOCUMENTS_MAX + 1));
        assert!(is_open(&documents, 0) && is_open(&documents, 1));
        assert!(!is_open(&documents, 2));
        drop(in_use);
    }
}
