//! The program: how it starts, refuses to start, stops, and survives being killed.

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use tidelog_log::directory::{Op, Role};
use tidelog_log::frames::Code;
use tidelog_log::ids::{EntryId, StreamId};
use tidelog_log::log::Draft;
use tidelog_log::session::SessionError;
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::TestWorkspace;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::client::{get, root, sync, within};

struct Running {
    child: Child,
    address: String,
    key: [u8; 32],
}

fn command(folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidelog-relay"));
    command.arg("--data").arg(folder).args(options).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts a relay and waits for its line.
async fn start(folder: &Path, options: &[&str]) -> Running {
    let mut child = command(folder, options).spawn().expect("starts");
    let output = child.stdout.take().expect("piped");
    let line = within(BufReader::new(output).lines().next_line()).await.expect("reads").expect("a line");
    let words: Vec<&str> = line.split(' ').collect();
    let ["listening", "on", url, "key", key] = words[..] else { panic!("unexpected line: {line}") };
    let address = url.strip_prefix("ws://").expect("a WebSocket address").to_owned();
    let key = key.parse::<EntryId>().expect("a key").0;
    Running { child, address, key }
}

async fn fail(folder: &Path, options: &[&str]) -> Output {
    within(command(folder, options).output()).await.expect("runs")
}

#[tokio::test]
async fn a_relay_that_was_killed_holds_everything_it_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut relay = start(folder.path(), &["--listen", "127.0.0.1:0", "--open"]).await;
    let workspace = TestWorkspace::new(1);
    let log = Arc::new(workspace.founder_log(Arc::new(MemoryStorage::new()), 1));
    let add = Draft::directory(workspace.device(0), vec![workspace.add_user(1, Role::Writer)]);
    log.commit_blocking(vec![add]).expect("commits");
    for round in 0..3 {
        let draft = workspace.draft(0, StreamId([5; 16]), vec![round; 1000]);
        log.commit_blocking(vec![draft]).expect("commits");
        sync(&relay.address, relay.key, &log, workspace.device(0)).await.expect("syncs");
        within(relay.child.kill()).await.expect("kills");
        let key = relay.key;
        relay = start(folder.path(), &["--listen", "127.0.0.1:0"]).await;
        assert_eq!(relay.key, key, "the identity is kept");
    }
    let other = Arc::new(workspace.empty_log(Arc::new(MemoryStorage::new()), 2));
    sync(&relay.address, relay.key, &other, workspace.device(1)).await.expect("syncs");
    assert_eq!(root(&other), root(&log));
    assert_eq!(other.arrivals(), log.arrivals());
}

#[tokio::test]
async fn a_relay_that_was_restarted_still_refuses_who_was_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut relay = start(folder.path(), &["--listen", "127.0.0.1:0", "--open"]).await;
    let workspace = TestWorkspace::new(3);
    let log = Arc::new(workspace.founder_log(Arc::new(MemoryStorage::new()), 1));
    let add = Draft::directory(workspace.device(0), vec![workspace.add_user(1, Role::Writer)]);
    log.commit_blocking(vec![add]).expect("commits");
    let gone = Arc::new(workspace.empty_log(Arc::new(MemoryStorage::new()), 2));
    sync(&relay.address, relay.key, &log, workspace.device(0)).await.expect("syncs");
    sync(&relay.address, relay.key, &gone, workspace.device(1)).await.expect("syncs");
    let remove = Op::RemoveUser { user: workspace.user(1), cuts: vec![] };
    log.commit_blocking(vec![Draft::directory(workspace.device(0), vec![remove])]).expect("commits");
    sync(&relay.address, relay.key, &log, workspace.device(0)).await.expect("syncs");
    gone.commit_blocking(vec![workspace.draft(1, StreamId([5; 16]), vec![1; 100])]).expect("commits");
    within(relay.child.kill()).await.expect("kills");
    relay = start(folder.path(), &["--listen", "127.0.0.1:0"]).await;
    let refused = sync(&relay.address, relay.key, &gone, workspace.device(1)).await;
    assert!(
        matches!(&refused, Err(SessionError::ClosedByPeer(closing)) if closing.code == Code::Removed),
        "{refused:?}"
    );
    let fresh = Arc::new(workspace.empty_log(Arc::new(MemoryStorage::new()), 3));
    sync(&relay.address, relay.key, &fresh, workspace.device(0)).await.expect("syncs");
    assert_eq!(fresh.arrivals(), log.arrivals(), "nothing of it was stored");
}

#[tokio::test]
async fn a_relay_answers_who_it_is_how_it_is_and_what_it_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let relay = start(folder.path(), &["--listen", "127.0.0.1:0", "--open"]).await;
    assert!(get(&relay.address, "/healthz").await.starts_with("HTTP/1.1 200 OK"));
    let known = get(&relay.address, "/.well-known/tidelog").await;
    assert!(known.contains(&EntryId(relay.key).to_string()) && known.contains("\"protocol\":1"));
    let workspace = TestWorkspace::new(2);
    let log = Arc::new(workspace.founder_log(Arc::new(MemoryStorage::new()), 1));
    sync(&relay.address, relay.key, &log, workspace.device(0)).await.expect("syncs");
    let metrics = get(&relay.address, "/metrics").await;
    assert!(metrics.contains("\ntidelog_relay_entries_stored_total 2\n"), "{metrics}");
    assert!(metrics.contains("\ntidelog_relay_workspaces_open 1\n"), "{metrics}");
    assert!(get(&relay.address, "/nothing").await.starts_with("HTTP/1.1 404"));
    assert!(get(&relay.address, "/sync").await.starts_with("HTTP/1.1 4"), "a session needs a WebSocket");
}

#[cfg(unix)]
#[tokio::test]
async fn a_relay_that_is_told_to_stop_ends_with_status_0() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut relay = start(folder.path(), &["--listen", "127.0.0.1:0", "--log-format", "json"]).await;
        let process = relay.child.id().expect("runs").to_string();
        let sent = within(Command::new("kill").args([signal, &process]).status()).await.expect("runs");
        assert!(sent.success());
        assert!(within(relay.child.wait()).await.expect("ends").success());
    }
}

#[tokio::test]
async fn a_port_in_use_is_told_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("listens");
    let address = listener.local_addr().expect("an address").to_string();
    let output = fail(folder.path(), &["--listen", &address]).await;
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains(&format!("cannot listen on {address}: the port is in use")), "{message}");
}

#[tokio::test]
async fn a_folder_in_use_by_another_relay_is_told_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let relay = start(folder.path(), &["--listen", "127.0.0.1:0"]).await;
    let output = fail(folder.path(), &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let process = relay.child.id().expect("runs");
    assert!(
        message.contains("in use by another relay") && message.contains(&process.to_string()),
        "{message}"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").expect("writes");
    let output = fail(&file.join("data"), &["--listen", "127.0.0.1:0"]).await;
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("cannot use the folder"), "{message}");
}

#[tokio::test]
async fn a_token_that_is_too_short_is_told_in_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let token = folder.path().join("token");
    std::fs::write(&token, "short").expect("writes");
    let path = token.to_str().expect("a path");
    let output = fail(folder.path(), &["--listen", "127.0.0.1:0", "--token-file", path]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("at least 16"));
}

#[tokio::test]
async fn wrong_options_end_with_status_2() {
    let folder = tempfile::tempdir().expect("a folder");
    for options in [&["--listen", "nowhere"][..], &["--quota", "much"], &["--workspace", "xyz"], &["--what"]]
    {
        assert_eq!(fail(folder.path(), options).await.status.code(), Some(2), "{options:?}");
    }
}
