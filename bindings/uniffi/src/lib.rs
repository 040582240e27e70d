//! The native module of the Kotlin and Swift packages: conversions only.
//!
//! Private: `kotlin/` and `swift/` wrap what `tidelog-bindgen` generates from this crate, and
//! `api.txt` lists its signatures.
//!
//! * A method that may block is an `async fn`. Its work runs on the engine's threads, so any
//!   executor of a host will do, and a host that stops waiting does not undo a write.
//! * Everything returns [`Result`]: a Swift function that cannot throw would end the process where
//!   the engine reports a bug.
//! * Records and enums are those of `tidelog-api`, described in place (`types`); application data
//!   crosses as one tree (`value`) in the buffer of its call.
//! * Streams are pulled with `next`.
#![deny(missing_docs)]

mod circles;
mod collection;
mod database;
mod document;
mod error;
mod joining;
mod key;
mod link;
mod log;
mod members;
mod meter;
mod recovery;
mod remote_log;
mod stream;
mod types;
mod value;
mod workspace;

pub use collection::Collection;
pub use database::{Database, Transaction, TransactionCollection};
pub use document::Document;
pub use error::{Failure, Result};
pub use joining::ask_to_join;
pub use key::{Key, KeyStore};
pub use link::Link;
pub use log::Log;
pub use meter::Meter;
pub use recovery::verify_backup;
pub use remote_log::RemoteLog;
pub use stream::{LinkEvents, Live, Logs, Watch, logs};
pub use workspace::Workspace;

uniffi::setup_scaffolding!("tidelog");

/// Moves the clock of tests forward. Not in a released package.
///
/// # Errors
///
/// Only `forked`.
#[cfg(feature = "test-util")]
#[uniffi::export]
pub fn advance(ms: u64) -> Result<()> {
    Ok(tidelog_api::advance(ms)?)
}
