//! Checks everything that is on disk, from the segments up.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use serde::Serialize;

use super::{Log, LogError, index};
use crate::crypto::PublicKey;
use crate::entry::Entry;
use crate::ids::{DeviceId, EntryId, StreamId};
use crate::segments::{Place, SegmentError};
use crate::state::StateView;

/// Problems that a report spells out; more are only counted.
const PROBLEMS_NAMED_MAX: usize = 100;

/// What [`Log::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Entries read.
    pub entries: u64,
    /// Bytes of entries read.
    pub bytes: u64,
    /// Signatures checked; one vouches for all entries before it in its chain.
    pub signatures: u64,
    /// Number of problems.
    pub damaged: u64,
    /// The first problems, in words.
    pub problems: Vec<String>,
}

impl VerifyReport {
    fn problem(&mut self, text: String) {
        self.damaged += 1;
        if self.problems.len() < PROBLEMS_NAMED_MAX {
            self.problems.push(text);
        }
    }
}

/// Why the reading ends early.
enum End {
    BrokenOff,
    Failed(LogError),
}

impl From<SegmentError> for End {
    fn from(error: SegmentError) -> Self {
        Self::Failed(error.into())
    }
}

impl Log {
    /// Reads every entry and checks its hash, its chain, the signature that vouches for it, and
    /// that the index names it at its place. `progress` hears the number of entries read and the
    /// number there should be, and may break it off: then the report is of what was read until then.
    /// What is written meanwhile is not looked at.
    ///
    /// # Errors
    ///
    /// If the storage cannot be read at all. Damage is not an error but part of the report.
    pub fn verify(
        &self,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<VerifyReport, LogError> {
        self.verify_as_of(&self.view()?, progress)
    }

    /// Checks what was applied when the view was taken. The segments run ahead of the state while a
    /// group is being written, and both may grow during the check.
    pub(super) fn verify_as_of(
        &self,
        view: &StateView,
        progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<VerifyReport, LogError> {
        let directory = self.directory();
        let applied = index::applied(view)?;
        let total = applied.map_or(0, |(arrival, _)| arrival);
        let mut report = VerifyReport::default();
        let mut held: HashSet<EntryId> = HashSet::new();
        let mut unsigned: HashMap<(StreamId, DeviceId), EntryId> = HashMap::new();
        let mut check = |place: Place, entry: &Entry| {
            let header = entry.header();
            let id = entry.id();
            report.entries += 1;
            report.bytes += entry.len() as u64;
            let indexed = index::arrival_of(view, &id)?
                .map(|arrival| index::entry_at(view, arrival))
                .transpose()?
                .flatten();
            if indexed.is_none_or(|(_, at)| at != place) {
                report.problem(format!("entry {id} is not indexed at its place"));
            }
            if header.seq > 1 && !held.contains(&header.prev) {
                report.problem(format!("entry {id} lacks the entry before it"));
            }
            let chain = (header.stream, header.author);
            if header.covered {
                unsigned.insert(chain, id);
            } else {
                unsigned.remove(&chain);
                report.signatures += 1;
                let key = directory.public_key(&header.author).or_else(|| PublicKey::new(&header.author.0));
                if !key.is_some_and(|key| header.verify(&key)) {
                    report.problem(format!("entry {id} has a bad signature"));
                }
            }
            held.insert(id);
            Ok::<_, LogError>(report.entries)
        };
        let scan = self.inner.shared.segments.scan(&mut |place, entry| {
            if applied.is_none_or(|(_, last)| place > last) {
                return Ok(());
            }
            let read = check(place, &entry).map_err(End::Failed)?;
            match progress(read, total) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(End::BrokenOff),
            }
        });
        let scan = match scan {
            Ok(scan) => scan,
            Err(End::BrokenOff) => return Ok(report),
            Err(End::Failed(error)) => return Err(error),
        };
        for id in unsigned.into_values() {
            report.problem(format!("no signature vouches for entry {id}"));
        }
        for damage in scan.damaged {
            report.problem(format!("{} bytes of segment {} are damaged", damage.length, damage.segment));
        }
        index::entries_after(view, 0, &mut |_, id, _| {
            if !held.contains(&id) {
                report.problem(format!("entry {id} is indexed but not in the segments"));
            }
            ControlFlow::Continue(())
        })?;
        Ok(report)
    }
}
