//! `payload.json`: plaintexts and payloads, with what a reader refuses.

use serde_json::{Value as Json, json};
use tidelog_log::entry::{Entry, Header, Kind, payload_hash};
use tidelog_log::env::SeededRandom;
use tidelog_log::ids::{DeviceId, EntryId, StreamId, WorkspaceId};

use super::hex;
use crate::keys::Secret;
use crate::keys::epoch::EpochKey;
use crate::keys::payload::{Opened, PayloadError, Plaintext, open};

const HLC: u64 = 0x0192_3456_789A_0003;

fn key() -> EpochKey {
    EpochKey::new(Secret::new([0xE1; 32]))
}

fn sealed(plaintext: &Plaintext) -> Entry {
    let mut header = Header {
        kind: Kind::Data,
        prunable: false,
        covered: true,
        payload_len: plaintext.payload_len(),
        seq: 5,
        workspace: WorkspaceId([0x57; 32]),
        author: DeviceId([0xA0; 32]),
        prev: EntryId([0xB0; 32]),
        auth: EntryId([0xC0; 32]),
        stream: StreamId([0xD0; 16]),
        key_id: key().id(),
        payload_hash: [0; 32],
        signature: [0; 64],
    };
    let payload = plaintext.seal(&key(), &header.context(), &SeededRandom::new(1));
    header.payload_hash = payload_hash(&payload);
    Entry::new(header, payload).expect("well formed")
}

fn case(name: &str, operations: &[u8]) -> Json {
    let plaintext = Plaintext::new(HLC, operations).expect("fits");
    let entry = sealed(&plaintext);
    assert_eq!(open(&key(), &entry), Ok(Opened { hlc: HLC, operations: operations.to_vec() }));
    json!({
        "name": name,
        "hlc": HLC.to_string(),
        "operations": hex(operations),
        "plaintext": hex(plaintext.as_bytes()),
        "context": hex(entry.header().context()),
        "payload": hex(entry.payload()),
    })
}

fn refused(name: &str, error: PayloadError, plaintext: &[u8]) -> Json {
    let entry = sealed(&Plaintext::from_bytes(plaintext.to_vec()));
    assert_eq!(open(&key(), &entry), Err(error), "{name}");
    json!({
        "name": name,
        "context": hex(entry.header().context()),
        "payload": hex(entry.payload()),
        "reason": error.to_string(),
    })
}

/// A plaintext of 64 bytes, with these at its start.
fn padded(start: &[u8]) -> Vec<u8> {
    let mut plaintext = start.to_vec();
    plaintext.resize(64, 0);
    plaintext
}

#[test]
fn payloads_have_their_published_bytes() {
    let good = Plaintext::new(HLC, b"operations").expect("fits").as_bytes().to_vec();
    let with = |at: usize, byte: u8| {
        let mut plaintext = good.clone();
        plaintext[at] = byte;
        plaintext
    };
    let lz4 = |raw_len: u32, block: &[u8]| {
        let len = u32::try_from(13 + block.len()).expect("small").to_le_bytes();
        padded(&[&len[..], &[0x81], &HLC.to_le_bytes(), &raw_len.to_le_bytes(), block].concat())
    };
    let block = lz4_flex::block::compress(&[7; 200]);
    let raw_len = PayloadError::Malformed("decompressed length");
    let shorter = PayloadError::Malformed("compressed form is not the shorter one");
    let data = PayloadError::Malformed("compressed data");
    let vectors = json!({
        "key": hex(key().secret().as_bytes()),
        "key_id": hex(key().id().0),
        "opened": [
            case("no operations", b""),
            case("few operations", b"operations"),
            case("just fits 64 bytes", &[0xAB; 51]),
            case("needs 72 bytes", &(0..52).collect::<Vec<u8>>()),
            case("compressed", &[7; 300]),
        ],
        "refused": [
            refused("padding that is not zero", PayloadError::Malformed("padding"), &with(63, 1)),
            refused("longer padding", PayloadError::Malformed("padded length"), &[&good[..], &[0; 8]].concat()),
            refused("length beyond the plaintext", PayloadError::Malformed("truncated"), &with(0, 61)),
            refused("no codec", PayloadError::Malformed("truncated"), &padded(&[])),
            refused("codec zero", PayloadError::Codec, &with(4, 0)),
            refused("newer codec", PayloadError::Codec, &with(4, 2)),
            refused("compressed newer codec", PayloadError::Codec, &with(4, 0x82)),
            refused("decompressed length beyond 1 MiB", raw_len, &lz4((1 << 20) + 1, &block)),
            refused("decompressed length too small", data, &lz4(199, &block)),
            refused("decompressed length too large", data, &lz4(201, &block)),
            refused("compression that does not shorten", shorter, &lz4(4, &lz4_flex::block::compress(b"abcd"))),
        ],
    });
    super::golden("payload.json", &vectors);
}
