//! Placeholder.

mod data;
mod error;
mod keys;
#[cfg(feature = "net")]
mod net;
mod value;
#[cfg(test)]
mod vectors;

pub use error::{Error, ErrorKind, Result};
pub use keys::vault::Key;
#[cfg(feature = "net")]
pub use net::{Link, LinkEvent, LinkEvents, LinkProgress, LinkState, SyncReport};
pub use value::{Value, from_value, to_value};
