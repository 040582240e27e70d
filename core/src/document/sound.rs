//! Which changes are sound: those that come after all that they rest on, and name nothing else.
//!
//! Automerge applies a change that names an operation which is not there, or is somewhere else, and what it
//! makes of it depends on what else it has; some of that it can neither store nor give back. Programs of ours
//! write no such change, so it takes a faulty or malicious member. Whether a change is sound depends on nothing
//! but itself and what it rests on, so everybody finds the same:
//!
//! * its sequence number follows that of the last change of its actor, and the number of its first operation the
//!   highest in its past: Automerge stores no gap before a change of nothing;
//! * an operation names only earlier ones of its change, and those in the past of the change;
//! * it puts a value, makes a map, list or text, deletes or counts, at a key of a map or an element of a list
//!   or text; it overwrites values that were put or made in the same place;
//! * its bytes are those that Automerge writes for it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, AutoCommit, Change, ChangeHash, ExpandedChange, ObjId, ObjType};

use super::content::{identified, operations, place_of};
use super::guarded;

/// How many pasts are kept: more concurrent lines of changes than that are followed back each time.
const PASTS_MAX: usize = 32;

/// How many places are kept from one look to the next, and during one; it is found again what the others are.
const HOMES_MAX: usize = 4096;
const HOMES_MEANWHILE_MAX: usize = 1 << 20;

/// How far each actor had come.
#[derive(Debug, Clone, Default)]
struct Past(BTreeMap<ActorId, Last>);

/// The last change of an actor: its sequence number and the number of its last operation.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    seq: u64,
    operation: u64,
}

impl Past {
    fn add(&mut self, actor: &ActorId, last: Last) {
        let place = self.0.entry(actor.clone()).or_default();
        place.seq = place.seq.max(last.seq);
        place.operation = place.operation.max(last.operation);
    }

    fn has(&self, id: &OpId) -> bool {
        self.0.get(id.actor()).is_some_and(|last| id.counter() <= last.operation)
    }

    fn is_before(&self, change: &Change) -> bool {
        let seq = self.0.get(change.actor_id()).map_or(0, |last| last.seq);
        let operation = self.0.values().map(|last| last.operation).max().unwrap_or(0);
        change.seq() == seq + 1 && change.start_op().get() == operation + 1
    }
}

/// Where an operation is, and what it puts there.
#[derive(Debug, Clone, PartialEq)]
struct Home {
    object: ObjectId,
    /// The key of a map; of an element, the operation that inserted it.
    place: Key,
    puts: Puts,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Puts {
    Nothing,
    Scalar,
    Object(ObjType),
}

impl Home {
    fn of(id: &OpId, op: &Op) -> Self {
        let puts = match op.action {
            OpType::Put(_) => Puts::Scalar,
            OpType::Make(kind) => Puts::Object(kind),
            _ => Puts::Nothing,
        };
        Self { object: op.obj.clone(), place: place_of(id, op), puts }
    }

    fn is_element(&self, id: &OpId) -> bool {
        self.place == Key::Seq(ElementId::Id(id.clone()))
    }
}

/// What is known of the changes that were looked at last: most rest on one of them, and name their operations.
#[derive(Debug, Default)]
pub(super) struct Soundness {
    pasts: VecDeque<(ChangeHash, Past)>,
    homes: HashMap<OpId, Home>,
}

/// Sound changes on their way into a document.
pub(super) struct Batch<'b> {
    doc: &'b mut AutoCommit,
    by_hash: HashMap<ChangeHash, &'b Change>,
    by_operation: BTreeMap<(&'b ActorId, u64), &'b Change>,
}

impl<'b> Batch<'b> {
    pub(super) fn new(doc: &'b mut AutoCommit) -> Self {
        Self { doc, by_hash: HashMap::new(), by_operation: BTreeMap::new() }
    }

    /// The change that an operation belongs to, if there is one.
    fn change_of(&mut self, id: &OpId) -> Option<ExpandedChange> {
        let up_to = self.by_operation.range(..=(id.actor(), id.counter())).next_back();
        let here = up_to.filter(|((actor, _), change)| {
            *actor == id.actor() && id.counter() < change.start_op().get().saturating_add(change.len() as u64)
        });
        match here {
            Some((_, change)) => operations(change),
            None => {
                let hash =
                    self.doc.document().hash_for_opid(&ObjId::Id(id.counter(), id.actor().clone(), 0))?;
                operations(&self.doc.get_change_by_hash(&hash)?)
            }
        }
    }
}

impl Soundness {
    /// Whether a change is sound and so is all that it rests on; then it is in the batch.
    pub(super) fn check<'b>(&mut self, change: &'b Change, batch: &mut Batch<'b>) -> bool {
        let Some(mut past) = self.past(change.deps(), batch) else { return false };
        if !past.is_before(change) || self.names_only(&past, change, batch).is_none() {
            return false;
        }
        past.add(change.actor_id(), Last { seq: change.seq(), operation: change.max_op() });
        self.pasts.truncate(PASTS_MAX - 1);
        self.pasts.push_front((change.hash(), past));
        batch.by_hash.insert(change.hash(), change);
        batch.by_operation.insert((change.actor_id(), change.start_op().get()), change);
        true
    }

    /// How far everybody had come in some changes and all that they rest on; `None` if one of them is not
    /// there.
    fn past(&self, changes: &[ChangeHash], batch: &mut Batch<'_>) -> Option<Past> {
        let mut past = Past::default();
        let mut seen = HashSet::new();
        let mut open = changes.to_vec();
        while let Some(hash) = open.pop() {
            if !seen.insert(hash) {
                continue;
            }
            if let Some((_, known)) = self.pasts.iter().find(|(known, _)| *known == hash) {
                known.0.iter().for_each(|(actor, last)| past.add(actor, *last));
            } else if let Some(change) = batch.by_hash.get(&hash) {
                past.add(change.actor_id(), Last { seq: change.seq(), operation: change.max_op() });
                open.extend(change.deps());
            } else {
                let change = batch.doc.get_change_meta_by_hash(&hash)?;
                past.add(&change.actor, Last { seq: change.seq, operation: change.max_op });
                open.extend(&change.deps);
            }
        }
        Some(past)
    }

    /// `None` if a change names what it may not, or is written otherwise than Automerge writes it.
    fn names_only(&mut self, past: &Past, change: &Change, batch: &mut Batch<'_>) -> Option<()> {
        let expanded = operations(change)?;
        let again = guarded(|| Change::from(expanded.clone()))?;
        (again.raw_bytes() == change.raw_bytes()).then_some(())?;
        let mut own = HashMap::new();
        for (id, op) in identified(expanded) {
            let mut home = |named: &OpId| match own.get(named) {
                Some(home) => Some(Home::clone(home)),
                None if past.has(named) => self.home(named, batch),
                None => None,
            };
            is_in_place(&op, &id, &mut home).then_some(())?;
            own.insert(id.clone(), Home::of(&id, &op));
        }
        // The next change is likely to go on from here.
        self.keep(own);
        Some(())
    }

    /// Where an operation of the past is.
    fn home(&mut self, id: &OpId, batch: &mut Batch<'_>) -> Option<Home> {
        if let Some(home) = self.homes.get(id) {
            return Some(home.clone());
        }
        let change = batch.change_of(id)?;
        let index = usize::try_from(id.counter().checked_sub(change.start_op.get())?).ok()?;
        let home = Home::of(id, change.operations.get(index)?);
        self.keep(identified(change).map(|(id, op)| (id.clone(), Home::of(&id, &op))).collect());
        Some(home)
    }

    fn keep(&mut self, homes: HashMap<OpId, Home>) {
        if self.homes.len() + homes.len() > HOMES_MEANWHILE_MAX {
            self.homes.clear();
        }
        self.homes.extend(homes);
    }

    /// Forgets what takes much memory, once a batch is through.
    pub(super) fn rest(&mut self) {
        if self.homes.len() > HOMES_MAX {
            self.homes = HashMap::new();
        }
    }
}

/// Whether an operation does what one may in its place.
fn is_in_place(op: &Op, id: &OpId, home: &mut impl FnMut(&OpId) -> Option<Home>) -> bool {
    let kind = match &op.obj {
        ObjectId::Root => ObjType::Map,
        ObjectId::Id(object) => match home(object) {
            Some(Home { puts: Puts::Object(kind), .. }) => kind,
            _ => return false,
        },
    };
    let has_place = match (kind, &op.key) {
        (ObjType::Map, Key::Map(_)) => !op.insert,
        (ObjType::List | ObjType::Text, Key::Seq(ElementId::Head)) => op.insert,
        (ObjType::List | ObjType::Text, Key::Seq(ElementId::Id(element))) => {
            home(element).is_some_and(|home| home.object == op.obj && home.is_element(element))
        }
        _ => false,
    };
    let place = Home::of(id, op);
    let overwrites = op.pred.iter().is_sorted_by(|one, next| one < next)
        && op.pred.iter().all(|old| {
            home(old).is_some_and(|old| {
                old.object == place.object && old.place == place.place && old.puts != Puts::Nothing
            })
        });
    let acts = match op.action {
        OpType::Put(_) | OpType::Make(ObjType::Map | ObjType::List | ObjType::Text) => true,
        OpType::Delete | OpType::Increment(_) => op.pred.iter().len() > 0,
        _ => false,
    };
    has_place && overwrites && acts
}

#[cfg(test)]
mod tests;
