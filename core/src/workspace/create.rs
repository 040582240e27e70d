//! Making and opening workspaces on disk.

use std::path::Path;
use std::sync::{Arc, RwLock};

use tidelog_log::crypto::Signer as _;
use tidelog_log::directory::{Directory, Op, Role, user_id};
use tidelog_log::ids::WorkspaceId;
use tidelog_log::log::{Draft, Log, LogOptions, genesis};
use tidelog_log::segments::{SegmentError, Segments};
use zeroize::Zeroizing;

use super::custody::{Custody, read_sealed};
use super::{Environment, Workspace, copies};
use crate::data::Shared;
use crate::data::hlc::HlcClock;
use crate::data::materialise::{Materialiser, WorkspaceKeys};
use crate::data::tables::ROWS_VERSION;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::Secret;
use crate::keys::device::{DeviceKeys, RootKeys};
use crate::keys::epoch::NameKey;
use crate::keys::keyring::Keyring;
use crate::keys::vault::{Key, Vault};

/// Longest name of a workspace or profile, in bytes.
pub(super) const LABEL_BYTES_MAX: usize = 255;

impl Workspace {
    /// Makes a workspace in a folder, which may exist but must hold none.
    ///
    /// # Errors
    ///
    /// `already_exists` if the folder holds a workspace; `already_open`; `invalid_argument` for an
    /// empty passphrase or name; or what the disk reports.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::{Key, Workspace};
    ///
    /// let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// assert_eq!(workspace.name()?, "Notes");
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn create(path: impl AsRef<Path>, key: Key, name: &str) -> Result<Self> {
        Self::create_in(Environment::folder(path), key, name).await
    }

    /// Opens the workspace of a folder.
    ///
    /// # Errors
    ///
    /// `not_a_workspace`, `wrong_key`, `already_open` with the process that holds it,
    /// `not_admitted` while joining is not finished, `newer_format`, `corrupt`, or what the disk
    /// reports.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::{ErrorKind, Key, Workspace};
    ///
    /// let path = folder.join("notes.tide");
    /// let workspace = Workspace::open_or_create(&path, Key::raw([7; 32]), "Notes").await?;
    /// let again = Workspace::open(&path, Key::raw([7; 32])).await;
    /// assert!(again.is_err_and(|error| error.kind() == ErrorKind::AlreadyOpen));
    ///
    /// workspace.shutdown().await?;
    /// let workspace = Workspace::open(&path, Key::raw([7; 32])).await?;
    /// assert_eq!(workspace.name()?, "Notes");
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn open(path: impl AsRef<Path>, key: Key) -> Result<Self> {
        Self::open_in(Environment::folder(path), key).await
    }

    /// Opens the workspace of a folder, or makes it if there is none.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::open`] and [`Workspace::create`].
    pub async fn open_or_create(path: impl AsRef<Path>, key: Key, name: &str) -> Result<Self> {
        Self::open_or_create_in(Environment::folder(path), key, name).await
    }

    /// [`Workspace::open_or_create`] in an environment of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::open_or_create`].
    pub async fn open_or_create_in(environment: Environment, key: Key, name: &str) -> Result<Self> {
        match Self::open_in(environment.clone(), key.clone()).await {
            Err(error) if error.kind() == ErrorKind::NotAWorkspace => {
                Self::create_in(environment, key, name).await
            }
            opened => opened,
        }
    }

    /// [`Workspace::create`] in an environment of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::create`].
    pub async fn create_in(environment: Environment, key: Key, name: &str) -> Result<Self> {
        check_label("workspace name", name)?;
        let workspace = blocking(move || create(environment, &key)).await?;
        workspace.set_name(name).await?;
        Ok(workspace)
    }

    /// [`Workspace::open`] in an environment of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::open`].
    pub async fn open_in(environment: Environment, key: Key) -> Result<Self> {
        blocking(move || {
            let workspace = open(environment, &key)?;
            let engine = &workspace.inner.engine;
            if engine.user().is_ok() && engine.stream("").is_ok() {
                return Ok(workspace);
            }
            engine.close();
            let hint = "the workspace is not complete: repeat what was interrupted, joining or creating";
            Err(Error::new(ErrorKind::NotAdmitted, hint))
        })
        .await
    }
}

/// Runs work that blocks on the disk, or on the stretching of a passphrase, off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|error| Err(Error::new(ErrorKind::Internal, "a task panicked").with_source(error)))
}

pub(super) fn check_label(what: &str, label: &str) -> Result<()> {
    if label.trim().is_empty() || label.len() > LABEL_BYTES_MAX || label.chars().any(char::is_control) {
        let rule = format!("a {what} has 1 to {LABEL_BYTES_MAX} bytes and no control characters");
        return Err(Error::new(ErrorKind::InvalidArgument, rule));
    }
    Ok(())
}

pub(super) fn create(environment: Environment, key: &Key) -> Result<Workspace> {
    if holds_workspace(&environment, key)? {
        return Err(Error::new(ErrorKind::AlreadyExists, "the folder already holds a workspace: open it"));
    }
    let random = &*environment.random;
    let mut vault = Vault::generate(random);
    let root_secret = Secret::generate(random);
    let root = Arc::new(RootKeys::derive(&root_secret));
    vault.root = Some(root_secret);
    let name_key = NameKey::generate(random);
    let first = genesis(
        &*root,
        vec![Op::Genesis {
            root_pk: root.device(),
            root_kem_pk: root.kem().public(),
            name_commit: name_key.commit(),
            policy: Vec::new(),
        }],
    )?;
    let workspace = WorkspaceId(first.id().0);
    let custody = Custody::create(&environment, vault, key)?;
    let engine = start(&environment, &custody, workspace, Start::Create)?;
    copies::settle_in(&engine, &custody, &*environment.storage)?;
    engine.log.receive_blocking(vec![first])?;
    let user = user_id(&workspace, &engine.device());
    let cert = engine.certificate(user);
    let add = Op::AddUser { user, role: Role::Owner, certs: vec![cert] };
    engine.log.commit_blocking(vec![Draft::directory(root, vec![add])])?;
    let epoch = Keyring::first_epoch(&name_key, &engine.log.directory(), random)?;
    engine.log.commit_blocking(vec![Draft::directory(engine.signer(), vec![epoch])])?;
    Workspace::new(engine, custody, environment.storage)
}

pub(super) fn open(environment: Environment, key: &Key) -> Result<Workspace> {
    let (custody, workspace) = unlock(&environment, key)?;
    let engine = start(&environment, &custody, workspace, Start::Open)?;
    copies::settle_in(&engine, &custody, &*environment.storage)?;
    Workspace::new(engine, custody, environment.storage)
}

/// Whether the folder holds a workspace; what an interrupted creation left is removed.
fn holds_workspace(environment: &Environment, key: &Key) -> Result<bool> {
    let (custody, workspace) = match unlock(environment, key) {
        Err(error) if error.kind() == ErrorKind::NotAWorkspace => return Ok(false),
        Err(error) if error.kind() == ErrorKind::WrongKey => return Ok(true),
        unlocked => unlocked?,
    };
    let engine = start(environment, &custody, workspace, Start::Open)?;
    // The founder's folder without a first key was never handed out: nothing can be in it.
    let complete = custody.look(|vault| vault.root.is_none())? || engine.stream("").is_ok();
    engine.close();
    if !complete {
        Log::remove(&*environment.storage)?;
    }
    Ok(complete)
}

/// Opens the vault, and reads whose log it belongs to.
pub(super) fn unlock(environment: &Environment, key: &Key) -> Result<(Custody, WorkspaceId)> {
    let missing = || Error::new(ErrorKind::NotAWorkspace, "there is no workspace in this folder");
    if read_sealed(&*environment.storage)?.is_none() {
        return Err(missing());
    }
    let workspace = match Segments::open(Arc::clone(&environment.storage)) {
        Ok(segments) => segments.workspace(),
        Err(SegmentError::NotAWorkspace) => return Err(missing()),
        Err(error) => return Err(tidelog_log::log::LogError::from(error).into()),
    };
    Ok((Custody::open(environment, key)?.ok_or_else(missing)?, workspace))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Create,
    Open,
}

/// Starts the engine on a folder.
pub(super) fn start(
    environment: &Environment,
    custody: &Custody,
    workspace: WorkspaceId,
    how: Start,
) -> Result<Engine> {
    let keys = custody
        .look(|vault| DeviceKeys::derive(&vault.seed, &workspace, &vault.life.incarnation))
        .map(Arc::new)?;
    let keyring = Arc::new(RwLock::new(Keyring::new(workspace, keys.clone())));
    let clock = Arc::new(HlcClock::new(Arc::clone(&environment.clock)));
    let shared = Arc::new(Shared::default());
    let materialiser = Materialiser::new(
        WorkspaceKeys::new(Arc::clone(&keyring), Directory::new(workspace)),
        Arc::clone(&clock),
        Arc::clone(&environment.random),
        Arc::clone(&shared),
    );
    let options = LogOptions {
        storage: Arc::clone(&environment.storage),
        clock: Arc::clone(&environment.clock),
        random: Arc::clone(&environment.random),
        state_key: Some(Zeroizing::new(*keys.local_key().as_bytes())),
        rows_version: ROWS_VERSION,
        apply: Some(Box::new(materialiser)),
        threaded: environment.threaded,
    };
    let log = match how {
        Start::Create => Log::create(options, workspace),
        Start::Open => Log::open(options),
    }?;
    let clocks = (Arc::clone(&environment.clock), clock);
    Ok(Engine::new(log, keys, keyring, clocks, Arc::clone(&environment.random), shared))
}
