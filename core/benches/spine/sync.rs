//! Two devices and a relay: fresh replicas, syncs that find little to do, delivery.

use std::path::Path;
use std::time::{Duration, Instant};

use tidelog::{InviteOptions, JoinOptions, Key, Notice, SyncReport, Value, WatchOptions, Workspace};
use tidelog_relay::{Config, Relay};
use tokio::net::TcpListener;

use crate::{KEY, collection, create, keyed, local, median, one_by_one, per_second, records, report};

const DOCUMENTS: usize = 100_000;
const DELIVERIES: usize = 1_000;
const OPENINGS: usize = 5;
/// Names the workspace that this program opens, and nothing else.
pub(crate) const OPEN: &str = "BENCH_OPEN";
/// Bytes of an entry before its payload.
const HEADER_LEN: usize = 272;

pub(crate) async fn measure(entries: usize) {
    documents().await;
    replicas(entries).await;
    delivery().await;
}

/// A relay in this process, on a port of its own.
async fn relay(folder: &Path) -> String {
    let mut config = Config::new(folder.join("relay"));
    config.admission.open = true;
    let relay = Relay::open(config).expect("opens");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let url = format!("ws://{}", listener.local_addr().expect("an address"));
    tokio::spawn(relay.serve(listener, std::future::pending()));
    url
}

/// A workspace with a second device that joined through a relay.
async fn pair(folder: &Path) -> (Workspace, Workspace, String) {
    let url = relay(folder).await;
    let owner = create(folder, "owner").await;
    let mut options = InviteOptions::new(&url);
    options.auto_approve = true;
    let invite = owner.invite(options).await.expect("invites");
    let link = owner.connect(&url).expect("connects");
    let joining = JoinOptions { profile: "Second".into(), timeout_ms: None };
    let guest =
        Workspace::join(folder.join("guest"), Key::raw(KEY), &invite.uri, joining).await.expect("joins");
    // Each sync would open its mailbox again, if it is not used up by now.
    drop(owner.withdraw(&invite.id));
    link.stop().await;
    (owner, guest, url)
}

fn received(sync: &SyncReport) -> usize {
    usize::try_from(sync.received).expect("small")
}

fn traffic(sync: &SyncReport) -> u64 {
    sync.bytes_sent + sync.bytes_received
}

/// Documents as an import or a transaction writes them: many in an entry.
async fn documents() {
    let folder = tempfile::tempdir().expect("a folder");
    let (owner, guest, _) = pair(folder.path()).await;
    let records = records::small(DOCUMENTS);
    collection(&owner).put_many(keyed(&records)).await.expect("writes");
    let started = Instant::now();
    let sync = guest.sync_with(&owner).await.expect("syncs");
    let time = started.elapsed();
    report(
        &format!("fresh replica, {DOCUMENTS} documents in {} entries", sync.received),
        format!("{:.0} docs/s", per_second(DOCUMENTS, time)),
        ">= 90,000 docs/s",
    );
    let wire = i128::from(sync.bytes_received) - records::bytes(&records) as i128;
    report(
        "wire bytes over plaintext (as JSON), documents in large transactions",
        format!("{:.0} B a document", wire as f64 / DOCUMENTS as f64),
        "<= 12 B",
    );
    owner.shutdown().await.expect("closes");
    guest.shutdown().await.expect("closes");
}

async fn replicas(count: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let (owner, guest, url) = pair(folder.path()).await;
    let items = collection(&owner);
    let records = records::small(count);
    one_by_one(&items, &records).await;

    let started = Instant::now();
    let sync = guest.sync_with(&owner).await.expect("syncs");
    let time = started.elapsed();
    report(
        &format!("fresh replica, {count} entries of a document each"),
        format!("{:.0} docs/s", per_second(received(&sync), time)),
        ">= 90,000 docs/s",
    );
    let wire = usize::try_from(sync.bytes_received).expect("small").saturating_sub(records::bytes(&records));
    report(
        "wire bytes over plaintext (as JSON), one entry a document",
        format!("{} B", wire / received(&sync).max(1)),
        "<= 100 B",
    );
    idle(&guest.sync_with(&owner).await.expect("syncs"), count, "between two members");
    few(&owner, &url, &records).await;

    guest.shutdown().await.expect("closes");
    owner.shutdown().await.expect("closes");
    open(&folder.path().join("owner"), count).await;
}

/// What a sync takes that finds nothing to do.
fn idle(sync: &SyncReport, count: usize, with: &str) {
    let after = traffic(sync) - sync.bytes_of_handshake;
    report(
        &format!("nothing changed, {count} entries, {with}"),
        format!(
            "{after} B after {} B of handshake, {} round trips in all",
            sync.bytes_of_handshake, sync.round_trips
        ),
        "<= 128 B after the handshake, 1 round trip",
    );
}

/// Ten new documents for a relay that knows this device: one call each and alone, all at once, and in
/// one transaction.
async fn few(owner: &Workspace, url: &str, records: &[(String, Value)]) {
    let items = collection(owner);
    owner.sync(url).await.expect("syncs");
    let nothing = owner.sync(url).await.expect("syncs");
    idle(&nothing, records.len(), "with a relay");
    let ten = &records[..10];
    let mut known = owner.database("main").log().entry_ids().expect("lists").len();
    for way in ["one after the other", "at once", "in one transaction"] {
        match way {
            "one after the other" => {
                for (key, value) in ten {
                    items.put(key, value).await.expect("writes");
                }
            }
            "at once" => one_by_one(&items, ten).await,
            _ => drop(items.put_many(keyed(ten)).await.expect("writes")),
        }
        let log = owner.database("main").log();
        let ids = log.entry_ids().expect("lists");
        let new = &ids[known.min(ids.len())..];
        known = ids.len();
        let entries = log.entries(new).expect("reads").into_iter().flatten();
        let payload: usize = entries.map(|entry| entry.len() - HEADER_LEN).sum();
        let sync = owner.sync(url).await.expect("syncs");
        let beyond = i128::from(traffic(&sync) - traffic(&nothing)) - payload as i128;
        report(
            &format!("10 new of {}, known relay, written {way}", records.len()),
            format!(
                "{beyond} B beyond {payload} B of payload in {} entries, for {} B of JSON",
                new.len(),
                records::bytes(ten),
            ),
            "<= 256 B beyond",
        );
    }
}

async fn open(path: &Path, count: usize) {
    const TARGET: &str = "<= 20 ms";
    let mut times = Vec::new();
    for _ in 0..OPENINGS {
        let started = Instant::now();
        let owner = Workspace::open(path, Key::raw(KEY)).await.expect("opens");
        collection(&owner).get("record-0000001").expect("reads").expect("is there");
        times.push(started.elapsed().as_secs_f64());
        owner.shutdown().await.expect("closes");
    }
    report(
        &format!("open {count} entries to the first read, raw key"),
        format!("{:.1} ms", median(times.into_iter()) * 1e3),
        TARGET,
    );

    if let Some(bytes) = memory(path) {
        let mebibytes = bytes as f64 / f64::from(1 << 20);
        report(
            &format!("memory of a program with {count} entries open, all it has"),
            format!("{mebibytes:.1} MiB"),
            "-",
        );
    }
    let owner = Workspace::open(path, Key::raw(KEY)).await.expect("opens");
    for (key, value) in &records::small(100) {
        collection(&owner).put(key, value).await.expect("writes");
    }
    let killed = path.with_file_name("killed");
    copy(path, &killed);
    let started = Instant::now();
    let copy = Workspace::open(&killed, Key::raw(KEY)).await.expect("opens");
    collection(&copy).get("record-0000001").expect("reads").expect("is there");
    report(
        "the same, as a kill leaves it",
        format!("{:.1} ms", started.elapsed().as_secs_f64() * 1e3),
        TARGET,
    );
    copy.shutdown().await.expect("closes");
    owner.shutdown().await.expect("closes");
}

/// Memory of a program that opens a workspace and reads from it, asked of this very program.
fn memory(path: &Path) -> Option<usize> {
    let program = std::env::current_exe().expect("this program");
    let output = std::process::Command::new(program).env(OPEN, path).output().expect("runs");
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The other program of [`memory`].
pub(crate) async fn open_and_tell(path: &Path) {
    let workspace = Workspace::open(path, Key::raw(KEY)).await.expect("opens");
    collection(&workspace).get("record-0000001").expect("reads").expect("is there");
    println!("{}", local::resident().map_or(String::new(), |bytes| bytes.to_string()));
    workspace.shutdown().await.expect("closes");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("creates");
    for entry in std::fs::read_dir(from).expect("lists").map(|entry| entry.expect("lists")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() != "lock" {
            std::fs::copy(entry.path(), &target).expect("copies");
            // A killed process leaves a file that was on the disk; a fresh copy is not, and the first
            // sync of whoever opens it would pay for that.
            std::fs::File::open(target).and_then(|file| file.sync_all()).expect("syncs");
        }
    }
}

async fn delivery() {
    let folder = tempfile::tempdir().expect("a folder");
    let (owner, guest, url) = pair(folder.path()).await;
    let links = [owner.connect(&url).expect("connects"), guest.connect(&url).expect("connects")];
    for link in &links {
        link.wait_live(Duration::from_secs(30)).await.expect("live");
    }
    let items = collection(&owner);
    let mut watch = guest.watch(&WatchOptions::default()).expect("watches");
    let mut times = Vec::new();
    for number in 0..DELIVERIES {
        let key = format!("k{number}");
        let started = Instant::now();
        items.put(&key, &Value::Int(1)).await.expect("writes");
        while let Some(notice) = watch.next().await {
            if matches!(&notice, Notice::Event(event) if event.key == key) {
                break;
            }
        }
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
    report(
        "put to the other device's watch, through a relay, durable on all three",
        format!("p50 {:.2} ms, p99 {:.2} ms", at(50), at(99)),
        "p50 <= 0.6 ms, p99 <= 3 ms",
    );
    for link in &links {
        link.stop().await;
    }
    owner.shutdown().await.expect("closes");
    guest.shutdown().await.expect("closes");
}
