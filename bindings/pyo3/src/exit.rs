//! The end of the interpreter.
//!
//! A thread that tries to attach to an interpreter that has begun to finalise is stopped by CPython
//! in the middle of whatever it does, or aborts the process. So before that, from `atexit`, the
//! package has the engine stop: no call begins any more, the calls that wait return, and threads of
//! the engine no longer wake event loops.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use pyo3::prelude::*;
use tidelog_api::{Error, ErrorKind, Result};

/// How long the exit of the interpreter waits for calls on other threads.
const EXIT_WAIT: Duration = Duration::from_secs(5);
const EXIT_POLL: Duration = Duration::from_millis(1);

static EXITING: AtomicBool = AtomicBool::new(false);
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Held by a thread that will attach to the interpreter. Counted, so that the exit can wait for it.
pub(crate) struct Inside(());

impl Inside {
    pub(crate) fn enter() -> Result<Self> {
        // Counted first: whoever sees the flag unset afterwards is waited for.
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let inside = Self(());
        check()?;
        Ok(inside)
    }
}

/// Refuses to go on when the interpreter is about to exit.
pub(crate) fn check() -> Result<()> {
    if EXITING.load(Ordering::SeqCst) {
        return Err(Error::new(ErrorKind::Closed, "the interpreter is about to exit"));
    }
    Ok(())
}

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets no further call begin, and waits for those on other threads. The package has shut down the
/// open workspaces before, which ends what they wait for.
#[pyfunction]
pub(crate) fn stop_engine(py: Python<'_>) {
    EXITING.store(true, Ordering::SeqCst);
    if tidelog_api::is_forked() {
        return;
    }
    py.detach(|| {
        let polls = EXIT_WAIT.as_millis() / EXIT_POLL.as_millis();
        for _ in 0..polls {
            if INSIDE.load(Ordering::SeqCst) == 0 {
                break;
            }
            std::thread::sleep(EXIT_POLL);
        }
    });
}
