//! Entries that count and are not shown all the same, and why.

use std::ops::ControlFlow;

use tidelog_log::log::LogError;
use tidelog_log::state::StateRead;

use super::hlc::Hlc;
use super::tables::{UNREADABLE, Unread, WAITING_CLOCK, WAITING_KEYS, damaged, parse_unreadable};

/// Why an entry that counts is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unshown {
    /// Local time has not reached its time.
    Deferred(Hlc),
    /// It cannot be read.
    Unread(Unread),
}

/// The arrival numbers of the entries that are not shown, in order, with the reason.
pub(crate) fn unshown(state: &(impl StateRead + ?Sized)) -> Result<Vec<(u64, Unshown)>, LogError> {
    let mut found = Vec::new();
    let mut broken = None;
    for (table, parse) in [
        (WAITING_CLOCK, deferred as fn(&[u8], &[u8]) -> Option<(u64, Unshown)>),
        (WAITING_KEYS, without_key),
        (UNREADABLE, unreadable),
    ] {
        state.prefix(table, &[], &mut |key, row| {
            match parse(key, row) {
                Some(entry) => found.push(entry),
                None => broken = Some(table),
            }
            ControlFlow::Continue(())
        })?;
    }
    if let Some(table) = broken {
        return Err(damaged(table));
    }
    found.sort_by_key(|(arrival, _)| *arrival);
    Ok(found)
}

fn deferred(key: &[u8], _: &[u8]) -> Option<(u64, Unshown)> {
    let (hlc, arrival) = key.split_first_chunk()?;
    let hlc = Hlc::from_bits(u64::from_be_bytes(*hlc));
    Some((u64::from_be_bytes(arrival.try_into().ok()?), Unshown::Deferred(hlc)))
}

fn without_key(key: &[u8], _: &[u8]) -> Option<(u64, Unshown)> {
    let arrival = u64::from_be_bytes(*key.last_chunk()?);
    Some((arrival, Unshown::Unread(Unread::MissingKey)))
}

fn unreadable(key: &[u8], row: &[u8]) -> Option<(u64, Unshown)> {
    let (_, _, reason) = parse_unreadable(row)?;
    Some((u64::from_be_bytes(key.try_into().ok()?), Unshown::Unread(reason)))
}
