//! The entries under a database: pull and offer, as between two stores.

use std::sync::Arc;

use tidelog::{Direction, EntryId};

use crate::call::Call;
use crate::error::{Error, Result};
use crate::remote_log::RemoteLog;
use crate::runtime::{Handle, guard, handle};
use crate::types::{Changes, Entries, Transfer};

/// The log of one database.
#[derive(Debug, Clone)]
pub struct Log {
    core: Handle<tidelog::Log>,
    workspace: Handle<tidelog::Workspace>,
}

impl Log {
    pub(crate) fn new(core: tidelog::Log, workspace: Handle<tidelog::Workspace>) -> Self {
        Self { core: handle(core), workspace }
    }

    /// Syncs this log with that of a relay, other databases left alone.
    fn exchange(&self, url: String, direction: Direction) -> Call<Transfer> {
        let (core, workspace) = (Arc::clone(&self.core), Arc::clone(&self.workspace));
        Call::task(async move {
            let report = workspace.exchange(&core, &url, direction).await?;
            Ok(Transfer { received: report.received, sent: report.sent })
        })
    }

    /// The ids of all entries held.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn entry_ids(&self) -> Call<Vec<String>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(texts(core.entry_ids()?)))
    }

    /// Which of these entries this log lacks.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not an id.
    pub fn missing(&self, ids: Vec<String>) -> Call<Vec<String>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(texts(core.missing(&parsed(&ids)?)?)))
    }

    /// These entries as bytes, as far as this log has them.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not an id.
    pub fn entries(&self, ids: Vec<String>) -> Call<Entries> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || {
            let held = core.entries(&parsed(&ids)?)?;
            Ok(Entries::of(ids, held))
        })
    }

    /// Verifies an entry and stores it. False if it was there already.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if it is not a valid entry of this
    /// workspace; [`NotFound`](crate::ErrorKind::NotFound) if this log lacks what it builds on:
    /// append that first.
    pub fn append(&self, entry: Vec<u8>) -> Call<bool> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.append(&entry)?))
    }

    /// What changed strictly after a cursor, one item for each key at its latest change; from the
    /// beginning without one. Go on with the cursor until nothing is left. A change is given at
    /// least once.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not a cursor of this log.
    pub fn changes_since(&self, cursor: Option<String>, limit: Option<u32>) -> Call<Changes> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || {
            let limit = limit.map_or(usize::MAX, |limit| limit as usize);
            Ok(core.changes_since(cursor.as_deref(), limit)?.into())
        })
    }

    /// Takes over what another log has and this one lacks.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn pull_from(&self, other: &Self) -> Call<Transfer> {
        let (core, other) = (Arc::clone(&self.core), Arc::clone(&other.core));
        Call::blocking(move || Ok(Transfer { received: core.pull_from(&other)? as u64, sent: 0 }))
    }

    /// Gives another log what this one has and it lacks.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn push_to(&self, other: &Self) -> Call<Transfer> {
        let (core, other) = (Arc::clone(&self.core), Arc::clone(&other.core));
        Call::blocking(move || Ok(Transfer { received: 0, sent: core.push_to(&other)? as u64 }))
    }

    /// Both.
    ///
    /// # Errors
    ///
    /// As [`append`](Self::append).
    pub fn sync_with(&self, other: &Self) -> Call<Transfer> {
        let (core, other) = (Arc::clone(&self.core), Arc::clone(&other.core));
        Call::blocking(move || {
            let (received, sent) = core.sync_with(&other)?;
            Ok(Transfer { received: received as u64, sent: sent as u64 })
        })
    }

    /// The same log as a relay holds it, to be read and written there.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not an address.
    pub fn at(&self, url: &str) -> Result<RemoteLog> {
        guard(|| Ok(RemoteLog::new(self.workspace.remote_log(&self.core, url)?)))
    }

    /// Takes over what a relay has of this database and this log lacks; gives it nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not an address,
    /// [`Network`](crate::ErrorKind::Network), [`RelayRefused`](crate::ErrorKind::RelayRefused),
    /// [`Protocol`](crate::ErrorKind::Protocol).
    pub fn pull_from_relay(&self, url: String) -> Call<Transfer> {
        self.exchange(url, Direction::Pull)
    }

    /// Gives a relay what this log has and it lacks; takes nothing.
    ///
    /// # Errors
    ///
    /// As [`pull_from_relay`](Self::pull_from_relay).
    pub fn push_to_relay(&self, url: String) -> Call<Transfer> {
        self.exchange(url, Direction::Push)
    }

    /// Both.
    ///
    /// # Errors
    ///
    /// As [`pull_from_relay`](Self::pull_from_relay).
    pub fn sync_with_relay(&self, url: String) -> Call<Transfer> {
        self.exchange(url, Direction::Both)
    }
}

impl Entries {
    /// Sorts what was asked for by whether it is held.
    pub(crate) fn of(ids: Vec<String>, held: Vec<Option<Vec<u8>>>) -> Self {
        let mut found = Self::default();
        for (id, entry) in ids.into_iter().zip(held) {
            match entry {
                Some(entry) => found.entries.push(entry),
                None => found.missing.push(id),
            }
        }
        found
    }
}

pub(crate) fn parsed(ids: &[String]) -> Result<Vec<EntryId>> {
    let parse = |id: &String| {
        id.parse().map_err(|_| Error::invalid_argument(format!("`{id}` is not the id of an entry")))
    };
    ids.iter().map(parse).collect()
}

pub(crate) fn texts(ids: Vec<EntryId>) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}
