//! What callers want of the writer, and how much of it is done at once.

use std::collections::VecDeque;

use super::super::LogError;
use super::super::draft::{Committed, Draft};
use crate::entry::Entry;
use crate::session::Receipt;
use crate::state::StateBatch;

/// Most entries in one group, unless a single request has more.
const GROUP_ENTRIES_MAX: usize = 1_000;
/// Most payload bytes in one group, unless a single request has more.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Told once what became of a request.
pub type Done<T> = Box<dyn FnOnce(Result<T, LogError>) + Send>;
/// Changes rows in a state transaction of its own.
pub type Change = Box<dyn FnOnce(&StateBatch<'_>) -> Result<(), LogError> + Send>;
/// A call to a caller's [`Done`], made when the writer's lock is free again.
pub(in crate::log) type Reply = Box<dyn FnOnce() + Send>;

/// What callers want of the writer.
pub(in crate::log) enum Request {
    Commit(Vec<Draft>, Done<Vec<Committed>>),
    Receive(Vec<Entry>, Done<Receipt>),
    Change(Change, Done<()>),
}

impl Request {
    /// Tells the caller that nothing happened.
    pub(in crate::log) fn refuse(self, error: LogError) {
        match self {
            Self::Commit(_, done) => done(Err(error)),
            Self::Receive(_, done) => done(Err(error)),
            Self::Change(_, done) => done(Err(error)),
        }
    }

    fn weight(&self) -> (usize, usize) {
        match self {
            Self::Commit(drafts, _) => (drafts.len(), drafts.iter().map(Draft::payload_len).sum()),
            Self::Receive(entries, _) => (entries.len(), entries.iter().map(Entry::len).sum()),
            Self::Change(..) => (1, 0),
        }
    }
}

/// Takes requests from the queue for one group: at least one, if there is any.
pub(in crate::log) fn take_group(queue: &mut VecDeque<Request>) -> Vec<Request> {
    let (mut entries, mut bytes) = (0, 0);
    let mut group = Vec::new();
    while let Some(request) = queue.front() {
        let weight = request.weight();
        entries += weight.0;
        bytes += weight.1;
        if !group.is_empty() && (entries > GROUP_ENTRIES_MAX || bytes > GROUP_BYTES_MAX) {
            break;
        }
        group.extend(queue.pop_front());
    }
    group
}
