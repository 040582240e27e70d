//! One turn of a session: what came in, and what goes out because of it. May block on storage.

use std::sync::Arc;

use axum::body::Bytes;
use tidelog_log::frames::{BoxId, Closing};
use tidelog_log::session::{Session, SessionError, SessionEvent};

use crate::config::TURN_BYTES;

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

/// What became of a turn.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) session: Box<Session>,
    pub(super) result: Result<(), SessionError>,
    pub(super) outgoing: Vec<Vec<u8>>,
    pub(super) events: Vec<SessionEvent>,
    /// Whether there is more to send, in another turn.
    pub(super) more: bool,
}

impl Turn {
    pub(super) fn take(mut session: Box<Session>, input: Input, now_ms: u64) -> Self {
        let mut result = feed(&mut session, input, now_ms);
        let mut outgoing = Vec::new();
        let mut bytes = 0;
        let mut more = false;
        while let Some(message) = session.transmit() {
            bytes += message.len();
            outgoing.push(message);
            more = bytes >= TURN_BYTES;
            if more {
                break;
            }
            // What left made room for more.
            if result.is_ok() && !session.is_over() {
                result = session.poke(now_ms);
            }
        }
        let events = std::iter::from_fn(|| session.event()).collect();
        Self { session, result, outgoing, events, more }
    }
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
