//! What a call through the API model costs: the floor under the same calls from other languages.

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::time::Instant;

use tidelog_api::{CollectionOptions, Key, Value, Workspace};

const CALLS: u32 = 20_000;

fn microseconds(begin: Instant, calls: u32) -> String {
    format!("{:.2} us", begin.elapsed().as_secs_f64() * 1e6 / f64::from(calls))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the lines of a benchmark")]
fn report(name: &str, value: &str) {
    println!("bench: {name} | {value} | -");
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("calls.tide").display().to_string();
    let key = Key::raw(&[7; 32]).expect("32 bytes");
    let workspace = Workspace::open(path, key, Some("Calls".to_owned())).wait().expect("opens");
    let database = workspace.database("main", None).expect("a handle");
    let items = database.collection("items", CollectionOptions::default()).expect("a handle");
    let value =
        Value::Map(BTreeMap::from([("title".to_owned(), "Alien".into()), ("year".to_owned(), 1979.into())]));
    items.put(Some("alien".to_owned()), value).wait().expect("writes");

    let begin = now();
    for _ in 0..CALLS {
        items.get("alien".to_owned()).wait().expect("reads");
    }
    report("Rust: get, synchronous", &microseconds(begin, CALLS));

    let begin = now();
    for _ in 0..CALLS {
        workspace.id().expect("is open");
    }
    report("Rust: id, synchronous", &microseconds(begin, CALLS));

    let executor = tokio::runtime::Builder::new_current_thread().build().expect("builds");
    let begin = now();
    executor.block_on(async {
        for _ in 0..CALLS {
            items.get("alien".to_owned()).await.expect("reads");
        }
    });
    report("Rust: get, awaited", &microseconds(begin, CALLS));

    let begin = now();
    executor.block_on(async {
        for _ in 0..CALLS / 1_000 {
            let calls: Vec<_> = (0..1_000).map(|_| items.get("alien".to_owned()).into_future()).collect();
            for call in calls {
                call.await.expect("reads");
            }
        }
    });
    report("Rust: get, 1,000 in flight", &microseconds(begin, CALLS));
    workspace.shutdown().wait().expect("closes");
}
