//! What both storages promise, what only the folder refuses, and what only the disk in memory can do.

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn folder() -> (TempDir, FolderStorage) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let storage = FolderStorage::new(folder.path());
    (folder, storage)
}

fn kind<T: Debug>(result: io::Result<T>) -> io::ErrorKind {
    result.expect_err("refused").kind()
}

/// The promises of the traits.
fn keeps_its_promises(storage: &dyn Storage) {
    assert_eq!(storage.list("log").expect("lists"), [""; 0]);
    assert_eq!(kind(storage.open("log/b", true)), io::ErrorKind::NotFound);
    storage.create_folder("").expect("makes");
    storage.create_folder("log").expect("makes");
    storage.create_folder("log").expect("is there");
    assert_eq!(kind(storage.open("log/b", false)), io::ErrorKind::NotFound);
    let file = storage.open("log/b", true).expect("makes");
    assert!(file.is_empty().expect("length"));
    file.write_at(6000, b"end").expect("writes");
    file.write_at(0, b"start").expect("writes");
    assert_eq!(file.len().expect("length"), 6003);
    let mut bytes = [1; 6003];
    file.read_at(0, &mut bytes).expect("reads");
    assert_eq!((&bytes[..5], &bytes[6000..]), (&b"start"[..], &b"end"[..]));
    assert!(bytes[5..6000].iter().all(|byte| *byte == 0));
    assert_eq!(kind(file.read_at(6001, &mut [0; 3])), io::ErrorKind::UnexpectedEof);
    file.set_len(3).expect("cuts");
    file.set_len(8).expect("extends");
    let mut bytes = [1; 8];
    storage.open("log/b", true).expect("is there").read_at(0, &mut bytes).expect("reads");
    assert_eq!(&bytes, b"sta\0\0\0\0\0");
    let origin = storage.origin("log/b").expect("is there");
    assert_eq!(storage.origin("log/b").expect("is there"), origin);
    storage.open("log/c", true).expect("makes");
    assert_ne!(storage.origin("log/c").expect("is there").file, origin.file);
    assert_eq!(kind(storage.origin("log/d")), io::ErrorKind::NotFound);
    storage.remove("log/c").expect("removes");
    file.sync().expect("syncs");
    storage.open("log/a", true).expect("makes");
    storage.open("other", true).expect("makes");
    assert_eq!(storage.list("log").expect("lists"), ["a", "b"]);
    assert_eq!(storage.list("").expect("lists"), ["other"]);
    storage.rename("log/b", "log/a").expect("replaces");
    storage.sync_folder("log").expect("syncs");
    storage.sync_folder("").expect("syncs");
    assert_eq!(storage.list("log").expect("lists"), ["a"]);
    assert_eq!(storage.open("log/a", false).expect("opens").len().expect("length"), 8);
    assert_eq!(kind(storage.rename("log/b", "log/c")), io::ErrorKind::NotFound);
    storage.remove("log/a").expect("removes");
    assert_eq!(kind(storage.remove("log/a")), io::ErrorKind::NotFound);
    assert_eq!(kind(storage.open("log", true)), io::ErrorKind::InvalidInput);
    assert_eq!(kind(storage.create_folder("other")), io::ErrorKind::InvalidInput);

    let guard = storage.lock().expect("free");
    let own = std::process::id();
    assert!(matches!(storage.lock(), Err(LockError::Held { pid: Some(pid) }) if pid == own));
    drop(guard);
    drop(storage.lock().expect("free again"));
}

#[test]
fn a_folder_keeps_its_promises() {
    keeps_its_promises(&folder().1);
}

#[test]
fn a_disk_in_memory_keeps_its_promises() {
    keeps_its_promises(&MemoryStorage::new());
}

#[test]
fn a_lock_names_its_holder() {
    let error = LockError::Held { pid: Some(7) };
    assert_eq!(error.to_string(), "workspace is already open in process 7");
    assert_eq!(LockError::Held { pid: None }.to_string(), "workspace is already open");
}

#[test]
fn paths_that_leave_the_folder_are_refused() {
    let (_folder, storage) = folder();
    for path in ["../x", "/x", "a//b", "./x", "a/../x", "a\\b", "c:x", "a/", "x\0y"] {
        assert_eq!(kind(storage.open(path, true)), io::ErrorKind::InvalidInput, "{path:?}");
        assert_eq!(kind(storage.list(path)), io::ErrorKind::InvalidInput, "{path:?}");
    }
}

#[cfg(unix)]
#[test]
fn links_in_the_place_of_files_and_folders_are_refused() {
    use std::os::unix::fs::symlink;
    let (outside, (inside, storage)) = (tempfile::tempdir().expect("a temporary folder"), folder());
    let target = outside.path().join("target");
    std::fs::write(&target, "outside").expect("writes");
    symlink(&target, inside.path().join("file")).expect("links");
    symlink(outside.path(), inside.path().join("log")).expect("links");
    symlink(&target, inside.path().join(LOCK_FILE)).expect("links");
    assert_eq!(kind(storage.open("file", true)), io::ErrorKind::InvalidInput);
    assert_eq!(kind(storage.remove("file")), io::ErrorKind::InvalidInput);
    assert_eq!(kind(storage.open("log/target", false)), io::ErrorKind::InvalidInput);
    assert_eq!(kind(storage.list("log")), io::ErrorKind::InvalidInput);
    assert_eq!(kind(storage.create_folder("log")), io::ErrorKind::InvalidInput);
    assert!(
        matches!(storage.lock(), Err(LockError::Io(error)) if error.kind() == io::ErrorKind::InvalidInput)
    );
    assert_eq!(storage.list("").expect("lists"), [""; 0], "links are not files");
    assert_eq!(std::fs::read(&target).expect("reads"), b"outside");
}

#[cfg(unix)]
#[test]
fn files_are_made_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let (path, storage) = folder();
    replace_file(&storage, "vault", b"sealed").expect("writes");
    storage.open("state.redb", true).expect("makes");
    for name in ["vault", "state.redb"] {
        let metadata = std::fs::metadata(path.path().join(name)).expect("is there");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_file_longer_than_the_bound_is_not_read() {
    let storage = MemoryStorage::new();
    assert_eq!(read_file(&storage, "vault", 4).expect("reads"), None);
    replace_file(&storage, "vault", b"1234").expect("writes");
    assert_eq!(read_file(&storage, "vault", 4).expect("reads").as_deref(), Some(&b"1234"[..]));
    assert_eq!(kind(read_file(&storage, "vault", 3)), io::ErrorKind::FileTooLarge);
}

#[test]
fn a_replaced_file_is_old_or_new_after_a_crash_and_new_once_it_returned() {
    let storage = MemoryStorage::recording();
    let (old, new) = (vec![1; 3000], vec![2; 5000]);
    replace_file(&storage, "vault", &old).expect("writes");
    let before = storage.changes();
    replace_file(&storage, "vault", &new).expect("writes");
    for changes in before..=storage.changes() {
        for seed in 0..64 {
            let image = storage.crash_image_after(changes, seed);
            let found = read_file(&image, "vault", 9000).expect("reads").expect("is there");
            assert!(found == new || (found == old && changes < storage.changes()), "change {changes}");
        }
    }
}

#[test]
fn a_failed_replacement_leaves_the_old_file() {
    let storage = MemoryStorage::new();
    replace_file(&storage, "vault", b"old").expect("writes");
    for operation in 0..5 {
        storage.fail_at(storage.operations() + operation, io::ErrorKind::Other, Fault::Once);
        replace_file(&storage, "vault", b"new").expect_err("fails");
        storage.heal();
        assert_eq!(storage.content("vault").as_deref(), Some(&b"old"[..]), "operation {operation}");
    }
}

#[test]
fn a_crash_takes_names_and_bytes_that_were_not_synced() {
    let storage = MemoryStorage::new();
    let file = storage.open("file", true).expect("makes");
    file.write_at(0, &[1; 2000]).expect("writes");
    file.sync().expect("syncs");
    let names = |seed| storage.crash_image(seed).list("").expect("lists").len();
    assert!((0..32).any(|seed| names(seed) == 0) && (0..32).any(|seed| names(seed) == 1));
    storage.sync_folder("").expect("syncs");
    assert!((0..32).all(|seed| names(seed) == 1));
    file.write_at(0, &[2; 2000]).expect("writes");
    let contents: Vec<_> =
        (0..64).map(|seed| storage.crash_image(seed).content("file").expect("there")).collect();
    assert!(contents.contains(&vec![1; 2000]) && contents.contains(&vec![2; 2000]));
    assert!(contents.iter().any(|bytes| bytes.contains(&1) && bytes.contains(&2)), "torn");
    for sector in contents.iter().flat_map(|bytes| bytes.chunks(SECTOR_LEN)) {
        assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is written at once");
    }
}

#[test]
fn bytes_of_a_failed_sync_may_be_lost_in_spite_of_a_later_one() {
    let lost = (0..64).any(|operations| {
        let storage = MemoryStorage::new();
        let file = storage.open("file", true).expect("makes");
        storage.sync_folder("").expect("syncs");
        for _ in 0..operations {
            file.len().expect("length");
        }
        file.write_at(0, b"x").expect("writes");
        storage.fail_at(storage.operations(), io::ErrorKind::Other, Fault::Once);
        file.sync().expect_err("fails");
        file.sync().expect("syncs");
        assert_eq!(storage.content("file").as_deref(), Some(&b"x"[..]));
        storage.crash_image(1).content("file").expect("there").is_empty()
    });
    assert!(lost);
}

#[test]
fn a_full_disk_takes_what_fits_and_overwriting_needs_no_space() {
    let storage = MemoryStorage::new();
    storage.set_capacity(Some(3 * 4096));
    let file = storage.open("file", true).expect("makes");
    file.set_len(1 << 20).expect("a gap takes no space");
    file.write_at(0, &[1; 3 * 4096]).expect("fits");
    assert_eq!(kind(file.write_at(3 * 4096, &[1])), io::ErrorKind::StorageFull);
    file.write_at(0, &[2; 3 * 4096]).expect("is there already");
    assert_eq!(storage.used(), 3 * 4096);
    file.set_len(4096).expect("cuts");
    file.write_at(4096, &[3; 4096]).expect("fits again");
}

#[test]
fn faults_hit_the_operation_they_are_aimed_at() {
    let storage = MemoryStorage::new();
    let file = storage.open("file", true).expect("makes");
    storage.fail_at(2, io::ErrorKind::Other, Fault::Once);
    file.write_at(0, &[1; 100]).expect("before");
    file.write_at(0, &[2; 100]).expect_err("hit");
    file.write_at(200, &[3; 100]).expect("after");
    assert_eq!(storage.content("file").expect("there")[..101], [&[2; 50][..], &[1; 50], &[0]].concat());
    storage.fail_at(4, io::ErrorKind::Other, Fault::Lasting);
    assert!(file.len().is_err() && storage.list("").is_err() && storage.lock().is_err());
    storage.heal();
    assert_eq!((storage.operations(), storage.changes()), (7, 4));
}

proptest! {
    #[test]
    fn after_a_crash_every_synced_byte_is_there(
        writes in proptest::collection::vec((0u64..20_000, 1usize..9_000, any::<bool>()), 1..12), seed: u64
    ) {
        let storage = MemoryStorage::recording();
        let file = storage.open("file", true).expect("makes");
        storage.sync_folder("").expect("syncs");
        let (mut expected, mut unsynced) = (Vec::new(), Vec::new());
        for (index, (offset, length, sync)) in writes.into_iter().enumerate() {
            let value = u8::try_from(index + 1).expect("small");
            file.write_at(offset, &vec![value; length]).expect("writes");
            unsynced.push((usize::try_from(offset).expect("small"), length, value));
            if sync {
                file.sync().expect("syncs");
                for (offset, length, value) in unsynced.drain(..) {
                    expected.resize(expected.len().max(offset + length), 0);
                    expected[offset..offset + length].fill(value);
                }
            }
        }
        let found = storage.crash_image_after(storage.changes(), seed).content("file").expect("there");
        prop_assert_eq!(&storage.crash_image(seed).content("file").expect("there"), &found);
        for (index, byte) in expected.iter().enumerate() {
            let overwritten = |(offset, length, value): &(usize, usize, u8)| {
                (*offset..offset + length).contains(&index) && found[index] == *value
            };
            prop_assert!(found[index] == *byte || unsynced.iter().any(overwritten), "byte {}", index);
        }
    }
}
