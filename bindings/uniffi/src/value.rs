//! Application data: one tree, written to and read from the buffer of its call.

use std::collections::BTreeMap;

use tidelog_api::Value;

type Fields = BTreeMap<String, Value>;

/// One field of a map. Maps cross as lists of fields, in order: nobody hashes names on the way, and no
/// host takes two names for one that are equal only after normalisation, as Swift's dictionaries do.
#[derive(uniffi::Record)]
pub struct Field {
    /// Its name; no other field of the map has it.
    pub name: String,
    /// What it holds.
    pub value: Value,
}

uniffi::custom_type!(Fields, Vec<Field>, {
    remote,
    lower: |fields| fields.into_iter().map(|(name, value)| Field { name, value }).collect(),
    try_lift: |fields| Ok(fields.into_iter().map(|field| (field.name, field.value)).collect()),
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
