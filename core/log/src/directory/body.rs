//! The payload of a directory entry: parents and operations, as bytes.
//!
//! ```text
//! body = 0x01 | n_parents u8 (0..16) | parent 32 x n | n_ops u16 (0..256) | op x n
//! ```
//!
//! The operations are in [`op`](super::op). Decoding is bijective. A body with an unknown operation
//! is unsupported as a whole: its reader needs an upgrade.
//! What the operations mean, and whether they count, is not decided here.

use std::fmt;
use std::str::FromStr;

use super::op::{Op, records};
use crate::entry::DIRECTORY_PAYLOAD_MAX;
use crate::ids::EntryId;
use crate::wire::{LayoutError, Reader};

/// Version of the body layout.
const BODY_VERSION: u8 = 1;
/// Most parents of an entry.
pub const PARENTS_MAX: usize = 16;
/// Most operations of an entry.
pub const OPS_MAX: usize = 256;
/// Most certificates of one `AddUser`.
pub const CERTS_MAX: usize = 16;
/// Most earlier epochs that one `KeyEpoch` seals.
pub const PREV_MAX: usize = 255;
/// Most bytes of the policy in `Genesis`.
pub const POLICY_LEN_MAX: usize = 256;
/// Most bytes of a relay's URL.
pub const URL_LEN_MAX: usize = 1024;
/// Bytes of a name key or an earlier epoch key sealed under an epoch key.
pub const SEALED_KEY_LEN: usize = 104;

/// Why bytes are not a body, or a value cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Written by a newer version.
    #[error("directory entry was written by a newer version: upgrade needed")]
    Unsupported,
    /// A field has a value that the format does not allow.
    #[error("directory entry is malformed: {0}")]
    Malformed(&'static str),
    /// More of something than fits.
    #[error("directory entry has too many or too long {0}")]
    TooLarge(&'static str),
}

impl From<LayoutError> for BodyError {
    fn from(_: LayoutError) -> Self {
        Self::Malformed("length")
    }
}

/// What a user may do; each role may do what the ones below it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads.
    Reader = 0,
    /// Writes data, and makes and grants epoch keys.
    Writer = 1,
    /// Adds writers and readers, and names relays.
    Admin = 2,
    /// Adds admins.
    Owner = 3,
}

impl Role {
    /// All roles, lowest first.
    pub const ALL: [Self; 4] = [Self::Reader, Self::Writer, Self::Admin, Self::Owner];

    const fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// The text is not the name of a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of reader, writer, admin, owner")]
pub struct ParseRoleError;

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, ParseRoleError> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(ParseRoleError)
    }
}

/// The payload of a directory entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The entries whose pasts, with themselves, this one acts upon; at most [`PARENTS_MAX`],
    /// distinct. The first is also the header's `auth`. Empty in genesis only.
    pub parents: Vec<EntryId>,
    /// The operations, at most [`OPS_MAX`]. They apply together; none merges heads.
    pub ops: Vec<Op>,
}

impl Body {
    /// The body as bytes.
    ///
    /// # Errors
    ///
    /// If there is more of something than the format allows, or the whole is larger than a
    /// directory entry may be.
    pub fn encode(&self) -> Result<Vec<u8>, BodyError> {
        within(self.parents.len(), PARENTS_MAX, "parents")?;
        within(self.ops.len(), OPS_MAX, "operations")?;
        check_distinct(&self.parents)?;
        let mut bytes = vec![BODY_VERSION, u8::try_from(self.parents.len()).expect("PARENTS_MAX fits")];
        self.parents.iter().for_each(|parent| bytes.extend_from_slice(&parent.0));
        bytes.extend_from_slice(&u16::try_from(self.ops.len()).expect("OPS_MAX fits").to_le_bytes());
        self.ops.iter().try_for_each(|op| op.encode(&mut bytes))?;
        within(bytes.len(), DIRECTORY_PAYLOAD_MAX, "bytes")?;
        Ok(bytes)
    }

    /// Reads a body. The bytes must be one body and nothing else.
    ///
    /// # Errors
    ///
    /// [`BodyError::Unsupported`] for a newer version or an unknown operation, else what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, BodyError> {
        within(bytes.len(), DIRECTORY_PAYLOAD_MAX, "bytes")?;
        let mut reader = Reader::new(bytes);
        let parents = parents(&mut reader)?;
        let count = usize::from(reader.u16()?);
        within(count, OPS_MAX, "operations")?;
        let mut ops = Vec::new();
        for _ in 0..count {
            ops.push(Op::decode(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self { parents, ops })
    }

    /// Reads only the parents, also of a body whose operations this version does not know.
    ///
    /// # Errors
    ///
    /// As [`Body::decode`].
    pub fn decode_parents(bytes: &[u8]) -> Result<Vec<EntryId>, BodyError> {
        within(bytes.len(), DIRECTORY_PAYLOAD_MAX, "bytes")?;
        parents(&mut Reader::new(bytes))
    }
}

fn parents(reader: &mut Reader<'_>) -> Result<Vec<EntryId>, BodyError> {
    if reader.u8()? != BODY_VERSION {
        return Err(BodyError::Unsupported);
    }
    let count = usize::from(reader.u8()?);
    within(count, PARENTS_MAX, "parents")?;
    let parents = records(reader, count, EntryId::LENGTH, |parent| Ok(EntryId(parent.array()?)))?;
    check_distinct(&parents)?;
    Ok(parents)
}

pub(super) fn within(length: usize, limit: usize, what: &'static str) -> Result<(), BodyError> {
    if length > limit { Err(BodyError::TooLarge(what)) } else { Ok(()) }
}

fn check_distinct(parents: &[EntryId]) -> Result<(), BodyError> {
    let repeated = (1..parents.len()).any(|index| parents[..index].contains(&parents[index]));
    if repeated { Err(BodyError::Malformed("parents")) } else { Ok(()) }
}
