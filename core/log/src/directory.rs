//! The directory: who belongs to a workspace, with which keys, and who may write.
//!
//! It is a DAG of signed entries in stream zero that every replica folds into the same state,
//! whatever the order in which they arrive: no clock, no arrival order and no server has a say.
//! [`Directory`] holds the entries' consequences and answers questions about the state now and at
//! any entry's past.
//!
//! An entry is **held** if it is well-formed and its author is known where it acts; whether its
//! operations **count** follows from who its author is there, see `members`, `keys` and `relays`.
//! Both are functions of the set of entries held.
//!
//! The fold does not verify the signatures of entries, their place in their author's chain, nor
//! quotas: that is for the log, which also decides what becomes of data entries when a standing
//! is lost. It knows no removal yet.

mod body;
mod certificate;
mod dag;
mod keys;
mod members;
mod relays;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

pub use body::{
    Body, BodyError, CERTS_MAX, OPS_MAX, Op, PARENTS_MAX, POLICY_LEN_MAX, PREV_MAX, ParseRoleError, Role,
    SEALED_KEY_LEN, URL_LEN_MAX, Wrap,
};
pub use certificate::{CERT_LEN, DeviceCert, user_id};
pub use keys::{Epoch, NextEpoch, key_id};
pub use relays::Relay;

use crate::crypto::PublicKey;
use crate::entry::{Entry, Header, Kind};
use crate::ids::{CircleId, DeviceId, EntryId, KeyId, UserId, WorkspaceId};
use dag::{Dag, NodeIndex, View};
use keys::Keys;
use members::Members;
use relays::Relays;

/// Why an entry is not taken into the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// It builds on an entry that is not held.
    #[error("directory entry {0} is missing")]
    Missing(EntryId),
    /// Its payload cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// It is not part of this directory: of another kind or another workspace.
    #[error("entry does not belong to this directory")]
    Foreign,
    /// It is a genesis that is not one, or has one inside.
    #[error("directory entry is not a valid genesis, or repeats one")]
    Genesis,
    /// It has no parents, or its `auth` is not the first.
    #[error("directory entry does not name its parents")]
    Parents,
    /// The author's own last entry is not in its past.
    #[error("directory entry goes behind its author's last one")]
    MovesBack,
    /// Nothing in its past certifies the author.
    #[error("directory entry is by an unknown device")]
    UnknownAuthor,
}

/// Why a data entry is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The directory entry it acts under is not held. It may be accepted once that is.
    #[error("the directory entry {0} that the author acts under is missing")]
    AuthMissing(EntryId),
    /// It acts under an older directory than the author's previous entry.
    #[error("the author acts under an older directory than before")]
    MovesBack,
    /// The author is no active device where it acts.
    #[error("the author is not a member")]
    NotActive,
    /// The author may read only.
    #[error("the author may not write")]
    NotWriter,
}

/// The root keys of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Signs genesis and the first user.
    pub pk: DeviceId,
    /// Receives every epoch key, for recovery.
    pub kem_pk: [u8; 32],
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub id: UserId,
    /// What it may do.
    pub role: Role,
    /// Its active devices, sorted.
    pub devices: Vec<DeviceId>,
}

/// An active device of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device.
    pub id: DeviceId,
    /// The user it belongs to.
    pub user: UserId,
    /// The X25519 key that epoch keys are wrapped to.
    pub kem_pk: [u8; 32],
    /// The device, or root key, that added it.
    pub added_by: DeviceId,
}

/// Where in the directory an entry stands: at itself if it is part of it, else at its `auth`.
///
/// The entries of a chain may not move back: each stands where the one before it does, or later.
#[must_use]
pub fn position(header: &Header, id: EntryId) -> EntryId {
    if header.kind == Kind::Directory { id } else { header.auth }
}

/// The folded directory. Cloning is cheap and gives a snapshot.
#[derive(Debug, Clone)]
pub struct Directory(Arc<Fold>);

#[derive(Debug, Clone)]
struct Fold {
    workspace: WorkspaceId,
    root: Option<Root>,
    name_commit: Option<[u8; 32]>,
    public_keys: HashMap<DeviceId, PublicKey>,
    dag: Dag,
    members: Members,
    keys: Keys,
    relays: Relays,
    revisions: u64,
}

impl Directory {
    /// The directory of a workspace, without entries.
    #[must_use]
    pub fn new(workspace: WorkspaceId) -> Self {
        Self(Arc::new(Fold {
            workspace,
            root: None,
            name_commit: None,
            public_keys: HashMap::new(),
            dag: Dag::default(),
            members: Members::default(),
            keys: Keys::default(),
            relays: Relays::default(),
            revisions: 0,
        }))
    }

    /// Takes in an entry. One that is held already changes nothing.
    ///
    /// `previous` is the [`position`] of the author's entry before it in stream zero, of whatever
    /// kind; `None` if this is the author's first. That its signature is good, or proven, and that
    /// its chain is intact was checked before.
    ///
    /// # Errors
    ///
    /// [`DirectoryError::Missing`] if a parent or `previous` is not held: try again once it is.
    /// All other errors are final, and are those of this entry on every replica. An entry whose
    /// operations do not count is no error.
    pub fn insert(&mut self, entry: &Entry, previous: Option<EntryId>) -> Result<(), DirectoryError> {
        if self.contains(&entry.id()) {
            return Ok(());
        }
        if entry.header().kind != Kind::Directory {
            return Err(DirectoryError::Foreign);
        }
        let body = Body::decode(entry.payload())?;
        if entry.header().is_genesis() {
            Arc::make_mut(&mut self.0).insert_genesis(entry, body)
        } else {
            let parents = self.0.check(entry, &body, previous)?;
            Arc::make_mut(&mut self.0).apply(entry, &parents, body.ops);
            Ok(())
        }
    }

    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.0.workspace
    }

    /// The entries in nobody's past, sorted.
    #[must_use]
    pub fn heads(&self) -> Vec<EntryId> {
        let heads: BTreeSet<_> = self.0.dag.heads().map(|(_, id)| id).collect();
        heads.into_iter().collect()
    }

    /// Whether an entry is held.
    #[must_use]
    pub fn contains(&self, id: &EntryId) -> bool {
        self.0.dag.find(id).is_some()
    }

    /// The number of entries held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.dag.len()
    }

    /// Whether there is no entry, not even genesis.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often an arrival changed whether an earlier operation counts. When it grows, what was
    /// accepted by [`Directory::check_data`] has to be checked again.
    #[must_use]
    pub fn revisions(&self) -> u64 {
        self.0.revisions
    }

    /// Whether the first entry is the second or in its past. False if one of them is not held.
    #[must_use]
    pub fn in_past(&self, ancestor: &EntryId, of: &EntryId) -> bool {
        match (self.0.dag.find(ancestor), self.0.dag.find(of)) {
            (Some(ancestor), Some(of)) => self.0.dag.is_in_past(ancestor, of),
            _ => false,
        }
    }

    /// The role of a device's user in the state of an entry and its past; `None` if the device is
    /// not active there or the entry is not held. The root key has no role.
    #[must_use]
    pub fn role_at(&self, device: &DeviceId, at: &EntryId) -> Option<Role> {
        let node = self.0.dag.find(at)?;
        self.0.members.standing(&self.0.dag, device, self.0.dag.upto(node)).map(|(_, role)| role)
    }

    /// Whether a device is active in the state of an entry and its past.
    #[must_use]
    pub fn is_active(&self, device: &DeviceId, at: &EntryId) -> bool {
        self.role_at(device, at).is_some()
    }

    /// Whether a device is active in the present state.
    #[must_use]
    pub fn is_member(&self, device: &DeviceId) -> bool {
        self.standing(device).is_some()
    }

    /// Judges an entry that is not part of the directory: whether its author may write where it
    /// acts. `previous` is the [`position`] of the author's entry before it in the stream.
    ///
    /// The answer may change with the directory: from missing when it grows, otherwise only when
    /// [`Directory::revisions`] does.
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn check_data(&self, header: &Header, previous: Option<EntryId>) -> Result<(), Refusal> {
        let auth = self.0.dag.find(&header.auth).ok_or(Refusal::AuthMissing(header.auth))?;
        if previous.is_some_and(|previous| !self.in_past(&previous, &header.auth)) {
            return Err(Refusal::MovesBack);
        }
        match self.0.members.standing(&self.0.dag, &header.author, self.0.dag.upto(auth)) {
            None => Err(Refusal::NotActive),
            Some((_, Role::Reader)) => Err(Refusal::NotWriter),
            Some(_) => Ok(()),
        }
    }

    /// The entry that a device should act under in its next data entry: the newest head where it
    /// may write and that does not move back behind `previous`. `None` if there is no such head:
    /// its standing may rest on several, which an entry without operations merges.
    #[must_use]
    pub fn auth_for(&self, device: &DeviceId, previous: Option<EntryId>) -> Option<EntryId> {
        let mut heads = self.0.dag.heads().rev().map(|(_, id)| id);
        heads.find(|head| {
            self.role_at(device, head).is_some_and(|role| role >= Role::Writer)
                && previous.is_none_or(|previous| self.in_past(&previous, head))
        })
    }

    /// Parents for a device's next directory entry: up to [`PARENTS_MAX`] heads, first one that
    /// does not move back behind `previous`, then the newest.
    #[must_use]
    pub fn parents_for(&self, previous: Option<EntryId>) -> Vec<EntryId> {
        let mut heads: Vec<_> = self.0.dag.heads().rev().map(|(_, id)| id).collect();
        let own = previous
            .and_then(|previous| heads.iter().position(|head| self.in_past(&previous, head)))
            .unwrap_or(0);
        if own < heads.len() {
            heads[..=own].rotate_right(1);
        }
        heads.truncate(PARENTS_MAX);
        heads
    }

    /// The key of a device, checked and ready: of any with a good certificate in some entry, active
    /// or not, and of the root.
    #[must_use]
    pub fn public_key(&self, device: &DeviceId) -> Option<PublicKey> {
        self.0.public_keys.get(device).cloned()
    }

    /// The root keys; `None` before genesis is held.
    #[must_use]
    pub fn root(&self) -> Option<Root> {
        self.0.root
    }

    /// The commitment to the name key of circle zero; `None` before genesis is held.
    #[must_use]
    pub fn name_commit(&self) -> Option<[u8; 32]> {
        self.0.name_commit
    }

    /// The members in the present state, sorted by id.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        let mut users: Vec<_> = self.0.members.users().filter_map(|id| self.user(id)).collect();
        users.sort_by_key(|user| user.id);
        users
    }

    /// A member in the present state.
    #[must_use]
    pub fn user(&self, id: &UserId) -> Option<User> {
        let Fold { dag, members, .. } = &*self.0;
        let role = members.role(dag, id, View::Everything)?;
        let devices: BTreeSet<_> = members
            .devices_of(id)
            .filter(|device| self.standing(device).is_some_and(|(user, _)| user == *id))
            .collect();
        Some(User { id: *id, role, devices: devices.into_iter().collect() })
    }

    /// A device that is active in the present state.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<Device> {
        let (user, _) = self.standing(id)?;
        let (cert, added) = self.0.members.certificate(&self.0.dag, id)?;
        let added_by = self.0.dag.node(added).author;
        Some(Device { id: *id, user, kem_pk: cert.kem_pk, added_by })
    }

    /// The role of a device's user in the present state, if the device is active.
    #[must_use]
    pub fn role(&self, device: &DeviceId) -> Option<Role> {
        self.standing(device).map(|(_, role)| role)
    }

    /// The valid epochs of a circle, by number, then key id.
    #[must_use]
    pub fn epochs(&self, circle: &CircleId) -> Vec<&Epoch> {
        self.0.keys.valid(circle)
    }

    /// The number of a circle's next epoch and the epochs it must seal, for an entry whose past is
    /// everything held. `None` if the numbers are used up.
    #[must_use]
    pub fn next_epoch(&self, circle: &CircleId) -> Option<NextEpoch> {
        self.0.keys.next(&self.0.dag, circle)
    }

    /// An epoch key as wrapped to a device, by valid epochs and grants. Each may be wrong: the
    /// epoch's commitment tells.
    #[must_use]
    pub fn wraps(&self, key_id: &KeyId, device: &DeviceId) -> Vec<&Wrap> {
        self.0.keys.wraps(key_id, device)
    }

    /// The relays in the present state, by key.
    #[must_use]
    pub fn relays(&self) -> Vec<Relay> {
        self.0.relays.current(&self.0.dag)
    }

    fn standing(&self, device: &DeviceId) -> Option<(UserId, Role)> {
        self.0.members.standing(&self.0.dag, device, View::Everything)
    }
}

impl Fold {
    fn insert_genesis(&mut self, entry: &Entry, body: Body) -> Result<(), DirectoryError> {
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
        self.dag.add(entry.id(), *root_pk, &[]);
        self.members.set_root(*root_pk);
        self.public_keys.insert(*root_pk, key);
        self.root = Some(Root { pk: *root_pk, kem_pk: *root_kem_pk });
        self.name_commit = Some(*name_commit);
        Ok(())
    }

    /// Checks all that an entry other than genesis needs to be held; its parents if it is.
    fn check(
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

    /// Takes in the operations of an entry. Members first: the others see them.
    fn apply(&mut self, entry: &Entry, parents: &[NodeIndex], ops: Vec<Op>) {
        let author = entry.header().author;
        let node = self.dag.add(entry.id(), author, parents);
        let mut revised = false;
        let mut others = Vec::new();
        for op in ops {
            match op {
                Op::AddUser { user, role, certs } => revised |= self.add(node, user, Some(role), certs),
                Op::AddDevice { user, cert } => revised |= self.add(node, user, None, vec![cert]),
                other => others.push(other),
            }
        }
        if revised {
            self.revisions += 1;
            self.keys.decide_all(&self.dag, &self.members);
            self.relays.decide_all(&self.dag, &self.members);
        }
        let Self { dag, members, keys, relays, .. } = self;
        for op in others {
            match op {
                Op::KeyEpoch { circle, epoch, key_id, commit, name_wrap, prev, wraps } => {
                    let entry = entry.id();
                    let epoch =
                        Epoch { entry, author, circle, epoch, key_id, commit, name_wrap, prev, wraps };
                    keys.add_epoch(dag, members, node, epoch);
                }
                Op::KeyGrant { circle, key_id, wraps } => {
                    keys.add_grant(dag, members, node, circle, key_id, wraps);
                }
                Op::RelaySet { relay_pk, url } => relays.add(dag, members, node, relay_pk, Some(url)),
                Op::RelayUnset { relay_pk } => relays.add(dag, members, node, relay_pk, None),
                Op::Genesis { .. } | Op::AddUser { .. } | Op::AddDevice { .. } => {}
            }
        }
    }

    /// Takes in an addition, unless a certificate is bad; true if earlier ones changed by it.
    fn add(&mut self, node: NodeIndex, user: UserId, role: Option<Role>, certs: Vec<DeviceCert>) -> bool {
        let names_user = role.is_none()
            || certs.first().is_some_and(|first| user_id(&self.workspace, &first.sign_pk) == user);
        let good = certs.iter().all(|cert| {
            !self.members.is_root(&cert.sign_pk)
                && (self.members.has_certificate(&user, cert) || self.accept(&user, cert))
        });
        if !good || !names_user {
            return false;
        }
        self.members.add(&self.dag, node, user, role, certs)
    }

    /// Verifies a certificate and keeps its device's public key.
    fn accept(&mut self, user: &UserId, cert: &DeviceCert) -> bool {
        let key = cert.verify(&self.workspace, user);
        key.map(|key| self.public_keys.insert(cert.sign_pk, key)).is_some()
    }
}

#[cfg(test)]
mod tests;
