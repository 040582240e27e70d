//! What is fuzzed of the engine: what comes out of a payload, and what people paste.
//!
//! See [`tidelog_log::fuzz`] for how it is done, and for the targets below this crate.

use tidelog_log::fuzz::Target;

use crate::data::operation::Operations;
use crate::keys::payload;
use crate::value::cbor;
use crate::workspace::invite_link::InviteLink;

/// The targets of this crate.
pub const TARGETS: [Target; 4] = [
    Target { name: "payload", run: payload, valid: plaintexts },
    Target { name: "operations", run: operations, valid: some_operations },
    Target { name: "value", run: value, valid: values },
    Target { name: "invite", run: invite, valid: links },
];

/// The plaintext of a payload, with the operations in it.
pub fn payload(bytes: &[u8]) {
    if let Ok(opened) = payload::decode(bytes) {
        operations(&opened.operations);
    }
}

/// The operations of an entry.
pub fn operations(bytes: &[u8]) {
    if let Ok(operations) = Operations::decode(bytes) {
        assert_eq!(operations.encode(), bytes);
    }
}

/// A value.
pub fn value(bytes: &[u8]) {
    if let Ok(value) = cbor::decode(bytes) {
        assert_eq!(cbor::encode(&value).expect("what was read can be written"), bytes);
    }
}

/// An invite link.
pub fn invite(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(link) = InviteLink::parse(text) {
        let again = InviteLink::parse(&link.to_uri()).expect("what was read can be written");
        assert_eq!(again.to_uri(), link.to_uri());
    }
}

fn values() -> Vec<Vec<u8>> {
    vec![
        vec![0xF6],
        // {"a": [1, -1, 1.5], "b": "text"}
        b"\xA2\x61a\x83\x01\x20\xF9\x3E\x00\x61b\x64text".to_vec(),
        // [true, h'0102', [[[[]]]]]
        b"\x83\xF5\x42\x01\x02\x81\x81\x81\x80".to_vec(),
    ]
}

fn some_operations() -> Vec<Vec<u8>> {
    vec![
        // [["c", 0, null, [[0, "k", {"a": 1}], [1, "l"]]]]
        b"\x81\x84\x61c\x00\xF6\x82\x83\x00\x61k\xA1\x61a\x01\x82\x01\x61l".to_vec(),
    ]
}

/// Operations as they are, and compressed.
fn plaintexts() -> Vec<Vec<u8>> {
    let operations = some_operations().remove(0);
    let compressed = lz4_flex::block::compress_prepend_size(&[7; 200]);
    let plaintext = |(codec, body): (u8, Vec<u8>)| {
        let real_len = u8::try_from(1 + 8 + body.len()).expect("short");
        let mut bytes = [&[real_len, 0, 0, 0, codec][..], &[1; 8], &body].concat();
        bytes.resize(64, 0);
        bytes
    };
    [(1, operations), (0x81, compressed)].map(plaintext).into()
}

fn links() -> Vec<Vec<u8>> {
    let id = "ab".repeat(32);
    let by_relay = format!("tidelog:join?w={id}&s={id}&k={id}&h={id}&r=wss://relay.example/sync");
    let by_hand = format!("tidelog:join?w={id}&s={id}&u={}&h={id},{id}", "cd".repeat(16));
    vec![by_relay.into_bytes(), by_hand.into_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_target_of_the_engine_panics_at_made_up_bytes() {
        for target in TARGETS {
            target.play(0x71DE, 3_000);
        }
    }

    #[test]
    fn what_targets_begin_with_is_valid() {
        assert!(values().iter().all(|bytes| cbor::decode(bytes).is_ok()));
        assert!(some_operations().iter().all(|bytes| Operations::decode(bytes).is_ok()));
        assert!(plaintexts().iter().all(|bytes| payload::decode(bytes).is_ok()));
        let parses = |bytes: &Vec<u8>| InviteLink::parse(&String::from_utf8_lossy(bytes)).is_ok();
        assert!(links().iter().all(parses));
    }

    #[test]
    fn each_target_has_its_file_for_the_fuzzer() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .expect("core/fuzz")
            .map(|file| {
                file.expect("reads").path().file_stem().expect("named").to_string_lossy().into_owned()
            })
            .collect();
        let mut names: Vec<&str> =
            tidelog_log::fuzz::TARGETS.iter().chain(&TARGETS).map(|target| target.name).collect();
        files.sort_unstable();
        names.sort_unstable();
        assert_eq!(files, names);
    }
}
