//! What is held and not shown, with the reason; and letting more of a removed device count.
//!
//! Nothing of it has to be synced again when the cause is gone: an entry is shown as soon as its key
//! comes, its time is reached, or the directory says that it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidelog_log::directory::{CUTS_MAX, Cut, Refusal};
use tidelog_log::directory::{Directory, Op};
use tidelog_log::ids::{DeviceId, EntryId, StreamId, UserId};
use tidelog_log::log::{Excluded, Exclusion};

use super::Workspace;
use super::create::blocking;
use crate::data::tables::Unread;
use crate::data::unshown::{Unshown, unshown};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};

/// Why an entry that is held is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExclusionReason {
    /// Its device was removed, alone or with its user, and it comes after the last entry that counts.
    Removed,
    /// Its user may not write any more, and it comes after the last entry that counts.
    Demoted,
    /// Its user was taken out of the circle, and it comes after the last entry that counts.
    LeftCircle,
    /// Its device wrote two entries in one place, and the other one counts.
    Fork,
    /// Its device was no member where it acts.
    NotMember,
    /// Its user might only read where it acts.
    NotWriter,
    /// Its user was no writer of the circle where it acts.
    NotInCircle,
    /// It is part of the directory, and somebody above its author removed or demoted that.
    Void,
    /// Its time is more than ten minutes ahead: it is shown once local time reaches it.
    Deferred,
    /// This device does not hold its key: it is shown once the key comes.
    MissingKey,
    /// It does not decrypt, makes no sense, or does what its author may not; no member shows it.
    Invalid,
    /// A newer version wrote it: it is shown after an upgrade.
    UpgradeNeeded,
}

impl ExclusionReason {
    /// The stable name, the same in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Demoted => "demoted",
            Self::LeftCircle => "left_circle",
            Self::Fork => "fork",
            Self::NotMember => "not_member",
            Self::NotWriter => "not_writer",
            Self::NotInCircle => "not_in_circle",
            Self::Void => "void",
            Self::Deferred => "deferred",
            Self::MissingKey => "missing_key",
            Self::Invalid => "invalid",
            Self::UpgradeNeeded => "upgrade_needed",
        }
    }

    fn of(excluded: &Excluded) -> Self {
        match (excluded.reason, excluded.refusal) {
            (Exclusion::Removed, _) => Self::Removed,
            (Exclusion::Demoted, _) => Self::Demoted,
            (Exclusion::LeftCircle, _) => Self::LeftCircle,
            (Exclusion::Fork, _) => Self::Fork,
            (Exclusion::NotAuthorized, None) => Self::Void,
            (Exclusion::NotAuthorized, Some(Refusal::NotWriter)) => Self::NotWriter,
            (Exclusion::NotAuthorized, Some(Refusal::NotInCircle)) => Self::NotInCircle,
            (Exclusion::NotAuthorized, Some(_)) => Self::NotMember,
        }
    }
}

/// An entry that is held and not shown.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ExcludedEntry {
    /// The entry.
    pub entry: EntryId,
    /// The device that wrote it.
    pub device: DeviceId,
    /// The user of that device, if it is known.
    pub user: Option<UserId>,
    /// Name of the database, if this device knows it; empty for the catalogue and the directory.
    pub database: Option<String>,
    /// Its place in the chain of its device.
    pub seq: u64,
    /// Why it is not shown.
    pub reason: ExclusionReason,
    /// For a deferred one: when it is shown, in milliseconds since 1970.
    pub due_ms: Option<u64>,
}

impl Workspace {
    /// The entries that this device holds and does not show, in order of arrival, with the reason. They
    /// are in no query, watch or history. Each is shown once the reason is gone, without another sync.
    ///
    /// # Errors
    ///
    /// `closed`, or what the disk reports.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// for entry in workspace.excluded()? {
    ///     println!("{}: {}", entry.entry, entry.reason.name());
    /// }
    /// assert!(workspace.excluded()?.is_empty()); // everything is shown
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub fn excluded(&self) -> Result<Vec<ExcludedEntry>> {
        let engine = &self.inner.engine;
        let directory = engine.log.directory();
        let mut found: BTreeMap<u64, ExcludedEntry> = BTreeMap::new();
        for (arrival, why) in unshown(&engine.view()?)? {
            let Some(entry) = engine.log.entry_at(arrival)? else { continue };
            let header = entry.header();
            let (reason, due_ms) = match why {
                Unshown::Deferred(hlc) => (ExclusionReason::Deferred, Some(hlc.ms())),
                Unshown::Unread(Unread::MissingKey) => (ExclusionReason::MissingKey, None),
                Unshown::Unread(Unread::Invalid) => (ExclusionReason::Invalid, None),
                Unshown::Unread(Unread::Newer) => (ExclusionReason::UpgradeNeeded, None),
            };
            let shown = describe(engine, &directory, (entry.id(), header.author, header.stream), header.seq);
            found.insert(arrival, ExcludedEntry { reason, due_ms, ..shown });
        }
        for excluded in engine.log.excluded()? {
            let place = (excluded.entry, excluded.device, excluded.stream);
            let shown = describe(engine, &directory, place, excluded.seq);
            let reason = ExclusionReason::of(&excluded);
            found.insert(excluded.arrival, ExcludedEntry { reason, ..shown });
        }
        Ok(found.into_values().collect())
    }

    /// Lets everything count that a removed or demoted device wrote before it knew, as far as it is held
    /// here by now: it was honest work that had not been synced. Returns how many entries that brought
    /// back; all members show them.
    ///
    /// # Errors
    ///
    /// `not_found` if nothing of the device is excluded that could count; `not_authorized` unless this
    /// user has at least the role of whoever removed it; or what writing reports.
    ///
    /// # Cancellation
    ///
    /// Once begun, it takes place.
    pub async fn accept_excluded(&self, device: DeviceId) -> Result<u64> {
        let engine = Arc::clone(&self.inner.engine);
        let (entries, before) = blocking(move || {
            let excluded = engine.log.excluded()?;
            let cuts = further_cuts(&engine, &excluded, device)?;
            if cuts.is_empty() {
                let text = format!("nothing of the device {device} is excluded that could be accepted");
                return Err(Error::new(ErrorKind::NotFound, text));
            }
            let entries: Vec<Vec<Op>> =
                cuts.chunks(CUTS_MAX).map(|cuts| vec![Op::AmendCut { cuts: cuts.to_vec() }]).collect();
            let signer = engine.signer();
            entries.iter().try_for_each(|ops| engine.check_intent(&*signer, ops))?;
            Ok((entries, excluded.len() as u64))
        })
        .await?;
        let engine = &self.inner.engine;
        engine.commit_directory_entries(&engine.signer(), entries).await?;
        Ok(before.saturating_sub(engine.log.excluded()?.len() as u64))
    }
}

fn describe(
    engine: &Engine,
    directory: &Directory,
    (entry, device, stream): (EntryId, DeviceId, StreamId),
    seq: u64,
) -> ExcludedEntry {
    ExcludedEntry {
        entry,
        device,
        user: directory.owner_of(&device),
        database: if stream == StreamId::DIRECTORY {
            Some(String::new())
        } else {
            engine.shared.hub.name(stream)
        },
        seq,
        reason: ExclusionReason::Removed,
        due_ms: None,
    }
}

/// For each chain of a device that was cut: the last entry held that builds on the cut.
fn further_cuts(engine: &Engine, excluded: &[Excluded], device: DeviceId) -> Result<Vec<Cut>> {
    let directory = engine.log.directory();
    let past_a_cut =
        |reason| matches!(reason, Exclusion::Removed | Exclusion::Demoted | Exclusion::LeftCircle);
    let mut chains: BTreeMap<StreamId, Vec<&Excluded>> = BTreeMap::new();
    for entry in excluded.iter().filter(|entry| entry.device == device && past_a_cut(entry.reason)) {
        chains.entry(entry.stream).or_default().push(entry);
    }
    let mut cuts = Vec::new();
    for (stream, mut entries) in chains {
        let limits = directory.limits(&device, &stream);
        let mut wanted: BTreeSet<(u64, EntryId)> = limits.iter().filter_map(|limit| limit.cut).collect();
        // Cuts at entries that are not held do not choose between branches that are.
        wanted.retain(|(_, id)| engine.log.entry(id).is_ok_and(|held| held.is_some()));
        entries.sort_by_key(|entry| (std::cmp::Reverse(entry.seq), entry.entry));
        for entry in entries {
            if builds_on(engine, entry, &wanted)? {
                cuts.push(Cut { device, stream, seq: entry.seq, id: entry.entry });
                break;
            }
        }
    }
    Ok(cuts)
}

/// Whether an entry has all these before it in its chain.
fn builds_on(engine: &Engine, entry: &Excluded, before: &BTreeSet<(u64, EntryId)>) -> Result<bool> {
    let mut open = before.clone();
    let mut next = Some(entry.entry);
    while let (Some(id), Some((lowest, _))) = (next, open.first().copied()) {
        let Some(held) = engine.log.entry(&id)? else { return Ok(false) };
        let header = held.header();
        open.remove(&(header.seq, id));
        next = (header.seq > lowest).then_some(header.prev);
    }
    Ok(open.is_empty())
}

#[cfg(test)]
mod tests;
