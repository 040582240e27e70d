//! How long and how often each epoch key was used, as far as this replica saw: what decides when a
//! key has served its time.
//!
//! The directory has no clock, and the stamp of an entry says when its operations were made, which
//! for repeated ones is long before. So the age of a key is counted by local time from the first
//! entry under it that was applied here. Tables that are built anew begin to count anew.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidelog_log::ids::KeyId;
use tidelog_log::log::LogError;

use super::tables::{KEY_USES, Tables, damaged, key_use_row, parse_key_use};

/// Entries after which a count is written down again. A restart forgets what came since: rotation is
/// not about single entries.
const KEPT_EVERY: u64 = 64;

/// How a key was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct KeyUse {
    /// Local time of the first entry applied under it, in milliseconds since 1970-01-01 UTC.
    pub(crate) since_ms: Option<u64>,
    /// Entries applied under it.
    pub(crate) entries: u64,
}

/// The uses of all keys.
#[derive(Debug, Default)]
pub(crate) struct KeyUses(Mutex<HashMap<KeyId, KeyUse>>);

impl KeyUses {
    fn lock(&self) -> MutexGuard<'_, HashMap<KeyId, KeyUse>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a key was used.
    pub(crate) fn of(&self, key: &KeyId) -> KeyUse {
        self.lock().get(key).copied().unwrap_or_default()
    }

    /// Reads what was written down when the tables were last open.
    pub(super) fn load(&self, tables: &dyn Tables) -> Result<(), LogError> {
        let mut rows = Vec::new();
        tables.range(KEY_USES, &[], None, false, &mut |row, value| {
            rows.push(parse_key_use(row, value));
            ControlFlow::Continue(())
        })?;
        let rows: Option<HashMap<_, _>> = rows.into_iter().collect();
        *self.lock() = rows.ok_or_else(|| damaged(KEY_USES))?;
        Ok(())
    }

    /// Counts an entry that was applied.
    pub(super) fn count(&self, tables: &dyn Tables, key: &KeyId, now_ms: u64) -> Result<(), LogError> {
        let mut uses = self.lock();
        let used = uses.entry(*key).or_default();
        used.since_ms.get_or_insert(now_ms);
        used.entries += 1;
        if used.entries % KEPT_EVERY == 1 {
            tables.put(KEY_USES, &key.0, &key_use_row(used))?;
        }
        Ok(())
    }
}
