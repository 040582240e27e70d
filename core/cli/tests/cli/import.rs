//! `import`: every format, what is skipped and why, and going on after an interruption.

use serde_json::{Value, json};

use crate::{Desk, Run, WORKSPACE};

const ITEMS: &str = "main/items";

fn import(desk: &Desk, file: &str) -> Run {
    desk.run(&["import", WORKSPACE, ITEMS, file])
}

fn counts(written: u64, unchanged: u64, skipped: u64) -> Value {
    json!({ "written": written, "unchanged": unchanged, "skipped": skipped })
}

fn entries(desk: &Desk) -> Value {
    desk.run(&["stats", WORKSPACE]).done()["entries"].clone()
}

#[test]
fn every_format_is_read_and_writes_nothing_when_it_comes_again() {
    let desk = Desk::new();
    desk.write("array.json", "[{\"id\": \"a\", \"n\": 1}, {\"id\": \"b\", \"n\": 2.5}]");
    desk.write("lines.jsonl", "{\"id\": 3}\n\n{\"id\": 4}\n");
    desk.write("table.csv", "id,name\nc,\"Carol, C.\"\nd,Dan\n");
    for file in ["array.json", "lines.jsonl", "table.csv"] {
        assert_eq!(import(&desk, file).done(), &counts(2, 0, 0), "{file}");
    }
    assert_eq!(desk.run(&["get", WORKSPACE, ITEMS, "3"]).done(), &json!({ "id": 3 }));
    assert_eq!(desk.run(&["get", WORKSPACE, ITEMS, "c"]).done()["name"], "Carol, C.");
    let before = entries(&desk);
    for file in ["array.json", "lines.jsonl", "table.csv"] {
        assert_eq!(import(&desk, file).done(), &counts(0, 2, 0), "{file}");
    }
    assert_eq!(entries(&desk), before);
}

#[test]
fn records_that_cannot_be_stored_are_named_and_the_others_land() {
    let desk = Desk::new();
    let records = [
        json!({ "id": "a" }),
        json!({ "id": "large", "text": "x".repeat(2 << 20) }),
        json!({ "id": "b" }),
        json!({ "id": "k".repeat(600) }),
        json!({ "id": ["list"] }),
        json!({ "id": "a", "again": true }),
        json!({ "id": "wide", "n": 12_345_678_901_234_567_890_u64 }),
        json!("text"),
        json!({ "id": "c" }),
    ];
    desk.write("records.json", &Value::from(&records[..]).to_string());
    let imported = import(&desk, "records.json");
    assert_eq!(imported.done(), &counts(3, 0, 6));
    let warnings: Vec<&str> =
        imported.err.iter().map(|line| line["warning"].as_str().expect("text")).collect();
    for (record, reason) in [
        (2, "must fit into"),
        (4, "512 bytes"),
        (5, "neither"),
        (6, "record 1"),
        (7, "64 bits"),
        (8, "not an object"),
    ] {
        let named = |text: &&str| text.starts_with(&format!("record {record} ")) && text.contains(reason);
        assert!(warnings.iter().any(named), "record {record}: {reason}: {warnings:?}");
    }
    assert_eq!(desk.run(&["get", WORKSPACE, ITEMS, "a"]).done(), &json!({ "id": "a" }));
    assert_eq!(desk.run(&["query", WORKSPACE, ITEMS, "--count"]).done(), &json!(3));
}

#[test]
fn an_import_of_nothing_but_bad_records_fails() {
    let desk = Desk::new();
    desk.write("bad.jsonl", "nonsense\n[1]\n");
    import(&desk, "bad.jsonl").failed(2, "invalid_argument", "none of the 2 records");
    desk.write("bad.json", "[{\"id\": 1}");
    import(&desk, "bad.json").failed(2, "invalid_argument", "not a JSON array");
    import(&desk, "missing.json").failed(1, "io", "missing.json");
    std::fs::write(desk.path("packed.json"), [0x1f, 0x8b, 8, 0]).expect("writes");
    import(&desk, "packed.json").failed(2, "invalid_argument", "compressed");
}

#[test]
fn an_export_is_imported_as_it_was() {
    let desk = Desk::new();
    let values = [json!({ "id": 1, "f": 0.1 }), json!("text"), json!([1, null]), json!({ "$bytes": "aGk=" })];
    for (key, value) in ["a", "b", "c", "d"].iter().zip(&values) {
        desk.run(&["put", WORKSPACE, ITEMS, key, &value.to_string()]).done();
    }
    let export = |target: &str| desk.run(&["export", WORKSPACE, target]).all().to_vec();
    let exported = export(ITEMS);
    assert_eq!(exported.len(), 4);
    let lines: Vec<String> = exported.iter().map(Value::to_string).collect();
    desk.write("export", &lines.join("\n"));
    for (target, flags) in [("copy/items", &[][..]), ("copy/more", &["--format", "export"][..])] {
        let arguments = [&["import", WORKSPACE, target, "export"][..], flags].concat();
        assert_eq!(desk.run(&arguments).done(), &counts(4, 0, 0));
        assert_eq!(export(target), exported);
    }
    let plain = desk.run(&["import", WORKSPACE, "copy/plain", "export", "--format", "jsonl", "--key", "key"]);
    assert_eq!(plain.done(), &counts(4, 0, 0));
    assert_eq!(
        desk.run(&["get", WORKSPACE, "copy/plain", "b"]).done(),
        &json!({ "key": "b", "value": "text" })
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_import_says_what_is_written_and_goes_on() {
    use std::time::{Duration, Instant};

    use crate::Running;
    const RECORDS: u64 = 40_000;
    let desk = Desk::new();
    let lines: Vec<String> =
        (0..RECORDS).map(|n| format!("{{\"id\": {n}, \"text\": \"the text of record {n}\"}}")).collect();
    desk.write("many.jsonl", &lines.join("\n"));
    // Space is allocated ahead: what counts is how far it is filled.
    let filled = || {
        let files = desk.log_files().into_iter().map(|file| std::fs::read(file).expect("reads"));
        files.map(|bytes| bytes.iter().rposition(|byte| *byte != 0).unwrap_or_default()).sum::<usize>()
    };
    let before = filled();
    let running = Running::new(&mut desk.command(&["import", WORKSPACE, ITEMS, "many.jsonl"]));
    let started = Instant::now();
    while filled() < before + 100_000 {
        assert!(started.elapsed() < Duration::from_secs(60), "it writes");
        std::thread::sleep(Duration::from_millis(1));
    }
    running.interrupt();
    let interrupted = Instant::now();
    let ended = running.end();
    assert!(interrupted.elapsed() < Duration::from_secs(3), "{:?}", interrupted.elapsed());
    ended.failed(1, "cancelled", " written, 0 already there, 0 skipped; repeat the command to go on");
    let said = ended.err[0]["message"].as_str().expect("text");
    let written: u64 = said.split([' ']).nth(1).and_then(|count| count.parse().ok()).expect("a number");
    assert_eq!(desk.run(&["query", WORKSPACE, ITEMS, "--count"]).done(), &json!(written));
    assert!(written > 0 && written < RECORDS, "{written}");
    assert_eq!(import(&desk, "many.jsonl").done(), &counts(RECORDS - written, written, 0));
}
