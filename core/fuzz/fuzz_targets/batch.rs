//! Entries as they go over the wire.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidelog_log::fuzz::batch(bytes));
