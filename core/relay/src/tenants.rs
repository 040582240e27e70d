//! The workspaces of a relay: one folder and one log each, opened when somebody comes, closed when
//! nobody has been there for a while.
//!
//! A workspace whose first entry never arrived leaves nothing behind.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidelog_log::entry::Entry;
use tidelog_log::env::{Clock, Random};
use tidelog_log::ids::{DeviceId, EntryId, StreamId, WorkspaceId};
use tidelog_log::log::{Log, LogError, LogOptions, Subscription};
use tidelog_log::segments::SegmentError;
use tidelog_log::session::{Cursor, Fault, Membership, Receipt, Refused, Replica, ReplicaError};
use tidelog_log::storage::FolderStorage;
use tidelog_log::trie::{Filter, Frontier};
use tokio::sync::{broadcast, watch};

use crate::config::{Config, DIRECTORY_RESERVE_BYTES, SIGNALS_MAX, WORKSPACE_IDLE_MS};
use crate::metrics::Metrics;

/// A signal on its way from one session of a workspace to the others.
#[derive(Debug, Clone)]
pub(crate) struct Signal {
    /// The session it came from.
    pub(crate) from: u64,
    pub(crate) message: Arc<[u8]>,
}

/// One open workspace.
pub(crate) struct Tenant {
    log: Log,
    quota_bytes: u64,
    metrics: Arc<Metrics>,
    /// Changes with each change of the log.
    grown: watch::Sender<u64>,
    signals: broadcast::Sender<Signal>,
    _subscription: Subscription,
}

impl fmt::Debug for Tenant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Tenant({})", self.log.workspace())
    }
}

impl Tenant {
    fn new(log: Log, quota_bytes: u64, metrics: Arc<Metrics>) -> Self {
        let grown = watch::Sender::new(0);
        let notify = grown.clone();
        let subscription = log.subscribe(Arc::new(move || notify.send_modify(|count| *count += 1)));
        let signals = broadcast::Sender::new(SIGNALS_MAX);
        Self { log, quota_bytes, metrics, grown, signals, _subscription: subscription }
    }

    /// Changes with each change of the log.
    pub(crate) fn grown(&self) -> watch::Receiver<u64> {
        self.grown.subscribe()
    }

    /// The signals between the sessions of the workspace.
    pub(crate) fn signals(&self) -> &broadcast::Sender<Signal> {
        &self.signals
    }

    /// Parts entries into those that fit the quota and those that do not. Space that the log has set
    /// aside counts. The directory's stream has a reserve: a member who fills the quota must not keep
    /// others from removing it.
    fn part(&self, entries: Vec<Entry>) -> Result<(Vec<Entry>, Vec<Entry>), LogError> {
        let used = self.log.disk_bytes()?;
        let fits = |entries: &[Entry], most: u64| {
            let bytes: u64 = entries.iter().map(|entry| entry.len() as u64).sum();
            used.saturating_add(bytes) <= most
        };
        if fits(&entries, self.quota_bytes) {
            return Ok((entries, Vec::new()));
        }
        let (directory, mut rest): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.header().stream == StreamId::DIRECTORY);
        if fits(&directory, self.quota_bytes.saturating_add(DIRECTORY_RESERVE_BYTES)) {
            return Ok((directory, rest));
        }
        rest.extend(directory);
        Ok((Vec::new(), rest))
    }
}

/// The log itself, but for the quota and the counting of what arrives.
impl Replica for Tenant {
    fn workspace(&self) -> WorkspaceId {
        self.log.workspace()
    }

    fn epoch(&self) -> [u8; 16] {
        self.log.epoch()
    }

    fn arrivals(&self) -> u64 {
        self.log.arrivals()
    }

    fn membership(&self, device: &DeviceId) -> Membership {
        self.log.membership(device)
    }

    fn frontier(&self) -> (Frontier, u64) {
        Replica::frontier(&self.log)
    }

    fn entries_after(
        &self,
        arrival: u64,
        filter: &Filter,
        max_bytes: usize,
    ) -> Result<Vec<(u64, Entry)>, ReplicaError> {
        self.log.entries_after(arrival, filter, max_bytes)
    }

    fn branch(
        &self,
        stream: StreamId,
        device: DeviceId,
        tip: &EntryId,
        after_seq: u64,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, ReplicaError> {
        self.log.branch(stream, device, tip, after_seq, max_bytes)
    }

    fn id_on_branch(
        &self,
        stream: StreamId,
        device: DeviceId,
        tip: &EntryId,
        seq: u64,
    ) -> Result<Option<EntryId>, ReplicaError> {
        self.log.id_on_branch(stream, device, tip, seq)
    }

    fn position(&self, id: &EntryId) -> Result<Option<u64>, ReplicaError> {
        self.log.position(id)
    }

    fn receive(&self, entries: Vec<Entry>) -> Result<Receipt, ReplicaError> {
        let (entries, left_out) = self.part(entries)?;
        let mut receipt =
            if entries.is_empty() { Receipt::default() } else { Replica::receive(&self.log, entries)? };
        receipt.refused.extend(left_out.into_iter().map(|entry| Refused {
            entry: entry.id(),
            fault: Fault::Quota,
            reason: "the workspace has used up its space at this relay".into(),
        }));
        self.metrics.entries_stored_total.add(receipt.stored.len() as u64);
        self.metrics.entries_refused_total.add(receipt.refused.len() as u64);
        Ok(receipt)
    }

    fn cursor(&self, peer: &[u8; 32]) -> Option<Cursor> {
        self.log.cursor(peer)
    }

    fn set_cursor(&self, peer: &[u8; 32], cursor: Cursor) {
        self.log.set_cursor(peer, cursor);
    }
}

/// Why a workspace is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TenantError {
    /// It is not held here, and not welcome.
    #[error("the relay does not serve this workspace")]
    Unknown,
    /// The relay stops.
    #[error("the relay is stopping")]
    Stopping,
    /// Its log cannot be opened.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A place for one workspace; its lock is held while the workspace opens or closes, so that others
/// need not wait for it.
type Place = Arc<Mutex<Option<Resident>>>;

struct Resident {
    tenant: Arc<Tenant>,
    /// Since when nobody but this table has had the workspace.
    idle_since_ms: Option<u64>,
}

/// All workspaces of a relay.
pub(crate) struct Tenants {
    folder: PathBuf,
    quota_bytes: u64,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metrics: Arc<Metrics>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    places: HashMap<WorkspaceId, Place>,
    stopping: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tenants {
    /// The workspaces in a folder. None is opened yet.
    pub(crate) fn new(folder: PathBuf, config: &Config, metrics: Arc<Metrics>) -> Self {
        Self {
            folder,
            quota_bytes: config.quota_bytes,
            clock: Arc::clone(&config.clock),
            random: Arc::clone(&config.random),
            metrics,
            table: Mutex::default(),
        }
    }

    /// An open workspace, opened if need be; one that is not held here is made if it is `welcome`.
    pub(crate) fn open(&self, workspace: WorkspaceId, welcome: bool) -> Result<Arc<Tenant>, TenantError> {
        let place = {
            let mut table = lock(&self.table);
            if table.stopping {
                return Err(TenantError::Stopping);
            }
            Arc::clone(table.places.entry(workspace).or_default())
        };
        let mut resident = lock(&place);
        if let Some(resident) = &mut *resident {
            resident.idle_since_ms = None;
            return Ok(Arc::clone(&resident.tenant));
        }
        let log = match self.open_log(&workspace)? {
            Some(log) => log,
            None if welcome => self.create_log(workspace)?,
            None => return Err(TenantError::Unknown),
        };
        let tenant = Arc::new(Tenant::new(log, self.quota_bytes, Arc::clone(&self.metrics)));
        *resident = Some(Resident { tenant: Arc::clone(&tenant), idle_since_ms: None });
        self.metrics.workspaces_open.add(1);
        Ok(tenant)
    }

    /// The log of a workspace, if it is held here.
    fn open_log(&self, workspace: &WorkspaceId) -> Result<Option<Log>, LogError> {
        if !self.folder(workspace).is_dir() {
            return Ok(None);
        }
        match Log::open(self.options(workspace)) {
            // The making of the log was cut short.
            Err(LogError::Segments(error)) if matches!(*error, SegmentError::NotAWorkspace) => Ok(None),
            opened => opened.map(Some),
        }
    }

    fn create_log(&self, workspace: WorkspaceId) -> Result<Log, LogError> {
        tracing::info!(%workspace, "takes a new workspace");
        fs::create_dir_all(self.folder(&workspace))?;
        Log::create(self.options(&workspace), workspace)
    }

    /// Closes the workspaces that nobody has had for the idle time. Blocks.
    pub(crate) fn sweep(&self) {
        let now_ms = self.clock.now_ms();
        self.close_if(|resident| {
            if Arc::strong_count(&resident.tenant) > 1 {
                resident.idle_since_ms = None;
                return false;
            }
            let since_ms = *resident.idle_since_ms.get_or_insert(now_ms);
            now_ms.saturating_sub(since_ms) >= WORKSPACE_IDLE_MS
        });
    }

    /// Closes all workspaces and opens none any more. Blocks.
    pub(crate) fn stop(&self) {
        lock(&self.table).stopping = true;
        self.close_if(|_| true);
    }

    fn close_if(&self, mut leaves: impl FnMut(&mut Resident) -> bool) {
        let places: Vec<(WorkspaceId, Place)> =
            lock(&self.table).places.iter().map(|(id, place)| (*id, Arc::clone(place))).collect();
        for (workspace, place) in places {
            let mut resident = lock(&place);
            if let Some(leaving) = resident.take_if(|resident| leaves(resident)) {
                self.close(&workspace, &leaving.tenant);
            }
            let empty = resident.is_none();
            drop(resident);
            // Whoever fetched the place meanwhile holds it too: two here and in the table, and theirs.
            let mut table = lock(&self.table);
            if empty && Arc::strong_count(&place) == 2 {
                table.places.remove(&workspace);
            }
        }
    }

    fn close(&self, workspace: &WorkspaceId, tenant: &Tenant) {
        tenant.log.shutdown();
        self.metrics.workspaces_open.sub(1);
        if tenant.log.arrivals() == 0
            && let Err(error) = fs::remove_dir_all(self.folder(workspace))
        {
            tracing::warn!(%workspace, %error, "an empty workspace could not be removed");
        }
    }

    fn folder(&self, workspace: &WorkspaceId) -> PathBuf {
        self.folder.join(workspace.to_string())
    }

    fn options(&self, workspace: &WorkspaceId) -> LogOptions {
        LogOptions {
            storage: Arc::new(FolderStorage::new(self.folder(workspace))),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            state_key: None,
            rows_version: 0,
            apply: None,
            threaded: true,
        }
    }
}

#[cfg(test)]
mod tests;
