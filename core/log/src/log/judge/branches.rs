//! A chain with its branches, or a part of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::LogError;
use super::super::index::ChainTip;
use super::Source;
use crate::directory::position;
use crate::entry::Header;
use crate::ids::EntryId;

struct Link {
    header: Header,
    source: Source,
    /// Whether it has a sibling.
    begins_branch: bool,
    /// Whether it or an entry before it has a sibling.
    forked: bool,
}

/// Entries of a chain, those that others build on before them.
#[derive(Default)]
pub(super) struct Branches {
    links: HashMap<EntryId, Link>,
    order: Vec<EntryId>,
}

impl Branches {
    /// Adds an entry and those before it, as long as they are found and not added before.
    pub(super) fn add_back_from(
        &mut self,
        last: EntryId,
        mut find: impl FnMut(&EntryId) -> Result<Option<(Header, Source)>, LogError>,
    ) -> Result<(), LogError> {
        let mut next = Some(last);
        while let Some(id) = next.filter(|id| !self.links.contains_key(id)) {
            let Some((header, source)) = find(&id)? else { break };
            next = (header.seq > 1).then_some(header.prev);
            self.links.insert(id, Link { header, source, begins_branch: false, forked: false });
            self.order.push(id);
        }
        self.order.sort_by_key(|id| (self.links[id].header.seq, *id));
        Ok(())
    }

    /// Finds out which entries are past a fork, where these ends of the chain lie below what was added.
    /// Two ends mean that the chain forked before both.
    pub(super) fn mark_forks_above(&mut self, ends: &[ChainTip]) {
        let mut children: HashMap<EntryId, usize> = HashMap::new();
        for link in self.links.values() {
            *children.entry(link.header.prev).or_default() += 1;
        }
        for id in &self.order {
            let prev = self.links[id].header.prev;
            let before = self.links.get(&prev);
            let follows = before.is_some() || ends.is_empty() || ends.iter().any(|end| end.id == prev);
            let begins_branch = children[&prev] > 1 || !follows;
            let forked = begins_branch || ends.len() > 1 || before.is_some_and(|before| before.forked);
            if let Some(link) = self.links.get_mut(id) {
                (link.begins_branch, link.forked) = (begins_branch, forked);
            }
        }
    }

    /// Takes entries out again that nothing else builds on.
    pub(super) fn remove(&mut self, ids: &[EntryId]) {
        for id in ids {
            self.links.remove(id);
        }
        self.order.retain(|id| self.links.contains_key(id));
        self.mark_forks_above(&[]);
    }

    /// All of them, those that others build on first.
    pub(super) fn order(&self) -> &[EntryId] {
        &self.order
    }

    pub(super) fn holds(&self, id: &EntryId) -> bool {
        self.links.contains_key(id)
    }

    pub(super) fn header(&self, id: &EntryId) -> &Header {
        &self.links[id].header
    }

    pub(super) fn prev(&self, id: &EntryId) -> EntryId {
        self.links[id].header.prev
    }

    pub(super) fn source(&self, id: &EntryId) -> Source {
        self.links[id].source
    }

    /// Whether an entry came with the group that is judged.
    pub(super) fn is_staged(&self, id: &EntryId) -> bool {
        matches!(self.links[id].source, Source::Staged(_))
    }

    /// Whether an entry or one before it has a sibling.
    pub(super) fn is_forked(&self, id: &EntryId) -> bool {
        self.links[id].forked
    }

    /// The entries that have a sibling, with their numbers.
    pub(super) fn begun(&self) -> impl Iterator<Item = (&EntryId, u64)> {
        let begun = self.links.iter().filter(|(_, link)| link.begins_branch);
        begun.map(|(id, link)| (id, link.header.seq))
    }

    /// The entries from one back to the first that is here.
    pub(super) fn back_from(&self, id: EntryId) -> impl Iterator<Item = EntryId> {
        let mut next = Some(id).filter(|id| self.links.contains_key(id));
        std::iter::from_fn(move || {
            let id = next?;
            next = Some(self.links[&id].header.prev).filter(|prev| self.links.contains_key(prev));
            Some(id)
        })
    }

    /// The entry before the first that is here on the way back from one.
    pub(super) fn before_first(&self, id: EntryId) -> Option<EntryId> {
        let first = self.back_from(id).last()?;
        let header = &self.links[&first].header;
        (header.seq > 1).then_some(header.prev)
    }

    /// The last entries on each branch of those that are in a set.
    pub(super) fn ends(&self, within: impl Fn(&EntryId) -> bool) -> Vec<ChainTip> {
        let mut ends: BTreeMap<EntryId, ChainTip> = BTreeMap::new();
        let mut covered = HashSet::new();
        for id in self.order.iter().rev().filter(|id| within(id)) {
            if covered.contains(id) {
                continue;
            }
            // What is before one that is covered is so too.
            for before in self.back_from(*id) {
                if !covered.insert(before) {
                    break;
                }
            }
            let header = &self.links[id].header;
            ends.insert(*id, ChainTip { seq: header.seq, id: *id, position: position(header, *id) });
        }
        ends.into_values().collect()
    }
}
