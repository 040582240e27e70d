//! What the frames of mailboxes share: the name of a box, and what becomes of a request.

use super::FrameError;

/// Largest message in a mailbox, in bytes.
pub const MAIL_MAX: usize = 4_096;

/// A letter box at a relay: where a joiner and a member leave messages for each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxId(pub [u8; 16]);

/// Why a mailbox refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MailError {
    /// There is no such box, or it has expired, or the token is another one.
    #[error("no open mailbox for this token")]
    NotOpen = 1,
    /// All slots are taken.
    #[error("mailbox is full")]
    Full = 2,
    /// The relay has no mailboxes, or no room for another.
    #[error("relay takes no mail")]
    Unavailable = 3,
}

pub(super) fn encode_result(result: Result<(), MailError>) -> u8 {
    result.map_or_else(|error| error as u8, |()| 0)
}

pub(super) const fn decode_result(code: u8) -> Result<Result<(), MailError>, FrameError> {
    Ok(match code {
        0 => Ok(()),
        1 => Err(MailError::NotOpen),
        2 => Err(MailError::Full),
        3 => Err(MailError::Unavailable),
        _ => return Err(FrameError::Malformed),
    })
}
