//! Peers that send what nobody signed are left alone for a day.
//!
//! A signature is the dearest check there is, and whoever checks before it sends never sends a bad
//! one. Each ends the session; too many in an hour keep the peer out for longer. All sessions of a
//! relay share one list, as do all of a workspace. It is kept in memory only.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::event::Peer;
use super::limits::{BAN_MS, BAN_SIGNATURES, BAN_WITHIN_MS, OFFENDERS_MAX};

/// What is held against one peer.
#[derive(Debug, Clone, Copy, Default)]
struct Record {
    /// When the last bad signatures came, the latest first.
    at_ms: [Option<u64>; BAN_SIGNATURES - 1],
    /// Until when the peer is kept out.
    until_ms: u64,
}

impl Record {
    /// When nothing is held against the peer any more.
    fn ends_ms(&self) -> u64 {
        let last = self.at_ms[0].map_or(0, |at| at.saturating_add(BAN_WITHIN_MS));
        self.until_ms.max(last)
    }
}

/// The peers that are kept out, and those on the way there.
#[derive(Debug, Default)]
pub struct Bans(Mutex<HashMap<[u8; 32], Record>>);

impl Bans {
    fn records(&self) -> MutexGuard<'_, HashMap<[u8; 32], Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a peer sent an entry whose signature is invalid; returns whether it is kept out
    /// from now on.
    pub(super) fn note(&self, peer: &Peer, now_ms: u64) -> bool {
        let mut records = self.records();
        if records.len() >= OFFENDERS_MAX && !records.contains_key(peer.key()) {
            make_room(&mut records, now_ms);
        }
        let record = records.entry(*peer.key()).or_default();
        let recent = |at: &Option<u64>| at.is_some_and(|at| now_ms.saturating_sub(at) < BAN_WITHIN_MS);
        let banned = record.at_ms.iter().all(recent);
        record.at_ms.rotate_right(1);
        record.at_ms[0] = Some(now_ms);
        if banned {
            *record = Record { until_ms: now_ms.saturating_add(BAN_MS), ..Record::default() };
        }
        banned
    }

    /// How long a peer is still kept out, in milliseconds; `None` if it is not.
    #[must_use]
    pub fn remaining_ms(&self, peer: &Peer, now_ms: u64) -> Option<u64> {
        let until_ms = self.records().get(peer.key())?.until_ms;
        until_ms.checked_sub(now_ms).filter(|remaining| *remaining > 0)
    }
}

/// Forgets what is over, and if that is nothing, what is over first.
fn make_room(records: &mut HashMap<[u8; 32], Record>, now_ms: u64) {
    records.retain(|_, record| record.ends_ms() > now_ms);
    if records.len() >= OFFENDERS_MAX
        && let Some(first) = records.iter().min_by_key(|(_, record)| record.ends_ms()).map(|(key, _)| *key)
    {
        records.remove(&first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DeviceId;

    fn peer(number: usize) -> Peer {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&(number as u64).to_le_bytes());
        Peer::Device(DeviceId(id))
    }

    #[test]
    fn three_bad_signatures_in_an_hour_keep_a_peer_out_for_a_day() {
        let bans = Bans::default();
        assert!(!bans.note(&peer(1), 1_000));
        assert!(!bans.note(&peer(1), 2_000));
        assert_eq!(bans.remaining_ms(&peer(1), 2_000), None);
        let last = 1_000 + BAN_WITHIN_MS - 1;
        assert!(bans.note(&peer(1), last));
        assert_eq!(bans.remaining_ms(&peer(1), last), Some(BAN_MS));
        assert_eq!(bans.remaining_ms(&peer(1), last + BAN_MS - 1), Some(1));
        assert_eq!(bans.remaining_ms(&peer(1), last + BAN_MS), None);
        assert_eq!(bans.remaining_ms(&peer(2), last), None, "others are not meant");
    }

    #[test]
    fn bad_signatures_more_than_an_hour_apart_do_not_add_up() {
        let bans = Bans::default();
        for time in [0, 1, BAN_WITHIN_MS, BAN_WITHIN_MS + 1, 2 * BAN_WITHIN_MS + 1] {
            assert!(!bans.note(&peer(1), time), "{time}");
        }
    }

    #[test]
    fn the_list_is_bounded_and_gives_up_what_is_over_first() {
        let bans = Bans::default();
        for _ in 0..BAN_SIGNATURES {
            bans.note(&peer(0), 0);
        }
        for number in 1..OFFENDERS_MAX + 10 {
            bans.note(&peer(number), 1);
        }
        assert_eq!(bans.records().len(), OFFENDERS_MAX);
        assert!(bans.remaining_ms(&peer(0), 1).is_some());
        bans.note(&peer(OFFENDERS_MAX + 10), BAN_MS);
        assert_eq!(bans.records().len(), 1, "all others are over");
    }
}
