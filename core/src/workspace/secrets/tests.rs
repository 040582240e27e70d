//! Claims about passphrases and recovery words, crashes between any two storage operations included.

use std::io::ErrorKind as Io;

use tidelog_log::storage::{Fault, MemoryStorage};

use super::super::custody::{VAULT, read_sealed};
use super::super::testing::{created, items, on, opened, raw};
use super::*;
use crate::keys::vault::{VAULT_LEN_MAX, Vault};
use crate::value::Value;

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("refused").kind()
}

fn read(workspace: &Workspace) -> Option<Value> {
    items(workspace).get("first").expect("reads")
}

/// Whether a key opens the workspace on a disk, and all of it is there.
async fn opens(storage: &MemoryStorage, key: Key) -> bool {
    match opened(storage, key).await {
        Ok(workspace) => {
            assert_eq!(read(&workspace), Some(Value::Int(1)));
            workspace.shutdown().await.expect("closes");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WrongKey, "{error}");
            false
        }
    }
}

#[tokio::test]
async fn the_new_key_opens_and_the_old_one_does_not_whatever_kinds_they_are() {
    let storage = MemoryStorage::new();
    created(&storage).await.shutdown().await.expect("closes");
    let keys = [raw(1), Key::passphrase("one"), Key::passphrase("two"), raw(2)];
    for pair in keys.windows(2) {
        let [old, new] = pair else { unreachable!("windows of two") };
        let workspace = opened(&storage, old.clone()).await.expect("opens");
        assert_eq!(kind(workspace.change_passphrase(Some(raw(9)), new.clone()).await), ErrorKind::WrongKey);
        workspace.change_passphrase(Some(old.clone()), new.clone()).await.expect("changes");
        items(&workspace).put("second", &Value::Int(2)).await.expect("still writes");
        workspace.shutdown().await.expect("closes");
        assert!(opens(&storage, new.clone()).await);
        assert!(!opens(&storage, old.clone()).await);
    }
}

#[tokio::test]
async fn an_empty_passphrase_and_a_closed_workspace_are_refused_and_nothing_changes() {
    let storage = MemoryStorage::new();
    let workspace = created(&storage).await;
    let empty = workspace.change_passphrase(None, Key::passphrase("")).await;
    assert_eq!(kind(empty), ErrorKind::InvalidArgument);
    workspace.shutdown().await.expect("closes");
    assert_eq!(kind(workspace.change_passphrase(None, raw(2)).await), ErrorKind::Closed);
    assert_eq!(kind(workspace.recovery_words()), ErrorKind::Closed);
    assert!(opens(&storage, raw(1)).await);
}

#[tokio::test]
async fn a_crash_during_a_change_leaves_the_old_key_or_the_new_one() {
    let storage = MemoryStorage::recording();
    let workspace = created(&storage).await;
    let before = storage.changes();
    workspace.change_passphrase(None, raw(2)).await.expect("changes");
    let after = storage.changes();
    assert!(after > before + 3, "a file is written, synced, renamed, and its name synced");
    let mut both = [false; 2];
    for changes in before..=after {
        for seed in 0..8 {
            let image = storage.crash_image_after(changes, seed);
            let old = opens(&image, raw(1)).await;
            let new = opens(&image, raw(2)).await;
            assert!(old != new, "exactly one key opens after change {changes}");
            assert!(new || changes < after, "what was reported done is durable");
            both[usize::from(new)] = true;
        }
    }
    assert_eq!(both, [true, true]);
}

#[tokio::test]
async fn a_failure_of_any_operation_of_a_change_is_a_typed_error_and_a_key_still_opens() {
    let sound = MemoryStorage::new();
    let workspace = created(&sound).await;
    let start = sound.operations();
    workspace.change_passphrase(None, raw(2)).await.expect("changes");
    let operations = sound.operations() - start;
    for operation in 0..operations {
        for (fault, expected) in [(Io::Other, ErrorKind::Io), (Io::StorageFull, ErrorKind::DiskFull)] {
            let storage = MemoryStorage::new();
            let workspace = created(&storage).await;
            storage.fail_at(storage.operations() + operation, fault, Fault::Once);
            assert_eq!(kind(workspace.change_passphrase(None, raw(2)).await), expected);
            storage.heal();
            items(&workspace).put("second", &Value::Int(2)).await.expect("goes on");
            workspace.shutdown().await.expect("closes");
            let image = storage.crash_image(operation);
            assert!(opens(&image, raw(1)).await != opens(&image, raw(2)).await, "operation {operation}");
            let again = opened(&storage, raw(1)).await.ok();
            let again = match again {
                Some(workspace) => workspace,
                None => opened(&storage, raw(2)).await.expect("one of them opens"),
            };
            again.change_passphrase(None, raw(3)).await.expect("can be repeated");
        }
    }
}

#[tokio::test]
async fn a_full_disk_leaves_the_present_key() {
    let storage = MemoryStorage::new();
    let workspace = created(&storage).await;
    storage.set_capacity(Some(storage.used()));
    assert_eq!(kind(workspace.change_passphrase(None, raw(2)).await), ErrorKind::DiskFull);
    storage.set_capacity(None);
    workspace.shutdown().await.expect("closes");
    assert!(opens(&storage, raw(1)).await && !opens(&storage, raw(2)).await);
}

#[tokio::test]
async fn a_truncated_newer_or_foreign_vault_is_told_apart() {
    let storage = MemoryStorage::new();
    created(&storage).await.shutdown().await.expect("closes");
    let sealed = read_sealed(&storage).expect("reads").expect("is there");
    let with = async |bytes: &[u8]| {
        tidelog_log::storage::replace_file(&storage, VAULT, bytes).expect("writes");
        kind(opened(&storage, raw(1)).await)
    };
    assert_eq!(with(&sealed[..20]).await, ErrorKind::Corrupt);
    assert_eq!(with(&[]).await, ErrorKind::Corrupt);
    assert_eq!(with(&[&sealed[..8], &[2], &sealed[9..]].concat()).await, ErrorKind::NewerFormat);
    assert_eq!(with(&[7; VAULT_LEN_MAX + 1]).await, ErrorKind::Corrupt);
    assert_eq!(with(&sealed[..sealed.len() - 1]).await, ErrorKind::WrongKey);
    let stranger = MemoryStorage::new();
    created(&stranger).await.change_passphrase(None, raw(4)).await.expect("changes");
    let foreign = read_sealed(&stranger).expect("reads").expect("is there");
    assert_eq!(with(&foreign).await, ErrorKind::WrongKey);
    tidelog_log::storage::replace_file(&storage, VAULT, &sealed).expect("writes");
    assert!(opens(&storage, raw(1)).await);
}

/// Everything on a disk that opens as a vault under a key.
fn vaults(storage: &MemoryStorage, key: &Key) -> Vec<Vault> {
    use tidelog_log::storage::Storage as _;
    let names = storage.list("").expect("lists").into_iter();
    names.filter_map(|name| Vault::open(&storage.content(&name)?, key).ok()).map(|(vault, _)| vault).collect()
}

#[tokio::test]
async fn confirmed_recovery_words_are_nowhere_in_the_folder() {
    let storage = MemoryStorage::new();
    let workspace = created(&storage).await;
    let words = workspace.recovery_words().expect("kept");
    assert_eq!(words.split(' ').count(), 24);
    assert!(vaults(&storage, &raw(1)).iter().any(|vault| vault.root.is_some()));
    let sealed = read_sealed(&storage).expect("reads").expect("is there");
    workspace.confirm_recovery_words(&words.to_uppercase()).await.expect("confirms");
    assert_eq!(kind(workspace.recovery_words()), ErrorKind::NotFound);
    let left = vaults(&storage, &raw(1));
    assert!(!left.is_empty() && left.iter().all(|vault| vault.root.is_none()));
    let secret = words::decode(&words).expect("words");
    use tidelog_log::storage::Storage as _;
    for name in storage.list("").expect("lists") {
        let content = storage.content(&name).expect("is there");
        assert!(!content.windows(32).any(|part| part == secret.as_bytes()), "{name}");
        assert_ne!(content, sealed, "{name}");
    }
    workspace.confirm_recovery_words(&words).await.expect("may be repeated");
    workspace.shutdown().await.expect("closes");
    let workspace = opened(&storage, raw(1)).await.expect("opens");
    assert_eq!(kind(workspace.recovery_words()), ErrorKind::NotFound);
    items(&workspace).put("second", &Value::Int(2)).await.expect("writes");
}

#[tokio::test]
async fn recovery_words_stay_until_the_right_ones_come_back() {
    let storage = MemoryStorage::new();
    let workspace = created(&storage).await;
    let words = workspace.recovery_words().expect("kept");
    let other = Workspace::create_in(on(&MemoryStorage::new(), 7), raw(1), "Other").await.expect("creates");
    let foreign = other.recovery_words().expect("kept");
    assert_eq!(kind(workspace.confirm_recovery_words(&foreign).await), ErrorKind::WrongKey);
    let mut list: Vec<_> = words.split(' ').collect();
    list[2] = "tidelog";
    let error = workspace.confirm_recovery_words(&list.join(" ")).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("word 3") && !error.to_string().contains("tidelog"), "{error}");
    assert_eq!(kind(workspace.confirm_recovery_words("one two").await), ErrorKind::InvalidArgument);
    assert_eq!(workspace.recovery_words().expect("kept"), words);
    workspace.shutdown().await.expect("closes");
    let workspace = opened(&storage, raw(1)).await.expect("opens");
    assert_eq!(workspace.recovery_words().expect("kept over a restart"), words);
}

#[tokio::test]
async fn a_crash_while_the_words_are_erased_keeps_them_or_not_and_nothing_else() {
    let storage = MemoryStorage::recording();
    let workspace = created(&storage).await;
    let words = workspace.recovery_words().expect("kept");
    let before = storage.changes();
    workspace.confirm_recovery_words(&words).await.expect("confirms");
    for changes in before..=storage.changes() {
        let image = storage.crash_image_after(changes, changes);
        let workspace = opened(&image, raw(1)).await.expect("opens");
        assert_eq!(read(&workspace), Some(Value::Int(1)));
        match workspace.recovery_words() {
            Ok(kept) => assert!(kept == words && changes < storage.changes()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound),
        }
    }
}
