//! Users, their roles and their devices: which additions count.
//!
//! An addition is **valid** by these rules, where its author's class is the one it has in the
//! state of the valid additions in the addition's own past (root 4, owner 3, admin 2, writer 1,
//! reader 0):
//!
//! * `AddUser`: the role is below the author's class; the first certificate's device hashes to the
//!   user id; every certificate is good. Void if a valid `AddUser` of the same user by at least
//!   the author's class lies in its past, or if one by a higher class exists anywhere that does
//!   not have it in its past.
//! * `AddDevice`: the author is a device of that user, or its class is above every role that a
//!   valid `AddUser` gives the user without having the addition in its past. It counts where a
//!   valid `AddUser` of the user lies in its past.
//!
//! In a set of entries a user has the lowest role among the valid `AddUser` by the highest author
//! class in the set; a device counts if a valid addition in the set names it, unless the set
//! holds good certificates of it for two users.
//!
//! A later arrival can thus void an addition, but only one by a higher class. So validity is
//! decided class by class from the top: whether an addition counts depends on higher classes, and
//! within its own class on its past alone. An arrival that voids nothing is decided by itself;
//! one that voids something (a race, or an attack) has everything decided again. Removal and
//! demotion belong here too: they void by the same order.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::body::Role;
use super::certificate::DeviceCert;
use super::dag::{Dag, NodeIndex, View};
use crate::ids::{DeviceId, UserId};

/// Standing of an author: the number of its role, or [`ROOT_CLASS`].
pub(super) type Class = u8;
/// The class of the root key.
pub(super) const ROOT_CLASS: Class = 4;

/// Why a valid addition counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Authority {
    class: Class,
    /// The author is a device of the user itself.
    own: bool,
}

/// An `AddUser` or `AddDevice` whose certificates are good.
#[derive(Debug, Clone)]
struct Addition {
    node: NodeIndex,
    user: UserId,
    /// The role that an `AddUser` gives; `None` for an `AddDevice`.
    role: Option<Role>,
    certs: Arc<[DeviceCert]>,
    valid: Option<Authority>,
}

/// The additions that concern one user or device. Those that do not count may be many: anybody
/// known can repeat them.
#[derive(Debug, Clone, Default)]
struct Mentions {
    all: Vec<usize>,
    valid: Vec<usize>,
}

/// All additions, and those that concern a user or device.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    root: Option<DeviceId>,
    additions: Vec<Addition>,
    by_user: HashMap<UserId, Mentions>,
    by_device: HashMap<DeviceId, Mentions>,
    /// Devices with certificates for more than one user.
    ambiguous: HashSet<DeviceId>,
}

impl Members {
    pub(super) fn set_root(&mut self, root: DeviceId) {
        self.root = Some(root);
    }

    /// Takes in an addition of the newest entry. Its certificates were checked.
    ///
    /// True if that changed whether an earlier addition counts.
    pub(super) fn add(
        &mut self,
        dag: &Dag,
        node: NodeIndex,
        user: UserId,
        role: Option<Role>,
        certs: Vec<DeviceCert>,
    ) -> bool {
        let index = self.additions.len();
        for cert in &certs {
            let mentions = self.by_device.entry(cert.sign_pk).or_default();
            if mentions.all.first().is_some_and(|&first| self.additions[first].user != user) {
                self.ambiguous.insert(cert.sign_pk);
            }
            if mentions.all.last() != Some(&index) {
                mentions.all.push(index);
            }
        }
        self.by_user.entry(user).or_default().all.push(index);
        self.additions.push(Addition { node, user, role, certs: certs.into(), valid: None });
        if let Some(class) = self.class(dag, &dag.node(node).author, dag.past(node)) {
            self.settle(dag, index, class);
        }
        self.voids_others(dag, index) && self.settle_all(dag)
    }

    /// Whether an addition held already has this certificate for this user, so that it is good.
    pub(super) fn has_certificate(&self, user: &UserId, cert: &DeviceCert) -> bool {
        self.mentions_of(&cert.sign_pk)
            .any(|addition| addition.user == *user && addition.certs.contains(cert))
    }

    /// Whether a certificate of the device lies in the view, in an addition that counts or not.
    pub(super) fn is_certified(&self, dag: &Dag, device: &DeviceId, view: View<'_>) -> bool {
        self.mentions_of(device).any(|addition| view.contains(dag.node(addition.node)))
    }

    pub(super) fn is_root(&self, device: &DeviceId) -> bool {
        self.root.as_ref() == Some(device)
    }

    /// The author class of a device in a view; `None` without standing.
    pub(super) fn class(&self, dag: &Dag, device: &DeviceId, view: View<'_>) -> Option<Class> {
        if self.is_root(device) {
            return Some(ROOT_CLASS);
        }
        self.standing(dag, device, view).map(|(_, role)| role as Class)
    }

    /// The user of a device and its role in a view, if the device counts there.
    pub(super) fn standing(&self, dag: &Dag, device: &DeviceId, view: View<'_>) -> Option<(UserId, Role)> {
        let user = if self.ambiguous.contains(device) {
            let in_view = |addition: &&Addition| view.contains(dag.node(addition.node));
            let mut users = self.mentions_of(device).filter(in_view).map(|addition| addition.user);
            let user = users.next()?;
            users.all(|other| other == user).then_some(user)?
        } else {
            self.mentions_of(device).next()?.user
        };
        let counts =
            |addition: &Addition| view.contains(dag.node(addition.node)) && self.counts(dag, addition);
        let active = self.valid_of_device(device).any(counts);
        active.then(|| self.role(dag, &user, view)).flatten().map(|role| (user, role))
    }

    /// The role of a user in a view; `None` if it is not a member there.
    pub(super) fn role(&self, dag: &Dag, user: &UserId, view: View<'_>) -> Option<Role> {
        let mut best: Option<(Class, Role)> = None;
        for (addition, authority, role) in self.users_added(user) {
            let better = best.is_none_or(|(class, lowest)| {
                authority.class > class || (authority.class == class && role < lowest)
            });
            if better && view.contains(dag.node(addition.node)) {
                best = Some((authority.class, role));
            }
        }
        best.map(|(_, role)| role)
    }

    /// All users ever named, in no order.
    pub(super) fn users(&self) -> impl Iterator<Item = &UserId> {
        self.by_user.keys()
    }

    /// The devices that valid additions name for a user, with repetitions.
    pub(super) fn devices_of(&self, user: &UserId) -> impl Iterator<Item = DeviceId> {
        self.valid_of_user(user).flat_map(|addition| addition.certs.iter().map(|cert| cert.sign_pk))
    }

    /// The newest certificate of a device among additions that count, and the entry that first
    /// added the device: the certificate with the highest version, ties by smallest bytes, and the
    /// entry with the smallest id.
    pub(super) fn certificate(&self, dag: &Dag, device: &DeviceId) -> Option<(&DeviceCert, NodeIndex)> {
        let counting = || self.valid_of_device(device).filter(|addition| self.counts(dag, addition));
        let cert = counting()
            .flat_map(|addition| addition.certs.iter().filter(|cert| cert.sign_pk == *device))
            .min_by_key(|cert| (std::cmp::Reverse(cert.cert_version), cert.encode()))?;
        let added = counting().map(|addition| addition.node).min_by_key(|&node| dag.node(node).id)?;
        Some((cert, added))
    }

    /// The additions with a certificate of a device, whether they count or not.
    fn mentions_of(&self, device: &DeviceId) -> impl Iterator<Item = &Addition> {
        self.by_device
            .get(device)
            .into_iter()
            .flat_map(|mentions| &mentions.all)
            .map(|&index| &self.additions[index])
    }

    fn valid_of_device(&self, device: &DeviceId) -> impl Iterator<Item = &Addition> {
        self.by_device
            .get(device)
            .into_iter()
            .flat_map(|mentions| &mentions.valid)
            .map(|&index| &self.additions[index])
    }

    fn valid_of_user(&self, user: &UserId) -> impl Iterator<Item = &Addition> {
        self.by_user
            .get(user)
            .into_iter()
            .flat_map(|mentions| &mentions.valid)
            .map(|&index| &self.additions[index])
    }

    /// The valid `AddUser` of a user.
    fn users_added(&self, user: &UserId) -> impl Iterator<Item = (&Addition, Authority, Role)> {
        self.valid_of_user(user).filter_map(|addition| Some((addition, addition.valid?, addition.role?)))
    }

    /// Whether a valid addition counts: its user is a member where it adds.
    fn counts(&self, dag: &Dag, addition: &Addition) -> bool {
        addition.role.is_some() || self.role(dag, &addition.user, dag.past(addition.node)).is_some()
    }

    /// Records what [`Members::decide`] says about an undecided addition.
    fn settle(&mut self, dag: &Dag, index: usize, class: Class) {
        let Some(authority) = self.decide(dag, index, class) else { return };
        let addition = &mut self.additions[index];
        addition.valid = Some(authority);
        let by_user = self.by_user.get_mut(&addition.user);
        by_user.expect("each addition is indexed by its user").valid.push(index);
        for cert in &*addition.certs {
            let by_device = self.by_device.get_mut(&cert.sign_pk);
            by_device.expect("each addition is indexed by its devices").valid.push(index);
        }
    }

    /// Decides one addition, given its author's class and that all is decided that it depends on.
    fn decide(&self, dag: &Dag, index: usize, class: Class) -> Option<Authority> {
        let addition = &self.additions[index];
        let past = dag.past(addition.node);
        let in_past_of = |other: NodeIndex| dag.past(other).contains(dag.node(addition.node));
        let own = self
            .standing(dag, &dag.node(addition.node).author, past)
            .is_some_and(|(user, _)| user == addition.user);
        let allowed = match addition.role {
            Some(role) => {
                class > role as Class
                    && !self.users_added(&addition.user).any(|(other, authority, _)| {
                        (authority.class >= class && past.contains(dag.node(other.node)))
                            || (authority.class > class && !in_past_of(other.node))
                    })
            }
            None => {
                own || !self
                    .users_added(&addition.user)
                    .any(|(other, _, role)| role as Class >= class && !in_past_of(other.node))
            }
        };
        allowed.then_some(Authority { class, own })
    }

    /// Whether a decided addition voids one that counts so far.
    fn voids_others(&self, dag: &Dag, index: usize) -> bool {
        let addition = &self.additions[index];
        let (Some(authority), Some(role)) = (addition.valid, addition.role) else { return false };
        let past = dag.past(addition.node);
        self.valid_of_user(&addition.user).any(|other| {
            let Some(theirs) = other.valid else { return false };
            let outranked = match other.role {
                Some(_) => theirs.class < authority.class,
                None => !theirs.own && theirs.class <= role as Class,
            };
            outranked && !past.contains(dag.node(other.node))
        })
    }

    /// Decides all additions again, class by class from the top, pasts first; true if any changed.
    fn settle_all(&mut self, dag: &Dag) -> bool {
        let before: Vec<_> = self.additions.iter_mut().map(|addition| addition.valid.take()).collect();
        self.by_user.values_mut().for_each(|mentions| mentions.valid.clear());
        self.by_device.values_mut().for_each(|mentions| mentions.valid.clear());
        let mut open: Vec<usize> = (0..self.additions.len()).collect();
        for class in (0..=ROOT_CLASS).rev() {
            open.retain(|&index| {
                let node = self.additions[index].node;
                let is_due = self.class(dag, &dag.node(node).author, dag.past(node)) == Some(class);
                if is_due {
                    self.settle(dag, index, class);
                }
                !is_due
            });
        }
        self.additions.iter().zip(before).any(|(addition, before)| addition.valid != before)
    }
}
