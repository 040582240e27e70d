//! Own entries before they are sealed: what to write, without a place in a chain yet.

use std::fmt;
use std::sync::Arc;

use crate::crypto::Signer;
use crate::directory::{Body, Op};
use crate::entry::{CONTEXT_LEN, Entry, Header, Kind, payload_hash};
use crate::ids::{EntryId, KeyId, StreamId, WorkspaceId};
use crate::log::LogError;

/// Makes the payload, bound to the header bytes it is given. Called once, by the writer, in the
/// order of the entries.
pub type Seal = Box<dyn FnOnce(&[u8; CONTEXT_LEN]) -> Vec<u8> + Send>;

/// Says why an entry must not be written after all.
pub type Unless = Box<dyn Fn() -> Option<LogError> + Send>;

/// One entry to write.
pub struct Draft {
    pub(super) author: Arc<dyn Signer>,
    pub(super) unless: Option<Unless>,
    pub(super) body: DraftBody,
    /// Whether it may be written by a device that is silent otherwise.
    pub(super) last_act: bool,
}

pub(super) enum DraftBody {
    Data {
        kind: Kind,
        stream: StreamId,
        key_id: KeyId,
        payload_len: usize,
        seal: Seal,
    },
    /// Operations, on top of all heads and of one entry that may be under none of them.
    Directory {
        ops: Vec<Op>,
        above: Option<EntryId>,
    },
}

impl Draft {
    /// An encrypted entry. `seal` must return exactly `payload_len` bytes.
    #[must_use]
    pub fn data(
        author: Arc<dyn Signer>,
        stream: StreamId,
        key_id: KeyId,
        payload_len: usize,
        seal: Seal,
    ) -> Self {
        let body = DraftBody::Data { kind: Kind::Data, stream, key_id, payload_len, seal };
        Self { author, unless: None, body, last_act: false }
    }

    /// A beacon: in stream zero, encrypted as [`Draft::data`] is.
    #[must_use]
    pub fn beacon(author: Arc<dyn Signer>, key_id: KeyId, payload_len: usize, seal: Seal) -> Self {
        let (kind, stream) = (Kind::Beacon, StreamId::DIRECTORY);
        Self {
            author,
            unless: None,
            body: DraftBody::Data { kind, stream, key_id, payload_len, seal },
            last_act: false,
        }
    }

    /// A directory entry on top of all heads, and of those before it in its commit.
    #[must_use]
    pub fn directory(author: Arc<dyn Signer>, ops: Vec<Op>) -> Self {
        Self { author, unless: None, body: DraftBody::Directory { ops, above: None }, last_act: false }
    }

    /// Refuses the draft if `unless` gives a reason when its turn has come: all that was handed over
    /// before is written or refused by then, save what is in its own group.
    #[must_use]
    pub fn unless(self, unless: Unless) -> Self {
        Self { unless: Some(unless), ..self }
    }

    /// Lets a silent device write it: the admission of what takes its place.
    #[must_use]
    pub fn last_act(self) -> Self {
        Self { last_act: true, ..self }
    }

    /// A directory entry that merges all heads and another entry.
    pub(super) fn merge(author: Arc<dyn Signer>, above: Option<EntryId>) -> Self {
        Self { author, unless: None, body: DraftBody::Directory { ops: Vec::new(), above }, last_act: false }
    }

    pub(super) fn stream(&self) -> StreamId {
        match &self.body {
            DraftBody::Data { stream, .. } => *stream,
            DraftBody::Directory { .. } => StreamId::DIRECTORY,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match &self.body {
            DraftBody::Data { kind, .. } => *kind,
            DraftBody::Directory { .. } => Kind::Directory,
        }
    }

    pub(super) fn payload_len(&self) -> usize {
        match &self.body {
            DraftBody::Data { payload_len, .. } => *payload_len,
            DraftBody::Directory { ops, .. } => {
                let body = Body { parents: Vec::new(), ops: ops.clone() };
                body.encode().map_or(usize::MAX, |bytes| bytes.len())
            }
        }
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Draft({:?} in {})", self.kind(), self.stream())
    }
}

/// An own entry that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Its id.
    pub id: EntryId,
    /// Its number in this replica's order of arrival.
    pub arrival: u64,
}

/// Makes the entry that starts a workspace; its id is the workspace's.
///
/// # Errors
///
/// If the operations cannot be encoded.
pub fn genesis(root: &dyn Signer, ops: Vec<Op>) -> Result<Entry, LogError> {
    let encoded = Body { parents: Vec::new(), ops }.encode();
    let payload = encoded.map_err(|error| LogError::Engine(error.to_string()))?;
    let mut header = Header {
        kind: Kind::Directory,
        prunable: false,
        covered: false,
        payload_len: u32::try_from(payload.len()).map_err(|_| LogError::TooLarge(payload.len()))?,
        seq: 1,
        workspace: WorkspaceId::ZERO,
        author: root.device(),
        prev: EntryId::ZERO,
        auth: EntryId::ZERO,
        stream: StreamId::DIRECTORY,
        key_id: KeyId::ZERO,
        payload_hash: payload_hash(&payload),
        signature: [0; 64],
    };
    header.sign(root);
    Entry::new(header, payload).map_err(|error| LogError::Engine(error.to_string()))
}
