//! The one error of the boundary.

use std::fmt;

use tidelog_api::{Error, ErrorKind};

/// The result of a call.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a call failed. UniFFI wants an enum here.
#[derive(Debug, uniffi::Error)]
pub enum Failure {
    /// The error of the engine.
    Failed {
        /// What went wrong.
        kind: ErrorKind,
        /// What was attempted, and why it failed.
        reason: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Failed { reason, .. } = self;
        formatter.write_str(reason)
    }
}

impl std::error::Error for Failure {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed { kind: error.kind, reason: error.reason }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure::Failed { kind, reason } = failure;
        Self::new(kind, reason)
    }
}

/// What a host's key store throws without saying which error it is. Its text is not quoted.
impl From<uniffi::UnexpectedUniFFICallbackError> for Failure {
    fn from(_unexpected: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Error::new(ErrorKind::Io, "the key store of the platform failed").into()
    }
}
