//! Local-first, end-to-end-encrypted data.
//!
//! A [`Workspace`] is a folder on this device's disk: an append-only log of signed, encrypted
//! entries, and what they add up to. It holds databases of collections of items; every write is an
//! entry, durable when its future resolves. Devices of a workspace make their logs equal directly
//! or through relays, which see ciphertext only, and then show the same items.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tidelog::{Key, Query, Workspace};
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! struct Todo {
//!     #[serde(default)]
//!     id: String,
//!     title: String,
//!     done: bool,
//! }
//!
//! # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
//! let key = Key::raw([7; 32]); // or Key::passphrase("..")
//! let workspace = Workspace::open_or_create(folder.join("notes.tide"), key, "Field notes").await?;
//! let todos = workspace.database("main").collection::<Todo>("todos");
//! let todo = todos
//!     .insert(Todo { id: String::new(), title: "Calibrate sensor".into(), done: false })
//!     .await?;
//! assert_eq!(todos.get(&todo.id)?.map(|todo| todo.title), Some("Calibrate sensor".to_owned()));
//! workspace.shutdown().await?;
//! # Ok(())
//! # }
//! # let folder = tempfile::tempdir().unwrap();
//! # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
//! ```
//!
//! Formats and the protocol are in the repository's `docs` folder, its parts in `ARCHITECTURE.md`.

#![forbid(unsafe_code)]

mod data;
mod document;
mod engine;
mod error;
#[cfg(any(test, feature = "test-util"))]
#[doc(hidden)]
pub mod fuzz;
mod keys;
mod net;
mod value;
#[cfg(test)]
mod vectors;
mod warning;
mod workspace;

pub use data::{
    CHANGES_MAX, Change, ChangeKind, Changes, Collection, CollectionOptions, Database, Event, EventKind,
    Item, KEY_BYTES_MAX, Live, Log, NAME_BYTES_MAX, Notice, Page, Policy, Query, Summary, Transaction,
    TransactionCollection, Version, VersionKind, WATCH_EVENTS_MAX, Watch,
};
pub use document::edit::Edit;
pub use document::handle::Document;
pub use error::{Error, ErrorKind, Result};
pub use keys::vault::Key;
pub use net::{Link, LinkEvent, LinkEvents, LinkState, Progress, SyncReport};
pub use tidelog_log::directory::Role;
pub use tidelog_log::ids::{CircleId, DeviceId, EntryId, UserId, WorkspaceId};
pub use tidelog_log::session::Direction;
pub use value::{Value, from_value, to_value};
pub use warning::{Warning, WarningKind};
pub use workspace::{
    BackupInfo, BackupKey, BackupReport, Circle, CircleMember, CircleOptions, Device, EntryInfo, Environment,
    ExcludedEntry, ExclusionReason, History, Invite, InviteOptions, JoinOptions, JoinRequest, KeyPolicy, Me,
    Member, RecoverFrom, RemoteLog, RemovalReport, Stats, VerifyReport, WatchOptions, Workspace,
};

/// The first program of the README, so that it compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
