//! Claims about payloads, among them the proof that a ciphertext is bound to its place.

use proptest::prelude::*;
use tidelog_log::crypto::{Signer, TestSigner};
use tidelog_log::entry::{Header, Kind, payload_hash};
use tidelog_log::env::SeededRandom;
use tidelog_log::ids::{EntryId, StreamId, WorkspaceId};

use super::super::Secret;
use super::*;

fn key() -> EpochKey {
    EpochKey::new(Secret::new([5; 32]))
}

fn header(payload_len: u32) -> Header {
    Header {
        kind: Kind::Data,
        prunable: false,
        covered: false,
        payload_len,
        seq: 2,
        workspace: WorkspaceId([1; 32]),
        author: TestSigner::new([7; 32]).device(),
        prev: EntryId([2; 32]),
        auth: EntryId([3; 32]),
        stream: StreamId([4; 16]),
        key_id: key().id(),
        payload_hash: [0; 32],
        signature: [0; 64],
    }
}

/// The entry of a header and a ciphertext, signed by the author the header names.
fn entry(mut header: Header, payload: Vec<u8>, seed: u8) -> Entry {
    header.payload_hash = payload_hash(&payload);
    header.sign(&TestSigner::new([seed; 32]));
    Entry::new(header, payload).expect("well formed")
}

fn sealed(operations: &[u8]) -> Entry {
    let plaintext = Plaintext::new(42, operations).expect("fits");
    let header = header(plaintext.payload_len());
    let payload = plaintext.seal(&key(), &header.context(), &SeededRandom::new(1));
    entry(header, payload, 7)
}

/// An entry around a plaintext that this code would not write.
fn crafted(plaintext: &[u8]) -> Entry {
    let header = header(u32::try_from(sealed_len(plaintext.len())).expect("small"));
    let payload = Plaintext(plaintext.to_vec()).seal(&key(), &header.context(), &SeededRandom::new(1));
    entry(header, payload, 7)
}

fn lz4(raw_len: u32, block: &[u8]) -> Vec<u8> {
    let body = [&raw_len.to_le_bytes()[..], block].concat();
    let mut plaintext = u32::try_from(HEAD_LEN + body.len()).expect("small").to_le_bytes().to_vec();
    plaintext.push(CODEC_LZ4);
    plaintext.extend_from_slice(&42u64.to_le_bytes());
    plaintext.extend_from_slice(&body);
    plaintext.resize(padded_len(plaintext.len()), 0);
    plaintext
}

proptest! {
    #[test]
    fn operations_round_trip(operations: Vec<u8>, repeat in 1usize..50, hlc: u64) {
        let operations = operations.repeat(repeat);
        let plaintext = Plaintext::new(hlc, &operations).expect("fits");
        prop_assert_eq!(decode(&plaintext.0), Ok(Opened { hlc, operations }));
    }

    #[test]
    fn arbitrary_plaintexts_never_panic(plaintext: Vec<u8>) {
        let _ = decode(&plaintext);
    }

    #[test]
    fn a_damaged_plaintext_is_refused_or_decodes_in_full(operations: Vec<u8>, at: prop::sample::Index, byte: u8) {
        let mut plaintext = Plaintext::new(1, &operations).expect("fits").0;
        let at = at.index(plaintext.len());
        plaintext[at] = byte;
        if let Ok(opened) = decode(&plaintext) {
            prop_assert!(opened.operations.len() <= OPERATIONS_LEN_MAX);
        }
    }

    #[test]
    fn padding_wastes_at_most_twelve_percent_and_is_idempotent(len in 65usize..2_000_000) {
        let padded = padded_len(len);
        prop_assert!(padded >= len && padded - len <= len * 12 / 100);
        prop_assert_eq!(padded_len(padded), padded);
    }
}

#[test]
fn padded_sizes_are_those_of_padme_from_64_on() {
    let sizes = [0, 64, 65, 66, 72, 73, 100, 1000, 1001, 1 << 20].map(padded_len);
    assert_eq!(sizes, [64, 64, 72, 72, 72, 80, 104, 1024, 1024, 1 << 20]);
}

#[test]
fn a_payload_has_the_announced_length_and_opens() {
    for operations in [vec![], b"put".to_vec(), vec![9; 5000], (0..=255).cycle().take(70_000).collect()] {
        let entry = sealed(&operations);
        assert_eq!(open(&key(), &entry), Ok(Opened { hlc: 42, operations }));
    }
}

#[test]
fn operations_are_compressed_only_when_that_saves_padding() {
    let random: Vec<u8> = {
        let mut bytes = vec![0; 1000];
        SeededRandom::new(3).fill(&mut bytes);
        bytes
    };
    assert_eq!(Plaintext::new(1, &random).expect("fits").0[LEN_LEN], CODEC);
    assert_eq!(Plaintext::new(1, &[7; 20]).expect("fits").0[LEN_LEN], CODEC);
    let repeated = Plaintext::new(1, &[7; 1000]).expect("fits");
    assert_eq!((repeated.0[LEN_LEN], repeated.0.len()), (CODEC_LZ4, PLAINTEXT_LEN_MIN));
}

#[test]
fn the_largest_operations_are_taken_and_one_more_byte_is_refused() {
    let operations = vec![7; OPERATIONS_LEN_MAX];
    let plaintext = Plaintext::new(1, &operations).expect("compresses");
    assert_eq!(decode(&plaintext.0).expect("decodes").operations, operations);
    let larger = vec![7; OPERATIONS_LEN_MAX + 1];
    assert_eq!(Plaintext::new(1, &larger).err(), Some(PayloadError::TooLarge));
}

#[test]
fn incompressible_operations_are_taken_up_to_the_largest_payload() {
    // The largest Padme size whose ciphertext is within the limit of an entry.
    const PLAINTEXT_LEN_MAX: usize = 1_032_192;
    let mut operations = vec![0; PLAINTEXT_LEN_MAX - LEN_LEN - HEAD_LEN];
    SeededRandom::new(3).fill(&mut operations);
    let largest = Plaintext::new(1, &operations).expect("fits");
    assert_eq!(largest.0.len(), PLAINTEXT_LEN_MAX);
    assert!(largest.payload_len() as usize <= DATA_PAYLOAD_MAX);
    operations.push(0);
    assert_eq!(Plaintext::new(1, &operations).err(), Some(PayloadError::TooLarge));
}

#[test]
fn a_decompressed_length_is_bounded_before_memory_is_reserved() {
    let bound = u32::try_from(OPERATIONS_LEN_MAX).expect("fits");
    let block = lz4_flex::block::compress(&vec![7; OPERATIONS_LEN_MAX]);
    assert!(open(&key(), &crafted(&lz4(bound, &block))).is_ok());
    let error = Err(PayloadError::Malformed("decompressed length"));
    assert_eq!(open(&key(), &crafted(&lz4(bound + 1, &block))), error);
    assert_eq!(open(&key(), &crafted(&lz4(u32::MAX, &block))), error);
}

#[test]
fn compressed_data_must_be_shorter_and_exact() {
    let block = lz4_flex::block::compress(&[7; 500]);
    assert!(open(&key(), &crafted(&lz4(500, &block))).is_ok());
    let data = Err(PayloadError::Malformed("compressed data"));
    assert_eq!(open(&key(), &crafted(&lz4(499, &block))), data);
    assert_eq!(open(&key(), &crafted(&lz4(501, &block))), data);
    let longer = Err(PayloadError::Malformed("compressed form is not the shorter one"));
    assert_eq!(open(&key(), &crafted(&lz4(4, &lz4_flex::block::compress(b"abcd")))), longer);
}

#[test]
fn padding_must_be_canonical_zeros() {
    let good = Plaintext::new(42, b"operations").expect("fits").0;
    assert!(open(&key(), &crafted(&good)).is_ok());

    let mut dirty = good.clone();
    *dirty.last_mut().expect("64 bytes") = 1;
    assert_eq!(open(&key(), &crafted(&dirty)), Err(PayloadError::Malformed("padding")));

    let mut longer = good.clone();
    longer.extend_from_slice(&[0; 8]);
    assert_eq!(open(&key(), &crafted(&longer)), Err(PayloadError::Malformed("padded length")));

    let mut lying = good;
    lying[..LEN_LEN].copy_from_slice(&1000u32.to_le_bytes());
    assert_eq!(open(&key(), &crafted(&lying)), Err(PayloadError::Malformed("truncated")));
    assert_eq!(open(&key(), &crafted(&[0; 64])), Err(PayloadError::Malformed("truncated")));
}

#[test]
fn an_unknown_codec_is_refused() {
    for codec in [0, 2, 0x7F, 0x80, 0x82] {
        let mut plaintext = Plaintext::new(42, b"operations").expect("fits").0;
        plaintext[LEN_LEN] = codec;
        assert_eq!(open(&key(), &crafted(&plaintext)), Err(PayloadError::Codec), "{codec:x}");
    }
}

#[test]
fn a_ciphertext_signed_again_by_another_member_does_not_open() {
    let original = sealed(b"mine");
    let thief = TestSigner::new([8; 32]);
    let header = Header { author: thief.device(), ..original.header().clone() };
    let stolen = entry(header, original.payload().to_vec(), 8);
    assert_eq!(open(&key(), &stolen), Err(PayloadError::Open));
}

#[test]
fn an_entry_moved_to_another_place_does_not_open() {
    let original = sealed(b"here");
    let base = original.header().clone();
    let moved = [
        Header { workspace: WorkspaceId([9; 32]), ..base.clone() },
        Header { stream: StreamId([9; 16]), ..base.clone() },
        Header { seq: 3, ..base.clone() },
        Header { prev: EntryId([9; 32]), ..base.clone() },
        Header { auth: EntryId([9; 32]), ..base.clone() },
        Header { kind: Kind::Beacon, ..base.clone() },
        Header { prunable: true, ..base.clone() },
    ];
    for header in moved {
        let entry = entry(header.clone(), original.payload().to_vec(), 7);
        assert_eq!(open(&key(), &entry), Err(PayloadError::Open), "{header:?}");
    }
    let unmoved = entry(base, original.payload().to_vec(), 7);
    assert!(open(&key(), &unmoved).is_ok());
}

#[test]
fn another_epoch_key_does_not_open() {
    let other = EpochKey::new(Secret::new([6; 32]));
    assert_eq!(open(&other, &sealed(b"x")), Err(PayloadError::Open));
}

#[test]
fn every_bit_flip_of_a_payload_is_refused() {
    let original = sealed(b"x");
    for bit in 0..original.payload().len() * 8 {
        let mut payload = original.payload().to_vec();
        payload[bit / 8] ^= 1 << (bit % 8);
        let flipped = entry(original.header().clone(), payload, 7);
        assert_eq!(open(&key(), &flipped), Err(PayloadError::Open), "bit {bit}");
    }
}

/// A copied machine may repeat its random state; the salt must still differ with what is sealed.
#[test]
fn a_repeated_random_state_does_not_repeat_a_salt_on_other_data_or_at_another_place() {
    let salt = |context: [u8; CONTEXT_LEN], operations: &[u8]| {
        let plaintext = Plaintext::new(1, operations).expect("fits");
        plaintext.seal(&key(), &context, &SeededRandom::new(1))[..cobblestone::SALT_LEN].to_vec()
    };
    let base = salt([1; CONTEXT_LEN], b"a");
    assert_eq!(base, salt([1; CONTEXT_LEN], b"a"));
    assert_ne!(base, salt([1; CONTEXT_LEN], b"b"));
    assert_ne!(base, salt([2; CONTEXT_LEN], b"a"));
}
