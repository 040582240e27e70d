//! Documents that began anew, maybe more than once.
//!
//! A change is of the *generation* whose begin it rests on; of generation zero if it rests on none, and
//! of no generation, so that it never shows, if it rests on several. All changes of a document are kept
//! together, whatever their generation. Shown is one generation, the *latest*: of the begins that no
//! other names as before it, that with the most generations before it, then with the highest hash.
//! To it are added the changes that others made elsewhere without knowing of it, translated:
//!
//! * from a generation before it into the next one, and so on. What a begin stands for is in there
//!   already, so what the begin does not stand for is translated. If something is not here that it
//!   stands for, nothing is: it is not known then what else it stands for;
//! * from a generation beside it, which began at the same time elsewhere, into the first of those
//!   before it that is later in the order above; whoever began a later one knew of neither, or of both.
//!
//! All of this follows from the set of changes, whatever their order. Translated changes are made by
//! all who have what they are made from, and are the same changes. Those who do not have it get them
//! from whoever next writes to the document, as changes like any other, and hide what rests on them
//! until then. What a begin makes of its state is not compared with what it stands for: who begins a
//! document with something else has changed it so.
//!
//! Beside each other are generations only if two began at once from different states. Then what was
//! taken out in the one that does not show may stay, where the two begins differ; nothing that was put
//! in is lost.
//!
//! A document that never began anew is what it was: generation zero, and nothing is computed.

use std::collections::{BTreeMap, HashMap, HashSet};

use tidelog_log::ids::DeviceId;

use super::begin::{Begin, ChangeHashes, HASHES_MAX};
use super::translate::{Translation, origin};
use super::{ActorId, Change, ChangeHash, DocumentError, OpenDocument, Outcome, actor};
use crate::value::{Value, ValueError};

/// A generation: the change that it began with, or generation zero.
type Generation = Option<ChangeHash>;

/// What a begin says beside its change.
#[derive(Debug, Clone)]
pub(crate) struct Beginning {
    /// See [`Begin::heads`].
    pub(crate) heads: ChangeHashes,
    /// See [`Begin::before`].
    pub(crate) before: ChangeHashes,
}

/// A document with all its generations.
#[derive(Debug)]
pub(crate) struct Generations {
    /// The changes of all generations.
    all: OpenDocument,
    begins: BTreeMap<ChangeHash, Beginning>,
    /// What is shown, unless that is all there is.
    latest: Option<Box<Latest>>,
    /// Whether it has to be computed anew.
    stale: bool,
    /// Changes made here that are ahead of their entry, in a generation that is not shown any more.
    aside: HashSet<ChangeHash>,
}

#[derive(Debug)]
struct Latest {
    begin: ChangeHash,
    /// The changes of the generation itself.
    own: HashSet<ChangeHash>,
    /// What was translated into it, each after what it rests on.
    translated: Vec<Change>,
    document: OpenDocument,
}

impl Generations {
    /// A document without changes.
    pub(crate) fn empty() -> Self {
        Self::over(OpenDocument::empty(), BTreeMap::new())
    }

    /// A document with these changes, of which some are begins.
    pub(crate) fn over(all: OpenDocument, begins: BTreeMap<ChangeHash, Beginning>) -> Self {
        let stale = !begins.is_empty();
        Self { all, begins, latest: None, stale, aside: HashSet::new() }
    }

    /// Adds a change.
    pub(crate) fn apply(&mut self, change: Change) -> Outcome {
        let outcome = self.all.apply(change.clone());
        self.aside.remove(&change.hash());
        if self.begins.is_empty() || self.stale {
            return outcome;
        }
        match &outcome {
            Outcome::Known | Outcome::Waits => {}
            Outcome::Recomputed => self.stale = true,
            Outcome::Applied(woken) => {
                for change in std::iter::once(&change).chain(woken) {
                    self.stale |= !self.goes_on(change);
                }
            }
        }
        outcome
    }

    /// Adds a begin.
    pub(crate) fn begin(&mut self, begin: &Begin) -> Outcome {
        self.expect(begin);
        self.apply(begin.change.clone())
    }

    /// Notes that a change is a begin, whether it is here or not; says whether that is news.
    pub(crate) fn expect(&mut self, begin: &Begin) -> bool {
        let Begin { heads, before, change } = begin;
        let beginning = Beginning { heads: heads.clone(), before: before.clone() };
        let is_new = self.begins.insert(change.hash(), beginning).is_none();
        self.stale |= is_new;
        is_new
    }

    /// Adds a change to what is shown, if it is of that generation and rests on nothing else.
    fn goes_on(&mut self, change: &Change) -> bool {
        let Some(latest) = &mut self.latest else { return false };
        let goes_on = !change.deps().is_empty() && change.deps().iter().all(|dep| latest.own.contains(dep));
        if goes_on {
            latest.own.insert(change.hash());
            // Of two changes in one place the other may have been translated.
            return latest.document.apply(change.clone()) != Outcome::Recomputed;
        }
        false
    }

    /// The begins that are known, whether their changes are applied or not.
    pub(crate) fn begins(&self) -> &BTreeMap<ChangeHash, Beginning> {
        &self.begins
    }

    /// The document as it is shown.
    pub(crate) fn shown(&mut self) -> &mut OpenDocument {
        if self.stale {
            self.compute();
        }
        match &mut self.latest {
            Some(latest) => &mut latest.document,
            None => &mut self.all,
        }
    }

    /// What is shown. As [`OpenDocument::value`].
    pub(crate) fn value(&mut self) -> Result<Value, ValueError> {
        self.shown().value()
    }

    /// Whether it has to be computed anew what is shown; what was shown until then.
    pub(crate) fn outdated(&mut self) -> Option<&mut OpenDocument> {
        self.latest.as_mut().filter(|_| self.stale).map(|latest| &mut latest.document)
    }

    /// All changes as they are kept.
    pub(crate) fn all(&mut self) -> &mut OpenDocument {
        &mut self.all
    }

    /// The actor under which a device changes the document as it is shown.
    pub(crate) fn actor(&mut self, device: &DeviceId, document: &[u8]) -> ActorId {
        self.shown();
        match &self.latest {
            None => actor(device, document),
            // An actor counts its changes: in each generation from the first.
            Some(latest) => actor(device, &[document, &latest.begin.0].concat()),
        }
    }

    /// Whether a change made here is in the content: not if what it rests on was taken back.
    pub(crate) fn has(&mut self, hash: &ChangeHash) -> bool {
        self.aside.contains(hash) || self.all.has(hash) || self.shown().has(hash)
    }

    /// Takes back changes made here whose entry is not written.
    pub(crate) fn retract(&mut self, hashes: &[ChangeHash]) {
        self.aside.retain(|hash| !hashes.contains(hash));
        self.all.retract(hashes);
        if let Some(latest) = &mut self.latest {
            latest.document.retract(hashes);
        }
    }

    /// The translated changes that are shown, which others may not be able to make: each after what it
    /// rests on.
    pub(crate) fn unpublished(&mut self) -> Vec<Change> {
        self.shown();
        let translated = self.latest.iter().flat_map(|latest| &latest.translated);
        translated.filter(|change| !self.all.holds(&change.hash())).cloned().collect()
    }

    /// What begins the document anew as it is, but for what is not published; `None` if it is empty or
    /// too large or too deep for that. If nothing happened since it began, it is that begin.
    pub(crate) fn renew(&mut self) -> Option<Begin> {
        self.shown();
        let Some(latest) = &self.latest else {
            return self.all.begin_anew(Vec::new());
        };
        let Beginning { heads, before } = &self.begins[&latest.begin];
        let changes = self.all.applied_changes();
        if latest.own.len() == 1 {
            let change = changes.into_iter().find(|change| change.hash() == latest.begin)?;
            return Some(Begin { heads: heads.clone(), before: before.clone(), change });
        }
        let mut before = before.clone();
        before.push(latest.begin.0);
        let excess = before.len().saturating_sub(HASHES_MAX);
        before.drain(..excess);
        let own = changes.into_iter().filter(|change| latest.own.contains(&change.hash()));
        OpenDocument::of(own, Vec::new()).begin_anew(before)
    }

    fn compute(&mut self) {
        self.stale = false;
        let history = History::new(&self.begins, self.all.applied_changes());
        let old = self.latest.take().map(|latest| *latest);
        let (last, ahead) = match old {
            Some(Latest { begin, document, .. }) => (Some(begin), document.ahead),
            None => (None, Vec::new()),
        };
        let Some(begin) = history.latest() else {
            self.aside.extend(ahead.iter().map(Change::hash));
            return;
        };
        let ahead = if last == Some(begin) {
            ahead
        } else {
            self.aside.extend(ahead.iter().map(Change::hash));
            Vec::new()
        };
        let own: HashSet<_> = history.own[&Some(begin)].iter().map(Change::hash).collect();
        let mut changes = history.shown(begin);
        let document = OpenDocument::of(changes.iter().cloned(), ahead);
        changes.retain(|change| !own.contains(&change.hash()));
        self.latest = Some(Box::new(Latest { begin, own, translated: changes, document }));
    }
}

/// The applied changes by generation, each after what it rests on.
struct History<'g> {
    begins: BTreeMap<ChangeHash, &'g Beginning>,
    own: HashMap<Generation, Vec<Change>>,
}

impl<'g> History<'g> {
    fn new(begins: &'g BTreeMap<ChangeHash, Beginning>, changes: Vec<Change>) -> Self {
        let mut history = Self { begins: BTreeMap::new(), own: HashMap::new() };
        let mut generations: HashMap<ChangeHash, Generation> = HashMap::new();
        for change in changes {
            let hash = change.hash();
            let generation = match change.deps() {
                [] => Some(begins.contains_key(&hash).then_some(hash)),
                [first, rest @ ..] => {
                    let first = generations.get(first).copied();
                    first.filter(|first| rest.iter().all(|dep| generations.get(dep) == Some(first)))
                }
            };
            let Some(generation) = generation else { continue };
            if generation == Some(hash) {
                history.begins.insert(hash, &begins[&hash]);
            }
            generations.insert(hash, generation);
            history.own.entry(generation).or_default().push(change);
        }
        history
    }

    fn rank(&self, begin: &ChangeHash) -> (usize, ChangeHash) {
        (self.begins[begin].before.len(), *begin)
    }

    fn latest(&self) -> Option<ChangeHash> {
        let replaced: HashSet<_> = self.begins.values().flat_map(|begin| &begin.before).collect();
        let last = self.begins.keys().filter(|begin| !replaced.contains(&begin.0));
        last.max_by_key(|begin| self.rank(begin)).copied()
    }

    fn own(&self, generation: Generation) -> &[Change] {
        self.own.get(&generation).map(Vec::as_slice).unwrap_or_default()
    }

    /// The changes of a generation, and of all others what has to be translated into it.
    fn shown(&self, latest: ChangeHash) -> Vec<Change> {
        let before = &self.begins[&latest].before;
        let line: Vec<ChangeHash> = before.iter().map(|begin| ChangeHash(*begin)).chain([latest]).collect();
        let mut beside: Vec<ChangeHash> =
            self.begins.keys().filter(|begin| !line.contains(begin)).copied().collect();
        beside.sort_unstable_by_key(|begin| self.rank(begin));
        let mut beside = beside.into_iter().peekable();
        // If generations were left out of the line it is not known what the first of them replaced.
        let is_whole = before.len() < HASHES_MAX;
        let mut present = Present::new(if is_whole { self.own(None) } else { &[] });
        for (place, begin) in line.iter().enumerate() {
            let mut next = Present::new(self.own(Some(*begin)));
            self.replace(&present, &mut next, *begin);
            // Also if it is not here: then what it got from there is in what replaced it.
            while let Some(other) =
                beside.next_if(|other| *begin == latest || (place, *begin) > self.rank(other))
            {
                let own = self.own(Some(other)).iter();
                let (covered, rest): (Vec<_>, Vec<_>) = own.partition(|change| change.hash() == other);
                self.translate(&covered, &rest, &mut next, (*begin, false));
            }
            present = next;
        }
        present.changes
    }

    /// Adds what a generation has that the one that replaces it does not stand for to that.
    fn replace(&self, present: &Present, next: &mut Present, into: ChangeHash) {
        let Some(begin) = self.begins.get(&into) else { return };
        let changes = &present.changes;
        let known: HashMap<_, _> = changes.iter().map(|change| (change.hash(), change)).collect();
        let mut covered = HashSet::new();
        let mut stack: Vec<ChangeHash> = begin.heads.iter().map(|hash| ChangeHash(*hash)).collect();
        while let Some(hash) = stack.pop() {
            let Some(change) = known.get(&hash) else { return };
            if covered.insert(hash) {
                stack.extend(change.deps());
            }
        }
        let (covered, rest): (Vec<_>, Vec<_>) =
            changes.iter().partition(|change| covered.contains(&change.hash()));
        next.covered.extend(&present.covered);
        next.covered.extend(covered.iter().map(|change| origin(change)));
        self.translate(&covered, &rest, next, (into, true));
    }

    /// Adds changes of another generation, of which the begin stands for some. What was translated into
    /// a generation beside it comes from where it was made only, lest it comes twice.
    fn translate(
        &self,
        covered: &[&Change],
        changes: &[&Change],
        next: &mut Present,
        (into, replaced): (ChangeHash, bool),
    ) {
        let begin = self.own(Some(into)).iter().find(|change| change.hash() == into);
        let Some(begin) = begin.filter(|_| !changes.is_empty()) else { return };
        let mut translation = Translation::new(covered, begin);
        for change in changes {
            let origin = origin(change);
            let there = next.origins.get(&origin).map(|place| next.changes[*place].clone());
            if there.is_none() && next.covered.contains(&origin) {
                translation.adopt(change, None);
                continue;
            }
            let new = if replaced || origin == change.hash() { translation.carry(change) } else { None };
            match (there, new) {
                (Some(there), Some(new)) if there.hash() == new.hash() => {}
                (Some(there), _) => translation.adopt(change, Some(&there)),
                (None, Some(new)) => next.push(new),
                (None, None) => {}
            }
        }
    }
}

/// The changes of a generation, its own and those translated into it, each once and after what it
/// rests on.
#[derive(Default)]
struct Present {
    changes: Vec<Change>,
    /// Where the change with an origin is.
    origins: HashMap<ChangeHash, usize>,
    /// The origins of what the begin stands for.
    covered: HashSet<ChangeHash>,
}

impl Present {
    fn new(own: &[Change]) -> Self {
        let mut present = Self::default();
        own.iter().for_each(|change| present.push(change.clone()));
        present
    }

    /// Adds a change. Of several with one origin, which takes a faulty or malicious writer, the origin itself
    /// stands for it, or the one with the smallest hash: not the first, which depends on the order of arrival.
    fn push(&mut self, change: Change) {
        let origin = origin(&change);
        let rank = |change: &Change| (change.hash() != origin, change.hash());
        let index = self.origins.entry(origin).or_insert(self.changes.len());
        if self.changes.get(*index).is_some_and(|other| rank(other) > rank(&change)) {
            *index = self.changes.len();
        }
        self.changes.push(change);
    }
}

impl OpenDocument {
    /// A document with these changes and some made here ahead of their entry.
    fn of(changes: impl IntoIterator<Item = Change>, ahead: Vec<Change>) -> Self {
        let mut open = Self::empty();
        for change in changes {
            open.apply(change);
        }
        open.settle();
        let ahead =
            ahead.into_iter().filter(|change| !open.applied.contains(&change.hash())).collect::<Vec<_>>();
        open.take_up(&ahead);
        open.ahead = ahead;
        open
    }

    /// The applied changes, each after what it rests on.
    fn applied_changes(&mut self) -> Vec<Change> {
        self.settle();
        let mut changes = self.changes().unwrap_or_default();
        changes.retain(|change| self.applied.contains(&change.hash()));
        changes
    }

    /// What begins the document anew as it is, without what is ahead.
    fn begin_anew(&mut self, before: ChangeHashes) -> Option<Begin> {
        self.settle();
        let ahead: Vec<_> = self.ahead.iter().map(Change::hash).collect();
        let heads = self.heads.clone();
        match ahead.as_slice() {
            [] => Begin::of(&self.doc, heads, before),
            ahead => Begin::of(&self.without(ahead)?, heads, before),
        }
    }
}

impl Generations {
    /// Loads a document as it was stored: see [`OpenDocument::load`].
    ///
    /// # Errors
    ///
    /// If the bytes are not what was stored.
    pub(crate) fn load(
        snapshot: Option<&[u8]>,
        tail: &[Vec<u8>],
        waiting: &[Vec<u8>],
        begins: BTreeMap<ChangeHash, Beginning>,
    ) -> Result<Self, DocumentError> {
        Ok(Self::over(OpenDocument::load(snapshot, tail, waiting)?, begins))
    }
}

#[cfg(test)]
mod tests;
