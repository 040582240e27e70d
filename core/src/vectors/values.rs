//! `values.json`: values as JSON text, their one CBOR encoding, and what is refused.

use serde_json::json;

use super::hex;
use crate::value::{DEPTH_MAX, Value, cbor};

/// JSON text that differs from the canonical text of the same value has both in the file.
const VALUES: &[(&str, &str)] = &[
    ("null", "null"),
    ("false", "false"),
    ("true", "true"),
    ("zero", "0"),
    ("negative zero is zero", "-0.0"),
    ("integral float is an integer", "1.0"),
    ("integral float with exponent is an integer", "1e3"),
    ("largest one-byte integer", "23"),
    ("smallest two-byte integer", "24"),
    ("two bytes", "255"),
    ("three bytes", "256"),
    ("five bytes", "65536"),
    ("nine bytes", "4294967296"),
    ("minus one", "-1"),
    ("minus 25", "-25"),
    ("largest safe integer", "9007199254740991"),
    ("largest safe integer as a float", "9007199254740991.0"),
    ("smallest safe integer as a float", "-9007199254740991.0"),
    ("2^53 as an integer", "9007199254740992"),
    ("2^53 as a float stays a float", "9007199254740992.0"),
    ("2^53 + 1", "9007199254740993"),
    ("int64 maximum", "9223372036854775807"),
    ("int64 minimum", "-9223372036854775808"),
    ("2^63 is a float", "9223372036854775808"),
    ("half precision", "1.5"),
    ("half precision, subnormal", "5.960464477539063e-8"),
    ("half precision, largest that is not integral", "1023.5"),
    ("single precision", "0.10000000149011612"),
    ("single precision, smallest", "1.401298464324817e-45"),
    ("double precision", "0.1"),
    ("double precision, large", "1e300"),
    ("double precision, smallest", "5e-324"),
    ("double precision, largest", "1.7976931348623157e308"),
    ("empty text", "\"\""),
    ("escapes", r#""tab\tquote\"backslash\\null\u0000""#),
    ("accents, composed and not, are kept apart", r#"["\u00e9", "e\u0301"]"#),
    ("emoji beyond the basic plane", r#""\ud83c\udf0a wave""#),
    ("empty bytes", r#"{"$bytes":""}"#),
    ("bytes", r#"{"$bytes":"AP/+"}"#),
    ("empty list", "[]"),
    ("list of 24", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24]"),
    ("empty map", "{}"),
    ("map keys sort by length, then bytes", r#"{"b":1,"aa":2,"a":3,"\u00e9":4,"Z":5}"#),
    ("nested", r#"{"list":[{"deep":[null,{"x":-1.5}]}],"map":{"a":{"b":{}}}}"#),
    ("a map that looks like bytes", r#"{"$value":{"$bytes":"AP/+"}}"#),
    ("a map that looks like an escape", r#"{"$value":{"$value":1}}"#),
    ("a marker with company is a map", r#"{"$bytes":"AP/+","x":1}"#),
    ("a marker around something else is a map", r#"{"$bytes":1}"#),
];

const REFUSED_CBOR: &[(&str, &str)] = &[
    ("nothing", ""),
    ("two values", "f6f6"),
    ("integer not shortest", "1817"),
    ("length not shortest", "7801ff"),
    ("unsigned beyond int64", "1b8000000000000000"),
    ("negative beyond int64", "3b8000000000000000"),
    ("integral float", "f93c00"),
    ("negative zero", "f98000"),
    ("float not shortest", "fa3fc00000"),
    ("double not shortest", "fb3ff8000000000000"),
    ("NaN", "f97e00"),
    ("infinity", "f97c00"),
    ("minus infinity as a double", "fbfff0000000000000"),
    ("undefined", "f7"),
    ("other simple value", "f8ff"),
    ("tag", "c000"),
    ("indefinite list", "9fff"),
    ("indefinite text", "7f61617fff"),
    ("reserved length", "1c"),
    ("truncated text", "6261"),
    ("text that is not UTF-8", "61ff"),
    ("list longer than the input", "9bffffffffffffffff"),
    ("bytes longer than the input", "5bffffffffffffffff"),
    ("map key that is no text", "a10102"),
    ("map keys not sorted", "a2616201616102"),
    ("longer key first", "a262616101616202"),
    ("map key twice", "a2616101616102"),
];

const REFUSED_JSON: &[(&str, &str)] = &[
    ("nothing", ""),
    ("two values", "1 2"),
    ("integer beyond int64 that no double keeps", "9223372036854775809"),
    ("number beyond doubles", "1e400"),
    ("NaN", "NaN"),
    ("lone surrogate", r#""\ud800""#),
    ("key twice", r#"{"a":1,"a":1}"#),
    ("bytes that are no base64", r#"{"$bytes":"A"}"#),
    ("bytes in base64 without padding", r#"{"$bytes":"AP8"}"#),
];

/// Ascending; neighbours in one inner list are equal.
const ORDER: &[&[&str]] = &[
    &["null"],
    &["false"],
    &["true"],
    &["-1e300"],
    &["-9223372036854775808", "-9223372036854775808.0"],
    &["-1.5"],
    &["-1", "-1.0"],
    &["0", "-0.0"],
    &["0.5"],
    &["9007199254740992", "9007199254740992.0"],
    &["9007199254740993"],
    &["9223372036854775807"],
    &["9223372036854775808"],
    &[r#""""#],
    &[r#""B""#],
    &[r#""a""#],
    &[r#""aa""#],
    &[r#""b""#],
    &[r#""\uffff""#],
    &[r#""\ud83c\udf0a""#],
    &[r#"{"$bytes":""}"#],
    &[r#"{"$bytes":"AA=="}"#],
    &["[]"],
    &["[1]"],
    &["[1,0]"],
    &["[2]"],
    &["{}"],
    &[r#"{"a":2}"#],
    &[r#"{"a":2,"b":0}"#],
    &[r#"{"b":1}"#],
];

#[test]
fn values_have_their_published_forms() {
    let values: Vec<_> = VALUES
        .iter()
        .map(|(name, text)| {
            let value = Value::from_json(text).expect(name);
            let bytes = cbor::encode(&value).expect(name);
            assert_eq!(cbor::decode(&bytes).as_ref(), Ok(&value), "{name}");
            let canonical = value.to_json().expect(name);
            assert_eq!(Value::from_json(&canonical).as_ref().ok(), Some(&value), "{name}");
            json!({ "name": name, "json": text, "canonical": canonical, "cbor": hex(bytes) })
        })
        .collect();
    let refused_cbor: Vec<_> = REFUSED_CBOR
        .iter()
        .map(|(name, text)| {
            let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).expect(name);
            assert!(cbor::decode(&bytes).is_err(), "{name}");
            json!({ "name": name, "cbor": text })
        })
        .collect();
    let refused_json: Vec<_> = REFUSED_JSON
        .iter()
        .map(|(name, text)| {
            assert!(Value::from_json(text).is_err(), "{name}");
            json!({ "name": name, "json": text })
        })
        .collect();
    super::golden(
        "values.json",
        &json!({
            "values": values,
            "refused_cbor": refused_cbor,
            "refused_json": refused_json,
            "order": ORDER,
            "depth_max": DEPTH_MAX,
        }),
    );
}

#[test]
fn values_have_their_published_order() {
    let order: Vec<Vec<Value>> = ORDER
        .iter()
        .map(|equals| equals.iter().map(|text| Value::from_json(text).expect(text)).collect())
        .collect();
    for (a, equal_to_a) in order.iter().enumerate() {
        for (b, equal_to_b) in order.iter().enumerate() {
            for (left, right) in
                equal_to_a.iter().flat_map(|left| equal_to_b.iter().map(move |right| (left, right)))
            {
                assert_eq!(left.cmp(right), a.cmp(&b), "{left:?} and {right:?}");
            }
        }
    }
}
