//! What judging a chain needs of the directory, looked up once.

use std::collections::{HashMap, HashSet};

use super::super::LogError;
use super::super::index::ChainKey;
use super::Exclusion;
use super::branches::Branches;
use crate::directory::{Cause, Directory, Limit};
use crate::entry::Kind;
use crate::ids::{EntryId, KeyId};

/// A cut, and what of the chain leads to it.
struct Reach {
    cut: Option<(u64, EntryId)>,
    /// The entries up to the one that the cut names; `None` while that is not held: the cut is **open**.
    up_to: Option<HashSet<EntryId>>,
}

impl Reach {
    /// Whether an entry is at or before the cut.
    fn is_within(&self, branches: &Branches, id: &EntryId) -> bool {
        match (self.cut, &self.up_to) {
            (None, _) => false,
            (Some(_), Some(up_to)) => up_to.contains(id),
            (Some((seq, _)), None) => branches.header(id).seq <= seq && !branches.is_forked(id),
        }
    }

    /// Whether an entry with this number may turn out to be at or before the cut.
    fn is_open_at(&self, seq: u64) -> bool {
        self.up_to.is_none() && self.cut.is_some_and(|(last, _)| seq <= last)
    }
}

/// The limits of a chain's author, and what it may write where.
pub(super) struct Bench<'d> {
    directory: &'d Directory,
    limits: Vec<(Limit, Reach)>,
    granted: Reach,
    may_write: HashMap<(EntryId, KeyId), bool>,
}

impl<'d> Bench<'d> {
    /// `holds` says whether an entry is held and part of the chain, those included that are not among
    /// the branches here: these are new then, and do not lead to what was held before.
    pub(super) fn new(
        directory: &'d Directory,
        key: &ChainKey,
        branches: &Branches,
        mut holds: impl FnMut(&EntryId) -> Result<bool, LogError>,
    ) -> Result<Self, LogError> {
        let mut reach = |cut: Option<(u64, EntryId)>| -> Result<Reach, LogError> {
            let up_to = match cut {
                Some((_, last)) if !holds(&last)? => None,
                cut => Some(cut.map_or_else(HashSet::new, |(_, last)| branches.back_from(last).collect())),
            };
            Ok(Reach { cut, up_to })
        };
        let granted = reach(directory.granted(&key.1, &key.0))?;
        let limits = directory.limits(&key.1, &key.0).into_iter();
        let limits = limits.map(|limit| Ok((limit, reach(limit.cut)?))).collect::<Result<_, LogError>>()?;
        Ok(Self { directory, limits, granted, may_write: HashMap::new() })
    }

    fn reaches(&self) -> impl Iterator<Item = &Reach> {
        self.limits.iter().map(|(_, reach)| reach).chain([&self.granted])
    }

    /// All cuts.
    pub(super) fn cuts(&self) -> impl Iterator<Item = (u64, EntryId)> {
        self.reaches().filter_map(|reach| reach.cut)
    }

    /// Whether it is open for an entry with this number whether it is at or before some cut.
    pub(super) fn is_open_at(&self, seq: u64) -> bool {
        self.reaches().any(|reach| reach.is_open_at(seq))
    }

    /// Why entries do not count; `None` for those that do.
    pub(super) fn judge_all(&mut self, branches: &Branches) -> HashMap<EntryId, Option<Exclusion>> {
        branches.order().iter().map(|id| (*id, self.judge(branches, id))).collect()
    }

    fn judge(&mut self, branches: &Branches, id: &EntryId) -> Option<Exclusion> {
        let header = branches.header(id);
        if header.kind == Kind::Directory {
            return (!self.directory.counts(id)).then_some(Exclusion::NotAuthorized);
        }
        let directory = self.directory;
        let may = *self
            .may_write
            .entry((header.auth, header.key_id))
            .or_insert_with(|| directory.may_write(&header.author, &header.auth, &header.key_id).is_ok());
        if !may && !self.granted.is_within(branches, id) {
            return Some(Exclusion::NotAuthorized);
        }
        let (limit, _) = self
            .limits
            .iter()
            .find(|(limit, reach)| !reach.is_within(branches, id) && directory.binds(limit, header))?;
        Some(match limit.cause {
            _ if limit.cut.is_some_and(|(seq, _)| header.seq <= seq) => Exclusion::Fork,
            Cause::Removed => Exclusion::Removed,
            Cause::Demoted => Exclusion::Demoted,
            Cause::LeftCircle(_) => Exclusion::LeftCircle,
        })
    }

    /// Whether an entry that was judged may count yet: nothing but cuts whose entries are not held is
    /// against it.
    pub(super) fn is_in_doubt(&self, branches: &Branches, id: &EntryId) -> bool {
        let header = branches.header(id);
        let passes = |reach: &Reach| reach.is_within(branches, id) || reach.is_open_at(header.seq);
        let may = self.may_write.get(&(header.auth, header.key_id)).is_some_and(|may| *may);
        header.kind != Kind::Directory
            && (may || passes(&self.granted))
            && self.limits.iter().all(|(limit, reach)| passes(reach) || !self.directory.binds(limit, header))
    }
}
