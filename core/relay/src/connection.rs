//! One WebSocket connection and its session.
//!
//! The session is a state machine that may block on storage, so it takes its turns on a thread for
//! blocking work, one at a time; between turns this task waits for whatever comes first: a
//! message, the workspace growing, a signal or letter from another session, a deadline, the order
//! to stop. A second task writes to the socket, so a slow reader never holds up a turn; what waits
//! for it is bounded by [`OUTBOUND_MESSAGES_MAX`] and the session's own limits. A turn is short: a
//! session that has more to do gives its permit back and queues up behind the others.

mod turn;

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tidelog_log::frames::{BoxId, Closing, Code};
use tidelog_log::ids::DeviceId;
use tidelog_log::session::{
    Host, Membership, Peer, Replica as _, Role, Session, SessionError, SessionEvent, Turn,
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, Interval, Sleep, interval_at, sleep, timeout};

use crate::config::{
    ADMISSION_TIME, OUTBOUND_MESSAGES_MAX, PING_INTERVAL, RESTART_S, SEND_TIME, SILENCE_TIME,
};
use crate::door::Trust;
use crate::gate::Pass;
use crate::relay::Shared;
use crate::tenants::Signal;
use crate::visitor::Visitor;
use turn::Input;

/// A number for each connection, to tell where a signal came from.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

/// What a connection brings along.
#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) trust: Trust,
    pub(crate) pass: Pass,
    /// Held as long as the connection lives.
    pub(crate) presence: mpsc::Sender<()>,
}

/// Serves one connection until it ends.
pub(crate) async fn run(shared: Arc<Shared>, visitor: Visitor, arrival: Arrival, socket: WebSocket) {
    let open = shared.metrics.connections.hold();
    let visitor = Arc::new(visitor);
    let role =
        Role::Relay { secret: Arc::clone(&shared.secret), host: Arc::clone(&visitor) as Arc<dyn Host> };
    let session = match Session::new(role, Arc::clone(&shared.random), shared.clock.now_ms()) {
        Ok(session) => Box::new(session),
        Err(error) => return tracing::error!(%error, "a session could not be started"),
    };
    let (sink, stream) = socket.split();
    let (sender, messages) = mpsc::channel(OUTBOUND_MESSAGES_MAX);
    let writer = tokio::spawn(write(sink, messages));
    let connection = Connection {
        number: NUMBERS.fetch_add(1, Ordering::Relaxed),
        stopping: shared.stopping.subscribe(),
        letters: shared.mail.arrivals(),
        watched: HashMap::new(),
        visitor,
        trust: arrival.trust,
        pass: Some(arrival.pass),
        peer: None,
        grown: None,
        signals: None,
        outgoing: VecDeque::new(),
        more: false,
        deadline: None,
        admission: Box::pin(sleep(ADMISSION_TIME)),
        pings: interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL),
        heard: Instant::now(),
        sender,
        stream,
        shared: Arc::clone(&shared),
    };
    connection.serve(session).await;
    // The writer ends by itself: it has a time limit for each message.
    let _ = writer.await;
    drop((open, arrival.presence));
}

/// Writes messages to the socket until there are no more, then closes it.
async fn write(mut sink: SplitSink<WebSocket, Message>, mut messages: mpsc::Receiver<Message>) {
    while let Some(message) = messages.recv().await {
        if !matches!(timeout(SEND_TIME, sink.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
    let _ = timeout(SEND_TIME, sink.close()).await;
}

struct Connection {
    number: u64,
    shared: Arc<Shared>,
    visitor: Arc<Visitor>,
    trust: Trust,
    /// Held until the peer is a member.
    pass: Option<Pass>,
    peer: Option<DeviceId>,
    stream: SplitStream<WebSocket>,
    sender: mpsc::Sender<Message>,
    outgoing: VecDeque<Vec<u8>>,
    /// Whether the session has more to do or to send than the last turn had time for.
    more: bool,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Until when the peer must have become a member.
    admission: Pin<Box<Sleep>>,
    pings: Interval,
    /// When the peer last gave a sign of life.
    heard: Instant,
    stopping: watch::Receiver<bool>,
    grown: Option<watch::Receiver<u64>>,
    signals: Option<broadcast::Receiver<Signal>>,
    letters: watch::Receiver<u64>,
    /// Boxes that the session watches, with the last letter it was told.
    watched: HashMap<BoxId, u32>,
}

impl Connection {
    async fn serve(mut self, mut session: Box<Session>) {
        let metrics = Arc::clone(&self.shared.metrics);
        let mut counted = None;
        while let Some(input) = self.next().await {
            let Some((returned, turn, watched)) = self.take_turn(session, input).await else { break };
            session = returned;
            self.watched.extend(watched);
            self.more = turn.more;
            self.outgoing.extend(turn.outgoing);
            for event in turn.events {
                self.on_event(event);
            }
            if let Some(device) = self.peer {
                counted.get_or_insert_with(|| metrics.sessions.hold());
                self.admit(&device);
            }
            if let Err(error) = turn.result {
                self.report(&error);
                break;
            }
            if session.is_over() {
                break;
            }
            self.set_deadline(&session);
        }
        if self.peer.is_none() && self.watched.is_empty() {
            metrics.sessions_refused_total.add(1);
        }
        for message in std::mem::take(&mut self.outgoing) {
            if self.sender.send(Message::Binary(message.into())).await.is_err() {
                break;
            }
        }
    }

    /// Waits for what the session must hear of next; `None` ends the connection at once.
    async fn next(&mut self) -> Option<Input> {
        loop {
            if self.more && self.outgoing.is_empty() {
                return Some(Input::Look);
            }
            let waiting = !self.outgoing.is_empty();
            tokio::select! {
                permit = self.sender.reserve(), if waiting => {
                    let message = self.outgoing.pop_front()?;
                    permit.ok()?.send(Message::Binary(message.into()));
                }
                () = self.sender.closed(), if !waiting => return None,
                message = self.stream.next() => {
                    self.heard = Instant::now();
                    match message?.ok()? {
                        Message::Binary(message) => return Some(Input::Message(message)),
                        Message::Ping(_) | Message::Pong(_) => {}
                        Message::Text(_) | Message::Close(_) => return None,
                    }
                }
                () = changed(self.grown.as_mut()) => return Some(Input::Look),
                signal = next_signal(self.signals.as_mut()) => {
                    if signal.from != self.number {
                        return Some(Input::Signal(signal.message));
                    }
                }
                () = changed(Some(&mut self.letters)), if !self.watched.is_empty() => {
                    return Some(Input::News(std::mem::take(&mut self.watched)));
                }
                () = elapsed(self.deadline.as_mut()) => return Some(Input::Look),
                () = &mut self.admission, if self.pass.is_some() => {
                    return Some(Input::Close(Closing::new(Code::NotAdmitted, "this device is not a member")));
                }
                () = stopped(&mut self.stopping) => {
                    let closing = Closing::new(Code::Unavailable, "the relay is stopping");
                    return Some(Input::Close(Closing { retry_after_s: RESTART_S, ..closing }));
                }
                _ = self.pings.tick() => {
                    if self.heard.elapsed() > SILENCE_TIME {
                        return None;
                    }
                    // A full queue is a sign of life that is still to come.
                    let _ = self.sender.try_send(Message::Ping(Bytes::new()));
                }
            }
        }
    }

    /// Lets the session take its turn; `None` if it panicked, which ends this connection only. Gives
    /// back the boxes that it was to hear the news of, with the last letter it was told now.
    async fn take_turn(
        &self,
        mut session: Box<Session>,
        input: Input,
    ) -> Option<(Box<Session>, Turn, HashMap<BoxId, u32>)> {
        let now_ms = self.shared.clock.now_ms();
        let received = input.message_len();
        let permit = self.shared.blocking.acquire().await.ok()?;
        let shared = Arc::clone(&self.shared);
        let work = move || {
            let mut watched = HashMap::new();
            let turn = turn::take(&mut session, input, &shared.mail, &mut watched, now_ms);
            (session, turn, watched)
        };
        let taken = tokio::task::spawn_blocking(work).await;
        drop(permit);
        let (session, turn, watched) =
            taken.inspect_err(|error| tracing::error!(%error, "a session failed")).ok()?;
        self.shared.metrics.received_bytes_total.add(received);
        self.shared
            .metrics
            .sent_bytes_total
            .add(turn.outgoing.iter().map(|message| message.len() as u64).sum());
        Some((session, turn, watched))
    }

    fn on_event(&mut self, event: SessionEvent) {
        match event {
            SessionEvent::Ready(Peer::Device(device)) => {
                self.peer = Some(device);
                self.trust.grant();
                if let Some(tenant) = self.visitor.tenant() {
                    self.grown = Some(tenant.grown());
                    self.signals = Some(tenant.signals().subscribe());
                }
            }
            SessionEvent::MailWatched(mailbox) => {
                // Whoever has the token of an open box may wait there for an answer.
                self.trust.grant();
                self.pass = None;
                self.watched.insert(mailbox, 0);
            }
            SessionEvent::Signal(message) => {
                if let Some(tenant) = self.visitor.tenant() {
                    // Fails only if nobody else is there.
                    let _ = tenant.signals().send(Signal { from: self.number, message: message.into() });
                }
            }
            _ => {}
        }
    }

    /// Returns the pass once the directory has the device.
    fn admit(&mut self, device: &DeviceId) {
        if self.pass.is_some()
            && self.visitor.tenant().is_some_and(|tenant| tenant.membership(device) == Membership::Active)
        {
            self.pass = None;
        }
    }

    fn set_deadline(&mut self, session: &Session) {
        let now_ms = self.shared.clock.now_ms();
        self.deadline = session
            .deadline()
            .map(|deadline| Box::pin(sleep(Duration::from_millis(deadline.saturating_sub(now_ms)))));
    }

    fn report(&self, error: &SessionError) {
        let workspace = self.visitor.tenant().map(|tenant| tenant.workspace().to_string());
        match error {
            SessionError::Replica(error) => tracing::error!(workspace, %error, "a workspace failed"),
            error => tracing::debug!(workspace, %error, "a session ended"),
        }
        self.shared.metrics.sessions_failed_total.add(1);
    }
}

/// Ready when the relay stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Fails only when the relay is gone, which is no reason to go on.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Ready when the value changed; never if there is none, or its owner is gone.
async fn changed(receiver: Option<&mut watch::Receiver<u64>>) {
    let Some(receiver) = receiver else { return pending().await };
    if receiver.changed().await.is_err() {
        pending().await
    }
}

/// The next signal of the workspace. One that came too late is gone: signals are about now.
async fn next_signal(receiver: Option<&mut broadcast::Receiver<Signal>>) -> Signal {
    let Some(receiver) = receiver else { return pending().await };
    loop {
        match receiver.recv().await {
            Ok(signal) => return signal,
            Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => return pending().await,
        }
    }
}

async fn elapsed(deadline: Option<&mut Pin<Box<Sleep>>>) {
    match deadline {
        Some(deadline) => deadline.await,
        None => pending().await,
    }
}
