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
//! they arrive. Of other chains only what is new is looked at, however long they are: what was judged
//! before stands until the directory says something of the device, the entry that a cut names comes,
//! or the chain gets another branch before an open cut. Only then is a chain read from its ends to
//! its beginning, so nobody can have it read again and again by sending what does not count.

mod bench;
mod branches;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::LogError;
use super::admit::{CHAIN_ENDS_MAX, Stage};
use super::index::{self, Chain, ChainKey, ChainTip};
use crate::entry::Header;
use crate::ids::{EntryId, StreamId};
use bench::Bench;
use branches::Branches;

/// Most headers of stream zero that are remembered for judging: 5 MB.
const ZERO_HEADERS_MAX: usize = 16_384;

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

/// A chain, or the new part of one, of which it is known what counts.
struct Judged {
    branches: Branches,
    verdicts: HashMap<EntryId, Option<Exclusion>>,
    /// New entries that do not count now, and are stored because they may once the entry that a cut
    /// names is held; and those that they follow.
    doubted: HashSet<EntryId>,
    /// Tips and ends that were not looked at: they stay unless something new follows them.
    beside: (Vec<ChainTip>, Vec<ChainTip>),
    /// New entries that were found not to be stored, and cast no doubt on others.
    dropped: Vec<EntryId>,
}

impl Judged {
    fn counts(&self, id: &EntryId) -> bool {
        self.verdicts[id].is_none()
    }

    /// Last entries of branches, those that were not looked at included, in order of their ids.
    fn with_beside(ends: Vec<ChainTip>, beside: impl Iterator<Item = ChainTip>) -> Vec<ChainTip> {
        let all: BTreeMap<EntryId, ChainTip> =
            ends.into_iter().chain(beside).map(|end| (end.id, end)).collect();
        all.into_values().collect()
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
            self.touched.extend(&touched);
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
                    let chain = self.chain(&key).cloned();
                    let tips = judged.branches.ends(|id| judged.counts(id));
                    self.chains.extend(chain.map(|chain| (key, Chain { tips, ..chain })));
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
                .order()
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

    /// Says of the entries of a chain whether they count: of the new ones, where that is enough.
    fn judge_chain(&self, key: &ChainKey) -> Result<Option<Judged>, LogError> {
        let Some(chain) = self.chain(key) else { return Ok(None) };
        if key.0 != StreamId::DIRECTORY && !self.touched.contains(&key.1) {
            let judged = self.judge_new(key, chain)?;
            if judged.is_some() {
                return Ok(judged);
            }
        }
        self.judge_whole(key, chain).map(Some)
    }

    /// Judges a whole chain.
    fn judge_whole(&self, key: &ChainKey, chain: &Chain) -> Result<Judged, LogError> {
        let mut branches = self.branches(&chain.ends)?;
        let mut dropped = Vec::new();
        loop {
            let mut bench = Bench::new(&self.directory, key, &branches, |id| Ok(branches.holds(id)))?;
            let verdicts = bench.judge_all(&branches);
            let doubted = self.doubted(key, &bench, &branches, &verdicts);
            let has_open_cut = bench.is_open_at(1);
            let mut judged = Judged { branches, verdicts, doubted, beside: Default::default(), dropped };
            // What is not stored is no proof of a fork, or the next judgement would be another one.
            let unkept =
                if key.0 != StreamId::DIRECTORY && has_open_cut { self.unkept(&judged) } else { Vec::new() };
            if unkept.is_empty() {
                return Ok(judged);
            }
            judged.branches.remove(&unkept);
            judged.dropped.extend(unkept);
            (branches, dropped) = (judged.branches, judged.dropped);
        }
    }

    /// Judges the new entries of a chain, reading nothing that was judged before but what they bring
    /// back. `None` if what was judged before has to be judged again.
    fn judge_new(&self, key: &ChainKey, chain: &Chain) -> Result<Option<Judged>, LogError> {
        let (tips, ends) =
            self.committed.get(key).map_or((&[][..], &[][..]), |before| (&before.tips, &before.ends));
        let mut branches = Branches::default();
        for end in &chain.ends {
            branches.add_back_from(end.id, |id| Ok(self.of_group(id)))?;
        }
        branches.mark_forks_above(ends);
        let mut bench = Bench::new(&self.directory, key, &branches, |id| self.is_of_chain(key, id))?;
        if bench.cuts().any(|(_, last)| branches.holds(&last)) {
            return Ok(None);
        }
        let mut verdicts = bench.judge_all(&branches);
        let doubted = self.doubted(key, &bench, &branches, &verdicts);
        let counting = branches.ends(|id| verdicts[id].is_none());
        let counts: HashSet<EntryId> = counting.iter().flat_map(|tip| branches.back_from(tip.id)).collect();
        let kept = |id: &EntryId| self.keeps_all || counts.contains(id) || doubted.contains(id);
        if branches.begun().any(|(id, seq)| kept(id) && bench.is_open_at(seq)) {
            return Ok(None);
        }
        // What was withheld before comes back if something that counts follows it.
        let firsts: Vec<EntryId> = counting.iter().filter_map(|tip| branches.before_first(tip.id)).collect();
        for first in firsts {
            branches.add_back_from(first, |id| {
                let Some(arrival) = index::arrival_of(&self.view, id)? else { return Ok(None) };
                let verdict = index::verdict(&self.view, arrival)?;
                let is_tip = tips.iter().any(|tip| tip.id == *id);
                if !is_tip && !verdict.is_some_and(|verdict| verdict.withheld) {
                    return Ok(None);
                }
                verdicts.insert(*id, verdict.map(|verdict| verdict.reason));
                Ok(self
                    .shared
                    .read_at(&self.view, arrival)?
                    .map(|entry| (entry.header().clone(), Source::Stored(arrival))))
            })?;
        }
        let unseen =
            |ends: &[ChainTip]| ends.iter().filter(|end| !branches.holds(&end.id)).cloned().collect();
        let beside = (unseen(tips), unseen(ends));
        Ok(Some(Judged { branches, verdicts, doubted, beside, dropped: Vec::new() }))
    }

    /// The new entries of a chain that are stored although they do not count, with those that they
    /// follow. A chain comes in parts, and beside a fork no part without the entry that a cut names
    /// could be taken else. Where there are as many branches as are kept, no further one is begun.
    fn doubted(
        &self,
        key: &ChainKey,
        bench: &Bench<'_>,
        branches: &Branches,
        verdicts: &HashMap<EntryId, Option<Exclusion>>,
    ) -> HashSet<EntryId> {
        let held = self.committed.get(key).map_or(&[][..], |chain| &chain.ends);
        let mut room = CHAIN_ENDS_MAX.saturating_sub(held.len());
        let (mut doubted, mut followed) = (HashSet::new(), HashSet::new());
        for end in branches.ends(|id| verdicts[id].is_some() && bench.is_in_doubt(branches, id)) {
            let is_new = |id: &EntryId| branches.is_staged(id) && !doubted.contains(id);
            let new: Vec<EntryId> = branches.back_from(end.id).take_while(is_new).collect();
            let Some(before) = new.last().map(|first| branches.prev(first)) else { continue };
            let follows = held.iter().any(|end| end.id == before) && followed.insert(before);
            if !follows && room == 0 {
                continue;
            }
            room -= usize::from(!follows);
            doubted.extend(new);
        }
        doubted
    }

    /// The new entries of a chain that are not stored.
    fn unkept(&self, judged: &Judged) -> Vec<EntryId> {
        let branches = &judged.branches;
        let tips = branches.ends(|id| judged.counts(id));
        let offered: HashSet<EntryId> = tips.iter().flat_map(|tip| branches.back_from(tip.id)).collect();
        let is_kept = |id: &EntryId| {
            self.keeps_all || !branches.is_staged(id) || offered.contains(id) || judged.doubted.contains(id)
        };
        branches.order().iter().filter(|id| !is_kept(id)).copied().collect()
    }

    /// Sets the tips of a chain by what stays of it, and notes what became of its entries.
    fn conclude(&mut self, key: ChainKey, judged: &Judged, stays: impl Fn(&EntryId) -> bool) {
        let Judged { branches, verdicts, doubted, beside, dropped } = judged;
        let tips = branches.ends(stays);
        let offered: HashSet<EntryId> = tips.iter().flat_map(|tip| branches.back_from(tip.id)).collect();
        let is_kept = |id: &EntryId| {
            offered.contains(id) || doubted.contains(id) || self.keeps_all || !branches.is_staged(id)
        };
        let ends = branches.ends(is_kept);
        let followed: HashSet<EntryId> =
            branches.order().iter().filter(|id| is_kept(id)).map(|id| branches.prev(id)).collect();
        for id in branches.order() {
            let withheld = !offered.contains(id);
            let verdict = verdicts[id].map(|reason| Verdict { reason, withheld });
            if is_kept(id) {
                self.verdicts.insert(*id, (branches.source(id), verdict));
            } else {
                self.verdicts.remove(id);
                self.dropped.insert(*id);
            }
        }
        for id in dropped {
            self.verdicts.remove(id);
            self.dropped.insert(*id);
        }
        let Some(number) = self.chain(&key).map(|chain| chain.number) else { return };
        let tips = Judged::with_beside(tips, beside.0.iter().cloned());
        let unfollowed = beside.1.iter().filter(|end| !followed.contains(&end.id));
        let ends = Judged::with_beside(ends, unfollowed.cloned());
        self.chains.insert(key, Chain { number, tips, ends });
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
            branches.add_back_from(end.id, |id| match self.of_group(id) {
                Some(staged) => Ok(Some(staged)),
                None => self.stored(id),
            })?;
        }
        branches.mark_forks_above(&[]);
        Ok(branches)
    }

    /// An entry that is stored. Those of stream zero are remembered: its chains are judged whole, when
    /// anything in it does not count.
    fn stored(&self, id: &EntryId) -> Result<Option<(Header, Source)>, LogError> {
        if let Some((header, arrival)) = super::lock(&self.shared.zero).get(id) {
            return Ok(Some((header.clone(), Source::Stored(*arrival))));
        }
        let Some(arrival) = index::arrival_of(&self.view, id)? else { return Ok(None) };
        let Some(entry) = self.shared.read_at(&self.view, arrival)? else { return Ok(None) };
        let header = entry.header();
        if header.stream == StreamId::DIRECTORY {
            let mut zero = super::lock(&self.shared.zero);
            if zero.len() >= ZERO_HEADERS_MAX {
                zero.clear();
            }
            zero.insert(*id, (header.clone(), arrival));
        }
        Ok(Some((header.clone(), Source::Stored(arrival))))
    }

    /// An entry of the group.
    fn of_group(&self, id: &EntryId) -> Option<(Header, Source)> {
        let staged = *self.staged.get(id)?;
        Some((self.entries[staged].header().clone(), Source::Staged(staged)))
    }

    /// Whether an entry is held and of this chain.
    fn is_of_chain(&self, key: &ChainKey, id: &EntryId) -> Result<bool, LogError> {
        let header = match self.of_group(id) {
            Some((header, _)) => Some(header),
            None => self.shared.read(&self.view, id)?.map(|entry| entry.header().clone()),
        };
        Ok(header.is_some_and(|header| (header.stream, header.author) == *key))
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
