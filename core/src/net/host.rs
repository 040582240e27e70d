//! A relay of tests that shows whatever replica a test gives it, over real sockets, and so may lie.

use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use tidelog_log::crypto::noise::RelaySecret;
use tidelog_log::env::SystemRandom;
use tidelog_log::frames::{BoxId, Closing, MailError};
use tidelog_log::ids::{DeviceId, EntryId, WorkspaceId};
use tidelog_log::session::{Bans, Host, Letter, Replica, Role, Session};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

const SECRET: [u8; 32] = [0x5e; 32];

/// One workspace, and no mailboxes.
struct Shown(Arc<dyn Replica>, Bans);

impl Host for Shown {
    fn open(&self, _: &WorkspaceId, _: &DeviceId) -> Result<Arc<dyn Replica>, Closing> {
        Ok(Arc::clone(&self.0))
    }

    fn bans(&self) -> &Bans {
        &self.1
    }

    fn mail_open(&self, _: &WorkspaceId, _: BoxId, _: [u8; 32], _: u64) -> Result<Vec<Letter>, MailError> {
        Err(MailError::NotOpen)
    }

    fn mail_put(&self, _: BoxId, _: &[u8; 32], _: Vec<u8>) -> Result<u32, MailError> {
        Err(MailError::NotOpen)
    }

    fn mail_get(&self, _: BoxId, _: &[u8; 32], _: u32) -> Result<Vec<Letter>, MailError> {
        Err(MailError::NotOpen)
    }
}

/// Serves until it is dropped.
pub(crate) struct TestRelay {
    url: String,
    task: JoinHandle<()>,
}

impl TestRelay {
    pub(crate) async fn start(replica: Arc<dyn Replica>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let key = EntryId(RelaySecret::from_bytes(SECRET).public());
        let url = format!("ws://{}#{key}", listener.local_addr().expect("an address"));
        let host: Arc<dyn Host> = Arc::new(Shown(replica, Bans::default()));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                serve(socket, Arc::clone(&host)).await;
            }
        });
        Self { url, task }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One session, to its end.
async fn serve(socket: TcpStream, host: Arc<dyn Host>) {
    let mut socket = accept_async(socket).await.expect("a client");
    let secret = Arc::new(RelaySecret::from_bytes(SECRET));
    let mut session = Session::new(Role::Relay { secret, host }, Arc::new(SystemRandom), 0).expect("a key");
    while !session.is_over() {
        let Some(Ok(message)) = socket.next().await else { return };
        let Message::Binary(message) = message else { continue };
        let mut fed = session.receive(&message, 0);
        loop {
            let turn = session.drive(fed, 0);
            for message in turn.outgoing {
                if socket.send(Message::Binary(message.into())).await.is_err() {
                    return;
                }
            }
            if !turn.more || session.is_over() {
                break;
            }
            fed = session.poke(0);
        }
    }
}
