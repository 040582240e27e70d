//! One connection to a relay, and its session.
//!
//! The session may block on storage, so it takes its turns on a thread for blocking work. Between
//! turns [`Connection::wait`] waits for what comes first, and may be dropped at any time; a
//! [`Connection::turn`] must be awaited to its end, or the connection is of no more use. A task of
//! its own writes to the socket, so a slow network never holds up a turn.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tidelog_log::crypto::noise::MESSAGE_MAX;
use tidelog_log::entry::Entry;
use tidelog_log::env::Clock;
use tidelog_log::frames::{Ask, BoxId};
use tidelog_log::ids::EntryId;
use tidelog_log::session::{Member, Role, Session, SessionError, SessionEvent, Traffic, Turn};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::Response;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_tls_with_config};

use super::failure::{Failure, no_key, wrong_key};
use super::{Dial, OpenBox, RelayAddress, tls};
use crate::error::{Error, ErrorKind};

/// Time to reach a relay: name, TCP, TLS and HTTP.
const DIAL_TIME: Duration = Duration::from_secs(15);
/// Silence after which a relay is taken for gone. It sends a ping every 30 seconds.
const SILENCE_TIME: Duration = Duration::from_secs(75);
/// Time for one message to leave for the network.
const SEND_TIME: Duration = Duration::from_secs(30);
/// Read buffer of a connection, in bytes.
const READ_BUFFER_BYTES: usize = 8 * 1024;
/// Messages that wait for the socket.
const OUTBOUND_MESSAGES_MAX: usize = 2;
/// Names the relay's key in its answer.
const KEY_HEADER: &str = "tidelog-relay-key";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What a session must hear of.
#[derive(Debug)]
pub(super) enum Input {
    /// A message of the relay.
    Message(Bytes),
    /// The log grew, time passed, or there is room to send again.
    Look,
    /// Hold a mailbox open; with an expiry of 0, close it.
    OpenBox(OpenBox),
    /// Leave a letter.
    PutLetter { mailbox: BoxId, token: [u8; 32], letter: Vec<u8> },
    /// Ask what the relay holds.
    Ask(Ask),
    /// Give the relay an entry.
    Offer(Box<Entry>),
    /// Say good-bye.
    Close,
}

/// A connection with its session.
pub(super) struct Connection {
    address: RelayAddress,
    relay: [u8; 32],
    clock: Arc<dyn Clock>,
    /// `None` while a turn is under way.
    session: Option<Box<Session>>,
    stream: SplitStream<Socket>,
    sender: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
    outgoing: VecDeque<Vec<u8>>,
    /// Whether the session has more to do or to send than the last turn had time for.
    more: bool,
    /// When the relay last gave a sign of life.
    heard: Instant,
}

impl Connection {
    /// Reaches a relay and starts a session, for a member or for letters only.
    pub(super) async fn dial(dial: &Dial, member: Option<Member>) -> Result<Self, Failure> {
        let address = dial.address.clone();
        let request = address.request()?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_MAX))
            .max_frame_size(Some(MESSAGE_MAX));
        let dialled = connect_async_tls_with_config(request, Some(config), true, Some(tls::connector()));
        let (socket, response) = timeout(DIAL_TIME, dialled)
            .await
            .map_err(|_| Error::new(ErrorKind::Network, format!("the relay {address} does not answer")))?
            .map_err(|error| Failure::dial(&address, error))?;
        let relay = relay_key(dial, &response)?;
        let role = Role::Client { relay, member };
        let session = Session::new(role, Arc::clone(&dial.random), dial.clock.now_ms())
            .map_err(|error| Failure::session(&address, error))?;
        let (sink, stream) = socket.split();
        let (sender, messages) = mpsc::channel(OUTBOUND_MESSAGES_MAX);
        Ok(Self {
            address,
            relay,
            clock: Arc::clone(&dial.clock),
            session: Some(Box::new(session)),
            stream,
            sender,
            writer: tokio::spawn(write(sink, messages)),
            outgoing: VecDeque::new(),
            // The first message is ready.
            more: true,
            heard: Instant::now(),
        })
    }

    /// The relay's key.
    pub(super) fn relay(&self) -> [u8; 32] {
        self.relay
    }

    /// Waits for what the session must hear of next, sending meanwhile. May be dropped.
    pub(super) async fn wait(&mut self) -> Result<Input, Failure> {
        loop {
            if self.more && self.outgoing.is_empty() {
                return Ok(Input::Look);
            }
            let waiting = !self.outgoing.is_empty();
            let deadline = self.until_deadline();
            tokio::select! {
                permit = self.sender.reserve(), if waiting => {
                    let permit = permit.map_err(|_| Failure::lost(&self.address, None))?;
                    permit.send(Message::Binary(self.outgoing.pop_front().unwrap_or_default().into()));
                }
                message = self.stream.next() => match message {
                    Some(Ok(Message::Binary(message))) => {
                        self.heard = Instant::now();
                        return Ok(Input::Message(message));
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.heard = Instant::now(),
                    Some(Err(error)) => return Err(Failure::lost(&self.address, Some(error))),
                    Some(Ok(_)) | None => return Err(Failure::lost(&self.address, None)),
                },
                () = sleep(deadline.unwrap_or(SILENCE_TIME)), if deadline.is_some() => return Ok(Input::Look),
                () = sleep(SILENCE_TIME.saturating_sub(self.heard.elapsed())) => {
                    return Err(Failure::lost(&self.address, None));
                }
            }
        }
    }

    /// Lets the session take its turn; returns what it tells, and whether it failed. Must be
    /// awaited to its end.
    pub(super) async fn turn(&mut self, input: Input) -> (Vec<SessionEvent>, Result<(), Failure>) {
        let Some(mut session) = self.session.take() else {
            return (Vec::new(), Err(Failure::lost(&self.address, None)));
        };
        let now_ms = self.clock.now_ms();
        let work = move || {
            let fed = feed(&mut session, input, now_ms);
            let turn = session.drive(fed, now_ms);
            (session, turn)
        };
        let (session, turn): (_, Turn) = match tokio::task::spawn_blocking(work).await {
            Ok(taken) => taken,
            Err(error) => {
                let error = Error::new(ErrorKind::Internal, "a session failed").with_source(error);
                return (Vec::new(), Err(error.into()));
            }
        };
        self.session = Some(session);
        self.outgoing.extend(turn.outgoing);
        self.more = turn.more;
        (turn.events, turn.result.map_err(|error| Failure::session(&self.address, error)))
    }

    /// Sends what is left and closes the connection; gives up when the network is too slow.
    pub(super) async fn finish(mut self) {
        for message in std::mem::take(&mut self.outgoing) {
            if self.sender.send(Message::Binary(message.into())).await.is_err() {
                break;
            }
        }
        drop(self.sender);
        // The writer has a time limit for each message.
        let _ = self.writer.await;
    }

    fn session(&self) -> Option<&Session> {
        self.session.as_deref()
    }

    /// Whether both sides hold the same, and nothing is under way.
    pub(super) fn is_synced(&self) -> bool {
        self.session().is_some_and(Session::is_synced)
    }

    /// The epoch of the relay's arrival numbers, once it has greeted.
    pub(super) fn relay_epoch(&self) -> Option<[u8; 16]> {
        self.session().and_then(Session::peer_epoch)
    }

    /// Whether entries are on their way that the relay has not judged.
    pub(super) fn is_sending(&self) -> bool {
        self.session().is_some_and(Session::is_sending)
    }

    /// Whether the relay leaves entries of this side out.
    pub(super) fn is_held_there(&self) -> bool {
        self.session().is_some_and(Session::peer_leaves_out)
    }

    /// Whether the session has ended.
    pub(super) fn is_over(&self) -> bool {
        self.session().is_none_or(Session::is_over)
    }

    /// The relay holds everything up to this arrival number; 0 while that is unknown.
    pub(super) fn relay_has(&self) -> u64 {
        self.session().map_or(0, Session::peer_has)
    }

    /// Bytes and turns so far.
    pub(super) fn traffic(&self) -> Traffic {
        self.session().map(Session::traffic).unwrap_or_default()
    }

    fn until_deadline(&self) -> Option<Duration> {
        let deadline = self.session()?.deadline()?;
        Some(Duration::from_millis(deadline.saturating_sub(self.clock.now_ms())))
    }
}

/// The relay's key: from the address, from what the caller knows, or from the relay itself where
/// nobody else can be at the other end.
fn relay_key(dial: &Dial, response: &Response) -> Result<[u8; 32], Error> {
    let told = response.headers().get(KEY_HEADER);
    let told = told.and_then(|value| value.to_str().ok()?.parse::<EntryId>().ok()).map(|key| key.0);
    match (dial.address.key().or(dial.known_key), told) {
        (Some(known), Some(told)) if known != told => Err(wrong_key(&dial.address)),
        (Some(known), _) => Ok(known),
        (None, Some(told)) if dial.address.vouches_for_key() => Ok(told),
        (None, _) => Err(no_key(&dial.address)),
    }
}

/// Writes messages to the socket until there are no more, then closes it.
async fn write(mut sink: SplitSink<Socket, Message>, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        if !matches!(timeout(SEND_TIME, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
    let _ = timeout(SEND_TIME, sink.close()).await;
}

fn feed(session: &mut Session, input: Input, now_ms: u64) -> Result<(), SessionError> {
    match input {
        Input::Message(message) => return session.receive(&message, now_ms),
        Input::Look => return session.poke(now_ms),
        Input::OpenBox(OpenBox { mailbox, token_hash, expires_ms }) => {
            session.mail_open(mailbox, token_hash, expires_ms);
        }
        Input::PutLetter { mailbox, token, letter } => drop(session.mail_put(mailbox, token, letter)),
        Input::Ask(ask) => drop(session.ask(ask)),
        Input::Offer(entry) => {
            session.offer(*entry);
            return session.poke(now_ms);
        }
        Input::Close => session.close(None, now_ms),
    }
    Ok(())
}
