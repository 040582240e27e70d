//! Entries that wait: for their key, or for local time to reach theirs.
//!
//! Their rows only say which they are: the log has them. One that the log cannot read any more goes on
//! waiting.

use std::ops::ControlFlow;

use tidelog_log::directory::Directory;
use tidelog_log::entry::Entry;
use tidelog_log::ids::KeyId;
use tidelog_log::log::{Held, LogError};

use super::{Materialiser, Unseal};
use crate::data::hlc::Hlc;
use crate::data::tables::{CHANGES, Tables, WAITING_CLOCK, WAITING_KEYS, change_row, damaged};

/// When the next deferred entry is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deferred {
    /// The tables were not looked at yet.
    Unknown,
    None,
    At(Hlc),
}

impl<K: Unseal> Materialiser<K> {
    /// Applies the entries whose keys came.
    ///
    /// The log tells the directory at open too, before anything else.
    pub(super) fn keys_changed(
        &mut self,
        tables: &dyn Tables,
        directory: &Directory,
        held: &dyn Held,
    ) -> Result<(), LogError> {
        if !self.resumed {
            self.shared.key_uses.load(tables)?;
        }
        self.resume_clock(tables)?;
        self.keys.directory_changed(directory);
        let mut ready = Vec::new();
        let mut broken = false;
        tables.range(WAITING_KEYS, &[], None, false, &mut |row, value| {
            match parse_waiting_key(row, value) {
                Some((key, waiting)) if self.keys.holds(&key) => ready.push((row.to_vec(), waiting)),
                Some(_) => {}
                None => broken = true,
            }
            ControlFlow::Continue(())
        })?;
        if broken {
            return Err(damaged(WAITING_KEYS));
        }
        ready.sort_by_key(|(_, waiting)| waiting.arrival);
        for (row, waiting) in ready {
            let Some(entry) = read(held, waiting.arrival) else { continue };
            tables.delete(WAITING_KEYS, &row)?;
            tables.delete(CHANGES, &change_row(self.place(&entry).rows, waiting.number))?;
            self.add(tables, waiting.arrival, &entry)?;
        }
        Ok(())
    }

    /// Applies the deferred entries that local time has reached.
    pub(super) fn time_passed(&mut self, tables: &dyn Tables, held: &dyn Held) -> Result<(), LogError> {
        let horizon = self.clock.horizon().bits();
        let end = horizon.checked_add(1).map(u64::to_be_bytes);
        let mut ready = Vec::new();
        tables.range(WAITING_CLOCK, &[], end.as_ref().map(|end| &end[..]), false, &mut |row, _| {
            ready.push(row.to_vec());
            ControlFlow::Continue(())
        })?;
        for row in ready {
            let arrival = row.last_chunk().map(|arrival| u64::from_be_bytes(*arrival));
            let arrival = arrival.ok_or_else(|| damaged(WAITING_CLOCK))?;
            // Its time has come once and for all: what cannot be read now is for `verify` to report.
            tables.delete(WAITING_CLOCK, &row)?;
            let Some(entry) = read(held, arrival) else { continue };
            self.add(tables, arrival, &entry)?;
        }
        let mut next = Deferred::None;
        tables.range(WAITING_CLOCK, &[], None, false, &mut |row, _| {
            let hlc = row.first_chunk().map(|hlc| Hlc::from_bits(u64::from_be_bytes(*hlc)));
            next = hlc.map_or(Deferred::Unknown, Deferred::At);
            ControlFlow::Break(())
        })?;
        self.deferred = next;
        Ok(())
    }

    /// Lets an entry wait until local time reaches it.
    pub(super) fn defer(&mut self, tables: &dyn Tables, arrival: u64, hlc: Hlc) -> Result<(), LogError> {
        tables.put(WAITING_CLOCK, &waiting_row(&hlc.bits().to_be_bytes(), arrival), &[])?;
        self.deferred = match self.deferred {
            Deferred::At(earlier) => Deferred::At(earlier.min(hlc)),
            Deferred::None => Deferred::At(hlc),
            Deferred::Unknown => Deferred::Unknown,
        };
        Ok(())
    }

    /// Whether [`Materialiser::time_passed`] has something to do.
    pub(super) fn is_due(&self) -> bool {
        match self.deferred {
            Deferred::Unknown => true,
            Deferred::None => false,
            Deferred::At(hlc) => !self.clock.is_deferred(hlc),
        }
    }
}

/// Lets an entry wait for its key; `number` is that of its row in the changes.
pub(super) fn put_for_key(
    tables: &dyn Tables,
    arrival: u64,
    number: u64,
    entry: &Entry,
) -> Result<(), LogError> {
    let row = waiting_row(&entry.header().key_id.0, arrival);
    Ok(tables.put(WAITING_KEYS, &row, &number.to_be_bytes())?)
}

/// An entry as the log has it.
pub(super) fn read(held: &dyn Held, arrival: u64) -> Option<Entry> {
    held.entry(arrival)
        .inspect_err(|error| tracing::warn!(arrival, %error, "an entry that waited cannot be read"))
        .ok()
}

pub(super) fn waiting_row(first: &[u8], arrival: u64) -> Vec<u8> {
    [first, &arrival.to_be_bytes()].concat()
}

/// An entry that waits for its key.
struct Waiting {
    arrival: u64,
    number: u64,
}

fn parse_waiting_key(row: &[u8], value: &[u8]) -> Option<(KeyId, Waiting)> {
    let (key, arrival) = row.split_first_chunk::<16>()?;
    let waiting = Waiting {
        arrival: u64::from_be_bytes(arrival.try_into().ok()?),
        number: u64::from_be_bytes(value.try_into().ok()?),
    };
    Some((KeyId(*key), waiting))
}
