//! What a session needs of the log it syncs.
//!
//! The session decides what to ask for and what to send; the replica alone decides what an entry
//! is worth. Every method may block on storage.

use crate::entry::Entry;
use crate::ids::{DeviceId, EntryId, StreamId, WorkspaceId};
use crate::trie::{Filter, Frontier};

/// A failure of the replica's own storage; its source is the replica's error type.
pub type ReplicaError = Box<dyn std::error::Error + Send + Sync>;

/// What a directory says of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Membership {
    /// It does not know it, or not as a member; what is still to come may.
    Unknown,
    /// It is an active device of a member.
    Active,
    /// It was removed, for good.
    Removed,
}

/// How far one replica holds another's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The epoch of the other replica: random, made with its file, new after a restore.
    pub epoch: [u8; 16],
    /// Every entry up to this arrival number of that epoch is held.
    pub arrival: u64,
}

/// An entry that was not stored because something it builds on is not held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The entry.
    pub entry: EntryId,
    /// What it builds on: its `prev`, its `auth` or a parent.
    pub needs: EntryId,
}

/// Why an entry can not be stored, whatever else arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Malformed or wrongly chained: whoever sent it does not check, or lies.
    Invalid,
    /// No valid signature vouches for it: the same, and dear to find out.
    Signature,
    /// Well-formed, but its author may not write it.
    NotAllowed,
    /// Written by a newer version; the chain waits here.
    UpgradeNeeded,
    /// Its chain has as many branches as are kept; the chain waits here.
    Flooded,
    /// The replica has no room for it under the quota of the workspace.
    Quota,
}

impl Fault {
    /// Whether the entry is only left out here: nobody is to blame who sends it, and sending it again
    /// changes nothing.
    #[must_use]
    pub const fn leaves_out(self) -> bool {
        matches!(self, Self::UpgradeNeeded | Self::Flooded)
    }
}

/// An entry that was refused, and with it the rest of its chain in the same call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The entry.
    pub entry: EntryId,
    /// The kind of failure.
    pub fault: Fault,
    /// The failure in words, without secrets.
    pub reason: String,
}

/// What became of the entries handed to [`Replica::receive`].
///
/// Each entry is counted in exactly one of the lists; the rest of a refused or missing chain is
/// named there too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Arrival numbers of the entries stored by this call, ascending. They are durable.
    pub stored: Vec<u64>,
    /// Arrival numbers of the entries that were held before.
    pub known: Vec<u64>,
    /// Entries that wait for others.
    pub missing: Vec<Missing>,
    /// Entries that were refused.
    pub refused: Vec<Refused>,
    /// Entries that do not count as the directory is, and that nothing which counts builds on. They
    /// were not stored, which is nobody's fault: the peer may not know what this replica knows.
    pub excluded: Vec<EntryId>,
}

/// A log as the session sees it.
///
/// Entries are numbered by arrival, from 1, within an epoch; an entry's number is larger than
/// those of everything it builds on.
pub trait Replica: Send + Sync {
    /// The workspace.
    fn workspace(&self) -> WorkspaceId;

    /// The epoch of the arrival numbers: random, made with the file, new after a restore.
    fn epoch(&self) -> [u8; 16];

    /// The arrival number of the newest entry, 0 if there is none. Cheap: asked all the time.
    fn arrivals(&self) -> u64;

    /// What the directory, as held now, says of a device. The root is active too: who has the root key
    /// recovers the workspace with it.
    fn membership(&self, device: &DeviceId) -> Membership;

    /// The frontier and the arrival number of the newest entry in it, taken at one moment.
    fn frontier(&self) -> (Frontier, u64);

    /// The entries of the streams with a larger arrival number, in order of arrival: as many as
    /// fit into `max_bytes`, at least one if there is any. The last entry of each chain among them
    /// is signed, even where that takes more bytes.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    fn entries_after(
        &self,
        arrival: u64,
        filter: &Filter,
        max_bytes: usize,
    ) -> Result<Vec<(u64, Entry)>, ReplicaError>;

    /// The entries of one branch of a chain, those after `after_seq` up to and including `tip`, in
    /// order of sequence number: as many as fit into `max_bytes`, at least one if there is any. The
    /// last one is signed, even where that takes more bytes.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    fn branch(
        &self,
        stream: StreamId,
        device: DeviceId,
        tip: &EntryId,
        after_seq: u64,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, ReplicaError>;

    /// The entry with sequence number `seq` on the branch that ends in `tip`, if there is one.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    fn id_on_branch(
        &self,
        stream: StreamId,
        device: DeviceId,
        tip: &EntryId,
        seq: u64,
    ) -> Result<Option<EntryId>, ReplicaError>;

    /// The arrival number of an entry, if it is held.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    fn position(&self, id: &EntryId) -> Result<Option<u64>, ReplicaError>;

    /// Checks entries, in the given order, and stores those that pass. They are durable on return.
    ///
    /// The caller hands over runs that are proven: each chain's last entry here is signed.
    ///
    /// # Errors
    ///
    /// If the storage fails. A bad entry is not an error: see [`Receipt::refused`].
    fn receive(&self, entries: Vec<Entry>) -> Result<Receipt, ReplicaError>;

    /// How far this replica holds the entries of a peer, as last set. The peer is named by its
    /// device id, or a relay by its Noise key.
    fn cursor(&self, peer: &[u8; 32]) -> Option<Cursor>;

    /// Remembers how far this replica holds the entries of a peer. It may be forgotten in a crash.
    fn set_cursor(&self, peer: &[u8; 32], cursor: Cursor);
}
