//! Beacons: what a device says, about once a day, that it holds.
//!
//! ```text
//! beacon = 0x01 | n_heads u16 (0..256) | head 32 x n | n_tips u16 (0..4096)
//!          | (stream 16 | seq u64 | id 32) x n
//! ```
//!
//! Integers are little-endian; heads and streams ascend, none comes twice, and no seq is zero. Decoding
//! is bijective. The heads are those of the directory; the tips are the ends of the device's own
//! chains, those that changed since its last beacon. So a claim about a stream holds until a later
//! beacon of the device makes another one.
//!
//! A beacon is an entry of kind 3 in stream zero, sealed under a key of circle zero. What it claims
//! decides nothing: it shows who is told a different history, and how far a lost device had come.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tidelog_log::entry::Entry;
use tidelog_log::ids::{DeviceId, EntryId, StreamId};
use tidelog_log::state::{StateError, StateRead};

use super::hlc::Hlc;
use super::tables::{BEACONS, Tables};

const VERSION: u8 = 1;
/// Most heads of the directory in one beacon; of more, the smallest are named.
pub(crate) const HEADS_MAX: usize = 256;
/// Most tips in one beacon; of more, the others follow in the next one.
pub(crate) const TIPS_MAX: usize = 4_096;
const TIP_LEN: usize = StreamId::LENGTH + 8 + EntryId::LENGTH;
const ROW_HEAD_LEN: usize = 8 + 8;

/// Why bytes are no beacon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BeaconError {
    #[error("the beacon was written by a newer version")]
    Unsupported,
    #[error("the beacon is malformed")]
    Malformed,
}

/// The end of a chain: a stream, and number and id of the last entry there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tip {
    pub(crate) stream: StreamId,
    pub(crate) seq: u64,
    pub(crate) id: EntryId,
}

/// What a device claims.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Beacon {
    /// The heads of the directory, ascending.
    pub(crate) heads: Vec<EntryId>,
    /// The ends of its own chains that changed, ascending by stream.
    pub(crate) tips: Vec<Tip>,
}

impl Beacon {
    /// The beacon as bytes: at most [`HEADS_MAX`] heads and [`TIPS_MAX`] tips, the first of each.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let heads = &self.heads[..self.heads.len().min(HEADS_MAX)];
        let tips = &self.tips[..self.tips.len().min(TIPS_MAX)];
        let count = |length: usize| u16::try_from(length).expect("within the limits").to_le_bytes();
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&count(heads.len()));
        heads.iter().for_each(|head| bytes.extend_from_slice(&head.0));
        bytes.extend_from_slice(&count(tips.len()));
        for tip in tips {
            bytes.extend_from_slice(&tip.stream.0);
            bytes.extend_from_slice(&tip.seq.to_le_bytes());
            bytes.extend_from_slice(&tip.id.0);
        }
        bytes
    }

    /// Reads a beacon. The bytes must be one beacon and nothing else.
    ///
    /// # Errors
    ///
    /// [`BeaconError::Unsupported`] for another version, else [`BeaconError::Malformed`].
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, BeaconError> {
        let (version, rest) = bytes.split_first().ok_or(BeaconError::Malformed)?;
        if *version != VERSION {
            return Err(BeaconError::Unsupported);
        }
        let read = || {
            let (heads, rest) = records::<{ EntryId::LENGTH }>(rest, HEADS_MAX)?;
            let (tips, rest) = records::<TIP_LEN>(rest, TIPS_MAX)?;
            let heads: Vec<EntryId> = heads.iter().map(|head| EntryId(*head)).collect();
            let tips: Vec<Tip> = tips.iter().map(read_tip).collect::<Option<_>>()?;
            let ascend = heads.is_sorted_by(|a, b| a < b) && tips.is_sorted_by(|a, b| a.stream < b.stream);
            let sound = rest.is_empty() && ascend && tips.iter().all(|tip| tip.seq > 0);
            sound.then_some(Self { heads, tips })
        };
        read().ok_or(BeaconError::Malformed)
    }
}

/// A counted list of records, and what comes after it.
fn records<const N: usize>(bytes: &[u8], max: usize) -> Option<(&[[u8; N]], &[u8])> {
    let (count, rest) = bytes.split_first_chunk::<2>()?;
    let count = usize::from(u16::from_le_bytes(*count));
    let (records, rest) = rest.split_at_checked(count * N).filter(|_| count <= max)?;
    Some((records.as_chunks().0, rest))
}

fn read_tip(record: &[u8; TIP_LEN]) -> Option<Tip> {
    let (stream, rest) = record.split_first_chunk()?;
    let (seq, id) = rest.split_first_chunk()?;
    let (stream, seq) = (StreamId(*stream), u64::from_le_bytes(*seq));
    Some(Tip { stream, seq, id: EntryId(id.try_into().ok()?) })
}

/// All that a device claims by now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Its last beacon, if it wrote one.
    pub(crate) entry: Option<EntryId>,
    /// The arrival number of that.
    pub(crate) arrival: u64,
    /// When it wrote that.
    pub(crate) hlc: Hlc,
    /// The heads of the directory in that.
    pub(crate) heads: Vec<EntryId>,
    /// The last tip that it claimed of each stream, and the arrival number of the beacon that did.
    pub(crate) tips: BTreeMap<StreamId, (Tip, u64)>,
}

/// Keeps a beacon that was read.
pub(crate) fn put(
    tables: &dyn Tables,
    arrival: u64,
    entry: &Entry,
    hlc: Hlc,
    beacon: &[u8],
) -> Result<(), StateError> {
    let row = [&hlc.bits().to_be_bytes(), &arrival.to_be_bytes(), beacon].concat();
    tables.put(BEACONS, &row_key(entry), &row)
}

/// Forgets a beacon.
pub(crate) fn remove(tables: &dyn Tables, entry: &Entry) -> Result<(), StateError> {
    tables.delete(BEACONS, &row_key(entry))
}

fn row_key(entry: &Entry) -> Vec<u8> {
    let header = entry.header();
    [&header.author.0[..], &header.seq.to_be_bytes(), &entry.id().0].concat()
}

/// What a device claims; `None` if it never wrote a beacon that can be read here.
pub(crate) fn claims(
    state: &(impl StateRead + ?Sized),
    device: &DeviceId,
) -> Result<Option<Claims>, StateError> {
    Ok(claims_under(state, &device.0)?.remove(device))
}

/// What all devices claim that wrote beacons.
pub(crate) fn all_claims(
    state: &(impl StateRead + ?Sized),
) -> Result<BTreeMap<DeviceId, Claims>, StateError> {
    claims_under(state, &[])
}

fn claims_under(
    state: &(impl StateRead + ?Sized),
    prefix: &[u8],
) -> Result<BTreeMap<DeviceId, Claims>, StateError> {
    let mut found: BTreeMap<DeviceId, Claims> = BTreeMap::new();
    state.prefix(BEACONS, prefix, &mut |key, row| {
        if let Some((device, entry, hlc, arrival, beacon)) = parse_row(key, row) {
            let claims = found.entry(device).or_default();
            (claims.entry, claims.hlc) = (Some(entry), hlc);
            (claims.arrival, claims.heads) = (arrival, beacon.heads);
            claims.tips.extend(beacon.tips.into_iter().map(|tip| (tip.stream, (tip, arrival))));
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn parse_row(key: &[u8], row: &[u8]) -> Option<(DeviceId, EntryId, Hlc, u64, Beacon)> {
    let (device, entry) = (DeviceId(*key.first_chunk()?), EntryId(*key.last_chunk()?));
    let (head, beacon) = row.split_first_chunk::<ROW_HEAD_LEN>()?;
    let number = |at: usize| Some(u64::from_be_bytes(head.get(at..at + 8)?.try_into().ok()?));
    Some((device, entry, Hlc::from_bits(number(0)?), number(8)?, Beacon::decode(beacon).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn beacon(heads: u8, tips: u8) -> Beacon {
        let tip = |n: u8| Tip { stream: StreamId([n; 16]), seq: u64::from(n) + 1, id: EntryId([n; 32]) };
        Beacon { heads: (0..heads).map(|n| EntryId([n; 32])).collect(), tips: (0..tips).map(tip).collect() }
    }

    proptest! {
        #[test]
        fn beacons_round_trip(heads in 0..20_u8, tips in 0..20_u8) {
            let beacon = beacon(heads, tips);
            prop_assert_eq!(Beacon::decode(&beacon.encode()), Ok(beacon));
        }

        #[test]
        fn whatever_reads_as_a_beacon_is_its_only_form(
            heads in 0..3_u8, tips in 0..3_u8, at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
        ) {
            let mut bytes = beacon(heads, tips).encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
                if let Ok(read) = Beacon::decode(bytes) {
                    prop_assert_eq!(&read.encode()[..], bytes);
                }
            }
        }
    }

    #[test]
    fn what_is_out_of_order_or_numbered_zero_or_too_long_is_refused() {
        let sound = beacon(2, 2);
        let refused = |change: &dyn Fn(&mut Beacon)| {
            let mut changed = sound.clone();
            change(&mut changed);
            assert_eq!(Beacon::decode(&changed.encode()), Err(BeaconError::Malformed), "{changed:?}");
        };
        refused(&|beacon| beacon.heads.reverse());
        refused(&|beacon| beacon.heads[1] = beacon.heads[0]);
        refused(&|beacon| beacon.tips.reverse());
        refused(&|beacon| beacon.tips[1].stream = beacon.tips[0].stream);
        refused(&|beacon| beacon.tips[0].seq = 0);
        let long = [&sound.encode()[..], &[0]].concat();
        assert_eq!(Beacon::decode(&long), Err(BeaconError::Malformed));
        assert_eq!(Beacon::decode(&[]), Err(BeaconError::Malformed));
        assert_eq!(Beacon::decode(&[2]), Err(BeaconError::Unsupported));
    }

    #[test]
    fn the_limits_hold_exactly() {
        let stream = |n: usize| StreamId(u128::try_from(n).expect("small").to_be_bytes());
        let tip = |n: usize| Tip { stream: stream(n), seq: 1, id: EntryId([1; 32]) };
        let id = |n: usize| EntryId(core::array::from_fn(|at| stream(n).0[at % 16]));
        let most =
            Beacon { heads: (0..=HEADS_MAX).map(id).collect(), tips: (0..=TIPS_MAX).map(tip).collect() };
        let read = Beacon::decode(&most.encode()).expect("reads");
        assert_eq!((&read.heads[..], &read.tips[..]), (&most.heads[..HEADS_MAX], &most.tips[..TIPS_MAX]));
        // One more of each, with the bytes to show for it.
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&u16::try_from(HEADS_MAX + 1).expect("small").to_le_bytes());
        most.heads.iter().for_each(|head| bytes.extend_from_slice(&head.0));
        bytes.extend_from_slice(&[0; 2]);
        assert_eq!(Beacon::decode(&bytes), Err(BeaconError::Malformed));
    }
}
