//! The frame Error: why a session is closed, as its sender tells it.

use super::FrameError;
use crate::wire::Reader;

/// Largest reason in an error, in bytes.
pub const REASON_MAX: usize = 200;

/// Why a session is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The peer broke the protocol.
    Protocol = 1,
    /// The peer's signature over the channel is invalid, or it named itself.
    Authentication = 2,
    /// The device is not a member of the workspace, as far as this side knows.
    NotAdmitted = 3,
    /// The relay does not serve this workspace.
    UnknownWorkspace = 4,
    /// A quota of the workspace or the relay is used up.
    Quota = 5,
    /// A limit of the session was passed.
    Limit = 6,
    /// An entry was sent that no checked log can hold.
    BadEntry = 7,
    /// Both sides keep exchanging and do not become equal.
    NoProgress = 8,
    /// Too slow.
    Timeout = 9,
    /// This side has a problem of its own.
    Internal = 10,
    /// This side is busy or going away; come back.
    Unavailable = 11,
    /// The peer sent invalid signatures again and again, and is kept out for a time.
    Banned = 12,
    /// One of the two devices was removed from the workspace, for good.
    Removed = 13,
}

impl Code {
    pub(super) const ALL: [Self; 13] = [
        Self::Protocol,
        Self::Authentication,
        Self::NotAdmitted,
        Self::UnknownWorkspace,
        Self::Quota,
        Self::Limit,
        Self::BadEntry,
        Self::NoProgress,
        Self::Timeout,
        Self::Internal,
        Self::Unavailable,
        Self::Banned,
        Self::Removed,
    ];
}

/// The reason of a closing session, told to the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The kind of reason.
    pub code: Code,
    /// Seconds after which it makes sense to come back; 0 says nothing.
    pub retry_after_s: u32,
    /// The reason in words, for people.
    pub reason: String,
}

impl Closing {
    /// A reason; of the words, what fits and prints is kept.
    #[must_use]
    pub fn new(code: Code, reason: &str) -> Self {
        let reason = reason.chars().filter(|c| is_printable(*c)).take(REASON_MAX).collect();
        Self { code, retry_after_s: 0, reason }
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.code as u8);
        bytes.extend_from_slice(&self.retry_after_s.to_le_bytes());
        bytes.extend_from_slice(self.reason.as_bytes());
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let byte = body.u8()?;
        let code = Code::ALL.into_iter().find(|code| *code as u8 == byte).ok_or(FrameError::Malformed)?;
        let retry_after_s = body.u32()?;
        let reason = std::str::from_utf8(body.rest()).map_err(|_| FrameError::Malformed)?;
        if !reason.chars().all(is_printable) {
            return Err(FrameError::Malformed);
        }
        Ok(Self { code, retry_after_s, reason: reason.to_owned() })
    }
}

fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~')
}
