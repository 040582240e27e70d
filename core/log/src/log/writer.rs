//! The one writer of a log: group commit, amortised signatures, and the state kept in step.
//!
//! Whatever arrived while the last group was being made durable rides in the next one. In a group,
//! the last own entry of each chain is signed and the earlier ones are covered. A group goes to the
//! segments first (durable), then to the state (one transaction, usually not durable by itself),
//! and only then are its callers told. If the segments refuse it, nothing of it happened.

mod request;
mod seal;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::admit::Stage;
use super::draft::{Committed, Draft};
use super::index::{self, Chain, ChainKey, NewEntry};
use super::judge::Verdict;
use super::open::Loaded;
use super::{Apply, Held, LogError, Shared};
use crate::directory::Directory;
use crate::entry::{Entry, Kind};
use crate::ids::EntryId;
use crate::segments::Place;
use crate::session::Receipt;
use crate::state::StateBatch;
pub use request::{Change, Done};
pub(super) use request::{Reply, Request, take_group};
use seal::{check_drafts, merge_for, plan_signatures, seal};

/// Entries of a group from which on a second thread pays.
const PREPARE_ENTRIES_MIN: usize = 32;
/// A state commit is made durable when it is this many entries ahead of the last durable one.
const DURABLE_ENTRIES: u64 = 10_000;

/// What only the writer touches.
pub(super) struct Writer {
    shared: Arc<Shared>,
    apply: Option<Box<dyn Apply>>,
    directory: Directory,
    chains: HashMap<ChainKey, Chain>,
    arrivals: u64,
    /// Entries applied since the last durable state commit.
    undurable: u64,
    /// Set when the state fell behind the segments: opening anew repairs that.
    broken: bool,
}

/// Entries as a state change finds them.
struct Reader<'r, 't> {
    shared: &'r Shared,
    batch: &'r StateBatch<'t>,
}

impl Held for Reader<'_, '_> {
    fn entry(&self, arrival: u64) -> Result<Entry, LogError> {
        let missing = || LogError::Engine(format!("there is no entry with the arrival number {arrival}"));
        self.shared.read_at(self.batch, arrival)?.ok_or_else(missing)
    }
}

/// A request of a group that awaits the outcome of the whole group.
enum Staged {
    /// What was made, and where in the group the first of it is.
    Commit(usize, Vec<EntryId>, Done<Vec<Committed>>),
    Receive(Receipt, Done<Receipt>),
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, apply: Option<Box<dyn Apply>>, loaded: Loaded) -> Self {
        let Loaded { chains, directory, arrivals, .. } = loaded;
        Self { shared, apply, directory, chains, arrivals, undurable: 0, broken: false }
    }

    pub(super) const fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// Tells the engine the directory that the log was opened with.
    pub(super) fn announce_directory(&mut self) -> Result<(), LogError> {
        let Some(apply) = &mut self.apply else { return Ok(()) };
        let (shared, directory) = (&*self.shared, &self.directory);
        shared.state.update(false, |batch| {
            apply.directory_changed(batch, directory, &Reader { shared, batch })?;
            apply.finish(batch)
        })
    }

    /// Indexes and applies entries that are in the segments already: the catch-up after a kill, or
    /// the rebuild of a lost state. They pass every check again, signatures included.
    pub(super) fn catch_up(&mut self, found: Vec<(Place, Entry)>) -> Result<(), LogError> {
        let places: HashMap<EntryId, Place> =
            found.iter().map(|(place, entry)| (entry.id(), *place)).collect();
        let mut stage = Stage::new(&self.shared, &self.chains, self.directory.clone(), self.arrivals + 1)?;
        stage.keeps_all = true;
        stage.receive(found.into_iter().map(|(_, entry)| entry).collect())?;
        let staged = stage.finish()?;
        let places: Vec<Place> = staged.entries.iter().map(|entry| places[&entry.id()]).collect();
        self.apply_stored(staged, &places)
    }

    /// Carries out a group and returns the replies to give.
    pub(super) fn process(&mut self, group: Vec<Request>) -> Vec<Reply> {
        let mut replies = Vec::new();
        let mut awaiting = Vec::new();
        let mut changes = Vec::new();
        let first = self.arrivals + 1;
        let outcome = self
            .stage(group, &mut awaiting, &mut changes, &mut replies)
            .and_then(|staged| self.store(staged));
        for staged in awaiting {
            replies.push(reply_to(staged, first, &outcome));
        }
        for (change, done) in changes {
            let result = self.shared.state.update(false, change);
            replies.push(Box::new(move || done(result)));
        }
        replies
    }

    /// Checks and seals the requests of a group. What was received goes first: nothing received
    /// rests on an own entry that never left this replica.
    fn stage(
        &self,
        group: Vec<Request>,
        awaiting: &mut Vec<Staged>,
        changes: &mut Vec<(Change, Done<()>)>,
        replies: &mut Vec<Reply>,
    ) -> Result<StagedGroup, LogError> {
        let mut stage = Stage::new(&self.shared, &self.chains, self.directory.clone(), self.arrivals + 1)?;
        let (mut commits, mut received) = (Vec::new(), Vec::new());
        for request in group {
            match request {
                Request::Change(change, done) => changes.push((change, done)),
                Request::Commit(drafts, done) => commits.push((drafts, done)),
                Request::Receive(entries, done) => {
                    let start = stage.entries.len();
                    let reception = stage.receive(entries)?;
                    self.look_for_own(&stage.entries[start..]);
                    received.push((reception, done));
                }
            }
        }
        stage.settle()?;
        for (reception, done) in received {
            awaiting.push(Staged::Receive(stage.receipt(reception), done));
        }
        for draft in commits.iter().flat_map(|(drafts, _)| drafts) {
            if !super::lock(&self.shared.own).silent.contains(&draft.author.device()) {
                merge_for(&mut stage, draft)?;
            }
        }
        let (commits, refused): (Vec<_>, Vec<_>) = commits
            .into_iter()
            .map(|(drafts, done)| (self.check_drafts(&stage, &drafts), drafts, done))
            .partition(|(check, ..)| check.is_ok());
        for (check, _, done) in refused {
            replies.push(Box::new(move || done(check.map(|()| Vec::new()))));
        }
        let mut signed = plan_signatures(commits.iter().flat_map(|(_, drafts, _)| drafts)).into_iter();
        for (_, drafts, done) in commits {
            let start = stage.entries.len();
            let plan = signed.by_ref().take(drafts.len()).collect::<Vec<_>>();
            let sealed =
                drafts.into_iter().zip(plan).try_for_each(|(draft, sign)| seal(&mut stage, draft, sign));
            match sealed {
                Ok(()) => awaiting.push(Staged::Commit(
                    start,
                    stage.entries[start..].iter().map(Entry::id).collect(),
                    done,
                )),
                Err(error) => replies.push(Box::new(move || done(Err(error)))),
            }
        }
        stage.finish()
    }

    /// Silences the own device if entries of it come from elsewhere: what it wrote now would not be
    /// the next of its chain everywhere.
    fn look_for_own(&self, received: &[Entry]) {
        let mut own = super::lock(&self.shared.own);
        let Some(device) = own.device else { return };
        if received.iter().any(|entry| entry.header().author == device) && own.silent.insert(device) {
            tracing::warn!(%device, "this device has written elsewhere too");
        }
    }

    /// Whether all drafts of a request can become entries.
    fn check_drafts(&self, stage: &Stage<'_>, drafts: &[Draft]) -> Result<(), LogError> {
        {
            let own = super::lock(&self.shared.own);
            if drafts.iter().any(|draft| !draft.last_act && own.silent.contains(&draft.author.device())) {
                return Err(LogError::Restored);
            }
        }
        check_drafts(stage, drafts)
    }

    /// Makes a group durable, then visible.
    fn store(&mut self, staged: StagedGroup) -> Result<Vec<EntryId>, LogError> {
        let ids = staged.entries.iter().map(Entry::id).collect();
        if !staged.entries.is_empty() {
            if self.broken {
                return Err(LogError::Engine("the state file failed; open the workspace anew".into()));
            }
            let places = self.append(&staged.entries)?;
            self.apply_stored(staged, &places)?;
        }
        Ok(ids)
    }

    /// Makes entries durable. Meanwhile the engine opens them: that needs the processor, this the disk.
    fn append(&mut self, entries: &[Entry]) -> Result<Vec<Place>, LogError> {
        let segments = &self.shared.segments;
        let places = match &mut self.apply {
            Some(apply) if entries.len() >= PREPARE_ENTRIES_MIN => std::thread::scope(|scope| {
                let thread = std::thread::Builder::new().name("tidelog-prepare".into());
                let preparing = thread.spawn_scoped(scope, || apply.prepare(entries));
                let places = segments.append(entries);
                if preparing.map_err(drop).and_then(|thread| thread.join().map_err(drop)).is_err() {
                    tracing::warn!("entries were not opened ahead of their turn");
                }
                places
            }),
            _ => segments.append(entries),
        };
        Ok(places?)
    }

    /// Brings state, frontier and directory up to entries that the segments hold.
    fn apply_stored(&mut self, staged: StagedGroup, places: &[Place]) -> Result<(), LogError> {
        let Some(last) = places.last() else { return Ok(()) };
        let count = places.len() as u64;
        let durable = self.undurable + count >= DURABLE_ENTRIES;
        let first = self.arrivals + 1;
        let (apply, shared) = (&mut self.apply, &*self.shared);
        let changed = staged.entries.iter().any(|entry| entry.header().kind == Kind::Directory);
        let result = self.shared.state.update(durable, |batch| {
            for (key, chain) in &staged.chains {
                index::put_chain(batch, key, chain)?;
            }
            for ((arrival, entry), place) in (first..).zip(&staged.entries).zip(places) {
                let header = entry.header();
                let id = entry.id();
                let row = NewEntry {
                    arrival,
                    id,
                    place: *place,
                    fold: (header.kind == Kind::Directory)
                        .then(|| (header.author, entry.payload(), staged.directory.is_sound(&id))),
                };
                index::put_entry(batch, &row)?;
            }
            let order = (first..).zip(&staged.entries).map(|(arrival, entry)| {
                let header = entry.header();
                (staged.chains[&(header.stream, header.author)].number, header.seq, arrival)
            });
            index::put_order(batch, order)?;
            index::put_applied(batch, first + count - 1, *last)?;
            for (arrival, verdict) in &staged.verdicts {
                index::put_verdict(batch, *arrival, *verdict)?;
            }
            if let Some(apply) = apply {
                if changed {
                    apply.directory_changed(batch, &staged.directory, &Reader { shared, batch })?;
                }
                if !staged.retracted.is_empty() {
                    apply.retract(batch, &staged.retracted, &Reader { shared, batch })?;
                }
                for arrival in &staged.restored {
                    if let Some(entry) = shared.read_at(batch, *arrival)? {
                        apply.apply(batch, *arrival, &entry)?;
                    }
                }
                for (arrival, entry) in (first..).zip(&staged.entries) {
                    if !staged.verdicts.contains_key(&arrival) {
                        apply.apply(batch, arrival, entry)?;
                    }
                }
                apply.finish(batch)?;
            }
            Ok::<_, LogError>(())
        });
        if let Err(error) = result {
            self.broken = true;
            return Err(error);
        }
        self.undurable = if durable { 0 } else { self.undurable + count };
        self.arrivals += count;
        self.directory = staged.directory;
        let mut frontier = self.shared.frontier.write().unwrap_or_else(PoisonError::into_inner);
        for ((stream, device), chain) in &staged.chains {
            frontier.set(*stream, *device, chain.frontier_tips());
            self.shared.note_tips((*stream, *device), chain.tips.len());
        }
        let mut withheld = self.shared.withheld.write().unwrap_or_else(PoisonError::into_inner);
        for (arrival, verdict) in &staged.verdicts {
            if verdict.is_some_and(|verdict| verdict.withheld) {
                Arc::make_mut(&mut withheld).insert(*arrival);
            } else if withheld.contains(arrival) {
                Arc::make_mut(&mut withheld).remove(arrival);
            }
        }
        drop(withheld);
        *self.shared.directory.write().unwrap_or_else(PoisonError::into_inner) = self.directory.clone();
        self.shared.arrivals.store(self.arrivals, Ordering::SeqCst);
        drop(frontier);
        self.chains.extend(staged.chains);
        if let Some(apply) = apply {
            apply.committed();
        }
        Ok(())
    }

    /// What time brings: deferred entries come due, and the state becomes durable.
    pub(super) fn tick(&mut self) -> Result<(), LogError> {
        let now_ms = self.shared.clock.now_ms();
        if let Some(apply) = &mut self.apply
            && apply.due(now_ms)
        {
            let shared = &*self.shared;
            let result = shared.state.update(false, |batch| {
                apply.tick(batch, now_ms, &Reader { shared, batch })?;
                apply.finish(batch)
            });
            if let Err(error) = result {
                apply.undone();
                return Err(error);
            }
            apply.committed();
        }
        self.settle()
    }

    /// Makes the state durable as it is, so that the next open has nothing to catch up.
    pub(super) fn settle(&mut self) -> Result<(), LogError> {
        if self.undurable > 0 && !self.broken {
            self.shared.state.update(true, |_| Ok::<_, LogError>(()))?;
            self.undurable = 0;
        }
        Ok(())
    }
}

/// A group that passed all checks, and what the log will be with it.
pub(super) struct StagedGroup {
    pub(super) entries: Vec<Entry>,
    pub(super) chains: HashMap<ChainKey, Chain>,
    pub(super) directory: Directory,
    /// What changes of which entries count, by arrival: `None` if one counts again.
    pub(super) verdicts: BTreeMap<u64, Option<Verdict>>,
    /// Entries stored before that counted and do not any more, and the other way round.
    pub(super) retracted: Vec<u64>,
    pub(super) restored: Vec<u64>,
}

fn reply_to(staged: Staged, first: u64, outcome: &Result<Vec<EntryId>, LogError>) -> Reply {
    match staged {
        Staged::Commit(start, made, done) => {
            let result = outcome.as_ref().map_err(Clone::clone).and_then(|ids| {
                let committed = |(offset, id): (usize, EntryId)| {
                    let there = Some(start + offset).filter(|place| ids.get(*place) == Some(&id));
                    let place = there.or_else(|| ids.iter().position(|stored| *stored == id))?;
                    Some(Committed { id, arrival: first + place as u64 })
                };
                // What does not count is not stored, though it was made.
                let unstored = || LogError::NotAuthorized("what this device writes does not count".into());
                made.into_iter().enumerate().map(committed).collect::<Option<_>>().ok_or_else(unstored)
            });
            Box::new(move || done(result))
        }
        Staged::Receive(receipt, done) => {
            let result = outcome.as_ref().map_err(Clone::clone).map(|_| receipt);
            Box::new(move || done(result))
        }
    }
}
