//! Frames on their way out: packed into as few transport messages as they fit.

use std::collections::VecDeque;

use crate::crypto::noise::{Channel, NoiseError, PLAINTEXT_MAX};
use crate::frames::Frame;

/// Room left in the first message for the handshake message before it.
const HANDSHAKE_ROOM: usize = 128;

/// What waits to be sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    handshake: Vec<u8>,
    frames: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Outbox {
    /// Queues a handshake message; it goes before all frames.
    pub(super) fn push_handshake(&mut self, message: Vec<u8>) {
        self.handshake = message;
    }

    /// Queues a frame; returns its length.
    pub(super) fn push(&mut self, frame: &Frame) -> usize {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        let length = bytes.len();
        self.bytes += length;
        self.frames.push_back(bytes);
        length
    }

    /// Bytes of the frames that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.handshake.is_empty() && self.frames.is_empty()
    }

    /// The next transport message. Without a channel only the handshake can leave.
    pub(super) fn pop(&mut self, channel: Option<&mut Channel>) -> Result<Option<Vec<u8>>, NoiseError> {
        let mut message = std::mem::take(&mut self.handshake);
        if let Some(channel) = channel {
            let mut plaintext = Vec::new();
            while let Some(frame) = self.frames.front() {
                if plaintext.len() + frame.len() > PLAINTEXT_MAX - HANDSHAKE_ROOM {
                    break;
                }
                plaintext.extend_from_slice(frame);
                self.bytes -= frame.len();
                self.frames.pop_front();
            }
            channel.seal(&plaintext, &mut message)?;
        }
        Ok(if message.is_empty() { None } else { Some(message) })
    }
}
