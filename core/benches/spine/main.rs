//! Figures of the spine, one line each: `bench: NAME | VALUE | TARGET`.
//!
//! Records are the packages of this build, as `cargo metadata` lists them, and records of 200 bytes made
//! from a seed. `BENCH_ENTRIES` sets the size of the log for the sync figures (100,000 if it is not set);
//! `BENCH_ONLY=local` or `sync` measures one half.

#![allow(clippy::print_stdout, missing_docs, reason = "a program that prints")]
#![allow(clippy::disallowed_methods, reason = "measuring needs a clock")]

mod floor;
mod local;
mod records;
mod sync;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tidelog::{Collection, CollectionOptions, Key, Value, Workspace};

const ENTRIES: usize = 100_000;
const IN_FLIGHT: usize = 1_000;
const KEY: [u8; 32] = [7; 32];

fn main() {
    // `cargo bench` and `cargo test` pass arguments for a harness that this is not.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let entries = std::env::var("BENCH_ENTRIES").map_or(ENTRIES, |text| text.parse().expect("a number"));
    let only = std::env::var("BENCH_ONLY").unwrap_or_default();
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    if let Some(path) = std::env::var_os(sync::OPEN) {
        runtime.block_on(sync::open_and_tell(Path::new(&path)));
        return;
    }
    runtime.block_on(async {
        if only != "sync" {
            local::measure().await;
        }
        if only != "local" {
            sync::measure(entries).await;
        }
    });
}

fn report(name: &str, value: impl AsRef<str>, target: &str) {
    println!("bench: {name} | {} | {target}", value.as_ref());
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn collection(workspace: &Workspace) -> Arc<Collection<Value>> {
    let options = CollectionOptions::default().key_field(None);
    Arc::new(workspace.database("main").collection_with("items", options))
}

async fn create(folder: &Path, name: &str) -> Workspace {
    Workspace::create(folder.join(name), Key::raw(KEY), "Bench").await.expect("creates")
}

fn keyed(records: &[(String, Value)]) -> impl Iterator<Item = (Option<String>, Value)> {
    records.iter().map(|(key, value)| (Some(key.clone()), value.clone()))
}

/// Writes records with one call each, by as many callers at once as there may be in flight, each of which
/// comes back with its next record as soon as the last one is durable.
async fn one_by_one(items: &Arc<Collection<Value>>, records: &[(String, Value)]) {
    let mut shares = vec![Vec::new(); IN_FLIGHT.min(records.len())];
    for (number, record) in records.iter().enumerate() {
        let caller = number % shares.len();
        shares[caller].push(record.clone());
    }
    let callers: Vec<_> = shares
        .into_iter()
        .map(|share| {
            let items = Arc::clone(items);
            tokio::spawn(async move {
                for (key, value) in share {
                    items.put(&key, &value).await.expect("writes");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.expect("runs");
    }
}
