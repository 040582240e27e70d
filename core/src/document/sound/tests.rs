//! Members who write changes that no program of ours makes: they name operations that they do not know,
//! in places where those are not, with numbers out of turn. Everybody makes the same of them, whatever
//! the order, and what is stored loads again.

use automerge::ExpandedChange;
use automerge::legacy::{ElementId, Key, ObjectId, OpId, OpType, SortedVec};
use proptest::prelude::*;
use proptest::sample::Index;
use tidelog_log::crypto::sha256;
use tidelog_log::ids::DeviceId;

use super::*;
use crate::document::content::{identified, operations};
use crate::document::edit::Edit;
use crate::document::{OpenDocument, actor, guarded, parse_change};
use crate::value::Value;

const DEVICES: u8 = 3;

/// What an attacker changes in an operation of a change.
#[derive(Debug, Clone)]
enum Lie {
    Object(Index),
    Element(Index),
    Field(bool),
    Overwrites(Index),
    OverwritesToo(Index),
    OverwritesNothing,
    Inserts,
    Start(i64),
    RestsOnLess,
    Action(u8),
}

#[derive(Debug, Clone)]
enum Step {
    Edit(u8, u8, u16),
    Sync(u8, u8),
    Lie(u8, u8, u16, Index, Lie),
}

fn lie() -> impl Strategy<Value = Lie> {
    prop_oneof![
        any::<Index>().prop_map(Lie::Object),
        any::<Index>().prop_map(Lie::Element),
        any::<bool>().prop_map(Lie::Field),
        any::<Index>().prop_map(Lie::Overwrites),
        any::<Index>().prop_map(Lie::OverwritesToo),
        Just(Lie::OverwritesNothing),
        Just(Lie::Inserts),
        (-5..5_i64).prop_map(Lie::Start),
        Just(Lie::RestsOnLess),
        (0..6_u8).prop_map(Lie::Action),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..DEVICES, 0..9_u8, any::<u16>()).prop_map(|(device, kind, at)| Step::Edit(device, kind, at)),
        2 => (0..DEVICES, 0..DEVICES).prop_map(|(from, to)| Step::Sync(from, to)),
        1 => (0..DEVICES, 0..9_u8, any::<u16>(), any::<Index>(), lie())
            .prop_map(|(device, kind, at, operation, lie)| Step::Lie(device, kind, at, operation, lie)),
    ]
}

fn edit(tx: &mut Edit<'_>, kind: u8, at: u16) {
    let length = |tx: &mut Edit<'_>, path: &str| match tx.get(path) {
        Ok(Some(Value::Text(text))) => text.chars().count(),
        Ok(Some(Value::List(list))) => list.len(),
        _ => 0,
    };
    let at = usize::from(at);
    let (text, list) = (length(tx, "text"), length(tx, "list"));
    // Another shape may be there by now: then nothing is changed.
    drop(match kind {
        0 => tx.splice_text("text", at % (text + 1), 0, "ab").map(drop),
        1 if text > 0 => tx.splice_text("text", at % text, 1, "").map(drop),
        2 => tx.insert("list", at % (list + 1), &Value::Int(1)).map(drop),
        3 if list > 0 => tx.set(&format!("list.{}", at % list), &Value::Int(2)).map(drop),
        4 if list > 0 => tx.delete(&format!("list.{}", at % list)).map(drop),
        5 => tx.increment("count", 1).map(drop),
        6 => tx.set(["a", "map.a", "map.b"][at % 3], &Value::Int(3)).map(drop),
        7 => tx.delete(["a", "map.a", "map"][at % 3]).map(drop),
        8 => tx.set("map.c", &Value::Map([("d".to_owned(), Value::Int(4))].into())).map(drop),
        _ => Ok(()),
    });
}

struct World {
    devices: Vec<OpenDocument>,
    written: Vec<Change>,
    /// Who lied: what it says later may count for nothing.
    liars: HashSet<u8>,
}

impl World {
    fn new() -> Self {
        let devices = (0..DEVICES).map(|_| OpenDocument::empty()).collect();
        let mut world = Self { devices, written: Vec::new(), liars: HashSet::new() };
        world.edit(0, |tx| {
            tx.splice_text("text", 0, 0, "text").expect("makes the text");
            tx.insert("list", 0, &Value::Int(0)).expect("makes the list");
            tx.increment("count", 1).expect("makes the counter");
        });
        for device in 1..DEVICES {
            world.sync(0, device);
        }
        world
    }

    fn make(&mut self, device: u8, edit: impl FnOnce(&mut Edit<'_>)) -> Option<Change> {
        let document = &mut self.devices[usize::from(device)];
        let made = document.edit(actor(&DeviceId([device; 32]), b"document"), |tx| {
            edit(tx);
            Ok::<_, crate::Error>(())
        });
        made.expect("edits").1
    }

    fn edit(&mut self, device: u8, edit: impl FnOnce(&mut Edit<'_>)) {
        if let Some(change) = self.make(device, edit) {
            self.devices[usize::from(device)].apply(change.clone());
            self.written.push(change);
        }
    }

    fn sync(&mut self, from: u8, to: u8) {
        let known = self.devices[usize::from(from)].applied.clone();
        for change in &self.written {
            if known.contains(&change.hash()) {
                self.devices[usize::from(to)].apply(change.clone());
            }
        }
    }

    /// A change that the device would make, but for one lie; it is the device's own from then on.
    fn lie(&mut self, device: u8, kind: u8, at: u16, operation: Index, lie: &Lie) {
        let Some(change) = self.make(device, |tx| edit(tx, kind, at)) else { return };
        self.devices[usize::from(device)].retract(&[change.hash()]);
        let ids: Vec<OpId> = self
            .written
            .iter()
            .chain([&change])
            .flat_map(|change| identified(operations(change).expect("sound")).map(|(id, _)| id))
            .chain([OpId::new(9_999, change.actor_id())])
            .collect();
        let mut expanded = change.decode();
        tell(&mut expanded, operation, lie, &ids);
        let Some(bytes) = guarded(|| Change::from(expanded).raw_bytes().to_vec()) else { return };
        if let Ok(change) = parse_change(&bytes) {
            self.devices[usize::from(device)].apply(change.clone());
            self.written.push(change);
            self.liars.insert(device);
        }
    }
}

fn tell(expanded: &mut ExpandedChange, operation: Index, lie: &Lie, ids: &[OpId]) {
    let count = expanded.operations.len();
    if count == 0 {
        return;
    }
    let op = &mut expanded.operations[operation.index(count)];
    let one = |index: &Index| ids[index.index(ids.len())].clone();
    match lie {
        Lie::Object(index) => op.obj = ObjectId::Id(one(index)),
        Lie::Element(index) => op.key = Key::Seq(ElementId::Id(one(index))),
        Lie::Field(named) => op.key = if *named { Key::Map("a".into()) } else { Key::Seq(ElementId::Head) },
        Lie::Overwrites(index) => op.pred = SortedVec::from(vec![one(index)]),
        Lie::OverwritesToo(index) => {
            let mut pred: Vec<OpId> = op.pred.iter().cloned().chain([one(index)]).collect();
            pred.sort_unstable();
            op.pred = SortedVec::from(pred);
        }
        Lie::OverwritesNothing => op.pred = SortedVec::from(vec![]),
        Lie::Inserts => op.insert = !op.insert,
        Lie::Start(by) => {
            let start = expanded.start_op.get().saturating_add_signed(*by);
            expanded.start_op = start.max(1).try_into().expect("at least one");
        }
        Lie::RestsOnLess => drop(expanded.deps.pop()),
        Lie::Action(kind) => {
            op.action = match kind {
                0 => OpType::Delete,
                1 => OpType::Increment(1),
                2 => OpType::Make(ObjType::Text),
                3 => OpType::Make(ObjType::Map),
                4 => OpType::MarkEnd(true),
                _ => OpType::Put(automerge::ScalarValue::Counter(5.into())),
            }
        }
    }
}

fn json(doc: &mut OpenDocument) -> String {
    doc.value().expect("shallow").to_json().expect("text")
}

fn play(steps: &[Step]) -> World {
    let mut world = World::new();
    for step in steps {
        match step {
            Step::Edit(device, kind, at) => world.edit(*device, |tx| edit(tx, *kind, *at)),
            Step::Sync(from, to) => world.sync(*from, *to),
            Step::Lie(device, kind, at, operation, lie) => world.lie(*device, *kind, *at, *operation, lie),
        }
    }
    world
}

proptest! {
    #[test]
    fn lies_of_members_make_the_same_document_for_everybody_and_it_can_be_stored(
        steps in prop::collection::vec(step(), 1..25),
        order in any::<u64>(),
        looks in any::<u64>(),
    ) {
        let mut world = play(&steps);
        let mut expected = OpenDocument::empty();
        world.written.iter().for_each(|change| drop(expected.apply(change.clone())));
        let shown = json(&mut expected);
        // In another order, looked at and stored in between.
        let mut other = OpenDocument::empty();
        let mut rest = world.written.clone();
        let mut random = order;
        for number in 0..rest.len() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let index = usize::try_from(random >> 33).expect("31 bits") % rest.len();
            other.apply(rest.swap_remove(index));
            if looks >> (number % 32) & 1 == 1 {
                let _ = json(&mut other);
            }
            if looks >> (32 + number % 32) & 1 == 1 {
                let stored = other.save().expect("saves");
                let waiting: Vec<_> = other.waiting().map(|change| change.raw_bytes().to_vec()).collect();
                other = OpenDocument::load(Some(&stored), &[], &waiting).expect("loads");
            }
        }
        prop_assert_eq!(&json(&mut other), &shown);
        prop_assert_eq!(other.heads(), expected.heads());
        // And whoever did not lie can go on.
        for device in 0..DEVICES {
            (0..DEVICES).for_each(|from| world.sync(from, device));
        }
        if let Some(honest) = (0..DEVICES).find(|device| !world.liars.contains(device)) {
            world.edit(honest, |tx| tx.set("last", &Value::Int(1)).expect("sets"));
            (0..DEVICES).for_each(|device| world.sync(honest, device));
            for document in &mut world.devices {
                let shown = json(document);
                prop_assert!(shown.contains(r#""last":1"#), "{shown} {document:?}");
            }
        }
    }

    #[test]
    fn a_change_with_any_byte_changed_and_its_sum_put_right_leaves_a_document_that_can_be_stored(
        kind in 0..9_u8,
        at in any::<Index>(),
        byte in any::<u8>(),
    ) {
        let mut world = World::new();
        for device in 0..DEVICES {
            (0..9).for_each(|kind| world.edit(device, |tx| edit(tx, kind, 0)));
            world.sync(device, 1);
        }
        let made = world.make(1, |tx| edit(tx, kind, 0));
        if let Some(change) = made {
            world.devices[1].retract(&[change.hash()]);
            let mut bytes = change.raw_bytes().to_vec();
            let body = 8..bytes.len();
            bytes[body.start + at.index(body.len())] = byte;
            let sum = sha256(&[&bytes[body]]);
            bytes[4..8].copy_from_slice(&sum[..4]);
            if let Ok(change) = parse_change(&bytes) {
                world.devices[1].apply(change);
            }
        }
        let shown = json(&mut world.devices[1]);
        let stored = world.devices[1].save().expect("saves");
        prop_assert_eq!(json(&mut OpenDocument::load(Some(&stored), &[], &[]).expect("loads")), shown);
    }
}

/// Whether a change of one device, made by `edit` and changed by `lie`, is sound in a document that has
/// something of everything.
fn told(edit: impl FnOnce(&mut Edit<'_>), lie: impl FnOnce(&mut ExpandedChange, &World)) -> bool {
    let mut world = World::new();
    world.edit(1, |tx| tx.set("a", &Value::Int(1)).expect("sets"));
    world.sync(1, 0);
    world.edit(0, |tx| tx.set("b", &Value::Int(1)).expect("sets"));
    world.edit(0, |tx| tx.set("list.0", &Value::Int(1)).expect("sets"));
    world.edit(0, |tx| tx.set("map.a", &Value::Int(1)).expect("sets"));
    world.edit(0, |tx| tx.increment("count", 1).expect("counts"));
    world.sync(0, 1);
    // What device 1 does not know.
    world.edit(2, |tx| tx.splice_text("text", 1, 0, "unknown").expect("splices"));
    world.sync(2, 0);
    let change = world.make(1, edit).expect("a change");
    let mut expanded = change.decode();
    lie(&mut expanded, &world);
    let change = parse_change(Change::from(expanded).raw_bytes()).expect("a change");
    let document = &mut world.devices[0];
    document.settle();
    let sound = Soundness::default().check(&change, &mut Batch::new(&mut document.doc));
    document.apply(change.clone());
    document.settle();
    assert_eq!(sound, document.applied.contains(&change.hash()));
    assert_eq!(!sound, document.waiting.contains_key(&change.hash()));
    let (shown, stored) = (json(document), document.save().expect("saves"));
    assert_eq!(json(&mut OpenDocument::load(Some(&stored), &[], &[]).expect("loads")), shown);
    sound
}

/// The changes that the document has, by their number in what was written.
const A: usize = 1;
const B: usize = 2;
const SET_IN_LIST: usize = 3;
const IN_MAP: usize = 4;
const COUNTED: usize = 5;
const UNKNOWN: usize = 6;

/// The identity of an operation of a change in the order in which they were written.
fn id(world: &World, change: usize, operation: usize) -> OpId {
    let change = operations(&world.written[change]).expect("sound");
    identified(change).nth(operation).expect("it has so many").0
}

fn overwrites(expanded: &mut ExpandedChange, ids: Vec<OpId>) {
    expanded.operations[0].pred = SortedVec::from(ids);
}

#[test]
fn a_change_that_lies_about_nothing_counts() {
    assert!(told(|tx| edit(tx, 0, 1), |_, _| ()));
    assert!(told(|tx| edit(tx, 1, 1), |_, _| ()));
    assert!(told(|tx| edit(tx, 5, 1), |_, _| ()));
    assert!(told(|tx| edit(tx, 6, 0), |_, _| ()));
}

#[test]
fn a_change_of_nothing_counts_if_it_leaves_no_gap() {
    assert!(told(|tx| edit(tx, 6, 0), |change, _| change.operations.clear()));
    assert!(!told(
        |tx| edit(tx, 6, 0),
        |change, _| {
            change.operations.clear();
            change.start_op = change.start_op.saturating_add(1);
        }
    ));
}

#[test]
fn deleting_a_long_text_decodes_the_change_that_made_it_once() {
    let mut world = World::new();
    world.edit(0, |tx| tx.splice_text("text", 0, 0, &"long ".repeat(2_000)).expect("splices"));
    world.sync(0, 1);
    json(&mut world.devices[1]);
    world.devices[1].soundness = Soundness::default();
    world.edit(0, |tx| tx.splice_text("text", 0, 10_000, "").expect("splices"));
    let change = world.written.last().expect("one").clone();
    let document = &mut world.devices[1];
    let mut batch = Batch::new(&mut document.doc);
    assert!(document.soundness.check(&change, &mut batch));
    assert!(document.soundness.homes.len() > 10_000, "all that was decoded is kept");
}

#[test]
fn a_change_out_of_turn_does_not_count() {
    assert!(!told(|tx| edit(tx, 6, 0), |change, _| change.seq += 1));
    assert!(!told(|tx| edit(tx, 6, 0), |change, _| change.start_op = 99.try_into().expect("some")));
    assert!(!told(
        |tx| edit(tx, 6, 0),
        |change, world| {
            let last = world.written[COUNTED].max_op();
            change.start_op = last.try_into().expect("some");
        }
    ));
    assert!(!told(|tx| edit(tx, 6, 0), |change, world| change.deps = vec![world.written[0].hash()]));
}

#[test]
fn a_change_out_of_turn_keeps_nobody_from_the_turn_before_and_keeps_its_place() {
    let mut world = World::new();
    world.edit(1, |tx| edit(tx, 0, 0));
    let mut make = |number| {
        let change = world.make(1, |tx| tx.set("n", &Value::Int(number)).expect("sets")).expect("a change");
        world.devices[1].retract(&[change.hash()]);
        change
    };
    let mut later = make(0).decode();
    later.deps.clear();
    let later = Change::from(later);
    // Of two in one place the one with the smaller hash counts, if it is sound.
    let second = (1..).map(make).find(|change| change.hash() > later.hash()).expect("some");
    let [first, before] = &world.written[..] else { panic!("two changes") };
    let shown = |order: &[&Change], look: bool| {
        let mut document = OpenDocument::empty();
        for change in order {
            document.apply(Change::clone(change));
            if look {
                document.settle();
            }
        }
        json(&mut document)
    };
    let expected = r#"{"count":1,"list":[0],"text":"abtext"}"#;
    assert_eq!(shown(&[first, before, &later, &second], true), expected);
    assert_eq!(shown(&[before, &later, first, &second], false), expected);
}

#[test]
fn a_change_made_here_that_turns_out_to_be_the_second_in_its_place_counts_if_it_does_elsewhere() {
    let mut world = World::new();
    let mut make = |at| {
        let change = world.make(1, |tx| edit(tx, 0, at)).expect("a change");
        world.devices[1].retract(&[change.hash()]);
        change
    };
    let (one, two) = (make(0), make(1));
    let (counts, other) = if one.hash() < two.hash() { (one, two) } else { (two, one) };
    let first = world.written[0].raw_bytes().to_vec();
    let mut document = OpenDocument::load(None, std::slice::from_ref(&first), &[]).expect("loads");
    document.apply(counts.clone());
    let shown = json(&mut document);
    let mut here = OpenDocument::load(None, &[first], &[]).expect("loads");
    here.settle();
    here.doc.apply_changes([counts.clone()]).expect("applies");
    here.ahead.push(counts.clone());
    here.apply(other);
    here.apply(counts);
    assert_eq!(json(&mut here), shown);
}

#[test]
fn a_change_that_names_what_it_does_not_know_does_not_count() {
    let unknown = |world: &World| id(world, UNKNOWN, 0);
    let place = |world: &World| Key::Seq(ElementId::Id(unknown(world)));
    assert!(!told(|tx| edit(tx, 0, 1), |change, world| change.operations[0].key = place(world)));
    assert!(!told(|tx| edit(tx, 6, 0), |change, world| overwrites(change, vec![unknown(world)])));
    let later = |change: &ExpandedChange| OpId::new(change.start_op.get() + 1, &change.actor_id);
    assert!(!told(
        |tx| edit(tx, 0, 1),
        |change, _| {
            change.operations[0].key = Key::Seq(ElementId::Id(later(change)));
        }
    ));
}

#[test]
fn an_operation_in_an_object_of_another_kind_does_not_count() {
    // The first operations make the text, its four characters, and the list.
    let object = |world: &World, operation| ObjectId::Id(id(world, 0, operation));
    assert!(!told(|tx| edit(tx, 6, 0), |change, world| change.operations[0].obj = object(world, 0)));
    assert!(!told(|tx| edit(tx, 0, 1), |change, world| change.operations[0].obj = object(world, 1)));
    assert!(!told(|tx| edit(tx, 0, 1), |change, _| change.operations[0].obj = ObjectId::Root));
    let new = |tx: &mut Edit<'_>| tx.set("new", &Value::Int(1)).expect("sets");
    assert!(told(new, |_, _| ()));
    assert!(!told(new, |change, _| change.operations[0].insert = true));
    let first = |tx: &mut Edit<'_>| tx.splice_text("text", 0, 0, "a").expect("splices");
    assert!(told(first, |_, _| ()));
    assert!(!told(first, |change, _| change.operations[0].insert = false));
}

#[test]
fn an_element_of_another_list_or_a_value_that_is_none_is_no_place() {
    let element = |world: &World, change, operation| Key::Seq(ElementId::Id(id(world, change, operation)));
    assert!(told(|tx| edit(tx, 0, 1), |change, world| change.operations[0].key = element(world, 0, 2)));
    assert!(!told(|tx| edit(tx, 0, 1), |change, world| change.operations[0].key = element(world, 0, 6)));
    assert!(!told(|tx| edit(tx, 0, 1), |change, world| change.operations[0].key = element(world, A, 0)));
    assert!(!told(
        |tx| edit(tx, 2, 1),
        |change, world| {
            change.operations[0].key = element(world, SET_IN_LIST, 0);
        }
    ));
}

#[test]
fn a_value_is_overwritten_in_its_place_only_and_once() {
    let a = |world: &World| id(world, A, 0);
    assert!(told(|tx| edit(tx, 6, 0), |change, world| overwrites(change, vec![a(world)])));
    assert!(!told(|tx| edit(tx, 6, 0), |change, world| overwrites(change, vec![a(world), a(world)])));
    assert!(!told(|tx| edit(tx, 6, 0), |change, world| overwrites(change, vec![id(world, B, 0)])));
    assert!(!told(|tx| edit(tx, 6, 0), |change, world| overwrites(change, vec![id(world, IN_MAP, 1)])));
    assert!(!told(|tx| edit(tx, 5, 1), |change, world| overwrites(change, vec![id(world, COUNTED, 0)])));
    assert!(!told(|tx| edit(tx, 1, 1), |change, _| overwrites(change, vec![])));
    assert!(!told(|tx| edit(tx, 5, 1), |change, _| overwrites(change, vec![])));
    assert!(!told(|tx| edit(tx, 0, 1), |change, _| change.operations[0].action = OpType::Delete));
}

/// A change with the same operations, written less briefly: one action twice instead of a run of two.
fn longer(bytes: &[u8]) -> Vec<u8> {
    let swap = |bytes: &[u8], old: &[u8], new: &[u8]| {
        let at = bytes.windows(old.len()).position(|window| window == old).expect("it is there");
        [&bytes[..at], new, &bytes[at + old.len()..]].concat()
    };
    // The column of actions and its length; then two actions 1, as a run and one by one.
    let bytes = swap(&swap(bytes, &[0x42, 2], &[0x42, 3]), &[2, 1], &[0x7e, 1, 1]);
    let body = [&[bytes[8], bytes[9] + 1][..], &bytes[10..]].concat();
    [&bytes[..4], &sha256(&[&body])[..4], &body].concat()
}

#[test]
fn a_change_that_is_written_otherwise_than_automerge_does_is_given_back_by_nobody_and_does_not_count() {
    let mut world = World::new();
    let both = |tx: &mut Edit<'_>| {
        tx.set("new", &Value::Int(1)).expect("sets");
        tx.set("newer", &Value::Int(1)).expect("sets");
    };
    let change = world.make(1, both).expect("a change");
    world.devices[1].retract(&[change.hash()]);
    let longer = parse_change(&longer(change.raw_bytes())).expect("a change");
    assert_eq!(longer.decode().operations, change.decode().operations);
    world.devices[0].apply(longer.clone());
    assert!(!json(&mut world.devices[0]).contains("new"));
    assert!(world.devices[0].waiting.contains_key(&longer.hash()));
}

#[test]
fn marks_and_tables_do_not_count() {
    let acts = |action: OpType| told(|tx| edit(tx, 6, 0), |change, _| change.operations[0].action = action);
    assert!(acts(OpType::Make(ObjType::Map)));
    assert!(!acts(OpType::Make(ObjType::Table)));
    assert!(!acts(OpType::MarkEnd(true)));
}
