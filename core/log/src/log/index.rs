//! The log's own tables in the state file, all derived from the segments.
//!
//! ```text
//! table        key                                value
//! log_meta     "applied"                          arrival u64 | place 12      newest entry indexed
//! log_meta     "version"                          tables u32 | caller's rows u32
//! log_entries  arrival u64                        id 32 | place 12
//! log_ids      start of id 8 | arrival u64        (nothing)                   rows of random ids spread
//!                                                 over the whole table: short ones spread less
//! log_chains   stream 16 | device 32              number u32 | n u16 | tip x n | tip x ends
//! log_excluded arrival u64                        reason u8 | withheld u8     entries that do not count
//! log_order    number u32 | seq u64 | arrival u64 count u32                   one chain in order: so many
//!                                                 entries whose seq and arrival go up together
//! log_folds    arrival u64                        id 32 | author 32 | sound u8 | payload
//!                                                 entries of the directory, so that it is folded at
//!                                                 once when the log is opened
//! log_cursors  peer 32                            epoch 16 | arrival u64
//! ```
//!
//! Integers are big-endian here, so that byte order is number order. A place is `segment u32 |
//! offset u32 | length u32`. The number of a chain is short for its key and never leaves the file. A tip
//! is `seq u64 | id 32 | position 32`; ends are left out where they are the tips.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use super::judge::{Exclusion, Verdict};
use crate::directory::Held;
use crate::ids::{DeviceId, EntryId, StreamId};
use crate::segments::Place;
use crate::state::{StateBatch, StateError, StateRead};
use crate::trie::Tip;

const META: &str = "log_meta";
const ENTRIES: &str = "log_entries";
const IDS: &str = "log_ids";
const CHAINS: &str = "log_chains";
const ORDER: &str = "log_order";
const FOLDS: &str = "log_folds";
const EXCLUDED: &str = "log_excluded";
const CURSORS: &str = "log_cursors";
const APPLIED: &[u8] = b"applied";
const VERSION: &[u8] = b"version";
const TIP_LEN: usize = 72;
/// Bytes of an id that start its row in `log_ids`; those that share them are told apart by their entries.
const ID_START: usize = 8;
/// Entries in one row of `log_order`, at most: who looks for a place begins so many before it.
const RUN_MAX: u32 = 128;

/// One end of a chain, and what the next entry on it is checked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ChainTip {
    pub(super) seq: u64,
    pub(super) id: EntryId,
    /// The author's position in the directory: see [`crate::directory::position`].
    pub(super) position: EntryId,
}

/// The entries of one device in one stream. More than one end means that the chain forked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) number: u32,
    /// The last entries that count, one for each branch.
    pub(super) tips: Vec<ChainTip>,
    /// The last entries that are held, one for each branch.
    pub(super) ends: Vec<ChainTip>,
}

impl Chain {
    /// The tips as the frontier has them.
    pub(super) fn frontier_tips(&self) -> Vec<Tip> {
        self.tips.iter().map(|tip| Tip { seq: tip.seq, id: tip.id }).collect()
    }

    /// Where the author continues: the longest branch held, ties by smallest id.
    pub(super) fn own_tip(&self) -> Option<&ChainTip> {
        self.ends.iter().min_by_key(|end| (Reverse(end.seq), end.id))
    }
}

/// The key of a chain.
pub(super) type ChainKey = (StreamId, DeviceId);

/// One row for a newly stored entry.
pub(super) struct NewEntry<'e> {
    pub(super) arrival: u64,
    pub(super) id: EntryId,
    pub(super) place: Place,
    /// The author and payload of an entry of the directory, and whether its certificates are good.
    pub(super) fold: Option<(DeviceId, &'e [u8], bool)>,
}

/// Indexes one entry. The caller keeps chains up to date with [`put_chain`].
pub(super) fn put_entry(batch: &StateBatch<'_>, entry: &NewEntry<'_>) -> Result<(), StateError> {
    let arrival = entry.arrival.to_be_bytes();
    let mut row = entry.id.0.to_vec();
    row.extend_from_slice(&encode_place(entry.place));
    batch.put(ENTRIES, &arrival, &row)?;
    batch.put(IDS, &[&entry.id.0[..ID_START], &arrival].concat(), &[])?;
    if let Some((author, payload, sound)) = entry.fold {
        batch.put(FOLDS, &arrival, &[&entry.id.0[..], &author.0, &[sound.into()], payload].concat())?;
    }
    Ok(())
}

/// Entries of one chain that come one after the other, and arrived so.
struct Run {
    chain: u32,
    seq: u64,
    arrival: u64,
    count: u32,
}

impl Run {
    fn put(&self, batch: &StateBatch<'_>) -> Result<(), StateError> {
        let key = [&self.chain.to_be_bytes()[..], &self.seq.to_be_bytes(), &self.arrival.to_be_bytes()];
        batch.put(ORDER, &key.concat(), &self.count.to_be_bytes())
    }

    fn decode(key: &[u8], row: &[u8]) -> Option<Self> {
        Some(Self {
            chain: u32::from_be_bytes(*key.first_chunk()?),
            seq: decode_u64(key, 4)?,
            arrival: decode_u64(key, 12)?,
            count: u32::from_be_bytes(row.try_into().ok()?),
        })
    }

    /// The sequence and arrival numbers of its entries.
    fn places(&self) -> impl Iterator<Item = (u64, u64)> {
        (self.seq..).zip(self.arrival..).take(self.count as usize)
    }
}

/// Indexes the order of the chains that new entries belong to: chain, sequence and arrival numbers, in
/// order of arrival.
pub(super) fn put_order(
    batch: &StateBatch<'_>,
    entries: impl Iterator<Item = (u32, u64, u64)>,
) -> Result<(), StateError> {
    let mut run: Option<Run> = None;
    for (chain, seq, arrival) in entries {
        if let Some(run) = &mut run {
            let count = u64::from(run.count);
            let follows = (chain, seq, arrival) == (run.chain, run.seq + count, run.arrival + count);
            if follows && run.count < RUN_MAX {
                run.count += 1;
                continue;
            }
            run.put(batch)?;
        }
        run = Some(Run { chain, seq, arrival, count: 1 });
    }
    run.map_or(Ok(()), |run| run.put(batch))
}

/// Notes the newest entry that the state has applied.
pub(super) fn put_applied(batch: &StateBatch<'_>, arrival: u64, place: Place) -> Result<(), StateError> {
    let mut row = arrival.to_be_bytes().to_vec();
    row.extend_from_slice(&encode_place(place));
    batch.put(META, APPLIED, &row)
}

/// The newest entry that the state has applied.
pub(super) fn applied(state: &impl StateRead) -> Result<Option<(u64, Place)>, StateError> {
    let row = state.get(META, APPLIED)?;
    Ok(row.and_then(|row| Some((decode_u64(&row, 0)?, decode_place(row.get(8..)?)?))))
}

/// Notes the versions of the tables and of the caller's rows.
pub(super) fn put_version(batch: &StateBatch<'_>, tables: u32, rows: u32) -> Result<(), StateError> {
    batch.put(META, VERSION, &[tables.to_be_bytes(), rows.to_be_bytes()].concat())
}

/// The versions of the tables and of the caller's rows.
pub(super) fn version(state: &impl StateRead) -> Result<Option<(u32, u32)>, StateError> {
    let number = |row: &[u8], at: usize| Some(u32::from_be_bytes(row.get(at..at + 4)?.try_into().ok()?));
    Ok(state.get(META, VERSION)?.and_then(|row| Some((number(&row, 0)?, number(&row, 4)?))))
}

/// Sets the tips of a chain.
pub(super) fn put_chain(batch: &StateBatch<'_>, key: &ChainKey, chain: &Chain) -> Result<(), StateError> {
    let mut row = chain.number.to_be_bytes().to_vec();
    let count = u16::try_from(chain.tips.len()).expect("branches are bounded far below this");
    row.extend_from_slice(&count.to_be_bytes());
    let ends: &[ChainTip] = if chain.ends == chain.tips { &[] } else { &chain.ends };
    for tip in chain.tips.iter().chain(ends) {
        row.extend_from_slice(&tip.seq.to_be_bytes());
        row.extend_from_slice(&tip.id.0);
        row.extend_from_slice(&tip.position.0);
    }
    batch.put(CHAINS, &chain_key(key), &row)
}

/// Every chain, in key order.
pub(super) fn chains(state: &impl StateRead) -> Result<Vec<(ChainKey, Chain)>, StateError> {
    let mut chains = Vec::new();
    state.prefix(CHAINS, &[], &mut |key, row| {
        chains.extend(decode_chain(key, row));
        ControlFlow::Continue(())
    })?;
    Ok(chains)
}

/// The number of a chain, if it has entries.
pub(super) fn chain_number(state: &impl StateRead, key: &ChainKey) -> Result<Option<u32>, StateError> {
    let row = state.get(CHAINS, &chain_key(key))?;
    Ok(row.and_then(|row| Some(u32::from_be_bytes(*row.first_chunk()?))))
}

fn chain_key(key: &ChainKey) -> Vec<u8> {
    [&key.0.0[..], &key.1.0].concat()
}

fn decode_chain(key: &[u8], row: &[u8]) -> Option<(ChainKey, Chain)> {
    let stream = StreamId(key.get(..16)?.try_into().ok()?);
    let device = DeviceId(key.get(16..)?.try_into().ok()?);
    let (number, tips) = row.split_first_chunk::<4>()?;
    let (count, tips) = tips.split_first_chunk::<2>()?;
    let mut tips: Vec<ChainTip> = tips
        .chunks_exact(TIP_LEN)
        .map(|tip| {
            Some(ChainTip {
                seq: decode_u64(tip, 0)?,
                id: EntryId(tip.get(8..40)?.try_into().ok()?),
                position: EntryId(tip.get(40..72)?.try_into().ok()?),
            })
        })
        .collect::<Option<_>>()?;
    let count = usize::from(u16::from_be_bytes(*count));
    let ends = if tips.len() == count {
        tips.clone()
    } else {
        if tips.len() > count { tips.split_off(count) } else { return None }
    };
    Some(((stream, device), Chain { number: u32::from_be_bytes(*number), tips, ends }))
}

/// Notes why an entry does not count, or that it does.
pub(super) fn put_verdict(
    batch: &StateBatch<'_>,
    arrival: u64,
    verdict: Option<Verdict>,
) -> Result<(), StateError> {
    let arrival = arrival.to_be_bytes();
    match verdict {
        Some(verdict) => batch.put(EXCLUDED, &arrival, &[verdict.reason.number(), verdict.withheld.into()]),
        None => batch.delete(EXCLUDED, &arrival).map(drop),
    }
}

/// Why an entry does not count; `None` if it does.
pub(super) fn verdict(state: &impl StateRead, arrival: u64) -> Result<Option<Verdict>, StateError> {
    Ok(state.get(EXCLUDED, &arrival.to_be_bytes())?.as_deref().and_then(decode_verdict))
}

/// All entries that do not count, in order of arrival.
pub(super) fn verdicts(state: &impl StateRead) -> Result<Vec<(u64, Verdict)>, StateError> {
    let mut verdicts = Vec::new();
    state.prefix(EXCLUDED, &[], &mut |key, row| {
        verdicts.extend(decode_u64(key, 0).zip(decode_verdict(row)));
        ControlFlow::Continue(())
    })?;
    Ok(verdicts)
}

fn decode_verdict(row: &[u8]) -> Option<Verdict> {
    let [reason, withheld] = row.try_into().ok()?;
    Some(Verdict { reason: Exclusion::from_number(reason)?, withheld: withheld != 0 })
}

/// The arrival number of an entry, if it is held.
pub(super) fn arrival_of(state: &impl StateRead, id: &EntryId) -> Result<Option<u64>, StateError> {
    let mut arrivals = Vec::new();
    state.prefix(IDS, &id.0[..ID_START], &mut |key, _| {
        arrivals.extend(decode_u64(key, ID_START));
        ControlFlow::Continue(())
    })?;
    for arrival in arrivals {
        if entry_at(state, arrival)?.is_some_and(|(held, _)| held == *id) {
            return Ok(Some(arrival));
        }
    }
    Ok(None)
}

/// Id and place of the entry with an arrival number.
pub(super) fn entry_at(state: &impl StateRead, arrival: u64) -> Result<Option<(EntryId, Place)>, StateError> {
    Ok(state.get(ENTRIES, &arrival.to_be_bytes())?.as_deref().and_then(decode_entry))
}

/// Visits the entries that arrived after `arrival`, in order, until the visitor breaks.
pub(super) fn entries_after(
    state: &impl StateRead,
    arrival: u64,
    visit: &mut dyn FnMut(u64, EntryId, Place) -> ControlFlow<()>,
) -> Result<(), StateError> {
    let from = arrival.saturating_add(1).to_be_bytes();
    state.range(ENTRIES, &from, None, false, &mut |key, row| match (decode_u64(key, 0), decode_entry(row)) {
        (Some(arrival), Some((id, place))) => visit(arrival, id, place),
        _ => ControlFlow::Break(()),
    })
}

/// Visits sequence and arrival numbers of a chain's entries from `from_seq` to `to_seq`, in order.
pub(super) fn chain_order(
    state: &impl StateRead,
    chain: u32,
    from_seq: u64,
    to_seq: u64,
    visit: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<(), StateError> {
    let bound = |seq: u64| [&chain.to_be_bytes()[..], &seq.to_be_bytes()].concat();
    let end = match to_seq.checked_add(1) {
        Some(seq) => Some(bound(seq)),
        None => chain.checked_add(1).map(|next| next.to_be_bytes().to_vec()),
    };
    // A run that holds the first place may begin before it. Where the chain forked runs overlap, so a
    // place waits here until no later run can begin before it.
    let mut places = BinaryHeap::new();
    let mut stopped = false;
    let from_run = from_seq.saturating_sub(u64::from(RUN_MAX - 1));
    state.range(ORDER, &bound(from_run), end.as_deref(), false, &mut |key, row| {
        let Some(run) = Run::decode(key, row) else { return ControlFlow::Break(()) };
        let flow = visit_until(&mut places, run.seq, visit);
        stopped = flow.is_break();
        let wanted = run.places().filter(|(seq, _)| (from_seq..=to_seq).contains(seq));
        places.extend(wanted.map(Reverse));
        flow
    })?;
    if !stopped {
        while let Some(Reverse((seq, arrival))) = places.pop() {
            if visit(seq, arrival).is_break() {
                break;
            }
        }
    }
    Ok(())
}

/// Visits the places before `seq`.
fn visit_until(
    places: &mut BinaryHeap<Reverse<(u64, u64)>>,
    seq: u64,
    visit: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> ControlFlow<()> {
    while places.peek().is_some_and(|Reverse((place, _))| *place < seq) {
        if let Some(Reverse((seq, arrival))) = places.pop() {
            visit(seq, arrival)?;
        }
    }
    ControlFlow::Continue(())
}

/// All entries of the directory, in order of arrival.
pub(super) fn folds(state: &impl StateRead) -> Result<Vec<Held>, StateError> {
    let mut held = Vec::new();
    state.prefix(FOLDS, &[], &mut |_, row| {
        let read = || {
            let (id, row) = row.split_first_chunk()?;
            let (author, row) = row.split_first_chunk()?;
            let (sound, body) = row.split_first()?;
            let (id, author) = (EntryId(*id), DeviceId(*author));
            Some(Held { id, author, body: body.to_vec(), is_sound: *sound != 0 })
        };
        held.extend(read());
        ControlFlow::Continue(())
    })?;
    Ok(held)
}

/// What a peer said this replica holds of it: an arrival number within an epoch.
pub(super) fn cursor(state: &impl StateRead, peer: &[u8; 32]) -> Result<Option<([u8; 16], u64)>, StateError> {
    let row = state.get(CURSORS, peer)?;
    Ok(row.and_then(|row| Some((row.get(..16)?.try_into().ok()?, decode_u64(&row, 16)?))))
}

/// Notes what a peer said this replica holds of it.
pub(super) fn put_cursor(
    batch: &StateBatch<'_>,
    peer: &[u8; 32],
    epoch: &[u8; 16],
    arrival: u64,
) -> Result<(), StateError> {
    batch.put(CURSORS, peer, &[&epoch[..], &arrival.to_be_bytes()].concat())
}

fn encode_place(place: Place) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&place.segment.to_be_bytes());
    bytes[4..8].copy_from_slice(&place.offset.to_be_bytes());
    bytes[8..].copy_from_slice(&place.length.to_be_bytes());
    bytes
}

fn decode_place(bytes: &[u8]) -> Option<Place> {
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some(Place { segment: number(0)?, offset: number(4)?, length: number(8)? })
}

fn decode_entry(row: &[u8]) -> Option<(EntryId, Place)> {
    Some((EntryId(row.get(..32)?.try_into().ok()?), decode_place(row.get(32..)?)?))
}

fn decode_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
