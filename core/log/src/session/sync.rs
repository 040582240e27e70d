//! The sync of one workspace between two authenticated ends: roots, and what follows from them.
//!
//! Each side says what it holds by a [`Root`]. Equal roots: done. Otherwise a side that knows where
//! the other stopped last time sends what arrived since (`send`), and then its root again; where
//! nobody knows, or roots still differ once both have sent everything, the initiator walks the
//! other's frontier (`walk`). A root is sent only when nothing is left to send, and says how many
//! frames its sender had taken in: so "the other has seen all I sent and still differs" is a fact,
//! not a guess.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::budget::Budget;
use super::event::{Direction, Peer, Progress, SessionEvent};
use super::limits::STALL_MS;
use super::outbox::Outbox;
use super::receive::Receiving;
use super::replica::{Membership, Replica, ReplicaError};
use super::send::Sending;
use super::walk::Walk;
use crate::crypto::noise::NoiseError;
use crate::crypto::{sha256, tag};
use crate::frames::{Ask, Closing, Code, Frame, FrameError, Hello, Root};
use crate::ids::{DeviceId, StreamId};
use crate::trie::Filter;

const TAG_CURSOR: [u8; 16] = tag("TIDE1 sync set");

/// Why handling something ends the session.
#[derive(Debug)]
pub(super) enum Stop {
    /// This side closes, and says why.
    Close(Closing),
    /// The peer sent what nobody signed: it is closed, and perhaps kept out.
    Signature(String),
    /// The peer closes, and says why.
    Peer(Closing),
    /// The channel is unusable.
    Noise(NoiseError),
    /// This side's storage failed.
    Replica(ReplicaError),
}

impl From<ReplicaError> for Stop {
    fn from(error: ReplicaError) -> Self {
        Self::Replica(error)
    }
}

impl From<NoiseError> for Stop {
    fn from(error: NoiseError) -> Self {
        Self::Noise(error)
    }
}

impl From<FrameError> for Stop {
    fn from(error: FrameError) -> Self {
        close(Code::Protocol, &error.to_string())
    }
}

/// A closing for this reason.
pub(super) fn close(code: Code, reason: &str) -> Stop {
    Stop::Close(Closing::new(code, reason))
}

/// Where frames and events go, and what time it is.
#[derive(Debug)]
pub(super) struct Out<'s> {
    pub(super) outbox: &'s mut Outbox,
    pub(super) events: &'s mut VecDeque<SessionEvent>,
    pub(super) now_ms: u64,
}

/// A root as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SentRoot {
    root: Root,
    /// How many Walk, Want and Entries frames had been sent before it.
    after: u32,
}

/// One workspace's sync.
pub(super) struct Sync {
    pub(super) replica: Arc<dyn Replica>,
    pub(super) peer: Peer,
    /// This side's device, unless it is a relay.
    own: Option<DeviceId>,
    pub(super) initiator: bool,
    /// The streams that this side shows whoever asks.
    pub(super) offered: Filter,
    /// The streams that both sides hold.
    pub(super) filter: Filter,
    /// The name under which it is kept how far the peer's entries of these streams are held.
    pub(super) cursor_key: [u8; 32],
    pub(super) direction: Direction,
    /// Whether the directory has the peer: until then nothing is sent to it but roots.
    pub(super) admitted: bool,
    /// The arrival up to which the directory was last asked about members.
    members_as_of: Option<u64>,
    pub(super) send: Sending,
    pub(super) receive: Receiving,
    pub(super) walk: Walk,
    /// Questions to the peer that wait for their answers.
    pub(super) asked: VecDeque<Ask>,
    /// Walk, Want and Entries frames sent.
    pub(super) sent_frames: u32,
    /// Walk, Want and Entries frames taken in.
    pub(super) seen_frames: u32,
    root_due: bool,
    last_root: Option<SentRoot>,
    answered_first_root: bool,
    synced: bool,
}

impl std::fmt::Debug for Sync {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Sync").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// The streams that both sides hold; stream zero always.
pub(super) fn common_streams(own: &Filter, other: &Filter) -> Filter {
    match (own, other) {
        (Filter::All, filter) | (filter, Filter::All) => filter.clone(),
        (Filter::Streams(own), Filter::Streams(other)) => {
            let both: BTreeSet<StreamId> = own.intersection(other).copied().collect();
            Filter::Streams(both.into_iter().chain([StreamId::DIRECTORY]).collect())
        }
    }
}

/// The name of a cursor. What is held of some streams says nothing about others.
pub(super) fn cursor_key(peer: &Peer, filter: &Filter) -> [u8; 32] {
    match filter {
        Filter::All => *peer.key(),
        Filter::Streams(streams) => {
            let streams: Vec<&[u8]> = streams.iter().map(|stream| &stream.0[..]).collect();
            sha256(&[&TAG_CURSOR[..], peer.key()].into_iter().chain(streams).collect::<Vec<_>>())
        }
    }
}

impl Sync {
    /// Starts with what is known before the peer's greeting: at an initiator, a root is due.
    pub(super) fn new(
        replica: Arc<dyn Replica>,
        peer: Peer,
        own: Option<DeviceId>,
        initiator: bool,
        streams: &Filter,
        direction: Direction,
    ) -> Self {
        let admitted = match &peer {
            Peer::Relay(_) => true,
            Peer::Device(device) => replica.membership(device) == Membership::Active,
        };
        Self {
            send: Sending::new(replica.arrivals()),
            receive: Receiving::default(),
            walk: Walk::default(),
            asked: VecDeque::new(),
            cursor_key: cursor_key(&peer, streams),
            replica,
            peer,
            initiator,
            own,
            offered: streams.clone(),
            filter: streams.clone(),
            direction,
            admitted,
            members_as_of: None,
            sent_frames: 0,
            seen_frames: 0,
            root_due: initiator,
            last_root: None,
            answered_first_root: initiator,
            synced: false,
        }
    }

    /// Takes the peer's greeting: its streams, its epoch, and where it stopped last time.
    pub(super) fn greet(&mut self, hello: &Hello) {
        self.filter = common_streams(&self.filter, &hello.streams);
        self.cursor_key = cursor_key(&self.peer, &self.filter);
        self.receive.begin(hello.epoch, hello.arrivals, self.replica.cursor(&self.cursor_key));
        if let Some(cursor) = hello.cursor.filter(|cursor| cursor.epoch == self.replica.epoch()) {
            self.send.resume(cursor.arrival, self.replica.arrivals());
        }
    }

    /// Whether both sides held the same at the last comparison and nothing has come up since.
    pub(super) fn is_synced(&self) -> bool {
        self.synced && !self.send.is_busy(self.replica.arrivals())
    }

    /// The peer says where to go on from.
    pub(super) fn on_resume(&mut self, arrival: u64) -> Result<(), Stop> {
        if !self.initiator {
            return Err(close(Code::Protocol, "resume from an initiator"));
        }
        self.send.resume(arrival, self.replica.arrivals());
        Ok(())
    }

    /// The peer says what it holds.
    pub(super) fn on_root(&mut self, theirs: Root, out: &mut Out<'_>) -> Result<(), Stop> {
        if theirs.arrivals == 0 && self.direction == Direction::Pull {
            self.reach(out);
            return Ok(());
        }
        if theirs.arrivals == 0 {
            self.send.resume(0, self.replica.arrivals());
        }
        let (frontier, arrivals) = self.replica.frontier();
        if frontier.root(&self.filter) == theirs.root {
            self.on_equal(theirs, arrivals, out);
        } else if let Some(last) = self.last_root.filter(|last| last.root.root == theirs.root) {
            self.on_equal(theirs, last.root.arrivals, out);
        } else if self.direction != Direction::Both && self.synced && !self.send.doubtful {
            // What was to go one way has gone; the rest stays different.
        } else {
            self.synced = false;
            return self.on_different(theirs, arrivals, out);
        }
        Ok(())
    }

    /// Both sides hold the same as of our entry `arrivals`.
    fn on_equal(&mut self, theirs: Root, arrivals: u64, out: &mut Out<'_>) {
        self.answered_first_root = true;
        self.send.confirm(arrivals, out);
        self.receive.confirm(theirs.arrivals, &*self.replica, &self.cursor_key, out.now_ms);
        self.walk.reset();
        self.reach(out);
        // The peer learns it from a root of the same value; one that it has is enough.
        self.root_due = self.last_root.is_none_or(|last| last.root.root != theirs.root);
    }

    /// Both sides hold what this sync is to give them, once what is on its way has come.
    pub(super) fn reach(&mut self, out: &mut Out<'_>) {
        if !std::mem::replace(&mut self.synced, true) {
            out.events.push_back(SessionEvent::Synced);
        }
    }

    fn on_different(&mut self, theirs: Root, arrivals: u64, out: &mut Out<'_>) -> Result<(), Stop> {
        if self.walk.is_active() {
            return if theirs.seen == self.sent_frames { self.on_wants_served(out) } else { Ok(()) };
        }
        self.root_due = true;
        if !std::mem::replace(&mut self.answered_first_root, true) {
            self.answer_first_root(out)?;
            return Ok(());
        }
        if !self.initiator {
            if !self.admitted {
                return Err(close(Code::NotAdmitted, "this device is not a member of the workspace"));
            }
            if let Some(base) = self.walk.end_serving() {
                self.send.start_at(base);
            }
            return Ok(());
        }
        let told_all = theirs.seen == self.sent_frames && !self.send.is_unsent(arrivals, self.admitted);
        if told_all { self.start_walk(theirs.root, out) } else { Ok(()) }
    }

    /// The responder's first answer to a different root: where to go on, or the top of its tree.
    fn answer_first_root(&mut self, out: &mut Out<'_>) -> Result<(), Stop> {
        let resume =
            if !self.admitted || self.replica.arrivals() == 0 { Some(0) } else { self.receive.resume_from() };
        match resume {
            Some(arrival) => {
                out.outbox.push(&Frame::Resume { arrival });
                Ok(())
            }
            None if self.send.is_started() => Ok(()),
            None => self.offer_top(out),
        }
    }

    /// Goes on with what the peer asked for or sent, as far as there is time.
    pub(super) fn go_on(&mut self, budget: &mut Budget, out: &mut Out<'_>) -> Result<(), Stop> {
        self.answer_walk(budget, out)?;
        self.take_in(budget, out)
    }

    /// Sends what there is to send, as far as window, outbox and time allow. Returns whether it was
    /// not for want of time that it stopped.
    pub(super) fn pump(&mut self, budget: &mut Budget, out: &mut Out<'_>) -> Result<bool, Stop> {
        while self.send.has_room(out.outbox.bytes()) {
            if budget.is_spent() {
                return Ok(false);
            }
            if !self.send_entries(budget, out)? && !self.send_root(out) {
                break;
            }
        }
        Ok(true)
    }

    /// Sends the root if it is due and says something new. Returns whether it looked.
    fn send_root(&mut self, out: &mut Out<'_>) -> bool {
        if !self.root_due || self.walk.is_active() {
            return false;
        }
        let (frontier, arrivals) = self.replica.frontier();
        if self.send.is_unsent(arrivals, self.admitted) {
            return true;
        }
        self.root_due = false;
        let root = Root { root: frontier.root(&self.filter), arrivals, seen: self.seen_frames };
        let sent = SentRoot { root, after: self.sent_frames };
        if self.last_root != Some(sent) {
            self.last_root = Some(sent);
            out.outbox.push(&Frame::Root(root));
        }
        true
    }

    /// Asks for a comparison once everything is sent.
    pub(super) const fn want_root(&mut self) {
        self.root_due = true;
    }

    /// Looks whether the peer has become a member, or either end is none any more, since the replica
    /// last grew.
    pub(super) fn check_membership(&mut self) -> Result<(), Stop> {
        let arrivals = self.replica.arrivals();
        if self.members_as_of.replace(arrivals) == Some(arrivals) {
            return Ok(());
        }
        if self.own.is_some_and(|own| self.replica.membership(&own) == Membership::Removed) {
            return Err(close(Code::Removed, "this device was removed from the workspace"));
        }
        let Peer::Device(device) = self.peer else { return Ok(()) };
        match self.replica.membership(&device) {
            Membership::Active => self.admitted = true,
            Membership::Removed => {
                return Err(close(Code::Removed, "the other device was removed from the workspace"));
            }
            Membership::Unknown if self.admitted => {
                return Err(close(Code::NotAdmitted, "the other device is not a member any more"));
            }
            Membership::Unknown => {}
        }
        Ok(())
    }

    /// When something must have happened, in milliseconds.
    pub(super) fn deadline(&self) -> Option<u64> {
        self.send.waiting_since().map(|since| since.saturating_add(STALL_MS))
    }

    /// Tells how far the sync has come.
    pub(super) fn report(&self, out: &mut Out<'_>) {
        out.events.push_back(SessionEvent::Progress(Progress {
            received: self.receive.entries,
            received_total: self.receive.entries.max(self.receive.expected),
            sent: self.send.entries,
            sent_total: self.send.entries + self.send.remaining(self.replica.arrivals()),
        }));
    }

    /// Writes down how far the peer's entries are held.
    pub(super) fn finish(&mut self, now_ms: u64) {
        self.receive.save_cursor(&*self.replica, &self.cursor_key, now_ms);
    }
}
