//! The keys that a device can open, and the choice of one to write with.
//!
//! The keyring learns from the directory: epoch keys wrapped to the device, the earlier keys sealed
//! under them, and the name key of each circle. Every key is checked against the commitment its
//! author signed. It is a function of the directory and the device's secret, kept in memory only;
//! who may write, remove or grant is the directory's business.
//!
//! A key that is known is good for reading. To **write**, an epoch must have been opened by a wrap
//! made for that very epoch, so that an old key published again under a new number is not taken
//! for a fresh one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tidelog_log::directory::{Directory, Epoch, Op, Role, Wrap};
use tidelog_log::env::Random;
use tidelog_log::ids::{CircleId, DeviceId, EntryId, KeyId, UserId, WorkspaceId};

use super::KEY_LEN;
use super::device::KeyHolder;
use super::epoch::{self, EpochKey, EpochLabel, NameKey, WrapError};
use crate::error::{Error, ErrorKind};

/// Why an epoch cannot be made or granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyringError {
    #[error("this device holds no key of the circle yet")]
    NoKey,
    #[error("device {0} cannot receive keys")]
    Recipient(DeviceId),
    #[error("the circle has used up its epoch numbers")]
    Epochs,
}

impl From<KeyringError> for Error {
    fn from(error: KeyringError) -> Self {
        let kind = match error {
            KeyringError::NoKey => ErrorKind::NotAdmitted,
            KeyringError::Recipient(_) | KeyringError::Epochs => ErrorKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

/// A device that keys are wrapped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// Its id.
    pub(crate) device: DeviceId,
    /// Its X25519 key.
    pub(crate) kem: [u8; KEY_LEN],
}

/// What a look at the directory brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Learned {
    /// Whether there are keys that were not known before: waiting entries may open now.
    pub(crate) new_keys: bool,
    /// Epochs whose author wrapped another key to this device than the one committed to.
    pub(crate) mismatched: Vec<EntryId>,
}

/// The keys of one device in one workspace.
#[derive(Debug)]
pub(crate) struct Keyring {
    device: Arc<dyn KeyHolder>,
    workspace: WorkspaceId,
    keys: HashMap<KeyId, Arc<EpochKey>>,
    /// Epochs whose wrap to this device was opened.
    opened: HashSet<(EntryId, KeyId)>,
    names: HashMap<CircleId, NameKey>,
    /// The keys to write with, as of the directory with so many entries: the choice costs time.
    writers: HashMap<CircleId, KeyId>,
    learned_len: usize,
}

impl Keyring {
    /// The device whose keys these are.
    pub(crate) fn device(&self) -> DeviceId {
        self.device.device()
    }

    /// An empty keyring.
    pub(crate) fn new(workspace: WorkspaceId, device: Arc<dyn KeyHolder>) -> Self {
        Self {
            device,
            workspace,
            keys: HashMap::new(),
            opened: HashSet::new(),
            names: HashMap::new(),
            writers: HashMap::new(),
            learned_len: 0,
        }
    }

    /// Goes on as another device of the same user. What was learned stays.
    pub(crate) fn go_on_as(&mut self, device: Arc<dyn KeyHolder>, directory: &Directory) {
        self.device = device;
        self.learn(directory);
    }

    /// Opens what the directory holds for this device.
    pub(crate) fn learn(&mut self, directory: &Directory) -> Learned {
        let mut learned = Learned::default();
        // Also of those who lost their standing since: others wrote with their keys meanwhile.
        let epochs = directory.known_epochs(&CircleId::WORKSPACE);
        let commits: HashMap<_, _> = epochs.iter().map(|epoch| (epoch.key_id, epoch.commit)).collect();
        // From the newest down: an epoch seals the keys of earlier ones.
        for epoch in epochs.into_iter().rev() {
            self.open_wraps(directory, epoch, &mut learned);
            let Some(key) = self.keys.get(&epoch.key_id).cloned() else { continue };
            let label = self.label(epoch);
            for (previous, sealed) in &epoch.prev {
                let Some(commit) = commits.get(previous).filter(|_| !self.keys.contains_key(previous)) else {
                    continue;
                };
                if let Ok(previous) = epoch::open_previous(&key, &label, commit, sealed) {
                    self.insert(previous, &mut learned);
                }
            }
            if let (false, Some(commit)) = (self.names.contains_key(&epoch.circle), directory.name_commit())
                && let Ok(name) = NameKey::open(&key, &label, &commit, &epoch.name_wrap)
            {
                self.names.insert(epoch.circle, name);
            }
        }
        self.writers = [CircleId::WORKSPACE]
            .into_iter()
            .filter_map(|circle| Some((circle, self.choose(&circle, directory)?)))
            .collect();
        self.learned_len = directory.len();
        learned
    }

    fn open_wraps(&mut self, directory: &Directory, epoch: &Epoch, learned: &mut Learned) {
        if self.opened.contains(&(epoch.entry, epoch.key_id)) {
            return;
        }
        let label = self.label(epoch);
        for wrap in directory.wraps(&epoch.key_id, &self.device.device()) {
            match epoch::unwrap(&label, self.device.kem(), wrap) {
                Ok(key) => {
                    self.opened.insert((epoch.entry, epoch.key_id));
                    self.insert(key, learned);
                    return;
                }
                Err(WrapError::Commitment) => learned.mismatched.push(epoch.entry),
                // Made for another epoch with this key, or damaged by its author.
                Err(WrapError::Open | WrapError::Recipient) => {}
            }
        }
    }

    fn insert(&mut self, key: EpochKey, learned: &mut Learned) {
        learned.new_keys |= self.keys.insert(key.id(), Arc::new(key)).is_none();
    }

    fn label(&self, epoch: &Epoch) -> EpochLabel {
        EpochLabel {
            workspace: self.workspace,
            circle: epoch.circle,
            epoch: epoch.epoch,
            commit: epoch.commit,
        }
    }

    /// The key of this id, if the device could open it.
    pub(crate) fn get(&self, key_id: &KeyId) -> Option<&Arc<EpochKey>> {
        self.keys.get(key_id)
    }

    /// The name key of a circle, if the device could open it.
    pub(crate) fn name_key(&self, circle: &CircleId) -> Option<&NameKey> {
        self.names.get(circle)
    }

    /// The key to write with: of the valid epochs opened here whose keys all devices of the circle
    /// were given and nobody else but the root, the one with the highest number, then the smallest
    /// key id. `None` means that a new epoch has to be made first.
    pub(crate) fn writer_key(&self, circle: &CircleId, directory: &Directory) -> Option<&Arc<EpochKey>> {
        let key_id = if directory.len() == self.learned_len {
            self.writers.get(circle).copied()
        } else {
            self.choose(circle, directory)
        };
        self.keys.get(&key_id?)
    }

    fn choose(&self, circle: &CircleId, directory: &Directory) -> Option<KeyId> {
        let devices: BTreeSet<DeviceId> =
            directory.recipients(circle).into_iter().map(|(device, _)| device).collect();
        let root = directory.root().map(|root| root.pk);
        let fits = |epoch: &&Epoch| {
            let readers = directory.readers(&epoch.key_id);
            self.opened.contains(&(epoch.entry, epoch.key_id))
                && readers.is_subset(&devices)
                && devices.difference(&readers).all(|device| Some(*device) == root)
        };
        let better = |a: &&Epoch, b: &&Epoch| a.epoch.cmp(&b.epoch).then_with(|| b.key_id.cmp(&a.key_id));
        directory.epochs(circle).into_iter().filter(fits).max_by(better).map(|epoch| epoch.key_id)
    }

    /// The operation that starts the first epoch of a new workspace.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub(crate) fn first_epoch(
        name: &NameKey,
        directory: &Directory,
        random: &dyn Random,
    ) -> Result<Op, KeyringError> {
        epoch_op(CircleId::WORKSPACE, name, directory, &HashMap::new(), random)
    }

    /// The operation that starts the next epoch of a circle.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub(crate) fn next_epoch(
        &self,
        circle: CircleId,
        directory: &Directory,
        random: &dyn Random,
    ) -> Result<Op, KeyringError> {
        let name = self.names.get(&circle).ok_or(KeyringError::NoKey)?;
        epoch_op(circle, name, directory, &self.keys, random)
    }

    /// The operations that give devices every newest key of a circle that this device holds;
    /// earlier ones follow from these.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub(crate) fn grants(
        &self,
        circle: CircleId,
        directory: &Directory,
        recipients: &[Recipient],
        random: &dyn Random,
    ) -> Result<Vec<Op>, KeyringError> {
        let newest = directory.next_epoch(&circle).ok_or(KeyringError::Epochs)?.prev;
        let mut grants = Vec::new();
        for epoch in directory.epochs(&circle) {
            if !newest.contains(&epoch.key_id) || !self.opened.contains(&(epoch.entry, epoch.key_id)) {
                continue;
            }
            let key = self.keys.get(&epoch.key_id).ok_or(KeyringError::NoKey)?;
            let wraps = wraps(key, &self.label(epoch), recipients, random)?;
            grants.push(Op::KeyGrant { circle, key_id: epoch.key_id, wraps });
        }
        if grants.is_empty() { Err(KeyringError::NoKey) } else { Ok(grants) }
    }

    /// The operations that give a device of a user every key that this one holds, of the circles
    /// where the user may give keys.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub(crate) fn grants_of_all(
        &self,
        directory: &Directory,
        user: &UserId,
        recipient: Recipient,
        random: &dyn Random,
    ) -> Result<Vec<Op>, KeyringError> {
        let mut grants = Vec::new();
        let writes = |circle: &CircleId| {
            directory.role_in_circle(user, circle).is_some_and(|role| role >= Role::Writer)
        };
        for circle in directory.circles().into_iter().map(|circle| circle.id).filter(writes) {
            for epoch in directory.known_epochs(&circle) {
                let Some(key) = self.keys.get(&epoch.key_id) else { continue };
                let wraps = wraps(key, &self.label(epoch), &[recipient], random)?;
                grants.push(Op::KeyGrant { circle, key_id: epoch.key_id, wraps });
            }
        }
        if grants.is_empty() { Err(KeyringError::NoKey) } else { Ok(grants) }
    }
}

/// An epoch for all devices of the workspace and its root, with the earlier keys it must seal.
///
/// An earlier key that this device cannot open is stood in for by random bytes: readers find that
/// these are not what was committed to, and nobody is kept from writing.
fn epoch_op(
    circle: CircleId,
    name: &NameKey,
    directory: &Directory,
    known: &HashMap<KeyId, Arc<EpochKey>>,
    random: &dyn Random,
) -> Result<Op, KeyringError> {
    let next = directory.next_epoch(&circle).ok_or(KeyringError::Epochs)?;
    let key = EpochKey::generate(random);
    let label =
        EpochLabel { workspace: directory.workspace(), circle, epoch: next.epoch, commit: key.commit() };
    let seal_previous = |key_id: &KeyId| {
        let stand_in = || Arc::new(EpochKey::generate(random));
        let previous = known.get(key_id).cloned().unwrap_or_else(stand_in);
        (*key_id, epoch::seal_previous(&key, &label, key_id, &previous, random))
    };
    Ok(Op::KeyEpoch {
        circle,
        epoch: next.epoch,
        key_id: key.id(),
        commit: key.commit(),
        name_wrap: name.seal(&key, &label, random),
        prev: next.prev.iter().map(seal_previous).collect(),
        wraps: wraps(&key, &label, &members(directory, &circle), random)?,
    })
}

/// All devices of a circle, and the root unless the circle is not for it.
fn members(directory: &Directory, circle: &CircleId) -> Vec<Recipient> {
    let recipients = directory.recipients(circle).into_iter();
    recipients.map(|(device, kem)| Recipient { device, kem }).collect()
}

fn wraps(
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

#[cfg(test)]
mod tests;
