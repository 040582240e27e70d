//! Users, their roles and their devices: what was said of them, and what follows where.
//!
//! Holds the operations on users and devices with the answer whether they count, and says from
//! those that count who is who in a set of entries. Whether they count is decided in `judge`. The
//! answers are given for a level of that evaluation; [`LAST`] is the outcome.
//!
//! In a set of entries that holds the past of each:
//!
//! * A user's role comes from the `AddUser` and `SetRole` of it that count and that no other of
//!   these has in its past: of those by the highest author class the lowest role.
//! * A device is active for its user if an `AddUser` or `AddDevice` that counts names it, the user
//!   has a role, no removal of either counts, and no certificate there certifies the device for
//!   another user. Certificates for two users carry the device's own signature, so they count
//!   against it whoever shows them; in the present state where that counts or is built on.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::body::Role;
use super::certificate::DeviceCert;
use super::dag::{Dag, NodeIndex, View};
use super::op::Cut;
use super::rank::{Authority, Class, DEPTH_MAX, LAST, Level, Steps};
use crate::ids::{DeviceId, EntryId, UserId};

/// An operation on users or devices whose certificates are good.
#[derive(Debug, Clone)]
pub(super) enum Act {
    AddUser { user: UserId, role: Role, certs: Arc<[DeviceCert]> },
    AddDevice { user: UserId, certs: Arc<[DeviceCert]> },
    SetRole { user: UserId, role: Role, cuts: Arc<[Cut]> },
    RemoveDevice { device: DeviceId, cuts: Arc<[Cut]> },
    RemoveUser { user: UserId, cuts: Arc<[Cut]> },
}

impl Act {
    /// The certificates that it shows.
    pub(super) fn certs(&self) -> &[DeviceCert] {
        match self {
            Self::AddUser { certs, .. } | Self::AddDevice { certs, .. } => certs,
            _ => &[],
        }
    }

    /// The role that it gives.
    pub(super) const fn role(&self) -> Option<Role> {
        match self {
            Self::AddUser { role, .. } | Self::SetRole { role, .. } => Some(*role),
            _ => None,
        }
    }
}

/// An operation and what became of it.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    pub(super) node: NodeIndex,
    pub(super) act: Act,
    /// Bit n: whether it counts at level n.
    pub(super) counts: u32,
    /// For a `SetRole`: whether the role is lower than the one before.
    pub(super) demotes: bool,
    /// Whether all earlier deeds in the same list lie in its past.
    pub(super) covers: bool,
}

impl Deed {
    pub(super) const fn counts_at(&self, level: Level) -> bool {
        self.counts >> level & 1 == 1
    }
}

/// The author of an entry, as judged.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// The level at which it was decided; `None` as long as it was not.
    pub(super) decided: Option<Level>,
    /// What the author may do there; `None` without standing, or if the entry is void.
    pub(super) authority: Steps<Option<Authority>>,
    pub(super) deeds: Range<usize>,
}

/// Numbers of deeds: all that were said, and those that count on some level. The others may be
/// many: anybody known can repeat them.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) all: Vec<usize>,
    pub(super) live: Vec<usize>,
}

/// What was said of a user.
#[derive(Debug, Clone, Default)]
pub(super) struct OfUser {
    pub(super) roles: Said,
    pub(super) removals: Said,
    /// Devices certified for it.
    pub(super) devices: Arc<BTreeSet<DeviceId>>,
}

/// What was said of a device, and by it.
#[derive(Debug, Clone, Default)]
pub(super) struct OfDevice {
    /// Deeds with a certificate of it.
    pub(super) additions: Said,
    pub(super) removals: Said,
    /// The users it is certified for.
    pub(super) users: Vec<UserId>,
    /// The entries by it.
    pub(super) nodes: Vec<NodeIndex>,
}

/// All that was said of users and devices.
#[derive(Debug, Clone, Default)]
pub(super) struct Members {
    pub(super) root: Option<DeviceId>,
    pub(super) standings: Vec<Standing>,
    pub(super) deeds: Vec<Deed>,
    pub(super) users: HashMap<UserId, OfUser>,
    pub(super) devices: HashMap<DeviceId, OfDevice>,
    /// Whether what counts differs between levels.
    pub(super) contested: bool,
    /// The entries by authors with standing that are in no other such entry's past.
    pub(super) heads: BTreeSet<(NodeIndex, EntryId)>,
    /// Devices that were shown as those of several users, and whose they were when last looked at.
    pub(super) equivocal: BTreeMap<DeviceId, Vec<UserId>>,
}

impl Members {
    pub(super) fn is_root(&self, device: &DeviceId) -> bool {
        self.root.as_ref() == Some(device)
    }

    /// Notes the newest entry with its operations, undecided.
    pub(super) fn note(&mut self, dag: &Dag, node: NodeIndex, acts: Vec<Act>) {
        let author = dag.node(node).author;
        if !self.is_root(&author) {
            self.devices.entry(author).or_default().nodes.push(node);
        }
        let first = self.deeds.len();
        for act in acts {
            self.note_deed(dag, node, act);
        }
        let deeds = first..self.deeds.len();
        self.standings.push(Standing { decided: None, authority: Steps::new(None), deeds });
    }

    fn note_deed(&mut self, dag: &Dag, node: NodeIndex, act: Act) {
        let index = self.deeds.len();
        for cert in act.certs() {
            let of_device = self.devices.entry(cert.sign_pk).or_default();
            if of_device.additions.all.last() != Some(&index) {
                of_device.additions.all.push(index);
            }
        }
        if let Act::AddUser { user, certs, .. } | Act::AddDevice { user, certs } = &act {
            let of_user = self.users.entry(*user).or_default();
            for cert in &**certs {
                Arc::make_mut(&mut of_user.devices).insert(cert.sign_pk);
                let users = &mut self.devices.entry(cert.sign_pk).or_default().users;
                if !users.contains(user) {
                    if users.len() == 1 {
                        self.equivocal.insert(cert.sign_pk, users.clone());
                    }
                    users.push(*user);
                }
            }
        }
        let list = self.list_of(&act).map(|list| {
            list.all.push(index);
            &list.all
        });
        let before = list.and_then(|all| all.len().checked_sub(2).map(|before| all[before]));
        let covers = before.is_none_or(|before| {
            let before = &self.deeds[before];
            before.covers && dag.past(node).contains(dag.node(before.node))
        });
        self.deeds.push(Deed { node, act, counts: 0, demotes: false, covers });
    }

    fn user(&mut self, user: UserId) -> &mut OfUser {
        self.users.entry(user).or_default()
    }

    /// Where an operation is listed besides under the devices that it certifies.
    fn list_of(&mut self, act: &Act) -> Option<&mut Said> {
        Some(match act {
            Act::AddUser { user, .. } | Act::SetRole { user, .. } => &mut self.user(*user).roles,
            Act::AddDevice { .. } => return None,
            Act::RemoveUser { user, .. } => &mut self.user(*user).removals,
            Act::RemoveDevice { device, .. } => &mut self.devices.entry(*device).or_default().removals,
        })
    }

    /// Puts a deed that counts on some level where the queries look for it.
    pub(super) fn enliven(&mut self, index: usize) {
        let act = self.deeds[index].act.clone();
        for cert in act.certs() {
            let live = &mut self.devices.entry(cert.sign_pk).or_default().additions.live;
            if live.last() != Some(&index) {
                live.push(index);
            }
        }
        if let Some(list) = self.list_of(&act) {
            list.live.push(index);
        }
    }

    /// Whether a deed held already shows this certificate for this user, so that it is good.
    pub(super) fn has_certificate(&self, user: &UserId, cert: &DeviceCert) -> bool {
        self.devices.get(&cert.sign_pk).is_some_and(|of_device| {
            of_device.additions.all.iter().any(|&index| match &self.deeds[index].act {
                Act::AddUser { user: named, certs, .. } | Act::AddDevice { user: named, certs } => {
                    named == user && certs.contains(cert)
                }
                _ => false,
            })
        })
    }

    /// Whether an entry shows its certificates in a view. Of everything held only what counts does, and
    /// what that builds on: whether any other entry is held is a matter of luck, see `log::judge`, and no
    /// two replicas may differ because of it.
    fn is_shown(&self, dag: &Dag, node: NodeIndex, view: View<'_>) -> bool {
        match view {
            View::Everything => self.heads.iter().any(|(head, _)| dag.is_in_past(node, *head)),
            View::Past { .. } => view.contains(dag.node(node)),
        }
    }

    /// Whether a certificate of the device is shown in a view, in a deed that counts or not.
    pub(super) fn is_certified(&self, dag: &Dag, device: &DeviceId, view: View<'_>) -> bool {
        let all = self.devices.get(device).map_or(&[][..], |of_device| &of_device.additions.all);
        all.iter().any(|&index| self.is_shown(dag, self.deeds[index].node, view))
    }

    /// The devices that belong to other users than when this was last asked, as far as any was shown for
    /// several.
    pub(super) fn settle_equivocal(&mut self, dag: &Dag) -> Vec<DeviceId> {
        let mut equivocal = std::mem::take(&mut self.equivocal);
        let mut changed = Vec::new();
        for (device, before) in &mut equivocal {
            let users = self.users_of(dag, device, View::Everything);
            if *before != users {
                changed.push(*device);
                *before = users;
            }
        }
        self.equivocal = equivocal;
        changed
    }

    /// The users that a device is certified for in a view.
    pub(super) fn users_of(&self, dag: &Dag, device: &DeviceId, view: View<'_>) -> Vec<UserId> {
        let Some(of_device) = self.devices.get(device) else { return Vec::new() };
        if let [user] = of_device.users[..] {
            return if self.is_certified(dag, device, view) { vec![user] } else { Vec::new() };
        }
        let mut users = BTreeSet::new();
        for deed in of_device.additions.all.iter().map(|&index| &self.deeds[index]) {
            if let Act::AddUser { user, .. } | Act::AddDevice { user, .. } = &deed.act
                && !users.contains(user)
                && self.is_shown(dag, deed.node, view)
            {
                users.insert(*user);
            }
        }
        users.into_iter().collect()
    }

    /// What a device may do in a view.
    pub(super) fn authority(
        &self,
        dag: &Dag,
        device: &DeviceId,
        view: View<'_>,
        level: Level,
    ) -> Option<Authority> {
        if self.is_root(device) {
            return Some(Authority::ROOT);
        }
        let of_device = self.devices.get(device)?;
        let user = match of_device.users[..] {
            [user] => user,
            [] => return None,
            [..] => {
                let users = self.users_of(dag, device, view);
                users.first().copied().filter(|_| users.len() == 1)?
            }
        };
        if self.is_removed(dag, device, &user, view, level) {
            return None;
        }
        let depth = self
            .said(&of_device.additions.live, dag, view, level)
            .map(|deed| self.depth(deed, &user, level))
            .min()?;
        let role = self.role(dag, &user, view, level)?;
        Some(Authority { user: Some(user), class: role as Class, depth })
    }

    /// What a device may do now, or might do at the last moment before it was removed.
    pub(super) fn last_authority(&self, dag: &Dag, device: &DeviceId) -> Option<Authority> {
        self.authority(dag, device, View::Everything, LAST).or_else(|| {
            self.removals_of(dag, device)
                .filter_map(|deed| self.authority(dag, device, dag.past(deed.node), LAST))
                .min_by_key(Authority::level)
        })
    }

    /// The removals of a device or its users that count.
    fn removals_of(&self, dag: &Dag, device: &DeviceId) -> impl Iterator<Item = &Deed> {
        let of_device = self.devices.get(device);
        let alone = of_device.map_or(&[][..], |of_device| &of_device.removals.live);
        let users = self.users_of(dag, device, View::Everything);
        let with_user = users.into_iter().filter_map(|user| self.users.get(&user));
        let with_user = with_user.flat_map(|of_user| &of_user.removals.live);
        alone.iter().chain(with_user).map(|&index| &self.deeds[index]).filter(|deed| deed.counts_at(LAST))
    }

    /// Whether some removal of a device voids what the device does without knowing of it. A removal that
    /// follows another is held against what the device might do before the first: in its own past the
    /// device has no standing any more.
    pub(super) fn is_removed_aside(&self, dag: &Dag, device: &DeviceId) -> bool {
        let Some(target) = self.last_authority(dag, device) else { return false };
        self.removals_of(dag, device).any(|deed| {
            let by_seniors = matches!(deed.act, Act::RemoveDevice { .. });
            let remover = self.standings[deed.node].authority.at(LAST);
            remover.is_some_and(|remover| {
                (by_seniors || remover.user != target.user) && remover.outranks(&target)
            })
        })
    }

    /// The user of a device and its role in a view, if the device is active there.
    pub(super) fn standing(&self, dag: &Dag, device: &DeviceId, view: View<'_>) -> Option<(UserId, Role)> {
        let authority = self.authority(dag, device, view, LAST)?;
        let role = Role::ALL.into_iter().find(|role| *role as Class == authority.class)?;
        Some((authority.user?, role))
    }

    /// Whether a removal of a device or its user counts in a view.
    pub(super) fn is_removed(
        &self,
        dag: &Dag,
        device: &DeviceId,
        user: &UserId,
        view: View<'_>,
        level: Level,
    ) -> bool {
        let device = self.devices.get(device).map_or(&[][..], |of_device| &of_device.removals.live);
        self.said(device, dag, view, level).next().is_some() || self.is_user_removed(dag, user, view, level)
    }

    pub(super) fn is_user_removed(&self, dag: &Dag, user: &UserId, view: View<'_>, level: Level) -> bool {
        let live = self.users.get(user).map_or(&[][..], |of_user| &of_user.removals.live);
        self.said(live, dag, view, level).next().is_some()
    }

    /// The role of a user in a view, removed or not; `None` if it never had one there.
    pub(super) fn role(&self, dag: &Dag, user: &UserId, view: View<'_>, level: Level) -> Option<Role> {
        let live = &self.users.get(user)?.roles.live;
        let mut heads: Vec<(&Deed, Class, Role)> = Vec::new();
        for deed in live.iter().rev().map(|&index| &self.deeds[index]) {
            if !deed.counts_at(level) || !view.contains(dag.node(deed.node)) {
                continue;
            }
            let is_in_past_of = |later: &Deed| dag.past(later.node).contains(dag.node(deed.node));
            if !heads.iter().any(|(later, ..)| is_in_past_of(later)) {
                let class = self.class(deed, level)?;
                heads.retain(|(later, ..)| !dag.past(deed.node).contains(dag.node(later.node)));
                heads.push((deed, class, deed.act.role()?));
            }
            if deed.covers {
                break;
            }
        }
        let highest = heads.iter().map(|(_, class, _)| *class).max()?;
        heads.iter().filter(|(_, class, _)| *class == highest).map(|(_, _, role)| *role).min()
    }

    /// The class of the author of a deed that counts.
    pub(super) fn class(&self, deed: &Deed, level: Level) -> Option<Class> {
        self.standings[deed.node].authority.at(level).map(|authority| authority.class)
    }

    /// The depth that an addition gives to a device of the user.
    fn depth(&self, deed: &Deed, user: &UserId, level: Level) -> u8 {
        match (&deed.act, self.standings[deed.node].authority.at(level)) {
            (Act::AddDevice { .. }, Some(author)) if author.is_of(user) => (author.depth + 1).min(DEPTH_MAX),
            _ => 0,
        }
    }

    /// The deeds of a list that count in a view.
    pub(super) fn said<'m, 'v>(
        &'m self,
        live: &'m [usize],
        dag: &'v Dag,
        view: View<'v>,
        level: Level,
    ) -> impl Iterator<Item = &'m Deed> + use<'m, 'v> {
        live.iter()
            .map(|&index| &self.deeds[index])
            .filter(move |deed| deed.counts_at(level) && view.contains(dag.node(deed.node)))
    }

    /// The certificate of a device that is in force, and the entry that first added it: of the
    /// additions that count in a view the certificate with the highest version, ties by smallest
    /// bytes, and the entry with the smallest id.
    pub(super) fn certificate(
        &self,
        dag: &Dag,
        device: &DeviceId,
        view: View<'_>,
    ) -> Option<(&DeviceCert, NodeIndex)> {
        let live = &self.devices.get(device)?.additions.live;
        let cert = self
            .said(live, dag, view, LAST)
            .flat_map(|deed| deed.act.certs().iter().filter(|cert| cert.sign_pk == *device))
            .min_by_key(|cert| (std::cmp::Reverse(cert.cert_version), cert.encode()))?;
        let added =
            self.said(live, dag, view, LAST).map(|deed| deed.node).min_by_key(|&node| dag.node(node).id)?;
        Some((cert, added))
    }
}
