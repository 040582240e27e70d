//! What each end of a session is, and what it brings.

use std::fmt;
use std::sync::Arc;

use super::bans::Bans;
use super::event::Direction;
use super::host::Host;
use super::replica::{Cursor, Replica};
use crate::crypto::Signer;
use crate::crypto::noise::{Handshake, NoiseError, Party, Psk, RelaySecret};
use crate::env::Random;
use crate::trie::Filter;

/// A device's part in a session.
#[derive(Clone)]
pub struct Member {
    /// The device's log of the workspace.
    pub replica: Arc<dyn Replica>,
    /// Proves the device's key.
    pub signer: Arc<dyn Signer>,
    /// The streams to sync; a set must hold stream zero.
    pub streams: Filter,
    /// The peers that this workspace keeps out.
    pub bans: Arc<Bans>,
    /// Which way entries go. Only the side that opens a session may ask for one way.
    pub direction: Direction,
}

impl Member {
    /// How far the peer's entries are held, which invites it to go on from there.
    pub(super) fn cursor(&self, key: &[u8; 32]) -> Option<Cursor> {
        self.replica.cursor(key).filter(|_| self.direction != Direction::Push)
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Member").field("device", &self.signer.device()).finish_non_exhaustive()
    }
}

/// What this side is.
pub enum Role {
    /// Opens a session with a relay.
    Client {
        /// The relay's public key.
        relay: [u8; 32],
        /// The device that syncs; `None` for somebody who only leaves and takes letters.
        member: Option<Member>,
    },
    /// Is the relay.
    Relay {
        /// The relay's secret.
        secret: Arc<RelaySecret>,
        /// Its workspaces and mailboxes.
        host: Arc<dyn Host>,
    },
    /// Meets another member directly.
    Peer {
        /// Whether this side opens the session.
        initiator: bool,
        /// Derived from the workspace's name key.
        psk: Psk,
        /// The device that syncs.
        member: Member,
    },
}

impl fmt::Debug for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Client { .. } => "Client",
            Self::Relay { .. } => "Relay",
            Self::Peer { .. } => "Peer",
        })
    }
}

impl Role {
    pub(super) const fn is_initiator(&self) -> bool {
        matches!(self, Self::Client { .. } | Self::Peer { initiator: true, .. })
    }

    /// The peers that this side keeps out; a visitor who only brings letters keeps none.
    pub(super) fn bans(&self) -> Option<&Bans> {
        match self {
            Self::Relay { host, .. } => Some(host.bans()),
            Self::Client { .. } | Self::Peer { .. } => self.member().map(|member| &*member.bans),
        }
    }

    pub(super) const fn member(&self) -> Option<&Member> {
        match self {
            Self::Client { member, .. } => member.as_ref(),
            Self::Peer { member, .. } => Some(member),
            Self::Relay { .. } => None,
        }
    }

    pub(super) fn handshake(&self, random: Arc<dyn Random>) -> Result<Handshake, NoiseError> {
        let party = match self {
            Self::Client { relay, .. } => Party::Client { relay },
            Self::Relay { secret, .. } => Party::Relay { secret },
            Self::Peer { initiator: true, psk, .. } => Party::PeerInitiator { psk },
            Self::Peer { initiator: false, psk, .. } => Party::PeerResponder { psk },
        };
        Handshake::new(&party, random)
    }
}
