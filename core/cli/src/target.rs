//! `database/collection`, and the conditions of `query`.

use serde_json::{Map, Value, json};

use crate::{Failure, Result};

/// A collection as named on the command line. Database names may have slashes themselves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) database: &'a str,
    pub(crate) collection: &'a str,
}

impl<'a> Target<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self> {
        match text.rsplit_once('/') {
            Some((database, collection)) if !database.is_empty() && !collection.is_empty() => {
                Ok(Self { database, collection })
            }
            _ => Err(Failure::usage(format!("`{text}` is not DATABASE/COLLECTION, for example main/movies"))),
        }
    }
}

/// Longest first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, &str); 6] =
    [("<=", "le"), (">=", "ge"), ("!=", "ne"), ("=", "eq"), ("<", "lt"), (">", "gt")];
const WORDS: [&str; 2] = ["contains", "prefix"];

/// The filter that a condition stands for: JSON as it is, or clauses joined by ` and `.
pub(crate) fn filter(text: &str) -> Result<Value> {
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| Failure::usage(format!("the filter is not JSON: {error}")));
    }
    let clauses = text.split(" and ").map(clause).collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "and": clauses }))
}

fn clause(text: &str) -> Result<Value> {
    let word = WORDS.iter().find_map(|word| {
        let (field, value) = text.split_once(&format!(" {word} "))?;
        Some((field, *word, value))
    });
    let symbol = || {
        let at = text.find(['<', '>', '!', '='])?;
        let (field, rest) = text.split_at(at);
        let (symbol, name) = OPERATORS.iter().find(|(symbol, _)| rest.starts_with(symbol))?;
        Some((field, *name, &rest[symbol.len()..]))
    };
    let (field, operator, value) = word.or_else(symbol).ok_or_else(|| {
        Failure::usage(format!("`{text}` is no condition: write it like year >= 1999 or title = \"Alien\""))
    })?;
    let (field, value) = (field.trim(), value.trim());
    if field.is_empty() || value.is_empty() {
        return Err(Failure::usage(format!("`{text}` lacks a field or a value")));
    }
    let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    let mut condition = Map::new();
    condition.insert(field.to_owned(), json!({ operator: value }));
    Ok(Value::Object(condition))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slash_parts_database_and_collection() {
        let target = Target::parse("chat/room-7/messages").expect("parses");
        assert_eq!(target, Target { database: "chat/room-7", collection: "messages" });
        assert!(Target::parse("movies").is_err());
        assert!(Target::parse("/movies").is_err());
        assert!(Target::parse("main/").is_err());
    }

    #[test]
    fn conditions_become_filters() {
        let year = filter("year>=1999").expect("parses");
        assert_eq!(year, json!({ "and": [{ "year": { "ge": 1999 } }] }));
        let both = filter("genres contains Drama and title = \"Alien\"").expect("parses");
        assert_eq!(
            both,
            json!({ "and": [{ "genres": { "contains": "Drama" } }, { "title": { "eq": "Alien" } }] })
        );
        assert_eq!(filter("{\"a\": 1}").expect("parses"), json!({ "a": 1 }));
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for text in ["year", "= 3", "year =", "{", "year ~ 3"] {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
