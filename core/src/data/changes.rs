//! The log of a database: its entries as they are, and its changes since a cursor.
//!
//! Entries are exchanged by id, as content-addressed stores do. Changes are one for each item, at
//! its latest change, deleted items and unreadable entries included; a reader that keeps the cursor
//! sees every change at least once.

mod gather;

use std::fmt;
use std::ops::ControlFlow;

use tidelog_log::entry::Entry;
use tidelog_log::ids::{DeviceId, EntryId, StreamId, UserId};
use tidelog_log::log::LogError;
use tidelog_log::session::{Receipt, Replica};
use tidelog_log::state::{StateRead, StateView};
use tidelog_log::trie::Filter;

pub(crate) use gather::Gathering;

use super::address::{Policy, Scope};
use super::database::Database;
use super::tables::{self, CHANGES, ChangeRow, META, META_EPOCH, Unread, change_row, damaged};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of entries that are copied between two logs at a time.
const COPY_BYTES: usize = 1024 * 1024;

/// Most changes that are given at once.
pub const CHANGES_MAX: usize = 10_000;

/// The log of one database.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// # use tidelog::{InviteOptions, Key, Workspace};
/// # let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
/// # let (path, key) = (folder.join("bob.tide"), Key::raw([2; 32]));
/// # let invite = ada.invite(InviteOptions { auto_approve: true, ..InviteOptions::default() }).await?;
/// # let request = Workspace::ask_to_join(&path, key.clone(), &invite.uri, "Bob").await?;
/// # let asked = ada.receive_request(&request).await?;
/// # let bob = Workspace::finish_joining(&path, key, ada.welcome(&asked.id).await?).await?;
/// let notes = ada.database("main").collection::<String>("notes");
/// notes.put("tide", &"Low at six.".to_owned()).await?;
///
/// let (from, to) = (ada.database("main").log(), bob.database("main").log());
/// let missing = to.missing(&from.entry_ids()?)?;
/// for entry in from.entries(&missing)?.into_iter().flatten() {
///     assert!(to.append(&entry)?);
/// }
/// assert_eq!(to.entry_ids()?, from.entry_ids()?);
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Clone)]
pub struct Log {
    pub(crate) database: Database,
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Log({:?})", self.database)
    }
}

/// What became of an item, or of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChangeKind {
    /// The item is there, new or changed.
    Put,
    /// The item is deleted.
    Delete,
    /// An entry cannot be shown because its key is not held yet.
    MissingKey,
    /// An entry cannot be shown because it is invalid.
    Invalid,
}

impl ChangeKind {
    /// The name, the same in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Delete => "delete",
            Self::MissingKey => "missing_key",
            Self::Invalid => "invalid",
        }
    }
}

/// One item at its latest change, or one entry that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Change {
    /// What became of it.
    pub kind: ChangeKind,
    /// Name of the collection; empty for an entry.
    pub collection: String,
    /// The collection's policy; none for an entry.
    pub policy: Option<Policy>,
    /// The user whose own item it is.
    pub owner: Option<UserId>,
    /// The item's key; empty for an entry.
    pub key: String,
    /// The entry with the item's highest version, or the entry itself.
    pub entry: EntryId,
    /// The device that wrote the entry that made the change.
    pub author: DeviceId,
    /// The number of that entry in this replica's order of arrival.
    pub arrival: u64,
}

/// Changes after a cursor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Changes {
    /// The changes, the earliest first.
    pub items: Vec<Change>,
    /// What to go on from. The same as given, or another name of the start, if nothing changed.
    pub cursor: String,
}

impl Log {
    pub(super) const fn new(database: Database) -> Self {
        Self { database }
    }

    /// The ids of all entries of the database, in order of arrival.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn entry_ids(&self) -> Result<Vec<EntryId>> {
        let mut ids = Vec::new();
        let filter = streams([self.stream()?]);
        self.batches(&filter, |batch| {
            ids.extend(batch.iter().map(Entry::id));
            Ok(())
        })?;
        Ok(ids)
    }

    /// Those of these entries that this log does not hold.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn missing(&self, ids: &[EntryId]) -> Result<Vec<EntryId>> {
        let mut missing = Vec::new();
        for id in ids {
            if self.database.engine.log.position(id).map_err(storage)?.is_none() {
                missing.push(*id);
            }
        }
        Ok(missing)
    }

    /// These entries as bytes, in the same order; `None` where this log does not hold one.
    ///
    /// # Errors
    ///
    /// If the log cannot be read, or a stored entry is damaged.
    pub fn entries(&self, ids: &[EntryId]) -> Result<Vec<Option<Vec<u8>>>> {
        ids.iter().map(|id| Ok(self.database.engine.log.entry(id)?.map(|entry| entry.encode()))).collect()
    }

    /// Takes an entry that was read from another log of this workspace, and says whether it is new.
    /// It is verified before it is stored.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if it is not a valid entry of this workspace;
    /// [`ErrorKind::NotFound`] if this log lacks what it builds on: append that first.
    pub fn append(&self, entry: &[u8]) -> Result<bool> {
        let entry = Entry::decode(entry)
            .map_err(|error| Error::new(ErrorKind::InvalidArgument, error.to_string()).with_source(error))?;
        let receipt = self.database.engine.log.receive_blocking(vec![entry])?;
        check(&receipt)?;
        Ok(!receipt.stored.is_empty())
    }

    /// Takes from another log of the same database, open in this program, what this one lacks, with
    /// what of the directory it rests on. Gives the number of new entries.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if it is another database's; those of both logs.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// # use tidelog::{InviteOptions, Key, Workspace};
    /// # let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
    /// # let (path, key) = (folder.join("bob.tide"), Key::raw([2; 32]));
    /// # let invite = ada.invite(InviteOptions { auto_approve: true, ..InviteOptions::default() }).await?;
    /// # let request = Workspace::ask_to_join(&path, key.clone(), &invite.uri, "Bob").await?;
    /// # let asked = ada.receive_request(&request).await?;
    /// # let bob = Workspace::finish_joining(&path, key, ada.welcome(&asked.id).await?).await?;
    /// let notes = ada.database("main").collection::<String>("notes");
    /// notes.put("tide", &"Low at six.".to_owned()).await?;
    ///
    /// let (here, there) = (bob.database("main"), ada.database("main"));
    /// assert!(here.log().pull_from(&there.log())? > 0);
    /// assert!(here.collection::<String>("notes").get("tide")?.is_some());
    /// assert_eq!(here.log().pull_from(&there.log())?, 0); // nothing new
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub fn pull_from(&self, other: &Self) -> Result<usize> {
        let stream = self.stream()?;
        let (mine, theirs) = (&self.database.engine.log, &other.database.engine.log);
        if mine.workspace() != theirs.workspace() || stream != other.stream()? {
            return Err(Error::new(ErrorKind::InvalidArgument, "the two logs are of different databases"));
        }
        let mut new = 0;
        other.batches(&streams([StreamId::DIRECTORY, stream]), |batch| {
            let receipt = mine.receive_blocking(batch)?;
            check(&receipt)?;
            new += receipt.stored.len();
            Ok(())
        })?;
        Ok(new)
    }

    /// [`Log::pull_from`], the other way.
    ///
    /// # Errors
    ///
    /// As [`Log::pull_from`].
    pub fn push_to(&self, other: &Self) -> Result<usize> {
        other.pull_from(self)
    }

    /// Both ways. Gives the number of new entries here, and there.
    ///
    /// # Errors
    ///
    /// As [`Log::pull_from`].
    pub fn sync_with(&self, other: &Self) -> Result<(usize, usize)> {
        Ok((self.pull_from(other)?, self.push_to(other)?))
    }

    /// The items that changed strictly after a cursor, each once, at its latest change; all items
    /// without one. At most `limit`, and [`CHANGES_MAX`]: go on with the cursor until there is
    /// nothing more. A cursor from before the tables were built anew starts again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the cursor is none that this gave.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::ChangeKind;
    ///
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// let database = workspace.database("main");
    /// let notes = database.collection::<String>("notes");
    /// notes.put("tide", &"Low at six.".to_owned()).await?;
    /// let first = database.log().changes_since(None, 100)?;
    /// assert_eq!((first.items[0].kind, first.items[0].key.as_str()), (ChangeKind::Put, "tide"));
    ///
    /// notes.delete("tide").await?;
    /// let next = database.log().changes_since(Some(&first.cursor), 100)?;
    /// assert_eq!(next.items[0].kind, ChangeKind::Delete);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub fn changes_since(&self, cursor: Option<&str>, limit: usize) -> Result<Changes> {
        let rows = self.database.id()?.rows;
        let view = self.database.engine.view()?;
        let epoch = view.get(META, META_EPOCH).map_err(LogError::from)?.unwrap_or_else(|| vec![0; 16]);
        let epoch = EpochText(&epoch).to_string();
        let after = match cursor {
            Some(cursor) => Cursor::parse(cursor)?.after_in(&epoch),
            None => 0,
        };
        let mut found = Vec::new();
        let limit = limit.min(CHANGES_MAX);
        let (from, to) = (change_row(rows, after.saturating_add(1)), change_row(rows, u64::MAX));
        view.range(CHANGES, &from, Some(&to), false, &mut |row, value| {
            if found.len() == limit {
                return ControlFlow::Break(());
            }
            let number = row.last_chunk().map(|number| u64::from_be_bytes(*number));
            found.push((number.unwrap_or(after), ChangeRow::decode(value)));
            ControlFlow::Continue(())
        })
        .map_err(LogError::from)?;
        let last = found.last().map_or(after, |(number, _)| *number);
        let items = found
            .into_iter()
            .map(|(_, row)| change(&view, row.ok_or_else(|| damaged(CHANGES))?))
            .collect::<Result<_>>()?;
        Ok(Changes { items, cursor: format!("{epoch}.{last}") })
    }

    /// The stream of the database.
    pub(crate) fn stream(&self) -> Result<StreamId> {
        Ok(self.database.id()?.stream)
    }

    /// Reads the entries of some streams in order of arrival, in batches that end in signed ones.
    fn batches(&self, filter: &Filter, mut take: impl FnMut(Vec<Entry>) -> Result<()>) -> Result<()> {
        let mut arrival = 0;
        loop {
            let batch =
                self.database.engine.log.entries_after(arrival, filter, COPY_BYTES).map_err(storage)?;
            let Some((last, _)) = batch.last() else { return Ok(()) };
            arrival = *last;
            take(batch.into_iter().map(|(_, entry)| entry).collect())?;
        }
    }
}

fn streams<const N: usize>(streams: [StreamId; N]) -> Filter {
    Filter::Streams(streams.into())
}

fn change(view: &StateView, row: ChangeRow) -> Result<Change> {
    match row {
        ChangeRow::Unread { reason, arrival, entry, author } => Ok(Change {
            kind: match reason {
                Unread::MissingKey => ChangeKind::MissingKey,
                Unread::Invalid | Unread::Newer => ChangeKind::Invalid,
            },
            collection: String::new(),
            policy: None,
            owner: None,
            key: String::new(),
            entry,
            author,
            arrival,
        }),
        ChangeRow::Item(row) => {
            let item = tables::item(view, &row)?.ok_or_else(|| damaged(CHANGES))?;
            let (scope, key) = Scope::parse_item_row(&row).ok_or_else(|| damaged(CHANGES))?;
            Ok(Change {
                kind: if item.live { ChangeKind::Put } else { ChangeKind::Delete },
                collection: scope.collection,
                policy: Some(scope.policy),
                owner: scope.owner,
                key: key.to_owned(),
                entry: item.version.entry,
                author: item.author,
                arrival: item.arrival,
            })
        }
    }
}

/// A position in the changes: the epoch of their numbers, and a number.
pub(crate) struct Cursor<'c> {
    epoch: &'c str,
    number: u64,
}

impl<'c> Cursor<'c> {
    pub(crate) fn parse(text: &'c str) -> Result<Self> {
        let parse = || {
            let (epoch, number) = text.split_once('.')?;
            let hexadecimal = epoch.len() == 32 && epoch.bytes().all(|byte| byte.is_ascii_hexdigit());
            hexadecimal.then_some(Self { epoch, number: number.parse().ok()? })
        };
        parse().ok_or_else(|| {
            Error::new(ErrorKind::InvalidArgument, "the cursor is none that `changes_since` gave")
        })
    }

    /// The number to go on after; the start if the numbers are of another epoch.
    pub(crate) fn after_in(&self, epoch: &str) -> u64 {
        if self.epoch == epoch { self.number } else { 0 }
    }
}

pub(crate) struct EpochText<'e>(pub(crate) &'e [u8]);

impl fmt::Display for EpochText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Refuses what a log did not take.
fn check(receipt: &Receipt) -> Result<()> {
    if let Some(refused) = receipt.refused.first() {
        let why = format!("the entry {} is refused: {}", refused.entry, refused.reason);
        return Err(Error::new(ErrorKind::InvalidArgument, why));
    }
    match receipt.missing.first() {
        Some(missing) => {
            let why = format!("the entry {} builds on {}, which is not here", missing.entry, missing.needs);
            Err(Error::new(ErrorKind::NotFound, why))
        }
        None => Ok(()),
    }
}

fn storage(error: tidelog_log::session::ReplicaError) -> Error {
    match error.downcast::<LogError>() {
        Ok(error) => (*error).into(),
        Err(error) => Error::new(ErrorKind::Io, "the log cannot be read").with_source(error),
    }
}
