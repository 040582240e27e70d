//! The keys that a device can open, and the choice of one to write with.
//!
//! The keyring learns from the directory: epoch keys wrapped to the device, the earlier keys sealed
//! under them, and the name key of each circle. Every key is checked against the commitment its
//! author signed. It is a function of the directory and the device's secret, kept in memory only;
//! who may write, remove or grant is the directory's business.
//!
//! A key that is known is good for reading. To **write**, an epoch must have been opened by a wrap
//! made for that very epoch, so that an old key published again under a new number is not taken
//! for a fresh one; the key must be of one circle only, so that what is written with it belongs
//! nowhere else; and the epoch must hand on the circle's name key, or who comes later is shut out.

mod plan;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use tidelog_log::directory::{CircleSettings, Directory, Epoch, History, Op, Role};
use tidelog_log::env::Random;
use tidelog_log::ids::{CircleId, DeviceId, EntryId, KeyId, UserId, WorkspaceId};

use super::KEY_LEN;
use super::device::KeyHolder;
use super::epoch::{self, EpochKey, EpochLabel, NameKey};
use crate::error::{Error, ErrorKind};
use plan::{Plan, wraps};

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
    /// Epochs whose author did not wrap the key committed to to this device, or sealed another name
    /// key under it than the circle's, as far as that is news.
    pub(crate) mismatched: Vec<EntryId>,
}

/// The keys of one device in one workspace.
#[derive(Debug)]
pub(crate) struct Keyring {
    device: Arc<dyn KeyHolder>,
    workspace: WorkspaceId,
    keys: HashMap<KeyId, Arc<EpochKey>>,
    /// The circles that keys were handed on for by somebody who has them. Anybody can publish the
    /// commitment of another circle's key: such a key must not be handed on as one of this circle.
    belong: HashSet<(CircleId, KeyId)>,
    /// Epochs whose wrap to this device was opened.
    opened: HashSet<(EntryId, KeyId)>,
    names: HashMap<CircleId, NameKey>,
    /// Epochs whose author did not wrap the key committed to to this device.
    mismatched: BTreeMap<EntryId, (DeviceId, KeyId)>,
    /// Epochs whose key is held here and was tried on the circle's name key, with whoever made those
    /// under which that is not sealed. Nobody does that who means well: who makes an epoch has the name.
    tried: HashMap<EntryId, Option<DeviceId>>,
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
            belong: HashSet::new(),
            opened: HashSet::new(),
            names: HashMap::new(),
            mismatched: BTreeMap::new(),
            tried: HashMap::new(),
            writers: HashMap::new(),
            learned_len: 0,
        }
    }

    /// Goes on as another device of the same user. What was learned stays.
    pub(crate) fn go_on_as(&mut self, device: Arc<dyn KeyHolder>, directory: &Directory) {
        self.device = device;
        self.learn(directory);
    }

    /// Opens what the directory holds for this device, of all circles.
    pub(crate) fn learn(&mut self, directory: &Directory) -> Learned {
        let mut learned = Learned::default();
        for (circle, name_commit) in directory.circle_names() {
            self.learn_circle(directory, &circle, &name_commit, &mut learned);
        }
        let circles: Vec<CircleId> = self.names.keys().copied().collect();
        self.writers = circles
            .into_iter()
            .filter_map(|circle| Some((circle, self.choose(&circle, directory)?)))
            .collect();
        self.learned_len = directory.len();
        learned
    }

    fn learn_circle(
        &mut self,
        directory: &Directory,
        circle: &CircleId,
        name_commit: &[u8; 32],
        learned: &mut Learned,
    ) {
        // Also of those who lost their standing since: others wrote with their keys meanwhile.
        let epochs = directory.known_epochs(circle);
        let commits: HashMap<_, _> = epochs.iter().map(|epoch| (epoch.key_id, epoch.commit)).collect();
        // From the newest down: an epoch seals the keys of earlier ones.
        for epoch in epochs.iter().rev() {
            self.open_wraps(directory, epoch, learned);
            let Some(key) = self.keys.get(&epoch.key_id).cloned() else { continue };
            let label = self.label(epoch);
            for (previous, sealed) in &epoch.prev {
                let news = !self.belong.contains(&(*circle, *previous));
                let Some(commit) = commits.get(previous).filter(|_| news) else { continue };
                if let Ok(previous) = epoch::open_previous(&key, &label, commit, sealed) {
                    self.insert(*circle, previous, learned);
                }
            }
            if !self.names.contains_key(circle)
                && let Ok(name) = NameKey::open(&key, &label, name_commit, &epoch.name_wrap)
            {
                self.names.insert(*circle, name);
            }
        }
        if self.names.contains_key(circle) {
            epochs.into_iter().for_each(|epoch| self.try_name(epoch, name_commit, learned));
        }
    }

    /// Looks whether an epoch hands on the name key of its circle, which is held here.
    fn try_name(&mut self, epoch: &Epoch, name_commit: &[u8; 32], learned: &mut Learned) {
        let Some(key) = self.keys.get(&epoch.key_id).filter(|_| !self.tried.contains_key(&epoch.entry))
        else {
            return;
        };
        let sound = NameKey::open(key, &self.label(epoch), name_commit, &epoch.name_wrap).is_ok();
        if !sound {
            learned.mismatched.push(epoch.entry);
        }
        self.tried.insert(epoch.entry, (!sound).then_some(epoch.author));
    }

    fn open_wraps(&mut self, directory: &Directory, epoch: &Epoch, learned: &mut Learned) {
        if self.opened.contains(&(epoch.entry, epoch.key_id)) {
            return;
        }
        let label = self.label(epoch);
        let own = self.device.device();
        let mut wronged = false;
        for wrap in directory.wraps(&epoch.key_id, &own) {
            match epoch::unwrap(&label, self.device.kem(), wrap) {
                Ok(key) => {
                    self.opened.insert((epoch.entry, epoch.key_id));
                    self.mismatched.remove(&epoch.entry);
                    self.insert(epoch.circle, key, learned);
                    return;
                }
                // Otherwise of another epoch with this key, or somebody else's grant.
                Err(_) => wronged |= epoch.wraps.contains(wrap),
            }
        }
        if wronged && self.mismatched.insert(epoch.entry, (epoch.author, epoch.key_id)).is_none() {
            learned.mismatched.push(epoch.entry);
        }
    }

    /// The epochs that this device was to read and whose key it did not get, and those that keep the
    /// circle's name key from who comes later, with whoever made them.
    pub(crate) fn mismatched(&self) -> Vec<(EntryId, DeviceId)> {
        let lacking = self.mismatched.iter().filter(|(_, (_, key_id))| !self.keys.contains_key(key_id));
        let lacking = lacking.map(|(entry, (author, _))| (*entry, *author));
        let nameless = self.tried.iter().filter_map(|(entry, author)| Some((*entry, (*author)?)));
        let all: BTreeMap<EntryId, DeviceId> = lacking.chain(nameless).collect();
        all.into_iter().collect()
    }

    /// The circles whose databases this device can name, circle zero first, then by id.
    pub(crate) fn circles(&self) -> Vec<CircleId> {
        let circles: BTreeSet<CircleId> = self.names.keys().copied().collect();
        circles.into_iter().collect()
    }

    fn insert(&mut self, circle: CircleId, key: EpochKey, learned: &mut Learned) {
        self.belong.insert((circle, key.id()));
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
    /// were given and nobody else but the root, nor with a later key that seals it, and that hand on the
    /// name key, the one with the highest number, then the smallest key id. `None` means that a new epoch has to be made first.
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
        let mut best: Option<&Epoch> = None;
        // Keys that somebody has who must not, given or sealed under what was given.
        let mut leaked = HashSet::new();
        // From the newest down: an epoch seals the keys of earlier ones.
        for epoch in directory.epochs(circle).into_iter().rev() {
            let readers = directory.readers(&epoch.key_id);
            if leaked.contains(&epoch.key_id) || !readers.is_subset(&devices) {
                leaked.insert(epoch.key_id);
                leaked.extend(epoch.prev.iter().map(|(key_id, _)| *key_id));
                continue;
            }
            let fits = self.opened.contains(&(epoch.entry, epoch.key_id))
                && !matches!(self.tried.get(&epoch.entry), Some(Some(_)))
                && directory.circles_of_key(&epoch.key_id).len() == 1
                && devices.difference(&readers).all(|device| Some(*device) == root);
            if fits && best.is_none_or(|best| (epoch.epoch, best.key_id) >= (best.epoch, epoch.key_id)) {
                best = Some(epoch);
            }
        }
        best.map(|epoch| epoch.key_id)
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
        let recipients = members(directory, &CircleId::WORKSPACE);
        let plan = Plan::next(CircleId::WORKSPACE, CircleSettings::WORKSPACE, directory, recipients)?;
        plan.epoch(name, |_| None, random)
    }

    /// The operations that make a circle of a user who acts on one of its devices, with its first
    /// epoch: it never is without a key.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub(crate) fn new_circle(
        circle: CircleId,
        settings: CircleSettings,
        user: &UserId,
        directory: &Directory,
        random: &dyn Random,
    ) -> Result<Vec<Op>, KeyringError> {
        let name = NameKey::generate(random);
        let mut recipients = devices_of(directory, user);
        let root = directory.root().filter(|_| settings.for_root);
        recipients.extend(root.map(|root| Recipient { device: root.pk, kem: root.kem_pk }));
        let plan = Plan::next(circle, settings, directory, recipients)?;
        let epoch = plan.epoch(&name, |_| None, random)?;
        Ok(vec![Op::CircleNew { circle, settings, name_commit: name.commit() }, epoch])
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
        self.next_epoch_for(circle, directory, members(directory, &circle), random)
    }

    /// The operation that starts the next epoch of a circle together with one that takes a user into
    /// it.
    ///
    /// # Errors
    ///
    /// [`KeyringError`].
    pub(crate) fn next_epoch_with(
        &self,
        circle: CircleId,
        newcomer: &UserId,
        directory: &Directory,
        random: &dyn Random,
    ) -> Result<Op, KeyringError> {
        let mut recipients = members(directory, &circle);
        for device in devices_of(directory, newcomer) {
            if !recipients.contains(&device) {
                recipients.push(device);
            }
        }
        self.next_epoch_for(circle, directory, recipients, random)
    }

    fn next_epoch_for(
        &self,
        circle: CircleId,
        directory: &Directory,
        recipients: Vec<Recipient>,
        random: &dyn Random,
    ) -> Result<Op, KeyringError> {
        let name = self.names.get(&circle).ok_or(KeyringError::NoKey)?;
        let settings = directory.circle(&circle).ok_or(KeyringError::NoKey)?.settings;
        let own = |key_id: &KeyId| self.key_of(&circle, key_id).cloned();
        Plan::next(circle, settings, directory, recipients)?.epoch(name, own, random)
    }

    /// A key that is held here and is one of a circle.
    fn key_of(&self, circle: &CircleId, key_id: &KeyId) -> Option<&Arc<EpochKey>> {
        self.keys.get(key_id).filter(|_| self.belong.contains(&(*circle, *key_id)))
    }

    /// The operations that give devices every newest key of a circle that this device holds. Earlier
    /// ones follow from these; those that do not, because whoever made a later one did not seal them
    /// under it, are given too, unless newcomers must not have them.
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
        let mut given = HashSet::new();
        for epoch in directory.epochs(&circle) {
            if newest.contains(&epoch.key_id) && self.opened.contains(&(epoch.entry, epoch.key_id)) {
                grants.push(self.grant(epoch, recipients, random)?);
                given.insert(epoch.key_id);
            }
        }
        if grants.is_empty() {
            return Err(KeyringError::NoKey);
        }
        let full = directory.circle(&circle).is_some_and(|circle| circle.settings.history == History::Full);
        if full {
            let lacking = self.out_of_reach(&directory.known_epochs(&circle), given);
            for epoch in lacking {
                grants.push(self.grant(epoch, recipients, random)?);
            }
        }
        Ok(grants)
    }

    /// The epochs of a circle, oldest first as they are given, whose keys are held here and do not
    /// follow from given keys.
    fn out_of_reach<'e>(&self, epochs: &[&'e Epoch], mut reached: HashSet<KeyId>) -> Vec<&'e Epoch> {
        let commits: HashMap<_, _> = epochs.iter().map(|epoch| (epoch.key_id, epoch.commit)).collect();
        let mut lacking = Vec::new();
        for epoch in epochs.iter().rev() {
            let Some(key) = self.key_of(&epoch.circle, &epoch.key_id) else { continue };
            if reached.insert(epoch.key_id) {
                lacking.push(*epoch);
            }
            for (previous, sealed) in &epoch.prev {
                let Some(commit) = commits.get(previous).filter(|_| !reached.contains(previous)) else {
                    continue;
                };
                if epoch::open_previous(key, &self.label(epoch), commit, sealed).is_ok() {
                    reached.insert(*previous);
                }
            }
        }
        lacking
    }

    fn grant(&self, epoch: &Epoch, to: &[Recipient], random: &dyn Random) -> Result<Op, KeyringError> {
        let key = self.key_of(&epoch.circle, &epoch.key_id).ok_or(KeyringError::NoKey)?;
        let wraps = wraps(key, &self.label(epoch), to, random)?;
        Ok(Op::KeyGrant { circle: epoch.circle, key_id: epoch.key_id, wraps })
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
                if self.key_of(&circle, &epoch.key_id).is_some() {
                    grants.push(self.grant(epoch, &[recipient], random)?);
                }
            }
        }
        if grants.is_empty() { Err(KeyringError::NoKey) } else { Ok(grants) }
    }
}

/// The active devices of a user.
pub(crate) fn devices_of(directory: &Directory, user: &UserId) -> Vec<Recipient> {
    let devices = directory.user(user).into_iter().flat_map(|user| user.devices);
    let devices = devices.filter_map(|device| directory.device(&device));
    devices.map(|device| Recipient { device: device.id, kem: device.kem_pk }).collect()
}

/// All devices of a circle, and the root unless the circle is not for it.
fn members(directory: &Directory, circle: &CircleId) -> Vec<Recipient> {
    let recipients = directory.recipients(circle).into_iter();
    recipients.map(|(device, kem)| Recipient { device, kem }).collect()
}

#[cfg(test)]
mod tests;
