//! Reading a log: single entries, orders of arrival, branches of chains; and the view of it that
//! a sync session has.

use std::collections::{BTreeSet, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::judge::Exclusion;
use super::writer::Request;
use super::{Log, LogError, Shared, index};
use crate::directory::{Cut, Directory, Refusal};
use crate::entry::{Entry, Kind};
use crate::ids::{DeviceId, EntryId, StreamId, WorkspaceId};
use crate::segments::{Place, SegmentError, SegmentPart};
use crate::session::{Cursor, Membership, Receipt, Replica, ReplicaError};
use crate::state::{StateBatch, StateRead, StateView};
use crate::trie::{Filter, Frontier};

/// An entry that is held and does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excluded {
    /// The entry.
    pub entry: EntryId,
    /// Its number in the order of arrival.
    pub arrival: u64,
    /// Its author.
    pub device: DeviceId,
    /// Its stream.
    pub stream: StreamId,
    /// Its number in its chain.
    pub seq: u64,
    /// Why it does not count.
    pub reason: Exclusion,
    /// For one that its author might not write where it acts: what it lacked.
    pub refusal: Option<Refusal>,
}

impl Shared {
    /// The entry with an id, if it is held.
    pub(super) fn read(&self, state: &impl StateRead, id: &EntryId) -> Result<Option<Entry>, LogError> {
        match index::arrival_of(state, id)? {
            Some(arrival) => self.read_at(state, arrival),
            None => Ok(None),
        }
    }

    pub(super) fn read_at(&self, state: &impl StateRead, arrival: u64) -> Result<Option<Entry>, LogError> {
        let Some((id, place)) = index::entry_at(state, arrival)? else { return Ok(None) };
        self.read_place(id, place).map(Some)
    }

    /// Every read checks the hash of the whole entry.
    pub(super) fn read_place(&self, id: EntryId, place: Place) -> Result<Entry, LogError> {
        let entry = self.segments.read(place)?;
        if entry.id() == id { Ok(entry) } else { Err(SegmentError::Corrupt(place).into()) }
    }
}

impl Log {
    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.inner.shared.workspace
    }

    /// The epoch of the arrival numbers: random, made with the log.
    #[must_use]
    pub fn epoch(&self) -> [u8; 16] {
        self.inner.shared.segments.epoch()
    }

    /// The arrival number of the newest entry, which is also the number of entries; 0 if none.
    #[must_use]
    pub fn arrivals(&self) -> u64 {
        self.inner.shared.arrivals.load(Ordering::SeqCst)
    }

    /// The directory as of now.
    #[must_use]
    pub fn directory(&self) -> Directory {
        self.inner.shared.directory.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The frontier as of now, and the arrival number of the newest entry in it.
    #[must_use]
    pub fn frontier(&self) -> (Frontier, u64) {
        let frontier = self.inner.shared.frontier.read().unwrap_or_else(PoisonError::into_inner);
        (frontier.clone(), self.arrivals())
    }

    /// A snapshot of the state, with the caller's own tables.
    ///
    /// # Errors
    ///
    /// If the state file cannot be read.
    pub fn view(&self) -> Result<StateView, LogError> {
        Ok(self.inner.shared.state.view()?)
    }

    /// The entry with an id, if it is held.
    ///
    /// # Errors
    ///
    /// If the storage fails or the entry is damaged.
    pub fn entry(&self, id: &EntryId) -> Result<Option<Entry>, LogError> {
        self.inner.shared.read(&self.view()?, id)
    }

    /// The entry with an arrival number, if there is one.
    ///
    /// # Errors
    ///
    /// If the storage fails or the entry is damaged.
    pub fn entry_at(&self, arrival: u64) -> Result<Option<Entry>, LogError> {
        self.inner.shared.read_at(&self.view()?, arrival)
    }

    /// The ids of all entries that arrived after `arrival`, in order, without those that are withheld
    /// because they lie past the last entry that counts.
    ///
    /// # Errors
    ///
    /// If the state file cannot be read.
    pub fn ids_after(&self, arrival: u64) -> Result<Vec<(u64, EntryId)>, LogError> {
        let mut ids = Vec::new();
        let withheld = self.withheld();
        index::entries_after(&self.view()?, arrival, &mut |arrival, id, _| {
            if !withheld.contains(&arrival) {
                ids.push((arrival, id));
            }
            ControlFlow::Continue(())
        })?;
        Ok(ids)
    }

    /// The entries that are held and do not count, in order of arrival, with the reason.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn excluded(&self) -> Result<Vec<Excluded>, LogError> {
        let (view, directory) = (self.view()?, self.directory());
        let mut excluded = Vec::new();
        for (arrival, verdict) in index::verdicts(&view)? {
            let Some(entry) = self.inner.shared.read_at(&view, arrival)? else { continue };
            let header = entry.header();
            excluded.push(Excluded {
                entry: entry.id(),
                arrival,
                device: header.author,
                stream: header.stream,
                seq: header.seq,
                reason: verdict.reason,
                refusal: match verdict.reason {
                    Exclusion::NotAuthorized if header.kind != Kind::Directory => {
                        directory.may_write(&header.author, &header.auth, &header.key_id).err()
                    }
                    _ => None,
                },
            });
        }
        Ok(excluded)
    }

    /// How far the entries of devices are held and count, stream by stream: what a removal of the
    /// devices takes as its cuts. Where a chain forked, the longest branch, ties by smallest id.
    #[must_use]
    pub fn cuts_for(&self, devices: &[DeviceId]) -> Vec<Cut> {
        let (frontier, _) = self.frontier();
        let of_devices = frontier.iter().filter(|leaf| devices.contains(&leaf.device));
        let mut cuts: Vec<Cut> = of_devices
            .filter_map(|leaf| {
                let tip = leaf.tips.iter().min_by_key(|tip| (std::cmp::Reverse(tip.seq), tip.id))?;
                Some(Cut { device: leaf.device, stream: leaf.stream, seq: tip.seq, id: tip.id })
            })
            .collect();
        cuts.sort_unstable();
        cuts
    }

    /// Bytes that the log takes on disk, the state file not included.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn disk_bytes(&self) -> Result<u64, LogError> {
        Ok(self.inner.shared.segments.disk_bytes()?)
    }

    /// What of each segment counts now, for a copy of the log.
    ///
    /// # Errors
    ///
    /// If the log is closed or the storage fails.
    pub fn parts(&self) -> Result<Vec<SegmentPart>, LogError> {
        Ok(self.inner.shared.segments.parts()?)
    }

    /// Reads bytes of a segment as they are.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn read_part(&self, number: u32, offset: u64, bytes: &mut [u8]) -> Result<(), LogError> {
        Ok(self.inner.shared.segments.read_part(number, offset, bytes)?)
    }

    /// The arrival numbers of the entries past the tips of their chains.
    fn withheld(&self) -> Arc<BTreeSet<u64>> {
        Arc::clone(&self.inner.shared.withheld.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The arrival numbers on the branch that ends in `tip`, from the entry after `after_seq` on.
    fn branch_arrivals(
        &self,
        view: &StateView,
        chain: (StreamId, DeviceId),
        tip: &EntryId,
        after_seq: u64,
    ) -> Result<Vec<u64>, LogError> {
        let Some(number) = index::chain_number(view, &chain)? else { return Ok(Vec::new()) };
        let Some(last) = self.inner.shared.read(view, tip)? else { return Ok(Vec::new()) };
        let (from, to) = (after_seq.saturating_add(1), last.header().seq);
        let mut rows: Vec<(u64, u64)> = Vec::new();
        index::chain_order(view, number, from, to, &mut |seq, arrival| {
            rows.push((seq, arrival));
            ControlFlow::Continue(())
        })?;
        if rows.windows(2).all(|pair| pair[0].0 != pair[1].0) {
            return Ok(rows.into_iter().map(|(_, arrival)| arrival).collect());
        }
        // The chain forked somewhere in the range: follow the links back from the tip.
        let mut branch = Vec::new();
        let mut wanted = last;
        loop {
            branch.extend(index::arrival_of(view, &wanted.id())?);
            if wanted.header().seq <= from {
                break;
            }
            let Some(before) = self.inner.shared.read(view, &wanted.header().prev)? else { break };
            wanted = before;
        }
        branch.reverse();
        Ok(branch)
    }

    /// The entry with a sequence number on the branch that ends in `tip`. Where the chain has one entry
    /// in that place it is that one; else the links are followed from the nearest such place above, so
    /// this costs as many reads as branches run side by side there.
    fn id_at(
        &self,
        view: &StateView,
        chain: (StreamId, DeviceId),
        tip: &EntryId,
        seq: u64,
    ) -> Result<Option<EntryId>, LogError> {
        let Some(number) = index::chain_number(view, &chain)? else { return Ok(None) };
        let Some(last) = self.inner.shared.read(view, tip)? else { return Ok(None) };
        let last_seq = last.header().seq;
        // The first place from `seq` on where all branches are one: its number and its only entry.
        let mut alone: Option<(u64, u64)> = None;
        let mut before: Option<(u64, u64, bool)> = None;
        index::chain_order(view, number, seq, last_seq, &mut |place, arrival| {
            match before {
                Some((same, _, _)) if same == place => before = Some((place, arrival, false)),
                Some((same, only, true)) => {
                    alone = Some((same, only));
                    return ControlFlow::Break(());
                }
                _ => before = Some((place, arrival, true)),
            }
            ControlFlow::Continue(())
        })?;
        if let (None, Some((place, only, true))) = (alone, before) {
            alone = Some((place, only));
        }
        let mut at = match alone {
            Some((_, arrival)) => match self.inner.shared.read_at(view, arrival)? {
                Some(entry) => entry,
                None => return Ok(None),
            },
            None => last,
        };
        while at.header().seq > seq {
            let Some(previous) = self.inner.shared.read(view, &at.header().prev)? else { return Ok(None) };
            at = previous;
        }
        Ok((at.header().seq == seq).then(|| at.id()))
    }

    /// Reads entries until `max_bytes` are reached and every run of covered entries has its end.
    fn read_until(
        &self,
        view: &StateView,
        arrivals: impl IntoIterator<Item = u64>,
        filter: &Filter,
        max_bytes: usize,
    ) -> Result<Vec<(u64, Entry)>, LogError> {
        let mut entries = Vec::new();
        let mut bytes = 0;
        let mut unsigned = HashSet::new();
        let withheld = self.withheld();
        for arrival in arrivals {
            if withheld.contains(&arrival) {
                continue;
            }
            let Some(entry) = self.inner.shared.read_at(view, arrival)? else { break };
            let header = entry.header();
            if !filter.contains(&header.stream) {
                continue;
            }
            if bytes + entry.len() > max_bytes && !entries.is_empty() && unsigned.is_empty() {
                break;
            }
            bytes += entry.len();
            let chain = (header.stream, header.author);
            if header.covered {
                unsigned.insert(chain)
            } else {
                unsigned.remove(&chain)
            };
            entries.push((arrival, entry));
        }
        Ok(entries)
    }
}

impl Replica for Log {
    fn workspace(&self) -> WorkspaceId {
        self.workspace()
    }

    fn epoch(&self) -> [u8; 16] {
        self.epoch()
    }

    fn arrivals(&self) -> u64 {
        self.arrivals()
    }

    fn membership(&self, device: &DeviceId) -> Membership {
        let directory = self.directory();
        let is_root = directory.root().is_some_and(|root| root.pk == *device);
        if is_root || directory.is_member(device) {
            Membership::Active
        } else if directory.is_removed(device) {
            Membership::Removed
        } else {
            Membership::Unknown
        }
    }

    fn frontier(&self) -> (Frontier, u64) {
        self.frontier()
    }

    fn entries_after(
        &self,
        arrival: u64,
        filter: &Filter,
        max_bytes: usize,
    ) -> Result<Vec<(u64, Entry)>, ReplicaError> {
        Ok(self.read_until(&self.view()?, arrival + 1..=self.arrivals(), filter, max_bytes)?)
    }

    fn branch(
        &self,
        stream: StreamId,
        device: DeviceId,
        tip: &EntryId,
        after_seq: u64,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, ReplicaError> {
        let view = self.view()?;
        let arrivals = self.branch_arrivals(&view, (stream, device), tip, after_seq)?;
        let entries = self.read_until(&view, arrivals, &Filter::All, max_bytes)?;
        Ok(entries.into_iter().map(|(_, entry)| entry).collect())
    }

    fn id_on_branch(
        &self,
        stream: StreamId,
        device: DeviceId,
        tip: &EntryId,
        seq: u64,
    ) -> Result<Option<EntryId>, ReplicaError> {
        Ok(self.id_at(&self.view()?, (stream, device), tip, seq)?)
    }

    fn position(&self, id: &EntryId) -> Result<Option<u64>, ReplicaError> {
        Ok(index::arrival_of(&self.view()?, id).map_err(LogError::from)?)
    }

    fn receive(&self, entries: Vec<Entry>) -> Result<Receipt, ReplicaError> {
        Ok(self.receive_blocking(entries)?)
    }

    fn cursor(&self, peer: &[u8; 32]) -> Option<Cursor> {
        let row = index::cursor(&self.view().ok()?, peer).ok()??;
        Some(Cursor { epoch: row.0, arrival: row.1 })
    }

    fn set_cursor(&self, peer: &[u8; 32], cursor: Cursor) {
        let peer = *peer;
        let change =
            move |batch: &StateBatch<'_>| Ok(index::put_cursor(batch, &peer, &cursor.epoch, cursor.arrival)?);
        // A cursor that is lost costs a comparison of roots at the next meeting, nothing else.
        self.submit(Request::Change(Box::new(change), Box::new(drop)));
    }
}
