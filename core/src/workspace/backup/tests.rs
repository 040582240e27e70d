//! Claims about backups: whole, incremental, interrupted at any operation, damaged, foreign.

use std::io::ErrorKind as Io;

use tidelog_log::env::{Random as _, SeededRandom};
use tidelog_log::storage::{Fault, MemoryStorage, replace_file};

use super::check::check;
use super::*;
use crate::value::Value;
use crate::workspace::testing::{created, items, on, raw};

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("refused").kind()
}

fn arc(storage: &MemoryStorage) -> Arc<dyn Storage> {
    Arc::new(storage.clone())
}

impl Workspace {
    /// Backs up into a storage.
    pub(crate) async fn backup_to(&self, to: Arc<dyn Storage>, key: Option<Key>) -> Result<BackupReport> {
        self.backup_in(to, key, |_, _| ControlFlow::Continue(())).await
    }
}

async fn backup(workspace: &Workspace, to: &MemoryStorage) -> Result<BackupReport> {
    workspace.backup_in(arc(to), Some(raw(9)), |_, _| ControlFlow::Continue(())).await
}

async fn restore(from: &MemoryStorage, to: &MemoryStorage) -> Result<Workspace> {
    Workspace::restored_from(arc(from), on(to, 3), raw(9), Some(raw(5)), |_, _| ControlFlow::Continue(()))
        .await
}

fn info(from: &MemoryStorage) -> Result<BackupInfo> {
    check(&arc(from), Some(&raw(9)), &mut |_, _| ControlFlow::Continue(()), &AtomicBool::new(false))
}

fn problems(from: &MemoryStorage) -> Vec<String> {
    info(from).expect("a backup").problems
}

/// Writes some segments full with what does not compress.
async fn fill(workspace: &Workspace, from: u64, to: u64) {
    for number in from..to {
        let mut bytes = vec![0; 300_000];
        SeededRandom::new(number).fill(&mut bytes);
        items(workspace).put(&format!("k{number}"), &Value::Bytes(bytes)).await.expect("writes");
    }
}

fn count(workspace: &Workspace) -> usize {
    items(workspace).count(&crate::Query::new()).expect("counts")
}

#[tokio::test]
async fn what_was_backed_up_comes_back_under_another_key_and_stays_apart() {
    let (storage, copy, back) = (MemoryStorage::new(), MemoryStorage::new(), MemoryStorage::new());
    let workspace = created(&storage).await;
    fill(&workspace, 0, 12).await;
    let report = backup(&workspace, &copy).await.expect("backs up");
    assert_eq!((report.key, report.copied), (BackupKey::Own, report.bytes));
    fill(&workspace, 12, 13).await;
    let info = info(&copy).expect("a backup");
    assert_eq!((info.problems, info.key, info.workspace), (vec![], BackupKey::Own, workspace.id()));
    assert_eq!(info.entries, report.entries);
    let restored = restore(&copy, &back).await.expect("restores");
    assert_eq!((count(&restored), count(&workspace)), (13, 14));
    assert_ne!(restored.inner.engine.log.epoch(), workspace.inner.engine.log.epoch());
    assert_eq!(
        restored.verify(|_, _| ControlFlow::Continue(())).await.expect("reads").problems,
        Vec::<String>::new()
    );
    restored.shutdown().await.expect("closes");
    assert_eq!(kind(Workspace::open_in(on(&back, 4), raw(9)).await), ErrorKind::WrongKey);
    assert!(Workspace::open_in(on(&back, 4), raw(5)).await.is_ok());
}

#[tokio::test]
async fn the_next_backup_copies_only_what_is_new_and_is_whole() {
    let (storage, copy) = (MemoryStorage::new(), MemoryStorage::new());
    let workspace = created(&storage).await;
    fill(&workspace, 0, 12).await;
    let first = backup(&workspace, &copy).await.expect("backs up");
    let none = backup(&workspace, &copy).await.expect("backs up");
    assert_eq!((none.copied, none.bytes), (0, first.bytes));
    fill(&workspace, 12, 13).await;
    let second = backup(&workspace, &copy).await.expect("backs up");
    assert!((300_000..400_000).contains(&second.copied), "{second:?}");
    assert_eq!(problems(&copy), Vec::<String>::new());
    let restored = restore(&copy, &MemoryStorage::new()).await.expect("restores");
    assert_eq!(count(&restored), 14);
}

#[tokio::test]
async fn a_backup_made_while_others_write_is_of_one_moment() {
    let (storage, copy) = (MemoryStorage::new(), MemoryStorage::new());
    let workspace = created(&storage).await;
    fill(&workspace, 0, 5).await;
    let inner = Arc::clone(&workspace.inner);
    let mut writes = 0_i64;
    // Each turn of the copying is followed by a write into the log that is copied.
    let progress = move |_: u64, _: u64| {
        writes += 1;
        let plain = crate::data::Database::new(
            Arc::clone(&inner.engine),
            tidelog_log::ids::CircleId::WORKSPACE,
            "main",
        );
        let items = plain.collection::<Value>("items");
        futures_util::future::FutureExt::now_or_never(
            items.put(&format!("late{writes}"), &Value::Int(writes)),
        )
        .expect("without a thread a write is done at once")
        .expect("writes");
        ControlFlow::Continue(())
    };
    let report = workspace.backup_in(arc(&copy), Some(raw(9)), progress).await.expect("backs up");
    assert!(count(&workspace) > 6);
    assert_eq!(info(&copy).expect("a backup").entries, report.entries);
    let restored = restore(&copy, &MemoryStorage::new()).await.expect("restores");
    assert_eq!(count(&restored), 6);
}

#[tokio::test]
async fn an_interrupted_backup_never_looks_complete_and_goes_on_where_it_stopped() {
    let storage = MemoryStorage::new();
    let workspace = created(&storage).await;
    fill(&workspace, 0, 12).await;
    let sound = MemoryStorage::new();
    let whole = backup(&workspace, &sound).await.expect("backs up");
    for operation in 0..sound.operations() {
        let copy = MemoryStorage::new();
        copy.fail_at(operation, Io::Other, Fault::Lasting);
        let failed = backup(&workspace, &copy).await;
        copy.heal();
        if let Err(error) = &failed {
            assert_eq!(error.kind(), ErrorKind::Io, "operation {operation}");
        }
        let image = copy.crash_image(operation);
        match info(&image) {
            Ok(info) => assert_eq!(info.problems, Vec::<String>::new(), "operation {operation}"),
            Err(error) => assert!(failed.is_err() && error.kind() == ErrorKind::NotAWorkspace, "{error}"),
        }
        let again = backup(&workspace, &image).await.expect("goes on");
        assert_eq!(again.bytes, whole.bytes);
        assert_eq!(problems(&image), Vec::<String>::new(), "operation {operation}");
    }
    // With two full segments on the disk and the third one cut short, only that one is copied again.
    let copy = MemoryStorage::new();
    copy.set_capacity(Some(3_600_000));
    assert_eq!(kind(backup(&workspace, &copy).await), ErrorKind::DiskFull);
    assert_eq!(kind(info(&copy)), ErrorKind::NotAWorkspace);
    copy.set_capacity(None);
    let again = backup(&workspace, &copy).await.expect("goes on");
    assert!(again.copied < whole.bytes / 2, "{again:?}");
}

#[tokio::test]
async fn the_backup_before_stays_whole_whatever_interrupts_the_next() {
    let storage = MemoryStorage::new();
    let workspace = created(&storage).await;
    let copy = MemoryStorage::recording();
    let first = backup(&workspace, &copy).await.expect("backs up");
    fill(&workspace, 0, 5).await;
    let before = copy.changes();
    let second = backup(&workspace, &copy).await.expect("backs up");
    for changes in before..=copy.changes() {
        let image = copy.crash_image_after(changes, changes);
        let found = info(&image).expect("a backup");
        assert_eq!(found.problems, Vec::<String>::new(), "after change {changes}");
        assert!([first.bytes, second.bytes].contains(&found.bytes));
        if changes % 4 == 0 {
            let restored = restore(&image, &MemoryStorage::new()).await.expect("restores");
            assert!([1, 6].contains(&count(&restored)));
        }
    }
}

#[tokio::test]
async fn an_abandoned_backup_stops() {
    let (storage, copy) = (MemoryStorage::new(), MemoryStorage::new());
    let workspace = created(&storage).await;
    fill(&workspace, 0, 12).await;
    let abandoned = AtomicBool::new(false);
    let mut nobody_waits = |done: u64, _: u64| {
        abandoned.store(done > 1_500_000, Ordering::Relaxed);
        ControlFlow::Continue(())
    };
    let stopped = run(&workspace.inner, &copy, None, &mut nobody_waits, &abandoned);
    assert_eq!(kind(stopped), ErrorKind::Closed);
    let stop = |done: u64, _: u64| {
        if done > 2_500_000 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    assert_eq!(kind(workspace.backup_in(arc(&copy), None, stop).await), ErrorKind::Closed);
    assert_eq!(kind(info(&copy)), ErrorKind::NotAWorkspace);
    assert!(backup(&workspace, &copy).await.expect("goes on").copied < 3_000_000);
}

#[tokio::test]
async fn without_a_key_the_passphrase_of_the_workspace_seals_and_a_raw_key_does_not() {
    let (storage, copy) = (MemoryStorage::new(), MemoryStorage::new());
    let workspace = created(&storage).await;
    let report =
        workspace.backup_in(arc(&copy), None, |_, _| ControlFlow::Continue(())).await.expect("backs up");
    assert_eq!(report.key, BackupKey::RecoveryWords);
    assert_eq!(kind(restore(&copy, &MemoryStorage::new()).await), ErrorKind::WrongKey);
    workspace.change_passphrase(None, Key::passphrase("mine")).await.expect("changes");
    let report =
        workspace.backup_in(arc(&copy), None, |_, _| ControlFlow::Continue(())).await.expect("backs up");
    assert_eq!(report.key, BackupKey::Workspace);
    workspace.change_passphrase(None, Key::passphrase("changed later")).await.expect("changes");
    let restore = async |key: &str| {
        let to = on(&MemoryStorage::new(), 3);
        Workspace::restored_from(arc(&copy), to, Key::passphrase(key), None, |_, _| ControlFlow::Continue(()))
            .await
    };
    assert_eq!(kind(restore("changed later").await), ErrorKind::WrongKey);
    assert!(restore("mine").await.is_ok());
}

#[tokio::test]
async fn folders_that_hold_something_else_are_refused_and_left_alone() {
    let (storage, copy) = (MemoryStorage::new(), MemoryStorage::new());
    let workspace = created(&storage).await;
    backup(&workspace, &copy).await.expect("backs up");
    let other = Workspace::create_in(on(&MemoryStorage::new(), 8), raw(1), "Other").await.expect("creates");
    assert_eq!(kind(backup(&other, &copy).await), ErrorKind::AlreadyExists);
    assert_eq!(kind(backup(&other, &storage).await), ErrorKind::AlreadyOpen);
    workspace.shutdown().await.expect("closes");
    assert_eq!(kind(backup(&other, &storage).await), ErrorKind::AlreadyExists);
    assert_eq!(kind(restore(&copy, &storage).await), ErrorKind::AlreadyExists);
    let photos = MemoryStorage::new();
    replace_file(&photos, "photo.jpg", b"..").expect("writes");
    assert_eq!(kind(restore(&copy, &photos).await), ErrorKind::AlreadyExists);
    assert_eq!(photos.list("").expect("lists"), ["photo.jpg"]);
    assert_eq!(kind(restore(&photos, &MemoryStorage::new()).await), ErrorKind::NotAWorkspace);
    assert_eq!(problems(&copy), Vec::<String>::new());
    assert!(Workspace::open_in(on(&storage, 4), raw(1)).await.is_ok());
}

#[tokio::test]
async fn damage_is_found_by_the_check_and_refused_by_restore() {
    let (storage, copy) = (MemoryStorage::new(), MemoryStorage::new());
    let workspace = created(&storage).await;
    fill(&workspace, 0, 5).await;
    let whole = backup(&workspace, &copy).await.expect("backs up");
    let list = copy.content(MANIFEST).expect("is there");
    let damaged = |change: &dyn Fn(&MemoryStorage)| {
        let copy = copy.copy_to("");
        change(&copy);
        copy
    };
    let cases = [
        damaged(&|copy| copy.damage("log/00000001.seg", 5_000, &[1, 2, 3, 4, 5, 6, 7, 8])),
        damaged(&|copy| copy.open("log/00000002.seg", false).expect("opens").set_len(50).expect("cuts")),
        damaged(&|copy| copy.remove("log/00000001.seg").expect("removes")),
    ];
    for copy in cases {
        assert!(!problems(&copy).is_empty());
        let to = MemoryStorage::new();
        assert!(matches!(kind(restore(&copy, &to).await), ErrorKind::Corrupt | ErrorKind::Io));
        assert_eq!(kind(Workspace::open_in(on(&to, 4), raw(5)).await), ErrorKind::NotAWorkspace);
    }
    let text = String::from_utf8(list.clone()).expect("text");
    for (text, expected) in [
        (text.replace("\"format\": 1", "\"format\": 2"), ErrorKind::NewerFormat),
        (text[..text.len() / 2].to_owned(), ErrorKind::Corrupt),
        (text.replace("\"vault\": \"", "\"vault\": \"00"), ErrorKind::Corrupt),
        (String::new(), ErrorKind::Corrupt),
    ] {
        let copy = damaged(&|copy| replace_file(copy, MANIFEST, text.as_bytes()).expect("writes"));
        assert_eq!(kind(info(&copy)), expected, "{text}");
        assert_eq!(kind(restore(&copy, &MemoryStorage::new()).await), expected);
    }
    // A damaged copy is made good by the next backup, if it is noticed there: a segment cut short.
    let copy =
        damaged(&|copy| copy.open("log/00000002.seg", false).expect("opens").set_len(50).expect("cuts"));
    let again = backup(&workspace, &copy).await.expect("backs up");
    assert!(again.copied > 0 && again.copied < whole.bytes);
    assert_eq!(problems(&copy), Vec::<String>::new());
}

#[tokio::test]
async fn an_interrupted_restore_is_no_workspace_and_can_be_repeated() {
    let (storage, copy) = (MemoryStorage::new(), MemoryStorage::new());
    let workspace = created(&storage).await;
    fill(&workspace, 0, 5).await;
    backup(&workspace, &copy).await.expect("backs up");
    let sound = MemoryStorage::new();
    restore(&copy, &sound).await.expect("restores").shutdown().await.expect("closes");
    for operation in (0..sound.operations()).step_by(3) {
        for (fault, expected) in [(Io::Other, ErrorKind::Io), (Io::StorageFull, ErrorKind::DiskFull)] {
            let to = MemoryStorage::new();
            to.fail_at(operation, fault, Fault::Lasting);
            let failed = restore(&copy, &to).await;
            to.heal();
            let Err(error) = failed else { continue };
            assert!([expected, ErrorKind::Corrupt].contains(&error.kind()), "{operation}: {error}");
            let image = to.crash_image(operation);
            match Workspace::open_in(on(&image, 4), raw(5)).await {
                Ok(workspace) => assert_eq!(count(&workspace), 6),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::NotAWorkspace, "{operation}: {error}");
                    assert_eq!(count(&restore(&copy, &image).await.expect("again")), 6);
                }
            }
        }
    }
}
