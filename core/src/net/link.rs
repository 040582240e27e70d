//! A link: keeps meeting a relay until it is stopped.
//!
//! One task does it all: connects, syncs, stays for what is new, and after a failure waits a
//! little longer each time before it connects again. Whoever holds a [`Link`] looks at what the
//! task wrote down, or pulls its events; nobody has to, and the task never waits for anybody.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidelog_log::crypto::sha256;
use tidelog_log::session::{self, Cursor, Replica, SessionEvent};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use super::client::{Connection, Input};
use super::failure::Failure;
use super::{Dial, OpenBox, Party};
use crate::error::{Error, ErrorKind, Result};
use crate::warning::Warning;

/// Events that wait for a slow reader before the oldest are dropped.
const EVENTS_MAX: usize = 256;

/// What a link is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Waits before the next attempt, or is stopped.
    Offline,
    /// Tries to reach the relay.
    Connecting,
    /// Exchanges what either side has missed.
    CatchingUp,
    /// Both sides have held the same; what is new goes over at once.
    Live,
}

/// How far the present connection has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Entries received.
    pub received: u64,
    /// Entries received and still expected, as far as is known.
    pub received_total: u64,
    /// Entries sent.
    pub sent: u64,
    /// Entries sent and still to send.
    pub sent_total: u64,
    /// Bytes received in messages.
    pub bytes_received: u64,
    /// Bytes sent in messages.
    pub bytes_sent: u64,
}

/// Something that a link did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkEvent {
    /// It is in another state.
    State(LinkState),
    /// Entries went one way or the other, or the relay acknowledged some: [`Link::pending`] may have
    /// changed too.
    Progress(Progress),
    /// An attempt failed, or the connection was lost; the link goes on.
    Failed {
        /// The kind of error.
        #[serde(rename = "code")]
        kind: ErrorKind,
        /// The error in words.
        message: String,
    },
    /// Something is wrong that was not when the link last looked, see
    /// [`crate::Workspace::warnings`]: it looks whenever entries came.
    Warned(Warning),
    /// The reader was too slow and missed this many events.
    Lagged(u64),
}

/// What the task writes down.
#[derive(Debug, Default)]
struct Status {
    progress: Progress,
    last_error: Option<(ErrorKind, String)>,
    /// The relay holds everything up to this arrival number.
    relay_has: u64,
}

struct Shared {
    replica: Arc<dyn Replica>,
    state: watch::Sender<LinkState>,
    status: Mutex<Status>,
    events: broadcast::Sender<LinkEvent>,
    stop: watch::Sender<bool>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Shared {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A live connection to a relay that repairs itself. Clones are the same link.
///
/// It goes on until [`Link::stop`], or until its workspace is shut down, also when nobody holds it
/// any more.
///
/// ```no_run
/// # async fn run(workspace: tidelog::Workspace) -> tidelog::Result<()> {
/// use std::time::Duration;
/// use tidelog::LinkState;
///
/// let link = workspace.connect("wss://relay.example.org")?;
/// link.wait_live(Duration::from_secs(10)).await?;
/// assert_eq!(link.state(), LinkState::Live);
/// link.stop().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Link(Arc<Shared>);

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Link").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Link {
    /// Starts a link. Must be called within a tokio runtime.
    pub(crate) fn start(dial: Dial, party: Party) -> Self {
        let held_key = held_key(&dial);
        let held = party.replica.cursor(&held_key).filter(|held| held.epoch == party.replica.epoch());
        let status = Status { relay_has: held.map_or(0, |held| held.arrival), ..Status::default() };
        let shared = Arc::new(Shared {
            replica: Arc::clone(&party.replica),
            state: watch::Sender::new(LinkState::Offline),
            status: Mutex::new(status),
            events: broadcast::Sender::new(EVENTS_MAX),
            stop: watch::Sender::new(false),
            task: tokio::sync::Mutex::default(),
        });
        let task = Task {
            stop: shared.stop.subscribe(),
            shared: Arc::clone(&shared),
            dial,
            party,
            held_key,
            boxes: Vec::new(),
            warned: Vec::new(),
        };
        let handle = tokio::spawn(task.run());
        *shared.task.try_lock().expect("nobody else has the link yet") = Some(handle);
        Self(shared)
    }

    /// What the link is doing.
    #[must_use]
    pub fn state(&self) -> LinkState {
        *self.0.state.borrow()
    }

    /// How far the present connection has come, or the last one.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.0.status().progress
    }

    /// How many entries of this device's log the relay is not known to hold durably.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.0.replica.arrivals().saturating_sub(self.0.status().relay_has)
    }

    /// Why the last attempt failed or the last connection was lost; `None` since it worked again.
    #[must_use]
    pub fn last_error(&self) -> Option<Error> {
        self.0.status().last_error.clone().map(|(kind, message)| Error::new(kind, message))
    }

    /// Waits until the link is live.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Timeout`] if it takes longer than `limit`, with the last error as its cause;
    /// [`ErrorKind::Closed`] if the link is stopped.
    pub async fn wait_live(&self, limit: Duration) -> Result<()> {
        let mut states = self.0.state.subscribe();
        let mut stop = self.0.stop.subscribe();
        let live = async {
            tokio::select! {
                _ = states.wait_for(|state| *state == LinkState::Live) => Ok(()),
                _ = stop.wait_for(|stop| *stop) => Err(Error::new(ErrorKind::Closed, "the link is stopped")),
            }
        };
        timeout(limit, live).await.unwrap_or_else(|_| {
            let error = Error::new(ErrorKind::Timeout, "the link did not become live in time");
            Err(match self.last_error() {
                Some(cause) => error.with_source(cause),
                None => error,
            })
        })
    }

    /// What the link does from now on. Whoever reads too slowly misses the oldest events, and is
    /// told how many.
    #[must_use]
    pub fn events(&self) -> LinkEvents {
        LinkEvents(self.0.events.subscribe(), self.0.stop.subscribe())
    }

    /// Ends the link: says good-bye to the relay and waits until the connection is closed. A second
    /// call does nothing.
    pub async fn stop(&self) {
        self.0.stop.send_replace(true);
        if let Some(task) = self.0.task.lock().await.take() {
            // A task that panicked is stopped too.
            let _ = task.await;
        }
    }
}

/// The events of a [`Link`].
///
/// ```no_run
/// # async fn run(link: tidelog::Link) -> tidelog::Result<()> {
/// use tidelog::LinkEvent;
///
/// let mut events = link.events();
/// while let Some(event) = events.next().await {
///     match event {
///         LinkEvent::State(state) => println!("{state:?}"),
///         LinkEvent::Failed { message, .. } => println!("will try again: {message}"),
///         LinkEvent::Warned(warning) => println!("{}", warning.text),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct LinkEvents(broadcast::Receiver<LinkEvent>, watch::Receiver<bool>);

impl fmt::Debug for LinkEvents {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LinkEvents(..)")
    }
}

impl LinkEvents {
    /// The next event; `None` once the link is stopped and all its events are read.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        tokio::select! {
            biased;
            event = self.0.recv() => match event {
                Ok(event) => Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => Some(LinkEvent::Lagged(missed)),
                Err(broadcast::error::RecvError::Closed) => None,
            },
            // The task says its last before it lets this end.
            _ = self.1.wait_for(|stop| *stop) => self.0.try_recv().ok(),
        }
    }
}

/// The name under which is kept how much of this log a relay holds. The names of peers are keys;
/// this one is a hash, so they cannot meet.
fn held_key(dial: &Dial) -> [u8; 32] {
    sha256(&[b"TIDE1 link held", dial.address.to_string().as_bytes()])
}

struct Task {
    shared: Arc<Shared>,
    dial: Dial,
    party: Party,
    stop: watch::Receiver<bool>,
    held_key: [u8; 32],
    /// The mailboxes that the present session holds open.
    boxes: Vec<OpenBox>,
    /// What was wrong when the link last looked.
    warned: Vec<Warning>,
}

impl Task {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        while !*self.stop.borrow() {
            let failure = self.meet().await.err();
            self.keep_held();
            let was_live = *self.shared.state.borrow() == LinkState::Live;
            self.set_state(LinkState::Offline);
            let Some(failure) = failure else { break };
            if was_live {
                backoff.reset();
            }
            let wait = backoff.next(&*self.dial.random);
            let wait = failure.retry_after.map_or(wait, |asked| asked.max(wait));
            self.report(&failure.error);
            tokio::select! {
                () = sleep(wait) => {}
                _ = self.stop.wait_for(|stop| *stop) => {}
            }
        }
    }

    /// One connection, until it fails or the link is stopped.
    async fn meet(&mut self) -> std::result::Result<(), Failure> {
        self.set_state(LinkState::Connecting);
        self.boxes.clear();
        let mut connection = tokio::select! {
            dialled = Connection::dial(&self.dial, Some(self.party.member())) => dialled?,
            _ = self.stop.wait_for(|stop| *stop) => return Ok(()),
        };
        let met = self.converse(&mut connection).await;
        connection.finish().await;
        met
    }

    async fn converse(&mut self, connection: &mut Connection) -> std::result::Result<(), Failure> {
        loop {
            let input = tokio::select! {
                input = connection.wait() => input?,
                // Fails only if the workspace is gone, and then the link is being stopped.
                Ok(()) = self.party.changed.changed() => Input::Look,
                _ = self.stop.wait_for(|stop| *stop) => Input::Close,
            };
            let closing = matches!(input, Input::Close);
            self.turn(connection, input).await?;
            if closing {
                return Ok(());
            }
            if connection.is_over() {
                let error = Error::new(ErrorKind::Network, "the relay left; the link comes back");
                return Err(error.into());
            }
            if *self.shared.state.borrow() == LinkState::Live {
                self.open_boxes(connection).await?;
            }
        }
    }

    async fn turn(&mut self, connection: &mut Connection, input: Input) -> std::result::Result<(), Failure> {
        let (events, result) = connection.turn(input).await;
        let (traffic, relay_has) = (connection.traffic(), connection.relay_has());
        let mut moved = {
            let mut status = self.shared.status();
            let moved = relay_has > 0 && status.relay_has != relay_has;
            if moved {
                status.relay_has = relay_has;
            }
            status.progress.bytes_received = traffic.bytes_received;
            status.progress.bytes_sent = traffic.bytes_sent;
            moved
        };
        let news = |event: &SessionEvent| {
            matches!(event, SessionEvent::Synced | SessionEvent::Stored(_) | SessionEvent::Refused(_))
        };
        let look = events.iter().any(news);
        for event in events {
            match event {
                SessionEvent::Ready(_) => self.set_state(LinkState::CatchingUp),
                SessionEvent::Progress(progress) => {
                    self.set_progress(progress);
                    moved = true;
                }
                SessionEvent::Synced => self.on_synced(),
                SessionEvent::Mail { mailbox, slot, message } => {
                    self.party.mail.letter(mailbox, slot, message);
                }
                SessionEvent::MailResult { result: Err(error), .. } => {
                    // Asked for again with the next connection: at once would not help.
                    tracing::warn!(%error, "the relay does not hold a mailbox open");
                }
                _ => {}
            }
        }
        if moved {
            let progress = self.shared.status().progress;
            self.tell(LinkEvent::Progress(progress));
        }
        // Before looking: what a relay keeps back shows once both sides hold the same.
        if result.is_ok() && connection.is_synced() {
            (self.party.synced)();
        }
        if look {
            self.look_for_warnings().await;
        }
        result
    }

    /// Tells what is wrong now and was not before.
    async fn look_for_warnings(&mut self) {
        let warnings = Arc::clone(&self.party.warnings);
        // A look that panicked told nothing; the next one does.
        let Ok(found) = tokio::task::spawn_blocking(move || warnings()).await else { return };
        let before = std::mem::replace(&mut self.warned, found);
        for warning in self.warned.iter().filter(|warning| !before.contains(warning)) {
            self.tell(LinkEvent::Warned(warning.clone()));
        }
    }

    /// Tells the relay which mailboxes to hold open, as far as that changed.
    async fn open_boxes(&mut self, connection: &mut Connection) -> std::result::Result<(), Failure> {
        let wanted = self.party.mail.boxes();
        let closed = |open: &&OpenBox| !wanted.iter().any(|wanted| wanted.mailbox == open.mailbox);
        let ended = self.boxes.iter().filter(closed).map(|open| OpenBox { expires_ms: 0, ..*open });
        let new = wanted.iter().filter(|wanted| !self.boxes.contains(wanted)).copied();
        let changes: Vec<OpenBox> = ended.chain(new).collect();
        self.boxes = wanted;
        for change in changes {
            self.turn(connection, Input::OpenBox(change)).await?;
        }
        Ok(())
    }

    fn on_synced(&mut self) {
        self.shared.status().last_error = None;
        if *self.shared.state.borrow() != LinkState::Live {
            self.keep_held();
            self.set_state(LinkState::Live);
        }
    }

    /// Writes down how much the relay holds, for the next start of the program.
    fn keep_held(&self) {
        let arrival = self.shared.status().relay_has;
        let epoch = self.party.replica.epoch();
        self.party.replica.set_cursor(&self.held_key, Cursor { epoch, arrival });
    }

    fn set_state(&self, state: LinkState) {
        if self.shared.state.send_replace(state) != state {
            tracing::debug!(relay = %self.dial.address, ?state, "link");
            self.tell(LinkEvent::State(state));
        }
    }

    fn set_progress(&self, progress: session::Progress) {
        let mut status = self.shared.status();
        status.progress.received = progress.received;
        status.progress.received_total = progress.received_total;
        status.progress.sent = progress.sent;
        status.progress.sent_total = progress.sent_total;
    }

    fn report(&self, error: &Error) {
        let (kind, message) = (error.kind(), error.to_string());
        tracing::debug!(relay = %self.dial.address, ?error, "link failed");
        self.shared.status().last_error = Some((kind, message.clone()));
        self.tell(LinkEvent::Failed { kind, message });
    }

    fn tell(&self, event: LinkEvent) {
        // Fails only if nobody listens.
        let _ = self.shared.events.send(event);
    }
}
