//! Logs.

use std::sync::Arc;

use tidelog_api::{Changes, Entries, Transfer};

use crate::error::Result;
use crate::remote_log::RemoteLog;

/// The entries under a database.
#[derive(Debug, uniffi::Object)]
pub struct Log(pub(crate) tidelog_api::Log);

#[uniffi::export]
impl Log {
    /// The ids of all entries held.
    pub async fn entry_ids(&self) -> Result<Vec<String>> {
        Ok(self.0.entry_ids().await?)
    }

    /// Which of these entries this log lacks.
    pub async fn missing(&self, ids: Vec<String>) -> Result<Vec<String>> {
        Ok(self.0.missing(ids).await?)
    }

    /// These entries as bytes, as far as this log has them.
    pub async fn entries(&self, ids: Vec<String>) -> Result<Entries> {
        Ok(self.0.entries(ids).await?)
    }

    /// Verifies an entry and stores it. False if it was there already.
    pub async fn append(&self, entry: Vec<u8>) -> Result<bool> {
        Ok(self.0.append(entry).await?)
    }

    /// What changed strictly after a cursor, one item for each key at its latest change; from the beginning
    /// without one. Go on with the cursor until nothing is left. A change is given at least once.
    pub async fn changes_since(&self, cursor: Option<String>, limit: Option<u32>) -> Result<Changes> {
        Ok(self.0.changes_since(cursor, limit).await?)
    }

    /// Takes over what another log has and this one lacks.
    pub async fn pull_from(&self, other: Arc<Self>) -> Result<Transfer> {
        Ok(self.0.pull_from(&other.0).await?)
    }

    /// Gives another log what this one has and it lacks.
    pub async fn push_to(&self, other: Arc<Self>) -> Result<Transfer> {
        Ok(self.0.push_to(&other.0).await?)
    }

    /// Both.
    pub async fn sync_with(&self, other: Arc<Self>) -> Result<Transfer> {
        Ok(self.0.sync_with(&other.0).await?)
    }

    /// The same log as a relay holds it, to be read and written there.
    pub fn at(&self, url: String) -> Result<Arc<RemoteLog>> {
        Ok(Arc::new(RemoteLog(self.0.at(&url)?)))
    }

    /// Takes over what a relay has of this database and this log lacks.
    pub async fn pull_from_relay(&self, url: String) -> Result<Transfer> {
        Ok(self.0.pull_from_relay(url).await?)
    }

    /// Gives a relay what this log has and it lacks.
    pub async fn push_to_relay(&self, url: String) -> Result<Transfer> {
        Ok(self.0.push_to_relay(url).await?)
    }

    /// Both, with a relay.
    pub async fn sync_with_relay(&self, url: String) -> Result<Transfer> {
        Ok(self.0.sync_with_relay(url).await?)
    }
}
