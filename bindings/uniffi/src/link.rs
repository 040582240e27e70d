//! Links.

use std::sync::Arc;

use tidelog_api::{LinkState, Progress};

use crate::error::{Failure, Result};
use crate::stream::LinkEvents;

/// A live link to a peer.
#[derive(Debug, uniffi::Object)]
pub struct Link(pub(crate) tidelog_api::Link);

#[uniffi::export]
impl Link {
    /// How it stands.
    pub fn state(&self) -> Result<LinkState> {
        Ok(self.0.state()?)
    }

    /// How far it has got.
    pub fn progress(&self) -> Result<Progress> {
        Ok(self.0.progress()?)
    }

    /// How many entries of this replica the peer is not yet known to hold.
    pub fn pending(&self) -> Result<u64> {
        Ok(self.0.pending()?)
    }

    /// Why it was last interrupted, if it was.
    pub fn last_error(&self) -> Result<Option<Failure>> {
        Ok(self.0.last_error()?.map(Failure::from))
    }

    /// Waits until the link is live: everything either side had is on both.
    pub async fn wait_live(&self, timeout_ms: Option<u64>) -> Result<()> {
        Ok(self.0.wait_live(timeout_ms).await?)
    }

    /// Its events from now on.
    pub fn events(&self) -> Result<Arc<LinkEvents>> {
        Ok(Arc::new(LinkEvents(self.0.events()?)))
    }

    /// Ends the link, and waits until the peer is told. Stopping again does nothing.
    pub async fn stop(&self) -> Result<()> {
        Ok(self.0.stop().await?)
    }
}
