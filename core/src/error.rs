//! The one public error of the engine.
//!
//! Modules keep their own error enums; what leaves the engine is an [`Error`] with a stable
//! [`ErrorKind`]. Messages say what was attempted, in lower case, with non-secret ids only: never
//! key material, plaintext or a passphrase.

use std::error::Error as StdError;
use std::fmt;

/// The result of an engine call.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Declares the kinds once, so that the codes and the list cannot fall behind.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// What went wrong, as far as a program should care.
        ///
        /// [`code`](ErrorKind::code) is the identity of a kind in every language.
        ///
        /// ```
        /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
        /// use tidelog::{ErrorKind, Key, Workspace};
        ///
        /// let opened = Workspace::open(folder.join("nothing.tide"), Key::raw([7; 32])).await;
        /// let error = opened.expect_err("there is no workspace");
        /// assert_eq!(error.kind(), ErrorKind::NotAWorkspace);
        /// assert_eq!(error.kind().code(), "not_a_workspace");
        /// # Ok(())
        /// # }
        /// # let folder = tempfile::tempdir().unwrap();
        /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $name,)*
        }

        impl ErrorKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable name, the same in every language.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)*
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

impl serde::Serialize for ErrorKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

/// Why an engine call failed: a [kind](Error::kind) for programs, a message for people.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of a kind, with a message that says what was attempted.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), source: None }))
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Error({}: {}", self.0.kind, self.0.message)?;
        if let Some(source) = &self.0.source {
            write!(formatter, ": {source}")?;
        }
        formatter.write_str(")")
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_snake_case() {
        let mut codes: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        assert!(codes.iter().all(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), ErrorKind::ALL.len());
    }

    #[test]
    fn an_error_shows_its_message_and_keeps_its_source() {
        let error =
            Error::new(ErrorKind::Io, "cannot read the lock").with_source(std::io::Error::other("no"));
        assert_eq!(error.to_string(), "cannot read the lock");
        assert_eq!(error.kind(), ErrorKind::Io);
        assert_eq!(StdError::source(&error).map(ToString::to_string), Some("no".to_owned()));
        assert_eq!(format!("{error:?}"), "Error(io: cannot read the lock: no)");
    }
}
