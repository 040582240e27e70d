//! The engine under the handles: the one way in which operations become entries.
//!
//! Owns log, keys and clock of one open workspace. What an entry then does to the tables is for
//! [`crate::data`]; who may write it is for the log.

use std::sync::{Arc, PoisonError, RwLock};

use tidelog_log::crypto::Signer as _;
use tidelog_log::directory::Op;
use tidelog_log::env::Random;
use tidelog_log::ids::{CircleId, DeviceId, StreamId, UserId, WorkspaceId};
use tidelog_log::log::{Committed, Draft, Log, LogError};
use tidelog_log::segments::SegmentError;
use tidelog_log::state::StateView;
use tidelog_log::storage::Storage;
use tokio::sync::oneshot;

use crate::data::hlc::HlcClock;
use crate::data::operation::{self, Group};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::device::DeviceKeys;
use crate::keys::keyring::Keyring;
use crate::keys::payload::Plaintext;

/// An open workspace from the inside.
pub(crate) struct Engine {
    pub(crate) log: Arc<Log>,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) keys: Arc<DeviceKeys>,
    pub(crate) keyring: Arc<RwLock<Keyring>>,
    pub(crate) clock: Arc<HlcClock>,
    pub(crate) random: Arc<dyn Random>,
}

impl Engine {
    /// The workspace.
    pub(crate) fn workspace(&self) -> WorkspaceId {
        self.log.workspace()
    }

    /// This device.
    pub(crate) fn device(&self) -> DeviceId {
        self.keys.device()
    }

    /// The user whose device this is.
    pub(crate) fn user(&self) -> Result<UserId> {
        let device = self.log.directory().device(&self.device());
        device.map(|device| device.user).ok_or_else(|| {
            Error::new(ErrorKind::NotAdmitted, "the workspace has not admitted this device yet")
        })
    }

    /// The stream of a database.
    pub(crate) fn stream(&self, database: &str) -> Result<StreamId> {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        keyring.name_key(CircleId::WORKSPACE).map(|key| key.stream_id(database)).ok_or_else(|| {
            Error::new(ErrorKind::NotAdmitted, "this device holds no key of the workspace yet")
        })
    }

    /// A snapshot of the tables.
    pub(crate) fn view(&self) -> Result<StateView> {
        Ok(self.log.view()?)
    }

    /// Writes operations as one entry. Durable and visible to readers on return.
    pub(crate) async fn commit(&self, stream: StreamId, groups: &[Group]) -> Result<Committed> {
        let operations = operation::encode(groups)?;
        self.ensure_writer_key().await?;
        let draft = self.draft(stream, &operations)?;
        let committed = self.write(vec![draft]).await?;
        Ok(committed.into_iter().next().expect("one draft makes one entry"))
    }

    /// Writes to the directory.
    pub(crate) async fn commit_directory(&self, ops: Vec<Op>) -> Result<()> {
        let signer = Arc::clone(&self.keys) as Arc<_>;
        self.write(vec![Draft::directory(signer, ops)]).await.map(drop)
    }

    fn draft(&self, stream: StreamId, operations: &[u8]) -> Result<Draft> {
        let plaintext = Plaintext::new(self.clock.next().bits(), operations)?;
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        let key = keyring.writer_key(CircleId::WORKSPACE, &self.log.directory()).cloned().ok_or_else(|| {
            Error::new(ErrorKind::NotAdmitted, "this device holds no key to write with yet")
        })?;
        let random = Arc::clone(&self.random);
        let (key_id, payload_len) = (key.id(), plaintext.payload_len() as usize);
        let seal = move |context: &[u8; tidelog_log::entry::CONTEXT_LEN]| {
            plaintext.seal(&key, context, &*random)
        };
        let signer = Arc::clone(&self.keys) as Arc<_>;
        Ok(Draft::data(signer, stream, key_id, payload_len, Box::new(seal)))
    }

    /// Makes the next epoch if there is none that all devices can read and this one holds.
    async fn ensure_writer_key(&self) -> Result<()> {
        let ops = {
            let directory = self.log.directory();
            let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
            if keyring.writer_key(CircleId::WORKSPACE, &directory).is_some() {
                return Ok(());
            }
            keyring.next_epoch(CircleId::WORKSPACE, &directory, &*self.random)?
        };
        self.commit_directory(vec![ops]).await
    }

    async fn write(&self, drafts: Vec<Draft>) -> Result<Vec<Committed>> {
        let (sender, receiver) = oneshot::channel();
        let done = Box::new(move |result| {
            // The caller may have stopped waiting; the entry is written all the same.
            let _ = sender.send(result);
        });
        self.log.commit(drafts, done);
        Ok(receiver.await.unwrap_or(Err(LogError::Closed))?)
    }
}

impl From<LogError> for Error {
    fn from(error: LogError) -> Self {
        let kind = match &error {
            LogError::AlreadyOpen { .. } => ErrorKind::AlreadyOpen,
            LogError::AlreadyExists => ErrorKind::AlreadyExists,
            LogError::Segments(error) => segment_kind(error),
            LogError::State(_) => ErrorKind::Corrupt,
            LogError::Io(error) => io_kind(error),
            LogError::TooLarge(_) => ErrorKind::TooLarge,
            LogError::NotAuthorized(_) => ErrorKind::NotAuthorized,
            LogError::Closed => ErrorKind::Closed,
            LogError::Engine(_) => ErrorKind::Internal,
        };
        let message = error.to_string();
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
        SegmentError::Io(error) => io_kind(error),
    }
}

pub(crate) fn io_kind(error: &std::io::Error) -> ErrorKind {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
        std::io::ErrorKind::ReadOnlyFilesystem => ErrorKind::ReadOnly,
        _ => ErrorKind::Io,
    }
}
