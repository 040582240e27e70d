//! The one error of every binding.
//!
//! The kinds are those of the engine and [`ErrorKind::Forked`], exhaustive here so that a binding
//! that forgets one does not compile. `tests/vectors/errors.json` maps them to each language.

use std::fmt;

/// The result of a call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Declares the kinds once, with the engine's name of each that the engine has.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What went wrong, as far as a program should care.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorKind {
            $($(#[$doc])* $name,)*
            /// The process was forked after the engine had started; only the parent can go on.
            Forked,
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)* Self::Forked];

            /// The stable name, the same in every language.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
                    Self::Forked => "forked",
                }
            }
        }

        impl From<tidelog::ErrorKind> for ErrorKind {
            fn from(kind: tidelog::ErrorKind) -> Self {
                match kind {
                    $(tidelog::ErrorKind::$name => Self::$name,)*
                    // The engine may not have a kind that is missing here: a test compares the lists.
                    _ => Self::Internal,
                }
            }
        }
    };
}

kinds! {
    /// The item, document, invite or request named does not exist.
    NotFound = "not_found",
    /// What was to be made is there already.
    AlreadyExists = "already_exists",
    /// Another process, or another handle, holds the workspace open.
    AlreadyOpen = "already_open",
    /// The passphrase or raw key does not open the vault.
    WrongKey = "wrong_key",
    /// The folder holds no workspace.
    NotAWorkspace = "not_a_workspace",
    /// The workspace on disk was written by a newer version.
    NewerFormat = "newer_format",
    /// A peer's entry needs a newer version of this library.
    UpgradeNeeded = "upgrade_needed",
    /// The workspace can be read but not written.
    ReadOnly = "read_only",
    /// This is a copy of a device, and can only be read until it has met a peer.
    Restored = "restored",
    /// The disk is full.
    DiskFull = "disk_full",
    /// The operating system refused a file operation.
    Io = "io",
    /// Stored bytes are not what was written.
    Corrupt = "corrupt",
    /// A value, transaction or message exceeds its limit.
    TooLarge = "too_large",
    /// An argument makes no sense, whatever the state.
    InvalidArgument = "invalid_argument",
    /// A value cannot be stored, or does not fit the type it is read into.
    InvalidValue = "invalid_value",
    /// The collection exists with another merge policy.
    PolicyConflict = "policy_conflict",
    /// The role of this device does not allow it.
    NotAuthorized = "not_authorized",
    /// The workspace has not admitted this device yet.
    NotAdmitted = "not_admitted",
    /// This is no invite link, or a damaged one.
    InviteInvalid = "invite_invalid",
    /// The invite is used up, expired or withdrawn.
    InviteExpired = "invite_expired",
    /// It took longer than allowed.
    Timeout = "timeout",
    /// The relay refuses to serve.
    RelayRefused = "relay_refused",
    /// The peer cannot be reached, or the connection broke.
    Network = "network",
    /// The peer does not keep to the protocol.
    Protocol = "protocol",
    /// A quota of the relay is used up.
    QuotaExceeded = "quota_exceeded",
    /// The workspace was shut down.
    Closed = "closed",
    /// A bug in this library.
    Internal = "internal",
}

/// Why a call failed: a kind for programs, a reason for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What went wrong.
    pub kind: ErrorKind,
    /// What was attempted, and why it failed. Holds no key material, application data or path.
    pub reason: String,
}

impl Error {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    /// An argument that makes no sense.
    pub(crate) fn invalid_argument(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, reason)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

impl std::error::Error for Error {}

impl From<tidelog::Error> for Error {
    fn from(error: tidelog::Error) -> Self {
        Self { kind: error.kind().into(), reason: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_the_engine_keeps_its_code() {
        for kind in tidelog::ErrorKind::ALL {
            assert_eq!(ErrorKind::from(*kind).code(), kind.code());
        }
        assert_eq!(ErrorKind::ALL.len(), tidelog::ErrorKind::ALL.len() + 1);
    }

    #[test]
    fn an_error_of_the_engine_keeps_its_message() {
        let error = tidelog::Error::new(tidelog::ErrorKind::NotFound, "no item `a`");
        assert_eq!(Error::from(error), Error::new(ErrorKind::NotFound, "no item `a`"));
    }
}
