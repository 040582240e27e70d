//! `database/collection`, and the conditions of `query`.

use serde_json::{Map, Value, json};

use crate::args::Place;
use crate::{Failure, Result};

/// A collection as named on the command line. Database names may have slashes themselves.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) database: &'a str,
    pub(crate) collection: &'a str,
    /// The circle of the database; `None` if all members share it.
    pub(crate) circle: Option<&'a str>,
}

impl<'a> Target<'a> {
    pub(crate) fn of(place: &'a Place) -> Result<Self> {
        let (text, circle) = (&place.target, place.circle.as_deref());
        match text.rsplit_once('/') {
            Some((database, collection)) if !database.is_empty() && !collection.is_empty() => {
                Ok(Self { database, collection, circle })
            }
            _ => Err(Failure::usage(format!("`{text}` is not DATABASE/COLLECTION, for example main/movies"))),
        }
    }
}

/// Longest first, so that `<=` is not read as `<`.
const OPERATORS: [(&str, &str); 7] =
    [("<=", "le"), (">=", "ge"), ("!=", "ne"), ("==", "eq"), ("=", "eq"), ("<", "lt"), (">", "gt")];
const WORDS: [&str; 3] = ["contains", "prefix", "in"];

/// The filter that a condition stands for: JSON as it is, or clauses with ` or `, ` and ` and `not `,
/// which bind in this order.
pub(crate) fn filter(text: &str) -> Result<Value> {
    let text = text.trim();
    if text.starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| Failure::usage(format!("the filter is not JSON: {error}")));
    }
    let any = parts(text, " or ").into_iter().map(|part| {
        let all = parts(part, " and ").into_iter().map(clause).collect::<Result<Vec<Value>>>()?;
        Ok(json!({ "and": all }))
    });
    Ok(json!({ "or": any.collect::<Result<Vec<Value>>>()? }))
}

/// The text between the places where the joining word, in any case, stands outside of quotes.
fn parts<'a>(text: &'a str, join: &str) -> Vec<&'a str> {
    let (mut found, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, character) in text.char_indices() {
        if !quoted
            && at >= start
            && text[at..].get(..join.len()).is_some_and(|next| next.eq_ignore_ascii_case(join))
        {
            found.push(&text[start..at]);
            start = at + join.len();
        }
        quoted ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
    }
    found.push(&text[start..]);
    found
}

fn clause(text: &str) -> Result<Value> {
    let text = text.trim();
    if let Some((word, rest)) = text.split_once(' ')
        && word.eq_ignore_ascii_case("not")
    {
        return Ok(json!({ "not": clause(rest)? }));
    }
    let symbol = text.find(['<', '>', '!', '=']).and_then(|at| {
        let (symbol, name) = OPERATORS.iter().find(|(symbol, _)| text[at..].starts_with(symbol))?;
        Some((at, *name, symbol.len()))
    });
    let words =
        WORDS.iter().filter_map(|word| Some((text.find(&format!(" {word} "))?, *word, word.len() + 2)));
    let (at, operator, length) = words.chain(symbol).min().ok_or_else(|| {
        Failure::usage(format!("`{text}` is no condition: write it like year >= 1999 or title = \"Alien\""))
    })?;
    let (field, value) = (text[..at].trim(), text[at + length..].trim());
    if field.is_empty() || value.is_empty() {
        return Err(Failure::usage(format!("`{text}` lacks a field or a value")));
    }
    if !is_word(field) {
        return Err(Failure::usage(format!(
            "`{field}` is not one word: parentheses and fields with such names need a JSON filter, like \
             {{\"year\": {{\"ge\": 1999}}}}"
        )));
    }
    let value = match serde_json::from_str(value) {
        Ok(value) => value,
        Err(_) if is_word(value) => Value::String(value.to_owned()),
        Err(error) => {
            return Err(Failure::usage(format!(
                "`{value}` is neither one word nor a JSON value ({error}): text goes into double quotes"
            )));
        }
    };
    let mut condition = Map::new();
    condition.insert(field.to_owned(), json!({ operator: value }));
    Ok(Value::Object(condition))
}

/// Whether a text needs no quotes: nothing in it could mean something else.
fn is_word(text: &str) -> bool {
    !text.contains(|character: char| character.is_whitespace() || "\"'`()[]{}<>=!,;&|".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_slash_parts_database_and_collection() {
        let place = |target: &str| Place { path: "a".into(), target: target.into(), circle: None };
        let chat = place("chat/room-7/messages");
        let target = Target::of(&chat).expect("parses");
        assert_eq!(target, Target { database: "chat/room-7", collection: "messages", circle: None });
        for wrong in ["movies", "/movies", "main/"] {
            assert!(Target::of(&place(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn conditions_become_filters() {
        let one = |text: &str| filter(text).expect("parses")["or"][0]["and"].clone();
        assert_eq!(one("year>=1999"), json!([{ "year": { "ge": 1999 } }]));
        assert_eq!(
            one("genres contains Drama and title = \"Alien\""),
            json!([{ "genres": { "contains": "Drama" } }, { "title": { "eq": "Alien" } }])
        );
        assert_eq!(filter("{\"a\": 1}").expect("parses"), json!({ "a": 1 }));
        assert_eq!(one("year == 1999"), json!([{ "year": { "eq": 1999 } }]));
        assert_eq!(one("year in [1999, 2000]"), json!([{ "year": { "in": [1999, 2000] } }]));
        assert_eq!(one("a = 1 AND b = 2"), json!([{ "a": { "eq": 1 } }, { "b": { "eq": 2 } }]));
        assert_eq!(one("not a = 1"), json!([{ "not": { "a": { "eq": 1 } } }]));
        let or = filter("a = 1 and b = 2 or c = 3").expect("parses");
        let both = json!({ "and": [{ "a": { "eq": 1 } }, { "b": { "eq": 2 } }] });
        assert_eq!(or, json!({ "or": [both, { "and": [{ "c": { "eq": 3 } }] }] }));
        for quoted in ["Lilo and Stitch", "Dead or Alive", "Alice in Wonderland", "say \\\"a and b\\\""] {
            let text: Value = serde_json::from_str(&format!("\"{quoted}\"")).expect("JSON");
            assert_eq!(one(&format!("title = \"{quoted}\"")), json!([{ "title": { "eq": text } }]));
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        let wrong = [
            "year",
            "= 3",
            "year =",
            "{",
            "year ~ 3",
            "year === 3",
            "year => 3",
            "year >= 1999 limit 5",
            "year is >= 5",
            "(a = 1 or b = 2) and c = 3",
            "a = 1 && b = 2",
            "a = 1 and",
            "not",
            "title = 'x'",
            "title = Lilo and Stitch",
            "title = Alice in Wonderland",
            "a = \"b",
        ];
        for text in wrong {
            assert!(filter(text).is_err(), "{text}");
        }
    }
}
