//! One turn of a session: what goes out, and what it tells, after something came in.

use super::Session;
use super::event::{SessionError, SessionEvent};
use super::limits::TURN_BYTES;

/// What became of a turn.
#[derive(Debug)]
pub struct Turn {
    /// Whether the session failed; it is over then.
    pub result: Result<(), SessionError>,
    /// Messages for the transport, in order.
    pub outgoing: Vec<Vec<u8>>,
    /// What the driver may want to know.
    pub events: Vec<SessionEvent>,
    /// Whether the session has more to do or to send: the driver calls [`Session::poke`] in another
    /// turn, once these messages have left.
    pub more: bool,
}

impl Session {
    /// Ends a turn that began with `fed`, the outcome of [`Session::receive`] or another call: collects
    /// what is to be sent, up to 1 MiB and a message.
    pub fn drive(&mut self, fed: Result<(), SessionError>, now_ms: u64) -> Turn {
        let mut result = fed;
        let mut outgoing = Vec::new();
        let mut bytes = 0;
        let mut more = self.is_busy();
        while let Some(message) = self.transmit() {
            bytes += message.len();
            outgoing.push(message);
            more |= bytes >= TURN_BYTES;
            if more {
                break;
            }
            // What left made room for more.
            if result.is_ok() && !self.is_over() {
                result = self.poke(now_ms);
                more |= self.is_busy();
            }
        }
        let events = std::iter::from_fn(|| self.event()).collect();
        Turn { result, outgoing, events, more }
    }
}
