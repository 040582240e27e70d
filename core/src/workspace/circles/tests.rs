//! Circles over several workspaces of one program.

mod hostile;
mod misplaced;
mod random;
mod renewal;
mod restated;

use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::ids::KeyId;
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::START_MS;

use super::*;
use crate::data::{ChangeKind, Notice, Watch};
use crate::workspace::testing::{joined, on, raw};
use crate::workspace::{Environment, WatchOptions};

const FROM_JOIN: CircleOptions = CircleOptions { history: History::FromJoin, recoverable: true };

/// Workspaces of one program, whose clock is one.
struct World {
    clock: Arc<ManualClock>,
    devices: Vec<Workspace>,
}

impl World {
    /// An owner, and writers that it admitted.
    async fn new(writers: usize) -> Self {
        let clock = Arc::new(ManualClock::new(START_MS));
        let mut world = Self { clock, devices: Vec::new() };
        let environment = world.environment();
        world.devices.push(Workspace::create_in(environment, raw(1), "Test").await.expect("creates"));
        for _ in 0..writers {
            let newcomer = joined(&world.devices[0], world.environment(), Role::Writer).await;
            world.devices.push(newcomer);
        }
        world.sync().await;
        world
    }

    fn environment(&self) -> Environment {
        let random = Arc::new(SeededRandom::new(100 + self.devices.len() as u64));
        Environment::test(Arc::new(MemoryStorage::new()), Arc::clone(&self.clock) as Arc<_>, random)
    }

    /// Everybody gets everything, through the last one.
    async fn sync(&self) {
        let (last, others) = self.devices.split_last().expect("there is one");
        for _ in 0..2 {
            for device in others {
                device.sync_with(last).await.expect("syncs");
            }
        }
    }

    fn user(&self, number: usize) -> UserId {
        self.devices[number].me().expect("a member").user
    }

    /// A circle of the owner and some others.
    async fn circle(&self, options: CircleOptions, others: &[usize]) -> CircleId {
        let circle = self.devices[0].create_circle("Board", options).await.expect("creates").id;
        for other in others {
            self.add(circle, *other).await;
        }
        self.sync().await;
        circle
    }

    async fn add(&self, circle: CircleId, number: usize) {
        let user = self.user(number);
        self.devices[0].add_to_circle(circle, user, Role::Writer).await.expect("adds");
    }

    async fn remove(&self, circle: CircleId, number: usize) {
        self.devices[0].remove_from_circle(circle, self.user(number)).await.expect("removes");
    }

    fn items(&self, number: usize, circle: CircleId) -> Collection<i64> {
        self.devices[number].database_in("minutes", circle).collection("items")
    }

    async fn put(&self, number: usize, circle: CircleId, key: &str, value: i64) {
        self.items(number, circle).put(key, &value).await.expect("writes");
    }

    fn get(&self, number: usize, circle: CircleId, key: &str) -> Option<i64> {
        self.items(number, circle).get(key).expect("reads")
    }

    /// The key that a device would write with.
    fn writes_with(&self, number: usize, circle: CircleId) -> Option<KeyId> {
        let engine = &self.devices[number].inner.engine;
        let keyring = engine.keyring.read().expect("sound");
        keyring.writer_key(&circle, &engine.log.directory()).map(|key| key.id())
    }

    fn holds(&self, number: usize, key: &KeyId) -> bool {
        self.devices[number].inner.engine.keyring.read().expect("sound").get(key).is_some()
    }
}

/// What the changes of a database say of entries that are not shown.
fn unread(database: &Database) -> Vec<ChangeKind> {
    let changes = database.log().changes_since(None, usize::MAX).expect("reads").items;
    let kinds = changes.into_iter().map(|change| change.kind);
    kinds.filter(|kind| !matches!(kind, ChangeKind::Put | ChangeKind::Delete)).collect()
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.expect_err("refused").kind()
}

/// Whose databases and which items a watch told of by now, in order.
fn told(watch: &mut Watch) -> Vec<(Option<String>, Option<CircleId>, String)> {
    let mut told = Vec::new();
    while let Some(notice) = watch.next_now() {
        match notice {
            Notice::Event(event) => told.push((event.database, event.circle, event.key)),
            Notice::Lagged(_) => panic!("few events"),
        }
    }
    told.sort();
    told
}

#[tokio::test]
async fn members_read_a_circle_and_others_carry_it_and_see_that_it_is_there() {
    let world = World::new(2).await;
    let watch = |number: usize| world.devices[number].watch(&WatchOptions::default()).expect("watches");
    let (mut watching_member, mut watching_stranger) = (watch(1), watch(2));
    let circle = world.circle(CircleOptions::default(), &[1]).await;
    world.put(0, circle, "a", 1).await;
    world.put(0, CircleId::WORKSPACE, "a", 2).await;
    // Through the one who is not in it.
    world.sync().await;
    world.put(1, circle, "b", 3).await;
    world.sync().await;

    assert_eq!([world.get(0, circle, "b"), world.get(1, circle, "a")], [Some(3), Some(1)]);
    assert_eq!(world.get(1, CircleId::WORKSPACE, "a"), Some(2), "a database of that name is another one");
    assert_eq!(world.devices[1].databases_in(circle).expect("reads"), ["minutes"]);
    let members = world.devices[0].circles().expect("reads");
    assert_eq!(members, world.devices[1].circles().expect("reads"));
    assert_eq!(members[0].name.as_deref(), Some("Board"));
    assert!(members[0].readable);

    let stranger = &world.devices[2];
    let seen = Circle { name: None, readable: false, ..members[0].clone() };
    assert_eq!(stranger.circles().expect("reads"), [seen]);
    assert_eq!(stranger.databases().expect("reads"), ["minutes"], "that of the workspace");
    assert_eq!(kind(stranger.databases_in(circle)), ErrorKind::NotAuthorized);
    assert_eq!(kind(world.items(2, circle).get("a")), ErrorKind::NotAuthorized);
    assert_eq!(kind(world.items(2, circle).put("a", &1).await), ErrorKind::NotAuthorized);
    let minutes = |circle, key: &str| (Some("minutes".to_owned()), circle, key.to_owned());
    assert_eq!(told(&mut watching_stranger), [minutes(None, "a")]);
    let of_all = [minutes(None, "a"), minutes(Some(circle), "a"), minutes(Some(circle), "b")];
    assert_eq!(told(&mut watching_member), of_all);
    let initial = WatchOptions { initial: true, ..WatchOptions::default() };
    assert_eq!(told(&mut world.devices[0].watch(&initial).expect("watches")), of_all);
    let roots = world.devices.iter().map(|device| device.stats().expect("reads").root);
    assert!(roots.clone().all(|root| Some(root) == roots.clone().next()), "all hold the same");
}

#[tokio::test]
async fn who_was_taken_out_gets_no_later_key_and_writes_nothing_that_counts() {
    let world = World::new(2).await;
    let circle = world.circle(CircleOptions::default(), &[1, 2]).await;
    world.put(1, circle, "kept", 1).await;
    world.sync().await;
    let before = world.writes_with(0, circle).expect("a key");
    world.remove(circle, 1).await;
    let after = world.writes_with(0, circle).expect("a key is made at once");
    assert_ne!(before, after);
    // It does not know yet, and writes what nobody else has.
    world.put(1, circle, "late", 2).await;
    world.devices[1].database_in("later", circle).collection("items").put("x", &1).await.expect("writes");
    world.put(0, circle, "new", 3).await;
    world.sync().await;

    assert!(!world.holds(1, &after) && world.holds(2, &after));
    for member in [0, 2] {
        assert_eq!(world.get(member, circle, "kept"), Some(1), "what was there counts");
        assert_eq!(world.get(member, circle, "late"), None);
        assert_eq!(world.get(member, circle, "new"), Some(3));
        assert_eq!(world.devices[member].databases_in(circle).expect("reads"), ["minutes"]);
    }
    assert_eq!(world.get(1, circle, "new"), None);
    let seen = &world.devices[1].circles().expect("reads")[0];
    assert!(!seen.readable && !seen.members.iter().any(|member| member.user == world.user(1)));
    assert_eq!(kind(world.items(1, circle).put("a", &1).await), ErrorKind::NotAuthorized);
    world.put(1, CircleId::WORKSPACE, "a", 1).await;
    world.sync().await;
    assert_eq!(world.get(0, CircleId::WORKSPACE, "a"), Some(1), "elsewhere it goes on");
}

#[tokio::test]
async fn who_left_by_itself_makes_others_renew_the_key() {
    let world = World::new(1).await;
    let circle = world.circle(CircleOptions::default(), &[1]).await;
    world.devices[1].remove_from_circle(circle, world.user(1)).await.expect("leaves");
    world.sync().await;
    assert_eq!(world.writes_with(0, circle), None, "nobody writes with the old key");
    world.put(0, circle, "a", 1).await;
    world.sync().await;
    assert_eq!(world.get(1, circle, "a"), None);
}

#[tokio::test]
async fn who_came_back_writes_again() {
    let world = World::new(1).await;
    let circle = world.circle(CircleOptions::default(), &[1]).await;
    world.remove(circle, 1).await;
    world.put(0, circle, "between", 1).await;
    world.sync().await;
    world.add(circle, 1).await;
    world.sync().await;
    assert_eq!(world.get(1, circle, "between"), Some(1), "all history is for newcomers");
    world.put(1, circle, "again", 2).await;
    world.sync().await;
    assert_eq!(world.get(0, circle, "again"), Some(2));
}

#[tokio::test]
async fn a_reader_of_a_circle_does_not_write_in_it() {
    let world = World::new(1).await;
    let circle = world.circle(CircleOptions::default(), &[]).await;
    world.devices[0].add_to_circle(circle, world.user(1), Role::Reader).await.expect("adds");
    world.put(0, circle, "a", 1).await;
    world.sync().await;
    assert_eq!(world.get(1, circle, "a"), Some(1));
    assert_eq!(kind(world.items(1, circle).put("a", &2).await), ErrorKind::NotAuthorized);
    world.add(circle, 1).await;
    world.sync().await;
    world.put(1, circle, "a", 2).await;
}

#[tokio::test]
async fn what_a_user_may_not_do_is_told_before_anything_is_written() {
    let world = World::new(1).await;
    let circle = world.circle(CircleOptions::default(), &[]).await;
    let (owner, writer) = (&world.devices[0], &world.devices[1]);
    let nobody = UserId([9; 16]);
    let entries = |workspace: &Workspace| workspace.stats().expect("reads").entries;
    let before = [entries(owner), entries(writer)];
    let made = writer.create_circle("Mine", CircleOptions::default()).await;
    assert_eq!(kind(made), ErrorKind::NotAuthorized);
    assert_eq!(kind(owner.create_circle(" ", CircleOptions::default()).await), ErrorKind::InvalidArgument);
    let user = world.user(1);
    assert_eq!(kind(writer.add_to_circle(circle, user, Role::Writer).await), ErrorKind::NotAuthorized);
    assert_eq!(kind(owner.add_to_circle(circle, nobody, Role::Writer).await), ErrorKind::NotFound);
    for unknown in [CircleId([9; 16]), CircleId::WORKSPACE] {
        assert_eq!(kind(owner.add_to_circle(unknown, user, Role::Writer).await), ErrorKind::NotFound);
        assert_eq!(kind(owner.remove_from_circle(unknown, user).await), ErrorKind::NotFound);
    }
    assert_eq!(kind(owner.remove_from_circle(circle, user).await), ErrorKind::NotFound);
    assert_eq!(kind(owner.add_to_circle(circle, user, Role::Owner).await), ErrorKind::NotAuthorized);
    let refused = writer.remove_from_circle(circle, world.user(0)).await;
    assert_eq!(kind(refused), ErrorKind::NotAuthorized);
    assert_eq!([entries(owner), entries(writer)], before);
}

#[tokio::test]
async fn another_device_of_a_user_reads_every_circle_of_the_user() {
    for options in [CircleOptions::default(), FROM_JOIN] {
        let world = World::new(1).await;
        let circle = world.circle(options, &[]).await;
        world.put(0, circle, "a", 1).await;
        world.add(circle, 1).await;
        world.put(0, circle, "b", 2).await;
        let words = world.devices[0].add_recovery_device().await.expect("adds");
        let folder = world.devices[0].inner.storage.clone();
        let environment = on(&MemoryStorage::new(), 50);
        let second = Workspace::recovered_in(environment, raw(8), &words, folder).await.expect("recovers");
        let items: Collection<i64> = second.database_in("minutes", circle).collection("items");
        assert_eq!(items.get("a").expect("reads"), Some(1), "also with a key of before");
        items.put("c", &3).await.expect("writes");
        second.sync_with(&world.devices[0]).await.expect("syncs");
        assert_eq!(world.get(0, circle, "c"), Some(3));
    }
}

#[tokio::test]
async fn recovery_words_recover_a_circle_unless_it_was_made_without() {
    for recoverable in [true, false] {
        let world = World::new(0).await;
        let options = CircleOptions { recoverable, ..CircleOptions::default() };
        let circle = world.circle(options, &[]).await;
        world.put(0, circle, "a", 1).await;
        let words = world.devices[0].recovery_words().expect("are there");
        let folder = world.devices[0].inner.storage.clone();
        let environment = on(&MemoryStorage::new(), 50);
        let back = Workspace::recovered_in(environment, raw(8), &words, folder).await.expect("recovers");
        let items: Collection<i64> = back.database_in("minutes", circle).collection("items");
        if recoverable {
            assert_eq!(items.get("a").expect("reads"), Some(1));
        } else {
            assert_eq!(kind(items.get("a")), ErrorKind::NotAuthorized);
        }
        assert_eq!(back.circles().expect("reads")[0].recoverable, recoverable);
    }
}
