//! Ancestry among directory entries.
//!
//! Entries are partitioned into chains: within one, each entry lies in the past of the next. An
//! entry keeps, for every other chain, how many of its entries lie in its past; one lookup then
//! answers whether one entry lies in the past of another. Entries that extend the same chain
//! without merging share that table, so a linear history costs nothing per entry.
//!
//! Which chain an entry joins depends on the order of arrival; what is in whose past does not.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::{DeviceId, EntryId};

/// For each chain, how many of its entries are meant; chains ascending, no zeros.
type Clock = Vec<(u32, u32)>;

/// The number of an entry in the order of arrival, in which parents come first.
pub(super) type NodeIndex = usize;

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) id: EntryId,
    pub(super) author: DeviceId,
    chain: u32,
    /// How many entries of its own chain come before it.
    before: u32,
    /// Its past on the other chains.
    others: Arc<Clock>,
}

/// A set of entries that with each entry holds its past.
#[derive(Debug, Clone, Copy)]
pub(super) enum View<'d> {
    /// Everything held.
    Everything,
    /// A past.
    Past { chain: u32, count: u32, others: &'d Clock },
}

impl View<'_> {
    pub(super) fn contains(&self, node: &Node) -> bool {
        match self {
            Self::Everything => true,
            Self::Past { chain, count, .. } if node.chain == *chain => node.before < *count,
            Self::Past { others, .. } => node.before < count(others, node.chain),
        }
    }
}

fn count(clock: &Clock, chain: u32) -> u32 {
    clock.binary_search_by_key(&chain, |(chain, _)| *chain).map_or(0, |index| clock[index].1)
}

/// The held entries and who descends from whom.
#[derive(Debug, Clone, Default)]
pub(super) struct Dag {
    nodes: Vec<Arc<Node>>,
    by_id: HashMap<EntryId, NodeIndex>,
    /// Length of each chain.
    chains: Vec<u32>,
}

impl Dag {
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn find(&self, id: &EntryId) -> Option<NodeIndex> {
        self.by_id.get(id).copied()
    }

    pub(super) fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index]
    }

    /// The past of an entry, without itself.
    pub(super) fn past(&self, index: NodeIndex) -> View<'_> {
        let node = &self.nodes[index];
        View::Past { chain: node.chain, count: node.before, others: &node.others }
    }

    /// An entry and its past.
    pub(super) fn upto(&self, index: NodeIndex) -> View<'_> {
        let node = &self.nodes[index];
        View::Past { chain: node.chain, count: node.before + 1, others: &node.others }
    }

    /// Whether the first is the second or in its past.
    pub(super) fn is_in_past(&self, ancestor: NodeIndex, of: NodeIndex) -> bool {
        self.upto(of).contains(&self.nodes[ancestor])
    }

    /// Adds an entry that is not held, with parents that are.
    pub(super) fn add(&mut self, id: EntryId, author: DeviceId, parents: &[NodeIndex]) -> NodeIndex {
        let (chain, others) = self.place(parents);
        let before = self.chains[chain as usize];
        self.chains[chain as usize] += 1;
        let index = self.nodes.len();
        self.nodes.push(Arc::new(Node { id, author, chain, before, others }));
        self.by_id.insert(id, index);
        index
    }

    /// The chain that an entry with these parents joins, and its past on the other chains.
    fn place(&mut self, parents: &[NodeIndex]) -> (u32, Arc<Clock>) {
        if let [parent] = parents {
            let parent = &self.nodes[*parent];
            if parent.before + 1 == self.chains[parent.chain as usize] {
                return (parent.chain, Arc::clone(&parent.others));
            }
        }
        let mut past = self.join(parents);
        let whole = |(chain, count): &(u32, u32)| *count == self.chains[*chain as usize];
        let chain = match past.iter().position(whole) {
            Some(position) => past.remove(position).0,
            None => {
                self.chains.push(0);
                u32::try_from(self.chains.len() - 1).expect("fewer than 2^32 directory entries are held")
            }
        };
        let shared =
            parents.iter().map(|&parent| &self.nodes[parent].others).find(|others| ***others == past);
        (chain, shared.map_or_else(|| Arc::new(past), Arc::clone))
    }

    /// The union of entries and their pasts.
    fn join(&self, nodes: &[NodeIndex]) -> Clock {
        let mut all = Clock::new();
        for node in nodes.iter().map(|&index| &self.nodes[index]) {
            if count(&all, node.chain) > node.before {
                continue;
            }
            all = merge(&all, &node.others);
            match all.binary_search_by_key(&node.chain, |(chain, _)| *chain) {
                Ok(index) => all[index].1 = node.before + 1,
                Err(index) => all.insert(index, (node.chain, node.before + 1)),
            }
        }
        all
    }
}

/// The union of two sets of entries.
fn merge(one: &Clock, other: &Clock) -> Clock {
    let mut merged = Clock::with_capacity(one.len() + other.len());
    let mut rest = &other[..];
    for &(chain, count) in one {
        let smaller = rest.iter().take_while(|(other, _)| *other < chain).count();
        merged.extend_from_slice(&rest[..smaller]);
        rest = &rest[smaller..];
        match rest.split_first() {
            Some((&(same, other), after)) if same == chain => {
                merged.push((chain, count.max(other)));
                rest = after;
            }
            _ => merged.push((chain, count)),
        }
    }
    merged.extend_from_slice(rest);
    merged
}
