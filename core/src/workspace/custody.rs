//! The vault of an open workspace, and the file that holds it: both change together or not at all.
//!
//! The file is replaced as a whole: a sealed copy beside it, made durable, takes its name. So
//! whatever interrupts a change, the old file or the new one is there, and no other. The sealing key
//! stays in memory while the workspace is open, a passphrase does not.

use std::sync::{Arc, Mutex, PoisonError};

use tidelog_log::env::Random;
use tidelog_log::storage::{Storage, read_file, replace_file};

use super::Environment;
use crate::engine::{READ_ONLY_HINT, io_kind};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::vault::{Cost, Key, Life, VAULT_LEN_MAX, Vault, VaultError, VaultKey};

/// The file that holds the device's secrets, sealed.
pub(super) const VAULT: &str = "vault";

/// The secrets of the device of an open workspace.
pub(super) struct Custody {
    storage: Arc<dyn Storage>,
    random: Arc<dyn Random>,
    cost: Cost,
    /// `None` once the workspace is closed, and the folder may be somebody else's.
    held: Mutex<Option<Held>>,
}

struct Held {
    vault: Vault,
    key: VaultKey,
}

impl Custody {
    /// Seals new secrets under a key and writes the file.
    pub(super) fn create(environment: &Environment, vault: Vault, key: &Key) -> Result<Self> {
        let custody = Self::keep(environment, vault, sealing_key(environment, key)?);
        environment.storage.create_folder("").map_err(|error| cannot_write(&error))?;
        custody.change(|_| ())?;
        Ok(custody)
    }

    /// Opens the file; `None` if there is none.
    pub(super) fn open(environment: &Environment, key: &Key) -> Result<Option<Self>> {
        let Some(sealed) = read_sealed(&*environment.storage)? else { return Ok(None) };
        let (vault, key) = Vault::open(&sealed, key)?;
        Ok(Some(Self::keep(environment, vault, key)))
    }

    fn keep(environment: &Environment, vault: Vault, key: VaultKey) -> Self {
        Self {
            storage: Arc::clone(&environment.storage),
            random: Arc::clone(&environment.random),
            cost: environment.cost,
            held: Mutex::new(Some(Held { vault, key })),
        }
    }

    /// Looks at the secrets.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Vault) -> T) -> Result<T> {
        self.with(|held| Ok(look(&held.vault)))
    }

    /// Changes the secrets, durably.
    pub(super) fn change(&self, change: impl FnOnce(&mut Vault)) -> Result<()> {
        self.with(|held| {
            let mut vault = held.vault.clone();
            change(&mut vault);
            self.write(&vault.seal(&held.key, &*self.random))?;
            held.vault = vault;
            Ok(())
        })
    }

    /// Seals the secrets under another key, durably. An `old` key is compared with the present one
    /// first.
    pub(super) fn change_key(&self, old: Option<&Key>, new: &Key) -> Result<()> {
        self.with(|held| {
            if let Some(old) = old
                && !held.key.is_of(old)?
            {
                return Err(VaultError::WrongKey.into());
            }
            let key = VaultKey::new(new, self.cost, &*self.random)?;
            self.write(&held.vault.seal(&key, &*self.random))?;
            held.key = key;
            Ok(())
        })
    }

    /// The secrets sealed for a backup: under a key of its own, else under the passphrase of the
    /// workspace; `None` if neither is there.
    pub(super) fn seal_for_backup(&self, key: Option<&Key>) -> Result<Option<Vec<u8>>> {
        self.with(|held| {
            let own = key.map(|key| VaultKey::new(key, self.cost, &*self.random)).transpose()?;
            let present = Some(&held.key).filter(|key| key.is_passphrase());
            let homeless = Life { home: None, ..held.vault.life };
            let vault = Vault { life: homeless, next: None, ..held.vault.clone() };
            Ok(own.as_ref().or(present).map(|key| vault.seal(key, &*self.random)))
        })
    }

    /// Forgets the secrets: the folder may have another owner from now on.
    pub(super) fn close(&self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn with<T>(&self, work: impl FnOnce(&mut Held) -> Result<T>) -> Result<T> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = || Error::new(ErrorKind::Closed, "the workspace is closed");
        work(held.as_mut().ok_or_else(closed)?)
    }

    fn write(&self, sealed: &[u8]) -> Result<()> {
        replace_file(&*self.storage, VAULT, sealed).map_err(|error| cannot_write(&error))
    }
}

fn sealing_key(environment: &Environment, key: &Key) -> Result<VaultKey> {
    Ok(VaultKey::new(key, environment.cost, &*environment.random)?)
}

/// The bytes of the vault in a folder, if there is one.
pub(super) fn read_sealed(storage: &dyn Storage) -> Result<Option<Vec<u8>>> {
    read_file(storage, VAULT, VAULT_LEN_MAX).map_err(|error| match error.kind() {
        std::io::ErrorKind::FileTooLarge => VaultError::NotAVault.into(),
        _ => Error::new(io_kind(&error), "cannot read the vault of the workspace").with_source(error),
    })
}

fn cannot_write(error: &std::io::Error) -> Error {
    let kind = io_kind(error);
    let next = match kind {
        ErrorKind::ReadOnly => READ_ONLY_HINT,
        _ => "the key it had before opens it, or the new one",
    };
    Error::new(kind, format!("cannot write the vault of the workspace ({error}): {next}"))
}
