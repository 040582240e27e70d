//! The history of an item: the entries behind it, read back from the log.

use std::ops::ControlFlow;

use tidelog_log::entry::Entry;
use tidelog_log::ids::{DeviceId, EntryId, UserId};
use tidelog_log::log::LogError;
use tidelog_log::state::StateRead;

use super::address::Scope;
use super::materialise::{Unsealed, unseal};
use super::operation::{Action, Operations};
use super::read::stored_value;
use super::tables::{self, HISTORY, damaged};
use crate::engine::Engine;
use crate::error::Result;
use crate::value::Value;

/// What an entry did to an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum VersionKind {
    /// It put a value.
    Put,
    /// It deleted the item.
    Delete,
    /// It changed the document.
    Change,
}

impl VersionKind {
    /// The name, the same in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::Change => "change",
        }
    }
}

/// One operation of one entry on an item.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::VersionKind;
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let notes = workspace.database("main").collection::<String>("notes");
/// notes.put("tide", &"Low at six.".to_owned()).await?;
/// notes.delete("tide").await?;
///
/// let history = notes.history("tide")?;
/// assert_eq!(history[0].value, Some("Low at six.".into()));
/// assert_eq!((history.len(), history[1].kind), (2, VersionKind::Delete));
/// assert_eq!(history[1].author, workspace.me()?.device);
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Version {
    /// The entry.
    pub entry: EntryId,
    /// The device that wrote it.
    pub author: DeviceId,
    /// The user whose device that is, if the directory knows.
    pub user: Option<UserId>,
    /// When it was written, in milliseconds since 1970-01-01 UTC by the author's clock.
    pub hlc_ms: u64,
    /// What it did.
    pub kind: VersionKind,
    /// The value it put.
    pub value: Option<Value>,
    /// Whether this device wrote it.
    pub local: bool,
}

/// The versions of an item, the oldest first.
///
/// # Errors
///
/// If the log or the tables cannot be read.
pub(crate) fn of(engine: &Engine, scope: &Scope, key: &str) -> Result<Vec<Version>> {
    let part_row = tables::part_row(scope, key);
    let mut rows = Vec::new();
    engine
        .view()?
        .prefix(HISTORY, &part_row, &mut |row, value| {
            rows.push(tables::parse_history(&part_row, row, value));
            ControlFlow::Continue(())
        })
        .map_err(LogError::from)?;
    let directory = engine.log.directory();
    let mut open: Option<Opened> = None;
    let mut versions = Vec::with_capacity(rows.len());
    for row in rows {
        let (version, arrival) = row.ok_or_else(|| damaged(HISTORY))?;
        if open.as_ref().is_none_or(|open| open.entry.id() != version.entry) {
            open = Opened::read(engine, arrival)?;
        }
        let Some(open) = open.as_ref().filter(|open| open.entry.id() == version.entry) else { continue };
        let Some((_, operation)) = open.operations.get(version.index) else { continue };
        let (kind, value) = match &operation.action {
            Action::Put(value) => (VersionKind::Put, Some(stored_value(value)?)),
            Action::Delete => (VersionKind::Delete, None),
            Action::Change(_) | Action::Begin { .. } => (VersionKind::Change, None),
        };
        let author = open.entry.header().author;
        versions.push(Version {
            entry: version.entry,
            author,
            user: directory.owner_of(&author),
            hlc_ms: version.hlc.ms(),
            kind,
            value,
            local: author == engine.device(),
        });
    }
    Ok(versions)
}

/// An entry and what it did.
struct Opened {
    entry: Entry,
    operations: Operations,
}

impl Opened {
    /// Reads an entry; `None` if the log does not have it any more.
    fn read(engine: &Engine, arrival: u64) -> Result<Option<Self>> {
        let Some(entry) = engine.log.entry_at(arrival)? else { return Ok(None) };
        let Unsealed::Plain { operations, .. } = unseal(&engine.keyring, &entry) else { return Ok(None) };
        Ok(Operations::decode(&operations).ok().map(|operations| Self { entry, operations }))
    }
}
