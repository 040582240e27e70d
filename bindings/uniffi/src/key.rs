//! Keys of the vault, and the stores of the platform that keep them.

use std::sync::Arc;

use crate::error::Result;

/// What opens a workspace on this device.
#[derive(Debug, uniffi::Object)]
pub struct Key(pub(crate) tidelog_api::Key);

#[uniffi::export]
impl Key {
    /// A passphrase.
    ///
    /// # Errors
    ///
    /// None.
    #[uniffi::constructor]
    pub fn passphrase(passphrase: String) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Key::passphrase(passphrase))))
    }

    /// 32 random bytes that the host keeps safe.
    ///
    /// # Errors
    ///
    /// `invalid_argument` unless they are 32.
    #[uniffi::constructor]
    pub fn raw(bytes: Vec<u8>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Key::raw(&bytes)?)))
    }

    /// The key in a store of the platform.
    ///
    /// # Errors
    ///
    /// None.
    #[uniffi::constructor]
    pub fn from_store(store: Arc<dyn KeyStore>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Key::from_store(Arc::new(Store(store))))))
    }
}

/// A place of the platform that keeps one key of 32 bytes. Called on a thread that may block.
#[uniffi::export(foreign)]
pub trait KeyStore: Send + Sync {
    /// The key, if there is one.
    ///
    /// # Errors
    ///
    /// Whatever the platform says.
    fn load(&self) -> Result<Option<Vec<u8>>>;

    /// Keeps a key, safely before this returns.
    ///
    /// # Errors
    ///
    /// Whatever the platform says.
    fn store(&self, key: Vec<u8>) -> Result<()>;
}

struct Store(Arc<dyn KeyStore>);

impl tidelog_api::KeyStore for Store {
    fn load(&self) -> tidelog_api::Result<Option<Vec<u8>>> {
        Ok(self.0.load()?)
    }

    fn store(&self, key: Vec<u8>) -> tidelog_api::Result<()> {
        Ok(self.0.store(key)?)
    }
}
