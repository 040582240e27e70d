//! How long to wait before the next attempt to reach somebody.

use std::time::Duration;

use tidelog_log::env::{Random, random_array};

/// Longest wait after the first failure, in milliseconds.
const FIRST_MS: u64 = 250;
/// Longest wait after any failure, in milliseconds.
const LAST_MS: u64 = 30_000;

/// Waits that double with each failure. Each lies at random in the upper half of its range, so
/// that the clients of a relay that restarts do not all come at once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// The wait after one more failure.
    pub(crate) fn next(&mut self, random: &dyn Random) -> Duration {
        let longest_ms = FIRST_MS.saturating_mul(1 << self.failures.min(16)).min(LAST_MS);
        self.failures = self.failures.saturating_add(1);
        let half_ms = longest_ms / 2;
        let jitter_ms = u64::from_le_bytes(random_array(random)) % (longest_ms - half_ms + 1);
        Duration::from_millis(half_ms + jitter_ms)
    }

    /// It worked: the next failure is the first again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use tidelog_log::env::SeededRandom;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_start_again_after_success() {
        let random = SeededRandom::new(1);
        let mut backoff = Backoff::default();
        for longest_ms in [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
            let wait_ms = backoff.next(&random).as_millis();
            assert!((longest_ms / 2..=longest_ms).contains(&wait_ms), "{wait_ms} of {longest_ms}");
        }
        backoff.reset();
        assert!(backoff.next(&random).as_millis() <= 250);
        assert!((0..100).all(|_| backoff.next(&random).as_millis() <= 30_000));
    }

    #[test]
    fn clients_do_not_wait_equally_long() {
        let waits: std::collections::HashSet<Duration> =
            (0..20).map(|seed| Backoff::default().next(&SeededRandom::new(seed))).collect();
        assert!(waits.len() > 10);
    }
}
