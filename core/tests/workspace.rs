//! Workspaces as a program uses them: on disk, in pairs, through a real relay.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidelog::{
    ErrorKind, InviteOptions, JoinOptions, Key, LinkState, Notice, Policy, Query, Role, Value, WatchOptions,
    Workspace,
};
use tidelog_relay::{Config, Relay};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Todo {
    #[serde(default)]
    id: String,
    title: String,
    done: bool,
}

fn todo(title: &str) -> Todo {
    Todo { id: String::new(), title: title.into(), done: false }
}

const KEY: [u8; 32] = [7; 32];

async fn create(folder: &Path, name: &str) -> Workspace {
    Workspace::create(folder.join(name), Key::raw(KEY), "Test").await.expect("creates")
}

/// A relay in this process, on a port of its own, and what ends it.
async fn relay(folder: &Path) -> (String, oneshot::Sender<()>) {
    let mut config = Config::new(folder.join("relay"));
    config.admission.open = true;
    let relay = Relay::open(config).expect("opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(relay.serve(listener, async move {
        // A dropped sender stops it too.
        let _ = stopped.await;
    }));
    (url, stop)
}

fn joining(profile: &str) -> JoinOptions {
    JoinOptions { profile: profile.into(), timeout_ms: Some(30_000) }
}

async fn join(folder: &Path, name: &str, uri: &str) -> Workspace {
    Workspace::join(folder.join(name), Key::raw(KEY), uri, joining(name)).await.expect("joins")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_there_after_reopening() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = create(folder.path(), "a").await;
    let todos = workspace.database("main").collection::<Todo>("todos");
    let inserted = todos.insert(todo("Calibrate")).await.expect("inserts");
    todos.patch(&inserted.id, &serde_json::json!({ "done": true })).await.expect("patches");
    workspace.shutdown().await.expect("closes");
    assert_eq!(todos.get(&inserted.id).expect_err("closed").kind(), ErrorKind::Closed);

    let workspace = Workspace::open(folder.path().join("a"), Key::raw(KEY)).await.expect("opens");
    let todos = workspace.database("main").collection::<Todo>("todos");
    let read = todos.get(&inserted.id).expect("reads").expect("is there");
    assert_eq!((read.title.as_str(), read.done), ("Calibrate", true));
    assert_eq!(workspace.name().expect("reads"), "Test");
    assert_eq!(workspace.databases().expect("reads"), ["main"]);
    let report = workspace.verify(|_, _| ControlFlow::Continue(())).await.expect("verifies");
    assert_eq!(report.damaged, 0, "{:?}", report.problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_ways_to_open_are_told_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a");
    let kind = |result: tidelog::Result<Workspace>| result.expect_err("refused").kind();
    assert_eq!(kind(Workspace::open(&path, Key::raw(KEY)).await), ErrorKind::NotAWorkspace);
    let workspace = create(folder.path(), "a").await;
    assert_eq!(kind(Workspace::open(&path, Key::raw(KEY)).await), ErrorKind::AlreadyOpen);
    workspace.shutdown().await.expect("closes");
    assert_eq!(kind(Workspace::open(&path, Key::raw([8; 32])).await), ErrorKind::WrongKey);
    assert_eq!(kind(Workspace::open(&path, Key::passphrase("x")).await), ErrorKind::WrongKey);
    assert_eq!(kind(Workspace::create(&path, Key::raw(KEY), "b").await), ErrorKind::AlreadyExists);
    assert!(Workspace::open_or_create(&path, Key::raw(KEY), "b").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_joins_by_invite_and_both_see_what_the_other_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let owner = create(folder.path(), "owner").await;
    owner.set_profile("Olga").await.expect("names");
    let todos = owner.database("main").collection::<Todo>("todos");
    let first = todos.insert(todo("from the owner")).await.expect("inserts");

    let mut options = InviteOptions::new(&url);
    options.auto_approve = true;
    let invite = owner.invite(options).await.expect("invites");
    let link = owner.connect(&url).expect("connects");
    let guest = join(folder.path(), "guest", &invite.uri).await;

    let seen = guest.database("main").collection::<Todo>("todos");
    assert_eq!(seen.get(&first.id).expect("reads").map(|todo| todo.title), Some("from the owner".into()));
    assert_eq!(guest.databases().expect("reads"), ["main"]);
    let members = guest.members().expect("reads");
    let names: Vec<_> = members.iter().filter_map(|member| member.profile.as_deref()).collect();
    assert!(names.contains(&"Olga") && names.contains(&"guest"), "{names:?}");

    let mut watch = owner.watch(&WatchOptions::default()).expect("watches");
    let guest_link = guest.connect(&url).expect("connects");
    let second = seen.insert(todo("from the guest")).await.expect("inserts");
    let event = loop {
        match tokio::time::timeout(Duration::from_secs(20), watch.next()).await.expect("in time") {
            Some(Notice::Event(event)) if event.key == second.id => break event,
            Some(_) => {}
            None => panic!("the watch ended"),
        }
    };
    assert!(!event.local);
    assert_eq!(todos.get(&second.id).expect("reads").map(|todo| todo.title), Some("from the guest".into()));
    guest_link.wait_live(Duration::from_secs(20)).await.expect("live");
    assert_eq!(link.state(), LinkState::Live);
    guest.sync(&url).await.expect("syncs");
    owner.sync(&url).await.expect("syncs");
    guest.sync(&url).await.expect("syncs");
    assert_eq!(owner.stats().expect("stats").root, guest.stats().expect("stats").root);
    owner.shutdown().await.expect("closes");
    guest.shutdown().await.expect("closes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_approved_by_hand_and_a_used_invite_is_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let owner = create(folder.path(), "owner").await;
    let mut options = InviteOptions::new(&url);
    options.role = Role::Reader;
    let invite = owner.invite(options).await.expect("invites");
    let path = folder.path().to_owned();
    let uri = invite.uri.clone();
    let guest = tokio::spawn(async move { join(&path, "guest", &uri).await });
    let request = loop {
        if let Some(request) = owner.requests().await.expect("asks").pop() {
            break request;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((request.profile.as_str(), request.role), ("guest", Role::Reader));
    owner.approve(&request.id).await.expect("approves");
    let guest = guest.await.expect("joins");
    assert_eq!(guest.me().expect("reads").role, Role::Reader);
    let refused = guest.database("main").collection::<Value>("todos").put("k", &Value::Null).await;
    assert_eq!(refused.expect_err("readers cannot write").kind(), ErrorKind::NotAuthorized);
    assert!(owner.invites().is_empty());
    let late = Workspace::join(folder.path().join("late"), Key::raw(KEY), &invite.uri, joining("late")).await;
    assert!(matches!(late.expect_err("used up").kind(), ErrorKind::InviteExpired | ErrorKind::InviteInvalid));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_merge_what_two_devices_wrote_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let owner = create(folder.path(), "owner").await;
    let options = || tidelog::CollectionOptions::default().policy(Policy::Document);
    let notes = |workspace: &Workspace| {
        let pages = workspace.database("main").collection_with::<Value>("pages", options());
        pages.document("intro").expect("a document")
    };
    notes(&owner).splice_text("body", 0, 0, "Hello world").await.expect("writes");
    let mut invited = InviteOptions::new(&url);
    invited.auto_approve = true;
    let invite = owner.invite(invited).await.expect("invites");
    let link = owner.connect(&url).expect("connects");
    let guest = join(folder.path(), "guest", &invite.uri).await;
    link.stop().await;
    notes(&owner).splice_text("body", 5, 0, ", big").await.expect("writes");
    notes(&guest).splice_text("body", 11, 0, "!").await.expect("writes");
    owner.sync_with(&guest).await.expect("syncs");
    for workspace in [&owner, &guest] {
        assert_eq!(notes(workspace).text("body").expect("reads").as_deref(), Some("Hello, big world!"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_at_once_share_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = create(folder.path(), "a").await;
    let items = Arc::new(workspace.database("main").collection::<Value>("items"));
    let writes: Vec<_> = (0..500)
        .map(|number: i64| {
            let items = Arc::clone(&items);
            tokio::spawn(async move { items.put(&format!("k{number}"), &Value::Int(number)).await })
        })
        .collect();
    for write in writes {
        write.await.expect("runs").expect("writes");
    }
    assert_eq!(items.count(&Query::new()).expect("counts"), 500);
}
