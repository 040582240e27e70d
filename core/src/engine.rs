//! The engine under the handles: log, keys and clock of one open workspace, and the one way in
//! which operations become entries.
//!
//! What an entry then does to the tables is for [`crate::data`]; who may write it is for the log;
//! which key it is sealed with, and when there has to be a new one, is for [`renewal`].

mod renewal;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tidelog_log::crypto::Signer;
use tidelog_log::crypto::noise::Psk;
use tidelog_log::directory::{DeviceCert, Op};
use tidelog_log::entry::CONTEXT_LEN;
use tidelog_log::env::{Clock, Random};
use tidelog_log::ids::{CircleId, DeviceId, KeyId, StreamId, UserId, WorkspaceId};
use tidelog_log::log::{Committed, Draft, Log, LogError, Seal, Subscription, Unless};
use tidelog_log::segments::SegmentError;
use tidelog_log::session::Bans;
use tidelog_log::state::StateView;
use tokio::sync::{oneshot, watch};
use zeroize::Zeroizing;

use crate::data::Shared;
use crate::data::hlc::{Hlc, HlcClock};
use crate::data::write::DatabaseId;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::device::DeviceKeys;
use crate::keys::keyring::Keyring;
use crate::keys::payload::{PayloadError, Plaintext};

/// An open workspace from the inside.
pub(crate) struct Engine {
    pub(crate) log: Arc<Log>,
    keys: RwLock<Arc<DeviceKeys>>,
    pub(crate) keyring: Arc<RwLock<Keyring>>,
    pub(crate) wall: Arc<dyn Clock>,
    pub(crate) clock: Arc<HlcClock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) shared: Arc<Shared>,
    /// The peers that this device keeps out.
    pub(crate) bans: Arc<Bans>,
    /// Counts changes that links have to look at: the log grew, or an invite was made.
    pub(crate) changed: Arc<watch::Sender<u64>>,
    /// Up to which arrival number a relay was found to hold the same.
    pub(crate) met: AtomicU64,
    /// When a link looks next whether it is time for a beacon, in milliseconds since 1970.
    pub(crate) beacon_due_ms: AtomicU64,
    /// Held while a beacon is written.
    pub(crate) beacon: Mutex<()>,
    _growth: Subscription,
}

impl Engine {
    /// The engine over a log that was opened with this device's materialiser.
    pub(crate) fn new(
        log: Log,
        keys: Arc<DeviceKeys>,
        keyring: Arc<RwLock<Keyring>>,
        clocks: (Arc<dyn Clock>, Arc<HlcClock>),
        random: Arc<dyn Random>,
        shared: Arc<Shared>,
    ) -> Self {
        let changed = Arc::new(watch::Sender::new(0));
        let growth = log.subscribe({
            let changed = Arc::clone(&changed);
            Arc::new(move || changed.send_modify(|count| *count += 1))
        });
        let (wall, clock) = clocks;
        Self {
            log: Arc::new(log),
            keys: RwLock::new(keys),
            keyring,
            wall,
            clock,
            random,
            shared,
            bans: Arc::default(),
            changed,
            met: AtomicU64::default(),
            beacon_due_ms: AtomicU64::default(),
            beacon: Mutex::default(),
            _growth: growth,
        }
    }

    /// The workspace.
    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.log.workspace()
    }

    /// This device.
    pub(crate) fn device(&self) -> DeviceId {
        self.keys().device()
    }

    /// The keys of this device in its present life.
    pub(crate) fn keys(&self) -> Arc<DeviceKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Certifies this device for a user.
    pub(crate) fn certificate(&self, user: UserId) -> DeviceCert {
        let keys = self.keys();
        DeviceCert::issue(&*keys, keys.kem().public(), &self.workspace(), &user)
    }

    /// Goes on as another device, which the directory has admitted.
    pub(crate) fn go_on_as(&self, keys: Arc<DeviceKeys>) {
        self.log.set_own(keys.device());
        let directory = self.log.directory();
        let mut keyring = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
        keyring.go_on_as(keys.clone(), &directory);
        drop(keyring);
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.changed.send_modify(|count| *count += 1);
    }

    /// The user whose device this is.
    pub(crate) fn user(&self) -> Result<UserId> {
        let device = self.log.directory().device(&self.device());
        device.map(|device| device.user).ok_or_else(not_admitted)
    }

    /// The stream of a database of the whole workspace.
    pub(crate) fn stream(&self, database: &str) -> Result<StreamId> {
        self.stream_in(&CircleId::WORKSPACE, database)
    }

    /// The stream of a database of a circle.
    pub(crate) fn stream_in(&self, circle: &CircleId, database: &str) -> Result<StreamId> {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        match keyring.name_key(circle) {
            Some(name_key) => Ok(name_key.stream_id(database)),
            None => Err(no_key(circle)),
        }
    }

    /// The circles whose databases this device can name, circle zero first, then by id.
    pub(crate) fn named_circles(&self) -> Vec<CircleId> {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).circles()
    }

    /// The key that members share before they have met.
    pub(crate) fn peer_psk(&self) -> Result<Psk> {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        let name_key = keyring.name_key(&CircleId::WORKSPACE).ok_or_else(not_admitted)?;
        Ok(Psk::new(Zeroizing::new(*name_key.psk().as_bytes())))
    }

    /// A snapshot of the tables.
    pub(crate) fn view(&self) -> Result<StateView> {
        Ok(self.log.view()?)
    }

    /// Hands operations to the log as one entry, which has its time and its place in the queue when
    /// this returns. It is refused if `unless` says why when its turn has come. `settled` is called once
    /// the entry is visible, or with the error if it was refused, whether or not anybody waits for the
    /// future.
    pub(crate) fn submit(
        &self,
        database: &DatabaseId,
        operations: Vec<u8>,
        unless: Unless,
        settled: impl FnOnce(Option<&LogError>) + Send + 'static,
    ) -> Result<Pending> {
        let draft = self.draft(database, self.clock.next(), operations)?.unless(unless);
        Ok(self.hand_over(vec![draft], settled))
    }

    /// Writes operations again as entries, each with the time of what it repeats.
    pub(crate) async fn repeat(&self, database: &DatabaseId, entries: &[(Hlc, Vec<u8>)]) -> Result<()> {
        let drafts = entries.iter().map(|(hlc, operations)| self.draft(database, *hlc, operations.clone()));
        self.hand_over(drafts.collect::<Result<_>>()?, |_| {}).written().await.map(drop)
    }

    /// Writes one entry to the directory.
    pub(crate) async fn commit_directory(&self, ops: Vec<Op>) -> Result<()> {
        self.commit_directory_entries(&self.signer(), vec![ops]).await
    }

    /// Writes entries to the directory, which become visible together.
    pub(crate) async fn commit_directory_entries(
        &self,
        signer: &Arc<dyn Signer>,
        entries: Vec<Vec<Op>>,
    ) -> Result<()> {
        let drafts = entries.into_iter().map(|ops| Draft::directory(Arc::clone(signer), ops)).collect();
        self.hand_over(drafts, |_| {}).written().await.map(drop)
    }

    /// Signs for this device.
    pub(crate) fn signer(&self) -> Arc<dyn Signer> {
        self.keys()
    }

    /// Closes the log and ends all watches.
    pub(crate) fn close(&self) {
        self.log.shutdown();
        self.shared.hub.close();
    }

    fn draft(&self, database: &DatabaseId, hlc: Hlc, operations: Vec<u8>) -> Result<Draft> {
        let circle = &database.circle;
        let (key_id, payload_len, seal) =
            self.sealed(circle, hlc, &operations)?.ok_or_else(|| no_key(circle))?;
        let shared = Arc::clone(&self.shared);
        let seal = move |context: &[u8; CONTEXT_LEN]| {
            let payload = seal(context);
            shared.fresh.put(&payload, hlc, operations);
            payload
        };
        Ok(Draft::data(self.signer(), database.stream, key_id, payload_len, Box::new(seal)))
    }

    /// A beacon on its way; `None` if there is no key to write with.
    pub(crate) fn beacon_draft(&self, beacon: &[u8]) -> Result<Option<Draft>> {
        let sealed = self.sealed(&CircleId::WORKSPACE, self.clock.next(), beacon)?;
        Ok(sealed.map(|(key_id, payload_len, seal)| Draft::beacon(self.signer(), key_id, payload_len, seal)))
    }

    /// The key of a circle to write with, and what seals a payload with it; `None` if there is none.
    fn sealed(&self, circle: &CircleId, hlc: Hlc, operations: &[u8]) -> Result<Option<(KeyId, usize, Seal)>> {
        let directory = self.log.directory();
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = keyring.writer_key(circle, &directory).cloned() else { return Ok(None) };
        drop(keyring);
        let plaintext = Plaintext::new(hlc.bits(), operations)?;
        let random = Arc::clone(&self.random);
        let (key_id, payload_len) = (key.id(), plaintext.payload_len() as usize);
        let seal = move |context: &[u8; CONTEXT_LEN]| plaintext.seal(&key, context, &*random);
        Ok(Some((key_id, payload_len, Box::new(seal))))
    }

    fn hand_over(
        &self,
        drafts: Vec<Draft>,
        settled: impl FnOnce(Option<&LogError>) + Send + 'static,
    ) -> Pending {
        let (sender, receiver) = oneshot::channel();
        let done = Box::new(move |result: Result<_, LogError>| {
            settled(result.as_ref().err());
            // The caller may have stopped waiting; the entry is written all the same.
            let _ = sender.send(result);
        });
        self.log.commit(drafts, done);
        Pending(receiver)
    }
}

/// Signs as whatever device the workspace writes with at the time: a link outlives a device's life.
pub(crate) struct PresentDevice(pub(crate) Arc<Engine>);

impl Signer for PresentDevice {
    fn device(&self) -> DeviceId {
        self.0.device()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.keys().sign(message)
    }
}

/// An entry on its way into the log, where it arrives whether or not anybody waits.
#[derive(Debug)]
pub(crate) struct Pending(oneshot::Receiver<Result<Vec<Committed>, LogError>>);

impl Pending {
    /// Waits until the entry is durable and visible.
    ///
    /// # Errors
    ///
    /// Why it was not written.
    pub(crate) async fn written(self) -> Result<Committed> {
        let committed = self.0.await.unwrap_or(Err(LogError::Closed))?;
        Ok(committed.into_iter().next().expect("every draft makes an entry"))
    }
}

fn not_admitted() -> Error {
    Error::new(ErrorKind::NotAdmitted, "the workspace has not admitted this device yet")
}

fn not_in_circle(circle: &CircleId) -> Error {
    let text = format!("this device holds no key of the circle {circle}: a member can add its user");
    Error::new(ErrorKind::NotAuthorized, text)
}

fn no_key(circle: &CircleId) -> Error {
    if *circle == CircleId::WORKSPACE { not_admitted() } else { not_in_circle(circle) }
}

impl From<PayloadError> for Error {
    fn from(error: PayloadError) -> Self {
        let kind = match error {
            PayloadError::TooLarge => ErrorKind::TooLarge,
            PayloadError::Open | PayloadError::Codec | PayloadError::Malformed(_) => ErrorKind::Corrupt,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        let kind = match &error {
            LogError::AlreadyOpen { .. } => ErrorKind::AlreadyOpen,
            LogError::Segments(error) => segment_kind(error),
            LogError::State(_) => ErrorKind::Corrupt,
            LogError::Io(error) => io_kind(error),
            LogError::TooLarge(_) => ErrorKind::TooLarge,
            LogError::NotAuthorized(_) => ErrorKind::NotAuthorized,
            LogError::Restored => ErrorKind::Restored,
            LogError::Closed => ErrorKind::Closed,
            LogError::Engine(_) => ErrorKind::Internal,
        };
        // A log that became read-only because its disk failed needs something else.
        let failed = matches!(&error, LogError::Segments(cause)
            if matches!(**cause, SegmentError::ReadOnly(why) if !is_forbidden(why)));
        let message = match kind {
            ErrorKind::ReadOnly if !failed => format!("{error}; {READ_ONLY_HINT}"),
            _ => error.to_string(),
        };
        Self::new(kind, message).with_source(error)
    }
}

fn segment_kind(error: &SegmentError) -> ErrorKind {
    match error {
        SegmentError::AlreadyExists => ErrorKind::AlreadyExists,
        SegmentError::NotAWorkspace => ErrorKind::NotAWorkspace,
        SegmentError::NewerFormat { .. } => ErrorKind::NewerFormat,
        SegmentError::Damaged(_) | SegmentError::Corrupt(_) => ErrorKind::Corrupt,
        SegmentError::DiskFull => ErrorKind::DiskFull,
        SegmentError::ReadOnly(_) => ErrorKind::ReadOnly,
        SegmentError::TooLarge => ErrorKind::TooLarge,
        SegmentError::Closed => ErrorKind::Closed,
        SegmentError::Io(error) => io_kind(error),
    }
}

fn is_forbidden(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied)
}

/// What to do about a workspace that can be read only.
pub(crate) const READ_ONLY_HINT: &str =
    "get the right to write to the folder of the workspace and its files, or work on a copy of it";

/// The kind of a file operation that failed while it was writing, or opening for writing.
pub(crate) fn io_kind(error: &std::io::Error) -> ErrorKind {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
        kind if is_forbidden(kind) => ErrorKind::ReadOnly,
        _ => ErrorKind::Io,
    }
}
