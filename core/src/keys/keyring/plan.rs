//! Making an epoch: its key, what is sealed under it, and for whom it is wrapped.

use std::sync::Arc;

use tidelog_log::directory::{CircleSettings, Directory, History, NextEpoch, Op, SEALED_KEY_LEN, Wrap};
use tidelog_log::env::Random;
use tidelog_log::ids::{CircleId, KeyId, WorkspaceId};

use super::super::epoch::{self, EpochKey, EpochLabel, NameKey};
use super::{KeyringError, Recipient};

/// An epoch that is about to be made.
pub(super) struct Plan {
    workspace: WorkspaceId,
    circle: CircleId,
    next: NextEpoch,
    recipients: Vec<Recipient>,
    history: History,
}

impl Plan {
    pub(super) fn next(
        circle: CircleId,
        settings: CircleSettings,
        directory: &Directory,
        recipients: Vec<Recipient>,
    ) -> Result<Self, KeyringError> {
        let next = directory.next_epoch(&circle).ok_or(KeyringError::Epochs)?;
        Ok(Self { workspace: directory.workspace(), circle, next, recipients, history: settings.history })
    }

    /// The epoch, with the earlier keys that it must seal.
    ///
    /// An earlier key that this device cannot open is stood in for by random bytes: readers find that
    /// these are not what was committed to, and nobody is kept from writing. Where who comes later must
    /// not have it, there are zeros.
    pub(super) fn epoch(
        self,
        name: &NameKey,
        known: impl Fn(&KeyId) -> Option<Arc<EpochKey>>,
        random: &dyn Random,
    ) -> Result<Op, KeyringError> {
        let Self { workspace, circle, next, recipients, history } = self;
        let key = EpochKey::generate(random);
        let label = EpochLabel { workspace, circle, epoch: next.epoch, commit: key.commit() };
        let seal_previous = |key_id: &KeyId| {
            if history == History::FromJoin {
                return (*key_id, [0; SEALED_KEY_LEN]);
            }
            let stand_in = || Arc::new(EpochKey::generate(random));
            let previous = known(key_id).unwrap_or_else(stand_in);
            (*key_id, epoch::seal_previous(&key, &label, key_id, &previous, random))
        };
        Ok(Op::KeyEpoch {
            circle,
            epoch: next.epoch,
            key_id: key.id(),
            commit: key.commit(),
            name_wrap: name.seal(&key, &label, random),
            prev: next.prev.iter().map(seal_previous).collect(),
            wraps: wraps(&key, &label, &recipients, random)?,
        })
    }
}

/// A key, wrapped to each of some devices.
pub(super) fn wraps(
    key: &EpochKey,
    label: &EpochLabel,
    recipients: &[Recipient],
    random: &dyn Random,
) -> Result<Vec<Wrap>, KeyringError> {
    let wrap = |recipient: &Recipient| {
        epoch::wrap(key, label, &recipient.device, &recipient.kem, random)
            .map_err(|_| KeyringError::Recipient(recipient.device))
    };
    recipients.iter().map(wrap).collect()
}
