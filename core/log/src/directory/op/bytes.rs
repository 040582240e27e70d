//! The operations of a directory entry, as bytes.
//!
//! ```text
//! op   = tag u8 | len u32 | fields, exactly len bytes
//!  0 Genesis     root_pk 32 | root_kem_pk 32 | name_commit 32 | policy 0..256
//!  1 AddUser     user 16 | role u8 | n u8 (0..16) | DeviceCert 137 x n
//!  2 AddDevice   user 16 | DeviceCert 137
//!  3 SetRole     user 16 | role u8 | n u16 | Cut 88 x n
//!  4 RemoveDevice device 32 | n u16 | Cut 88 x n
//!  5 RemoveUser  user 16 | n u16 | Cut 88 x n
//!  6 AmendCut    n u16 | Cut 88 x n
//!  7 CircleNew   circle 16 | settings u8 (bit 0 full history, bit 1 not for the root) | name_commit 32
//!  8 CircleAdd   circle 16 | user 16 | role u8
//!  9 CircleRemove circle 16 | user 16 | n u16 | Cut 88 x n
//! 10 KeyEpoch    circle 16 | epoch u32 | key_id 16 | commit 32 | name_wrap 104
//!                | n u8 | (key_id 16 | prev_wrap 104) x n
//!                | n u16 | (device 32 | enc 32 | ct 48) x n
//! 11 KeyGrant    circle 16 | key_id 16 | n u16 | (device 32 | enc 32 | ct 48) x n
//! 12 RelaySet    relay_pk 32 | url 1..1024, UTF-8 without control characters
//! 13 RelayUnset  relay_pk 32
//! 14 Policy      rotate_days u16 | rotate_entries u32
//! 15 Purge       stream 16 | n u16 | (device 32 | seq u64 | id 32) x n
//! Cut = device 32 | stream 16 | seq u64 | id 32
//! ```
//!
//! Integers are little-endian; roles are 0 reader, 1 writer, 2 admin, 3 owner. Decoding is
//! bijective.

use super::super::body::{
    BodyError, CERTS_MAX, POLICY_LEN_MAX, PREV_MAX, Role, SEALED_KEY_LEN, URL_LEN_MAX, within,
};
use super::super::certificate::{CERT_LEN, DeviceCert};
use super::{CircleSettings, Cut, History, Op, Policy, Purged, Wrap};
use crate::entry::DIRECTORY_PAYLOAD_MAX;
use crate::ids::{CircleId, DeviceId, EntryId, KeyId, StreamId, UserId};
use crate::wire::{LayoutError, Reader};

const PREV_LEN: usize = KeyId::LENGTH + SEALED_KEY_LEN;
const WRAP_LEN: usize = DeviceId::LENGTH + 32 + 48;
const CUT_LEN: usize = DeviceId::LENGTH + StreamId::LENGTH + 8 + EntryId::LENGTH;
/// Most cuts that one entry has room for, beside a full set of parents.
pub const CUTS_MAX: usize = (DIRECTORY_PAYLOAD_MAX - 1_024) / CUT_LEN;
const PURGED_LEN: usize = DeviceId::LENGTH + 8 + EntryId::LENGTH;

impl CircleSettings {
    fn byte(self) -> u8 {
        u8::from(self.history == History::Full) | u8::from(!self.for_root) << 1
    }

    fn from_byte(byte: u8) -> Result<Self, BodyError> {
        let history = if byte & 1 == 1 { History::Full } else { History::FromJoin };
        let settings = Self { history, for_root: byte & 2 == 0 };
        if settings.byte() == byte { Ok(settings) } else { Err(BodyError::Malformed("circle settings")) }
    }
}

impl Op {
    const fn tag(&self) -> u8 {
        match self {
            Self::Genesis { .. } => 0,
            Self::AddUser { .. } => 1,
            Self::AddDevice { .. } => 2,
            Self::SetRole { .. } => 3,
            Self::RemoveDevice { .. } => 4,
            Self::RemoveUser { .. } => 5,
            Self::AmendCut { .. } => 6,
            Self::CircleNew { .. } => 7,
            Self::CircleAdd { .. } => 8,
            Self::CircleRemove { .. } => 9,
            Self::KeyEpoch { .. } => 10,
            Self::KeyGrant { .. } => 11,
            Self::RelaySet { .. } => 12,
            Self::RelayUnset { .. } => 13,
            Self::Policy(_) => 14,
            Self::Purge { .. } => 15,
        }
    }

    pub(in crate::directory) fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), BodyError> {
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
            Self::SetRole { user, role, cuts } => {
                bytes.extend_from_slice(&user.0);
                bytes.push(*role as u8);
                encode_cuts(cuts, bytes)?;
            }
            Self::RemoveDevice { device, cuts } => {
                bytes.extend_from_slice(&device.0);
                encode_cuts(cuts, bytes)?;
            }
            Self::RemoveUser { user, cuts } => {
                bytes.extend_from_slice(&user.0);
                encode_cuts(cuts, bytes)?;
            }
            Self::AmendCut { cuts } => encode_cuts(cuts, bytes)?,
            Self::CircleNew { circle, settings, name_commit } => {
                bytes.extend_from_slice(&circle.0);
                bytes.push(settings.byte());
                bytes.extend_from_slice(name_commit);
            }
            Self::CircleAdd { circle, user, role } => {
                bytes.extend_from_slice(&circle.0);
                bytes.extend_from_slice(&user.0);
                bytes.push(*role as u8);
            }
            Self::CircleRemove { circle, user, cuts } => {
                bytes.extend_from_slice(&circle.0);
                bytes.extend_from_slice(&user.0);
                encode_cuts(cuts, bytes)?;
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
            Self::Policy(policy) => {
                bytes.extend_from_slice(&policy.rotate_days.to_le_bytes());
                bytes.extend_from_slice(&policy.rotate_entries.to_le_bytes());
            }
            Self::Purge { stream, entries } => {
                bytes.extend_from_slice(&stream.0);
                bytes.extend_from_slice(&count(entries.len(), "purged entries")?);
                for purged in entries {
                    bytes.extend_from_slice(&purged.device.0);
                    bytes.extend_from_slice(&purged.seq.to_le_bytes());
                    bytes.extend_from_slice(&purged.id.0);
                }
            }
        }
        Ok(())
    }

    pub(in crate::directory) fn decode(reader: &mut Reader<'_>) -> Result<Self, BodyError> {
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
            3 => Self::SetRole {
                user: UserId(fields.array()?),
                role: decode_role(fields.u8()?)?,
                cuts: decode_cuts(fields)?,
            },
            4 => Self::RemoveDevice { device: DeviceId(fields.array()?), cuts: decode_cuts(fields)? },
            5 => Self::RemoveUser { user: UserId(fields.array()?), cuts: decode_cuts(fields)? },
            6 => Self::AmendCut { cuts: decode_cuts(fields)? },
            7 => Self::CircleNew {
                circle: CircleId(fields.array()?),
                settings: CircleSettings::from_byte(fields.u8()?)?,
                name_commit: fields.array()?,
            },
            8 => Self::CircleAdd {
                circle: CircleId(fields.array()?),
                user: UserId(fields.array()?),
                role: decode_role(fields.u8()?)?,
            },
            9 => Self::CircleRemove {
                circle: CircleId(fields.array()?),
                user: UserId(fields.array()?),
                cuts: decode_cuts(fields)?,
            },
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
            14 => Self::Policy(Policy { rotate_days: fields.u16()?, rotate_entries: fields.u32()? }),
            15 => Self::Purge {
                stream: StreamId(fields.array()?),
                entries: {
                    let count = usize::from(fields.u16()?);
                    records(fields, count, PURGED_LEN, |purged| {
                        let device = DeviceId(purged.array()?);
                        Ok(Purged { device, seq: purged.u64()?, id: EntryId(purged.array()?) })
                    })?
                },
            },
            _ => return Err(BodyError::Unsupported),
        })
    }
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
pub(in crate::directory) fn records<'b, T>(
    reader: &mut Reader<'b>,
    count: usize,
    size: usize,
    decode: impl Fn(&mut Reader<'b>) -> Result<T, LayoutError>,
) -> Result<Vec<T>, LayoutError> {
    let bytes = reader.take(count * size)?;
    bytes.chunks_exact(size).map(|record| decode(&mut Reader::new(record))).collect()
}

fn count(length: usize, what: &'static str) -> Result<[u8; 2], BodyError> {
    u16::try_from(length).map(u16::to_le_bytes).map_err(|_| BodyError::TooLarge(what))
}

fn encode_cuts(cuts: &[Cut], bytes: &mut Vec<u8>) -> Result<(), BodyError> {
    bytes.extend_from_slice(&count(cuts.len(), "cuts")?);
    for cut in cuts {
        bytes.extend_from_slice(&cut.device.0);
        bytes.extend_from_slice(&cut.stream.0);
        bytes.extend_from_slice(&cut.seq.to_le_bytes());
        bytes.extend_from_slice(&cut.id.0);
    }
    Ok(())
}

fn decode_cuts(fields: &mut Reader<'_>) -> Result<Vec<Cut>, LayoutError> {
    let count = usize::from(fields.u16()?);
    records(fields, count, CUT_LEN, |cut| {
        let (device, stream) = (DeviceId(cut.array()?), StreamId(cut.array()?));
        Ok(Cut { device, stream, seq: cut.u64()?, id: EntryId(cut.array()?) })
    })
}

fn encode_wraps(wraps: &[Wrap], bytes: &mut Vec<u8>) -> Result<(), BodyError> {
    bytes.extend_from_slice(&count(wraps.len(), "wraps")?);
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
