//! The table of attacks: entries that a malicious client with valid keys can make, against a replica
//! that materialises what counts and against a relay that has no keys.
//!
//! Each attack is delivered in several orders; whatever the order, all replicas end with the same
//! frontier, and the same entries count.

mod attacks;
mod sessions;
mod world;
