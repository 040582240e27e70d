//! Removing members and devices on real folders, through a real relay.

use std::path::Path;
use std::time::Duration;

use tidelog::{
    Collection, ErrorKind, InviteOptions, JoinOptions, Key, LinkEvent, LinkState, Result, Value, Workspace,
};
use tidelog_relay::{Config, Relay};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const KEY: [u8; 32] = [7; 32];
/// Far longer than anything here takes: a test that hangs fails.
const LIMIT: Duration = Duration::from_secs(60);

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

fn items(workspace: &Workspace) -> Collection<Value> {
    workspace.database("main").collection("items")
}

async fn put(workspace: &Workspace, key: &str) {
    items(workspace).put(key, &Value::Int(1)).await.expect("writes");
}

fn keys(workspace: &Workspace) -> Vec<String> {
    items(workspace).all().expect("reads").into_iter().map(|item| item.key).collect()
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("refused").kind()
}

async fn guest(owner: &Workspace, folder: &Path, url: &str) -> Workspace {
    let mut options = InviteOptions::new(url);
    options.auto_approve = true;
    let invite = owner.invite(options).await.expect("invites");
    let link = owner.connect(url).expect("connects");
    let joining = JoinOptions { profile: "guest".into(), timeout_ms: Some(60_000) };
    let guest = Workspace::join(folder, Key::raw(KEY), &invite.uri, joining).await.expect("joins");
    link.stop().await;
    guest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_link_of_a_removed_device_ends_and_what_it_writes_reaches_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let owner = Workspace::create(folder.path().join("owner"), Key::raw(KEY), "Test").await.expect("creates");
    put(&owner, "first").await;
    let guest_path = folder.path().join("guest");
    let guest = guest(&owner, &guest_path, &url).await;
    let link = guest.connect(&url).expect("connects");
    link.wait_live(LIMIT).await.expect("is live");
    put(&guest, "before").await;
    guest.sync(&url).await.expect("syncs");
    owner.sync(&url).await.expect("syncs");
    assert_eq!(keys(&owner), ["before", "first"]);

    let mut events = link.events();
    let user = guest.me().expect("is a member").user;
    owner.remove_user(user).await.expect("removes");
    owner.sync(&url).await.expect("syncs");
    // The relay ends the session at once, and goes on refusing.
    let refused = async {
        while let Some(event) = events.next().await {
            if matches!(event, LinkEvent::Failed { kind: ErrorKind::NotAdmitted, .. }) {
                return;
            }
        }
        panic!("the link was stopped");
    };
    tokio::time::timeout(LIMIT, refused).await.expect("is sent away");
    assert_ne!(link.state(), LinkState::Live);
    assert_eq!(kind(guest.sync(&url).await), ErrorKind::NotAdmitted);
    link.stop().await;

    put(&owner, "after").await;
    owner.sync(&url).await.expect("syncs");
    assert!(!keys(&guest).contains(&"after".to_owned()), "it gets nothing more");
    let third_path = folder.path().join("third");
    let third = self::guest(&owner, &third_path, &url).await;
    assert_eq!(keys(&third), ["after", "before", "first"], "a newcomer gets what counts");
    assert_eq!(third.excluded().expect("reads"), []);
    assert_eq!(third.members().expect("reads").len(), 2);
}
