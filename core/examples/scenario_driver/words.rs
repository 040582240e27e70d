//! Between JSON and Rust: fields that are given, answers that are told.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::Mutex;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value as Json;
use serde_json::ser::{Formatter, Serializer};
use tidelog::{Item, Result, Value, from_value};

/// What was last told of a progress.
static TOLD: Mutex<(u64, u64)> = Mutex::new((0, 0));

/// Writes bytes as the words have them.
struct Words;

impl Formatter for Words {
    fn write_byte_array<W: ?Sized + Write>(&mut self, to: &mut W, bytes: &[u8]) -> io::Result<()> {
        to.write_all(Value::Bytes(bytes.to_vec()).to_json().expect("bytes are JSON").as_bytes())
    }
}

/// Any record as an answer.
pub(crate) fn ok(answer: impl Serialize) -> Result<Json> {
    let mut text = Vec::new();
    answer.serialize(&mut Serializer::with_formatter(&mut text, Words)).expect("answers are JSON");
    Ok(serde_json::from_slice(&text).expect("JSON"))
}

/// An item: with a key field the value alone.
pub(crate) fn item(c: &Json, found: &Item<Value>) -> Result<Json> {
    if c["key_field"].is_null() { ok(found) } else { ok(&found.value) }
}

pub(crate) fn items(c: &Json, found: &[Item<Value>]) -> Result<Json> {
    found.iter().map(|found| item(c, found)).collect()
}

/// A field, or the options that a command has, as what the package takes.
pub(crate) fn given<T: DeserializeOwned>(field: &Json) -> Result<T> {
    from_value(Value::from_json(&field.to_string())?)
}

/// A field that is bytes.
pub(crate) fn bytes(field: &Json) -> Result<Vec<u8>> {
    Ok(given::<Value>(field)?.as_bytes().expect("scenarios give bytes").to_vec())
}

/// A field that is text; empty if it is missing.
pub(crate) fn text<'c>(c: &'c Json, field: &str) -> &'c str {
    c[field].as_str().unwrap_or_default()
}

pub(crate) fn tell(done: u64, total: u64) -> ControlFlow<()> {
    *TOLD.lock().expect("no panic") = (done, total);
    ControlFlow::Continue(())
}

/// A report with the last progress that was told.
pub(crate) fn measured(report: impl Serialize) -> Result<Json> {
    let (mut answer, (done, total)) = (ok(report)?, *TOLD.lock().expect("no panic"));
    (answer["done"], answer["total"]) = (done.into(), total.into());
    Ok(answer)
}
