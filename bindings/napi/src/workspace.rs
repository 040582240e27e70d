//! Workspaces.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;
use tidelog_api as api;

use crate::call::{Meter, promise};
use crate::database::Database;
use crate::error::OrThrow as _;
use crate::key::{Secret, key};
use crate::link::Link;
use crate::options::WatchOptions;
use crate::record::{BackupReport, Me, Stats, SyncReport, VerifyReport, Warning, all};
use crate::stream::Watch;

/// Moves the clock of tests forward; not in released packages, nor in the declarations.
#[cfg(feature = "test-util")]
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn advance(ms: f64) -> Result<()> {
    api::advance(crate::options::ms(ms)).or_throw()
}

/// The codes of all errors.
#[napi(catch_unwind)]
pub(crate) fn error_codes() -> Result<Vec<&'static str>> {
    Ok(api::ErrorKind::ALL.iter().map(|kind| kind.code()).collect())
}

/// An open workspace.
#[napi]
pub struct Workspace(pub(crate) api::Workspace);

#[napi]
impl Workspace {
    /// Its id.
    #[napi(catch_unwind)]
    pub fn id(&self) -> Result<String> {
        self.0.id().or_throw()
    }

    /// Its name.
    #[napi(catch_unwind)]
    pub fn name(&self) -> Result<String> {
        self.0.name().or_throw()
    }

    /// This device in it.
    #[napi(catch_unwind)]
    pub fn me(&self) -> Result<Me> {
        Ok(self.0.me().or_throw()?.into())
    }

    /// A database of all members, or of a circle.
    #[napi(catch_unwind)]
    pub fn database(&self, name: String, circle: Option<String>) -> Result<Database> {
        Ok(Database(self.0.database(&name, circle).or_throw()?))
    }

    /// The names of the databases of all members, or of a circle.
    #[napi(catch_unwind)]
    pub fn databases<'env>(
        &self,
        env: &'env Env,
        circle: Option<String>,
    ) -> Result<PromiseRaw<'env, Vec<String>>> {
        promise(env, self.0.databases(circle), |names| names)
    }

    /// Makes this replica and a relay equal, once.
    #[napi(catch_unwind)]
    pub fn sync<'env>(&self, env: &'env Env, url: String) -> Result<PromiseRaw<'env, SyncReport>> {
        promise(env, self.0.sync(url), SyncReport::from)
    }

    /// Makes this replica and another one in this process equal, once.
    #[napi(catch_unwind)]
    pub fn sync_with<'env>(&self, env: &'env Env, other: &Workspace) -> Result<PromiseRaw<'env, SyncReport>> {
        promise(env, self.0.sync_with(&other.0), SyncReport::from)
    }

    /// Keeps this replica and a relay equal from now on.
    #[napi(catch_unwind)]
    pub fn connect(&self, url: String) -> Result<Link> {
        Ok(Link(self.0.connect(&url).or_throw()?))
    }

    /// Changes of items.
    #[napi(catch_unwind)]
    pub fn watch(&self, options: WatchOptions) -> Result<Watch> {
        Ok(self.0.watch(options.into()).or_throw()?.into())
    }

    /// Its figures.
    #[napi(catch_unwind)]
    pub fn stats<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Stats>> {
        promise(env, self.0.stats(), Stats::from)
    }

    /// What is wrong now.
    #[napi(catch_unwind)]
    pub fn warnings<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Warning>>> {
        promise(env, self.0.warnings(), all)
    }

    /// Reads everything on disk and checks it.
    #[napi(catch_unwind)]
    pub fn verify<'env>(&self, env: &'env Env, meter: &Meter) -> Result<PromiseRaw<'env, VerifyReport>> {
        promise(env, self.0.verify(meter.0.clone()), VerifyReport::from)
    }

    /// Makes another key the one that opens it.
    #[napi(catch_unwind)]
    pub fn change_passphrase<'env>(
        &self,
        env: &'env Env,
        #[napi(ts_arg_type = "string | Uint8Array | KeyStore | undefined | null")] old: Option<Secret<'_>>,
        #[napi(ts_arg_type = "string | Uint8Array | KeyStore")] next: Secret<'_>,
    ) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.change_passphrase(old.map(key).transpose()?, key(next)?), |()| ())
    }

    /// The words that stand for its root.
    #[napi(catch_unwind)]
    pub fn recovery_words<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, String>> {
        promise(env, self.0.recovery_words(), |words| words)
    }

    /// Takes the words back.
    #[napi(catch_unwind)]
    pub fn confirm_recovery_words<'env>(
        &self,
        env: &'env Env,
        words: String,
    ) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.confirm_recovery_words(words), |()| ())
    }

    /// Makes a device that exists as words only.
    #[napi(catch_unwind)]
    pub fn add_recovery_device<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, String>> {
        promise(env, self.0.add_recovery_device(), |words| words)
    }

    /// Copies it into a folder.
    #[napi(catch_unwind)]
    pub fn backup<'env>(
        &self,
        env: &'env Env,
        to: String,
        #[napi(ts_arg_type = "string | Uint8Array | KeyStore | undefined | null")] secret: Option<Secret<'_>>,
        meter: &Meter,
    ) -> Result<PromiseRaw<'env, BackupReport>> {
        let secret = secret.map(key).transpose()?;
        promise(env, self.0.backup(to, secret, meter.0.clone()), BackupReport::from)
    }

    /// Whether it is a copy that has not met a peer.
    #[napi(catch_unwind)]
    pub fn restored(&self) -> Result<bool> {
        self.0.restored().or_throw()
    }

    /// Goes on without having met a peer.
    #[napi(catch_unwind)]
    pub fn confirm_only_copy<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.confirm_only_copy(), |()| ())
    }

    /// Closes it.
    #[napi(catch_unwind)]
    pub fn shutdown<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.shutdown(), |()| ())
    }
}
