//! New epochs of keys: before a circle is written to that has none which all its devices read and
//! nobody else does, and after the age or number of entries that the workspace's policy says.

use std::sync::PoisonError;

use tidelog_log::directory::{Directory, Op, Role};
use tidelog_log::ids::{CircleId, DeviceId, EntryId};

use super::{Engine, no_key};
use crate::error::{Error, ErrorKind, Result};

/// Milliseconds of a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl Engine {
    /// Makes the next epoch of a circle if there is none that all its devices and nobody else can
    /// read and this one holds, or if that one has served its time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAuthorized`] if this user may not write in the circle; those of writing.
    pub(crate) async fn prepare_to_write(&self, circle: CircleId) -> Result<()> {
        let directory = self.log.directory();
        if self.has_writer_key(&circle, &directory) {
            return Ok(());
        }
        self.check_writer(&circle, &directory)?;
        let epoch = self.next_epoch(circle, &directory)?;
        self.commit_directory(vec![epoch]).await
    }

    /// Makes the next epoch of every circle that lacks one to write with, as far as this device may:
    /// what follows at once when somebody was removed.
    ///
    /// # Errors
    ///
    /// Those of writing.
    pub(crate) async fn renew_keys(&self) -> Result<()> {
        for circle in self.named_circles() {
            let directory = self.log.directory();
            if !self.has_writer_key(&circle, &directory) && self.check_writer(&circle, &directory).is_ok() {
                let epoch = self.next_epoch(circle, &directory)?;
                self.commit_directory(vec![epoch]).await?;
            }
        }
        Ok(())
    }

    /// The epochs that this device was to read and whose key it did not get, with whoever made them.
    pub(crate) fn key_mismatches(&self) -> Vec<(EntryId, DeviceId)> {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).mismatched()
    }

    /// Refuses for a user who may not write in a circle.
    pub(crate) fn check_writer(&self, circle: &CircleId, directory: &Directory) -> Result<()> {
        let user = self.user()?;
        match directory.role_in_circle(&user, circle) {
            None => Err(no_key(circle)),
            Some(role) if role < Role::Writer => {
                Err(Error::new(ErrorKind::NotAuthorized, "the role of this device does not allow writing"))
            }
            Some(_) => Ok(()),
        }
    }

    fn next_epoch(&self, circle: CircleId, directory: &Directory) -> Result<Op> {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        Ok(keyring.next_epoch(circle, directory, &*self.random)?)
    }

    fn has_writer_key(&self, circle: &CircleId, directory: &Directory) -> bool {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        let Some(key) = keyring.writer_key(circle, directory).map(|key| key.id()) else { return false };
        drop(keyring);
        let policy = directory.policy();
        let used = self.shared.key_uses.of(&key);
        let is_old = policy.rotate_days > 0
            && used.since_ms.is_some_and(|since_ms| {
                let age_ms = self.clock.now_ms().saturating_sub(since_ms);
                age_ms >= u64::from(policy.rotate_days) * DAY_MS
            });
        let is_worn = policy.rotate_entries > 0 && used.entries >= u64::from(policy.rotate_entries);
        !is_old && !is_worn
    }
}
