//! Which entries of a chain count, and where its frontier is.
//!
//! An entry that passed admission is well-formed and rightly chained; whether it **counts** follows
//! from the directory as it is, and changes with it: see [`Directory::may_write`] and
//! [`Directory::limits`]. The tips of a chain are the last entries that count, one on each branch;
//! in stream zero an entry of the directory also stays below a tip if an entry that counts builds on
//! it. What lies past the tips is **withheld**: not offered to anybody, and not taken from anybody;
//! what was stored before stays on disk and counts again when the directory says so. Only what is at
//! or before a cut by its number is taken and stored, withheld, as long as the entry that the cut
//! names is not held: it tells which of several branches counts.
//!
//! Chains of devices that nobody limits are not judged at all: their entries are, one by one, when
//! they arrive.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::LogError;
use super::admit::Stage;
use super::index::{self, ChainKey, ChainTip};
use crate::directory::{Cause, Directory, Limit, position};
use crate::entry::{Header, Kind};
use crate::ids::{EntryId, KeyId, StreamId};

/// Why an entry that is held does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exclusion {
    /// It comes after the last entry that counts of a device that was removed.
    Removed,
    /// Likewise, of a device whose user may not write any more.
    Demoted,
    /// Likewise, of a device whose user left the circle.
    LeftCircle,
    /// It is on another branch of a forked chain than the last entry that counts.
    Fork,
    /// Its author may not write where it acts.
    NotAuthorized,
}

impl Exclusion {
    const ALL: [Self; 5] = [Self::Removed, Self::Demoted, Self::LeftCircle, Self::Fork, Self::NotAuthorized];

    pub(super) const fn number(self) -> u8 {
        self as u8
    }

    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.number() == number)
    }
}

/// What became of an entry that does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) reason: Exclusion,
    /// Whether it lies past all tips of its chain.
    pub(super) withheld: bool,
}

/// Where an entry of a chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Stored(u64),
    Staged(usize),
}

struct Link {
    header: Header,
    source: Source,
    /// Whether it or an entry before it has a sibling.
    forked: bool,
}

/// A chain with all its branches, entries before those that build on them.
#[derive(Default)]
struct Branches {
    links: HashMap<EntryId, Link>,
    order: Vec<EntryId>,
}

impl Branches {
    /// Whether an entry is at or before a cut.
    fn is_within(&self, id: &EntryId, cut: Option<(u64, EntryId)>, up_to_cut: &HashSet<EntryId>) -> bool {
        let Some((seq, last)) = cut else { return false };
        let link = &self.links[id];
        if self.links.contains_key(&last) {
            up_to_cut.contains(id)
        } else {
            link.header.seq <= seq && !link.forked
        }
    }

    /// The entries from one back to the first of its chain.
    fn back_from(&self, id: EntryId) -> impl Iterator<Item = EntryId> {
        let mut next = Some(id).filter(|id| self.links.contains_key(id));
        std::iter::from_fn(move || {
            let id = next?;
            next = Some(self.links[&id].header.prev).filter(|prev| self.links.contains_key(prev));
            Some(id)
        })
    }

    /// The last entries on each branch of those that are in a set.
    fn ends(&self, within: impl Fn(&EntryId) -> bool) -> Vec<ChainTip> {
        let mut ends: BTreeMap<EntryId, ChainTip> = BTreeMap::new();
        let mut covered = HashSet::new();
        for id in self.order.iter().rev().filter(|id| within(id)) {
            if covered.contains(id) {
                continue;
            }
            covered.extend(self.back_from(*id));
            let header = &self.links[id].header;
            ends.insert(*id, ChainTip { seq: header.seq, id: *id, position: position(header, *id) });
        }
        ends.into_values().collect()
    }
}

/// A chain of which it is known what counts.
struct Judged {
    /// As it was before.
    chain: index::Chain,
    branches: Branches,
    verdicts: HashMap<EntryId, Option<Exclusion>>,
    /// Those that do not count now, and may once the entry that a cut names is held.
    in_doubt: HashSet<EntryId>,
}

impl Judged {
    fn counts(&self, id: &EntryId) -> bool {
        self.verdicts[id].is_none()
    }
}

/// What judging a chain needs of the directory, looked up once.
struct Bench<'d> {
    directory: &'d Directory,
    limits: Vec<(Limit, HashSet<EntryId>)>,
    granted: (Option<(u64, EntryId)>, HashSet<EntryId>),
    may_write: HashMap<(EntryId, KeyId), bool>,
}

impl<'d> Bench<'d> {
    fn new(directory: &'d Directory, key: &ChainKey, branches: &Branches) -> Self {
        let up_to = |cut: Option<(u64, EntryId)>| {
            cut.map_or_else(HashSet::new, |(_, id)| branches.back_from(id).collect())
        };
        let limits = directory.limits(&key.1, &key.0);
        let granted = directory.granted(&key.1, &key.0);
        Self {
            directory,
            limits: limits.into_iter().map(|limit| (limit, up_to(limit.cut))).collect(),
            granted: (granted, up_to(granted)),
            may_write: HashMap::new(),
        }
    }

    /// Whether an entry that was judged may count yet: nothing but cuts whose entries are not held is
    /// against it.
    fn is_in_doubt(&self, branches: &Branches, id: &EntryId) -> bool {
        let header = &branches.links[id].header;
        let passes = |cut: Option<(u64, EntryId)>, up_to: &HashSet<EntryId>| {
            let is_open = |(seq, last)| header.seq <= seq && !branches.links.contains_key(&last);
            branches.is_within(id, cut, up_to) || cut.is_some_and(is_open)
        };
        let may = self.may_write.get(&(header.auth, header.key_id)).is_some_and(|may| *may);
        header.kind != Kind::Directory
            && (may || passes(self.granted.0, &self.granted.1))
            && self
                .limits
                .iter()
                .all(|(limit, up_to)| passes(limit.cut, up_to) || !self.directory.binds(limit, header))
    }

    /// Why an entry does not count; `None` if it does.
    fn judge(&mut self, branches: &Branches, id: &EntryId) -> Option<Exclusion> {
        let header = &branches.links[id].header;
        if header.kind == Kind::Directory {
            return (!self.directory.counts(id)).then_some(Exclusion::NotAuthorized);
        }
        let directory = self.directory;
        let may = *self
            .may_write
            .entry((header.auth, header.key_id))
            .or_insert_with(|| directory.may_write(&header.author, &header.auth, &header.key_id).is_ok());
        if !may && !branches.is_within(id, self.granted.0, &self.granted.1) {
            return Some(Exclusion::NotAuthorized);
        }
        let (limit, _) = self.limits.iter().find(|(limit, up_to)| {
            !branches.is_within(id, limit.cut, up_to) && directory.binds(limit, header)
        })?;
        Some(match limit.cause {
            _ if limit.cut.is_some_and(|(seq, _)| header.seq <= seq) => Exclusion::Fork,
            Cause::Removed => Exclusion::Removed,
            Cause::Demoted => Exclusion::Demoted,
            Cause::LeftCircle(_) => Exclusion::LeftCircle,
        })
    }
}

impl Stage<'_> {
    /// Judges the chains that something was said of, and drops what came and is withheld.
    pub(super) fn settle(&mut self) -> Result<(), LogError> {
        let touched = self.directory.take_touched();
        if !touched.is_empty() {
            let keys = self.committed.keys().chain(self.chains.keys());
            let of_touched: Vec<_> = keys.filter(|(_, device)| touched.contains(device)).copied().collect();
            self.dirty.extend(of_touched);
        }
        if self.dirty.is_empty() {
            return Ok(());
        }
        // What stays of stream zero depends on what counts in all chains, others of stream zero too. So
        // all are judged before it is asked what stays: the order of the devices must not matter.
        let (mut zero, mut lost) = (BTreeMap::new(), !touched.is_empty());
        loop {
            while let Some(key) = self.dirty.pop_last() {
                let Some(judged) = self.judge_chain(&key)? else { continue };
                lost |= self.has_lost(&key, &judged);
                if key.0 == StreamId::DIRECTORY {
                    let chain = index::Chain {
                        tips: judged.branches.ends(|id| judged.counts(id)),
                        ..judged.chain.clone()
                    };
                    self.chains.insert(key, chain);
                    zero.insert(key, judged);
                } else {
                    self.conclude(key, &judged, |id| judged.counts(id));
                }
            }
            // What a void entry stayed for may not count any more.
            if !std::mem::take(&mut lost) {
                break;
            }
            self.dirty = self.void_chains();
            self.dirty.retain(|key| !zero.contains_key(key));
        }
        for (key, judged) in zero {
            let built_on: HashSet<EntryId> = judged
                .branches
                .order
                .iter()
                .filter(|id| !judged.counts(id) && self.is_built_on(id))
                .copied()
                .collect();
            self.conclude(key, &judged, |id| judged.counts(id) || built_on.contains(id));
        }
        self.drop_withheld()
    }

    /// Whether something at the tips that counted does so no more.
    fn has_lost(&self, key: &ChainKey, judged: &Judged) -> bool {
        let before = self.committed.get(key).map_or(&[][..], |chain| &chain.tips);
        before.iter().any(|tip| judged.verdicts.get(&tip.id).is_some_and(Option::is_some))
    }

    /// Says of each entry of a chain whether it counts.
    fn judge_chain(&self, key: &ChainKey) -> Result<Option<Judged>, LogError> {
        let Some(chain) = self.chain(key).cloned() else { return Ok(None) };
        let branches = self.branches(&chain.ends)?;
        let mut bench = Bench::new(&self.directory, key, &branches);
        let verdicts: HashMap<EntryId, Option<Exclusion>> =
            branches.order.iter().map(|id| (*id, bench.judge(&branches, id))).collect();
        let excluded = branches.order.iter().filter(|id| verdicts[id].is_some());
        let in_doubt = excluded.filter(|id| bench.is_in_doubt(&branches, id)).copied().collect();
        Ok(Some(Judged { chain, branches, verdicts, in_doubt }))
    }

    /// Sets the tips of a chain by what stays of it, and notes what became of its entries.
    fn conclude(&mut self, key: ChainKey, judged: &Judged, stays: impl Fn(&EntryId) -> bool) {
        let Judged { chain, branches, verdicts, in_doubt } = judged;
        let tips = branches.ends(stays);
        let offered: HashSet<EntryId> = tips.iter().flat_map(|tip| branches.back_from(tip.id)).collect();
        // What is in doubt is stored: a chain comes in parts, and beside a fork no part without the cut
        // could be taken else. So is what it follows.
        let doubted = branches.ends(|id| in_doubt.contains(id));
        let doubted: HashSet<EntryId> = doubted.iter().flat_map(|end| branches.back_from(end.id)).collect();
        let is_kept = |id: &EntryId| {
            offered.contains(id)
                || doubted.contains(id)
                || self.keeps_all
                || matches!(branches.links[id].source, Source::Stored(_))
        };
        let ends = branches.ends(is_kept);
        for id in &branches.order {
            let withheld = !offered.contains(id);
            let verdict = verdicts[id].map(|reason| Verdict { reason, withheld });
            if is_kept(id) {
                self.verdicts.insert(*id, (branches.links[id].source, verdict));
            } else {
                self.verdicts.remove(id);
                self.dropped.insert(*id);
            }
        }
        self.chains.insert(key, index::Chain { number: chain.number, tips, ends });
    }

    /// Whether an entry that counts has this entry of the directory in its past.
    fn is_built_on(&self, id: &EntryId) -> bool {
        self.directory.is_built_on(id)
            || self
                .committed
                .iter()
                .filter(|(key, _)| !self.chains.contains_key(key))
                .chain(&self.chains)
                .flat_map(|(_, chain)| &chain.tips)
                // Those that are entries of the directory themselves were asked above.
                .any(|tip| tip.position != tip.id && self.directory.in_past(id, &tip.position))
    }

    /// Reads a chain from its ends to its beginning.
    fn branches(&self, ends: &[ChainTip]) -> Result<Branches, LogError> {
        let mut branches = Branches::default();
        for end in ends {
            let mut next = Some(end.id);
            while let Some(id) = next.filter(|id| !branches.links.contains_key(id)) {
                let (header, source) = match self.staged.get(&id) {
                    Some(&staged) => (self.entries[staged].header().clone(), Source::Staged(staged)),
                    None => {
                        let Some(arrival) = index::arrival_of(&self.view, &id)? else { break };
                        let Some(entry) = self.shared.read(&self.view, &id)? else { break };
                        (entry.header().clone(), Source::Stored(arrival))
                    }
                };
                next = (header.seq > 1).then_some(header.prev);
                branches.links.insert(id, Link { header, source, forked: false });
                branches.order.push(id);
            }
        }
        branches.order.sort_by_key(|id| (branches.links[id].header.seq, *id));
        let mut children: HashMap<EntryId, usize> = HashMap::new();
        for link in branches.links.values() {
            *children.entry(link.header.prev).or_default() += 1;
        }
        for index in 0..branches.order.len() {
            let id = branches.order[index];
            let prev = branches.links[&id].header.prev;
            let forked = children[&prev] > 1 || branches.links.get(&prev).is_some_and(|link| link.forked);
            if let Some(link) = branches.links.get_mut(&id) {
                link.forked = forked;
            }
        }
        Ok(branches)
    }

    /// Takes what is withheld and was not stored before out of the group again.
    fn drop_withheld(&mut self) -> Result<(), LogError> {
        if self.dropped.is_empty() {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.entries);
        let previous: BTreeMap<EntryId, Option<EntryId>> = std::mem::take(&mut self.positions);
        let of_directory = |id: &EntryId| previous.contains_key(id);
        if self.dropped.iter().any(of_directory) {
            // The directory must hold what the log holds.
            self.directory = self.base.clone();
            for entry in entries.iter().filter(|entry| of_directory(&entry.id())) {
                let id = entry.id();
                if !self.dropped.contains(&id) {
                    let rejected =
                        |error: crate::directory::DirectoryError| LogError::Engine(error.to_string());
                    self.directory.insert(entry, previous[&id]).map_err(rejected)?;
                }
            }
            self.directory.take_touched();
            self.passes.clear();
            self.acts_under.set(None);
        }
        self.staged.clear();
        for entry in entries {
            let id = entry.id();
            if self.dropped.contains(&id) {
                continue;
            }
            if let Some(previous) = previous.get(&id) {
                self.positions.insert(id, *previous);
            }
            if let Some((source, _)) = self.verdicts.get_mut(&id) {
                *source = Source::Staged(self.entries.len());
            }
            self.staged.insert(id, self.entries.len());
            self.entries.push(entry);
        }
        Ok(())
    }

    /// The keys of all chains in stream zero by authors of entries that do not count.
    pub(super) fn void_chains(&self) -> BTreeSet<ChainKey> {
        let authors = self.directory.void_authors().into_iter();
        authors.map(|device| (StreamId::DIRECTORY, device)).collect()
    }
}
