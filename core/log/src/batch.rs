//! Entries on the wire: what the receiver can restore before hashing is left out.
//!
//! A batch is a run of records, to its last byte:
//!
//! ```text
//! size  field
//!    1  control        bits 0..1 kind; bit 2 prunable; bit 3 covered;
//!                      bits 4..5 chain: 0 that of the record before, 1 another one of this batch,
//!                                2 one that the batch does not continue (a first record);
//!                      bit 6 auth is given; bit 7 key id is given
//!    2  chain index    u16, if chain = 1: number of the chain's first record among first records
//!   32  author         \
//!   16  stream          | if chain = 2
//!    .  seq             | varint
//!   32  prev           /  and seq > 1
//!   32  auth           if bit 6; else that of the chain's record before, or for a first record that
//!                      of the batch's record before, or zeros
//!   16  key id         if bit 7; else likewise (records of kind 1 have none and are passed over)
//!    .  payload length varint
//!   64  signature      unless covered
//!   ..  payload
//! ```
//!
//! Workspace (zeros iff auth is zeros), seq, prev and payload hash are restored. A field that could
//! be left out must be, so a batch has one form only, and entries are restored byte for byte.
//! Nothing here judges an entry: a wrong byte in a batch makes another entry, whose signature fails.

use std::collections::HashMap;

use crate::entry::{DATA_PAYLOAD_MAX, Entry, EntryError, HEADER_LEN, Header, Kind};
use crate::ids::{DeviceId, EntryId, KeyId, StreamId, WorkspaceId};
use crate::wire::{LayoutError, Reader, push_varint};

/// Most entries in a batch: bounds what a small message can make a receiver allocate.
pub const BATCH_ENTRIES_MAX: usize = 8_192;
/// Largest batch, in bytes: one entry of the largest payload, with nothing left out.
pub const BATCH_BYTES_MAX: usize = DATA_PAYLOAD_MAX + HEADER_LEN;

const CONTROL_PRUNABLE: u8 = 1 << 2;
const CONTROL_COVERED: u8 = 1 << 3;
const CONTROL_CHAIN_SHIFT: u8 = 4;
const CONTROL_AUTH: u8 = 1 << 6;
const CONTROL_KEY: u8 = 1 << 7;

/// Why bytes are not a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes break the layout, or leave in what could be left out.
    #[error("batch of entries is malformed")]
    Malformed,
    /// More bytes or entries than a batch may have.
    #[error("batch of entries is too large")]
    TooLarge,
    /// A record restores to something that is not an entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl From<LayoutError> for BatchError {
    fn from(_: LayoutError) -> Self {
        Self::Malformed
    }
}

/// How a record refers to its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Same,
    Other(u16),
    First,
}

/// What a record leaves out: a function of the entry and of the records before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    link: Link,
    auth: bool,
    key: bool,
}

/// The last record of a chain in this batch.
#[derive(Debug, Clone, Copy)]
struct Chain {
    author: DeviceId,
    stream: StreamId,
    seq: u64,
    id: EntryId,
    auth: EntryId,
    key_id: KeyId,
}

/// What both sides know of the records so far.
#[derive(Debug, Default)]
struct Context {
    chains: Vec<Chain>,
    by_tip: HashMap<EntryId, u16>,
    last: Option<u16>,
    entries: usize,
}

impl Context {
    fn chain(&self, link: Link) -> Option<&Chain> {
        let index = match link {
            Link::Same => self.last?,
            Link::Other(index) => index,
            Link::First => return None,
        };
        self.chains.get(usize::from(index))
    }

    /// The values that a record leaves out unless its own differ.
    fn defaults(&self, link: Link) -> (EntryId, KeyId) {
        let chain = self.chain(link).or_else(|| self.chain(Link::Same));
        chain.map_or((EntryId::ZERO, KeyId::ZERO), |chain| (chain.auth, chain.key_id))
    }

    fn shape(&self, header: &Header) -> Shape {
        let link = match self.by_tip.get(&header.prev) {
            Some(&index) if self.continues(index, header) => {
                if self.last == Some(index) {
                    Link::Same
                } else {
                    Link::Other(index)
                }
            }
            _ => Link::First,
        };
        let (auth, key_id) = self.defaults(link);
        Shape {
            link,
            auth: header.auth != auth,
            key: header.kind != Kind::Directory && header.key_id != key_id,
        }
    }

    fn continues(&self, index: u16, header: &Header) -> bool {
        let chain = &self.chains[usize::from(index)];
        chain.author == header.author
            && chain.stream == header.stream
            && chain.seq.checked_add(1) == Some(header.seq)
    }

    /// Takes note of an entry whose record has this shape.
    fn advance(&mut self, shape: Shape, entry: &Entry) {
        let header = entry.header();
        let key_id = if header.kind == Kind::Directory { self.defaults(shape.link).1 } else { header.key_id };
        let chain = Chain {
            author: header.author,
            stream: header.stream,
            seq: header.seq,
            id: entry.id(),
            auth: header.auth,
            key_id,
        };
        let index = match shape.link {
            Link::First => u16::try_from(self.chains.len()).expect("fewer chains than entries in a batch"),
            Link::Other(index) => index,
            Link::Same => self.last.expect("a record before it has the chain"),
        };
        match self.chains.get_mut(usize::from(index)) {
            Some(slot) => {
                self.by_tip.remove(&slot.id);
                *slot = chain;
            }
            None => self.chains.push(chain),
        }
        self.by_tip.insert(chain.id, index);
        self.last = Some(index);
        self.entries += 1;
    }
}

/// Writes a batch.
#[derive(Debug, Default)]
pub struct BatchWriter {
    context: Context,
    bytes: Vec<u8>,
}

impl BatchWriter {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry, unless the batch would grow over its limits or over `bytes_max`; the first
    /// entry always fits. Returns whether it was appended.
    pub fn push(&mut self, entry: &Entry, bytes_max: usize) -> bool {
        let room = self.bytes.len() + record_len_max(entry) <= bytes_max.min(BATCH_BYTES_MAX);
        if self.context.entries > 0 && (!room || self.context.entries == BATCH_ENTRIES_MAX) {
            return false;
        }
        let header = entry.header();
        let shape = self.context.shape(header);
        self.bytes.push(control(header, shape));
        match shape.link {
            Link::Same => {}
            Link::Other(index) => self.bytes.extend_from_slice(&index.to_le_bytes()),
            Link::First => {
                self.bytes.extend_from_slice(&header.author.0);
                self.bytes.extend_from_slice(&header.stream.0);
                push_varint(&mut self.bytes, header.seq);
                if header.seq > 1 {
                    self.bytes.extend_from_slice(&header.prev.0);
                }
            }
        }
        if shape.auth {
            self.bytes.extend_from_slice(&header.auth.0);
        }
        if shape.key {
            self.bytes.extend_from_slice(&header.key_id.0);
        }
        push_varint(&mut self.bytes, u64::from(header.payload_len));
        if !header.covered {
            self.bytes.extend_from_slice(&header.signature);
        }
        self.bytes.extend_from_slice(entry.payload());
        self.context.advance(shape, entry);
        true
    }

    /// Entries so far.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.context.entries
    }

    /// The batch.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// An upper bound of a record's length: a first record with everything given.
fn record_len_max(entry: &Entry) -> usize {
    const VARINT_MAX: usize = 10;
    1 + 32 + 16 + VARINT_MAX + 32 + 32 + 16 + VARINT_MAX + 64 + entry.payload().len()
}

fn control(header: &Header, shape: Shape) -> u8 {
    let chain = match shape.link {
        Link::Same => 0,
        Link::Other(_) => 1,
        Link::First => 2,
    };
    let bit = |set: bool, bit: u8| if set { bit } else { 0 };
    header.kind as u8
        | bit(header.prunable, CONTROL_PRUNABLE)
        | bit(header.covered, CONTROL_COVERED)
        | chain << CONTROL_CHAIN_SHIFT
        | bit(shape.auth, CONTROL_AUTH)
        | bit(shape.key, CONTROL_KEY)
}

/// Restores the entries of a batch of one workspace.
///
/// # Errors
///
/// If the bytes are not a batch, or larger than a batch may be.
pub fn decode_batch(workspace: WorkspaceId, bytes: &[u8]) -> Result<Vec<Entry>, BatchError> {
    if bytes.len() > BATCH_BYTES_MAX {
        return Err(BatchError::TooLarge);
    }
    let mut context = Context::default();
    let mut entries = Vec::new();
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        if entries.len() == BATCH_ENTRIES_MAX {
            return Err(BatchError::TooLarge);
        }
        let (shape, entry) = read_record(&context, workspace, &mut reader)?;
        if shape != context.shape(entry.header()) {
            return Err(BatchError::Malformed);
        }
        context.advance(shape, &entry);
        entries.push(entry);
    }
    Ok(entries)
}

fn read_record(
    context: &Context,
    workspace: WorkspaceId,
    reader: &mut Reader<'_>,
) -> Result<(Shape, Entry), BatchError> {
    let control = reader.u8()?;
    let kind = [Kind::Data, Kind::Directory, Kind::Checkpoint, Kind::Beacon][usize::from(control & 3)];
    let link = match control >> CONTROL_CHAIN_SHIFT & 3 {
        0 => Link::Same,
        1 => Link::Other(reader.u16()?),
        2 => Link::First,
        _ => return Err(BatchError::Malformed),
    };
    let shape = Shape { link, auth: control & CONTROL_AUTH != 0, key: control & CONTROL_KEY != 0 };
    let (author, stream, seq, prev) = match link {
        Link::First => {
            let (author, stream) = (DeviceId(reader.array()?), StreamId(reader.array()?));
            let seq = reader.varint()?;
            let prev = if seq > 1 { EntryId(reader.array()?) } else { EntryId::ZERO };
            (author, stream, seq, prev)
        }
        Link::Same | Link::Other(_) => {
            let chain = context.chain(link).ok_or(BatchError::Malformed)?;
            let seq = chain.seq.checked_add(1).ok_or(BatchError::Malformed)?;
            (chain.author, chain.stream, seq, chain.id)
        }
    };
    let (default_auth, default_key) = context.defaults(link);
    let auth = if shape.auth { EntryId(reader.array()?) } else { default_auth };
    let key_id = match (kind, shape.key) {
        (_, true) => KeyId(reader.array()?),
        (Kind::Directory, false) => KeyId::ZERO,
        (_, false) => default_key,
    };
    let payload_len = reader.varint()?;
    let covered = control & CONTROL_COVERED != 0;
    let signature = if covered { [0; 64] } else { reader.array()? };
    if payload_len > kind.payload_max() as u64 {
        return Err(EntryError::TooLarge.into());
    }
    let payload_len = u32::try_from(payload_len).map_err(|_| BatchError::TooLarge)?;
    let payload = reader.take(payload_len as usize)?.to_vec();
    let header = Header {
        kind,
        prunable: control & CONTROL_PRUNABLE != 0,
        covered,
        payload_len,
        seq,
        workspace: if auth.is_zero() { WorkspaceId::ZERO } else { workspace },
        author,
        prev,
        auth,
        stream,
        key_id,
        payload_hash: [0; 32],
        signature,
    };
    Ok((shape, Entry::restore(header, payload)?))
}

#[cfg(test)]
mod tests;
