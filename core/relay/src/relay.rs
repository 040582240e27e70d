//! A relay: its folder, its key, and the serving of connections until it is told to stop.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidelog_log::crypto::noise::RelaySecret;
use tidelog_log::env::{Clock, Random};
use tidelog_log::session::Bans;
use tidelog_log::storage::{FolderStorage, LockError, Storage};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{interval, timeout};

use crate::config::{Admission, BLOCKING_SESSIONS_MAX, Config, SHUTDOWN_TIME, SWEEP_INTERVAL};
use crate::door::Door;
use crate::gate::Gate;
use crate::http;
use crate::identity;
use crate::mailbox::Mailboxes;
use crate::metrics::Metrics;
use crate::tenants::Tenants;

/// Where the workspaces are, below the data folder.
const WORKSPACES: &str = "workspaces";
/// Where the mailboxes are, below the data folder.
const MAILBOXES: &str = "mailboxes";

/// A relay cannot start, or stopped serving.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Another relay uses the folder.
    #[error("the folder {} is in use by another relay{}", folder.display(), process(*pid))]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// The other relay's process, if it says.
        pid: Option<u32>,
    },
    /// The folder cannot be used.
    #[error("cannot use the folder {}: {source}", folder.display())]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", listen_problem(source))]
    Listen {
        /// The address.
        address: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operator's token cannot be used.
    #[error("cannot use the token file {}: {reason}", file.display())]
    Token {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system refuses a service that is needed to run.
    #[error("cannot run: {0}")]
    System(#[source] io::Error),
}

fn process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

fn listen_problem(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use; choose another with --listen".into(),
        io::ErrorKind::PermissionDenied => "not permitted; ports below 1024 need privileges".into(),
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address".into(),
        _ => error.to_string(),
    }
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) secret: Arc<RelaySecret>,
    pub(crate) admission: Admission,
    pub(crate) behind_proxy: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) tenants: Tenants,
    pub(crate) mail: Mailboxes,
    pub(crate) gate: Gate,
    pub(crate) metrics: Arc<Metrics>,
    /// The devices that are kept out.
    pub(crate) bans: Bans,
    /// One permit for each session that may block.
    pub(crate) blocking: Semaphore,
    /// Whether the relay stops.
    pub(crate) stopping: watch::Sender<bool>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}

/// A relay with its folder locked, ready to serve.
pub struct Relay {
    shared: Arc<Shared>,
    connections_max: usize,
    _lock: Box<dyn Send + Sync>,
}

impl fmt::Debug for Relay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Relay").field("key", &self.key_text()).finish_non_exhaustive()
    }
}

impl Relay {
    /// Takes the data folder, makes what is missing there, and reads the mailboxes. Blocks.
    ///
    /// # Errors
    ///
    /// If another relay has the folder, or it cannot be used.
    pub fn open(config: Config) -> Result<Self, RelayError> {
        let folder = config.data.clone();
        let bad_folder = |source| RelayError::Folder { folder: folder.clone(), source };
        let storage = FolderStorage::new(&folder);
        storage.create_folder("").map_err(bad_folder)?;
        let lock = storage.lock().map_err(|error| match error {
            LockError::Held { pid } => RelayError::InUse { folder: folder.clone(), pid },
            LockError::Io(source) => bad_folder(source),
        })?;
        Self::assemble(config, &folder, &storage, lock).map_err(bad_folder)
    }

    fn assemble(
        config: Config,
        folder: &Path,
        storage: &FolderStorage,
        lock: Box<dyn Send + Sync>,
    ) -> io::Result<Self> {
        let secret = identity::load_or_create(folder, &*config.random)?;
        storage.create_folder(WORKSPACES)?;
        storage.create_folder(MAILBOXES)?;
        let mail_storage = Arc::new(FolderStorage::new(folder.join(MAILBOXES)));
        let mail = Mailboxes::load(mail_storage, Arc::clone(&config.clock))?;
        let metrics = Arc::new(Metrics::default());
        let tenants = Tenants::new(folder.join(WORKSPACES), &config, Arc::clone(&metrics));
        let shared = Shared {
            secret: Arc::new(secret),
            admission: config.admission,
            behind_proxy: config.behind_proxy,
            clock: config.clock,
            random: config.random,
            tenants,
            mail,
            gate: Gate::default(),
            metrics,
            bans: Bans::default(),
            blocking: Semaphore::new(BLOCKING_SESSIONS_MAX),
            stopping: watch::Sender::new(false),
        };
        Ok(Self { shared: Arc::new(shared), connections_max: config.connections_max, _lock: lock })
    }

    /// The relay's public Noise key, by which clients know it.
    #[must_use]
    pub fn key(&self) -> [u8; 32] {
        self.shared.secret.public()
    }

    /// The key as 64 hexadecimal digits.
    #[must_use]
    pub fn key_text(&self) -> String {
        http::key_text(&self.shared)
    }

    /// Serves connections until `shutdown` is ready; then says good-bye to them, finishes what they
    /// had begun, for at most 10 seconds, and closes the workspaces.
    ///
    /// # Errors
    ///
    /// If the listener fails.
    ///
    /// # Cancellation
    ///
    /// Dropping the future drops connections without a good-bye. What was acknowledged is safe.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), RelayError> {
        let shared = Arc::clone(&self.shared);
        let sweeper = tokio::spawn(sweep(Arc::clone(&shared)));
        // Each connection holds a sender; when the receiver ends, all of them are gone.
        let (presence, mut gone) = mpsc::channel::<()>(1);
        let door = Door::new(listener, self.connections_max, Arc::clone(&shared.metrics));
        let app = http::router(Arc::clone(&shared), presence);
        let stopper = Arc::clone(&shared);
        let stop = async move {
            shutdown.await;
            tracing::info!("stopping");
            stopper.stopping.send_replace(true);
        };
        let mut stopping = shared.stopping.subscribe();
        let server = axum::serve(door, app).with_graceful_shutdown(stop);
        let served = async {
            let served = server.await;
            gone.recv().await;
            served
        };
        let deadline = async {
            // The sender lives as long as `shared`, so this ends with the order to stop.
            let _ = stopping.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(SHUTDOWN_TIME).await;
        };
        let outcome = tokio::select! {
            served = served => served.map_err(RelayError::System),
            () = deadline => {
                tracing::warn!("some connections did not end in time and are cut");
                Ok(())
            }
        };
        sweeper.abort();
        let closed = tokio::task::spawn_blocking(move || shared.tenants.stop());
        if timeout(SHUTDOWN_TIME, closed).await.is_err() {
            tracing::warn!("some workspaces did not close in time; nothing is lost");
        }
        outcome
    }
}

/// Closes idle workspaces and ends expired mailboxes, again and again.
async fn sweep(shared: Arc<Shared>) {
    let mut turns = interval(SWEEP_INTERVAL);
    loop {
        turns.tick().await;
        let shared = Arc::clone(&shared);
        let swept = tokio::task::spawn_blocking(move || {
            shared.tenants.sweep();
            shared.metrics.mailboxes.set(shared.mail.purge() as u64);
        });
        if let Err(error) = swept.await {
            tracing::error!(%error, "the sweep failed");
        }
    }
}
