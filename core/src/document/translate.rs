//! Translating: a change made in one generation, as a change of another.
//!
//! Every operation is carried over by itself, with the places it names exchanged for what they are
//! there. What was made in a place that is gone there goes with it; an element inserted behind one that
//! is gone stands where that was. The outcome follows from the change, what it rests on and the two
//! generations' beginnings: whoever translates it makes the same change, so it counts once, however
//! many do. It names the change that it was made from first, its *origin*, in its message: translated
//! into several generations that is still one edit.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::num::NonZeroU64;

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange};
use tidelog_log::crypto::{sha256, tag};

use super::content::{Content, Places, identified, operations, place_of};
use super::{guarded, parse_change};

const TAG_TRANSLATED: [u8; 16] = tag("TIDE1 doc moved");

/// Automerge counts operations in 32 bits.
const COUNTER_MAX: u64 = u32::MAX as u64;

/// The place of a value: a key of a map, or an element.
type Home = (ObjectId, Key);

/// Carries changes over from one generation to another.
pub(super) struct Translation {
    places: Places,
    /// The change that the other generation begins with, and its last operation.
    begin: ChangeHash,
    begin_last: u64,
    /// What the begin stands for, and how many changes of each actor that is.
    covered: HashSet<ChangeHash>,
    covered_seqs: HashMap<ActorId, u64>,
    /// What changes became, with its last operation.
    done: HashMap<ChangeHash, (ChangeHash, u64)>,
    /// Where operations there have their value.
    homes: HashMap<OpId, Home>,
    /// New identities of the operations carried over.
    fresh: HashMap<OpId, OpId>,
    /// What stands for elements that were inserted, and not carried over.
    left_out: HashMap<OpId, ElementId>,
    /// Operations that were to change an element that is gone, and make it again.
    revived: HashSet<OpId>,
}

/// The change that a change was first made as: itself, unless it is translated.
pub(super) fn origin(change: &Change) -> ChangeHash {
    change.message().and_then(|message| message.parse().ok()).unwrap_or_else(|| change.hash())
}

/// Where an operation has its value.
fn home(id: OpId, op: &Op) -> (OpId, Home) {
    let place = place_of(&id, op);
    (id, (op.obj.clone(), place))
}

impl Translation {
    /// From a generation of which the begin stands for some changes.
    pub(super) fn new(covered: &[&Change], begin: &Change) -> Self {
        let mut covered_seqs: HashMap<ActorId, u64> = HashMap::new();
        for change in covered {
            let seq = covered_seqs.entry(change.actor_id().clone()).or_default();
            *seq = (*seq).max(change.seq());
        }
        let mut sorted = covered.to_vec();
        sorted.sort_unstable_by_key(|change| change.hash());
        Self {
            places: Content::new(sorted).places_in(&Content::new([begin])),
            begin: begin.hash(),
            begin_last: begin.max_op(),
            covered: covered.iter().map(|change| change.hash()).collect(),
            covered_seqs,
            done: HashMap::new(),
            homes: operations(begin).into_iter().flat_map(identified).map(|(id, op)| home(id, &op)).collect(),
            fresh: HashMap::new(),
            left_out: HashMap::new(),
            revived: HashSet::new(),
        }
    }

    /// Passes over a change that is there already, as another one or in the begin; what rests on it
    /// will rest on that.
    pub(super) fn adopt(&mut self, change: &Change, there: Option<&Change>) {
        let (Some(old), new) = (operations(change), there.and_then(operations)) else { return };
        match there {
            Some(there) => drop(self.done.insert(change.hash(), (there.hash(), there.max_op()))),
            None => drop(self.covered.insert(change.hash())),
        }
        let new = new.filter(|new| new.operations.len() == old.operations.len());
        let mut ids = new.into_iter().flat_map(identified);
        for (id, op) in identified(old) {
            if let Some((new, made)) = ids.next() {
                self.fresh.insert(id, new.clone());
                self.homes.extend([home(new, &made)]);
            } else if let (true, Key::Seq(place)) = (op.insert, op.key) {
                let place = self.element(&place).unwrap_or_else(|place| place);
                self.left_out.insert(id, place);
            }
        }
    }

    /// Carries one change over, after those that it rests on; `None` if that cannot be done.
    pub(super) fn carry(&mut self, change: &Change) -> Option<Change> {
        let mut deps = BTreeSet::new();
        let mut last = 0;
        for dep in change.deps() {
            match self.done.get(dep) {
                Some((new, last_op)) => {
                    deps.insert(*new);
                    last = last.max(*last_op);
                }
                None if self.covered.contains(dep) => {}
                None => return None,
            }
        }
        if deps.is_empty() {
            deps.insert(self.begin);
        }
        let seq = change.seq().checked_sub(*self.covered_seqs.get(change.actor_id()).unwrap_or(&0))?;
        // Right after all that it rests on, as Automerge numbers operations.
        let start = last.max(self.begin_last).checked_add(1)?;
        start.checked_add(change.len() as u64).filter(|end| *end <= COUNTER_MAX)?;
        let name = sha256(&[&TAG_TRANSLATED, &self.begin.0, change.actor_id().to_bytes()]);
        let actor = ActorId::from(&name[..16]);
        let mut made = Vec::new();
        for (id, op) in identified(operations(change)?) {
            let new = OpId(start + made.len() as u64, actor.clone());
            let inserted = op.insert.then(|| op.key.clone());
            if let Some(op) = self.operation(op, &new) {
                self.homes.extend([home(new.clone(), &op)]);
                self.fresh.insert(id, new);
                made.push(op);
            } else if let Some(Key::Seq(place)) = inserted {
                let place = self.element(&place).unwrap_or_else(|place| place);
                self.left_out.insert(id, place);
            }
        }
        let new = ExpandedChange {
            operations: made,
            actor_id: actor,
            hash: None,
            seq,
            start_op: NonZeroU64::new(start)?,
            time: 0,
            message: Some(origin(change).to_string()),
            deps: deps.into_iter().collect(),
            extra_bytes: Vec::new(),
            author: None,
        };
        let new = guarded(|| Change::from(new))?;
        let new = parse_change(new.raw_bytes()).ok()?;
        self.done.insert(change.hash(), (new.hash(), new.max_op()));
        Some(new)
    }

    /// One operation, with the identity that it will have; `None` if what it is about is gone.
    fn operation(&mut self, op: Op, id: &OpId) -> Option<Op> {
        if matches!(op.action, OpType::MarkBegin(..) | OpType::MarkEnd(_)) {
            return None;
        }
        let obj = match op.obj {
            ObjectId::Root => ObjectId::Root,
            ObjectId::Id(object) => ObjectId::Id(self.object(&object)?),
        };
        let counts = matches!(op.action, OpType::Increment(_));
        let mut insert = op.insert;
        let pred = op.pred.iter().filter_map(|old| match self.fresh.get(old) {
            Some(new) => Some(new.clone()),
            None => self
                .places
                .values
                .get(old)
                .filter(|new| !counts || self.places.counters.contains(new))
                .cloned(),
        });
        let mut pred: BTreeSet<OpId> = pred.collect();
        let key = match op.key {
            Key::Map(key) => Key::Map(key),
            Key::Seq(place) => Key::Seq(match self.element(&place) {
                Ok(place) => place,
                Err(place) if insert => place,
                Err(place) => match pred.iter().find(|old| self.revived.contains(old)) {
                    Some(revived) => ElementId::Id(revived.clone()),
                    None if matches!(op.action, OpType::Put(_) | OpType::Make(_)) => {
                        insert = true;
                        pred.clear();
                        self.revived.insert(id.clone());
                        place
                    }
                    None => return None,
                },
            }),
        };
        // Automerge takes operations apart by place: a value is overwritten in its own only.
        let home = (obj.clone(), key.clone());
        pred.retain(|old| self.homes.get(old) == Some(&home));
        let needs_pred = matches!(op.action, OpType::Delete | OpType::Increment(_));
        if needs_pred && pred.is_empty() {
            return None;
        }
        Some(Op { action: op.action, obj, key, pred: pred.into_iter().collect(), insert })
    }

    fn object(&self, old: &OpId) -> Option<OpId> {
        self.fresh.get(old).or_else(|| self.places.objects.get(old)).cloned()
    }

    /// An element there; else what it would stand behind.
    fn element(&self, place: &ElementId) -> Result<ElementId, ElementId> {
        let ElementId::Id(old) = place else { return Ok(ElementId::Head) };
        if let Some(new) = self.fresh.get(old).or_else(|| self.places.elements.get(old)) {
            return Ok(ElementId::Id(new.clone()));
        }
        let behind = self.left_out.get(old).or_else(|| self.places.behind.get(old));
        Err(behind.cloned().unwrap_or(ElementId::Head))
    }
}
