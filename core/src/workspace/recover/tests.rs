//! Claims about recovery from words, over folders; over a relay see `core/tests/recovery.rs`.

use tidelog_log::storage::MemoryStorage;

use super::*;
use crate::value::Value;
use crate::workspace::testing::{created, items, on, raw};

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("refused").kind()
}

impl Workspace {
    /// Recovers from the folder of a storage.
    pub(crate) async fn recovered_in(
        environment: Environment,
        key: Key,
        words: &str,
        folder: Arc<dyn Storage>,
    ) -> Result<Self> {
        let secret = words::decode(words)?;
        Self::recover_from(environment, key, &secret, Source::Folder(folder)).await
    }
}

async fn recover(words: &str, from: &MemoryStorage, to: &MemoryStorage) -> Result<Workspace> {
    Workspace::recovered_in(on(to, 30), raw(5), words, Arc::new(from.clone())).await
}

#[tokio::test]
async fn the_root_s_words_bring_back_authority_and_data() {
    let storage = MemoryStorage::new();
    let lost = created(&storage).await;
    let user = lost.me().expect("is a member").user;
    let words = lost.recovery_words().expect("kept");
    lost.confirm_recovery_words(&words).await.expect("confirms");
    lost.shutdown().await.expect("closes");
    let to = MemoryStorage::new();
    let back = recover(&words, &storage, &to).await.expect("recovers");
    let me = back.me().expect("is a member");
    assert_eq!((me.user, me.role), (user, Role::Owner));
    assert_eq!(items(&back).get("first").expect("reads"), Some(Value::Int(1)));
    assert_eq!(
        (back.name().expect("reads"), back.databases().expect("reads")),
        ("Test".into(), vec!["main".into()])
    );
    items(&back).put("second", &Value::Int(2)).await.expect("writes");
    assert!(!back.restored());
    assert_eq!(kind(back.recovery_words()), ErrorKind::NotFound);
    back.shutdown().await.expect("closes");
    let back = Workspace::open_in(on(&to, 31), raw(5)).await.expect("opens like any other");
    assert_eq!(items(&back).count(&crate::Query::new()).expect("counts"), 2);
}

#[tokio::test]
async fn a_recovery_device_brings_its_user_back_and_reads_what_was_written_after_it_was_made() {
    let storage = MemoryStorage::new();
    let lost = created(&storage).await;
    let user = lost.me().expect("is a member").user;
    let words = lost.add_recovery_device().await.expect("adds");
    assert_ne!(words, lost.recovery_words().expect("kept"));
    items(&lost).put("later", &Value::Int(2)).await.expect("writes");
    lost.shutdown().await.expect("closes");
    let back = recover(&words, &storage, &MemoryStorage::new()).await.expect("recovers");
    assert_eq!(back.me().expect("is a member").user, user);
    assert_eq!(items(&back).count(&crate::Query::new()).expect("counts"), 2);
    items(&back).put("third", &Value::Int(3)).await.expect("writes");
    assert_eq!(back.devices().len(), 3);
}

#[tokio::test]
async fn a_backup_without_secrets_comes_back_with_the_words() {
    let storage = MemoryStorage::new();
    let lost = created(&storage).await;
    let words = lost.recovery_words().expect("kept");
    let backup = Arc::new(MemoryStorage::new());
    lost.backup_to(backup.clone(), None).await.expect("backs up");
    let back = recover(&words, &backup, &MemoryStorage::new()).await.expect("recovers");
    assert_eq!(items(&back).get("first").expect("reads"), Some(Value::Int(1)));
}

#[tokio::test]
async fn words_of_somebody_else_and_places_with_nothing_are_refused() {
    let (storage, other) = (MemoryStorage::new(), MemoryStorage::new());
    let lost = created(&storage).await;
    let words = lost.recovery_words().expect("kept");
    let stranger = Workspace::create_in(on(&other, 7), raw(1), "Other").await.expect("creates");
    let foreign = stranger.recovery_words().expect("kept");
    assert_eq!(kind(recover(&foreign, &storage, &MemoryStorage::new()).await), ErrorKind::WrongKey);
    assert_eq!(kind(recover("one two", &storage, &MemoryStorage::new()).await), ErrorKind::InvalidArgument);
    let nothing = MemoryStorage::new();
    assert_eq!(kind(recover(&words, &nothing, &MemoryStorage::new()).await), ErrorKind::NotAWorkspace);
    lost.shutdown().await.expect("closes");
    stranger.change_passphrase(None, raw(5)).await.expect("changes");
    stranger.shutdown().await.expect("closes");
    assert_eq!(kind(recover(&words, &storage, &other).await), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn an_interrupted_recovery_can_be_repeated_and_ends_in_one_device() {
    let storage = MemoryStorage::new();
    let lost = created(&storage).await;
    let words = lost.recovery_words().expect("kept");
    let sound = MemoryStorage::new();
    recover(&words, &storage, &sound).await.expect("recovers").shutdown().await.expect("closes");
    for operation in (0..sound.operations()).step_by(2) {
        let to = MemoryStorage::new();
        to.fail_at(operation, std::io::ErrorKind::Other, tidelog_log::storage::Fault::Lasting);
        let failed = recover(&words, &storage, &to).await;
        to.heal();
        drop(failed);
        let image = to.crash_image(operation);
        let back = recover(&words, &storage, &image).await.expect("goes on");
        assert_eq!(items(&back).get("first").expect("reads"), Some(Value::Int(1)));
        items(&back).put("x", &Value::Int(1)).await.expect("writes");
        assert_eq!(back.devices().len(), 2, "operation {operation}");
    }
}
