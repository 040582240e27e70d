//! When there is a new key.

use tidelog_log::directory::user_id;

use super::*;
use crate::workspace::testing::stranger;

const ALL: CircleId = CircleId::WORKSPACE;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

async fn set_policy(world: &World, rotate_days: u16, rotate_entries: u32) {
    let policy = KeyPolicy { rotate_days, rotate_entries };
    world.devices[0].set_policy(policy).await.expect("sets");
    assert_eq!(world.devices[0].policy(), policy);
}

#[tokio::test]
async fn a_key_is_replaced_after_the_entries_that_the_policy_says() {
    let world = World::new(1).await;
    set_policy(&world, 0, 4).await;
    let circle = world.circle(CircleOptions::default(), &[1]).await;
    let mut keys = Vec::new();
    for number in 0..8 {
        world.put(0, circle, "a", number).await;
        keys.push(world.writes_with(0, circle).expect("a key"));
    }
    keys.dedup();
    // The names of the circle and of the database are entries too.
    assert_eq!(keys.len(), 3);
    world.sync().await;
    assert_eq!(world.get(1, circle, "a"), Some(7));
    let refused = world.devices[1].set_policy(KeyPolicy { rotate_days: 1, rotate_entries: 1 }).await;
    assert_eq!(kind(refused), ErrorKind::NotAuthorized);
}

#[tokio::test]
async fn a_key_is_replaced_after_the_days_that_the_policy_says() {
    let world = World::new(0).await;
    set_policy(&world, 2, 0).await;
    let circle = world.circle(CircleOptions::default(), &[]).await;
    world.put(0, ALL, "a", 1).await;
    for (wait_ms, renews) in [(2 * DAY_MS - 1, false), (1, true), (DAY_MS, false), (DAY_MS, true)] {
        world.clock.advance(wait_ms);
        for of in [circle, ALL] {
            let before = world.writes_with(0, of);
            world.put(0, of, "a", 1).await;
            assert_eq!(world.writes_with(0, of) != before, renews, "{wait_ms} {of}");
        }
    }
}

#[tokio::test]
async fn zero_in_the_policy_is_never() {
    let world = World::new(0).await;
    set_policy(&world, 0, 0).await;
    let before = world.writes_with(0, ALL);
    for number in 0..3 {
        world.clock.advance(10_000 * DAY_MS);
        world.put(0, ALL, "a", number).await;
    }
    assert_eq!(world.writes_with(0, ALL), before);
}

#[tokio::test]
async fn the_age_of_a_key_outlives_a_restart() {
    let storage = MemoryStorage::new();
    let clock = Arc::new(ManualClock::new(START_MS));
    let environment = |seed| {
        let random = Arc::new(SeededRandom::new(seed));
        Environment::test(Arc::new(storage.clone()), Arc::clone(&clock) as Arc<_>, random)
    };
    let workspace = Workspace::create_in(environment(1), raw(1), "Test").await.expect("creates");
    workspace.shutdown().await.expect("closes");
    clock.advance(90 * DAY_MS);
    let workspace = Workspace::open_in(environment(2), raw(1)).await.expect("opens");
    let engine = &workspace.inner.engine;
    let key = || {
        let keyring = engine.keyring.read().expect("sound");
        keyring.writer_key(&ALL, &engine.log.directory()).map(|key| key.id())
    };
    let before = key();
    workspace.set_name("Old").await.expect("writes");
    assert_ne!(key(), before);
}

#[tokio::test]
async fn after_a_removal_from_the_workspace_every_circle_it_read_gets_a_new_key() {
    let world = World::new(1).await;
    let read = world.circle(CircleOptions::default(), &[1]).await;
    let other = world.circle(CircleOptions::default(), &[]).await;
    let keys = || [ALL, read, other].map(|circle| world.writes_with(0, circle));
    let engine = &world.devices[0].inner.engine;
    let before = keys();
    let remove = Op::RemoveUser { user: world.user(1), cuts: vec![] };
    engine.commit_directory(vec![remove]).await.expect("removes");
    assert_eq!(keys(), [None, None, before[2]], "nobody writes until there is a new one");
    engine.renew_keys().await.expect("renews");
    assert!(keys().iter().all(Option::is_some));
    assert!(keys()[0] != before[0] && keys()[1] != before[1] && keys()[2] == before[2]);
    let entries = engine.log.arrivals();
    engine.renew_keys().await.expect("has nothing to do");
    assert_eq!(engine.log.arrivals(), entries);
}

#[tokio::test]
async fn a_key_that_a_later_one_opened_to_who_left_is_written_with_no_more() {
    let world = World::new(1).await;
    let engine = &world.devices[0].inner.engine;
    let first = world.writes_with(0, ALL).expect("a key");
    // Without a grant: the next key is its first, and opens the one before.
    let newcomer = stranger(&world.devices[0], world.environment());
    let user = user_id(&engine.workspace(), &newcomer.inner.engine.device());
    let certs = vec![newcomer.inner.engine.certificate(user)];
    let add = Op::AddUser { user, role: Role::Writer, certs };
    engine.commit_directory(vec![add]).await.expect("admits");
    world.put(0, ALL, "a", 1).await;
    assert_ne!(world.writes_with(0, ALL), Some(first));
    let remove = Op::RemoveUser { user, cuts: vec![] };
    engine.commit_directory(vec![remove]).await.expect("removes");
    assert_eq!(world.writes_with(0, ALL), None, "the first key was sealed under the second");
}

#[tokio::test]
async fn who_was_cheated_of_a_key_says_by_whom_and_makes_the_next_one() {
    let world = World::new(1).await;
    let circle = world.circle(CircleOptions::default(), &[1]).await;
    let [cheat, cheated] = [0, 1].map(|number: usize| &world.devices[number].inner.engine);
    let mut epoch = {
        let keyring = cheat.keyring.read().expect("sound");
        keyring.next_epoch(circle, &cheat.log.directory(), &*cheat.random).expect("makes")
    };
    let Op::KeyEpoch { wraps, .. } = &mut epoch else { panic!("an epoch") };
    for wrap in wraps.iter_mut().filter(|wrap| wrap.device == cheated.device()) {
        wrap.ct[0] ^= 1;
    }
    cheat.commit_directory(vec![epoch]).await.expect("commits");
    world.put(0, circle, "a", 1).await;
    world.sync().await;
    let authors: Vec<_> = cheated.key_mismatches().into_iter().map(|(_, author)| author).collect();
    assert_eq!(authors, [cheat.device()]);
    assert!(cheat.key_mismatches().is_empty());
    let [warning] = &world.devices[1].warnings().expect("computes")[..] else { panic!("one warning") };
    assert_eq!((warning.kind, warning.device), (crate::WarningKind::KeyMismatch, Some(cheat.device())));
    assert_eq!(world.get(1, circle, "a"), None);
    world.put(1, circle, "b", 2).await;
    world.sync().await;
    assert_eq!(world.get(0, circle, "b"), Some(2));
    // Whoever holds the key seals it under the next one: then it is known after all.
    let next = {
        let keyring = cheat.keyring.read().expect("sound");
        keyring.next_epoch(circle, &cheat.log.directory(), &*cheat.random).expect("makes")
    };
    cheat.commit_directory(vec![next]).await.expect("commits");
    world.sync().await;
    assert_eq!(cheated.key_mismatches(), []);
    assert_eq!(world.devices[1].warnings().expect("computes"), []);
}
