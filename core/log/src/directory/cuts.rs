//! How far the entries of a device count that was removed, demoted or taken out of a circle.
//!
//! Each of these says, per stream, up to which entry: its **cut**. `AmendCut` moves a cut on where
//! the removal lies in its past, its author's class is at least the remover's, and, where the
//! remover acted on its own user, its author is of that user or of a higher class. Of all cuts
//! offered for one removal the one with the highest number holds, then the one with the smallest
//! id. By an admin or higher it may also name a device whose every addition in its past is void:
//! then entries up to the cut count as if the device were a writer.
//!
//! A removal of the device or its user always binds. A demotion below writer binds until a role
//! that allows writing was given by somebody who knew of it, and a removal from a circle binds
//! what is written with keys of the circle, until an addition that knows of it. Which entries lie
//! on the chain that ends in a cut is for the log.

use std::collections::HashMap;
use std::sync::Arc;

use super::body::Role;
use super::circles::{CircleAct, Circles};
use super::dag::{Dag, NodeIndex, View};
use super::members::{Act, Members};
use super::op::Cut;
use super::rank::{Authority, LAST};
use crate::ids::{CircleId, DeviceId, EntryId, StreamId, UserId};

/// Why the entries of a device count only up to a cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The device or its user was removed.
    Removed,
    /// Its user may not write any more.
    Demoted,
    /// Its user was taken out of a circle.
    LeftCircle(CircleId),
}

/// A point up to which entries of a device count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Limit {
    /// Why there is one.
    pub cause: Cause,
    /// Number and id of the last entry that counts; `None` if none does.
    pub cut: Option<(u64, EntryId)>,
    /// The entry that set the limit.
    pub by: EntryId,
}

/// All amendments, by the device that they name.
#[derive(Debug, Clone, Default)]
pub(super) struct Amendments(HashMap<DeviceId, Vec<(NodeIndex, Cut)>>);

/// What a cut belongs to.
struct Removal<'c> {
    node: NodeIndex,
    cause: Cause,
    cuts: &'c [Cut],
    /// Who removed, and whose device.
    by: Authority,
    user: Option<UserId>,
}

/// The furthest of several cuts in a stream.
fn furthest<'c>(
    cuts: impl Iterator<Item = &'c Cut>,
    device: &DeviceId,
    stream: &StreamId,
) -> Option<(u64, EntryId)> {
    cuts.filter(|cut| cut.device == *device && cut.stream == *stream)
        .map(|cut| (cut.seq, cut.id))
        .min_by_key(|(seq, id)| (std::cmp::Reverse(*seq), *id))
}

impl Amendments {
    pub(super) fn add(&mut self, node: NodeIndex, cuts: Vec<Cut>) {
        for cut in cuts {
            self.0.entry(cut.device).or_default().push((node, cut));
        }
    }

    fn of(&self, device: &DeviceId) -> impl Iterator<Item = &(NodeIndex, Cut)> {
        self.0.get(device).into_iter().flatten()
    }

    /// The limits of a device in a stream, sorted and without repetitions.
    pub(super) fn limits(
        &self,
        dag: &Dag,
        members: &Members,
        circles: &Circles,
        device: &DeviceId,
        stream: &StreamId,
    ) -> Vec<Limit> {
        let mut limits: Vec<_> = removals(dag, members, circles, device)
            .iter()
            .map(|removal| {
                let may = |(node, _): &&(NodeIndex, Cut)| amends(dag, members, *node, removal);
                let amended = self.of(device).filter(may).map(|(_, cut)| cut);
                let cut = furthest(removal.cuts.iter().chain(amended), device, stream);
                Limit { cause: removal.cause, cut, by: dag.node(removal.node).id }
            })
            .collect();
        limits.sort_unstable();
        limits.dedup();
        limits
    }

    /// The cut up to which entries of a device count in a stream although its addition is void.
    pub(super) fn granted(
        &self,
        dag: &Dag,
        members: &Members,
        device: &DeviceId,
        stream: &StreamId,
    ) -> Option<(u64, EntryId)> {
        let grants = |(node, _): &&(NodeIndex, Cut)| grants(dag, members, *node, device);
        furthest(self.of(device).filter(grants).map(|(_, cut)| cut), device, stream)
    }

    /// The devices that some amendment names.
    pub(super) fn devices(&self) -> impl Iterator<Item = &DeviceId> {
        self.0.keys()
    }
}

/// Whether the author of an entry may move the cut of a removal.
fn amends(dag: &Dag, members: &Members, node: NodeIndex, removal: &Removal<'_>) -> bool {
    let Some(author) = members.standings[node].authority.at(LAST) else { return false };
    let of_own_user = removal.user.is_some_and(|user| removal.by.is_of(&user));
    let may = if of_own_user {
        author.class > removal.by.class || author.user == removal.by.user
    } else {
        author.class >= removal.by.class
    };
    may && dag.past(node).contains(dag.node(removal.node))
}

/// Whether the author of an entry may let entries of a device count although its additions are void.
fn grants(dag: &Dag, members: &Members, node: NodeIndex, device: &DeviceId) -> bool {
    let past = dag.past(node);
    members.standings[node].authority.at(LAST).is_some_and(|author| author.may(Role::Admin))
        && members.is_certified(dag, device, past)
        && members.certificate(dag, device, past).is_none()
}

/// Whether what an entry says of the cuts of a device counts.
pub(super) fn may_amend(
    dag: &Dag,
    members: &Members,
    circles: &Circles,
    node: NodeIndex,
    device: &DeviceId,
) -> bool {
    grants(dag, members, node, device)
        || removals(dag, members, circles, device).iter().any(|removal| amends(dag, members, node, removal))
}

/// The removals and demotions of a device that count.
fn removals<'m>(
    dag: &Dag,
    members: &'m Members,
    circles: &'m Circles,
    device: &DeviceId,
) -> Vec<Removal<'m>> {
    let mut removals = Vec::new();
    let Some(of_device) = members.devices.get(device) else { return removals };
    let users = members.users_of(dag, device, View::Everything);
    let mut push = |node: NodeIndex, cause, cuts: &'m Arc<[Cut]>, by: Option<Authority>, user| {
        removals.extend(by.map(|by| Removal { node, cause, cuts, by, user }));
    };
    let deeds = |live: &'m [usize]| {
        live.iter().map(|&index| &members.deeds[index]).filter(|deed| deed.counts_at(LAST))
    };
    let author = |node: NodeIndex| members.standings[node].authority.at(LAST);
    for deed in deeds(&of_device.removals.live) {
        if let Act::RemoveDevice { cuts, .. } = &deed.act {
            let own = users.iter().copied().find(|user| author(deed.node).is_some_and(|by| by.is_of(user)));
            push(deed.node, Cause::Removed, cuts, author(deed.node), own);
        }
    }
    for user in &users {
        let Some(of_user) = members.users.get(user) else { continue };
        for deed in deeds(&of_user.removals.live).chain(deeds(&of_user.roles.live)) {
            match &deed.act {
                Act::RemoveUser { cuts, .. } => {
                    push(deed.node, Cause::Removed, cuts, author(deed.node), Some(*user));
                }
                Act::SetRole { role: Role::Reader, cuts, .. } if deed.demotes => {
                    push(deed.node, Cause::Demoted, cuts, author(deed.node), Some(*user));
                }
                _ => {}
            }
        }
        for (circle, deed) in circles.removals(user) {
            if let CircleAct::Remove { cuts, .. } = &deed.act {
                push(deed.node, Cause::LeftCircle(*circle), cuts, deed.by, Some(*user));
            }
        }
    }
    removals
}

/// Whether a limit still binds what a device writes where it knows of this view.
pub(super) fn binds(
    dag: &Dag,
    members: &Members,
    circles: &Circles,
    device: &DeviceId,
    limit: (Cause, NodeIndex),
    view: View<'_>,
) -> bool {
    let users = members.users_of(dag, device, View::Everything);
    let (cause, removal) = limit;
    match cause {
        Cause::Removed => true,
        Cause::Demoted => !users.iter().filter_map(|user| members.users.get(user)).any(|of_user| {
            members.said(&of_user.roles.live, dag, view, LAST).any(|deed| {
                deed.act.role().is_some_and(|role| role >= Role::Writer)
                    && dag.past(deed.node).contains(dag.node(removal))
            })
        }),
        Cause::LeftCircle(circle) => {
            !users.iter().any(|user| circles.is_undone(dag, &circle, user, removal, view))
        }
    }
}
