//! The payload of a directory entry: parents and operations, as bytes.
//!
//! ```text
//! body = 0x01 | n_parents u8 (0..16) | parent 32 x n | n_ops u16 (0..256) | op x n
//! op   = tag u8 | len u32 | fields, exactly len bytes
//!  0 Genesis     root_pk 32 | root_kem_pk 32 | name_commit 32 | policy 0..256
//!  1 AddUser     user 16 | role u8 | n u8 (0..16) | DeviceCert 137 x n
//!  2 AddDevice   user 16 | DeviceCert 137
//! 10 KeyEpoch    circle 16 | epoch u32 | key_id 16 | commit 32 | name_wrap 104
//!                | n u8 | (key_id 16 | prev_wrap 104) x n
//!                | n u16 | (device 32 | enc 32 | ct 48) x n
//! 11 KeyGrant    circle 16 | key_id 16 | n u16 | (device 32 | enc 32 | ct 48) x n
//! 12 RelaySet    relay_pk 32 | url 1..1024, UTF-8 without control characters
//! 13 RelayUnset  relay_pk 32
//! ```
//!
//! Integers are little-endian; roles are 0 reader, 1 writer, 2 admin, 3 owner. Decoding is
//! bijective. A body with any other tag is unsupported as a whole: its reader needs an upgrade.
//! What the operations mean, and whether they count, is not decided here.

use std::fmt;
use std::str::FromStr;

use super::certificate::{CERT_LEN, DeviceCert};
use crate::entry::DIRECTORY_PAYLOAD_MAX;
use crate::ids::{CircleId, DeviceId, EntryId, KeyId, UserId};
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

const PREV_LEN: usize = KeyId::LENGTH + SEALED_KEY_LEN;
const WRAP_LEN: usize = DeviceId::LENGTH + 32 + 48;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// An epoch key sealed to one device by HPKE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrap {
    /// The recipient; the root key stands for the recovery words.
    pub device: DeviceId,
    /// The encapsulated key.
    pub enc: [u8; 32],
    /// The sealed epoch key.
    pub ct: [u8; 48],
}

/// One operation on the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Starts a workspace; only in its first entry.
    Genesis {
        /// The root signing key.
        root_pk: DeviceId,
        /// The root's X25519 key, to which every epoch is wrapped too.
        root_kem_pk: [u8; 32],
        /// Commitment to the name key of circle zero.
        name_commit: [u8; 32],
        /// Reserved, at most [`POLICY_LEN_MAX`] bytes; empty for now.
        policy: Vec<u8>,
    },
    /// Adds a user with its first devices.
    AddUser {
        /// Derived from the first certificate's device, see [`user_id`](super::user_id).
        user: UserId,
        /// What the user may do.
        role: Role,
        /// At most [`CERTS_MAX`].
        certs: Vec<DeviceCert>,
    },
    /// Adds a device to a user.
    AddDevice {
        /// The user.
        user: UserId,
        /// The device's word for it.
        cert: DeviceCert,
    },
    /// Starts an epoch: publishes a key and wraps it to every device of the circle.
    KeyEpoch {
        /// The circle.
        circle: CircleId,
        /// One more than the highest epoch it seals; 1 for the first.
        epoch: u32,
        /// The first 16 bytes of the SHA-256 of `commit`.
        key_id: KeyId,
        /// Commitment to the key.
        commit: [u8; 32],
        /// The circle's name key, sealed under this key.
        name_wrap: [u8; SEALED_KEY_LEN],
        /// Every maximal earlier epoch, its key sealed under this one; at most [`PREV_MAX`].
        prev: Vec<(KeyId, [u8; SEALED_KEY_LEN])>,
        /// The key, sealed to each device.
        wraps: Vec<Wrap>,
    },
    /// Gives an existing epoch key to further devices.
    KeyGrant {
        /// The circle.
        circle: CircleId,
        /// The epoch's key.
        key_id: KeyId,
        /// The key, sealed to each device.
        wraps: Vec<Wrap>,
    },
    /// Names a relay of the workspace, or changes its URL.
    RelaySet {
        /// The relay's X25519 key.
        relay_pk: [u8; 32],
        /// Where it is, at most [`URL_LEN_MAX`] bytes.
        url: String,
    },
    /// Takes a relay back.
    RelayUnset {
        /// The relay's X25519 key.
        relay_pk: [u8; 32],
    },
}

impl Op {
    const fn tag(&self) -> u8 {
        match self {
            Self::Genesis { .. } => 0,
            Self::AddUser { .. } => 1,
            Self::AddDevice { .. } => 2,
            Self::KeyEpoch { .. } => 10,
            Self::KeyGrant { .. } => 11,
            Self::RelaySet { .. } => 12,
            Self::RelayUnset { .. } => 13,
        }
    }

    fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), BodyError> {
        bytes.push(self.tag());
        let length_at = bytes.len();
        bytes.extend_from_slice(&[0; 4]);
        self.encode_fields(bytes)?;
        let length =
            u32::try_from(bytes.len() - length_at - 4).map_err(|_| BodyError::TooLarge("operation"))?;
        bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    fn encode_fields(&self, bytes: &mut Vec<u8>) -> Result<(), BodyError> {
        match self {
            Self::Genesis { root_pk, root_kem_pk, name_commit, policy } => {
                within(policy.len(), POLICY_LEN_MAX, "policy")?;
                for field in [&root_pk.0, root_kem_pk, name_commit] {
                    bytes.extend_from_slice(field);
                }
                bytes.extend_from_slice(policy);
            }
            Self::AddUser { user, role, certs } => {
                within(certs.len(), CERTS_MAX, "certificates")?;
                bytes.extend_from_slice(&user.0);
                bytes.push(*role as u8);
                bytes.push(u8::try_from(certs.len()).expect("CERTS_MAX fits"));
                certs.iter().for_each(|cert| bytes.extend_from_slice(&cert.encode()));
            }
            Self::AddDevice { user, cert } => {
                bytes.extend_from_slice(&user.0);
                bytes.extend_from_slice(&cert.encode());
            }
            Self::KeyEpoch { circle, epoch, key_id, commit, name_wrap, prev, wraps } => {
                within(prev.len(), PREV_MAX, "earlier epochs")?;
                bytes.extend_from_slice(&circle.0);
                bytes.extend_from_slice(&epoch.to_le_bytes());
                bytes.extend_from_slice(&key_id.0);
                bytes.extend_from_slice(commit);
                bytes.extend_from_slice(name_wrap);
                bytes.push(u8::try_from(prev.len()).expect("PREV_MAX fits"));
                for (key_id, sealed) in prev {
                    bytes.extend_from_slice(&key_id.0);
                    bytes.extend_from_slice(sealed);
                }
                encode_wraps(wraps, bytes)?;
            }
            Self::KeyGrant { circle, key_id, wraps } => {
                bytes.extend_from_slice(&circle.0);
                bytes.extend_from_slice(&key_id.0);
                encode_wraps(wraps, bytes)?;
            }
            Self::RelaySet { relay_pk, url } => {
                check_url(url)?;
                bytes.extend_from_slice(relay_pk);
                bytes.extend_from_slice(url.as_bytes());
            }
            Self::RelayUnset { relay_pk } => bytes.extend_from_slice(relay_pk),
        }
        Ok(())
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, BodyError> {
        let tag = reader.u8()?;
        let length = usize::try_from(reader.u32()?).map_err(|_| LayoutError)?;
        let mut fields = Reader::new(reader.take(length)?);
        let op = Self::decode_fields(tag, &mut fields)?;
        fields.finish()?;
        Ok(op)
    }

    fn decode_fields(tag: u8, fields: &mut Reader<'_>) -> Result<Self, BodyError> {
        Ok(match tag {
            0 => Self::Genesis {
                root_pk: DeviceId(fields.array()?),
                root_kem_pk: fields.array()?,
                name_commit: fields.array()?,
                policy: {
                    let policy = fields.rest();
                    within(policy.len(), POLICY_LEN_MAX, "policy")?;
                    policy.to_vec()
                },
            },
            1 => Self::AddUser {
                user: UserId(fields.array()?),
                role: decode_role(fields.u8()?)?,
                certs: {
                    let count = usize::from(fields.u8()?);
                    within(count, CERTS_MAX, "certificates")?;
                    records(fields, count, CERT_LEN, |cert| Ok(DeviceCert::decode(&cert.array()?)))?
                },
            },
            2 => {
                Self::AddDevice { user: UserId(fields.array()?), cert: DeviceCert::decode(&fields.array()?) }
            }
            10 => Self::KeyEpoch {
                circle: CircleId(fields.array()?),
                epoch: fields.u32()?,
                key_id: KeyId(fields.array()?),
                commit: fields.array()?,
                name_wrap: fields.array()?,
                prev: {
                    let count = usize::from(fields.u8()?);
                    records(fields, count, PREV_LEN, |prev| Ok((KeyId(prev.array()?), prev.array()?)))?
                },
                wraps: decode_wraps(fields)?,
            },
            11 => Self::KeyGrant {
                circle: CircleId(fields.array()?),
                key_id: KeyId(fields.array()?),
                wraps: decode_wraps(fields)?,
            },
            12 => Self::RelaySet {
                relay_pk: fields.array()?,
                url: {
                    let url = std::str::from_utf8(fields.rest()).map_err(|_| BodyError::Malformed("url"))?;
                    check_url(url)?;
                    url.to_owned()
                },
            },
            13 => Self::RelayUnset { relay_pk: fields.array()? },
            _ => return Err(BodyError::Unsupported),
        })
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
        if reader.u8()? != BODY_VERSION {
            return Err(BodyError::Unsupported);
        }
        let count = usize::from(reader.u8()?);
        within(count, PARENTS_MAX, "parents")?;
        let parents = records(&mut reader, count, EntryId::LENGTH, |parent| Ok(EntryId(parent.array()?)))?;
        check_distinct(&parents)?;
        let count = usize::from(reader.u16()?);
        within(count, OPS_MAX, "operations")?;
        let mut ops = Vec::new();
        for _ in 0..count {
            ops.push(Op::decode(&mut reader)?);
        }
        reader.finish()?;
        Ok(Self { parents, ops })
    }
}

fn within(length: usize, limit: usize, what: &'static str) -> Result<(), BodyError> {
    if length > limit { Err(BodyError::TooLarge(what)) } else { Ok(()) }
}

fn check_distinct(parents: &[EntryId]) -> Result<(), BodyError> {
    let repeated = (1..parents.len()).any(|index| parents[..index].contains(&parents[index]));
    if repeated { Err(BodyError::Malformed("parents")) } else { Ok(()) }
}

fn check_url(url: &str) -> Result<(), BodyError> {
    within(url.len(), URL_LEN_MAX, "url")?;
    if url.is_empty() || url.chars().any(char::is_control) {
        return Err(BodyError::Malformed("url"));
    }
    Ok(())
}

fn decode_role(byte: u8) -> Result<Role, BodyError> {
    Role::ALL.into_iter().find(|role| *role as u8 == byte).ok_or(BodyError::Malformed("role"))
}

/// Reads `count` records of a fixed size; nothing is allocated unless their bytes are there.
fn records<'b, T>(
    reader: &mut Reader<'b>,
    count: usize,
    size: usize,
    decode: impl Fn(&mut Reader<'b>) -> Result<T, LayoutError>,
) -> Result<Vec<T>, LayoutError> {
    let bytes = reader.take(count * size)?;
    bytes.chunks_exact(size).map(|record| decode(&mut Reader::new(record))).collect()
}

fn encode_wraps(wraps: &[Wrap], bytes: &mut Vec<u8>) -> Result<(), BodyError> {
    let count = u16::try_from(wraps.len()).map_err(|_| BodyError::TooLarge("wraps"))?;
    bytes.extend_from_slice(&count.to_le_bytes());
    for wrap in wraps {
        bytes.extend_from_slice(&wrap.device.0);
        bytes.extend_from_slice(&wrap.enc);
        bytes.extend_from_slice(&wrap.ct);
    }
    Ok(())
}

fn decode_wraps(fields: &mut Reader<'_>) -> Result<Vec<Wrap>, LayoutError> {
    let count = usize::from(fields.u16()?);
    records(fields, count, WRAP_LEN, |wrap| {
        Ok(Wrap { device: DeviceId(wrap.array()?), enc: wrap.array()?, ct: wrap.array()? })
    })
}
