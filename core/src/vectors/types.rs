//! `types.json`: how the types that JSON lacks are stored, for the encoders of every language.
//!
//! The engine sees text only; these vectors bind the packages of each language, and here the
//! Rust types that users bring.

use serde_json::{Value as Json, json};

use super::hex;
use crate::value::{Value, cbor, to_value};

const DAY_MS: i64 = 86_400_000;

/// The stored text of a date-time: RFC 3339, UTC, milliseconds.
fn date_time(unix_ms: i64) -> String {
    let (days, ms) = (unix_ms.div_euclid(DAY_MS), unix_ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// Year, month and day of a number of days since 1970-01-01, proleptic Gregorian.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year + i64::from(month <= 2), month, day)
}

fn stored(text: &str) -> Json {
    let value = Value::Text(text.to_owned());
    json!({ "json": value.to_json().expect("text"), "cbor": hex(cbor::encode(&value).expect("text")) })
}

#[test]
fn types_beyond_json_have_their_published_forms() {
    let date_times: Vec<_> = [
        (0, "1970-01-01T00:00:00.000Z"),
        (1, "1970-01-01T00:00:00.001Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (978_307_200_000, "2001-01-01T00:00:00.000Z"),
        (1_709_210_096_789, "2024-02-29T12:34:56.789Z"),
        (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
    ]
    .into_iter()
    .map(|(unix_ms, text)| {
        assert_eq!(date_time(unix_ms), text);
        json!({ "unix_ms": unix_ms, "text": text, "stored": stored(text) })
    })
    .collect();

    let offsets: Vec<_> = [
        ("2024-02-29T13:34:56.789+01:00", 1_709_210_096_789),
        ("2024-02-29T04:34:56.789-08:00", 1_709_210_096_789),
        ("1970-01-01T05:30:00+05:30", 0),
        ("2024-02-29T12:34:56.789999Z", 1_709_210_096_789),
    ]
    .into_iter()
    .map(|(given, unix_ms)| json!({ "given": given, "text": date_time(unix_ms) }))
    .collect();

    let uuids: Vec<_> = [
        "00000000-0000-0000-0000-000000000000",
        "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ]
    .into_iter()
    .map(|given| {
        let uuid: uuid::Uuid = given.parse().expect("a UUID");
        let text = uuid.to_string();
        assert_eq!(text, given.to_lowercase());
        json!({ "given": given, "text": text, "stored": stored(&text) })
    })
    .collect();

    let decimals: Vec<_> = ["0", "0.10", "-7", "19.99", "-0.001", "12345678901234567890.123456789"]
        .into_iter()
        .map(|text| json!({ "text": text, "stored": stored(text) }))
        .collect();

    let int64: Vec<_> = [i64::MIN, -(1 << 53), -1, 0, 1 << 53, (1 << 53) + 1, i64::MAX]
        .into_iter()
        .map(|number| {
            let value = to_value(&number).expect("an integer");
            json!({ "text": number.to_string(), "cbor": hex(cbor::encode(&value).expect("an integer")) })
        })
        .collect();

    let bytes: Vec<_> = [&[][..], &[0], &[0, 255], &[0, 255, 254], b"tide"]
        .into_iter()
        .map(|bytes| {
            let value = Value::Bytes(bytes.to_vec());
            let json = value.to_json().expect("bytes");
            json!({ "hex": hex(bytes), "json": json, "cbor": hex(cbor::encode(&value).expect("bytes")) })
        })
        .collect();

    super::golden(
        "types.json",
        &json!({
            "date_times": date_times,
            "date_times_given_otherwise": offsets,
            "uuids": uuids,
            "decimals": decimals,
            "int64": int64,
            "bytes": bytes,
        }),
    );
}
