//! The frames of the sync protocol, as bytes.
//!
//! ```text
//! frame = type u8 | length u32 | body of that length
//!
//!  1 Hello       who speaks, for which workspace, with a signature over this channel
//!  2 Resume      arrival u64: send what came after it
//!  3 Root        root 32 | arrivals u64 | seen u32
//!  4 Walk        n u16 (1..=4,096) | n x path
//!  5 Node        path | what stands there
//!  6 Want        chains, and where to go on in each
//!  7 Branch      points of a branch that does not contain what was wanted
//!  8 Entries     arrival u64 | batch
//!  9 Ack         batches u32 | taken u8 (0 some are missing, 1 all are held, 2 some are left out)
//! 10 Signal      1..=4,096 bytes
//! 11 MailOpen    box 16 | token hash 32 | expires_ms u64
//! 12 MailPut     box 16 | token 32 | message 1..=4,096
//! 13 MailGet     box 16 | token 32 | after u32
//! 14 Mail        box 16 | slot u32 | message 1..=4,096
//! 15 MailResult  box 16 | slot u32 | code u8
//! 16 Error       code u8 | retry_after_s u32 | reason 0..=200, printable ASCII
//! 17 Bye         empty
//! 18 Ask         entries, or their ids, of a stream or by their ids
//! 19 Listed      through u64 | ids with their arrivals
//! 20 Given       through u64 | arrivals | batch
//! ```
//!
//! `path` is `length u8 | bytes` as [`crate::trie::Path`] has them. Integers are little-endian.
//! Bodies with tables of their own are in the modules below. Decoding is bijective: what decodes
//! encodes to the same bytes. Every length and count is checked against its limit and against the
//! bytes that are there before anything is allocated; no decoder recurses. What a frame means, and
//! when it may come, is the session's business.

mod ask;
mod closing;
mod hello;
mod mail;
mod ranges;
mod walk;

pub use ask::{ASK_IDS_MAX, Ask, Given, Listed, Select};
pub use closing::{Closing, Code, REASON_MAX};
pub use hello::{HELLO_STREAMS_MAX, Hello};
pub use mail::{BoxId, MAIL_MAX, MailError};
pub use ranges::{BRANCH_POINTS_MAX, Branch, WANT_RANGES_MAX, Want};
pub use walk::{Content, LEAF_TIPS_MAX, NODE_LEAVES_MAX, Node, WALK_PATHS_MAX};

use crate::batch::BATCH_BYTES_MAX;
use crate::trie::{PATH_LEN_MAX, Path};
use crate::wire::{LayoutError, Reader};

/// Bytes of a frame before its body.
pub const FRAME_HEAD_LEN: usize = 5;
/// Largest signal, in bytes.
pub const SIGNAL_MAX: usize = 4_096;

const ARRIVAL_LEN: usize = 8;

/// Why bytes are not a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// No frame has this type.
    #[error("frame has an unknown type")]
    UnknownType,
    /// The body is longer than its type allows, or longer than the message.
    #[error("frame has a wrong length")]
    Length,
    /// The body breaks the layout of its type.
    #[error("frame is malformed")]
    Malformed,
}

impl From<LayoutError> for FrameError {
    fn from(_: LayoutError) -> Self {
        Self::Malformed
    }
}

/// The root of a frontier, and what it was computed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Hash over the chains of the session's streams.
    pub root: [u8; 32],
    /// Arrival number of the sender's newest entry in it.
    pub arrivals: u64,
    /// How many Walk, Want and Entries frames of this session the sender had taken in before.
    pub seen: u32,
}

/// The answer to Entries: the credit to send on, and the promise that they are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Number of Entries frames of this session that were taken in.
    pub batches: u32,
    /// What became of the entries in those since the last Ack.
    pub taken: Taken,
}

/// What became of entries that were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Taken {
    /// Some are not held, and may be sent again.
    Partly = 0,
    /// All are held, durably.
    All = 1,
    /// Some are left out, being of a newer version or of a chain with too many branches: sending them
    /// again changes nothing.
    LeftOut = 2,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Who speaks.
    Hello(Hello),
    /// What to go on from.
    Resume {
        /// The sender holds the receiver's entries up to this arrival.
        arrival: u64,
    },
    /// What the sender holds.
    Root(Root),
    /// Asks for nodes of the receiver's frontier.
    Walk(Vec<Path>),
    /// Answers a Walk, one path each.
    Node(Node),
    /// Asks for entries.
    Want(Want),
    /// Answers a Want from a point that is not on a branch.
    Branch(Branch),
    /// Entries.
    Entries {
        /// If not 0: with these, the receiver was sent all of the sender's entries up to here that
        /// are of the session's streams and did not come from the receiver.
        arrival: u64,
        /// The entries, as [`crate::batch`] has them.
        batch: Vec<u8>,
    },
    /// Entries were taken in.
    Ack(Ack),
    /// A sealed message between live members, never stored.
    Signal(Vec<u8>),
    /// A member opens a mailbox, or with an expiry of 0 closes it.
    MailOpen {
        /// The box.
        mailbox: BoxId,
        /// SHA-256 of the token that others must show.
        token_hash: [u8; 32],
        /// When the box ends, in milliseconds since 1970; 0 ends it now.
        expires_ms: u64,
    },
    /// Leaves a message.
    MailPut {
        /// The box.
        mailbox: BoxId,
        /// The token.
        token: [u8; 32],
        /// The message, sealed under a secret the relay does not know.
        message: Vec<u8>,
    },
    /// Asks for messages, those to come included.
    MailGet {
        /// The box.
        mailbox: BoxId,
        /// The token.
        token: [u8; 32],
        /// Only slots after this one; slots count from 1.
        after: u32,
    },
    /// A message of a box that the receiver opened or asked for.
    Mail {
        /// The box.
        mailbox: BoxId,
        /// Its place in the box, from 1.
        slot: u32,
        /// The message.
        message: Vec<u8>,
    },
    /// Answers MailOpen, MailPut and MailGet.
    MailResult {
        /// The box.
        mailbox: BoxId,
        /// Where the message was put; 0 for the other requests and for errors.
        slot: u32,
        /// What became of the request.
        result: Result<(), MailError>,
    },
    /// The sender closes because of this.
    Error(Closing),
    /// The sender closes because it is done.
    Bye,
    /// Asks what a log holds.
    Ask(Ask),
    /// Answers an Ask for ids.
    Listed(Listed),
    /// Answers an Ask for entries.
    Given(Given),
}

impl Frame {
    const fn number(&self) -> u8 {
        match self {
            Self::Hello(_) => 1,
            Self::Resume { .. } => 2,
            Self::Root(_) => 3,
            Self::Walk(_) => 4,
            Self::Node(_) => 5,
            Self::Want(_) => 6,
            Self::Branch(_) => 7,
            Self::Entries { .. } => 8,
            Self::Ack(_) => 9,
            Self::Signal(_) => 10,
            Self::MailOpen { .. } => 11,
            Self::MailPut { .. } => 12,
            Self::MailGet { .. } => 13,
            Self::Mail { .. } => 14,
            Self::MailResult { .. } => 15,
            Self::Error(_) => 16,
            Self::Bye => 17,
            Self::Ask(_) => 18,
            Self::Listed(_) => 19,
            Self::Given(_) => 20,
        }
    }

    /// Appends the frame.
    ///
    /// # Panics
    ///
    /// If the frame breaks a limit of its type: whoever makes frames keeps to them.
    pub fn encode(&self, bytes: &mut Vec<u8>) {
        let start = bytes.len();
        bytes.extend_from_slice(&[self.number(), 0, 0, 0, 0]);
        self.encode_body(bytes);
        let length = bytes.len() - start - FRAME_HEAD_LEN;
        assert!(body_max(self.number()).is_some_and(|max| length <= max), "frame keeps to its limit");
        let length = u32::try_from(length).expect("limits are far below 2^32");
        bytes[start + 1..start + FRAME_HEAD_LEN].copy_from_slice(&length.to_le_bytes());
    }

    fn encode_body(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => hello.encode(bytes),
            Self::Resume { arrival } => bytes.extend_from_slice(&arrival.to_le_bytes()),
            Self::Root(root) => {
                bytes.extend_from_slice(&root.root);
                bytes.extend_from_slice(&root.arrivals.to_le_bytes());
                bytes.extend_from_slice(&root.seen.to_le_bytes());
            }
            Self::Walk(paths) => walk::encode_paths(paths, bytes),
            Self::Node(node) => node.encode(bytes),
            Self::Want(want) => want.encode(bytes),
            Self::Branch(branch) => branch.encode(bytes),
            Self::Entries { arrival, batch } => {
                bytes.extend_from_slice(&arrival.to_le_bytes());
                bytes.extend_from_slice(batch);
            }
            Self::Ack(ack) => {
                bytes.extend_from_slice(&ack.batches.to_le_bytes());
                bytes.push(ack.taken as u8);
            }
            Self::Signal(message) => bytes.extend_from_slice(message),
            Self::MailOpen { mailbox, token_hash, expires_ms } => {
                bytes.extend_from_slice(&mailbox.0);
                bytes.extend_from_slice(token_hash);
                bytes.extend_from_slice(&expires_ms.to_le_bytes());
            }
            Self::MailPut { mailbox, token, message } => {
                bytes.extend_from_slice(&mailbox.0);
                bytes.extend_from_slice(token);
                bytes.extend_from_slice(message);
            }
            Self::MailGet { mailbox, token, after } => {
                bytes.extend_from_slice(&mailbox.0);
                bytes.extend_from_slice(token);
                bytes.extend_from_slice(&after.to_le_bytes());
            }
            Self::Mail { mailbox, slot, message } => {
                bytes.extend_from_slice(&mailbox.0);
                bytes.extend_from_slice(&slot.to_le_bytes());
                bytes.extend_from_slice(message);
            }
            Self::MailResult { mailbox, slot, result } => {
                bytes.extend_from_slice(&mailbox.0);
                bytes.extend_from_slice(&slot.to_le_bytes());
                bytes.push(mail::encode_result(*result));
            }
            Self::Error(closing) => closing.encode(bytes),
            Self::Bye => {}
            Self::Ask(ask) => ask.encode(bytes),
            Self::Listed(listed) => listed.encode(bytes),
            Self::Given(given) => given.encode(bytes),
        }
    }

    /// Takes one frame from the front of the bytes; returns it and what follows.
    ///
    /// # Errors
    ///
    /// If the bytes do not begin with a frame.
    pub fn decode(bytes: &[u8]) -> Result<(Self, &[u8]), FrameError> {
        let mut reader = Reader::new(bytes);
        let number = reader.u8()?;
        let length = reader.u32()? as usize;
        let max = body_max(number).ok_or(FrameError::UnknownType)?;
        if length > max {
            return Err(FrameError::Length);
        }
        let mut body = Reader::new(reader.take(length).map_err(|_| FrameError::Length)?);
        let frame = Self::decode_body(number, &mut body)?;
        body.finish()?;
        Ok((frame, reader.rest()))
    }

    fn decode_body(number: u8, body: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(match number {
            1 => Self::Hello(Hello::decode(body)?),
            2 => Self::Resume { arrival: body.u64()? },
            3 => Self::Root(Root { root: body.array()?, arrivals: body.u64()?, seen: body.u32()? }),
            4 => Self::Walk(walk::decode_paths(body)?),
            5 => Self::Node(Node::decode(body)?),
            6 => Self::Want(Want::decode(body)?),
            7 => Self::Branch(Branch::decode(body)?),
            8 => Self::Entries { arrival: body.u64()?, batch: body.rest().to_vec() },
            9 => Self::Ack(Ack {
                batches: body.u32()?,
                taken: match body.u8()? {
                    0 => Taken::Partly,
                    1 => Taken::All,
                    2 => Taken::LeftOut,
                    _ => return Err(FrameError::Malformed),
                },
            }),
            10 => Self::Signal(message(body)?),
            11 => Self::MailOpen {
                mailbox: BoxId(body.array()?),
                token_hash: body.array()?,
                expires_ms: body.u64()?,
            },
            12 => {
                Self::MailPut { mailbox: BoxId(body.array()?), token: body.array()?, message: message(body)? }
            }
            13 => Self::MailGet { mailbox: BoxId(body.array()?), token: body.array()?, after: body.u32()? },
            14 => Self::Mail { mailbox: BoxId(body.array()?), slot: body.u32()?, message: message(body)? },
            15 => Self::MailResult {
                mailbox: BoxId(body.array()?),
                slot: body.u32()?,
                result: mail::decode_result(body.u8()?)?,
            },
            16 => Self::Error(Closing::decode(body)?),
            17 => Self::Bye,
            18 => Self::Ask(Ask::decode(body)?),
            19 => Self::Listed(Listed::decode(body)?),
            20 => Self::Given(Given::decode(body)?),
            _ => return Err(FrameError::UnknownType),
        })
    }
}

/// The longest body of each type, in bytes; `None` if there is no such type.
const fn body_max(number: u8) -> Option<usize> {
    const BOX_LEN: usize = 16;
    Some(match number {
        1 => hello::BODY_MAX,
        2 => ARRIVAL_LEN,
        3 => 32 + ARRIVAL_LEN + 4,
        4 => 2 + WALK_PATHS_MAX * (1 + PATH_LEN_MAX),
        5 => walk::NODE_BODY_MAX,
        6 => ranges::WANT_BODY_MAX,
        7 => ranges::BRANCH_BODY_MAX,
        8 => ARRIVAL_LEN + BATCH_BYTES_MAX,
        9 => 5,
        10 => SIGNAL_MAX,
        11 => BOX_LEN + 32 + 8,
        12 => BOX_LEN + 32 + MAIL_MAX,
        13 => BOX_LEN + 32 + 4,
        14 => BOX_LEN + 4 + MAIL_MAX,
        15 => BOX_LEN + 4 + 1,
        16 => 1 + 4 + REASON_MAX,
        17 => 0,
        18 => ask::ASK_BODY_MAX,
        19 => ask::LISTED_BODY_MAX,
        20 => ask::GIVEN_BODY_MAX,
        _ => return None,
    })
}

fn message(body: &mut Reader<'_>) -> Result<Vec<u8>, FrameError> {
    let message = body.rest();
    if message.is_empty() { Err(FrameError::Malformed) } else { Ok(message.to_vec()) }
}

fn encode_path(path: &Path, bytes: &mut Vec<u8>) {
    let path = path.encode();
    bytes.push(u8::try_from(path.len()).expect("a path has at most 50 bytes"));
    bytes.extend_from_slice(&path);
}

fn decode_path(body: &mut Reader<'_>) -> Result<Path, FrameError> {
    let length = usize::from(body.u8()?);
    Path::decode(body.take(length)?).map_err(|_| FrameError::Malformed)
}

#[cfg(test)]
mod tests;
