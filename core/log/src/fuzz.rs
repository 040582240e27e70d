//! What is fuzzed: one function for each kind of bytes that may come from anybody.
//!
//! A target must neither panic nor take long, whatever it is given, and what it can read it must write
//! again as the same bytes. `core/fuzz` hands the functions to cargo-fuzz. [`Target::play`] needs no
//! fuzzer: it makes up inputs by a seed, so that every run of the tests tries some.

use std::sync::{Arc, OnceLock};

use zeroize::Zeroizing;

use crate::batch::{BatchWriter, decode_batch};
use crate::crypto::Signer as _;
use crate::crypto::noise::{Channel, Handshake, MESSAGE_MAX, Party, Psk};
use crate::directory::{Body, Role};
use crate::entry::{Entry, Kind};
use crate::env::{Random, SeededRandom, random_array};
use crate::frames::{Ack, Closing, Code, Frame, Hello, Root, Taken};
use crate::ids::StreamId;
use crate::log::{Draft, Log};
use crate::session::{Direction, Member, Role as SessionRole, Session};
use crate::storage::MemoryStorage;
use crate::testing::TestWorkspace;
use crate::trie::{Filter, Path};

/// Something that reads bytes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, which is also that of its file in `core/fuzz`.
    pub name: &'static str,
    /// Reads bytes; panics if it does what it must not.
    pub run: fn(&[u8]),
    /// Inputs that it can read, to begin with.
    pub valid: fn() -> Vec<Vec<u8>>,
}

/// The targets of this crate.
pub const TARGETS: [Target; 5] = [
    Target { name: "entry", run: entry, valid: entries },
    Target { name: "batch", run: batch, valid: batches },
    Target { name: "directory", run: directory, valid: bodies },
    Target { name: "frames", run: frames, valid: some_frames },
    Target { name: "session", run: session, valid: messages },
];

/// Longest input that is made up.
const MADE_UP_MAX: usize = 400;

impl Target {
    /// Tries inputs made up by a seed: random bytes, and valid inputs with some bytes changed.
    pub fn play(&self, seed: u64, runs: usize) {
        let random = SeededRandom::new(seed);
        let valid = (self.valid)();
        valid.iter().for_each(|input| (self.run)(input));
        for _ in 0..runs {
            let pick = number(&random, valid.len() + 1);
            let input = valid.get(pick).map_or_else(
                || random_bytes(&random, MADE_UP_MAX),
                |input| mutated(&random, input, &valid[number(&random, valid.len())]),
            );
            (self.run)(&input);
        }
    }
}

/// A number below a bound.
fn number(random: &SeededRandom, below: usize) -> usize {
    let number: [u8; 4] = random_array(random);
    u32::from_le_bytes(number) as usize % below.max(1)
}

fn random_bytes(random: &SeededRandom, below: usize) -> Vec<u8> {
    let mut bytes = vec![0; number(random, below)];
    random.fill(&mut bytes);
    bytes
}

/// An input with a few changes, perhaps ending as another one does.
fn mutated(random: &SeededRandom, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=number(random, 4) {
        let at = number(random, bytes.len());
        match number(random, 6) {
            0 => bytes.truncate(at),
            1 => bytes.extend(random_bytes(random, 40)),
            2 => {
                let end = (at + number(random, 20)).min(bytes.len());
                bytes.drain(at..end);
            }
            3 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[number(random, other.len())..]);
            }
            // Counts and lengths are most interesting at their limits.
            4 => {
                let end = (at + 1 + number(random, 4)).min(bytes.len());
                bytes[at..end].fill(0xFF);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random_array::<1>(random)[0];
                }
            }
        }
    }
    bytes
}

/// An entry.
pub fn entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
    }
}

/// Entries as they go over the wire.
pub fn batch(bytes: &[u8]) {
    let Ok(entries) = decode_batch(scene().workspace.id(), bytes) else { return };
    for entry in entries {
        assert_eq!(Entry::decode(&entry.encode()).as_ref(), Ok(&entry));
    }
}

/// The operations of an entry of the directory.
pub fn directory(bytes: &[u8]) {
    if let Ok(body) = Body::decode(bytes) {
        assert_eq!(body.encode().as_deref(), Ok(bytes));
    }
}

/// Frames of a session, one after the other.
pub fn frames(bytes: &[u8]) {
    let mut rest = bytes;
    while let Ok((frame, after)) = Frame::decode(rest) {
        let mut again = Vec::new();
        frame.encode(&mut again);
        assert_eq!(again, rest[..rest.len() - after.len()]);
        rest = after;
    }
}

/// What a session is sent: by who shakes hands and greets as a member, if the first byte is even, or
/// instead of any of that.
pub fn session(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let rest = &rest[..rest.len().min(MESSAGE_MAX / 2)];
    let scene = scene();
    let member = Member {
        replica: Arc::clone(&scene.log) as Arc<_>,
        signer: scene.workspace.device(0),
        streams: Filter::All,
        direction: Direction::Both,
        bans: Arc::default(),
    };
    let psk = || Psk::new(Zeroizing::new([3; 32]));
    let role = SessionRole::Peer { initiator: false, psk: psk(), member };
    let mut session = Session::new(role, Arc::new(SeededRandom::new(1)), 0).expect("a usable key");
    let message = if first % 2 == 0 { greeted(scene, &mut session, &psk(), rest) } else { rest.to_vec() };
    // How it ends is not looked at: that it does not panic, and does end, is.
    let mut fed = session.receive(&message, 0);
    loop {
        let turn = session.drive(fed, 0);
        if !turn.more || session.is_over() {
            break;
        }
        fed = session.poke(0);
    }
}

/// Shakes hands with a session, greets it as a member, and seals a message for it.
fn greeted(scene: &Scene, session: &mut Session, psk: &Psk, plaintext: &[u8]) -> Vec<u8> {
    let random: Arc<dyn Random> = Arc::new(SeededRandom::new(2));
    let mut handshake = Handshake::new(&Party::PeerInitiator { psk }, random).expect("a usable key");
    session.receive(&handshake.write().expect("it begins"), 0).expect("a handshake");
    handshake.read(&session.transmit().expect("an answer")).expect("a handshake");
    let (mut channel, hash) = handshake.finish().expect("finished");
    let signer = scene.workspace.device(1);
    let workspace = scene.workspace.id();
    let hello = Hello {
        initiator: true,
        workspace,
        device: signer.device(),
        signature: signer.sign(&Hello::signed(&workspace, true, &hash)),
        epoch: [9; 16],
        arrivals: 1,
        cursor: None,
        streams: Filter::All,
    };
    let mut bytes = Vec::new();
    Frame::Hello(hello).encode(&mut bytes);
    session.receive(&seal(&mut channel, &bytes), 0).expect("a member is welcome");
    seal(&mut channel, plaintext)
}

fn seal(channel: &mut Channel, plaintext: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    channel.seal(plaintext, &mut message).expect("short enough");
    message
}

/// A workspace with an owner, device 0, and a writer, device 1, and a log with entries of both.
struct Scene {
    workspace: TestWorkspace,
    log: Arc<Log>,
    entries: Vec<Entry>,
}

/// The same for all runs: making it takes longer than most of them.
fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| {
        let workspace = TestWorkspace::new(1);
        let log = workspace.founder_log(Arc::new(MemoryStorage::new()), 1);
        let writer = workspace.add_user(1, Role::Writer);
        log.commit_blocking(vec![Draft::directory(workspace.device(0), vec![writer])]).expect("commits");
        for number in 0..3 {
            let drafts =
                [0, 1].map(|device| workspace.draft(device, StreamId([number; 16]), vec![number; 40]));
            log.commit_blocking(drafts.into()).expect("commits");
        }
        let held = (1..=log.arrivals()).map(|arrival| log.entry_at(arrival).expect("reads").expect("held"));
        let entries = held.collect();
        Scene { workspace, log: Arc::new(log), entries }
    })
}

fn entries() -> Vec<Vec<u8>> {
    scene().entries.iter().map(Entry::encode).collect()
}

fn batches() -> Vec<Vec<u8>> {
    [&scene().entries[..], &scene().entries[..1]].map(batch_of).into()
}

fn batch_of(entries: &[Entry]) -> Vec<u8> {
    let mut writer = BatchWriter::new();
    for entry in entries {
        writer.push(entry, usize::MAX);
    }
    writer.finish()
}

fn bodies() -> Vec<Vec<u8>> {
    let of_directory = scene().entries.iter().filter(|entry| entry.header().kind == Kind::Directory);
    of_directory.map(|entry| entry.payload().to_vec()).collect()
}

fn some_frames() -> Vec<Vec<u8>> {
    let all = [
        Frame::Resume { arrival: 0 },
        Frame::Root(Root { root: [7; 32], arrivals: 3, seen: 0 }),
        Frame::Walk(vec![Path::ROOT]),
        Frame::Entries { arrival: 9, batch: batch_of(&scene().entries) },
        Frame::Ack(Ack { batches: 1, taken: Taken::All }),
        Frame::Signal(vec![1; 20]),
        Frame::Error(Closing::new(Code::Limit, "enough")),
        Frame::Bye,
    ];
    let encode = |frame: &Frame| {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        bytes
    };
    let each: Vec<Vec<u8>> = all.iter().map(encode).collect();
    let together = each[..4].concat();
    each.into_iter().chain([together]).collect()
}

/// Frames of a member, and of somebody who skips the handshake.
fn messages() -> Vec<Vec<u8>> {
    let of_member = some_frames().into_iter().map(|frames| [&[0][..], &frames].concat());
    of_member.chain([[&[1][..], &[5; 48]].concat()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_target_of_the_log_panics_at_made_up_bytes() {
        for target in TARGETS {
            // A session shakes hands first, which takes a while.
            let runs = if target.name == "session" { 300 } else { 3_000 };
            target.play(0x71DE, runs);
        }
    }
}
