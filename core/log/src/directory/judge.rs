//! Which operations count: rules R1 to R5 for users and devices.
//!
//! An entry is judged by what lies in its past (R1), and by removals and roles that nobody in its
//! past knew of (R2, R5). The latter must be of higher rank, so the evaluation goes down the ranks,
//! level by level. At each level every entry that is still open is judged again, pasts first: what
//! lies in its past counts for it as judged at this level, and removals and roles that were decided
//! at higher levels can void it. An entry is decided at the first level that its author's rank
//! reaches. So whatever lower ranks do changes nothing that higher ranks did, and there is one
//! outcome whatever the order of arrival.
//!
//! In almost all directories nothing is ever voided: then all levels agree, and an arrival is
//! judged once. One that voids something (a race, or an attack) has everything judged again.

use std::collections::BTreeSet;

use super::body::Role;
use super::dag::{Dag, NodeIndex};
use super::members::{Act, Deed, Members};
use super::rank::{Authority, Class, LAST, LEVELS, Level, ROOT_CLASS};
use crate::ids::{DeviceId, UserId};

impl Members {
    /// Takes in the newest entry and its operations. The devices whose rights, or whose entries'
    /// standing, changed by that where others acted before; none in almost all cases.
    pub(super) fn add(&mut self, dag: &Dag, node: NodeIndex, acts: Vec<Act>) -> BTreeSet<DeviceId> {
        self.note(dag, node, acts);
        self.decide(dag, node);
        let voids = self.deeds_of(node).any(|deed| self.voids_others(dag, deed));
        if voids { self.judge_all(dag, node) } else { BTreeSet::new() }
    }

    /// Judges everything that was noted.
    pub(super) fn decide_all(&mut self, dag: &Dag) {
        self.judge_all(dag, usize::MAX);
    }

    pub(super) fn deeds_of(&self, node: NodeIndex) -> impl Iterator<Item = &Deed> {
        self.deeds[self.standings[node].deeds.clone()].iter()
    }

    /// Judges one entry, all others being decided.
    fn decide(&mut self, dag: &Dag, node: NodeIndex) {
        let rank = self.judge(dag, node, 0);
        if !self.contested && !self.is_contested(dag, node) {
            self.standings[node].decided = rank.map(|rank| rank.level());
            return;
        }
        let mut decided = rank.filter(|rank| rank.level() == 0).map(|_| 0);
        for level in 1..LEVELS {
            if decided.is_some() {
                break;
            }
            let rank = self.judge(dag, node, level);
            decided = rank.filter(|rank| rank.level() <= level).map(|_| level);
        }
        self.standings[node].decided = decided;
    }

    /// Whether something not in an entry's past may void it or its operations.
    fn is_contested(&self, dag: &Dag, node: NodeIndex) -> bool {
        let by_author = self.devices.get(&dag.node(node).author).is_some_and(|of_device| {
            self.aside(dag, &of_device.removals.live, node).next().is_some()
                || of_device.users.iter().filter_map(|user| self.users.get(user)).any(|of_user| {
                    self.aside(dag, &of_user.removals.live, node).next().is_some()
                        || self.aside(dag, &of_user.roles.live, node).any(|deed| deed.demotes)
                })
        });
        by_author
            || self.deeds_of(node).any(|deed| match &deed.act {
                Act::AddUser { user, .. } | Act::SetRole { user, .. } => {
                    let roles = self.users.get(user).map_or(&[][..], |of_user| &of_user.roles.live);
                    self.aside(dag, roles, node).next().is_some()
                }
                Act::AddDevice { .. } | Act::RemoveDevice { .. } | Act::RemoveUser { .. } => false,
            })
    }

    /// The deeds of a list that neither know of an entry nor lie in its past.
    fn aside<'m>(
        &'m self,
        dag: &'m Dag,
        list: &'m [usize],
        node: NodeIndex,
    ) -> impl Iterator<Item = &'m Deed> {
        let mut done = false;
        let newest_first = list.iter().rev().map(|&index| &self.deeds[index]);
        newest_first
            .take_while(move |deed| {
                let before = done;
                done |= deed.covers && dag.is_in_past(deed.node, node);
                !before
            })
            .filter(move |deed| self.is_aside(dag, deed, node))
    }

    /// Whether neither an entry nor a deed of another knows of the other.
    fn is_aside(&self, dag: &Dag, deed: &Deed, node: NodeIndex) -> bool {
        deed.node != node && !dag.is_in_past(deed.node, node) && !dag.is_in_past(node, deed.node)
    }

    /// Judges everything again, level by level; the devices for whom the outcome differs from before,
    /// the newest entry left out.
    fn judge_all(&mut self, dag: &Dag, newest: NodeIndex) -> BTreeSet<DeviceId> {
        let before: Vec<(bool, bool)> =
            self.deeds.iter().map(|deed| (deed.counts_at(LAST), deed.demotes)).collect();
        let standings: Vec<_> = self.standings.iter().map(|standing| standing.authority.at(LAST)).collect();
        self.forget();
        let mut open: Vec<NodeIndex> = (0..self.standings.len()).collect();
        let mut ranks = vec![None; open.len()];
        let mut stale = true;
        self.contested = false;
        for level in 0..LEVELS {
            if stale {
                for &node in &open {
                    ranks[node] = self.judge(dag, node, level);
                }
            }
            let due = |node: NodeIndex| ranks[node].is_some_and(|rank: Authority| rank.level() <= level);
            let (decided, rest): (Vec<_>, Vec<_>) = open.iter().partition(|&&node| due(node));
            decided.iter().for_each(|&node: &NodeIndex| self.standings[node].decided = Some(level));
            open = rest;
            stale = decided.iter().any(|&node| self.deeds_of(node).any(|deed| self.voids_others(dag, deed)));
        }
        let mut changed = BTreeSet::new();
        for (deed, before) in self.deeds.iter().zip(before).filter(|(deed, _)| deed.node != newest) {
            if (deed.counts_at(LAST), deed.demotes) != before {
                changed.extend(self.targets(&deed.act));
            }
        }
        for (node, before) in standings.into_iter().enumerate().filter(|(node, _)| *node != newest) {
            if self.standings[node].authority.at(LAST) != before {
                changed.insert(dag.node(node).author);
            }
        }
        changed
    }

    /// The devices whose rights an operation is about.
    pub(super) fn targets(&self, act: &Act) -> Vec<DeviceId> {
        match act {
            Act::RemoveDevice { device, .. } => vec![*device],
            Act::AddUser { user, .. }
            | Act::AddDevice { user, .. }
            | Act::SetRole { user, .. }
            | Act::RemoveUser { user, .. } => self.devices_of(user),
        }
    }

    pub(super) fn devices_of(&self, user: &UserId) -> Vec<DeviceId> {
        self.users.get(user).map_or_else(Vec::new, |of_user| of_user.devices.iter().copied().collect())
    }

    fn forget(&mut self) {
        for deed in &mut self.deeds {
            (deed.counts, deed.demotes) = (0, false);
        }
        self.standings.iter_mut().for_each(|standing| standing.decided = None);
        for of_user in self.users.values_mut() {
            of_user.roles.live.clear();
            of_user.removals.live.clear();
        }
        for of_device in self.devices.values_mut() {
            of_device.additions.live.clear();
            of_device.removals.live.clear();
        }
    }

    /// Judges an open entry and its operations at a level, and gives its author's rank.
    fn judge(&mut self, dag: &Dag, node: NodeIndex, level: Level) -> Option<Authority> {
        let author = dag.node(node).author;
        let rank = self.authority(dag, &author, dag.past(node), level);
        let authority = rank.filter(|rank| !self.is_struck(dag, node, &author, rank, level));
        self.contested |= level > 0 && self.standings[node].authority.at(level) != authority;
        self.standings[node].authority.set_from(level, authority);
        for index in self.standings[node].deeds.clone() {
            let deed = &self.deeds[index];
            let counts = authority.is_some_and(|authority| self.allows(dag, deed, &authority, level));
            let demotes = self.is_demotion(dag, deed, level);
            let bits = u32::MAX << level;
            let deed = &mut self.deeds[index];
            let was_dead = deed.counts == 0;
            self.contested |= level > 0 && deed.counts_at(level) != counts;
            deed.counts = if counts { deed.counts | bits } else { deed.counts & !bits };
            deed.demotes = demotes;
            if was_dead && counts {
                self.enliven(index);
            }
        }
        rank
    }

    /// R2: whether a removal or demotion of the author by a higher rank, decided above this level,
    /// voids an entry. Neither has the other in its past.
    fn is_struck(
        &self,
        dag: &Dag,
        node: NodeIndex,
        author: &DeviceId,
        rank: &Authority,
        level: Level,
    ) -> bool {
        let Some(user) = &rank.user else { return false };
        let strikes = |deed: &Deed, by_seniors: bool| {
            deed.counts_at(level)
                && self.is_decided_above(deed, level)
                && self.standings[deed.node]
                    .authority
                    .at(level)
                    .is_some_and(|remover| (by_seniors || !remover.is_of(user)) && remover.outranks(rank))
        };
        let removals = self.devices.get(author).map_or(&[][..], |of_device| &of_device.removals.live);
        let of_user = self.users.get(user);
        let users = of_user.map_or(&[][..], |of_user| &of_user.removals.live);
        let roles = of_user.map_or(&[][..], |of_user| &of_user.roles.live);
        self.aside(dag, removals, node).any(|deed| strikes(deed, true))
            || self.aside(dag, users, node).any(|deed| strikes(deed, false))
            || self.aside(dag, roles, node).any(|deed| deed.demotes && strikes(deed, false))
    }

    fn is_decided_above(&self, deed: &Deed, level: Level) -> bool {
        self.standings[deed.node].decided.is_some_and(|decided| decided < level)
    }

    /// R1 and R5: whether the author may do this, given what lies in its past.
    fn allows(&self, dag: &Dag, deed: &Deed, author: &Authority, level: Level) -> bool {
        let past = dag.past(deed.node);
        let role_of = |user: &UserId| self.role(dag, user, past, level);
        let may = |user: &UserId| {
            author.is_of(user) || role_of(user).is_some_and(|role| (role as Class) < author.class)
        };
        match &deed.act {
            Act::AddUser { user, role, .. } => {
                (*role as Class) < author.class
                    && !self.roles_counting(user, level).any(|other| {
                        past.contains(dag.node(other.node))
                            && self.class(other, level).is_some_and(|class| class >= author.class)
                    })
                    && !self.is_overruled(dag, deed, user, author, level)
            }
            Act::SetRole { user, role, .. } => {
                (*role as Class) < author.class
                    && may(user)
                    && role_of(user).is_some()
                    && !self.is_overruled(dag, deed, user, author, level)
            }
            // No class does this for somebody else: the device would get whatever keys the user gets.
            Act::AddDevice { user, .. } => {
                role_of(user).is_some() && (author.is_of(user) || author.class == ROOT_CLASS)
            }
            Act::RemoveUser { user, .. } => role_of(user).is_some() && may(user),
            Act::RemoveDevice { device, .. } => {
                let users = self.users_of(dag, device, past);
                let may = |user: &UserId| may(user) || (role_of(user).is_none() && author.may(Role::Admin));
                !users.is_empty() && users.iter().all(may)
            }
        }
    }

    /// R5: of roles given aside from each other only those by the highest class count.
    fn is_overruled(&self, dag: &Dag, deed: &Deed, user: &UserId, author: &Authority, level: Level) -> bool {
        let higher = |other: &Deed| self.class(other, level).is_some_and(|class| class > author.class);
        self.roles_aside(dag, deed, user, level).any(higher)
    }

    /// The roles decided above this level that neither know of a deed nor lie in its past.
    fn roles_aside<'m>(
        &'m self,
        dag: &'m Dag,
        deed: &'m Deed,
        user: &UserId,
        level: Level,
    ) -> impl Iterator<Item = &'m Deed> {
        let live = self.users.get(user).map_or(&[][..], |of_user| &of_user.roles.live);
        self.aside(dag, live, deed.node)
            .filter(move |other| other.counts_at(level) && self.is_decided_above(other, level))
    }

    fn roles_counting(&self, user: &UserId, level: Level) -> impl Iterator<Item = &Deed> {
        let live = self.users.get(user).map_or(&[][..], |of_user| &of_user.roles.live);
        live.iter().rev().map(|&index| &self.deeds[index]).filter(move |deed| deed.counts_at(level))
    }

    fn is_demotion(&self, dag: &Dag, deed: &Deed, level: Level) -> bool {
        let Act::SetRole { user, role, .. } = &deed.act else { return false };
        self.role(dag, user, dag.past(deed.node), level).is_some_and(|before| *role < before)
    }

    /// Whether a decided deed that counts may void what its target did, or a role that others gave,
    /// without knowing of it.
    fn voids_others(&self, dag: &Dag, deed: &Deed) -> bool {
        let decided = self.standings[deed.node].decided;
        if !decided.is_some_and(|level| deed.counts_at(level)) {
            return false;
        }
        let open = |node: NodeIndex| self.is_aside(dag, deed, node);
        let by_device = |device: &DeviceId| {
            self.devices
                .get(device)
                .is_some_and(|of_device| of_device.nodes.iter().rev().any(|&node| open(node)))
        };
        let by_user =
            |user: &UserId| self.users.get(user).is_some_and(|of_user| of_user.devices.iter().any(by_device));
        let role_given = |user: &UserId| {
            self.users
                .get(user)
                .is_some_and(|of_user| self.aside(dag, &of_user.roles.all, deed.node).next().is_some())
        };
        match &deed.act {
            Act::RemoveDevice { device, .. } => by_device(device),
            Act::RemoveUser { user, .. } => by_user(user),
            Act::SetRole { user, .. } => role_given(user) || (deed.demotes && by_user(user)),
            Act::AddUser { user, .. } => role_given(user),
            Act::AddDevice { .. } => false,
        }
    }
}
