//! The operations of a directory entry, as values.
//!
//! What they mean, and whether they count, is not decided here; how they are written is in `bytes`.

mod bytes;

pub use bytes::CUTS_MAX;
pub(super) use bytes::records;

use super::body::{Role, SEALED_KEY_LEN};
use super::certificate::DeviceCert;
use crate::ids::{CircleId, DeviceId, EntryId, KeyId, StreamId, UserId};

/// How far a device's entries in one stream count after it was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cut {
    /// The device.
    pub device: DeviceId,
    /// The stream.
    pub stream: StreamId,
    /// The number of the last entry that counts.
    pub seq: u64,
    /// That entry, and so the branch it is on.
    pub id: EntryId,
}

/// What newcomers to a circle may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum History {
    /// What is written after they joined.
    FromJoin,
    /// Everything.
    Full,
}

/// What is fixed when a circle is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CircleSettings {
    /// What newcomers may read.
    pub history: History,
    /// Whether epoch keys are wrapped to the root key too, so that the recovery words recover data.
    pub for_root: bool,
}

impl CircleSettings {
    /// The settings of circle zero.
    pub const WORKSPACE: Self = Self { history: History::Full, for_root: true };
}

/// When members make new epochs without another reason. Zero means never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Policy {
    /// Days after which a key is replaced.
    pub rotate_days: u16,
    /// Entries after which a key is replaced.
    pub rotate_entries: u32,
}

impl Default for Policy {
    /// 90 days or 2^20 entries.
    fn default() -> Self {
        Self { rotate_days: 90, rotate_entries: 1 << 20 }
    }
}

/// An entry whose payload is to be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Purged {
    /// Its author.
    pub device: DeviceId,
    /// Its number.
    pub seq: u64,
    /// Its id.
    pub id: EntryId,
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
        /// Reserved, at most [`POLICY_LEN_MAX`](super::POLICY_LEN_MAX) bytes; empty for now.
        policy: Vec<u8>,
    },
    /// Adds a user with its first device.
    AddUser {
        /// Derived from the certificate's device, see [`user_id`](super::user_id).
        user: UserId,
        /// What the user may do.
        role: Role,
        /// One, else the operation counts nowhere; at most [`CERTS_MAX`](super::CERTS_MAX) are read.
        certs: Vec<DeviceCert>,
    },
    /// Adds a device to a user.
    AddDevice {
        /// The user.
        user: UserId,
        /// The device's word for it.
        cert: DeviceCert,
    },
    /// Gives a user another role.
    SetRole {
        /// The user.
        user: UserId,
        /// What it may do from now on.
        role: Role,
        /// If it may not write any more: how far its devices' entries count.
        cuts: Vec<Cut>,
    },
    /// Removes a device for good.
    RemoveDevice {
        /// The device.
        device: DeviceId,
        /// How far its entries count; in a stream that is not named, none does.
        cuts: Vec<Cut>,
    },
    /// Removes a user with all its devices for good.
    RemoveUser {
        /// The user.
        user: UserId,
        /// How far its devices' entries count; in a stream that is not named, none does.
        cuts: Vec<Cut>,
    },
    /// Lets more of the entries of removed devices count, or those of a device whose addition is
    /// void.
    AmendCut {
        /// The cuts.
        cuts: Vec<Cut>,
    },
    /// Makes a circle; its author's user is its first writer.
    CircleNew {
        /// A random id.
        circle: CircleId,
        /// What stays as it is.
        settings: CircleSettings,
        /// Commitment to the circle's name key.
        name_commit: [u8; 32],
    },
    /// Takes a user into a circle, or changes its role there.
    CircleAdd {
        /// The circle.
        circle: CircleId,
        /// The user.
        user: UserId,
        /// What it may do in the circle, as far as its role in the workspace allows.
        role: Role,
    },
    /// Takes a user out of a circle.
    CircleRemove {
        /// The circle.
        circle: CircleId,
        /// The user.
        user: UserId,
        /// How far its devices' entries under the circle's keys count.
        cuts: Vec<Cut>,
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
        /// Every maximal earlier epoch, its key sealed under this one; at most [`PREV_MAX`](super::PREV_MAX).
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
        /// Where it is, at most [`URL_LEN_MAX`](super::URL_LEN_MAX) bytes.
        url: String,
    },
    /// Takes a relay back.
    RelayUnset {
        /// The relay's X25519 key.
        relay_pk: [u8; 32],
    },
    /// Sets the rules of the workspace.
    Policy(Policy),
    /// Asks everybody to drop the payloads of entries.
    Purge {
        /// Their stream.
        stream: StreamId,
        /// The entries.
        entries: Vec<Purged>,
    },
}
