//! Keys that a store of the platform keeps.
#![cfg(feature = "test-util")]

use std::path::Path;
use std::sync::Arc;

use tidelog_api::{
    Error, ErrorKind, FileKeyStore, JoinOptions, Key, KeyStore, MemoryKeyStore, Result, Workspace,
};

fn open(folder: &Path, store: &Arc<MemoryKeyStore>, create: bool) -> Result<Workspace> {
    let store: Arc<dyn KeyStore> = store.clone();
    Workspace::open(path(folder), Key::from_store(store), create.then(|| "Notes".to_owned())).wait()
}

fn path(folder: &Path) -> String {
    folder.join("notes.tide").display().to_string()
}

#[test]
fn the_first_open_makes_the_key_and_later_ones_use_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryKeyStore::default());
    for _ in 0..2 {
        open(folder.path(), &store, true).expect("opens").shutdown().wait().expect("closes");
    }
    let key = store.load().expect("loads").expect("was stored");
    assert_eq!(key.len(), 32);
    let raw = Key::raw(&key).expect("32 bytes");
    Workspace::open(path(folder.path()), raw, None).wait().expect("opens").shutdown().wait().expect("closes");
}

#[test]
fn a_file_keeps_the_key_between_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = || Key::from_store(Arc::new(FileKeyStore::new(folder.path().join("key"))));
    let made = Workspace::create(path(folder.path()), key(), "Notes".to_owned()).wait().expect("creates");
    made.shutdown().wait().expect("closes");
    let opened = Workspace::open(path(folder.path()), key(), None).wait().expect("opens");
    opened.shutdown().wait().expect("closes");
}

#[test]
fn a_lost_key_is_told_apart_from_a_missing_workspace_and_never_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryKeyStore::default());
    assert_eq!(open(folder.path(), &store, false).expect_err("nothing there").kind, ErrorKind::NotAWorkspace);
    assert_eq!(store.load(), Ok(None));
    open(folder.path(), &store, true).expect("opens").shutdown().wait().expect("closes");

    let empty = Arc::new(MemoryKeyStore::default());
    for create in [false, true] {
        let error = open(folder.path(), &empty, create).expect_err("no key");
        assert_eq!(error.kind, ErrorKind::WrongKey);
        assert!(error.reason.contains("key store holds no key"), "{error}");
    }
    assert_eq!(empty.load(), Ok(None));
}

#[test]
fn an_invalid_invite_leaves_a_key_that_the_next_attempt_uses() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Arc::new(MemoryKeyStore::default());
    let join = || {
        let key = Key::from_store(store.clone());
        Workspace::join(path(folder.path()), key, "tidelog:join?".to_owned(), JoinOptions::default()).wait()
    };
    assert_eq!(join().expect_err("no invite").kind, ErrorKind::InviteInvalid);
    let made = store.load().expect("loads").expect("was stored");
    assert_eq!(join().expect_err("no invite").kind, ErrorKind::InviteInvalid);
    assert_eq!(store.load(), Ok(Some(made)));
}

struct Broken(Option<Vec<u8>>);

impl KeyStore for Broken {
    fn load(&self) -> Result<Option<Vec<u8>>> {
        Ok(self.0.clone())
    }

    fn store(&self, _key: Vec<u8>) -> Result<()> {
        Err(Error::new(ErrorKind::Io, "the keychain is locked"))
    }
}

#[test]
fn nothing_is_made_with_a_key_that_could_not_be_stored() {
    let folder = tempfile::tempdir().expect("a folder");
    let create = |store| {
        Workspace::create(path(folder.path()), Key::from_store(Arc::new(store)), "Notes".to_owned()).wait()
    };
    assert_eq!(
        create(Broken(None)).expect_err("locked"),
        Error::new(ErrorKind::Io, "the keychain is locked")
    );
    assert!(!folder.path().join("notes.tide").join("vault").exists());
    assert_eq!(create(Broken(Some(vec![1; 31]))).expect_err("short").kind, ErrorKind::InvalidArgument);
}
