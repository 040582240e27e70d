//! What is in a backup: `backup.json`.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Serialize};
use tidelog_log::ids::WorkspaceId;
use tidelog_log::storage::{Storage, read_file, replace_file};

use super::cannot;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::vault::VAULT_LEN_MAX;

/// Lists a complete backup.
pub(super) const MANIFEST: &str = "backup.json";
/// Lists what an interrupted backup has copied.
pub(super) const UNFINISHED: &str = "unfinished.json";
/// Format that this code writes and reads.
const FORMAT: u64 = 1;
/// Longest list that is read, in bytes.
const MANIFEST_BYTES_MAX: usize = 4 << 20;

/// The copy of one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Copied {
    pub(super) number: u32,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// A backup's list of contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u64,
    pub(super) workspace: String,
    /// The epoch of the log that was copied.
    pub(super) epoch: String,
    pub(super) made_ms: u64,
    pub(super) entries: u64,
    /// What opens it, by name.
    pub(super) key: String,
    /// The sealed secrets, in hexadecimal.
    pub(super) vault: Option<String>,
    pub(super) segments: Vec<Copied>,
}

/// The part that every format has.
#[derive(Deserialize)]
struct Head {
    format: u64,
}

impl Manifest {
    pub(super) fn new(workspace: WorkspaceId, epoch: [u8; 16], made_ms: u64, entries: u64) -> Self {
        Self {
            format: FORMAT,
            workspace: workspace.to_string(),
            epoch: to_hex(&epoch),
            made_ms,
            entries,
            key: String::new(),
            vault: None,
            segments: Vec::new(),
        }
    }

    /// Reads a list; `None` if there is none.
    pub(super) fn read(storage: &dyn Storage, name: &str) -> Result<Option<Self>> {
        let damaged =
            || Error::new(ErrorKind::Corrupt, format!("the file `{name}` of the backup is damaged"));
        let read = read_file(storage, name, MANIFEST_BYTES_MAX).map_err(|error| match error.kind() {
            std::io::ErrorKind::FileTooLarge => damaged(),
            _ => cannot("read the backup")(error),
        })?;
        let Some(bytes) = read else { return Ok(None) };
        let head: Head = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        if head.format > FORMAT {
            return Err(Error::new(
                ErrorKind::NewerFormat,
                "the backup was made by a newer version: upgrade",
            ));
        }
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|_| damaged())?;
        let sound =
            manifest.format == FORMAT && manifest.segments.iter().all(|part| part.bytes <= u32::MAX.into());
        if sound { Ok(Some(manifest)) } else { Err(damaged()) }
    }

    /// Writes the list, durably.
    pub(super) fn write(&self, storage: &dyn Storage, name: &str) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).expect("texts and numbers become JSON");
        replace_file(storage, name, &text).map_err(cannot("write the backup"))
    }

    /// Bytes of the log.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|part| part.bytes).sum()
    }

    /// The sealed secrets, if it carries them.
    pub(super) fn vault(&self) -> Result<Option<Vec<u8>>> {
        let damaged = || Error::new(ErrorKind::Corrupt, "the secrets in the backup are damaged");
        let Some(text) = &self.vault else { return Ok(None) };
        let bytes = from_hex(text).ok_or_else(damaged)?;
        if bytes.len() <= VAULT_LEN_MAX { Ok(Some(bytes)) } else { Err(damaged()) }
    }

    /// The workspace.
    pub(super) fn workspace(&self) -> Result<WorkspaceId> {
        let damaged = |_| Error::new(ErrorKind::Corrupt, "the backup does not say whose it is");
        self.workspace.parse().map_err(damaged)
    }
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    HEXLOWER_PERMISSIVE.encode(bytes)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()
}
