//! One device: imports, single writes, the log on disk, documents in memory.

use std::path::Path;
use std::time::{Duration, Instant};

use tidelog::{CollectionOptions, Policy, Value};

use crate::{IN_FLIGHT, collection, create, floor, keyed, median, one_by_one, per_second, records, report};

const RECORDS: usize = 10_000;
const ROUNDS: usize = 3;
const SINGLE_WRITES: usize = 300;
const DOCUMENTS: usize = 1_000;

pub(crate) async fn measure() {
    imports("real records", &records::real(RECORDS)).await;
    imports("records of 200 B", &records::small(RECORDS)).await;
    disk().await;
    single().await;
    documents().await;
}

/// Both ways to import, each round beside the floor, so that what else the machine does meets them alike.
async fn imports(what: &str, records: &[(String, Value)]) {
    const TARGET: &str = ">= 0.65 of the floor, >= 50,000 docs/s";
    let plain = records::plain(records);
    let (mut bulk, mut single) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let folder = tempfile::tempdir().expect("a folder");
        let floor = timed(|| floor::write(folder.path(), &plain, IN_FLIGHT));

        let workspace = create(folder.path(), "bulk").await;
        let items = collection(&workspace);
        let started = Instant::now();
        items.put_many(keyed(records)).await.expect("writes");
        bulk.push((started.elapsed(), floor));
        workspace.shutdown().await.expect("closes");

        let workspace = create(folder.path(), "single").await;
        let items = collection(&workspace);
        let started = Instant::now();
        one_by_one(&items, records).await;
        single.push((started.elapsed(), floor));
        workspace.shutdown().await.expect("closes");
    }
    let size = plain.iter().map(Vec::len).sum::<usize>() / plain.len();
    for (way, times) in [("bulk", bulk), ("one call each, 1,000 in flight", single)] {
        let speed = median(times.iter().map(|(time, _)| per_second(records.len(), *time)));
        let share = median(times.iter().map(|(time, floor)| floor.as_secs_f64() / time.as_secs_f64()));
        report(
            &format!("import of 10,000 {what} ({size} B each), {way}"),
            format!("{speed:.0} docs/s, {share:.2} of the floor"),
            TARGET,
        );
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

/// What 10,000 records take on the disk, after they were written one by one.
async fn disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = records::small(RECORDS);
    let workspace = create(folder.path(), "disk").await;
    one_by_one(&collection(&workspace), &records).await;

    let started = Instant::now();
    let verified = workspace.verify(|_, _| std::ops::ControlFlow::Continue(())).await.expect("verifies");
    let time = started.elapsed();
    let entries = usize::try_from(verified.entries).expect("small");
    report("verify", format!("{:.0} entries/s", per_second(entries, time)), "-");

    let log = usize::try_from(workspace.stats().expect("stats").log_bytes).expect("fits");
    workspace.shutdown().await.expect("closes");
    let bytes = records::bytes(&records) / RECORDS;
    report(
        "log on disk, one entry a document",
        format!("{} B/doc for {bytes} B of plaintext", log / RECORDS),
        "<= 500 B/doc with history",
    );
    let state = usize::try_from(state_bytes(&folder.path().join("disk"))).expect("fits");
    report(
        "state file, which can be thrown away",
        format!("{} B/doc, {:.1}x the log", state / RECORDS, state as f64 / log as f64),
        "<= 2x the log",
    );

    let workspace = create(folder.path(), "disk-bulk").await;
    collection(&workspace).put_many(keyed(&records)).await.expect("writes");
    let log = usize::try_from(workspace.stats().expect("stats").log_bytes).expect("fits");
    workspace.shutdown().await.expect("closes");
    report(
        "log on disk, documents in large transactions",
        format!("{} B/doc for {bytes} B of plaintext", log / RECORDS),
        "<= 500 B/doc with history",
    );
}

/// What the state file takes of the disk: it grows by doubling, and what was never written takes nothing.
fn state_bytes(folder: &Path) -> u64 {
    let file = std::fs::metadata(folder.join("state.redb")).expect("is there");
    #[cfg(unix)]
    return std::os::unix::fs::MetadataExt::blocks(&file) * 512;
    #[cfg(not(unix))]
    file.len()
}

async fn single() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = records::small(SINGLE_WRITES);
    let workspace = create(folder.path(), "alone").await;
    let items = collection(&workspace);
    let mut times = Vec::new();
    for (key, value) in &records {
        let started = Instant::now();
        items.put(key, value).await.expect("writes");
        times.push(started.elapsed().as_secs_f64());
    }
    let commit = timed(|| floor::commit_each(folder.path(), &records::plain(&records)));
    let commit = commit.as_secs_f64() / SINGLE_WRITES as f64;
    let write = median(times.into_iter());
    report(
        "one durable write, alone",
        format!("{:.0} us, {:.2}x one durable redb commit", write * 1e6, write / commit),
        "<= 1.3x",
    );
    workspace.shutdown().await.expect("closes");
}

/// Memory of documents while they are open, and once nobody holds them any more.
async fn documents() {
    let Some(before) = resident() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = create(folder.path(), "documents").await;
    let options = CollectionOptions::default().key_field(None).policy(Policy::Document);
    let notes = workspace.database("main").collection_with::<Value>("notes", options);
    let started = resident().unwrap_or(before);
    let mut open = Vec::new();
    for number in 0..DOCUMENTS {
        let note = notes.document(&format!("note-{number}")).expect("a document");
        note.set("title", &Value::Text(format!("Note {number}"))).await.expect("writes");
        open.push(note);
    }
    let grown = resident().unwrap_or(started).saturating_sub(started);
    report("memory of an open document, of one title", format!("{} B", grown / DOCUMENTS), "<= 2,048 B");
    drop(open);
    workspace.shutdown().await.expect("closes");
}

/// Bytes of memory that this program takes, where the system tells.
pub(crate) fn resident() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: usize = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}
