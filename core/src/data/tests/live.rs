//! Live lists: whatever happens, they are what their query gives.

use super::*;

/// One step: which item, and what becomes of it.
type Step = (u8, Option<i64>);

fn steps() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let step = (0u8..8, proptest::option::weighted(0.7, 0i64..6));
    proptest::collection::vec(proptest::collection::vec(step, 1..4), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_live_list_is_what_its_query_gives_after_any_change(
        steps in steps(),
        document: bool,
        limit in proptest::option::of(1usize..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
        runtime.block_on(async {
            let database = database();
            let policy = if document { Policy::Document } else { Policy::Lww };
            let options = CollectionOptions::default().policy(policy).key_field(None);
            let items: Collection<Value> = database.collection_with("items", options);
            let mut query = Query::new().filter(&json!({"n": {"ge": 2}})).expect("valid").sort(["-n"]);
            query.limit = limit;
            let mut live = items.live(&query).expect("starts");
            let mut shown = items.query(&query).expect("reads");
            for group in steps {
                for (key, number) in group {
                    let key = format!("k{key}");
                    match number {
                        Some(n) => items.put(&key, &json_value(&format!(r#"{{"n": {n}}}"#))).await.expect("puts"),
                        None => drop(items.delete(&key).await.expect("deletes")),
                    }
                }
                let expected = items.query(&query).expect("reads");
                if expected != shown {
                    let now = live.next().await.expect("reads").expect("goes on");
                    assert_eq!(now, expected);
                    shown = expected;
                }
            }
        });
    }
}
