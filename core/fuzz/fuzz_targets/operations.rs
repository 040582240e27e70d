//! The operations of an entry.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidelog::fuzz::operations(bytes));
