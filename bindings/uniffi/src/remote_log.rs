//! Logs as relays hold them.

use tidelog_api::{Changes, Entries};

use crate::error::Result;

/// The log of one database at a relay.
#[derive(Debug, uniffi::Object)]
pub struct RemoteLog(pub(crate) tidelog_api::RemoteLog);

#[uniffi::export]
impl RemoteLog {
    /// The ids of all entries the relay holds.
    pub async fn entry_ids(&self) -> Result<Vec<String>> {
        Ok(self.0.entry_ids().await?)
    }

    /// Which of these entries the relay lacks.
    pub async fn missing(&self, ids: Vec<String>) -> Result<Vec<String>> {
        Ok(self.0.missing(ids).await?)
    }

    /// These entries as bytes, as far as the relay has them.
    pub async fn entries(&self, ids: Vec<String>) -> Result<Entries> {
        Ok(self.0.entries(ids).await?)
    }

    /// Gives the relay an entry, which verifies and stores it. False if it was there already.
    pub async fn append(&self, entry: Vec<u8>) -> Result<bool> {
        Ok(self.0.append(entry).await?)
    }

    /// What changed at the relay strictly after a cursor, one item for each key at its latest change; from
    /// the beginning without one.
    pub async fn changes_since(&self, cursor: Option<String>, limit: Option<u32>) -> Result<Changes> {
        Ok(self.0.changes_since(cursor, limit).await?)
    }
}
