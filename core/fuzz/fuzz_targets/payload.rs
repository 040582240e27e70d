//! The plaintext of a payload.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidelog::fuzz::payload(bytes));
