//! Devices that hold all keys or only later ones, and what they make of a document that begins anew.

use proptest::prelude::*;

use super::*;
use crate::document::edit::Edit;

const DOCUMENT: &[u8] = b"document";
const MEMBERS: usize = 3;

#[derive(Debug, Clone)]
enum Act {
    Change(Change),
    Begin(Begin),
}

/// What a device wrote at once, under the key of some epoch.
#[derive(Debug, Clone)]
struct Written {
    epoch: usize,
    acts: Vec<Act>,
}

struct Device {
    number: u8,
    /// The first epoch whose key it holds, and the latest that it knows.
    since: usize,
    epoch: usize,
    seen: HashSet<usize>,
    document: Generations,
}

impl Device {
    fn new(number: u8, since: usize) -> Self {
        Self { number, since, epoch: since, seen: HashSet::new(), document: Generations::empty() }
    }

    fn take(&mut self, index: usize, written: &Written) {
        if !self.seen.insert(index) || written.epoch < self.since {
            return;
        }
        self.epoch = self.epoch.max(written.epoch);
        for act in &written.acts {
            match act {
                Act::Change(change) => drop(self.document.apply(change.clone())),
                Act::Begin(begin) => drop(self.document.begin(begin)),
            }
        }
    }

    fn json(&mut self) -> String {
        self.document.value().expect("shallow").to_json().expect("text")
    }

    fn text(&mut self) -> Vec<char> {
        let text = self.document.shown().get("text").expect("a path");
        text.and_then(|text| text.as_text().map(|text| text.chars().collect())).unwrap_or_default()
    }
}

/// Some devices, and all that they wrote.
struct World {
    devices: Vec<Device>,
    log: Vec<Written>,
    epochs: usize,
    inserted: Vec<char>,
    deleted: HashSet<char>,
    numbers: i64,
}

impl World {
    /// Members who have a document.
    fn new() -> Self {
        let devices = (0..MEMBERS).map(|number| Device::new(u8::try_from(number).expect("few"), 0)).collect();
        let (log, inserted, deleted) = (Vec::new(), Vec::new(), HashSet::new());
        let mut world = Self { devices, log, epochs: 0, inserted, deleted, numbers: 0 };
        world.change(0, |edit| {
            edit.splice_text("text", 0, 0, "").expect("makes the text");
            edit.set("list", &Value::List(vec![])).expect("makes the list");
            edit.set("map", &Value::Map([].into())).expect("makes the map");
            edit.increment("count", 1).expect("makes the counter");
        });
        world.sync_all();
        world
    }

    fn write(&mut self, device: usize, acts: Vec<Act>) {
        let written = Written { epoch: self.devices[device].epoch, acts };
        self.log.push(written);
        let index = self.log.len() - 1;
        self.devices[device].take(index, &self.log[index]);
    }

    fn change(&mut self, device: usize, edit: impl FnOnce(&mut Edit<'_>)) {
        let Device { number, document, .. } = &mut self.devices[device];
        let actor = document.actor(&DeviceId([*number; 32]), DOCUMENT);
        let mut acts: Vec<Act> = document.unpublished().into_iter().map(Act::Change).collect();
        let made = document.shown().edit(actor, |tx| {
            edit(tx);
            Ok::<_, crate::Error>(())
        });
        acts.extend(made.expect("edits").1.map(Act::Change));
        self.write(device, acts);
    }

    fn publish(&mut self, device: usize) {
        let acts = self.devices[device].document.unpublished().into_iter().map(Act::Change).collect();
        self.write(device, acts);
    }

    /// Begins the document anew for a newcomer.
    fn add(&mut self, device: usize) {
        self.publish(device);
        self.epochs += 1;
        self.devices[device].epoch = self.epochs;
        self.restate(device);
        let number = u8::try_from(self.devices.len()).expect("few");
        self.devices.push(Device::new(number, self.epochs));
        let newcomer = self.devices.len() - 1;
        self.sync(device, newcomer);
    }

    fn restate(&mut self, device: usize) {
        if let Some(begin) = self.devices[device].document.renew() {
            self.write(device, vec![Act::Begin(begin)]);
            self.publish(device);
        }
    }

    fn sync(&mut self, from: usize, to: usize) {
        let mut seen: Vec<usize> = self.devices[from].seen.iter().copied().collect();
        seen.sort_unstable();
        let epoch = self.devices[from].epoch;
        let device = &mut self.devices[to];
        device.epoch = device.epoch.max(epoch);
        seen.into_iter().for_each(|index| device.take(index, &self.log[index]));
    }

    fn sync_all(&mut self) {
        for device in &mut self.devices {
            self.log.iter().enumerate().for_each(|(index, written)| device.take(index, written));
            device.epoch = self.epochs;
        }
    }

    fn insert(&mut self, device: usize, at: usize) {
        let token =
            char::from_u32(0x4E00 + u32::try_from(self.inserted.len()).expect("few")).expect("a character");
        let place = at % (self.devices[device].text().len() + 1);
        if !self.devices[device].json().contains("text") {
            return;
        }
        self.inserted.push(token);
        self.change(device, |edit| edit.splice_text("text", place, 0, &token.to_string()).expect("splices"));
    }

    fn delete(&mut self, device: usize, at: usize) {
        let text = self.devices[device].text();
        if !text.is_empty() {
            let place = at % text.len();
            self.deleted.insert(text[place]);
            self.change(device, |edit| edit.splice_text("text", place, 1, "").expect("splices"));
        }
    }

    fn other(&mut self, device: usize, at: usize) {
        if !self.devices[device].json().contains("text") {
            return;
        }
        self.numbers += 1;
        let number = self.numbers;
        self.change(device, |edit| match at % 5 {
            0 => edit.insert("list", 0, &Value::Int(number)).expect("inserts"),
            1 => edit.set(&format!("map.{number}"), &Value::Int(number)).expect("sets"),
            2 => edit.set("map.same", &Value::Int(number)).expect("sets"),
            3 => edit
                .insert("list", 0, &Value::Map([("n".to_owned(), Value::Int(number))].into()))
                .expect("inserts"),
            _ => match edit.get("list.0").expect("a path") {
                Some(Value::Map(_)) => edit.set("list.0.m", &Value::Int(number)).expect("sets"),
                Some(_) => edit.set("list.0", &Value::Int(number)).expect("sets"),
                None => {}
            },
        });
    }
}

#[derive(Debug, Clone)]
enum Step {
    Insert(usize, usize),
    Delete(usize, usize),
    Other(usize, usize),
    Add(usize),
    Restate(usize),
    Sync(usize, usize),
}

fn steps(devices: usize, most: usize) -> impl Strategy<Value = Vec<Step>> {
    let device = move || 0..devices;
    let step = prop_oneof![
        4 => (device(), 0usize..20).prop_map(|(device, at)| Step::Insert(device, at)),
        2 => (device(), 0usize..20).prop_map(|(device, at)| Step::Delete(device, at)),
        2 => (device(), 0usize..20).prop_map(|(device, at)| Step::Other(device, at)),
        1 => device().prop_map(Step::Add),
        1 => device().prop_map(Step::Restate),
        4 => (device(), device()).prop_map(|(from, to)| Step::Sync(from, to)),
    ];
    proptest::collection::vec(step, 1..most)
}

fn play(steps: &[Step]) -> World {
    let mut world = World::new();
    for step in steps {
        let count = world.devices.len();
        match *step {
            Step::Insert(device, at) => world.insert(device % count, at),
            Step::Delete(device, at) => world.delete(device % count, at),
            Step::Other(device, at) => world.other(device % count, at),
            Step::Add(device) if count < 9 => world.add(device % count),
            Step::Add(_) => {}
            Step::Restate(device) => world.restate(device % count),
            Step::Sync(from, to) => world.sync(from % count, to % count),
        }
    }
    world
}

fn times(text: &[char], token: char) -> usize {
    text.iter().filter(|other| **other == token).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nobody_loses_an_insert_or_sees_it_twice_and_whoever_holds_the_same_keys_sees_the_same(
        steps in steps(8, 40),
        seed: u64,
    ) {
        let mut world = play(&steps);
        world.sync_all();
        let text = world.devices[0].text();
        for token in &world.inserted {
            let expected = if world.deleted.contains(token) { 0..=1 } else { 1..=1 };
            prop_assert!(expected.contains(&times(&text, *token)), "{token} in {text:?}");
        }
        let shown: Vec<(usize, String)> =
            world.devices.iter_mut().map(|device| (device.since, device.json())).collect();
        for (since, json) in &shown {
            let first = shown.iter().find(|(other, _)| other == since).expect("itself");
            prop_assert_eq!(&first.1, json, "since {}", since);
        }
        // Whatever the order, and whatever was looked at on the way.
        let mut order: Vec<usize> = (0..world.log.len()).collect();
        order.sort_by_key(|index| (*index as u64).wrapping_mul(seed | 1).rotate_left(17));
        for (since, json) in &shown {
            let mut again = Device::new(0, *since);
            order.iter().for_each(|index| {
                again.take(*index, &world.log[*index]);
                if index % 3 == 0 {
                    again.document.shown();
                }
            });
            prop_assert_eq!(&again.json(), json);
        }
        // And once a member of old has written it down everybody sees the same.
        let in_time = seed % 2 == 0;
        if in_time {
            world.publish(0);
        }
        world.epochs += 1;
        world.sync_all();
        world.restate(0);
        world.sync_all();
        let expected = world.devices[0].json();
        if in_time {
            prop_assert_eq!(&expected, &shown[0].1, "nothing is changed by that");
        }
        let text = world.devices[0].text();
        for token in world.inserted.iter().filter(|token| !world.deleted.contains(token)) {
            prop_assert_eq!(times(&text, *token), 1);
        }
        for device in &mut world.devices {
            prop_assert_eq!(&device.json(), &expected, "since {}", device.since);
        }
    }

    #[test]
    fn with_one_who_begins_it_anew_nothing_that_was_taken_out_comes_back(steps in steps(8, 40)) {
        let steps: Vec<Step> = steps
            .into_iter()
            .map(|step| match step {
                Step::Add(_) => Step::Add(0),
                Step::Restate(_) => Step::Restate(0),
                other => other,
            })
            .collect();
        let mut world = play(&steps);
        world.sync_all();
        let text = world.devices[0].text();
        for token in &world.inserted {
            prop_assert_eq!(times(&text, *token), usize::from(!world.deleted.contains(token)));
        }
    }
}

/// A begin that its author made as it liked, of what it holds.
fn begin_of(document: &mut OpenDocument, heads: &[ChangeHash], before: &[ChangeHash]) -> Begin {
    let before = before.iter().map(|hash| hash.0).collect();
    Begin::of(&document.doc, heads.iter().copied(), before).expect("begins")
}

fn with_text(text: &str) -> OpenDocument {
    let mut document = OpenDocument::empty();
    let made =
        document.edit(actor(&DeviceId([9; 32]), DOCUMENT), |edit| edit.splice_text("text", 0, 0, text));
    document.apply(made.expect("edits").1.expect("changed"));
    document
}

#[test]
fn a_begin_that_lies_does_no_more_than_its_author_could() {
    let mut world = World::new();
    world.insert(0, 0);
    world.sync_all();
    let heads: Vec<ChangeHash> = world.devices[0].document.shown().heads().iter().copied().collect();
    world.insert(1, 1);
    let unknown = ChangeHash([7; 32]);
    let lies = [
        // Another content than what it stands for; things that nobody has; itself before it, as it were.
        begin_of(&mut with_text("lie"), &heads, &[]),
        begin_of(&mut with_text("unknown"), &[unknown], &[]),
        begin_of(&mut with_text("many"), &[unknown], &[unknown, ChangeHash([8; 32])]),
    ];
    for begin in lies {
        world.write(2, vec![Act::Begin(begin)]);
        world.sync_all();
        world.insert(0, 0);
        world.sync_all();
        let text = world.devices[0].text();
        let latest = *world.inserted.last().expect("one");
        assert_eq!(times(&text, latest), 1, "editing goes on");
        assert!(world.inserted.iter().all(|token| times(&text, *token) <= 1), "nothing is there twice");
    }
}

#[test]
fn a_begin_whose_change_rests_on_something_or_belongs_to_other_hashes_is_refused() {
    let mut document = with_text("x");
    let heads: Vec<ChangeHash> = document.heads().iter().copied().collect();
    let Begin { heads, before, change } = begin_of(&mut document, &heads, &[]);
    assert!(Begin::parse(heads.clone(), before.clone(), change.raw_bytes()).is_ok());
    assert!(Begin::parse(vec![[1; 32]], before.clone(), change.raw_bytes()).is_err());
    assert!(Begin::parse(heads.clone(), vec![[1; 32]], change.raw_bytes()).is_err());
    let mut expanded = change.decode();
    expanded.deps = vec![ChangeHash([3; 32])];
    assert!(Begin::parse(heads, before, Change::from(expanded).raw_bytes()).is_err());
}

#[test]
fn a_change_that_rests_on_two_generations_never_shows() {
    let mut world = World::new();
    let old: Vec<ChangeHash> = world.devices[0].document.shown().heads().iter().copied().collect();
    world.restate(0);
    let new: Vec<ChangeHash> = world.devices[0].document.shown().heads().iter().copied().collect();
    assert_ne!(old, new);
    let shown = world.devices[0].json();
    let mut expanded = with_text("both").applied_changes().remove(0).decode();
    expanded.deps = [old, new].concat();
    let last = world.devices[0].document.all().applied_changes().iter().map(Change::max_op).max();
    expanded.start_op = std::num::NonZeroU64::new(last.expect("some") + 1).expect("some");
    world.write(0, vec![Act::Change(Change::from(expanded))]);
    assert_eq!(world.devices[0].json(), shown);
    let mut again = Device::new(0, 0);
    (0..world.log.len()).rev().for_each(|index| again.take(index, &world.log[index]));
    assert_eq!(again.json(), shown);
}

#[test]
fn of_several_changes_that_say_to_have_one_origin_the_same_one_stands_for_it_in_every_order() {
    let origin = with_text("x").applied_changes().remove(0);
    let forged = |text: &str| {
        let mut expanded = with_text(text).applied_changes().remove(0).decode();
        expanded.message = Some(origin.hash().to_string());
        Change::from(expanded)
    };
    let (one, two) = (forged("one"), forged("two"));
    let stands_for_it = |changes: &[&Change]| {
        let changes: Vec<Change> = changes.iter().copied().cloned().collect();
        let present = Present::new(&changes);
        changes[present.origins[&origin.hash()]].hash()
    };
    assert_eq!(stands_for_it(&[&one, &two]), stands_for_it(&[&two, &one]));
    assert_eq!(stands_for_it(&[&one, &origin, &two]), origin.hash());
    assert_eq!(stands_for_it(&[&origin, &one]), origin.hash());
}

#[test]
fn two_who_begin_the_same_state_anew_make_the_same_change() {
    let mut world = World::new();
    world.insert(0, 0);
    world.sync_all();
    let begins: Vec<_> = world.devices.iter_mut().map(|device| device.document.renew()).collect();
    assert!(begins[0].is_some());
    assert!(begins.iter().all(|begin| *begin == begins[0]));
}

#[test]
fn what_rests_on_a_change_that_came_another_way_comes_after_it() {
    // Two begin it anew at once; one goes on from a change that both generations get from the first.
    let steps = [
        Step::Insert(3, 0),
        Step::Insert(0, 0),
        Step::Insert(3, 0),
        Step::Other(4, 12),
        Step::Add(2),
        Step::Sync(2, 1),
        Step::Other(1, 2),
        Step::Add(4),
        Step::Delete(0, 0),
        Step::Add(0),
    ];
    let mut world = play(&steps);
    world.sync_all();
    world.publish(0);
    let acts = world.log.iter().flat_map(|written| &written.acts);
    let mut last_ops: HashMap<ChangeHash, u64> = HashMap::new();
    for act in acts {
        let (Act::Change(change) | Act::Begin(Begin { change, .. })) = act;
        let earlier = change.deps().iter().filter_map(|dep| last_ops.get(dep)).max();
        assert!(earlier.is_none_or(|last| change.start_op().get() > *last));
        last_ops.insert(change.hash(), change.max_op());
    }
    world.restate(0);
    assert!(world.devices[0].json().contains(r#""same":2"#));
}
