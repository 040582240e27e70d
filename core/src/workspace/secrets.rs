//! What a person keeps of a workspace: the passphrase that opens it here, and the recovery words that
//! open it when everything else is lost.

use std::sync::Arc;

use subtle::ConstantTimeEq as _;
use tidelog_log::crypto::Signer as _;

use super::Workspace;
use super::create::blocking;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::device::RootKeys;
use crate::keys::vault::Key;
use crate::keys::words;

impl Workspace {
    /// Makes another passphrase or raw key the one that opens this workspace on this device. With
    /// `old` given, it has to be the present one. Nothing else changes: data is sealed under other
    /// keys, and backups keep the passphrase that they were made with.
    ///
    /// # Errors
    ///
    /// `wrong_key` if `old` is not the present key; `invalid_argument` for an empty passphrase;
    /// `closed`; or what the disk reports: then the present key opens the workspace, or the new one.
    ///
    /// # Cancellation
    ///
    /// Once begun, the change takes place.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::{Key, Workspace};
    ///
    /// let path = folder.join("notes.tide");
    /// let workspace = Workspace::create(&path, Key::raw([7; 32]), "Notes").await?;
    /// workspace.change_passphrase(None, Key::raw([8; 32])).await?;
    /// workspace.shutdown().await?;
    /// Workspace::open(&path, Key::raw([8; 32])).await?;
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn change_passphrase(&self, old: Option<Key>, new: Key) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.custody.change_key(old.as_ref(), &new)).await
    }

    /// The 24 words that stand for the root of this workspace: with them an owner who lost every
    /// device gets authority and data back (`recover`). Kept on the device that made the workspace
    /// until [`Workspace::confirm_recovery_words`]. Whoever has them is above every owner: they
    /// belong on paper.
    ///
    /// # Errors
    ///
    /// `not_found` on other devices, and once the words are confirmed; `closed`.
    pub fn recovery_words(&self) -> Result<String> {
        let words = self.inner.custody.look(|vault| vault.root.as_ref().map(words::encode))?;
        let gone = "this device does not keep the recovery words: they were confirmed, or are another's";
        words.map(|words| (*words).clone()).ok_or_else(|| Error::new(ErrorKind::NotFound, gone))
    }

    /// Takes the recovery words back from the person who wrote them down. If they are right, they
    /// are erased from this device: from then on they are on paper only. May be repeated.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for what are no recovery words, saying which word is wrong if that can be
    /// told; `wrong_key` for those of another workspace; `closed`; or what the disk reports.
    ///
    /// # Cancellation
    ///
    /// Once begun, the words are erased.
    pub async fn confirm_recovery_words(&self, words: &str) -> Result<()> {
        let secret = words::decode(words)?;
        let root = RootKeys::derive(&secret).device();
        let is_root = |known: tidelog_log::directory::Root| known.pk.0.ct_eq(&root.0).into();
        if !self.inner.engine.log.directory().root().is_some_and(is_root) {
            let text = "these are recovery words, but not those of this workspace's root";
            return Err(Error::new(ErrorKind::WrongKey, text));
        }
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            if inner.custody.look(|vault| vault.root.is_none())? {
                return Ok(());
            }
            inner.custody.change(|vault| vault.root = None)
        })
        .await
    }
}

#[cfg(test)]
mod tests;
