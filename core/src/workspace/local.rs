//! What this device keeps for itself beside log and vault: invites it gave out, an interrupted
//! joining. Sealed under a key of the device, because invites are secrets; replaced as a whole.

use serde::{Deserialize, Serialize};
use tidelog_log::ids::CircleId;
use tidelog_log::storage::{Storage, read_file, replace_file};

use crate::engine::io_kind;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::{Secret, cobblestone};
use crate::value::{cbor, from_value, to_value};
use tidelog_log::env::{Random, random_array};

/// The file.
const FILE: &str = "local";
/// Largest size of the file, in bytes.
const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;
const SALT_LEN: usize = 24;
const CONTEXT: &[u8] = b"TIDE1 local file";

/// An invite that this device gave out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InviteRecord {
    pub(crate) id: String,
    pub(crate) uri: String,
    pub(crate) role: String,
    /// URL of the relay with its mailbox, if it has one.
    pub(crate) relay: Option<String>,
    pub(crate) expires_ms: u64,
    pub(crate) auto_approve: bool,
    pub(crate) uses_left: u32,
    #[serde(default)]
    pub(crate) withdrawn: bool,
    /// The circles that the new user comes into, by id.
    #[serde(default)]
    pub(crate) circles: Vec<String>,
    /// The users that it admitted and that are still to come into these circles, by id.
    #[serde(default)]
    pub(crate) owed: Vec<String>,
}

impl InviteRecord {
    /// The circles that the new user comes into.
    pub(crate) fn circles(&self) -> Vec<CircleId> {
        self.circles.iter().filter_map(|circle| circle.parse().ok()).collect()
    }

    /// Why the invite admits nobody any more.
    pub(crate) fn closed(&self, now_ms: u64) -> Option<&'static str> {
        if self.withdrawn {
            Some("was withdrawn")
        } else if self.uses_left == 0 {
            Some("is used up")
        } else if self.expires_ms <= now_ms {
            Some("has expired")
        } else {
            None
        }
    }
}

/// How this device asked to join, where the answer comes by hand.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Joining {
    /// The link it asked with.
    pub(crate) uri: String,
    /// The name it asked under; may be empty.
    pub(crate) profile: String,
}

/// The content of the file.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Local {
    pub(crate) invites: Vec<InviteRecord>,
    /// How this device is joining, until the joining is finished.
    pub(crate) joining: Option<Joining>,
}

impl Local {
    /// Reads the file; a missing one is empty.
    pub(crate) fn load(storage: &dyn Storage, key: &Secret) -> Result<Self> {
        let corrupt = || Error::new(ErrorKind::Corrupt, "the file `local` of the workspace is damaged");
        let read = read_file(storage, FILE, FILE_BYTES_MAX).map_err(|error| {
            Error::new(io_kind(&error), "cannot read the file `local`").with_source(error)
        })?;
        let Some(bytes) = read else { return Ok(Self::default()) };
        let plain = cobblestone::open(key, &[CONTEXT], &bytes).map_err(|_| corrupt())?;
        let value = cbor::decode(&plain).map_err(|_| corrupt())?;
        from_value(value).map_err(|_| corrupt())
    }

    /// Replaces the file.
    pub(crate) fn save(&self, storage: &dyn Storage, key: &Secret, random: &dyn Random) -> Result<()> {
        let plain = cbor::encode(&to_value(self)?)?;
        let salt: [u8; SALT_LEN] = random_array(random);
        let sealed = cobblestone::seal(key, &[CONTEXT], salt, &plain);
        replace_file(storage, FILE, &sealed)
            .map_err(|error| Error::new(io_kind(&error), "cannot write the file `local`").with_source(error))
    }
}
