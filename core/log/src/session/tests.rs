//! Two sessions, or one and a puppet, without a wire.

mod asking;
mod letters;
mod limits;
mod misbehaviour;
mod removals;
mod replica;
mod sync;

use super::limits::*;
use super::*;
use crate::batch::BatchWriter;
use crate::crypto::Signer;
use crate::crypto::noise::{Party, Psk, RelaySecret};
use crate::entry::{Entry, HEADER_LEN};
use crate::env::SeededRandom;
use crate::frames::{
    Ack, Branch, Content, Hello, MailError, Node, Root, Taken, WALK_PATHS_MAX, WANT_RANGES_MAX, Want,
};
use crate::ids::{DeviceId, EntryId, StreamId};
use crate::trie::{Filter, Path, Tip};
use replica::{MemoryReplica, WORKSPACE, run, signer, stream};
use zeroize::Zeroizing;

const RELAY_SECRET: [u8; 32] = [0x5e; 32];

struct TestHost(Arc<MemoryReplica>, Arc<Bans>);

impl Host for TestHost {
    fn open(&self, workspace: &WorkspaceId, _device: &DeviceId) -> Result<Arc<dyn Replica>, Closing> {
        if *workspace == WORKSPACE {
            Ok(self.0.clone())
        } else {
            Err(Closing::new(Code::UnknownWorkspace, "not here"))
        }
    }

    fn bans(&self) -> &Bans {
        &self.1
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
    Member {
        replica: replica.clone(),
        signer: Arc::new(signer(device)),
        streams: Filter::All,
        direction: Direction::Both,
        bans: Arc::default(),
    }
}

fn client(replica: &Arc<MemoryReplica>, device: u8) -> Session {
    let relay = RelaySecret::from_bytes(RELAY_SECRET).public();
    let role = Role::Client { relay, member: Some(member(replica, device)) };
    Session::new(role, random(1), 0).expect("a good key")
}

fn relay(replica: &Arc<MemoryReplica>) -> Session {
    relay_with(replica, &Arc::default())
}

fn relay_with(replica: &Arc<MemoryReplica>, bans: &Arc<Bans>) -> Session {
    let secret = Arc::new(RelaySecret::from_bytes(RELAY_SECRET));
    let host = Arc::new(TestHost(replica.clone(), bans.clone()));
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
            for (session, error) in [&mut self.one, &mut self.other].into_iter().zip(&mut errors) {
                while session.is_busy() {
                    if let Err(failed) = session.poke(0) {
                        error.get_or_insert(failed);
                    }
                }
            }
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

/// A pair whose other side is spoken for by a test that holds its channel.
struct Puppet {
    session: Session,
    channel: Channel,
    hash: [u8; 32],
}

impl Puppet {
    /// Shakes hands with a relay as a client of whom only frames are known.
    fn client(replica: &Arc<MemoryReplica>) -> Self {
        Self::client_of(relay(replica))
    }

    /// Shakes hands with the relay of this session.
    fn client_of(mut session: Session) -> Self {
        let key = RelaySecret::from_bytes(RELAY_SECRET).public();
        let mut handshake = Handshake::new(&Party::Client { relay: &key }, random(3)).expect("good key");
        session.receive(&handshake.write().expect("first"), 0).expect("good");
        handshake.read(&session.transmit().expect("second")).expect("good");
        let (channel, hash) = handshake.finish().expect("done");
        Self { session, channel, hash }
    }

    /// Lets the session do all that it has to do.
    fn go_on(&mut self, now_ms: u64) -> Result<(), SessionError> {
        while self.session.is_busy() {
            self.session.poke(now_ms)?;
        }
        Ok(())
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
        self.send_only(frames, 0)?;
        self.go_on(0)
    }

    /// Sends frames, and lets the session take only its first turn.
    fn send_only(&mut self, frames: &[Frame], now_ms: u64) -> Result<(), SessionError> {
        let mut plaintext = Vec::new();
        frames.iter().for_each(|frame| frame.encode(&mut plaintext));
        let mut message = Vec::new();
        self.channel.seal(&plaintext, &mut message).expect("fits");
        self.session.receive(&message, now_ms)
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
