//! The smallest client: one sync of one log, and plain HTTP requests.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tidelog_log::crypto::Signer;
use tidelog_log::env::SystemRandom;
use tidelog_log::log::Log;
use tidelog_log::session::{Direction, Member, Replica, Role, Session, SessionError};
use tidelog_log::testing::START_MS;
use tidelog_log::trie::Filter;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Far longer than anything here takes: a test that hangs fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("in time")
}

/// A WebSocket to a relay at `host:port`.
pub(crate) async fn connect(address: &str) -> Socket {
    within(connect_async(format!("ws://{address}/sync"))).await.expect("connects").0
}

pub(crate) fn session(relay: [u8; 32], log: &Arc<Log>, signer: Arc<dyn Signer>) -> Session {
    let member = Member {
        replica: Arc::clone(log) as Arc<dyn Replica>,
        signer,
        streams: Filter::All,
        direction: Direction::Both,
        bans: Arc::default(),
    };
    let role = Role::Client { relay, member: Some(member) };
    Session::new(role, Arc::new(SystemRandom), START_MS).expect("starts")
}

/// Syncs a log with a relay; returns once both sides hold the same, durably.
pub(crate) async fn sync(
    address: &str,
    relay: [u8; 32],
    log: &Arc<Log>,
    signer: Arc<dyn Signer>,
) -> Result<(), SessionError> {
    let mut socket = connect(address).await;
    let mut session = session(relay, log, signer);
    loop {
        while let Some(message) = session.transmit() {
            within(socket.send(Message::Binary(message.into()))).await.expect("sends");
            session.poke(START_MS)?;
        }
        if session.is_synced() {
            return Ok(());
        }
        if let Some(Ok(Message::Binary(message))) = within(socket.next()).await {
            session.receive(&message, START_MS)?;
            while session.is_busy() {
                session.poke(START_MS)?;
            }
        }
    }
}

/// The root over all that a log holds.
pub(crate) fn root(log: &Log) -> [u8; 32] {
    log.frontier().0.root(&Filter::All)
}

/// The whole answer to a GET request.
pub(crate) async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    let request = format!("GET {path} HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.expect("answers");
    answer
}
