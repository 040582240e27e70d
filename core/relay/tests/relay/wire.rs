//! What a relay does with bytes that no honest client sends.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tempfile::TempDir;
use tidelog_log::crypto::noise::MESSAGE_MAX;
use tidelog_log::env::SystemRandom;
use tidelog_log::frames::BoxId;
use tidelog_log::log::Log;
use tidelog_log::session::{Role, Session};
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::{START_MS, TestWorkspace};
use tidelog_relay::{Config, Relay};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::client::{Socket, connect, get, session, sync, within};

/// Sessions of one address that may be unauthenticated at a time.
const UNAUTHENTICATED_MAX: usize = 8;

pub(crate) struct Site {
    folder: TempDir,
    pub(crate) address: String,
    pub(crate) key: [u8; 32],
    task: JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn start(configure: impl FnOnce(&mut Config)) -> Site {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = Config::new(folder.path());
    config.admission.open = true;
    configure(&mut config);
    let relay = Relay::open(config).expect("opens");
    let key = relay.key();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let address = listener.local_addr().expect("an address").to_string();
    let task = tokio::spawn(async move {
        relay.serve(listener, std::future::pending()).await.expect("serves");
    });
    Site { folder, address, key, task }
}

/// Waits until the relay ended a connection.
async fn is_closed(socket: &mut Socket) {
    within(async { while let Some(Ok(_)) = socket.next().await {} }).await;
}

/// A session of device 0 that is synced and stays.
async fn join(site: &Site, log: &Arc<Log>, workspace: &TestWorkspace) -> (Socket, Session) {
    let mut socket = connect(&site.address).await;
    let mut session = session(site.key, log, workspace.device(0));
    while !session.is_synced() {
        while let Some(message) = session.transmit() {
            socket.send(Message::Binary(message.into())).await.expect("sends");
        }
        if let Some(Ok(Message::Binary(message))) = within(socket.next()).await {
            session.receive(&message, START_MS).expect("takes");
        }
    }
    (socket, session)
}

/// The relay goes on serving whoever behaves.
async fn still_serves(site: &Site) {
    let workspace = TestWorkspace::new(77);
    let log = Arc::new(workspace.founder_log(Arc::new(MemoryStorage::new()), 1));
    sync(&site.address, site.key, &log, workspace.device(0)).await.expect("syncs");
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let site = start(|_| {}).await;
    for garbage in [&b""[..], b"\0", b"\xff\xff", &[0x5a; 200], &[0; 4096]] {
        let mut socket = connect(&site.address).await;
        within(socket.send(Message::Binary(garbage.to_vec().into()))).await.expect("sends");
        is_closed(&mut socket).await;
    }
    let mut socket = connect(&site.address).await;
    within(socket.send(Message::Text("hello".into()))).await.expect("sends");
    is_closed(&mut socket).await;
    still_serves(&site).await;
}

#[tokio::test]
async fn bytes_that_are_no_http_end_their_own_connection_only() {
    let site = start(|_| {}).await;
    let mut stream = TcpStream::connect(&site.address).await.expect("connects");
    stream.write_all(&[0xa5; 2000]).await.expect("sends");
    let mut answer = Vec::new();
    // However the connection ends, it does.
    let _ = within(stream.read_to_end(&mut answer)).await;
    still_serves(&site).await;
}

#[tokio::test]
async fn whoever_is_not_authenticated_cannot_say_much() {
    let site = start(|_| {}).await;
    for length in [20 * 1024, MESSAGE_MAX, MESSAGE_MAX + 1] {
        let mut socket = connect(&site.address).await;
        // The relay may end the connection while this is still being sent.
        let _ = within(socket.send(Message::Binary(vec![0; length].into()))).await;
        is_closed(&mut socket).await;
    }
    still_serves(&site).await;
}

#[tokio::test]
async fn a_message_that_is_too_long_ends_an_authenticated_session() {
    let site = start(|_| {}).await;
    let workspace = TestWorkspace::new(3);
    let log = Arc::new(workspace.founder_log(Arc::new(MemoryStorage::new()), 1));
    sync(&site.address, site.key, &log, workspace.device(0)).await.expect("syncs");
    let (mut socket, _session) = join(&site, &log, &workspace).await;
    let _ = within(socket.send(Message::Binary(vec![0; MESSAGE_MAX + 1].into()))).await;
    is_closed(&mut socket).await;
    still_serves(&site).await;
}

/// Time is paused: it moves to the next deadline whenever nothing else is to be done.
#[tokio::test(start_paused = true)]
async fn a_handshake_that_takes_too_long_is_ended() {
    let site = start(|_| {}).await;
    // Nothing at all; half a request; a WebSocket and then nothing.
    let mut silent = TcpStream::connect(&site.address).await.expect("connects");
    assert_eq!(silent.read(&mut [0; 64]).await.unwrap_or(0), 0);
    let mut slow = TcpStream::connect(&site.address).await.expect("connects");
    slow.write_all(b"GET /sync HTTP/1.1\r\nHost: ").await.expect("sends");
    assert_eq!(slow.read(&mut [0; 64]).await.unwrap_or(0), 0);
    let (mut socket, _) = connect_async(format!("ws://{}/sync", site.address)).await.expect("connects");
    while let Some(Ok(_)) = socket.next().await {}
}

#[tokio::test]
async fn an_address_has_so_many_unauthenticated_sessions_and_no_more() {
    let site = start(|_| {}).await;
    let url = format!("ws://{}/sync", site.address);
    let mut sockets = Vec::new();
    for _ in 0..UNAUTHENTICATED_MAX {
        sockets.push(connect(&site.address).await);
    }
    let refused = within(connect_async(&url)).await;
    let Err(Error::Http(response)) = refused else { panic!("one more was taken") };
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
    let metrics = get(&site.address, "/metrics").await;
    assert!(metrics.contains("\ntidelog_relay_connections_refused_total 1\n"), "{metrics}");
    let mut gone = sockets.pop().expect("some");
    within(gone.close(None)).await.expect("closes");
    is_closed(&mut gone).await;
    within(async { while connect_async(&url).await.is_err() {} }).await;
}

#[tokio::test]
async fn members_do_not_count_as_unauthenticated() {
    let site = start(|_| {}).await;
    let workspace = TestWorkspace::new(5);
    let log = Arc::new(workspace.founder_log(Arc::new(MemoryStorage::new()), 1));
    let mut held = Vec::new();
    for _ in 0..UNAUTHENTICATED_MAX + 2 {
        held.push(join(&site, &log, &workspace).await);
    }
    assert_eq!(held.len(), UNAUTHENTICATED_MAX + 2);
}

#[tokio::test]
async fn connections_have_a_limit() {
    let site = start(|config| config.connections_max = 1).await;
    let first = connect(&site.address).await;
    assert!(within(connect_async(format!("ws://{}/sync", site.address))).await.is_err());
    drop(first);
    within(async { while connect_async(format!("ws://{}/sync", site.address)).await.is_err() {} }).await;
}

#[tokio::test]
async fn nobody_opens_a_mailbox_without_being_a_member() {
    let site = start(|_| {}).await;
    let mut socket = connect(&site.address).await;
    let role = Role::Client { relay: site.key, member: None };
    let mut session = Session::new(role, Arc::new(SystemRandom), START_MS).expect("starts");
    session.mail_open(BoxId([1; 16]), [2; 32], u64::MAX);
    loop {
        while let Some(message) = session.transmit() {
            socket.send(Message::Binary(message.into())).await.expect("sends");
        }
        let Some(Ok(Message::Binary(message))) = within(socket.next()).await else { break };
        if session.receive(&message, START_MS).is_err() {
            break;
        }
        let refused = std::iter::from_fn(|| session.event())
            .any(|event| format!("{event:?}").contains("Err(Unavailable)"));
        if refused {
            break;
        }
    }
    let files = std::fs::read_dir(site.folder.path().join("mailboxes")).expect("reads").count();
    assert_eq!(files, 0);
}

/// Time is paused from where the device is connected on.
#[tokio::test]
async fn a_device_that_does_not_become_a_member_in_time_is_sent_away() {
    let site = start(|_| {}).await;
    let workspace = TestWorkspace::new(6);
    let empty = Arc::new(workspace.empty_log(Arc::new(MemoryStorage::new()), 1));
    let (mut socket, mut session) = join(&site, &empty, &workspace).await;
    tokio::time::pause();
    let mut error = None;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(message) = message {
            error = session.receive(&message, START_MS).err();
        }
    }
    assert!(format!("{error:?}").contains("NotAdmitted"), "{error:?}");
}
