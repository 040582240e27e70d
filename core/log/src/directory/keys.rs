//! Epochs: which key belongs to which circle, and who holds it.
//!
//! A `KeyEpoch` is **linked** if its circle is known in its past or in the same entry, its key id is
//! that of its commitment and new in its past, each earlier epoch it seals is a linked one of its
//! circle in its past, its number is one more than the highest of these, and each recipient is the
//! root or a device certified in its past or in the same entry. A `KeyGrant` is held if it names a
//! linked epoch and such recipients. That follows from the past alone and never changes, and it is
//! enough for **reading**: what honest members wrote with a key stays readable when the standing of
//! whoever made or granted it is voided later. Whoever opens a wrap checks the commitment.
//!
//! An epoch is **valid**, so that one may **write** with it, if besides its author is a writer of
//! the circle there, every recipient is the root or an active device of the circle's members there,
//! and every valid epoch of the circle in its past is sealed by it, directly or through others. A
//! grant is valid likewise. That follows standings. Whoever chooses a key to write with checks
//! [`Keys::readers`] against the circle's devices as they are.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::body::{Role, SEALED_KEY_LEN};
use super::circles::Circles;
use super::dag::{Dag, NodeIndex, View};
use super::members::Members;
use super::op::{CircleSettings, Wrap};
use super::rank::LAST;
use crate::crypto::sha256;
use crate::ids::{CircleId, DeviceId, EntryId, KeyId};

/// An epoch of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The directory entry that started it.
    pub entry: EntryId,
    /// The device that made the key.
    pub author: DeviceId,
    /// The circle.
    pub circle: CircleId,
    /// Its number, from 1; concurrent epochs may share one.
    pub epoch: u32,
    /// The key's id.
    pub key_id: KeyId,
    /// Commitment to the key.
    pub commit: [u8; 32],
    /// The circle's name key, sealed under this key.
    pub name_wrap: [u8; SEALED_KEY_LEN],
    /// The maximal earlier epochs, their keys sealed under this one.
    pub prev: Vec<(KeyId, [u8; SEALED_KEY_LEN])>,
    /// The key, sealed to each recipient.
    pub wraps: Vec<Wrap>,
}

/// The number of a new epoch, and the epochs it must seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextEpoch {
    /// The number.
    pub epoch: u32,
    /// The keys of every maximal epoch so far, sorted.
    pub prev: Vec<KeyId>,
}

/// The id of the epoch key with a commitment.
#[must_use]
pub fn key_id(commit: &[u8; 32]) -> KeyId {
    let hash = sha256(&[commit]);
    KeyId(std::array::from_fn(|index| hash[index]))
}

#[derive(Debug, Clone)]
struct Linked {
    node: NodeIndex,
    epoch: Arc<Epoch>,
    /// The linked epochs it seals.
    seals: Arc<[usize]>,
    valid: bool,
}

#[derive(Debug, Clone)]
struct Grant {
    node: NodeIndex,
    circle: CircleId,
    wraps: Arc<[Wrap]>,
    valid: bool,
}

/// All linked epochs and held grants.
#[derive(Debug, Clone, Default)]
pub(super) struct Keys {
    epochs: Vec<Linked>,
    by_key: HashMap<KeyId, Vec<usize>>,
    grants: HashMap<KeyId, Vec<Grant>>,
    /// Per circle, the linked epochs that no other seals.
    newest: HashMap<CircleId, BTreeSet<usize>>,
}

impl Keys {
    /// Takes in a `KeyEpoch` of the newest entry, if it is linked.
    pub(super) fn add_epoch(&mut self, who: &Who<'_>, node: NodeIndex, epoch: Epoch) {
        let Some(seals) = self.link(who, node, &epoch) else { return };
        let index = self.epochs.len();
        self.by_key.entry(epoch.key_id).or_default().push(index);
        self.epochs.push(Linked { node, epoch: Arc::new(epoch), seals: seals.into(), valid: false });
        self.decide(who, index);
    }

    /// Takes in a `KeyGrant` of the newest entry.
    pub(super) fn add_grant(
        &mut self,
        who: &Who<'_>,
        node: NodeIndex,
        circle: CircleId,
        key_id: KeyId,
        wraps: Vec<Wrap>,
    ) {
        let (dag, view) = (who.dag, who.dag.upto(node));
        let known = self
            .of_key(&key_id)
            .any(|linked| linked.epoch.circle == circle && view.contains(dag.node(linked.node)));
        if known && who.are_certified(node, &wraps) {
            let valid = who.may_give(node, &circle, &wraps);
            self.grants.entry(key_id).or_default().push(Grant { node, circle, wraps: wraps.into(), valid });
        }
    }

    /// Decides all again, after standings changed.
    pub(super) fn decide_all(&mut self, who: &Who<'_>) {
        self.newest.clear();
        for index in 0..self.epochs.len() {
            self.decide(who, index);
        }
        for grant in self.grants.values_mut().flatten() {
            grant.valid = who.may_give(grant.node, &grant.circle, &grant.wraps);
        }
    }

    /// The epochs of a circle, by number, then key id, then entry: the valid ones, or all linked.
    pub(super) fn of_circle(&self, circle: &CircleId, valid: bool) -> Vec<&Epoch> {
        let mut epochs: Vec<_> = self
            .epochs
            .iter()
            .filter(|linked| (linked.valid || !valid) && linked.epoch.circle == *circle)
            .map(|linked| &*linked.epoch)
            .collect();
        epochs.sort_by_key(|epoch| (epoch.epoch, epoch.key_id, epoch.entry));
        epochs
    }

    /// The devices that a key was given to by valid epochs and grants.
    pub(super) fn readers(&self, key_id: &KeyId) -> BTreeSet<DeviceId> {
        let epochs = self.of_key(key_id).filter(|linked| linked.valid).flat_map(|linked| &linked.epoch.wraps);
        let grants = self.grants.get(key_id).into_iter().flatten();
        let grants = grants.filter(|grant| grant.valid).flat_map(|grant| &*grant.wraps);
        epochs.chain(grants).map(|wrap| wrap.device).collect()
    }

    /// The circles of the linked epochs with a key, in a view.
    pub(super) fn circles_of(&self, dag: &Dag, key_id: &KeyId, view: View<'_>) -> BTreeSet<CircleId> {
        let here = |linked: &&Linked| view.contains(dag.node(linked.node));
        self.of_key(key_id).filter(here).map(|linked| linked.epoch.circle).collect()
    }

    /// The wraps of a key to a device in linked epochs and held grants, sorted by bytes.
    pub(super) fn wraps(&self, key_id: &KeyId, device: &DeviceId) -> Vec<&Wrap> {
        let epochs = self.of_key(key_id).flat_map(|linked| &linked.epoch.wraps);
        let grants = self.grants.get(key_id).into_iter().flatten().flat_map(|grant| &*grant.wraps);
        let mut wraps: Vec<_> = epochs.chain(grants).filter(|wrap| wrap.device == *device).collect();
        wraps.sort_by_key(|wrap| (wrap.enc, wrap.ct));
        wraps.dedup();
        wraps
    }

    /// What the next epoch of a circle must be.
    pub(super) fn next(&self, dag: &Dag, circle: &CircleId) -> Option<NextEpoch> {
        let top = self.top(dag, circle, View::Everything);
        let maximal = top.iter().filter(|&&index| {
            let node = dag.node(self.epochs[index].node);
            !top.iter().any(|&other| dag.past(self.epochs[other].node).contains(node))
        });
        let prev: BTreeSet<KeyId> = maximal.map(|&index| self.epochs[index].epoch.key_id).collect();
        let sealed = prev.iter().flat_map(|key_id| self.of_key(key_id));
        let highest = sealed.map(|linked| linked.epoch.epoch).max().unwrap_or(0);
        Some(NextEpoch { epoch: highest.checked_add(1)?, prev: prev.into_iter().collect() })
    }

    fn of_key(&self, key_id: &KeyId) -> impl Iterator<Item = &Linked> {
        self.by_key.get(key_id).into_iter().flatten().map(|&index| &self.epochs[index])
    }

    /// The linked epochs that a new one seals, if it is linked.
    fn link(&self, who: &Who<'_>, node: NodeIndex, epoch: &Epoch) -> Option<Vec<usize>> {
        let dag = who.dag;
        let past = dag.past(node);
        let repeated = self.of_key(&epoch.key_id).any(|other| dag.upto(node).contains(dag.node(other.node)));
        if !who.circles.is_named(dag, &epoch.circle, dag.upto(node))
            || epoch.key_id != key_id(&epoch.commit)
            || repeated
            || !who.are_certified(node, &epoch.wraps)
        {
            return None;
        }
        let mut seals = Vec::new();
        for (position, (key_id, _)) in epoch.prev.iter().enumerate() {
            let named = self.by_key.get(key_id).into_iter().flatten().copied().filter(|&index| {
                let linked = &self.epochs[index];
                linked.epoch.circle == epoch.circle && past.contains(dag.node(linked.node))
            });
            let before = seals.len();
            seals.extend(named);
            let twice = epoch.prev[..position].iter().any(|(other, _)| other == key_id);
            if seals.len() == before || twice {
                return None;
            }
        }
        let highest = seals.iter().map(|&index| self.epochs[index].epoch.epoch).max().unwrap_or(0);
        (highest.checked_add(1) == Some(epoch.epoch)).then_some(seals)
    }

    /// Decides one epoch. All earlier ones are decided, and `newest` is of these.
    fn decide(&mut self, who: &Who<'_>, index: usize) {
        let linked = &self.epochs[index];
        let valid = who.may_give(linked.node, &linked.epoch.circle, &linked.epoch.wraps)
            && self.seals_all(who.dag, linked);
        let newest = self.newest.entry(linked.epoch.circle).or_default();
        for sealed in &*linked.seals {
            newest.remove(sealed);
        }
        newest.insert(index);
        self.epochs[index].valid = valid;
    }

    /// Whether an epoch seals every valid one in its past, directly or through others.
    fn seals_all(&self, dag: &Dag, linked: &Linked) -> bool {
        // A valid epoch seals all valid ones before it, so the search stops at valid ones.
        let sealed = self.descend(linked.seals.iter().copied(), |index| self.epochs[index].valid);
        self.top(dag, &linked.epoch.circle, dag.past(linked.node)).into_iter().all(|index| {
            let node = dag.node(self.epochs[index].node);
            sealed.iter().any(|&other| other == index || dag.past(self.epochs[other].node).contains(node))
        })
    }

    /// Valid epochs of a circle in a view, through which every other valid one there is sealed.
    fn top(&self, dag: &Dag, circle: &CircleId, view: View<'_>) -> BTreeSet<usize> {
        self.descend(self.newest.get(circle).into_iter().flatten().copied(), |index| {
            self.epochs[index].valid && view.contains(dag.node(self.epochs[index].node))
        })
    }

    /// The first epochs that fit on every way down from some epochs to what they seal.
    fn descend(&self, from: impl Iterator<Item = usize>, fits: impl Fn(usize) -> bool) -> BTreeSet<usize> {
        let mut open: Vec<usize> = from.collect();
        let mut seen: BTreeSet<usize> = open.iter().copied().collect();
        let mut found = BTreeSet::new();
        while let Some(index) = open.pop() {
            if fits(index) {
                found.insert(index);
            } else {
                open.extend(self.epochs[index].seals.iter().copied().filter(|&sealed| seen.insert(sealed)));
            }
        }
        found
    }
}

/// Who is who, for deciding on keys.
pub(super) struct Who<'d> {
    pub(super) dag: &'d Dag,
    pub(super) members: &'d Members,
    pub(super) circles: &'d Circles,
}

impl Who<'_> {
    /// Whether the author of an entry may give a key of the circle to all these.
    fn may_give(&self, node: NodeIndex, circle: &CircleId, wraps: &[Wrap]) -> bool {
        let view = self.dag.upto(node);
        let author = self.members.standings[node].authority.at(LAST);
        // The author's role is that of its past; the circle may be made in the same entry.
        let writes = author
            .filter(|author| author.may(Role::Writer))
            .and_then(|author| author.user)
            .is_some_and(|user| {
                let role = self.circles.role(self.dag, self.members, circle, &user, view);
                *circle == CircleId::WORKSPACE || role.is_some_and(|role| role >= Role::Writer)
            });
        let for_root = match *circle {
            CircleId::WORKSPACE => CircleSettings::WORKSPACE.for_root,
            _ => self.circles.made(self.dag, circle).is_some_and(|(settings, ..)| settings.for_root),
        };
        writes
            && wraps.iter().all(|wrap| {
                if self.members.is_root(&wrap.device) {
                    for_root
                } else {
                    let user = self.members.standing(self.dag, &wrap.device, view).map(|(user, _)| user);
                    user.is_some_and(|user| {
                        self.circles.role(self.dag, self.members, circle, &user, view).is_some()
                    })
                }
            })
    }

    fn are_certified(&self, node: NodeIndex, wraps: &[Wrap]) -> bool {
        let view = self.dag.upto(node);
        wraps.iter().all(|wrap| {
            self.members.is_root(&wrap.device) || self.members.is_certified(self.dag, &wrap.device, view)
        })
    }
}
