//! Tables of the state that the data layer keeps, and the bytes of their rows.
//!
//! ```text
//! table               key                              value
//! items               item row                         item (below)
//! history             part row | version               arrival u64
//! changes             stream 16 | number u64           00 | item row, or
//!                                                      01 | reason u8 | arrival u64 | entry 32 | author 32
//! collections         stream | length u8 | name | policy u8      empty
//! document_snapshots  part row                         a saved document
//! document_tails      part row | number u64            a change applied since the snapshot
//! document_waiting    part row | hash 32               a change that is not applied
//! document_begins     part row | hash 32               heads u16 | hash 32 x heads | hash 32 of each before:
//!                                                      this change begins the document anew
//! waiting_keys        key id 16 | arrival u64          number u64 of its row in changes
//! waiting_clock       hlc u64 | arrival u64            empty
//! key_uses            key id 16                        local time of the first use in ms u64 | entries u64
//! unreadable          arrival u64                      stream 16 | number u64 of its row in changes | reason u8
//! beacons             device 32 | seq u64 | entry 32   hlc u64 | a beacon (see `beacon`)
//! data_meta           "epoch"                          16 random bytes that name the numbers
//!                     "number"                         the last number given out u64
//!                     "clock"                          last stamp seen u64 | local time in ms u64
//!                     "beacon"                         local time in ms u64 at which the first was thought of
//!
//! item row   scope row | key                           (see `address`)
//! part row   scope row | key length u16 | key          no part row is the start of another
//! version    hlc u64 | rank u8 | entry 32 | index u32  rank 1 for a delete, else 0
//!
//! item       version 45 | live u8 | number u64 | arrival u64 | author 32 | body
//!            body: the value (lww); number u64 of the last change to its rows (document)
//! ```
//!
//! Integers are big-endian, so that rows sort as what they stand for. *Numbers* count the changes
//! to views; one item has one row in `changes`, at its latest change.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tidelog_log::ids::{DeviceId, EntryId, KeyId, StreamId};
use tidelog_log::log::LogError;
use tidelog_log::state::{StateBatch, StateError, StateRead};

use super::address::{Scope, collection_row};
use super::hlc::Hlc;
use super::key_uses::KeyUse;
use crate::document::ChangeHash;
use crate::document::generations::Beginning;

/// Version of all rows here. Another one makes the log build the state anew.
pub(crate) const ROWS_VERSION: u32 = 4;

pub(crate) const ITEMS: &str = "items";
pub(crate) const HISTORY: &str = "history";
pub(crate) const CHANGES: &str = "changes";
pub(crate) const COLLECTIONS: &str = "collections";
pub(crate) const DOCUMENT_SNAPSHOTS: &str = "document_snapshots";
pub(crate) const DOCUMENT_TAILS: &str = "document_tails";
pub(crate) const DOCUMENT_WAITING: &str = "document_waiting";
pub(crate) const DOCUMENT_BEGINS: &str = "document_begins";
pub(crate) const WAITING_KEYS: &str = "waiting_keys";
pub(crate) const WAITING_CLOCK: &str = "waiting_clock";
pub(crate) const KEY_USES: &str = "key_uses";
pub(crate) const UNREADABLE: &str = "unreadable";
pub(crate) const BEACONS: &str = "beacons";
pub(crate) const META: &str = "data_meta";

pub(crate) const META_EPOCH: &[u8] = b"epoch";
pub(crate) const META_NUMBER: &[u8] = b"number";
pub(crate) const META_CLOCK: &[u8] = b"clock";
pub(crate) const META_BEACON: &[u8] = b"beacon";

const VERSION_LEN: usize = 8 + 1 + 32 + 4;
const ITEM_HEAD_LEN: usize = VERSION_LEN + 1 + 8 + 8 + 32;

/// Tables that can be written, so that what is computed into them can be tested without a file.
pub(crate) trait Tables: StateRead {
    /// Sets the value of a key.
    fn put(&self, table: &'static str, key: &[u8], value: &[u8]) -> Result<(), StateError>;
    /// Removes a key.
    fn delete(&self, table: &'static str, key: &[u8]) -> Result<(), StateError>;
}

impl Tables for StateBatch<'_> {
    fn put(&self, table: &'static str, key: &[u8], value: &[u8]) -> Result<(), StateError> {
        StateBatch::put(self, table, key, value)
    }

    fn delete(&self, table: &'static str, key: &[u8]) -> Result<(), StateError> {
        StateBatch::delete(self, table, key).map(drop)
    }
}

/// A row is not what was written: the state is damaged and has to be built anew.
pub(crate) fn damaged(table: &str) -> LogError {
    LogError::Engine(format!("a row of the table {table} does not decode"))
}

/// A stretch of big-endian fields being read.
struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }
}

/// What orders the operations on one item: at equal time a delete comes after everything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    /// When it was written.
    pub(crate) hlc: Hlc,
    /// Whether it deletes the item.
    pub(crate) delete: bool,
    /// The entry.
    pub(crate) entry: EntryId,
    /// The operation in the entry.
    pub(crate) index: u32,
}

impl Version {
    /// The version as bytes, which sort as versions do.
    pub(crate) fn encode(&self) -> [u8; VERSION_LEN] {
        let mut bytes = [0; VERSION_LEN];
        bytes[..8].copy_from_slice(&self.hlc.bits().to_be_bytes());
        bytes[8] = self.delete.into();
        bytes[9..41].copy_from_slice(&self.entry.0);
        bytes[41..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }

    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            hlc: Hlc::from_bits(fields.u64()?),
            delete: fields.take::<1>()?[0] != 0,
            entry: EntryId(fields.take()?),
            index: u32::from_be_bytes(fields.take()?),
        })
    }
}

/// What a view shows of an item, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ItemRow {
    /// The highest version of the item.
    pub(crate) version: Version,
    /// Whether the item is there.
    pub(crate) live: bool,
    /// Number of the latest change to what is shown.
    pub(crate) number: u64,
    /// Arrival number of the entry that made that change.
    pub(crate) arrival: u64,
    /// The device that wrote that entry.
    pub(crate) author: DeviceId,
    /// The value as CBOR, or for a document the number of the last change to its rows.
    pub(crate) body: Vec<u8>,
}

impl ItemRow {
    /// The row as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ITEM_HEAD_LEN + self.body.len());
        bytes.extend_from_slice(&self.version.encode());
        bytes.push(self.live.into());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.arrival.to_be_bytes());
        bytes.extend_from_slice(&self.author.0);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads a row.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            version: Version::read(&mut fields)?,
            live: fields.take::<1>()?[0] != 0,
            number: fields.u64()?,
            arrival: fields.u64()?,
            author: DeviceId(fields.take()?),
            body: fields.0.to_vec(),
        })
    }

    /// The body of a live row, without reading the rest.
    pub(crate) fn live_body(bytes: &[u8]) -> Option<&[u8]> {
        let live = bytes.get(VERSION_LEN).is_some_and(|live| *live != 0);
        bytes.get(ITEM_HEAD_LEN..).filter(|_| live)
    }

    /// For a document: the number of the last change to its rows.
    pub(crate) fn stamp(&self) -> Option<u64> {
        self.body.as_slice().try_into().ok().map(u64::from_be_bytes)
    }
}

/// The row that says where the clock stands.
pub(crate) fn clock_row((last, latest_ms): (Hlc, u64)) -> [u8; 16] {
    let mut row = [0; 16];
    row[..8].copy_from_slice(&last.bits().to_be_bytes());
    row[8..].copy_from_slice(&latest_ms.to_be_bytes());
    row
}

/// Reads a row of [`clock_row`].
pub(crate) fn parse_clock_row(row: &[u8]) -> Option<(Hlc, u64)> {
    let mut fields = Fields(row);
    Some((Hlc::from_bits(fields.u64()?), fields.u64()?))
}

/// The value of a row of [`KEY_USES`].
pub(crate) fn key_use_row(used: &KeyUse) -> [u8; 16] {
    let mut row = [0; 16];
    row[..8].copy_from_slice(&used.since_ms.unwrap_or_default().to_be_bytes());
    row[8..].copy_from_slice(&used.entries.to_be_bytes());
    row
}

/// Reads a row of [`KEY_USES`].
pub(crate) fn parse_key_use(key: &[u8], value: &[u8]) -> Option<(KeyId, KeyUse)> {
    let mut fields = Fields(value);
    let used = KeyUse { since_ms: Some(fields.u64()?), entries: fields.u64()? };
    Some((KeyId(key.try_into().ok()?), used))
}

/// The row of an item.
pub(crate) fn item(state: &(impl StateRead + ?Sized), row: &[u8]) -> Result<Option<ItemRow>, LogError> {
    let bytes = state.get(ITEMS, row)?;
    bytes.map(|bytes| ItemRow::decode(&bytes).ok_or_else(|| damaged(ITEMS))).transpose()
}

/// The key of an item's rows in the tables that have several.
pub(crate) fn part_row(scope: &Scope, key: &str) -> Vec<u8> {
    let length = u16::try_from(key.len()).expect("keys are checked to be at most 512 bytes");
    let mut row = scope.row();
    row.extend_from_slice(&length.to_be_bytes());
    row.extend_from_slice(key.as_bytes());
    row
}

/// The value of a row of [`DOCUMENT_BEGINS`].
pub(crate) fn begin_row(begin: &Beginning) -> Vec<u8> {
    let count = u16::try_from(begin.heads.len()).expect("checked where begins are read and made");
    [&count.to_be_bytes()[..], begin.heads.as_flattened(), begin.before.as_flattened()].concat()
}

/// Reads the begins of a document.
///
/// # Errors
///
/// If the rows cannot be read, or are not what was written.
pub(crate) fn begins(
    state: &(impl StateRead + ?Sized),
    part_row: &[u8],
) -> Result<BTreeMap<ChangeHash, Beginning>, LogError> {
    let mut rows = Vec::new();
    state.prefix(DOCUMENT_BEGINS, part_row, &mut |key, value| {
        rows.push(parse_begin(part_row, key, value));
        ControlFlow::Continue(())
    })?;
    rows.into_iter().collect::<Option<_>>().ok_or_else(|| damaged(DOCUMENT_BEGINS))
}

fn parse_begin(part_row: &[u8], key: &[u8], value: &[u8]) -> Option<(ChangeHash, Beginning)> {
    let hash = ChangeHash(key.strip_prefix(part_row)?.try_into().ok()?);
    let (count, hashes) = value.split_first_chunk()?;
    let (hashes, []) = hashes.as_chunks() else { return None };
    let (heads, before) = hashes.split_at_checked(u16::from_be_bytes(*count).into())?;
    Some((hash, Beginning { heads: heads.to_vec(), before: before.to_vec() }))
}

/// The row that says that a collection has items under a policy.
pub(crate) fn policy_row(scope: &Scope) -> Vec<u8> {
    let mut row = collection_row(scope.stream, &scope.collection);
    row.push(scope.policy.number());
    row
}

/// The version and the arrival number that a row of an item's history stands for.
pub(crate) fn parse_history(part_row: &[u8], key: &[u8], value: &[u8]) -> Option<(Version, u64)> {
    let version = Version::read(&mut Fields(key.strip_prefix(part_row)?))?;
    Some((version, Fields(value).u64()?))
}

/// Why an entry is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// This device does not hold its key yet.
    MissingKey = 0,
    /// It does not decrypt, decode or belong where it is; no reader shows it.
    Invalid = 1,
    /// A newer version wrote it, and can read it.
    Newer = 2,
}

impl Unread {
    const ALL: [Self; 3] = [Self::MissingKey, Self::Invalid, Self::Newer];

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u8 == number)
    }
}

/// The row of an entry that cannot be read, whatever keys come.
pub(crate) fn unreadable_row(rows: StreamId, number: u64, reason: Unread) -> Vec<u8> {
    [&change_row(rows, number)[..], &[reason as u8]].concat()
}

/// Reads a row of [`unreadable_row`].
pub(crate) fn parse_unreadable(row: &[u8]) -> Option<(StreamId, u64, Unread)> {
    let (rows, rest) = row.split_first_chunk()?;
    let (number, reason) = rest.split_first_chunk()?;
    let [reason] = *reason else { return None };
    Some((StreamId(*rows), u64::from_be_bytes(*number), Unread::from_number(reason)?))
}

/// A row of the changes of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ChangeRow {
    /// The item with this row changed.
    Item(Vec<u8>),
    /// This entry is not shown.
    Unread { reason: Unread, arrival: u64, entry: EntryId, author: DeviceId },
}

impl ChangeRow {
    /// The row as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Item(row) => [&[0], &row[..]].concat(),
            Self::Unread { reason, arrival, entry, author } => {
                [&[1, *reason as u8], &arrival.to_be_bytes()[..], &entry.0, &author.0].concat()
            }
        }
    }

    /// Reads a row.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        match fields.take()? {
            [0] => Some(Self::Item(fields.0.to_vec())),
            [1] => Some(Self::Unread {
                reason: Unread::from_number(fields.take::<1>()?[0])?,
                arrival: fields.u64()?,
                entry: EntryId(fields.take()?),
                author: DeviceId(fields.take()?),
            }),
            _ => None,
        }
    }
}

/// The key of a change.
pub(crate) fn change_row(stream: StreamId, number: u64) -> [u8; 24] {
    let mut row = [0; 24];
    row[..16].copy_from_slice(&stream.0);
    row[16..].copy_from_slice(&number.to_be_bytes());
    row
}

/// The values of all rows that start with `prefix`, in order.
pub(crate) fn values(
    state: &(impl StateRead + ?Sized),
    table: &'static str,
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>, StateError> {
    let mut values = Vec::new();
    state.prefix(table, prefix, &mut |_, value| {
        values.push(value.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(values)
}

/// The keys of all rows that start with `prefix`, in order.
pub(crate) fn keys(
    state: &(impl StateRead + ?Sized),
    table: &'static str,
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>, StateError> {
    let mut keys = Vec::new();
    state.prefix(table, prefix, &mut |key, _| {
        keys.push(key.to_vec());
        ControlFlow::Continue(())
    })?;
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(hlc: u64, delete: bool, entry: u8, index: u32) -> Version {
        Version { hlc: Hlc::from_bits(hlc), delete, entry: EntryId([entry; 32]), index }
    }

    #[test]
    fn versions_sort_by_time_then_delete_then_entry_then_index_also_as_bytes() {
        let sorted = [
            version(1, false, 9, 9),
            version(1, true, 0, 0),
            version(2, false, 1, 0x100),
            version(2, false, 1, 0x0100_0000),
            version(2, false, 2, 0),
            version(2, true, 1, 0),
            version(0x100, false, 0, 0),
        ];
        assert!(sorted.is_sorted());
        assert!(sorted.map(|version| version.encode()).is_sorted());
    }

    #[test]
    fn rows_round_trip() {
        let item = ItemRow {
            version: version(5, true, 7, 3),
            live: true,
            number: 8,
            arrival: 9,
            author: DeviceId([4; 32]),
            body: 77u64.to_be_bytes().to_vec(),
        };
        assert_eq!(ItemRow::decode(&item.encode()), Some(item.clone()));
        assert_eq!(item.stamp(), Some(77));
        assert_eq!(ItemRow::live_body(&item.encode()), Some(&item.body[..]));
        let gone = ItemRow { live: false, ..item };
        assert_eq!(ItemRow::live_body(&gone.encode()), None);
        for row in [
            ChangeRow::Item(b"row".to_vec()),
            ChangeRow::Unread {
                reason: Unread::Invalid,
                arrival: 3,
                entry: EntryId([1; 32]),
                author: DeviceId([2; 32]),
            },
        ] {
            assert_eq!(ChangeRow::decode(&row.encode()), Some(row));
        }
    }

    #[test]
    fn truncated_rows_do_not_decode() {
        assert_eq!(ItemRow::decode(&[0; ITEM_HEAD_LEN - 1]), None);
        assert_eq!(ItemRow::live_body(&[1; ITEM_HEAD_LEN - 1]), None);
        assert_eq!(ChangeRow::decode(&[1, 0, 0]), None);
        assert_eq!(ChangeRow::decode(&[]), None);
    }
}
