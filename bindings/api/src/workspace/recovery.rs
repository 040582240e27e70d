//! Passphrases, backups, copies and recovery.

use super::{Workspace, environment};
use crate::call::Call;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::meter::Meter;
use crate::runtime::guard;
use crate::types::{BackupInfo, BackupReport, RecoverFrom};

impl Workspace {
    /// Makes another key the one that opens this workspace on this device. With `old` given, it has
    /// to be the present one.
    ///
    /// # Errors
    ///
    /// [`WrongKey`](crate::ErrorKind::WrongKey) if `old` is not the present key,
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an empty passphrase.
    pub fn change_passphrase(&self, old: Option<Key>, new: Key) -> Call<()> {
        self.task(move |core| async move {
            let old = known(old).await?;
            Ok(core.change_passphrase(old, new.known_or_made().await?).await?)
        })
    }

    /// The 24 words that stand for the root of this workspace, until they are confirmed.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) on other devices, and once they are confirmed.
    pub fn recovery_words(&self) -> Call<String> {
        self.blocking(|core| Ok(core.recovery_words()?))
    }

    /// Takes the recovery words back from who wrote them down; right ones are erased from this
    /// device.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what are no recovery words,
    /// [`WrongKey`](crate::ErrorKind::WrongKey) for those of another workspace.
    pub fn confirm_recovery_words(&self, words: String) -> Call<()> {
        self.task(move |core| async move { Ok(core.confirm_recovery_words(&words).await?) })
    }

    /// Makes a device of this user that exists as 24 words only. They are not shown again.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub fn add_recovery_device(&self) -> Call<String> {
        self.task(|core| async move { Ok(core.add_recovery_device().await?) })
    }

    /// Copies the workspace as it is now into a folder; into that of an earlier backup, only what is
    /// new. The key seals the device's secrets in it; without one the workspace's passphrase does.
    /// The meter counts bytes; a stopped backup is not complete, and the next one goes on.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the folder holds something else,
    /// [`DiskFull`](crate::ErrorKind::DiskFull), [`Io`](crate::ErrorKind::Io),
    /// [`Closed`](crate::ErrorKind::Closed) if it was stopped.
    pub fn backup(&self, to: String, key: Option<Key>, meter: Meter) -> Call<BackupReport> {
        self.task(move |core| async move {
            let key = match key {
                Some(key) => Some(key.known_or_made().await?),
                None => None,
            };
            Ok(core.backup(to, key, move |done, total| meter.tell(done, total)).await?.into())
        })
    }

    /// Reads a backup and checks it; with a key, also that it opens the backup. The meter counts
    /// bytes.
    ///
    /// # Errors
    ///
    /// [`NotAWorkspace`](crate::ErrorKind::NotAWorkspace) if there is no complete backup,
    /// [`WrongKey`](crate::ErrorKind::WrongKey), [`NewerFormat`](crate::ErrorKind::NewerFormat).
    pub fn verify_backup(from: String, key: Option<Key>, meter: Meter) -> Call<BackupInfo> {
        Call::task(async move {
            let told = move |done, total| meter.tell(done, total);
            Ok(tidelog::Workspace::verify_backup(from, known(key).await?, told).await?.into())
        })
    }

    /// Makes the workspace of a backup anew in an empty folder. `backup_key` opens the backup, `key`
    /// the workspace from then on, the same one if there is none. The meter counts bytes.
    ///
    /// # Errors
    ///
    /// [`NotAWorkspace`](crate::ErrorKind::NotAWorkspace) if there is no complete backup,
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the folder is not empty,
    /// [`WrongKey`](crate::ErrorKind::WrongKey), [`Corrupt`](crate::ErrorKind::Corrupt).
    pub fn restore(
        from: String,
        path: String,
        backup_key: Key,
        key: Option<Key>,
        meter: Meter,
    ) -> Call<Self> {
        Call::task(async move {
            let environment = environment(&path);
            let backup_key = backup_key.known().await?;
            let key = match key {
                Some(key) => Some(key.loaded_or_made(&environment).await?),
                None => None,
            };
            let told = move |done, total| meter.tell(done, total);
            Ok(Self::new(tidelog::Workspace::restore_in(from, environment, backup_key, key, told).await?))
        })
    }

    /// Gets a workspace back with recovery words, as a new device in an empty folder.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what are no recovery words, or no
    /// place to recover from, [`WrongKey`](crate::ErrorKind::WrongKey) if the workspace does not know
    /// them, [`AlreadyExists`](crate::ErrorKind::AlreadyExists),
    /// [`Network`](crate::ErrorKind::Network).
    pub fn recover(path: String, key: Key, words: String, from: RecoverFrom) -> Call<Self> {
        Call::task(async move {
            let from = match from {
                RecoverFrom { folder: Some(folder), relay: None, workspace: None } => {
                    tidelog::RecoverFrom::Folder(folder.into())
                }
                RecoverFrom { folder: None, relay: Some(url), workspace: Some(id) } => {
                    let workspace = id
                        .parse()
                        .map_err(|_| Error::invalid_argument("the id of a workspace has 64 digits"))?;
                    tidelog::RecoverFrom::Relay { url, workspace }
                }
                _ => {
                    let reason = "give a folder to recover from, or a relay and the id of the workspace";
                    return Err(Error::invalid_argument(reason));
                }
            };
            let environment = environment(&path);
            let key = key.loaded_or_made(&environment).await?;
            Ok(Self::new(tidelog::Workspace::recover_in(environment, key, &words, from).await?))
        })
    }

    /// Whether this is a copy of a device, which can only be read until it has met a peer.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](crate::ErrorKind::Forked).
    pub fn restored(&self) -> Result<bool> {
        guard(|| Ok(self.open_core()?.restored()))
    }

    /// Goes on without having met a peer: no other copy of this device is in use.
    ///
    /// # Errors
    ///
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) if the device was removed meanwhile.
    pub fn confirm_only_copy(&self) -> Call<()> {
        self.task(|core| async move { Ok(core.confirm_only_copy().await?) })
    }
}

/// A key that may be missing.
async fn known(key: Option<Key>) -> Result<Option<tidelog::Key>> {
    match key {
        Some(key) => Ok(Some(key.known().await?)),
        None => Ok(None),
    }
}
