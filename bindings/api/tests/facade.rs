//! The API model as a binding uses it, over a workspace on disk.

use std::collections::BTreeMap;

use tidelog_api::{
    Collection, CollectionOptions, Edit, ErrorKind, Event, Key, LogEvent, LogLevel, LogLine, Meter, NewItem,
    Policy, Query, Value, WatchOptions, Workspace,
};

fn open(folder: &tempfile::TempDir) -> Workspace {
    let path = folder.path().join("notes.tide").display().to_string();
    let key = Key::raw(&[7; 32]).expect("32 bytes");
    Workspace::open(path, key, Some("Notes".to_owned())).wait().expect("opens")
}

fn notes(workspace: &Workspace) -> Collection {
    let options = CollectionOptions { policy: Policy::Lww, key_field: Some("id".to_owned()) };
    workspace.database("main", None).expect("a handle").collection("notes", options).expect("a handle")
}

fn note(id: &str, title: &str) -> Value {
    Value::Map(BTreeMap::from([("id".to_owned(), id.into()), ("title".to_owned(), title.into())]))
}

#[test]
fn an_item_is_written_read_and_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    let notes = notes(&workspace);
    notes.put(None, note("a", "A")).wait().expect("writes");
    assert_eq!(notes.get("a".to_owned()).wait(), Ok(Some(note("a", "A"))));
    let inserted = notes.insert(note("", "B")).wait().expect("writes");
    assert_eq!(inserted.value, note(&inserted.key, "B"));
    let many = vec![NewItem { key: Some("c".to_owned()), value: note("c", "C") }];
    assert_eq!(notes.put_many(many, Meter::new()).wait().expect("writes").items, 1);
    assert_eq!(notes.count(Query::default()).wait(), Ok(3));
    assert_eq!(notes.delete("a".to_owned()).wait(), Ok(true));
    assert_eq!(notes.delete("a".to_owned()).wait(), Ok(false));
    workspace.shutdown().wait().expect("closes");
}

#[test]
fn a_record_without_a_key_field_gets_its_key_beside_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    let database = workspace.database("main", None).expect("a handle");
    let plain = database.collection("plain", CollectionOptions::default()).expect("a handle");
    let item = plain.insert(Value::Int(5)).wait().expect("writes");
    assert_eq!(plain.get(item.key).wait(), Ok(Some(Value::Int(5))));
    let transaction = database.transaction().expect("begins");
    let inside = transaction.collection("plain", CollectionOptions::default());
    let item = inside.insert(Value::Int(6)).wait().expect("gathers");
    assert!(transaction.commit().wait().expect("commits").is_some());
    assert_eq!(plain.get(item.key).wait(), Ok(Some(Value::Int(6))));
}

#[test]
fn replace_takes_effect_only_on_what_was_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    let notes = notes(&workspace);
    let replace = |expected: Option<Value>, value: Option<Value>| {
        notes.replace("a".to_owned(), expected, value).wait().expect("no error")
    };
    assert!(!replace(Some(note("a", "A")), Some(note("a", "B"))));
    assert!(replace(None, Some(note("a", "A"))));
    assert!(!replace(None, Some(note("a", "B"))));
    let versions = notes.history("a".to_owned()).wait().expect("reads").len();
    assert_eq!(versions, 1, "a refused replacement writes nothing");
    assert!(replace(Some(note("a", "A")), None));
    assert_eq!(notes.get("a".to_owned()).wait(), Ok(None));
}

#[test]
fn a_transaction_ends_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    let notes = notes(&workspace);
    let transaction = workspace.database("main", None).expect("a handle").transaction().expect("begins");
    let options = CollectionOptions { policy: Policy::Lww, key_field: Some("id".to_owned()) };
    let inside = transaction.collection("notes", options);
    inside.put(None, note("a", "A")).wait().expect("gathers");
    assert_eq!(notes.get("a".to_owned()).wait(), Ok(None));
    transaction.roll_back();
    let ended = transaction.commit().wait().expect_err("ended");
    assert_eq!(ended.kind, ErrorKind::Closed);
    let ended = inside.put(None, note("b", "B")).wait().expect_err("ended");
    assert_eq!(ended.kind, ErrorKind::Closed);
    assert_eq!(notes.count(Query::default()).wait(), Ok(0));
}

#[test]
fn a_document_takes_edits_as_one_change() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    let options = CollectionOptions { policy: Policy::Document, key_field: None };
    let documents = workspace
        .database("main", None)
        .expect("a handle")
        .collection("documents", options)
        .expect("a handle");
    let document = documents.document("a").expect("a handle");
    let edits = vec![
        Edit::Set { path: "body".to_owned(), value: "tide".into() },
        Edit::SpliceText { path: "body".to_owned(), position: 4, delete: 0, text: "log".to_owned() },
        Edit::Increment { path: "views".to_owned(), by: 2 },
    ];
    document.change(edits).wait().expect("edits");
    assert_eq!(document.text("body".to_owned()).wait(), Ok(Some("tidelog".to_owned())));
    assert_eq!(document.get(Some("views".to_owned())).wait(), Ok(Some(Value::Int(2))));
    assert_eq!(document.history().wait().map(|versions| versions.len()), Ok(1));
}

#[test]
fn streams_begin_with_what_is_there_and_follow() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    let notes = notes(&workspace);
    notes.put(None, note("a", "A")).wait().expect("writes");
    let live = notes.live(Query::default()).expect("begins");
    let watch = notes.watch(None, true).expect("begins");
    let everything =
        workspace.watch(WatchOptions { pattern: Some("m*".to_owned()), initial: true }).expect("begins");
    assert_eq!(live.next().wait().map(|list| list.map(|items| items.len())), Ok(Some(1)));
    for stream in [&watch, &everything] {
        let Ok(Some(Event::Change(change))) = stream.next().wait() else { panic!("no change") };
        assert_eq!((change.kind.as_str(), change.key.as_str()), ("current", "a"));
    }
    notes.put(None, note("b", "B")).wait().expect("writes");
    assert_eq!(live.next().wait().map(|list| list.map(|items| items.len())), Ok(Some(2)));
    let Ok(Some(Event::Change(change))) = watch.next().wait() else { panic!("no change") };
    assert_eq!((change.kind.as_str(), change.new), ("put", Some(note("b", "B"))));
}

#[test]
fn shutdown_ends_streams_and_closes_every_handle() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    let notes = notes(&workspace);
    let watch = notes.watch(None, false).expect("begins");
    let waiting = watch.next().start();
    workspace.shutdown().wait().expect("closes");
    workspace.shutdown().wait().expect("closes once more");
    let executor = tokio::runtime::Builder::new_current_thread().build().expect("builds");
    assert_eq!(executor.block_on(waiting), Ok(None));
    let kinds = [
        notes.put(None, note("a", "A")).wait().map(drop),
        notes.get("a".to_owned()).wait().map(drop),
        workspace.databases(None).wait().map(drop),
        workspace.stats().wait().map(drop),
        workspace.verify(Meter::new()).wait().map(drop),
        workspace.devices().wait().map(drop),
        workspace.requests().wait().map(drop),
        workspace.invites().wait().map(drop),
        workspace.id().map(drop),
        workspace.connect("ws://127.0.0.1:9").map(drop),
    ];
    for result in kinds {
        assert_eq!(result.expect_err("closed").kind, ErrorKind::Closed);
    }
    open(&folder).shutdown().wait().expect("the folder is free");
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    assert_eq!(Key::raw(&[1; 31]).expect_err("short").kind, ErrorKind::InvalidArgument);
    assert_eq!(notes(&workspace).of("nobody").expect_err("no id").kind, ErrorKind::InvalidArgument);
    assert_eq!(workspace.connect("http://x").expect_err("no relay").kind, ErrorKind::InvalidArgument);
    let log = workspace.database("main", None).expect("a handle").log().expect("a handle");
    assert_eq!(
        log.missing(vec!["no id".to_owned()]).wait().expect_err("no id").kind,
        ErrorKind::InvalidArgument
    );
    assert_eq!(format!("{:?}", Key::passphrase("secret".to_owned())), "Key(..)");
}

#[test]
fn a_meter_tells_how_far_a_call_came_and_stops_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let workspace = open(&folder);
    let notes = notes(&workspace);
    let many = || (0..50).map(|i| NewItem { key: None, value: note(&i.to_string(), "note") }).collect();
    let meter = Meter::new();
    assert_eq!(notes.put_many(many(), meter.clone()).wait().expect("writes").items, 50);
    assert_eq!((meter.done(), meter.total()), (50, 50));
    let meter = Meter::new();
    assert_eq!(workspace.verify(meter.clone()).wait().expect("reads").entries, meter.total());
    assert_eq!(meter.done(), meter.total());
    let stopped = Meter::new();
    stopped.stop();
    assert_eq!(notes.put_many(many(), stopped.clone()).wait().expect("writes nothing").items, 0);
    assert_eq!(workspace.verify(stopped).wait().expect("reads").entries, 1);
}

#[test]
fn a_host_gets_the_engines_log_lines_without_application_data() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = tidelog_api::logs(LogLevel::Trace).expect("nobody else logs");
    let workspace = open(&folder);
    let notes = notes(&workspace);
    notes.put(None, note("plaintext-key", "plaintext-title")).wait().expect("writes");
    workspace.shutdown().wait().expect("closes");
    let workspace = open(&folder);
    workspace.shutdown().wait().expect("closes");
    let mut seen = Vec::new();
    while !seen.iter().any(|line: &LogLine| line.text.starts_with("log opened")) {
        let Some(LogEvent::Line(line)) = lines.next().wait().expect("reads") else {
            panic!("lines are lost")
        };
        seen.push(line);
    }
    lines.stop();
    assert!(seen.iter().all(|line| line.target.starts_with("tidelog")));
    assert!(!seen.iter().any(|line| line.text.contains("plaintext")));
}
