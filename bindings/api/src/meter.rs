//! How far a long call has come.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Tells how far a long call has come, and stops it. The host makes one for the call, looks at it
/// as often as it likes, and forgets it afterwards.
#[derive(Debug, Clone, Default)]
pub struct Meter {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    done: AtomicU64,
    total: AtomicU64,
    stopped: AtomicBool,
}

impl Meter {
    /// A meter for one call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How much is done, in what the call counts: items, entries.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// How much there is to do; 0 before the call knows.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.shared.total.load(Ordering::Relaxed)
    }

    /// Ends the call as soon as it can end without a loss. It then gives what it had done.
    pub fn stop(&self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }

    /// Takes down how far the call has come, and says whether it goes on.
    pub(crate) fn tell(&self, done: u64, total: u64) -> ControlFlow<()> {
        self.shared.total.store(total, Ordering::Relaxed);
        self.shared.done.store(done, Ordering::Relaxed);
        if self.shared.stopped.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
