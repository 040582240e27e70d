//! The handles over a real log, in memory.

mod in_flight;
mod live;

use std::sync::{Arc, RwLock};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidelog_log::crypto::Signer as _;
use tidelog_log::directory::{Directory, Op, Role, user_id};
use tidelog_log::env::{ManualClock, SeededRandom, random_array};
use tidelog_log::ids::{CircleId, UserId, WorkspaceId};
use tidelog_log::log::{Draft, Log, LogOptions, genesis};
use tidelog_log::storage::MemoryStorage;

use super::hlc::{EARLIEST_MS, HlcClock};
use super::materialise::{Materialiser, WorkspaceKeys};
use super::operation::OPERATIONS_BYTES_MAX;
use super::tables::ROWS_VERSION;
use super::*;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind};
use crate::keys::Secret;
use crate::keys::device::{DeviceKeys, RootKeys};
use crate::keys::epoch::NameKey;
use crate::keys::keyring::Keyring;
use crate::value::Value;

const NOW: u64 = EARLIEST_MS + 1_000_000;

/// The engine of a fresh workspace with one device.
fn engine(seed: u64) -> Arc<Engine> {
    engine_on(seed, &MemoryStorage::new())
}

/// The engine of a fresh workspace on a disk.
fn engine_on(seed: u64, storage: &MemoryStorage) -> Arc<Engine> {
    let random: Arc<SeededRandom> = Arc::new(SeededRandom::new(seed));
    let wall = Arc::new(ManualClock::new(NOW));
    let root = Arc::new(RootKeys::derive(&Secret::generate(&*random)));
    let name_key = NameKey::generate(&*random);
    let founding = Op::Genesis {
        root_pk: root.device(),
        root_kem_pk: root.kem().public(),
        name_commit: name_key.commit(),
        policy: Vec::new(),
    };
    let first = genesis(&*root, vec![founding]).expect("fits");
    let workspace = WorkspaceId(first.id().0);
    let keys = Arc::new(DeviceKeys::derive(&Secret::generate(&*random), &workspace, &random_array(&*random)));
    let keyring = Arc::new(RwLock::new(Keyring::new(workspace, keys.clone())));
    let clock = Arc::new(HlcClock::new(wall.clone()));
    let shared = Arc::new(Shared::default());
    let materialiser = Materialiser::new(
        WorkspaceKeys::new(Arc::clone(&keyring), Directory::new(workspace)),
        Arc::clone(&clock),
        random.clone(),
        Arc::clone(&shared),
    );
    let options = LogOptions {
        storage: Arc::new(storage.clone()),
        clock: wall.clone(),
        random: random.clone(),
        state_key: None,
        rows_version: ROWS_VERSION,
        apply: Some(Box::new(materialiser)),
        threaded: true,
    };
    let log = Log::create(options, workspace).expect("creates");
    let engine = Engine::new(log, keys, keyring, (wall, clock), random.clone(), shared);
    engine.log.receive_blocking(vec![first]).expect("takes its genesis");
    let user = user_id(&workspace, &engine.device());
    let cert = engine.certificate(user);
    let add = Op::AddUser { user, role: Role::Owner, certs: vec![cert] };
    engine.log.commit_blocking(vec![Draft::directory(root, vec![add])]).expect("adds the device");
    let epoch =
        Keyring::first_epoch(&name_key, &engine.log.directory(), &*random).expect("makes the first key");
    engine.log.commit_blocking(vec![Draft::directory(engine.signer(), vec![epoch])]).expect("publishes it");
    Arc::new(engine)
}

fn database() -> Database {
    Database::new(engine(1), CircleId::WORKSPACE, "main")
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Todo {
    #[serde(default)]
    id: String,
    title: String,
    #[serde(default)]
    done: bool,
}

fn todo(id: &str, title: &str) -> Todo {
    Todo { id: id.into(), title: title.into(), done: false }
}

fn json_value(text: &str) -> Value {
    Value::from_json(text).expect("valid")
}

fn kind<T: std::fmt::Debug>(result: crate::Result<T>) -> ErrorKind {
    result.expect_err("refused").kind()
}

#[tokio::test]
async fn an_item_lives_from_insert_to_delete() {
    let todos = database().collection::<Todo>("todos");
    let made = todos.insert(todo("", "Calibrate")).await.expect("inserts");
    assert_eq!(made.id.len(), 36);
    assert_eq!(made.id, made.id.to_lowercase());
    assert_eq!(todos.get(&made.id).expect("reads"), Some(made.clone()));
    todos.patch(&made.id, &json!({"done": true})).await.expect("patches");
    assert_eq!(todos.get(&made.id).expect("reads"), Some(Todo { done: true, ..made.clone() }));
    assert!(todos.delete(&made.id).await.expect("deletes"));
    assert!(!todos.delete(&made.id).await.expect("is gone"));
    assert_eq!(todos.get(&made.id).expect("reads"), None);
    assert_eq!(kind(todos.patch(&made.id, &json!({"done": true})).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_key_of_a_record_is_in_its_key_field() {
    let todos = database().collection::<Todo>("todos");
    todos.put("a", &todo("", "empty is filled")).await.expect("puts");
    assert_eq!(todos.get("a").expect("reads").expect("there").id, "a");
    todos.put_value(&todo("b", "says its key")).await.expect("puts");
    assert!(todos.get("b").expect("reads").is_some());
    assert_eq!(kind(todos.put("a", &todo("b", "another key")).await), ErrorKind::InvalidArgument);
    assert_eq!(kind(todos.put_value(&todo("", "no key")).await), ErrorKind::InvalidArgument);
    assert_eq!(kind(todos.insert(todo("a", "taken")).await), ErrorKind::AlreadyExists);
    assert_eq!(kind(todos.patch("a", &json!({"id": "c"})).await), ErrorKind::InvalidArgument);
    assert_eq!(kind(todos.put("", &todo("", "no key")).await), ErrorKind::InvalidArgument);
    let numbers = database().collection::<Value>("numbers");
    assert_eq!(kind(numbers.insert(Value::Int(1)).await), ErrorKind::InvalidArgument);
    let keyed = CollectionOptions::default().key_field(None);
    let numbers = database().collection_with::<Value>("numbers", keyed);
    numbers.insert(Value::Int(1)).await.expect("a key is made");
    assert_eq!(numbers.count(&Query::new()).expect("counts"), 1);
}

#[tokio::test]
async fn names_and_patches_that_make_no_sense_are_refused() {
    let engine = engine(1);
    for name in ["", "a\nb", &"n".repeat(NAME_BYTES_MAX + 1)] {
        let items = Database::new(Arc::clone(&engine), CircleId::WORKSPACE, name).collection::<Value>("c");
        assert_eq!(kind(items.put("k", &Value::Null).await), ErrorKind::InvalidArgument);
        let items = Database::new(Arc::clone(&engine), CircleId::WORKSPACE, "main").collection::<Value>(name);
        assert_eq!(kind(items.get("k")), ErrorKind::InvalidArgument);
    }
    let items = Database::new(engine, CircleId::WORKSPACE, "main").collection::<Value>("c");
    items.put("k", &Value::Int(1)).await.expect("puts");
    assert_eq!(kind(items.patch("k", &5).await), ErrorKind::InvalidArgument);
    assert_eq!(kind(items.patch("k", &json!({"a": 1})).await), ErrorKind::InvalidArgument);
    assert_eq!(kind(items.put("f", &Value::Float(f64::NAN)).await), ErrorKind::InvalidValue);
}

#[tokio::test]
async fn a_collection_keeps_its_policy() {
    let database = database();
    let documents = CollectionOptions::default().policy(Policy::Document);
    let as_lww = database.collection::<Value>("notes");
    let as_documents = database.collection_with::<Value>("notes", documents.clone());
    assert_eq!(as_documents.get("a").expect("nothing there yet"), None);
    as_lww.put("a", &Value::Int(1)).await.expect("puts");
    assert_eq!(kind(as_documents.put("a", &Value::Map([].into())).await), ErrorKind::PolicyConflict);
    assert_eq!(kind(as_documents.get("a")), ErrorKind::PolicyConflict);
    assert_eq!(kind(as_documents.query(&Query::new())), ErrorKind::PolicyConflict);
    assert_eq!(kind(as_lww.document("a")), ErrorKind::PolicyConflict);
    assert_eq!(database.collections().expect("reads"), [("notes".to_owned(), Policy::Lww)]);
}

#[tokio::test]
async fn own_items_are_apart_and_only_their_user_writes_them() {
    let todos = database().collection::<Value>("settings");
    let own = todos.own().expect("a member");
    own.put("k", &Value::Int(1)).await.expect("puts");
    assert_eq!(own.get("k").expect("reads"), Some(Value::Int(1)));
    assert_eq!(todos.get("k").expect("reads"), None);
    let stranger = todos.of(UserId([9; 16]));
    assert_eq!(stranger.get("k").expect("reads"), None);
    assert_eq!(kind(stranger.put("k", &Value::Int(2)).await), ErrorKind::NotAuthorized);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_concurrent_updates_lose_nothing_and_share_commits() {
    let database = database();
    let counters = database.collection::<Value>("counters");
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let counters = counters.clone();
        calls.spawn(async move {
            let add =
                |old: Option<Value>| Some(Value::Int(old.and_then(|old| old.as_int()).unwrap_or(0) + 1));
            match number % 2 {
                0 => counters.update("n", add).await.map(drop),
                _ => counters.update("m", add).await.map(drop),
            }
        });
    }
    while let Some(call) = calls.join_next().await {
        call.expect("joins").expect("updates");
    }
    for key in ["n", "m"] {
        assert_eq!(counters.get(key).expect("reads"), Some(Value::Int(500)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_edits_of_one_document_lose_nothing() {
    let options = CollectionOptions::default().policy(Policy::Document);
    let document = database().collection_with::<Value>("notes", options).document("a").expect("a document");
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let document = document.clone();
        calls.spawn(async move {
            document
                .change(|edit| {
                    edit.splice_text("text", 0, 0, "x")?;
                    edit.increment("n", 1)
                })
                .await
        });
    }
    while let Some(call) = calls.join_next().await {
        call.expect("joins").expect("edits");
    }
    assert_eq!(document.text("text").expect("reads").expect("there").len(), 200);
    assert_eq!(document.get("n").expect("reads"), Some(Value::Int(200)));
    assert_eq!(document.history().expect("reads").len(), 200);
}

#[tokio::test]
async fn documents_are_items_too() {
    let options = CollectionOptions::default().policy(Policy::Document);
    let todos = database().collection_with::<Todo>("todos", options);
    let made = todos.insert(todo("", "Calibrate")).await.expect("inserts");
    let document = todos.document(&made.id).expect("a document");
    document.splice_text("title", 9, 0, " sensor").await.expect("splices");
    todos.patch(&made.id, &json!({"done": true})).await.expect("patches");
    let expected = Todo { title: "Calibrate sensor".into(), done: true, ..made.clone() };
    assert_eq!(todos.get(&made.id).expect("reads"), Some(expected.clone()));
    let query = Query::new().filter(&json!({"done": true})).expect("a filter");
    assert_eq!(todos.first(&query).expect("queries").expect("one").value, expected);
    assert!(todos.delete(&made.id).await.expect("deletes"));
    assert_eq!(todos.all().expect("reads"), []);
}

#[tokio::test]
async fn a_document_that_was_put_is_there_however_little_is_in_it() {
    let keyed = CollectionOptions::default().policy(Policy::Document).key_field(None);
    let items = database().collection_with::<Value>("items", keyed);
    for text in ["{}", r#"{"a": 1}"#] {
        let value = Value::from_json(text).expect("valid");
        items.put("k", &value).await.expect("puts");
        assert_eq!(items.get("k").expect("reads"), Some(value.clone()));
        assert!(items.delete("k").await.expect("deletes"));
        assert_eq!(items.get("k").expect("reads"), None);
        items.put("k", &value).await.expect("puts it again");
        assert_eq!(items.get("k").expect("reads"), Some(value));
    }
}

#[tokio::test]
async fn a_failed_edit_changes_nothing() {
    let options = CollectionOptions::default().policy(Policy::Document);
    let document = database().collection_with::<Value>("notes", options).document("a").expect("a document");
    document.set("n", &Value::Int(1)).await.expect("sets");
    let failed = document
        .change(|edit| {
            edit.set("n", &Value::Int(2))?;
            Err::<(), _>(Error::new(ErrorKind::InvalidArgument, "changed my mind"))
        })
        .await;
    assert_eq!(kind(failed), ErrorKind::InvalidArgument);
    assert_eq!(document.get("n").expect("reads"), Some(Value::Int(1)));
    document.set("m", &Value::Int(3)).await.expect("goes on");
    assert_eq!(
        document.get("").expect("reads"),
        Some(Value::from_json(r#"{"m": 3, "n": 1}"#).expect("valid"))
    );
}

#[tokio::test]
async fn a_transaction_is_one_entry_and_reads_its_own_writes() {
    let database = database();
    let todos = database.collection::<Todo>("todos");
    todos.put("a", &todo("a", "first")).await.expect("puts");
    let before = database.log().entry_ids().expect("reads").len();
    let mut transaction = database.transaction();
    let mut view = transaction.collection::<Todo>("todos");
    view.patch("a", &json!({"done": true})).expect("is there");
    assert!(view.get("a").expect("reads").expect("there").done);
    assert!(view.delete("a").expect("is there"));
    assert_eq!(view.get("a").expect("reads"), None);
    assert_eq!(kind(view.patch("a", &json!({"done": true}))), ErrorKind::NotFound);
    let made = view.insert(todo("", "second")).expect("inserts");
    transaction.collection::<Value>("log").put("1", &"done".into()).expect("puts");
    assert_eq!(todos.count(&Query::new()).expect("counts"), 1, "nothing is written yet");
    assert!(transaction.commit().await.expect("commits").is_some());
    assert_eq!(todos.get("a").expect("reads"), None);
    assert_eq!(todos.get(&made.id).expect("reads"), Some(made));
    assert_eq!(database.collection::<Value>("log").get("1").expect("reads"), Some("done".into()));
    assert_eq!(database.log().entry_ids().expect("reads").len(), before + 1);
    assert_eq!(database.transaction().commit().await.expect("nothing to do"), None);
}

#[tokio::test]
async fn a_transaction_that_fails_writes_nothing() {
    let database = database();
    let items = database.collection::<Value>("items");
    items.put("gone", &Value::Map([].into())).await.expect("puts");
    let mut transaction = database.transaction();
    transaction.collection::<Value>("items").put("a", &Value::Int(1)).expect("puts");
    transaction.collection::<Value>("items").patch("gone", &json!({"x": 1})).expect("is there");
    items.delete("gone").await.expect("deletes");
    assert_eq!(kind(transaction.commit().await), ErrorKind::NotFound);
    assert_eq!(items.get("a").expect("reads"), None);
}

#[tokio::test]
async fn one_entry_holds_a_mebibyte_and_put_many_splits() {
    let items = database().collection::<Value>("items");
    let blob = |length: usize| Value::Bytes(vec![7; length]);
    // Heads of the group, of the operation and of the value.
    let room = OPERATIONS_BYTES_MAX - 64;
    items.put("fits", &blob(room)).await.expect("fits");
    assert_eq!(kind(items.put("large", &blob(OPERATIONS_BYTES_MAX)).await), ErrorKind::TooLarge);
    let keyed = CollectionOptions::default().key_field(None);
    let items = database().collection_with::<Value>("items", keyed);
    let many = (0..10).map(|number| (Some(format!("k{number}")), blob(300_000)));
    let summary = items.put_many(many).await.expect("puts");
    assert_eq!(summary, Summary { items: 10, entries: 4 });
    assert_eq!(items.count(&Query::new()).expect("counts"), 10);
    let mixed = [(None, Value::Int(1)), (None, blob(OPERATIONS_BYTES_MAX))];
    let error = items.put_many(mixed).await.expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("the 1 items before are written"), "{error}");
}

#[tokio::test]
async fn history_lists_who_did_what_oldest_first() {
    let items = database().collection::<Value>("items");
    items.put("a", &Value::Int(1)).await.expect("puts");
    items.put("ab", &Value::Int(9)).await.expect("puts");
    items.put("a", &Value::Int(2)).await.expect("puts");
    items.delete("a").await.expect("deletes");
    let history = items.history("a").expect("reads");
    let shown: Vec<_> = history.iter().map(|version| (version.kind, version.value.clone())).collect();
    assert_eq!(
        shown,
        [
            (VersionKind::Put, Some(Value::Int(1))),
            (VersionKind::Put, Some(Value::Int(2))),
            (VersionKind::Delete, None)
        ]
    );
    assert!(history.iter().all(|version| version.local && version.user.is_some() && version.hlc_ms == NOW));
}

#[tokio::test]
async fn changes_come_once_for_each_item_strictly_after_the_cursor() {
    let database = database();
    let items = database.collection::<Value>("items");
    for key in ["a", "b", "c"] {
        items.put(key, &Value::Int(1)).await.expect("puts");
    }
    let log = database.log();
    let keys = |changes: &Changes| {
        changes.items.iter().map(|change| (change.key.clone(), change.kind)).collect::<Vec<_>>()
    };
    let first = log.changes_since(None, 2).expect("reads");
    assert_eq!(keys(&first), [("a".into(), ChangeKind::Put), ("b".into(), ChangeKind::Put)]);
    let second = log.changes_since(Some(&first.cursor), 10).expect("reads");
    assert_eq!(keys(&second), [("c".into(), ChangeKind::Put)]);
    let end = log.changes_since(Some(&second.cursor), 10).expect("reads");
    assert_eq!((end.items.len(), &end.cursor), (0, &second.cursor));
    items.delete("a").await.expect("deletes");
    items.put("b", &Value::Int(2)).await.expect("puts");
    let third = log.changes_since(Some(&second.cursor), 10).expect("reads");
    assert_eq!(keys(&third), [("a".into(), ChangeKind::Delete), ("b".into(), ChangeKind::Put)]);
    let all = log.changes_since(None, CHANGES_MAX + 1).expect("reads");
    assert_eq!(all.items.len(), 3);
    let rebuilt = format!("{}.3", "0".repeat(32));
    assert_eq!(log.changes_since(Some(&rebuilt), 10).expect("starts again").items.len(), 3);
    for nonsense in ["", "x", "12", "zz.1", &"0".repeat(40)] {
        assert_eq!(kind(log.changes_since(Some(nonsense), 1)), ErrorKind::InvalidArgument);
    }
}

#[tokio::test]
async fn entries_are_exchanged_by_id() {
    let database = database();
    database.collection::<Value>("items").put("a", &Value::Int(1)).await.expect("puts");
    let log = database.log();
    let ids = log.entry_ids().expect("reads");
    assert_eq!(ids.len(), 1);
    let unknown = tidelog_log::ids::EntryId([7; 32]);
    assert_eq!(log.missing(&[ids[0], unknown]).expect("reads"), [unknown]);
    let entries = log.entries(&[ids[0], unknown]).expect("reads");
    assert_eq!(entries[1], None);
    let bytes = entries[0].clone().expect("held");
    assert!(!log.append(&bytes).expect("known"), "not new");
    let mut flipped = bytes;
    flipped[300] ^= 1;
    assert_eq!(kind(log.append(&flipped)), ErrorKind::InvalidArgument);
    let other = Database::new(engine(2), CircleId::WORKSPACE, "main").log();
    assert_eq!(kind(log.pull_from(&other)), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn a_watch_gives_the_current_state_and_then_every_change() {
    let items = database().collection::<Value>("items");
    items.put("a", &Value::Int(1)).await.expect("puts");
    let mut watch = items.watch(None, true).expect("watches");
    let mut one = items.watch(Some("b"), false).expect("watches");
    items.put("b", &Value::Int(2)).await.expect("puts");
    items.delete("a").await.expect("deletes");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let Some(Notice::Event(event)) = watch.next().await else { panic!("an event") };
        assert_eq!(event.database.as_deref(), Some("main"));
        assert!(event.local);
        seen.push((event.kind, event.key, event.old, event.new));
    }
    assert_eq!(
        seen,
        [
            (EventKind::Current, "a".into(), None, Some(Value::Int(1))),
            (EventKind::Put, "b".into(), None, Some(Value::Int(2))),
            (EventKind::Delete, "a".into(), Some(Value::Int(1)), None),
        ]
    );
    let Some(Notice::Event(event)) = one.next().await else { panic!("an event") };
    assert_eq!(event.key, "b");
    assert_eq!((watch.next_now(), one.next_now()), (None, None));
}

#[tokio::test]
async fn a_live_list_is_emitted_again_when_its_result_changes_and_only_then() {
    let database = database();
    let items = database.collection::<Value>("items");
    let query = Query::new().filter(&json!({"n": {"ge": 2}})).expect("a filter").sort(["-n"]).limit(2);
    let mut live = items.live(&query).expect("queries");
    assert_eq!(live.current(), []);
    let numbers = |items: &[Item<Value>]| {
        items.iter().map(|item| item.value.get("n").and_then(Value::as_int)).collect::<Vec<_>>()
    };
    items.put("a", &Value::from_json(r#"{"n": 1}"#).expect("valid")).await.expect("puts");
    items.put("b", &Value::from_json(r#"{"n": 2}"#).expect("valid")).await.expect("puts");
    assert_eq!(numbers(live.next().await.expect("queries").expect("open")), [Some(2)]);
    for (key, number) in [("c", 3), ("d", 4), ("e", 2)] {
        let value = Value::Map([("n".to_owned(), Value::Int(number))].into());
        items.put(key, &value).await.expect("puts");
    }
    assert_eq!(numbers(live.next().await.expect("queries").expect("open")), [Some(4), Some(3)]);
    database.engine.close();
    assert!(live.next().await.expect("ends").is_none());
}

#[tokio::test]
async fn every_database_written_to_is_in_the_catalogue() {
    let engine = engine(1);
    for name in ["chat/room-7", "main"] {
        let database = Database::new(Arc::clone(&engine), CircleId::WORKSPACE, name);
        assert_eq!(database.collections().expect("reads"), []);
        database.collection::<Value>("c").put("k", &Value::Null).await.expect("puts");
    }
    assert_eq!(Database::names(&engine, &CircleId::WORKSPACE).expect("reads"), ["chat/room-7", "main"]);
    let about =
        Database::catalogue(Arc::clone(&engine), CircleId::WORKSPACE).collection::<Value>("workspace");
    about.put("name", &"Notes".into()).await.expect("puts");
    assert_eq!(Database::names(&engine, &CircleId::WORKSPACE).expect("reads").len(), 2);
}

#[tokio::test]
async fn after_shutdown_every_call_says_closed() {
    let database = database();
    let items = database.collection::<Value>("items");
    items.put("k", &Value::Null).await.expect("puts");
    database.engine.close();
    assert_eq!(kind(items.put("k", &Value::Null).await), ErrorKind::Closed);
    assert_eq!(kind(items.get("k")), ErrorKind::Closed);
}

#[tokio::test]
async fn an_item_of_another_type_is_left_out_of_what_is_typed_and_hides_no_other() {
    let database = database();
    let (raw, todos) = (database.collection::<Value>("todos"), database.collection::<Todo>("todos"));
    let fits = todos.insert(todo("", "fits")).await.expect("inserts");
    let mut live = todos.live(&Query::new()).expect("queries");
    raw.put("odd", &Value::Int(1)).await.expect("puts");
    assert_eq!(todos.all().expect("reads").len(), 1);
    assert_eq!(todos.get("odd").expect("reads"), None);
    assert_eq!(todos.get_raw("odd").expect("reads"), Some(Value::Int(1)));
    assert_eq!(todos.get_raw("none").expect("reads"), None);
    assert_eq!(todos.live(&Query::new()).expect("queries").current().len(), 1);
    raw.delete(&fits.id).await.expect("deletes");
    assert!(live.next().await.expect("reads").expect("open").is_empty(), "the first change to the result");
    todos.update("odd", |odd| odd.is_none().then(|| todo("odd", "mended"))).await.expect("updates");
    assert_eq!(live.next().await.expect("reads").expect("open").len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn queries_over_the_tables_give_what_queries_over_memory_give(
        numbers in proptest::collection::btree_map("[a-d]{1,2}", 0i64..6, 0..12),
        at_least in 0i64..6,
        limit in 1usize..5,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
        runtime.block_on(async {
            let keyed = CollectionOptions::default().key_field(None);
            let items = database().collection_with::<Value>("items", keyed);
            let value = |number: &i64| Value::Map([("n".to_owned(), Value::Int(*number))].into());
            let all = numbers.iter().map(|(key, number)| (Some(key.clone()), value(number)));
            items.put_many(all).await.expect("puts");
            let filter = json!({"n": {"ge": at_least}});
            let query = Query::new().filter(&filter).expect("a filter").sort(["-n"]).limit(limit);
            let mut expected: Vec<_> = numbers.iter().filter(|(_, number)| **number >= at_least).collect();
            expected.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
            let found = items.query(&query).expect("queries");
            let keys: Vec<_> = found.into_iter().map(|item| item.key).collect();
            let wanted: Vec<_> = expected.iter().take(limit).map(|(key, _)| (*key).clone()).collect();
            assert_eq!(keys, wanted);
            assert_eq!(items.count(&query).expect("counts"), expected.len());
        });
    }
}
