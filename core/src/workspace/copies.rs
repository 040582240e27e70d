//! Copies of a device: a folder that was copied, a machine that was cloned, a backup that came back.
//!
//! Two copies that both write fork every chain they write to. So a device lives at one place, which
//! its vault names: machine, file and time of birth of the first segment. A copy finds itself
//! elsewhere; a clone that cannot see this learns that it wrote what it does not hold. Either is
//! **restored**: its log takes no entry of the device, until a peer was reached and all that the
//! device ever sent is here. Then, as its last act, the old device admits the same device under a
//! fresh incarnation, with other keys, and the copy goes on as that.
//!
//! The life that is about to begin stands in the vault before its admission is written, so a crash
//! between any two steps ends in the old life, restored, or in the new one.

use std::sync::{Arc, PoisonError};

use tidelog_log::crypto::{Signer as _, sha256, tag};
use tidelog_log::directory::{DeviceCert, Op, Role};
use tidelog_log::env::random_array;
use tidelog_log::log::Draft;
use tidelog_log::segments::segment_path;
use tidelog_log::storage::Storage;

use super::beacons;
use super::create::blocking;
use super::custody::Custody;
use super::{Inner, Workspace};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::device::DeviceKeys;
use crate::keys::keyring::Recipient;
use crate::keys::vault::{Home, Life, Vault};

const TAG_HOME: [u8; 16] = tag("TIDE1 vault home");
/// Operations of one entry that admit or grant: an entry has room for 256.
pub(super) const GRANTS_MAX: usize = 200;

impl Workspace {
    /// Whether this is a copy of a device, which can only be read until it has met a peer: a
    /// restored backup, a copied folder, a cloned machine. Writing fails with `restored` meanwhile.
    /// A sync, or a link that becomes live, ends it: the device goes on as a new one of the same
    /// user.
    #[must_use]
    pub fn restored(&self) -> bool {
        let engine = &self.inner.engine;
        engine.log.is_silent(&engine.device())
    }

    /// Goes on without having met a peer, on the word of a person that no other copy of this device
    /// is in use and that what it may have written since the copy was made is lost. If that is
    /// wrong, the directory chain of this device forks: nothing is lost by it, but it shows. Without
    /// effect unless [`Workspace::restored`].
    ///
    /// # Errors
    ///
    /// `not_authorized` if the device was removed meanwhile; or what the disk reports.
    ///
    /// # Cancellation
    ///
    /// Once begun, it takes place.
    pub async fn confirm_only_copy(&self) -> Result<()> {
        self.begin_next_life().await
    }

    pub(super) async fn begin_next_life(&self) -> Result<()> {
        let inner = Arc::clone(&self.inner);
        blocking(move || begin_next_life(&inner)).await
    }
}

/// Where the log of a folder is; `None` if that cannot be told.
fn here(storage: &dyn Storage) -> Option<Home> {
    let origin = storage.origin(&segment_path(1)).ok()?;
    let length = u8::try_from(origin.machine.len()).ok()?;
    Some(sha256(&[
        &TAG_HOME,
        &[length],
        origin.machine.as_bytes(),
        &origin.file.to_le_bytes(),
        &origin.born_ns.to_le_bytes(),
    ]))
}

/// Finds out, right after a log was opened, whether its device lives here, and ends the change to
/// another life that was interrupted.
pub(super) fn settle_in(engine: &Engine, custody: &Custody, storage: &dyn Storage) -> Result<()> {
    let here = here(storage);
    let (life, next) = custody.look(|vault| (vault.life, vault.next))?;
    let device = engine.device();
    engine.log.set_own(device);
    if let Some(next) = next {
        engine.log.silence(device);
        let keys = custody.look(|vault| keys_of(engine, vault, &next))?;
        if here.is_some()
            && next.home == here
            && engine.log.directory().is_member(&keys.device())
            && is_written(custody.change(|vault| (vault.life, vault.next) = (next, None)))?
        {
            engine.go_on_as(keys);
        }
    } else if life.home.is_none() && !has_written(engine) {
        // A device that was made here just now.
        is_written(custody.change(|vault| vault.life.home = here))?;
    } else if life.home.is_none() || life.home != here {
        engine.log.silence(device);
    }
    Ok(())
}

/// Whether the vault could be written. Where it may only be read there is nothing to settle: nobody lives
/// there, and the next one to open it decides anew.
fn is_written(changed: Result<()>) -> Result<bool> {
    match changed {
        Err(error) if error.kind() == ErrorKind::ReadOnly => Ok(false),
        changed => changed.map(|()| true),
    }
}

fn has_written(engine: &Engine) -> bool {
    let device = engine.device();
    engine.log.frontier().0.iter().any(|leaf| leaf.device == device)
}

fn keys_of(engine: &Engine, vault: &Vault, life: &Life) -> Arc<DeviceKeys> {
    Arc::new(DeviceKeys::derive(&vault.seed, &engine.workspace(), &life.incarnation))
}

/// What a link to a relay calls when both sides hold the same.
pub(super) fn when_synced(inner: &Arc<Inner>) -> Arc<dyn Fn() + Send + Sync> {
    let inner = Arc::downgrade(inner);
    Arc::new(move || {
        let Some(inner) = inner.upgrade() else { return };
        inner.engine.met_relay();
        if inner.engine.beacon_may_be_due() {
            tokio::spawn(beacons::write_if_due(Arc::clone(&inner.engine)));
        }
        if inner.engine.log.is_silent(&inner.engine.device()) {
            tokio::task::spawn_blocking(move || {
                if let Err(error) = begin_next_life(&inner) {
                    tracing::warn!(%error, "a copy of a device could not begin a life of its own");
                }
            });
        }
    })
}

/// Admits the device under a fresh incarnation and goes on as that, if it is a copy.
fn begin_next_life(inner: &Inner) -> Result<()> {
    let Inner { engine, custody, storage, birth, .. } = inner;
    let _only_one = birth.lock().unwrap_or_else(PoisonError::into_inner);
    let old = engine.device();
    let directory = engine.log.directory();
    if !engine.log.is_silent(&old) {
        return Ok(());
    }
    let Some(device) = directory.device(&old) else {
        let text = "this device was removed from the workspace: join again, or use recovery words";
        return Err(Error::new(ErrorKind::NotAuthorized, text));
    };
    if directory.role(&old).is_none_or(|role| role < Role::Writer) {
        // It cannot give keys to another device, nor write what would fork a chain.
        return Ok(());
    }
    let home = here(&**storage);
    let next = match custody.look(|vault| vault.next)? {
        Some(next) if next.home == home && home.is_some() => next,
        _ => {
            let next = Life { incarnation: random_array(&*engine.random), home };
            custody.change(|vault| vault.next = Some(next))?;
            next
        }
    };
    let keys = custody.look(|vault| keys_of(engine, vault, &next))?;
    if !directory.is_member(&keys.device()) {
        let kem = keys.kem().public();
        let cert = DeviceCert::issue(&*keys, kem, &engine.workspace(), &device.user);
        let recipient = Recipient { device: keys.device(), kem };
        let mut ops = vec![Op::AddDevice { user: device.user, cert }];
        ops.extend({
            let keyring = engine.keyring.read().unwrap_or_else(PoisonError::into_inner);
            keyring.grants_of_all(&directory, &device.user, recipient, &*engine.random)?
        });
        while !ops.is_empty() {
            let rest = ops.split_off(ops.len().min(GRANTS_MAX));
            engine.log.commit_blocking(vec![Draft::directory(engine.signer(), ops).last_act()])?;
            ops = rest;
        }
        if !engine.log.directory().is_member(&keys.device()) {
            let text = "the workspace does not take the new life of this device";
            return Err(Error::new(ErrorKind::NotAuthorized, text));
        }
    }
    custody.change(|vault| (vault.life, vault.next) = (next, None))?;
    engine.go_on_as(keys);
    Ok(())
}

#[cfg(test)]
mod tests;
