use super::*;
use crate::crypto::TestSigner;
use crate::entry::{Header, Kind, payload_hash};
use crate::ids::{EntryId, KeyId, StreamId};
use crate::storage::MemoryStorage;

const WORKSPACE: WorkspaceId = WorkspaceId([0xA5; 32]);
const EPOCH: [u8; 16] = [9; 16];

/// One device's chain in one stream.
struct Chain {
    signer: TestSigner,
    seq: u64,
    prev: EntryId,
}

impl Chain {
    fn new(seed: u8) -> Self {
        Self { signer: TestSigner::new([seed; 32]), seq: 0, prev: EntryId::ZERO }
    }

    fn entry(&mut self, payload: Vec<u8>, covered: bool) -> Entry {
        self.seq += 1;
        let mut header = Header {
            kind: Kind::Data,
            prunable: false,
            covered,
            payload_len: u32::try_from(payload.len()).expect("small"),
            seq: self.seq,
            workspace: WORKSPACE,
            author: crate::crypto::Signer::device(&self.signer),
            prev: self.prev,
            auth: EntryId([3; 32]),
            stream: StreamId([4; 16]),
            key_id: KeyId([5; 16]),
            payload_hash: payload_hash(&payload),
            signature: [0; 64],
        };
        if !covered {
            header.sign(&self.signer);
        }
        let entry = Entry::new(header, payload).expect("well formed");
        self.prev = entry.id();
        entry
    }

    fn signed(&mut self, payload: &[u8]) -> Entry {
        self.entry(payload.to_vec(), false)
    }
}

fn storage(memory: &MemoryStorage) -> Arc<dyn Storage> {
    Arc::new(memory.clone())
}

fn create(memory: &MemoryStorage) -> Segments {
    Segments::create(storage(memory), WORKSPACE, EPOCH).expect("a log is made")
}

fn recover(segments: &Segments, from: Option<Place>) -> (Vec<(Place, Entry)>, RecoveryReport) {
    let mut found = Vec::new();
    let report = segments
        .recover::<SegmentError>(from, &mut |place, entry| {
            found.push((place, entry));
            Ok(())
        })
        .expect("the log is recovered");
    (found, report)
}

fn reopen(memory: &MemoryStorage) -> (Segments, Vec<Entry>, RecoveryReport) {
    let segments = Segments::open(storage(memory)).expect("the log opens");
    let (found, report) = recover(&segments, None);
    (segments, found.into_iter().map(|(_, entry)| entry).collect(), report)
}

#[test]
fn appended_entries_are_read_back_and_recovered_in_order() {
    let memory = MemoryStorage::new();
    let mut chain = Chain::new(1);
    let entries: Vec<_> = (0..10).map(|number| chain.signed(&[number; 50])).collect();
    let segments = create(&memory);
    let mut places = segments.append(&entries[..4]).expect("written");
    places.extend(segments.append(&entries[4..]).expect("written"));
    for (place, entry) in places.iter().zip(&entries) {
        assert_eq!(&segments.read(*place).expect("read"), entry);
    }
    drop(segments);
    let (segments, found, report) = reopen(&memory);
    assert_eq!(found, entries);
    assert_eq!(report, RecoveryReport { entries: 10, ..RecoveryReport::default() });
    assert_eq!((segments.workspace(), segments.epoch()), (WORKSPACE, EPOCH));
    let (tail, _) = recover(&segments, Some(places[6]));
    assert_eq!(tail.into_iter().map(|(_, entry)| entry).collect::<Vec<_>>(), entries[7..]);
}

#[test]
fn appending_goes_on_after_reopening() {
    let memory = MemoryStorage::new();
    let mut chain = Chain::new(1);
    let mut entries = Vec::new();
    drop(create(&memory));
    for number in 0..5 {
        let (segments, found, _) = reopen(&memory);
        assert_eq!(found, entries);
        entries.push(chain.signed(&[number]));
        segments.append(&entries[entries.len() - 1..]).expect("written");
    }
    assert_eq!(reopen(&memory).1, entries);
}
