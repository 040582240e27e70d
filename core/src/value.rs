//! Values: what an application stores, the same in every language.
//!
//! A value is JSON plus bytes and 64-bit integers. Numbers are canonical: an integral number
//! within +-(2^53 - 1) is an integer, whichever type wrote it, and -0.0 is 0; NaN and infinities
//! are refused. So equal values have equal bytes, whatever language wrote them.
//!
//! * [`cbor`] is the stored form: deterministic, and decoded strictly.
//! * [`to_value`] and [`from_value`] carry any serde type; date-times, UUIDs and decimals cross in
//!   their human-readable text form.
//! * [`Value::from_json`] and [`Value::to_json`] are the text form.
//!
//! Nothing here knows collections, keys or the log.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind};

pub(crate) mod cbor;
mod json;
mod serde;

pub use self::serde::{from_value, to_value};

/// Containers a value may nest. The JSON form of a value nests at most twice as deep and one more,
/// which stays below the 127 levels that `serde_json` reads.
pub(crate) const DEPTH_MAX: usize = 60;

/// Largest magnitude at which every integer has its own double: 2^53 - 1.
pub(crate) const SAFE_INTEGER_MAX: i64 = (1 << 53) - 1;

/// Why a value cannot be stored, or bytes are not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValueError {
    #[error("a number must be finite: NaN and infinities cannot be stored")]
    NotFinite,
    #[error("an integer must fit into 64 bits with sign")]
    IntegerRange,
    #[error("a value may nest {DEPTH_MAX} deep at most")]
    TooDeep,
    #[error("a map key must be text")]
    Key,
    #[error("value is not canonical CBOR: {0}")]
    Cbor(&'static str),
    #[error("{0}")]
    Message(String),
}

impl From<ValueError> for Error {
    fn from(error: ValueError) -> Self {
        Self::new(ErrorKind::InvalidValue, error.to_string())
    }
}

/// A stored value.
///
/// Values compare in one total order: null < booleans < numbers < text < bytes < lists < maps;
/// numbers compare by what they denote, integers and floats alike and exactly, text by code
/// points. Equality is the same relation, so `Int(1) == Float(1.0)`.
///
/// ```
/// use tidelog::Value;
///
/// let value = Value::from_json(r#"{"title": "Alien", "year": 1979.0}"#)?;
/// assert_eq!(value.get("year"), Some(&Value::Int(1979)));
/// # Ok::<(), tidelog::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// Any other finite number. An integral one is stored as an integer; one that is not finite is
    /// refused where it would be stored.
    Float(f64),
    /// Unicode text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An ordered list.
    List(Vec<Value>),
    /// A map from text to values.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// The canonical value of a number: `Float(1.0)` never comes out of this.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] for NaN and infinities.
    pub fn float(number: f64) -> Result<Self, Error> {
        Ok(canonical_number(number)?)
    }

    /// The name of the kind of value, for messages.
    #[must_use]
    pub const fn kind_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Float(_) => "number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Whether this is null.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if this is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The integer, if this is one.
    #[must_use]
    pub const fn as_int(&self) -> Option<i64> {
        if let Self::Int(value) = self { Some(*value) } else { None }
    }

    /// The number as a double, if this is a number: the nearest one to a large integer.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
    pub const fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if this is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(value) = self { Some(value) } else { None }
    }

    /// The bytes, if these are bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(value) = self { Some(value) } else { None }
    }

    /// The list, if this is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        if let Self::List(value) = self { Some(value) } else { None }
    }

    /// The map, if this is one.
    #[must_use]
    pub const fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        if let Self::Map(value) = self { Some(value) } else { None }
    }

    /// The value of a key, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// Where the kind stands in the total order.
    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Int(_) | Self::Float(_) => 2,
            Self::Text(_) => 3,
            Self::Bytes(_) => 4,
            Self::List(_) => 5,
            Self::Map(_) => 6,
        }
    }
}

/// The one value that stands for a number.
pub(crate) fn canonical_number(number: f64) -> Result<Value, ValueError> {
    if !number.is_finite() {
        return Err(ValueError::NotFinite);
    }
    Ok(exact_integer(number).map_or(Value::Float(number), Value::Int))
}

/// The integer that a double denotes, if it is integral and within the safe range.
#[expect(clippy::cast_precision_loss, reason = "the bound is exact in both types")]
fn exact_integer(number: f64) -> Option<i64> {
    let safe = number.abs() <= SAFE_INTEGER_MAX as f64 && number.fract() == 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "checked to be integral and in range")]
    safe.then_some(number as i64)
}

/// One container further in.
fn deeper(depth: usize) -> Result<usize, ValueError> {
    if depth == DEPTH_MAX { Err(ValueError::TooDeep) } else { Ok(depth + 1) }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Float(a), Self::Float(b)) => compare_floats(*a, *b),
            (Self::Int(a), Self::Float(b)) => compare_int_with_float(*a, *b),
            (Self::Float(a), Self::Int(b)) => compare_int_with_float(*b, *a).reverse(),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::List(a), Self::List(b)) => a.cmp(b),
            (Self::Map(a), Self::Map(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

/// Floats by what they denote: -0.0 is 0.0, and NaN, which is never stored, comes last.
fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Compares exactly: neither side is rounded.
fn compare_int_with_float(int: i64, float: f64) -> Ordering {
    const TWO_POW_63: f64 = 9_223_372_036_854_775_808.0;
    if float.is_nan() || float >= TWO_POW_63 {
        return Ordering::Less;
    }
    if float < -TWO_POW_63 {
        return Ordering::Greater;
    }
    #[expect(clippy::cast_possible_truncation, reason = "within the range of i64, as just checked")]
    let whole = float.trunc() as i64;
    int.cmp(&whole).then_with(|| compare_floats(0.0, float.fract()))
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {
        $(impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

from! {
    bool => Bool,
    i64 => Int,
    i32 => Int,
    u32 => Int,
    String => Text,
    &str => Text,
    Vec<u8> => Bytes,
    &[u8] => Bytes,
    Vec<Value> => List,
    BTreeMap<String, Value> => Map,
}

#[cfg(test)]
mod tests;
