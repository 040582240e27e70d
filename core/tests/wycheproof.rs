//! The primitives under Project Wycheproof, by this project's acceptance rules.
//!
//! Where a rule differs from Wycheproof's verdict, the test says which flag it follows. The
//! vectors of chunked-encryption run in the unit tests of its module.

use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use data_encoding::HEXLOWER;
use hkdf::Hkdf;
use hmac::{Hmac, Mac as _};
use serde_json::Value as Json;
use sha2::{Sha256, Sha512};
use tidelog_log::crypto::PublicKey;
use x25519_dalek::{PublicKey as ExchangeKey, StaticSecret};

/// Runs each test of a file, with its group.
fn each(file: &str, mut run: impl FnMut(&Json, &Json)) {
    let path = format!("{}/../tests/vectors/wycheproof/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the file of vectors");
    let vectors: Json = serde_json::from_str(&text).expect("JSON");
    let mut count = 0;
    for group in vectors["testGroups"].as_array().expect("groups") {
        for test in group["tests"].as_array().expect("tests") {
            run(group, test);
            count += 1;
        }
    }
    assert_eq!(vectors["numberOfTests"], count);
}

fn bytes(json: &Json) -> Vec<u8> {
    HEXLOWER.decode(json.as_str().expect("text").as_bytes()).expect("hexadecimal")
}

fn has_flag(test: &Json, flag: &str) -> bool {
    test["flags"].as_array().expect("flags").iter().any(|found| found == flag)
}

fn is_valid(test: &Json) -> bool {
    test["result"] == "valid"
}

/// The suite has 256-bit keys, 96-bit nonces and 128-bit tags only, by its types: other groups
/// have nothing to run against.
#[test]
fn aes_256_gcm_agrees() {
    let mut run = 0;
    each("aes_gcm_test.json", |group, test| {
        if group["keySize"] != 256 || group["ivSize"] != 96 || group["tagSize"] != 128 {
            return;
        }
        run += 1;
        let key: [u8; 32] = bytes(&test["key"]).try_into().expect("256 bits");
        let nonce: [u8; 12] = bytes(&test["iv"]).try_into().expect("96 bits");
        let (cipher, nonce) = (Aes256Gcm::new(&key.into()), Nonce::from(nonce));
        let (aad, message) = (bytes(&test["aad"]), bytes(&test["msg"]));
        let sealed = [bytes(&test["ct"]), bytes(&test["tag"])].concat();

        let opened = cipher.decrypt(&nonce, Payload { msg: &sealed, aad: &aad }).ok();
        assert_eq!(opened, is_valid(test).then(|| message.clone()), "{test}");
        if is_valid(test) {
            let again = cipher.encrypt(&nonce, Payload { msg: &message, aad: &aad }).expect("seals");
            assert_eq!(again, sealed, "{test}");
        }
    });
    assert_eq!(run, 66);
}

/// The strict rules take what Wycheproof calls valid and nothing else: no deviation.
#[test]
fn strict_ed25519_agrees() {
    each("ed25519_test.json", |group, test| {
        let key: [u8; 32] = bytes(&group["publicKey"]["pk"]).try_into().expect("32 bytes");
        let verified = PublicKey::new(&key).is_some_and(|key| {
            let signature = <[u8; 64]>::try_from(bytes(&test["sig"]));
            signature.is_ok_and(|signature| key.verify(&bytes(&test["msg"]), &signature))
        });
        assert_eq!(verified, is_valid(test), "{test}");
    });
}

/// Wycheproof calls twist points, non-canonical and small-order keys acceptable. This project takes
/// them with the published result, except where the flag `ZeroSharedSecret` says that the result
/// does not depend on our secret: those are refused.
#[test]
fn x25519_agrees_and_refuses_what_does_not_contribute() {
    let mut refused = 0;
    each("x25519_test.json", |_, test| {
        let secret: [u8; 32] = bytes(&test["private"]).try_into().expect("32 bytes");
        let public: [u8; 32] = bytes(&test["public"]).try_into().expect("32 bytes");
        let shared = StaticSecret::from(secret).diffie_hellman(&ExchangeKey::from(public));
        assert_eq!(shared.as_bytes()[..], bytes(&test["shared"]), "{test}");
        assert_eq!(shared.was_contributory(), !has_flag(test, "ZeroSharedSecret"), "{test}");
        refused += u32::from(!shared.was_contributory());
    });
    assert_eq!(refused, 31);
}

#[test]
fn hkdf_sha256_agrees() {
    each("hkdf_sha256_test.json", |_, test| {
        let size = usize::try_from(test["size"].as_u64().expect("a size")).expect("fits");
        let mut output = vec![0; size];
        let made = Hkdf::<Sha256>::new(Some(&bytes(&test["salt"])), &bytes(&test["ikm"]))
            .expand(&bytes(&test["info"]), &mut output)
            .is_ok();
        assert_eq!(made, is_valid(test), "{test}");
        if made {
            assert_eq!(output, bytes(&test["okm"]), "{test}");
        }
    });
}

#[test]
fn hmac_sha256_agrees() {
    each("hmac_sha256_test.json", |_, test| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes(&test["key"])).expect("any length");
        mac.update(&bytes(&test["msg"]));
        assert_eq!(mac.verify_truncated_left(&bytes(&test["tag"])).is_ok(), is_valid(test), "{test}");
    });
}

#[test]
fn hmac_sha512_agrees() {
    each("hmac_sha512_test.json", |_, test| {
        let mut mac = Hmac::<Sha512>::new_from_slice(&bytes(&test["key"])).expect("any length");
        mac.update(&bytes(&test["msg"]));
        assert_eq!(mac.verify_truncated_left(&bytes(&test["tag"])).is_ok(), is_valid(test), "{test}");
    });
}
