use super::*;
use crate::crypto::{Signer, TestSigner};
use crate::entry::payload_hash;
use proptest::prelude::*;

const WORKSPACE: WorkspaceId = WorkspaceId([9; 32]);

/// One step of a random history: which chain grows, and how its next entry looks.
#[derive(Debug, Clone)]
struct Step {
    device: u8,
    stream: u8,
    auth: u8,
    key: u8,
    kind: u8,
    covered: bool,
    prunable: bool,
    fork: bool,
    payload: Vec<u8>,
}

fn step() -> impl Strategy<Value = Step> {
    let payload = proptest::collection::vec(any::<u8>(), 0..200);
    (0u8..3, 0u8..3, 1u8..3, 1u8..3, 0u8..4, any::<[bool; 3]>(), payload).prop_map(
        |(device, stream, auth, key, kind, [covered, prunable, fork], payload)| Step {
            device,
            stream,
            auth,
            key,
            kind,
            covered,
            prunable,
            fork,
            payload,
        },
    )
}

/// Plays the steps; a fork starts from the tip before the chain's last entry.
fn history(steps: &[Step]) -> Vec<Entry> {
    let mut tips: HashMap<(u8, u8), Vec<(u64, EntryId)>> = HashMap::new();
    let mut entries = Vec::new();
    for step in steps {
        let kind = [Kind::Data, Kind::Directory, Kind::Checkpoint, Kind::Beacon][usize::from(step.kind)];
        let stream = if kind == Kind::Directory { 0 } else { step.stream };
        let chain = tips.entry((step.device, stream)).or_default();
        if step.fork {
            chain.pop();
        }
        let (seq, prev) = chain.last().copied().unwrap_or((0, EntryId::ZERO));
        let signer = TestSigner::new([step.device; 32]);
        let genesis = kind == Kind::Directory && seq == 0 && !step.covered;
        let mut header = Header {
            kind,
            prunable: step.prunable,
            covered: step.covered,
            payload_len: u32::try_from(step.payload.len()).expect("small"),
            seq: seq + 1,
            workspace: if genesis { WorkspaceId::ZERO } else { WORKSPACE },
            author: signer.device(),
            prev,
            auth: if genesis { EntryId::ZERO } else { EntryId([step.auth; 32]) },
            stream: StreamId([stream; 16]),
            key_id: if kind == Kind::Directory { KeyId::ZERO } else { KeyId([step.key; 16]) },
            payload_hash: payload_hash(&step.payload),
            signature: [0; 64],
        };
        if !step.covered {
            header.sign(&signer);
        }
        let entry = Entry::new(header, step.payload.clone()).expect("well formed");
        chain.push((seq + 1, entry.id()));
        entries.push(entry);
    }
    entries
}

fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut writer = BatchWriter::new();
    for entry in entries {
        assert!(writer.push(entry, BATCH_BYTES_MAX));
    }
    writer.finish()
}

fn chain(length: u64, covered: impl Fn(u64) -> bool, payload: &[u8]) -> Vec<Entry> {
    let steps: Vec<_> = (1..=length)
        .map(|seq| Step {
            device: 1,
            stream: 1,
            auth: 1,
            key: 1,
            kind: 0,
            covered: covered(seq),
            prunable: false,
            fork: false,
            payload: payload.to_vec(),
        })
        .collect();
    history(&steps)
}

proptest! {
    #[test]
    fn entries_are_restored_byte_for_byte(steps in proptest::collection::vec(step(), 0..30)) {
        let entries = history(&steps);
        let restored = decode_batch(WORKSPACE, &encode(&entries)).expect("round trip");
        prop_assert_eq!(restored, entries);
    }

    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(steps in proptest::collection::vec(step(), 1..8), at: prop::sample::Index, value: u8) {
        let mut bytes = encode(&history(&steps));
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok(entries) = decode_batch(WORKSPACE, &bytes) {
            prop_assert_eq!(encode(&entries), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(entries) = decode_batch(WORKSPACE, &bytes) {
            prop_assert_eq!(encode(&entries), bytes);
        }
    }
}

#[test]
fn a_further_entry_of_a_chain_costs_three_bytes_covered_and_sixty_seven_signed() {
    let payload = [7; 200];
    let one = encode(&chain(1, |_| true, &payload)).len();
    assert_eq!(encode(&chain(2, |_| true, &payload)).len(), one + 3 + payload.len());
    assert_eq!(encode(&chain(2, |seq| seq == 1, &payload)).len(), one + 67 + payload.len());
}

#[test]
fn truncated_batches_are_refused() {
    let entries = chain(2, |_| false, b"payload");
    let bytes = encode(&entries);
    let first = encode(&entries[..1]).len();
    for length in (1..bytes.len()).filter(|length| *length != first) {
        assert!(decode_batch(WORKSPACE, &bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_field_that_could_be_left_out_is_refused() {
    let entries = chain(2, |_| true, b"");
    let first = encode(&entries[..1]);
    let header = entries[1].header();
    let mut explicit = vec![CONTROL_COVERED | 2 << CONTROL_CHAIN_SHIFT];
    explicit.extend_from_slice(&header.author.0);
    explicit.extend_from_slice(&header.stream.0);
    explicit.push(2);
    explicit.extend_from_slice(&header.prev.0);
    explicit.push(0);
    let bytes = [&first[..], &explicit].concat();
    assert_eq!(decode_batch(WORKSPACE, &bytes), Err(BatchError::Malformed));
    let mut auth = vec![CONTROL_COVERED | CONTROL_AUTH];
    auth.extend_from_slice(&header.auth.0);
    auth.push(0);
    let bytes = [&first[..], &auth].concat();
    assert_eq!(decode_batch(WORKSPACE, &bytes), Err(BatchError::Malformed));
    let bytes = [&first[..], &[CONTROL_COVERED, 0]].concat();
    assert_eq!(decode_batch(WORKSPACE, &bytes).map(|entries| entries.len()), Ok(2));
}

#[test]
fn a_chain_that_the_batch_does_not_know_is_refused() {
    let entries = chain(1, |_| true, b"");
    let bytes = [&encode(&entries)[..], &[CONTROL_COVERED | 1 << CONTROL_CHAIN_SHIFT, 1, 0, 0]].concat();
    assert_eq!(decode_batch(WORKSPACE, &bytes), Err(BatchError::Malformed));
    assert_eq!(decode_batch(WORKSPACE, &[CONTROL_COVERED, 0]), Err(BatchError::Malformed));
}

#[test]
fn a_full_batch_takes_no_further_entry_and_decodes() {
    let entries = chain(BATCH_ENTRIES_MAX as u64 + 1, |_| true, b"");
    let mut writer = BatchWriter::new();
    for entry in &entries[..BATCH_ENTRIES_MAX] {
        assert!(writer.push(entry, BATCH_BYTES_MAX));
    }
    assert!(!writer.push(&entries[BATCH_ENTRIES_MAX], BATCH_BYTES_MAX));
    let mut bytes = writer.finish();
    assert_eq!(decode_batch(WORKSPACE, &bytes).map(|entries| entries.len()), Ok(BATCH_ENTRIES_MAX));
    bytes.extend_from_slice(&[CONTROL_COVERED, 0]);
    assert_eq!(decode_batch(WORKSPACE, &bytes), Err(BatchError::TooLarge));
}

#[test]
fn the_largest_entry_fits_and_one_more_byte_is_refused() {
    let entries = chain(1, |_| false, &vec![7; DATA_PAYLOAD_MAX]);
    let bytes = encode(&entries);
    assert!(bytes.len() <= BATCH_BYTES_MAX);
    assert_eq!(decode_batch(WORKSPACE, &bytes), Ok(entries));
    assert_eq!(decode_batch(WORKSPACE, &vec![0; BATCH_BYTES_MAX + 1]), Err(BatchError::TooLarge));
}

#[test]
fn a_batch_stops_at_the_bytes_asked_for_but_takes_its_first_entry() {
    let entries = chain(2, |_| false, &[7; 5000]);
    let mut writer = BatchWriter::new();
    assert!(writer.push(&entries[0], 100));
    assert!(!writer.push(&entries[1], 100));
    assert_eq!(writer.entries(), 1);
}
