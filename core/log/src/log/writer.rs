//! The one writer of a log: group commit, amortised signatures, and the state kept in step.
//!
//! Whatever arrived while the last group was being made durable rides in the next one. In a group,
//! the last own entry of each chain is signed and the earlier ones are covered. A group goes to the
//! segments first (durable), then to the state (one transaction, usually not durable by itself),
//! and only then are its callers told. If the segments refuse it, nothing of it happened.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::admit::Stage;
use super::draft::{Committed, Draft, DraftBody};
use super::index::{self, Chain, ChainKey, NewEntry};
use super::judge::Verdict;
use super::open::Loaded;
use super::{Apply, Held, LogError, Shared};
use crate::directory::{Body, Directory, PARENTS_MAX, Role};
use crate::entry::{Entry, Header, Kind, payload_hash};
use crate::ids::{DeviceId, EntryId, KeyId, StreamId};
use crate::segments::Place;
use crate::session::Receipt;
use crate::state::StateBatch;

/// Most entries in one group, unless a single request has more.
const GROUP_ENTRIES_MAX: usize = 1_000;
/// Most payload bytes in one group, unless a single request has more.
const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most bytes of own entries that wait for a later signature. So a log that is sent in arrival
/// order can be cut into messages where every run ends signed.
const COVERED_BYTES_MAX: usize = 128 * 1024;
/// Entries of a group from which on a second thread pays.
const PREPARE_ENTRIES_MIN: usize = 32;
/// A state commit is made durable when it is this many entries ahead of the last durable one.
const DURABLE_ENTRIES: u64 = 10_000;

/// Told once what became of a request.
pub type Done<T> = Box<dyn FnOnce(Result<T, LogError>) + Send>;
/// Changes rows in a state transaction of its own.
pub type Change = Box<dyn FnOnce(&StateBatch<'_>) -> Result<(), LogError> + Send>;
/// A call to a caller's [`Done`], made when the writer's lock is free again.
pub(super) type Reply = Box<dyn FnOnce() + Send>;

/// What callers want of the writer.
pub(super) enum Request {
    Commit(Vec<Draft>, Done<Vec<Committed>>),
    Receive(Vec<Entry>, Done<Receipt>),
    Change(Change, Done<()>),
}

impl Request {
    /// Tells the caller that nothing happened.
    pub(super) fn refuse(self, error: LogError) {
        match self {
            Self::Commit(_, done) => done(Err(error)),
            Self::Receive(_, done) => done(Err(error)),
            Self::Change(_, done) => done(Err(error)),
        }
    }

    fn weight(&self) -> (usize, usize) {
        match self {
            Self::Commit(drafts, _) => (drafts.len(), drafts.iter().map(Draft::payload_len).sum()),
            Self::Receive(entries, _) => (entries.len(), entries.iter().map(Entry::len).sum()),
            Self::Change(..) => (1, 0),
        }
    }
}

/// Takes requests from the queue for one group: at least one, if there is any.
pub(super) fn take_group(queue: &mut VecDeque<Request>) -> Vec<Request> {
    let (mut entries, mut bytes) = (0, 0);
    let mut group = Vec::new();
    while let Some(request) = queue.front() {
        let weight = request.weight();
        entries += weight.0;
        bytes += weight.1;
        if !group.is_empty() && (entries > GROUP_ENTRIES_MAX || bytes > GROUP_BYTES_MAX) {
            break;
        }
        group.extend(queue.pop_front());
    }
    group
}

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

/// For each draft of a group, in order, whether it carries a signature: the last of each chain,
/// directory entries and what is before them, and often enough that no long run is without one.
fn plan_signatures<'d>(drafts: impl Iterator<Item = &'d Draft>) -> Vec<bool> {
    let mut signed = Vec::new();
    let mut open: HashMap<(StreamId, DeviceId), usize> = HashMap::new();
    let mut open_bytes = 0;
    for (position, draft) in drafts.enumerate() {
        let directory = matches!(draft.body, DraftBody::Directory { .. });
        signed.push(directory);
        let chain = (draft.stream(), draft.author.device());
        if directory {
            open.remove(&chain).into_iter().for_each(|before| signed[before] = true);
        } else {
            open.insert(chain, position);
            open_bytes += draft.payload_len();
        }
        if open_bytes > COVERED_BYTES_MAX {
            open.drain().for_each(|(_, last)| signed[last] = true);
            open_bytes = 0;
        }
    }
    open.into_values().for_each(|last| signed[last] = true);
    signed
}

/// Whether the authors of all drafts of a request may write them, and they fit.
fn check_drafts(stage: &Stage<'_>, drafts: &[Draft]) -> Result<(), LogError> {
    for draft in drafts {
        if let Some(error) = draft.unless.as_ref().and_then(|unless| unless()) {
            return Err(error);
        }
        let length = draft.payload_len();
        if length > draft.kind().payload_max() {
            return Err(LogError::TooLarge(length));
        }
        if matches!(draft.body, DraftBody::Data { .. }) && auth_for(stage, draft).is_none() {
            return Err(LogError::NotAuthorized("the role of this device does not allow writing".into()));
        }
    }
    Ok(())
}

/// Merges heads for an author that may write in the present state, but under no single head where its
/// key is known.
fn merge_for(stage: &mut Stage<'_>, draft: &Draft) -> Result<(), LogError> {
    let author = draft.author.device();
    let DraftBody::Data { key_id, .. } = &draft.body else { return Ok(()) };
    let may = stage.directory.role(&author).is_some_and(|role| role >= Role::Writer);
    let is_known = |auth: EntryId| !stage.directory.circles_of_key_at(key_id, &auth).is_empty();
    let fits = |auth| is_known(auth) || !stage.directory.heads().into_iter().any(is_known);
    if may && !auth_for(stage, draft).is_some_and(fits) {
        let tip = stage.chain(&(draft.stream(), author)).and_then(Chain::own_tip);
        let above = tip.map(|tip| tip.position);
        seal(stage, Draft::merge(Arc::clone(&draft.author), above), true)?;
    }
    Ok(())
}

/// The directory entry under which the author of a draft acts.
fn auth_for(stage: &Stage<'_>, draft: &Draft) -> Option<EntryId> {
    let author = draft.author.device();
    let tip = stage.chain(&(draft.stream(), author)).and_then(Chain::own_tip);
    let key_id = match &draft.body {
        DraftBody::Data { key_id, .. } => *key_id,
        DraftBody::Directory { .. } => KeyId::ZERO,
    };
    stage.auth_for(author, tip.map(|tip| tip.position), key_id)
}

/// Makes the entry of a draft and stages it.
fn seal(stage: &mut Stage<'_>, draft: Draft, sign: bool) -> Result<(), LogError> {
    let stream = draft.stream();
    let author = draft.author.device();
    let tip = stage.chain(&(stream, author)).and_then(Chain::own_tip);
    let mut header = Header {
        kind: draft.kind(),
        prunable: false,
        covered: !sign,
        payload_len: 0,
        seq: tip.map_or(1, |tip| tip.seq + 1),
        workspace: stage.workspace(),
        author,
        prev: tip.map_or(EntryId::ZERO, |tip| tip.id),
        auth: auth_for(stage, &draft).unwrap_or(EntryId::ZERO),
        stream,
        key_id: KeyId::ZERO,
        payload_hash: [0; 32],
        signature: [0; 64],
    };
    let previous = tip.map(|tip| tip.position);
    let payload = match draft.body {
        DraftBody::Directory { ops, above } => {
            let mut parents = stage.directory.parents_for(previous);
            let leads_there =
                |above: &EntryId| parents.iter().any(|parent| stage.directory.in_past(above, parent));
            if let Some(above) = above.filter(|above| !leads_there(above)) {
                parents.truncate(PARENTS_MAX - 1);
                parents.push(above);
            }
            header.auth = *parents
                .first()
                .ok_or_else(|| LogError::NotAuthorized("the workspace has no genesis yet".into()))?;
            let encoded = Body { parents, ops }.encode();
            let payload = encoded.map_err(|error| LogError::Engine(error.to_string()))?;
            header.payload_len = length(payload.len())?;
            payload
        }
        DraftBody::Data { key_id, payload_len, seal, .. } => {
            header.key_id = key_id;
            header.payload_len = length(payload_len)?;
            seal(&header.context())
        }
    };
    header.payload_hash = payload_hash(&payload);
    if sign {
        header.sign(&*draft.author);
    }
    let entry = Entry::new(header, payload).map_err(|error| LogError::Engine(error.to_string()))?;
    stage.add(entry, previous).map_err(|refused| LogError::NotAuthorized(refused.to_string()))
}

fn length(bytes: usize) -> Result<u32, LogError> {
    u32::try_from(bytes).map_err(|_| LogError::TooLarge(bytes))
}
