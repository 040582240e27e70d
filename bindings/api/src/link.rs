//! A live link to a peer.

use std::sync::Arc;
use std::time::Duration;

use crate::call::Call;
use crate::error::{Error, Result};
use crate::runtime::{Handle, guard, handle};
use crate::stream::{Source, Stream};
use crate::types::{LinkEvent, LinkState, Progress};

/// Events of a link, as they happen.
pub type LinkEvents = Stream<LinkEvent>;

/// A link that keeps this replica and a peer equal, and comes back by itself when it breaks.
#[derive(Debug, Clone)]
pub struct Link {
    core: Handle<tidelog::Link>,
}

impl Link {
    pub(crate) fn new(core: tidelog::Link) -> Self {
        Self { core: handle(core) }
    }

    /// How it stands.
    ///
    /// # Errors
    ///
    /// Only those that any call has: [`Forked`](crate::ErrorKind::Forked) and
    /// [`Internal`](crate::ErrorKind::Internal).
    pub fn state(&self) -> Result<LinkState> {
        guard(|| Ok(self.core.state().into()))
    }

    /// How far it has got.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub fn progress(&self) -> Result<Progress> {
        guard(|| Ok(self.core.progress().into()))
    }

    /// How many entries of this replica the peer is not yet known to hold.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub fn pending(&self) -> Result<u64> {
        guard(|| Ok(self.core.pending()))
    }

    /// Why it was last interrupted, if it was.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub fn last_error(&self) -> Result<Option<Error>> {
        guard(|| Ok(self.core.last_error().map(Error::from)))
    }

    /// Waits until the link is live: everything either side had is on both.
    ///
    /// # Errors
    ///
    /// [`Timeout`](crate::ErrorKind::Timeout) after `timeout_ms`, and
    /// [`Closed`](crate::ErrorKind::Closed) if the link was stopped. Without a timeout it waits
    /// until one of them holds.
    pub fn wait_live(&self, timeout_ms: Option<u64>) -> Call<()> {
        let core = Arc::clone(&self.core);
        let limit = timeout_ms.map_or(Duration::MAX, Duration::from_millis);
        Call::abandonable(async move { Ok(core.wait_live(limit).await?) })
    }

    /// Its events from now on.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub fn events(&self) -> Result<LinkEvents> {
        guard(|| Ok(Stream::new(self.core.events())))
    }

    /// Ends the link, and waits until the peer is told. Stopping again does nothing.
    ///
    /// # Errors
    ///
    /// As [`state`](Self::state).
    pub fn stop(&self) -> Call<()> {
        let core = Arc::clone(&self.core);
        Call::task(async move {
            core.stop().await;
            Ok(())
        })
    }
}

impl Source for tidelog::LinkEvents {
    type Event = LinkEvent;

    async fn next(&mut self) -> Result<Option<LinkEvent>> {
        Ok(self.next().await.map(LinkEvent::from))
    }
}
