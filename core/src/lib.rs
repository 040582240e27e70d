//! Placeholder.

mod data;
mod error;
mod value;

pub use error::{Error, ErrorKind, Result};
pub use value::{Value, from_value, to_value};
