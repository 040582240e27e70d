//! Crashes between any two storage operations, and a failure of every single one: nothing that was
//! acknowledged is lost, whatever is left opens, and what opens can be written to.
//!
//! More crash images with `TIDELOG_IMAGES`.

use std::io::ErrorKind;
use std::sync::Arc;

use super::*;
use crate::directory::Role;
use crate::env::{SeededRandom, random_array};
use crate::ids::{EntryId, StreamId};
use crate::segments::SegmentError;
use crate::storage::{Fault, MemoryStorage};
use crate::testing::TestWorkspace;

/// Crash images in a default run.
const IMAGES: u64 = 10_000;

/// What was acknowledged, and after how many changes to the disk.
struct Acknowledged {
    changes: u64,
    id: EntryId,
}

/// A working life: commits of several sizes and streams, a change of the directory, entries from
/// another replica, ticks that make the state durable, a reopening.
fn live(
    workspace: &TestWorkspace,
    storage: &MemoryStorage,
    acknowledged: &mut Vec<Acknowledged>,
) -> Result<(), LogError> {
    let mut note = |ids: Vec<EntryId>| {
        acknowledged.extend(ids.into_iter().map(|id| Acknowledged { changes: storage.changes(), id }));
    };
    let random = SeededRandom::new(7);
    let elsewhere = workspace.founder_log(Arc::new(MemoryStorage::new()), 2);
    let founding: Vec<Entry> = entries(&elsewhere);
    let log = Log::create(workspace.options(Arc::new(storage.clone()), 1), workspace.id())?;
    log.receive_blocking(founding.clone())?;
    note(founding.iter().map(Entry::id).collect());
    for round in 0..12_u8 {
        let [count, length, stream]: [u8; 3] = random_array(&random);
        let drafts = (0..=count % 5).map(|_| {
            workspace.draft(0, StreamId([1 + stream % 2; 16]), vec![round; 20 + usize::from(length) * 40])
        });
        let committed = log.commit_blocking(drafts.collect())?;
        note(committed.into_iter().map(|committed| committed.id).collect());
        if round == 5 {
            let add = workspace.add_user(1, Role::Writer);
            let committed = log.commit_blocking(vec![Draft::directory(workspace.device(0), vec![add])])?;
            note(committed.into_iter().map(|committed| committed.id).collect());
        }
        if round % 4 == 3 {
            log.tick()?;
        }
    }
    log.shutdown();
    let log = Log::open(workspace.options(Arc::new(storage.clone()), 1))?;
    let committed = log.commit_blocking(vec![workspace.draft(1, StreamId([3; 16]), vec![1; 3_000])])?;
    note(committed.into_iter().map(|committed| committed.id).collect());
    Ok(())
}

fn entries(log: &Log) -> Vec<Entry> {
    (1..=log.arrivals()).map(|arrival| log.entry_at(arrival).expect("reads").expect("held")).collect()
}

/// Opens what a crash left, and checks it against what had been acknowledged; if `whole`, also that
/// another replica takes all of it.
fn check(
    workspace: &TestWorkspace,
    image: MemoryStorage,
    acknowledged: &[Acknowledged],
    changes: u64,
    whole: bool,
) {
    let due: Vec<_> = acknowledged.iter().filter(|entry| entry.changes <= changes).collect();
    let log = match Log::open(workspace.options(Arc::new(image.clone()), 1)) {
        Ok(log) => log,
        Err(error) => {
            assert!(due.is_empty(), "after change {changes}: {error}");
            return;
        }
    };
    let view = log.view().expect("view");
    for entry in &due {
        let arrival = index::arrival_of(&view, &entry.id).expect("reads");
        assert!(arrival.is_some(), "entry {} is lost after change {changes}", entry.id);
    }
    if due.len() < 2 {
        return;
    }
    let all = entries(&log);
    log.commit_blocking(vec![workspace.draft(0, StreamId([1; 16]), vec![9])]).expect("can be written to");
    if !whole {
        return;
    }
    let other = workspace.empty_log(Arc::new(MemoryStorage::new()), 3);
    let receipt = other.receive_blocking(all).expect("stores");
    assert!(receipt.refused.is_empty() && receipt.missing.is_empty(), "after change {changes}");
}

#[test]
fn a_crash_between_any_two_operations_loses_nothing_acknowledged() {
    let images = std::env::var("TIDELOG_IMAGES").map_or(IMAGES, |text| text.parse().expect("a number"));
    let workspace = TestWorkspace::new(21);
    let storage = MemoryStorage::recording();
    let mut acknowledged = Vec::new();
    live(&workspace, &storage, &mut acknowledged).expect("no fault");
    let changes = storage.changes();
    let per_change = images.div_ceil(changes + 1);
    for after in 0..=changes {
        for seed in 0..per_change {
            let image = storage.crash_image_after(after, after * 1_000 + seed);
            check(&workspace, image, &acknowledged, after, seed == 0);
        }
    }
}

#[test]
fn a_failure_of_any_operation_is_a_typed_error_and_loses_nothing_acknowledged() {
    let workspace = TestWorkspace::new(22);
    let sound = MemoryStorage::new();
    live(&workspace, &sound, &mut Vec::new()).expect("no fault");
    for operation in 0..sound.operations() {
        for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
            let storage = MemoryStorage::new();
            storage.fail_at(operation, kind, Fault::Once);
            let mut acknowledged = Vec::new();
            // Whether the fault is an error or is healed on the way is for the storage tests.
            let _ = live(&workspace, &storage, &mut acknowledged);
            storage.heal();
            check(&workspace, storage.crash_image(operation), &acknowledged, u64::MAX, true);
        }
    }
}

#[test]
fn a_full_disk_refuses_writes_and_goes_on_reading() {
    let workspace = TestWorkspace::new(23);
    let storage = MemoryStorage::new();
    let log = workspace.founder_log(Arc::new(storage.clone()), 1);
    let write = |log: &Log| log.commit_blocking(vec![workspace.draft(0, StreamId([1; 16]), vec![1; 60_000])]);
    let first = write(&log).expect("there is space")[0].id;
    storage.set_capacity(Some(storage.used() + 200_000));
    let error = (0..100).find_map(|_| write(&log).err()).expect("the disk fills up");
    assert!(
        matches!(&error, LogError::Segments(error) if matches!(**error, SegmentError::DiskFull)),
        "{error}"
    );
    storage.set_capacity(Some(storage.used()));
    log.tick().expect("the state goes on in memory");
    assert!(log.entry(&first).expect("reads").is_some());
    storage.set_capacity(None);
    write(&log).expect("writes again once there is space");
    log.tick().expect("the state is on the disk again");
    let arrivals = log.arrivals();
    log.shutdown();
    let log = Log::open(workspace.options(Arc::new(storage), 1)).expect("opens");
    assert_eq!(log.arrivals(), arrivals);
}
