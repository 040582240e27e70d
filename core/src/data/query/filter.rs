//! The `where` grammar: which items a query takes.
//!
//! ```text
//! filter    = { name: condition, .. }          all of them must hold; {} and null take everything
//! name      = path                             a field, dotted into maps and lists
//!           | "and" | "or"                     with a list of filters
//!           | "not"                            with a filter
//! condition = value that is no map             the field equals it
//!           | { operator: operand, .. }        all of them must hold
//! operator  = eq ne lt le gt ge in contains prefix exists not
//! ```
//!
//! * A missing field counts as null for `eq`, `ne` and `in`; `exists` tells them apart.
//! * `lt le gt ge` hold only between values of one kind: numbers, text, bytes or booleans.
//! * `contains` takes a list that has the operand as an element, text that has it as a part, or a
//!   map that has it as a key. `prefix` takes text that starts with the operand.
//! * `ne` is the opposite of `eq`, and `not` of whatever stands in it.
//!
//! Parsing is strict, and says what is wrong and where. To compare with a map write `{"eq": ..}`.

use std::collections::BTreeMap;
use std::mem::discriminant;

use crate::data::path::Path;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Value, ValueError};

/// How deep `and`, `or` and `not` may nest.
pub(crate) const FILTER_DEPTH_MAX: usize = 16;
/// Most tests in one filter.
pub(crate) const FILTER_TESTS_MAX: usize = 1_000;
/// Most values that all `in` lists of one filter have together.
pub(crate) const FILTER_VALUES_MAX: usize = 10_000;

const OPERATORS: &str = "eq, ne, lt, le, gt, ge, in, contains, prefix, exists, not";

/// A parsed filter.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Filter {
    /// Every one holds; none given holds too.
    All(Vec<Filter>),
    /// At least one holds; none given does not.
    Any(Vec<Filter>),
    /// It does not hold.
    Not(Box<Filter>),
    /// What the path leads to passes the test.
    Field(Path, Test),
}

/// A test of one field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// Equals.
    Equal(Value),
    /// Compares in one of these ways with the operand, and is of its kind.
    Compare(Comparison, Value),
    /// Equals one of these.
    In(Vec<Value>),
    /// Has it as an element, a part or a key.
    Contains(Value),
    /// Starts with it.
    Prefix(String),
    /// Is there, or is not.
    Exists(bool),
}

/// An order test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or equal.
    AtLeast,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`], naming the place, if it does not follow the grammar or
    /// exceeds a limit.
    pub(crate) fn parse(value: &Value) -> Result<Self> {
        Parser { tests: 0, values: 0 }.filter(value, "where", 0)
    }

    /// Whether an item's value passes.
    pub(crate) fn matches(&self, value: &Value) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.matches(value)),
            Self::Any(filters) => filters.iter().any(|filter| filter.matches(value)),
            Self::Not(filter) => !filter.matches(value),
            Self::Field(path, test) => test.passes(path.of(value)),
        }
    }

    /// Whether an item passes, by its stored form: only the fields that are tested are decoded.
    ///
    /// # Errors
    ///
    /// If the bytes are not what was stored.
    pub(crate) fn matches_stored(&self, bytes: &[u8]) -> std::result::Result<bool, ValueError> {
        Ok(match self {
            Self::All(filters) => {
                for filter in filters {
                    if !filter.matches_stored(bytes)? {
                        return Ok(false);
                    }
                }
                true
            }
            Self::Any(filters) => {
                for filter in filters {
                    if filter.matches_stored(bytes)? {
                        return Ok(true);
                    }
                }
                false
            }
            Self::Not(filter) => !filter.matches_stored(bytes)?,
            Self::Field(path, test) => test.passes(path.of_stored(bytes)?.as_ref()),
        })
    }

    /// Whether every item passes, without a look at it.
    pub(crate) fn takes_everything(&self) -> bool {
        matches!(self, Self::All(filters) if filters.is_empty())
    }
}

impl Test {
    fn passes(&self, field: Option<&Value>) -> bool {
        match self {
            Self::Equal(operand) => field.unwrap_or(&Value::Null) == operand,
            Self::In(operands) => operands.contains(field.unwrap_or(&Value::Null)),
            Self::Compare(comparison, operand) => {
                field.is_some_and(|field| same_kind(field, operand) && comparison.holds(field, operand))
            }
            Self::Contains(operand) => field.is_some_and(|field| contains(field, operand)),
            Self::Prefix(prefix) => {
                field.and_then(Value::as_text).is_some_and(|text| text.starts_with(prefix.as_str()))
            }
            Self::Exists(expected) => field.is_some() == *expected,
        }
    }
}

impl Comparison {
    fn holds(self, field: &Value, operand: &Value) -> bool {
        match self {
            Self::Less => field < operand,
            Self::AtMost => field <= operand,
            Self::Greater => field > operand,
            Self::AtLeast => field >= operand,
        }
    }
}

fn same_kind(a: &Value, b: &Value) -> bool {
    let number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_));
    discriminant(a) == discriminant(b) || (number(a) && number(b))
}

fn contains(field: &Value, operand: &Value) -> bool {
    match (field, operand) {
        (Value::List(items), operand) => items.contains(operand),
        (Value::Text(text), Value::Text(part)) => text.contains(part.as_str()),
        (Value::Map(map), Value::Text(key)) => map.contains_key(key),
        _ => false,
    }
}

struct Parser {
    tests: usize,
    values: usize,
}

impl Parser {
    fn filter(&mut self, value: &Value, place: &str, depth: usize) -> Result<Filter> {
        if depth > FILTER_DEPTH_MAX {
            return invalid(place, format!("nested more than {FILTER_DEPTH_MAX} deep"));
        }
        let map = match value {
            Value::Null => return Ok(Filter::All(vec![])),
            Value::Map(map) => map,
            other => return invalid(place, format!("expected a map, found {}", other.kind_name())),
        };
        let mut filters = Vec::with_capacity(map.len().min(FILTER_TESTS_MAX));
        for (name, condition) in map {
            let place = format!("{place}.{name}");
            filters.push(match name.as_str() {
                "and" => Filter::All(self.filters(condition, &place, depth)?),
                "or" => Filter::Any(self.filters(condition, &place, depth)?),
                "not" => Filter::Not(Box::new(self.filter(condition, &place, depth + 1)?)),
                _ => {
                    let path = Path::parse(name).or_else(|error| invalid(&place, error.to_string()))?;
                    self.condition(&path, condition, &place, depth)?
                }
            });
        }
        Ok(match <[Filter; 1]>::try_from(filters) {
            Ok([only]) => only,
            Err(filters) => Filter::All(filters),
        })
    }

    fn filters(&mut self, value: &Value, place: &str, depth: usize) -> Result<Vec<Filter>> {
        let Value::List(list) = value else {
            return invalid(place, format!("expected a list of filters, found {}", value.kind_name()));
        };
        list.iter()
            .enumerate()
            .map(|(index, filter)| self.filter(filter, &format!("{place}.{index}"), depth + 1))
            .collect()
    }

    fn condition(&mut self, path: &Path, value: &Value, place: &str, depth: usize) -> Result<Filter> {
        let Value::Map(operators) = value else {
            return self.test(path, Test::Equal(value.clone()), place);
        };
        if operators.is_empty() {
            return invalid(place, "no operator; write {\"eq\": {}} to compare with an empty map");
        }
        let filters = self.operators(path, operators, place, depth)?;
        Ok(match <[Filter; 1]>::try_from(filters) {
            Ok([only]) => only,
            Err(filters) => Filter::All(filters),
        })
    }

    fn operators(
        &mut self,
        path: &Path,
        operators: &BTreeMap<String, Value>,
        place: &str,
        depth: usize,
    ) -> Result<Vec<Filter>> {
        let mut filters = Vec::with_capacity(operators.len().min(FILTER_TESTS_MAX));
        for (operator, operand) in operators {
            let place = format!("{place}.{operator}");
            let test = match operator.as_str() {
                "not" => {
                    if depth == FILTER_DEPTH_MAX {
                        return invalid(&place, format!("nested more than {FILTER_DEPTH_MAX} deep"));
                    }
                    let inner = self.condition(path, operand, &place, depth + 1)?;
                    filters.push(Filter::Not(Box::new(inner)));
                    continue;
                }
                "ne" => {
                    let equal = self.test(path, Test::Equal(operand.clone()), &place)?;
                    filters.push(Filter::Not(Box::new(equal)));
                    continue;
                }
                "eq" => Test::Equal(operand.clone()),
                "lt" => compare(Comparison::Less, operand, &place)?,
                "le" => compare(Comparison::AtMost, operand, &place)?,
                "gt" => compare(Comparison::Greater, operand, &place)?,
                "ge" => compare(Comparison::AtLeast, operand, &place)?,
                "in" => self.list_of_values(operand, &place)?,
                "contains" => Test::Contains(operand.clone()),
                "prefix" => Test::Prefix(expect(operand, Value::as_text, "text", &place)?.to_owned()),
                "exists" => Test::Exists(expect(operand, Value::as_bool, "true or false", &place)?),
                _ => {
                    return invalid(
                        &place,
                        format!(
                            "unknown operator `{operator}`: expected one of {OPERATORS}; write \
                             {{\"eq\": ..}} to compare with a map"
                        ),
                    );
                }
            };
            filters.push(self.test(path, test, &place)?);
        }
        Ok(filters)
    }

    fn test(&mut self, path: &Path, test: Test, place: &str) -> Result<Filter> {
        self.tests += 1;
        if self.tests > FILTER_TESTS_MAX {
            return invalid(place, format!("more than {FILTER_TESTS_MAX} tests"));
        }
        Ok(Filter::Field(path.clone(), test))
    }

    fn list_of_values(&mut self, operand: &Value, place: &str) -> Result<Test> {
        let values = expect(operand, Value::as_list, "a list", place)?;
        self.values += values.len();
        if self.values > FILTER_VALUES_MAX {
            return invalid(place, format!("more than {FILTER_VALUES_MAX} values"));
        }
        Ok(Test::In(values.to_vec()))
    }
}

fn compare(comparison: Comparison, operand: &Value, place: &str) -> Result<Test> {
    match operand {
        Value::Null | Value::List(_) | Value::Map(_) => invalid(
            place,
            format!("{} has no order here: expected a number, text, bytes or boolean", operand.kind_name()),
        ),
        _ => Ok(Test::Compare(comparison, operand.clone())),
    }
}

fn expect<'v, T>(
    value: &'v Value,
    read: impl FnOnce(&'v Value) -> Option<T>,
    expected: &str,
    place: &str,
) -> Result<T> {
    match read(value) {
        Some(found) => Ok(found),
        None => invalid(place, format!("expected {expected}, found {}", value.kind_name())),
    }
}

fn invalid<T>(place: &str, why: impl std::fmt::Display) -> Result<T> {
    Err(Error::new(ErrorKind::InvalidArgument, format!("{place}: {why}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Filter> {
        Filter::parse(&Value::from_json(json).expect("valid JSON"))
    }

    fn nested(depth: usize) -> String {
        format!("{}{{\"a\": 1}}{}", "{\"not\": ".repeat(depth), "}".repeat(depth))
    }

    #[test]
    fn nesting_at_the_limit_is_taken_and_one_deeper_refused() {
        assert!(parse(&nested(FILTER_DEPTH_MAX)).is_ok());
        assert!(parse(&nested(FILTER_DEPTH_MAX + 1)).is_err());
        let inner = |depth: usize| {
            format!("{{\"a\": {}{{\"eq\": 1}}{}}}", "{\"not\": ".repeat(depth), "}".repeat(depth))
        };
        assert!(parse(&inner(FILTER_DEPTH_MAX)).is_ok());
        assert!(parse(&inner(FILTER_DEPTH_MAX + 1)).is_err());
    }

    #[test]
    fn as_many_tests_as_the_limit_are_taken_and_one_more_refused() {
        let tests = |count: usize| format!("{{\"or\": [{}]}}", vec!["{\"a\": 1}"; count].join(","));
        assert!(parse(&tests(FILTER_TESTS_MAX)).is_ok());
        assert!(parse(&tests(FILTER_TESTS_MAX + 1)).is_err());
    }

    #[test]
    fn as_many_values_as_the_limit_are_taken_and_one_more_refused() {
        let values = |count: usize| format!("{{\"a\": {{\"in\": [{}]}}}}", vec!["1"; count].join(","));
        assert!(parse(&values(FILTER_VALUES_MAX)).is_ok());
        assert!(parse(&values(FILTER_VALUES_MAX + 1)).is_err());
    }

    #[test]
    fn nothing_and_the_empty_map_take_everything() {
        assert!(parse("null").expect("valid").takes_everything());
        assert!(parse("{}").expect("valid").takes_everything());
        assert!(!parse("{\"a\": 1}").expect("valid").takes_everything());
    }
}
