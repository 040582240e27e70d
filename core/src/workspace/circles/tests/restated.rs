//! What somebody reads who joined a circle that keeps its past to itself.

use super::*;
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
