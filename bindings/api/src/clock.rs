//! The clock of tests: the system's, moved forward by hand. Never in a released package.

use std::sync::Arc;

use tidelog::Environment;
use tidelog_log::env::MovedClock;

use crate::error::Result;
use crate::runtime::guard;

/// Moves the clock of all workspaces of this process forward: stamps and expiry follow it.
///
/// # Errors
///
/// Only [`Forked`](crate::ErrorKind::Forked).
pub fn advance(ms: u64) -> Result<()> {
    guard(|| {
        MovedClock::advance(ms);
        Ok(())
    })
}

/// A folder on disk, with the clock of tests.
pub(crate) fn environment(path: &str) -> Environment {
    let mut environment = Environment::folder(path);
    environment.clock = Arc::new(MovedClock);
    environment
}
