//! A workspace: what a program opens, and everything it hands out.
//!
//! Owns the engine and its links. All handles are cheap to clone and stay usable until
//! [`Workspace::shutdown`]; after that every call answers `closed`.

mod admission;
mod backup;
mod beacons;
mod by_hand;
mod circles;
mod copies;
mod create;
mod custody;
mod databases;
mod desk;
mod excluded;
pub(crate) mod invite_link;
mod invites;
mod join;
mod letter;
mod link;
mod local;
mod members;
mod pair;
mod recover;
mod remote_log;
mod removal;
mod secrets;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
mod upkeep;
mod warnings;
mod welcome;

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use tidelog_log::env::{Clock, Random, SystemClock, SystemRandom, random_array};
use tidelog_log::storage::{FolderStorage, Storage};

pub use backup::{BackupInfo, BackupKey, BackupReport};
pub use circles::{Circle, CircleMember, CircleOptions, History, KeyPolicy};
pub use databases::WatchOptions;
pub use excluded::{ExcludedEntry, ExclusionReason};
pub use invites::{Invite, InviteOptions, JoinRequest};
pub use join::JoinOptions;
pub use members::{Device, Me, Member};
pub use recover::RecoverFrom;
pub use remote_log::RemoteLog;
pub use removal::RemovalReport;
pub use upkeep::{EntryInfo, Stats, VerifyReport};

use crate::data::Database;
use crate::engine::Engine;
use crate::error::Result;
use crate::keys::KEY_LEN;
use crate::keys::vault::Cost;
use crate::net::Link;
use custody::Custody;
use desk::Desk;

/// What the engine takes from outside: where it stores, what time it is, where randomness comes
/// from. Programs use [`Environment::folder`]; tests bring their own.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Holds the workspace.
    pub storage: Arc<dyn Storage>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub random: Arc<dyn Random>,
    cost: Cost,
    threaded: bool,
}

impl Environment {
    /// A folder on disk, the system's clock and the system's randomness.
    #[must_use]
    pub fn folder(path: impl AsRef<Path>) -> Self {
        Self {
            storage: Arc::new(FolderStorage::new(path.as_ref())),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            cost: Cost::DEFAULT,
            threaded: true,
        }
    }

    /// Random bytes for a raw key that the application keeps.
    #[must_use]
    pub fn random_key(&self) -> [u8; KEY_LEN] {
        random_array(&*self.random)
    }

    /// An environment of a test: writing happens in the calling thread, and passphrases are
    /// stretched as little as is accepted.
    #[cfg(any(test, feature = "test-util"))]
    #[must_use]
    pub fn test(storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { storage, clock, random, cost: Cost::FLOOR, threaded: false }
    }
}

struct Inner {
    engine: Arc<Engine>,
    /// The device's secrets at rest.
    custody: Custody,
    /// Invites that this device gave out, and who asked with them.
    desk: Arc<Desk>,
    links: Mutex<Vec<Link>>,
    storage: Arc<dyn Storage>,
    /// Held while the device begins another life.
    birth: Mutex<()>,
}

/// A workspace that is open. Cloning gives another handle to the same one.
#[derive(Clone)]
pub struct Workspace {
    inner: Arc<Inner>,
}

impl fmt::Debug for Workspace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Workspace({})", self.id())
    }
}

impl Workspace {
    fn new(engine: Engine, custody: Custody, storage: Arc<dyn Storage>) -> Result<Self> {
        let engine = Arc::new(engine);
        if engine.stream("").is_ok() {
            Database::learn_names(&engine)?;
        }
        let desk = Arc::new(Desk::new(Arc::clone(&engine), Arc::clone(&storage))?);
        let (links, birth) = (Mutex::default(), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { engine, custody, desk, links, storage, birth }) })
    }
}
