//! Payloads under a key of another circle than the stream's.

use super::*;
use crate::data::Policy;
use crate::data::address::Scope;
use crate::data::write::DatabaseId;

const ALL: CircleId = CircleId::WORKSPACE;

/// Puts an item into the stream of a database of one circle, under the key of another.
async fn plant(world: &World, stream_of: CircleId, key_of: CircleId) {
    let engine = &world.devices[0].inner.engine;
    let stream = engine.database_id(stream_of, "minutes").expect("known").stream;
    let aimed = DatabaseId { stream, name: None, ..engine.database_id(key_of, "minutes").expect("known") };
    let (stream, collection) = (aimed.rows, "items".to_owned());
    let scope = Scope { stream, collection, policy: Policy::Lww, owner: None };
    let write = engine.write(&aimed, |writer| writer.put(&scope, "planted", &Value::Int(1)));
    write.await.expect("writes");
}

#[tokio::test]
async fn a_payload_for_another_circle_than_the_streams_is_shown_nowhere_and_told() {
    let world = World::new(2).await;
    let circle = world.circle(CircleOptions::default(), &[1]).await;
    world.put(0, circle, "a", 1).await;
    world.put(0, ALL, "a", 1).await;
    plant(&world, circle, ALL).await;
    plant(&world, ALL, circle).await;
    world.sync().await;
    for (number, of) in [(0, ALL), (0, circle), (1, ALL), (1, circle), (2, ALL)] {
        assert_eq!(world.get(number, of, "planted"), None);
        assert_eq!(world.get(number, of, "a"), Some(1));
        let database = world.devices[number].database_in("minutes", of);
        assert_eq!(unread(&database), [ChangeKind::Invalid], "{number} {of}");
    }
}

#[tokio::test]
async fn a_payload_that_came_before_its_stream_was_named_is_shown_nowhere_either() {
    let world = World::new(1).await;
    let circle = world.circle(CircleOptions::default(), &[]).await;
    // The second user cannot tell yet whose the stream is, and reads what is sealed for all.
    plant(&world, circle, ALL).await;
    world.sync().await;
    world.put(0, circle, "a", 1).await;
    world.add(circle, 1).await;
    world.sync().await;
    assert_eq!([world.get(1, circle, "planted"), world.get(1, circle, "a")], [None, Some(1)]);
    assert_eq!(world.get(1, ALL, "planted"), None);
}
