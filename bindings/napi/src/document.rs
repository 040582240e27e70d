//! Documents.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

use crate::call::promise;
use crate::error::OrThrow as _;
use crate::options::{Edit, edits};
use crate::record::{Version, all};
use crate::stream::Watch;
use crate::value::Maybe;

/// One document.
#[napi]
pub struct Document(pub(crate) tidelog_api::Document);

#[napi]
impl Document {
    /// What a path leads to.
    #[napi(catch_unwind, ts_return_type = "Promise<unknown>")]
    pub fn get<'env>(&self, env: &'env Env, path: Option<String>) -> Result<PromiseRaw<'env, Maybe>> {
        promise(env, self.0.get(path), Maybe)
    }

    /// The text that a path leads to.
    #[napi(catch_unwind)]
    pub fn text<'env>(&self, env: &'env Env, path: String) -> Result<PromiseRaw<'env, Option<String>>> {
        promise(env, self.0.text(path), |text| text)
    }

    /// Makes several edits as one change.
    #[napi(catch_unwind)]
    pub fn change<'env>(&self, env: &'env Env, changes: Vec<Edit>) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.change_utf16(edits(changes)?), |()| ())
    }

    /// The latest changes.
    #[napi(catch_unwind)]
    pub fn heads<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<String>>> {
        promise(env, self.0.heads(), |heads| heads)
    }

    /// The entries behind it.
    #[napi(catch_unwind)]
    pub fn history<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Version>>> {
        promise(env, self.0.history(), all)
    }

    /// Its changes from now on.
    #[napi(catch_unwind)]
    pub fn watch(&self) -> Result<Watch> {
        Ok(self.0.watch().or_throw()?.into())
    }
}
