//! A crash between any two operations, and an error at any one: nothing acknowledged is lost.

use proptest::prelude::*;

use super::*;
use crate::storage::Fault;

/// One append: for each chain in it, the payload lengths of a run.
type Batch = Vec<(u8, Vec<usize>)>;

fn batch() -> impl Strategy<Value = Batch> {
    let length = prop_oneof![20 => 0usize..700, 1 => 200_000usize..300_000];
    proptest::collection::vec((0u8..3, proptest::collection::vec(length, 1..5)), 1..4)
}

/// The entries of a batch, the runs of its chains interleaved.
fn entries(chains: &mut [Chain], batch: &Batch) -> Vec<Entry> {
    let run = |(chain, lengths): &(u8, Vec<usize>)| chains[usize::from(*chain)].run(lengths).into_iter();
    let mut runs: Vec<_> = batch.iter().map(run).collect();
    // A chain that occurs twice has to keep its order.
    let distinct =
        batch.iter().enumerate().all(|(at, (chain, _))| batch[..at].iter().all(|(other, _)| other != chain));
    if !distinct {
        return runs.into_iter().flatten().collect();
    }
    let mut mixed = Vec::new();
    while runs.iter().any(|run| run.len() > 0) {
        mixed.extend(runs.iter_mut().filter_map(Iterator::next));
    }
    mixed
}

fn chains() -> Vec<Chain> {
    (1..=3).map(Chain::new).collect()
}

/// What a run of appends acknowledged: how many entries, after how many changes of the disk.
struct History {
    memory: MemoryStorage,
    entries: Vec<Entry>,
    acknowledged: Vec<(u64, usize)>,
}

/// Runs batches on a recording disk; `true` closes and reopens the log before the batch.
fn run(batches: &[(Batch, bool)]) -> History {
    let memory = MemoryStorage::recording();
    let mut segments = create(&memory);
    let mut chains = chains();
    let mut history =
        History { memory: memory.clone(), entries: Vec::new(), acknowledged: vec![(memory.changes(), 0)] };
    for (batch, reopened) in batches {
        if *reopened {
            drop(segments);
            segments = reopen(&memory).0;
        }
        let batch = entries(&mut chains, batch);
        segments.append(&batch).expect("written");
        history.entries.extend(batch);
        history.acknowledged.push((memory.changes(), history.entries.len()));
    }
    history
}

impl History {
    /// The fewest entries that a crash after so many changes may leave, or `None` if not even the log.
    fn kept(&self, changes: u64) -> Option<usize> {
        self.acknowledged.iter().rev().find(|(at, _)| *at <= changes).map(|(_, count)| *count)
    }

    /// Checks what a crash left; returns how many entries.
    fn check(&self, changes: u64, image: &MemoryStorage) -> Option<usize> {
        let Some(kept) = self.kept(changes) else {
            // Cut short in its making: there is no log, or one without entries.
            match try_reopen(image) {
                Ok((_, found, _)) => assert_eq!(found, []),
                Err(SegmentError::NotAWorkspace) => drop(create(image)),
                Err(error) => panic!("{error}"),
            }
            return None;
        };
        let (_, found, report) = try_reopen(image).expect("opens after a crash");
        assert!(found.len() >= kept, "{} entries of {kept} after {changes} changes", found.len());
        assert!(found == self.entries[..found.len()], "other entries after {changes} changes");
        assert!(ends_proven(&found));
        assert_eq!(report.damaged, []);
        Some(found.len())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn after_a_crash_a_prefix_with_everything_acknowledged_is_there(
        batches in proptest::collection::vec((batch(), proptest::bool::weighted(0.2)), 1..8), seed: u64
    ) {
        let history = run(&batches);
        for changes in 0..=history.memory.changes() {
            for attempt in 0..6 {
                let image = history.memory.crash_image_after(changes, seed ^ (changes << 8) ^ attempt);
                history.check(changes, &image);
            }
        }
    }

    #[test]
    fn a_second_crash_while_going_on_after_the_first_loses_nothing(
        batches in proptest::collection::vec((batch(), Just(false)), 1..4), next in batch(), seed: u64
    ) {
        let history = run(&batches);
        let next = entries(&mut (7..10).map(Chain::new).collect::<Vec<_>>(), &next);
        for changes in 0..=history.memory.changes() {
            let image = history.memory.crash_image_after(changes, seed ^ changes);
            let Some(kept) = history.check(changes, &image) else { continue };
            let (segments, ..) = reopen(&image);
            let torn = image.crash_image(seed);
            segments.append(&next).expect("written");
            let expected = [&history.entries[..kept], &next].concat();
            prop_assert_eq!(reopen(&torn).1, &history.entries[..kept]);
            prop_assert_eq!(reopen(&image.crash_image(seed)).1, expected.clone());
            drop(segments);
            prop_assert_eq!(reopen(&image.crash_image(seed + 1)).1, expected);
        }
    }

    #[test]
    fn arbitrary_bytes_behind_the_end_are_never_taken_for_entries_nor_cost_any(
        batches in proptest::collection::vec((batch(), Just(false)), 1..3), noise in proptest::collection::vec(any::<u8>(), 1..3000), hints: bool
    ) {
        let history = run(&batches);
        let segments = reopen(&history.memory).0;
        let last = segments.writer().as_ref().map(|writer| (writer.segment, writer.position)).expect("recovered");
        let mut noise = noise;
        if hints && noise.len() > 60 {
            noise[20..52].copy_from_slice(&WORKSPACE.0);
        }
        let path = segment_path(last.0);
        drop(segments);
        history.memory.damage(&path, last.1.into(), &noise);
        let (_, found, _) = reopen(&history.memory);
        prop_assert_eq!(found, history.entries);
    }
}

/// What came of appending with a fault.
#[derive(Default)]
struct Outcome {
    /// What was acknowledged, or found at a reopening and adopted.
    acknowledged: Vec<Entry>,
    /// The appends that failed since.
    failed: Vec<Vec<Entry>>,
    errors: Vec<SegmentError>,
}

impl Outcome {
    /// Opens the log, or makes it if there is none.
    fn open(&mut self, memory: &MemoryStorage) -> Option<Segments> {
        let opened = match try_reopen(memory) {
            Ok((segments, found, _)) => {
                self.check(&found, "reopened");
                self.acknowledged = found;
                self.failed.clear();
                Ok(segments)
            }
            Err(SegmentError::NotAWorkspace) => Segments::create(storage(memory), WORKSPACE, EPOCH),
            Err(error) => Err(error),
        };
        opened.map_err(|error| self.errors.push(error)).ok()
    }

    fn append(&mut self, segments: &Segments, batch: Vec<Entry>) {
        let places = match segments.append(&batch) {
            Ok(places) => places,
            Err(error) => {
                self.errors.push(error);
                self.failed.push(batch);
                return;
            }
        };
        for (place, entry) in places.iter().zip(&batch) {
            match segments.read(*place) {
                Ok(read) => assert_eq!(&read, entry),
                Err(error) => self.errors.push(error),
            }
        }
        self.acknowledged.extend(batch);
        self.failed.clear();
    }

    /// Checks that what was acknowledged is there, and of the rest at most a part of one failed append.
    fn check(&self, found: &[Entry], context: &str) {
        let (kept, more) = found.split_at(self.acknowledged.len().min(found.len()));
        assert!(kept == self.acknowledged, "{context}: an acknowledged entry is missing");
        let ghost = !more.is_empty() && !self.failed.iter().any(|batch| batch.starts_with(more));
        assert!(!ghost, "{context}: an entry of an older append is there");
    }

    fn check_disk(&self, memory: &MemoryStorage, context: &str) {
        match try_reopen(memory) {
            Ok((_, found, report)) => {
                assert_eq!(report.damaged, [], "{context}");
                self.check(&found, context);
            }
            Err(SegmentError::NotAWorkspace) => self.check(&[], context),
            Err(error) => panic!("{context}: {error}"),
        }
    }
}

/// The chains whose next entry follows on those found.
fn continued(found: &[Entry]) -> Vec<Chain> {
    let mut chains = chains();
    for entry in found {
        let header = entry.header();
        let chain =
            chains.iter_mut().find(|chain| chain.signer.device() == header.author).expect("one of ours");
        (chain.seq, chain.prev) = (header.seq, entry.id());
    }
    chains
}

/// Appends, reopens and reads, and goes on after errors.
fn scenario(memory: &MemoryStorage) -> Outcome {
    let batches: [Batch; 6] = [
        vec![(0, vec![10, 20])],
        vec![(0, vec![950_000]), (1, vec![5, 5, 5])],
        vec![(1, vec![100_000, 1])],
        vec![(2, vec![30_000])],
        vec![(0, vec![1]), (2, vec![3, 2_000])],
        vec![(0, vec![2])],
    ];
    let mut outcome = Outcome::default();
    let mut log = None;
    for (step, batch) in batches.iter().enumerate() {
        if step % 3 == 0 {
            drop(log.take());
        }
        log = log.or_else(|| outcome.open(memory)).or_else(|| outcome.open(memory));
        if let Some(segments) = &log {
            let batch = entries(&mut continued(&outcome.acknowledged), batch);
            outcome.append(segments, batch);
        }
    }
    outcome
}

#[test]
fn an_error_at_any_operation_is_typed_and_loses_nothing_acknowledged() {
    let memory = MemoryStorage::new();
    let complete = scenario(&memory);
    assert!(complete.errors.is_empty());
    for operation in 0..memory.operations() {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem] {
            for fault in [Fault::Once, Fault::Lasting] {
                let context = format!("{kind:?} {fault:?} at operation {operation}");
                let memory = MemoryStorage::new();
                memory.fail_at(operation, kind, fault);
                let outcome = scenario(&memory);
                memory.heal();
                outcome.check_disk(&memory, &context);
                for seed in 0..2 {
                    outcome.check_disk(&memory.crash_image(seed), &context);
                }
                if fault == Fault::Once && kind == ErrorKind::Other {
                    let refused = |error: &SegmentError| {
                        matches!(error, SegmentError::ReadOnly(_) | SegmentError::DiskFull)
                    };
                    assert!(
                        !outcome.errors.iter().any(refused),
                        "{context}: one error is overcome by a new segment"
                    );
                }
                if outcome.acknowledged.len() < complete.acknowledged.len() {
                    assert!(!outcome.errors.is_empty(), "{context}: nothing is dropped silently");
                }
            }
        }
    }
}

#[test]
fn writing_that_fails_twice_ends_writing_and_reading_goes_on() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let kept = chain.signed(b"kept");
    let place = segments.append(std::slice::from_ref(&kept)).expect("written")[0];
    memory.fail_at(memory.operations(), ErrorKind::Other, Fault::Lasting);
    let next = [chain.signed(b"lost")];
    assert!(matches!(segments.append(&next), Err(SegmentError::ReadOnly(ErrorKind::Other))));
    memory.heal();
    assert!(matches!(segments.append(&next), Err(SegmentError::ReadOnly(ErrorKind::Other))));
    assert_eq!(segments.read(place).expect("read"), kept);
    drop(segments);
    let (segments, found, _) = reopen(&memory);
    assert_eq!(found, [kept]);
    segments.append(&next).expect("written once opened again");
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_from_the_same_file() {
    let memory = MemoryStorage::recording();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    segments.append(&[chain.signed(b"first")]).expect("written");
    // An append within the space taken in advance is a write and a sync.
    memory.fail_at(memory.operations() + 1, ErrorKind::Other, Fault::Once);
    let places = segments.append(&[chain.signed(b"second")]).expect("moved to a new segment");
    assert_eq!(places[0].segment, 2);
    for seed in 0..32 {
        assert_eq!(reopen(&memory.crash_image(seed)).1.len(), 2);
    }
}

#[test]
fn what_recovery_found_in_the_page_cache_is_durable_afterwards() {
    let (memory, mut chain) = (MemoryStorage::new(), Chain::new(1));
    let mut entries = vec![chain.signed(b"first")];
    let place = create(&memory).append(&entries).expect("written")[0];
    // As a process leaves it that is killed between the write and the sync.
    entries.push(chain.signed(b"second"));
    let (frames, _) = encode_frames(&entries[1..]).expect("small");
    let file = memory.open(&segment_path(1), false).expect("opens");
    file.write_at((place.offset + place.length).into(), &frames).expect("written");
    assert_eq!(reopen(&memory).1, entries);
    for seed in 0..32 {
        assert_eq!(reopen(&memory.crash_image(seed)).1, entries);
    }
}

#[test]
fn a_full_disk_refuses_what_does_not_fit_and_takes_what_does() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let mut kept = vec![chain.signed(b"first")];
    segments.append(&kept).expect("written");
    memory.set_capacity(Some(memory.used() + 40_000));
    for _ in 0..3 {
        let large = chain.clone().signed(&[7; 400_000]);
        assert!(matches!(segments.append(&[large]), Err(SegmentError::DiskFull)));
        for seed in 0..16 {
            assert_eq!(reopen(&memory.crash_image(seed)).1, kept, "nothing of the refused append is there");
        }
        let small = chain.signed(&[8; 40_000]);
        segments.append(std::slice::from_ref(&small)).expect("fits into the space taken before");
        kept.push(small);
    }
    memory.set_capacity(None);
    let large = chain.signed(&[9; 400_000]);
    segments.append(std::slice::from_ref(&large)).expect("written once there is space");
    kept.push(large);
    drop(segments);
    assert_eq!(reopen(&memory).1, kept);
}

#[test]
fn a_disk_too_full_for_a_new_segment_refuses_and_recovers() {
    let memory = MemoryStorage::new();
    let segments = create(&memory);
    let mut chain = Chain::new(1);
    let mut kept = vec![chain.signed(&[1; 900_000])];
    segments.append(&kept).expect("written");
    memory.set_capacity(Some(memory.used()));
    let next = chain.signed(&[2; 900_000]);
    for _ in 0..2 {
        assert!(matches!(segments.append(std::slice::from_ref(&next)), Err(SegmentError::DiskFull)));
    }
    assert_eq!(reopen(&memory.crash_image(3)).1, kept);
    memory.set_capacity(None);
    segments.append(std::slice::from_ref(&next)).expect("written once there is space");
    kept.push(next);
    for seed in 0..16 {
        assert_eq!(reopen(&memory.crash_image(seed)).1, kept);
    }
}
