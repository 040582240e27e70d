//! What the materialiser needs of keys and the directory.

use std::sync::{Arc, PoisonError, RwLock};

use tidelog_log::directory::Directory;
use tidelog_log::entry::{Entry, Header};
use tidelog_log::ids::{CircleId, DeviceId, KeyId, StreamId, UserId};

use crate::data::hlc::Hlc;
use crate::keys::keyring::Keyring;
use crate::keys::payload::{self, PayloadError};

/// An entry's payload, as far as this device can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unsealed {
    /// It opened.
    Plain {
        /// When it was written.
        hlc: Hlc,
        /// What it does, as bytes.
        operations: Vec<u8>,
    },
    /// The key is not held yet.
    MissingKey,
    /// It does not open under the key that it names.
    Invalid,
    /// A newer version sealed it.
    Newer,
}

/// Opens payloads and knows whose devices there are.
pub(crate) trait Unseal: Send {
    /// The directory changed: there may be new keys and devices.
    fn directory_changed(&mut self, directory: &Directory);
    /// Whether a key is held.
    fn holds(&self, key: &KeyId) -> bool;
    /// Opens an entry's payload.
    fn unseal(&self, entry: &Entry) -> Unsealed;
    /// Whether this is the device that writes here.
    fn is_own(&self, device: &DeviceId) -> bool;
    /// The user whose device this is or was.
    fn user(&self, device: &DeviceId) -> Option<UserId>;
    /// The one circle whose key an entry is sealed with, as far as its author could know; circle zero
    /// if the key was unknown there. `None` if it was of several circles: then the entry belongs to none.
    fn circle(&self, header: &Header) -> Option<CircleId>;
    /// The stream of the database with a name in a circle.
    fn stream(&self, circle: &CircleId, database: &str) -> Option<StreamId>;
}

/// The keys of this device.
#[derive(Debug)]
pub(crate) struct WorkspaceKeys {
    keyring: Arc<RwLock<Keyring>>,
    directory: Directory,
}

impl WorkspaceKeys {
    /// Uses a keyring that others read too, starting from a directory.
    pub(crate) const fn new(keyring: Arc<RwLock<Keyring>>, directory: Directory) -> Self {
        Self { keyring, directory }
    }
}

impl Unseal for WorkspaceKeys {
    fn directory_changed(&mut self, directory: &Directory) {
        self.directory = directory.clone();
        let learned = self.keyring.write().unwrap_or_else(PoisonError::into_inner).learn(directory);
        for epoch in learned.mismatched {
            tracing::warn!(%epoch, "a key epoch does not hold the keys that its author committed to");
        }
    }

    fn holds(&self, key: &KeyId) -> bool {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).get(key).is_some()
    }

    fn unseal(&self, entry: &Entry) -> Unsealed {
        unseal(&self.keyring, entry)
    }

    fn is_own(&self, device: &DeviceId) -> bool {
        self.keyring.read().unwrap_or_else(PoisonError::into_inner).device() == *device
    }

    fn user(&self, device: &DeviceId) -> Option<UserId> {
        self.directory.owner_of(device)
    }

    fn circle(&self, header: &Header) -> Option<CircleId> {
        // It follows from the entry's own past alone, so it never changes.
        let mut circles = self.directory.circles_of_key_at(&header.key_id, &header.auth).into_iter();
        let first = circles.next().unwrap_or(CircleId::WORKSPACE);
        circles.next().is_none().then_some(first)
    }

    fn stream(&self, circle: &CircleId, database: &str) -> Option<StreamId> {
        let keyring = self.keyring.read().unwrap_or_else(PoisonError::into_inner);
        keyring.name_key(circle).map(|key| key.stream_id(database))
    }
}

/// Opens an entry's payload with the keys held.
pub(crate) fn unseal(keyring: &RwLock<Keyring>, entry: &Entry) -> Unsealed {
    let keyring = keyring.read().unwrap_or_else(PoisonError::into_inner);
    let Some(key) = keyring.get(&entry.header().key_id).cloned() else { return Unsealed::MissingKey };
    drop(keyring);
    match payload::open(&key, entry) {
        Ok(opened) => Unsealed::Plain { hlc: Hlc::from_bits(opened.hlc), operations: opened.operations },
        Err(error) => {
            tracing::debug!(entry = %entry.id(), %error, "a payload does not open");
            if error == PayloadError::Codec { Unsealed::Newer } else { Unsealed::Invalid }
        }
    }
}
