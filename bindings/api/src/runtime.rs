//! The tokio runtime of the bindings, and the two guards at the boundary: panics and forks.
//!
//! The runtime is made by the first call that needs it and lives as long as the process. A process
//! that forks before that can use the library in parent and child; afterwards the child has none of
//! the threads, so every call in it is refused instead of waiting for ever.

use std::any::Any;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, ErrorKind, Result};

/// The process that the runtime's threads belong to, and the runtime if it could be made.
struct Home {
    process: u32,
    runtime: Result<Runtime>,
}

static HOME: OnceLock<Home> = OnceLock::new();

/// The runtime.
pub(crate) fn runtime() -> Result<&'static Runtime> {
    let home = HOME.get_or_init(|| Home { process: std::process::id(), runtime: start() });
    check_process()?;
    home.runtime.as_ref().map_err(Clone::clone)
}

fn start() -> Result<Runtime> {
    Builder::new_multi_thread().thread_name("tidelog").enable_all().build().map_err(|error| {
        Error::new(ErrorKind::Io, format!("cannot start the threads of the engine: {error}"))
    })
}

/// Whether this process is a fork of the one in which the engine runs.
#[must_use]
pub fn is_forked() -> bool {
    HOME.get().is_some_and(|home| home.process != std::process::id())
}

/// Refuses to go on in a forked child.
pub(crate) fn check_process() -> Result<()> {
    if is_forked() {
        return Err(Error::new(
            ErrorKind::Forked,
            "the engine runs in the process this one was forked from: open workspaces after forking, or spawn instead",
        ));
    }
    Ok(())
}

/// Runs a call on this thread: refused after a fork; a panic becomes an error.
pub(crate) fn guard<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    check_process()?;
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// Like [`guard`], within the runtime, for what starts tasks.
pub(crate) fn guard_in_runtime<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    let _entered = runtime()?.enter();
    guard(call)
}

/// The error that stands for a panic.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(message, "a call panicked");
    Error::new(ErrorKind::Internal, "a bug in the engine stopped this call; please report it")
}

/// A handle of the engine, shared by the clones of a handle of the host and its calls.
pub(crate) type Handle<T> = Arc<Held<T>>;

/// Wraps a handle of the engine.
pub(crate) fn handle<T>(core: T) -> Handle<T> {
    Arc::new(Held::new(core))
}

/// Something of the engine, which a forked child forgets instead of dropping: its threads are not
/// there to be joined.
#[derive(Debug)]
pub(crate) struct Held<T>(Option<T>);

impl<T> Held<T> {
    pub(crate) const fn new(handle: T) -> Self {
        Self(Some(handle))
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.as_mut().expect(TAKEN)
    }

    pub(crate) fn into_inner(mut self) -> T {
        self.0.take().expect(TAKEN)
    }
}

const TAKEN: &str = "only drop takes the handle out";

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect(TAKEN)
    }
}

impl<T> Drop for Held<T> {
    fn drop(&mut self) {
        if is_forked() {
            std::mem::forget(self.0.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_internal_error_that_does_not_quote_it() {
        let error = guard::<()>(|| panic!("secret {}", 42)).expect_err("panicked");
        assert_eq!(error.kind, ErrorKind::Internal);
        assert!(!error.reason.contains("42"));
    }

    #[test]
    fn the_process_that_started_the_engine_is_no_fork() {
        runtime().expect("starts");
        assert!(!is_forked());
    }
}
