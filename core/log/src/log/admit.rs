//! Decides which entries may join the log: the same answer on every replica.
//!
//! Checks go cheapest first: workspace, directory entry acted under, author known, position in the
//! chain, and only then a signature, one for each run of entries that link to each other.
//! So an outsider can never make a replica verify a signature. A [`Stage`] collects what passed,
//! as an overlay on the index; it becomes real only after the segments hold it durably. Whether an
//! entry that passed counts, and so is stored at all, is decided in `judge`.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::index::{self, Chain, ChainKey, ChainTip};
use super::judge::{Source, Verdict};
use super::writer::StagedGroup;
use super::{LogError, Shared};
use crate::crypto::PublicKey;
use crate::directory::{Body, BodyError, Directory, DirectoryError, Refusal, position};
use crate::entry::{Entry, Header, Kind};
use crate::ids::{DeviceId, EntryId, KeyId, StreamId, WorkspaceId};
use crate::session::{Fault, Missing, Receipt, Refused};
use crate::state::StateView;

/// Branches of a chain that may count; a device that forks more often is held at the ones it has.
pub const CHAIN_TIPS_MAX: usize = 16;
/// Branches of a chain that are held while it is not known which of them leads to a cut. Of what comes
/// beside these only the one that does is taken: it, and as many as count, must come together with the
/// entry that the cut names.
pub const CHAIN_ENDS_MAX: usize = 4 * CHAIN_TIPS_MAX;

/// Why an entry was refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Rejection {
    #[error("entry belongs to another workspace")]
    Workspace,
    #[error("entry has an unknown author")]
    Author,
    #[error("entry does not continue its author's chain")]
    Chain,
    #[error("the author's chain has too many branches")]
    Branches,
    #[error("{0}")]
    Rights(Refusal),
    #[error("{0}")]
    Directory(DirectoryError),
    #[error("no good signature vouches for the entry")]
    Signature,
    #[error("entry rests on a refused entry")]
    RestsOnRefused(Fault),
}

impl Rejection {
    fn fault(&self) -> Fault {
        match self {
            Self::Workspace | Self::Chain => Fault::Invalid,
            Self::Signature => Fault::Signature,
            Self::Author | Self::Rights(_) => Fault::NotAllowed,
            Self::Branches => Fault::Flooded,
            Self::Directory(DirectoryError::Body(BodyError::Unsupported)) => Fault::UpgradeNeeded,
            Self::Directory(_) => Fault::Invalid,
            Self::RestsOnRefused(fault) => *fault,
        }
    }
}

/// What a chain says of the entry before the one that is checked: its number, and its position in
/// the directory.
struct Link {
    seq: u64,
    position: EntryId,
}

/// What an entry that passed is added with: the key that must vouch for it, and the position of
/// the author's entry before it.
type Passed = (PublicKey, Option<EntryId>);

/// Entries on their way into the log, and the directory and chains as they will be then.
pub(super) struct Stage<'s> {
    pub(super) shared: &'s Shared,
    pub(super) view: StateView,
    pub(super) committed: &'s HashMap<ChainKey, Chain>,
    next_number: u32,
    first_arrival: u64,
    pub(super) directory: Directory,
    /// The directory as it was before this group.
    pub(super) base: Directory,
    pub(super) chains: HashMap<ChainKey, Chain>,
    pub(super) entries: Vec<Entry>,
    pub(super) staged: HashMap<EntryId, usize>,
    /// For each staged entry of the directory, the position of the author's entry before it.
    pub(super) positions: BTreeMap<EntryId, Option<EntryId>>,
    /// Chains to be judged.
    pub(super) dirty: BTreeSet<ChainKey>,
    /// Devices of which the directory says something else than before the group.
    pub(super) touched: BTreeSet<DeviceId>,
    /// What became of the entries of the chains that were judged.
    pub(super) verdicts: HashMap<EntryId, (Source, Option<Verdict>)>,
    /// Entries that came and are not stored.
    pub(super) dropped: HashSet<EntryId>,
    /// Whether the entries are stored already, so that nothing is dropped.
    pub(super) keeps_all: bool,
    /// Whom the directory lets write where, as asked before.
    pub(super) passes: HashMap<(DeviceId, StreamId, EntryId, KeyId), bool>,
    /// Under which entry an author acts, as asked last.
    pub(super) acts_under: Cell<Option<(ActsAs, Option<EntryId>)>>,
}

/// An author, its position in the directory, and the key that it writes with.
type ActsAs = (DeviceId, Option<EntryId>, KeyId);

/// What became of entries that were received, until it is known what of them is stored.
pub(super) struct Reception {
    receipt: Receipt,
    /// The entries that passed, and those that had passed before.
    passed: Vec<EntryId>,
    repeated: Vec<EntryId>,
}

impl<'s> Stage<'s> {
    pub(super) fn new(
        shared: &'s Shared,
        committed: &'s HashMap<ChainKey, Chain>,
        directory: Directory,
        first_arrival: u64,
    ) -> Result<Self, LogError> {
        Ok(Self {
            shared,
            view: shared.state.view()?,
            committed,
            next_number: u32::try_from(committed.len()).expect("chains are bounded far below this"),
            first_arrival,
            base: directory.clone(),
            directory,
            chains: HashMap::new(),
            entries: Vec::new(),
            staged: HashMap::new(),
            positions: BTreeMap::new(),
            dirty: BTreeSet::new(),
            touched: BTreeSet::new(),
            verdicts: HashMap::new(),
            dropped: HashSet::new(),
            keeps_all: false,
            passes: HashMap::new(),
            acts_under: Cell::new(None),
        })
    }

    /// The directory entry under which an author acts.
    pub(super) fn auth_for(
        &self,
        author: DeviceId,
        position: Option<EntryId>,
        key: KeyId,
    ) -> Option<EntryId> {
        let asked = (author, position, key);
        if let Some((_, answer)) = self.acts_under.get().filter(|(before, _)| *before == asked) {
            return answer;
        }
        let answer = self.directory.auth_for(&author, position, &key);
        self.acts_under.set(Some((asked, answer)));
        answer
    }

    /// What passed, and what it changes of what was stored before.
    pub(super) fn finish(mut self) -> Result<StagedGroup, LogError> {
        self.settle()?;
        let (mut verdicts, mut retracted, mut restored) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (source, verdict) in self.verdicts.values() {
            match *source {
                Source::Staged(position) => {
                    if verdict.is_some() {
                        verdicts.insert(self.first_arrival + position as u64, *verdict);
                    }
                }
                Source::Stored(arrival) => {
                    let before = index::verdict(&self.view, arrival)?;
                    if before != *verdict {
                        verdicts.insert(arrival, *verdict);
                    }
                    match (before, verdict) {
                        (None, Some(_)) => retracted.push(arrival),
                        (Some(_), None) => restored.push(arrival),
                        _ => {}
                    }
                }
            }
        }
        retracted.sort_unstable();
        restored.sort_unstable();
        let Self { entries, chains, directory, .. } = self;
        Ok(StagedGroup { entries, chains, directory, verdicts, retracted, restored })
    }

    /// The workspace of the log.
    pub(super) fn workspace(&self) -> WorkspaceId {
        self.shared.workspace
    }

    /// The chain of an author in a stream as it will be.
    pub(super) fn chain(&self, key: &ChainKey) -> Option<&Chain> {
        self.chains.get(key).or_else(|| self.committed.get(key))
    }

    /// Takes what another replica sent. The entries of one chain should be in order, and a
    /// signature in this delivery must vouch for each.
    pub(super) fn receive(&mut self, entries: Vec<Entry>) -> Result<Reception, LogError> {
        let mut receipt = Receipt::default();
        let (mut passed, mut repeated) = (Vec::new(), Vec::new());
        let mut proofs = Proofs::new(&entries);
        let mut faults: HashMap<EntryId, Fault> = HashMap::new();
        let mut open: Vec<usize> = (0..entries.len()).collect();
        loop {
            let before = passed.len();
            let mut missing = Vec::new();
            for number in open {
                let entry = &entries[number];
                let id = entry.id();
                if self.staged.contains_key(&id) {
                    repeated.push(id);
                    continue;
                }
                let header = entry.header();
                if !self.continues(header)
                    && let Some(arrival) = index::arrival_of(&self.view, &id)?
                {
                    receipt.known.push(arrival);
                    continue;
                }
                let checked = match faults.get(&header.prev).or_else(|| faults.get(&header.auth)) {
                    Some(fault) => Err(Stop::Refused(Rejection::RestsOnRefused(*fault))),
                    None => self.check(entry)?,
                };
                let outcome = checked.and_then(|(key, previous)| {
                    if !proofs.good(number, &entries, &key) {
                        return Err(Stop::Refused(Rejection::Signature));
                    }
                    self.add(entry.clone(), previous).map_err(|rejection| match rejection {
                        Rejection::Directory(DirectoryError::Missing(id)) => Stop::Missing(id),
                        other => Stop::Refused(other),
                    })
                });
                match outcome {
                    Ok(()) => passed.push(id),
                    Err(Stop::Missing(needs)) => missing.push((number, needs)),
                    Err(Stop::Refused(rejection)) => {
                        let fault = rejection.fault();
                        if let (Fault::UpgradeNeeded, Rejection::Directory(_)) = (fault, &rejection) {
                            self.shared.note_newer(entry);
                        }
                        faults.insert(id, fault);
                        receipt.refused.push(Refused { entry: id, fault, reason: rejection.to_string() });
                    }
                }
            }
            // What one entry lacks may have come after it.
            if missing.is_empty() || passed.len() == before {
                let missing = missing.into_iter();
                receipt.missing =
                    missing.map(|(number, needs)| Missing { entry: entries[number].id(), needs }).collect();
                break;
            }
            open = missing.into_iter().map(|(number, _)| number).collect();
        }
        Ok(Reception { receipt, passed, repeated })
    }

    /// Whether an entry follows the last of a branch: then it is not held, or that would not be the last.
    fn continues(&self, header: &Header) -> bool {
        let chain = self.chain(&(header.stream, header.author));
        chain.is_some_and(|chain| chain.ends.iter().any(|end| end.id == header.prev))
    }

    /// The receipt, once the group is settled.
    pub(super) fn receipt(&self, reception: Reception) -> Receipt {
        let Reception { mut receipt, passed, repeated } = reception;
        let arrival =
            |id: &EntryId| self.staged.get(id).map(|position| self.first_arrival + *position as u64);
        receipt.stored.extend(passed.iter().filter_map(arrival));
        receipt.known.extend(repeated.iter().filter_map(arrival));
        receipt.excluded.extend(passed.into_iter().chain(repeated).filter(|id| self.dropped.contains(id)));
        receipt
    }

    /// All checks but the signature and those of the directory itself.
    fn check(&self, entry: &Entry) -> Result<Result<Passed, Stop>, LogError> {
        let header = entry.header();
        let refused = |rejection| Ok(Err(Stop::Refused(rejection)));
        if header.is_genesis() {
            let ours = header.id().0 == self.shared.workspace.0;
            let key = PublicKey::new(header.author.as_bytes()).filter(|_| ours);
            return Ok(key.map(|key| (key, None)).ok_or(Stop::Refused(Rejection::Workspace)));
        }
        if header.workspace != self.shared.workspace {
            return refused(Rejection::Workspace);
        }
        if !self.directory.contains(&header.auth) {
            return Ok(Err(Stop::Missing(header.auth)));
        }
        let Some(key) = self.directory.public_key(&header.author) else {
            return Ok(Err(self.unknown_author(entry)));
        };
        let previous = match self.link(header)? {
            Ok(previous) => previous,
            Err(stop) => return Ok(Err(stop)),
        };
        if header.kind != Kind::Directory
            && let Err(refusal) = self.directory.check_position(header, previous)
        {
            return refused(Rejection::Rights(refusal));
        }
        Ok(Ok((key, previous)))
    }

    /// What certifies the author of a directory entry may lie in the past of another parent than the
    /// first: the entry waits until all parents are held.
    fn unknown_author(&self, entry: &Entry) -> Stop {
        let parents = match entry.header().kind {
            Kind::Directory => Body::decode_parents(entry.payload()).unwrap_or_default(),
            _ => Vec::new(),
        };
        let missing = parents.into_iter().find(|parent| !self.directory.contains(parent));
        missing.map_or(Stop::Refused(Rejection::Author), Stop::Missing)
    }

    /// The position of the entry before, if there is one; or why the chain does not fit.
    fn link(&self, header: &Header) -> Result<Result<Option<EntryId>, Stop>, LogError> {
        let chain = self.chain(&(header.stream, header.author));
        let ends = chain.map_or(&[][..], |chain| &chain.ends);
        // Only branches that count: no number of others may shut out the one that a cut names.
        let branches = chain.map_or(0, |chain| chain.tips.len());
        let link = match ends.iter().find(|end| end.id == header.prev) {
            Some(end) => Some(Link { seq: end.seq, position: end.position }),
            None if branches >= CHAIN_TIPS_MAX => return Ok(Err(Stop::Refused(Rejection::Branches))),
            None if header.seq == 1 => return Ok(Ok(None)),
            None => self.held_link(header)?,
        };
        Ok(match link {
            None => Err(Stop::Missing(header.prev)),
            Some(link) if link.seq.checked_add(1) == Some(header.seq) => Ok(Some(link.position)),
            Some(_) => Err(Stop::Refused(Rejection::Chain)),
        })
    }

    /// The entry before, where it is not the tip: the chain forks here.
    fn held_link(&self, header: &Header) -> Result<Option<Link>, LogError> {
        let held = match self.staged.get(&header.prev) {
            Some(staged) => Some(self.entries[*staged].header().clone()),
            None => self.shared.read(&self.view, &header.prev)?.map(|entry| entry.header().clone()),
        };
        Ok(held.map(|before| {
            let same = before.author == header.author && before.stream == header.stream;
            Link { seq: if same { before.seq } else { u64::MAX }, position: position(&before, header.prev) }
        }))
    }

    /// Adds an entry that passed, the directory's own checks included. Whether it counts is settled
    /// at once where nothing is in doubt, else when the group is.
    pub(super) fn add(&mut self, entry: Entry, previous: Option<EntryId>) -> Result<(), Rejection> {
        let header = entry.header();
        let (id, key) = (entry.id(), (header.stream, header.author));
        if header.kind == Kind::Directory {
            self.directory.insert(&entry, previous).map_err(Rejection::Directory)?;
            self.positions.insert(id, previous);
            self.passes.clear();
            self.acts_under.set(None);
        }
        let counts = self.counts_plainly(header, id);
        let chain = self.chains.entry(key).or_insert_with(|| {
            self.committed.get(&key).cloned().unwrap_or_else(|| {
                self.next_number += 1;
                Chain { number: self.next_number - 1, tips: Vec::new(), ends: Vec::new() }
            })
        });
        if !counts || chain.ends != chain.tips {
            self.dirty.insert(key);
        }
        let tip = ChainTip { seq: header.seq, id, position: position(header, id) };
        for tips in [&mut chain.tips, &mut chain.ends] {
            match tips.iter_mut().find(|tip| tip.id == header.prev) {
                Some(last) => *last = tip.clone(),
                None => tips.push(tip.clone()),
            }
        }
        if !self.builds_on_what_counts(&entry) {
            self.dirty.extend(self.void_chains());
        }
        self.staged.insert(id, self.entries.len());
        self.entries.push(entry);
        Ok(())
    }

    /// Whether an entry counts and no limit of its author has to be looked at.
    fn counts_plainly(&mut self, header: &Header, id: EntryId) -> bool {
        if header.kind == Kind::Directory {
            return self.directory.counts(&id);
        }
        let directory = &self.directory;
        let asked = (header.author, header.stream, header.auth, header.key_id);
        *self.passes.entry(asked).or_insert_with(|| {
            directory.limits(&header.author, &header.stream).is_empty()
                && directory.may_write(&header.author, &header.auth, &header.key_id).is_ok()
        })
    }

    /// Whether all entries of the directory that an entry builds on count.
    fn builds_on_what_counts(&self, entry: &Entry) -> bool {
        let header = entry.header();
        if header.is_genesis() {
            return true;
        }
        if header.kind != Kind::Directory {
            return self.directory.counts(&header.auth);
        }
        let body = Body::decode(entry.payload());
        body.is_ok_and(|body| body.parents.iter().all(|parent| self.directory.counts(parent)))
    }
}

/// Why an entry does not join now.
enum Stop {
    Missing(EntryId),
    Refused(Rejection),
}

/// Which signed entry vouches for which, and which signatures were found good.
///
/// `prev` is a hash of the whole entry before, so a good signature vouches for all entries that
/// lead to it: the last one of a run is enough for the whole run.
struct Proofs {
    /// For each entry, the next signed one of its run, itself included.
    signed: Vec<Option<usize>>,
    /// For each entry, the next signed one of its run, itself not included.
    later: Vec<Option<usize>>,
    /// For each entry, the last signed one of its run.
    last: Vec<Option<usize>>,
    verified: HashMap<usize, bool>,
}

impl Proofs {
    fn new(entries: &[Entry]) -> Self {
        let mut next: HashMap<EntryId, usize> = HashMap::new();
        let none = vec![None; entries.len()];
        let (mut signed, mut later, mut last) = (none.clone(), none.clone(), none);
        for (position, entry) in entries.iter().enumerate().rev() {
            later[position] = next.remove(&entry.id());
            let own = (!entry.header().covered).then_some(position);
            signed[position] = own.or(later[position]);
            last[position] = later[position].and_then(|later| last[later]).or(own);
            if let Some(end) = signed[position] {
                next.insert(entry.header().prev, end);
            }
        }
        Self { signed, later, last, verified: HashMap::new() }
    }

    fn good(&mut self, position: usize, entries: &[Entry], key: &PublicKey) -> bool {
        if self.last[position].is_some_and(|last| self.verify(last, entries, key)) {
            return true;
        }
        let mut end = self.signed[position];
        while let Some(candidate) = end {
            if self.verify(candidate, entries, key) {
                return true;
            }
            end = self.later[candidate];
        }
        false
    }

    fn verify(&mut self, position: usize, entries: &[Entry], key: &PublicKey) -> bool {
        *self.verified.entry(position).or_insert_with(|| entries[position].header().verify(key))
    }
}
