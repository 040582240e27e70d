//! Frames of a session.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidelog_log::fuzz::frames(bytes));
