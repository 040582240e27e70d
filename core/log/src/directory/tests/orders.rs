//! Random histories: several users and devices, operations with and without authority, forks of
//! the graph, certificates replayed under old parents.

use super::super::*;
use super::model::{Addition, Model};
use super::support::{Author, Fixture, key_epoch, wrap};
use proptest::collection::vec;
use proptest::prelude::*;

const USERS: usize = 4;
const DEVICES: usize = USERS * 2;
const CIRCLE: CircleId = CircleId::WORKSPACE;

#[derive(Debug, Clone)]
enum Act {
    AddUser { user: usize, role: Role, both: bool },
    AddDevice { user: usize, device: usize },
    KeyEpoch { recipients: usize, skip: bool },
    KeyGrant { which: prop::sample::Index, device: usize },
    Relay { set: bool },
    Merge,
}

/// One entry: its author (the root, or a device that someone certified), the parents it picks, and
/// its operations.
#[derive(Debug, Clone)]
struct Step {
    author: prop::sample::Index,
    parents: Vec<prop::sample::Index>,
    heads: bool,
    acts: Vec<Act>,
}

fn acts() -> impl Strategy<Value = Act> {
    let role = prop::sample::select(&Role::ALL[..]);
    prop_oneof![
        5 => (0..USERS, role, any::<bool>()).prop_map(|(user, role, both)| Act::AddUser { user, role, both }),
        3 => (0..USERS, 0..DEVICES).prop_map(|(user, device)| Act::AddDevice { user, device }),
        2 => (0..=DEVICES, prop::bool::weighted(0.2)).prop_map(|(recipients, skip)| Act::KeyEpoch { recipients, skip }),
        1 => (any::<prop::sample::Index>(), 0..DEVICES).prop_map(|(which, device)| Act::KeyGrant { which, device }),
        1 => any::<bool>().prop_map(|set| Act::Relay { set }),
        1 => Just(Act::Merge),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (
        any::<prop::sample::Index>(),
        vec(any::<prop::sample::Index>(), 1..4),
        any::<bool>(),
        vec(acts(), 1..3),
    )
        .prop_map(|(author, parents, heads, acts)| Step { author, parents, heads, acts });
    vec(step, 1..32)
}

/// A history written into a directory and into the model.
struct History {
    fixture: Fixture,
    devices: Vec<DeviceId>,
    model: Model,
}

/// Device `n` of user `n`, and device `n + USERS` too unless `equivocate` lets it take any user.
fn replay(steps: &[Step], equivocate: bool) -> History {
    let mut fixture = Fixture::new();
    let mut authors: Vec<_> =
        (1..=DEVICES).map(|number| Author::new(u32::try_from(number).expect("small"))).collect();
    let devices: Vec<_> = authors.iter().map(Author::id).collect();
    let users: Vec<_> = authors[..USERS].iter().map(|first| fixture.user(first)).collect();
    let root = fixture.root.id();
    let mut model = Model { root: Some(root), ..Model::default() };
    model.add_entry(root, &[]);
    let first = fixture.add_user(Role::Owner, &[&authors[0]]);
    fixture.root_writes(vec![first]);
    model.add_entry(root, &[0]);
    model.additions.push(Addition {
        node: 1,
        user: users[0],
        role: Some(Role::Owner),
        devices: vec![devices[0]],
    });

    for (number, step) in steps.iter().enumerate() {
        let certified: Vec<_> = (0..DEVICES)
            .filter(|&device| model.certifies(&devices[device], u64::MAX))
            .chain([DEVICES])
            .collect();
        let chosen = *step.author.get(&certified);
        let is_root = chosen == DEVICES;
        let slot = if is_root { &mut fixture.root } else { &mut authors[chosen] };
        let mut author = std::mem::replace(slot, Author::new(0));
        let ids: Vec<_> = fixture.entries.iter().map(|(entry, _)| entry.id()).collect();
        let mut parents: Vec<EntryId> = if step.heads {
            fixture.directory.parents_for(author.last)
        } else {
            step.parents.iter().map(|index| *index.get(&ids)).collect()
        };
        parents.extend(author.last);
        let mut distinct = Vec::new();
        parents.iter().for_each(|parent| {
            if !distinct.contains(parent) {
                distinct.push(*parent)
            }
        });
        let indexes: Vec<_> =
            distinct.iter().map(|parent| ids.iter().position(|id| id == parent).expect("held")).collect();
        let past = indexes.iter().fold(0, |past, &parent| past | model.upto(parent));
        let known = is_root || model.certifies(&author.id(), past);
        if known {
            let node = model.pasts.len();
            let mut ops = Vec::new();
            for act in &step.acts {
                let op = match act {
                    Act::AddUser { user, role, both } => {
                        let count = if *both { 2 } else { 1 };
                        let named = [*user, *user + USERS];
                        let devices: Vec<_> = named[..count].iter().map(|&device| devices[device]).collect();
                        model.additions.push(Addition {
                            node,
                            user: users[*user],
                            role: Some(*role),
                            devices,
                        });
                        let cert = |device: usize| {
                            if device == chosen {
                                author.cert(&fixture.workspace, &users[*user])
                            } else {
                                authors[device].cert(&fixture.workspace, &users[*user])
                            }
                        };
                        let certs = named[..count].iter().map(|&device| cert(device)).collect();
                        Op::AddUser { user: users[*user], role: *role, certs }
                    }
                    Act::AddDevice { user, device } => {
                        let user = if equivocate { users[*user] } else { users[*device % USERS] };
                        model.additions.push(Addition {
                            node,
                            user,
                            role: None,
                            devices: vec![devices[*device]],
                        });
                        let device = if *device == chosen { &author } else { &authors[*device] };
                        Op::AddDevice { user, cert: device.cert(&fixture.workspace, &user) }
                    }
                    Act::KeyEpoch { recipients, skip } => {
                        let mut view = Directory::new(fixture.workspace);
                        for (index, (entry, previous)) in fixture.entries.iter().enumerate() {
                            if past >> index & 1 == 1 {
                                view.insert(entry, *previous).expect("a past holds pasts");
                            }
                        }
                        let mut next = view.next_epoch(&CIRCLE).expect("numbers left");
                        if *skip && next.prev.pop().is_none() {
                            next.epoch += 1;
                        }
                        key_epoch(u32::try_from(number).expect("small"), &next, &devices[..*recipients])
                    }
                    Act::KeyGrant { which, device } => {
                        let epochs = fixture.directory.epochs(&CIRCLE);
                        let key_id = if epochs.is_empty() { KeyId::ZERO } else { which.get(&epochs).key_id };
                        Op::KeyGrant { circle: CIRCLE, key_id, wraps: vec![wrap(&devices[*device])] }
                    }
                    Act::Relay { set: true } => {
                        Op::RelaySet { relay_pk: [9; 32], url: format!("wss://relay/{number}") }
                    }
                    Act::Relay { set: false } => Op::RelayUnset { relay_pk: [9; 32] },
                    Act::Merge => continue,
                };
                ops.push(op);
            }
            fixture.write_under(&mut author, distinct, ops);
            model.add_entry(author.id(), &indexes);
        }
        *(if is_root { &mut fixture.root } else { &mut authors[chosen] }) = author;
    }
    History { fixture, devices, model }
}

/// Everything that a directory can be asked.
fn state(directory: &Directory, history: &History) -> impl PartialEq + std::fmt::Debug + use<> {
    let entries: Vec<_> = history.fixture.entries.iter().map(|(entry, _)| entry.id()).collect();
    let roles: Vec<_> = history
        .devices
        .iter()
        .map(|device| entries.iter().map(|at| directory.role_at(device, at)).collect::<Vec<_>>())
        .collect();
    let epochs: Vec<_> = directory.epochs(&CIRCLE).into_iter().cloned().collect();
    let wraps: Vec<_> = epochs
        .iter()
        .flat_map(|epoch| history.devices.iter().map(|device| (epoch.key_id, *device)))
        .map(|(key_id, device)| directory.wraps(&key_id, &device).into_iter().cloned().collect::<Vec<_>>())
        .collect();
    let devices: Vec<_> =
        history.devices.iter().map(|id| (directory.device(id), directory.public_key(id))).collect();
    let pasts: Vec<_> =
        entries.iter().flat_map(|one| entries.iter().map(|other| directory.in_past(one, other))).collect();
    (
        directory.heads(),
        directory.users(),
        roles,
        epochs,
        wraps,
        devices,
        directory.relays(),
        pasts,
        directory.next_epoch(&CIRCLE),
    )
}

/// Inserts all entries in an order that respects what each builds on, chosen by a seed.
fn shuffled(history: &History, seed: u64) -> Directory {
    let mut directory = Directory::new(history.fixture.workspace);
    let mut open: Vec<_> = history.fixture.entries.iter().collect();
    open.sort_by_key(|(entry, _)| crate::crypto::sha256(&[&seed.to_le_bytes(), &entry.id().0]));
    while !open.is_empty() {
        open.retain(|(entry, previous)| match directory.insert(entry, *previous) {
            Ok(()) => false,
            Err(DirectoryError::Missing(_)) => true,
            Err(error) => panic!("{error}"),
        });
    }
    directory
}

/// The additions of a history once more, without the entries that are not to be kept: where one was
/// a parent, its parents are.
fn without(history: &History, keep: impl Fn(usize) -> bool) -> Directory {
    let (model, mut fixture) = (&history.model, Fixture::new());
    let authors = || (0..=DEVICES).map(|number| Author::new(u32::try_from(number).expect("small")));
    let (mut writers, certified): (Vec<_>, Vec<_>) = (authors().collect(), authors().collect());
    let place = |id: &DeviceId| certified.iter().position(|author| author.id() == *id).expect("of the pool");
    writers[0] = std::mem::replace(&mut fixture.root, Author::new(0));
    let mut instead = vec![vec![EntryId(fixture.workspace.0)]];
    for node in 1..model.authors.len() {
        let mut parents: Vec<_> =
            model.parents[node].iter().flat_map(|&parent| instead[parent].clone()).collect();
        parents.sort();
        parents.dedup();
        let all = parents.clone();
        parents.retain(|one| !all.iter().any(|other| other != one && fixture.directory.in_past(one, other)));
        if keep(node) {
            let additions = model.additions.iter().filter(|addition| addition.node == node);
            let ops = additions.map(|addition| {
                let user = addition.user;
                let cert = |device: &DeviceId| certified[place(device)].cert(&fixture.workspace, &user);
                let mut certs: Vec<_> = addition.devices.iter().map(cert).collect();
                match addition.role {
                    Some(role) => Op::AddUser { user, role, certs },
                    None => Op::AddDevice { user, cert: certs.remove(0) },
                }
            });
            let ops = ops.collect();
            let author = &mut writers[place(&model.authors[node])];
            parents = vec![fixture.write_under(author, parents, ops)];
        }
        instead.push(parents);
    }
    fixture.directory
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_order_of_arrival_gives_the_same_state(steps in steps(), equivocate: bool, seed: u64) {
        let history = replay(&steps, equivocate);
        let expected = state(&history.fixture.directory, &history);
        for order in 0..3 {
            let directory = shuffled(&history, seed.wrapping_add(order));
            prop_assert_eq!(&state(&directory, &history), &expected);
        }
    }

    #[test]
    fn the_fold_agrees_with_the_naive_one(steps in steps(), equivocate: bool, seed: u64) {
        let history = replay(&steps, equivocate);
        let directory = shuffled(&history, seed);
        let (model, verdicts) = (&history.model, history.model.fold());
        for (index, (entry, _)) in history.fixture.entries.iter().enumerate() {
            for device in &history.devices {
                let expected = model.standing(&verdicts, device, model.upto(index)).map(|(_, role)| role);
                prop_assert_eq!(directory.role_at(device, &entry.id()), expected);
            }
            for (other, (ancestor, _)) in history.fixture.entries.iter().enumerate() {
                let expected = model.upto(index) >> other & 1 == 1;
                prop_assert_eq!(directory.in_past(&ancestor.id(), &entry.id()), expected);
            }
        }
        let everything = model.pasts.iter().enumerate().fold(0, |all, (index, _)| all | model.upto(index));
        for device in &history.devices {
            prop_assert_eq!(directory.role(device), model.standing(&verdicts, device, everything).map(|(_, role)| role));
        }
    }

    #[test]
    fn what_lower_classes_do_changes_nothing_above_them(steps in steps(), limit in 0u8..4) {
        let full = replay(&steps, false);
        let (model, verdicts) = (&full.model, full.model.fold());
        let is_above = |node: usize| {
            let class = model.class(&verdicts, &model.authors[node], model.pasts[node]);
            class.is_some_and(|class| class > limit)
        };
        let above = without(&full, is_above);
        let high = |directory: &Directory| -> Vec<User> {
            directory.users().into_iter().filter(|user| user.role as u8 > limit).collect()
        };
        prop_assert_eq!(high(&full.fixture.directory), high(&above));
    }

    #[test]
    fn epochs_and_grants_count_only_by_writers(steps in steps(), equivocate: bool) {
        let history = replay(&steps, equivocate);
        let (directory, model, verdicts) = (&history.fixture.directory, &history.model, history.model.fold());
        let may_write = |node: usize| {
            let standing = model.standing(&verdicts, &model.authors[node], model.pasts[node]);
            standing.is_some_and(|(_, role)| role >= Role::Writer)
        };
        let mut given = Vec::new();
        let by_writers = history.fixture.entries.iter().enumerate().filter(|(node, _)| may_write(*node));
        for (_, (entry, _)) in by_writers {
            for op in Body::decode(entry.payload()).expect("well formed").ops {
                if let Op::KeyEpoch { key_id, wraps, .. } | Op::KeyGrant { key_id, wraps, .. } = op {
                    given.extend(wraps.iter().map(|wrap| (key_id, wrap.device)));
                }
            }
        }
        for epoch in directory.epochs(&CIRCLE) {
            let node = history.fixture.entries.iter().position(|(entry, _)| entry.id() == epoch.entry);
            prop_assert!(may_write(node.expect("written")));
            for device in &history.devices {
                let wrapped = !directory.wraps(&epoch.key_id, device).is_empty();
                prop_assert!(!wrapped || given.contains(&(epoch.key_id, *device)));
            }
        }
    }
}
