//! Claims about copies: no chain of theirs ever forks once they have met somebody, and no entry is lost.

use std::ops::ControlFlow;

use tidelog_log::storage::{MemoryStorage, Storage};
use tidelog_log::trie::Frontier;

use super::*;
use crate::keys::vault::Key;
use crate::value::Value;
use crate::workspace::testing::{created, items, on, opened, raw};

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("refused").kind()
}

async fn put(workspace: &Workspace, key: &str) -> Result<()> {
    items(workspace).put(key, &Value::Int(1)).await
}

async fn open(storage: &MemoryStorage) -> Workspace {
    opened(storage, raw(1)).await.expect("opens")
}

/// Another device of the same user, admitted by hand, which stands in for the rest of the world.
async fn companion(workspace: &Workspace) -> Workspace {
    companion_on(workspace, &MemoryStorage::new()).await
}

async fn companion_on(workspace: &Workspace, storage: &MemoryStorage) -> Workspace {
    let words = workspace.add_recovery_device().await.expect("adds");
    let folder = workspace.inner.storage.clone();
    let peer = Workspace::recovered_in(on(storage, 50), raw(8), &words, folder).await.expect("recovers");
    workspace.sync_with(&peer).await.expect("syncs");
    peer
}

fn frontier(workspace: &Workspace) -> Frontier {
    workspace.inner.engine.log.frontier().0
}

fn forks(workspace: &Workspace) -> usize {
    frontier(workspace).iter().filter(|leaf| leaf.tips.len() > 1).count()
}

#[tokio::test]
async fn a_moved_folder_is_no_copy_and_goes_on() {
    let storage = MemoryStorage::new();
    created(&storage).await.shutdown().await.expect("closes");
    let workspace = open(&storage).await;
    assert!(!workspace.restored());
    put(&workspace, "second").await.expect("writes");
}

#[tokio::test]
async fn a_copy_on_another_machine_reads_and_does_not_write_before_it_met_somebody() {
    let storage = MemoryStorage::new();
    let original = created(&storage).await;
    let peer = companion(&original).await;
    put(&original, "before").await.expect("writes");
    let copied = storage.copy_to("other machine");
    put(&original, "after").await.expect("writes");
    original.sync_with(&peer).await.expect("syncs");

    let copy = open(&copied).await;
    assert!(copy.restored());
    assert_eq!(items(&copy).get("before").expect("reads"), Some(Value::Int(1)));
    for refused in
        [put(&copy, "x").await, copy.set_profile("x").await, copy.add_recovery_device().await.map(drop)]
    {
        assert_eq!(kind(refused), ErrorKind::Restored);
    }
    let old = copy.me().expect("is a member").device;
    copy.sync_with(&peer).await.expect("syncs");
    assert!(!copy.restored());
    assert_ne!(copy.me().expect("is a member").device, old);
    assert_eq!(copy.me().expect("is a member").user, original.me().expect("is a member").user);
    assert_eq!(items(&copy).get("after").expect("reads"), Some(Value::Int(1)));
    put(&copy, "from the copy").await.expect("writes");
    copy.sync_with(&peer).await.expect("syncs");

    // The original learns that it wrote what it does not hold, and changes its life as well.
    original.sync_with(&peer).await.expect("syncs");
    assert!(!original.restored());
    let lives = [old, original.me().expect("member").device, copy.me().expect("member").device];
    assert!(lives[0] != lives[1] && lives[1] != lives[2] && lives[0] != lives[2]);
    put(&original, "from the original").await.expect("writes");
    original.sync_with(&copy).await.expect("different devices meet");
    original.sync_with(&peer).await.expect("syncs");
    copy.sync_with(&peer).await.expect("syncs");
    for workspace in [&original, &copy, &peer] {
        assert_eq!(items(workspace).count(&crate::Query::new()).expect("counts"), 5);
        assert_eq!(forks(workspace), 0);
    }
    assert_eq!(frontier(&original), frontier(&copy));
}

#[tokio::test]
async fn what_a_new_life_wrote_is_there_after_reopening_and_the_key_is_the_same() {
    let storage = MemoryStorage::new();
    let original = created(&storage).await;
    let peer = companion(&original).await;
    let copied = storage.copy_to("other machine");
    let copy = open(&copied).await;
    copy.sync_with(&peer).await.expect("syncs");
    put(&copy, "second").await.expect("writes");
    let device = copy.me().expect("is a member").device;
    copy.shutdown().await.expect("closes");
    let copy = open(&copied).await;
    assert!(!copy.restored());
    assert_eq!(copy.me().expect("is a member").device, device);
    assert_eq!(items(&copy).get("second").expect("reads"), Some(Value::Int(1)));
    assert_eq!(items(&copy).get("first").expect("reads"), Some(Value::Int(1)));
    put(&copy, "third").await.expect("writes");
}

#[tokio::test]
async fn an_old_state_of_the_same_disk_is_noticed_at_the_first_meeting() {
    let storage = MemoryStorage::new();
    let original = created(&storage).await;
    let peer = companion(&original).await;
    // A snapshot of the machine, which nothing on the disk shows.
    let snapshot = storage.copy_to("");
    put(&original, "later").await.expect("writes");
    original.sync_with(&peer).await.expect("syncs");
    original.shutdown().await.expect("closes");
    let back = open(&snapshot).await;
    assert!(!back.restored());
    let old = back.me().expect("is a member").device;
    back.sync_with(&peer).await.expect("syncs");
    assert!(!back.restored());
    assert_ne!(back.me().expect("is a member").device, old);
    put(&back, "on").await.expect("writes");
    back.sync_with(&peer).await.expect("syncs");
    assert_eq!((forks(&back), forks(&peer)), (0, 0));
    assert_eq!(items(&peer).count(&crate::Query::new()).expect("counts"), 3);
}

#[tokio::test]
async fn a_person_can_vouch_that_there_is_no_other_copy() {
    let storage = MemoryStorage::new();
    created(&storage).await.shutdown().await.expect("closes");
    let copied = storage.copy_to("other machine");
    let copy = open(&copied).await;
    assert_eq!(kind(put(&copy, "x").await), ErrorKind::Restored);
    copy.confirm_only_copy().await.expect("goes on");
    put(&copy, "x").await.expect("writes");
    copy.confirm_only_copy().await.expect("has no further effect");
    assert_eq!(copy.devices().len(), 2);
    copy.shutdown().await.expect("closes");
    assert!(!open(&copied).await.restored());
}

#[tokio::test]
async fn a_restored_backup_is_a_copy() {
    let storage = MemoryStorage::new();
    let original = created(&storage).await;
    let peer = companion(&original).await;
    let backup: Arc<dyn Storage> = Arc::new(MemoryStorage::new());
    original.backup_to(Arc::clone(&backup), Some(raw(9))).await.expect("backs up");
    put(&original, "after the backup").await.expect("writes");
    original.sync_with(&peer).await.expect("syncs");
    original.shutdown().await.expect("closes");
    // Even where the backup is restored in its place.
    let to = on(&MemoryStorage::new(), 60);
    let restored = Workspace::restored_from(backup, to, raw(9), None, |_, _| ControlFlow::Continue(()))
        .await
        .expect("restores");
    assert!(restored.restored());
    assert_eq!(kind(put(&restored, "x").await), ErrorKind::Restored);
    restored.sync_with(&peer).await.expect("syncs");
    put(&restored, "x").await.expect("writes");
    restored.sync_with(&peer).await.expect("syncs");
    assert_eq!((forks(&restored), forks(&peer)), (0, 0));
    assert_eq!(items(&peer).count(&crate::Query::new()).expect("counts"), 3);
}

#[tokio::test]
async fn a_crash_while_another_life_begins_ends_in_the_old_one_or_the_new_one() {
    let storage = MemoryStorage::new();
    let original = created(&storage).await;
    let others = MemoryStorage::new();
    companion_on(&original, &others).await.shutdown().await.expect("closes");
    original.shutdown().await.expect("closes");
    let copied = MemoryStorage::recording();
    for other in 0..9 {
        // Whatever else a disk holds: the copy is another file.
        copied.open(&format!("other{other}"), true).expect("makes");
    }
    for (name, folder) in [("vault", ""), ("log/00000001.seg", "log"), ("state.salt", "")] {
        if !folder.is_empty() {
            copied.create_folder(folder).expect("makes");
        }
        let content = storage.content(name).expect("is there");
        tidelog_log::storage::replace_file(&copied, name, &content).expect("copies");
    }
    copied.sync_folder("").expect("durable");
    let copy = open(&copied).await;
    assert!(copy.restored());
    let old = copy.me().expect("is a member").device;
    let before = copied.changes();
    copy.confirm_only_copy().await.expect("begins");
    let after = copied.changes();
    let mut lives = [0, 0];
    for changes in before..=after {
        let image = copied.crash_image_after(changes, changes);
        let frozen = image.copy_to("");
        frozen.set_read_only(true);
        assert_eq!(items(&open(&frozen).await).all().expect("reads").len(), 1, "after change {changes}");
        let again = open(&image).await;
        // In each of these worlds nobody else has heard of the copy yet.
        let peer = opened(&others.copy_to(""), raw(8)).await.expect("opens");
        let device = again.me().expect("is a member").device;
        assert_eq!(again.restored(), device == old, "after change {changes}");
        lives[usize::from(device != old)] += 1;
        again.sync_with(&peer).await.expect("syncs");
        assert!(!again.restored());
        put(&again, "x").await.expect("writes");
        assert_eq!(forks(&again), 0);
    }
    assert!(lives[0] > 1 && lives[1] > 0, "{lives:?}");
}

#[tokio::test]
async fn a_copied_folder_opens_with_its_key_only() {
    let storage = MemoryStorage::new();
    created(&storage).await.shutdown().await.expect("closes");
    let copied = storage.copy_to("other machine");
    assert_eq!(kind(opened(&copied, Key::raw([2; 32])).await), ErrorKind::WrongKey);
}

#[tokio::test]
async fn a_workspace_on_a_read_only_medium_is_read_and_not_written() {
    let storage = MemoryStorage::new();
    let workspace = created(&storage).await;
    put(&workspace, "second").await.expect("writes");
    let root = frontier(&workspace);
    workspace.shutdown().await.expect("closes");
    storage.set_read_only(true);
    let changes = storage.changes();
    for _ in 0..2 {
        let workspace = open(&storage).await;
        assert!(!workspace.restored());
        assert_eq!(items(&workspace).all().expect("reads").len(), 2);
        assert_eq!(kind(put(&workspace, "third").await), ErrorKind::ReadOnly);
        assert_eq!(items(&workspace).all().expect("reads").len(), 2);
        assert_eq!(frontier(&workspace), root);
        workspace.shutdown().await.expect("closes");
    }
    assert_eq!(storage.changes(), changes, "nothing was written");
    storage.set_read_only(false);
    put(&open(&storage).await, "third").await.expect("writes again");
}
