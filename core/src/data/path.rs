//! Paths into a value: `address.city`, `tags.0`.
//!
//! Segments are joined by dots; in a list a segment is a position. A field whose name has a dot in
//! it, or is empty, cannot be addressed by a path.

use crate::error::{Error, ErrorKind, Result};
use crate::value::cbor::Decoder;
use crate::value::{Value, ValueError};

/// Most segments of a path.
pub(crate) const PATH_SEGMENTS_MAX: usize = 32;

/// A path of at least one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] for an empty segment or too many of them.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let segments: Vec<_> = text.split('.').take(PATH_SEGMENTS_MAX + 1).map(str::to_owned).collect();
        let invalid = |why| Error::new(ErrorKind::InvalidArgument, format!("path `{text}`: {why}"));
        if segments.len() > PATH_SEGMENTS_MAX {
            return Err(invalid(format!("more than {PATH_SEGMENTS_MAX} segments")));
        }
        if segments.iter().any(String::is_empty) {
            return Err(invalid("empty segment".to_owned()));
        }
        Ok(Self(segments))
    }

    /// The segments.
    pub(crate) fn segments(&self) -> &[String] {
        &self.0
    }

    /// What the path leads to in a value, if anything.
    pub(crate) fn of<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(value, |value, segment| match value {
            Value::Map(map) => map.get(segment),
            Value::List(list) => list.get(position(segment)?),
            _ => None,
        })
    }

    /// What the path leads to in a value in its stored form, if anything. Nothing else is decoded.
    ///
    /// # Errors
    ///
    /// If the bytes are not what was stored.
    pub(crate) fn of_stored(&self, bytes: &[u8]) -> std::result::Result<Option<Value>, ValueError> {
        let mut decoder = Decoder::new(bytes);
        for segment in &self.0 {
            if !decoder.enter(segment, position(segment))? {
                return Ok(None);
            }
        }
        decoder.value().map(Some)
    }
}

/// The position in a list that a segment stands for.
pub(crate) fn position(segment: &str) -> Option<usize> {
    let canonical = segment == "0" || !segment.starts_with(['0', '+']);
    segment.parse().ok().filter(|_| canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_through_maps_and_lists() {
        let value = Value::from_json(r#"{"a": {"b": [1, {"c": 2}]}, "0": 3}"#).expect("valid");
        let at = |path: &str| Path::parse(path).expect("valid").of(&value).cloned();
        assert_eq!(at("a.b.1.c"), Some(Value::Int(2)));
        assert_eq!(at("a.b.0"), Some(Value::Int(1)));
        assert_eq!(at("0"), Some(Value::Int(3)));
        for nothing in ["a.b.2", "a.b.01", "a.b.+1", "a.b.x", "a.b.0.c", "z"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn empty_segments_and_endless_paths_are_refused() {
        for text in ["", ".", "a.", ".a", "a..b"] {
            assert!(Path::parse(text).is_err(), "{text:?}");
        }
        let long = |segments: usize| vec!["a"; segments].join(".");
        assert!(Path::parse(&long(PATH_SEGMENTS_MAX)).is_ok());
        assert!(Path::parse(&long(PATH_SEGMENTS_MAX + 1)).is_err());
    }
}
