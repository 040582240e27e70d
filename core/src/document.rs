//! Documents: maps, lists, text and counters whose concurrent changes all merge (Automerge).
//!
//! Automerge is used here and nowhere else. A document is a function of the *set* of changes it was
//! given, whatever their order:
//!
//! * a change waits until all that it rests on is there;
//! * an actor has one change per sequence number. If two turn up, which takes a faulty or malicious
//!   writer, the one with the smaller hash counts on every replica, and what rests on the other
//!   waits for ever;
//! * a change is an operation whoever made it: the entry's author vouches for it, and the same
//!   change twice is once;
//! * a change that is not sound (see [`sound`]), and one that Automerge fails on or does not give back
//!   as it was, waits for ever.
//!
//! Text positions are Unicode scalar values. The decoder of changes is fed by others: their size is
//! bounded, compressed ones are refused, and they are applied to a copy, which is dropped if that
//! fails or panics.

pub(crate) mod begin;
mod bounds;
pub(crate) mod cache;
mod content;
pub(crate) mod edit;
pub(crate) mod generations;
pub(crate) mod handle;
mod settle;
mod sound;
mod translate;
pub(crate) mod value;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::transaction::CommitOptions;
pub(crate) use automerge::{ActorId, ChangeHash};
use automerge::{AutoCommit, Change, LoadOptions, TextEncoding};
use tidelog_log::crypto::{sha256, tag};
use tidelog_log::ids::DeviceId;

use self::sound::Soundness;
use crate::value::{Value, ValueError};

/// One change of a document, parsed.
pub(crate) type DocumentChange = Change;

/// Most operations in one change, and most places in each of its columns: each takes memory when the
/// change is applied, however well it compresses.
pub(crate) const CHANGE_OPERATIONS_MAX: usize = 1 << 20;

/// Text positions count Unicode scalar values, whatever features other crates switch on.
const ENCODING: TextEncoding = TextEncoding::UnicodeCodePoint;

const TAG_ACTOR: [u8; 16] = tag("TIDE1 doc actor");

/// Offset of the chunk type in a change, after the magic bytes and the checksum, and its value for
/// a change that is not compressed.
const CHUNK_TYPE: (usize, u8) = (8, 1);

/// Why bytes are not a change, or changes no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentError {
    /// The bytes are not one uncompressed change.
    #[error("bytes are not a document change")]
    Malformed,
    /// The change has more operations than are taken.
    #[error("document change has more than {CHANGE_OPERATIONS_MAX} operations")]
    TooLarge,
    /// Stored bytes do not make a document.
    #[error("a stored document does not load")]
    Stored,
}

/// The actor under which a device changes a document: never random, so that a document's table of
/// actors grows by devices, not by openings.
pub(crate) fn actor(device: &DeviceId, document: &[u8]) -> ActorId {
    let hash = sha256(&[&TAG_ACTOR, &device.0, document]);
    ActorId::from(&hash[..16])
}

/// Runs a call into Automerge; a panic in there becomes `None`.
fn guarded<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}

/// Reads a change that somebody else made.
///
/// # Errors
///
/// If the bytes are not one change in plain form, or it is too large.
pub(crate) fn parse_change(bytes: &[u8]) -> Result<Change, DocumentError> {
    let (offset, plain) = CHUNK_TYPE;
    if bytes.get(offset) != Some(&plain) {
        return Err(DocumentError::Malformed);
    }
    bounds::check(bytes)?;
    let change = guarded(|| Change::from_bytes(bytes.to_vec()))
        .and_then(Result::ok)
        .filter(|change| change.raw_bytes() == bytes)
        .ok_or(DocumentError::Malformed)?;
    Ok(change)
}

/// What a change did to a document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// The document had it.
    Known,
    /// It waits for what it rests on, or is set aside for good.
    Waits,
    /// It was applied, and after it, in this order, those that had waited for it.
    Applied(Vec<Change>),
    /// Two changes contradict each other: the document was computed anew from all of them.
    Recomputed,
}

/// Sequence numbers: all up to one, and those beyond that changes out of turn have.
#[derive(Debug, Default)]
struct Places {
    up_to: u64,
    beyond: BTreeSet<u64>,
}

impl Places {
    fn add(&mut self, seq: u64) {
        self.beyond.insert(seq);
        while self.beyond.first().is_some_and(|first| *first <= self.up_to.saturating_add(1)) {
            self.up_to = self.up_to.max(self.beyond.pop_first().unwrap_or_default());
        }
    }

    fn has(&self, seq: u64) -> bool {
        (1..=self.up_to).contains(&seq) || self.beyond.contains(&seq)
    }
}

/// A document in memory.
///
/// Which changes count is decided by their hashes alone; Automerge takes them up in one go when the
/// content is looked at, which is far cheaper than one by one. Changes made here are in the content
/// at once, *ahead* of their entry.
pub(crate) struct OpenDocument {
    doc: AutoCommit,
    applied: HashSet<ChangeHash>,
    heads: BTreeSet<ChangeHash>,
    /// Applied, but not in `doc` yet; each after what it rests on.
    unsettled: Vec<Change>,
    /// In `doc`, but not applied yet.
    ahead: Vec<Change>,
    /// The sequence numbers of each actor among the changes applied.
    places: HashMap<ActorId, Places>,
    /// Changes not applied.
    waiting: BTreeMap<ChangeHash, Change>,
    /// Who waits for a change.
    waiting_for: HashMap<ChangeHash, Vec<ChangeHash>>,
    /// The smallest hash of the waiting changes with an actor's sequence number.
    claims: HashMap<(ActorId, u64), ChangeHash>,
    soundness: Soundness,
}

impl fmt::Debug for OpenDocument {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "OpenDocument({} changes, {} waiting)", self.applied.len(), self.waiting.len())
    }
}

impl OpenDocument {
    /// A document without changes.
    pub(crate) fn empty() -> Self {
        Self::over(AutoCommit::new_with_encoding(ENCODING))
    }

    fn over(doc: AutoCommit) -> Self {
        let mut open = Self {
            doc,
            applied: HashSet::new(),
            heads: BTreeSet::new(),
            unsettled: Vec::new(),
            ahead: Vec::new(),
            places: HashMap::new(),
            waiting: BTreeMap::new(),
            waiting_for: HashMap::new(),
            claims: HashMap::new(),
            soundness: Soundness::default(),
        };
        open.count();
        open
    }

    /// Finds out what is applied: all that is in `doc` and not ahead.
    fn count(&mut self) {
        self.applied.clear();
        self.places.clear();
        self.heads.clear();
        let ahead: HashSet<_> = self.ahead.iter().map(Change::hash).collect();
        // Each comes after what it rests on.
        for change in self.doc.get_changes_meta(&[]) {
            if ahead.contains(&change.hash) {
                continue;
            }
            for dep in &change.deps {
                self.heads.remove(dep);
            }
            self.heads.insert(change.hash);
            self.applied.insert(change.hash);
            self.places.entry(change.actor.into_owned()).or_default().add(change.seq);
        }
    }

    /// Loads a document as it was stored: a snapshot, the changes applied since in their order, and
    /// those that wait.
    ///
    /// # Errors
    ///
    /// If the bytes are not what was stored.
    pub(crate) fn load(
        snapshot: Option<&[u8]>,
        tail: &[Vec<u8>],
        waiting: &[Vec<u8>],
    ) -> Result<Self, DocumentError> {
        let options = || LoadOptions::new().text_encoding(ENCODING);
        let mut open = match snapshot {
            Some(bytes) => guarded(|| AutoCommit::load_with_options(bytes, options()).ok().map(Self::over))
                .flatten()
                .ok_or(DocumentError::Stored)?,
            None => Self::empty(),
        };
        for change in tail {
            open.accept(parse_change(change)?);
        }
        for change in waiting {
            open.wait(parse_change(change)?);
        }
        Ok(open)
    }

    /// The document in its compact form: what was applied, without what waits or is ahead.
    ///
    /// # Errors
    ///
    /// If Automerge cannot write it.
    pub(crate) fn save(&mut self) -> Result<Vec<u8>, DocumentError> {
        self.settle();
        let ahead: Vec<_> = self.ahead.iter().map(Change::hash).collect();
        guarded(|| match ahead.as_slice() {
            [] => Some(self.doc.save()),
            ahead => self.without(ahead).map(|mut doc| doc.save()),
        })
        .flatten()
        .ok_or(DocumentError::Stored)
    }

    /// Whether no change was applied yet.
    pub(crate) fn is_empty(&mut self) -> bool {
        // Whether the first ones are sound is not known before they are taken up.
        if self.applied.len() == self.unsettled.len() {
            self.settle();
        }
        self.applied.is_empty()
    }

    /// The changes that nothing rests on yet, in order of their hashes.
    pub(crate) fn heads(&mut self) -> &BTreeSet<ChangeHash> {
        self.settle();
        &self.heads
    }

    /// As [`Self::heads`], with what was applied since the content was last looked at and may turn out not
    /// to be sound.
    pub(crate) const fn latest(&self) -> &BTreeSet<ChangeHash> {
        &self.heads
    }

    /// The changes that wait.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Change> {
        self.waiting.values()
    }

    /// The whole content.
    ///
    /// # Errors
    ///
    /// If it nests deeper than a value may.
    pub(crate) fn value(&mut self) -> Result<Value, ValueError> {
        self.settle();
        value::read_map(&self.doc, &automerge::ROOT)
    }

    /// What is at a path; the empty path is the whole content.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidArgument`] if the path is malformed.
    pub(crate) fn get(&mut self, path: &str) -> crate::Result<Option<Value>> {
        self.settle();
        edit::get(&self.doc, path)
    }

    /// Makes one change as an actor and gives its bytes; `None` if nothing was changed. It is in
    /// the content at once. If `edit` fails nothing is changed.
    ///
    /// # Errors
    ///
    /// Whatever `edit` fails with.
    pub(crate) fn edit<T, E>(
        &mut self,
        actor: ActorId,
        edit: impl FnOnce(&mut edit::Edit<'_>) -> Result<T, E>,
    ) -> Result<(T, Option<Change>), E> {
        self.settle();
        self.doc.set_actor(actor);
        let result = match edit(&mut edit::Edit::new(&mut self.doc)) {
            Ok(result) => result,
            Err(error) => {
                self.doc.rollback();
                return Err(error);
            }
        };
        // No time: entries carry it, and a change made twice from the same state stays one.
        let made = self.doc.commit_with(CommitOptions::default().with_time(0));
        let change = made.and_then(|hash| self.doc.get_change_by_hash(&hash));
        self.ahead.extend(change.clone());
        Ok((result, change))
    }

    /// Makes a change of nothing, so that the document is there.
    pub(crate) fn touch(&mut self, actor: ActorId) -> Change {
        self.settle();
        self.doc.set_actor(actor);
        let hash = self.doc.empty_change(CommitOptions::default().with_time(0));
        let change = self.doc.get_change_by_hash(&hash).expect("the change was made just now");
        self.ahead.push(change.clone());
        change
    }

    /// Whether a change made here is in the content: not if what it rests on was taken back.
    pub(crate) fn has(&mut self, hash: &ChangeHash) -> bool {
        self.doc.get_change_by_hash(hash).is_some()
    }

    /// Takes back changes made here whose entry is not written.
    pub(crate) fn retract(&mut self, hashes: &[ChangeHash]) {
        self.ahead.retain(|change| !hashes.contains(&change.hash()));
        if let Some(doc) = self.without(hashes) {
            self.doc = doc;
        }
    }

    /// The document without some changes that nothing else rests on.
    fn without(&mut self, hashes: &[ChangeHash]) -> Option<AutoCommit> {
        guarded(|| {
            let all = self.doc.get_changes(&[]);
            let kept: Vec<_> = all.into_iter().filter(|change| !hashes.contains(&change.hash())).collect();
            let mut doc = AutoCommit::new_with_encoding(ENCODING);
            doc.apply_changes(kept).ok().map(|()| doc)
        })
        .flatten()
    }

    /// Adds a change.
    pub(crate) fn apply(&mut self, change: Change) -> Outcome {
        if self.holds(&change.hash()) {
            return Outcome::Known;
        }
        let place = (change.actor_id().clone(), change.seq());
        if self.is_taken(&place) || self.claims.contains_key(&place) {
            self.ahead.retain(|ahead| ahead.hash() != change.hash());
            self.wait(change);
            self.recompute();
            return Outcome::Recomputed;
        }
        if !self.is_ready(&change) {
            self.wait(change);
            return Outcome::Waits;
        }
        let mut ready = vec![change];
        let mut applied = Vec::new();
        while let Some(change) = ready.pop() {
            self.accept(change.clone());
            for dependent in self.waiting_for.remove(&change.hash()).unwrap_or_default() {
                if self.may_wake(&dependent) {
                    ready.extend(self.stop_waiting(&dependent));
                }
            }
            applied.push(change);
        }
        applied.remove(0);
        Outcome::Applied(applied)
    }

    /// Whether a change is applied or waits.
    fn holds(&self, hash: &ChangeHash) -> bool {
        self.applied.contains(hash) || self.waiting.contains_key(hash)
    }

    /// Whether a change of an actor with a sequence number is applied.
    fn is_taken(&self, (actor, seq): &(ActorId, u64)) -> bool {
        self.places.get(actor).is_some_and(|places| places.has(*seq))
    }

    fn is_ready(&self, change: &Change) -> bool {
        change.deps().iter().all(|dep| self.applied.contains(dep))
    }

    /// Whether a waiting change has all it rests on, and no other claims its place.
    fn may_wake(&self, hash: &ChangeHash) -> bool {
        self.waiting.get(hash).is_some_and(|change| {
            let place = (change.actor_id().clone(), change.seq());
            self.is_ready(change) && self.claims.get(&place) == Some(hash) && !self.is_taken(&place)
        })
    }

    /// Applies a change that is ready.
    fn accept(&mut self, change: Change) {
        self.applied.insert(change.hash());
        change.deps().iter().for_each(|dep| {
            self.heads.remove(dep);
        });
        self.heads.insert(change.hash());
        self.places.entry(change.actor_id().clone()).or_default().add(change.seq());
        let ahead = self.ahead.iter().position(|ahead| ahead.hash() == change.hash());
        ahead.map(|position| self.ahead.remove(position));
        // What it rests on may have been taken back meanwhile.
        if ahead.is_none() || !self.has(&change.hash()) {
            self.unsettled.push(change);
        }
    }

    fn wait(&mut self, change: Change) {
        let hash = change.hash();
        let claim = self.claims.entry((change.actor_id().clone(), change.seq())).or_insert(hash);
        *claim = (*claim).min(hash);
        for dep in change.deps() {
            self.waiting_for.entry(*dep).or_default().push(hash);
        }
        self.waiting.insert(hash, change);
    }

    fn stop_waiting(&mut self, hash: &ChangeHash) -> Option<Change> {
        let change = self.waiting.remove(hash)?;
        self.claims.remove(&(change.actor_id().clone(), change.seq()));
        Some(change)
    }
}

/// A change as a faulty program makes it: it overwrites what nobody has.
#[cfg(test)]
pub(crate) fn unsound(change: &[u8]) -> Vec<u8> {
    let mut expanded = parse_change(change).expect("a change").decode();
    let nothing = automerge::legacy::OpId::new(99, &expanded.actor_id);
    expanded.operations[0].pred = std::iter::once(nothing).collect();
    Change::from(expanded).raw_bytes().to_vec()
}

#[cfg(test)]
mod tests;
