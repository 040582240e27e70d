//! The log of a database as a relay holds it, read and written there without syncing it.

use std::collections::{HashMap, HashSet};
use std::fmt;

use tidelog_log::entry::Entry;
use tidelog_log::frames::{ASK_IDS_MAX, Select};
use tidelog_log::ids::{CircleId, EntryId, StreamId};
use tidelog_log::trie::Filter;

use super::Workspace;
use crate::data::changes::{Cursor, EpochText, Gathering};
use crate::data::{CHANGES_MAX, Changes, Log};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Dial, Party, Remote};

/// Most bytes of entries from a relay that wait for a signature that vouches for them.
const UNPROVEN_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Most ids that a relay is asked to list in one call.
const IDS_MAX: usize = 4 * 1024 * 1024;
/// Entries of a relay that one call looks through for changes.
const ENTRIES_MAX: usize = 1024 * 1024;

/// The log of one database at a relay. Each call meets the relay once; it syncs stream zero, which
/// says who may write, and nothing else.
///
/// ```no_run
/// # async fn run(workspace: tidelog::Workspace) -> tidelog::Result<()> {
/// let log = workspace.database("main").log();
/// let remote = workspace.remote_log(&log, "wss://relay.example.org")?;
/// let missing = remote.missing(&log.entry_ids()?).await?;
/// for entry in log.entries(&missing)?.into_iter().flatten() {
///     remote.append(&entry).await?;
/// }
/// let changes = remote.changes_since(None, 100).await?;
/// println!("{} items, go on from {}", changes.items.len(), changes.cursor);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RemoteLog {
    workspace: Workspace,
    stream: StreamId,
    circle: CircleId,
    dial: Dial,
}

impl fmt::Debug for RemoteLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RemoteLog({})", self.dial.address)
    }
}

impl Workspace {
    /// The log of a database as a relay holds it, with the words of [`Log`].
    ///
    /// # Errors
    ///
    /// `invalid_argument` for something else than a relay's URL; `not_admitted` before this device is
    /// a member.
    pub fn remote_log(&self, log: &Log, url: &str) -> Result<RemoteLog> {
        let (workspace, database) = (self.clone(), log.database.id()?);
        let dial = self.dial(url)?;
        Ok(RemoteLog { workspace, stream: database.stream, circle: database.circle, dial })
    }
}

impl RemoteLog {
    async fn meet(&self) -> Result<Remote> {
        let streams = Filter::some([StreamId::DIRECTORY]);
        Remote::open(&self.dial, &Party { streams, ..self.workspace.party() }).await
    }

    /// The ids of all entries of the database that the relay holds, in its order of arrival.
    ///
    /// # Errors
    ///
    /// `network`, `relay_refused`, `not_admitted`, `protocol`, `timeout`; `too_large` if there are more
    /// than 4,194,304.
    pub async fn entry_ids(&self) -> Result<Vec<EntryId>> {
        let mut remote = self.meet().await?;
        let (mut ids, mut seen, mut after) = (Vec::new(), HashSet::new(), 0);
        loop {
            let (through, found) = remote.ids(Select::After { stream: self.stream, arrival: after }).await?;
            if found.is_empty() {
                break;
            }
            after = through;
            let found = found.into_iter().map(|(_, id)| id);
            gather(&mut ids, &mut seen, found, IDS_MAX)?;
        }
        remote.close().await?;
        Ok(ids)
    }

    /// Those of these entries that the relay does not hold.
    ///
    /// # Errors
    ///
    /// As [`RemoteLog::entry_ids`].
    pub async fn missing(&self, ids: &[EntryId]) -> Result<Vec<EntryId>> {
        let mut remote = self.meet().await?;
        let mut missing = Vec::new();
        let mut rest = ids;
        while !rest.is_empty() {
            let asked = &rest[..rest.len().min(ASK_IDS_MAX)];
            let (looked_at, held) = remote.ids(Select::Ids(asked.to_vec())).await?;
            let (looked_at, after) = rest.split_at(looked_at_of(looked_at, asked));
            let held: HashSet<EntryId> = held.into_iter().map(|(_, id)| id).collect();
            missing.extend(looked_at.iter().filter(|id| !held.contains(id)));
            rest = after;
        }
        remote.close().await?;
        Ok(missing)
    }

    /// These entries as bytes, in the same order; `None` where the relay does not hold one. An entry's
    /// id vouches for its bytes; whoever appends it somewhere has it verified there.
    ///
    /// # Errors
    ///
    /// As [`RemoteLog::entry_ids`].
    pub async fn entries(&self, ids: &[EntryId]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut remote = self.meet().await?;
        let (mut bytes, mut rest) = (Vec::new(), ids);
        while !rest.is_empty() {
            let asked = &rest[..rest.len().min(ASK_IDS_MAX)];
            let (looked_at, entries) = remote.entries(Select::Ids(asked.to_vec())).await?;
            let (looked_at, after) = rest.split_at(looked_at_of(looked_at, asked));
            let found: HashMap<EntryId, Vec<u8>> =
                entries.into_iter().map(|(_, entry)| (entry.id(), entry.encode())).collect();
            bytes.extend(looked_at.iter().map(|id| found.get(id).cloned()));
            rest = after;
        }
        remote.close().await?;
        Ok(bytes)
    }

    /// Gives the relay an entry that was read from another log of this workspace, and says whether it is
    /// new there.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if it is not a valid entry of this workspace; `not_found` if the relay lacks
    /// what it builds on: append that first. As [`RemoteLog::entry_ids`].
    pub async fn append(&self, entry: &[u8]) -> Result<bool> {
        let invalid = |why: String| Error::new(ErrorKind::InvalidArgument, why);
        let entry = Entry::decode(entry).map_err(|error| invalid(error.to_string()).with_source(error))?;
        let mut remote = self.meet().await?;
        let (id, header) = (entry.id(), entry.header());
        let key = self.workspace.inner.engine.log.directory().public_key(&header.author);
        let ours = header.workspace == self.workspace.id() || header.is_genesis();
        if !ours || header.covered || !key.is_some_and(|key| header.verify(&key)) {
            // A relay would end the session, and after the third time keep this device out.
            return Err(invalid(format!("the entry {id} is refused: no good signature vouches for it")));
        }
        if !remote.ids(Select::Ids(vec![id])).await?.1.is_empty() {
            remote.close().await?;
            return Ok(false);
        }
        remote.offer(entry).await.map_err(|error| match error.kind() {
            ErrorKind::Protocol => invalid(format!("the entry {id} is refused")).with_source(error),
            _ => error,
        })?;
        let taken = !remote.ids(Select::Ids(vec![id])).await?.1.is_empty();
        remote.close().await?;
        if taken {
            return Ok(true);
        }
        let why = format!("the entry {id} builds on what the relay does not hold, or does not count");
        Err(Error::new(ErrorKind::NotFound, why))
    }

    /// The items that changed at the relay strictly after a cursor, each once, at its latest change among
    /// those; all items without a cursor. Entries are verified and opened here; one that cannot be opened
    /// is a change of its own. At least `limit`, if there are as many in the next 1,048,576 entries: all
    /// changes of the entry that reaches it are told. Go on with the cursor until it stays. A cursor of another relay,
    /// or from before its log was made anew, starts again.
    ///
    /// # Errors
    ///
    /// `invalid_argument` if the cursor is none that this gave; `protocol` if the relay gives out what no
    /// member signed. As [`RemoteLog::entry_ids`].
    pub async fn changes_since(&self, cursor: Option<&str>, limit: usize) -> Result<Changes> {
        let cursor = cursor.map(Cursor::parse).transpose()?;
        let mut remote = self.meet().await?;
        let epoch = EpochText(&remote.epoch()).to_string();
        let mut after = cursor.map_or(0, |cursor| cursor.after_in(&epoch));
        let engine = &self.workspace.inner.engine;
        let (limit, mut asked) = (limit.min(CHANGES_MAX), after);
        let mut gathering = Gathering::new(engine, (self.stream, self.circle));
        let mut pending: Vec<(u64, Entry)> = Vec::new();
        let mut seen = HashSet::new();
        while gathering.len() < limit && seen.len() < ENTRIES_MAX {
            let select = Select::After { stream: self.stream, arrival: asked };
            let (through, found) = remote.entries(select).await?;
            if found.is_empty() {
                if !pending.is_empty() {
                    return Err(nonsense());
                }
                after = after.max(through);
                break;
            }
            asked = through;
            if !found.iter().all(|(_, entry)| seen.insert(entry.id())) {
                return Err(nonsense());
            }
            pending.extend(found);
            let proven = gathering.proven(&pending)?;
            let mut taken = 0;
            for (arrival, entry) in &pending[..proven] {
                if gathering.len() >= limit {
                    break;
                }
                gathering.add(*arrival, entry);
                (after, taken) = (*arrival, taken + 1);
            }
            pending.drain(..taken);
            if pending.iter().map(|(_, entry)| entry.len()).sum::<usize>() > UNPROVEN_BYTES_MAX {
                return Err(nonsense());
            }
        }
        remote.close().await?;
        Ok(Changes { items: gathering.finish(), cursor: format!("{epoch}.{after}") })
    }
}

/// How many of these ids an answer is about; the session saw to it that there is at least one.
fn looked_at_of(through: u64, asked: &[EntryId]) -> usize {
    usize::try_from(through).map_or(asked.len(), |count| count.clamp(1, asked.len()))
}

/// Takes ids that a relay lists: each once, and no more than `max`.
fn gather(
    ids: &mut Vec<EntryId>,
    seen: &mut HashSet<EntryId>,
    found: impl Iterator<Item = EntryId>,
    max: usize,
) -> Result<()> {
    for id in found {
        if !seen.insert(id) {
            return Err(nonsense());
        }
        if ids.len() == max {
            let why = format!("the relay lists more than {max} entries: sync the database instead");
            return Err(Error::new(ErrorKind::TooLarge, why));
        }
        ids.push(id);
    }
    Ok(())
}

fn nonsense() -> Error {
    Error::new(ErrorKind::Protocol, "the relay's answers make no sense: do not trust it")
}

#[cfg(test)]
mod tests;
