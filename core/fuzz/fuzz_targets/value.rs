//! A value.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidelog::fuzz::value(bytes));
