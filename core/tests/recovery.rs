//! Losing things and getting them back, on real folders and through a real relay.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use tidelog::{
    BackupKey, Collection, ErrorKind, InviteOptions, JoinOptions, Key, RecoverFrom, Result, Role, Value,
    Workspace, WorkspaceId,
};
use tidelog_relay::{Config, Relay};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const KEY: [u8; 32] = [7; 32];

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

async fn put(workspace: &Workspace, key: &str) -> Result<()> {
    items(workspace).put(key, &Value::Int(1)).await
}

fn keys(workspace: &Workspace) -> Vec<String> {
    let found = items(workspace).query(&tidelog::Query::new()).expect("reads");
    found.into_iter().map(|item| item.key).collect()
}

async fn create(path: &Path) -> Workspace {
    let workspace = Workspace::create(path, Key::raw(KEY), "Test").await.expect("creates");
    put(&workspace, "first").await.expect("writes");
    workspace
}

async fn open(path: &Path) -> Workspace {
    Workspace::open(path, Key::raw(KEY)).await.expect("opens")
}

async fn recover(path: &Path, words: &str, url: &str, workspace: WorkspaceId) -> Result<Workspace> {
    let from = RecoverFrom::Relay { url: url.to_owned(), workspace };
    Workspace::recover(path, Key::raw(KEY), words, from).await
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("refused").kind()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes");
    for entry in fs::read_dir(from).expect("reads") {
        let entry = entry.expect("reads");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("reads").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_who_lost_everything_comes_back_from_the_relay_with_the_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let owner = create(&folder.path().join("lost")).await;
    let (words, id) = (owner.recovery_words().expect("kept"), owner.id());
    owner.confirm_recovery_words(&words).await.expect("confirms");
    let me = owner.me().expect("is a member");
    owner.sync(&url).await.expect("syncs");
    owner.shutdown().await.expect("closes");
    fs::remove_dir_all(folder.path().join("lost")).expect("lost");

    let path = folder.path().join("new");
    let back = recover(&path, &words, &url, id).await.expect("recovers");
    assert_eq!(keys(&back), ["first"]);
    let now = back.me().expect("is a member");
    assert_eq!((now.user, now.role), (me.user, Role::Owner));
    assert_ne!(now.device, me.device);
    put(&back, "second").await.expect("writes");
    let mut options = InviteOptions::new(&url);
    options.auto_approve = true;
    let invite = back.invite(options).await.expect("has its authority back");
    let link = back.connect(&url).expect("connects");
    let joining = JoinOptions { profile: "guest".into(), timeout_ms: Some(30_000) };
    let guest = Workspace::join(folder.path().join("guest"), Key::raw(KEY), &invite.uri, joining).await;
    assert_eq!(keys(&guest.expect("joins")), ["first", "second"]);
    link.stop().await;
    back.shutdown().await.expect("closes");
    assert_eq!(keys(&open(&path).await), ["first", "second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_lost_every_device_comes_back_with_the_words_of_a_recovery_device() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let owner = create(&folder.path().join("owner")).await;
    let mut options = InviteOptions::new(&url);
    options.auto_approve = true;
    let invite = owner.invite(options).await.expect("invites");
    let link = owner.connect(&url).expect("connects");
    let joining = JoinOptions { profile: "guest".into(), timeout_ms: Some(30_000) };
    let path = folder.path().join("guest");
    let guest = Workspace::join(&path, Key::raw(KEY), &invite.uri, joining).await.expect("joins");
    link.stop().await;
    assert_eq!(kind(guest.recovery_words()), ErrorKind::NotFound);
    let words = guest.add_recovery_device().await.expect("adds");
    put(&guest, "by the guest").await.expect("writes");
    guest.sync(&url).await.expect("syncs");
    let (id, me) = (guest.id(), guest.me().expect("is a member"));
    guest.shutdown().await.expect("closes");
    fs::remove_dir_all(&path).expect("lost");
    owner.sync(&url).await.expect("syncs");
    put(&owner, "meanwhile").await.expect("writes");
    owner.sync(&url).await.expect("syncs");

    let back = recover(&path, &words, &url, id).await.expect("recovers");
    let now = back.me().expect("is a member");
    assert_eq!((now.user, now.role, now.profile), (me.user, Role::Writer, Some("guest".into())));
    assert_eq!(keys(&back), ["by the guest", "first", "meanwhile"]);
    put(&back, "again").await.expect("writes");
    back.sync(&url).await.expect("syncs");
    owner.sync(&url).await.expect("syncs");
    assert!(keys(&owner).contains(&"again".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn words_that_a_workspace_does_not_know_get_nothing_from_its_relay() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let owner = create(&folder.path().join("owner")).await;
    owner.sync(&url).await.expect("syncs");
    let stranger = create(&folder.path().join("stranger")).await;
    let words = stranger.recovery_words().expect("kept");
    let path = folder.path().join("new");
    assert_eq!(kind(recover(&path, &words, &url, owner.id()).await), ErrorKind::WrongKey);
    assert_eq!(kind(Workspace::open(&path, Key::raw(KEY)).await), ErrorKind::NotAdmitted);
    let error = recover(&path, &words.replacen(' ', " x", 1), &url, owner.id()).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_of_a_folder_meet_a_relay_and_no_chain_forks() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let workspace = create(&one).await;
    workspace.sync(&url).await.expect("syncs");
    workspace.shutdown().await.expect("closes");
    copy_folder(&one, &two);
    fs::rename(&one, folder.path().join("moved")).expect("moves");

    let original = open(&folder.path().join("moved")).await;
    let copy = open(&two).await;
    assert!(!original.restored(), "a moved folder is where it was");
    assert!(copy.restored());
    assert_eq!(kind(put(&copy, "x").await), ErrorKind::Restored);
    put(&original, "by the original").await.expect("writes");
    let device = original.me().expect("is a member").device;
    let link = original.connect(&url).expect("connects");
    link.wait_live(Duration::from_secs(20)).await.expect("live");
    copy.sync(&url).await.expect("syncs");
    assert!(!copy.restored());
    put(&copy, "by the copy").await.expect("writes");
    copy.sync(&url).await.expect("syncs");

    // The original is told while it is live, and goes on by itself.
    let changed = async {
        while keys(&original).len() < 3 || original.restored() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), changed).await.expect("in time");
    put(&original, "on").await.expect("writes");
    assert!(original.devices().len() == 3 && copy.devices().len() >= 2);
    link.stop().await;
    original.sync(&url).await.expect("syncs");
    copy.sync(&url).await.expect("syncs");
    assert_eq!(keys(&copy), ["by the copy", "by the original", "first", "on"]);
    let (mine, theirs) = (original.stats().expect("reads"), copy.stats().expect("reads"));
    assert_eq!(mine.root, theirs.root);
    let report = original.verify(|_, _| ControlFlow::Continue(())).await.expect("reads");
    assert_eq!((report.damaged, &report.problems), (0, &vec![]));
    assert_ne!(original.me().expect("is a member").device, device);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_backup_comes_back_on_another_folder_and_meets_what_came_after_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let path = folder.path().join("laptop");
    let workspace = create(&path).await;
    let to = folder.path().join("backup");
    let report =
        workspace.backup(&to, Some(Key::passphrase("for the shelf")), |_, _| ControlFlow::Continue(())).await;
    assert_eq!(report.expect("backs up").key, BackupKey::Own);
    put(&workspace, "after the backup").await.expect("writes");
    workspace.sync(&url).await.expect("syncs");
    workspace.shutdown().await.expect("closes");
    fs::remove_dir_all(&path).expect("lost");

    let shelf = || Key::passphrase("for the shelf");
    let info = Workspace::verify_backup(&to, Some(shelf()), |_, _| ControlFlow::Continue(()))
        .await
        .expect("a backup");
    assert_eq!(info.problems, Vec::<String>::new());
    let restored =
        Workspace::restore(&to, &path, shelf(), Some(Key::raw(KEY)), |_, _| ControlFlow::Continue(())).await;
    let restored = restored.expect("restores");
    assert!(restored.restored());
    assert_eq!(kind(put(&restored, "x").await), ErrorKind::Restored);
    restored.sync(&url).await.expect("syncs");
    assert_eq!(keys(&restored), ["after the backup", "first"]);
    put(&restored, "on").await.expect("writes");
    restored.shutdown().await.expect("closes");
    let again = open(&path).await;
    assert!(!again.restored());
    assert_eq!(keys(&again), ["after the backup", "first", "on"]);
    let report = again.verify(|_, _| ControlFlow::Continue(())).await.expect("reads");
    assert_eq!((report.damaged, &report.problems), (0, &vec![]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_s_copy_stays_readable_and_never_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (url, _stop) = relay(folder.path()).await;
    let owner = create(&folder.path().join("owner")).await;
    let mut options = InviteOptions::new(&url);
    options.auto_approve = true;
    options.role = Role::Reader;
    let invite = owner.invite(options).await.expect("invites");
    let link = owner.connect(&url).expect("connects");
    let joining = JoinOptions { profile: "reader".into(), timeout_ms: Some(30_000) };
    let path = folder.path().join("reader");
    let reader = Workspace::join(&path, Key::raw(KEY), &invite.uri, joining).await.expect("joins");
    reader.shutdown().await.expect("closes");
    let copied = folder.path().join("copy");
    copy_folder(&path, &copied);
    put(&owner, "later").await.expect("writes");
    link.wait_live(Duration::from_secs(20)).await.expect("live");
    link.stop().await;
    let copy = open(&copied).await;
    copy.sync(&url).await.expect("syncs");
    assert_eq!(keys(&copy), ["first", "later"]);
    assert!(matches!(kind(put(&copy, "x").await), ErrorKind::Restored | ErrorKind::NotAuthorized));
}
