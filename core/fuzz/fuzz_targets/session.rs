//! A session that is sent anything.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tidelog_log::fuzz::session(bytes));
