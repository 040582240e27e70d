//! Reading the log that a relay holds, and giving it single entries, without syncing it.
//!
//! The session syncs the streams of its party first, stream zero at least: what is read is judged by
//! the directory as both know it, and an entry that is given rests on what the relay holds.

use tidelog_log::entry::Entry;
use tidelog_log::frames::{Ask, Select};
use tidelog_log::ids::EntryId;
use tidelog_log::session::SessionEvent;
use tokio::time::timeout;

use super::client::{Connection, Input};
use super::failure::Failure;
use super::once::{QUIET_TIME, patiently, quiet, turn};
use super::{Dial, Party};
use crate::error::{Error, ErrorKind, Result};

/// A session in which a relay is asked.
pub(crate) struct Remote {
    connection: Connection,
}

impl Remote {
    /// Meets a relay and syncs the party's streams.
    ///
    /// # Errors
    ///
    /// As [`super::sync_once`].
    pub(crate) async fn open(dial: &Dial, party: &Party) -> Result<Self> {
        let connection = patiently(|| Connection::dial(dial, Some(party.member()))).await?;
        let mut remote = Self { connection };
        while !remote.connection.is_synced() {
            remote.next().await?;
        }
        Ok(remote)
    }

    /// The epoch of the relay's arrival numbers.
    pub(crate) fn epoch(&self) -> [u8; 16] {
        self.connection.relay_epoch().unwrap_or_default()
    }

    /// The ids of entries that the relay holds, with their arrival numbers, and how far the answer goes.
    ///
    /// # Errors
    ///
    /// What happened to the connection or the session.
    pub(crate) async fn ids(&mut self, select: Select) -> Result<(u64, Vec<(u64, EntryId)>)> {
        let mut events = self.take(Input::Ask(Ask { whole: false, select })).await?;
        loop {
            for event in events {
                if let SessionEvent::Listed { through, ids } = event {
                    return Ok((through, ids));
                }
            }
            events = self.next().await?;
        }
    }

    /// Entries that the relay holds, with their arrival numbers, and how far the answer goes. Nothing of
    /// them is verified.
    ///
    /// # Errors
    ///
    /// What happened to the connection or the session.
    pub(crate) async fn entries(&mut self, select: Select) -> Result<(u64, Vec<(u64, Entry)>)> {
        let mut events = self.take(Input::Ask(Ask { whole: true, select })).await?;
        loop {
            for event in events {
                if let SessionEvent::Given { through, entries } = event {
                    return Ok((through, entries));
                }
            }
            events = self.next().await?;
        }
    }

    /// Gives the relay a signed entry, and waits until it has judged it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Protocol`] if it refuses; what else happened to the connection.
    pub(crate) async fn offer(&mut self, entry: Entry) -> Result<()> {
        self.take(Input::Offer(Box::new(entry))).await?;
        while self.connection.is_sending() {
            self.next().await?;
        }
        Ok(())
    }

    /// Says good-bye.
    ///
    /// # Errors
    ///
    /// If the session failed at its end.
    pub(crate) async fn close(mut self) -> Result<()> {
        let (_, closed) = self.connection.turn(Input::Close).await;
        self.connection.finish().await;
        closed.map_err(|failure| failure.error)
    }

    async fn next(&mut self) -> Result<Vec<SessionEvent>> {
        let waited = timeout(QUIET_TIME, self.connection.wait()).await.map_err(|_| quiet())?;
        let input = waited.map_err(|failure| failure.error)?;
        self.take(input).await
    }

    async fn take(&mut self, input: Input) -> Result<Vec<SessionEvent>> {
        let events = turn(&mut self.connection, input).await.map_err(|Failure { error, .. }| error)?;
        if self.connection.is_over() {
            return Err(Error::new(ErrorKind::Network, "the relay left before it had answered"));
        }
        Ok(events)
    }
}
