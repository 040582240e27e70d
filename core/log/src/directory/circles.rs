//! Circles: named subsets of the members with keys of their own.
//!
//! `CircleNew` counts if its author is an admin or higher and nothing in its past made the circle;
//! it makes the author's user a writer there. `CircleAdd` counts if the role is below the author's
//! class, the author's user is in the circle or its class is owner or above, and a user who is in
//! the circle already is of a lower class or the author's own. `CircleRemove` counts if the user's
//! class is below the author's, or it is the author's own user. The circle must be made in the
//! past, or earlier in the entry.
//!
//! In a set of entries a user is in a circle if some addition there counts that has every removal
//! of it in its past: of an addition and a removal aside from each other the removal stands. Its
//! role is that of the additions that no other has in its past: of those by the highest class the
//! lowest. A user who is no member of the workspace is in no circle.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::body::Role;
use super::dag::{Dag, NodeIndex, View};
use super::members::Members;
use super::op::{CircleSettings, Cut};
use super::rank::{Authority, Class, LAST};
use crate::ids::{CircleId, UserId};

#[derive(Debug, Clone)]
pub(super) enum CircleAct {
    New { settings: CircleSettings, name_commit: [u8; 32] },
    Add { user: UserId, role: Role },
    Remove { user: UserId, cuts: Arc<[Cut]> },
}

/// An operation on a circle.
#[derive(Debug, Clone)]
pub(super) struct CircleDeed {
    pub(super) node: NodeIndex,
    pub(super) act: CircleAct,
    /// Who did it, if it counts.
    pub(super) by: Option<Authority>,
}

/// One circle.
#[derive(Debug, Clone, Default)]
struct Circle {
    deeds: Vec<CircleDeed>,
    /// Per user, the deeds that add or remove it; whoever makes the circle is added by that.
    by_user: HashMap<UserId, Vec<usize>>,
    /// The deeds that made it; more than one only if its maker repeats itself.
    made: Vec<usize>,
}

/// All operations on circles.
#[derive(Debug, Clone, Default)]
pub(super) struct Circles(BTreeMap<CircleId, Arc<Circle>>);

impl Circles {
    /// Notes an operation of the newest entry, undecided.
    pub(super) fn note(&mut self, node: NodeIndex, id: CircleId, act: CircleAct) {
        if id != CircleId::WORKSPACE {
            let circle = Arc::make_mut(self.0.entry(id).or_default());
            circle.deeds.push(CircleDeed { node, act, by: None });
        }
    }

    /// Decides the operation on a circle that was noted last.
    pub(super) fn settle_newest(&mut self, dag: &Dag, members: &Members, id: &CircleId) {
        if let Some(circle) = self.0.get_mut(id) {
            let newest = circle.deeds.len() - 1;
            Arc::make_mut(circle).settle(dag, members, newest);
        }
    }

    /// Whether the operation on a circle that was noted last counts.
    pub(super) fn newest_counts(&self, id: &CircleId) -> bool {
        let newest = self.0.get(id).and_then(|circle| circle.deeds.last());
        newest.is_some_and(|deed| deed.by.is_some())
    }

    /// Decides all again, after standings changed; the users of whom something else counts now.
    pub(super) fn decide_all(&mut self, dag: &Dag, members: &Members) -> BTreeSet<UserId> {
        let mut touched = BTreeSet::new();
        for circle in self.0.values_mut() {
            let circle = Arc::make_mut(circle);
            let before: Vec<_> = circle.deeds.iter_mut().map(|deed| deed.by.take()).collect();
            let earlier = std::mem::take(&mut circle.by_user);
            circle.made.clear();
            for index in 0..circle.deeds.len() {
                circle.settle(dag, members, index);
            }
            if circle.deeds.iter().zip(before).any(|(deed, before)| deed.by != before) {
                touched.extend(earlier.into_keys().chain(circle.by_user.keys().copied()));
            }
        }
        touched
    }

    /// Whether a view has an operation that makes the circle, whether it counts or not.
    pub(super) fn is_named(&self, dag: &Dag, id: &CircleId, view: View<'_>) -> bool {
        *id == CircleId::WORKSPACE
            || self.0.get(id).is_some_and(|circle| {
                circle.deeds.iter().any(|deed| {
                    matches!(deed.act, CircleAct::New { .. }) && view.contains(dag.node(deed.node))
                })
            })
    }

    /// The circles that somebody made, without circle zero.
    pub(super) fn ids(&self) -> impl Iterator<Item = &CircleId> {
        self.0.iter().filter(|(_, circle)| !circle.made.is_empty()).map(|(id, _)| id)
    }

    /// Whether all that an entry says about a circle counts.
    pub(super) fn counts(&self, id: &CircleId, node: NodeIndex) -> bool {
        self.0.get(id).is_some_and(|circle| {
            circle.deeds.iter().filter(|deed| deed.node == node).all(|deed| deed.by.is_some())
        })
    }

    /// Settings, name commitment and entry of a circle; of several the one by the highest class,
    /// then the smallest entry id.
    pub(super) fn made(&self, dag: &Dag, id: &CircleId) -> Option<(CircleSettings, [u8; 32], NodeIndex)> {
        let circle = self.0.get(id)?;
        let made = circle.made.iter().map(|&index| &circle.deeds[index]);
        let first =
            made.min_by_key(|deed| (std::cmp::Reverse(deed.by.map(|by| by.class)), dag.node(deed.node).id))?;
        match first.act {
            CircleAct::New { settings, name_commit } => Some((settings, name_commit, first.node)),
            CircleAct::Add { .. } | CircleAct::Remove { .. } => None,
        }
    }

    /// The role of a user in a circle in a view; in circle zero that in the workspace.
    pub(super) fn role(
        &self,
        dag: &Dag,
        members: &Members,
        id: &CircleId,
        user: &UserId,
        view: View<'_>,
    ) -> Option<Role> {
        let in_workspace = members
            .role(dag, user, view, LAST)
            .filter(|_| !members.is_user_removed(dag, user, view, LAST))?;
        if *id == CircleId::WORKSPACE {
            return Some(in_workspace);
        }
        Some(self.0.get(id)?.role(dag, user, view)?.min(in_workspace))
    }

    /// The users ever added to a circle, in no order.
    pub(super) fn users(&self, id: &CircleId) -> impl Iterator<Item = &UserId> {
        self.0.get(id).into_iter().flat_map(|circle| circle.by_user.keys())
    }

    /// The removals of a user from circles that count.
    pub(super) fn removals(&self, user: &UserId) -> impl Iterator<Item = (&CircleId, &CircleDeed)> {
        self.0.iter().flat_map(move |(id, circle)| {
            let removals = circle.of(user).filter(|deed| matches!(deed.act, CircleAct::Remove { .. }));
            removals.map(move |deed| (id, deed))
        })
    }

    /// Whether a view has an addition of the user that counts and knows of the removal.
    pub(super) fn is_undone(
        &self,
        dag: &Dag,
        id: &CircleId,
        user: &UserId,
        removal: NodeIndex,
        view: View<'_>,
    ) -> bool {
        self.0.get(id).is_some_and(|circle| {
            circle.of(user).any(|deed| {
                matches!(deed.act, CircleAct::Add { .. })
                    && view.contains(dag.node(deed.node))
                    && dag.past(deed.node).contains(dag.node(removal))
            })
        })
    }
}

impl Circle {
    /// The deeds on a user that count.
    fn of(&self, user: &UserId) -> impl Iterator<Item = &CircleDeed> {
        self.by_user.get(user).into_iter().flatten().map(|&index| &self.deeds[index])
    }

    /// Decides a deed; all earlier ones are decided.
    fn settle(&mut self, dag: &Dag, members: &Members, index: usize) {
        let deed = &self.deeds[index];
        let Some(author) = members.standings[deed.node].authority.at(LAST) else { return };
        if !self.allows(dag, members, index, &author) {
            return;
        }
        let user = match &deed.act {
            CircleAct::New { .. } => {
                self.made.push(index);
                author.user
            }
            CircleAct::Add { user, .. } | CircleAct::Remove { user, .. } => Some(*user),
        };
        if let Some(user) = user {
            self.by_user.entry(user).or_default().push(index);
        }
        self.deeds[index].by = Some(author);
    }

    fn allows(&self, dag: &Dag, members: &Members, index: usize, author: &Authority) -> bool {
        let deed = &self.deeds[index];
        let past = dag.past(deed.node);
        // What an entry says earlier counts for what it says later.
        let view = dag.upto(deed.node);
        let made = self.made.iter().any(|&made| view.contains(dag.node(self.deeds[made].node)));
        let may = |user: &UserId| {
            let role = members.role(dag, user, past, LAST);
            author.is_of(user) || role.is_none_or(|role| (role as Class) < author.class)
        };
        match &deed.act {
            CircleAct::New { .. } => !made && author.may(Role::Admin) && author.user.is_some(),
            CircleAct::Add { user, role } => {
                let belongs = author.may(Role::Owner)
                    || author.user.is_some_and(|own| self.role(dag, &own, view).is_some());
                made && belongs
                    && (*role as Class) < author.class
                    && (self.role(dag, user, view).is_none() || may(user))
            }
            CircleAct::Remove { user, .. } => made && may(user),
        }
    }

    fn role(&self, dag: &Dag, user: &UserId, view: View<'_>) -> Option<Role> {
        let knows =
            |deed: &CircleDeed, other: &CircleDeed| dag.past(deed.node).contains(dag.node(other.node));
        let here = |deed: &&CircleDeed| view.contains(dag.node(deed.node));
        let removals: Vec<_> =
            self.of(user).filter(|deed| matches!(deed.act, CircleAct::Remove { .. })).filter(here).collect();
        let given = |deed: &CircleDeed| match deed.act {
            CircleAct::New { .. } => Some(Role::Writer),
            CircleAct::Add { role, .. } => Some(role),
            CircleAct::Remove { .. } => None,
        };
        let added: Vec<_> = self
            .of(user)
            .filter(here)
            .filter(|deed| removals.iter().all(|removal| knows(deed, removal)))
            .filter_map(|deed| Some((deed, deed.by?.class, given(deed)?)))
            .collect();
        let heads = || added.iter().filter(|(deed, ..)| !added.iter().any(|(other, ..)| knows(other, deed)));
        let highest = heads().map(|(_, class, _)| *class).max()?;
        heads().filter(|(_, class, _)| *class == highest).map(|(_, _, role)| *role).min()
    }
}
