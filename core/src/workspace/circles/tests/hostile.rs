//! What members do who keep to the formats and not to the rules; and what looks like it.

use tidelog_log::directory::{Body, SEALED_KEY_LEN};
use tidelog_log::entry::{Entry, Header, Kind, payload_hash};
use tidelog_log::ids::EntryId;

use super::*;
use crate::data::address::{Policy, Scope};
use crate::data::operation::{Action, Operations};
use crate::keys::payload::Plaintext;

const ALL: CircleId = CircleId::WORKSPACE;

/// The first entry of a device in a stream, under a directory entry of its choice.
fn crafted(
    engine: &Engine,
    (kind, stream, auth, key_id): (Kind, StreamId, EntryId, KeyId),
    payload: impl FnOnce(&Header) -> Vec<u8>,
    payload_len: usize,
) -> Entry {
    let mut header = Header {
        kind,
        prunable: false,
        covered: false,
        payload_len: u32::try_from(payload_len).expect("small"),
        seq: 1,
        workspace: engine.workspace(),
        author: engine.device(),
        prev: EntryId::ZERO,
        auth,
        stream,
        key_id,
        payload_hash: [0; 32],
        signature: [0; 64],
    };
    let payload = payload(&header);
    header.payload_hash = payload_hash(&payload);
    header.sign(&*engine.keys());
    Entry::new(header, payload).expect("well formed")
}

#[tokio::test]
async fn who_acts_where_a_circles_key_is_not_known_yet_does_not_write_into_the_circle() {
    let world = World::new(1).await;
    let before = world.devices[0].inner.engine.log.directory().heads()[0];
    let circle = world.circle(CircleOptions::default(), &[]).await;
    world.devices[0].add_to_circle(circle, world.user(1), Role::Reader).await.expect("adds");
    world.put(0, circle, "a", 1).await;
    world.sync().await;
    let reader = &world.devices[1].inner.engine;
    let database = reader.database_id(circle, "minutes").expect("known");
    let key = {
        let keyring = reader.keyring.read().expect("sound");
        let key_id = world.writes_with(0, circle).expect("a key");
        Arc::clone(keyring.get(&key_id).expect("is held"))
    };
    let scope = Scope { stream: database.rows, collection: "items".into(), policy: Policy::Lww, owner: None };
    let action = Action::put(&Value::Int(2)).expect("encodes");
    let operations = Operations::one(&scope, "a", action).encode();
    let plaintext = Plaintext::new(reader.clock.next().bits(), &operations).expect("fits");
    let length = plaintext.payload_len() as usize;
    let seal = |header: &Header| plaintext.seal(&key, &header.context(), &*reader.random);
    let entry = crafted(reader, (Kind::Data, database.stream, before, key.id()), seal, length);
    let receipt = world.devices[0].inner.engine.log.receive_blocking(vec![entry]).expect("takes");
    assert_eq!(receipt.stored.len(), 1, "for whoever does not know better it is of the workspace");
    assert_eq!(world.get(0, circle, "a"), Some(1));
    assert_eq!(unread(&world.devices[0].database_in("minutes", circle)), [ChangeKind::Invalid]);
}

#[tokio::test]
async fn a_key_that_is_published_for_another_circle_too_is_written_with_no_more() {
    let world = World::new(1).await;
    let circle = world.circle(CircleOptions::default(), &[1]).await;
    let [owner, hostile] = [0, 1].map(|number: usize| &world.devices[number].inner.engine);
    let before = owner.log.directory().heads()[0];
    let epoch = {
        let keyring = owner.keyring.read().expect("sound");
        keyring.next_epoch(ALL, &owner.log.directory(), &*owner.random).expect("makes")
    };
    let Op::KeyEpoch { key_id, commit, name_wrap, .. } = epoch else { panic!("an epoch") };
    owner.commit_directory(vec![epoch]).await.expect("commits");
    world.sync().await;
    assert_eq!(world.writes_with(0, ALL), Some(key_id));
    world.put(0, ALL, "a", 1).await;
    let (prev, wraps) = (vec![], vec![]);
    let again = Op::KeyEpoch { circle, epoch: 1, key_id, commit, name_wrap, prev, wraps };
    let body = Body { parents: vec![before], ops: vec![again] }.encode().expect("encodes");
    let place = (Kind::Directory, StreamId::DIRECTORY, before, KeyId::ZERO);
    let length = body.len();
    let entry = crafted(hostile, place, |_| body, length);
    owner.log.receive_blocking(vec![entry]).expect("takes");
    assert_eq!(owner.log.directory().circles_of_key(&key_id).len(), 2, "as it was meant");
    assert_ne!(world.writes_with(0, ALL), Some(key_id));
    world.put(0, ALL, "b", 2).await;
    world.sync().await;
    for number in [0, 1] {
        assert_eq!(["a", "b"].map(|key| world.get(number, ALL, key)), [Some(1), Some(2)]);
    }
}

#[tokio::test]
async fn a_key_of_a_circle_that_somebody_outside_publishes_for_another_one_is_not_handed_on_there() {
    let world = World::new(1).await;
    let [owner, hostile] = [0, 1].map(|number: usize| &world.devices[number].inner.engine);
    let before = owner.log.directory().heads()[0];
    let newest = owner.log.directory().next_epoch(&ALL).expect("a number");
    // The writer is not in the circle, and acts as if it did not know of it.
    let circle = world.circle(CircleOptions::default(), &[]).await;
    world.put(0, circle, "a", 1).await;
    world.sync().await;
    let secret = world.writes_with(0, circle).expect("a key");
    let commit = {
        let directory = owner.log.directory();
        let epochs = directory.epochs(&circle);
        epochs.iter().find(|epoch| epoch.key_id == secret).expect("published").commit
    };
    let name_wrap = [1; SEALED_KEY_LEN];
    let prev = newest.prev.iter().map(|key_id| (*key_id, [2; SEALED_KEY_LEN])).collect();
    let (epoch, key_id, wraps) = (newest.epoch, secret, vec![]);
    let stolen = Op::KeyEpoch { circle: ALL, epoch, key_id, commit, name_wrap, prev, wraps };
    let body = Body { parents: vec![before], ops: vec![stolen] }.encode().expect("encodes");
    let length = body.len();
    let place = (Kind::Directory, StreamId::DIRECTORY, before, KeyId::ZERO);
    let entry = crafted(hostile, place, |_| body, length);
    owner.log.receive_blocking(vec![entry]).expect("takes");
    assert_eq!(owner.log.directory().circles_of_key(&secret).len(), 2, "as it was meant");
    let sealed = {
        let keyring = owner.keyring.read().expect("sound");
        keyring.next_epoch(ALL, &owner.log.directory(), &*owner.random).expect("makes")
    };
    assert!(matches!(&sealed, Op::KeyEpoch { prev, .. } if prev.iter().any(|(id, _)| *id == secret)));
    owner.commit_directory(vec![sealed]).await.expect("commits");
    // The owner's next device of another user, whom it gives what follows from circle zero.
    let newcomer = joined(&world.devices[0], world.environment(), Role::Writer).await;
    world.sync().await;
    newcomer.sync_with(&world.devices[0]).await.expect("syncs");
    assert!(!world.holds(1, &secret), "who published it learns it no more than before");
    assert!(newcomer.inner.engine.keyring.read().expect("sound").get(&secret).is_none());
    assert_eq!(world.get(0, circle, "a"), Some(1));
    assert!(!owner.key_mismatches().is_empty(), "and is told of");
}

#[tokio::test]
async fn a_key_that_came_aside_from_what_a_chain_acts_under_is_written_with_where_both_are_known() {
    let world = World::new(2).await;
    let circle = world.circle(CircleOptions::default(), &[1, 2]).await;
    world.put(0, circle, "a", 1).await;
    world.sync().await;
    let [_, other, maker] = [0, 1, 2].map(|number: usize| &world.devices[number].inner.engine);
    other.commit_directory(vec![]).await.expect("commits");
    world.devices[0].sync_with(&world.devices[1]).await.expect("syncs");
    world.put(0, circle, "a", 2).await;
    // Aside from what the chain acts under by now.
    let epoch = {
        let keyring = maker.keyring.read().expect("sound");
        keyring.next_epoch(circle, &maker.log.directory(), &*maker.random).expect("makes")
    };
    maker.commit_directory(vec![epoch]).await.expect("commits");
    let key = world.writes_with(2, circle);
    world.sync().await;
    assert_eq!(world.writes_with(0, circle), key);
    world.put(0, circle, "a", 3).await;
    world.sync().await;
    assert_eq!([0, 1, 2].map(|number| world.get(number, circle, "a")), [Some(3); 3]);
}
