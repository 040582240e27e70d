//! What a session tells its driver.

use crate::crypto::noise::NoiseError;
use crate::entry::Entry;
use crate::frames::{BoxId, Closing, MailError};
use crate::ids::{DeviceId, EntryId};
use crate::session::Refused;

use super::replica::ReplicaError;

/// Which way entries go between two replicas.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways: in the end both hold the same.
    #[default]
    Both,
    /// Only here: what the peer lacks stays away from it.
    Pull,
    /// Only there: what is lacking here stays away.
    Push,
}

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A relay, by its Noise key.
    Relay([u8; 32]),
    /// A device.
    Device(DeviceId),
}

impl Peer {
    /// The name under which cursors are kept.
    #[must_use]
    pub const fn key(&self) -> &[u8; 32] {
        match self {
            Self::Relay(key) => key,
            Self::Device(device) => device.as_bytes(),
        }
    }
}

/// How far a session has come since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries received.
    pub received: u64,
    /// Entries received and still expected, as far as is known.
    pub received_total: u64,
    /// Entries sent.
    pub sent: u64,
    /// Entries sent and still to send.
    pub sent_total: u64,
}

/// Bytes and turns of a session, handshake included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Those of both that set the session up: the handshake of the channel, and the greetings in it.
    pub bytes_of_handshake: u64,
    /// How often something was received after something was sent.
    pub round_trips: u32,
}

/// Something the driver may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// The other end is authenticated; the sync begins.
    Ready(Peer),
    /// Entries went one way or the other.
    Progress(Progress),
    /// Both sides hold the same entries of the session's streams.
    Synced,
    /// This many entries of the peer were new and are stored.
    Stored(usize),
    /// The peer holds everything up to this arrival number of ours, durably.
    Acked(u64),
    /// An entry of the peer was not taken. The session closes unless it only waits for an upgrade.
    Refused(Refused),
    /// The answer to [`super::Session::ask`] for ids.
    Listed {
        /// How far the answer goes: an arrival number of the peer's, or a number of ids.
        through: u64,
        /// The entries held, with their numbers in the peer's order of arrival.
        ids: Vec<(u64, EntryId)>,
    },
    /// The answer to [`super::Session::ask`] for entries. Nothing of them was verified.
    Given {
        /// How far the answer goes: an arrival number of the peer's, or a number of ids.
        through: u64,
        /// The entries held, with their numbers in the peer's order of arrival.
        entries: Vec<(u64, Entry)>,
    },
    /// A live member sent this to all others.
    Signal(Vec<u8>),
    /// A message in a mailbox that this side opened or asked for.
    Mail {
        /// The box.
        mailbox: BoxId,
        /// Its place in the box, from 1.
        slot: u32,
        /// The message.
        message: Vec<u8>,
    },
    /// The relay's answer to a mailbox request; for a message that was put, with its slot.
    MailResult {
        /// The box.
        mailbox: BoxId,
        /// The slot, or 0.
        slot: u32,
        /// What became of the request.
        result: Result<(), MailError>,
    },
    /// At a relay: this session wants to hear of new messages in the box.
    MailWatched(BoxId),
    /// The session is over: the peer left, or one side gave this reason.
    Closed(Option<Closing>),
}

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The channel failed.
    #[error(transparent)]
    Noise(#[from] NoiseError),
    /// This side closed the session, for a reason that the peer was told.
    #[error("session closed: {}", .0.reason)]
    Closed(Closing),
    /// The peer closed the session.
    #[error("peer closed the session: {}", .0.reason)]
    ClosedByPeer(Closing),
    /// The replica's storage failed.
    #[error("log failed during sync")]
    Replica(#[source] ReplicaError),
    /// The session was over before.
    #[error("session is over")]
    Over,
}
