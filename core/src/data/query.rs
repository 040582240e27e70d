//! Queries: which items, in which order, how many.
//!
//! A [`Query`] is what an application writes down; a [`Plan`] is the same, checked. A
//! [`Collector`] is fed the items that it is about in the order of their keys and gives the page
//! asked for. Results are in the order of the sort fields, then of the keys; without sort fields in
//! the order of the keys, byte by byte.
//!
//! A *cursor* names the last item of a page by its sort fields and key, so the page after it is
//! right even when items were added or removed in between. It is CBOR in hexadecimal:
//! `[ [sort field text, ..], [sort value, ..], key ]`.

mod filter;

use std::cmp::Ordering;
use std::ops::ControlFlow;

use serde::Serialize;

pub(crate) use self::filter::Filter;
use super::path::Path;
use crate::error::{Error, ErrorKind, Result};
use crate::value::cbor::{Decoder, Encoder};
use crate::value::{Value, ValueError, to_value};

/// Most sort fields of a query.
pub(crate) const SORT_FIELDS_MAX: usize = 16;
/// Most keys in the `ids` of a query.
pub(crate) const IDS_MAX: usize = 10_000;
/// Largest cursor that is read, in characters.
pub(crate) const CURSOR_MAX: usize = 256 * 1024;

/// Which items of a collection, in which order, how many.
///
/// ```
/// use tidelog::Query;
///
/// let query = Query::new()
///     .filter(&serde_json::json!({"year": {"ge": 1999}, "genres": {"contains": "Drama"}}))?
///     .sort(["-year", "title"])
///     .limit(5);
/// # Ok::<(), tidelog::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, serde::Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Query {
    /// What must hold for an item, in the `where` grammar; null takes every item.
    #[serde(rename = "where")]
    pub filter: Value,
    /// Fields to sort by, the first one first; `-year` is descending. Missing fields sort as null.
    pub sort: Vec<String>,
    /// Most items in the result.
    pub limit: Option<usize>,
    /// Items to leave out at the start of the result.
    pub offset: usize,
    /// Continue after the page that gave this cursor. The sort must be the same.
    pub cursor: Option<String>,
    /// Only items with one of these keys.
    pub ids: Option<Vec<String>>,
}

impl Query {
    /// All items in the order of their keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes only items for which the filter holds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidValue`] if the filter cannot be a [`Value`].
    pub fn filter(mut self, filter: &impl Serialize) -> Result<Self> {
        self.filter = to_value(filter)?;
        Ok(self)
    }

    /// Sorts by these fields; `-year` is descending.
    #[must_use]
    pub fn sort<S: Into<String>>(mut self, fields: impl IntoIterator<Item = S>) -> Self {
        self.sort = fields.into_iter().map(Into::into).collect();
        self
    }

    /// Gives at most this many items.
    #[must_use]
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Leaves out this many items at the start.
    #[must_use]
    pub const fn offset(mut self, offset: usize) -> Self {
        self.offset = offset;
        self
    }

    /// Continues after the page that gave this cursor.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::Query;
    ///
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// let squares = workspace.database("main").collection::<u32>("squares");
    /// squares.put_many((1..=5).map(|n| (Some(n.to_string()), n * n))).await?;
    ///
    /// let query = Query::new().limit(3);
    /// let page = squares.page(&query)?;
    /// assert_eq!(page.items.iter().map(|item| item.value).collect::<Vec<_>>(), [1, 4, 9]);
    /// let cursor = page.cursor.expect("there are more");
    /// assert_eq!(squares.page(&query.cursor(cursor))?.items.len(), 2);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    #[must_use]
    pub fn cursor(mut self, cursor: impl Into<String>) -> Self {
        self.cursor = Some(cursor.into());
        self
    }

    /// Takes only items with one of these keys.
    #[must_use]
    pub fn ids<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.ids = Some(ids.into_iter().map(Into::into).collect());
        self
    }
}

/// One sort field.
#[derive(Debug, Clone, PartialEq)]
struct SortField {
    path: Path,
    descending: bool,
}

/// A checked query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    filter: Filter,
    sort: Vec<SortField>,
    sort_text: Vec<String>,
    limit: usize,
    offset: usize,
    after: Option<Position>,
    ids: Option<Vec<String>>,
}

/// Where an item stands in the order of a plan.
#[derive(Debug, Clone, PartialEq)]
struct Position {
    fields: Vec<Value>,
    key: String,
}

/// An item that a query took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The item's key.
    pub(crate) key: String,
    /// Its value.
    pub(crate) value: Value,
}

/// A page of results.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Page {
    /// The items, in order.
    pub(crate) rows: Vec<Row>,
    /// Gives the next page; `None` if this one ends the result.
    pub(crate) cursor: Option<String>,
}

impl Plan {
    /// Checks a query.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`], saying what is wrong.
    pub(crate) fn new(query: &Query) -> Result<Self> {
        if query.sort.len() > SORT_FIELDS_MAX {
            return Err(invalid(format!("sort: more than {SORT_FIELDS_MAX} fields")));
        }
        let ids = query.ids.clone().map(|mut ids| {
            ids.sort_unstable();
            ids.dedup();
            ids
        });
        if ids.as_ref().is_some_and(|ids| ids.len() > IDS_MAX) {
            return Err(invalid(format!("ids: more than {IDS_MAX} keys")));
        }
        let sort = query.sort.iter().map(|field| SortField::parse(field)).collect::<Result<_>>()?;
        let after = query.cursor.as_deref().map(|cursor| parse_cursor(cursor, &query.sort)).transpose()?;
        Ok(Self {
            filter: Filter::parse(&query.filter)?,
            sort,
            sort_text: query.sort.clone(),
            limit: query.limit.unwrap_or(usize::MAX),
            offset: query.offset,
            after,
            ids,
        })
    }

    /// The only keys that can be in the result, in order, if the query names them.
    pub(crate) fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }

    /// The key that the scan may start at: every result comes at or after it.
    pub(crate) fn first_key(&self) -> Option<&str> {
        match &self.after {
            Some(after) if self.sort.is_empty() => Some(&after.key),
            _ => None,
        }
    }

    /// Whether an item with this value is one of those that the query is about, wherever it
    /// stands.
    pub(crate) fn matches(&self, key: &str, value: &Value) -> bool {
        self.has_key(key) && self.filter.matches(value)
    }

    /// The same, by the value's stored form.
    ///
    /// # Errors
    ///
    /// If the bytes are not what was stored.
    pub(crate) fn matches_stored(&self, key: &str, bytes: &[u8]) -> std::result::Result<bool, ValueError> {
        Ok(self.has_key(key) && self.filter.matches_stored(bytes)?)
    }

    fn has_key(&self, key: &str) -> bool {
        self.ids.as_ref().is_none_or(|ids| ids.binary_search_by(|id| id.as_str().cmp(key)).is_ok())
    }

    /// Whether the result is all that matches: then a change of one item changes nothing else in it.
    pub(crate) fn is_whole(&self) -> bool {
        self.limit == usize::MAX && self.offset == 0 && self.after.is_none()
    }

    /// Where an item stands or belongs in a result of this plan.
    pub(crate) fn place(&self, rows: &[Row], key: &str, value: &Value) -> usize {
        let position = self.position(key, value);
        rows.partition_point(|row| self.compare(&self.position(&row.key, &row.value), &position).is_lt())
    }

    /// Whether counting needs no look at values.
    pub(crate) fn counts_rows(&self) -> bool {
        self.filter.takes_everything() && self.ids.is_none()
    }

    /// The same plan from the start of its result.
    pub(crate) fn without_cursor(self) -> Self {
        Self { after: None, ..self }
    }

    fn position(&self, key: &str, value: &Value) -> Position {
        let fields =
            self.sort.iter().map(|field| field.path.of(value).cloned().unwrap_or_default()).collect();
        Position { fields, key: key.to_owned() }
    }

    fn compare(&self, a: &Position, b: &Position) -> Ordering {
        let fields = self.sort.iter().zip(a.fields.iter().zip(&b.fields));
        fields
            .map(|(field, (a, b))| if field.descending { b.cmp(a) } else { a.cmp(b) })
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.key.as_bytes().cmp(b.key.as_bytes()))
    }

    fn cursor_of(&self, position: &Position) -> String {
        let texts = self.sort_text.iter().map(|text| Value::Text(text.clone())).collect();
        let mut encoder = Encoder::default();
        encoder.list(3);
        let stored = encoder
            .value(&Value::List(texts))
            .and_then(|()| encoder.value(&Value::List(position.fields.clone())));
        // A field as deep as a value may be does not fit into one more list.
        if stored.is_err() {
            return String::new();
        }
        encoder.text(&position.key);
        to_hex(&encoder.into_bytes())
    }
}

impl SortField {
    fn parse(text: &str) -> Result<Self> {
        let (descending, path) = match text.strip_prefix('-') {
            Some(path) => (true, path),
            None => (false, text),
        };
        let path = Path::parse(path).map_err(|error| invalid(format!("sort: {error}")))?;
        Ok(Self { path, descending })
    }
}

fn parse_cursor(text: &str, sort: &[String]) -> Result<Position> {
    let read = || {
        let bytes = from_hex(text)?;
        let mut decoder = Decoder::new(&bytes);
        if decoder.list().ok()? != 3 {
            return None;
        }
        let texts = decoder.value().ok()?;
        let fields = decoder.value().ok()?.as_list()?.to_vec();
        let key = decoder.text().ok()?.to_owned();
        decoder.finish().ok()?;
        Some((texts, Position { fields, key }))
    };
    let (texts, position) = read().ok_or_else(|| invalid("cursor: not one that a query gave".to_owned()))?;
    let same = texts
        .as_list()
        .is_some_and(|texts| texts.iter().map(Value::as_text).eq(sort.iter().map(|s| Some(s.as_str()))));
    if !same || position.fields.len() != sort.len() {
        return Err(invalid("cursor: it belongs to a query with another sort".to_owned()));
    }
    Ok(position)
}

/// Takes the items of a collection in the order of their keys and keeps those asked for.
#[derive(Debug)]
pub(crate) struct Collector<'p> {
    plan: &'p Plan,
    wanted: usize,
    taken: Vec<(Position, Value)>,
}

impl<'p> Collector<'p> {
    /// Collects for a plan.
    pub(crate) fn new(plan: &'p Plan) -> Self {
        // One more than the page tells whether there is a next one.
        let wanted = plan.limit.saturating_add(plan.offset).saturating_add(1);
        Self { plan, wanted, taken: Vec::new() }
    }

    /// Looks at the next item that the plan is about; breaks when no later one can matter.
    pub(crate) fn visit(&mut self, key: &str, value: Value) -> ControlFlow<()> {
        let position = self.plan.position(key, &value);
        if self.plan.after.as_ref().is_some_and(|after| self.plan.compare(&position, after).is_le()) {
            return ControlFlow::Continue(());
        }
        self.taken.push((position, value));
        if self.plan.sort.is_empty() && self.taken.len() >= self.wanted {
            return ControlFlow::Break(());
        }
        if self.taken.len() >= self.wanted.saturating_mul(2).saturating_add(64) {
            self.keep_wanted();
        }
        ControlFlow::Continue(())
    }

    fn keep_wanted(&mut self) {
        if !self.plan.sort.is_empty() {
            self.taken.sort_by(|(a, _), (b, _)| self.plan.compare(a, b));
        }
        self.taken.truncate(self.wanted);
    }

    /// The page.
    pub(crate) fn finish(mut self) -> Page {
        self.keep_wanted();
        let more = self.taken.len() == self.wanted;
        if more {
            self.taken.pop();
        }
        let last = self.taken.last().filter(|_| more && self.taken.len() > self.plan.offset);
        let cursor = last.map(|(position, _)| self.plan.cursor_of(position)).filter(|text| !text.is_empty());
        let rows = self.taken.into_iter().skip(self.plan.offset);
        Page { rows: rows.map(|(position, value)| Row { key: position.key, value }).collect(), cursor }
    }
}

fn invalid(why: String) -> Error {
    Error::new(ErrorKind::InvalidArgument, why)
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() > CURSOR_MAX || !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests;
