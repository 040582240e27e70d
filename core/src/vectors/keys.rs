//! `keys.json`: derivations, wraps and the vault.

use serde_json::{Value as Json, json};
use tidelog_log::crypto::Signer;
use tidelog_log::directory::user_id;
use tidelog_log::env::SeededRandom;
use tidelog_log::ids::{CircleId, WorkspaceId};

use super::hex;
use crate::keys::device::{DeviceKeys, RootKeys};
use crate::keys::epoch::{EpochKey, EpochLabel, NameKey, open_previous, seal_previous, unwrap, wrap};
use crate::keys::vault::{Cost, Key, Life, Vault, VaultKey};
use crate::keys::{Secret, words};

const WORKSPACE: WorkspaceId = WorkspaceId([0x57; 32]);
const INCARNATION: [u8; 16] = [0x1C; 16];
const SEED: [u8; 32] = [0x5E; 32];
const PASSPHRASE: &str = "correct horse battery staple \u{1f40e}";

fn device() -> DeviceKeys {
    DeviceKeys::derive(&Secret::new(SEED), &WORKSPACE, &INCARNATION)
}

fn devices() -> Json {
    let keys = device();
    json!({
        "seed": hex(SEED),
        "workspace": hex(WORKSPACE.0),
        "incarnation": hex(INCARNATION),
        "device": hex(keys.device().0),
        "kem_pk": hex(keys.kem().public()),
        "local_key": hex(keys.local_key().as_bytes()),
        "user": hex(user_id(&WORKSPACE, &keys.device()).0),
        "signature_of_empty": hex(Signer::sign(&keys, b"")),
    })
}

fn root() -> Json {
    let secret = [0x40; 32];
    let keys = RootKeys::derive(&Secret::new(secret));
    let words = words::encode(&Secret::new(secret));
    json!({
        "secret": hex(secret),
        "words": *words,
        "sign_pk": hex(keys.device().0),
        "kem_pk": hex(keys.kem().public()),
    })
}

/// Wraps and seals use fresh randomness: these are for opening, and repeat under a seeded generator.
fn epoch() -> Json {
    let random = SeededRandom::new(1);
    let (key, previous) = (EpochKey::new(Secret::new([0xE1; 32])), EpochKey::new(Secret::new([0xE0; 32])));
    let name = NameKey::new(Secret::new([0x4E; 32]));
    let label =
        EpochLabel { workspace: WORKSPACE, circle: CircleId::WORKSPACE, epoch: 7, commit: key.commit() };
    let keys = device();
    let wrapped = wrap(&key, &label, &keys.device(), &keys.kem().public(), &random).expect("wraps");
    assert_eq!(unwrap(&label, keys.kem(), &wrapped).map(|key| key.id()), Ok(key.id()));
    let name_wrap = name.seal(&key, &label, &random);
    assert!(NameKey::open(&key, &label, &name.commit(), &name_wrap).is_ok());
    let previous_wrap = seal_previous(&key, &label, &previous.id(), &previous, &random);
    assert!(open_previous(&key, &label, &previous.commit(), &previous_wrap).is_ok());
    let streams: Vec<_> = ["", "main", "chat/room-7", "main/blobs", "\u{00fc}ber"]
        .into_iter()
        .map(|database| json!({ "database": database, "stream": hex(name.stream_id(database).0) }))
        .collect();
    json!({
        "key": hex(key.secret().as_bytes()),
        "workspace": hex(label.workspace.0),
        "circle": hex(label.circle.0),
        "epoch": label.epoch,
        "commit": hex(key.commit()),
        "key_id": hex(key.id().0),
        "hedge": hex(key.hedge().as_bytes()),
        "wrap": { "recipient": hex(wrapped.device.0), "enc": hex(wrapped.enc), "ct": hex(wrapped.ct) },
        "previous": {
            "key": hex(previous.secret().as_bytes()),
            "key_id": hex(previous.id().0),
            "wrap": hex(previous_wrap),
        },
        "name": {
            "key": hex([0x4E; 32]),
            "commit": hex(name.commit()),
            "wrap": hex(name_wrap),
            "psk": hex(name.psk().as_bytes()),
            "streams": streams,
        },
    })
}

fn vaults() -> Json {
    let life = |incarnation: [u8; 16], home: u8| Life { incarnation, home: Some([home; 32]) };
    let vault = Vault {
        seed: Secret::new(SEED),
        life: life(INCARNATION, 0x40),
        root: Some(Secret::new([0x40; 32])),
        next: Some(life([0x2C; 16], 0x41)),
    };
    let seal = |key: &Key, random: &SeededRandom| {
        vault.seal(&VaultKey::new(key, Cost::FLOOR, random).expect("stretches"), random)
    };
    let raw_key = [0x2A; 32];
    let raw = seal(&Key::raw(raw_key), &SeededRandom::new(2));
    let stretched = seal(&Key::passphrase(PASSPHRASE), &SeededRandom::new(3));
    assert!(Vault::open(&raw, &Key::raw(raw_key)).is_ok());
    assert!(Vault::open(&stretched, &Key::passphrase(PASSPHRASE)).is_ok());
    let mut newer = raw.clone();
    newer[8] = 2;
    let mut flipped = raw.clone();
    *flipped.last_mut().expect("not empty") ^= 1;
    let refused: Vec<_> = [
        ("another key", [0x2B; 32], raw.clone()),
        ("newer version", raw_key, newer),
        ("flipped bit", raw_key, flipped),
        ("truncated", raw_key, raw[..raw.len() - 1].to_vec()),
        ("needs a passphrase", raw_key, stretched.clone()),
        ("no vault", raw_key, b"TIDELOG?".to_vec()),
    ]
    .into_iter()
    .map(|(name, key, bytes)| {
        let error = Vault::open(&bytes, &Key::raw(key)).expect_err(name);
        json!({
            "name": name,
            "key": hex(key),
            "bytes": hex(bytes),
            "code": crate::Error::from(error).kind().code(),
        })
    })
    .collect();
    json!({
        "seed": hex(SEED),
        "incarnation": hex(INCARNATION),
        "home": hex([0x40; 32]),
        "root": hex([0x40; 32]),
        "next_incarnation": hex([0x2C; 16]),
        "next_home": hex([0x41; 32]),
        "raw": { "key": hex(raw_key), "bytes": hex(raw) },
        "passphrase": { "passphrase": PASSPHRASE, "bytes": hex(stretched) },
        "refused": refused,
    })
}

#[test]
fn keys_have_their_published_derivations() {
    let keys = json!({ "device": devices(), "root": root(), "epoch": epoch(), "vault": vaults() });
    super::golden("keys.json", &keys);
}
