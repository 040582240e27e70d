//! Figures of members, one line each: `bench: NAME | VALUE | TARGET`.
//!
//! 1,000 devices of as many users, who join by hand; one of them writes to 1,000 databases. The owner's
//! log is on disk, those of the others in memory.

#![allow(clippy::print_stdout, missing_docs, reason = "a program that prints")]
#![allow(clippy::disallowed_methods, reason = "measuring needs a clock")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidelog::{Environment, InviteOptions, Key, Value, Workspace};
use tidelog_log::storage::MemoryStorage;

const DEVICES: u32 = 1_000;
const DATABASES: u32 = 1_000;
const KEY: [u8; 32] = [7; 32];

fn main() {
    // `cargo bench` and `cargo test` pass arguments for a harness that this is not.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    runtime.block_on(remove_one_of_many(folder.path()));
}

fn report(name: &str, value: Duration, target: &str) {
    println!("bench: {name} | {:.1} ms | {target}", value.as_secs_f64() * 1_000.0);
}

/// A folder that is only in memory.
fn in_memory(folder: &Path) -> Environment {
    let mut environment = Environment::folder(folder);
    environment.storage = Arc::new(MemoryStorage::new());
    environment
}

async fn remove_one_of_many(folder: &Path) {
    let owner = Workspace::create(folder, Key::raw(KEY), "Bench").await.expect("creates");
    let options = InviteOptions { uses: DEVICES, auto_approve: true, ..InviteOptions::default() };
    let invite = owner.invite(options).await.expect("invites").uri;
    let mut first = None;
    for _ in 1..DEVICES {
        let environment = in_memory(folder);
        let request = Workspace::ask_to_join_in(environment.clone(), Key::raw(KEY), &invite, "").await;
        let request = owner.receive_request(&request.expect("asks")).await.expect("is admitted");
        first.get_or_insert((environment, request));
    }
    let (environment, request) = first.expect("there are many");
    let welcome = owner.welcome(&request.id).await.expect("welcomes");
    let guest =
        Workspace::finish_joining_in(environment, Key::raw(KEY), welcome).await.expect("finishes joining");
    for number in 0..DATABASES {
        let items = guest.database(&format!("database {number}")).collection::<Value>("items");
        items.put("one", &Value::Int(1)).await.expect("writes");
    }
    guest.sync_with(&owner).await.expect("syncs");
    let start = Instant::now();
    let removed = owner.remove_device(request.device).await.expect("removes");
    let elapsed = start.elapsed();
    assert!(removed.cuts > u64::from(DATABASES) && removed.keys_renewed);
    let name = "remove one of 1,000 devices, which wrote to 1,000 databases; with new keys for the others";
    report(name, elapsed, "<= 200 ms");
    assert_eq!(owner.devices().len(), DEVICES as usize - 1);
    owner.shutdown().await.expect("closes");
}
