//! Letters of a device that is joining: it is no member yet, so its sessions carry nothing else.

use tidelog_log::frames::{BoxId, MAIL_MAX, MailError};
use tidelog_log::session::{Letter, SessionEvent};

use super::Dial;
use super::client::{Connection, Input};
use super::failure::Failure;
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
    ask(dial, mailbox, Input::PutLetter { mailbox, token, letter }).await.map(drop)
}

/// The letters that are in a mailbox at a relay now, those after a slot.
///
/// # Errors
///
/// As [`put_letter`].
pub(crate) async fn get_letters(
    dial: &Dial,
    mailbox: BoxId,
    token: [u8; 32],
    after: u32,
) -> Result<Vec<Letter>> {
    ask(dial, mailbox, Input::GetLetters { mailbox, token, after }).await
}

/// Asks for one thing, and collects the answer: a result, and in the same message the letters.
async fn ask(dial: &Dial, mailbox: BoxId, question: Input) -> Result<Vec<Letter>> {
    let mut connection = Connection::dial(dial, None).await.map_err(|failure| failure.error)?;
    let answer = converse(&mut connection, mailbox, question).await;
    connection.turn(Input::Close).await.1.map_err(|failure| failure.error)?;
    connection.finish().await;
    let (result, letters) = answer.map_err(|failure| failure.error)?;
    result.map_err(mail_error)?;
    Ok(letters)
}

async fn converse(
    connection: &mut Connection,
    mailbox: BoxId,
    question: Input,
) -> std::result::Result<(std::result::Result<(), MailError>, Vec<Letter>), Failure> {
    let mut input = question;
    loop {
        let (events, result) = connection.turn(input).await;
        result?;
        let mut answer = None;
        let mut letters = Vec::new();
        for event in events {
            match event {
                SessionEvent::MailResult { mailbox: from, result, .. } if from == mailbox => {
                    answer = Some(result);
                }
                SessionEvent::Mail { mailbox: from, slot, message } if from == mailbox => {
                    letters.push((slot, message));
                }
                _ => {}
            }
        }
        if let Some(answer) = answer {
            return Ok((answer, letters));
        }
        input = connection.wait().await?;
    }
}

/// What a refusal of the mailbox means to whoever joins or invites.
pub(super) fn mail_error(error: MailError) -> Error {
    let kind = match error {
        MailError::NotOpen => ErrorKind::InviteExpired,
        MailError::Full | MailError::Unavailable => ErrorKind::RelayRefused,
    };
    Error::new(kind, "the relay refuses the letter").with_source(error)
}
