//! Workspaces of tests, on disks in memory.

use std::sync::Arc;

use tidelog_log::directory::{DeviceCert, Op, Role, user_id};
use tidelog_log::entry::Entry;
use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::ids::CircleId;
use tidelog_log::log::Log;
use tidelog_log::session::Receipt;
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

/// A workspace of a device on a disk of its own, admitted by another one: for a new user of a role, or,
/// without one, as a device of the same user. It holds what the other one holds.
pub(super) async fn admitted(by: &Workspace, seed: u64, role: Option<Role>) -> Workspace {
    let guest = stranger(by, on(&MemoryStorage::new(), seed));
    let cert = admit(by, &guest, role).await;
    grant(by, &cert).await;
    take(&guest, held(by));
    guest
}

/// A device with keys of its own that nobody admitted yet, and an empty log.
pub(super) fn stranger(of: &Workspace, environment: Environment) -> Workspace {
    let vault = Vault::generate(&*environment.random);
    let custody = Custody::create(&environment, vault, &raw(1)).expect("makes");
    let engine = start(&environment, &custody, of.id(), Start::Create).expect("starts");
    copies::settle_in(&engine, &custody, &*environment.storage).expect("settles");
    Workspace::new(engine, custody, environment.storage).expect("opens")
}

/// Admits a device, without keys.
pub(super) async fn admit(by: &Workspace, guest: &Workspace, role: Option<Role>) -> DeviceCert {
    let device = guest.inner.engine.device();
    let user = match role {
        Some(_) => user_id(&by.id(), &device),
        None => by.me().expect("is a member").user,
    };
    let cert = guest.inner.engine.certificate(user);
    let op = match role {
        Some(role) => Op::AddUser { user, role, certs: vec![cert.clone()] },
        None => Op::AddDevice { user, cert: cert.clone() },
    };
    by.inner.engine.commit_directory(vec![op]).await.expect("admits");
    cert
}

/// Gives a device the keys.
pub(super) async fn grant(by: &Workspace, cert: &DeviceCert) {
    let engine = &by.inner.engine;
    let recipient = Recipient { device: cert.sign_pk, kem: cert.kem_pk };
    let directory = engine.log.directory();
    let grants = {
        let keyring = engine.keyring.read().expect("sound");
        keyring.grants(CircleId::WORKSPACE, &directory, &[recipient], &*engine.random).expect("has keys")
    };
    engine.commit_directory(grants).await.expect("grants");
}

/// All entries that a workspace holds.
pub(super) fn held(workspace: &Workspace) -> Vec<Entry> {
    held_by(&workspace.inner.engine.log)
}

/// All entries that a log holds.
pub(super) fn held_by(log: &Log) -> Vec<Entry> {
    (1..=log.arrivals()).map(|at| log.entry_at(at).expect("reads").expect("is held")).collect()
}

/// Hands entries to a workspace.
pub(super) fn take(workspace: &Workspace, entries: Vec<Entry>) -> Receipt {
    workspace.inner.engine.log.receive_blocking(entries).expect("storage works")
}

/// The keys of the items that a workspace shows.
pub(super) fn shown(workspace: &Workspace) -> Vec<String> {
    items(workspace).all().expect("reads").into_iter().map(|item| item.key).collect()
}

/// Writes an item.
pub(super) async fn put(workspace: &Workspace, key: &str) {
    items(workspace).put(key, &Value::Int(1)).await.expect("writes");
}
