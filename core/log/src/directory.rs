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
//! is lost, see [`Directory::limits`].

mod body;
mod certificate;
mod circles;
mod cuts;
mod dag;
mod fold;
mod intent;
mod judge;
mod keys;
mod members;
mod op;
mod policy;
mod queries;
mod rank;
mod relays;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use body::{
    Body, BodyError, CERTS_MAX, OPS_MAX, PARENTS_MAX, POLICY_LEN_MAX, PREV_MAX, ParseRoleError, Role,
    SEALED_KEY_LEN, URL_LEN_MAX,
};
pub use certificate::{CERT_LEN, DeviceCert, user_id};
pub use cuts::{Cause, Limit};
pub use intent::Objection;
pub use keys::{Epoch, NextEpoch, key_id};
pub use op::{CUTS_MAX, CircleSettings, Cut, History, Op, Policy, Purged, Wrap};
pub use queries::{Circle, Device, Root, User};
pub use relays::Relay;

use crate::crypto::PublicKey;
use crate::entry::{Entry, Header, Kind};
use crate::ids::{DeviceId, EntryId, KeyId, WorkspaceId};
use fold::Fold;

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
    /// The author may not write in the circle whose key it used.
    #[error("the author may not write in this circle")]
    NotInCircle,
}

/// An entry of the directory that was held before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: EntryId,
    /// Its author.
    pub author: DeviceId,
    /// Its payload.
    pub body: Vec<u8>,
    /// What [`Directory::is_sound`] said of it.
    pub is_sound: bool,
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

impl Directory {
    /// The directory of a workspace, without entries.
    #[must_use]
    pub fn new(workspace: WorkspaceId) -> Self {
        Self(Arc::new(Fold::new(workspace)))
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
            Arc::make_mut(&mut self.0).apply(entry.id(), entry.header().author, &parents, body.ops);
            Ok(())
        }
    }

    /// Takes in entries that were held before, in an order in which parents come first: without the
    /// checks of [`Directory::insert`], and without verifying certificates that are said to have been
    /// found good. The genesis entry is held already.
    ///
    /// # Errors
    ///
    /// If these cannot have been held.
    pub fn restore(&mut self, held: impl IntoIterator<Item = Held>) -> Result<(), DirectoryError> {
        let fold = Arc::make_mut(&mut self.0);
        for Held { id, author, body, is_sound } in held {
            let body = Body::decode(&body)?;
            fold.restore(id, author, body, is_sound).ok_or(DirectoryError::Parents)?;
        }
        fold.finish_restoring();
        Ok(())
    }

    /// Whether all certificates that a held entry shows are good.
    #[must_use]
    pub fn is_sound(&self, id: &EntryId) -> bool {
        self.0.dag.find(id).is_some_and(|node| !self.0.unsound.contains(&node))
    }

    /// The workspace.
    #[must_use]
    pub fn workspace(&self) -> WorkspaceId {
        self.0.workspace
    }

    /// The entries by authors with standing that are in no other such entry's past, sorted: what the
    /// next entry builds on.
    #[must_use]
    pub fn heads(&self) -> Vec<EntryId> {
        let heads: BTreeSet<_> = self.0.members.heads.iter().map(|(_, id)| *id).collect();
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

    /// How often an arrival changed whether an earlier operation counts.
    #[must_use]
    pub fn revisions(&self) -> u64 {
        self.0.revisions
    }

    /// The devices whose entries have to be judged again, since this was asked last: how far they
    /// count, or where they may write, may have changed. What was judged of all others stands.
    pub fn take_touched(&mut self) -> BTreeSet<DeviceId> {
        if self.0.touched.is_empty() {
            return BTreeSet::new();
        }
        std::mem::take(&mut Arc::make_mut(&mut self.0).touched)
    }

    /// Whether an entry is by an author with standing and not void, so that its operations may count.
    #[must_use]
    pub fn counts(&self, id: &EntryId) -> bool {
        self.0.dag.find(id).is_some_and(|node| self.0.counts(node))
    }

    /// Whether an entry that [`Directory::counts`] has this one in its past.
    #[must_use]
    pub fn is_built_on(&self, id: &EntryId) -> bool {
        self.0.dag.find(id).is_some_and(|node| {
            self.0.members.heads.iter().any(|(head, _)| *head != node && self.0.dag.is_in_past(node, *head))
        })
    }

    /// The authors of entries that do not count.
    #[must_use]
    pub fn void_authors(&self) -> BTreeSet<DeviceId> {
        let nodes = (0..self.len()).filter(|&node| !self.0.counts(node));
        nodes.map(|node| self.0.dag.node(node).author).collect()
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
    /// acts, [`Directory::limits`] aside. `previous` is the [`position`] of the author's entry before
    /// it in the stream.
    ///
    /// The answer may change with the directory: from missing when it grows, otherwise only for
    /// devices in [`Directory::take_touched`].
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn check_data(&self, header: &Header, previous: Option<EntryId>) -> Result<(), Refusal> {
        self.check_position(header, previous)?;
        self.may_write(&header.author, &header.auth, &header.key_id)
    }

    /// Whether an entry acts under a directory entry that is held, and does not move back.
    ///
    /// # Errors
    ///
    /// [`Refusal::AuthMissing`] or [`Refusal::MovesBack`]. The latter never changes.
    pub fn check_position(&self, header: &Header, previous: Option<EntryId>) -> Result<(), Refusal> {
        if !self.contains(&header.auth) {
            return Err(Refusal::AuthMissing(header.auth));
        }
        if previous.is_some_and(|previous| !self.in_past(&previous, &header.auth)) {
            return Err(Refusal::MovesBack);
        }
        Ok(())
    }

    /// Whether a device may write with a key in the state of an entry and its past. A key that is
    /// not known there is taken for one of the whole workspace.
    ///
    /// # Errors
    ///
    /// Why it may not.
    pub fn may_write(&self, device: &DeviceId, at: &EntryId, key_id: &KeyId) -> Result<(), Refusal> {
        let Fold { dag, members, circles, keys, .. } = &*self.0;
        let view = dag.upto(dag.find(at).ok_or(Refusal::AuthMissing(*at))?);
        let (user, role) = members.standing(dag, device, view).ok_or(Refusal::NotActive)?;
        if role < Role::Writer {
            return Err(Refusal::NotWriter);
        }
        let of_key = keys.circles_of(dag, key_id, view);
        let writes =
            |circle| circles.role(dag, members, circle, &user, view).is_some_and(|role| role >= Role::Writer);
        if of_key.is_empty() || of_key.iter().any(writes) { Ok(()) } else { Err(Refusal::NotInCircle) }
    }

    /// The entry that a device should act under in its next data entry, which it seals with the
    /// given key: of the heads where it may write and that do not move back behind `previous` the
    /// newest where the key is known, else the newest. `None` if there is no such head: its standing
    /// may rest on several, which an entry without operations merges.
    #[must_use]
    pub fn auth_for(&self, device: &DeviceId, previous: Option<EntryId>, key_id: &KeyId) -> Option<EntryId> {
        let fits = |head: &EntryId| {
            self.may_write(device, head, key_id).is_ok()
                && previous.is_none_or(|previous| self.in_past(&previous, head))
        };
        let heads = || self.0.members.heads.iter().rev().map(|(_, id)| *id).filter(fits);
        let knows = |head: &EntryId| {
            let view = self.0.dag.find(head).map(|node| self.0.dag.upto(node));
            view.is_some_and(|view| !self.0.keys.circles_of(&self.0.dag, key_id, view).is_empty())
        };
        heads().find(knows).or_else(|| heads().next())
    }

    /// Parents for a device's next directory entry: up to [`PARENTS_MAX`] heads, first one that
    /// does not move back behind `previous`, then the newest. Where no head leads there, because what
    /// the device built on is void by now, `previous` is one of the parents.
    #[must_use]
    pub fn parents_for(&self, previous: Option<EntryId>) -> Vec<EntryId> {
        let mut heads: Vec<_> = self.0.members.heads.iter().rev().map(|(_, id)| *id).collect();
        let Some(previous) = previous.filter(|previous| self.contains(previous)) else {
            heads.truncate(PARENTS_MAX);
            return heads;
        };
        match heads.iter().position(|head| self.in_past(&previous, head)) {
            Some(own) => {
                heads[..=own].rotate_right(1);
                heads.truncate(PARENTS_MAX);
            }
            None => {
                heads.truncate(PARENTS_MAX - 1);
                heads.push(previous);
            }
        }
        heads
    }

    /// The key of a device, checked and ready: of any with a good certificate in some entry, active
    /// or not, and of the root.
    #[must_use]
    pub fn public_key(&self, device: &DeviceId) -> Option<PublicKey> {
        self.0.public_keys.get(device)?.get_or_init(|| PublicKey::new(&device.0)).clone()
    }
}

#[cfg(test)]
mod tests;
