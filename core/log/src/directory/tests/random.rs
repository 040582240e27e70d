//! Random histories: a small workspace in which everybody does anything, with and without
//! authority, under whatever parents, and then the fold of it.

use std::sync::LazyLock;

use super::super::*;
use super::support::{Author, Fixture};
use crate::crypto::sha256;
use crate::ids::{CircleId, StreamId, UserId};
use proptest::collection::vec;
use proptest::prelude::*;

/// User n owns the devices n, n + USERS and so on; the first names it.
pub(super) const USERS: usize = 5;
pub(super) const DEVICES: usize = USERS * 3;
pub(super) const ROOT: usize = DEVICES;
pub(super) const STREAM: StreamId = StreamId([7; 16]);
/// The last number of a data entry that cuts speak of.
pub(super) const SEQ_MAX: u64 = 3;

pub(super) fn circle(number: usize) -> CircleId {
    CircleId([u8::try_from(number + 1).expect("small"); 16])
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    AddUser {
        user: usize,
        role: Role,
    },
    AddDevice {
        device: usize,
    },
    /// Shows a device as one of another user than its own, the next one.
    SecondUser {
        device: usize,
    },
    SetRole {
        user: usize,
        role: Role,
        cut: Option<u64>,
    },
    RemoveDevice {
        device: usize,
        cut: Option<u64>,
    },
    RemoveUser {
        user: usize,
        cut: Option<u64>,
    },
    Amend {
        device: usize,
        cut: u64,
    },
    CircleNew {
        circle: usize,
    },
    CircleAdd {
        circle: usize,
        user: usize,
        role: Role,
    },
    CircleRemove {
        circle: usize,
        user: usize,
        cut: Option<u64>,
    },
    /// The key is named by the number of the entry.
    Key {
        circle: Option<usize>,
    },
}

/// One entry. Parents are numbers of earlier entries.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) author: usize,
    pub(super) parents: Vec<usize>,
    pub(super) acts: Vec<Act>,
}

/// Looks at a directory before and after an entry.
pub(super) type Look<'l> = dyn FnMut(&Directory, &Directory) + 'l;

/// Entries after genesis, which is number 0.
#[derive(Debug, Clone)]
pub(super) struct History(pub(super) Vec<Step>);

fn acts() -> impl Strategy<Value = Act> {
    let role = || prop::sample::select(&Role::ALL[..]);
    let cut = || prop::option::of(1..=SEQ_MAX);
    prop_oneof![
        3 => (0..USERS, role()).prop_map(|(user, role)| Act::AddUser { user, role }),
        3 => (0..DEVICES).prop_map(|device| Act::AddDevice { device }),
        4 => (0..USERS, role(), cut()).prop_map(|(user, role, cut)| Act::SetRole { user, role, cut }),
        5 => (0..2 * USERS, cut()).prop_map(|(device, cut)| Act::RemoveDevice { device, cut }),
        2 => (0..USERS, cut()).prop_map(|(user, cut)| Act::RemoveUser { user, cut }),
        4 => (0..2 * USERS, 1..=SEQ_MAX).prop_map(|(device, cut)| Act::Amend { device, cut }),
        1 => (0..2usize).prop_map(|circle| Act::CircleNew { circle }),
        2 => (0..2usize, 0..USERS, role()).prop_map(|(circle, user, role)| Act::CircleAdd { circle, user, role }),
        2 => (0..2usize, 0..USERS, cut()).prop_map(|(circle, user, cut)| Act::CircleRemove { circle, user, cut }),
        1 => prop::option::of(0..2usize).prop_map(|circle| Act::Key { circle }),
    ]
}

/// What the generator draws for one entry, before it knows how many there are.
type Drawn = (usize, Vec<prop::sample::Index>, bool, Vec<Act>);

/// A workspace with owner, admin, writer and reader, a second device of the first three, and a
/// circle; then up to `most` entries by anybody.
pub(super) fn histories(most: usize) -> impl Strategy<Value = History> {
    // Low numbers first: they have standing more often.
    let author = prop_oneof![1 => Just(ROOT), 12 => 0..USERS, 8 => USERS..2 * USERS, 1 => 0..DEVICES];
    let drawn =
        (author, vec(any::<prop::sample::Index>(), 1..3), prop::bool::weighted(0.3), vec(acts(), 0..3));
    vec(drawn, 1..=most).prop_map(build)
}

/// The same, in which devices are also shown as those of a second user.
pub(super) fn equivocal_histories(most: usize) -> impl Strategy<Value = History> {
    let seconds = vec(prop::option::weighted(0.3, 0..2 * USERS), most);
    (histories(most), seconds).prop_map(|(mut history, seconds)| {
        let drawn = history.0.iter_mut().skip(5).zip(seconds);
        for (step, second) in drawn {
            step.acts.extend(second.map(|device| Act::SecondUser { device }));
        }
        history
    })
}

fn build(drawn: Vec<Drawn>) -> History {
    let add = |user, role| Act::AddUser { user, role };
    let mut steps = vec![
        Step { author: ROOT, parents: vec![0], acts: vec![add(0, Role::Owner)] },
        Step {
            author: 0,
            parents: vec![1],
            acts: vec![
                add(1, Role::Admin),
                add(2, Role::Writer),
                add(3, Role::Reader),
                Act::AddDevice { device: USERS },
                Act::CircleNew { circle: 0 },
            ],
        },
        Step { author: 1, parents: vec![2], acts: vec![Act::AddDevice { device: USERS + 1 }] },
        Step { author: 2, parents: vec![3], acts: vec![Act::AddDevice { device: USERS + 2 }] },
        Step {
            author: 0,
            parents: vec![4],
            acts: vec![
                Act::CircleAdd { circle: 0, user: 2, role: Role::Writer },
                Act::Key { circle: Some(0) },
            ],
        },
    ];
    for (author, parents, all_heads, acts) in drawn {
        let count = steps.len() + 1;
        let is_head = |node: &usize| !steps.iter().any(|step| step.parents.contains(node));
        let mut parents: Vec<usize> = if all_heads {
            (1..count).filter(is_head).collect()
        } else {
            // Rarely before the workspace is peopled.
            parents.iter().map(|index| count - 1 - index.index(count.min(12))).collect()
        };
        // Nobody goes behind an entry of its own.
        parents.extend((1..count).rev().find(|node| steps[node - 1].author == author));
        parents.sort_unstable();
        parents.dedup();
        parents.truncate(PARENTS_MAX);
        steps.push(Step { author, parents, acts });
    }
    History(steps)
}

/// Keys and certificates, made once: signing is what costs.
struct Pool {
    workspace: WorkspaceId,
    genesis: Entry,
    root: DeviceId,
    devices: Vec<DeviceId>,
    users: Vec<UserId>,
    certs: Vec<DeviceCert>,
    second_certs: Vec<DeviceCert>,
}

static POOL: LazyLock<Pool> = LazyLock::new(|| {
    let fixture = Fixture::new();
    let authors: Vec<_> =
        (1..=DEVICES).map(|number| Author::new(u32::try_from(number).expect("small"))).collect();
    let users: Vec<_> = authors[..USERS].iter().map(|first| fixture.user(first)).collect();
    let certs = |shift: usize| {
        let authors = authors.iter().enumerate();
        authors
            .map(|(number, author)| author.cert(&fixture.workspace, &users[(number + shift) % USERS]))
            .collect()
    };
    let (certs, second_certs) = (certs(0), certs(1));
    Pool {
        workspace: fixture.workspace,
        genesis: fixture.entries[0].0.clone(),
        root: fixture.root.id(),
        devices: authors.iter().map(Author::id).collect(),
        users,
        certs,
        second_certs,
    }
});

pub(super) fn device(number: usize) -> DeviceId {
    if number == ROOT { POOL.root } else { POOL.devices[number] }
}

pub(super) fn user(number: usize) -> UserId {
    POOL.users[number]
}

/// The id of entry `number`: of genesis the real one.
pub(super) fn id(number: usize) -> EntryId {
    if number == 0 { POOL.genesis.id() } else { EntryId(sha256(&[b"node", &(number as u64).to_le_bytes()])) }
}

/// The id of data entry `seq` of a device; nobody forks here.
pub(super) fn data_id(device: usize, seq: u64) -> EntryId {
    EntryId(sha256(&[b"data", &(device as u64).to_le_bytes(), &seq.to_le_bytes()]))
}

fn commit(node: usize) -> [u8; 32] {
    sha256(&[b"commit", &(node as u64).to_le_bytes()])
}

/// The key that entry `node` publishes.
pub(super) fn key_of(node: usize) -> KeyId {
    key_id(&commit(node))
}

fn cuts(devices: impl Iterator<Item = usize>, cut: Option<u64>) -> Vec<Cut> {
    let cut =
        |number| cut.map(|seq| Cut { device: device(number), stream: STREAM, seq, id: data_id(number, seq) });
    devices.filter_map(cut).collect()
}

/// The devices of a user.
pub(super) fn devices_of(user: usize) -> impl Iterator<Item = usize> {
    (user..DEVICES).step_by(USERS)
}

fn op(node: usize, act: Act) -> Op {
    match act {
        Act::AddUser { user: number, role } => {
            Op::AddUser { user: user(number), role, certs: vec![POOL.certs[number].clone()] }
        }
        Act::AddDevice { device } => {
            Op::AddDevice { user: user(device % USERS), cert: POOL.certs[device].clone() }
        }
        Act::SecondUser { device } => {
            Op::AddDevice { user: user((device + 1) % USERS), cert: POOL.second_certs[device].clone() }
        }
        Act::SetRole { user: number, role, cut } => {
            Op::SetRole { user: user(number), role, cuts: cuts(devices_of(number), cut) }
        }
        Act::RemoveDevice { device: number, cut } => {
            Op::RemoveDevice { device: device(number), cuts: cuts([number].into_iter(), cut) }
        }
        Act::RemoveUser { user: number, cut } => {
            Op::RemoveUser { user: user(number), cuts: cuts(devices_of(number), cut) }
        }
        Act::Amend { device, cut } => Op::AmendCut { cuts: cuts([device].into_iter(), Some(cut)) },
        Act::CircleNew { circle: number } => Op::CircleNew {
            circle: circle(number),
            settings: CircleSettings::WORKSPACE,
            name_commit: [u8::try_from(node % 256).expect("a byte"); 32],
        },
        Act::CircleAdd { circle: number, user: added, role } => {
            Op::CircleAdd { circle: circle(number), user: user(added), role }
        }
        Act::CircleRemove { circle: number, user: removed, cut } => {
            let cuts = cuts(devices_of(removed), cut);
            Op::CircleRemove { circle: circle(number), user: user(removed), cuts }
        }
        Act::Key { circle: number } => Op::KeyEpoch {
            circle: number.map_or(CircleId::WORKSPACE, circle),
            epoch: 1,
            key_id: key_of(node),
            commit: commit(node),
            name_wrap: [1; SEALED_KEY_LEN],
            prev: vec![],
            wraps: vec![],
        },
    }
}

impl History {
    /// The number of entries, genesis included.
    pub(super) fn len(&self) -> usize {
        self.0.len() + 1
    }

    /// The first entries only.
    pub(super) fn first(&self, len: usize) -> Self {
        Self(self.0[..len - 1].to_vec())
    }

    /// For each entry, the set of those in its past, as bits.
    pub(super) fn pasts(&self) -> Vec<u64> {
        let mut pasts = vec![0];
        for step in &self.0 {
            pasts.push(step.parents.iter().fold(0, |past, &parent| past | pasts[parent] | 1 << parent));
        }
        pasts
    }

    /// Whether each entry's author is certified where it acts: only then is it held, and with it
    /// what rests on it.
    pub(super) fn held(&self) -> Vec<bool> {
        let pasts = self.pasts();
        let shows = |step: &Step, device: usize| {
            step.acts.iter().any(|act| match act {
                Act::AddUser { user, .. } => *user == device,
                Act::AddDevice { device: one } | Act::SecondUser { device: one } => *one == device,
                _ => false,
            })
        };
        let mut held = vec![true];
        for (index, step) in self.0.iter().enumerate() {
            let past = pasts[index + 1];
            let mut before = (1..=index).filter(|node| past >> node & 1 == 1);
            let known = step.author == ROOT || before.any(|node| shows(&self.0[node - 1], step.author));
            held.push(known && step.parents.iter().all(|&parent| held[parent]));
        }
        held
    }

    /// The fold, restored from what was held before.
    pub(super) fn restored(&self) -> Directory {
        let held = self.held();
        let entries = (1..self.len()).filter(|&node| held[node]).map(|node| {
            let step = &self.0[node - 1];
            let parents = step.parents.iter().map(|parent| id(*parent)).collect();
            let ops = step.acts.iter().map(|act| op(node, *act)).collect();
            let body = Body { parents, ops }.encode().expect("fits");
            Held { id: id(node), author: device(step.author), body, is_sound: true }
        });
        let mut directory = Directory::new(POOL.workspace);
        directory.insert(&POOL.genesis, None).expect("genesis");
        directory.restore(entries).expect("was held");
        directory
    }

    /// The fold, the entries arriving in an order chosen by a seed; 0 leaves them as they are.
    pub(super) fn fold(&self, seed: u64) -> Directory {
        self.fold_of(&self.held(), seed, None)
    }

    /// The fold of some entries, with whose parents they come. After each the directory before and the
    /// one after are shown.
    pub(super) fn fold_of(&self, held: &[bool], seed: u64, mut look: Option<&mut Look<'_>>) -> Directory {
        let mut directory = Directory::new(POOL.workspace);
        directory.insert(&POOL.genesis, None).expect("genesis");
        let mut open: Vec<usize> = (1..self.len()).filter(|&node| held[node]).collect();
        if seed != 0 {
            open.sort_by_key(|node| sha256(&[&seed.to_le_bytes(), &(*node as u64).to_le_bytes()]));
        }
        while !open.is_empty() {
            open.retain(|&node| {
                let step = &self.0[node - 1];
                let parents: Option<Vec<_>> =
                    step.parents.iter().map(|parent| directory.0.dag.find(&id(*parent))).collect();
                let Some(parents) = parents else { return true };
                let ops = step.acts.iter().map(|act| op(node, *act)).collect();
                // A snapshot makes the next change a copy: thousands of folds do without.
                let before = look.is_some().then(|| directory.clone());
                Arc::make_mut(&mut directory.0).apply(id(node), device(step.author), &parents, ops);
                if let (Some(look), Some(before)) = (&mut look, before) {
                    look(&before, &directory);
                }
                false
            });
        }
        directory
    }
}

/// The header of a data entry, as far as the directory looks at it.
pub(super) fn header(number: usize, seq: u64, auth: usize) -> Header {
    let mut header = POOL.genesis.header().clone();
    (header.kind, header.author, header.auth, header.seq) = (Kind::Data, device(number), id(auth), seq);
    header.stream = STREAM;
    header
}
