//! Workspaces of tests, on disks in memory.

use std::sync::Arc;

use tidelog_log::directory::{Op, Role, user_id};
use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::ids::CircleId;
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::START_MS;

use super::create::{Start, start};
use super::custody::Custody;
use super::{Environment, Workspace, copies};
use crate::Collection;
use crate::error::Result;
use crate::keys::keyring::Recipient;
use crate::keys::vault::{Key, Vault};
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

/// A new user with one device, admitted by hand, in the environment given.
pub(super) async fn joined(workspace: &Workspace, environment: Environment, role: Role) -> Workspace {
    let engine = &workspace.inner.engine;
    let vault = Vault::generate(&*environment.random);
    let custody = Custody::create(&environment, vault, &raw(1)).expect("an empty disk");
    let newcomer = start(&environment, &custody, workspace.id(), Start::Create).expect("an empty disk");
    copies::settle_in(&newcomer, &custody, &*environment.storage).expect("an empty disk");
    let newcomer = Workspace::new(newcomer, custody, environment.storage).expect("an empty disk");
    let device = &newcomer.inner.engine;
    let user = user_id(&workspace.id(), &device.device());
    let recipient = Recipient { device: device.device(), kem: device.keys().kem().public() };
    let mut ops = vec![Op::AddUser { user, role, certs: vec![device.certificate(user)] }];
    ops.extend({
        let keyring = engine.keyring.read().expect("sound");
        let directory = engine.log.directory();
        keyring.grants(CircleId::WORKSPACE, &directory, &[recipient], &*engine.random).expect("holds the key")
    });
    engine.commit_directory(ops).await.expect("admits");
    let ids = engine.log.ids_after(0).expect("reads");
    let entries = ids.iter().map(|(_, id)| engine.log.entry(id).expect("reads").expect("is held"));
    device.log.receive_blocking(entries.collect()).expect("takes");
    newcomer
}

/// The items of tests.
pub(super) fn items(workspace: &Workspace) -> Collection<Value> {
    workspace.database("main").collection("items")
}
