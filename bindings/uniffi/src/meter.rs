//! Meters of long calls.

use std::sync::Arc;

use crate::error::Result;

/// Tells how far one long call has come, and stops it.
#[derive(Debug, uniffi::Object)]
pub struct Meter(pub(crate) tidelog_api::Meter);

#[uniffi::export]
impl Meter {
    /// A meter for one call.
    #[uniffi::constructor]
    pub fn start() -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Meter::new())))
    }

    /// How much is done, in what the call counts: items, entries.
    pub fn done(&self) -> Result<u64> {
        Ok(self.0.done())
    }

    /// How much there is to do; 0 before the call knows.
    pub fn total(&self) -> Result<u64> {
        Ok(self.0.total())
    }

    /// Ends the call as soon as it can end without a loss. It then gives what it had done.
    pub fn stop(&self) -> Result<()> {
        self.0.stop();
        Ok(())
    }
}
