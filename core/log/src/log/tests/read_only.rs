//! A log on a medium that can only be read.

use std::io::ErrorKind;

use super::*;
use crate::segments::SegmentError;

/// A log with some entries that was closed, or whose power went, on a medium that refuses every change.
fn frozen(closed: bool) -> (TestWorkspace, MemoryStorage, Vec<Entry>) {
    let workspace = TestWorkspace::new(7);
    let (storage, log) = founded(&workspace);
    write(&log, &workspace, 5);
    let entries = all_entries(&log);
    let storage = if closed { storage } else { storage.copy_to("the same") };
    drop(log);
    storage.set_read_only(true);
    (workspace, storage, entries)
}

/// Reads all, and is told why it cannot write.
fn assert_reads(workspace: &TestWorkspace, storage: &MemoryStorage, entries: &[Entry]) {
    let changes = storage.changes();
    let log = Log::open(workspace.options(Arc::new(storage.clone()), 3)).expect("opens");
    assert_eq!(all_entries(&log), entries);
    let refused = log.commit_blocking(vec![workspace.draft(0, STREAM, b"no".to_vec())]);
    let Err(LogError::Segments(cause)) = refused else { panic!("{refused:?}") };
    assert!(matches!(*cause, SegmentError::ReadOnly(ErrorKind::ReadOnlyFilesystem)), "{cause:?}");
    assert_eq!(all_entries(&log), entries);
    drop(log);
    assert_eq!(storage.changes(), changes, "nothing was written");
}

#[test]
fn a_log_on_a_read_only_medium_opens_for_reading() {
    for closed in [true, false] {
        let (workspace, storage, entries) = frozen(closed);
        assert_reads(&workspace, &storage, &entries);
        assert_reads(&workspace, &storage, &entries);
    }
}

#[test]
fn a_state_that_is_lost_or_of_another_version_is_built_in_memory_on_a_read_only_medium() {
    for lost in ["state.redb", "state.salt"] {
        let (workspace, storage, entries) = frozen(true);
        storage.set_read_only(false);
        storage.remove(lost).expect("is there");
        storage.set_read_only(true);
        assert_reads(&workspace, &storage, &entries);
    }
    let (workspace, storage, entries) = frozen(true);
    let mut options = workspace.options(Arc::new(storage.clone()), 3);
    options.rows_version += 1;
    assert_eq!(all_entries(&Log::open(options).expect("opens")), entries);
    assert_reads(&workspace, &storage, &entries);
}
