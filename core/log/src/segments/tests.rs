//! Claims of the module, on a disk in memory.

mod damage;
mod faults;

use super::*;
use crate::crypto::{Signer as _, TestSigner};
use crate::entry::{Header, Kind, payload_hash};
use crate::ids::{EntryId, KeyId, StreamId};
use crate::storage::MemoryStorage;

const WORKSPACE: WorkspaceId = WorkspaceId([0xA5; 32]);
const EPOCH: [u8; 16] = [9; 16];

/// One device's chain in one stream.
#[derive(Clone)]
struct Chain {
    signer: Arc<TestSigner>,
    seq: u64,
    prev: EntryId,
}

impl Chain {
    fn new(seed: u8) -> Self {
        Self { signer: Arc::new(TestSigner::new([seed; 32])), seq: 0, prev: EntryId::ZERO }
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
            author: self.signer.device(),
            prev: self.prev,
            auth: EntryId([3; 32]),
            stream: StreamId([4; 16]),
            key_id: KeyId([5; 16]),
            payload_hash: payload_hash(&payload),
            signature: [0; 64],
        };
        if !covered {
            header.sign(&*self.signer);
        }
        let entry = Entry::new(header, payload).expect("well formed");
        self.prev = entry.id();
        entry
    }

    fn signed(&mut self, payload: &[u8]) -> Entry {
        self.entry(payload.to_vec(), false)
    }

    /// Entries of these payload lengths, of which only the last is signed.
    fn run(&mut self, lengths: &[usize]) -> Vec<Entry> {
        let last = lengths.len() - 1;
        lengths.iter().enumerate().map(|(index, length)| self.entry(vec![7; *length], index < last)).collect()
    }
}

fn storage(memory: &MemoryStorage) -> Arc<dyn Storage> {
    Arc::new(memory.clone())
}

fn create(memory: &MemoryStorage) -> Segments {
    Segments::create(storage(memory), WORKSPACE, EPOCH).expect("a log is made")
}

/// Recovers an opened log.
fn try_recover(
    segments: &Segments,
    from: Option<Place>,
) -> Result<(Vec<(Place, Entry)>, RecoveryReport), SegmentError> {
    let mut found = Vec::new();
    let report = segments.recover::<SegmentError>(from, &mut |place, entry| {
        found.push((place, entry));
        Ok(())
    })?;
    Ok((found, report))
}

fn try_reopen(memory: &MemoryStorage) -> Result<(Segments, Vec<Entry>, RecoveryReport), SegmentError> {
    let segments = Segments::open(storage(memory))?;
    let (found, report) = try_recover(&segments, None)?;
    Ok((segments, found.into_iter().map(|(_, entry)| entry).collect(), report))
}

fn reopen(memory: &MemoryStorage) -> (Segments, Vec<Entry>, RecoveryReport) {
    try_reopen(memory).expect("the log opens")
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
    let (tail, _) = try_recover(&segments, Some(places[6])).expect("recovers");
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

#[test]
fn places_stay_valid_over_segments_that_grow_and_a_scan_finds_them_all() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let (mut places, mut entries) = (Vec::new(), Vec::new());
    for _ in 0..24 {
        let batch = chain.run(&[100, 300_000]);
        places.extend(segments.append(&batch).expect("written"));
        entries.extend(batch);
    }
    assert_eq!(places.iter().map(|place| place.segment).max(), Some(4));
    let mut scanned = Vec::new();
    let report = segments.scan::<SegmentError>(&mut |place, entry| {
        scanned.push((place, entry));
        Ok(())
    });
    assert_eq!(report.expect("scanned").damaged, []);
    assert_eq!(scanned, places.iter().copied().zip(entries.iter().cloned()).collect::<Vec<_>>());
    assert!(segments.disk_bytes().expect("known") >= 24 * 300_000);
    drop(segments);
    assert_eq!(reopen(&memory).1, entries);
}

#[test]
fn the_largest_entry_fits_into_the_first_segment() {
    let memory = MemoryStorage::new();
    let entry = Chain::new(1).signed(&vec![1; DATA_PAYLOAD_MAX]);
    let places = create(&memory).append(std::slice::from_ref(&entry)).expect("written");
    assert_eq!(places[0].segment, 1);
    assert_eq!(reopen(&memory).1, [entry]);
}

#[test]
fn an_append_of_the_largest_size_is_taken_and_one_byte_more_is_refused() {
    let overhead = FRAME_HEAD_LEN as usize + HEADER_LEN;
    let mut lengths = vec![1 << 20; 63];
    let rest = APPEND_BYTES_MAX - 63 * ((1 << 20) + overhead) - 2 * overhead;
    lengths.extend([1000, rest - 1000]);
    let segments = create(&MemoryStorage::new());
    let batch = Chain::new(1).run(&lengths);
    let places = segments.append(&batch).expect("written");
    assert_eq!(segments.read(places[64]).expect("read"), batch[64]);
    lengths[63] += 1;
    assert!(matches!(segments.append(&Chain::new(2).run(&lengths)), Err(SegmentError::TooLarge)));
}

#[test]
fn a_second_log_in_the_same_folder_is_refused() {
    let memory = MemoryStorage::new();
    drop(create(&memory));
    let again = Segments::create(storage(&memory), WORKSPACE, EPOCH);
    assert!(matches!(again, Err(SegmentError::AlreadyExists)));
}

#[test]
fn a_folder_without_a_log_is_not_a_workspace() {
    let memory = MemoryStorage::new();
    assert!(matches!(Segments::open(storage(&memory)), Err(SegmentError::NotAWorkspace)));
    memory.create_folder(LOG_FOLDER).expect("made");
    memory.open("log/notes.txt", true).expect("made");
    memory.open("log/1.seg", true).expect("made");
    memory.open("log/00000000.seg", true).expect("made");
    assert!(matches!(Segments::open(storage(&memory)), Err(SegmentError::NotAWorkspace)));
}

#[test]
fn a_log_of_a_newer_format_is_refused_by_name() {
    let memory = MemoryStorage::new();
    drop(create(&memory));
    memory.damage("log/00000001.seg", 8, &7u32.to_le_bytes());
    memory.damage("log/00000001.seg", 70, &[1, 2, 3]);
    assert!(matches!(Segments::open(storage(&memory)), Err(SegmentError::NewerFormat { found: 7 })));
}

#[test]
fn segments_of_two_logs_are_not_mixed() {
    let memory = MemoryStorage::new();
    drop(create(&memory));
    let other = SegmentHeader { number: 2, workspace: WORKSPACE, epoch: [1; 16], previous_end: header::LEN };
    memory.open("log/00000002.seg", true).expect("made").write_at(0, &other.encode()).expect("written");
    assert!(matches!(Segments::open(storage(&memory)), Err(SegmentError::Damaged(_))));
}

#[test]
fn entries_of_another_workspace_are_not_read() {
    let memory = MemoryStorage::new();
    let other = Segments::create(storage(&memory), WorkspaceId([1; 32]), EPOCH).expect("made");
    let places = other.append(&[Chain::new(1).signed(b"x")]).expect("written");
    assert!(matches!(other.read(places[0]), Err(SegmentError::Corrupt(_))));
}

#[test]
fn recovery_from_a_place_without_an_entry_says_so() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let place = segments.append(&[Chain::new(1).signed(b"x")]).expect("written")[0];
    drop(segments);
    let segments = Segments::open(storage(&memory)).expect("opens");
    for wrong in [
        Place { segment: 2, ..place },
        Place { offset: place.offset + 1, ..place },
        Place { length: place.length + 1, ..place },
        Place { offset: u32::MAX - 10, ..place },
        Place { length: u32::MAX, ..place },
    ] {
        assert!(matches!(try_recover(&segments, Some(wrong)), Err(SegmentError::Corrupt(at)) if at == wrong));
    }
}

#[test]
fn an_error_of_the_visitor_ends_recovery_and_the_log_can_be_recovered_again() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    segments.append(&Chain::new(1).run(&[1, 2, 3])).expect("written");
    drop(segments);
    let segments = Segments::open(storage(&memory)).expect("opens");
    let failed = segments.recover::<SegmentError>(None, &mut |_, _| Err(SegmentError::DiskFull));
    assert!(matches!(failed, Err(SegmentError::DiskFull)));
    assert_eq!(try_recover(&segments, None).expect("recovers").0.len(), 3);
}
