//! Sync session: makes two replicas hold the same entries, whatever carries its bytes.
//!
//! A pure state machine: messages and the time go in, messages and events come out. It opens no
//! sockets, starts no threads and reads no clock, so every run can be repeated. Only the calls to
//! its [`Replica`] and [`Host`] may block, on storage.
//!
//! A driver, after [`Session::new`] and after every call that changes something, sends what
//! [`Session::transmit`] gives until there is no more, and takes [`Session::event`] likewise. It
//! calls [`Session::receive`] for each message that comes, and [`Session::poke`] when the replica
//! grew, when [`Session::deadline`] has passed, and while [`Session::is_busy`]: no call works longer
//! than about 10 ms, so that a driver can let others have their turn. [`Session::drive`] does most of
//! that. When [`Session::is_over`], or `receive` or `poke` failed, it sends what is left and closes the
//! transport. Messages must arrive whole and in order.
//!
//! `docs/protocol.md` says what goes over the wire. What is sent when is in `sync`, `send`,
//! `receive` and `walk`; who the other end is is found out in `greeting`; this file holds the channel
//! and the frames around them.

mod arrivals;
mod ask;
mod bans;
mod budget;
mod event;
mod greeting;
mod host;
pub mod limits;
mod mail;
mod outbox;
mod receive;
mod replica;
mod role;
mod send;
mod sync;
mod turn;
mod walk;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

pub use bans::Bans;
pub use event::{Direction, Peer, Progress, SessionError, SessionEvent, Traffic};
pub use host::{Host, Letter};
pub use replica::{Cursor, Fault, Membership, Missing, Receipt, Refused, Replica, ReplicaError};
pub use role::{Member, Role};
pub use turn::Turn;

use crate::crypto::noise::{Channel, Handshake, MESSAGE_MAX};
use crate::env::Random;
use crate::frames::{BoxId, Closing, Code, Frame, SIGNAL_MAX};
use crate::ids::WorkspaceId;
use budget::Budget;
use limits::{BAN_MS, HANDSHAKE_MS, OUTBOX_BYTES_MAX, READ_UNITS, UNAUTHENTICATED_BYTES_MAX};
use outbox::Outbox;
use sync::{Out, Stop, Sync, close};

/// The encrypted channel, before and after it is set up.
#[derive(Debug)]
enum Link {
    Handshake(Handshake),
    Open { channel: Channel, hash: [u8; 32] },
    Closed,
}

/// One end of a session.
#[derive(Debug)]
pub struct Session {
    role: Role,
    link: Link,
    outbox: Outbox,
    events: VecDeque<SessionEvent>,
    /// Frames that came and are not handled yet.
    backlog: VecDeque<u8>,
    /// Whether there is more to do than the last call had time for.
    busy: bool,
    /// Frames that wait for the channel.
    queued: Vec<Frame>,
    sync: Option<Sync>,
    /// Whether the peer's greeting came.
    greeted: bool,
    /// Whether the peer has shown a key or a token in this session.
    authenticated: bool,
    watched: BTreeSet<BoxId>,
    started_ms: u64,
    unauthenticated_bytes: usize,
    traffic: Traffic,
    sent_since_received: bool,
    over: bool,
}

impl Session {
    /// Starts a session. An initiator has its first message ready.
    ///
    /// # Errors
    ///
    /// [`SessionError::Noise`] if the relay's key is unusable.
    pub fn new(role: Role, random: Arc<dyn Random>, now_ms: u64) -> Result<Self, SessionError> {
        let mut handshake = role.handshake(random)?;
        let mut outbox = Outbox::default();
        let mut traffic = Traffic::default();
        if handshake.is_my_turn() {
            let message = handshake.write()?;
            traffic.bytes_of_handshake += message.len() as u64;
            outbox.push_handshake(message);
        }
        Ok(Self {
            role,
            link: Link::Handshake(handshake),
            outbox,
            events: VecDeque::new(),
            backlog: VecDeque::new(),
            busy: false,
            queued: Vec::new(),
            sync: None,
            greeted: false,
            authenticated: false,
            watched: BTreeSet::new(),
            started_ms: now_ms,
            unauthenticated_bytes: 0,
            traffic,
            sent_since_received: false,
            over: false,
        })
    }

    /// Takes the next message of the transport, and handles what it has time for. What is left of the
    /// message before is handled first. May block on the replica.
    ///
    /// # Errors
    ///
    /// If the session ends here. The peer is told why by what is left to transmit.
    pub fn receive(&mut self, message: &[u8], now_ms: u64) -> Result<(), SessionError> {
        if self.over {
            return Err(SessionError::Over);
        }
        self.traffic.bytes_received += message.len() as u64;
        self.traffic.round_trips += u32::from(std::mem::take(&mut self.sent_since_received));
        let taken = self.take(message, now_ms);
        self.settle(taken, now_ms)
    }

    /// Goes on with what the last call left, looks for entries that the replica got elsewhere, and at
    /// the time.
    ///
    /// # Errors
    ///
    /// If the session ends here: it waited too long, or the replica failed.
    pub fn poke(&mut self, now_ms: u64) -> Result<(), SessionError> {
        if self.over {
            return Err(SessionError::Over);
        }
        let late = self.deadline().is_some_and(|deadline| now_ms >= deadline);
        let result =
            if late { Err(close(Code::Timeout, "the other side is too slow")) } else { self.work(now_ms) };
        self.settle(result, now_ms)
    }

    /// The next message for the transport.
    pub fn transmit(&mut self) -> Option<Vec<u8>> {
        let channel = match &mut self.link {
            Link::Open { channel, .. } => Some(channel),
            Link::Handshake(_) => None,
            Link::Closed => return None,
        };
        // Sealing fails only after 2^64 messages: then there is nothing more to say.
        let message = self.outbox.pop(channel).ok().flatten()?;
        self.traffic.bytes_sent += message.len() as u64;
        self.sent_since_received = true;
        if self.over && self.outbox.is_empty() {
            self.link = Link::Closed;
        }
        Some(message)
    }

    /// The next event.
    pub fn event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// When [`Session::poke`] must be called at the latest, in the caller's milliseconds.
    #[must_use]
    pub fn deadline(&self) -> Option<u64> {
        // An initiator that syncs also waits for the greeting; letters need none.
        let greets = self.role.is_initiator() && self.role.member().is_some();
        if self.authenticated && (self.greeted || !greets) {
            self.sync.as_ref().and_then(Sync::deadline)
        } else {
            Some(self.started_ms.saturating_add(HANDSHAKE_MS))
        }
    }

    /// Whether both ends held the same entries at the last comparison, and all since then is sent
    /// and acknowledged.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.sync.as_ref().is_some_and(Sync::is_synced)
    }

    /// Whether the last call left something to do: [`Session::poke`] goes on.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.busy && !self.over
    }

    /// Whether nothing more will be received. What is left is still to be transmitted.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// The peer holds everything up to this arrival number of our replica, durably; 0 while that is
    /// unknown.
    #[must_use]
    pub fn peer_has(&self) -> u64 {
        self.sync.as_ref().map_or(0, |sync| sync.send.held())
    }

    /// Whether the peer said that it leaves entries of this side out: it needs an upgrade, or keeps no
    /// more branches of a chain.
    #[must_use]
    pub fn peer_leaves_out(&self) -> bool {
        self.sync.as_ref().is_some_and(|sync| sync.send.left_out)
    }

    /// Bytes and turns so far.
    #[must_use]
    pub const fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// The workspace of the session, once the peer is authenticated.
    #[must_use]
    pub fn workspace(&self) -> Option<WorkspaceId> {
        self.sync.as_ref().filter(|_| self.greeted).map(|sync| sync.replica.workspace())
    }

    /// Sends a sealed message to all live members, as far as they are there; at most
    /// [`SIGNAL_MAX`] bytes, at least one. A relay forwards with it. Returns whether it was taken.
    pub fn signal(&mut self, message: Vec<u8>) -> bool {
        let live = self.sync.as_ref().is_some_and(|sync| self.greeted && sync.admitted);
        let fits = (1..=SIGNAL_MAX).contains(&message.len()) && self.outbox.bytes() < OUTBOX_BYTES_MAX;
        if live && fits {
            self.outbox.push(&Frame::Signal(message));
        }
        live && fits
    }

    /// Ends the session: the peer is told, and how far its entries are held is written down.
    pub fn close(&mut self, reason: Option<Closing>, now_ms: u64) {
        if self.over {
            return;
        }
        if let Link::Open { .. } = self.link {
            self.outbox.push(&reason.clone().map_or(Frame::Bye, Frame::Error));
        }
        self.end(reason, now_ms);
    }

    fn end(&mut self, reason: Option<Closing>, now_ms: u64) {
        self.over = true;
        if let Some(sync) = &mut self.sync {
            sync.finish(now_ms);
        }
        self.events.push_back(SessionEvent::Closed(reason));
    }

    /// Turns what stopped the session into its end.
    fn settle(&mut self, result: Result<(), Stop>, now_ms: u64) -> Result<(), SessionError> {
        let stop = match result {
            Ok(()) => return Ok(()),
            Err(stop) => stop,
        };
        match stop {
            Stop::Close(closing) => {
                self.close(Some(closing.clone()), now_ms);
                Err(SessionError::Closed(closing))
            }
            Stop::Signature(reason) => {
                let closing = self.punish(&reason, now_ms);
                self.close(Some(closing.clone()), now_ms);
                Err(SessionError::Closed(closing))
            }
            Stop::Peer(closing) => {
                self.end(Some(closing.clone()), now_ms);
                Err(SessionError::ClosedByPeer(closing))
            }
            Stop::Noise(error) => {
                self.link = Link::Closed;
                self.end(None, now_ms);
                Err(SessionError::Noise(error))
            }
            Stop::Replica(error) => {
                self.close(Some(Closing::new(Code::Internal, "storage failed")), now_ms);
                Err(SessionError::Replica(error))
            }
        }
    }

    fn take(&mut self, message: &[u8], now_ms: u64) -> Result<(), Stop> {
        if message.len() > MESSAGE_MAX {
            return Err(close(Code::Limit, "message is too long"));
        }
        if !self.authenticated {
            self.unauthenticated_bytes += message.len();
            if self.unauthenticated_bytes > UNAUTHENTICATED_BYTES_MAX {
                return Err(close(Code::Limit, "too many bytes before authentication"));
            }
        }
        let sealed = self.shake_hands(message)?;
        let Link::Open { channel, .. } = &mut self.link else { return Ok(()) };
        let plaintext = channel.open(sealed)?;
        // Whoever does not let the session go on when it is busy waits for all of it here.
        while self.is_busy() {
            self.work(now_ms)?;
        }
        self.backlog = plaintext.into();
        self.work(now_ms)
    }

    /// Handles frames that came and sends what there is to send, for about the time of one turn.
    fn work(&mut self, now_ms: u64) -> Result<(), Stop> {
        let mut budget = Budget::default();
        self.busy = true;
        while !self.over {
            if let Some(sync) = &mut self.sync {
                let mut out = Out { outbox: &mut self.outbox, events: &mut self.events, now_ms };
                sync.go_on(&mut budget, &mut out)?;
            }
            if budget.is_spent() {
                return Ok(());
            }
            if self.backlog.is_empty() {
                self.busy = !self.pump(&mut budget, now_ms)?;
                return Ok(());
            }
            let bytes = self.backlog.make_contiguous();
            let (frame, rest) = Frame::decode(bytes)?;
            let taken = bytes.len() - rest.len();
            self.backlog.drain(..taken);
            if matches!(frame, Frame::Hello(_)) {
                self.traffic.bytes_of_handshake += taken as u64;
            }
            budget.spend(frame_units(&frame));
            self.handle(frame, &mut budget, now_ms)?;
        }
        Ok(())
    }

    /// Takes the peer's handshake message, if one is due; returns what follows it.
    fn shake_hands<'m>(&mut self, message: &'m [u8]) -> Result<&'m [u8], Stop> {
        let Link::Handshake(handshake) = &mut self.link else { return Ok(message) };
        let rest = handshake.read(message)?;
        self.traffic.bytes_of_handshake += (message.len() - rest.len()) as u64;
        if handshake.is_my_turn() {
            let message = handshake.write()?;
            self.traffic.bytes_of_handshake += message.len() as u64;
            self.outbox.push_handshake(message);
        }
        if let Link::Handshake(handshake) = std::mem::replace(&mut self.link, Link::Closed) {
            let (channel, hash) = handshake.finish()?;
            self.link = Link::Open { channel, hash };
        }
        // Whoever answers an initiator has shown the relay's key, or the members' shared one. A
        // responder knows nothing yet: the initiator's message may be a repetition.
        self.authenticated = self.role.is_initiator();
        self.open()?;
        Ok(rest)
    }

    fn handle(&mut self, frame: Frame, budget: &mut Budget, now_ms: u64) -> Result<(), Stop> {
        match frame {
            Frame::Hello(hello) => return self.on_hello(&hello, now_ms),
            Frame::MailOpen { mailbox, token_hash, expires_ms } => {
                return self.on_mail_open(mailbox, token_hash, expires_ms);
            }
            Frame::MailPut { mailbox, token, message } => {
                return self.on_mail_put(mailbox, &token, message);
            }
            Frame::MailGet { mailbox, token, after } => return self.on_mail_get(mailbox, &token, after),
            Frame::Mail { mailbox, slot, message } => {
                self.to_client()?;
                self.events.push_back(SessionEvent::Mail { mailbox, slot, message });
                return Ok(());
            }
            Frame::MailResult { mailbox, slot, result } => {
                self.to_client()?;
                self.events.push_back(SessionEvent::MailResult { mailbox, slot, result });
                return Ok(());
            }
            Frame::Error(closing) => return Err(Stop::Peer(closing)),
            Frame::Bye => {
                self.end(None, now_ms);
                return Ok(());
            }
            _ => {}
        }
        let Some(sync) = self.sync.as_mut().filter(|_| self.greeted) else {
            return Err(close(Code::Protocol, "frame before the greeting"));
        };
        let mut out = Out { outbox: &mut self.outbox, events: &mut self.events, now_ms };
        match frame {
            Frame::Resume { arrival } => sync.on_resume(arrival),
            Frame::Root(root) => sync.on_root(root, &mut out),
            Frame::Walk(paths) => sync.on_walk(paths),
            Frame::Node(node) => sync.on_node(node, &mut out),
            Frame::Want(want) => sync.on_want(want),
            Frame::Branch(branch) => sync.on_branch(&branch),
            Frame::Entries { arrival, batch } => sync.on_entries(arrival, &batch),
            Frame::Ack(ack) => sync.on_ack(ack, &mut out),
            Frame::Ask(ask) => sync.on_ask(ask, budget, &mut out),
            Frame::Listed(listed) => sync.on_listed(listed, &mut out),
            Frame::Given(given) => sync.on_given(&given, &mut out),
            Frame::Signal(message) => {
                if sync.admitted {
                    self.events.push_back(SessionEvent::Signal(message));
                }
                Ok(())
            }
            _ => Err(close(Code::Protocol, "frame out of place")),
        }
    }

    /// The peer sent what nobody signed: the reason to close with.
    fn punish(&self, reason: &str, now_ms: u64) -> Closing {
        let peer = self.sync.as_ref().map(|sync| sync.peer);
        let kept_out = peer.zip(self.role.bans()).is_some_and(|(peer, bans)| bans.note(&peer, now_ms));
        if kept_out { banned(reason, BAN_MS) } else { Closing::new(Code::BadEntry, reason) }
    }

    /// Acknowledges what came in and sends what there is to send. Returns whether that is all.
    fn pump(&mut self, budget: &mut Budget, now_ms: u64) -> Result<bool, Stop> {
        let Some(sync) = &mut self.sync else { return Ok(true) };
        sync.check_membership()?;
        let mut out = Out { outbox: &mut self.outbox, events: &mut self.events, now_ms };
        sync.acknowledge(&mut out);
        sync.pump(budget, &mut out)
    }
}

/// A closing that keeps the peer out.
fn banned(reason: &str, for_ms: u64) -> Closing {
    let retry_after_s = u32::try_from(for_ms.div_ceil(1_000)).unwrap_or(u32::MAX);
    Closing { retry_after_s, ..Closing::new(Code::Banned, reason) }
}

/// What it takes to handle a frame; what it leads to is counted there.
const fn frame_units(frame: &Frame) -> u64 {
    match frame {
        // A box is kept on disk.
        Frame::MailOpen { .. } | Frame::MailPut { .. } => READ_UNITS,
        _ => 1,
    }
}

#[cfg(test)]
mod tests;
