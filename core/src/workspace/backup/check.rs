//! Checking a backup without restoring it.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tidelog_log::ids::WorkspaceId;
use tidelog_log::log::LogError;
use tidelog_log::segments::{SegmentError, Segments, segment_path};
use tidelog_log::storage::{FolderStorage, Storage};

use super::manifest::{MANIFEST, Manifest, UNFINISHED, to_hex};
use super::{Abandoned, BackupKey, Progress, go_on, hash_prefix};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::vault::{Key, Vault};
use crate::workspace::Workspace;
use crate::workspace::create::blocking;
use sha2::Digest as _;

/// What is in a backup, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BackupInfo {
    /// The workspace that it is of.
    pub workspace: WorkspaceId,
    /// When it was made, by the clock of the device, in milliseconds since 1970.
    pub made_ms: u64,
    /// Entries found in it.
    pub entries: u64,
    /// Bytes of its log.
    pub bytes: u64,
    /// What opens it.
    pub key: BackupKey,
    /// What is damaged; empty if it is sound.
    pub problems: Vec<String>,
}

impl Workspace {
    /// Reads a backup and checks that every byte is as it was written, that the log in it holds
    /// together, and, with `key` given, that this opens it. `progress` hears how many bytes were
    /// read, of how many.
    ///
    /// # Errors
    ///
    /// `not_a_workspace` if the folder holds no complete backup; `wrong_key`; `newer_format`;
    /// `corrupt` if its list of contents is damaged; or what the disk reports. Damage to the log is
    /// not an error but in the result.
    ///
    /// # Cancellation
    ///
    /// Dropping the future stops the reading.
    pub async fn verify_backup(
        from: impl AsRef<Path>,
        key: Option<Key>,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<BackupInfo> {
        let from: Arc<dyn Storage> = Arc::new(FolderStorage::new(from.as_ref()));
        let waiting = Abandoned::default();
        let abandoned = Arc::clone(&waiting.0);
        blocking(move || check(&from, key.as_ref(), &mut progress, &abandoned)).await
    }
}

/// The list of a complete backup.
pub(super) fn complete(from: &dyn Storage) -> Result<Manifest> {
    if let Some(manifest) = Manifest::read(from, MANIFEST)? {
        return Ok(manifest);
    }
    let text = match Manifest::read(from, UNFINISHED) {
        Ok(None) => "there is no backup in this folder",
        _ => "the backup in this folder was interrupted: make it again to complete it",
    };
    Err(Error::new(ErrorKind::NotAWorkspace, text))
}

/// Opens the secrets of a backup.
pub(super) fn unseal(manifest: &Manifest, key: &Key) -> Result<Vault> {
    let none = "the backup carries no secrets: it comes back with the recovery words only";
    let sealed = manifest.vault()?.ok_or_else(|| Error::new(ErrorKind::WrongKey, none))?;
    Ok(Vault::open(&sealed, key)?.0)
}

pub(super) fn check(
    from: &Arc<dyn Storage>,
    key: Option<&Key>,
    progress: Progress<'_>,
    abandoned: &AtomicBool,
) -> Result<BackupInfo> {
    let manifest = complete(&**from)?;
    if let Some(key) = key {
        unseal(&manifest, key)?;
    }
    let (mut done, total) = (0, manifest.bytes());
    let mut problems = Vec::new();
    for part in &manifest.segments {
        let path = segment_path(part.number);
        let hashed = from.open(&path, false).ok().and_then(|file| hash_prefix(&*file, part.bytes).ok());
        match hashed {
            None => problems.push(format!("{path} is missing or too short")),
            Some(hash) if to_hex(&hash.clone().finalize()) != part.sha256 => {
                problems.push(format!("{path} is not as it was written"));
            }
            Some(_) => {}
        }
        done += part.bytes;
        go_on(progress, abandoned, done, total)?;
    }
    let entries = count(from, &mut problems)?;
    if entries < manifest.entries && problems.is_empty() {
        problems.push(format!("{entries} of {} entries are there", manifest.entries));
    }
    let key = match (&manifest.vault, manifest.key.as_str()) {
        (None, _) => BackupKey::RecoveryWords,
        (Some(_), "workspace") => BackupKey::Workspace,
        (Some(_), _) => BackupKey::Own,
    };
    let (workspace, made_ms) = (manifest.workspace()?, manifest.made_ms);
    Ok(BackupInfo { workspace, made_ms, entries, bytes: total, key, problems })
}

/// Passes over the log of a backup.
fn count(from: &Arc<dyn Storage>, problems: &mut Vec<String>) -> Result<u64> {
    let segments = match Segments::open(Arc::clone(from)) {
        Ok(segments) => segments,
        Err(SegmentError::Io(error)) => return Err(LogError::from(error).into()),
        Err(error) => {
            problems.push(error.to_string());
            return Ok(0);
        }
    };
    let report = segments.inspect(&mut |_, _| Ok::<_, SegmentError>(())).map_err(LogError::from)?;
    for damage in report.damaged {
        problems.push(format!(
            "{} bytes from byte {} of {} cannot be read",
            damage.length,
            damage.offset,
            segment_path(damage.segment)
        ));
    }
    Ok(report.entries)
}
