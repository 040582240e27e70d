use std::collections::BTreeMap;

use proptest::prelude::*;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};

use super::*;
use crate::env::SeededRandom;
use crate::storage::{MemoryStorage, Storage};

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
const PATH: &str = "state.redb";
const KEY: [u8; 32] = [7; 32];

fn pages(memory: &MemoryStorage, key: &[u8; 32]) -> EncryptedPages {
    let file = memory.open(PATH, true).expect("opens");
    EncryptedPages::new(file, key, Arc::new(SeededRandom::new(memory.operations())))
}

fn database(memory: &MemoryStorage) -> Result<Database, redb::DatabaseError> {
    redb::Builder::new().set_cache_size(64 << 10).create_with_backend(pages(memory, &KEY))
}

/// Rows by key; `None` deletes.
type Changes = Vec<(u8, Option<Vec<u8>>)>;

fn commit(database: &Database, changes: &Changes, durable: bool) {
    let mut transaction = database.begin_write().expect("begins");
    let durability = if durable { Durability::Immediate } else { Durability::None };
    transaction.set_durability(durability).expect("no savepoints");
    transaction.set_quick_repair(durable);
    {
        let mut table = transaction.open_table(TABLE).expect("opens");
        for (key, value) in changes {
            match value {
                Some(value) => drop(table.insert(&[*key][..], &value[..]).expect("inserts")),
                None => drop(table.remove(&[*key][..]).expect("removes")),
            }
        }
    }
    transaction.commit().expect("commits");
}

fn apply(rows: &mut BTreeMap<u8, Vec<u8>>, changes: &Changes) {
    for (key, value) in changes.clone() {
        match value {
            Some(value) => rows.insert(key, value),
            None => rows.remove(&key),
        };
    }
}

fn rows(database: &Database) -> BTreeMap<u8, Vec<u8>> {
    let transaction = database.begin_read().expect("begins");
    let Ok(table) = transaction.open_table(TABLE) else { return BTreeMap::new() };
    let rows = table.iter().expect("iterates").map(|row| {
        let (key, value) = row.expect("reads");
        (key.value()[0], value.value().to_vec())
    });
    rows.collect()
}

fn changes() -> impl Strategy<Value = Changes> {
    let value = (any::<u8>(), 0usize..20_000).prop_map(|(byte, length)| vec![byte; length]);
    proptest::collection::vec((any::<u8>(), proptest::option::weighted(0.8, value)), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn redb_keeps_its_rows_through_random_transactions_and_reopening(
        sessions in proptest::collection::vec(proptest::collection::vec((changes(), any::<bool>()), 0..6), 1..4)
    ) {
        let memory = MemoryStorage::new();
        let mut expected = BTreeMap::new();
        for session in sessions {
            let database = database(&memory).expect("opens");
            prop_assert_eq!(rows(&database), expected.clone());
            for (changes, durable) in session {
                commit(&database, &changes, durable);
                apply(&mut expected, &changes);
            }
            prop_assert_eq!(rows(&database), expected.clone());
        }
    }

    #[test]
    fn after_a_crash_redb_has_a_durable_state_or_a_later_one(
        commits in proptest::collection::vec((changes(), any::<bool>()), 1..6), seeds: [u64; 8]
    ) {
        let memory = MemoryStorage::recording();
        let database = database(&memory).expect("opens");
        memory.sync_folder("").expect("syncs");
        let mut states = vec![(memory.changes(), true, BTreeMap::new())];
        for (changes, durable) in commits {
            commit(&database, &changes, durable);
            let mut state = states[states.len() - 1].2.clone();
            apply(&mut state, &changes);
            states.push((memory.changes(), durable, state));
        }
        let (first, last) = (states[0].0, memory.changes());
        for (step, seed) in seeds.into_iter().enumerate() {
            let at = first + (last - first) * step as u64 / 7;
            let image = memory.crash_image_after(at, seed);
            let found = rows(&self::database(&image).expect("opens"));
            let durable = states.iter().rposition(|(change, durable, _)| *durable && *change <= at).unwrap_or(0);
            prop_assert!(states[durable..].iter().any(|(_, _, state)| *state == found), "at change {}", at);
        }
    }
}

fn three_pages() -> (MemoryStorage, Vec<u8>) {
    let memory = MemoryStorage::new();
    let backend = pages(&memory, &KEY);
    let plain: Vec<u8> = (0..2 * PAGE_LEN).map(|index| u8::try_from(index % 251).expect("small")).collect();
    backend.set_len(3 * PAGE_LEN as u64).expect("grows");
    backend.write(0, &[0x5A; 320]).expect("writes");
    backend.write(PAGE_LEN as u64, &plain).expect("writes");
    (memory, plain)
}

/// Reads the header and both pages one by one.
fn read_all(memory: &MemoryStorage, key: &[u8; 32]) -> [io::Result<Vec<u8>>; 3] {
    let backend = pages(memory, key);
    [(0, 320), (PAGE_LEN as u64, PAGE_LEN), (2 * PAGE_LEN as u64, PAGE_LEN)].map(|(offset, length)| {
        let mut bytes = vec![0; length];
        backend.read(offset, &mut bytes).map(|()| bytes)
    })
}

#[test]
fn pages_are_read_back_and_nothing_of_them_is_on_the_disk() {
    let (memory, plain) = three_pages();
    let read = read_all(&memory, &KEY).map(|page| page.expect("reads"));
    assert_eq!(read, [vec![0x5A; 320], plain[..PAGE_LEN].to_vec(), plain[PAGE_LEN..].to_vec()]);
    let disk = memory.content(PATH).expect("there is a file");
    assert_eq!(disk.len(), HEADER_SLOT_LEN + 2 * SLOT_LEN);
    assert!(!disk.windows(16).any(|window| window == &plain[..16] || window == [0x5A; 16]));
    assert_eq!(pages(&memory, &KEY).len().expect("length"), 3 * PAGE_LEN as u64);
}

#[test]
fn every_flipped_bit_is_detected_on_the_page_it_is_in() {
    let (memory, _) = three_pages();
    let disk = memory.content(PATH).expect("there is a file");
    for (index, byte) in disk.iter().enumerate() {
        memory.damage(PATH, index as u64, &[byte ^ 1 << (index % 8)]);
        let page = if index < HEADER_SLOT_LEN { 0 } else { 1 + (index - HEADER_SLOT_LEN) / SLOT_LEN };
        for (number, read) in read_all(&memory, &KEY).into_iter().enumerate() {
            let error = read.err().map(|error| error.kind());
            assert_eq!(error, (number == page).then_some(ErrorKind::InvalidData), "byte {index}");
        }
        memory.damage(PATH, index as u64, &[*byte]);
    }
}

#[test]
fn a_page_in_the_place_of_another_is_refused() {
    let (memory, _) = three_pages();
    let disk = memory.content(PATH).expect("there is a file");
    memory.damage(PATH, HEADER_SLOT_LEN as u64, &disk[HEADER_SLOT_LEN + SLOT_LEN..]);
    let read = read_all(&memory, &KEY).map(|read| read.is_ok());
    assert_eq!(read, [true, false, true]);
}

#[test]
fn another_key_and_pages_never_written_are_refused() {
    let (memory, _) = three_pages();
    assert!(read_all(&memory, &[8; 32]).iter().all(Result::is_err));
    pages(&memory, &KEY).set_len(4 * PAGE_LEN as u64).expect("grows");
    let error =
        pages(&memory, &KEY).read(3 * PAGE_LEN as u64, &mut [0; PAGE_LEN]).expect_err("never written");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn the_same_page_written_twice_looks_different() {
    let (memory, plain) = three_pages();
    let before = memory.content(PATH);
    pages(&memory, &KEY).write(PAGE_LEN as u64, &plain).expect("writes");
    assert_ne!(memory.content(PATH), before);
}

#[test]
fn a_file_cut_within_a_page_is_damaged() {
    let (memory, _) = three_pages();
    memory.open(PATH, false).expect("opens").set_len(5000).expect("cuts");
    let error = pages(&memory, &KEY).len().expect_err("cut");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

#[test]
fn the_largest_header_fits_and_parts_of_pages_are_refused() {
    let backend = pages(&MemoryStorage::new(), &KEY);
    backend.write(0, &[1; HEADER_LEN_MAX]).expect("fits");
    let refused = [
        backend.write(0, &[1; HEADER_LEN_MAX + 1]),
        backend.write(1, &[1; 320]),
        backend.write(PAGE_LEN as u64, &[1; 100]),
        backend.write(PAGE_LEN as u64 + 512, &[1; PAGE_LEN]),
        backend.read(0, &mut [1; PAGE_LEN]),
        backend.set_len(PAGE_LEN as u64 + 1),
    ];
    for result in refused {
        assert_eq!(result.expect_err("refused").kind(), ErrorKind::InvalidInput);
    }
}
