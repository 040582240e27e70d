//! Places in a frontier, and their bytes.
//!
//! ```text
//! path    = 0x00 | nibbles                 in the trie over streams
//!         | 0x01 | stream 16 | nibbles     in the trie over devices of one stream
//! nibbles = n u8 (0..64) | ceil(n / 2) bytes, the first nibble high; an unused low nibble is zero
//! ```
//!
//! Decoding is bijective: what decodes encodes to the same bytes.

use crate::ids::StreamId;

/// Most nibbles of a key.
const NIBBLES_MAX: u8 = 64;
/// Most bytes of an encoded path.
pub const PATH_LEN_MAX: usize = 1 + 16 + 1 + 32;

const KIND_STREAMS: u8 = 0;
const KIND_DEVICES: u8 = 1;

/// The bytes are not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("trie path is malformed")]
pub struct PathError;

/// The first nibbles of a key, at most 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nibbles {
    bytes: [u8; 32],
    len: u8,
}

impl Nibbles {
    /// No nibbles: the root.
    pub const EMPTY: Self = Self { bytes: [0; 32], len: 0 };

    /// How many nibbles there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether this is the root.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// One nibble more, or `None` below a whole key or for a value above 15.
    #[must_use]
    pub fn child(&self, nibble: u8) -> Option<Self> {
        if self.len == NIBBLES_MAX || nibble > 15 {
            return None;
        }
        let mut child = *self;
        child.bytes[self.len() / 2] |= if self.len.is_multiple_of(2) { nibble << 4 } else { nibble };
        child.len += 1;
        Some(child)
    }

    /// The nibble at an index below [`Nibbles::len`].
    pub(super) fn at(&self, index: usize) -> usize {
        nibble(&self.bytes, index)
    }

    /// Whether a key begins with these nibbles.
    pub(super) fn is_prefix_of(&self, key: &[u8; 32]) -> bool {
        (0..self.len()).all(|index| self.at(index) == nibble(key, index))
    }

    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(self.len);
        bytes.extend_from_slice(&self.bytes[..self.len().div_ceil(2)]);
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&len, packed) = bytes.split_first()?;
        if len > NIBBLES_MAX || packed.len() != usize::from(len).div_ceil(2) {
            return None;
        }
        let mut nibbles = Self { bytes: [0; 32], len };
        nibbles.bytes[..packed.len()].copy_from_slice(packed);
        let unused_is_zero = len.is_multiple_of(2) || packed.last().is_some_and(|last| last & 15 == 0);
        unused_is_zero.then_some(nibbles)
    }
}

/// The nibble of a key at an index below 64, high nibbles first.
pub(super) fn nibble(key: &[u8; 32], index: usize) -> usize {
    let byte = key[index / 2];
    usize::from(if index.is_multiple_of(2) { byte >> 4 } else { byte & 15 })
}

/// A place in a frontier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Path {
    /// In the trie over streams.
    Streams(Nibbles),
    /// In the trie over devices of one stream.
    Devices(StreamId, Nibbles),
}

impl Path {
    /// The root of a frontier.
    pub const ROOT: Self = Self::Streams(Nibbles::EMPTY);

    /// The root of one stream's trie over devices.
    #[must_use]
    pub const fn stream(stream: StreamId) -> Self {
        Self::Devices(stream, Nibbles::EMPTY)
    }

    /// The place one nibble further, or `None` below a whole key or for a value above 15.
    #[must_use]
    pub fn child(&self, nibble: u8) -> Option<Self> {
        match self {
            Self::Streams(nibbles) => nibbles.child(nibble).map(Self::Streams),
            Self::Devices(stream, nibbles) => {
                nibbles.child(nibble).map(|nibbles| Self::Devices(*stream, nibbles))
            }
        }
    }

    /// The path as bytes, at most [`PATH_LEN_MAX`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PATH_LEN_MAX);
        match self {
            Self::Streams(nibbles) => {
                bytes.push(KIND_STREAMS);
                nibbles.encode(&mut bytes);
            }
            Self::Devices(stream, nibbles) => {
                bytes.push(KIND_DEVICES);
                bytes.extend_from_slice(&stream.0);
                nibbles.encode(&mut bytes);
            }
        }
        bytes
    }

    /// Reads a path. The bytes must be one path and nothing else.
    ///
    /// # Errors
    ///
    /// If they are not.
    pub fn decode(bytes: &[u8]) -> Result<Self, PathError> {
        let (&kind, rest) = bytes.split_first().ok_or(PathError)?;
        match kind {
            KIND_STREAMS => Nibbles::decode(rest).map(Self::Streams),
            KIND_DEVICES => rest.split_first_chunk().and_then(|(stream, rest)| {
                Nibbles::decode(rest).map(|nibbles| Self::Devices(StreamId(*stream), nibbles))
            }),
            _ => None,
        }
        .ok_or(PathError)
    }
}
