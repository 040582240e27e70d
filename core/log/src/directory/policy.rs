//! Rules of the workspace, and entries whose payloads are to be dropped.
//!
//! A `Policy` counts if its author's class is owner or above. It stands unless another that counts
//! has it in its past; of those that stand the one by the highest class is in force, then the one
//! with the smallest entry id. A `Purge` counts if its author's class is owner or above, or all the
//! entries it names are by devices of the author's user.

use std::collections::BTreeSet;

use super::body::Role;
use super::dag::{Dag, NodeIndex};
use super::members::Members;
use super::op::{Policy, Purged};
use super::rank::{Authority, LAST};
use crate::ids::StreamId;

#[derive(Debug, Clone, Default)]
pub(super) struct Policies {
    set: Vec<(NodeIndex, Policy)>,
    purges: Vec<(NodeIndex, StreamId, Vec<Purged>)>,
}

impl Policies {
    pub(super) fn set(&mut self, node: NodeIndex, policy: Policy) {
        self.set.push((node, policy));
    }

    pub(super) fn purge(&mut self, node: NodeIndex, stream: StreamId, entries: Vec<Purged>) {
        self.purges.push((node, stream, entries));
    }

    /// The policy in force.
    pub(super) fn current(&self, dag: &Dag, members: &Members) -> Policy {
        let by = |node: NodeIndex| owner(members, node);
        let mut heads: Vec<(NodeIndex, Policy)> = Vec::new();
        for &(node, policy) in self.set.iter().filter(|(node, _)| by(*node).is_some()) {
            heads.retain(|(earlier, _)| !dag.past(node).contains(dag.node(*earlier)));
            heads.push((node, policy));
        }
        let first = heads
            .into_iter()
            .min_by_key(|(node, _)| (std::cmp::Reverse(by(*node).map(|by| by.class)), dag.node(*node).id));
        first.map_or_else(Policy::default, |(_, policy)| policy)
    }

    /// The entries of a stream whose payloads are to be dropped.
    pub(super) fn purged(&self, dag: &Dag, members: &Members, stream: &StreamId) -> BTreeSet<Purged> {
        let of_stream = self.purges.iter().filter(|(_, of, _)| of == stream);
        of_stream
            .filter(|(node, _, entries)| {
                let author = members.standings[*node].authority.at(LAST);
                let own = |purged: &Purged| {
                    let users = members.users_of(dag, &purged.device, dag.past(*node));
                    author.is_some_and(|author| {
                        !users.is_empty() && users.iter().all(|user| author.is_of(user))
                    })
                };
                owner(members, *node).is_some() || entries.iter().all(own)
            })
            .flat_map(|(_, _, entries)| entries.iter().copied())
            .collect()
    }
}

fn owner(members: &Members, node: NodeIndex) -> Option<Authority> {
    members.standings[node].authority.at(LAST).filter(|author| author.may(Role::Owner))
}
