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
    /// What was named does not exist, such as an item, a user, a circle or an invite.
    NotFound = "not_found",
    /// What was to be made is there already.
    AlreadyExists = "already_exists",
    /// Another process, or another handle, holds the workspace open.
    AlreadyOpen = "already_open",
    /// The passphrase, key or recovery words are wrong or missing.
    WrongKey = "wrong_key",
    /// The folder holds no workspace, or no complete backup.
    NotAWorkspace = "not_a_workspace",
    /// The workspace, backup or welcome was written by a newer version.
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
    /// Bytes that were stored or handed over are not what was written.
    Corrupt = "corrupt",
    /// A value, transaction or message exceeds its limit, or there are too many of something.
    TooLarge = "too_large",
    /// An argument makes no sense, whatever the state.
    InvalidArgument = "invalid_argument",
    /// A value cannot be stored, or does not fit its type or model.
    InvalidValue = "invalid_value",
    /// The collection exists with another merge policy.
    PolicyConflict = "policy_conflict",
    /// This user or device may not do it: its role does not allow it, or it is not in the circle.
    NotAuthorized = "not_authorized",
    /// The device is no member of the workspace: not admitted yet, or removed.
    NotAdmitted = "not_admitted",
    /// The invite link, request or welcome is malformed, or not meant for this device.
    InviteInvalid = "invite_invalid",
    /// The invite was withdrawn, is used up or has expired.
    InviteExpired = "invite_expired",
    /// It took longer than allowed.
    Timeout = "timeout",
    /// The relay refuses to serve, or nothing vouches for its key.
    RelayRefused = "relay_refused",
    /// The peer cannot be reached, or the connection broke.
    Network = "network",
    /// The peer does not keep to the protocol.
    Protocol = "protocol",
    /// A quota of the relay is used up.
    QuotaExceeded = "quota_exceeded",
    /// The workspace was shut down, or the link, transaction or call was ended.
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
