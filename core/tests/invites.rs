//! Invites at a real relay: their uses, their ends, and what whoever waits is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tidelog::{
    Environment, Error, ErrorKind, Invite, InviteOptions, JoinOptions, JoinRequest, Key, Result, Role, Value,
    Workspace,
};
use tidelog_log::env::{Clock as _, ManualClock};
use tidelog_log::testing::START_MS;
use tidelog_relay::{Config, Relay};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A relay, devices around it, and the clock that all of them go by.
struct World {
    folder: TempDir,
    clock: Arc<ManualClock>,
    url: String,
    _stop: oneshot::Sender<()>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::new(START_MS));
        let mut config = Config::new(folder.path().join("relay"));
        config.admission.open = true;
        config.clock = Arc::clone(&clock) as Arc<_>;
        let relay = Relay::open(config).expect("opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("ws://{}", listener.local_addr().expect("an address"));
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(relay.serve(listener, async move {
            // A dropped sender stops it too.
            let _ = stopped.await;
        }));
        Self { folder, clock, url, _stop: stop }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn owner(&self) -> Workspace {
        let here = environment(&self.path("owner"), &self.clock);
        let owner = Workspace::create_in(here, Key::raw([1; 32]), "Notes").await.expect("creates");
        let items = owner.database("main").collection::<Value>("items");
        items.put("first", &Value::Int(1)).await.expect("writes");
        owner
    }

    async fn invite(&self, by: &Workspace, change: impl FnOnce(&mut InviteOptions)) -> Invite {
        let mut options = InviteOptions::new(&self.url);
        change(&mut options);
        by.invite(options).await.expect("invites")
    }

    /// A device that joins meanwhile.
    fn joining(&self, name: &'static str, invite: &Invite) -> JoinHandle<Result<Workspace>> {
        let (here, uri) = (environment(&self.path(name), &self.clock), invite.uri.clone());
        let options = JoinOptions { profile: name.into(), timeout_ms: Some(60_000) };
        tokio::spawn(async move { Workspace::join_in(here, Key::raw([2; 32]), &uri, options).await })
    }

    async fn join(&self, name: &'static str, invite: &Invite) -> Result<Workspace> {
        self.joining(name, invite).await.expect("runs")
    }
}

fn environment(path: &Path, clock: &Arc<ManualClock>) -> Environment {
    let mut environment = Environment::folder(path);
    environment.clock = Arc::clone(clock) as Arc<_>;
    environment
}

/// The one request that waits, once it has come.
async fn waiting(owner: &Workspace) -> JoinRequest {
    loop {
        if let Some(request) = owner.requests().await.expect("asks").pop() {
            return request;
        }
        tokio::task::yield_now().await;
    }
}

fn refusal<T: std::fmt::Debug>(result: Result<T>) -> Error {
    result.expect_err("refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invite_admits_to_its_last_use_and_then_nobody() {
    let world = World::new().await;
    let owner = world.owner().await;
    let invite = world.invite(&owner, |options| (options.uses, options.auto_approve) = (2, true)).await;
    let _link = owner.connect(&world.url).expect("connects");
    world.join("first", &invite).await.expect("joins");
    world.join("second", &invite).await.expect("joins");
    assert_eq!(refusal(world.join("third", &invite).await).kind(), ErrorKind::InviteExpired);
    assert!(!world.path("third").join("vault").exists(), "nothing of it stays");
    assert_eq!(owner.members().expect("reads").len(), 3);
    assert!(owner.invites().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_race_for_the_last_use_one_joins_and_the_other_is_told() {
    let world = World::new().await;
    let owner = world.owner().await;
    let invite = world.invite(&owner, |_| ()).await;
    let racers = [world.joining("one", &invite), world.joining("two", &invite)];
    let request = loop {
        let requests = owner.requests().await.expect("asks");
        if let [first, _] = &requests[..] {
            break first.id.clone();
        }
        tokio::task::yield_now().await;
    };
    owner.approve(&request).await.expect("approves");
    let mut results = Vec::new();
    for racer in racers {
        results.push(racer.await.expect("runs"));
    }
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let refused = results.into_iter().find_map(Result::err).expect("the other");
    assert_eq!(refused.kind(), ErrorKind::InviteExpired);
    assert_eq!(owner.members().expect("reads").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_that_the_invite_was_withdrawn() {
    let world = World::new().await;
    let owner = world.owner().await;
    let invite = world.invite(&owner, |_| ()).await;
    let guest = world.joining("guest", &invite);
    let request = waiting(&owner).await;
    owner.withdraw(&invite.id).expect("withdraws");
    assert_eq!(refusal(owner.approve(&request.id).await).kind(), ErrorKind::InviteExpired);
    owner.sync(&world.url).await.expect("the relay learns of it");
    assert_eq!(refusal(guest.await.expect("runs")).kind(), ErrorKind::InviteExpired);
    assert_eq!(owner.members().expect("reads").len(), 1);
    // The device is still good for another invite.
    let invite = world.invite(&owner, |options| options.auto_approve = true).await;
    let _link = owner.connect(&world.url).expect("connects");
    world.join("guest", &invite).await.expect("joins");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_is_told_that_the_invite_has_expired() {
    let world = World::new().await;
    let owner = world.owner().await;
    let invite = world.invite(&owner, |options| options.expires_in_ms = 1_000).await;
    let guest = world.joining("guest", &invite);
    let request = waiting(&owner).await;
    // Less than what a session waits for an answer: whatever is on its way goes on.
    world.clock.set(world.clock.now_ms() + 1_000);
    assert_eq!(refusal(guest.await.expect("runs")).kind(), ErrorKind::InviteExpired);
    assert!(owner.requests().await.expect("asks").is_empty());
    assert_eq!(refusal(owner.approve(&request.id).await).kind(), ErrorKind::InviteExpired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_device_of_the_same_user_reads_and_writes_as_the_first() {
    let world = World::new().await;
    let owner = world.owner().await;
    let invite = world.invite(&owner, |options| options.same_user = true).await;
    let phone = world.joining("phone", &invite);
    let request = waiting(&owner).await;
    assert_eq!((request.same_user, request.role), (true, Role::Owner));
    owner.approve(&request.id).await.expect("approves");
    let phone = phone.await.expect("runs").expect("joins");
    assert_eq!(phone.me().expect("reads").user, owner.me().expect("reads").user);
    let items = phone.database("main").collection::<Value>("items");
    assert_eq!(items.get("first").expect("reads"), Some(Value::Int(1)));
    items.put("second", &Value::Int(2)).await.expect("writes");
    phone.sync(&world.url).await.expect("syncs");
    owner.sync(&world.url).await.expect("syncs");
    let seen = owner.database("main").collection::<Value>("items").get("second").expect("reads");
    assert_eq!(seen, Some(Value::Int(2)));
    assert_eq!(owner.members().expect("reads")[0].devices.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_by_hand_can_be_ended_at_the_relay() {
    let world = World::new().await;
    let owner = world.owner().await;
    let invite = world.invite(&owner, |_| ()).await;
    let here = environment(&world.path("guest"), &world.clock);
    let request = Workspace::ask_to_join_in(here, Key::raw([2; 32]), &invite.uri, "guest").await;
    let request = owner.receive_request(&request.expect("asks")).await.expect("takes in");
    owner.approve(&request.id).await.expect("approves, and tells the relay");
    let guest = world.join("guest", &invite).await.expect("joins");
    assert_eq!(guest.me().expect("reads").device, request.device);
    let items = guest.database("main").collection::<Value>("items");
    assert_eq!(items.get("first").expect("reads"), Some(Value::Int(1)));
}
