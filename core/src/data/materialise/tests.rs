mod replica;
mod retractions;

use replica::*;

use super::*;
use crate::data::hlc::DEFER_AHEAD_MS;
use crate::data::hlc::EARLIEST_MS;
use crate::data::tables::DOCUMENT_TAILS;
use crate::data::watch::{Interest, Notice, Watch};
use crate::document::cache::Cached;
use crate::document::generations::Generations;
use crate::document::{OpenDocument, actor, unsound};
use crate::value::Value;
use proptest::prelude::*;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use tidelog_log::entry::{Header, payload_hash};
use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::ids::{KeyId, UserId, WorkspaceId};
use tidelog_log::state::{StateError, StateRead, Visit};

const STREAM: StreamId = StreamId([5; 16]);
const NOW: u64 = EARLIEST_MS + 1_000_000;
const ME: DeviceId = DeviceId([0; 32]);

type Rows = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_order_of_entries_keys_and_time_shows_the_same(
        (steps, order, key_at, minutes) in steps().prop_flat_map(|steps| {
            let count = steps.len() + 3;
            let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
            (Just(steps), order, 0..=count, proptest::collection::vec((0..count, 0u64..30), 0..4))
        }),
    ) {
        let entries = entries(&steps);
        let expected = in_order(&entries).shown();
        let mut replica = Replica::new();
        let mut minutes_passed = 0;
        for (position, index) in order.iter().enumerate() {
            if position == key_at {
                replica.learn(2);
            }
            for (_, minute) in minutes.iter().filter(|(at, _)| *at == position) {
                minutes_passed += minute;
                replica.advance_to(NOW + minutes_passed * 60_000);
            }
            replica.add(&entries[*index]);
        }
        replica.learn(2);
        replica.advance_to(NOW + 4 * 60 * 60_000);
        prop_assert_eq!(replica.shown(), expected);
        prop_assert!(replica.tables.0.borrow().keys().all(|(table, _)| !table.starts_with("waiting")));
    }

    #[test]
    fn every_change_of_what_is_shown_makes_exactly_one_event(steps in steps()) {
        let mut replica = Replica::new();
        replica.learn(2);
        for entry in entries(&steps) {
            let before = replica.shown().items;
            replica.add(&entry);
            let after = replica.shown().items;
            let live = |item: Option<&ShownItem>| item.is_some_and(|item| item.1);
            // A document that began anew may show the same, made by other changes.
            let value = |item: &ShownItem| {
                let body = item.2.clone().unwrap_or_default();
                let end = body.windows(13).position(|part| part == b" {ChangeHash(").unwrap_or(body.len());
                body[..end].to_vec()
            };
            let begun = !tables::keys(&replica.tables, tables::DOCUMENT_BEGINS, &[]).expect("reads").is_empty();
            let told: Vec<_> = replica.events();
            let changed: Vec<_> = after
                .iter()
                .filter(|(row, item)| {
                    let old = before.get(*row);
                    let document = row.windows(8).any(|part| part == b"document");
                    let differs = match old {
                        Some(old) if document && begun && old.1 == item.1 && value(old) == value(item) => {
                            // The same value by other changes: told of or not, but once.
                            old.2 != item.2 && told.iter().any(|(_, key)| key == "doc")
                        }
                        Some(old) if document => old.1 != item.1 || old.2 != item.2,
                        Some(old) => old != *item,
                        None => true,
                    };
                    differs && (live(old) || item.1)
                })
                .map(|(row, _)| Scope::parse_item_row(row).expect("row").1.to_owned())
                .collect();
            let mut events = told;
            events.retain(|(kind, _)| *kind != EventKind::Unreadable);
            let mut keys: Vec<_> = events.into_iter().map(|(_, key)| key).collect();
            keys.sort();
            let mut changed = changed;
            changed.sort();
            prop_assert_eq!(keys, changed);
        }
    }

    #[test]
    fn what_is_shown_of_an_item_follows_from_the_entries_in_its_history(steps in steps()) {
        let entries = entries(&steps);
        let replica = in_order(&entries);
        let by_id: HashMap<_, _> = entries.iter().map(|entry| (entry.id(), entry)).collect();
        for key in ["k0", "k1", "k2", "both"] {
            let part_row = tables::part_row(&scope(Policy::Lww), key);
            let rows = replica.tables.0.borrow().keys().filter(|(table, row)| {
                *table == HISTORY && row.starts_with(&part_row)
            }).map(|(_, row)| row.clone()).collect::<Vec<_>>();
            let shown = rows.last().and_then(|row| {
                let (version, _) = tables::parse_history(&part_row, row, &[0; 8]).expect("row");
                let payload = &by_id[&version.entry].payload()[8..];
                let operations = Operations::decode(payload).expect("operations");
                match &operations.get(version.index).expect("operation").1.action {
                    Action::Put(value) => cbor::decode(value).expect("value").as_int(),
                    _ => None,
                }
            });
            prop_assert_eq!(shown, replica.value(key));
        }
    }
}

#[test]
fn an_entry_applied_twice_changes_nothing_the_second_time() {
    let mut replica = Replica::new();
    let first = entry(1, hlc(NOW), 0, &put("a", 1));
    replica.add(&first);
    let shown = replica.shown();
    replica.add(&first);
    assert_eq!(replica.shown(), shown);
    assert_eq!(replica.events().len(), 1);
}

#[test]
fn at_equal_time_a_delete_beats_a_put_whichever_comes_first() {
    let (a, b) = (entry(1, hlc(NOW), 0, &put("a", 1)), entry(2, hlc(NOW), 1, &delete("a")));
    for order in [[&a, &b], [&b, &a]] {
        let mut replica = Replica::new();
        order.into_iter().for_each(|entry| replica.add(entry));
        assert_eq!(replica.value("a"), None);
    }
}

#[test]
fn inside_one_entry_the_last_operation_counts() {
    let mut operations = delete("a");
    operations.push(&scope(Policy::Lww), "a", Action::put(&Value::Int(2)).expect("finite"));
    let mut replica = Replica::new();
    replica.add(&entry(1, hlc(NOW), 0, &operations));
    assert_eq!(replica.value("a"), Some(2));
    assert_eq!(replica.events(), [(EventKind::Put, "a".to_owned())]);
}

#[test]
fn an_entry_whose_key_is_missing_is_listed_and_shown_once_the_key_comes() {
    let mut replica = Replica::new();
    replica.add(&sealed(1, hlc(NOW), 7, 0, &put("a", 1).encode()));
    assert_eq!(replica.value("a"), None);
    assert_eq!(replica.events(), [(EventKind::Unreadable, String::new())]);
    replica.learn(8);
    assert_eq!(replica.value("a"), None);
    replica.learn(7);
    assert_eq!(replica.value("a"), Some(1));
    assert_eq!(replica.events(), [(EventKind::Put, "a".to_owned())]);
    let changes = tables::values(&replica.tables, CHANGES, &[]).expect("reads");
    assert_eq!(changes.len(), 1, "the unreadable entry is listed no more");
}

#[test]
fn an_entry_from_the_future_is_shown_when_its_time_comes() {
    let far = hlc(NOW + DEFER_AHEAD_MS + 1);
    let mut replica = Replica::new();
    replica.advance_to(NOW);
    replica.add(&entry(1, far, 0, &put("a", 1)));
    assert_eq!(replica.value("a"), None);
    assert!(!replica.materialiser.is_due());
    replica.advance_to(NOW + 1);
    assert_eq!(replica.value("a"), Some(1));
    assert_eq!(replica.events(), [(EventKind::Put, "a".to_owned())]);
}

#[test]
fn own_entries_and_document_changes_are_never_deferred() {
    let far = hlc(NOW + 2 * DEFER_AHEAD_MS);
    let mut replica = Replica::new();
    replica.add(&entry(ME.0[0], far, 0, &put("a", 1)));
    assert_eq!(replica.value("a"), Some(1));
    let change = change(&mut OpenDocument::empty(), 1, "x");
    replica.add(&entry(1, far, 1, &document_change(change)));
    assert_eq!(replica.document("doc").as_deref(), Some(r#"{"text":"x"}"#));
}

fn document_change(change: Vec<u8>) -> Operations {
    Operations::one(&scope(Policy::Document), "doc", Action::Change(change))
}

/// A small change to a document, which then has it.
fn change(document: &mut OpenDocument, device: u8, text: &str) -> Vec<u8> {
    let actor = actor(&DeviceId([device; 32]), b"doc");
    let (_, change) = document.edit(actor, |edit| edit.splice_text("text", 0, 0, text)).expect("edits");
    let change = change.expect("something changed");
    document.apply(change.clone());
    change.raw_bytes().to_vec()
}

#[test]
fn one_bad_operation_voids_its_entry() {
    let mut operations = put("a", 1);
    operations.push(&scope(Policy::Document), "doc", Action::Change(b"junk".to_vec()));
    let mut replica = Replica::new();
    replica.add(&entry(1, hlc(NOW), 0, &operations));
    assert_eq!(replica.value("a"), None);
    assert_eq!(replica.events(), [(EventKind::Unreadable, String::new())]);
}

#[test]
fn another_users_own_item_cannot_be_written() {
    let own = Scope { owner: Some(user(1)), ..scope(Policy::Lww) };
    let operations = Operations::one(&own, "a", Action::put(&Value::Int(1)).expect("finite"));
    let shown = |device| {
        let mut replica = Replica::new();
        replica.add(&entry(device, hlc(NOW), 0, &operations));
        tables::item(&replica.tables, &own.item_row("a")).expect("reads").is_some()
    };
    assert!(shown(1));
    assert!(!shown(2));
}

#[test]
fn a_document_change_out_of_order_makes_one_event_when_it_can_be_shown() {
    let mut source = OpenDocument::empty();
    let (first, second) = (change(&mut source, 1, "b"), change(&mut source, 1, "a"));
    let mut replica = Replica::new();
    replica.add(&entry(1, hlc(NOW + 1), 1, &document_change(second)));
    assert_eq!(replica.document("doc"), None);
    assert_eq!(replica.events(), []);
    replica.add(&entry(1, hlc(NOW), 0, &document_change(first)));
    assert_eq!(replica.document("doc").as_deref(), Some(r#"{"text":"ab"}"#));
    assert_eq!(replica.events(), [(EventKind::Merge, "doc".to_owned())]);
}

#[test]
fn a_deleted_document_comes_back_with_a_later_change() {
    let mut source = OpenDocument::empty();
    let (first, second) = (change(&mut source, 1, "b"), change(&mut source, 1, "a"));
    let mut replica = Replica::new();
    replica.add(&entry(1, hlc(NOW), 0, &document_change(first)));
    let gone = Operations::one(&scope(Policy::Document), "doc", Action::Delete);
    replica.add(&entry(1, hlc(NOW + 1), 1, &gone));
    assert_eq!(replica.document("doc"), None);
    replica.add(&entry(1, hlc(NOW + 2), 2, &document_change(second)));
    assert_eq!(replica.document("doc").as_deref(), Some(r#"{"text":"ab"}"#));
    let kinds: Vec<_> = replica.events().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [EventKind::Merge, EventKind::Delete, EventKind::Merge]);
}

#[test]
fn a_begin_of_what_is_shown_makes_no_event_and_costs_nothing_but_itself() {
    let mut replica = Replica::new();
    let mut source = Generations::empty();
    for (salt, key) in [(0, "a"), (1, "b")] {
        for action in edited(&mut source, 1, key, 1) {
            take(&mut source, &action);
            replica.add(&entry(1, hlc(NOW), salt, &Operations::one(&scope(Policy::Document), "doc", action)));
        }
    }
    replica.events();
    let shown = replica.document("doc");
    let begin = Action::from(source.renew().expect("begins"));
    replica.add(&entry(1, hlc(NOW), 2, &Operations::one(&scope(Policy::Document), "doc", begin)));
    assert_eq!(replica.document("doc"), shown);
    assert_eq!(replica.events(), []);
    assert_eq!(tables::keys(&replica.tables, tables::DOCUMENT_BEGINS, &[]).expect("reads").len(), 1);
}

#[test]
fn ten_thousand_small_changes_write_little_more_than_themselves() {
    let mut source = OpenDocument::empty();
    let mut replica = Replica::new();
    let (mut largest_tail, mut snapshots, mut last_snapshot) = (0, 0, Vec::new());
    for number in 0..10_000u64 {
        let entry = entry(1, hlc(NOW), number, &document_change(change(&mut source, 1, "x")));
        replica.add(&entry);
        if number % 64 == 0 {
            let tails = tables::values(&replica.tables, DOCUMENT_TAILS, &[]).expect("reads");
            largest_tail = largest_tail.max(tails.iter().map(Vec::len).sum());
            let snapshot = tables::values(&replica.tables, tables::DOCUMENT_SNAPSHOTS, &[]).expect("reads");
            if snapshot != last_snapshot {
                snapshots += 1;
                last_snapshot = snapshot;
            }
        }
    }
    assert!(largest_tail <= 2 * document::TAIL_BYTES_MIN, "{largest_tail}");
    assert!(snapshots <= 60, "{snapshots}");
    let text = replica.document("doc").expect("there");
    assert_eq!(text.len(), r#"{"text":""}"#.len() + 10_000);
}

#[test]
fn a_change_that_is_not_sound_is_kept_among_those_that_wait_and_keeps_nothing_from_being_stored() {
    let mut source = OpenDocument::empty();
    let mut replica = Replica::new();
    let first = change(&mut source, 1, "a");
    replica.add(&entry(1, hlc(NOW), 0, &document_change(first.clone())));
    let mut other = OpenDocument::load(None, &[first], &[]).expect("loads");
    let lie = unsound(&change(&mut other, 2, "b"));
    replica.add(&entry(2, hlc(NOW), 1, &document_change(lie.clone())));
    let long = "c".repeat(2 * document::TAIL_BYTES_MIN);
    replica.add(&entry(1, hlc(NOW), 2, &document_change(change(&mut source, 1, &long))));
    assert_eq!(tables::keys(&replica.tables, DOCUMENT_TAILS, &[]).expect("reads").len(), 0, "compacted");
    let waiting = tables::values(&replica.tables, tables::DOCUMENT_WAITING, &[]).expect("reads");
    assert_eq!(waiting, [lie]);
    replica.add(&entry(1, hlc(NOW), 3, &document_change(change(&mut source, 1, "d"))));
    assert_eq!(replica.document("doc"), Some(format!(r#"{{"text":"d{long}a"}}"#)));
}

#[test]
fn a_rolled_back_change_leaves_no_trace_in_the_open_document() {
    let mut source = OpenDocument::empty();
    let (first, second) = (change(&mut source, 1, "b"), change(&mut source, 1, "a"));
    let mut replica = Replica::new();
    replica.add(&entry(1, hlc(NOW), 0, &document_change(first)));
    let committed = replica.tables.0.borrow().clone();
    replica.add(&entry(1, hlc(NOW), 1, &document_change(second)));
    *replica.tables.0.borrow_mut() = committed;
    // Renews the rows from the open document, if it were not loaded again.
    let gone = Operations::one(&scope(Policy::Document), "doc", Action::Delete);
    replica.add(&entry(1, hlc(NOW + 1), 2, &gone));
    let place =
        replica.materialiser.shared.documents.place(&tables::part_row(&scope(Policy::Document), "doc"));
    let mut guard = crate::document::cache::lock(&place);
    let value = guard.as_mut().expect("open").document.value().expect("shallow");
    assert_eq!(value.to_json().expect("text"), r#"{"text":"b"}"#);
}

#[test]
fn the_catalogue_teaches_the_names_of_databases() {
    let mut replica = Replica::new();
    let catalogue = Scope {
        stream: StreamId::DIRECTORY,
        collection: CATALOGUE_COLLECTION.into(),
        policy: Policy::Lww,
        owner: None,
    };
    let operations = Operations::one(&catalogue, "main", Action::put(&Value::Null).expect("null"));
    let source = entry(1, hlc(NOW), 0, &operations);
    let header = Header { stream: StreamId::DIRECTORY, ..source.header().clone() };
    replica.add(&Entry::new(header, source.payload().to_vec()).expect("well formed"));
    assert_eq!(replica.materialiser.shared.hub.name(STREAM).as_deref(), Some("main"));
}

#[test]
fn the_clock_goes_on_after_a_restart() {
    let mut replica = Replica::new();
    let ahead = hlc(NOW + DEFER_AHEAD_MS);
    replica.add(&entry(1, ahead, 0, &put("a", 1)));
    let mut restarted = Replica { tables: std::mem::take(&mut replica.tables), ..Replica::new() };
    restarted.learn(1);
    assert!(restarted.materialiser.clock.next() > ahead);
}

#[test]
fn numbers_go_on_after_a_restart() {
    let mut replica = Replica::new();
    replica.add(&entry(1, hlc(NOW), 0, &put("a", 1)));
    let mut restarted = Replica { tables: std::mem::take(&mut replica.tables), ..Replica::new() };
    restarted.add(&entry(1, hlc(NOW), 1, &put("b", 1)));
    let numbers: Vec<_> = tables::keys(&restarted.tables, CHANGES, &[])
        .expect("reads")
        .iter()
        .map(|row| u64::from_be_bytes(*row.last_chunk().expect("row")))
        .collect();
    assert_eq!(numbers, [1, 2]);
}
