//! Greetings: who is at the other end, proven over this channel, and what both ends sync.

use super::event::{Direction, Peer, SessionEvent};
use super::replica::Cursor;
use super::role::Role;
use super::sync::{Stop, Sync, close, common_streams, cursor_key};
use super::{Link, Session, banned};
use crate::crypto::PublicKey;
use crate::frames::{Code, Frame, Hello};
use crate::ids::DeviceId;
use crate::trie::Filter;

impl Session {
    /// The channel is there: whoever greets first, greets.
    pub(super) fn open(&mut self) -> Result<(), Stop> {
        match &self.role {
            Role::Client { relay, member: Some(member) } => {
                let peer = Peer::Relay(*relay);
                let own = Some(member.signer.device());
                let sync =
                    Sync::new(member.replica.clone(), peer, own, true, &member.streams, member.direction);
                let cursor = member.cursor(&cursor_key(&peer, &member.streams));
                self.greet(cursor)?;
                self.sync = Some(sync);
            }
            Role::Peer { initiator: false, .. } => self.greet(None)?,
            Role::Client { .. } | Role::Relay { .. } | Role::Peer { .. } => {}
        }
        for frame in std::mem::take(&mut self.queued) {
            self.outbox.push(&frame);
        }
        Ok(())
    }

    /// Sends the greeting of a device.
    fn greet(&mut self, cursor: Option<Cursor>) -> Result<(), Stop> {
        let (Some(member), Link::Open { hash, .. }) = (self.role.member(), &self.link) else {
            return Err(close(Code::Internal, "no greeting without a device and a channel"));
        };
        let (workspace, initiator) = (member.replica.workspace(), self.role.is_initiator());
        let hello = Hello {
            initiator,
            workspace,
            device: member.signer.device(),
            signature: member.signer.sign(&Hello::signed(&workspace, initiator, hash)),
            epoch: member.replica.epoch(),
            arrivals: member.replica.arrivals(),
            cursor,
            streams: member.streams.clone(),
        };
        self.push_greeting(hello);
        Ok(())
    }

    fn push_greeting(&mut self, hello: Hello) {
        self.traffic.bytes_of_handshake += self.outbox.push(&Frame::Hello(hello)) as u64;
    }

    pub(super) fn on_hello(&mut self, hello: &Hello, now_ms: u64) -> Result<(), Stop> {
        if std::mem::replace(&mut self.greeted, true) || hello.initiator == self.role.is_initiator() {
            return Err(close(Code::Protocol, "greeting out of place"));
        }
        let peer = self.authenticate(hello)?;
        if let Some(remaining_ms) = self.role.bans().and_then(|bans| bans.remaining_ms(&peer, now_ms)) {
            return Err(Stop::Close(banned("this side takes nothing from the other for now", remaining_ms)));
        }
        self.authenticated = true;
        match &self.role {
            Role::Client { .. } => {}
            Role::Relay { host, .. } => {
                let replica = host.open(&hello.workspace, &hello.device).map_err(Stop::Close)?;
                let hello = Hello {
                    initiator: false,
                    workspace: hello.workspace,
                    device: DeviceId::ZERO,
                    signature: [0; 64],
                    epoch: replica.epoch(),
                    arrivals: replica.arrivals(),
                    cursor: None,
                    streams: Filter::All,
                };
                self.push_greeting(hello);
                self.sync = Some(Sync::new(replica, peer, None, false, &Filter::All, Direction::Both));
            }
            Role::Peer { initiator, member, .. } => {
                let initiator = *initiator;
                let direction = if initiator { member.direction } else { Direction::Both };
                let own = Some(member.signer.device());
                let sync =
                    Sync::new(member.replica.clone(), peer, own, initiator, &member.streams, direction);
                let common = common_streams(&member.streams, &hello.streams);
                let cursor = member.cursor(&cursor_key(&peer, &common));
                self.sync = Some(sync);
                if initiator {
                    self.greet(cursor)?;
                }
            }
        }
        let Some(sync) = &mut self.sync else {
            return Err(close(Code::Protocol, "greeting for a session of letters"));
        };
        sync.greet(hello);
        self.events.push_back(SessionEvent::Ready(peer));
        Ok(())
    }

    /// Who greets, proven by its signature over this channel, or by its Noise key.
    fn authenticate(&self, hello: &Hello) -> Result<Peer, Stop> {
        let Link::Open { hash, .. } = &self.link else {
            return Err(close(Code::Internal, "no greeting without a channel"));
        };
        let member = self.role.member();
        if member.is_some_and(|member| member.replica.workspace() != hello.workspace) {
            return Err(close(Code::UnknownWorkspace, "this session is about another workspace"));
        }
        if let Role::Client { relay, .. } = &self.role {
            let plain = hello.device.is_zero() && hello.signature == [0; 64];
            return if plain && hello.streams == Filter::All {
                Ok(Peer::Relay(*relay))
            } else {
                Err(close(Code::Protocol, "a relay greets without a device and holds all streams"))
            };
        }
        if member.is_some_and(|member| member.signer.device() == hello.device) {
            return Err(close(Code::Authentication, "the other side names this device as its own"));
        }
        let signed = Hello::signed(&hello.workspace, hello.initiator, hash);
        let key = PublicKey::new(hello.device.as_bytes());
        if key.is_some_and(|key| key.verify(&signed, &hello.signature)) {
            Ok(Peer::Device(hello.device))
        } else {
            Err(close(Code::Authentication, "signature over the channel is invalid"))
        }
    }
}
