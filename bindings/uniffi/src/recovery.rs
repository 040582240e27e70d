//! Passphrases, backups, copies and recovery.

use std::sync::Arc;

use tidelog_api::{BackupInfo, BackupReport, RecoverFrom};

use crate::error::Result;
use crate::key::Key;
use crate::meter::Meter;
use crate::workspace::Workspace;

#[uniffi::export]
impl Workspace {
    /// Makes another key the one that opens this workspace on this device; `old`, if given, has to be the
    /// present one.
    pub async fn change_passphrase(&self, old: Option<Arc<Key>>, new: Arc<Key>) -> Result<()> {
        Ok(self.0.change_passphrase(given(old), new.0.clone()).await?)
    }

    /// The 24 words that stand for the root of this workspace, until they are confirmed.
    pub async fn recovery_words(&self) -> Result<String> {
        Ok(self.0.recovery_words().await?)
    }

    /// Takes the recovery words back from who wrote them down; right ones are erased from this device.
    pub async fn confirm_recovery_words(&self, words: String) -> Result<()> {
        Ok(self.0.confirm_recovery_words(words).await?)
    }

    /// Makes a device of this user that exists as 24 words only. They are not shown again.
    pub async fn add_recovery_device(&self) -> Result<String> {
        Ok(self.0.add_recovery_device().await?)
    }

    /// Copies the workspace as it is now into a folder; into that of an earlier backup, only what is new.
    /// The meter counts bytes; a stopped backup is not complete, and the next one goes on.
    pub async fn backup(&self, to: String, key: Option<Arc<Key>>, meter: Arc<Meter>) -> Result<BackupReport> {
        Ok(self.0.backup(to, given(key), meter.0.clone()).await?)
    }

    /// Makes the workspace of a backup anew in an empty folder. `backup_key` opens the backup, `key` the
    /// workspace from then on, the same one if there is none.
    #[uniffi::constructor]
    pub async fn restore(
        from: String,
        path: String,
        backup_key: Arc<Key>,
        key: Option<Arc<Key>>,
        meter: Arc<Meter>,
    ) -> Result<Arc<Self>> {
        let (backup_key, key) = (backup_key.0.clone(), given(key));
        let call = tidelog_api::Workspace::restore(from, path, backup_key, key, meter.0.clone());
        Ok(Arc::new(Self(call.await?)))
    }

    /// Gets a workspace back with recovery words, as a new device in an empty folder.
    #[uniffi::constructor]
    pub async fn recover(path: String, key: Arc<Key>, words: String, from: RecoverFrom) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Workspace::recover(path, key.0.clone(), words, from).await?)))
    }

    /// Whether this is a copy of a device, which can only be read until it has met a peer.
    pub fn restored(&self) -> Result<bool> {
        Ok(self.0.restored()?)
    }

    /// Goes on without having met a peer: no other copy of this device is in use.
    pub async fn confirm_only_copy(&self) -> Result<()> {
        Ok(self.0.confirm_only_copy().await?)
    }
}

/// Reads a backup and checks it; with a key, also that this opens it. The meter counts bytes.
#[uniffi::export]
pub async fn verify_backup(from: String, key: Option<Arc<Key>>, meter: Arc<Meter>) -> Result<BackupInfo> {
    Ok(tidelog_api::Workspace::verify_backup(from, given(key), meter.0.clone()).await?)
}

fn given(key: Option<Arc<Key>>) -> Option<tidelog_api::Key> {
    key.map(|key| key.0.clone())
}
