//! Claims about what a device can open and what it writes with, over real directories.

use std::collections::BTreeMap;

use tidelog_log::crypto::Signer;
use tidelog_log::directory::{Body, DeviceCert, SEALED_KEY_LEN, user_id};
use tidelog_log::entry::{Entry, Header, Kind, payload_hash};
use tidelog_log::env::SeededRandom;
use tidelog_log::ids::StreamId;

use super::super::Secret;
use super::super::device::{DeviceKeys, RootKeys};
use super::*;

const CIRCLE: CircleId = CircleId::WORKSPACE;

/// A workspace whose directory everybody shares.
struct World {
    workspace: WorkspaceId,
    directory: Directory,
    root: RootKeys,
    name: NameKey,
    /// Per author, its number of entries and its last one.
    chains: BTreeMap<DeviceId, (u64, EntryId)>,
    random: SeededRandom,
}

impl World {
    fn new() -> Self {
        let random = SeededRandom::new(1);
        let root = RootKeys::derive(&Secret::generate(&random));
        let name = NameKey::generate(&random);
        let genesis = Op::Genesis {
            root_pk: root.device(),
            root_kem_pk: root.kem().public(),
            name_commit: name.commit(),
            policy: vec![],
        };
        let entry = entry(&root, WorkspaceId::ZERO, 1, EntryId::ZERO, &[], vec![genesis]);
        let workspace = WorkspaceId(entry.id().0);
        let mut directory = Directory::new(workspace);
        directory.insert(&entry, None).expect("genesis");
        let chains = BTreeMap::from([(root.device(), (1, entry.id()))]);
        Self { workspace, directory, root, name, chains, random }
    }

    /// A device of its own, with a keyring that has seen nothing.
    fn device(&self, seed: u8) -> Keyring {
        let keys = DeviceKeys::derive(&Secret::new([seed; 32]), &self.workspace, &[0; 16]);
        Keyring::new(self.workspace, Arc::new(keys))
    }

    /// A device that is an owner, added by the root.
    fn owner(&mut self, seed: u8) -> Keyring {
        let keyring = self.device(seed);
        let add = self.add_user(&keyring, Role::Owner);
        let parents = self.directory.heads();
        let entry = self.next(&self.root, &parents, vec![add]);
        self.take(&entry);
        keyring
    }

    fn add_user(&self, keyring: &Keyring, role: Role) -> Op {
        let device = &keyring.device;
        let user = user_id(&self.workspace, &device.device());
        let cert = DeviceCert::issue(&**device, device.kem().public(), &self.workspace, &user);
        Op::AddUser { user, role, certs: vec![cert] }
    }

    fn next(&self, author: &dyn Signer, parents: &[EntryId], ops: Vec<Op>) -> Entry {
        let (seq, last) = self.chains.get(&author.device()).copied().unwrap_or((0, EntryId::ZERO));
        entry(author, self.workspace, seq + 1, last, parents, ops)
    }

    fn take(&mut self, entry: &Entry) {
        let author = entry.header().author;
        let previous = self.chains.get(&author).map(|(_, last)| *last);
        self.directory.insert(entry, previous).expect("held");
        self.chains.insert(author, (entry.header().seq, entry.id()));
    }

    /// Writes operations under all heads.
    fn write(&mut self, keyring: &Keyring, ops: Vec<Op>) -> EntryId {
        let previous = self.chains.get(&keyring.device.device()).map(|(_, last)| *last);
        let entry = self.next(&*keyring.device, &self.directory.parents_for(previous), ops);
        self.take(&entry);
        entry.id()
    }

    fn first_epoch(&mut self, keyring: &mut Keyring) -> KeyId {
        let op = Keyring::first_epoch(&self.name, &self.directory, &self.random).expect("makes");
        self.begin(keyring, op)
    }

    fn epoch(&mut self, keyring: &mut Keyring) -> KeyId {
        let op = keyring.next_epoch(CIRCLE, &self.directory, &self.random).expect("makes");
        self.begin(keyring, op)
    }

    fn begin(&mut self, keyring: &mut Keyring, op: Op) -> KeyId {
        let key_id = key_id(&op);
        self.write(keyring, vec![op]);
        keyring.learn(&self.directory);
        key_id
    }

    fn writes_with(&self, keyring: &Keyring) -> Option<KeyId> {
        let key_id = keyring.writer_key(&CIRCLE, &self.directory).map(|key| key.id());
        assert_eq!(key_id, keyring.choose(&CIRCLE, &self.directory), "what was chosen before still holds");
        key_id
    }
}

fn entry(
    author: &dyn Signer,
    workspace: WorkspaceId,
    seq: u64,
    prev: EntryId,
    parents: &[EntryId],
    ops: Vec<Op>,
) -> Entry {
    let payload = Body { parents: parents.to_vec(), ops }.encode().expect("within the limits");
    let mut header = Header {
        kind: Kind::Directory,
        prunable: false,
        covered: false,
        payload_len: u32::try_from(payload.len()).expect("small"),
        seq,
        workspace,
        author: author.device(),
        prev,
        auth: parents.first().copied().unwrap_or(EntryId::ZERO),
        stream: StreamId::DIRECTORY,
        key_id: KeyId::ZERO,
        payload_hash: payload_hash(&payload),
        signature: [0; 64],
    };
    header.sign(author);
    Entry::new(header, payload).expect("well formed")
}

fn recipient(keyring: &Keyring) -> Recipient {
    Recipient { device: keyring.device.device(), kem: keyring.device.kem().public() }
}

fn key_id(op: &Op) -> KeyId {
    match op {
        Op::KeyEpoch { key_id, .. } => *key_id,
        other => panic!("not an epoch: {other:?}"),
    }
}

#[test]
fn the_first_epoch_opens_for_its_maker_and_for_the_root() {
    let mut world = World::new();
    let mut alice = world.owner(1);
    assert_eq!(world.writes_with(&alice), None);
    let key_id = world.first_epoch(&mut alice);
    assert_eq!(world.writes_with(&alice), Some(key_id));

    let epochs = world.directory.epochs(&CIRCLE);
    let wrap = world.directory.wraps(&key_id, &world.root.device())[0];
    let opened = epoch::unwrap(&alice.label(epochs[0]), world.root.kem(), wrap);
    assert_eq!(opened.map(|key| key.id()), Ok(key_id));
}

#[test]
fn a_device_that_was_granted_the_newest_key_reads_the_past_and_names_databases() {
    let mut world = World::new();
    let mut alice = world.owner(1);
    let first = world.first_epoch(&mut alice);
    let second = world.epoch(&mut alice);

    let mut bob = world.device(2);
    let mut ops = vec![world.add_user(&bob, Role::Writer)];
    ops.extend(alice.grants(CIRCLE, &world.directory, &[recipient(&bob)], &world.random).expect("grants"));
    assert_eq!(ops.len(), 2, "one grant: the first key follows from the second");
    world.write(&alice, ops);

    assert_eq!(bob.learn(&world.directory), Learned { new_keys: true, mismatched: vec![] });
    assert!(bob.get(&first).is_some() && bob.get(&second).is_some());
    assert_eq!(world.writes_with(&bob), Some(second));
    assert_eq!(world.writes_with(&alice), Some(second));
    let stream = |keyring: &Keyring| keyring.name_key(&CIRCLE).map(|name| name.stream_id("main"));
    assert_eq!(stream(&bob), Some(world.name.stream_id("main")));
    assert_eq!(bob.learn(&world.directory), Learned::default());
}

#[test]
fn a_stranger_learns_nothing() {
    let mut world = World::new();
    let mut alice = world.owner(1);
    let key_id = world.first_epoch(&mut alice);
    let mut eve = world.device(9);
    assert_eq!(eve.learn(&world.directory), Learned::default());
    assert!(eve.get(&key_id).is_none() && eve.name_key(&CIRCLE).is_none());
    let refused = eve.next_epoch(CIRCLE, &world.directory, &world.random);
    assert_eq!(refused, Err(KeyringError::NoKey));
    assert_eq!(eve.grants(CIRCLE, &world.directory, &[], &world.random), Err(KeyringError::NoKey));
}

#[test]
fn nobody_writes_under_a_key_that_a_device_lacks() {
    let mut world = World::new();
    let mut alice = world.owner(1);
    world.first_epoch(&mut alice);
    let bob = world.device(2);
    let add = world.add_user(&bob, Role::Reader);
    world.write(&alice, vec![add]);
    assert_eq!(world.writes_with(&alice), None);

    let second = world.epoch(&mut alice);
    assert_eq!(world.writes_with(&alice), Some(second));
}

#[test]
fn an_epoch_wrapped_to_its_author_alone_is_not_used_and_stops_nobody() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.owner(1), world.owner(2));
    let first = world.first_epoch(&mut alice);
    bob.learn(&world.directory);

    let mut selfish = alice.next_epoch(CIRCLE, &world.directory, &world.random).expect("makes");
    if let Op::KeyEpoch { wraps, .. } = &mut selfish {
        wraps.retain(|wrap| wrap.device == alice.device.device());
    }
    let hidden = key_id(&selfish);
    world.write(&alice, vec![selfish]);
    alice.learn(&world.directory);
    bob.learn(&world.directory);
    assert_eq!((world.writes_with(&alice), world.writes_with(&bob)), (Some(first), Some(first)));

    let third = world.epoch(&mut bob);
    alice.learn(&world.directory);
    assert_eq!((world.writes_with(&alice), world.writes_with(&bob)), (Some(third), Some(third)));
    assert!(alice.get(&hidden).is_some() && bob.get(&hidden).is_none());
}

#[test]
fn a_different_key_than_the_committed_one_is_not_taken_and_its_entry_is_reported() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.owner(1), world.owner(2));
    world.first_epoch(&mut alice);
    bob.learn(&world.directory);

    let mut forked = alice.next_epoch(CIRCLE, &world.directory, &world.random).expect("makes");
    let hidden = key_id(&forked);
    if let Op::KeyEpoch { epoch, commit, wraps, .. } = &mut forked {
        let label = EpochLabel { workspace: world.workspace, circle: CIRCLE, epoch: *epoch, commit: *commit };
        let other = EpochKey::generate(&world.random);
        let to = recipient(&bob);
        let swapped = epoch::wrap(&other, &label, &to.device, &to.kem, &world.random).expect("wraps");
        *wraps.iter_mut().find(|wrap| wrap.device == to.device).expect("bob's") = swapped;
    }
    let entry = world.write(&alice, vec![forked]);
    assert_eq!(bob.learn(&world.directory), Learned { new_keys: false, mismatched: vec![entry] });
    assert!(bob.get(&hidden).is_none());
}

#[test]
fn of_concurrent_epochs_the_smallest_key_id_is_written_with_and_both_are_read() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.owner(1), world.owner(2));
    world.first_epoch(&mut alice);
    bob.learn(&world.directory);

    let heads = world.directory.heads();
    let make = |keyring: &Keyring| {
        let op = keyring.next_epoch(CIRCLE, &world.directory, &world.random).expect("makes");
        let id = key_id(&op);
        (id, world.next(&*keyring.device, &heads, vec![op]))
    };
    let ((a, of_alice), (b, of_bob)) = (make(&alice), make(&bob));
    world.take(&of_alice);
    world.take(&of_bob);
    for keyring in [&mut alice, &mut bob] {
        keyring.learn(&world.directory);
        assert!(keyring.get(&a).is_some() && keyring.get(&b).is_some());
        assert_eq!(world.writes_with(keyring), Some(a.min(b)));
    }

    let merged = world.epoch(&mut alice);
    bob.learn(&world.directory);
    assert_eq!(world.writes_with(&bob), Some(merged));
    // Who joins now reads both branches through the merging epoch.
    let mut carol = world.device(3);
    let mut ops = vec![world.add_user(&carol, Role::Writer)];
    ops.extend(alice.grants(CIRCLE, &world.directory, &[recipient(&carol)], &world.random).expect("grants"));
    world.write(&alice, ops);
    carol.learn(&world.directory);
    assert!(carol.get(&a).is_some() && carol.get(&b).is_some());
}

#[test]
fn an_old_key_published_again_under_a_new_number_is_not_written_with() {
    let mut world = World::new();
    let (mut alice, mut mallory) = (world.owner(1), world.owner(2));
    let mut early = world.directory.clone();
    let first = world.first_epoch(&mut alice);
    let old = world.directory.epochs(&CIRCLE)[0].clone();
    mallory.learn(&world.directory);

    // Mallory acts beside Alice's entry: two epochs of her own, then Alice's key as the third.
    let mut latest = first;
    for number in 1..=3 {
        let mut op = mallory.next_epoch(CIRCLE, &early, &world.random).expect("makes");
        if let (3, Op::KeyEpoch { key_id, commit, wraps, .. }) = (number, &mut op) {
            (*key_id, *commit, *wraps) = (old.key_id, old.commit, old.wraps.clone());
        } else {
            latest = key_id(&op);
        }
        let previous = world.chains.get(&mallory.device.device()).map(|(_, last)| *last);
        let entry = world.next(&*mallory.device, &early.parents_for(previous), vec![op]);
        early.insert(&entry, previous).expect("held");
        world.take(&entry);
    }
    let newest = world.directory.epochs(&CIRCLE).last().map(|epoch| (epoch.epoch, epoch.key_id));
    assert_eq!(newest, Some((3, first)));
    alice.learn(&world.directory);
    assert_eq!(world.writes_with(&alice), Some(latest));
}

#[test]
fn an_epoch_that_shuts_newcomers_out_is_not_written_with_is_reported_and_shuts_nobody_out() {
    let mut world = World::new();
    let (mut alice, mut bob) = (world.owner(1), world.owner(2));
    let first = world.first_epoch(&mut alice);
    bob.learn(&world.directory);

    let mut closed = bob.next_epoch(CIRCLE, &world.directory, &world.random).expect("makes");
    if let Op::KeyEpoch { name_wrap, prev, .. } = &mut closed {
        *name_wrap = [1; SEALED_KEY_LEN];
        prev.iter_mut().for_each(|(_, sealed)| *sealed = [2; SEALED_KEY_LEN]);
    }
    let second = key_id(&closed);
    let entry = world.write(&bob, vec![closed]);
    assert_eq!(alice.learn(&world.directory), Learned { new_keys: true, mismatched: vec![entry] });
    assert_eq!(alice.learn(&world.directory), Learned::default(), "told once");
    assert_eq!(alice.mismatched(), [(entry, bob.device())]);
    assert_eq!(world.writes_with(&alice), Some(first));

    // Who comes while it is the newest one, and who comes after the next one of somebody honest.
    for (seed, next) in [(3, false), (4, true)] {
        if next {
            world.epoch(&mut alice);
        }
        let mut newcomer = world.device(seed);
        let mut ops = vec![world.add_user(&newcomer, Role::Writer)];
        let to = [recipient(&newcomer)];
        ops.extend(alice.grants(CIRCLE, &world.directory, &to, &world.random).expect("grants"));
        assert_eq!(ops.len(), 3, "the key at the front, and the one behind the break");
        world.write(&alice, ops);
        newcomer.learn(&world.directory);
        assert!(newcomer.get(&first).is_some() && newcomer.get(&second).is_some());
        let stream = newcomer.name_key(&CIRCLE).map(|name| name.stream_id("main"));
        assert_eq!(stream, Some(world.name.stream_id("main")));
        alice.learn(&world.directory);
        assert_eq!(world.writes_with(&newcomer), world.writes_with(&alice));
    }
}
