//! Claims about values, their order and their three forms.

use ::serde::{Deserialize, Serialize};
use proptest::prelude::*;

use super::*;

/// Any canonical value.
fn values() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        (-1000i64..1000).prop_map(Value::Int),
        any::<f64>().prop_filter_map("finite", |float| Value::float(float).ok()),
        any::<f32>().prop_filter_map("finite", |float| Value::float(float.into()).ok()),
        (-2000i32..2000).prop_map(|n| Value::float(f64::from(n) / 16.0).expect("finite")),
    ];
    let text = prop_oneof!["[a-c]{0,3}", "\\PC{0,12}", Just("$bytes".to_owned()), Just("$value".to_owned())];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number,
        text.clone().prop_map(Value::Text),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            proptest::collection::btree_map(text.clone(), inner, 0..6).prop_map(Value::Map),
        ]
    })
}

/// Lists nested so deep around null.
fn nested(depth: usize) -> Value {
    (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]))
}

proptest! {
    #[test]
    fn cbor_round_trips(value in values()) {
        let bytes = cbor::encode(&value)?;
        prop_assert_eq!(cbor::decode(&bytes)?, value);
    }

    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(value) = cbor::decode(&bytes) {
            prop_assert_eq!(cbor::encode(&value)?, bytes);
        }
    }

    #[test]
    fn damaged_cbor_decodes_to_its_own_bytes_or_not_at_all(value in values(), at: prop::sample::Index, byte: u8) {
        let mut bytes = cbor::encode(&value)?;
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(value) = cbor::decode(&bytes) {
            prop_assert_eq!(cbor::encode(&value)?, bytes);
        }
    }

    #[test]
    fn json_round_trips(value in values()) {
        let text = value.to_json()?;
        prop_assert_eq!(Value::from_json(&text)?, value);
    }

    #[test]
    fn serde_round_trips(value in values()) {
        prop_assert_eq!(&to_value(&value)?, &value);
        prop_assert_eq!(&from_value::<Value>(value.clone())?, &value);
    }

    #[test]
    fn the_order_is_total_and_agrees_with_equality(a in values(), b in values(), c in values()) {
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
        prop_assert_eq!(a.cmp(&a), Ordering::Equal);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }

    #[test]
    fn equal_values_within_the_safe_range_have_equal_bytes(int in -SAFE_INTEGER_MAX..=SAFE_INTEGER_MAX) {
        #[expect(clippy::cast_precision_loss, reason = "exact within the safe range")]
        let float = Value::Float(int as f64);
        prop_assert_eq!(&float, &Value::Int(int));
        prop_assert_eq!(cbor::encode(&float)?, cbor::encode(&Value::Int(int))?);
    }
}

#[test]
fn integers_and_floats_compare_exactly() {
    let two_53 = 9_007_199_254_740_992.0;
    assert!(Value::Int((1 << 53) + 1) > Value::Float(two_53));
    assert_eq!(Value::Int(1 << 53), Value::Float(two_53));
    assert!(Value::Int(i64::MAX) < Value::Float(9_223_372_036_854_775_808.0));
    assert_eq!(Value::Int(i64::MIN), Value::Float(-9_223_372_036_854_775_808.0));
    assert!(Value::Int(-1) > Value::Float(-1.5));
    assert!(Value::Int(1) < Value::Float(1.5));
    assert_eq!(Value::Int(0), Value::Float(-0.0));
}

#[test]
fn nan_and_infinities_are_refused_everywhere() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Value::float(number).map_err(|error| error.kind()), Err(ErrorKind::InvalidValue));
        assert_eq!(cbor::encode(&Value::Float(number)), Err(ValueError::NotFinite));
        assert!(to_value(&number).is_err());
        assert!(Value::List(vec![Value::Float(number)]).to_json().is_err());
    }
}

#[test]
fn nesting_is_taken_at_the_limit_and_refused_beyond() {
    let deepest = nested(DEPTH_MAX);
    let bytes = cbor::encode(&deepest).expect("at the limit");
    assert_eq!(cbor::decode(&bytes), Ok(deepest.clone()));
    assert_eq!(to_value(&deepest).expect("at the limit"), deepest);
    let text = deepest.to_json().expect("at the limit");
    assert_eq!(Value::from_json(&text).expect("at the limit"), deepest);

    assert_eq!(cbor::encode(&nested(DEPTH_MAX + 1)), Err(ValueError::TooDeep));
    assert_eq!(cbor::decode(&[&[0x81], &bytes[..]].concat()), Err(ValueError::TooDeep));
    assert!(to_value(&nested(DEPTH_MAX + 1)).is_err());
    assert!(Value::from_json(&format!("[{text}]")).is_err());
    assert!(from_value::<Value>(nested(DEPTH_MAX + 1)).is_err());
}

#[test]
fn escaped_json_survives_at_the_depth_limit() {
    let escaped = |inner| Value::Map(BTreeMap::from([("$value".to_owned(), inner)]));
    let value = (0..DEPTH_MAX).fold(Value::Bytes(vec![1]), |inner, _| escaped(inner));
    assert_eq!(Value::from_json(&value.to_json().expect("writes")).expect("reads"), value);
}

#[test]
fn a_length_that_lies_allocates_nothing() {
    for head in [0x5B, 0x7B, 0x9B, 0xBB] {
        let bytes = [&[head], &u64::MAX.to_be_bytes()[..]].concat();
        assert_eq!(cbor::decode(&bytes), Err(ValueError::Cbor("truncated")));
    }
}

#[test]
fn json_keeps_all_bits_of_an_integer_or_refuses_it() {
    assert_eq!(Value::from_json("9223372036854775807").expect("fits"), Value::Int(i64::MAX));
    assert_eq!(
        Value::from_json("9223372036854775808").expect("2^63 is a double"),
        Value::Float(2f64.powi(63))
    );
    assert!(Value::from_json("9223372036854775809").is_err());
    assert_eq!(Value::from_json("1.0").expect("reads"), Value::Int(1));
    assert!(Value::from_json("1e400").is_err());
}

#[test]
fn json_that_is_not_one_value_is_refused() {
    for text in ["", "{", "1 2", r#"{"a":1,"a":2}"#, r#"{"$bytes":"a"}"#, r#""\ud800""#, "NaN"] {
        assert!(Value::from_json(text).is_err(), "{text}");
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Line(i32, i32),
    Box { width: u32, label: Option<String> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Wrapper(u64);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Record {
    shapes: Vec<Shape>,
    wrapper: Wrapper,
    unit: Unit,
    nested: Option<Option<bool>>,
    missing: Option<i8>,
    letter: char,
    pair: (u8, String),
    by_number: BTreeMap<u16, f32>,
    by_flag: BTreeMap<bool, ()>,
    plain_bytes: Vec<u8>,
    big: i128,
}

fn record() -> Record {
    Record {
        shapes: vec![
            Shape::Nothing,
            Shape::Circle(2.0),
            Shape::Line(-1, 1),
            Shape::Box { width: 3, label: None },
        ],
        wrapper: Wrapper(u64::MAX >> 1),
        unit: Unit,
        nested: Some(Some(true)),
        missing: None,
        letter: 'x',
        pair: (255, "two".to_owned()),
        by_number: BTreeMap::from([(7, 0.5)]),
        by_flag: BTreeMap::from([(true, ())]),
        plain_bytes: vec![1, 2, 3],
        big: -5,
    }
}

#[test]
fn a_record_of_every_shape_round_trips() {
    let value = to_value(&record()).expect("a record");
    assert_eq!(value.get("shapes").and_then(Value::as_list).map(<[_]>::len), Some(4));
    assert_eq!(from_value::<Record>(value).expect("the record again"), record());
}

#[test]
fn integers_beyond_64_bits_with_sign_are_errors() {
    assert_eq!(to_value(&u64::MAX).map_err(|error| error.kind()), Err(ErrorKind::InvalidValue));
    assert!(to_value(&(u64::MAX / 2 + 1)).is_err());
    assert!(to_value(&i128::MAX).is_err());
    assert!(to_value(&u128::MAX).is_err());
    assert!(from_value::<u8>(Value::Int(256)).is_err());
    assert!(from_value::<u64>(Value::Int(-1)).is_err());
}

#[test]
fn integral_floats_read_back_into_float_fields() {
    assert_eq!(to_value(&2.0f64).expect("finite"), Value::Int(2));
    assert_eq!(from_value::<f64>(Value::Int(2)).map_err(|error| error.kind()), Ok(2.0));
}

#[test]
fn bytes_and_lists_of_numbers_read_into_plain_byte_vectors() {
    let list = Value::List(vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(to_value(&vec![1u8, 2]).expect("a list"), list);
    assert_eq!(from_value::<Vec<u8>>(list).expect("from a list"), [1, 2]);
    assert_eq!(from_value::<Vec<u8>>(Value::Bytes(vec![1, 2])).expect("from bytes"), [1, 2]);
    assert_eq!(from_value::<[u8; 2]>(Value::Bytes(vec![1, 2])).expect("from bytes"), [1, 2]);
    assert!(from_value::<[u8; 2]>(Value::Bytes(vec![1, 2, 3])).is_err());
}

#[test]
fn a_value_that_does_not_fit_the_type_says_so() {
    let error = from_value::<Shape>(Value::Int(1)).expect_err("not an enum");
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains("number"), "{error}");
    assert!(from_value::<Shape>(Value::Text("Circle".to_owned())).is_err());
    assert!(from_value::<Shape>(Value::Text("Other".to_owned())).is_err());
}

#[test]
fn serde_json_values_are_records_too() {
    let json = serde_json::json!({"a": [1, 2.5, null, "x"]});
    let value = to_value(&json).expect("a value");
    assert_eq!(from_value::<serde_json::Value>(value).expect("json"), json);
}
