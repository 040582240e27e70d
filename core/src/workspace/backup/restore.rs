//! Restoring a backup into an empty folder.
//!
//! The secrets are written last, so that what was interrupted is no workspace yet, and can be begun
//! again. The copied log gets an epoch of its own, since its order of arrival will go another way.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use sha2::{Digest as _, Sha256};
use tidelog_log::env::random_array;
use tidelog_log::segments::{HEADER_BYTES, LOG_FOLDER, segment_path, with_epoch};
use tidelog_log::storage::{FolderStorage, LOCK_FILE, Storage, StorageFile, replace_file};

use super::check::{complete, unseal};
use super::manifest::{Copied, Manifest, to_hex};
use super::{Abandoned, CHUNK_BYTES, Progress, cannot, go_on, locked};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::vault::Key;
use crate::workspace::create::blocking;
use crate::workspace::custody::{Custody, VAULT};
use crate::workspace::{Environment, Workspace};

/// Says that what is in the folder was put there by a restore that is not done.
const MARK: &str = "restoring";

impl Workspace {
    /// Makes the workspace of a backup anew in a folder, which must be empty. `backup_key` opens the
    /// backup; `key` opens the workspace from then on, the same one if there is none. `progress`
    /// hears how many bytes were copied, of how many.
    ///
    /// The result is a copy of a device that may live on elsewhere, so it can only be read until it
    /// has met a peer: see [`Workspace::restored`].
    ///
    /// # Errors
    ///
    /// `not_a_workspace` if there is no complete backup; `already_exists` if the folder is not
    /// empty; `wrong_key`; `corrupt`, `newer_format`; or what the disks report. After an
    /// interruption it can be repeated.
    ///
    /// # Cancellation
    ///
    /// Dropping the future stops the copying, and leaves no workspace.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use std::ops::ControlFlow;
    /// use tidelog::{Key, Workspace};
    ///
    /// # use tidelog::InviteOptions;
    /// # let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
    /// # let (path, key) = (folder.join("bob.tide"), Key::raw([2; 32]));
    /// # let invite = ada.invite(InviteOptions { auto_approve: true, ..InviteOptions::default() }).await?;
    /// # let request = Workspace::ask_to_join(&path, key.clone(), &invite.uri, "Bob").await?;
    /// # let asked = ada.receive_request(&request).await?;
    /// # let bob = Workspace::finish_joining(&path, key, ada.welcome(&asked.id).await?).await?;
    /// # let to = folder.join("backup");
    /// # ada.backup(&to, Some(Key::raw([9; 32])), |_, _| ControlFlow::Continue(())).await?;
    /// let (key, path) = (Key::raw([9; 32]), folder.join("restored.tide"));
    /// let restored = Workspace::restore(&to, &path, key, None, |_, _| ControlFlow::Continue(())).await?;
    /// assert_eq!(restored.name()?, "Notes");
    /// assert!(restored.restored()); // can be read, but not written
    ///
    /// restored.sync_with(&bob).await?; // with another device, or with a relay
    /// assert!(!restored.restored());
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn restore(
        from: impl AsRef<Path>,
        path: impl AsRef<Path>,
        backup_key: Key,
        key: Option<Key>,
        progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Self> {
        Self::restore_in(from, Environment::folder(path), backup_key, key, progress).await
    }

    /// [`Workspace::restore`] into an environment of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::restore`].
    pub async fn restore_in(
        from: impl AsRef<Path>,
        environment: Environment,
        backup_key: Key,
        key: Option<Key>,
        progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Self> {
        let from = Arc::new(FolderStorage::new(from.as_ref()));
        Self::restored_from(from, environment, backup_key, key, progress).await
    }

    pub(crate) async fn restored_from(
        from: Arc<dyn Storage>,
        environment: Environment,
        backup_key: Key,
        key: Option<Key>,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Self> {
        let waiting = Abandoned::default();
        let abandoned = Arc::clone(&waiting.0);
        let key = key.unwrap_or_else(|| backup_key.clone());
        let opening = (environment.clone(), key.clone());
        blocking(move || run(&*from, &environment, &backup_key, &key, &mut progress, &abandoned)).await?;
        Self::open_in(opening.0, opening.1).await
    }
}

fn run(
    from: &dyn Storage,
    environment: &Environment,
    backup_key: &Key,
    key: &Key,
    progress: Progress<'_>,
    abandoned: &AtomicBool,
) -> Result<()> {
    let manifest = complete(from)?;
    let vault = unseal(&manifest, backup_key)?;
    let to = &*environment.storage;
    begin(to)?;
    let _lock = to.lock().map_err(locked)?;
    copy_log(from, to, &manifest, random_array(&*environment.random), progress, abandoned)?;
    Custody::create(environment, vault, key)?;
    to.remove(MARK).map_err(cannot("finish the restored workspace"))
}

/// Takes possession of an empty folder, or of one that an interrupted restore left.
pub(super) fn begin(to: &dyn Storage) -> Result<()> {
    let unreadable = cannot("read the folder of the workspace");
    to.create_folder("").map_err(cannot("make the folder of the workspace"))?;
    let names = to.list("").map_err(&unreadable)?;
    let log = to.list(LOG_FOLDER).map_err(&unreadable)?;
    let marked = names.iter().any(|name| name == MARK);
    let own = |name: &String| name == LOCK_FILE || name == MARK || name.ends_with(".tmp");
    if names.iter().any(|name| name == VAULT) || !names.iter().all(own) || !(log.is_empty() || marked) {
        return Err(Error::new(
            ErrorKind::AlreadyExists,
            "the folder is not empty: restore into an empty one",
        ));
    }
    replace_file(to, MARK, b"").map_err(cannot("write the folder of the workspace"))?;
    to.create_folder(LOG_FOLDER).map_err(cannot("make the folder of the workspace"))?;
    to.sync_folder("").map_err(cannot("make the folder of the workspace"))
}

/// Copies and checks the segments.
fn copy_log(
    from: &dyn Storage,
    to: &dyn Storage,
    manifest: &Manifest,
    epoch: [u8; 16],
    progress: Progress<'_>,
    abandoned: &AtomicBool,
) -> Result<()> {
    let (mut done, total) = (0, manifest.bytes());
    for part in &manifest.segments {
        let path = segment_path(part.number);
        let source = from.open(&path, false).map_err(cannot("read the backup"))?;
        let target = to.open(&path, true).map_err(cannot("write the workspace"))?;
        target.set_len(0).map_err(cannot("write the workspace"))?;
        copy(&*source, &*target, part, epoch)?;
        target.sync().map_err(cannot("make the workspace durable"))?;
        done += part.bytes;
        go_on(progress, abandoned, done, total)?;
    }
    to.sync_folder(LOG_FOLDER).map_err(cannot("make the workspace durable"))
}

fn copy(source: &dyn StorageFile, target: &dyn StorageFile, part: &Copied, epoch: [u8; 16]) -> Result<()> {
    let damaged = || {
        let text = format!("segment {} of the backup is damaged: nothing was restored", part.number);
        Error::new(ErrorKind::Corrupt, text)
    };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut at = 0;
    while at < part.bytes {
        let count = usize::try_from(part.bytes - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let chunk = &mut buffer[..count];
        match source.read_at(at, chunk) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(damaged()),
            read => read.map_err(cannot("read the backup"))?,
        }
        hash.update(&*chunk);
        if let (0, Some(header)) = (at, chunk.first_chunk_mut::<HEADER_BYTES>()) {
            // A header that was damaged before the backup stays so: reading the log copes with it.
            *header = with_epoch(header, epoch).unwrap_or(*header);
        }
        target.write_at(at, chunk).map_err(cannot("write the workspace"))?;
        at += count as u64;
    }
    if to_hex(&hash.finalize()) == part.sha256 { Ok(()) } else { Err(damaged()) }
}
