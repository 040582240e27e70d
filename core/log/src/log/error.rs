//! What can go wrong with a log as a whole.

use std::io;
use std::sync::Arc;

use crate::segments::SegmentError;
use crate::state::StateError;
use crate::storage::LockError;

/// An operation on the log failed. Nothing that was acknowledged before is lost.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// Another process, or another place in this one, has the workspace open.
    #[error("the workspace is already open{}", .pid.map(|pid| format!(" in process {pid}")).unwrap_or_default())]
    AlreadyOpen {
        /// The process that holds the lock, if it says.
        pid: Option<u32>,
    },
    /// The segments cannot be read or written.
    #[error(transparent)]
    Segments(Arc<SegmentError>),
    /// The state file cannot be read or written; opening the workspace anew rebuilds it.
    #[error(transparent)]
    State(Arc<StateError>),
    /// The storage failed.
    #[error("storage: {0}")]
    Io(Arc<io::Error>),
    /// A draft's payload is larger than an entry may carry.
    #[error("payload of {0} bytes is too large for one entry")]
    TooLarge(usize),
    /// The author of a draft has no right to write it.
    #[error("this device may not write here: {0}")]
    NotAuthorized(String),
    /// The author of a draft is a device that may be writing elsewhere too.
    #[error("this is a copy of a device: it can only be read until it has met a peer")]
    Restored,
    /// The log was shut down.
    #[error("the workspace is closed")]
    Closed,
    /// The engine's own part of a state change failed.
    #[error("{0}")]
    Engine(String),
}

impl From<SegmentError> for LogError {
    fn from(error: SegmentError) -> Self {
        match error {
            SegmentError::Closed => Self::Closed,
            error => Self::Segments(Arc::new(error)),
        }
    }
}

impl From<StateError> for LogError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Closed => Self::Closed,
            StateError::Failed(_) => Self::State(Arc::new(error)),
        }
    }
}

impl From<io::Error> for LogError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl From<LockError> for LogError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held { pid } => Self::AlreadyOpen { pid },
            LockError::Io(error) => error.into(),
        }
    }
}
