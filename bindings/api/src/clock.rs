//! The clock of tests: the system's, moved forward by hand. Never in a released package.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidelog::Environment;
use tidelog_log::env::{Clock, SystemClock};

use crate::error::Result;
use crate::runtime::guard;

static AHEAD_MS: AtomicU64 = AtomicU64::new(0);

/// Moves the clock of all workspaces of this process forward: stamps and expiry follow it.
///
/// # Errors
///
/// Only [`Forked`](crate::ErrorKind::Forked).
pub fn advance(ms: u64) -> Result<()> {
    guard(|| {
        AHEAD_MS.fetch_add(ms, Ordering::SeqCst);
        Ok(())
    })
}

/// A folder on disk, with the clock of tests.
pub(crate) fn environment(path: &str) -> Environment {
    let mut environment = Environment::folder(path);
    environment.clock = Arc::new(MovedClock);
    environment
}

#[derive(Debug)]
struct MovedClock;

impl Clock for MovedClock {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms().saturating_add(AHEAD_MS.load(Ordering::SeqCst))
    }
}
