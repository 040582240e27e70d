//! Links to relays: sessions carried over WebSockets.
//!
//! The session is a state machine of `tidelog-log`; this module opens sockets, hands it messages,
//! the time and the news that the log grew, and sends what it says. Nothing else in the engine
//! opens a socket. It knows logs only as [`Replica`] and devices only as [`Signer`], and nothing of
//! keys or values.
//!
//! [`sync_once`] meets a relay until both sides hold the same. [`Link`] keeps meeting it: it
//! reconnects after failures, resumes where it stopped, and reports what it does as events. Local
//! writes never wait for either. [`put_letter`] serves a device that is joining
//! and no member yet.

mod address;
mod backoff;
mod client;
mod failure;
mod letters;
mod link;
mod once;
mod remote;
mod tls;

use std::fmt;
use std::sync::Arc;

use tidelog_log::crypto::Signer;
use tidelog_log::env::{Clock, Random};
use tidelog_log::frames::BoxId;
use tidelog_log::session::{Bans, Direction, Member, Replica};
use tidelog_log::trie::Filter;
use tokio::sync::watch;

use crate::warning::Warning;

pub(crate) use address::RelayAddress;
pub(crate) use letters::put_letter;
pub use link::{Link, LinkEvent, LinkEvents, LinkState, Progress};
pub(crate) use once::{relay_key, sync_once};
pub(crate) use remote::Remote;

/// What one sync moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct SyncReport {
    /// Entries sent.
    pub sent: u64,
    /// Entries received.
    pub received: u64,
    /// Bytes sent in messages, handshake included; TLS and TCP not.
    pub bytes_sent: u64,
    /// Bytes received in messages, likewise.
    pub bytes_received: u64,
    /// Those of both that set the session up: the handshake of the channel, and the greetings in it.
    pub bytes_of_handshake: u64,
    /// How often something was received after something was sent.
    pub round_trips: u32,
    /// Chains that this device cannot advance, because a newer version goes on with them: see
    /// [`crate::Workspace::warnings`].
    pub held: u64,
    /// Whether the other side leaves entries of this one out: it needs an upgrade, or keeps no more
    /// branches of a chain that forked.
    pub held_there: bool,
}

/// How to reach a relay.
#[derive(Debug, Clone)]
pub(crate) struct Dial {
    pub(crate) address: RelayAddress,
    /// The relay's key, where the directory or an invite says so; one in the address goes first.
    pub(crate) known_key: Option<[u8; 32]>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// Who meets a relay: a device with its log.
#[derive(Clone)]
pub(crate) struct Party {
    pub(crate) replica: Arc<dyn Replica>,
    pub(crate) signer: Arc<dyn Signer>,
    /// The peers that this workspace keeps out.
    pub(crate) bans: Arc<Bans>,
    /// Changes when the log grew, and when the mailboxes of `mail` did.
    pub(crate) changed: watch::Receiver<u64>,
    /// The mailboxes that this device holds open for its invites.
    pub(crate) mail: Arc<dyn MailDesk>,
    /// What is synced, and which way.
    pub(crate) streams: Filter,
    pub(crate) direction: Direction,
    /// Called when both sides hold the same, and again whenever that may be so again. Returns at once.
    pub(crate) synced: Arc<dyn Fn() + Send + Sync>,
    /// What is wrong now. May block.
    pub(crate) warnings: Arc<dyn Fn() -> Vec<Warning> + Send + Sync>,
}

impl fmt::Debug for Party {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Party").field("device", &self.signer.device()).finish_non_exhaustive()
    }
}

impl Party {
    fn member(&self) -> Member {
        Member {
            replica: Arc::clone(&self.replica),
            signer: Arc::clone(&self.signer),
            streams: self.streams.clone(),
            direction: self.direction,
            bans: Arc::clone(&self.bans),
        }
    }
}

/// A mailbox that a member holds open at a relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OpenBox {
    pub(crate) mailbox: BoxId,
    /// SHA-256 of the token that a joiner must show.
    pub(crate) token_hash: [u8; 32],
    /// When it ends, in milliseconds since 1970.
    pub(crate) expires_ms: u64,
}

/// Says which mailboxes to hold open, and takes what arrives in them. Must not block for long.
pub(crate) trait MailDesk: Send + Sync {
    /// The boxes that are wanted now.
    fn boxes(&self) -> Vec<OpenBox>;
    /// Takes a letter. The same letter may come more than once.
    fn letter(&self, mailbox: BoxId, slot: u32, letter: Vec<u8>);
}

#[cfg(test)]
pub(crate) mod host;
#[cfg(test)]
mod tests;
