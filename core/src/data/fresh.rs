//! Own entries between their sealing and their effect: what they do, so that nothing this device has
//! just encrypted is decrypted again.
//!
//! The writer seals the entries of a group and applies them soon after, so this never holds more than one
//! group. An entry is known by the start of its payload: salt and commitment, which no two payloads share.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::hlc::Hlc;
use crate::keys::cobblestone::PREFIX_LEN;

/// Operations and their time, by the start of the payload that they are in.
type ByPayload = HashMap<[u8; PREFIX_LEN], (Hlc, Vec<u8>)>;

/// What own entries do that were sealed and are not applied yet.
#[derive(Default)]
pub(crate) struct Fresh(Mutex<ByPayload>);

impl std::fmt::Debug for Fresh {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Fresh(..)")
    }
}

impl Fresh {
    fn entries(&self) -> MutexGuard<'_, ByPayload> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers the operations in a payload.
    pub(crate) fn put(&self, payload: &[u8], hlc: Hlc, operations: Vec<u8>) {
        if let Some(prefix) = payload.first_chunk() {
            self.entries().insert(*prefix, (hlc, operations));
        }
    }

    /// The operations in a payload that was put, once.
    pub(crate) fn take(&self, payload: &[u8]) -> Option<(Hlc, Vec<u8>)> {
        self.entries().remove(payload.first_chunk()?)
    }

    /// Whether a payload was put and is not taken yet.
    pub(crate) fn holds(&self, payload: &[u8]) -> bool {
        payload.first_chunk().is_some_and(|prefix| self.entries().contains_key(prefix))
    }

    /// Forgets what was not taken: its entries were refused after all.
    pub(crate) fn clear(&self) {
        self.entries().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_given_once_and_for_their_own_payload_only() {
        let fresh = Fresh::default();
        let payload = [7; PREFIX_LEN + 20];
        fresh.put(&payload, Hlc::from_bits(9), vec![1, 2]);
        assert!(fresh.holds(&payload));
        assert_eq!(fresh.take(&[8; PREFIX_LEN + 20]), None);
        assert_eq!(fresh.take(&payload[..PREFIX_LEN - 1]), None);
        assert_eq!(fresh.take(&payload), Some((Hlc::from_bits(9), vec![1, 2])));
        assert_eq!(fresh.take(&payload), None);
    }

    #[test]
    fn what_was_refused_is_forgotten() {
        let fresh = Fresh::default();
        fresh.put(&[7; PREFIX_LEN], Hlc::from_bits(9), vec![1]);
        fresh.clear();
        assert!(!fresh.holds(&[7; PREFIX_LEN]));
    }
}
