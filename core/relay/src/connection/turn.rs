//! One turn of a session: what came in, and what goes out because of it. May block on storage.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::Bytes;
use tidelog_log::frames::{BoxId, Closing};
use tidelog_log::session::{Session, Turn};

use crate::mailbox::Mailboxes;

/// What a session must hear of.
#[derive(Debug)]
pub(super) enum Input {
    /// A message of the peer.
    Message(Bytes),
    /// The workspace grew, time passed, or there is room to send again.
    Look,
    /// Another session of the workspace sent this.
    Signal(Arc<[u8]>),
    /// There may be letters in these boxes after those that the session was told.
    News(HashMap<BoxId, u32>),
    /// The relay ends the session.
    Close(Closing),
}

impl Input {
    /// Bytes that came from the network.
    pub(super) fn message_len(&self) -> u64 {
        if let Self::Message(message) = self { message.len() as u64 } else { 0 }
    }
}

/// Lets a session hear of something, and do about it what one turn has time for. Of boxes with news,
/// `watched` gets the last letter that the session was told.
pub(super) fn take(
    session: &mut Session,
    input: Input,
    mail: &Mailboxes,
    watched: &mut HashMap<BoxId, u32>,
    now_ms: u64,
) -> Turn {
    let fed = match input {
        Input::Message(message) => session.receive(&message, now_ms),
        Input::Look => session.poke(now_ms),
        Input::Signal(message) => {
            session.signal(message.to_vec());
            Ok(())
        }
        Input::News(boxes) => {
            *watched = boxes;
            push_news(session, mail, watched);
            Ok(())
        }
        Input::Close(closing) => {
            session.close(Some(closing), now_ms);
            Ok(())
        }
    };
    session.drive(fed, now_ms)
}

/// Hands a session the letters that it was not told of yet. It may have had those that were there when
/// it came.
fn push_news(session: &mut Session, mail: &Mailboxes, watched: &mut HashMap<BoxId, u32>) {
    for (mailbox, told) in watched {
        for (slot, letter) in mail.news(*mailbox, *told) {
            *told = slot;
            session.push_mail(*mailbox, slot, letter);
        }
    }
}
