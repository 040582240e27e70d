//! The data layer: databases, collections, items.
//!
//! Everything shown is one function of (entries accepted, keys held, local time), whatever order
//! the entries arrived in: [`materialise`] computes it into tables of the state. The handles read
//! those, and write through [`write`], the only maker of operations.
//!
//! Nothing here knows storage, the network or who may write: that is for the log.

pub(crate) mod address;
pub(crate) mod beacon;
pub(crate) mod changes;
pub(crate) mod collection;
pub(crate) mod database;
mod fresh;
pub(crate) mod history;
pub(crate) mod hlc;
mod key;
pub(crate) mod key_uses;
pub(crate) mod live;
pub(crate) mod materialise;
pub(crate) mod operation;
pub(crate) mod path;
pub(crate) mod query;
pub(crate) mod read;
mod restate;
pub(crate) mod tables;
pub(crate) mod transaction;
pub(crate) mod unshown;
pub(crate) mod watch;
pub(crate) mod write;

pub use address::{KEY_BYTES_MAX, NAME_BYTES_MAX, Policy};
pub use changes::{CHANGES_MAX, Change, ChangeKind, Changes, Log};
pub use collection::{Collection, CollectionOptions, Item, Page, Summary};
pub use database::Database;
pub use history::{Version, VersionKind};
pub use live::Live;
pub use query::Query;
pub use transaction::{Transaction, TransactionCollection};
pub use watch::{Event, EventKind, Notice, WATCH_EVENTS_MAX, Watch};

use crate::document::cache::Documents;

/// The collection of a catalogue that lists the databases: its keys are their names.
const CATALOGUE_COLLECTION: &str = "databases";

/// What the materialiser and the handles of one open workspace share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Hands out events.
    pub(crate) hub: watch::Hub,
    /// Open documents.
    pub(crate) documents: Documents,
    /// Writes on their way.
    pub(crate) writes: write::Writes,
    /// How each key was used.
    pub(crate) key_uses: key_uses::KeyUses,
    /// Own entries that are sealed and not applied yet.
    pub(crate) fresh: fresh::Fresh,
}

#[cfg(test)]
mod tests;
