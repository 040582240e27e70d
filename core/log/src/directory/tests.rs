//! Tests of the directory. `support` makes entries as a log would.

mod rules;
mod support;
