//! Claims about Cobblestone-256, and its 35 published vectors.

use std::io::Read as _;

use data_encoding::HEXLOWER;
use proptest::prelude::*;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha512};

use super::*;

const VECTORS: &str =
    include_str!("../../../../tests/vectors/wycheproof/c2sp_chunked_encryption_aes_256_gcm_test.json");

fn bytes(json: &Json) -> Vec<u8> {
    HEXLOWER.decode(json.as_str().expect("text").as_bytes()).expect("hexadecimal")
}

/// Vectors carry their ciphertext compressed by zlib.
fn inflated(json: &Json) -> Vec<u8> {
    let mut inflated = Vec::new();
    flate2::read::ZlibDecoder::new(&bytes(json)[..]).read_to_end(&mut inflated).expect("zlib");
    inflated
}

#[test]
fn all_published_vectors_pass() {
    let vectors: Json = serde_json::from_str(VECTORS).expect("JSON");
    let groups = vectors["testGroups"].as_array().expect("groups");
    let tests: Vec<_> = groups.iter().flat_map(|group| group["tests"].as_array().expect("tests")).collect();
    assert_eq!(tests.len(), 35);
    for test in tests {
        let id = &test["tcId"];
        let (context, ciphertext) = (bytes(&test["ctx"]), inflated(&test["ct"]));
        // A key of another length is no key to begin with.
        let opened = <[u8; KEY_LEN]>::try_from(bytes(&test["key"]))
            .ok()
            .and_then(|key| open(&Secret::new(key), &[&context], &ciphertext).ok());
        assert_eq!(opened.is_some(), test["result"] == "valid", "vector {id}");
        let Some(plaintext) = opened else { continue };
        assert_eq!(plaintext.len() as u64, test["msgLength"].as_u64().expect("a length"), "vector {id}");
        assert_eq!(Sha512::digest(&plaintext)[..], bytes(&test["msgSha512"]), "vector {id}");

        let key = Secret::new(bytes(&test["key"]).try_into().expect("32 bytes"));
        let salt = *ciphertext.first_chunk().expect("a salt");
        assert_eq!(seal(&key, &[&context], salt, &plaintext), ciphertext, "vector {id}");
    }
}

#[test]
fn lengths_around_a_chunk_round_trip() {
    let key = Secret::new([1; KEY_LEN]);
    for length in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN] {
        let plaintext = vec![7; length];
        let sealed = seal(&key, &[b"context"], [2; SALT_LEN], &plaintext);
        assert_eq!(sealed.len(), sealed_len(length));
        assert_eq!(open(&key, &[b"context"], &sealed), Ok(plaintext));
    }
}

#[test]
fn every_single_bit_flip_is_refused() {
    let key = Secret::new([1; KEY_LEN]);
    let sealed = seal(&key, &[b"context"], [2; SALT_LEN], b"plaintext");
    for bit in 0..sealed.len() * 8 {
        let mut flipped = sealed.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&key, &[b"context"], &flipped), Err(SealError), "bit {bit}");
    }
}

#[test]
fn truncated_and_extended_ciphertexts_are_refused() {
    let key = Secret::new([1; KEY_LEN]);
    let sealed = seal(&key, &[], [2; SALT_LEN], &[7; 20]);
    for length in 0..sealed.len() {
        assert_eq!(open(&key, &[], &sealed[..length]), Err(SealError), "length {length}");
    }
    assert_eq!(open(&key, &[], &[&sealed[..], &[0]].concat()), Err(SealError));
}

proptest! {
    #[test]
    fn only_the_same_key_and_context_open(key: [u8; 32], other: [u8; 32], context: [u8; 8], text: Vec<u8>) {
        prop_assume!(key != other);
        let sealed = seal(&Secret::new(key), &[&context], [0; SALT_LEN], &text);
        prop_assert_eq!(open(&Secret::new(key), &[&context[..3], &context[3..]], &sealed), Ok(text));
        prop_assert_eq!(open(&Secret::new(other), &[&context], &sealed), Err(SealError));
        prop_assert_eq!(open(&Secret::new(key), &[&context[1..]], &sealed), Err(SealError));
    }
}
