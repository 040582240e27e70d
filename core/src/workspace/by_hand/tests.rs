//! Two or three devices in one program, whose people carry bytes to each other.

use std::sync::Arc;

use tidelog_log::directory::{Op, Role};
use tidelog_log::env::{Clock as _, ManualClock, SeededRandom};
use tidelog_log::frames::MAIL_MAX;
use tidelog_log::ids::CircleId;
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::START_MS;

use super::*;
use crate::value::Value;
use crate::workspace::testing::{items, raw};
use crate::workspace::{CircleOptions, History, Invite, InviteOptions};

/// Disks and a clock that all share.
struct World {
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        Self { clock: Arc::new(ManualClock::new(START_MS)) }
    }

    fn on(&self, disk: &MemoryStorage, seed: u64) -> Environment {
        let random = Arc::new(SeededRandom::new(seed));
        Environment::test(Arc::new(disk.clone()), Arc::clone(&self.clock) as Arc<_>, random)
    }

    /// Ada's workspace, with one item.
    async fn ada(&self) -> Workspace {
        self.made(1).await
    }

    async fn made(&self, seed: u64) -> Workspace {
        let disk = MemoryStorage::new();
        let ada = Workspace::create_in(self.on(&disk, seed), raw(1), "Notes").await.expect("creates");
        items(&ada).put("first", &Value::Int(1)).await.expect("writes");
        ada
    }

    /// A device that asks with an invite.
    async fn ask(&self, seed: u64, invite: &Invite, profile: &str) -> Asking {
        let (disk, seed) = (MemoryStorage::new(), seed * 100);
        let request = Workspace::ask_to_join_in(self.on(&disk, seed), raw(2), &invite.uri, profile);
        Asking { request: request.await.expect("asks"), environment: self.on(&disk, seed + 1) }
    }

    /// Lets a device join with an invite.
    async fn join(&self, seed: u64, by: &Workspace, invite: &Invite, profile: &str) -> Workspace {
        let asking = self.ask(seed, invite, profile).await;
        let request = by.receive_request(&asking.request).await.expect("takes in");
        by.approve(&request.id).await.expect("approves");
        asking.finish(by.welcome(&request.id).await.expect("welcomes")).await.expect("joins")
    }
}

/// A device that has asked to join.
struct Asking {
    request: Vec<u8>,
    environment: Environment,
}

impl Asking {
    async fn finish(&self, welcome: Vec<u8>) -> Result<Workspace> {
        Workspace::finish_joining_in(self.environment.clone(), raw(2), welcome).await
    }
}

async fn invite(by: &Workspace, change: impl FnOnce(&mut InviteOptions)) -> Invite {
    let mut options = InviteOptions::default();
    change(&mut options);
    by.invite(options).await.expect("invites")
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.expect_err("refused").kind()
}

#[tokio::test]
async fn whoever_joins_by_hand_has_what_the_inviter_has() {
    let world = World::new();
    let ada = world.ada().await;
    let invite = invite(&ada, |_| ()).await;
    let bob = world.join(2, &ada, &invite, "Bob").await;
    assert_eq!(bob.name().expect("reads"), "Notes");
    assert_eq!(bob.databases().expect("reads"), ["main"]);
    assert_eq!(items(&bob).get("first").expect("reads"), Some(Value::Int(1)));
    assert_eq!(bob.me().expect("a member").profile.as_deref(), Some("Bob"));
    items(&bob).put("second", &Value::Int(2)).await.expect("writes");
    ada.sync_with(&bob).await.expect("syncs");
    assert_eq!(items(&ada).get("second").expect("reads"), Some(Value::Int(2)));
    assert_eq!(ada.stats().expect("stats").root, bob.stats().expect("stats").root);
    let bobs = ada.members().expect("reads").into_iter().filter(|member| !member.me);
    assert_eq!(
        bobs.map(|bob| (bob.profile, bob.role)).collect::<Vec<_>>(),
        [(Some("Bob".to_owned()), Role::Writer)]
    );
}

#[tokio::test]
async fn a_reader_joins_by_hand_without_a_name_of_its_own() {
    let world = World::new();
    let ada = world.ada().await;
    let invite = invite(&ada, |options| options.role = Role::Reader).await;
    let bob = world.join(2, &ada, &invite, "Bob").await;
    assert_eq!(items(&bob).get("first").expect("reads"), Some(Value::Int(1)));
    assert_eq!(bob.me().expect("a member").profile, None);
}

#[tokio::test]
async fn a_joined_device_opens_again_and_cannot_join_twice() {
    let world = World::new();
    let ada = world.ada().await;
    let invite = invite(&ada, |_| ()).await;
    let asking = world.ask(2, &invite, "Bob").await;
    let early = Workspace::open_in(asking.environment.clone(), raw(2)).await;
    assert_eq!(kind(early), ErrorKind::NotAdmitted);
    let request = ada.receive_request(&asking.request).await.expect("takes in");
    ada.approve(&request.id).await.expect("approves");
    let welcome = ada.welcome(&request.id).await.expect("welcomes");
    asking.finish(welcome.clone()).await.expect("joins").shutdown().await.expect("closes");
    assert_eq!(kind(asking.finish(welcome).await), ErrorKind::AlreadyExists);
    let again = Workspace::ask_to_join_in(asking.environment.clone(), raw(2), &invite.uri, "Bob").await;
    assert_eq!(kind(again), ErrorKind::AlreadyExists);
    let bob = Workspace::open_in(asking.environment.clone(), raw(2)).await.expect("opens");
    assert_eq!(items(&bob).get("first").expect("reads"), Some(Value::Int(1)));
}

#[tokio::test]
async fn an_invite_admits_as_many_as_it_says_and_nobody_more() {
    let world = World::new();
    let ada = world.ada().await;
    let invite = invite(&ada, |options| options.uses = 2).await;
    let third = world.ask(4, &invite, "Third").await;
    let waiting = ada.receive_request(&third.request).await.expect("takes in");
    world.join(2, &ada, &invite, "First").await;
    assert_eq!(ada.invites()[0].uses_left, 1);
    world.join(3, &ada, &invite, "Second").await;
    assert!(ada.invites().is_empty());
    assert!(ada.requests().await.expect("asks").is_empty());
    let refused = ada.approve(&waiting.id).await.expect_err("used up");
    assert_eq!(refused.kind(), ErrorKind::InviteExpired);
    assert!(refused.to_string().contains("is used up"), "{refused}");
    assert_eq!(kind(ada.receive_request(&third.request).await), ErrorKind::InviteExpired);
    assert_eq!(ada.members().expect("reads").len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_that_race_for_the_last_use_one_is_admitted() {
    let world = World::new();
    let ada = world.ada().await;
    let invite = invite(&ada, |_| ()).await;
    let mut ids = Vec::new();
    for seed in [2, 3] {
        let asking = world.ask(seed, &invite, "Racer").await;
        ids.push(ada.receive_request(&asking.request).await.expect("takes in").id);
    }
    let approve = |id: String| {
        let ada = ada.clone();
        tokio::spawn(async move { ada.approve(&id).await })
    };
    let approvals: Vec<_> = ids.into_iter().map(approve).collect();
    let mut refused = Vec::new();
    for approval in approvals {
        refused.extend(approval.await.expect("runs").err());
    }
    assert_eq!(refused.iter().map(Error::kind).collect::<Vec<_>>(), [ErrorKind::InviteExpired]);
    assert_eq!(ada.members().expect("reads").len(), 2);
}

#[tokio::test]
async fn who_was_admitted_before_an_interruption_comes_into_the_circles_of_its_invite_all_the_same() {
    for again in [true, false] {
        let world = World::new();
        let ada = world.ada().await;
        let circle = ada.create_circle("Board", CircleOptions::default()).await.expect("creates").id;
        let invite = invite(&ada, |options| options.circles = vec![circle]).await;
        let asking = world.ask(2, &invite, "Bob").await;
        let request = ada.receive_request(&asking.request).await.expect("takes in");
        // What `approve` does first.
        ada.inner.desk.admit(&request.id).expect("admits");
        let members = || ada.circles().expect("reads")[0].members.len();
        assert_eq!(members(), 1);
        world.clock.set(invite.expires_ms);
        if again {
            ada.approve(&request.id).await.expect("goes on, also after the end of the invite");
        } else {
            ada.requests().await.expect("goes on by itself");
        }
        assert_eq!(members(), 2);
        // Once only: who is taken out later does not come back.
        let bob = ada.members().expect("reads").into_iter().find(|member| member.role == Role::Writer);
        ada.remove_from_circle(circle, bob.expect("a member").user).await.expect("removes");
        ada.approve(&request.id).await.expect("has nothing to do");
        assert_eq!(members(), 1);
    }
}

#[tokio::test]
async fn a_request_waits_in_vain_once_its_invite_is_withdrawn_or_has_expired() {
    let world = World::new();
    let ada = world.ada().await;
    for (what, end) in [("was withdrawn", true), ("has expired", false)] {
        let invite = invite(&ada, |options| options.expires_in_ms = 1_000).await;
        let asking = world.ask(2, &invite, "Bob").await;
        let request = ada.receive_request(&asking.request).await.expect("takes in");
        assert_eq!(ada.requests().await.expect("asks"), std::slice::from_ref(&request));
        if end {
            ada.withdraw(&invite.id).expect("withdraws");
        } else {
            world.clock.set(world.clock.now_ms() + 1_000);
        }
        assert!(ada.requests().await.expect("asks").is_empty());
        assert!(ada.invites().is_empty());
        for refused in [
            ada.approve(&request.id).await.expect_err("refused"),
            ada.receive_request(&asking.request).await.expect_err("refused"),
        ] {
            assert_eq!(refused.kind(), ErrorKind::InviteExpired);
            assert!(refused.to_string().contains(what), "{refused}");
        }
        assert_eq!(kind(ada.welcome(&request.id).await), ErrorKind::NotAdmitted);
    }
    assert_eq!(ada.members().expect("reads").len(), 1);
}

#[tokio::test]
async fn the_same_request_twice_is_one_and_takes_one_use() {
    let world = World::new();
    let ada = world.ada().await;
    let invite = invite(&ada, |options| options.uses = 2).await;
    let asking = world.ask(2, &invite, "Bob").await;
    let request = ada.receive_request(&asking.request).await.expect("takes in");
    assert_eq!(ada.receive_request(&asking.request).await.expect("again"), request);
    assert_eq!(ada.requests().await.expect("asks"), std::slice::from_ref(&request));
    ada.approve(&request.id).await.expect("approves");
    ada.approve(&request.id).await.expect("is done already");
    assert_eq!(ada.receive_request(&asking.request).await.expect("once more"), request);
    assert_eq!(ada.invites()[0].uses_left, 1);
    assert!(ada.requests().await.expect("asks").is_empty());
}

#[tokio::test]
async fn a_member_gets_its_welcome_after_the_inviter_was_closed_and_the_invite_is_used_up() {
    let world = World::new();
    let disk = MemoryStorage::new();
    let ada = Workspace::create_in(world.on(&disk, 1), raw(1), "Notes").await.expect("creates");
    let invite = invite(&ada, |_| ()).await;
    let asking = world.ask(2, &invite, "Bob").await;
    let request = ada.receive_request(&asking.request).await.expect("takes in");
    ada.approve(&request.id).await.expect("approves");
    ada.shutdown().await.expect("closes");
    let ada = Workspace::open_in(world.on(&disk, 5), raw(1)).await.expect("opens");
    assert_eq!(kind(ada.welcome(&request.id).await), ErrorKind::NotFound);
    ada.receive_request(&asking.request).await.expect("knows it");
    asking.finish(ada.welcome(&request.id).await.expect("welcomes")).await.expect("joins");
}

#[tokio::test]
async fn a_pre_approved_request_is_admitted_when_it_is_taken_in() {
    let world = World::new();
    let ada = world.ada().await;
    let invite = invite(&ada, |options| options.auto_approve = true).await;
    let (first, second) = (world.ask(2, &invite, "Bob").await, world.ask(3, &invite, "Eve").await);
    let request = ada.receive_request(&first.request).await.expect("takes in");
    first.finish(ada.welcome(&request.id).await.expect("welcomes")).await.expect("joins");
    assert_eq!(kind(ada.receive_request(&second.request).await), ErrorKind::InviteExpired);
}

#[tokio::test]
async fn what_is_no_request_is_told_so() {
    let world = World::new();
    let (ada, eve) = (world.ada().await, world.made(7).await);
    let (invited, elsewhere) = (invite(&ada, |_| ()).await, invite(&eve, |_| ()).await);
    let request = world.ask(2, &invited, "Bob").await.request;
    let foreign = world.ask(3, &elsewhere, "Bob").await.request;
    let mut bad = vec![Vec::new(), vec![7; 100], vec![7; MAIL_MAX + 1], foreign];
    for at in 0..request.len() {
        bad.push(request[..at].to_vec());
        let mut flipped = request.clone();
        flipped[at] ^= 1;
        bad.push(flipped);
    }
    for bytes in bad {
        assert_eq!(kind(ada.receive_request(&bytes).await), ErrorKind::InviteInvalid);
    }
    assert!(ada.requests().await.expect("asks").is_empty());
}

#[tokio::test]
async fn only_the_device_that_made_an_invite_can_read_who_asks() {
    let world = World::new();
    let ada = world.ada().await;
    let admin = invite(&ada, |options| options.role = Role::Admin).await;
    let bob = world.join(2, &ada, &admin, "Bob").await;
    let own = invite(&ada, |options| options.same_user = true).await;
    let phone = world.join(3, &ada, &own, "").await;
    let invited = invite(&ada, |_| ()).await;
    let asking = world.ask(4, &invited, "Carol").await;
    let request = ada.receive_request(&asking.request).await.expect("takes in");
    for other in [&bob, &phone] {
        ada.sync_with(other).await.expect("syncs");
        assert!(other.requests().await.expect("asks").is_empty());
        assert_eq!(kind(other.receive_request(&asking.request).await), ErrorKind::InviteInvalid);
        assert_eq!(kind(other.approve(&request.id).await), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_second_device_gets_every_key_that_its_user_holds() {
    let world = World::new();
    let ada = world.ada().await;
    let engine = &ada.inner.engine;
    for number in 0..3 {
        let epoch = {
            let keyring = engine.keyring.read().expect("sound");
            keyring.next_epoch(CircleId::WORKSPACE, &engine.log.directory(), &*engine.random)
        };
        engine.commit_directory(vec![epoch.expect("makes one")]).await.expect("writes");
        items(&ada).put(&format!("under {number}"), &Value::Int(number)).await.expect("writes");
    }
    let own = invite(&ada, |options| options.same_user = true).await;
    assert!(own.same_user && own.role == Role::Owner);
    let phone = world.join(2, &ada, &own, "").await;
    assert_eq!(phone.me().expect("a member").user, ada.me().expect("a member").user);
    let directory = phone.inner.engine.log.directory();
    let device = phone.inner.engine.device();
    let epochs = directory.known_epochs(&CircleId::WORKSPACE);
    assert_eq!(epochs.len(), 4);
    for epoch in epochs {
        assert_eq!(directory.wraps(&epoch.key_id, &device).len(), 1, "epoch {}", epoch.epoch);
    }
    for number in 0..3 {
        let read = items(&phone).get(&format!("under {number}")).expect("reads");
        assert_eq!(read, Some(Value::Int(number)));
    }
    items(&phone).put("from the phone", &Value::Null).await.expect("writes");
}

#[tokio::test]
async fn a_readers_second_device_gets_its_keys_from_the_next_writer() {
    let world = World::new();
    let ada = world.ada().await;
    let invited = invite(&ada, |options| options.role = Role::Reader).await;
    let bob = world.join(2, &ada, &invited, "").await;
    let own = invite(&bob, |options| options.same_user = true).await;
    let asking = world.ask(3, &own, "").await;
    let request = bob.receive_request(&asking.request).await.expect("takes in");
    bob.approve(&request.id).await.expect("approves");
    let early = bob.welcome(&request.id).await.expect("welcomes");
    assert_eq!(kind(asking.finish(early).await), ErrorKind::NotAdmitted);
    ada.sync_with(&bob).await.expect("syncs");
    items(&ada).put("second", &Value::Int(2)).await.expect("writes, with a new key");
    ada.sync_with(&bob).await.expect("syncs");
    let phone = asking.finish(bob.welcome(&request.id).await.expect("welcomes")).await.expect("joins");
    assert_eq!(items(&phone).get("first").expect("reads"), Some(Value::Int(1)));
    assert_eq!(items(&phone).get("second").expect("reads"), Some(Value::Int(2)));
}

#[tokio::test]
async fn an_admission_that_does_not_count_takes_no_use() {
    let world = World::new();
    let ada = world.ada().await;
    let invited = invite(&ada, |options| options.uses = 2).await;
    let asking = world.ask(2, &invited, "Bob").await;
    let request = ada.receive_request(&asking.request).await.expect("takes in");
    ada.approve(&request.id).await.expect("approves");
    let bob = ada.members().expect("reads").into_iter().find(|member| !member.me).expect("is there");
    let removal = Op::RemoveUser { user: bob.user, cuts: Vec::new() };
    ada.inner.engine.commit_directory(vec![removal]).await.expect("removes");
    let before = ada.inner.engine.log.arrivals();
    assert_eq!(kind(ada.approve(&request.id).await), ErrorKind::NotAuthorized);
    assert_eq!(ada.invites()[0].uses_left, 1);
    assert_eq!(ada.inner.engine.log.arrivals(), before);
}

#[tokio::test]
async fn an_inviter_that_lost_its_standing_admits_nobody() {
    let world = World::new();
    let ada = world.ada().await;
    let admin = invite(&ada, |options| options.role = Role::Admin).await;
    let bob = world.join(2, &ada, &admin, "Bob").await;
    let invited = invite(&bob, |_| ()).await;
    let asking = world.ask(3, &invited, "Carol").await;
    let request = bob.receive_request(&asking.request).await.expect("takes in");
    let user = bob.me().expect("a member").user;
    let demotion = Op::SetRole { user, role: Role::Writer, cuts: Vec::new() };
    ada.inner.engine.commit_directory(vec![demotion]).await.expect("demotes");
    ada.sync_with(&bob).await.expect("syncs");
    assert_eq!(kind(bob.approve(&request.id).await), ErrorKind::NotAuthorized);
    assert_eq!(bob.invites()[0].uses_left, 1);
}

#[tokio::test]
async fn a_folder_joins_one_workspace_and_only_if_somebody_asked_from_it() {
    let world = World::new();
    let (ada, eve) = (world.ada().await, world.made(7).await);
    let (invited, other) = (invite(&ada, |_| ()).await, invite(&eve, |_| ()).await);
    let asking = world.ask(2, &invited, "Bob").await;
    let here = || asking.environment.clone();
    for (key, uri, expected) in [
        (2, other.uri.as_str(), ErrorKind::AlreadyExists),
        (3, &invited.uri, ErrorKind::WrongKey),
        (2, "tidelog:join?x", ErrorKind::InviteInvalid),
    ] {
        assert_eq!(kind(Workspace::ask_to_join_in(here(), raw(key), uri, "Bob").await), expected);
    }
    let bad_name = Workspace::ask_to_join_in(here(), raw(2), &invited.uri, "\u{7}").await;
    assert_eq!(kind(bad_name), ErrorKind::InvalidArgument);
    let nowhere = world.on(&MemoryStorage::new(), 9);
    let unasked = Workspace::finish_joining_in(nowhere, raw(2), vec![1]).await;
    assert_eq!(kind(unasked), ErrorKind::NotAWorkspace);
    let wrong_key = Workspace::finish_joining_in(here(), raw(3), vec![1]).await;
    assert_eq!(kind(wrong_key), ErrorKind::WrongKey);
}

#[tokio::test]
async fn a_later_invite_to_the_same_workspace_takes_the_place_of_an_earlier_one() {
    let world = World::new();
    let ada = world.ada().await;
    let first = invite(&ada, |_| ()).await;
    let asking = world.ask(2, &first, "Bob").await;
    ada.withdraw(&first.id).expect("withdraws");
    let second = invite(&ada, |_| ()).await;
    let request = Workspace::ask_to_join_in(asking.environment.clone(), raw(2), &second.uri, "Bob").await;
    let request = ada.receive_request(&request.expect("asks")).await.expect("takes in");
    ada.approve(&request.id).await.expect("approves");
    asking.finish(ada.welcome(&request.id).await.expect("welcomes")).await.expect("joins");
}

#[tokio::test]
async fn without_a_relay_nobody_waits_at_one() {
    let world = World::new();
    let ada = world.ada().await;
    let invited = invite(&ada, |_| ()).await;
    let options = crate::JoinOptions { profile: "Bob".into(), timeout_ms: None };
    let disk = MemoryStorage::new();
    let joined = Workspace::join_in(world.on(&disk, 2), raw(2), &invited.uri, options).await;
    assert_eq!(kind(joined), ErrorKind::InvalidArgument);
    let opened = Workspace::open_in(world.on(&disk, 2), raw(2)).await;
    assert_eq!(kind(opened), ErrorKind::NotAWorkspace);
}

#[tokio::test]
async fn an_invite_leads_into_its_circles_and_no_others() {
    let world = World::new();
    let ada = world.ada().await;
    for (seed, history) in [(2, History::Full), (3, History::FromJoin)] {
        let make = |name| ada.create_circle(name, CircleOptions { history, recoverable: true });
        let (board, other) = (make("Board").await.expect("makes").id, make("Other").await.expect("makes").id);
        for circle in [board, other] {
            let minutes = ada.database_in("minutes", circle).collection::<Value>("items");
            minutes.put("before", &Value::Int(1)).await.expect("writes");
        }
        let invited = invite(&ada, |options| options.circles = vec![board]).await;
        assert_eq!(invited.circles, [board]);
        let bob = world.join(seed, &ada, &invited, "").await;
        let read = |circle| bob.database_in("minutes", circle).collection::<Value>("items").get("before");
        assert_eq!(read(board).expect("reads"), Some(Value::Int(1)), "{history:?}");
        assert_ne!(read(other).ok().flatten(), Some(Value::Int(1)), "{history:?}");
        let readable = bob.circles().expect("reads").into_iter().filter(|circle| circle.readable);
        assert_eq!(
            readable.map(|circle| (circle.id, circle.name)).collect::<Vec<_>>(),
            [(board, Some("Board".to_owned()))]
        );
        let minutes = bob.database_in("minutes", board).collection::<Value>("items");
        minutes.put("after", &Value::Int(2)).await.expect("writes");
        ada.sync_with(&bob).await.expect("syncs");
        let minutes = ada.database_in("minutes", board).collection::<Value>("items");
        assert_eq!(minutes.get("after").expect("reads"), Some(Value::Int(2)));
    }
}

#[tokio::test]
async fn a_second_device_is_in_the_circles_of_its_user() {
    let world = World::new();
    let ada = world.ada().await;
    let board = ada.create_circle("Board", CircleOptions::default()).await.expect("makes").id;
    let minutes = ada.database_in("minutes", board).collection::<Value>("items");
    minutes.put("before", &Value::Int(1)).await.expect("writes");
    let own = invite(&ada, |options| options.same_user = true).await;
    let phone = world.join(2, &ada, &own, "").await;
    let minutes = phone.database_in("minutes", board).collection::<Value>("items");
    assert_eq!(minutes.get("before").expect("reads"), Some(Value::Int(1)));
}

#[tokio::test]
async fn circles_that_an_invite_cannot_lead_into_are_refused() {
    let world = World::new();
    let ada = world.ada().await;
    let board = ada.create_circle("Board", CircleOptions::default()).await.expect("makes").id;
    let admin = invite(&ada, |options| options.role = Role::Admin).await;
    let bob = world.join(2, &ada, &admin, "Bob").await;
    let with = |circles: Vec<CircleId>, same_user| InviteOptions { circles, same_user, ..Default::default() };
    assert_eq!(kind(ada.invite(with(vec![CircleId([9; 16])], false)).await), ErrorKind::NotFound);
    assert_eq!(kind(ada.invite(with(vec![CircleId::WORKSPACE], false)).await), ErrorKind::NotFound);
    assert_eq!(kind(ada.invite(with(vec![board], true)).await), ErrorKind::InvalidArgument);
    assert_eq!(kind(ada.invite(with(vec![board; 65], false)).await), ErrorKind::InvalidArgument);
    assert_eq!(kind(bob.invite(with(vec![board], false)).await), ErrorKind::NotAuthorized);
}

#[tokio::test]
async fn a_member_gets_into_no_circle_by_an_invite_that_is_over() {
    let world = World::new();
    let ada = world.ada().await;
    let board = ada.create_circle("Board", CircleOptions::default()).await.expect("makes").id;
    let plain = invite(&ada, |_| ()).await;
    let into_board = invite(&ada, |options| options.circles = vec![board]).await;
    // One device, with a request under each invite.
    let asking = world.ask(2, &plain, "Bob").await;
    let here = asking.environment.clone();
    let other = Workspace::ask_to_join_in(here, raw(2), &into_board.uri, "Bob").await.expect("asks");
    let request = ada.receive_request(&asking.request).await.expect("takes in");
    ada.approve(&request.id).await.expect("approves");
    ada.withdraw(&into_board.id).expect("withdraws");
    ada.receive_request(&other).await.expect("is a member, and known");
    ada.approve(&request.id).await.expect("is done already");
    let members = ada.circles().expect("reads").remove(0).members;
    assert_eq!(members.len(), 1, "{members:?}");
}
