//! Hello: who speaks, for which workspace, with a signature over this channel.
//!
//! ```text
//! size field
//!    1  role             0 initiator, 1 responder
//!   32  workspace
//!   32  device           Ed25519 public key; zeros for a relay, which its Noise key names
//!   64  signature        over "TIDE1 sess bind" | workspace | role | handshake hash; zeros for a relay
//!   16  epoch            of the sender's arrival numbers
//!    8  arrivals         the sender's newest
//!   16  cursor epoch     \  how far the sender holds the receiver's entries;
//!    8  cursor arrival   /  zeros if it does not know
//!    2  streams          number of stream ids that follow, 1..=128; 0xffff: all streams
//!   16  x streams        sorted, without repetition, the first is stream zero
//! ```

use std::collections::BTreeSet;

use super::FrameError;
use crate::crypto::tag;
use crate::ids::{DeviceId, StreamId, WorkspaceId};
use crate::session::Cursor;
use crate::trie::Filter;
use crate::wire::Reader;

/// Most streams that a partial replica can name.
pub const HELLO_STREAMS_MAX: usize = 128;

pub(super) const BODY_MAX: usize = 1 + 32 + 32 + 64 + 16 + 8 + 16 + 8 + 2 + HELLO_STREAMS_MAX * 16;

const ALL_STREAMS: u16 = 0xffff;
const TAG_BIND: [u8; 16] = tag("TIDE1 sess bind");

/// The first frame of each side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Whether the sender opened the session.
    pub initiator: bool,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The sender's device; zeros for a relay.
    pub device: DeviceId,
    /// The device's signature over [`Hello::signed`]; zeros for a relay.
    pub signature: [u8; 64],
    /// The epoch of the sender's arrival numbers.
    pub epoch: [u8; 16],
    /// The arrival number of the sender's newest entry.
    pub arrivals: u64,
    /// How far the sender holds the receiver's entries, if it knows.
    pub cursor: Option<Cursor>,
    /// The streams that the sender holds; a set holds stream zero.
    pub streams: Filter,
}

impl Hello {
    /// The bytes that bind a device to one end of one channel.
    #[must_use]
    pub fn signed(workspace: &WorkspaceId, initiator: bool, handshake_hash: &[u8; 32]) -> Vec<u8> {
        [&TAG_BIND[..], &workspace.0, &[role(initiator)], handshake_hash].concat()
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(role(self.initiator));
        bytes.extend_from_slice(&self.workspace.0);
        bytes.extend_from_slice(&self.device.0);
        bytes.extend_from_slice(&self.signature);
        bytes.extend_from_slice(&self.epoch);
        bytes.extend_from_slice(&self.arrivals.to_le_bytes());
        let cursor = self.cursor.unwrap_or(Cursor { epoch: [0; 16], arrival: 0 });
        bytes.extend_from_slice(&cursor.epoch);
        bytes.extend_from_slice(&cursor.arrival.to_le_bytes());
        match &self.streams {
            Filter::All => bytes.extend_from_slice(&ALL_STREAMS.to_le_bytes()),
            Filter::Streams(streams) => {
                let count = u16::try_from(streams.len()).expect("a session names at most 128 streams");
                bytes.extend_from_slice(&count.to_le_bytes());
                for stream in streams {
                    bytes.extend_from_slice(&stream.0);
                }
            }
        }
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let initiator = match body.u8()? {
            0 => true,
            1 => false,
            _ => return Err(FrameError::Malformed),
        };
        Ok(Self {
            initiator,
            workspace: WorkspaceId(body.array()?),
            device: DeviceId(body.array()?),
            signature: body.array()?,
            epoch: body.array()?,
            arrivals: body.u64()?,
            cursor: decode_cursor(body)?,
            streams: decode_streams(body)?,
        })
    }
}

fn role(initiator: bool) -> u8 {
    u8::from(!initiator)
}

fn decode_cursor(body: &mut Reader<'_>) -> Result<Option<Cursor>, FrameError> {
    let cursor = Cursor { epoch: body.array()?, arrival: body.u64()? };
    match (cursor.epoch == [0; 16], cursor.arrival) {
        (true, 0) => Ok(None),
        (true, _) => Err(FrameError::Malformed),
        (false, _) => Ok(Some(cursor)),
    }
}

fn decode_streams(body: &mut Reader<'_>) -> Result<Filter, FrameError> {
    let count = body.u16()?;
    if count == ALL_STREAMS {
        return Ok(Filter::All);
    }
    if usize::from(count) > HELLO_STREAMS_MAX {
        return Err(FrameError::Malformed);
    }
    let mut streams = BTreeSet::new();
    for _ in 0..count {
        let stream = StreamId(body.array()?);
        if streams.last().is_some_and(|last| *last >= stream) {
            return Err(FrameError::Malformed);
        }
        streams.insert(stream);
    }
    if streams.contains(&StreamId::DIRECTORY) {
        Ok(Filter::Streams(streams))
    } else {
        Err(FrameError::Malformed)
    }
}
