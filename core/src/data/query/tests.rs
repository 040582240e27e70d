use super::*;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// The vectors that every language runs: `tests/vectors/query.json` at the root of the repository.
fn vectors() -> Json {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/query.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("readable")).expect("valid JSON")
}

fn value(json: &Json) -> Value {
    Value::from_json(&json.to_string()).expect("storable")
}

fn query(json: &Json) -> Query {
    let texts = |name: &str| {
        json[name]
            .as_array()
            .map(|list| list.iter().map(|text| text.as_str().expect("text").to_owned()).collect::<Vec<_>>())
    };
    let number = |name: &str| json[name].as_u64().map(|number| usize::try_from(number).expect("small"));
    Query {
        filter: value(&json["where"]),
        sort: texts("sort").unwrap_or_default(),
        limit: number("limit"),
        offset: number("offset").unwrap_or_default(),
        cursor: None,
        ids: texts("ids"),
    }
}

fn run(query: &Query, items: &[(String, Value)]) -> Result<Page> {
    let plan = Plan::new(query)?;
    let mut sorted = items.to_vec();
    sorted.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
    let mut collector = Collector::new(&plan);
    for (key, value) in sorted {
        let before_start = plan.first_key().is_some_and(|first| key.as_str() < first);
        let stored = crate::value::cbor::encode(&value).expect("storable");
        let matches = plan.matches(&key, &value);
        assert_eq!(plan.matches_stored(&key, &stored), Ok(matches), "{query:?} of {value:?}");
        if !before_start && matches && collector.visit(&key, value).is_break() {
            break;
        }
    }
    Ok(collector.finish())
}

fn keys(page: &Page) -> Vec<String> {
    page.rows.iter().map(|row| row.key.clone()).collect()
}

#[test]
fn every_vector_gives_its_keys() {
    let vectors = vectors();
    let items: Vec<_> = vectors["items"]
        .as_object()
        .expect("items")
        .iter()
        .map(|(key, item)| (key.clone(), value(item)))
        .collect();
    for case in vectors["queries"].as_array().expect("queries") {
        let page = run(&query(case), &items).unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(json!(keys(&page)), case["keys"], "{case}");
    }
}

#[test]
fn every_refused_vector_says_what_is_wrong() {
    for case in vectors()["refused"].as_array().expect("refused") {
        let error = Plan::new(&query(case)).expect_err(&case.to_string());
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{case}");
        let says = case["says"].as_str().expect("says");
        assert!(error.to_string().contains(says), "{error}: expected `{says}`");
    }
}

fn items(numbers: &[(u8, i64)]) -> Vec<(String, Value)> {
    let map: std::collections::BTreeMap<_, _> = numbers
        .iter()
        .map(|(key, number)| (format!("k{key:03}"), value(&json!({"n": number, "even": number % 2 == 0}))))
        .collect();
    map.into_iter().collect()
}

proptest! {
    #[test]
    fn pages_joined_by_cursors_are_the_whole_result(
        numbers in proptest::collection::vec((any::<u8>(), -3i64..3), 0..60),
        limit in 1usize..7,
        sort in prop::sample::select(vec![vec![], vec!["n"], vec!["-n"], vec!["even", "-n"]]),
    ) {
        let items = items(&numbers);
        let all = Query::new().sort(sort);
        let whole = keys(&run(&all, &items).expect("valid"));
        let mut paged = Vec::new();
        let mut next = Some(all.clone().limit(limit));
        while let Some(query) = next {
            let page = run(&query, &items).expect("valid");
            paged.extend(keys(&page));
            next = page.cursor.map(|cursor| all.clone().limit(limit).cursor(cursor));
        }
        prop_assert_eq!(paged, whole);
    }

    #[test]
    fn limit_and_offset_cut_the_sorted_result(
        numbers in proptest::collection::vec((any::<u8>(), any::<i64>()), 0..200),
        limit in 0usize..10,
        offset in 0usize..10,
    ) {
        let items = items(&numbers);
        let all = Query::new().sort(["-n"]);
        let whole = keys(&run(&all, &items).expect("valid"));
        let cut: Vec<_> = whole.into_iter().skip(offset).take(limit).collect();
        prop_assert_eq!(keys(&run(&all.limit(limit).offset(offset), &items).expect("valid")), cut);
    }
}

#[test]
fn an_item_removed_between_pages_is_not_missed_nor_another_seen_twice() {
    let mut all = items(&[(0, 1), (1, 1), (2, 2), (3, 3)]);
    let first = run(&Query::new().sort(["n"]).limit(2), &all).expect("valid");
    assert_eq!(keys(&first), ["k000", "k001"]);
    all.retain(|(key, _)| key != "k001");
    let query = Query::new().sort(["n"]).limit(2).cursor(first.cursor.expect("more"));
    assert_eq!(keys(&run(&query, &all).expect("valid")), ["k002", "k003"]);
}

#[test]
fn a_cursor_of_another_sort_or_of_nothing_is_refused() {
    let all = items(&[(0, 1), (1, 2)]);
    let cursor = run(&Query::new().sort(["n"]).limit(1), &all).expect("valid").cursor.expect("more");
    assert!(Plan::new(&Query::new().sort(["n"]).cursor(cursor.clone())).is_ok());
    for query in [
        Query::new().sort(["-n"]).cursor(cursor.clone()),
        Query::new().cursor(cursor),
        Query::new().cursor("zz"),
        Query::new().cursor("0"),
        Query::new().cursor("00".repeat(CURSOR_MAX)),
    ] {
        assert_eq!(Plan::new(&query).expect_err("refused").kind(), ErrorKind::InvalidArgument);
    }
}

#[test]
fn sort_fields_and_ids_at_their_limits_are_taken_and_more_refused() {
    let sorted = |count: usize| Plan::new(&Query::new().sort(vec!["a"; count]));
    assert!(sorted(SORT_FIELDS_MAX).is_ok());
    assert!(sorted(SORT_FIELDS_MAX + 1).is_err());
    let named = |count: usize| Plan::new(&Query::new().ids((0..count).map(|id| id.to_string())));
    assert!(named(IDS_MAX).is_ok());
    assert!(named(IDS_MAX + 1).is_err());
}
