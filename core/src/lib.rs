//! Placeholder.

mod data;
mod error;
mod keys;
mod value;
#[cfg(test)]
mod vectors;

pub use error::{Error, ErrorKind, Result};
pub use keys::vault::Key;
pub use value::{Value, from_value, to_value};
