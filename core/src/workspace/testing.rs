//! Workspaces of tests, on disks in memory.

use std::sync::Arc;

use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::START_MS;

use super::{Environment, Workspace};
use crate::Collection;
use crate::error::Result;
use crate::keys::vault::Key;
use crate::value::Value;

/// The raw key of tests.
pub(super) fn raw(byte: u8) -> Key {
    Key::raw([byte; 32])
}

/// An environment on a disk.
pub(super) fn on(storage: &MemoryStorage, seed: u64) -> Environment {
    let random = Arc::new(SeededRandom::new(seed));
    Environment::test(Arc::new(storage.clone()), Arc::new(ManualClock::new(START_MS)), random)
}

/// A new workspace under `raw(1)`, with one item.
pub(super) async fn created(storage: &MemoryStorage) -> Workspace {
    let workspace = Workspace::create_in(on(storage, 1), raw(1), "Test").await.expect("creates");
    items(&workspace).put("first", &Value::Int(1)).await.expect("writes");
    workspace
}

/// The workspace of a disk.
pub(super) async fn opened(storage: &MemoryStorage, key: Key) -> Result<Workspace> {
    Workspace::open_in(on(storage, 2), key).await
}

/// The items of tests.
pub(super) fn items(workspace: &Workspace) -> Collection<Value> {
    workspace.database("main").collection("items")
}
