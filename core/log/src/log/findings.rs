//! What the log finds out about members while it admits entries: chains that a newer version goes on
//! with, and chains that forked.
//!
//! Forks follow from the frontier. Entries of a newer version are not stored, so they are remembered
//! here, one for each chain, until the program ends or they are in the log after all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;

use super::index::ChainKey;
use super::{Log, LogError, Shared, index, lock};
use crate::entry::Entry;
use crate::ids::{DeviceId, EntryId, StreamId};
use crate::trie::{Leaf, Tip};

/// The first entry of a chain that this version does not understand: the chain waits before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NewerEntry {
    /// The entry.
    pub entry: EntryId,
    /// The device that wrote it, with a newer version.
    pub device: DeviceId,
    /// Its stream.
    pub stream: StreamId,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Entries of a newer version, by chain: at most one for each chain that the directory knows.
    newer: BTreeMap<ChainKey, EntryId>,
    /// Chains with more than one tip.
    forked: BTreeSet<ChainKey>,
}

impl Shared {
    /// Remembers that a chain waits for an upgrade. The entry was vouched for by its author.
    pub(super) fn note_newer(&self, entry: &Entry) {
        let header = entry.header();
        lock(&self.findings).newer.insert((header.stream, header.author), entry.id());
    }

    /// Remembers whether a chain has forked.
    pub(super) fn note_tips(&self, chain: ChainKey, tips: usize) {
        let forked = &mut lock(&self.findings).forked;
        if tips > 1 {
            forked.insert(chain)
        } else {
            forked.remove(&chain)
        };
    }
}

impl Log {
    /// The entries that came since the log was opened and were left out because a newer version wrote
    /// them, the last one of each chain. They are gone from here once the log has them.
    ///
    /// # Errors
    ///
    /// If the state file cannot be read.
    pub fn newer_entries(&self) -> Result<Vec<NewerEntry>, LogError> {
        let known = lock(&self.inner.shared.findings).newer.clone();
        if known.is_empty() {
            return Ok(Vec::new());
        }
        let view = self.view()?;
        let directory = self.directory();
        let mut newer = Vec::new();
        for ((stream, device), entry) in known {
            // What a removed device wrote is of no consequence any more.
            if index::arrival_of(&view, &entry)?.is_some() || directory.is_removed(&device) {
                lock(&self.inner.shared.findings).newer.remove(&(stream, device));
            } else {
                newer.push(NewerEntry { entry, device, stream });
            }
        }
        Ok(newer)
    }

    /// The chains that have more than one branch that counts, with their tips. Chains of removed devices
    /// are not among them: what was known of the directory before a removal counts on every branch, and
    /// nobody can do more about it.
    #[must_use]
    pub fn forks(&self) -> Vec<Leaf> {
        let directory = self.directory();
        let frontier = self.inner.shared.frontier.read().unwrap_or_else(PoisonError::into_inner).clone();
        let forked = lock(&self.inner.shared.findings).forked.clone();
        let leaf = |(stream, device): ChainKey| {
            let tips: Vec<Tip> = frontier.tips(&stream, &device).to_vec();
            (tips.len() > 1 && !directory.is_removed(&device)).then_some(Leaf { stream, device, tips })
        };
        forked.into_iter().filter_map(leaf).collect()
    }
}
