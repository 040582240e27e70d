//! Looking after a workspace: figures, checking what is on disk, closing.

use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError};

use tidelog_log::ids::{CircleId, DeviceId, EntryId, StreamId};
pub use tidelog_log::log::VerifyReport;
use tidelog_log::trie::Filter;

use super::Workspace;
use super::create::blocking;
use crate::data::address::not_everybody;
use crate::error::Result;

/// Figures of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Entries held.
    pub entries: u64,
    /// Bytes of the log on disk, preallocated space included; the state file not included.
    pub log_bytes: u64,
    /// Streams that have entries.
    pub streams: usize,
    /// Chains, one for each device and stream it wrote to.
    pub chains: usize,
    /// Users.
    pub users: usize,
    /// Devices.
    pub devices: usize,
    /// SHA-256 root of everything held: equal on two replicas exactly if they hold the same.
    pub root: EntryId,
}

/// One entry of the log, as far as it shows without opening it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct EntryInfo {
    /// Its number in this device's order of arrival.
    pub arrival: u64,
    /// Its id.
    pub id: EntryId,
    /// `data`, `directory`, `checkpoint` or `beacon`.
    pub kind: &'static str,
    /// Name of the database, if this device knows it; empty for the catalogue and the directory.
    pub database: Option<String>,
    /// The circle whose database that is; `None` if all members share it, or this device does not know.
    pub circle: Option<CircleId>,
    /// The device that wrote it.
    pub author: DeviceId,
    /// Its place in the author's chain.
    pub seq: u64,
    /// Its length in bytes.
    pub bytes: usize,
}

impl Workspace {
    /// The newest entries of the log, the newest last; at most `limit`.
    ///
    /// # Errors
    ///
    /// `closed`, or what the disk reports.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// let notes = workspace.database("main").collection::<String>("notes");
    /// notes.put("tide", &"Low at six.".to_owned()).await?;
    ///
    /// let entries = workspace.recent_entries(1)?;
    /// assert_eq!((entries[0].kind, entries[0].database.as_deref()), ("data", Some("main")));
    /// assert_eq!(entries[0].author, workspace.me()?.device);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub fn recent_entries(&self, limit: u64) -> Result<Vec<EntryInfo>> {
        let engine = &self.inner.engine;
        let last = engine.log.arrivals();
        let mut entries = Vec::new();
        for arrival in last.saturating_sub(limit) + 1..=last {
            let Some(entry) = engine.log.entry_at(arrival)? else { break };
            let header = entry.header();
            let database = if header.stream == StreamId::DIRECTORY {
                Some(String::new())
            } else {
                engine.shared.hub.name(header.stream)
            };
            entries.push(EntryInfo {
                arrival,
                id: entry.id(),
                kind: header.kind.name(),
                database,
                circle: engine.shared.hub.circle(header.stream).and_then(not_everybody),
                author: header.author,
                seq: header.seq,
                bytes: entry.len(),
            });
        }
        Ok(entries)
    }

    /// Figures of the workspace.
    ///
    /// # Errors
    ///
    /// `closed`, or what the disk reports.
    pub fn stats(&self) -> Result<Stats> {
        let log = &self.inner.engine.log;
        let users = log.directory().users();
        let (frontier, entries) = log.frontier();
        let mut streams: Vec<StreamId> = frontier.iter().map(|leaf| leaf.stream).collect();
        streams.dedup();
        Ok(Stats {
            entries,
            log_bytes: log.disk_bytes()?,
            streams: streams.len(),
            chains: frontier.leaf_count(),
            devices: users.iter().map(|user| user.devices.len()).sum(),
            users: users.len(),
            root: EntryId(frontier.root(&Filter::All)),
        })
    }

    /// Reads everything on disk and checks hashes, chains, signatures and indexes. `progress`
    /// hears how many entries were read, of how many, and may break it off: then the report is of
    /// what was read until then.
    ///
    /// # Errors
    ///
    /// `closed`, or what the disk reports. Damage is not an error but part of the report.
    ///
    /// # Cancellation
    ///
    /// Dropping the future stops waiting; the check itself only reads.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use std::ops::ControlFlow;
    ///
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// let report = workspace.verify(|_, _| ControlFlow::Continue(())).await?;
    /// assert!(report.problems.is_empty());
    /// assert_eq!(report.entries, workspace.stats()?.entries);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn verify(
        &self,
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<VerifyReport> {
        let engine = Arc::clone(&self.inner.engine);
        blocking(move || Ok(engine.log.verify(&mut progress)?)).await
    }

    /// Closes the workspace: links end, what was asked for is finished, the folder is free for
    /// others. Doing it again changes nothing.
    ///
    /// # Errors
    ///
    /// None today; callers should not rely on that.
    pub async fn shutdown(&self) -> Result<()> {
        let links = std::mem::take(&mut *self.inner.links.lock().unwrap_or_else(PoisonError::into_inner));
        for link in links {
            link.stop().await;
        }
        let this = self.clone();
        blocking(move || {
            this.close();
            Ok(())
        })
        .await
    }

    /// Frees the folder for others. Blocks on the disk.
    pub(super) fn close(&self) {
        self.inner.custody.close();
        self.inner.engine.close();
    }
}
