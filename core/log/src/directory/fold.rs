//! The fold itself: takes in entries one by one, and keeps what follows from them.

#![allow(clippy::result_large_err, reason = "an operation that is handed back is no error")]

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

use super::certificate::{self, DeviceCert, user_id};
use super::circles::{CircleAct, Circles};
use super::cuts::Amendments;
use super::dag::{Dag, NodeIndex};
use super::keys::{Epoch, Keys, Who};
use super::members::{Act, Members};
use super::policy::Policies;
use super::rank::LAST;
use super::relays::Relays;
use super::{Body, DirectoryError, Op, Root, cuts};
use crate::crypto::PublicKey;
use crate::entry::Entry;
use crate::ids::{DeviceId, EntryId, UserId, WorkspaceId};

/// How operations are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// One entry at a time, each decided when it comes.
    Arriving,
    /// Entries that were held before: everything is decided at the end.
    Restoring {
        /// Whether the certificates of the entry were found good before.
        verified: bool,
    },
}

/// Everything that follows from the entries held.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    pub(super) workspace: WorkspaceId,
    pub(super) root: Option<Root>,
    pub(super) name_commit: Option<[u8; 32]>,
    /// Keys of devices, decoded when they are first asked for.
    pub(super) public_keys: HashMap<DeviceId, Arc<OnceLock<Option<PublicKey>>>>,
    /// Entries that show a bad certificate.
    pub(super) unsound: BTreeSet<NodeIndex>,
    /// How certificates are taken in, and what is decided when.
    mode: Mode,
    pub(super) dag: Dag,
    pub(super) members: Members,
    pub(super) circles: Circles,
    pub(super) amendments: Amendments,
    pub(super) keys: Keys,
    pub(super) relays: Relays,
    pub(super) policies: Policies,
    pub(super) revisions: u64,
    /// Devices whose entries are to be judged again.
    pub(super) touched: BTreeSet<DeviceId>,
}

impl Fold {
    pub(super) fn new(workspace: WorkspaceId) -> Self {
        Self {
            workspace,
            root: None,
            name_commit: None,
            public_keys: HashMap::new(),
            unsound: BTreeSet::new(),
            mode: Mode::Arriving,
            dag: Dag::default(),
            members: Members::default(),
            circles: Circles::default(),
            amendments: Amendments::default(),
            keys: Keys::default(),
            relays: Relays::default(),
            policies: Policies::default(),
            revisions: 0,
            touched: BTreeSet::new(),
        }
    }

    pub(super) fn insert_genesis(&mut self, entry: &Entry, body: Body) -> Result<(), DirectoryError> {
        let [Op::Genesis { root_pk, root_kem_pk, name_commit, .. }] = &body.ops[..] else {
            return Err(DirectoryError::Genesis);
        };
        if entry.id().0 != self.workspace.0 {
            return Err(DirectoryError::Foreign);
        }
        let key = PublicKey::new(&root_pk.0).ok_or(DirectoryError::Genesis)?;
        let good = body.parents.is_empty()
            && entry.header().author == *root_pk
            && certificate::is_usable_kem_key(root_kem_pk);
        if !good {
            return Err(DirectoryError::Genesis);
        }
        self.members.root = Some(*root_pk);
        let node = self.dag.add(entry.id(), *root_pk, &[]);
        self.members.add(&self.dag, node, Vec::new());
        self.members.heads.insert((node, entry.id()));
        self.public_keys.insert(*root_pk, Arc::new(OnceLock::from(Some(key))));
        self.root = Some(Root { pk: *root_pk, kem_pk: *root_kem_pk });
        self.name_commit = Some(*name_commit);
        Ok(())
    }

    /// Checks all that an entry other than genesis needs to be held; its parents if it is.
    pub(super) fn check(
        &self,
        entry: &Entry,
        body: &Body,
        previous: Option<EntryId>,
    ) -> Result<Vec<NodeIndex>, DirectoryError> {
        let header = entry.header();
        if header.workspace != self.workspace {
            return Err(DirectoryError::Foreign);
        }
        if body.ops.iter().any(|op| matches!(op, Op::Genesis { .. })) {
            return Err(DirectoryError::Genesis);
        }
        if body.parents.first() != Some(&header.auth) {
            return Err(DirectoryError::Parents);
        }
        let find = |id: &EntryId| self.dag.find(id).ok_or(DirectoryError::Missing(*id));
        let parents = body.parents.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let in_past = |node: NodeIndex| parents.iter().any(|&parent| self.dag.is_in_past(node, parent));
        let stays = match &previous {
            Some(previous) => in_past(find(previous)?),
            None => header.seq == 1,
        };
        if !stays {
            return Err(DirectoryError::MovesBack);
        }
        let known = self.members.is_root(&header.author)
            || parents
                .iter()
                .any(|&parent| self.members.is_certified(&self.dag, &header.author, self.dag.upto(parent)));
        if known { Ok(parents) } else { Err(DirectoryError::UnknownAuthor) }
    }

    /// Takes in the operations of an entry: members first, then circles, then what rests on both.
    pub(super) fn apply(&mut self, id: EntryId, author: DeviceId, parents: &[NodeIndex], ops: Vec<Op>) {
        let node = self.dag.add(id, author, parents);
        let restoring = self.mode != Mode::Arriving;
        let (acts, ops): (Vec<_>, Vec<_>) =
            ops.into_iter().map(|op| self.member_act(op)).partition(Result::is_ok);
        let shown = acts.len();
        let acts: Vec<_> = acts.into_iter().filter_map(Result::ok).flatten().collect();
        if acts.len() < shown {
            self.unsound.insert(node);
        }
        let changed = if restoring {
            self.members.note(&self.dag, node, acts);
            BTreeSet::new()
        } else {
            self.members.add(&self.dag, node, acts)
        };
        for deed in self.members.deeds_of(node).filter(|deed| deed.counts_at(LAST)) {
            let limits = match &deed.act {
                Act::RemoveDevice { .. } | Act::RemoveUser { .. } => true,
                Act::SetRole { .. } => deed.demotes,
                Act::AddUser { .. } | Act::AddDevice { .. } => false,
            };
            if limits {
                self.touched.extend(self.members.targets(&deed.act));
            }
        }
        if !changed.is_empty() {
            self.revise(changed);
        }
        if !restoring {
            self.keep_heads(node, parents);
            self.touched.extend(self.members.settle_equivocal(&self.dag));
        }
        let ops: Vec<_> =
            ops.into_iter().filter_map(Result::err).map(|op| self.circle_act(node, op)).collect();
        for op in ops.into_iter().filter_map(Result::err) {
            self.apply_other(node, op);
        }
    }

    /// Takes in an entry that was held before, without its checks. Call [`Fold::finish_restoring`]
    /// after the last. `None` if a parent is missing.
    pub(super) fn restore(
        &mut self,
        id: EntryId,
        author: DeviceId,
        body: Body,
        verified: bool,
    ) -> Option<()> {
        self.mode = Mode::Restoring { verified };
        let parents: Option<Vec<_>> = body.parents.iter().map(|parent| self.dag.find(parent)).collect();
        self.apply(id, author, &parents?, body.ops);
        Some(())
    }

    /// Decides everything that was restored.
    pub(super) fn finish_restoring(&mut self) {
        self.mode = Mode::Arriving;
        self.members.decide_all(&self.dag);
        self.revise(BTreeSet::new());
        self.members.settle_equivocal(&self.dag);
        (self.revisions, self.touched) = (0, BTreeSet::new());
    }

    /// Earlier operations count, or do not count, that did otherwise before.
    fn revise(&mut self, mut changed: BTreeSet<DeviceId>) {
        self.revisions += 1;
        for user in self.circles.decide_all(&self.dag, &self.members) {
            changed.extend(self.members.devices_of(&user));
        }
        changed.extend(self.amendments.devices());
        let Self { dag, members, circles, keys, .. } = self;
        keys.decide_all(&Who { dag, members, circles });
        self.touched.append(&mut changed);
        self.members.heads.clear();
        for node in 0..self.dag.len() {
            self.put_head(node);
        }
    }

    fn keep_heads(&mut self, node: NodeIndex, parents: &[NodeIndex]) {
        if !parents.iter().all(|&parent| self.counts(parent)) {
            self.put_head(node);
        } else if self.counts(node) {
            for &parent in parents {
                self.members.heads.remove(&(parent, self.dag.node(parent).id));
            }
            self.members.heads.insert((node, self.dag.node(node).id));
        }
    }

    /// Whether the author of an entry has standing and the entry is not void.
    pub(super) fn counts(&self, node: NodeIndex) -> bool {
        self.members.standings[node].authority.at(LAST).is_some()
    }

    fn put_head(&mut self, node: NodeIndex) {
        if self.counts(node) {
            let dag = &self.dag;
            self.members.heads.retain(|(head, _)| !dag.is_in_past(*head, node));
            self.members.heads.insert((node, dag.node(node).id));
        }
    }

    /// An operation on users and devices; nothing if a certificate is bad; any other is given back.
    fn member_act(&mut self, op: Op) -> Result<Option<Act>, Op> {
        Ok(match op {
            Op::AddUser { user, role, certs } => {
                // One that named more could give devices to somebody who knows nothing of them.
                let names_user =
                    matches!(&certs[..], [first] if user_id(&self.workspace, &first.sign_pk) == user);
                (names_user && self.are_good(&user, &certs)).then(|| Act::AddUser {
                    user,
                    role,
                    certs: certs.into(),
                })
            }
            Op::AddDevice { user, cert } => {
                let certs = [cert];
                self.are_good(&user, &certs).then(|| Act::AddDevice { user, certs: Arc::new(certs) })
            }
            Op::SetRole { user, role, cuts } => Some(Act::SetRole { user, role, cuts: cuts.into() }),
            Op::RemoveDevice { device, cuts } => Some(Act::RemoveDevice { device, cuts: cuts.into() }),
            Op::RemoveUser { user, cuts } => Some(Act::RemoveUser { user, cuts: cuts.into() }),
            other => return Err(other),
        })
    }

    /// Takes in an operation on a circle; any other is given back.
    fn circle_act(&mut self, node: NodeIndex, op: Op) -> Result<(), Op> {
        let (circle, act) = match op {
            Op::CircleNew { circle, settings, name_commit } => {
                (circle, CircleAct::New { settings, name_commit })
            }
            Op::CircleAdd { circle, user, role } => (circle, CircleAct::Add { user, role }),
            Op::CircleRemove { circle, user, cuts } => {
                (circle, CircleAct::Remove { user, cuts: cuts.into() })
            }
            other => return Err(other),
        };
        let removed = if let CircleAct::Remove { user, .. } = &act { Some(*user) } else { None };
        self.circles.note(node, circle, act);
        if self.mode == Mode::Arriving {
            self.circles.settle_newest(&self.dag, &self.members, &circle);
            // Whoever may not remove anybody has nobody judged again.
            if let Some(user) = removed.filter(|_| self.circles.newest_counts(&circle)) {
                self.touched.extend(self.members.devices_of(&user));
            }
        }
        Ok(())
    }

    fn apply_other(&mut self, node: NodeIndex, op: Op) {
        let (entry, author) = (self.dag.node(node).id, self.dag.node(node).author);
        let Self { dag, members, circles, keys, relays, policies, amendments, touched, mode, .. } = self;
        let who = Who { dag, members, circles };
        match op {
            Op::KeyEpoch { circle, epoch, key_id, commit, name_wrap, prev, wraps } => {
                let epoch = Epoch { entry, author, circle, epoch, key_id, commit, name_wrap, prev, wraps };
                keys.add_epoch(&who, node, epoch);
            }
            Op::KeyGrant { circle, key_id, wraps } => keys.add_grant(&who, node, circle, key_id, wraps),
            Op::AmendCut { cuts } => {
                // Whoever may not amend anything has nobody judged again.
                if *mode == Mode::Arriving {
                    let devices: BTreeSet<DeviceId> = cuts.iter().map(|cut| cut.device).collect();
                    let amends = |device: &DeviceId| cuts::may_amend(dag, members, circles, node, device);
                    touched.extend(devices.into_iter().filter(amends));
                }
                amendments.add(node, cuts);
            }
            Op::RelaySet { relay_pk, url } => relays.add(node, relay_pk, Some(url)),
            Op::RelayUnset { relay_pk } => relays.add(node, relay_pk, None),
            Op::Policy(policy) => policies.set(node, policy),
            Op::Purge { stream, entries } => policies.purge(node, stream, entries),
            // Taken in before, or refused with the whole entry.
            Op::Genesis { .. }
            | Op::AddUser { .. }
            | Op::AddDevice { .. }
            | Op::SetRole { .. }
            | Op::RemoveDevice { .. }
            | Op::RemoveUser { .. }
            | Op::CircleNew { .. }
            | Op::CircleAdd { .. }
            | Op::CircleRemove { .. } => {}
        }
    }

    fn are_good(&mut self, user: &UserId, certs: &[DeviceCert]) -> bool {
        certs.iter().all(|cert| {
            !self.members.is_root(&cert.sign_pk)
                && (self.members.has_certificate(user, cert) || self.accept(user, cert))
        })
    }

    /// Verifies a certificate and keeps its device's public key. Certificates that were verified when
    /// they arrived are not verified again.
    fn accept(&mut self, user: &UserId, cert: &DeviceCert) -> bool {
        if matches!(self.mode, Mode::Restoring { verified: true }) {
            self.public_keys.insert(cert.sign_pk, Arc::default());
            return true;
        }
        let key = cert.verify(&self.workspace, user);
        key.map(|key| self.public_keys.insert(cert.sign_pk, Arc::new(OnceLock::from(Some(key))))).is_some()
    }
}
