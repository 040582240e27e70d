//! Application data: one tree, written to and read from the buffer of its call.

use std::collections::{BTreeMap, HashMap};

use tidelog_api::Value;

type Fields = BTreeMap<String, Value>;

uniffi::custom_type!(Fields, HashMap<String, Value>, {
    remote,
    lower: |fields| fields.into_iter().collect(),
    try_lift: |fields| Ok(fields.into_iter().collect()),
});

#[uniffi::remote(Enum)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Value>),
    Map(Fields),
}
