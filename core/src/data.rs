//! The data layer: databases, collections, items.
//!
//! Everything shown is one function of (entries accepted, keys held, local time), whatever order
//! the entries arrived in: [`materialise`] computes it into tables of the state, and the handles
//! read those.

pub(crate) mod address;
pub(crate) mod hlc;
pub(crate) mod operation;
pub(crate) mod path;
pub(crate) mod query;
