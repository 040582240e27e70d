//! Live links.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

use crate::call::{Callback, callback, promise};
use crate::error::OrThrow as _;
use crate::options::ms;
use crate::record::{Failure, Progress, number};
use crate::stream::LinkEvents;

/// A link that keeps this replica and a peer equal.
#[napi]
pub struct Link(pub(crate) tidelog_api::Link);

#[napi]
impl Link {
    /// How it stands.
    #[napi(catch_unwind)]
    pub fn state(&self) -> Result<String> {
        Ok(self.0.state().or_throw()?.name().to_owned())
    }

    /// How far it has got.
    #[napi(catch_unwind)]
    pub fn progress(&self) -> Result<Progress> {
        Ok(self.0.progress().or_throw()?.into())
    }

    /// Entries that the peer is not yet known to hold.
    #[napi(catch_unwind)]
    pub fn pending(&self) -> Result<f64> {
        Ok(number(self.0.pending().or_throw()?))
    }

    /// Why it was last interrupted.
    #[napi(catch_unwind)]
    pub fn last_error(&self) -> Result<Option<Failure>> {
        let error = self.0.last_error().or_throw()?;
        Ok(error.map(|error| Failure { code: error.kind.code().to_owned(), reason: error.reason }))
    }

    /// Waits until both sides have everything. A wait does not keep the process alive.
    #[napi(catch_unwind, ts_args_type = "timeoutMs: number | null, done: (error: Error | null) => void")]
    pub fn wait_live(&self, timeout_ms: Option<f64>, done: Callback<'_, ()>) -> Result<()> {
        callback(self.0.wait_live(timeout_ms.map(ms)), &done, Some)
    }

    /// Its events from now on.
    #[napi(catch_unwind)]
    pub fn events(&self) -> Result<LinkEvents> {
        Ok(self.0.events().or_throw()?.into())
    }

    /// Ends it.
    #[napi(catch_unwind)]
    pub fn stop<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.stop(), |()| ())
    }
}
