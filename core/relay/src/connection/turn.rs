//! One turn of a session: what came in, and what goes out because of it. May block on storage.

use std::sync::Arc;

use axum::body::Bytes;
use tidelog_log::frames::{BoxId, Closing};
use tidelog_log::session::{Session, SessionError, Turn};

/// What a session must hear of.
#[derive(Debug)]
pub(super) enum Input {
    /// A message of the peer.
    Message(Bytes),
    /// The workspace grew, time passed, or there is room to send again.
    Look,
    /// Another session of the workspace sent this.
    Signal(Arc<[u8]>),
    /// Letters in boxes that the session watches.
    Letters(Vec<(BoxId, u32, Vec<u8>)>),
    /// The relay ends the session.
    Close(Closing),
}

impl Input {
    /// Bytes that came from the network.
    pub(super) fn message_len(&self) -> u64 {
        if let Self::Message(message) = self { message.len() as u64 } else { 0 }
    }
}

/// Lets a session hear of something, and do about it what one turn has time for.
pub(super) fn take(session: &mut Session, input: Input, now_ms: u64) -> Turn {
    let fed = feed(session, input, now_ms);
    session.drive(fed, now_ms)
}

fn feed(session: &mut Session, input: Input, now_ms: u64) -> Result<(), SessionError> {
    match input {
        Input::Message(message) => session.receive(&message, now_ms),
        Input::Look => session.poke(now_ms),
        Input::Signal(message) => {
            session.signal(message.to_vec());
            Ok(())
        }
        Input::Letters(letters) => {
            for (mailbox, slot, letter) in letters {
                session.push_mail(mailbox, slot, letter);
            }
            Ok(())
        }
        Input::Close(closing) => {
            session.close(Some(closing), now_ms);
            Ok(())
        }
    }
}
