//! Tests of the directory. `support` makes entries as a log would; `model` folds them naively.

mod acceptance;
mod codec;
mod keys;
mod model;
mod orders;
mod rules;
mod scale;
mod support;
