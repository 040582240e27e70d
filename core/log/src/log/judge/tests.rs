//! What it costs to judge chains, and that the shorter way ends where the longer one does.

use std::sync::Arc;

use crate::crypto::Signer as _;
use crate::directory::{Body, Cut, Op, Role};
use crate::entry::{Entry, Header, Kind, payload_hash};
use crate::ids::{EntryId, KeyId, StreamId};
use crate::log::{CHAIN_ENDS_MAX, Log};
use crate::storage::MemoryStorage;
use crate::testing::TestWorkspace;
use crate::trie::Filter;

const STREAM: StreamId = StreamId([5; 16]);
const OWNER: u8 = 0;
const WRITER: u8 = 1;
const READER: u8 = 2;

/// A workspace with an owner, a writer and a reader, and what they sign.
struct Scene {
    workspace: TestWorkspace,
    founding: Vec<Entry>,
    head: EntryId,
    made: u32,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let workspace = TestWorkspace::new(seed);
        let log = workspace.founder_log(Arc::new(MemoryStorage::new()), 1);
        let mut founding: Vec<Entry> =
            (1..=log.arrivals()).filter_map(|arrival| log.entry_at(arrival).expect("reads")).collect();
        let mut scene = Self { head: founding[1].id(), workspace, founding: Vec::new(), made: 0 };
        let ops = [(WRITER, Role::Writer), (READER, Role::Reader)]
            .map(|(number, role)| scene.workspace.add_user(number, role));
        founding.push(scene.act(OWNER, None, &[scene.head], ops.to_vec()));
        scene.head = founding[2].id();
        scene.founding = founding;
        scene
    }

    fn sign(
        &mut self,
        author: u8,
        stream: StreamId,
        before: Option<&Entry>,
        auth: EntryId,
        payload: Vec<u8>,
    ) -> Entry {
        let signer = self.workspace.device(author);
        let directory = stream == StreamId::DIRECTORY;
        let mut header = Header {
            kind: if directory { Kind::Directory } else { Kind::Data },
            prunable: false,
            covered: false,
            payload_len: u32::try_from(payload.len()).expect("small"),
            seq: before.map_or(1, |before| before.header().seq + 1),
            workspace: self.workspace.id(),
            author: signer.device(),
            prev: before.map_or(EntryId::ZERO, Entry::id),
            auth,
            stream,
            key_id: if directory { KeyId::ZERO } else { KeyId([1; 16]) },
            payload_hash: payload_hash(&payload),
            signature: [0; 64],
        };
        header.sign(&*signer);
        Entry::new(header, payload).expect("well formed")
    }

    /// An entry of the directory.
    fn act(&mut self, author: u8, before: Option<&Entry>, parents: &[EntryId], ops: Vec<Op>) -> Entry {
        let parents = parents.to_vec();
        let auth = parents[0];
        let payload = Body { parents, ops }.encode().expect("fits");
        self.sign(author, StreamId::DIRECTORY, before, auth, payload)
    }

    /// The next entry of the writer after one.
    fn after(&mut self, before: Option<&Entry>) -> Entry {
        self.made += 1;
        let payload = self.made.to_le_bytes().to_vec();
        self.sign(WRITER, STREAM, before, self.head, payload)
    }

    /// So many entries of the writer that follow one.
    fn chain(&mut self, before: Option<&Entry>, count: usize) -> Vec<Entry> {
        let mut chain: Vec<Entry> = Vec::new();
        for _ in 0..count {
            let next = self.after(chain.last().or(before));
            chain.push(next);
        }
        chain
    }

    /// The writer becomes a reader; its chain counts up to an entry.
    fn demote(&mut self, last: &Entry) -> Entry {
        let header = last.header();
        let cut = Cut { device: header.author, stream: STREAM, seq: header.seq, id: last.id() };
        let op = Op::SetRole { user: self.workspace.user(WRITER), role: Role::Reader, cuts: vec![cut] };
        let own = self.founding[2].clone();
        self.act(OWNER, Some(&own), &[self.head], vec![op])
    }

    fn replica(&self, number: u64) -> (MemoryStorage, Log) {
        let storage = MemoryStorage::new();
        let log = self.workspace.empty_log(Arc::new(storage.clone()), number);
        log.receive_blocking(self.founding.clone()).expect("stores");
        (storage, log)
    }
}

/// How often the storage is asked for something, changes aside, to take entries in one by one.
fn reads_for(storage: &MemoryStorage, log: &Log, entries: &[Entry]) -> u64 {
    let reads = || storage.operations() - storage.changes();
    let before = reads();
    for entry in entries {
        log.receive_blocking(vec![entry.clone()]).expect("answers");
    }
    reads() - before
}

#[test]
fn what_does_not_count_costs_the_same_however_long_its_chain_is() {
    let cost = |length: usize, holds_the_cut: bool| {
        let mut scene = Scene::new(71);
        let chain = scene.chain(None, length);
        let last = chain.last().expect("some").clone();
        let cut = if holds_the_cut { last.clone() } else { scene.after(Some(&last)) };
        let demotion = scene.demote(&cut);
        let (storage, log) = scene.replica(2);
        log.receive_blocking(chain.clone()).expect("stores");
        log.receive_blocking(vec![demotion]).expect("stores");
        // Past the cut, and so past the last that is held. Where the cut is open, one fork more is held.
        let excluded = if holds_the_cut {
            scene.chain(Some(&last), 20)
        } else {
            let fork = scene.after(Some(&last));
            log.receive_blocking(vec![fork.clone()]).expect("stores");
            scene.chain(Some(&fork), 20)
        };
        let held = log.arrivals();
        let reads = reads_for(&storage, &log, &vec![excluded[0].clone(); 20]);
        assert_eq!(log.arrivals(), held, "nothing of it is stored");
        reads
    };
    for holds_the_cut in [true, false] {
        let (short, long) = (cost(10, holds_the_cut), cost(400, holds_the_cut));
        assert!(long <= short + 20, "{short} reads for a chain of 10, {long} for one of 400");
    }
}

#[test]
fn a_chain_to_an_open_cut_is_read_once_not_once_for_each_part() {
    let mut scene = Scene::new(72);
    let chain = scene.chain(None, 300);
    let demotion = scene.demote(&chain[299]);
    let (storage, log) = scene.replica(2);
    log.receive_blocking(vec![demotion]).expect("stores");
    let reads = reads_for(&storage, &log, &chain);
    assert_eq!(log.frontier().0.tips(&STREAM, &chain[0].header().author)[0].seq, 300);
    assert!(reads < 300 * 10, "{reads} reads for 300 entries");
}

#[test]
fn who_may_not_amend_a_cut_has_no_chain_judged_again() {
    let cost = |length: usize| {
        let mut scene = Scene::new(73);
        let chain = scene.chain(None, length);
        let demotion = scene.demote(&chain[length - 1]);
        let (storage, log) = scene.replica(2);
        log.receive_blocking(chain.clone()).expect("stores");
        log.receive_blocking(vec![demotion.clone()]).expect("stores");
        let header = chain[0].header();
        let cut = Cut { device: header.author, stream: STREAM, seq: 1, id: chain[0].id() };
        let mut by_reader: Vec<Entry> = Vec::new();
        for _ in 0..10 {
            let op = Op::AmendCut { cuts: vec![cut] };
            let next = scene.act(
                READER,
                by_reader.last(),
                &[by_reader.last().map_or(demotion.id(), Entry::id)],
                vec![op],
            );
            by_reader.push(next);
        }
        reads_for(&storage, &log, &by_reader)
    };
    let (short, long) = (cost(10), cost(400));
    assert!(long <= short + 20, "{short} reads where the chain has 10 entries, {long} where it has 400");
}

#[test]
fn false_branches_under_an_open_cut_are_bounded_and_the_true_one_comes_with_its_cut() {
    let mut scene = Scene::new(74);
    let first = scene.after(None);
    let honest = scene.chain(Some(&first), 3);
    let demotion = scene.demote(&honest[2]);
    let (_, log) = scene.replica(2);
    log.receive_blocking(vec![first.clone(), demotion]).expect("stores");
    let device = first.header().author;
    let mut held = 0;
    for number in 0..CHAIN_ENDS_MAX + 10 {
        let branch = scene.chain(Some(&first), 2);
        let receipt = log.receive_blocking(branch.clone()).expect("answers");
        held += receipt.stored.len();
        assert_eq!(receipt.excluded.len(), if number < CHAIN_ENDS_MAX { 0 } else { 2 }, "{number}");
    }
    assert_eq!(held, 2 * CHAIN_ENDS_MAX, "as many branches as are held in doubt, and no more");
    let parts = log.receive_blocking(honest[..2].to_vec()).expect("answers");
    assert_eq!(parts.excluded.len(), 2, "without its cut it looks like any other");
    log.receive_blocking(honest.clone()).expect("stores");
    let tips = log.frontier().0.tips(&STREAM, &device).to_vec();
    assert_eq!(tips.iter().map(|tip| tip.id).collect::<Vec<_>>(), [honest[2].id()]);
}

/// Chains with branches, cuts at any of their entries and entries in any parts: what was judged bit by
/// bit is what a replica has that judges all at once.
#[test]
fn judging_what_is_new_ends_where_judging_all_of_it_does() {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    let steps = proptest::collection::vec((any::<u16>(), any::<bool>()), 1..24);
    let input =
        (any::<u64>(), steps, any::<u16>(), any::<u16>(), (any::<bool>(), any::<bool>(), any::<bool>()));
    TestRunner::new(Config::with_cases(96))
        .run(&input, |(seed, steps, cut, at, (again, stays_open, comes_back))| {
            let mut scene = Scene::new(seed);
            let mut entries: Vec<Entry> = Vec::new();
            for (choice, extends) in steps {
                let before = match entries.len() {
                    0 => None,
                    count if extends => Some(entries[count - 1].clone()),
                    count => Some(entries[usize::from(choice) % count].clone()),
                };
                let next = scene.after(before.as_ref());
                entries.push(next);
            }
            let last = entries[usize::from(cut) % entries.len()].clone();
            let last = if stays_open { scene.after(Some(&last)) } else { last };
            let demotion = scene.demote(&last);
            let mut acts = vec![demotion.clone()];
            let mut later = Vec::new();
            if comes_back {
                let op =
                    Op::SetRole { user: scene.workspace.user(WRITER), role: Role::Writer, cuts: Vec::new() };
                acts.push(scene.act(OWNER, Some(&demotion), &[demotion.id()], vec![op]));
                scene.head = acts[1].id();
                later = scene.chain(entries.last(), 2);
            }
            let (_, bit_by_bit) = scene.replica(2);
            let mut order = entries.clone();
            order.insert(usize::from(at) % (entries.len() + 1), demotion);
            for entry in order.into_iter().chain(acts[1..].to_vec()).chain(later) {
                bit_by_bit.receive_blocking(vec![entry]).expect("answers");
            }
            if again {
                bit_by_bit.receive_blocking(entries.clone()).expect("answers");
            }
            let held = (1..=bit_by_bit.arrivals()).filter_map(|at| bit_by_bit.entry_at(at).expect("reads"));
            let (before, after): (Vec<Entry>, Vec<Entry>) =
                held.partition(|entry| scene.founding.contains(entry) || entries.contains(entry));
            // It judges whole chains: the directory says something new of their author.
            let (_, at_once) = scene.replica(3);
            at_once.receive_blocking(before).expect("answers");
            at_once.receive_blocking(after).expect("answers");
            let reasons = |log: &Log| {
                let mut excluded: Vec<_> =
                    log.excluded().expect("reads").into_iter().map(|one| (one.entry, one.reason)).collect();
                excluded.sort_unstable();
                excluded
            };
            prop_assert_eq!(reasons(&bit_by_bit), reasons(&at_once));
            let root = |log: &Log| log.frontier().0.root(&Filter::All);
            prop_assert_eq!(root(&bit_by_bit), root(&at_once));
            Ok(())
        })
        .expect("both ends are the same");
}

#[test]
fn what_is_void_in_stream_zero_costs_the_same_however_long_its_chain_is() {
    let cost = |length: usize| {
        let mut scene = Scene::new(75);
        let mut own: Vec<Entry> = Vec::new();
        for _ in 0..length {
            let parent = own.last().map_or(scene.head, Entry::id);
            let next = scene.act(WRITER, own.last(), &[parent], Vec::new());
            own.push(next);
        }
        let last = own[length - 1].clone();
        let op = Op::RemoveUser { user: scene.workspace.user(WRITER), cuts: Vec::new() };
        let owners = scene.founding[2].clone();
        let removal = scene.act(OWNER, Some(&owners), &[last.id()], vec![op]);
        let (storage, log) = scene.replica(2);
        log.receive_blocking(own).expect("stores");
        log.receive_blocking(vec![removal]).expect("stores");
        let void = scene.act(WRITER, Some(&last), &[last.id()], Vec::new());
        // The first one has the chain read; whoever repeats that gains nothing.
        reads_for(&storage, &log, std::slice::from_ref(&void));
        let held = log.arrivals();
        let reads = reads_for(&storage, &log, &vec![void; 20]);
        assert_eq!(log.arrivals(), held, "nothing of it is stored");
        reads
    };
    let (short, long) = (cost(10), cost(400));
    assert!(long <= short + 20, "{short} reads for a chain of 10, {long} for one of 400");
}
