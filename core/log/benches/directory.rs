//! Figures of the directory, one line each: `bench: NAME | VALUE | TARGET`.
//!
//! A workspace of 10,000 operations: 1,000 devices of 500 users, whose roles change, who are granted
//! keys and make new ones; one entry for each operation. One device writes to 1,000 streams.

#![allow(clippy::print_stdout, missing_docs, reason = "a program that prints")]
#![allow(clippy::disallowed_methods, reason = "measuring needs a clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidelog_log::crypto::{Signer, TestSigner, sha256};
use tidelog_log::directory::{DeviceCert, Directory, Op, Role, Wrap, key_id};
use tidelog_log::entry::Entry;
use tidelog_log::env::SystemClock;
use tidelog_log::ids::{CircleId, StreamId, UserId};
use tidelog_log::log::{Draft, Log, LogOptions};
use tidelog_log::storage::{FolderStorage, Storage};
use tidelog_log::testing::TestWorkspace;

const USERS: u32 = 500;
const OPERATIONS: usize = 10_000;
const RUNS: usize = 5;
/// The device that is removed, and how many streams it writes to.
const GONE: u32 = 1;
const STREAMS: u32 = 1_000;
const STREAM: StreamId = StreamId([3; 16]);

fn main() {
    // `cargo bench` and `cargo test` pass arguments for a harness that this is not.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let folder = std::env::temp_dir().join(format!("tidelog-bench-directory-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("makes the folder");
    let storage: Arc<dyn Storage> = Arc::new(FolderStorage::new(&folder));
    let workspace = TestWorkspace::new(1);
    let entries = fill(&workspace, Arc::clone(&storage));
    report("fold 10,000 operations from nothing", median(|| fold(&workspace, &entries)), "<= 1 s");
    report("open a directory of 10,000 operations", median(|| open(&workspace, &storage)), "<= 50 ms");
    report("remove one of 1,000 devices, in 1,001 streams", remove(&workspace, &storage), "<= 200 ms");
    std::fs::remove_dir_all(&folder).expect("removes");
}

fn report(name: &str, value: Duration, target: &str) {
    println!("bench: {name} | {:.1} ms | {target}", value.as_secs_f64() * 1_000.0);
}

fn median(mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<_> = (0..RUNS).map(|_| run()).collect();
    times.sort_unstable();
    times[RUNS / 2]
}

fn options(workspace: &TestWorkspace, storage: &Arc<dyn Storage>) -> LogOptions {
    let mut options = workspace.options(Arc::clone(storage), 1);
    options.clock = Arc::new(SystemClock);
    options
}

fn device(number: u32) -> TestSigner {
    TestSigner::new(sha256(&[b"bench", &number.to_le_bytes()]))
}

fn cert(workspace: &TestWorkspace, number: u32, user: &UserId) -> DeviceCert {
    DeviceCert::issue(&device(number), [9; 32], &workspace.id(), user)
}

/// Writes the directory; its entries.
fn fill(workspace: &TestWorkspace, storage: Arc<dyn Storage>) -> Vec<Entry> {
    let log = workspace.founder_log(storage, 1);
    let user = |number: u32| tidelog_log::directory::user_id(&workspace.id(), &device(number).device());
    let mut operations = Vec::with_capacity(OPERATIONS);
    for number in 0..USERS {
        let of = user(number);
        let first = cert(workspace, number, &of);
        operations.push((None, Op::AddUser { user: of, role: Role::Writer, certs: vec![first] }));
        let second = cert(workspace, number + USERS, &of);
        operations.push((Some(number), Op::AddDevice { user: of, cert: second }));
    }
    for number in 0..u32::try_from(OPERATIONS - operations.len()).expect("small") {
        let one = number * 7 % USERS;
        let op = match number % 10 {
            0..4 => Op::SetRole {
                user: user(one),
                role: if (number / USERS).is_multiple_of(2) { Role::Admin } else { Role::Writer },
                cuts: vec![],
            },
            4..9 => Op::KeyGrant {
                circle: CircleId::WORKSPACE,
                key_id: key_id(&[1; 32]),
                wraps: vec![Wrap { device: device(one).device(), enc: [0; 32], ct: [0; 48] }],
            },
            _ => Op::RelaySet { relay_pk: [1; 32], url: format!("wss://relay/{number}") },
        };
        operations.push((None, op));
    }
    for (by, op) in operations {
        let signer = by.map_or_else(|| workspace.device(0), |number| Arc::new(device(number)));
        log.commit_blocking(vec![Draft::directory(signer, vec![op])]).expect("commits");
    }
    for number in 0..5_000_u32 {
        let signer = Arc::new(device(number % 10));
        let payload = number.to_le_bytes().repeat(25);
        let draft =
            Draft::data(signer, STREAM, tidelog_log::ids::KeyId([1; 16]), 100, Box::new(move |_| payload));
        log.commit_blocking(vec![draft]).expect("commits");
    }
    for number in 0..STREAMS {
        let payload = number.to_le_bytes().repeat(25);
        let stream = StreamId(u128::from(number + 10).to_le_bytes());
        let key = tidelog_log::ids::KeyId([1; 16]);
        let draft = Draft::data(Arc::new(device(GONE)), stream, key, 100, Box::new(move |_| payload));
        log.commit_blocking(vec![draft]).expect("commits");
    }
    let entries = (1..=log.arrivals()).filter_map(|arrival| log.entry_at(arrival).expect("reads"));
    let entries = entries.filter(|entry| entry.header().stream == StreamId::DIRECTORY).collect();
    log.shutdown();
    entries
}

fn fold(workspace: &TestWorkspace, entries: &[Entry]) -> Duration {
    let start = Instant::now();
    let mut directory = Directory::new(workspace.id());
    let mut last = std::collections::HashMap::new();
    for entry in entries {
        let previous = last.insert(entry.header().author, entry.id());
        directory.insert(entry, previous).expect("held before");
    }
    let elapsed = start.elapsed();
    assert_eq!(directory.len(), entries.len());
    elapsed
}

fn open(workspace: &TestWorkspace, storage: &Arc<dyn Storage>) -> Duration {
    let start = Instant::now();
    let log = Log::open(options(workspace, storage)).expect("opens");
    let elapsed = start.elapsed();
    assert!(log.directory().len() > OPERATIONS);
    log.shutdown();
    elapsed
}

fn remove(workspace: &TestWorkspace, storage: &Arc<dyn Storage>) -> Duration {
    let log = Log::open(options(workspace, storage)).expect("opens");
    let gone = device(GONE).device();
    let start = Instant::now();
    let cuts = log.cuts_for(&[gone]);
    let op = Op::RemoveDevice { device: gone, cuts };
    log.directory().check_ops(&workspace.device(0).device(), std::slice::from_ref(&op)).expect("may");
    log.commit_blocking(vec![Draft::directory(workspace.device(0), vec![op])]).expect("commits");
    let elapsed = start.elapsed();
    assert!(log.directory().is_removed(&gone));
    log.shutdown();
    elapsed
}
