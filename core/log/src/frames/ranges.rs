//! Want and Branch: asking for what a chain has more, and finding where branches part.
//!
//! ```text
//! Want    runs of chains of one stream, up to 64 chains in all, at least one:
//!         stream 16 | chains u8 | chains x (device 32 | seq u64 | id 32)
//!         the sender holds the chain up to the entry (seq, id); zeros if it holds none of it
//! Branch  stream 16 | device 32 | n u8 (1..=64) | n x (seq u64 | id 32)
//!         points of one branch of the sender's, its tip first, seq falling
//! ```
//!
//! Two neighbouring runs of a Want are of different streams.

use super::FrameError;
use crate::ids::{DeviceId, EntryId, StreamId};
use crate::trie::Tip;
use crate::wire::Reader;

/// Most chains in one Want, and most that a session has outstanding.
pub const WANT_RANGES_MAX: usize = 64;
/// Most points of a branch: the tip, and one at each distance that is a power of two.
pub const BRANCH_POINTS_MAX: usize = 64;

const POINT_LEN: usize = 8 + 32;
pub(super) const WANT_BODY_MAX: usize = WANT_RANGES_MAX * (16 + 1 + 32 + POINT_LEN);
pub(super) const BRANCH_BODY_MAX: usize = 16 + 32 + 1 + BRANCH_POINTS_MAX * POINT_LEN;

/// Asks for the entries of chains after a point of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want(pub Vec<(StreamId, DeviceId, Tip)>);

/// Points of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// The stream.
    pub stream: StreamId,
    /// The device that wrote the chain.
    pub device: DeviceId,
    /// The branch's tip, then points further and further back.
    pub points: Vec<Tip>,
}

fn encode_point(point: &Tip, bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(&point.seq.to_le_bytes());
    bytes.extend_from_slice(&point.id.0);
}

fn decode_point(body: &mut Reader<'_>) -> Result<Tip, FrameError> {
    let point = Tip { seq: body.u64()?, id: EntryId(body.array()?) };
    if (point.seq == 0) == point.id.is_zero() { Ok(point) } else { Err(FrameError::Malformed) }
}

impl Want {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        for run in self.0.chunk_by(|one, next| one.0 == next.0) {
            bytes.extend_from_slice(&run[0].0.0);
            bytes.push(u8::try_from(run.len()).expect("a want names at most 64 chains"));
            for (_, device, point) in run {
                bytes.extend_from_slice(&device.0);
                encode_point(point, bytes);
            }
        }
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let mut ranges: Vec<(StreamId, DeviceId, Tip)> = Vec::new();
        while !body.is_empty() {
            let stream = StreamId(body.array()?);
            let count = usize::from(body.u8()?);
            let repeated = ranges.last().is_some_and(|last| last.0 == stream);
            if count == 0 || ranges.len() + count > WANT_RANGES_MAX || repeated {
                return Err(FrameError::Malformed);
            }
            for _ in 0..count {
                ranges.push((stream, DeviceId(body.array()?), decode_point(body)?));
            }
        }
        if ranges.is_empty() { Err(FrameError::Malformed) } else { Ok(Self(ranges)) }
    }
}

impl Branch {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.stream.0);
        bytes.extend_from_slice(&self.device.0);
        bytes.push(u8::try_from(self.points.len()).expect("a branch is sent as at most 64 points"));
        for point in &self.points {
            encode_point(point, bytes);
        }
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let (stream, device) = (StreamId(body.array()?), DeviceId(body.array()?));
        let count = usize::from(body.u8()?);
        if count == 0 || count > BRANCH_POINTS_MAX {
            return Err(FrameError::Malformed);
        }
        let mut points: Vec<Tip> = Vec::with_capacity(count);
        for _ in 0..count {
            let point = decode_point(body)?;
            let falls = points.last().is_none_or(|last| last.seq > point.seq);
            if !falls || point.seq == 0 {
                return Err(FrameError::Malformed);
            }
            points.push(point);
        }
        Ok(Self { stream, device, points })
    }
}
