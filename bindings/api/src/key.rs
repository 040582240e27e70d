//! Keys of the vault, and the stores of the platform that keep them.

use std::fmt;
use std::sync::Arc;

use tidelog::Environment;
use zeroize::Zeroizing;

use crate::call::joined;
use crate::error::{Error, ErrorKind, Result};
use crate::runtime::guard;

/// What opens a workspace on this device.
#[derive(Clone)]
pub struct Key(Kind);

#[derive(Clone)]
enum Kind {
    Known(tidelog::Key),
    Stored(Arc<dyn KeyStore>),
}

/// A place of the platform that keeps one key of 32 bytes: a keychain, a keystore, a keyring.
///
/// Both are called on a thread that may block, and not at the same time for one call.
pub trait KeyStore: Send + Sync + 'static {
    /// The key, if there is one.
    ///
    /// # Errors
    ///
    /// Whatever the platform says; it becomes the error of the call that needed the key.
    fn load(&self) -> Result<Option<Vec<u8>>>;

    /// Keeps a key, safely before this returns: what it opens is written afterwards.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    fn store(&self, key: Vec<u8>) -> Result<()>;
}

impl Key {
    /// A passphrase, stretched before it is used.
    #[must_use]
    pub fn passphrase(passphrase: String) -> Self {
        Self(Kind::Known(tidelog::Key::passphrase(passphrase)))
    }

    /// 32 random bytes that the host keeps safe.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) unless they are 32.
    pub fn raw(bytes: &[u8]) -> Result<Self> {
        Ok(Self(Kind::Known(raw(bytes)?)))
    }

    /// The key in a store of the platform. Making or joining a workspace makes a key first, if the
    /// store has none; opening one without its key fails with [`WrongKey`](ErrorKind::WrongKey).
    #[must_use]
    pub fn from_store(store: Arc<dyn KeyStore>) -> Self {
        Self(Kind::Stored(store))
    }

    /// The key of a workspace that is there.
    pub(crate) async fn loaded(self, environment: &Environment) -> Result<tidelog::Key> {
        self.resolve(environment, false).await
    }

    /// The key of a workspace that is there or about to be made. A new one is in its store before
    /// anything is sealed with it.
    pub(crate) async fn loaded_or_made(self, environment: &Environment) -> Result<tidelog::Key> {
        self.resolve(environment, true).await
    }

    /// The key of something else that is there: a backup, or the workspace that is open.
    pub(crate) async fn known(self) -> Result<tidelog::Key> {
        match self.0 {
            Kind::Known(key) => Ok(key),
            Kind::Stored(store) => {
                let missing = || Error::new(ErrorKind::WrongKey, "the key store holds no key");
                let bytes = blocking(move || store.load()).await?.ok_or_else(missing)?;
                raw(&Zeroizing::new(bytes))
            }
        }
    }

    /// The key to seal something else with from now on. A new one is in its store before anything is
    /// sealed with it.
    pub(crate) async fn known_or_made(self) -> Result<tidelog::Key> {
        let Kind::Stored(store) = &self.0 else { return self.known().await };
        let (loading, store) = (Arc::clone(store), Arc::clone(store));
        if blocking(move || loading.load()).await?.is_some() {
            return self.known().await;
        }
        let bytes = Zeroizing::new(Environment::folder("").random_key());
        let key = tidelog::Key::raw(*bytes);
        blocking(move || store.store(bytes.to_vec())).await?;
        Ok(key)
    }

    async fn resolve(self, environment: &Environment, make: bool) -> Result<tidelog::Key> {
        let store = match self.0 {
            Kind::Known(key) => return Ok(key),
            Kind::Stored(store) => store,
        };
        let loading = Arc::clone(&store);
        if let Some(bytes) = blocking(move || loading.load()).await? {
            return raw(&Zeroizing::new(bytes));
        }
        let bytes = Zeroizing::new(environment.random_key());
        let key = tidelog::Key::raw(*bytes);
        // Nothing opens with a key that was never used: this tells whether there is a workspace.
        match tidelog::Workspace::open_in(environment.clone(), key.clone()).await {
            Err(error) if error.kind() == tidelog::ErrorKind::NotAWorkspace && make => {
                blocking(move || store.store(bytes.to_vec())).await?;
                Ok(key)
            }
            Err(error) if error.kind() != tidelog::ErrorKind::WrongKey => Err(error.into()),
            _ => {
                let reason = "the key store holds no key, but there is a workspace: its key was lost";
                Err(Error::new(ErrorKind::WrongKey, reason))
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

fn raw(bytes: &[u8]) -> Result<tidelog::Key> {
    let bytes = bytes.try_into().map_err(|_| Error::invalid_argument("a raw key has 32 bytes"))?;
    Ok(tidelog::Key::raw(bytes))
}

/// A keychain may ask its user first.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    joined(tokio::task::spawn_blocking(move || guard(work))).await
}

#[cfg(feature = "test-util")]
pub use for_tests::{FileKeyStore, MemoryKeyStore};

#[cfg(feature = "test-util")]
mod for_tests {
    use std::fs;
    use std::io;
    use std::path::PathBuf;
    use std::sync::{Mutex, PoisonError};

    use super::KeyStore;
    use crate::error::{Error, ErrorKind, Result};

    /// A key store of tests that forgets with the process.
    #[derive(Default)]
    pub struct MemoryKeyStore(Mutex<Option<Vec<u8>>>);

    impl KeyStore for MemoryKeyStore {
        fn load(&self) -> Result<Option<Vec<u8>>> {
            Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone())
        }

        fn store(&self, key: Vec<u8>) -> Result<()> {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
            Ok(())
        }
    }

    /// A key store of tests: a file with the key in it.
    pub struct FileKeyStore(PathBuf);

    impl FileKeyStore {
        /// The store in this file, which need not exist.
        pub fn new(path: impl Into<PathBuf>) -> Self {
            Self(path.into())
        }
    }

    impl KeyStore for FileKeyStore {
        fn load(&self) -> Result<Option<Vec<u8>>> {
            match fs::read(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                read => read.map(Some).map_err(|error| refused(&error)),
            }
        }

        fn store(&self, key: Vec<u8>) -> Result<()> {
            fs::write(&self.0, key).map_err(|error| refused(&error))
        }
    }

    fn refused(error: &io::Error) -> Error {
        Error::new(ErrorKind::Io, format!("the file of the key store cannot be used: {}", error.kind()))
    }
}
