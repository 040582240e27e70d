//! The log of Tidelog: entries, directory, storage and hash-diff sync.
//!
//! This crate knows neither plaintext nor epoch keys nor device seeds, and opens no sockets: a
//! relay links it and nothing else. Storage, clock and randomness are traits given by its caller,
//! so that every run, and every fault, can be repeated.

pub mod batch;
pub mod crypto;
pub mod directory;
pub mod entry;
pub mod env;
pub mod frames;
#[cfg(any(test, feature = "test-util"))]
#[doc(hidden)]
pub mod fuzz;
pub mod ids;
pub mod log;
pub mod pages;
pub mod segments;
pub mod session;
pub mod state;
pub mod storage;
#[cfg(any(test, feature = "test-util"))]
pub mod testing;
pub mod trie;
mod wire;
