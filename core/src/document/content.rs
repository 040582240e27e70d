//! What some changes of one generation make: the places of a document and what is in them, by the
//! identities that operations name them with; and which places of another generation they are.
//!
//! Automerge shows values, not the identities of what was taken out, and a change that was made
//! elsewhere may rest on just that. So the few rules of its operations are followed here again: what
//! nothing overwrites is there, of several values in a place that with the highest identity shows, and
//! elements stand behind the one that they were inserted after, the latest first.

use std::collections::{BTreeMap, HashMap, HashSet};

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use automerge::{Change, ExpandedChange, ObjType, ScalarValue};

use super::guarded;
use crate::value::DEPTH_MAX;

/// The operations of a change with their identities; `None` if it cannot be read.
pub(super) fn operations(change: &Change) -> Option<ExpandedChange> {
    guarded(|| change.decode())
}

/// What changes make.
#[derive(Default)]
pub(super) struct Content {
    operations: HashMap<OpId, Op>,
    objects: HashMap<ObjectId, Object>,
    increments: HashMap<OpId, i64>,
}

#[derive(Default)]
struct Object {
    /// The values at the keys of a map, the shown one last.
    fields: BTreeMap<String, Vec<OpId>>,
    /// The elements of a sequence in order, those taken out included.
    elements: Vec<OpId>,
    /// The values of elements, the shown one last.
    values: HashMap<OpId, Vec<OpId>>,
    /// The elements inserted after each.
    after: HashMap<ElementId, Vec<OpId>>,
}

impl Object {
    /// The elements that are there, with the value that each shows.
    fn shown(&self) -> Vec<(&OpId, &OpId)> {
        let shown = |element| Some((element, self.values.get(element)?.last()?));
        self.elements.iter().filter_map(shown).collect()
    }

    /// Puts the elements in order.
    fn order(&mut self) {
        let mut stack = vec![ElementId::Head];
        while let Some(place) = stack.pop() {
            // The latest comes first, so it goes onto the stack last.
            if let Some(mut next) = self.after.remove(&place) {
                next.sort_unstable();
                stack.extend(next.into_iter().map(ElementId::Id));
            }
            if let ElementId::Id(element) = place {
                self.elements.push(element);
            }
        }
    }
}

impl Content {
    /// The content that changes make; they come in any order that does not depend on their arrival.
    pub(super) fn new<'c>(changes: impl IntoIterator<Item = &'c Change>) -> Self {
        let mut content = Self::default();
        let mut overwritten = HashSet::new();
        for change in changes.into_iter().filter_map(operations) {
            for (id, op) in identified(change) {
                match &op.action {
                    OpType::Increment(by) => {
                        for counter in op.pred.iter() {
                            let sum = content.increments.entry(counter.clone()).or_default();
                            *sum = sum.wrapping_add(*by);
                        }
                    }
                    _ => overwritten.extend(op.pred.iter().cloned()),
                }
                content.operations.insert(id, op);
            }
        }
        for (id, op) in &content.operations {
            let object = content.objects.entry(op.obj.clone()).or_default();
            if let (true, Key::Seq(place)) = (op.insert, &op.key) {
                object.after.entry(place.clone()).or_default().push(id.clone());
            }
            if !matches!(op.action, OpType::Put(_) | OpType::Make(_)) || overwritten.contains(id) {
                continue;
            }
            let values = match &op.key {
                Key::Map(key) => object.fields.entry(key.to_string()).or_default(),
                Key::Seq(_) if op.insert => object.values.entry(id.clone()).or_default(),
                Key::Seq(ElementId::Id(element)) => object.values.entry(element.clone()).or_default(),
                Key::Seq(ElementId::Head) => continue,
            };
            values.push(id.clone());
        }
        for object in content.objects.values_mut() {
            object.order();
            object.fields.values_mut().chain(object.values.values_mut()).for_each(|values| values.sort());
        }
        content
    }

    fn made(&self, value: &OpId) -> Option<ObjType> {
        match &self.operations.get(value)?.action {
            OpType::Make(kind) => Some(*kind),
            _ => None,
        }
    }

    fn scalar(&self, value: &OpId) -> Option<ScalarValue> {
        match &self.operations.get(value)?.action {
            OpType::Put(ScalarValue::Counter(counter)) => {
                let more = self.increments.get(value).copied().unwrap_or_default();
                Some(ScalarValue::counter(i64::from(counter).wrapping_add(more)))
            }
            OpType::Put(scalar) => Some(scalar.clone()),
            _ => None,
        }
    }

    fn is_counter(&self, value: &OpId) -> bool {
        let op = self.operations.get(value);
        op.is_some_and(|op| matches!(op.action, OpType::Put(ScalarValue::Counter(_))))
    }

    /// Whether two values are the same in all that is shown of them.
    fn same(&self, value: &OpId, other: &Self, theirs: &OpId, depth: usize) -> bool {
        let (made, their_kind) = (self.made(value), other.made(theirs));
        if depth > DEPTH_MAX || made != their_kind {
            return false;
        }
        if made.is_none() {
            return self.scalar(value) == other.scalar(theirs);
        }
        let empty = Object::default();
        let object = self.objects.get(&ObjectId::Id(value.clone())).unwrap_or(&empty);
        let theirs = other.objects.get(&ObjectId::Id(theirs.clone())).unwrap_or(&empty);
        let (elements, their_elements) = (object.shown(), theirs.shown());
        elements.len() == their_elements.len()
            && object.fields.len() == theirs.fields.len()
            && object.fields.iter().zip(&theirs.fields).all(|((key, values), (their_key, their_values))| {
                let values = values.last().zip(their_values.last());
                key == their_key && values.is_some_and(|(a, b)| self.same(a, other, b, depth + 1))
            })
            && elements.iter().zip(their_elements).all(|((_, a), (_, b))| self.same(a, other, b, depth + 1))
    }

    /// Which places of `other` the places here are. If both show the same, all are found. Else those
    /// at the same keys, and the elements that two sequences start and end with.
    pub(super) fn places_in(&self, other: &Self) -> Places {
        let mut places = Places::default();
        let mut pairs = vec![(ObjectId::Root, ObjectId::Root, 1)];
        let empty = Object::default();
        while let Some((id, their_id, depth)) = pairs.pop() {
            if depth > DEPTH_MAX {
                continue;
            }
            let object = self.objects.get(&id).unwrap_or(&empty);
            let theirs = other.objects.get(&their_id).unwrap_or(&empty);
            let mut found: Vec<(&[OpId], &OpId)> = Vec::new();
            for (key, values) in &object.fields {
                found.extend(
                    theirs.fields.get(key).and_then(|theirs| theirs.last()).map(|new| (&values[..], new)),
                );
            }
            for (element, new) in self.elements_in(object, other, theirs) {
                places.elements.insert(element.clone(), new.clone());
                found.push((&object.values[element], new));
            }
            for (values, new) in found {
                places.values.extend(values.iter().map(|value| (value.clone(), new.clone())));
                if other.is_counter(new) {
                    places.counters.insert(new.clone());
                }
                let Some(shown) = values.last() else { continue };
                if self.made(shown).is_some() && self.made(shown) == other.made(new) {
                    places.objects.insert(shown.clone(), new.clone());
                    pairs.push((ObjectId::Id(shown.clone()), ObjectId::Id(new.clone()), depth + 1));
                }
            }
            let mut last = ElementId::Head;
            for element in &object.elements {
                match places.elements.get(element) {
                    Some(new) => last = ElementId::Id(new.clone()),
                    None => drop(places.behind.insert(element.clone(), last.clone())),
                }
            }
        }
        places
    }

    fn elements_in<'a>(
        &'a self,
        object: &'a Object,
        other: &'a Self,
        theirs: &'a Object,
    ) -> Vec<(&'a OpId, &'a OpId)> {
        let (elements, theirs) = (object.shown(), theirs.shown());
        let same = |(a, b): &(&(&OpId, &OpId), &(&OpId, &OpId))| self.same(a.1, other, b.1, 1);
        let start = elements.iter().zip(&theirs).take_while(same).count();
        let (rest, their_rest) = (&elements[start..], &theirs[start..]);
        let end = rest.iter().rev().zip(their_rest.iter().rev()).take_while(same).count();
        let pairs = |a: &[(&'a OpId, &'a OpId)], b: &[(&'a OpId, &'a OpId)]| -> Vec<_> {
            a.iter().zip(b).map(|(a, b)| (a.0, b.0)).collect()
        };
        let mut found = pairs(&elements[..start], &theirs[..start]);
        found.extend(pairs(&rest[rest.len() - end..], &their_rest[their_rest.len() - end..]));
        found
    }
}

/// The operations of a change, each with its identity.
pub(super) fn identified(change: ExpandedChange) -> impl Iterator<Item = (OpId, Op)> {
    let (start, actor) = (change.start_op.get(), change.actor_id);
    (start..).zip(change.operations).map(move |(counter, op)| (OpId(counter, actor.clone()), op))
}

/// Where an operation has its value: a key of a map, or the operation that inserted the element.
pub(super) fn place_of(id: &OpId, op: &Op) -> Key {
    if op.insert { Key::Seq(ElementId::Id(id.clone())) } else { op.key.clone() }
}

/// Where places of one generation are in another, whose begin names every place once.
#[derive(Default)]
pub(super) struct Places {
    /// Objects that are there.
    pub(super) objects: HashMap<OpId, OpId>,
    /// Elements that are there.
    pub(super) elements: HashMap<OpId, OpId>,
    /// Values, shown or not, and the value in their place there.
    pub(super) values: HashMap<OpId, OpId>,
    /// Values there that are counters.
    pub(super) counters: HashSet<OpId>,
    /// For elements that are not there: what they would stand behind.
    pub(super) behind: HashMap<OpId, ElementId>,
}
