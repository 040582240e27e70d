//! The log of a database as a relay holds it, read and written there.

use std::sync::Arc;

use crate::call::Call;
use crate::log::{parsed, texts};
use crate::runtime::{Handle, handle};
use crate::types::{Changes, Entries};

/// The log of one database at a relay. Every call meets the relay once; nothing is synced but who may
/// write.
#[derive(Debug, Clone)]
pub struct RemoteLog {
    core: Handle<tidelog::RemoteLog>,
}

impl RemoteLog {
    pub(crate) fn new(core: tidelog::RemoteLog) -> Self {
        Self { core: handle(core) }
    }

    /// The ids of all entries the relay holds.
    ///
    /// # Errors
    ///
    /// [`Network`](crate::ErrorKind::Network), [`RelayRefused`](crate::ErrorKind::RelayRefused),
    /// [`NotAdmitted`](crate::ErrorKind::NotAdmitted), [`Protocol`](crate::ErrorKind::Protocol).
    pub fn entry_ids(&self) -> Call<Vec<String>> {
        let core = Arc::clone(&self.core);
        Call::task(async move { Ok(texts(core.entry_ids().await?)) })
    }

    /// Which of these entries the relay lacks.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not an id; as
    /// [`entry_ids`](Self::entry_ids).
    pub fn missing(&self, ids: Vec<String>) -> Call<Vec<String>> {
        let core = Arc::clone(&self.core);
        Call::task(async move { Ok(texts(core.missing(&parsed(&ids)?).await?)) })
    }

    /// These entries as bytes, as far as the relay has them.
    ///
    /// # Errors
    ///
    /// As [`missing`](Self::missing).
    pub fn entries(&self, ids: Vec<String>) -> Call<Entries> {
        let core = Arc::clone(&self.core);
        Call::task(async move {
            let held = core.entries(&parsed(&ids)?).await?;
            Ok(Entries::of(ids, held))
        })
    }

    /// Gives the relay an entry, which verifies and stores it. False if it was there already.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if it is not a valid entry of this
    /// workspace; [`NotFound`](crate::ErrorKind::NotFound) if the relay lacks what it builds on:
    /// append that first; as [`entry_ids`](Self::entry_ids).
    pub fn append(&self, entry: Vec<u8>) -> Call<bool> {
        let core = Arc::clone(&self.core);
        Call::task(async move { Ok(core.append(&entry).await?) })
    }

    /// What changed at the relay strictly after a cursor, one item for each key at its latest change;
    /// from the beginning without one. All changes of one entry are given together, so there may be
    /// more than `limit`. Go on with the cursor until nothing is left.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not a cursor; as
    /// [`entry_ids`](Self::entry_ids).
    pub fn changes_since(&self, cursor: Option<String>, limit: Option<u32>) -> Call<Changes> {
        let core = Arc::clone(&self.core);
        Call::task(async move {
            let limit = limit.map_or(usize::MAX, |limit| limit as usize);
            Ok(core.changes_since(cursor.as_deref(), limit).await?.into())
        })
    }
}
