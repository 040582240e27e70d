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
use crate::record::{
    BackupInfo, BackupReport, Device, Invite, InviteOptions, JoinOptions, JoinRequest, Me, Member,
    RecoverFrom, Stats, SyncReport, VerifyReport, Warning, WatchOptions, all,
};
use crate::stream::Watch;

/// Opens a workspace, or makes it once.
#[napi(catch_unwind)]
pub(crate) fn open<'env>(
    env: &'env Env,
    path: String,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore")] secret: Secret<'_>,
    create: Option<String>,
) -> Result<PromiseRaw<'env, Workspace>> {
    promise(env, api::Workspace::open(path, key(secret)?, create), Workspace)
}

/// Makes a workspace.
#[napi(catch_unwind)]
pub(crate) fn create<'env>(
    env: &'env Env,
    path: String,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore")] secret: Secret<'_>,
    name: String,
) -> Result<PromiseRaw<'env, Workspace>> {
    promise(env, api::Workspace::create(path, key(secret)?, name), Workspace)
}

/// Joins the workspace of an invite.
#[napi(catch_unwind)]
pub(crate) fn join<'env>(
    env: &'env Env,
    path: String,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore")] secret: Secret<'_>,
    invite: String,
    options: JoinOptions,
) -> Result<PromiseRaw<'env, Workspace>> {
    promise(env, api::Workspace::join(path, key(secret)?, invite, options.into()), Workspace)
}

/// Checks a backup.
#[napi(catch_unwind)]
pub(crate) fn verify_backup<'env>(
    env: &'env Env,
    path: String,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore | undefined | null")] secret: Option<Secret<'_>>,
    meter: &Meter,
) -> Result<PromiseRaw<'env, BackupInfo>> {
    let call = api::Workspace::verify_backup(path, secret.map(key).transpose()?, meter.0.clone());
    promise(env, call, BackupInfo::from)
}

/// Makes the workspace of a backup anew.
#[napi(catch_unwind)]
pub(crate) fn restore<'env>(
    env: &'env Env,
    backup: String,
    path: String,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore")] backup_secret: Secret<'_>,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore | undefined | null")] secret: Option<Secret<'_>>,
    meter: &Meter,
) -> Result<PromiseRaw<'env, Workspace>> {
    let secret = secret.map(key).transpose()?;
    let call = api::Workspace::restore(backup, path, key(backup_secret)?, secret, meter.0.clone());
    promise(env, call, Workspace)
}

/// Gets a workspace back with recovery words.
#[napi(catch_unwind)]
pub(crate) fn recover<'env>(
    env: &'env Env,
    path: String,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore")] secret: Secret<'_>,
    words: String,
    from: RecoverFrom,
) -> Result<PromiseRaw<'env, Workspace>> {
    promise(env, api::Workspace::recover(path, key(secret)?, words, from.into()), Workspace)
}

/// Moves the clock of tests forward; not in released packages, nor in the declarations.
#[cfg(feature = "test-util")]
#[napi(catch_unwind, skip_typescript)]
pub(crate) fn advance(ms: f64) -> Result<()> {
    api::advance(crate::record::ms(ms)).or_throw()
}

/// The codes of all errors.
#[napi(catch_unwind)]
pub(crate) fn error_codes() -> Result<Vec<&'static str>> {
    Ok(api::ErrorKind::ALL.iter().map(|kind| kind.code()).collect())
}

/// An open workspace.
#[napi]
pub struct Workspace(api::Workspace);

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

    /// A database.
    #[napi(catch_unwind)]
    pub fn database(&self, name: String) -> Result<Database> {
        Ok(Database(self.0.database(&name, None).or_throw()?))
    }

    /// The names of its databases.
    #[napi(catch_unwind)]
    pub fn databases<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<String>>> {
        promise(env, self.0.databases(None), |names| names)
    }

    /// Makes an invite.
    #[napi(catch_unwind)]
    pub fn invite<'env>(&self, env: &'env Env, options: InviteOptions) -> Result<PromiseRaw<'env, Invite>> {
        promise(env, self.0.invite(options.into()), Invite::from)
    }

    /// The invites that hold.
    #[napi(catch_unwind)]
    pub fn invites<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Invite>>> {
        promise(env, self.0.invites(), all)
    }

    /// Takes an invite back.
    #[napi(catch_unwind)]
    pub fn withdraw<'env>(&self, env: &'env Env, invite: String) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.withdraw(invite), |()| ())
    }

    /// The devices that ask to join.
    #[napi(catch_unwind)]
    pub fn requests<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<JoinRequest>>> {
        promise(env, self.0.requests(), all)
    }

    /// Admits a device that asks.
    #[napi(catch_unwind)]
    pub fn approve<'env>(&self, env: &'env Env, request: String) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.approve(request), |()| ())
    }

    /// Gives this user a name.
    #[napi(catch_unwind)]
    pub fn set_profile<'env>(&self, env: &'env Env, name: String) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.set_profile(name), |()| ())
    }

    /// Its users.
    #[napi(catch_unwind)]
    pub fn members<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Member>>> {
        promise(env, self.0.members(), all)
    }

    /// Its devices.
    #[napi(catch_unwind)]
    pub fn devices<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<Device>>> {
        promise(env, self.0.devices(), all)
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
