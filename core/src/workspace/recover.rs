//! Recovery: a workspace from recovery words, on a machine that has nothing of it.
//!
//! The words stand for the root, which is above every owner, or for a recovery device of one user.
//! Both can open every epoch key that was wrapped to them, and both can admit a device. So the log is
//! fetched, from a relay or a folder; a new device is made, admitted by the words, and gives itself
//! the keys that the words open. From then on the words are of no more use here, and not kept.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use tidelog_log::crypto::Signer;
use tidelog_log::directory::{DeviceCert, Directory, Op, Role, user_id};
use tidelog_log::entry::Entry;
use tidelog_log::ids::{DeviceId, UserId, WorkspaceId};
use tidelog_log::log::{Draft, LogError};
use tidelog_log::segments::Segments;
use tidelog_log::storage::{FolderStorage, Storage};

use super::copies::{self, GRANTS_MAX};
use super::create::{Start, blocking, start, unlock};
use super::custody::Custody;
use super::{Environment, Workspace};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::Secret;
use crate::keys::device::{DeviceKeys, INCARNATION_LEN, KeyHolder, RootKeys};
use crate::keys::keyring::{Keyring, Recipient};
use crate::keys::vault::{Key, Vault};
use crate::keys::words;
use crate::net::{self, Dial, Party};

/// A recovery device has one life: its words.
const ON_PAPER: [u8; INCARNATION_LEN] = [0; INCARNATION_LEN];
/// Entries taken from a folder at once, before the run that crosses it.
const BATCH_ENTRIES: usize = 2_000;

/// Where the log of a lost workspace still is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoverFrom {
    /// At a relay, which has many workspaces: the id says which. It is no secret.
    Relay {
        /// URL of the relay.
        url: String,
        /// Id of the workspace.
        workspace: WorkspaceId,
    },
    /// In a folder: a backup, with or without secrets, or the workspace of any other member.
    Folder(PathBuf),
}

impl Workspace {
    /// Makes a device of this user that exists as 24 words only, to be written down: with them the
    /// user comes back after losing every device ([`Workspace::recover`]). It receives every key
    /// like any device. The words are shown once and not kept.
    ///
    /// # Errors
    ///
    /// `restored`, `closed`, or what writing reports.
    pub async fn add_recovery_device(&self) -> Result<String> {
        let this = self.clone();
        blocking(move || {
            let engine = &this.inner.engine;
            let secret = Secret::generate(&*engine.random);
            add_on_paper(engine, &secret)?;
            Ok((*words::encode(&secret)).clone())
        })
        .await
    }

    /// Gets a workspace back with recovery words, as a new device in an empty folder, which `key`
    /// opens from then on. The words of the root make it a device of the user who made the
    /// workspace, or of a new owner if that one is gone; those of a recovery device, one of its
    /// user. May be repeated after an interruption.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for what are no recovery words, saying which word is wrong if that can be
    /// told; `wrong_key` if they are not of this workspace; `already_exists` if the folder holds
    /// another workspace; `not_a_workspace` if there is no log where it should be; `not_admitted` if
    /// the keys have yet to come, from a writer that syncs; `network`, `relay_refused`.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::{Key, RecoverFrom, Workspace};
    ///
    /// let lost = folder.join("notes.tide");
    /// let workspace = Workspace::create(&lost, Key::raw([7; 32]), "Notes").await?;
    /// let words = workspace.recovery_words()?; // to be written down
    /// workspace.confirm_recovery_words(&words).await?;
    /// workspace.shutdown().await?;
    ///
    /// let (path, from) = (folder.join("recovered.tide"), RecoverFrom::Folder(lost));
    /// let workspace = Workspace::recover(path, Key::raw([8; 32]), &words, from).await?;
    /// assert_eq!(workspace.name()?, "Notes");
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn recover(path: impl AsRef<Path>, key: Key, words: &str, from: RecoverFrom) -> Result<Self> {
        Self::recover_in(Environment::folder(path), key, words, from).await
    }

    /// [`Workspace::recover`] in an environment of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::recover`].
    pub async fn recover_in(
        environment: Environment,
        key: Key,
        words: &str,
        from: RecoverFrom,
    ) -> Result<Self> {
        let secret = words::decode(words)?;
        let source = match from {
            RecoverFrom::Relay { url, workspace } => Source::Relay { url, workspace },
            RecoverFrom::Folder(path) => Source::Folder(Arc::new(FolderStorage::new(path))),
        };
        Self::recover_from(environment, key, &secret, source).await
    }

    async fn recover_from(
        environment: Environment,
        key: Key,
        secret: &Secret,
        source: Source,
    ) -> Result<Self> {
        let place = source.clone();
        let workspace = blocking(move || prepare(environment, &key, &place)).await?;
        let recovered = workspace.take_back(secret, source).await;
        if recovered.is_err() {
            workspace.shutdown().await?;
        }
        recovered.map(|()| workspace)
    }

    async fn take_back(&self, secret: &Secret, source: Source) -> Result<()> {
        let device = DeviceKeys::derive(secret, &self.id(), &ON_PAPER);
        let holders: [Arc<dyn KeyHolder>; 2] = [Arc::new(RootKeys::derive(secret)), Arc::new(device)];
        let engine = Arc::clone(&self.inner.engine);
        let dial = match source {
            Source::Relay { url, .. } => {
                let dial = self.dial(&url)?;
                self.fetch(&dial, &holders).await?;
                Some(dial)
            }
            Source::Folder(folder) => {
                blocking(move || copy_log(&engine, folder)).await?;
                None
            }
        };
        let directory = self.inner.engine.log.directory();
        let known = |holder: &&Arc<dyn KeyHolder>| {
            let id = holder.device();
            directory.is_member(&id) || directory.root().is_some_and(|root| root.pk == id)
        };
        let holder = holders.iter().find(known).cloned().ok_or_else(foreign)?;
        let engine = Arc::clone(&self.inner.engine);
        blocking(move || admit(&engine, holder)).await?;
        match &dial {
            Some(dial) => net::sync_once(dial, &self.party()).await.map(drop),
            None => Ok(()),
        }
    }

    /// Fetches the log from a relay, in the name of whoever the words stand for.
    async fn fetch(&self, dial: &Dial, holders: &[Arc<dyn KeyHolder>]) -> Result<()> {
        let mut last = foreign();
        for holder in holders {
            let signer: Arc<dyn Signer> = holder.clone();
            let party = Party { signer, ..self.party() };
            match net::sync_once(dial, &party).await {
                Err(error) if error.kind() == ErrorKind::NotAdmitted => last = foreign().with_source(error),
                synced => return synced.map(drop),
            }
        }
        Err(last)
    }
}

/// [`RecoverFrom`], with the folder as a storage.
#[derive(Clone)]
enum Source {
    Relay { url: String, workspace: WorkspaceId },
    Folder(Arc<dyn Storage>),
}

impl Source {
    fn workspace(&self) -> Result<WorkspaceId> {
        match self {
            Self::Relay { workspace, .. } => Ok(*workspace),
            Self::Folder(folder) => {
                Ok(Segments::open(Arc::clone(folder)).map_err(LogError::from)?.workspace())
            }
        }
    }
}

fn foreign() -> Error {
    let text = "these are recovery words, but none that this workspace knows";
    Error::new(ErrorKind::WrongKey, text)
}

/// Opens what an earlier attempt left, or makes the keys and an empty log.
fn prepare(environment: Environment, key: &Key, source: &Source) -> Result<Workspace> {
    let workspace = source.workspace()?;
    let (custody, how) = match unlock(&environment, key) {
        Ok((custody, held)) if held == workspace => (custody, Start::Open),
        Ok(_) => {
            let text = "the folder holds another workspace: recover into an empty folder";
            return Err(Error::new(ErrorKind::AlreadyExists, text));
        }
        Err(error) if error.kind() == ErrorKind::NotAWorkspace => {
            let vault = Vault::generate(&*environment.random);
            (Custody::create(&environment, vault, key)?, Start::Create)
        }
        Err(error) => return Err(error),
    };
    let engine = start(&environment, &custody, workspace, how)?;
    copies::settle_in(&engine, &custody, &*environment.storage)?;
    Workspace::new(engine, custody, environment.storage)
}

/// Takes the log of a folder over, entry by entry, with every check.
fn copy_log(engine: &Engine, folder: Arc<dyn Storage>) -> Result<()> {
    let segments = Segments::open(folder).map_err(LogError::from)?;
    let mut batch: Vec<Entry> = Vec::new();
    let mut unsigned = HashSet::new();
    segments.inspect(&mut |_, entry: Entry| {
        let header = entry.header();
        let chain = (header.stream, header.author);
        if header.covered {
            unsigned.insert(chain)
        } else {
            unsigned.remove(&chain)
        };
        batch.push(entry);
        if batch.len() >= BATCH_ENTRIES && unsigned.is_empty() {
            engine.log.receive_blocking(std::mem::take(&mut batch))?;
        }
        Ok::<_, LogError>(())
    })?;
    engine.log.receive_blocking(batch)?;
    Ok(())
}

/// Adds the device of a secret to this device's user.
fn add_on_paper(engine: &Engine, secret: &Secret) -> Result<()> {
    let user = engine.user()?;
    let device = DeviceKeys::derive(secret, &engine.workspace(), &ON_PAPER);
    let kem = device.kem().public();
    let cert = DeviceCert::issue(&device, kem, &engine.workspace(), &user);
    let directory = engine.log.directory();
    let mut ops = vec![Op::AddDevice { user, cert }];
    if directory.role(&engine.device()).is_some_and(|role| role >= Role::Writer) {
        let recipient = Recipient { device: device.device(), kem };
        let keyring = engine.keyring.read().unwrap_or_else(PoisonError::into_inner);
        ops.extend(keyring.grants_of_all(&directory, &user, recipient, &*engine.random)?);
    }
    commit(engine, &engine.signer(), ops)?;
    if engine.log.directory().is_member(&device.device()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NotAuthorized, "the workspace does not take a recovery device"))
}

/// Admits this device in the name of whoever the words stand for, and gives it the keys.
fn admit(engine: &Engine, holder: Arc<dyn KeyHolder>) -> Result<()> {
    let directory = engine.log.directory();
    if !directory.is_member(&engine.device()) {
        let own = directory.device(&holder.device()).map(|device| device.user);
        let add = match own.or_else(|| founder(&directory)) {
            Some(user) => Op::AddDevice { user, cert: engine.certificate(user) },
            None => {
                let user = user_id(&engine.workspace(), &engine.device());
                Op::AddUser { user, role: Role::Owner, certs: vec![engine.certificate(user)] }
            }
        };
        let signer: Arc<dyn Signer> = holder.clone();
        commit(engine, &signer, vec![add])?;
    }
    let directory = engine.log.directory();
    let role = directory.role(&engine.device());
    if engine.stream("").is_err() && role.is_some_and(|role| role >= Role::Writer) {
        let mut keyring = Keyring::new(engine.workspace(), holder);
        keyring.learn(&directory);
        let recipient = Recipient { device: engine.device(), kem: engine.keys().kem().public() };
        let grants = keyring.grants_of_all(&directory, &engine.user()?, recipient, &*engine.random)?;
        commit(engine, &engine.signer(), grants)?;
    }
    if engine.stream("").is_ok() {
        return Ok(());
    }
    let text = "the device is admitted, and gets its keys from the next writer that syncs: repeat it then";
    Err(Error::new(ErrorKind::NotAdmitted, text))
}

/// The owner with a device that the root added: the one who made the workspace, or came back.
fn founder(directory: &Directory) -> Option<UserId> {
    let root = directory.root()?.pk;
    let added_by_root =
        |device: &DeviceId| directory.device(device).is_some_and(|device| device.added_by == root);
    let owners = directory.users().into_iter().filter(|user| user.role == Role::Owner);
    owners.into_iter().find(|user| user.devices.iter().any(added_by_root)).map(|user| user.id)
}

/// Writes operations to the directory, in as many entries as they need.
pub(super) fn commit(engine: &Engine, signer: &Arc<dyn Signer>, mut ops: Vec<Op>) -> Result<()> {
    while !ops.is_empty() {
        let rest = ops.split_off(ops.len().min(GRANTS_MAX));
        engine.log.commit_blocking(vec![Draft::directory(Arc::clone(signer), ops)])?;
        ops = rest;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
