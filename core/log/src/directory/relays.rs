//! The relays of a workspace.
//!
//! `RelaySet` and `RelayUnset` count if their author is an admin or higher in their past. A
//! setting stands unless a counting operation on the same relay has it in its past; among
//! settings that stand together the highest author class wins, then the smallest entry id.

use std::collections::BTreeMap;

use super::body::Role;
use super::dag::{Dag, NodeIndex};
use super::members::{Class, Members};

/// A relay of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Its X25519 key.
    pub pk: [u8; 32],
    /// Where it is.
    pub url: String,
}

#[derive(Debug, Clone)]
struct Setting {
    node: NodeIndex,
    /// `None` takes the relay back.
    url: Option<String>,
    /// The author's class; `None` if the setting does not count.
    class: Option<Class>,
}

/// All operations on relays.
#[derive(Debug, Clone, Default)]
pub(super) struct Relays(BTreeMap<[u8; 32], Vec<Setting>>);

impl Relays {
    /// Takes in an operation of the newest entry.
    pub(super) fn add(
        &mut self,
        dag: &Dag,
        members: &Members,
        node: NodeIndex,
        pk: [u8; 32],
        url: Option<String>,
    ) {
        let class = authority(dag, members, node);
        self.0.entry(pk).or_default().push(Setting { node, url, class });
    }

    /// Decides all again, after standings changed.
    pub(super) fn decide_all(&mut self, dag: &Dag, members: &Members) {
        for setting in self.0.values_mut().flatten() {
            setting.class = authority(dag, members, setting.node);
        }
    }

    /// The relays as they stand, by key.
    pub(super) fn current(&self, dag: &Dag) -> Vec<Relay> {
        self.0
            .iter()
            .filter_map(|(pk, settings)| Some(Relay { pk: *pk, url: winner(dag, settings)? }))
            .collect()
    }
}

fn authority(dag: &Dag, members: &Members, node: NodeIndex) -> Option<Class> {
    members.class(dag, &dag.node(node).author, dag.past(node)).filter(|class| *class >= Role::Admin as Class)
}

fn winner(dag: &Dag, settings: &[Setting]) -> Option<String> {
    let counting = || settings.iter().filter(|setting| setting.class.is_some());
    counting()
        .filter(|setting| !counting().any(|other| dag.past(other.node).contains(dag.node(setting.node))))
        .filter(|setting| setting.url.is_some())
        .min_by_key(|setting| {
            (std::cmp::Reverse(setting.class), dag.node(setting.node).id, setting.url.clone())
        })?
        .url
        .clone()
}
