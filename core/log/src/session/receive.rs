//! The receiving half of a sync: batches become stored entries, or the reason why not.
//!
//! Entries that no signature vouches for yet, and entries that build on what is still on its way,
//! are kept for a bounded while. A bad entry stops its chain; the rest of the batch lands; then the
//! session closes.

use std::collections::{HashMap, HashSet, VecDeque};

use super::budget::Budget;
use super::event::SessionEvent;
use super::limits::{
    COVERED_ENTRY_UNITS, CURSOR_SAVE_MS, EXCLUDED_RETRIES_MAX, SIGNED_ENTRY_UNITS, UNADMITTED_BYTES_MAX,
    UNPROVEN_BYTES_MAX, WAITING_BYTES_MAX,
};
use super::replica::{Cursor, Fault, Receipt, Replica};
use super::sync::{Out, Stop, Sync, close};
use crate::batch::decode_batch;
use crate::entry::Entry;
use crate::frames::{Ack, Code, Frame, Taken};

/// What came in, and how far the peer's entries are held.
#[derive(Debug, Default)]
pub(super) struct Receiving {
    epoch: [u8; 16],
    /// Everything of the peer's up to here is held; `None` while unknown.
    cursor: Option<u64>,
    /// Something the peer sent is not held: the cursor stands until roots are equal.
    gap: bool,
    saved: Option<(u64, u64)>,
    batches: u32,
    acked: u32,
    complete: bool,
    unproven: Vec<Entry>,
    /// The batch that is being taken in: its arrival number, and what of it is still to be stored.
    taking: Option<u64>,
    unstored: VecDeque<Entry>,
    /// What ends the session once the batch is taken in.
    fault: Option<(Fault, String)>,
    /// Whether something was stored since those that wait were last tried.
    progress: bool,
    /// Whether something was excluded since then: with what follows it may count.
    excluded: bool,
    /// How often those that wait were tried for that alone.
    retries: u32,
    /// Whether what is being stored had waited before.
    retrying: bool,
    waiting: Vec<Entry>,
    unadmitted_bytes: usize,
    pub(super) entries: u64,
    /// How many entries the peer had at the start that may not be held.
    pub(super) expected: u64,
    /// The peer has entries that this replica leaves out.
    pub(super) left_out: bool,
}

impl Receiving {
    /// Learns the peer's epoch, and recalls how far its entries are held.
    pub(super) fn begin(&mut self, epoch: [u8; 16], arrivals: u64, cursor: Option<Cursor>) {
        self.epoch = epoch;
        self.complete = true;
        self.cursor = cursor.filter(|cursor| cursor.epoch == epoch).map(|cursor| cursor.arrival);
        self.expected = arrivals.saturating_sub(self.cursor.unwrap_or(0));
    }

    /// The epoch of the peer's arrival numbers.
    pub(super) const fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    pub(super) const fn resume_from(&self) -> Option<u64> {
        self.cursor
    }

    /// Everything of the peer's up to here is held, proven by equal roots.
    pub(super) fn confirm(&mut self, arrival: u64, replica: &dyn Replica, peer: &[u8; 32], now_ms: u64) {
        self.cursor = self.cursor.max(Some(arrival));
        self.gap = false;
        self.save_cursor(replica, peer, now_ms);
    }

    pub(super) fn save_cursor(&mut self, replica: &dyn Replica, peer: &[u8; 32], now_ms: u64) {
        let Some(arrival) = self.cursor else { return };
        if self.saved.is_none_or(|(saved, _)| saved != arrival) {
            replica.set_cursor(peer, Cursor { epoch: self.epoch, arrival });
            self.saved = Some((arrival, now_ms));
        }
    }

    #[cfg(test)]
    pub(super) const fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    fn save_cursor_now_and_then(&mut self, replica: &dyn Replica, peer: &[u8; 32], now_ms: u64) {
        if self.saved.is_none_or(|(_, at)| now_ms.saturating_sub(at) >= CURSOR_SAVE_MS) {
            self.save_cursor(replica, peer, now_ms);
        }
    }
}

/// How many entries from the front form runs that all end in a signed entry.
fn proven_len(entries: &[Entry]) -> usize {
    let mut unsigned = HashSet::new();
    let mut proven = 0;
    for (index, entry) in entries.iter().enumerate() {
        let header = entry.header();
        let chain = (header.author, header.stream);
        if header.covered {
            unsigned.insert(chain);
        } else {
            unsigned.remove(&chain);
        }
        if unsigned.is_empty() {
            proven = index + 1;
        }
    }
    proven
}

/// Takes runs from the front that all end in a signed entry, as many as there is time for; of those that
/// waited whole chains, for what does not count by itself may count together.
fn next_runs(entries: &mut VecDeque<Entry>, waited: bool, budget: &mut Budget) -> Vec<Entry> {
    let chain_of = |entry: &Entry| (entry.header().author, entry.header().stream);
    let mut left: HashMap<_, usize> = HashMap::new();
    if waited {
        entries.iter().for_each(|entry| *left.entry(chain_of(entry)).or_default() += 1);
    }
    let mut open = HashSet::new();
    let mut runs = Vec::new();
    while let Some(entry) = entries.pop_front() {
        let (chain, covered) = (chain_of(&entry), entry.header().covered);
        let goes_on = left.get_mut(&chain).is_some_and(|left| {
            *left -= 1;
            *left > 0
        });
        if covered || goes_on {
            open.insert(chain);
        } else {
            open.remove(&chain);
        }
        budget.spend(if covered { COVERED_ENTRY_UNITS } else { SIGNED_ENTRY_UNITS });
        runs.push(entry);
        if open.is_empty() && budget.is_spent() {
            break;
        }
    }
    runs
}

fn bytes_of(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::len).sum()
}

impl Sync {
    /// The peer sent entries.
    pub(super) fn on_entries(&mut self, arrival: u64, batch: &[u8]) -> Result<(), Stop> {
        self.seen_frames += 1;
        self.receive.batches += 1;
        if !self.admitted {
            self.receive.unadmitted_bytes += batch.len();
            if self.receive.unadmitted_bytes > UNADMITTED_BYTES_MAX {
                return Err(close(Code::NotAdmitted, "too many entries from a device that is not a member"));
            }
        }
        let entries = decode_batch(self.replica.workspace(), batch)
            .map_err(|error| close(Code::BadEntry, &error.to_string()))?;
        self.receive.entries += entries.len() as u64;
        self.receive.unproven.extend(entries);
        let proven = proven_len(&self.receive.unproven);
        let rest = self.receive.unproven.split_off(proven);
        self.receive.unstored = std::mem::replace(&mut self.receive.unproven, rest).into();
        self.receive.taking = Some(arrival);
        if bytes_of(&self.receive.unproven) > UNPROVEN_BYTES_MAX {
            return Err(close(Code::Limit, "run of entries without a signature is too long"));
        }
        Ok(())
    }

    /// Stores what came in, as far as there is time; then those that waited, as long as that helps
    /// one of them; then looks at the whole.
    pub(super) fn take_in(&mut self, budget: &mut Budget, out: &mut Out<'_>) -> Result<(), Stop> {
        let Some(arrival) = self.receive.taking else { return Ok(()) };
        while !budget.is_spent() {
            if self.receive.unstored.is_empty() {
                let progress = std::mem::take(&mut self.receive.progress);
                let excluded = std::mem::take(&mut self.receive.excluded);
                let again = progress || excluded && self.receive.retries < EXCLUDED_RETRIES_MAX;
                if !again || self.receive.waiting.is_empty() {
                    (self.receive.taking, self.receive.retrying) = (None, false);
                    return self.taken_in(arrival, out);
                }
                self.receive.retries += u32::from(!progress);
                self.receive.retrying = true;
                self.receive.unstored = std::mem::take(&mut self.receive.waiting).into();
            }
            let entries = next_runs(&mut self.receive.unstored, self.receive.retrying, budget);
            self.store(entries, out)?;
        }
        Ok(())
    }

    /// Hands entries to the replica.
    fn store(&mut self, entries: Vec<Entry>, out: &mut Out<'_>) -> Result<(), Stop> {
        let receipt = self.replica.receive(entries.clone())?;
        for arrival in receipt.stored.iter().chain(&receipt.known) {
            self.send.from_peer.insert(*arrival);
        }
        // What does not count may yet, together with what builds on it.
        self.receive.excluded |= !receipt.excluded.is_empty() && !self.receive.retrying;
        let missing = receipt.missing.iter().map(|missing| missing.entry);
        let waiting: HashSet<_> = missing.chain(receipt.excluded.iter().copied()).collect();
        self.receive.waiting.extend(entries.into_iter().filter(|entry| waiting.contains(&entry.id())));
        self.refuse(&receipt, out);
        if !receipt.stored.is_empty() {
            self.receive.progress = true;
            out.events.push_back(SessionEvent::Stored(receipt.stored.len()));
        }
        Ok(())
    }

    /// A batch is stored as far as it can be.
    fn taken_in(&mut self, arrival: u64, out: &mut Out<'_>) -> Result<(), Stop> {
        self.check_membership()?;
        match self.receive.fault.take() {
            Some((Fault::Quota, reason)) => return Err(close(Code::Quota, &reason)),
            Some((Fault::Signature, reason)) => return Err(Stop::Signature(reason)),
            Some((_, reason)) => return Err(close(Code::BadEntry, &reason)),
            None => {}
        }
        if bytes_of(&self.receive.waiting) > WAITING_BYTES_MAX {
            self.receive.waiting.clear();
            self.receive.complete = false;
        }
        self.receive.complete &= self.receive.waiting.is_empty();
        self.note(arrival, out);
        Ok(())
    }

    /// Reports refused entries, and notes the fault that ends the session, if one does.
    fn refuse(&mut self, receipt: &Receipt, out: &mut Out<'_>) {
        for refused in &receipt.refused {
            self.receive.complete = false;
            self.receive.left_out |= refused.fault.leaves_out();
            out.events.push_back(SessionEvent::Refused(refused.clone()));
            let worse = match &self.receive.fault {
                None => !refused.fault.leaves_out(),
                Some((known, _)) => refused.fault == Fault::Signature && *known != Fault::Signature,
            };
            if worse {
                self.receive.fault = Some((refused.fault, refused.reason.clone()));
            }
        }
    }

    /// Moves the cursor, if nothing is left out before it.
    fn note(&mut self, arrival: u64, out: &mut Out<'_>) {
        self.receive.gap |= !self.receive.complete;
        if arrival > 0 && !self.receive.gap && self.receive.unproven.is_empty() {
            self.receive.cursor = self.receive.cursor.max(Some(arrival));
            self.receive.save_cursor_now_and_then(&*self.replica, &self.cursor_key, out.now_ms);
        }
        self.report(out);
    }

    /// Acknowledges what was taken in since the last time, once it is durable or judged.
    pub(super) fn acknowledge(&mut self, out: &mut Out<'_>) {
        let receive = &mut self.receive;
        if receive.acked == receive.batches || !receive.unproven.is_empty() {
            return;
        }
        receive.acked = receive.batches;
        let complete = std::mem::replace(&mut receive.complete, true);
        let taken = match (complete, receive.left_out) {
            (true, _) => Taken::All,
            (false, false) => Taken::Partly,
            (false, true) => Taken::LeftOut,
        };
        out.outbox.push(&Frame::Ack(Ack { batches: receive.batches, taken }));
        if !complete {
            self.want_root();
        }
    }
}
