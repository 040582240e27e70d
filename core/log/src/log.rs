//! The log of one workspace: what a replica holds, in its order of arrival.
//!
//! Entries are checked, made durable in the segments, indexed in the state, and only then visible
//! and acknowledged. One writer does all of it (see `writer`); readers work on snapshots and never
//! wait for it. The segments are the truth: a state that lags, is lost or is corrupt is caught up
//! or built anew at open. The engine's own rows ride in the same state transaction through
//! [`Apply`]; this module knows nothing of their meaning.

mod admit;
mod draft;
mod error;
#[cfg(test)]
mod faults;
mod findings;
mod index;
mod judge;
mod open;
mod read;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use zeroize::Zeroizing;

pub use admit::{CHAIN_ENDS_MAX, CHAIN_TIPS_MAX};
pub use draft::{Committed, Draft, Seal, Unless, genesis};
pub use error::LogError;
pub use findings::NewerEntry;
pub use judge::Exclusion;
pub use read::Excluded;
pub use verify::VerifyReport;
pub use writer::{Change, Done};

use crate::directory::Directory;
use crate::entry::{Entry, Header};
use crate::env::{Clock, Random};
use crate::ids::{DeviceId, EntryId, WorkspaceId};
use crate::segments::Segments;
use crate::session::Receipt;
use crate::state::{State, StateBatch};
use crate::storage::Storage;
use crate::trie::Frontier;
use findings::Findings;
use writer::{Request, Writer};

/// How often the writer looks at the clock while nothing else happens.
const TICK: Duration = Duration::from_millis(500);
/// How often the writer looks whether the callers it has just served come back with more.
const GATHER: Duration = Duration::from_micros(50);
/// Callers served together from which on that is worth a look: fewer would only be kept waiting.
const GATHER_MIN: usize = 8;

/// Reads entries back while the state changes: those that joined before, and with the change.
pub trait Held {
    /// The entry with an arrival number.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    fn entry(&self, arrival: u64) -> Result<Entry, LogError>;
}

/// What the engine adds to each state change. All calls come from the writer, in order.
pub trait Apply: Send {
    /// Entries are about to be applied; comes while they are being made durable, on another thread.
    /// What can be computed of them without the state can be computed now. They may still fail.
    fn prepare(&mut self, entries: &[Entry]) {
        let _ = entries;
    }

    /// An entry joined the log, or counts again after [`Apply::retract`].
    ///
    /// # Errors
    ///
    /// Only if the state cannot be read or written; an entry that makes no sense is no error.
    fn apply(&mut self, batch: &StateBatch<'_>, arrival: u64, entry: &Entry) -> Result<(), LogError>;

    /// Entries that were applied do not count any more, because the directory changed. What remains is
    /// to be as if they had never been applied. `held` has the entries, to find again what they hid.
    ///
    /// # Errors
    ///
    /// Only if the state or the log cannot be read or written.
    fn retract(&mut self, batch: &StateBatch<'_>, arrivals: &[u64], held: &dyn Held) -> Result<(), LogError>;

    /// The directory changed, perhaps with keys that open entries applied before. Comes before the
    /// entries of the same change, and once when the log is opened.
    ///
    /// # Errors
    ///
    /// Only if the state cannot be read or written.
    fn directory_changed(
        &mut self,
        batch: &StateBatch<'_>,
        directory: &Directory,
        held: &dyn Held,
    ) -> Result<(), LogError>;

    /// Whether [`Apply::tick`] has something to do at this time.
    fn due(&self, now_ms: u64) -> bool;

    /// Time passed: whatever waited for it is applied.
    ///
    /// # Errors
    ///
    /// Only if the state cannot be read or written.
    fn tick(&mut self, batch: &StateBatch<'_>, now_ms: u64, held: &dyn Held) -> Result<(), LogError>;

    /// All of a change was applied: the place for what is written once for all of it.
    ///
    /// # Errors
    ///
    /// Only if the state cannot be read or written.
    fn finish(&mut self, batch: &StateBatch<'_>) -> Result<(), LogError> {
        let _ = batch;
        Ok(())
    }

    /// The changes so far are visible to readers: time to tell watchers.
    fn committed(&mut self);

    /// The change failed: nothing of it is in the state.
    fn undone(&mut self) {}
}

/// What a log is opened with.
pub struct LogOptions {
    /// The workspace's folder.
    pub storage: Arc<dyn Storage>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub random: Arc<dyn Random>,
    /// Encrypts the state file; `None` leaves it plain, for a relay, which has nothing to hide.
    pub state_key: Option<Zeroizing<[u8; 32]>>,
    /// Version of the rows that `apply` writes; another one than last time builds the state anew.
    pub rows_version: u32,
    /// The engine's part of each state change.
    pub apply: Option<Box<dyn Apply>>,
    /// Whether a thread of its own does the writing. Without one each call writes by itself, in a
    /// repeatable order, and [`Log::tick`] must be called.
    pub threaded: bool,
}

impl fmt::Debug for LogOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LogOptions").field("storage", &self.storage).finish_non_exhaustive()
    }
}

/// Called after each change of a log.
pub type Notify = Arc<dyn Fn() + Send + Sync>;

/// What readers and the writer share.
struct Shared {
    workspace: WorkspaceId,
    segments: Segments,
    state: State,
    clock: Arc<dyn Clock>,
    frontier: RwLock<Frontier>,
    directory: RwLock<Directory>,
    arrivals: AtomicU64,
    own: Mutex<Own>,
    /// Arrival numbers of entries that are past the tips of their chains: nobody is offered them.
    withheld: RwLock<Arc<BTreeSet<u64>>>,
    findings: Mutex<Findings>,
    /// Headers of stored entries of stream zero that were judged, with their arrival numbers.
    zero: Mutex<HashMap<EntryId, (Header, u64)>>,
    subscribers: Mutex<Vec<(u64, Notify)>>,
}

/// Which device writes here, and which may not.
#[derive(Debug, Default)]
struct Own {
    device: Option<DeviceId>,
    silent: HashSet<DeviceId>,
}

#[derive(Default)]
struct Queue {
    requests: VecDeque<Request>,
    closed: bool,
    /// Whether the writer sleeps until a request comes; waking it costs a system call.
    idle: bool,
}

struct Inner {
    shared: Arc<Shared>,
    queue: Mutex<Queue>,
    wake: Condvar,
    writer: Mutex<Writer>,
    threaded: bool,
}

/// An open log. Dropping it closes it; what was acknowledged is safe either way.
pub struct Log {
    inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn Send + Sync>>>,
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Log").field("workspace", &self.inner.shared.workspace).finish_non_exhaustive()
    }
}

/// A lock whose holder panicked still guards sound data here: every change is staged first.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Log {
    /// Writes own entries; `done` hears when they are durable and visible.
    pub fn commit(&self, drafts: Vec<Draft>, done: Done<Vec<Committed>>) {
        self.submit(Request::Commit(drafts, done));
    }

    /// Checks entries from elsewhere and stores those that pass; `done` hears when they are
    /// durable and visible. The entries of one chain must be in order.
    pub fn receive(&self, entries: Vec<Entry>, done: Done<Receipt>) {
        self.submit(Request::Receive(entries, done));
    }

    /// Changes rows of the caller's own tables, in a transaction of its own.
    pub fn change(&self, change: Change, done: Done<()>) {
        self.submit(Request::Change(change, done));
    }

    /// [`Log::commit`], waiting for the outcome. Must not be called from inside a `done`.
    ///
    /// # Errors
    ///
    /// If nothing was written.
    pub fn commit_blocking(&self, drafts: Vec<Draft>) -> Result<Vec<Committed>, LogError> {
        wait(|done| self.commit(drafts, done))
    }

    /// [`Log::receive`], waiting for the outcome. Must not be called from inside a `done`.
    ///
    /// # Errors
    ///
    /// If nothing was stored for a reason of this replica's own.
    pub fn receive_blocking(&self, entries: Vec<Entry>) -> Result<Receipt, LogError> {
        wait(|done| self.receive(entries, done))
    }

    /// Calls `notify` after each change, until the subscription is dropped. It must not block.
    #[must_use]
    pub fn subscribe(&self, notify: Notify) -> Subscription {
        let mut subscribers = lock(&self.inner.shared.subscribers);
        let number = subscribers.last().map_or(0, |(number, _)| number + 1);
        subscribers.push((number, notify));
        Subscription { shared: Arc::clone(&self.inner.shared), number }
    }

    /// Says which device writes here and nowhere else. Once an entry of it comes in that this log did
    /// not have, it is silent: it lives elsewhere too.
    pub fn set_own(&self, device: DeviceId) {
        lock(&self.inner.shared.own).device = Some(device);
    }

    /// Lets a device write no more here, but for its [`Draft::last_act`].
    pub fn silence(&self, device: DeviceId) {
        lock(&self.inner.shared.own).silent.insert(device);
    }

    /// Whether a device is silent.
    #[must_use]
    pub fn is_silent(&self, device: &DeviceId) -> bool {
        lock(&self.inner.shared.own).silent.contains(device)
    }

    /// Does what time brings. Only a log without a thread needs to be told.
    ///
    /// # Errors
    ///
    /// If the state cannot be written.
    pub fn tick(&self) -> Result<(), LogError> {
        lock(&self.inner.writer).tick()
    }

    /// Finishes what was asked for, makes the state durable and frees the folder for others.
    /// Later requests are told that the log is closed.
    pub fn shutdown(&self) {
        lock(&self.inner.queue).closed = true;
        self.inner.wake.notify_all();
        if let Some(thread) = lock(&self.thread).take() {
            // A panic of the writer was reported to whoever waited for it.
            let _ = thread.join();
        }
        if let Err(error) = lock(&self.inner.writer).settle() {
            tracing::warn!(%error, "the state was not made durable; the next open catches up");
        }
        // Nothing may write to the files once somebody else can have the folder.
        self.inner.shared.state.close();
        self.inner.shared.segments.close();
        lock(&self.lock).take();
    }

    fn submit(&self, request: Request) {
        let mut queue = lock(&self.inner.queue);
        if queue.closed {
            drop(queue);
            request.refuse(LogError::Closed);
            return;
        }
        queue.requests.push_back(request);
        let wake = std::mem::take(&mut queue.idle);
        drop(queue);
        if !self.inner.threaded {
            self.inner.drain();
        } else if wake {
            self.inner.wake.notify_one();
        }
    }

    fn start(inner: Arc<Inner>, guard: Box<dyn Send + Sync>) -> Result<Self, LogError> {
        let thread = if inner.threaded {
            let inner = Arc::clone(&inner);
            Some(std::thread::Builder::new().name("tidelog-writer".into()).spawn(move || inner.serve())?)
        } else {
            None
        };
        Ok(Self { inner, thread: Mutex::new(thread), lock: Mutex::new(Some(guard)) })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Inner {
    /// The writer's thread.
    fn serve(&self) {
        loop {
            let mut queue = lock(&self.queue);
            queue.idle = true;
            let (mut queue, waited) = self
                .wake
                .wait_timeout_while(queue, TICK, |queue| queue.requests.is_empty() && !queue.closed)
                .unwrap_or_else(PoisonError::into_inner);
            queue.idle = false;
            let finished = queue.requests.is_empty() && queue.closed;
            drop(queue);
            if finished {
                return;
            }
            if waited.timed_out()
                && let Err(error) = lock(&self.writer).tick()
            {
                tracing::warn!(%error, "the state could not be brought up to the time");
            }
            self.drain();
        }
    }

    /// Carries out what is queued, group by group.
    fn drain(&self) {
        let mut served = 0;
        loop {
            if self.threaded {
                self.gather(served);
            }
            let mut writer = lock(&self.writer);
            let group = writer::take_group(&mut lock(&self.queue).requests);
            if group.is_empty() {
                return;
            }
            served = group.len();
            let before = writer.arrivals();
            let replies = writer.process(group);
            let grew = writer.arrivals() > before;
            drop(writer);
            replies.into_iter().for_each(|reply| reply());
            if grew {
                self.notify();
            }
        }
    }

    /// Callers that were served together tend to come back together: as long as more of them do, they
    /// are waited for, up to as many as there were, so that one sync of the disk serves them all again.
    fn gather(&self, served: usize) {
        if served < GATHER_MIN {
            return;
        }
        let mut queue = lock(&self.queue);
        while queue.requests.len() < served && !queue.closed {
            let before = queue.requests.len();
            let (again, _) = self.wake.wait_timeout(queue, GATHER).unwrap_or_else(PoisonError::into_inner);
            queue = again;
            if queue.requests.len() == before {
                break;
            }
        }
    }

    fn notify(&self) {
        let subscribers: Vec<_> =
            lock(&self.shared.subscribers).iter().map(|(_, notify)| Arc::clone(notify)).collect();
        subscribers.iter().for_each(|notify| notify());
    }
}

/// Runs a request with a callback and waits until the callback is called.
fn wait<T: Send + 'static>(request: impl FnOnce(Done<T>)) -> Result<T, LogError> {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    request(Box::new(move |result| {
        // Nobody waits any more if this fails, which is fine.
        let _ = sender.send(result);
    }));
    receiver.recv().unwrap_or(Err(LogError::Closed))
}

/// Ends a [`Log::subscribe`] when dropped.
pub struct Subscription {
    shared: Arc<Shared>,
    number: u64,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Subscription({})", self.number)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        lock(&self.shared.subscribers).retain(|(number, _)| *number != self.number);
    }
}
