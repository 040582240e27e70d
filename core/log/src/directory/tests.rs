//! Tests of the directory. `support` makes entries as a log would, `random` makes histories, and
//! `naive` folds them a second time, by the book.

mod acceptance;
mod circles;
mod codec;
mod cuts;
mod intents;
mod keys;
mod naive;
mod properties;
mod random;
mod rules;
mod scale;
mod support;
