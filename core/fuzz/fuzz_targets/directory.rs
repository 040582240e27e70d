//! The operations of an entry of the directory.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidelog_log::fuzz::directory(bytes));
