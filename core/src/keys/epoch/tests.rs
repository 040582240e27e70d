//! Claims about epoch keys, their wraps and name keys, and the RFC 9180 vector of the suite.

use data_encoding::HEXLOWER;
use tidelog_log::env::SeededRandom;

use super::super::device::DeviceKeys;
use super::*;

const WORKSPACE: WorkspaceId = WorkspaceId([1; 32]);

fn device(seed: u8) -> DeviceKeys {
    DeviceKeys::derive(&Secret::new([seed; 32]), &WORKSPACE, &[0; 16])
}

fn id(keys: &DeviceKeys) -> DeviceId {
    tidelog_log::crypto::Signer::device(keys)
}

fn key(seed: u64) -> EpochKey {
    EpochKey::generate(&SeededRandom::new(seed))
}

fn label(key: &EpochKey) -> EpochLabel {
    EpochLabel { workspace: WORKSPACE, circle: CircleId::WORKSPACE, epoch: 3, commit: key.commit() }
}

fn wrapped(key: &EpochKey, label: &EpochLabel, to: &DeviceKeys) -> Wrap {
    wrap(key, label, &id(to), &to.kem().public(), &SeededRandom::new(7)).expect("wraps")
}

fn opened(label: &EpochLabel, by: &DeviceKeys, wrap: &Wrap) -> Result<KeyId, WrapError> {
    unwrap(label, by.kem(), wrap).map(|key| key.id())
}

#[test]
fn the_recipient_opens_its_wrap() {
    let (key, alice) = (key(1), device(1));
    let label = label(&key);
    assert_eq!(opened(&label, &alice, &wrapped(&key, &label, &alice)), Ok(key.id()));
    assert_eq!(label.key_id(), key.id());
}

#[test]
fn a_wrap_for_another_device_is_refused() {
    let (key, alice, bob) = (key(1), device(1), device(2));
    let label = label(&key);
    let wrap = wrapped(&key, &label, &alice);
    assert_eq!(opened(&label, &bob, &wrap), Err(WrapError::Open));
    // Not even with the right secret under another name.
    assert_eq!(opened(&label, &alice, &Wrap { device: id(&bob), ..wrap }), Err(WrapError::Open));
}

#[test]
fn a_wrap_moved_to_another_epoch_circle_workspace_or_key_is_refused() {
    let (key, alice) = (key(1), device(1));
    let label = label(&key);
    let wrap = wrapped(&key, &label, &alice);
    for moved in [
        EpochLabel { epoch: 4, ..label },
        EpochLabel { circle: CircleId([9; 16]), ..label },
        EpochLabel { workspace: WorkspaceId([9; 32]), ..label },
        EpochLabel { commit: [9; 32], ..label },
    ] {
        assert_eq!(opened(&moved, &alice, &wrap), Err(WrapError::Open), "{moved:?}");
    }
}

#[test]
fn another_key_than_the_committed_one_is_caught() {
    let (published, other, alice) = (key(1), key(2), device(1));
    let label = label(&published);
    let wrap = wrapped(&other, &label, &alice);
    assert_eq!(opened(&label, &alice, &wrap), Err(WrapError::Commitment));
}

#[test]
fn every_bit_flip_of_a_wrap_is_refused() {
    let (key, alice) = (key(1), device(1));
    let label = label(&key);
    let good = wrapped(&key, &label, &alice);
    for bit in 0..good.enc.len() * 8 {
        let mut flipped = good.clone();
        flipped.enc[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opened(&label, &alice, &flipped), Err(WrapError::Open), "enc bit {bit}");
    }
    for bit in 0..good.ct.len() * 8 {
        let mut flipped = good.clone();
        flipped.ct[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opened(&label, &alice, &flipped), Err(WrapError::Open), "ct bit {bit}");
    }
}

/// All public keys that Wycheproof marks as giving a shared secret of zeros.
#[test]
fn a_recipient_key_of_small_order_is_refused() {
    let file = include_str!("../../../../tests/vectors/wycheproof/x25519_test.json");
    let vectors: serde_json::Value = serde_json::from_str(file).expect("JSON");
    let groups = vectors["testGroups"].as_array().expect("groups");
    let tests = groups.iter().flat_map(|group| group["tests"].as_array().expect("tests"));
    let small = tests.filter(|test| test["flags"].to_string().contains("ZeroSharedSecret"));
    let key = key(1);
    let mut refused = 0;
    for test in small {
        let public = HEXLOWER.decode(test["public"].as_str().expect("text").as_bytes()).expect("hexadecimal");
        let public = public.try_into().expect("32 bytes");
        let wrap = wrap(&key, &label(&key), &DeviceId([1; 32]), &public, &SeededRandom::new(7));
        assert_eq!(wrap, Err(WrapError::Recipient), "{test}");
        refused += 1;
    }
    assert_eq!(refused, 31);
}

#[test]
fn a_previous_key_opens_under_its_place_and_commitment_only() {
    let (now, before, other) = (key(1), key(2), key(3));
    let label = label(&now);
    let sealed = seal_previous(&now, &label, &before.id(), &before, &SeededRandom::new(7));
    let open = |label: &EpochLabel, commit: &[u8; 32]| {
        open_previous(&now, label, commit, &sealed).map(|key| key.id())
    };
    assert_eq!(open(&label, &before.commit()), Ok(before.id()));
    assert_eq!(open(&label, &other.commit()), Err(WrapError::Open));
    assert_eq!(open(&EpochLabel { epoch: 9, ..label }, &before.commit()), Err(WrapError::Open));
}

#[test]
fn a_wrong_previous_key_is_caught_by_its_commitment() {
    let (now, before, other) = (key(1), key(2), key(3));
    let label = label(&now);
    let sealed = seal_previous(&now, &label, &before.id(), &other, &SeededRandom::new(7));
    assert_eq!(open_previous(&now, &label, &before.commit(), &sealed).err(), Some(WrapError::Commitment));
}

#[test]
fn a_name_key_opens_with_its_epoch_and_is_checked_against_its_commitment() {
    let (key, name, other) = (key(1), NameKey::new(Secret::new([4; 32])), NameKey::new(Secret::new([5; 32])));
    let label = label(&key);
    let sealed = name.seal(&key, &label, &SeededRandom::new(7));
    let open = |label: &EpochLabel, commit: &[u8; 32]| {
        NameKey::open(&key, label, commit, &sealed).map(|name| name.commit())
    };
    assert_eq!(open(&label, &name.commit()), Ok(name.commit()));
    assert_eq!(open(&label, &other.commit()), Err(WrapError::Commitment));
    assert_eq!(open(&EpochLabel { epoch: 9, ..label }, &name.commit()), Err(WrapError::Open));
}

#[test]
fn streams_differ_by_name_and_by_name_key() {
    let (name, other) = (NameKey::new(Secret::new([4; 32])), NameKey::new(Secret::new([5; 32])));
    assert_eq!(name.stream_id("chat"), name.stream_id("chat"));
    assert_ne!(name.stream_id("chat"), name.stream_id("chat/blobs"));
    assert_ne!(name.stream_id("chat"), other.stream_id("chat"));
    assert_ne!(name.psk().as_bytes(), &name.commit());
}

/// The base-mode vector of RFC 9180 for DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
mod rfc9180 {
    use super::*;

    const IKM_E: &str = "2cd7c601cefb3d42a62b04b7a9041494c06c7843818e0ce28a8f704ae7ab20f9";
    const SK_R: &str = "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d";
    const PK_R: &str = "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
    const ENC: &str = "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256";
    const SEALED: &str =
        "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a";
    const INFO: &[u8] = b"Ode on a Grecian Urn";
    const AAD: &[u8] = b"Count-0";
    const PLAINTEXT: &[u8] = b"Beauty is truth, truth beauty";

    fn bytes(hex: &str) -> Vec<u8> {
        HEXLOWER.decode(hex.as_bytes()).expect("hexadecimal")
    }

    /// Gives the vector's bytes as randomness.
    #[derive(Debug)]
    struct Fixed(Vec<u8>);

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.copy_from_slice(&self.0);
        }
    }

    #[test]
    fn the_suite_seals_as_published() {
        let random = Fixed(bytes(IKM_E));
        let (enc, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &PublicKey::from_bytes(&bytes(PK_R)).expect("a key"),
            INFO,
            PLAINTEXT,
            AAD,
            &mut Source(&random),
        )
        .expect("seals");
        assert_eq!(enc.to_bytes()[..], bytes(ENC));
        assert_eq!(sealed, bytes(SEALED));
    }

    #[test]
    fn the_suite_opens_as_published() {
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &<X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(&bytes(SK_R)).expect("a key"),
            &EncappedKey::from_bytes(&bytes(ENC)).expect("a key"),
            INFO,
            &bytes(SEALED),
            AAD,
        );
        assert_eq!(opened.ok().as_deref(), Some(PLAINTEXT));
    }
}
