//! What somebody reads who joined a circle that keeps its past to itself.

use super::*;
use crate::data::materialise::{Unsealed, unseal};
use crate::data::{CollectionOptions, Policy};

fn options(policy: Policy) -> CollectionOptions {
    CollectionOptions::default().policy(policy).key_field(None)
}

fn pages(world: &World, number: usize, circle: CircleId) -> Collection<Value> {
    let database = world.devices[number].database_in("minutes", circle);
    database.collection_with("pages", options(Policy::Document))
}

/// A circle with a past, and the one who joins it later.
async fn with_a_past() -> (World, CircleId) {
    let world = World::new(2).await;
    let circle = world.circle(FROM_JOIN, &[2]).await;
    world.put(0, circle, "a", 1).await;
    world.put(0, circle, "a", 2).await;
    world.put(0, circle, "gone", 3).await;
    world.items(0, circle).delete("gone").await.expect("deletes");
    let document = pages(&world, 0, circle).document("page").expect("a document");
    document.set("title", &Value::Text("Minutes".into())).await.expect("writes");
    document.splice_text("body", 0, 0, "Nothing").await.expect("writes");
    document.increment("read", 2).await.expect("writes");
    world.sync().await;
    (world, circle)
}

#[tokio::test]
async fn a_newcomer_reads_the_present_state_and_none_of_the_old_keys() {
    let (world, circle) = with_a_past().await;
    let old = world.writes_with(0, circle).expect("a key");
    world.add(circle, 1).await;
    world.sync().await;
    assert!(!world.holds(1, &old), "the past stays closed");
    assert_eq!(world.get(1, circle, "a"), Some(2));
    assert_eq!(world.get(1, circle, "gone"), None);
    assert_eq!(world.items(1, circle).history("a").expect("reads").len(), 1, "only what was restated");
    assert_eq!(world.devices[1].databases_in(circle).expect("reads"), ["minutes"]);
    assert_eq!(world.devices[1].circles().expect("reads")[0].name.as_deref(), Some("Board"));
    let shown = |number| {
        let document = pages(&world, number, circle).document("page").expect("a document");
        (document.get("").expect("reads"), document.heads().expect("reads"))
    };
    assert_eq!(shown(1), shown(0), "a document is the same, down to its changes");
    let unread = unread(&world.devices[1].database_in("minutes", circle));
    assert!(!unread.is_empty() && unread.iter().all(|kind| *kind == ChangeKind::MissingKey), "{unread:?}");
    // And it goes on from there, in both directions.
    let document = pages(&world, 1, circle).document("page").expect("a document");
    document.increment("read", 1).await.expect("writes");
    world.put(1, circle, "a", 5).await;
    world.sync().await;
    assert_eq!(shown(1), shown(0));
    assert_eq!(world.get(2, circle, "a"), Some(5));
}

#[tokio::test]
async fn of_a_deleted_document_a_newcomer_gets_the_deletion_and_no_change() {
    let (world, circle) = with_a_past().await;
    pages(&world, 0, circle).delete("page").await.expect("deletes");
    world.add(circle, 1).await;
    world.sync().await;
    let pages = pages(&world, 1, circle);
    assert_eq!(pages.get("page").expect("reads"), None);
    let document = pages.document("page").expect("a document");
    assert_eq!(document.heads().expect("reads").len(), 0, "no change of it was given");
}

/// The page as a device shows it, as text.
fn page(world: &World, number: usize, circle: CircleId) -> Option<String> {
    let value = pages(world, number, circle).get("page").expect("reads");
    value.map(|value| value.to_json().expect("text"))
}

fn document(world: &World, number: usize, circle: CircleId) -> crate::document::handle::Document {
    pages(world, number, circle).document("page").expect("a document")
}

async fn add_text(world: &World, number: usize, circle: CircleId, text: &str) {
    document(world, number, circle).splice_text("body", 0, 0, text).await.expect("writes");
}

/// The operations that a device can read, as bytes.
fn readable(world: &World, number: usize) -> Vec<Vec<u8>> {
    let engine = &world.devices[number].inner.engine;
    let mut found = Vec::new();
    let mut arrival = 1;
    while let Some(entry) = engine.log.entry_at(arrival).expect("reads") {
        if let Unsealed::Plain { operations, .. } = unseal(&engine.keyring, &entry) {
            found.push(operations);
        }
        arrival += 1;
    }
    found
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle.as_bytes())
}

#[tokio::test]
async fn of_a_document_a_newcomer_gets_what_is_there_and_nothing_that_was_taken_out() {
    let (world, circle) = with_a_past().await;
    let page_of = |number| document(&world, number, circle);
    page_of(0).splice_text("body", 7, 0, " zebra").await.expect("writes");
    page_of(0).set("quagga", &Value::Text("okapi".into())).await.expect("writes");
    page_of(0).insert("list", 0, &Value::Text("tapir".into())).await.expect("writes");
    page_of(0).splice_text("body", 7, 6, "").await.expect("writes");
    page_of(0).delete("quagga").await.expect("deletes");
    page_of(0).delete("list.0").await.expect("deletes");
    world.add(circle, 1).await;
    world.sync().await;
    assert_eq!(page(&world, 1, circle), page(&world, 0, circle));
    assert_eq!(page(&world, 2, circle), page(&world, 0, circle));
    let opened = readable(&world, 1);
    assert!(opened.iter().any(|bytes| contains(bytes, "Nothing")), "what is there is");
    for word in ["zebra", "quagga", "okapi", "tapir"] {
        assert!(!opened.iter().any(|bytes| contains(bytes, word)), "{word}");
        assert!(readable(&world, 2).iter().any(|bytes| contains(bytes, word)), "{word}");
    }
    assert_eq!(page_of(1).history().expect("reads").len(), 1);
    assert_eq!(page_of(1).heads().expect("reads").len(), 1);
}

#[tokio::test]
async fn after_a_newcomer_joined_all_edit_the_document_and_see_the_same() {
    let (world, circle) = with_a_past().await;
    world.add(circle, 1).await;
    world.sync().await;
    for number in [0, 1, 2] {
        add_text(&world, number, circle, &format!("<{number}>")).await;
        document(&world, number, circle).increment("read", 1).await.expect("writes");
    }
    world.sync().await;
    let shown = page(&world, 0, circle).expect("is there");
    assert_eq!([1, 2].map(|number| page(&world, number, circle)), [Some(shown.clone()), Some(shown.clone())]);
    assert!((0..3).all(|number| shown.matches(&format!("<{number}>")).count() == 1), "{shown}");
    assert!(shown.contains(r#""read":5"#), "{shown}");
}

#[tokio::test]
async fn who_did_not_know_of_a_newcomer_loses_no_edit_and_the_newcomer_sees_it_with_the_next_write() {
    for restated in [false, true] {
        let (world, circle) = with_a_past().await;
        world.add(circle, 1).await;
        add_text(&world, 2, circle, "<meanwhile>").await;
        add_text(&world, 0, circle, "<after>").await;
        world.sync().await;
        let old = page(&world, 0, circle).expect("is there");
        assert!(old.contains("<meanwhile>") && old.contains("<after>"), "{old}");
        assert_eq!(page(&world, 2, circle), Some(old.clone()));
        assert!(page(&world, 1, circle).expect("is there").contains("<after>"));
        add_text(&world, 1, circle, "<newcomer>").await;
        world.sync().await;
        if restated {
            world.add(circle, 1).await;
        } else {
            add_text(&world, 2, circle, "<next>").await;
        }
        world.sync().await;
        let shown = page(&world, 0, circle).expect("is there");
        assert_eq!(
            [1, 2].map(|number| page(&world, number, circle)),
            [Some(shown.clone()), Some(shown.clone())]
        );
        for text in ["<meanwhile>", "<after>", "<newcomer>", "Nothing"] {
            assert_eq!(shown.matches(text).count(), 1, "{text} in {shown}");
        }
    }
}

#[tokio::test]
async fn of_what_was_written_and_taken_out_before_the_next_newcomer_that_one_gets_nothing() {
    let world = World::new(3).await;
    let circle = world.circle(FROM_JOIN, &[2]).await;
    add_text(&world, 0, circle, "Nothing").await;
    world.sync().await;
    world.add(circle, 1).await;
    add_text(&world, 2, circle, "zebra").await;
    document(&world, 2, circle).splice_text("body", 0, 4, "").await.expect("writes");
    world.sync().await;
    assert_eq!(page(&world, 0, circle).as_deref(), Some(r#"{"body":"aNothing"}"#));
    world.add(circle, 3).await;
    world.sync().await;
    for number in [1, 2, 3] {
        assert_eq!(page(&world, number, circle).as_deref(), Some(r#"{"body":"aNothing"}"#), "{number}");
    }
    // One character is one operation, so the word as such is nowhere; what is not there at all is.
    assert!(!readable(&world, 3).iter().any(|bytes| contains(bytes, "zebr")));
    assert_eq!(document(&world, 3, circle).history().expect("reads").len(), 1);
}

#[tokio::test]
async fn of_two_who_add_at_once_both_newcomers_go_on_and_nobody_loses_anything() {
    for apart in [false, true] {
        let world = World::new(3).await;
        let circle = world.circle(FROM_JOIN, &[]).await;
        let admin = world.user(2);
        world.devices[0].set_role(admin, Role::Admin).await.expect("promotes");
        world.devices[0].add_to_circle(circle, admin, Role::Admin).await.expect("adds");
        world.sync().await;
        add_text(&world, 0, circle, "Nothing").await;
        world.sync().await;
        if apart {
            add_text(&world, 0, circle, "<a>").await;
            add_text(&world, 2, circle, "<c>").await;
        }
        world.add(circle, 1).await;
        let other = world.user(3);
        world.devices[2].add_to_circle(circle, other, Role::Writer).await.expect("adds");
        add_text(&world, 0, circle, "<0>").await;
        add_text(&world, 2, circle, "<2>").await;
        for (one, other) in [(0, 1), (2, 3)] {
            world.devices[one].sync_with(&world.devices[other]).await.expect("syncs");
        }
        add_text(&world, 1, circle, "<1>").await;
        add_text(&world, 3, circle, "<3>").await;
        world.sync().await;
        let shown = page(&world, 0, circle).expect("is there");
        assert_eq!(page(&world, 2, circle), Some(shown.clone()));
        for text in ["Nothing", "<0>", "<1>", "<2>", "<3>"].into_iter().chain(apart.then_some("<a>")) {
            assert_eq!(shown.matches(text).count(), 1, "{text} in {shown}");
        }
        world.add(circle, 1).await;
        world.add(circle, 3).await;
        world.sync().await;
        let shown = page(&world, 0, circle);
        assert_eq!([1, 2, 3].map(|number| page(&world, number, circle)), [(); 3].map(|()| shown.clone()));
    }
}

#[tokio::test]
async fn a_document_that_was_deleted_meanwhile_stays_deleted_and_comes_back_once_it_is_written() {
    let (world, circle) = with_a_past().await;
    world.clock.advance(1_000);
    pages(&world, 2, circle).delete("page").await.expect("deletes");
    world.clock.advance(1_000);
    world.add(circle, 1).await;
    world.sync().await;
    assert_eq!([0, 2].map(|number| page(&world, number, circle)), [None, None]);
    assert!(page(&world, 1, circle).is_some(), "the deletion is under the old key");
    world.add(circle, 1).await;
    world.sync().await;
    assert_eq!([0, 1, 2].map(|number| page(&world, number, circle)), [None, None, None]);
    add_text(&world, 2, circle, "<again>").await;
    world.sync().await;
    let shown = page(&world, 0, circle).expect("is there");
    assert!(shown.contains("<again>Nothing"), "{shown}");
    assert_eq!([1, 2].map(|number| page(&world, number, circle)), [Some(shown.clone()), Some(shown)]);
}

#[tokio::test]
async fn what_is_restated_twice_without_a_change_is_the_same_document() {
    let (world, circle) = with_a_past().await;
    world.add(circle, 1).await;
    world.sync().await;
    let heads = |number| document(&world, number, circle).heads().expect("reads");
    let before = heads(0);
    let mut watch = document(&world, 0, circle).watch();
    world.add(circle, 1).await;
    world.sync().await;
    assert_eq!([heads(0), heads(1), heads(2)], [before.clone(), before.clone(), before]);
    assert!(told(&mut watch).is_empty(), "nothing that is shown has changed");
}

#[tokio::test]
async fn restating_wins_against_nothing_that_was_written_meanwhile() {
    let (world, circle) = with_a_past().await;
    world.clock.advance(1_000);
    world.put(2, circle, "a", 7).await;
    world.clock.advance(1_000);
    world.add(circle, 1).await;
    world.sync().await;
    assert_eq!([world.get(0, circle, "a"), world.get(2, circle, "a")], [Some(7), Some(7)]);
    world.add(circle, 1).await;
    world.sync().await;
    assert_eq!(world.get(1, circle, "a"), Some(7), "who repeats the call restates again");
}

#[tokio::test]
async fn an_old_write_that_comes_late_does_not_bring_back_what_was_deleted() {
    let world = World::new(2).await;
    let circle = world.circle(FROM_JOIN, &[2]).await;
    world.put(0, circle, "a", 1).await;
    world.put(2, circle, "a", 2).await;
    world.clock.advance(1_000);
    world.items(0, circle).delete("a").await.expect("deletes");
    world.add(circle, 1).await;
    // The old write again, under a key that the newcomer has.
    world.sync().await;
    world.devices[2].inner.engine.restate(circle).await.expect("restates");
    world.sync().await;
    assert_eq!([0, 1, 2].map(|number| world.get(number, circle, "a")), [None; 3]);
}

#[tokio::test]
async fn a_user_restates_its_own_items_and_not_those_of_others() {
    let world = World::new(2).await;
    let circle = world.circle(FROM_JOIN, &[2]).await;
    for number in [0, 2] {
        world.items(number, circle).own().expect("a user").put("mine", &1).await.expect("writes");
    }
    world.sync().await;
    world.add(circle, 1).await;
    world.sync().await;
    let of = |user| world.items(1, circle).of(user).get("mine").expect("reads");
    assert_eq!([of(world.user(0)), of(world.user(2))], [Some(1), None]);
    assert!(!unread(&world.devices[1].database_in("minutes", circle)).contains(&ChangeKind::Invalid));
}

#[tokio::test]
async fn more_than_fits_one_entry_is_restated_in_several() {
    let world = World::new(1).await;
    let circle = world.circle(FROM_JOIN, &[]).await;
    let texts = |number: usize| -> Collection<String> {
        let database = world.devices[number].database_in("minutes", circle);
        database.collection_with("texts", options(Policy::Lww))
    };
    let long = "x".repeat(700 * 1024);
    let many = ["a", "b", "c", "d", "e"].map(|key| (Some(key.to_owned()), long.clone()));
    texts(0).put_many(many).await.expect("writes");
    let many = (0..1_200).map(|number| (Some(number.to_string()), number));
    world.items(0, circle).put_many(many).await.expect("writes");
    world.add(circle, 1).await;
    world.sync().await;
    let shown = texts(1).all().expect("reads");
    assert_eq!(shown.iter().filter(|item| item.value == long).count(), 5);
    assert_eq!(world.items(1, circle).all().expect("reads").len(), 1_200);
}

#[tokio::test]
async fn with_full_history_nothing_is_restated() {
    let world = World::new(1).await;
    let circle = world.circle(CircleOptions::default(), &[]).await;
    world.put(0, circle, "a", 1).await;
    world.put(0, circle, "a", 2).await;
    let before = world.devices[0].stats().expect("reads").entries;
    world.add(circle, 1).await;
    assert_eq!(world.devices[0].stats().expect("reads").entries, before + 1, "the addition");
    world.sync().await;
    assert_eq!(world.items(1, circle).history("a").expect("reads").len(), 2);
}
