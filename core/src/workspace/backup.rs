//! Backups: a copy of the log in a folder of its own, and the device's secrets sealed beside it.
//!
//! ```text
//! backup.json       what is there, and is only there once all of it is
//! unfinished.json   what an interrupted backup had copied so far
//! log/00000001.seg  .. the segments, without the space that was taken in advance
//! ```
//!
//! A segment only grows until the next one begins, so a backup made while the workspace is in use is
//! the log of one moment, and the next backup into the same folder copies only what is new. Until it
//! is complete the one before stays as it is: what it counts of each file does not change.
//! The log is ciphertext; the secrets are sealed under a key of the backup's own.

mod check;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::{Digest as _, Sha256};
use tidelog_log::segments::{LOG_FOLDER, SegmentPart, segment_path};
use tidelog_log::storage::{FolderStorage, LockError, Storage, StorageFile};

pub use check::BackupInfo;
use manifest::{Copied, MANIFEST, Manifest, UNFINISHED};

use super::create::blocking;
use super::custody::VAULT;
use super::{Inner, Workspace};
use crate::engine::io_kind;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::vault::Key;

/// Bytes copied at once.
const CHUNK_BYTES: usize = 1 << 20;

/// What opens a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupKey {
    /// The key that was given for it.
    Own,
    /// The passphrase that the workspace had then.
    Workspace,
    /// Nothing in it: the workspace comes back with recovery words only, as another device.
    RecoveryWords,
}

impl BackupKey {
    /// The name: `own`, `workspace` or `recovery_words`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Workspace => "workspace",
            Self::RecoveryWords => "recovery_words",
        }
    }
}

/// What a backup copied.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct BackupReport {
    /// Entries in the backup.
    pub entries: u64,
    /// Bytes of its log.
    pub bytes: u64,
    /// Bytes that were copied this time.
    pub copied: u64,
    /// What opens it.
    pub key: BackupKey,
}

/// Told how many bytes are done, of how many; says whether to go on.
type Progress<'p> = &'p mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Set when nobody waits any more.
#[derive(Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Workspace {
    /// Copies the workspace as it is now into a folder, while it stays in use; into the folder of an
    /// earlier backup, only what is new. `key` seals the device's secrets in it. Without one the
    /// workspace's passphrase does, as it is now; and if the workspace opens with a raw key, the
    /// backup carries no secrets and comes back with recovery words only: the report says so.
    /// `progress` hears how many bytes were copied, of how many, and can end it.
    ///
    /// # Errors
    ///
    /// `already_exists` if the folder holds something else: a workspace, or a backup of another one;
    /// `already_open` while another backup goes into it; `newer_format`; `invalid_argument` for an
    /// empty passphrase; `closed`, also if `progress` ended it; or what the disks report.
    ///
    /// # Cancellation
    ///
    /// Dropping the future stops the copying. The backup before this one stays whole, and the next
    /// one goes on where this one stopped.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use std::ops::ControlFlow;
    /// use tidelog::{BackupKey, Key, Workspace};
    ///
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// let (to, go_on) = (folder.join("backup"), |_, _| ControlFlow::Continue(()));
    /// let report = workspace.backup(&to, Some(Key::raw([9; 32])), go_on).await?;
    /// assert_eq!((report.key, report.copied), (BackupKey::Own, report.bytes));
    ///
    /// let info = Workspace::verify_backup(&to, Some(Key::raw([9; 32])), go_on).await?;
    /// assert!(info.problems.is_empty());
    /// assert_eq!((info.workspace, info.entries), (workspace.id(), report.entries));
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn backup(
        &self,
        to: impl AsRef<Path>,
        key: Option<Key>,
        progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<BackupReport> {
        self.backup_in(Arc::new(FolderStorage::new(to.as_ref())), key, progress).await
    }

    async fn backup_in(
        &self,
        to: Arc<dyn Storage>,
        key: Option<Key>,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<BackupReport> {
        let inner = Arc::clone(&self.inner);
        let waiting = Abandoned::default();
        let abandoned = Arc::clone(&waiting.0);
        blocking(move || run(&inner, &*to, key.as_ref(), &mut progress, &abandoned)).await
    }
}

fn run(
    inner: &Inner,
    to: &dyn Storage,
    key: Option<&Key>,
    progress: Progress<'_>,
    abandoned: &AtomicBool,
) -> Result<BackupReport> {
    to.create_folder("").map_err(cannot("make the folder of the backup"))?;
    let _lock = to.lock().map_err(locked)?;
    let log = &inner.engine.log;
    let known = known(to, &log.workspace().to_string(), &log.epoch())?;
    let sealed = inner.custody.seal_for_backup(key)?;
    let opens_with = match (&sealed, key) {
        (Some(_), Some(_)) => BackupKey::Own,
        (Some(_), None) => BackupKey::Workspace,
        (None, _) => BackupKey::RecoveryWords,
    };
    let entries = log.arrivals();
    let parts = log.parts()?;
    to.create_folder(LOG_FOLDER).map_err(cannot("make the folder of the backup"))?;
    let mut copying = Copying {
        inner,
        to,
        progress,
        abandoned,
        manifest: Manifest::new(log.workspace(), log.epoch(), inner.engine.wall.now_ms(), entries),
        done: 0,
        total: parts.iter().map(|part| u64::from(part.bytes)).sum(),
    };
    let mut copied = 0;
    for part in &parts {
        copied += copying.segment(*part, known.iter().find(|known| known.number == part.number))?;
    }
    let mut manifest = copying.manifest;
    manifest.key = opens_with.name().to_owned();
    manifest.vault = sealed.as_deref().map(manifest::to_hex);
    to.sync_folder(LOG_FOLDER).map_err(cannot("make the backup durable"))?;
    manifest.write(to, MANIFEST)?;
    match to.remove(UNFINISHED) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "what an interrupted backup had noted stays beside the complete one");
        }
        _ => {}
    }
    Ok(BackupReport { entries, bytes: manifest.bytes(), copied, key: opens_with })
}

/// What an earlier backup of this log, complete or not, left in the folder.
fn known(to: &dyn Storage, workspace: &str, epoch: &[u8; 16]) -> Result<Vec<Copied>> {
    let taken =
        |what: &str| Error::new(ErrorKind::AlreadyExists, format!("the folder holds {what}: choose another"));
    let manifests = [Manifest::read(to, UNFINISHED)?, Manifest::read(to, MANIFEST)?];
    let names = to.list("").map_err(cannot("read the folder of the backup"))?;
    let log = to.list(LOG_FOLDER).map_err(cannot("read the folder of the backup"))?;
    if names.iter().any(|name| name == VAULT) {
        return Err(taken("a workspace"));
    }
    if !log.is_empty() && manifests.iter().all(Option::is_none) && !log.iter().all(|name| name == FIRST) {
        return Err(taken("something else"));
    }
    let mut known: Vec<Copied> = Vec::new();
    for manifest in manifests.into_iter().flatten() {
        if manifest.workspace != workspace {
            return Err(taken("a backup of another workspace"));
        }
        if manifest.epoch != manifest::to_hex(epoch) {
            return Err(taken("a backup of another copy of this workspace"));
        }
        for copied in manifest.segments {
            if !known.iter().any(|other| other.number == copied.number && other.bytes >= copied.bytes) {
                known.retain(|other| other.number != copied.number);
                known.push(copied);
            }
        }
    }
    Ok(known)
}

/// The first file that a backup copies: an interrupted one may have left it and nothing else.
const FIRST: &str = "00000001.seg";

struct Copying<'c> {
    inner: &'c Inner,
    to: &'c dyn Storage,
    progress: Progress<'c>,
    abandoned: &'c AtomicBool,
    manifest: Manifest,
    done: u64,
    total: u64,
}

impl Copying<'_> {
    /// Brings the copy of a segment up to date; returns how many bytes that took.
    fn segment(&mut self, part: SegmentPart, known: Option<&Copied>) -> Result<u64> {
        let bytes = u64::from(part.bytes);
        let path = segment_path(part.number);
        let file = self.to.open(&path, true).map_err(cannot("write the backup"))?;
        let length = file.len().map_err(cannot("read the backup"))?;
        let known = known.filter(|known| known.bytes <= bytes && known.bytes <= length);
        if let Some(known) = known.filter(|known| known.bytes == bytes) {
            self.manifest.segments.push(known.clone());
            self.tell(bytes)?;
            return Ok(0);
        }
        let mut hash = Sha256::new();
        let mut at = 0;
        if let Some(known) = known {
            let held = hash_prefix(&*file, known.bytes)?;
            if manifest::to_hex(&held.clone().finalize()) == known.sha256 {
                (hash, at) = (held, known.bytes);
                self.tell(at)?;
            }
        }
        let new = bytes - at;
        let mut buffer = vec![0; CHUNK_BYTES];
        while at < bytes {
            let count = usize::try_from(bytes - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let chunk = &mut buffer[..count];
            self.inner.engine.log.read_part(part.number, at, chunk)?;
            file.write_at(at, chunk).map_err(cannot("write the backup"))?;
            hash.update(&*chunk);
            at += count as u64;
            self.tell(count as u64)?;
        }
        file.sync().map_err(cannot("make the backup durable"))?;
        let sha256 = manifest::to_hex(&hash.finalize());
        self.manifest.segments.push(Copied { number: part.number, bytes, sha256 });
        self.to.sync_folder(LOG_FOLDER).map_err(cannot("make the backup durable"))?;
        self.manifest.write(self.to, UNFINISHED)?;
        Ok(new)
    }

    fn tell(&mut self, bytes: u64) -> Result<()> {
        self.done += bytes;
        go_on(self.progress, self.abandoned, self.done, self.total)
    }
}

/// Tells how far a copy has come, and ends it if nobody wants it any more.
fn go_on(progress: Progress<'_>, abandoned: &AtomicBool, done: u64, total: u64) -> Result<()> {
    if progress(done, total).is_break() || abandoned.load(Ordering::Relaxed) {
        return Err(Error::new(ErrorKind::Closed, "it was stopped before its end; it can be begun again"));
    }
    Ok(())
}

/// The hash of the beginning of a file.
fn hash_prefix(file: &dyn StorageFile, bytes: u64) -> Result<Sha256> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut at = 0;
    while at < bytes {
        let count = usize::try_from(bytes - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        file.read_at(at, &mut buffer[..count]).map_err(cannot("read the backup"))?;
        hash.update(&buffer[..count]);
        at += count as u64;
    }
    Ok(hash)
}

/// An error of the disk, with what was attempted.
fn cannot(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::new(io_kind(&error), format!("cannot {what}: {error}")).with_source(error)
}

fn locked(error: LockError) -> Error {
    tidelog_log::log::LogError::from(error).into()
}
