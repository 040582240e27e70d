//! Logs: pull and offer.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw, Uint8Array};
use napi_derive::napi;

use crate::call::promise;
use crate::error::OrThrow as _;
use crate::record::{Changes, Entries, Transfer};

/// The entries under one database.
#[napi]
pub struct Log(pub(crate) tidelog_api::Log);

#[napi]
impl Log {
    /// The ids of all entries held.
    #[napi(catch_unwind)]
    pub fn entry_ids<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<String>>> {
        promise(env, self.0.entry_ids(), |ids| ids)
    }

    /// Which of these it lacks.
    #[napi(catch_unwind)]
    pub fn missing<'env>(&self, env: &'env Env, ids: Vec<String>) -> Result<PromiseRaw<'env, Vec<String>>> {
        promise(env, self.0.missing(ids), |ids| ids)
    }

    /// These entries as bytes.
    #[napi(catch_unwind)]
    pub fn entries<'env>(&self, env: &'env Env, ids: Vec<String>) -> Result<PromiseRaw<'env, Entries>> {
        promise(env, self.0.entries(ids), Entries::from)
    }

    /// Verifies an entry and stores it.
    #[napi(catch_unwind)]
    pub fn append<'env>(&self, env: &'env Env, entry: Uint8Array) -> Result<PromiseRaw<'env, bool>> {
        promise(env, self.0.append(entry.to_vec()), |fresh| fresh)
    }

    /// What changed after a cursor.
    #[napi(catch_unwind)]
    pub fn changes_since<'env>(
        &self,
        env: &'env Env,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<PromiseRaw<'env, Changes>> {
        promise(env, self.0.changes_since(cursor, limit), Changes::from)
    }

    /// The same log as a relay holds it.
    #[napi(catch_unwind)]
    pub fn at(&self, url: String) -> Result<RemoteLog> {
        Ok(RemoteLog(self.0.at(&url).or_throw()?))
    }

    /// Takes over what the other log has and this one lacks.
    #[napi(catch_unwind)]
    pub fn pull_from<'env>(&self, env: &'env Env, other: &Log) -> Result<PromiseRaw<'env, Transfer>> {
        promise(env, self.0.pull_from(&other.0), Transfer::from)
    }

    /// Gives the other log what this one has and it lacks.
    #[napi(catch_unwind)]
    pub fn push_to<'env>(&self, env: &'env Env, other: &Log) -> Result<PromiseRaw<'env, Transfer>> {
        promise(env, self.0.push_to(&other.0), Transfer::from)
    }

    /// Both.
    #[napi(catch_unwind)]
    pub fn sync_with<'env>(&self, env: &'env Env, other: &Log) -> Result<PromiseRaw<'env, Transfer>> {
        promise(env, self.0.sync_with(&other.0), Transfer::from)
    }

    /// Takes over what a relay has of this database and this log lacks.
    #[napi(catch_unwind)]
    pub fn pull_from_relay<'env>(&self, env: &'env Env, url: String) -> Result<PromiseRaw<'env, Transfer>> {
        promise(env, self.0.pull_from_relay(url), Transfer::from)
    }

    /// Gives a relay what this log has and it lacks.
    #[napi(catch_unwind)]
    pub fn push_to_relay<'env>(&self, env: &'env Env, url: String) -> Result<PromiseRaw<'env, Transfer>> {
        promise(env, self.0.push_to_relay(url), Transfer::from)
    }

    /// Both, with a relay.
    #[napi(catch_unwind)]
    pub fn sync_with_relay<'env>(&self, env: &'env Env, url: String) -> Result<PromiseRaw<'env, Transfer>> {
        promise(env, self.0.sync_with_relay(url), Transfer::from)
    }
}

/// The entries under one database at a relay.
#[napi]
pub struct RemoteLog(tidelog_api::RemoteLog);

#[napi]
impl RemoteLog {
    /// The ids of all entries held.
    #[napi(catch_unwind)]
    pub fn entry_ids<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<String>>> {
        promise(env, self.0.entry_ids(), |ids| ids)
    }

    /// Which of these it lacks.
    #[napi(catch_unwind)]
    pub fn missing<'env>(&self, env: &'env Env, ids: Vec<String>) -> Result<PromiseRaw<'env, Vec<String>>> {
        promise(env, self.0.missing(ids), |ids| ids)
    }

    /// These entries as bytes.
    #[napi(catch_unwind)]
    pub fn entries<'env>(&self, env: &'env Env, ids: Vec<String>) -> Result<PromiseRaw<'env, Entries>> {
        promise(env, self.0.entries(ids), Entries::from)
    }

    /// Verifies an entry and stores it.
    #[napi(catch_unwind)]
    pub fn append<'env>(&self, env: &'env Env, entry: Uint8Array) -> Result<PromiseRaw<'env, bool>> {
        promise(env, self.0.append(entry.to_vec()), |fresh| fresh)
    }

    /// What changed after a cursor.
    #[napi(catch_unwind)]
    pub fn changes_since<'env>(
        &self,
        env: &'env Env,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Result<PromiseRaw<'env, Changes>> {
        promise(env, self.0.changes_since(cursor, limit), Changes::from)
    }
}
