//! The native module of the Python package, `tidelog._tidelog`: conversions only.
//!
//! Private: `python/src/tidelog` wraps it, with `_tidelog.pyi` as the contract between the two.
//!
//! * A method that may block takes `on`, an event loop, last. Without it the method waits on the
//!   calling thread, with the interpreter released; with it the method returns an
//!   `asyncio.Future` of that loop.
//! * Application data crosses as plain Python objects ([`value`]), records as dictionaries
//!   ([`record`]), and errors as the classes of `tidelog` ([`error`]).
//! * Nothing attaches to an interpreter that is about to end ([`exit`]).

mod call;
mod collection;
mod database;
mod document;
mod error;
mod event_loop;
mod exit;
mod key;
mod link;
mod log;
mod opening;
mod record;
mod stream;
mod value;
mod workspace;

#[pyo3::pymodule(gil_used = false)]
mod _tidelog {
    #[pymodule_export]
    use crate::call::Meter;
    #[pymodule_export]
    use crate::collection::Collection;
    #[pymodule_export]
    use crate::database::{Database, Transaction, TransactionCollection};
    #[pymodule_export]
    use crate::document::Document;
    #[pymodule_export]
    use crate::event_loop::EventLoop;
    #[pymodule_export]
    use crate::exit::stop_engine;
    #[pymodule_export]
    use crate::link::Link;
    #[pymodule_export]
    use crate::log::{Log, RemoteLog};
    #[pymodule_export]
    use crate::opening::{ask_to_join, create, finish_joining, join, open, recover, restore, verify_backup};
    #[pymodule_export]
    use crate::stream::{Stream, logs};
    #[cfg(feature = "test-util")]
    #[pymodule_export]
    use crate::workspace::advance;
    #[pymodule_export]
    use crate::workspace::{Workspace, error_codes};
}
