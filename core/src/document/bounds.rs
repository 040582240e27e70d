//! How large a change becomes when it is read: columns of run lengths can stand for any number of
//! operations in a few bytes, so they are added up before Automerge unfolds them.
//!
//! ```text
//! change  = magic 4 | checksum 4 | type u8 | length | deps | actor | seq | start | time | message
//!           | other actors | n | (column specification | length) x n | columns | more
//! column  = of run lengths, by the low three bits of its specification; a count above zero repeats
//!           the value that follows, one below zero precedes so many values, zero precedes the
//!           number of places without a value
//! ```
//!
//! Numbers are LEB128. Whatever else is wrong with the bytes is for Automerge to find.

use super::{CHANGE_OPERATIONS_MAX, DocumentError};

/// Bytes of magic, checksum and type.
const HEAD_LEN: usize = 9;
/// Bytes of the hash of a change.
const HASH_LEN: usize = 32;
/// Low bits of a column's specification: its type.
const TYPE_MASK: u64 = 7;
/// Cardinalities: each stands for so many places in the columns that follow.
const TYPE_GROUP: u64 = 0;
const TYPE_DELTA: u64 = 3;
const TYPE_BOOLEAN: u64 = 4;
const TYPE_STRING: u64 = 5;
/// Bytes as they are.
const TYPE_RAW: u64 = 7;

const MOST: u64 = CHANGE_OPERATIONS_MAX as u64;

/// Most bytes that the strings of a column take once each place has its own.
const STRING_BYTES_MAX: u64 = 16 << 20;

/// Checks that no column of a change stands for more than [`CHANGE_OPERATIONS_MAX`] places, or for more than
/// 16 MiB of strings.
///
/// # Errors
///
/// [`DocumentError::TooLarge`] if one does, [`DocumentError::Malformed`] if that cannot be read.
pub(super) fn check(change: &[u8]) -> Result<(), DocumentError> {
    let mut bytes = Bytes(change);
    bytes.take(HEAD_LEN as u64)?;
    bytes.unsigned()?;
    let deps = bytes.unsigned()?;
    bytes.take(deps.checked_mul(HASH_LEN as u64).ok_or(DocumentError::Malformed)?)?;
    bytes.prefixed()?;
    bytes.unsigned()?;
    bytes.unsigned()?;
    bytes.signed()?;
    bytes.prefixed()?;
    for _ in 0..bytes.unsigned()? {
        bytes.prefixed()?;
    }
    let count = bytes.unsigned()?;
    let mut columns = Vec::new();
    for _ in 0..count {
        columns.push((bytes.unsigned()? & TYPE_MASK, bytes.unsigned()?));
    }
    for (kind, length) in columns {
        let column = Bytes(bytes.take(length)?);
        match kind {
            TYPE_RAW => {}
            TYPE_BOOLEAN => booleans(column)?,
            _ => runs(column, kind)?,
        }
    }
    Ok(())
}

fn booleans(mut column: Bytes<'_>) -> Result<(), DocumentError> {
    let mut places = 0;
    while !column.0.is_empty() {
        add(&mut places, column.unsigned()?)?;
    }
    Ok(())
}

fn runs(mut column: Bytes<'_>, kind: u64) -> Result<(), DocumentError> {
    let (mut places, mut members, mut bytes) = (0, 0, 0_u64);
    while !column.0.is_empty() {
        let count = column.signed()?;
        let (repeated, values) = match count {
            0 => (column.unsigned()?, 0),
            1.. => (count.unsigned_abs(), 1),
            _ => (1, count.unsigned_abs()),
        };
        add(&mut places, repeated.saturating_mul(values.max(1)))?;
        for _ in 0..values {
            let value = column.value(kind)?;
            if kind == TYPE_GROUP {
                add(&mut members, value.saturating_mul(repeated))?;
            } else if kind == TYPE_STRING {
                bytes = bytes.saturating_add(value.saturating_mul(repeated));
            }
            if bytes > STRING_BYTES_MAX {
                return Err(DocumentError::TooLarge);
            }
        }
    }
    Ok(())
}

fn add(sum: &mut u64, more: u64) -> Result<(), DocumentError> {
    *sum = sum.saturating_add(more);
    if *sum > MOST { Err(DocumentError::TooLarge) } else { Ok(()) }
}

struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, length: u64) -> Result<&'b [u8], DocumentError> {
        let length = usize::try_from(length).map_err(|_| DocumentError::Malformed)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DocumentError::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn prefixed(&mut self) -> Result<&'b [u8], DocumentError> {
        let length = self.unsigned()?;
        self.take(length)
    }

    /// A value of a column if it is a number without sign, the length of a string, or 0.
    fn value(&mut self, kind: u64) -> Result<u64, DocumentError> {
        match kind {
            TYPE_STRING => self.prefixed().map(|text| text.len() as u64),
            TYPE_DELTA => self.signed().map(|_| 0),
            _ => self.unsigned(),
        }
    }

    /// Seven bits per byte, the lowest first; the number, and how many bits were given.
    fn number(&mut self) -> Result<(u64, u32, u8), DocumentError> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.take(1)?[0];
            if shift > 63 {
                return Err(DocumentError::Malformed);
            }
            number |= u64::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Ok((number, shift, byte));
            }
        }
    }

    fn unsigned(&mut self) -> Result<u64, DocumentError> {
        self.number().map(|(number, ..)| number)
    }

    fn signed(&mut self) -> Result<i64, DocumentError> {
        let (number, shift, last) = self.number()?;
        let negative = last & 0x40 != 0 && shift < 64;
        Ok((if negative { number | u64::MAX << shift } else { number }).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{ChangeHash, OpenDocument, actor, parse_change};
    use proptest::prelude::*;
    use tidelog_log::crypto::sha256;
    use tidelog_log::ids::DeviceId;

    const ACTION: u64 = 4 << 4 | 2;
    const PREDECESSORS: u64 = 7 << 4;

    fn unsigned(mut number: u64, bytes: &mut Vec<u8>) {
        loop {
            let byte = (number & 0x7F) as u8;
            number >>= 7;
            bytes.push(if number == 0 { byte } else { byte | 0x80 });
            if number == 0 {
                return;
            }
        }
    }

    fn repeated(count: i64, value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        // As a signed number a positive one needs a clear sign bit.
        let mut number = count;
        loop {
            let byte = (number & 0x7F) as u8;
            number >>= 7;
            let done = number == 0 && byte & 0x40 == 0;
            bytes.push(if done { byte } else { byte | 0x80 });
            if done {
                break;
            }
        }
        unsigned(value, &mut bytes);
        bytes
    }

    /// A change with a right checksum and these columns.
    fn change(columns: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut body = vec![0, 1, 9, 1, 1, 0, 0, 0];
        unsigned(columns.len() as u64, &mut body);
        for (specification, column) in columns {
            unsigned(*specification, &mut body);
            unsigned(column.len() as u64, &mut body);
        }
        columns.iter().for_each(|(_, column)| body.extend_from_slice(column));
        let mut hashed = vec![1];
        unsigned(body.len() as u64, &mut hashed);
        hashed.extend_from_slice(&body);
        let checksum = sha256(&[&hashed]);
        [&[0x85, 0x6F, 0x4A, 0x83], &checksum[..4], &hashed].concat()
    }

    #[test]
    fn a_few_bytes_that_stand_for_endless_operations_are_refused_before_they_are_unfolded() {
        for count in [MOST + 1, 1 << 40, u64::MAX >> 2] {
            let count = i64::try_from(count).expect("fits");
            let bomb = change(&[(ACTION, repeated(count, 1))]);
            assert!(bomb.len() < 60);
            assert_eq!(parse_change(&bomb), Err(DocumentError::TooLarge));
            let nothing = [&[0][..], &repeated(count, 1)[..repeated(count, 1).len() - 1]].concat();
            assert_eq!(parse_change(&change(&[(ACTION, nothing)])), Err(DocumentError::TooLarge));
        }
    }

    #[test]
    fn one_operation_with_endless_predecessors_is_refused() {
        for count in [MOST + 1, 1 << 50, u64::MAX] {
            let bomb = change(&[(ACTION, repeated(1, 1)), (PREDECESSORS, repeated(1, count))]);
            assert_eq!(parse_change(&bomb), Err(DocumentError::TooLarge));
        }
        let many = change(&[(PREDECESSORS, repeated(1 << 15, 1 << 6))]);
        assert_eq!(check(&many), Err(DocumentError::TooLarge), "one by one they are few");
    }

    #[test]
    fn one_long_string_in_many_places_is_refused() {
        const KEYS: u64 = 1 << 4 | 5;
        let keys = |count: i64, length: usize| {
            let column = repeated(count, length as u64);
            check(&change(&[(KEYS, [&column[..], &vec![b'k'; length]].concat())]))
        };
        assert_eq!(keys(1 << 20, 16), Ok(()));
        assert_eq!(keys(1 << 20, 17), Err(DocumentError::TooLarge));
        assert_eq!(keys(1, 500_000), Ok(()));
    }

    #[test]
    fn the_number_of_places_at_the_limit_is_taken_and_one_more_refused() {
        let at = |count: u64| check(&change(&[(ACTION, repeated(i64::try_from(count).expect("fits"), 1))]));
        assert_eq!(at(MOST), Ok(()));
        assert_eq!(at(MOST + 1), Err(DocumentError::TooLarge));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = check(&bytes);
        }

        #[test]
        fn what_documents_make_is_taken(texts in proptest::collection::vec("\\PC{0,20}", 1..20), removed in 0usize..9) {
            let mut open = OpenDocument::empty();
            let device = DeviceId([1; 32]);
            let mut changes = Vec::new();
            for text in texts {
                let (_, made) = open
                    .edit(actor(&device, b"d"), |edit| {
                        edit.splice_text("body", 0, 0, &text)?;
                        let length = edit.get("body")?.map_or(0, |body| body.as_text().map_or(0, |text| text.chars().count()));
                        edit.splice_text("body", 0, removed.min(length), "")?;
                        edit.increment("count", 1)
                    })
                    .expect("edits");
                changes.extend(made);
            }
            let hashes: Vec<ChangeHash> = changes.iter().map(|change| change.hash()).collect();
            for (change, hash) in changes.iter().zip(hashes) {
                prop_assert_eq!(parse_change(change.raw_bytes()).map(|change| change.hash()), Ok(hash));
            }
        }
    }
}
