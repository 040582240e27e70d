//! Placeholder.

mod data;
mod document;
mod engine;
mod error;
mod keys;
#[cfg(feature = "net")]
mod net;
mod value;
#[cfg(test)]
mod vectors;

pub use data::{
    CHANGES_MAX, Change, ChangeKind, Changes, Collection, CollectionOptions, Database, Event, EventKind,
    Item, KEY_BYTES_MAX, Live, LogHandle, NAME_BYTES_MAX, Notice, Page, Policy, Query, Summary, Transaction,
    TransactionCollection, Version, VersionKind, WATCH_EVENTS_MAX, Watch,
};
pub use document::edit::Edit;
pub use document::handle::Document;
pub use error::{Error, ErrorKind, Result};
pub use keys::vault::Key;
#[cfg(feature = "net")]
pub use net::{Link, LinkEvent, LinkEvents, LinkProgress, LinkState, SyncReport};
pub use value::{Value, from_value, to_value};
