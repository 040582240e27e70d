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

use std::collections::HashMap;

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
    certs: Vec<DeviceCert>,
    valid: Option<Authority>,
}

/// All additions, and those that concern a user or device.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    root: Option<DeviceId>,
    additions: Vec<Addition>,
    by_user: HashMap<UserId, Vec<usize>>,
    by_device: HashMap<DeviceId, Vec<usize>>,
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
            let additions = self.by_device.entry(cert.sign_pk).or_default();
            if additions.last() != Some(&index) {
                additions.push(index);
            }
        }
        self.by_user.entry(user).or_default().push(index);
        self.additions.push(Addition { node, user, role, certs, valid: None });
        self.additions[index].valid = self
            .class(dag, &dag.node(node).author, dag.past(node))
            .and_then(|class| self.decide(dag, index, class));
        self.voids_others(dag, index) && self.decide_all(dag)
    }

    /// Whether a certificate of the device lies in the view, in an addition that counts or not.
    pub(super) fn is_certified(&self, dag: &Dag, device: &DeviceId, view: View<'_>) -> bool {
        self.of_device(device).any(|addition| view.contains(dag.node(addition.node)))
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
        let mut user = None;
        let mut counts = false;
        for addition in self.of_device(device).filter(|addition| view.contains(dag.node(addition.node))) {
            if user.is_some_and(|user| user != addition.user) {
                return None;
            }
            user = Some(addition.user);
            counts |= self.counts(dag, addition);
        }
        let user = user.filter(|_| counts)?;
        self.role(dag, &user, view).map(|role| (user, role))
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

    /// All devices ever certified for a user, with repetitions.
    pub(super) fn devices_of(&self, user: &UserId) -> impl Iterator<Item = DeviceId> {
        self.of_user(user).flat_map(|addition| addition.certs.iter().map(|cert| cert.sign_pk))
    }

    /// The newest certificate of a device among additions that count, and the entry that first
    /// added the device: the certificate with the highest version, ties by smallest bytes, and the
    /// entry with the smallest id.
    pub(super) fn certificate(&self, dag: &Dag, device: &DeviceId) -> Option<(&DeviceCert, NodeIndex)> {
        let counting = || self.of_device(device).filter(|addition| self.counts(dag, addition));
        let cert = counting()
            .flat_map(|addition| addition.certs.iter().filter(|cert| cert.sign_pk == *device))
            .min_by_key(|cert| (std::cmp::Reverse(cert.cert_version), cert.encode()))?;
        let added = counting().map(|addition| addition.node).min_by_key(|&node| dag.node(node).id)?;
        Some((cert, added))
    }

    fn of_device(&self, device: &DeviceId) -> impl Iterator<Item = &Addition> {
        self.by_device.get(device).into_iter().flatten().map(|&index| &self.additions[index])
    }

    fn of_user(&self, user: &UserId) -> impl Iterator<Item = &Addition> {
        self.by_user.get(user).into_iter().flatten().map(|&index| &self.additions[index])
    }

    /// The valid `AddUser` of a user.
    fn users_added(&self, user: &UserId) -> impl Iterator<Item = (&Addition, Authority, Role)> {
        self.of_user(user).filter_map(|addition| Some((addition, addition.valid?, addition.role?)))
    }

    /// Whether an addition is valid and its user is a member where it adds.
    fn counts(&self, dag: &Dag, addition: &Addition) -> bool {
        addition.valid.is_some()
            && (addition.role.is_some() || self.role(dag, &addition.user, dag.past(addition.node)).is_some())
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
        self.of_user(&addition.user).any(|other| {
            let Some(theirs) = other.valid else { return false };
            let outranked = match other.role {
                Some(_) => theirs.class < authority.class,
                None => !theirs.own && theirs.class <= role as Class,
            };
            outranked && !past.contains(dag.node(other.node))
        })
    }

    /// Decides all additions again, class by class from the top, in an order that has pasts first.
    fn decide_all(&mut self, dag: &Dag) -> bool {
        let before: Vec<_> = self.additions.iter_mut().map(|addition| addition.valid.take()).collect();
        let mut open: Vec<usize> = (0..self.additions.len()).collect();
        for class in (0..=ROOT_CLASS).rev() {
            open.retain(|&index| {
                let node = self.additions[index].node;
                let decided = self.class(dag, &dag.node(node).author, dag.past(node)) == Some(class);
                if decided {
                    self.additions[index].valid = self.decide(dag, index, class);
                }
                !decided
            });
        }
        self.additions.iter().zip(before).any(|(addition, before)| addition.valid != before)
    }
}
