//! The stored form of values: deterministic CBOR (RFC 8949 section 4.2).
//!
//! ```text
//! null f6 | false f4 | true f5
//! integer   major type 0 or 1, shortest head, within i64
//! float     shortest of half, single and double that keeps the value; finite, and not an
//!           integral number within +-(2^53 - 1): that is an integer
//! text      major type 3, UTF-8          bytes  major type 2
//! list      major type 4                 map    major type 5, text keys in bytewise order of
//!                                               their encodings, none twice
//! ```
//!
//! Lengths are definite and shortest; tags, other simple values and trailing bytes are refused.
//! Decoding is strict and bijective: `decode(b) = Ok(v)` implies `encode(v) = b`. Nothing is
//! allocated on the word of a length: a text or byte string is checked to be there first, and a
//! list grows as its elements arrive.
//!
//! [`Encoder`] and [`Decoder`] are also the means to write other records, such as operations.

use super::{Value, ValueError, canonical_number, deeper};

/// Elements that a list reserves room for before it has seen them.
const RESERVE_MAX: usize = 64;

const MAJOR_UNSIGNED: u8 = 0;
const MAJOR_NEGATIVE: u8 = 1;
const MAJOR_BYTES: u8 = 2;
const MAJOR_TEXT: u8 = 3;
const MAJOR_LIST: u8 = 4;
const MAJOR_MAP: u8 = 5;
const MAJOR_SIMPLE: u8 = 7;

const FALSE: u8 = 0xF4;
const TRUE: u8 = 0xF5;
const NULL: u8 = 0xF6;
const HALF: u8 = 0xF9;
const SINGLE: u8 = 0xFA;
const DOUBLE: u8 = 0xFB;

/// The bytes of a value.
pub(crate) fn encode(value: &Value) -> Result<Vec<u8>, ValueError> {
    let mut encoder = Encoder::default();
    encoder.value(value)?;
    Ok(encoder.into_bytes())
}

/// The value that the bytes are, if they are one value in canonical form and nothing else.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value, ValueError> {
    let mut decoder = Decoder::new(bytes);
    let value = decoder.value()?;
    decoder.finish()?;
    Ok(value)
}

/// Writes canonical items one after the other.
#[derive(Debug, Default)]
pub(crate) struct Encoder(Vec<u8>);

impl Encoder {
    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Writes null.
    pub(crate) fn null(&mut self) {
        self.0.push(NULL);
    }

    /// Writes a boolean.
    pub(crate) fn bool(&mut self, value: bool) {
        self.0.push(if value { TRUE } else { FALSE });
    }

    /// Writes an integer that is not negative.
    pub(crate) fn unsigned(&mut self, value: u64) {
        self.head(MAJOR_UNSIGNED, value);
    }

    /// Writes an integer.
    pub(crate) fn int(&mut self, value: i64) {
        if value < 0 {
            self.head(MAJOR_NEGATIVE, !value.cast_unsigned());
        } else {
            self.head(MAJOR_UNSIGNED, value.cast_unsigned());
        }
    }

    /// Writes a number, as an integer if it is one.
    pub(crate) fn float(&mut self, value: f64) -> Result<(), ValueError> {
        match canonical_number(value)? {
            Value::Int(integer) => self.int(integer),
            _ => self.shortest_float(value),
        }
        Ok(())
    }

    fn shortest_float(&mut self, value: f64) {
        #[expect(clippy::cast_possible_truncation, reason = "taken only if it is exact")]
        let single = value as f32;
        if f64::from(single) != value {
            self.0.push(DOUBLE);
            self.0.extend_from_slice(&value.to_be_bytes());
        } else if let Some(half) = exact_half(single) {
            self.0.push(HALF);
            self.0.extend_from_slice(&half.to_be_bytes());
        } else {
            self.0.push(SINGLE);
            self.0.extend_from_slice(&single.to_be_bytes());
        }
    }

    /// Writes text.
    pub(crate) fn text(&mut self, text: &str) {
        self.head(MAJOR_TEXT, text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Writes bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.head(MAJOR_BYTES, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Begins a list of `len` items, which the caller writes next.
    pub(crate) fn list(&mut self, len: usize) {
        self.head(MAJOR_LIST, len as u64);
    }

    /// Begins a map of `len` pairs, which the caller writes next, in the order of
    /// [`key_order`].
    pub(crate) fn map(&mut self, len: usize) {
        self.head(MAJOR_MAP, len as u64);
    }

    /// Writes one item that is in canonical form already.
    pub(crate) fn encoded(&mut self, item: &[u8]) {
        self.0.extend_from_slice(item);
    }

    /// Writes a value.
    pub(crate) fn value(&mut self, value: &Value) -> Result<(), ValueError> {
        self.nested(value, 0)
    }

    fn nested(&mut self, value: &Value, depth: usize) -> Result<(), ValueError> {
        match value {
            Value::Null => self.null(),
            Value::Bool(value) => self.bool(*value),
            Value::Int(value) => self.int(*value),
            Value::Float(value) => self.float(*value)?,
            Value::Text(value) => self.text(value),
            Value::Bytes(value) => self.bytes(value),
            Value::List(items) => {
                let depth = deeper(depth)?;
                self.list(items.len());
                for item in items {
                    self.nested(item, depth)?;
                }
            }
            Value::Map(pairs) => {
                let depth = deeper(depth)?;
                self.map(pairs.len());
                let mut sorted: Vec<_> = pairs.iter().collect();
                sorted.sort_unstable_by(|(a, _), (b, _)| key_order(a, b));
                for (key, item) in sorted {
                    self.text(key);
                    self.nested(item, depth)?;
                }
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "each arm holds the values that fit")]
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        match argument {
            0..24 => self.0.push(major | argument as u8),
            24..=0xFF => self.0.extend_from_slice(&[major | 24, argument as u8]),
            0x100..=0xFFFF => {
                self.0.push(major | 25);
                self.0.extend_from_slice(&(argument as u16).to_be_bytes());
            }
            0x1_0000..=0xFFFF_FFFF => {
                self.0.push(major | 26);
                self.0.extend_from_slice(&(argument as u32).to_be_bytes());
            }
            _ => {
                self.0.push(major | 27);
                self.0.extend_from_slice(&argument.to_be_bytes());
            }
        }
    }
}

/// The order of map keys: bytewise over their encodings, where a longer text has a larger head.
pub(crate) fn key_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}

/// Reads canonical items one after the other; whatever is not canonical is refused.
#[derive(Debug)]
pub(crate) struct Decoder<'b> {
    rest: &'b [u8],
}

impl<'b> Decoder<'b> {
    /// Reads from the start of `bytes`.
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Ends the reading.
    ///
    /// # Errors
    ///
    /// If bytes are left.
    pub(crate) fn finish(self) -> Result<(), ValueError> {
        if self.rest.is_empty() { Ok(()) } else { Err(ValueError::Cbor("trailing bytes")) }
    }

    /// Whether the next item is null; reads it if so.
    pub(crate) fn null(&mut self) -> bool {
        let null = self.rest.first() == Some(&NULL);
        if null {
            self.rest = &self.rest[1..];
        }
        null
    }

    /// Reads an integer that is not negative.
    pub(crate) fn unsigned(&mut self) -> Result<u64, ValueError> {
        self.expect(MAJOR_UNSIGNED, "expected an unsigned integer")
    }

    /// Reads text.
    pub(crate) fn text(&mut self) -> Result<&'b str, ValueError> {
        let length = self.expect(MAJOR_TEXT, "expected text")?;
        std::str::from_utf8(self.take(length)?).map_err(|_| ValueError::Cbor("text is not UTF-8"))
    }

    /// Reads bytes.
    pub(crate) fn bytes(&mut self) -> Result<&'b [u8], ValueError> {
        let length = self.expect(MAJOR_BYTES, "expected bytes")?;
        self.take(length)
    }

    /// Reads the head of a list: the number of items that follow.
    ///
    /// The number is not more than the bytes that are left, and still no reason to reserve room.
    pub(crate) fn list(&mut self) -> Result<usize, ValueError> {
        let count = self.expect(MAJOR_LIST, "expected a list")?;
        self.plausible(count)
    }

    /// Reads a value and gives its bytes.
    pub(crate) fn value_bytes(&mut self) -> Result<&'b [u8], ValueError> {
        let start = self.rest;
        self.value()?;
        Ok(&start[..start.len() - self.rest.len()])
    }

    /// Reads a value.
    pub(crate) fn value(&mut self) -> Result<Value, ValueError> {
        self.nested(0)
    }

    /// Passes over a value and gives its bytes. Only for bytes that were decoded once: of a value that is
    /// passed over, no more is checked than where it ends.
    pub(crate) fn skip(&mut self) -> Result<&'b [u8], ValueError> {
        let start = self.rest;
        // Values that are still to come.
        let mut open: u64 = 1;
        while open > 0 {
            open -= 1;
            let first = *self.rest.first().ok_or(ValueError::Cbor("truncated"))?;
            if first >> 5 == MAJOR_SIMPLE {
                self.take(match first {
                    HALF => 3,
                    SINGLE => 5,
                    DOUBLE => 9,
                    _ => 1,
                })?;
                continue;
            }
            let (major, argument) = self.head()?;
            match major {
                MAJOR_BYTES | MAJOR_TEXT => drop(self.take(argument)?),
                MAJOR_LIST => open += self.plausible(argument)? as u64,
                MAJOR_MAP => open += 2 * self.plausible(argument)? as u64,
                _ => {}
            }
        }
        Ok(&start[..start.len() - self.rest.len()])
    }

    /// Goes to an element of the list, or to the value of a key of the map, that comes next; false if
    /// there is none, or something else comes.
    pub(crate) fn enter(&mut self, segment: &str, position: Option<usize>) -> Result<bool, ValueError> {
        match self.rest.first().map(|first| first >> 5) {
            Some(MAJOR_LIST) => {
                let (_, count) = self.head()?;
                let Some(position) = position.filter(|position| (*position as u64) < count) else {
                    return Ok(false);
                };
                for _ in 0..position {
                    self.skip()?;
                }
                Ok(true)
            }
            Some(MAJOR_MAP) => {
                let (_, count) = self.head()?;
                for _ in 0..count {
                    if self.text()? == segment {
                        return Ok(true);
                    }
                    self.skip()?;
                }
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    fn nested(&mut self, depth: usize) -> Result<Value, ValueError> {
        let first = *self.rest.first().ok_or(ValueError::Cbor("truncated"))?;
        if first >> 5 == MAJOR_SIMPLE {
            return self.simple(first);
        }
        let (major, argument) = self.head()?;
        Ok(match major {
            MAJOR_UNSIGNED => Value::Int(i64::try_from(argument).map_err(|_| ValueError::IntegerRange)?),
            MAJOR_NEGATIVE => Value::Int(!i64::try_from(argument).map_err(|_| ValueError::IntegerRange)?),
            MAJOR_BYTES => Value::Bytes(self.take(argument)?.to_vec()),
            MAJOR_TEXT => Value::Text(
                std::str::from_utf8(self.take(argument)?)
                    .map_err(|_| ValueError::Cbor("text is not UTF-8"))?
                    .to_owned(),
            ),
            MAJOR_LIST => self.items(argument, deeper(depth)?)?,
            MAJOR_MAP => self.pairs(argument, deeper(depth)?)?,
            _ => return Err(ValueError::Cbor("tags are not used")),
        })
    }

    fn items(&mut self, count: u64, depth: usize) -> Result<Value, ValueError> {
        let count = self.plausible(count)?;
        let mut items = Vec::with_capacity(count.min(RESERVE_MAX));
        for _ in 0..count {
            items.push(self.nested(depth)?);
        }
        Ok(Value::List(items))
    }

    fn pairs(&mut self, count: u64, depth: usize) -> Result<Value, ValueError> {
        let count = self.plausible(count)?;
        let mut pairs = std::collections::BTreeMap::new();
        let mut previous: Option<&str> = None;
        for _ in 0..count {
            let key = self.text().map_err(|_| ValueError::Key)?;
            if previous.is_some_and(|previous| key_order(previous, key).is_ge()) {
                return Err(ValueError::Cbor("map keys are not sorted"));
            }
            previous = Some(key);
            pairs.insert(key.to_owned(), self.nested(depth)?);
        }
        Ok(Value::Map(pairs))
    }

    fn simple(&mut self, first: u8) -> Result<Value, ValueError> {
        self.rest = &self.rest[1..];
        let number = match first {
            FALSE => return Ok(Value::Bool(false)),
            TRUE => return Ok(Value::Bool(true)),
            NULL => return Ok(Value::Null),
            HALF => half_to_double(u16::from_be_bytes(self.array()?)),
            SINGLE => f64::from(f32::from_be_bytes(self.array()?)),
            DOUBLE => f64::from_be_bytes(self.array()?),
            _ => return Err(ValueError::Cbor("unknown simple value")),
        };
        let Value::Float(number) = canonical_number(number)? else {
            return Err(ValueError::Cbor("an integral float is an integer"));
        };
        let mut shortest = Encoder::default();
        shortest.shortest_float(number);
        if shortest.0[0] == first {
            Ok(Value::Float(number))
        } else {
            Err(ValueError::Cbor("float is not shortest"))
        }
    }

    fn expect(&mut self, major: u8, otherwise: &'static str) -> Result<u64, ValueError> {
        match self.head()? {
            (found, argument) if found == major => Ok(argument),
            _ => Err(ValueError::Cbor(otherwise)),
        }
    }

    fn head(&mut self) -> Result<(u8, u64), ValueError> {
        let [first] = self.array()?;
        let (argument, least) = match first & 0x1F {
            small @ 0..24 => (u64::from(small), 0),
            24 => (u64::from(u8::from_be_bytes(self.array()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.array()?)), 0x100),
            26 => (u64::from(u32::from_be_bytes(self.array()?)), 0x1_0000),
            27 => (u64::from_be_bytes(self.array()?), 0x1_0000_0000),
            _ => return Err(ValueError::Cbor("indefinite or reserved length")),
        };
        if argument < least {
            return Err(ValueError::Cbor("length or integer is not shortest"));
        }
        Ok((first >> 5, argument))
    }

    /// Every item takes a byte at least.
    fn plausible(&self, count: u64) -> Result<usize, ValueError> {
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(ValueError::Cbor("truncated")),
        }
    }

    fn take(&mut self, length: u64) -> Result<&'b [u8], ValueError> {
        let length = self.plausible(length)?;
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ValueError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(ValueError::Cbor("truncated"))?;
        self.rest = rest;
        Ok(*taken)
    }
}

/// The half-precision bits of a finite number, if they keep its value.
fn exact_half(number: f32) -> Option<u16> {
    let bits = number.to_bits();
    let exponent = i32::try_from(bits >> 23 & 0xFF).expect("eight bits") - 127;
    let fraction = bits & 0x7F_FFFF;
    let (dropped, half) = match exponent {
        // Normal: the exponent is biased by 15 and ten bits of the fraction are kept.
        -14..=15 => {
            let biased = u32::try_from(exponent + 15).expect("1 to 30");
            (13, biased << 10 | fraction >> 13)
        }
        // Subnormal: a multiple of 2^-24.
        -24..=-15 => {
            let dropped = u32::try_from(-1 - exponent).expect("14 to 23");
            (dropped, (fraction | 0x80_0000) >> dropped)
        }
        _ => return None,
    };
    let lost = (fraction | 0x80_0000) & ((1 << dropped) - 1);
    let sign = bits >> 16 & 0x8000;
    (lost == 0).then(|| u16::try_from(sign | half).expect("a half has 16 bits"))
}

fn half_to_double(bits: u16) -> f64 {
    let fraction = f64::from(bits & 0x3FF);
    let magnitude = match bits >> 10 & 0x1F {
        0 => fraction * 2f64.powi(-24),
        31 => f64::NAN,
        exponent => (1024.0 + fraction) * 2f64.powi(i32::from(exponent) - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}
