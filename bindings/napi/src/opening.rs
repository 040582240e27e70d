//! What gives a workspace: opening, making, joining, getting back.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw, Uint8Array};
use napi_derive::napi;
use tidelog_api as api;

use crate::call::{Meter, promise};
use crate::key::{Secret, key};
use crate::options::{JoinOptions, RecoverFrom};
use crate::record::BackupInfo;
use crate::workspace::Workspace;

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

/// Begins to join by hand.
#[napi(catch_unwind)]
pub(crate) fn ask_to_join<'env>(
    env: &'env Env,
    path: String,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore")] secret: Secret<'_>,
    invite: String,
    profile: String,
) -> Result<PromiseRaw<'env, Uint8Array>> {
    promise(env, api::Workspace::ask_to_join(path, key(secret)?, invite, profile), Uint8Array::from)
}

/// Ends what was begun by hand.
#[napi(catch_unwind)]
pub(crate) fn finish_joining<'env>(
    env: &'env Env,
    path: String,
    #[napi(ts_arg_type = "string | Uint8Array | KeyStore")] secret: Secret<'_>,
    welcome: Uint8Array,
) -> Result<PromiseRaw<'env, Workspace>> {
    promise(env, api::Workspace::finish_joining(path, key(secret)?, welcome.to_vec()), Workspace)
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
