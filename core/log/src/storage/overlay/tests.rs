use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::storage::{MemoryStorage, Storage as _};

fn file(storage: &MemoryStorage) -> OverlayFile {
    OverlayFile::new(storage.open("state", true).expect("opens"))
}

fn content(file: &dyn StorageFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().expect("known")).expect("small")];
    file.read_at(0, &mut bytes).expect("reads");
    bytes
}

#[derive(Debug, Clone)]
enum Step {
    Write(u64, Vec<u8>),
    SetLen(u64),
    Sync,
    Full(bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..20_000_u64, vec(any::<u8>(), 1..9_000)).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        1 => (0..30_000_u64).prop_map(Step::SetLen),
        1 => Just(Step::Sync),
        1 => any::<bool>().prop_map(Step::Full),
    ]
}

proptest! {
    #[test]
    fn it_reads_as_a_file_that_took_every_write_and_becomes_one(steps in vec(step(), 1..40)) {
        let storage = MemoryStorage::new();
        let file = file(&storage);
        let mut expected: Vec<u8> = Vec::new();
        for step in steps {
            match step {
                Step::Write(at, bytes) => {
                    file.write_at(at, &bytes).expect("takes it");
                    let at = usize::try_from(at).expect("small");
                    expected.resize(expected.len().max(at + bytes.len()), 0);
                    expected[at..at + bytes.len()].copy_from_slice(&bytes);
                }
                Step::SetLen(length) => {
                    file.set_len(length).expect("takes it");
                    expected.resize(usize::try_from(length).expect("small"), 0);
                }
                Step::Sync => file.sync().expect("syncs"),
                Step::Full(full) => storage.set_read_only(full),
            }
            prop_assert!(content(&file) == expected);
        }
        storage.set_read_only(false);
        file.sync().expect("syncs");
        prop_assert!(storage.content("state").expect("there") == expected);
    }
}

#[test]
fn a_crash_while_held_leaves_what_was_synced_before() {
    let storage = MemoryStorage::new();
    let file = file(&storage);
    storage.sync_folder("").expect("syncs");
    file.write_at(0, &[1; 10_000]).expect("writes");
    file.sync().expect("syncs");
    storage.set_read_only(true);
    file.write_at(5_000, &[2; 10_000]).expect("holds");
    file.sync().expect("says so");
    assert_eq!(storage.crash_image(1).content("state").expect("there"), [1; 10_000]);
}

#[test]
fn a_file_that_is_brought_to_the_disk_in_part_has_no_header() {
    let storage = MemoryStorage::new();
    let file = file(&storage);
    file.write_at(0, &[1; 10_000]).expect("writes");
    file.sync().expect("syncs");
    storage.set_read_only(true);
    file.write_at(8_192, &[2; 1_000_000]).expect("holds");
    storage.set_read_only(false);
    storage.set_capacity(Some(storage.used() + 10_000));
    file.sync().expect("holds on");
    assert_eq!(storage.content("state").expect("there")[..512], [0; 512]);
    assert_eq!(content(&file)[..512], [1; 512]);
    storage.set_capacity(None);
    file.sync().expect("syncs");
    assert_eq!(storage.content("state").expect("there"), content(&file));
    assert_eq!(content(&file)[..8_192], [1; 8_192]);
}

#[test]
fn what_is_held_in_memory_is_bounded() {
    let storage = MemoryStorage::new();
    let file = file(&storage);
    storage.set_read_only(true);
    let blocks = HELD_BYTES_MAX / BLOCK_LEN;
    for number in 0..blocks {
        file.write_at(number * BLOCK_LEN, &[1]).expect("holds");
    }
    let refused = file.write_at(blocks * BLOCK_LEN, &[1]).expect_err("too much");
    assert_eq!(refused.kind(), ErrorKind::StorageFull);
    file.write_at(0, &[2]).expect("what is held already can change");
}

#[test]
fn what_no_medium_takes_is_a_file_in_memory() {
    let file = OverlayFile::in_memory(ErrorKind::ReadOnlyFilesystem);
    assert!(file.is_empty().expect("known"));
    file.sync().expect("nothing to do");
    file.write_at(5_000, b"x").expect("holds");
    file.sync().expect("says so");
    assert_eq!(content(&file)[4_999..], [0, b'x']);
    file.set_len(3).expect("holds");
    assert_eq!(content(&file), [0; 3]);
}
