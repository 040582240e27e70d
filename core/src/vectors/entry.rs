//! `entry.json`: one data entry in full, a covered one, and what a reader refuses.

use serde_json::{Value as Json, json};
use tidelog_log::crypto::{PublicKey, Signer};
use tidelog_log::entry::{Entry, Header, Kind, payload_hash};
use tidelog_log::env::SeededRandom;
use tidelog_log::ids::{EntryId, WorkspaceId};

use super::hex;
use crate::keys::Secret;
use crate::keys::device::DeviceKeys;
use crate::keys::epoch::{EpochKey, NameKey};
use crate::keys::payload::{Plaintext, open};
use crate::value::{Value, cbor};

const WORKSPACE: WorkspaceId = WorkspaceId([0x57; 32]);
const HLC: u64 = 0x0192_3456_789A_0003;

fn author() -> DeviceKeys {
    DeviceKeys::derive(&Secret::new([0x5E; 32]), &WORKSPACE, &[0x1C; 16])
}

fn key() -> EpochKey {
    EpochKey::new(Secret::new([0xE1; 32]))
}

/// Stands in for operations: what they mean is not the entry's business.
fn operations() -> Vec<u8> {
    let value = Value::from_json(r#"{"title":"Calibrate sensor","done":false}"#).expect("JSON");
    cbor::encode(&value).expect("canonical")
}

fn entry(covered: bool) -> Entry {
    let plaintext = Plaintext::new(HLC, &operations()).expect("fits");
    let mut header = Header {
        kind: Kind::Data,
        prunable: false,
        covered,
        payload_len: plaintext.payload_len(),
        seq: 2,
        workspace: WORKSPACE,
        author: author().device(),
        prev: EntryId([0xB0; 32]),
        auth: EntryId([0xC0; 32]),
        stream: NameKey::new(Secret::new([0x4E; 32])).stream_id("main"),
        key_id: key().id(),
        payload_hash: [0; 32],
        signature: [0; 64],
    };
    let payload = plaintext.seal(&key(), &header.context(), &SeededRandom::new(1));
    header.payload_hash = payload_hash(&payload);
    if !covered {
        header.sign(&author());
    }
    Entry::new(header, payload).expect("well formed")
}

fn described(entry: &Entry) -> Json {
    let header = entry.header();
    json!({
        "bytes": hex(entry.encode()),
        "id": hex(entry.id().0),
        "kind": header.kind as u8,
        "prunable": header.prunable,
        "covered": header.covered,
        "payload_len": header.payload_len,
        "seq": header.seq,
        "workspace": hex(header.workspace.0),
        "author": hex(header.author.0),
        "prev": hex(header.prev.0),
        "auth": hex(header.auth.0),
        "stream": hex(header.stream.0),
        "key_id": hex(header.key_id.0),
        "payload_hash": hex(header.payload_hash),
        "signature": hex(header.signature),
    })
}

/// Bytes that are no entry, or none that its author signed.
fn refused() -> Vec<Json> {
    let good = entry(false).encode();
    let covered = entry(true).encode();
    let with = |bytes: &[u8], at: usize, byte: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= byte;
        bytes
    };
    let cases = [
        ("nothing", vec![]),
        ("header only", good[..272].to_vec()),
        ("one byte short", good[..good.len() - 1].to_vec()),
        ("one byte more", [&good[..], &[0]].concat()),
        ("newer version", with(&good, 0, 3)),
        ("other suite", with(&good, 1, 3)),
        ("unknown kind", with(&good, 2, 4)),
        ("unknown flag", with(&good, 3, 4)),
        ("marked covered but signed", with(&good, 3, 2)),
        ("marked signed but zeros", with(&covered, 3, 2)),
        ("seq zero", with(&good, 8, 2)),
        ("seq one with a predecessor", with(&good, 8, 3)),
        ("flipped payload hash", with(&good, 176, 1)),
        ("flipped signature", with(&good, 208, 1)),
        ("flipped payload", with(&good, 272, 1)),
        ("another author", with(&good, 48, 1)),
    ];
    let proven = |bytes: &[u8]| {
        Entry::decode(bytes).is_ok_and(|entry| {
            PublicKey::new(entry.header().author.as_bytes()).is_some_and(|key| entry.header().verify(&key))
        })
    };
    assert!(proven(&good));
    cases
        .into_iter()
        .map(|(name, bytes)| {
            assert!(!proven(&bytes), "{name}");
            let reason =
                Entry::decode(&bytes).err().map_or("signature".to_owned(), |error| error.to_string());
            json!({ "name": name, "bytes": hex(bytes), "reason": reason })
        })
        .collect()
}

#[test]
fn entries_have_their_published_bytes() {
    let (signed, covered) = (entry(false), entry(true));
    let opened = open(&key(), &signed).expect("opens");
    assert_eq!((opened.hlc, opened.operations), (HLC, operations()));
    let vectors = json!({
        "author_seed": hex([0x5E; 32]),
        "incarnation": hex([0x1C; 16]),
        "epoch_key": hex(key().secret().as_bytes()),
        "hlc": HLC.to_string(),
        "operations": hex(operations()),
        "signed": described(&signed),
        "covered": described(&covered),
        "refused": refused(),
    });
    super::golden("entry.json", &vectors);
}
