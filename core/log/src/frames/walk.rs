//! Walk and Node: the walk through another replica's frontier.
//!
//! ```text
//! Walk   n u16 (1..=4,096) | n x path
//! Node   path | kind u8 | content
//!
//! kind 0 empty
//!      1 branch   present u16, not 0; bit i = child i | hash 32 of each child present
//!      2 stream   stream 16: the only one here; the walk goes on at its own path
//!      3 leaves   runs of chains of one stream, up to 64 chains in all, at least one:
//!                 stream 16 | chains u8 | chains x (device 32 | tips u8 (1..=32) | tips x (seq u64 | id 32))
//! ```
//!
//! Two neighbouring runs are of different streams; tips ascend without repetition.

use super::{FrameError, decode_path, encode_path};
use crate::ids::{DeviceId, EntryId, StreamId};
use crate::trie::{Leaf, PATH_LEN_MAX, Path, Tip};
use crate::wire::Reader;

/// Most paths in one Walk.
pub const WALK_PATHS_MAX: usize = 4_096;
/// Most chains in one Node: a smaller sub-tree is sent as its leaves at once.
pub const NODE_LEAVES_MAX: usize = 64;
/// Most tips of a chain in a Node.
pub const LEAF_TIPS_MAX: usize = 32;

const LEAF_MAX: usize = 32 + 1 + LEAF_TIPS_MAX * (8 + 32);
pub(super) const NODE_BODY_MAX: usize = 1 + PATH_LEN_MAX + 1 + NODE_LEAVES_MAX * (16 + 1 + LEAF_MAX);

/// A node of the sender's frontier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it stands.
    pub path: Path,
    /// What it is.
    pub content: Content,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing.
    Empty,
    /// More chains than fit: the hashes of its children.
    Branch(Box<[Option<[u8; 32]>; 16]>),
    /// One stream, which has more chains than fit.
    Stream(StreamId),
    /// All chains here and below.
    Leaves(Vec<Leaf>),
}

pub(super) fn encode_paths(paths: &[Path], bytes: &mut Vec<u8>) {
    let count = u16::try_from(paths.len()).expect("a walk asks for at most 4,096 paths");
    bytes.extend_from_slice(&count.to_le_bytes());
    for path in paths {
        encode_path(path, bytes);
    }
}

pub(super) fn decode_paths(body: &mut Reader<'_>) -> Result<Vec<Path>, FrameError> {
    let count = usize::from(body.u16()?);
    if count == 0 || count > WALK_PATHS_MAX {
        return Err(FrameError::Malformed);
    }
    (0..count).map(|_| decode_path(body)).collect()
}

impl Node {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        encode_path(&self.path, bytes);
        match &self.content {
            Content::Empty => bytes.push(0),
            Content::Branch(children) => {
                bytes.push(1);
                let present = (0..16).filter(|child| children[*child].is_some());
                let present = present.fold(0u16, |bits, child| bits | 1 << child);
                bytes.extend_from_slice(&present.to_le_bytes());
                for hash in children.iter().flatten() {
                    bytes.extend_from_slice(hash);
                }
            }
            Content::Stream(stream) => {
                bytes.push(2);
                bytes.extend_from_slice(&stream.0);
            }
            Content::Leaves(leaves) => {
                bytes.push(3);
                encode_leaves(leaves, bytes);
            }
        }
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let path = decode_path(body)?;
        let content = match body.u8()? {
            0 => Content::Empty,
            1 => Content::Branch(decode_children(body)?),
            2 => Content::Stream(StreamId(body.array()?)),
            3 => Content::Leaves(decode_leaves(body)?),
            _ => return Err(FrameError::Malformed),
        };
        Ok(Self { path, content })
    }
}

fn decode_children(body: &mut Reader<'_>) -> Result<Box<[Option<[u8; 32]>; 16]>, FrameError> {
    let present = body.u16()?;
    if present == 0 {
        return Err(FrameError::Malformed);
    }
    let mut children = Box::new([None; 16]);
    for (child, slot) in children.iter_mut().enumerate() {
        if present & 1 << child != 0 {
            *slot = Some(body.array()?);
        }
    }
    Ok(children)
}

fn encode_leaves(leaves: &[Leaf], bytes: &mut Vec<u8>) {
    for run in leaves.chunk_by(|one, next| one.stream == next.stream) {
        bytes.extend_from_slice(&run[0].stream.0);
        bytes.push(u8::try_from(run.len()).expect("a node has at most 64 chains"));
        for leaf in run {
            bytes.extend_from_slice(&leaf.device.0);
            bytes.push(u8::try_from(leaf.tips.len()).expect("a chain has at most 32 tips"));
            for tip in &leaf.tips {
                bytes.extend_from_slice(&tip.seq.to_le_bytes());
                bytes.extend_from_slice(&tip.id.0);
            }
        }
    }
}

fn decode_leaves(body: &mut Reader<'_>) -> Result<Vec<Leaf>, FrameError> {
    let mut leaves: Vec<Leaf> = Vec::new();
    while !body.is_empty() {
        let stream = StreamId(body.array()?);
        let count = usize::from(body.u8()?);
        let repeated = leaves.last().is_some_and(|last| last.stream == stream);
        if count == 0 || leaves.len() + count > NODE_LEAVES_MAX || repeated {
            return Err(FrameError::Malformed);
        }
        for _ in 0..count {
            let device = DeviceId(body.array()?);
            leaves.push(Leaf { stream, device, tips: decode_tips(body)? });
        }
    }
    if leaves.is_empty() { Err(FrameError::Malformed) } else { Ok(leaves) }
}

fn decode_tips(body: &mut Reader<'_>) -> Result<Vec<Tip>, FrameError> {
    let count = usize::from(body.u8()?);
    if count == 0 || count > LEAF_TIPS_MAX {
        return Err(FrameError::Malformed);
    }
    let mut tips: Vec<Tip> = Vec::with_capacity(count);
    for _ in 0..count {
        let tip = Tip { seq: body.u64()?, id: EntryId(body.array()?) };
        if tips.last().is_some_and(|last| *last >= tip) {
            return Err(FrameError::Malformed);
        }
        tips.push(tip);
    }
    Ok(tips)
}
