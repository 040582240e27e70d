//! A deterministic simulation: several devices and a relay over disks in memory, with everything
//! going wrong that can go wrong between them. Whatever happened, once connections hold again all
//! replicas must come to hold the same entries.
//!
//! Each seed is one run. `TIDELOG_SEEDS=n` runs the seeds below n (500 if it is not set), and
//! `TIDELOG_SEED=s` only one. No sockets, no threads of the log, no clock.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tidelog_log::crypto::noise::{Psk, RelaySecret};
use tidelog_log::directory::Role as MemberRole;
use tidelog_log::env::{Random, SeededRandom, random_array};
use tidelog_log::frames::{BoxId, Closing, Code, MailError};
use tidelog_log::ids::{DeviceId, EntryId, StreamId, WorkspaceId};
use tidelog_log::log::{Draft, Log, LogError};
use tidelog_log::session::{Host, Letter, Member, Replica, Role, Session, SessionError, SessionEvent};
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::TestWorkspace;
use tidelog_log::trie::Filter;
use zeroize::Zeroizing;

/// Seeds of a run in the test suite.
const SEEDS: u64 = 500;
/// Things that happen in one run.
const STEPS: usize = 220;
/// Meetings with the relay within which all must be equal at the end.
const FINAL_ROUNDS: usize = 6;
const STREAMS: u8 = 3;

/// A repeatable source of choices.
struct Dice(Arc<SeededRandom>);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        let bytes = random_array::<8>(&*self.0);
        usize::try_from(u64::from_le_bytes(bytes) % bound as u64).expect("below a usize")
    }

    fn chance(&self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A device or the relay, with its disk.
struct Node {
    storage: MemoryStorage,
    log: Option<Arc<Log>>,
    offline: bool,
    restarts: u64,
}

/// The relay as far as a session needs it: one workspace, no letters.
struct OneWorkspace(Arc<Log>);

impl Host for OneWorkspace {
    fn open(&self, workspace: &WorkspaceId, _device: &DeviceId) -> Result<Arc<dyn Replica>, Closing> {
        assert_eq!(*workspace, self.0.workspace());
        Ok(self.0.clone())
    }

    fn mail_open(
        &self,
        _workspace: &WorkspaceId,
        _mailbox: BoxId,
        _token_hash: [u8; 32],
        _expires_ms: u64,
    ) -> Result<Vec<Letter>, MailError> {
        Err(MailError::Unavailable)
    }

    fn mail_put(&self, _mailbox: BoxId, _token: &[u8; 32], _message: Vec<u8>) -> Result<u32, MailError> {
        Err(MailError::Unavailable)
    }

    fn mail_get(&self, _mailbox: BoxId, _token: &[u8; 32], _after: u32) -> Result<Vec<Letter>, MailError> {
        Err(MailError::Unavailable)
    }
}

/// One end of a connection, and the messages on their way to it.
struct End {
    node: usize,
    session: Session,
    inbox: VecDeque<Vec<u8>>,
    /// Up to which own arrival the other side was found to hold everything, as it said.
    checked: u64,
}

struct Connection {
    ends: [End; 2],
    /// Whether somebody in between changed something: then it may end in any error.
    tampered: bool,
}

struct World {
    seed: u64,
    dice: Dice,
    workspace: TestWorkspace,
    nodes: Vec<Node>,
    connections: Vec<Connection>,
    /// How many devices the directory has.
    members: u8,
    /// Entries whose writer was told that they are durable, by device.
    promised: BTreeMap<usize, Vec<EntryId>>,
    now_ms: u64,
    sessions: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let dice = Dice(Arc::new(SeededRandom::new(seed)));
        let workspace = TestWorkspace::new(seed);
        let devices = 3 + dice.below(4);
        let mut nodes = Vec::new();
        for number in 0..=devices {
            let storage = MemoryStorage::new();
            let log = if number == 0 {
                workspace.founder_log(Arc::new(storage.clone()), 0)
            } else {
                workspace.empty_log(Arc::new(storage.clone()), number as u64)
            };
            nodes.push(Node { storage, log: Some(Arc::new(log)), offline: false, restarts: 0 });
        }
        Self {
            seed,
            dice,
            workspace,
            nodes,
            connections: Vec::new(),
            members: 1,
            promised: BTreeMap::new(),
            now_ms: 0,
            sessions: 0,
        }
    }

    /// The relay is the last node.
    fn relay(&self) -> usize {
        self.nodes.len() - 1
    }

    fn log(&self, node: usize) -> Arc<Log> {
        self.nodes[node].log.clone().expect("a node is down only while it restarts")
    }

    fn root(&self, node: usize) -> [u8; 32] {
        self.log(node).frontier().0.root(&Filter::All)
    }

    fn step(&mut self) {
        self.now_ms += 10;
        match self.dice.below(100) {
            0..=11 => self.write(),
            12..=14 => self.add_member(),
            15..=27 => self.meet_someone(),
            28..=79 => self.deliver_something(),
            80..=87 => self.poke_something(),
            88..=90 => self.cut_something(),
            91..=93 => self.tamper_with_something(),
            94..=96 => self.toggle_offline(),
            97..=98 => self.restart(),
            _ => self.restore_from_backup(),
        }
    }

    fn write(&mut self) {
        let device = self.dice.below(self.relay());
        let number = u8::try_from(device).expect("few devices");
        let drafts = (0..=self.dice.below(4)).map(|_| {
            let stream = 1 + u8::try_from(self.dice.below(usize::from(STREAMS))).expect("few streams");
            let payload = vec![number; 20 + self.dice.below(300)];
            self.workspace.draft(number, StreamId([stream; 16]), payload)
        });
        let drafts = drafts.collect();
        match self.log(device).commit_blocking(drafts) {
            Ok(committed) => {
                let ids = committed.into_iter().map(|entry| entry.id);
                self.promised.entry(device).or_default().extend(ids);
            }
            Err(LogError::NotAuthorized(_)) => {}
            Err(error) => panic!("seed {}: write on {device}: {error}", self.seed),
        }
    }

    /// The founder adds the next device.
    fn add_member(&mut self) {
        if usize::from(self.members) < self.relay() {
            let op = self.workspace.add_user(self.members, MemberRole::Writer);
            let founder = self.workspace.device(0);
            self.log(0).commit_blocking(vec![Draft::directory(founder, vec![op])]).expect("owner");
            self.members += 1;
        }
    }

    fn meet_someone(&mut self) {
        let one = self.dice.below(self.relay());
        let other = if self.dice.chance(70) { self.relay() } else { self.dice.below(self.relay()) };
        let connected = self.connections.iter().any(|connection| {
            let [a, b] = connection.ends.each_ref().map(|end| end.node);
            (a, b) == (one, other)
        });
        if one != other && !connected && !self.nodes[one].offline && !self.nodes[other].offline {
            self.connect(one, other);
        }
    }

    fn connect(&mut self, one: usize, other: usize) {
        let relay = self.relay();
        let secret = RelaySecret::from_bytes([7; 32]);
        let member = |node: usize| Member {
            replica: self.log(node),
            signer: self.workspace.device(u8::try_from(node).expect("few devices")),
            streams: Filter::All,
        };
        let psk = || Psk::new(Zeroizing::new([8; 32]));
        let roles = if other == relay {
            let client = Role::Client { relay: secret.public(), member: Some(member(one)) };
            let host = Arc::new(OneWorkspace(self.log(relay)));
            [client, Role::Relay { secret: Arc::new(secret), host }]
        } else {
            [
                Role::Peer { initiator: true, psk: psk(), member: member(one) },
                Role::Peer { initiator: false, psk: psk(), member: member(other) },
            ]
        };
        self.sessions += 2;
        let mut random = [0, 1].map(|end| {
            let seed = self.seed.wrapping_mul(100_003).wrapping_add(self.sessions + end);
            Some(Arc::new(SeededRandom::new(seed)) as Arc<dyn Random>)
        });
        let mut nodes = [one, other].into_iter();
        let mut index = 0;
        let ends = roles.map(|role| {
            let random = random[index].take().expect("one for each end");
            index += 1;
            End {
                node: nodes.next().expect("two ends"),
                session: Session::new(role, random, self.now_ms).expect("good keys"),
                inbox: VecDeque::new(),
                checked: 0,
            }
        });
        let mut connection = Connection { ends, tampered: false };
        connection.collect();
        self.connections.push(connection);
    }

    fn deliver_something(&mut self) {
        if self.connections.is_empty() {
            return;
        }
        for _ in 0..3 {
            let index = self.dice.below(self.connections.len());
            self.deliver(index, self.dice.below(2));
            if self.connections.is_empty() {
                return;
            }
        }
    }

    /// Hands over the next message to one end. Returns whether there was one.
    fn deliver(&mut self, index: usize, end: usize) -> bool {
        let Some(message) = self.connections[index].ends[end].inbox.pop_front() else { return false };
        let result = self.connections[index].ends[end].session.receive(&message, self.now_ms);
        self.after(index, result);
        true
    }

    fn poke_something(&mut self) {
        if !self.connections.is_empty() {
            let index = self.dice.below(self.connections.len());
            self.poke(index, self.dice.below(2));
        }
    }

    fn poke(&mut self, index: usize, end: usize) {
        let result = self.connections[index].ends[end].session.poke(self.now_ms);
        self.after(index, result);
    }

    /// Moves messages on, and looks whether the session is over, and rightly.
    fn after(&mut self, index: usize, result: Result<(), SessionError>) {
        self.check_promises(index);
        let connection = &mut self.connections[index];
        connection.collect();
        if let Err(error) = result {
            let code = match &error {
                SessionError::Closed(closing) | SessionError::ClosedByPeer(closing) => Some(closing.code),
                _ => None,
            };
            let expected = connection.tampered
                || matches!(code, Some(Code::NotAdmitted | Code::Timeout))
                || matches!(error, SessionError::Over);
            assert!(expected, "seed {}: {:?}", self.seed, error);
            self.connections.remove(index);
        }
    }

    /// What a peer acknowledges, it must hold.
    fn check_promises(&mut self, index: usize) {
        for end in [0, 1] {
            let connection = &mut self.connections[index];
            let peer = connection.ends[1 - end].node;
            let own = connection.ends[end].node;
            let mut held = 0;
            while let Some(event) = connection.ends[end].session.event() {
                if let SessionEvent::Acked(arrival) = event {
                    held = held.max(arrival);
                }
            }
            let checked = connection.ends[end].checked;
            let (own, peer) = (self.log(own), self.log(peer));
            for arrival in checked + 1..=held {
                let entry = own.entry_at(arrival).expect("reads").expect("held");
                let there = peer.position(&entry.id()).expect("reads");
                assert!(there.is_some(), "seed {}: acknowledged and not held", self.seed);
            }
            self.connections[index].ends[end].checked = checked.max(held);
        }
    }

    fn cut_something(&mut self) {
        if !self.connections.is_empty() {
            let index = self.dice.below(self.connections.len());
            self.connections.remove(index);
        }
    }

    /// Garbage, a flipped bit, a repetition or a loss in the middle of a connection.
    fn tamper_with_something(&mut self) {
        if self.connections.is_empty() {
            return;
        }
        let index = self.dice.below(self.connections.len());
        let connection = &mut self.connections[index];
        let inbox = &mut connection.ends[self.dice.below(2)].inbox;
        connection.tampered = true;
        match self.dice.below(5) {
            0 => {
                let mut garbage = vec![0; self.dice.below(200)];
                self.dice.0.fill(&mut garbage);
                inbox.push_back(garbage);
            }
            1 => {
                if let Some(message) = inbox.front_mut().filter(|message| !message.is_empty()) {
                    let at = self.dice.below(message.len());
                    message[at] ^= 1 << self.dice.below(8);
                }
            }
            2 => {
                if let Some(message) = inbox.front().cloned() {
                    inbox.push_front(message);
                }
            }
            3 => inbox.make_contiguous().reverse(),
            _ => drop(inbox.pop_front()),
        }
    }

    fn toggle_offline(&mut self) {
        let node = self.dice.below(self.nodes.len());
        let node_state = &mut self.nodes[node];
        node_state.offline = !node_state.offline;
        if node_state.offline {
            self.disconnect(node);
        }
    }

    fn disconnect(&mut self, node: usize) {
        self.connections.retain(|connection| connection.ends.iter().all(|end| end.node != node));
    }

    /// The node stops, cleanly or by power loss, and comes back from its disk.
    fn restart(&mut self) {
        let node = self.dice.below(self.nodes.len());
        self.disconnect(node);
        let log = self.nodes[node].log.take().expect("up");
        let storage = if self.dice.chance(60) {
            self.nodes[node].storage.crash_image(self.dice.below(1_000) as u64)
        } else {
            log.shutdown();
            self.nodes[node].storage.clone()
        };
        drop(log);
        self.come_back(node, storage);
        let log = self.log(node);
        for id in self.promised.get(&node).into_iter().flatten() {
            assert!(log.position(id).expect("reads").is_some(), "seed {}: lost in a restart", self.seed);
        }
    }

    fn come_back(&mut self, node: usize, storage: MemoryStorage) {
        self.nodes[node].restarts += 1;
        let replica = node as u64 + 1_000 * self.nodes[node].restarts;
        let options = self.workspace.options(Arc::new(storage.clone()), replica);
        let log = Log::open(options).expect("a disk after a crash opens");
        self.nodes[node].storage = storage;
        self.nodes[node].log = Some(Arc::new(log));
    }

    /// A device goes on, for a while unnoticed, from a copy of its disk: its chains fork. What it
    /// alone held is lost.
    fn restore_from_backup(&mut self) {
        let node = 1 + self.dice.below(self.relay() - 1);
        let backup = self.nodes[node].storage.crash_image(0);
        for _ in 0..3 {
            self.write();
        }
        self.disconnect(node);
        drop(self.nodes[node].log.take());
        self.promised.remove(&node);
        self.come_back(node, backup);
    }

    /// Everybody is there, nobody interferes: all must become equal.
    fn converge(&mut self) {
        self.connections.clear();
        for node in &mut self.nodes {
            node.offline = false;
        }
        while usize::from(self.members) < self.relay() {
            self.add_member();
        }
        for _ in 0..FINAL_ROUNDS {
            for device in 0..self.relay() {
                self.connect(device, self.relay());
                self.settle();
                self.connections.clear();
            }
            if (0..self.nodes.len()).all(|node| self.root(node) == self.root(0)) {
                break;
            }
        }
        for node in 1..self.nodes.len() {
            assert_eq!(self.root(node), self.root(0), "seed {}: node {node} differs", self.seed);
            assert_eq!(self.log(node).arrivals(), self.log(0).arrivals(), "seed {}", self.seed);
        }
        for id in self.promised.values().flatten() {
            let held = self.log(0).position(id).expect("reads");
            assert!(held.is_some(), "seed {}: an acknowledged write is lost", self.seed);
        }
    }

    /// Everything on its way arrives.
    fn settle(&mut self) {
        while let Some(connection) = self.connections.first() {
            let Some(end) = (0..2).find(|end| !connection.ends[*end].inbox.is_empty()) else { break };
            self.deliver(0, end);
        }
        if let Some(connection) = self.connections.first() {
            let synced = connection.ends.iter().all(|end| end.session.is_synced());
            assert!(synced, "seed {}: silence before both sides are equal", self.seed);
        }
    }
}

impl Connection {
    /// Puts what the ends have to say on its way.
    fn collect(&mut self) {
        for end in [0, 1] {
            while let Some(message) = self.ends[end].session.transmit() {
                self.ends[1 - end].inbox.push_back(message);
            }
        }
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.converge();
}

#[test]
fn replicas_converge_whatever_happens_between_them() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("TIDELOG_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("TIDELOG_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        run(seed);
    }
}
