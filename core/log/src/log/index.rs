//! The log's own tables in the state file, all derived from the segments.
//!
//! ```text
//! table        key                                value
//! log_meta     "applied"                          arrival u64 | place 12      newest entry indexed
//! log_meta     "version"                          tables u32 | caller's rows u32
//! log_entries  arrival u64                        id 32 | place 12
//! log_ids      id 32                              arrival u64
//! log_chains   stream 16 | device 32              number u32 | n u16 | tip x n | tip x ends
//! log_excluded arrival u64                        reason u8 | withheld u8     entries that do not count
//! log_order    number u32 | seq u64 | arrival u64 (nothing)                   one chain in order
//! log_folds    arrival u64                        id 32 | author 32 | sound u8 | payload
//!                                                 entries of the directory, so that it is folded at
//!                                                 once when the log is opened
//! log_cursors  peer 32                            epoch 16 | arrival u64
//! ```
//!
//! Integers are big-endian here, so that byte order is number order. A place is `segment u32 |
//! offset u32 | length u32`. The number of a chain is short for its key and never leaves the file. A tip
//! is `seq u64 | id 32 | position 32`; ends are left out where they are the tips.

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
        self.ends.iter().min_by_key(|end| (std::cmp::Reverse(end.seq), end.id))
    }
}

/// The key of a chain.
pub(super) type ChainKey = (StreamId, DeviceId);

/// One row for a newly stored entry.
pub(super) struct NewEntry<'e> {
    pub(super) arrival: u64,
    pub(super) id: EntryId,
    pub(super) place: Place,
    pub(super) chain: u32,
    pub(super) seq: u64,
    /// The author and payload of an entry of the directory, and whether its certificates are good.
    pub(super) fold: Option<(DeviceId, &'e [u8], bool)>,
}

/// Indexes one entry. The caller keeps chains up to date with [`put_chain`].
pub(super) fn put_entry(batch: &StateBatch<'_>, entry: &NewEntry<'_>) -> Result<(), StateError> {
    let arrival = entry.arrival.to_be_bytes();
    let mut row = entry.id.0.to_vec();
    row.extend_from_slice(&encode_place(entry.place));
    batch.put(ENTRIES, &arrival, &row)?;
    batch.put(IDS, &entry.id.0, &arrival)?;
    let mut order = entry.chain.to_be_bytes().to_vec();
    order.extend_from_slice(&entry.seq.to_be_bytes());
    order.extend_from_slice(&arrival);
    batch.put(ORDER, &order, &[])?;
    if let Some((author, payload, sound)) = entry.fold {
        batch.put(FOLDS, &arrival, &[&entry.id.0[..], &author.0, &[sound.into()], payload].concat())?;
    }
    Ok(())
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
    Ok(state.get(IDS, &id.0)?.and_then(|row| decode_u64(&row, 0)))
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
    state.range(ORDER, &bound(from_seq), end.as_deref(), false, &mut |key, _| match (
        decode_u64(key, 4),
        decode_u64(key, 12),
    ) {
        (Some(seq), Some(arrival)) => visit(seq, arrival),
        _ => ControlFlow::Break(()),
    })
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
