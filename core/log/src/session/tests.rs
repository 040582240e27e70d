mod replica;

use super::limits::*;
use super::*;
use crate::batch::BatchWriter;
use crate::entry::{Entry, HEADER_LEN};
use crate::env::SeededRandom;
use crate::frames::{
    Ack, Branch, Content, MailError, Node, Root, Taken, WALK_PATHS_MAX, WANT_RANGES_MAX, Want,
};
use crate::ids::{EntryId, StreamId};
use crate::trie::{Path, Tip};
use replica::{MemoryReplica, WORKSPACE, run, signer, stream};
use zeroize::Zeroizing;

const RELAY_SECRET: [u8; 32] = [0x5e; 32];

struct TestHost(Arc<MemoryReplica>);

impl Host for TestHost {
    fn open(&self, workspace: &WorkspaceId, _device: &DeviceId) -> Result<Arc<dyn Replica>, Closing> {
        if *workspace == WORKSPACE {
            Ok(self.0.clone())
        } else {
            Err(Closing::new(Code::UnknownWorkspace, "not here"))
        }
    }

    fn mail_open(
        &self,
        _workspace: &WorkspaceId,
        _mailbox: BoxId,
        _token_hash: [u8; 32],
        _expires_ms: u64,
    ) -> Result<Vec<Letter>, MailError> {
        Ok(vec![(1, b"waiting".to_vec())])
    }

    fn mail_put(&self, _mailbox: BoxId, token: &[u8; 32], _message: Vec<u8>) -> Result<u32, MailError> {
        if *token == [1; 32] { Ok(2) } else { Err(MailError::NotOpen) }
    }

    fn mail_get(&self, _mailbox: BoxId, token: &[u8; 32], _after: u32) -> Result<Vec<Letter>, MailError> {
        if *token == [1; 32] { Ok(vec![(1, b"waiting".to_vec())]) } else { Err(MailError::NotOpen) }
    }
}

fn random(seed: u64) -> Arc<dyn Random> {
    Arc::new(SeededRandom::new(seed))
}

fn member(replica: &Arc<MemoryReplica>, device: u8) -> Member {
    Member { replica: replica.clone(), signer: Arc::new(signer(device)), streams: Filter::All }
}

fn client(replica: &Arc<MemoryReplica>, device: u8) -> Session {
    let relay = RelaySecret::from_bytes(RELAY_SECRET).public();
    let role = Role::Client { relay, member: Some(member(replica, device)) };
    Session::new(role, random(1), 0).expect("a good key")
}

fn relay(replica: &Arc<MemoryReplica>) -> Session {
    let secret = Arc::new(RelaySecret::from_bytes(RELAY_SECRET));
    let host = Arc::new(TestHost(replica.clone()));
    Session::new(Role::Relay { secret, host }, random(2), 0).expect("a good key")
}

fn peer(replica: &Arc<MemoryReplica>, device: u8, initiator: bool) -> Session {
    let psk = Psk::new(Zeroizing::new([3; 32]));
    let role = Role::Peer { initiator, psk, member: member(replica, device) };
    Session::new(role, random(10 + u64::from(device)), 0).expect("a good key")
}

/// Two sessions and the wire between them.
struct Pair {
    one: Session,
    other: Session,
    /// Messages each way: from one, from the other.
    messages: [usize; 2],
    bytes: [usize; 2],
}

impl Pair {
    fn new(one: Session, other: Session) -> Self {
        Self { one, other, messages: [0; 2], bytes: [0; 2] }
    }

    /// Carries messages until both sides are silent. Returns the first error of each side.
    fn run(&mut self) -> [Option<SessionError>; 2] {
        let mut errors = [None, None];
        loop {
            let mut silent = true;
            while let Some(message) = self.one.transmit() {
                silent = false;
                self.messages[0] += 1;
                self.bytes[0] += message.len();
                if let Err(error) = self.other.receive(&message, 0) {
                    errors[1].get_or_insert(error);
                }
            }
            while let Some(message) = self.other.transmit() {
                silent = false;
                self.messages[1] += 1;
                self.bytes[1] += message.len();
                if let Err(error) = self.one.receive(&message, 0) {
                    errors[0].get_or_insert(error);
                }
            }
            if silent {
                return errors;
            }
        }
    }

    fn sync(&mut self) {
        let errors = self.run();
        assert!(errors.iter().all(Option::is_none), "{errors:?}");
        assert!(self.one.is_synced() && self.other.is_synced());
    }

    fn poke(&mut self) {
        self.one.poke(0).expect("open");
        self.other.poke(0).expect("open");
    }
}

fn replicas() -> [Arc<MemoryReplica>; 2] {
    [Arc::new(MemoryReplica::new(1)), Arc::new(MemoryReplica::new(2))]
}

fn synced(one: &Arc<MemoryReplica>, other: &Arc<MemoryReplica>) -> Pair {
    let mut pair = Pair::new(client(one, 1), relay(other));
    pair.sync();
    assert_eq!(one.root(), other.root());
    pair
}

fn events(session: &mut Session) -> Vec<SessionEvent> {
    std::iter::from_fn(|| session.event()).collect()
}

#[test]
fn an_empty_relay_gets_everything_in_one_go() {
    let [one, other] = replicas();
    for device in 1..4 {
        one.write(device, device % 2, 10, 100);
    }
    let pair = synced(&one, &other);
    assert_eq!((other.len(), pair.one.peer_has()), (30, 30));
}

#[test]
fn an_empty_device_gets_everything_in_one_round_trip() {
    let [one, other] = replicas();
    other.write(1, 1, 50, 100);
    let pair = synced(&one, &other);
    assert_eq!(one.len(), 50);
    // Handshake, greeting and root; the answer; acknowledgement and root; acknowledgement of that.
    assert!(pair.messages[0] <= 3 && pair.messages[1] <= 3, "{:?}", pair.messages);
}

#[test]
fn two_that_never_met_exchange_what_each_lacks() {
    let [one, other] = replicas();
    one.write(1, 1, 20, 50);
    other.write(2, 1, 30, 50);
    other.write(2, 0, 3, 50);
    synced(&one, &other);
    assert_eq!((one.len(), other.len()), (53, 53));
}

#[test]
fn peers_sync_like_device_and_relay() {
    let [one, other] = replicas();
    one.write(1, 1, 20, 50);
    other.write(2, 1, 30, 50);
    let mut pair = Pair::new(peer(&one, 1, true), peer(&other, 2, false));
    pair.sync();
    assert_eq!((one.len(), other.len()), (50, 50));
}

#[test]
fn new_entries_are_pushed_live_and_acknowledged() {
    let [one, other] = replicas();
    one.write(1, 1, 5, 50);
    let mut pair = synced(&one, &other);
    one.write(1, 1, 1, 50);
    other.write(2, 1, 2, 50);
    pair.poke();
    pair.sync();
    assert_eq!(one.root(), other.root());
    assert_eq!((pair.one.peer_has(), pair.other.peer_has()), (8, 8));
}

#[test]
fn a_known_peer_gets_what_is_new_in_one_round_trip() {
    let [one, other] = replicas();
    one.write(1, 1, 100, 50);
    synced(&one, &other);
    other.write(2, 1, 10, 50);
    let payloads = 10 * 50;
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    let hello = pair.one.transmit().expect("handshake");
    pair.other.receive(&hello, 0).expect("good");
    let answer = pair.other.transmit().expect("handshake");
    pair.one.receive(&answer, 0).expect("good");
    let greeting = pair.one.transmit().expect("greeting");
    pair.other.receive(&greeting, 0).expect("good");
    let entries = pair.other.transmit().expect("entries");
    pair.one.receive(&entries, 0).expect("good");
    assert_eq!(one.root(), other.root());
    assert!(entries.len() - hello_bytes() <= payloads + 256, "{}", entries.len());
    pair.sync();
}

/// Bytes of a greeting of all streams, with the Noise message that it comes in.
fn hello_bytes() -> usize {
    2 + 16 + 5 + 1 + 32 + 32 + 64 + 16 + 8 + 16 + 8 + 2
}

#[test]
fn equal_logs_need_one_round_trip_and_128_bytes_after_the_handshake() {
    let [one, other] = replicas();
    one.write(1, 1, 100, 50);
    synced(&one, &other);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    let first = pair.one.transmit().expect("handshake");
    pair.other.receive(&first, 0).expect("good");
    let answer = pair.other.transmit().expect("handshake");
    pair.one.receive(&answer, 0).expect("good");
    pair.sync();
    assert_eq!(pair.messages, [1, 1]);
    let bytes = pair.bytes[0] + pair.bytes[1] - 2 * hello_bytes();
    assert!(bytes <= 128, "{bytes}");
}

#[test]
fn a_restored_replica_is_walked() {
    let [one, other] = replicas();
    for device in 1..=200 {
        one.write(device, device % 7, 3, 20);
    }
    synced(&one, &other);
    one.forget_cursors();
    other.forget_cursors();
    one.write(5, 5, 4, 20);
    other.write(9, 2, 4, 20);
    other.write(201, 3, 4, 20);
    let pair = synced(&one, &other);
    assert_eq!(one.len(), 612);
    let bytes = pair.bytes[0] + pair.bytes[1];
    assert!(bytes < 30_000, "{bytes}");
}

#[test]
fn forks_reach_the_other_side_with_all_their_branches() {
    let [one, other] = replicas();
    one.write(1, 1, 40, 20);
    synced(&one, &other);
    let fork = one.tips(1, 1)[0];
    for (replica, variant) in [(&one, 1), (&other, 2)] {
        let entries = run(1, 1, Some(fork), 5, 20, variant);
        replica.receive(entries).expect("stored");
    }
    synced(&one, &other);
    assert_eq!(one.tips(1, 1).len(), 2);
    one.forget_cursors();
    other.forget_cursors();
    let deep = run(1, 1, None, 30, 20, 3);
    one.receive(deep).expect("stored");
    let deep = run(1, 1, None, 30, 20, 4);
    other.receive(deep).expect("stored");
    synced(&one, &other);
    assert_eq!(one.tips(1, 1).len(), 4);
}

#[test]
fn a_partial_replica_gets_its_streams_and_stream_zero_only() {
    let [one, other] = replicas();
    for number in 0..4 {
        other.write(1, number, 5, 20);
    }
    let mut partial = member(&one, 2);
    partial.streams = Filter::Streams([StreamId::DIRECTORY, stream(2)].into());
    let relay_key = RelaySecret::from_bytes(RELAY_SECRET).public();
    let role = Role::Client { relay: relay_key, member: Some(partial) };
    let device = Session::new(role, random(1), 0).expect("a good key");
    let mut pair = Pair::new(device, relay(&other));
    pair.sync();
    assert_eq!(one.len(), 10);
    other.write(1, 3, 1, 20);
    other.write(1, 2, 1, 20);
    pair.poke();
    pair.sync();
    assert_eq!(one.len(), 11);
}

#[test]
fn much_data_flows_within_the_window() {
    let [one, other] = replicas();
    for _ in 0..30 {
        one.write(1, 1, 2, 400_000);
    }
    let pair = synced(&one, &other);
    assert_eq!(other.len(), 60);
    assert!(pair.messages[0] >= 24);
}

/// A pair whose other side is spoken for by a test that holds its channel.
struct Puppet {
    session: Session,
    channel: Channel,
    hash: [u8; 32],
}

impl Puppet {
    /// Shakes hands with a relay as a client of whom only frames are known.
    fn client(replica: &Arc<MemoryReplica>) -> Self {
        let mut session = relay(replica);
        let key = RelaySecret::from_bytes(RELAY_SECRET).public();
        let mut handshake = Handshake::new(&Party::Client { relay: &key }, random(3)).expect("good key");
        session.receive(&handshake.write().expect("first"), 0).expect("good");
        handshake.read(&session.transmit().expect("second")).expect("good");
        let (channel, hash) = handshake.finish().expect("done");
        Self { session, channel, hash }
    }

    /// A client that greeted as this device.
    fn greeted(replica: &Arc<MemoryReplica>, device: u8) -> Self {
        let mut puppet = Self::client(replica);
        let hello = puppet.hello(device);
        puppet.send(&[Frame::Hello(hello)]).expect("welcome");
        puppet
    }

    fn hello(&self, device: u8) -> Hello {
        let signer = signer(device);
        Hello {
            initiator: true,
            workspace: WORKSPACE,
            device: signer.device(),
            signature: signer.sign(&Hello::signed(&WORKSPACE, true, &self.hash)),
            epoch: [9; 16],
            arrivals: 1,
            cursor: None,
            streams: Filter::All,
        }
    }

    fn send(&mut self, frames: &[Frame]) -> Result<(), SessionError> {
        let mut plaintext = Vec::new();
        for frame in frames {
            frame.encode(&mut plaintext);
        }
        let mut message = Vec::new();
        self.channel.seal(&plaintext, &mut message).expect("fits");
        self.session.receive(&message, 0)
    }

    /// The frames that the session sends now.
    fn take(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(message) = self.session.transmit() {
            let plaintext = self.channel.open(&message).expect("authentic");
            let mut rest = &plaintext[..];
            while !rest.is_empty() {
                let (frame, after) = Frame::decode(rest).expect("a frame");
                frames.push(frame);
                rest = after;
            }
        }
        frames
    }

    /// Sends frames that must end the session, and returns the code that the peer was told.
    fn code_after(&mut self, frames: &[Frame]) -> Code {
        self.take();
        let error = self.send(frames).expect_err("the session ends");
        assert!(matches!(error, SessionError::Closed(_)), "{error:?}");
        assert!(self.session.is_over());
        let told = self.take().pop();
        assert_eq!(self.session.transmit(), None);
        match told {
            Some(Frame::Error(closing)) => closing.code,
            other => panic!("the reason is told last: {other:?}"),
        }
    }
}

fn entries_frame(entries: &[Entry]) -> Frame {
    let mut writer = BatchWriter::new();
    for entry in entries {
        assert!(writer.push(entry, usize::MAX));
    }
    Frame::Entries { arrival: 0, batch: writer.finish() }
}

fn root_of(replica: &MemoryReplica, seen: u32) -> Frame {
    Frame::Root(Root { root: replica.root(), arrivals: 1, seen })
}

fn different_root(seen: u32) -> Frame {
    Frame::Root(Root { root: [0xee; 32], arrivals: 1, seen })
}

#[test]
fn a_signature_over_another_channel_is_refused() {
    let [one, _] = replicas();
    let mut puppet = Puppet::client(&one);
    puppet.hash[0] ^= 1;
    let elsewhere = puppet.hello(1);
    assert_eq!(puppet.code_after(&[Frame::Hello(elsewhere)]), Code::Authentication);
    let mut puppet = Puppet::client(&one);
    let mut forged = puppet.hello(1);
    forged.device = signer(2).device();
    assert_eq!(puppet.code_after(&[Frame::Hello(forged)]), Code::Authentication);
}

#[test]
fn a_peer_that_names_our_own_device_is_refused() {
    let [one, other] = replicas();
    let mut pair = Pair::new(peer(&one, 1, true), peer(&other, 1, false));
    let [error, _] = pair.run();
    assert!(matches!(error, Some(SessionError::Closed(closing)) if closing.code == Code::Authentication));
}

#[test]
fn an_unknown_workspace_is_refused() {
    let [one, _] = replicas();
    let mut puppet = Puppet::client(&one);
    let workspace = WorkspaceId([1; 32]);
    let signature = signer(1).sign(&Hello::signed(&workspace, true, &puppet.hash));
    let hello = Hello { workspace, signature, ..puppet.hello(1) };
    assert_eq!(puppet.code_after(&[Frame::Hello(hello)]), Code::UnknownWorkspace);
}

#[test]
fn frames_out_of_place_end_the_session() {
    let [one, _] = replicas();
    assert_eq!(Puppet::client(&one).code_after(&[different_root(0)]), Code::Protocol);
    let path = Path::ROOT;
    let node = Node { path, content: Content::Empty };
    let branch = Branch {
        stream: stream(1),
        device: signer(1).device(),
        points: vec![Tip { seq: 1, id: EntryId([1; 32]) }],
    };
    let ack = Ack { batches: 1, taken: Taken::All };
    let mail = Frame::Mail { mailbox: BoxId([1; 16]), slot: 1, message: vec![1] };
    for frame in
        [Frame::Node(node), Frame::Branch(branch), Frame::Ack(ack), mail, Frame::Resume { arrival: 0 }]
    {
        assert_eq!(Puppet::greeted(&one, 1).code_after(&[frame]), Code::Protocol);
    }
    let mut puppet = Puppet::greeted(&one, 1);
    let again = puppet.hello(1);
    assert_eq!(puppet.code_after(&[Frame::Hello(again)]), Code::Protocol);
}

#[test]
fn bytes_that_are_no_frame_end_the_session() {
    let [one, _] = replicas();
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    let mut message = Vec::new();
    puppet.channel.seal(&[99, 0, 0, 0, 0], &mut message).expect("fits");
    assert!(puppet.session.receive(&message, 0).is_err());
    assert!(matches!(&puppet.take()[..], [Frame::Error(closing)] if closing.code == Code::Protocol));
    assert!(matches!(puppet.session.receive(&message, 0), Err(SessionError::Over)));
}

#[test]
fn a_bad_entry_stops_its_chain_and_the_rest_of_the_batch_lands() {
    let [one, _] = replicas();
    let mut bad = run(2, 1, None, 1, 10, 0);
    let mut header = bad[0].header().clone();
    header.signature[3] ^= 1;
    bad[0] = Entry::new(header, bad[0].payload().to_vec()).expect("well formed");
    let entries = [bad, run(3, 1, None, 4, 10, 0)].concat();
    let mut puppet = Puppet::greeted(&one, 1);
    assert_eq!(puppet.code_after(&[entries_frame(&entries)]), Code::BadEntry);
    assert_eq!(one.len(), 4);
    let events = events(&mut puppet.session);
    assert!(events.iter().any(|event| matches!(event, SessionEvent::Refused(_))));
    assert!(events.iter().any(|event| matches!(event, SessionEvent::Stored(4))));
}

#[test]
fn a_full_workspace_is_told() {
    let [one, _] = replicas();
    one.set_quota(2);
    let mut puppet = Puppet::greeted(&one, 1);
    assert_eq!(puppet.code_after(&[entries_frame(&run(1, 1, None, 3, 10, 0))]), Code::Quota);
}

#[test]
fn a_chain_of_a_newer_version_is_reported_and_the_others_go_on() {
    let [one, other] = replicas();
    one.write(1, 1, 2, 10);
    one.write(2, 1, 2, 10);
    other.be_too_old_for(2);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    assert!(pair.run().iter().all(Option::is_none));
    assert!(events(&mut pair.other).iter().any(|event| matches!(event, SessionEvent::Refused(_))));
    one.write(1, 1, 1, 10);
    other.write(3, 1, 1, 10);
    pair.poke();
    assert!(pair.run().iter().all(Option::is_none));
    assert_eq!((one.len(), other.len()), (6, 4));
    assert!(!pair.one.is_synced() && !pair.one.is_over());
}

#[test]
fn trouble_of_the_own_storage_is_not_blamed_on_the_peer() {
    let [one, _] = replicas();
    one.fail();
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    let error = puppet.send(&[entries_frame(&run(1, 1, None, 3, 10, 0))]).expect_err("ends");
    assert!(matches!(error, SessionError::Replica(_)));
    assert!(matches!(&puppet.take()[..], [Frame::Error(closing)] if closing.code == Code::Internal));
}

#[test]
fn entries_wait_for_what_they_build_on_and_are_not_acknowledged_as_held_before() {
    let [one, _] = replicas();
    let first = run(1, 1, None, 2, 10, 0);
    let tip = Tip { seq: 2, id: first[1].id() };
    let second = run(1, 1, Some(tip), 2, 10, 0);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    puppet.send(&[entries_frame(&second)]).expect("fine");
    let acks = |frames: Vec<Frame>| -> Vec<bool> {
        frames
            .into_iter()
            .filter_map(
                |frame| if let Frame::Ack(ack) = frame { Some(ack.taken == Taken::All) } else { None },
            )
            .collect()
    };
    assert_eq!((acks(puppet.take()), one.len()), (vec![false], 0));
    puppet.send(&[entries_frame(&first)]).expect("fine");
    assert_eq!((acks(puppet.take()), one.len()), (vec![true], 4));
}

#[test]
fn a_run_is_stored_and_acknowledged_once_a_signature_vouches_for_it() {
    let [one, _] = replicas();
    let entries = run(1, 1, None, 3, 10, 0);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    puppet.send(&[entries_frame(&entries[..2])]).expect("fine");
    assert_eq!((puppet.take(), one.len()), (vec![], 0));
    puppet.send(&[entries_frame(&entries[2..])]).expect("fine");
    assert_eq!(one.len(), 3);
    assert!(matches!(&puppet.take()[..], [Frame::Ack(ack)] if ack.taken == Taken::All && ack.batches == 2));
}

#[test]
fn a_run_without_a_signature_ends_the_session_past_its_limit() {
    let [one, _] = replicas();
    let length = 500_000;
    let count = UNPROVEN_BYTES_MAX / (length + HEADER_LEN);
    let entries = run(1, 1, None, count + 2, length, 0);
    let mut puppet = Puppet::greeted(&one, 1);
    for entry in &entries[..count] {
        puppet.send(&[entries_frame(std::slice::from_ref(entry))]).expect("within the limit");
    }
    let over = entries_frame(&entries[count..=count]);
    assert_eq!(puppet.code_after(&[over]), Code::Limit);
}

#[test]
fn entries_that_wait_are_dropped_past_their_limit_and_the_session_goes_on() {
    let [one, _] = replicas();
    let length = 500_000;
    let count = WAITING_BYTES_MAX / (length + HEADER_LEN);
    let mut tip = None;
    let mut entries = Vec::new();
    for _ in 0..count + 2 {
        let entry = run(1, 1, tip, 1, length, 0).remove(0);
        tip = Some(Tip { seq: entry.header().seq, id: entry.id() });
        entries.push(entry);
    }
    let mut puppet = Puppet::greeted(&one, 1);
    for entry in &entries[1..=count] {
        puppet.send(&[entries_frame(std::slice::from_ref(entry))]).expect("within the limit");
    }
    assert_eq!(puppet.session.sync.as_ref().expect("greeted").receive.waiting_len(), count);
    puppet.send(&[entries_frame(&entries[count + 1..])]).expect("goes on");
    assert_eq!(puppet.session.sync.as_ref().expect("greeted").receive.waiting_len(), 0);
}

#[test]
fn silence_until_the_handshake_deadline_ends_the_session() {
    let [one, _] = replicas();
    let mut session = relay(&one);
    assert_eq!(session.deadline(), Some(HANDSHAKE_MS));
    session.poke(HANDSHAKE_MS - 1).expect("in time");
    assert!(session.poke(HANDSHAKE_MS).is_err());
    let mut puppet = Puppet::client(&one);
    assert!(puppet.session.poke(HANDSHAKE_MS).is_err());
    let puppet = Puppet::greeted(&one, 1);
    assert_eq!(puppet.session.deadline(), None);
}

#[test]
fn entries_without_acknowledgement_end_the_session_after_a_while() {
    let [one, _] = replicas();
    one.write(1, 1, 1, 10);
    let mut puppet = Puppet::greeted(&one, 2);
    puppet.send(&[Frame::Root(Root { root: [0; 32], arrivals: 0, seen: 0 })]).expect("fine");
    assert_eq!(puppet.session.deadline(), Some(STALL_MS));
    puppet.session.poke(STALL_MS - 1).expect("in time");
    let error = puppet.session.poke(STALL_MS).expect_err("too late");
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::Timeout));
}

#[test]
fn bytes_before_authentication_are_limited() {
    let [one, _] = replicas();
    let mut session = relay(&one);
    let error = session.receive(&vec![0; UNAUTHENTICATED_BYTES_MAX + 1], 0).expect_err("too many");
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::Limit));
    let mut session = relay(&one);
    let error = session.receive(&vec![0; UNAUTHENTICATED_BYTES_MAX], 0).expect_err("garbage");
    assert!(matches!(error, SessionError::Noise(_)));
}

#[test]
fn a_message_past_the_limit_ends_the_session() {
    let [one, _] = replicas();
    let mut puppet = Puppet::greeted(&one, 1);
    let error = puppet.session.receive(&vec![0; MESSAGE_MAX + 1], 0).expect_err("too long");
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::Limit));
}

#[test]
fn sixty_four_ranges_may_be_outstanding_and_no_more() {
    let [one, _] = replicas();
    let range = |number: u8| (stream(1), signer(number).device(), Tip { seq: 0, id: EntryId::ZERO });
    let want = |count: u8| Frame::Want(Want((0..count).map(range).collect()));
    let most = u8::try_from(WANT_RANGES_MAX).expect("64");
    Puppet::greeted(&one, 1).send(&[want(most)]).expect("at the limit");
    assert_eq!(Puppet::greeted(&one, 1).code_after(&[want(most), want(1)]), Code::Limit);
}

#[test]
fn nodes_of_a_walk_are_limited() {
    let [one, _] = replicas();
    let most = WALK_PATHS_MAX;
    let walk = |count: usize| Frame::Walk(vec![Path::ROOT; count]);
    let mut puppet = Puppet::greeted(&one, 1);
    for _ in 0..WALK_NODES_MAX / most {
        puppet.send(&[walk(most)]).expect("within the limit");
        puppet.take();
    }
    assert_eq!(puppet.code_after(&[walk(1)]), Code::Limit);
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_dropped() {
    let [one, _] = replicas();
    for device in 0..=250 {
        one.write(device, 1, 1, 10);
    }
    let mut puppet = Puppet::greeted(&one, 1);
    let walk = Frame::Walk(vec![Path::ROOT; 1_000]);
    let mut error = None;
    for _ in 0..20 {
        error = puppet.send(std::slice::from_ref(&walk)).err();
        if error.is_some() {
            break;
        }
        assert!(puppet.session.outbox.bytes() <= OUTBOX_BYTES_MAX);
    }
    assert!(matches!(error, Some(SessionError::Closed(closing)) if closing.code == Code::Limit));
}

#[test]
fn no_more_is_sent_than_the_window_without_acknowledgement() {
    let [one, _] = replicas();
    for _ in 0..40 {
        one.write(1, 1, 1, 500_000);
    }
    let mut puppet = Puppet::greeted(&one, 2);
    puppet.send(&[Frame::Root(Root { root: [0; 32], arrivals: 0, seen: 0 })]).expect("fine");
    let mut batches = 0;
    let mut bytes = 0;
    let mut count = |frames: Vec<Frame>| {
        for frame in frames {
            if let Frame::Entries { batch, .. } = frame {
                batches += 1;
                bytes += batch.len();
            }
        }
        (batches, bytes)
    };
    for _ in 0..30 {
        puppet.session.poke(0).expect("open");
        count(puppet.take());
    }
    let (sent, bytes) = count(Vec::new());
    assert!((WINDOW_BYTES..WINDOW_BYTES + BATCH_BYTES).contains(&bytes), "{bytes}");
    let ack = Ack { batches: sent, taken: Taken::All };
    puppet.send(&[Frame::Ack(ack)]).expect("fine");
    assert!(count(puppet.take()).0 > sent);
}

#[test]
fn four_walks_without_progress_end_the_session() {
    let [one, other] = replicas();
    one.write(1, 1, 2, 10);
    let mut session = client(&one, 1);
    let secret = RelaySecret::from_bytes(RELAY_SECRET);
    let mut handshake = Handshake::new(&Party::Relay { secret: &secret }, random(3)).expect("good key");
    handshake.read(&session.transmit().expect("first")).expect("good");
    session.receive(&handshake.write().expect("second"), 0).expect("good");
    let (channel, hash) = handshake.finish().expect("done");
    let mut puppet = Puppet { session, channel, hash };
    other.write(2, 1, 1, 10);
    let hello = Hello {
        initiator: false,
        workspace: WORKSPACE,
        device: DeviceId::ZERO,
        signature: [0; 64],
        epoch: [2; 16],
        arrivals: 1,
        cursor: None,
        streams: Filter::All,
    };
    puppet.send(&[Frame::Hello(hello)]).expect("fine");
    let leaves = one.frontier().0.leaves(&Path::ROOT);
    let mut walks = 0;
    let error = loop {
        let mut seen = 0;
        let mut answer = Vec::new();
        for frame in puppet.take() {
            if let Frame::Walk(paths) = frame {
                walks += 1;
                let content = Content::Leaves(leaves.clone());
                answer.push(Frame::Node(Node { path: paths[0], content }));
            }
            seen = walks;
        }
        answer.push(different_root(seen));
        if let Err(error) = puppet.send(&answer) {
            break error;
        }
        assert!(walks <= ROUNDS_MAX);
    };
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::NoProgress));
    assert_eq!(walks, ROUNDS_MAX);
}

#[test]
fn a_stranger_gets_nothing_and_is_sent_away_unless_it_brings_its_admission() {
    let [one, other] = replicas();
    other.write(2, 1, 5, 10);
    other.estrange(1, 9);
    one.write(1, 1, 2, 10);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    let [_, error] = pair.run();
    assert!(matches!(error, Some(SessionError::Closed(closing)) if closing.code == Code::NotAdmitted));
    assert_eq!((one.len(), other.len()), (2, 7));
    one.write(1, 1, 2, 10);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    pair.sync();
    assert_eq!((one.len(), other.len()), (9, 9));
}

#[test]
fn a_stranger_may_not_walk_or_want_or_signal() {
    let [one, _] = replicas();
    one.write(2, 1, 5, 10);
    one.estrange(1, 100);
    let walk = Frame::Walk(vec![Path::ROOT]);
    assert_eq!(Puppet::greeted(&one, 1).code_after(&[walk]), Code::NotAdmitted);
    let start = Tip { seq: 0, id: EntryId::ZERO };
    let want = Want(vec![(stream(1), signer(2).device(), start)]);
    assert_eq!(Puppet::greeted(&one, 1).code_after(&[Frame::Want(want)]), Code::NotAdmitted);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.send(&[Frame::Signal(vec![1])]).expect("ignored");
    assert!(!events(&mut puppet.session).contains(&SessionEvent::Signal(vec![1])));
    puppet.send(&[different_root(0)]).expect("may bring what it has");
    let frames = puppet.take();
    assert!(
        !frames.iter().any(|frame| matches!(frame, Frame::Node(_) | Frame::Entries { .. })),
        "{frames:?}"
    );
}

#[test]
fn a_stranger_brings_a_limited_amount() {
    let [one, _] = replicas();
    one.estrange(1, 1_000);
    let mut puppet = Puppet::greeted(&one, 1);
    let mut tip = None;
    let mut bytes = 0;
    let code = loop {
        let entry = run(2, 1, tip, 1, 1_000_000, 0).remove(0);
        tip = Some(Tip { seq: entry.header().seq, id: entry.id() });
        let frame = entries_frame(std::slice::from_ref(&entry));
        let Frame::Entries { batch, .. } = &frame else { unreachable!() };
        bytes += batch.len();
        if bytes > UNADMITTED_BYTES_MAX {
            break puppet.code_after(&[frame]);
        }
        puppet.send(&[frame]).expect("within the limit");
    };
    assert_eq!(code, Code::NotAdmitted);
}

#[test]
fn signals_reach_members_and_keep_to_their_size() {
    let [one, other] = replicas();
    one.write(1, 1, 1, 10);
    let mut pair = synced(&one, &other);
    assert!(pair.one.signal(vec![7; SIGNAL_MAX]));
    assert!(!pair.one.signal(vec![7; SIGNAL_MAX + 1]));
    assert!(!pair.one.signal(Vec::new()));
    pair.run();
    assert!(events(&mut pair.other).contains(&SessionEvent::Signal(vec![7; SIGNAL_MAX])));
}

#[test]
fn a_joiner_leaves_a_letter_and_the_member_hears_of_it() {
    let [one, other] = replicas();
    let mailbox = BoxId([4; 16]);
    let mut members = synced(&one, &other);
    members.one.mail_open(mailbox, [5; 32], 1_000);
    members.run();
    let letter = SessionEvent::Mail { mailbox, slot: 1, message: b"waiting".to_vec() };
    assert!(events(&mut members.one).contains(&letter));
    assert!(events(&mut members.other).contains(&SessionEvent::MailWatched(mailbox)));

    let relay_key = RelaySecret::from_bytes(RELAY_SECRET).public();
    let joiner =
        Session::new(Role::Client { relay: relay_key, member: None }, random(5), 0).expect("good key");
    let mut joining = Pair::new(joiner, relay(&other));
    assert!(joining.one.mail_put(mailbox, [1; 32], b"let me in".to_vec()));
    joining.one.mail_get(mailbox, [2; 32], 0);
    joining.run();
    let events_of_joiner = events(&mut joining.one);
    assert!(events_of_joiner.contains(&SessionEvent::MailResult { mailbox, slot: 2, result: Ok(()) }));
    let refused = SessionEvent::MailResult { mailbox, slot: 0, result: Err(MailError::NotOpen) };
    assert!(events_of_joiner.contains(&refused));
    assert_eq!(joining.other.deadline(), None);

    members.other.push_mail(mailbox, 2, b"let me in".to_vec());
    members.other.push_mail(BoxId([9; 16]), 1, b"not watched".to_vec());
    members.run();
    let letters =
        events(&mut members.one).into_iter().filter(|event| matches!(event, SessionEvent::Mail { .. }));
    assert_eq!(letters.count(), 1);
}

#[test]
fn a_wrong_token_does_not_prolong_a_session() {
    let [one, _] = replicas();
    let mut puppet = Puppet::client(&one);
    puppet.send(&[Frame::MailGet { mailbox: BoxId([1; 16]), token: [2; 32], after: 0 }]).expect("answered");
    assert_eq!(puppet.session.deadline(), Some(HANDSHAKE_MS));
    let open = Frame::MailOpen { mailbox: BoxId([1; 16]), token_hash: [0; 32], expires_ms: 9 };
    puppet.take();
    puppet.send(&[open]).expect("answered");
    let refused = Frame::MailResult { mailbox: BoxId([1; 16]), slot: 0, result: Err(MailError::Unavailable) };
    assert_eq!(puppet.take(), [refused]);
}

#[test]
fn a_session_watches_a_limited_number_of_boxes() {
    let [one, _] = replicas();
    let mut puppet = Puppet::client(&one);
    let get = |number: usize| Frame::MailGet {
        mailbox: BoxId([u8::try_from(number).expect("below 256"); 16]),
        token: [1; 32],
        after: 0,
    };
    for number in 0..WATCHED_MAX {
        puppet.send(&[get(number)]).expect("answered");
    }
    puppet.take();
    puppet.send(&[get(WATCHED_MAX)]).expect("answered");
    assert!(matches!(&puppet.take()[..], [Frame::MailResult { result: Err(MailError::Unavailable), .. }]));
}

#[test]
fn goodbye_ends_both_sides_and_leaves_the_cursor() {
    let [one, other] = replicas();
    other.write(2, 1, 3, 10);
    let mut pair = synced(&one, &other);
    pair.one.close(None, 0);
    pair.run();
    assert!(pair.one.is_over() && pair.other.is_over());
    assert_eq!(events(&mut pair.other).last(), Some(&SessionEvent::Closed(None)));
    let relay_key = RelaySecret::from_bytes(RELAY_SECRET).public();
    assert_eq!(one.cursor(&relay_key), Some(Cursor { epoch: [2; 16], arrival: 3 }));
    assert!(matches!(pair.one.poke(0), Err(SessionError::Over)));
}

#[test]
fn equal_roots_of_a_puppet_are_believed_once_and_cost_one_answer() {
    let [one, _] = replicas();
    one.write(1, 1, 3, 10);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    puppet.send(&[root_of(&one, 0)]).expect("fine");
    assert!(matches!(&puppet.take()[..], [Frame::Root(_)]));
    assert!(puppet.session.is_synced());
    puppet.send(&[root_of(&one, 0)]).expect("fine");
    assert_eq!(puppet.take(), []);
}
