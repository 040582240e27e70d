//! Warnings: where the findings of log, keys and data come together for the application.
//!
//! A warning is computed from the present state whenever it is asked for; nothing is remembered, so
//! none outlives its cause.

use std::sync::{Arc, Weak};

use tidelog_log::ids::{DeviceId, EntryId, StreamId};

use super::beacons::Difference;
use super::{Inner, Workspace};
use crate::data::read;
use crate::engine::Engine;
use crate::error::Result;
use crate::warning::{Warning, WarningKind};

const UPGRADE_NEEDED: &str =
    "a member uses a newer version, and what it wrote since is held back here: upgrade";
const CLOCK_BEHIND: &str = "entries of several users are in the future here, and are not shown yet: set the clock of this device right";
const FORK: &str = "a device wrote twice in one place: it was copied and both copies are in use, or it is faulty; \
                    remove it from the workspace";

const KEY_MISMATCH: &str = "a member published keys that do not open as they should: what is sealed under them may \
                            be closed to this device or to newcomers, and nobody honest writes with them; ask that member";

const WITHHELD: &str = "a member has written or seen what no relay hands out: a relay keeps it back, or that member's \
                        device has not synced all of it; sync with another relay, or with the member";

impl Workspace {
    /// What is wrong now and worth telling a person, in a fixed order; empty if all is well. A link
    /// tells new ones as [`crate::LinkEvent::Warned`].
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
    /// for warning in workspace.warnings()? {
    ///     eprintln!("{}: {}", warning.kind, warning.text);
    /// }
    /// assert!(workspace.warnings()?.is_empty());
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub fn warnings(&self) -> Result<Vec<Warning>> {
        collect(&self.inner.engine)
    }
}

/// What a link calls to look for warnings.
pub(super) fn source(inner: &Arc<Inner>) -> Arc<dyn Fn() -> Vec<Warning> + Send + Sync> {
    let inner: Weak<Inner> = Arc::downgrade(inner);
    Arc::new(move || {
        let Some(inner) = inner.upgrade() else { return Vec::new() };
        collect(&inner.engine).unwrap_or_else(|error| {
            tracing::warn!(%error, "warnings cannot be computed");
            Vec::new()
        })
    })
}

/// All findings. Each source has one line here.
fn collect(engine: &Engine) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    for newer in engine.log.newer_entries()? {
        let place = Some((newer.device, newer.stream));
        warnings.push(about(engine, WarningKind::UpgradeNeeded, place, Some(newer.entry), UPGRADE_NEEDED));
    }
    if read::is_clock_behind(engine)? {
        warnings.push(about(engine, WarningKind::ClockBehind, None, None, CLOCK_BEHIND));
    }
    for fork in engine.log.forks() {
        let entry = fork.tips.first().map(|tip| tip.id);
        warnings.push(about(engine, WarningKind::Fork, Some((fork.device, fork.stream)), entry, FORK));
    }
    for (epoch, author) in engine.key_mismatches() {
        let place = Some((author, StreamId::DIRECTORY));
        warnings.push(about(engine, WarningKind::KeyMismatch, place, Some(epoch), KEY_MISMATCH));
    }
    for differing in engine.histories_differ()? {
        let (kind, text) = match differing.difference {
            Difference::Withheld => (WarningKind::Withheld, WITHHELD),
            Difference::Fork => (WarningKind::Fork, FORK),
        };
        let place = Some((differing.device, differing.stream));
        warnings.push(about(engine, kind, place, Some(differing.entry), text));
    }
    warnings.sort_unstable();
    Ok(warnings)
}

fn about(
    engine: &Engine,
    kind: WarningKind,
    place: Option<(DeviceId, StreamId)>,
    entry: Option<EntryId>,
    text: &str,
) -> Warning {
    let database = place.and_then(|(_, stream)| match stream {
        StreamId::DIRECTORY => Some(String::new()),
        stream => engine.shared.hub.name(stream),
    });
    let device = place.map(|(device, _)| device);
    let user = device.and_then(|device| engine.log.directory().owner_of(&device));
    Warning { kind, device, user, database, entry, text: text.to_owned() }
}

#[cfg(test)]
mod tests;
