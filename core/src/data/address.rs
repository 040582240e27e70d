//! Where an item is: names, their limits, and the row keys of the state's tables.
//!
//! ```text
//! scope row   stream 16 | collection length u8 | collection | policy u8 | 00
//!             stream 16 | collection length u8 | collection | policy u8 | 01 | owner 16
//! item row    scope row | key
//! ```
//!
//! No scope row is the start of another, so the items of one scope are exactly the rows that start
//! with it, in the byte order of their keys.
//!
//! A database is one stream under the keys of one circle, and the rows of the two together have a
//! stream id of their own, see [`rows_of`]. So what is written into a stream with a key of another
//! circle than the stream's ends up where no database is, on every device and in whatever order it
//! learns which stream is whose; and stream zero, which takes any key, has a catalogue for each circle.

use tidelog_log::crypto::{sha256, tag};
use tidelog_log::ids::{CircleId, StreamId, UserId};

use crate::error::{Error, ErrorKind, Result};

const TAG_ROWS: [u8; 16] = tag("TIDE1 rows");

/// Largest length of a database or collection name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 255;
/// Largest length of an item's key, in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 512;

/// How concurrent writes to one item merge. Part of a collection's identity.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::{CollectionOptions, ErrorKind, Policy, Value};
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let database = workspace.database("main");
/// database.collection::<Value>("notes").put("tide", &"Low at six.".into()).await?;
///
/// let options = CollectionOptions::default().policy(Policy::Document);
/// let document = database.collection_with::<Value>("notes", options).get("tide");
/// assert!(document.is_err_and(|error| error.kind() == ErrorKind::PolicyConflict));
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Policy {
    /// An item is a whole value, and the latest write wins.
    #[default]
    Lww,
    /// An item is a document of maps, lists, text and counters, and all changes merge.
    Document,
}

impl Policy {
    /// The number that stands for the policy in operations and row keys.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Lww => 0,
            Self::Document => 2,
        }
    }

    /// The policy of a number; `None` for one that this version does not know.
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Lww),
            2 => Some(Self::Document),
            _ => None,
        }
    }

    /// The name, the same in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lww => "lww",
            Self::Document => "document",
        }
    }

    /// The policy of a name.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if no policy has the name.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "lww" => Ok(Self::Lww),
            "document" => Ok(Self::Document),
            _ => Err(Error::new(
                ErrorKind::InvalidArgument,
                format!("unknown policy `{name}`: expected lww or document"),
            )),
        }
    }
}

/// Whether a text may name a database or a collection.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.chars().any(char::is_control)
}

/// Whether a text may be an item's key.
pub(crate) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.len() <= KEY_BYTES_MAX
}

/// Refuses a text that cannot name a database or a collection.
pub(crate) fn check_name(what: &str, name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidArgument,
        format!("a {what} name has 1 to {NAME_BYTES_MAX} bytes and no control characters"),
    ))
}

/// Refuses a text that cannot be an item's key.
pub(crate) fn check_key(key: &str) -> Result<()> {
    if is_key(key) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidArgument, format!("an item key has 1 to {KEY_BYTES_MAX} bytes")))
}

/// A circle as it is told to whoever reads: `None` for everybody.
pub(crate) fn not_everybody(circle: CircleId) -> Option<CircleId> {
    Some(circle).filter(|circle| *circle != CircleId::WORKSPACE)
}

/// What stands in row keys for a stream under the keys of a circle; in circle zero the stream itself.
pub(crate) fn rows_of(stream: StreamId, circle: &CircleId) -> StreamId {
    if *circle == CircleId::WORKSPACE {
        return stream;
    }
    let hash = sha256(&[&TAG_ROWS, &stream.0, &circle.0]);
    StreamId(*hash.first_chunk().expect("a hash is longer than an id"))
}

/// The items of one collection under one policy, all shared or all owned by one user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Scope {
    /// The database, see [`rows_of`].
    pub(crate) stream: StreamId,
    /// Name of the collection.
    pub(crate) collection: String,
    /// Its policy.
    pub(crate) policy: Policy,
    /// The user whose devices alone may write these items.
    pub(crate) owner: Option<UserId>,
}

impl Scope {
    /// The row key that those of the scope's items start with.
    pub(crate) fn row(&self) -> Vec<u8> {
        let mut row = collection_row(self.stream, &self.collection);
        row.push(self.policy.number());
        match self.owner {
            None => row.push(0),
            Some(owner) => {
                row.push(1);
                row.extend_from_slice(&owner.0);
            }
        }
        row
    }

    /// The row key of an item.
    pub(crate) fn item_row(&self, key: &str) -> Vec<u8> {
        let mut row = self.row();
        row.extend_from_slice(key.as_bytes());
        row
    }

    /// The scope and the key that an item's row stands for.
    pub(crate) fn parse_item_row(row: &[u8]) -> Option<(Self, &str)> {
        let (stream, rest) = row.split_first_chunk::<16>()?;
        let (length, rest) = rest.split_first()?;
        let (collection, rest) = rest.split_at_checked(usize::from(*length))?;
        let (policy, rest) = rest.split_first()?;
        let (owned, rest) = rest.split_first()?;
        let (owner, key) = if *owned == 1 {
            let (owner, key) = rest.split_first_chunk::<16>()?;
            (Some(UserId(*owner)), key)
        } else {
            (None, rest)
        };
        let scope = Self {
            stream: StreamId(*stream),
            collection: std::str::from_utf8(collection).ok()?.to_owned(),
            policy: Policy::from_number(*policy)?,
            owner,
        };
        Some((scope, std::str::from_utf8(key).ok()?))
    }
}

/// The row key that those of all scopes of a collection start with.
pub(crate) fn collection_row(stream: StreamId, collection: &str) -> Vec<u8> {
    let length = u8::try_from(collection.len()).expect("names are checked to be at most 255 bytes");
    let mut row = Vec::with_capacity(64 + collection.len());
    row.extend_from_slice(&stream.0);
    row.push(length);
    row.extend_from_slice(collection.as_bytes());
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(collection: &str, owner: Option<UserId>) -> Scope {
        Scope { stream: StreamId([7; 16]), collection: collection.into(), policy: Policy::Document, owner }
    }

    #[test]
    fn item_rows_name_their_scope_and_key() {
        for owner in [None, Some(UserId([9; 16]))] {
            let scope = scope("tasks", owner);
            let row = scope.item_row("a\u{1F600}");
            assert_eq!(Scope::parse_item_row(&row), Some((scope, "a\u{1F600}")));
        }
        assert_eq!(Scope::parse_item_row(&[0; 10]), None);
    }

    #[test]
    fn no_scope_row_is_the_start_of_another() {
        let rows = [
            scope("a", None).row(),
            scope("a", Some(UserId([0; 16]))).row(),
            scope("ab", None).row(),
            scope("a\u{2}", None).row(),
        ];
        for (i, a) in rows.iter().enumerate() {
            assert!(rows.iter().enumerate().all(|(j, b)| i == j || !b.starts_with(a)));
        }
    }

    #[test]
    fn names_and_keys_are_bounded() {
        assert!(check_name("database", &"n".repeat(NAME_BYTES_MAX)).is_ok());
        assert!(check_name("database", &"n".repeat(NAME_BYTES_MAX + 1)).is_err());
        assert!(check_name("database", "").is_err());
        assert!(check_name("database", "a\nb").is_err());
        assert!(check_key(&"k".repeat(KEY_BYTES_MAX)).is_ok());
        assert!(check_key(&"k".repeat(KEY_BYTES_MAX + 1)).is_err());
        assert!(check_key("").is_err());
    }

    #[test]
    fn policies_round_trip_by_name_and_number() {
        for policy in [Policy::Lww, Policy::Document] {
            assert_eq!(Policy::from_number(policy.number()), Some(policy));
            assert_eq!(Policy::from_name(policy.name()).expect("known"), policy);
        }
        assert_eq!(Policy::from_number(1), None);
        assert!(Policy::from_name("fields").is_err());
    }
}
