//! Entries that wait: for their key, or for local time to reach theirs.
//!
//! An entry is kept whole in its row, because the log cannot be read from inside a state change.

use std::ops::ControlFlow;

use tidelog_log::directory::Directory;
use tidelog_log::entry::Entry;
use tidelog_log::ids::KeyId;
use tidelog_log::log::LogError;

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
    ) -> Result<(), LogError> {
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
            let entry = Entry::decode(&waiting.entry).map_err(|_| damaged(WAITING_KEYS))?;
            tables.delete(WAITING_KEYS, &row)?;
            tables.delete(CHANGES, &change_row(entry.header().stream, waiting.number))?;
            self.add(tables, waiting.arrival, &entry)?;
        }
        Ok(())
    }

    /// Applies the deferred entries that local time has reached.
    pub(super) fn time_passed(&mut self, tables: &dyn Tables) -> Result<(), LogError> {
        let horizon = self.clock.horizon().bits();
        let end = horizon.checked_add(1).map(u64::to_be_bytes);
        let mut ready = Vec::new();
        tables.range(WAITING_CLOCK, &[], end.as_ref().map(|end| &end[..]), false, &mut |row, value| {
            ready.push((row.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })?;
        for (row, entry) in ready {
            let arrival = row.last_chunk().map(|arrival| u64::from_be_bytes(*arrival));
            let (Some(arrival), Ok(entry)) = (arrival, Entry::decode(&entry)) else {
                return Err(damaged(WAITING_CLOCK));
            };
            tables.delete(WAITING_CLOCK, &row)?;
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
    pub(super) fn defer(
        &mut self,
        tables: &dyn Tables,
        arrival: u64,
        entry: &Entry,
        hlc: Hlc,
    ) -> Result<(), LogError> {
        tables.put(WAITING_CLOCK, &waiting_row(&hlc.bits().to_be_bytes(), arrival), &entry.encode())?;
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
    let value = [&number.to_be_bytes()[..], &entry.encode()].concat();
    Ok(tables.put(WAITING_KEYS, &row, &value)?)
}

fn waiting_row(first: &[u8], arrival: u64) -> Vec<u8> {
    [first, &arrival.to_be_bytes()].concat()
}

/// An entry that waits for its key.
struct Waiting {
    arrival: u64,
    number: u64,
    entry: Vec<u8>,
}

fn parse_waiting_key(row: &[u8], value: &[u8]) -> Option<(KeyId, Waiting)> {
    let (key, arrival) = row.split_first_chunk::<16>()?;
    let (number, entry) = value.split_first_chunk::<8>()?;
    let waiting = Waiting {
        arrival: u64::from_be_bytes(arrival.try_into().ok()?),
        number: u64::from_be_bytes(*number),
        entry: entry.to_vec(),
    };
    Some((KeyId(*key), waiting))
}
