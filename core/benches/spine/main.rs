//! Figures of the spine, one line each: `bench: NAME | VALUE | TARGET`.
//!
//! Records are made from a seed: 200 bytes each, of words. `TIDELOG_BENCH_ENTRIES` sets the size of
//! the log for the sync figures (100,000 if it is not set).

#![allow(clippy::print_stdout, missing_docs, reason = "a program that prints")]
#![allow(clippy::disallowed_methods, reason = "measuring needs a clock")]

mod floor;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidelog::{
    Collection, CollectionOptions, InviteOptions, JoinOptions, Key, Notice, Value, WatchOptions, Workspace,
};
use tidelog_relay::{Config, Relay};
use tokio::net::TcpListener;

const RECORDS: usize = 10_000;
const IN_FLIGHT: usize = 1_000;
const SINGLE_WRITES: usize = 300;
const DELIVERIES: usize = 500;
const KEY: [u8; 32] = [7; 32];

fn main() {
    // `cargo bench` and `cargo test` pass arguments for a harness that this is not.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("starts");
    runtime.block_on(async {
        local().await;
        replicas().await;
        delivery().await;
    });
}

fn report(name: &str, value: impl AsRef<str>, target: &str) {
    println!("bench: {name} | {} | {target}", value.as_ref());
}

fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

/// Records of about 200 bytes.
fn records(count: usize) -> Vec<(String, Value)> {
    const WORDS: [&str; 12] = [
        "tide",
        "harbour",
        "sensor",
        "north",
        "calibrated",
        "reading",
        "buoy",
        "salinity",
        "station",
        "drift",
        "log",
        "wave",
    ];
    let mut seed = 1_u64;
    (0..count)
        .map(|number| {
            let mut text = String::new();
            while text.len() < 150 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(WORDS[(seed >> 33) as usize % WORDS.len()]);
                text.push(' ');
            }
            let fields = [
                ("number", Value::Int(i64::try_from(number).expect("small"))),
                ("text", Value::Text(text)),
                ("station", Value::Text(format!("station-{}", number % 97))),
            ];
            let map = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            (format!("record-{number:07}"), Value::Map(map))
        })
        .collect()
}

fn plain(records: &[(String, Value)]) -> Vec<Vec<u8>> {
    records.iter().map(|(_, value)| value.to_json().expect("JSON").into_bytes()).collect()
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

async fn one_by_one(items: &Arc<Collection<Value>>, records: &[(String, Value)]) {
    for chunk in records.chunks(IN_FLIGHT) {
        let writes: Vec<_> = chunk
            .iter()
            .cloned()
            .map(|(key, value)| {
                let items = Arc::clone(items);
                tokio::spawn(async move { items.put(&key, &value).await })
            })
            .collect();
        for write in writes {
            write.await.expect("runs").expect("writes");
        }
    }
}

async fn local() {
    let folder = tempfile::tempdir().expect("a folder");
    let records = records(RECORDS);
    let plain = plain(&records);
    let bytes: usize = plain.iter().map(Vec::len).sum();

    let started = Instant::now();
    floor::write(folder.path(), &plain, IN_FLIGHT);
    let floor = started.elapsed();

    let workspace = create(folder.path(), "bulk").await;
    let items = collection(&workspace);
    let started = Instant::now();
    items.put_many(keyed(&records)).await.expect("writes");
    let bulk = started.elapsed();
    let ratio = floor.as_secs_f64() / bulk.as_secs_f64();
    report(
        "import of 10,000 records, bulk",
        format!("{:.0} docs/s, {ratio:.2} of the floor", per_second(RECORDS, bulk)),
        ">= 0.65 of the floor, >= 50,000 docs/s",
    );
    workspace.shutdown().await.expect("closes");

    let workspace = create(folder.path(), "single").await;
    let items = collection(&workspace);
    let started = Instant::now();
    one_by_one(&items, &records).await;
    let single = started.elapsed();
    let ratio = floor.as_secs_f64() / single.as_secs_f64();
    report(
        "import of 10,000 records, one call each, 1,000 in flight",
        format!("{:.0} docs/s, {ratio:.2} of the floor", per_second(RECORDS, single)),
        ">= 0.65 of the floor, >= 50,000 docs/s",
    );

    let started = Instant::now();
    let verified = workspace.verify(|_, _| std::ops::ControlFlow::Continue(())).await.expect("verifies");
    let time = started.elapsed();
    let entries = usize::try_from(verified.entries).expect("small");
    report("verify", format!("{:.0} entries/s", per_second(entries, time)), "-");

    let disk = usize::try_from(workspace.stats().expect("stats").log_bytes).expect("fits");
    report(
        "log on disk, one entry a document",
        format!("{} B/doc for {} B of plaintext", disk / RECORDS, bytes / RECORDS),
        "<= 500 B with history",
    );

    let mut times = Vec::new();
    for (key, value) in &records[..SINGLE_WRITES] {
        let started = Instant::now();
        items.put(key, value).await.expect("writes");
        times.push(started.elapsed());
    }
    times.sort_unstable();
    let started = Instant::now();
    floor::commit_each(folder.path(), &plain[..SINGLE_WRITES]);
    let commit = started.elapsed() / u32::try_from(SINGLE_WRITES).expect("small");
    let median = times[times.len() / 2];
    let ratio = median.as_secs_f64() / commit.as_secs_f64();
    report(
        "one durable write, alone",
        format!("{} us, {ratio:.2}x one durable redb commit", median.as_micros()),
        "<= 1.3x",
    );
    workspace.shutdown().await.expect("closes");
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
    link.stop().await;
    (owner, guest, url)
}

async fn replicas() {
    let folder = tempfile::tempdir().expect("a folder");
    let count =
        std::env::var("TIDELOG_BENCH_ENTRIES").map_or(100_000, |text| text.parse().expect("a number"));
    let (owner, guest, url) = pair(folder.path()).await;
    let items = collection(&owner);
    let records = records(count);
    let bytes: usize = plain(&records).iter().map(Vec::len).sum();
    one_by_one(&items, &records).await;

    let started = Instant::now();
    let sync = guest.sync_with(&owner).await.expect("syncs");
    let time = started.elapsed();
    let received = usize::try_from(sync.received).expect("small");
    report(
        &format!("fresh replica, {received} entries, verified, decrypted, durable"),
        format!("{:.0} entries/s", per_second(received, time)),
        ">= 90,000 docs/s",
    );
    let wire = usize::try_from(sync.bytes_received).expect("small").saturating_sub(bytes) / received.max(1);
    report("wire bytes over plaintext (as JSON), one entry a document", format!("{wire} B"), "<= 100 B");

    let idle = guest.sync_with(&owner).await.expect("syncs");
    report(
        &format!("nothing changed, {count} entries, with the handshake"),
        format!("{} B, {} round trips", idle.bytes_sent + idle.bytes_received, idle.round_trips),
        "1 round trip, <= 128 B after the handshake",
    );

    let before = owner.sync(&url).await.expect("syncs");
    let after = owner.sync(&url).await.expect("syncs");
    let handshake = after.bytes_sent + after.bytes_received;
    for (key, value) in &records[..10] {
        items.put(key, value).await.expect("writes");
    }
    let ten = owner.sync(&url).await.expect("syncs");
    let payload: usize = plain(&records[..10]).iter().map(Vec::len).sum();
    let extra = usize::try_from(ten.bytes_sent + ten.bytes_received - handshake).expect("small");
    report(
        &format!("10 new of {count}, known relay, beyond an idle sync"),
        format!("{extra} B for {payload} B of JSON, {} round trips", ten.round_trips),
        "payload + <= 256 B, 1 round trip",
    );
    report("first upload to the relay", format!("{} entries", before.sent), "-");

    owner.shutdown().await.expect("closes");
    let path = folder.path().join("owner");
    let started = Instant::now();
    let owner = Workspace::open(&path, Key::raw(KEY)).await.expect("opens");
    collection(&owner).get("record-0000001").expect("reads").expect("is there");
    report(
        &format!("open {count} entries to the first read, raw key"),
        format!("{:.1} ms", started.elapsed().as_secs_f64() * 1e3),
        "<= 20 ms",
    );

    for (key, value) in &records[..100] {
        collection(&owner).put(key, value).await.expect("writes");
    }
    let killed = folder.path().join("killed");
    copy(&path, &killed);
    let started = Instant::now();
    let copy = Workspace::open(&killed, Key::raw(KEY)).await.expect("opens");
    collection(&copy).get("record-0000001").expect("reads").expect("is there");
    report(
        "the same, as a kill leaves it",
        format!("{:.1} ms", started.elapsed().as_secs_f64() * 1e3),
        "<= 20 ms",
    );
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
}
