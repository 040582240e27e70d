//! Letters of a device that is joining: it is no member yet, so its sessions carry nothing else.

use tidelog_log::frames::{BoxId, MAIL_MAX, MailError};
use tidelog_log::session::SessionEvent;

use super::Dial;
use super::client::{Connection, Input};
use super::failure::Failure;
use super::once::patiently;
use crate::error::{Error, ErrorKind, Result};

/// Leaves a letter of 1 to 4,096 bytes in a mailbox at a relay. The same letter twice is one.
///
/// # Errors
///
/// [`ErrorKind::InviteExpired`] if the box is not open (any more) for this token;
/// [`ErrorKind::RelayRefused`] if it is full; what connecting brings.
pub(crate) async fn put_letter(dial: &Dial, mailbox: BoxId, token: [u8; 32], letter: Vec<u8>) -> Result<()> {
    if letter.is_empty() || letter.len() > MAIL_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "a letter has 1 to 4,096 bytes"));
    }
    let answer = patiently(|| async {
        let mut connection = Connection::dial(dial, None).await?;
        let letter = Input::PutLetter { mailbox, token, letter: letter.clone() };
        let answer = leave(&mut connection, mailbox, letter).await;
        connection.turn(Input::Close).await.1?;
        connection.finish().await;
        answer
    })
    .await?;
    answer.map_err(mail_error)
}

async fn leave(
    connection: &mut Connection,
    mailbox: BoxId,
    letter: Input,
) -> std::result::Result<std::result::Result<(), MailError>, Failure> {
    let mut input = letter;
    loop {
        let (events, result) = connection.turn(input).await;
        result?;
        let answer = events.into_iter().find_map(|event| match event {
            SessionEvent::MailResult { mailbox: from, result, .. } if from == mailbox => Some(result),
            _ => None,
        });
        if let Some(answer) = answer {
            return Ok(answer);
        }
        input = connection.wait().await?;
    }
}

/// What a refusal of the mailbox means to whoever joins or invites.
pub(super) fn mail_error(error: MailError) -> Error {
    let (kind, message) = match error {
        MailError::NotOpen => {
            (ErrorKind::InviteExpired, "the invite is used up, expired or withdrawn: ask for a new one")
        }
        MailError::Full => (
            ErrorKind::RelayRefused,
            "too many ask to join with this invite: try again later, or ask for a new one",
        ),
        MailError::Unavailable => {
            (ErrorKind::RelayRefused, "the relay cannot keep letters for this invite now: try again later")
        }
    };
    Error::new(kind, message).with_source(error)
}
