//! The API model that all language bindings of Tidelog share.
//!
//! Ordinary Rust with a surface that every foreign-function technology can express, so that the
//! bindings themselves hold conversions only:
//!
//! * Arguments and results are numbers, text, bytes, lists, maps, plain structs and enums. Ids are
//!   lower-case text, times are `i64` milliseconds named `*_ms`, application data is [`Value`].
//! * Handles are few and long-lived, cheap to clone, and usable from any thread. After
//!   [`Workspace::shutdown`] every method fails with [`ErrorKind::Closed`].
//! * There is one [`Error`]; its [code](ErrorKind::code) is the same in every language.
//! * What may block is a [`Call`]: the host either waits for it on the calling thread or awaits it,
//!   with any executor. A panic becomes [`ErrorKind::Internal`]. Giving up on a call that was
//!   started does not undo or lose a write.
//! * Streams are pulled, bounded, and say how much they dropped.
//! * In a forked child every call fails at once with [`ErrorKind::Forked`].
//!
//! The doc comments here are the source of each language's reference. No behaviour lives in this
//! crate: what the words mean is decided in `tidelog`.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod call;
#[cfg(feature = "test-util")]
mod clock;
mod collection;
mod convert;
mod database;
mod document;
mod error;
mod jobs;
mod key;
mod link;
mod log;
mod logs;
mod meter;
mod remote_log;
mod runtime;
mod stream;
mod types;
mod warnings;
mod workspace;

pub use call::{Abandon, Call, Task};
#[cfg(feature = "test-util")]
pub use clock::advance;
pub use collection::Collection;
pub use database::{Database, Transaction, TransactionCollection};
pub use document::Document;
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "test-util")]
pub use key::{FileKeyStore, MemoryKeyStore};
pub use key::{Key, KeyStore};
pub use link::{Link, LinkEvents};
pub use log::Log;
pub use logs::logs;
pub use meter::Meter;
pub use remote_log::RemoteLog;
pub use runtime::is_forked;
pub use stream::Stream;
pub use tidelog::Value;
pub use types::*;
pub use warnings::Warning;
pub use workspace::Workspace;
