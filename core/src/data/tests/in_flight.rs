//! Writes that are on their way while others are made, and what becomes of them if one fails.

use futures_util::FutureExt as _;
use tidelog_log::entry::CONTEXT_LEN;
use tidelog_log::ids::{KeyId, StreamId};

use super::*;

/// A draft whose turn takes until it is told to go on; the first channel says that it has begun.
fn stopper(engine: &Engine) -> (Draft, std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>) {
    let (begun, has_begun) = std::sync::mpsc::channel();
    let (go_on, goes_on) = std::sync::mpsc::channel::<()>();
    let seal = move |_: &[u8; CONTEXT_LEN]| {
        begun.send(()).expect("somebody waits");
        goes_on.recv().expect("somebody says so");
        vec![0; 100]
    };
    let draft = Draft::data(engine.signer(), StreamId([9; 16]), KeyId([9; 16]), 100, Box::new(seal));
    (draft, has_begun, go_on)
}

#[tokio::test]
async fn edits_in_flight_fail_with_the_one_they_rest_on() {
    let storage = MemoryStorage::new();
    let engine = engine_on(1, &storage);
    let database = Database::new(Arc::clone(&engine), CircleId::WORKSPACE, "main");
    let options = CollectionOptions::default().policy(Policy::Document);
    let pages: Collection<Value> = database.collection_with("pages", options);
    let (one, other) = (pages.document("one").expect("a key"), pages.document("other").expect("a key"));
    one.set("n", &Value::Int(1)).await.expect("writes");
    other.set("n", &Value::Int(1)).await.expect("writes");

    // The writer is busy until the first edit is queued behind a draft that stops it again, so that the
    // two are one group and all later edits another.
    let (busy, has_begun, go_on) = stopper(&engine);
    engine.log.commit(vec![busy], Box::new(drop));
    has_begun.recv().expect("begins");
    let (stop, has_begun_too, go_on_too) = stopper(&engine);
    engine.log.commit(vec![stop], Box::new(drop));
    // Digits without a pattern, so that compression cannot make room for them.
    let digit = |state: &mut u64| {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from_digit(u32::try_from(*state >> 60).expect("four bits"), 16)
    };
    let mut state = 1;
    let large = Value::Text((0..900_000).filter_map(|_| digit(&mut state)).collect());
    let mut first = Box::pin(one.set("large", &large));
    assert!((&mut first).now_or_never().is_none(), "is on its way");
    go_on.send(()).expect("waits");
    has_begun_too.recv().expect("begins");
    storage.set_capacity(Some(storage.used() + 100_000));
    let mut transaction = database.transaction();
    let options = CollectionOptions::default().policy(Policy::Document);
    let mut both = transaction.collection_with::<Value>("pages", options);
    both.patch("one", &json!({"n": 2})).expect("is there");
    both.patch("other", &json!({"n": 2})).expect("is there");
    let mut second = Box::pin(transaction.commit());
    assert!((&mut second).now_or_never().is_none(), "is on its way");
    let mut third = Box::pin(other.set("m", &Value::Int(3)));
    assert!((&mut third).now_or_never().is_none(), "is on its way");
    let (items, value) = (database.collection::<Value>("items"), json_value(r#"{"a": 1}"#));
    let mut apart = Box::pin(items.put("k", &value));
    assert!((&mut apart).now_or_never().is_none(), "is on its way");
    go_on_too.send(()).expect("waits");

    assert_eq!(kind(first.await), ErrorKind::DiskFull);
    assert_eq!(kind(second.await), ErrorKind::DiskFull, "rests on the first");
    assert_eq!(kind(third.await), ErrorKind::DiskFull, "rests on the second");
    apart.await.expect("rests on none of them");
    storage.set_capacity(None);
    for document in [&one, &other] {
        assert_eq!(document.get("").expect("reads"), Some(json_value(r#"{"n": 1}"#)));
        document.set("after", &Value::Bool(true)).await.expect("goes on");
        assert_eq!(document.heads().expect("reads").len(), 1);
    }
    let waiting = tables::values(&engine.view().expect("view"), tables::DOCUMENT_WAITING, &[]);
    assert!(waiting.expect("reads").is_empty(), "nothing waits for what never comes");
}
