//! The Node addon behind the package `tidelog`: conversions between JavaScript and `tidelog-api`, and nothing else.
//!
//! * Calls that may block run on the engine's threads and settle a promise; the event loop only converts. There is no
//!   second runtime.
//! * Streams report to callbacks that do not keep the process alive.
//! * An error is a JavaScript `Error` whose message is `code`, NUL, reason; the package makes `TidelogError` of it.
//! * Numbers of the API are JavaScript numbers; application data is converted by [`value`], with `bigint` where a
//!   number would lose digits.
//!
//! The API is private to the package: arguments are checked and defaults are set there.

// In a test build nothing registers the functions that `#[napi]` exports.
#![cfg_attr(test, allow(dead_code))]

mod call;
mod circles;
mod collection;
mod database;
mod document;
mod error;
mod key;
mod link;
mod log;
mod members;
mod opening;
mod options;
mod record;
mod stream;
mod value;
mod workspace;
