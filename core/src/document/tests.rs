use super::*;
use proptest::prelude::*;

const ADDRESS: &[u8] = b"document";

fn device(number: u8) -> ActorId {
    actor(&DeviceId([number; 32]), ADDRESS)
}

/// A change made on top of what a document holds, which then holds it too.
fn change(doc: &mut OpenDocument, number: u8, edit: impl FnOnce(&mut edit::Edit<'_>)) -> Vec<u8> {
    let (_, made) = doc
        .edit(device(number), |tx| {
            edit(tx);
            Ok::<_, crate::Error>(())
        })
        .expect("edits");
    let bytes = made.expect("something changed").raw_bytes().to_vec();
    assert_eq!(doc.apply(parse_change(&bytes).expect("own change")), Outcome::Applied(vec![]));
    bytes
}

fn set(doc: &mut OpenDocument, number: u8, path: &str, value: i64) -> Vec<u8> {
    change(doc, number, |tx| tx.set(path, &Value::Int(value)).expect("sets"))
}

fn json(doc: &mut OpenDocument) -> String {
    doc.value().expect("shallow").to_json().expect("text")
}

/// Two changes with one actor and sequence number, each with one that rests on it.
fn contradiction() -> Vec<Vec<u8>> {
    let (mut left, mut right) = (OpenDocument::empty(), OpenDocument::empty());
    vec![
        set(&mut left, 7, "side", 1),
        set(&mut left, 8, "left", 1),
        set(&mut right, 7, "side", 2),
        set(&mut right, 9, "right", 1),
    ]
}

fn history() -> Vec<Vec<u8>> {
    let mut a = OpenDocument::empty();
    let mut changes = vec![change(&mut a, 1, |tx| tx.splice_text("text", 0, 0, "hello").expect("splices"))];
    let mut b = OpenDocument::load(None, &changes, &[]).expect("loads");
    for number in 0..4 {
        changes.push(change(&mut a, 1, |tx| tx.splice_text("text", 0, 1, "ab").expect("splices")));
        changes.push(change(&mut b, 2, |tx| tx.increment("count", number + 1).expect("counts")));
    }
    changes
}

proptest! {
    #[test]
    fn any_order_and_repetition_of_changes_gives_one_document(
        order in Just(history().into_iter().chain(contradiction()).collect::<Vec<_>>()).prop_shuffle(),
        again: prop::sample::Index,
    ) {
        let mut expected = OpenDocument::empty();
        history().iter().chain(&contradiction()).for_each(|bytes| {
            expected.apply(parse_change(bytes).expect("change"));
        });
        let mut doc = OpenDocument::empty();
        let repeated = again.get(&order).clone();
        for bytes in order.iter().chain([&repeated]) {
            doc.apply(parse_change(bytes).expect("change"));
        }
        prop_assert_eq!(json(&mut doc), json(&mut expected));
        prop_assert_eq!(doc.heads(), expected.heads());
        prop_assert_eq!(doc.waiting().count(), 2);
    }

    #[test]
    fn changes_of_others_never_panic(at: prop::sample::Index, byte: u8) {
        let mut bytes = history().remove(3);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(change) = parse_change(&bytes) {
            OpenDocument::empty().apply(change);
        }
    }
}

#[test]
fn of_two_changes_in_one_place_the_smaller_hash_counts_and_takes_its_dependents_along() {
    let changes = contradiction();
    let hash = |index: usize| parse_change(&changes[index]).expect("change").hash();
    let winner = if hash(0) < hash(2) { r#"{"left":1,"side":1}"# } else { r#"{"right":1,"side":2}"# };
    let mut doc = OpenDocument::empty();
    for bytes in &changes {
        doc.apply(parse_change(bytes).expect("change"));
    }
    assert_eq!(json(&mut doc), winner);
}

#[test]
fn the_second_in_a_place_stays_out_when_what_it_rests_on_comes_later() {
    let first = set(&mut OpenDocument::empty(), 7, "place", 0);
    let hash = |bytes: &[u8]| parse_change(bytes).expect("change").hash();
    let (awaited, second) = (1..)
        .map(|number| {
            let mut other = OpenDocument::empty();
            (set(&mut other, 8, "other", number), set(&mut other, 7, "place", number))
        })
        .find(|(_, second)| hash(second) > hash(&first))
        .expect("some");
    let mut doc = OpenDocument::empty();
    for bytes in [&second, &first, &awaited] {
        doc.apply(parse_change(bytes).expect("change"));
    }
    assert_eq!(doc.waiting().map(Change::hash).collect::<Vec<_>>(), [hash(&second)]);
    assert!(json(&mut doc).contains(r#""place":0"#));
}

#[test]
fn sequence_numbers_out_of_turn_are_remembered_until_the_gap_is_filled() {
    let mut places = Places::default();
    for seq in [3, 1, u64::MAX, 0] {
        places.add(seq);
    }
    let has = |places: &Places| [1, 2, 3, 4, u64::MAX].map(|seq| places.has(seq));
    assert_eq!(has(&places), [true, false, true, false, true]);
    places.add(2);
    assert_eq!((has(&places), places.up_to), ([true, true, true, false, true], 3));
}

#[test]
fn a_change_waits_for_what_it_rests_on() {
    let mut source = OpenDocument::empty();
    let first = set(&mut source, 1, "a", 1);
    let second = set(&mut source, 2, "b", 2);
    let mut doc = OpenDocument::empty();
    assert_eq!(doc.apply(parse_change(&second).expect("change")), Outcome::Waits);
    assert!(doc.is_empty());
    let Outcome::Applied(woken) = doc.apply(parse_change(&first).expect("change")) else {
        panic!("applied");
    };
    assert_eq!(woken.len(), 1);
    assert_eq!(json(&mut doc), r#"{"a":1,"b":2}"#);
    assert_eq!(doc.apply(parse_change(&second).expect("change")), Outcome::Known);
}

/// A change of its text by a device, as if it had overwritten the value of `a`.
fn out_of_place(source: &mut OpenDocument, number: u8) -> Vec<u8> {
    let (_, made) = source
        .edit(device(number), |tx| tx.set("a", &Value::Int(2)).and_then(|()| tx.set("b", &Value::Int(2))))
        .expect("edits");
    let change = made.expect("changed");
    source.retract(&[change.hash()]);
    let mut expanded = change.decode();
    expanded.operations[1].pred = expanded.operations[0].pred.clone();
    Change::from(expanded).raw_bytes().to_vec()
}

#[test]
fn a_change_that_automerge_does_not_give_back_waits_for_ever_with_what_rests_on_it() {
    let mut source = OpenDocument::empty();
    let first = set(&mut source, 1, "a", 1);
    let bad = parse_change(&out_of_place(&mut source, 2)).expect("a change");
    let after = set(&mut source, 3, "c", 3);
    let mut after = parse_change(&after).expect("a change").decode();
    (after.deps, after.start_op) = (vec![bad.hash()], 9.try_into().expect("not zero"));
    let after = Change::from(after);
    let mut doc = OpenDocument::load(None, &[first], &[]).expect("loads");
    doc.apply(bad.clone());
    doc.apply(after.clone());
    assert_eq!(json(&mut doc), r#"{"a":1}"#);
    let waiting: HashSet<_> = doc.waiting().map(Change::hash).collect();
    assert_eq!(waiting, HashSet::from([bad.hash(), after.hash()]));
    assert_eq!(doc.heads().len(), 1);
    assert_eq!(doc.apply(bad), Outcome::Known);
    let saved = doc.save().expect("saves");
    assert_eq!(json(&mut OpenDocument::load(Some(&saved), &[], &[]).expect("loads")), r#"{"a":1}"#);
}

#[test]
fn a_document_whose_first_change_is_not_sound_is_empty() {
    let mut source = OpenDocument::empty();
    let first = set(&mut source, 1, "a", 1);
    let mut doc = OpenDocument::empty();
    doc.apply(parse_change(&unsound(&first)).expect("a change"));
    assert!(doc.is_empty());
}

#[test]
fn a_change_made_here_shows_at_once_and_can_be_taken_back() {
    let mut doc = OpenDocument::empty();
    let first = set(&mut doc, 1, "a", 1);
    let (_, kept) = doc.edit(device(1), |tx| tx.set("b", &Value::Int(2))).expect("edits");
    let (_, made) = doc.edit(device(1), |tx| tx.set("c", &Value::Int(3))).expect("edits");
    assert_eq!(json(&mut doc), r#"{"a":1,"b":2,"c":3}"#);
    let saved = doc.save().expect("saves");
    assert_eq!(json(&mut OpenDocument::load(Some(&saved), &[], &[]).expect("loads")), r#"{"a":1}"#);
    doc.retract(&[made.expect("changed").hash()]);
    assert_eq!(json(&mut doc), r#"{"a":1,"b":2}"#);
    assert_eq!(doc.apply(kept.expect("changed")), Outcome::Applied(vec![]));
    assert_eq!(doc.apply(parse_change(&first).expect("change")), Outcome::Known);
}

#[test]
fn a_stored_document_loads_as_it_was() {
    let mut source = OpenDocument::empty();
    let first = set(&mut source, 1, "a", 1);
    let snapshot = source.save().expect("saves");
    let second = set(&mut source, 1, "b", 2);
    let third = set(&mut source, 1, "c", 3);
    let fourth = set(&mut source, 1, "d", 4);
    let mut doc = OpenDocument::load(Some(&snapshot), &[second], &[fourth]).expect("loads");
    assert_eq!(json(&mut doc), r#"{"a":1,"b":2}"#);
    assert_eq!(doc.apply(parse_change(&first).expect("change")), Outcome::Known);
    doc.apply(parse_change(&third).expect("change"));
    assert_eq!(json(&mut doc), r#"{"a":1,"b":2,"c":3,"d":4}"#);
    assert_eq!(OpenDocument::load(Some(b"junk"), &[], &[]).map(drop), Err(DocumentError::Stored));
}

#[test]
fn compressed_truncated_and_extended_changes_are_refused() {
    let bytes = set(&mut OpenDocument::empty(), 1, "a", 1);
    assert!(parse_change(&bytes).is_ok());
    let mut compressed = bytes.clone();
    compressed[CHUNK_TYPE.0] = 2;
    assert_eq!(parse_change(&compressed).map(drop), Err(DocumentError::Malformed));
    assert!(parse_change(&[&bytes[..], &[0]].concat()).is_err());
    for length in 0..bytes.len() {
        assert!(parse_change(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn an_edit_that_changes_nothing_makes_no_change() {
    let mut doc = OpenDocument::empty();
    set(&mut doc, 1, "a", 1);
    let (_, change) = doc.edit(device(1), |tx| tx.set("a", &Value::Int(1))).expect("edits");
    assert_eq!(change, None);
}

#[test]
fn actors_follow_from_device_and_document() {
    assert_eq!(device(1), device(1));
    assert_ne!(device(1), device(2));
    assert_ne!(actor(&DeviceId([1; 32]), b"a"), actor(&DeviceId([1; 32]), b"b"));
}

#[test]
fn text_positions_count_unicode_scalar_values() {
    let mut doc = OpenDocument::empty();
    change(&mut doc, 1, |tx| tx.splice_text("t", 0, 0, "a\u{1F600}e\u{301}z").expect("splices"));
    change(&mut doc, 1, |tx| tx.splice_text("t", 1, 1, "b").expect("splices"));
    change(&mut doc, 1, |tx| tx.splice_text("t", 3, 1, "").expect("splices"));
    assert_eq!(json(&mut doc), r#"{"t":"abez"}"#);
    let beyond = doc.edit(device(1), |tx| tx.splice_text("t", 3, 2, ""));
    assert_eq!(beyond.map(drop).expect_err("refused").kind(), crate::ErrorKind::InvalidArgument);
}

#[test]
fn concurrent_increments_add_up_and_edits_of_one_text_merge() {
    let mut a = OpenDocument::empty();
    let base = change(&mut a, 1, |tx| {
        tx.set("text", &"plain".into()).expect("sets");
        tx.splice_text("text", 0, 0, "").expect("becomes text");
        tx.increment("n", 1).expect("counts");
    });
    let mut b = OpenDocument::load(None, &[base], &[]).expect("loads");
    let left = change(&mut a, 1, |tx| {
        tx.increment("n", 10).expect("counts");
        tx.splice_text("text", 0, 0, "<").expect("splices");
    });
    let right = change(&mut b, 2, |tx| {
        tx.increment("n", 100).expect("counts");
        tx.splice_text("text", 5, 0, ">").expect("splices");
    });
    a.apply(parse_change(&right).expect("change"));
    b.apply(parse_change(&left).expect("change"));
    assert_eq!(json(&mut a), r#"{"n":111,"text":"<plain>"}"#);
    assert_eq!(json(&mut a), json(&mut b));
}

#[test]
fn of_two_texts_made_at_one_place_at_once_every_device_shows_the_same_one_and_then_they_merge() {
    let (mut a, mut b) = (OpenDocument::empty(), OpenDocument::empty());
    let left = change(&mut a, 1, |tx| tx.splice_text("text", 0, 0, "left").expect("splices"));
    let right = change(&mut b, 2, |tx| tx.splice_text("text", 0, 0, "right").expect("splices"));
    a.apply(parse_change(&right).expect("change"));
    b.apply(parse_change(&left).expect("change"));
    let shown = json(&mut a);
    assert!([r#"{"text":"left"}"#, r#"{"text":"right"}"#].contains(&&shown[..]), "{shown}");
    assert_eq!(json(&mut b), shown);
    let more = change(&mut a, 1, |tx| tx.splice_text("text", 0, 0, "<").expect("splices"));
    let most = change(&mut b, 2, |tx| tx.splice_text("text", 0, 0, ">").expect("splices"));
    a.apply(parse_change(&most).expect("change"));
    b.apply(parse_change(&more).expect("change"));
    let merged = json(&mut a);
    assert_eq!(json(&mut b), merged);
    assert!(merged.contains('<') && merged.contains('>'), "{merged}");
}

#[test]
fn setting_a_whole_document_keeps_what_others_change_elsewhere_in_it() {
    let value = |text: &str| Value::from_json(text).expect("valid");
    let mut a = OpenDocument::empty();
    let base = change(&mut a, 1, |tx| {
        tx.set("", &value(r#"{"list": [1, 2, 3], "map": {"x": 1, "y": 2}, "gone": 0}"#)).expect("sets");
    });
    let mut b = OpenDocument::load(None, &[base], &[]).expect("loads");
    let left = change(&mut a, 1, |tx| {
        tx.set("", &value(r#"{"list": [1, 9, 3, 4], "map": {"x": 5, "y": 2}}"#)).expect("sets");
    });
    let right = change(&mut b, 2, |tx| tx.set("map.y", &Value::Int(7)).expect("sets"));
    a.apply(parse_change(&right).expect("change"));
    b.apply(parse_change(&left).expect("change"));
    assert_eq!(json(&mut a), r#"{"list":[1,9,3,4],"map":{"x":5,"y":7}}"#);
    assert_eq!(json(&mut a), json(&mut b));
}

#[test]
fn paths_that_lead_nowhere_are_refused_and_missing_maps_are_made() {
    let mut doc = OpenDocument::empty();
    change(&mut doc, 1, |tx| {
        tx.set("a.b.c", &Value::Int(1)).expect("makes maps");
        tx.insert("list", 0, &Value::Int(5)).expect("makes the list");
        tx.insert("list", 1, &Value::Int(6)).expect("appends");
        for path in ["list.2", "list.x", "a.b.c.d", "", "a..b"] {
            assert!(tx.set(path, &Value::Null).is_err(), "{path:?}");
        }
        assert!(tx.insert("list", 3, &Value::Null).is_err());
        assert!(tx.insert("a", 0, &Value::Null).is_err());
        assert!(tx.splice_text("a", 0, 0, "x").is_err());
        assert!(tx.increment("list", 1).is_err());
        assert_eq!(tx.get("list.1").expect("path"), Some(Value::Int(6)));
        assert_eq!(tx.get("list.2").expect("path"), None);
        assert!(tx.delete("list.0").expect("path"));
        assert!(!tx.delete("none.at.all").expect("path"));
        assert!(tx.delete("a..b").is_err());
    });
    assert_eq!(json(&mut doc), r#"{"a":{"b":{"c":1}},"list":[6]}"#);
}
