//! The relays of a workspace.
//!
//! `RelaySet` and `RelayUnset` count if their author is an admin or higher in their past. A
//! setting stands unless a counting operation on the same relay has it in its past; among
//! settings that stand together the highest author class wins, then the smallest entry id.

use std::collections::BTreeMap;

use super::body::Role;
use super::dag::{Dag, NodeIndex};
use super::members::Members;
use super::rank::{Class, LAST};

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
}

/// All operations on relays.
#[derive(Debug, Clone, Default)]
pub(super) struct Relays(BTreeMap<[u8; 32], Vec<Setting>>);

impl Relays {
    /// Takes in an operation of the newest entry.
    pub(super) fn add(&mut self, node: NodeIndex, pk: [u8; 32], url: Option<String>) {
        self.0.entry(pk).or_default().push(Setting { node, url });
    }

    /// The relays as they stand, by key.
    pub(super) fn current(&self, dag: &Dag, members: &Members) -> Vec<Relay> {
        self.0
            .iter()
            .filter_map(|(pk, settings)| Some(Relay { pk: *pk, url: winner(dag, members, settings)? }))
            .collect()
    }
}

/// The class of the author of a setting, if it counts.
fn class(members: &Members, setting: &Setting) -> Option<Class> {
    let author = members.standings[setting.node].authority.at(LAST)?;
    author.may(Role::Admin).then_some(author.class)
}

fn winner(dag: &Dag, members: &Members, settings: &[Setting]) -> Option<String> {
    let mut heads: Vec<(&Setting, Class)> = Vec::new();
    for setting in settings {
        let Some(class) = class(members, setting) else { continue };
        heads.retain(|(earlier, _)| !dag.past(setting.node).contains(dag.node(earlier.node)));
        heads.push((setting, class));
    }
    heads
        .into_iter()
        .filter(|(setting, _)| setting.url.is_some())
        .min_by_key(|(setting, class)| {
            (std::cmp::Reverse(*class), dag.node(setting.node).id, setting.url.clone())
        })?
        .0
        .url
        .clone()
}
