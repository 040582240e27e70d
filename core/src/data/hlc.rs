//! Hybrid logical clocks: the time that orders versions.
//!
//! A stamp is 48 bits of milliseconds since 1970-01-01 UTC and a 16-bit counter, so that stamps
//! compare as plain integers. A write gets one later than all that this replica has seen. A stamp
//! more than [`DEFER_AHEAD_MS`] ahead of local time is *deferred*: whatever carries it stays out
//! of views until local time reaches it, and it never advances the local clock, so one device with
//! a wrong clock cannot pull the others along.
//!
//! Clocks order concurrent writes and decide nothing else: rights never depend on them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tidelog_log::env::Clock;

/// How far ahead of local time a stamp may be before it is deferred, in milliseconds.
pub(crate) const DEFER_AHEAD_MS: u64 = 10 * 60 * 1000;

/// 2026-01-01 UTC: this code did not run before, so an earlier wall clock is wrong.
pub(crate) const EARLIEST_MS: u64 = 1_767_225_600_000;

const COUNTER_BITS: u32 = 16;

/// A stamp of the hybrid logical clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Hlc(u64);

impl Hlc {
    /// The stamp with these bits.
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The stamp as stored: milliseconds above, counter below.
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// The first stamp of a millisecond.
    const fn at_ms(ms: u64) -> Self {
        Self(ms << COUNTER_BITS)
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub(crate) const fn ms(self) -> u64 {
        self.0 >> COUNTER_BITS
    }
}

/// The clock of one open workspace: wall time that never runs back, and the last stamp seen.
#[derive(Debug)]
pub(crate) struct HlcClock {
    wall: Arc<dyn Clock>,
    latest_ms: AtomicU64,
    last: AtomicU64,
}

impl HlcClock {
    /// A clock that has seen nothing yet.
    pub(crate) fn new(wall: Arc<dyn Clock>) -> Self {
        Self { wall, latest_ms: AtomicU64::new(EARLIEST_MS), last: AtomicU64::new(0) }
    }

    /// The last stamp given out or seen, and the latest local time: what [`HlcClock::resume`] takes.
    pub(crate) fn position(&self) -> (Hlc, u64) {
        (Hlc(self.last.load(Ordering::SeqCst)), self.now_ms())
    }

    /// Goes on from an earlier position, as after a restart.
    pub(crate) fn resume(&self, (last, latest_ms): (Hlc, u64)) {
        self.observe_own(last);
        self.latest_ms.fetch_max(latest_ms, Ordering::SeqCst);
    }

    /// Local time in milliseconds: the latest that the wall clock ever showed.
    pub(crate) fn now_ms(&self) -> u64 {
        let now = self.wall.now_ms();
        self.latest_ms.fetch_max(now, Ordering::SeqCst).max(now)
    }

    /// A stamp for a new write: later than every stamp given out or seen.
    pub(crate) fn next(&self) -> Hlc {
        let now = Hlc::at_ms(self.now_ms()).bits();
        let advance = |last: u64| now.max(last.saturating_add(1));
        let last = self
            .last
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(advance(last)))
            .expect("the update always gives a value");
        Hlc(advance(last))
    }

    /// Takes note of the stamp of an entry of this device, whatever it is.
    pub(crate) fn observe_own(&self, hlc: Hlc) {
        self.last.fetch_max(hlc.bits(), Ordering::SeqCst);
    }

    /// Takes note of the stamp of another device's entry, unless it is deferred.
    pub(crate) fn observe(&self, hlc: Hlc) {
        if !self.is_deferred(hlc) {
            self.observe_own(hlc);
        }
    }

    /// Whether a stamp is too far ahead to be shown yet.
    pub(crate) fn is_deferred(&self, hlc: Hlc) -> bool {
        hlc.ms() > self.now_ms().saturating_add(DEFER_AHEAD_MS)
    }

    /// The largest stamp that local time has reached, deferral included.
    pub(crate) fn horizon(&self) -> Hlc {
        let next_ms = self.now_ms().saturating_add(DEFER_AHEAD_MS + 1);
        Hlc(Hlc::at_ms(next_ms).bits().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidelog_log::env::ManualClock;

    const NOW: u64 = EARLIEST_MS + 1_000_000;

    fn clock() -> (Arc<ManualClock>, HlcClock) {
        let wall = Arc::new(ManualClock::new(NOW));
        (wall.clone(), HlcClock::new(wall))
    }

    #[test]
    fn stamps_grow_while_the_wall_clock_stands_still_or_runs_back() {
        let (wall, clock) = clock();
        let first = clock.next();
        assert_eq!(first.ms(), NOW);
        let second = clock.next();
        wall.set(NOW - 50_000);
        let third = clock.next();
        assert!(first < second && second < third);
        assert_eq!(clock.now_ms(), NOW);
    }

    #[test]
    fn a_stamp_is_later_than_every_stamp_seen() {
        let (_, clock) = clock();
        let ahead = Hlc::at_ms(NOW + DEFER_AHEAD_MS);
        clock.observe(ahead);
        assert!(clock.next() > ahead);
    }

    #[test]
    fn ten_minutes_ahead_is_taken_and_one_millisecond_more_is_deferred() {
        let (wall, clock) = clock();
        let edge = Hlc::from_bits(Hlc::at_ms(NOW + DEFER_AHEAD_MS + 1).bits() - 1);
        let beyond = Hlc::at_ms(NOW + DEFER_AHEAD_MS + 1);
        assert!(!clock.is_deferred(edge));
        assert!(clock.is_deferred(beyond));
        assert_eq!(clock.horizon(), edge);
        wall.advance(1);
        assert!(!clock.is_deferred(beyond));
    }

    #[test]
    fn a_deferred_stamp_does_not_advance_the_clock_but_an_own_one_does() {
        let (_, clock) = clock();
        let far = Hlc::at_ms(NOW * 2);
        clock.observe(far);
        assert_eq!(clock.next().ms(), NOW);
        clock.observe_own(far);
        assert!(clock.next() > far);
    }

    #[test]
    fn a_clock_goes_on_where_it_was() {
        let (wall, before) = clock();
        let last = before.next();
        wall.set(NOW - 1_000_000);
        let after = HlcClock::new(wall);
        after.resume(before.position());
        assert!(after.next() > last);
        assert_eq!(after.now_ms(), NOW);
    }

    #[test]
    fn a_full_counter_carries_into_the_milliseconds() {
        let (_, clock) = clock();
        clock.observe(Hlc::from_bits(Hlc::at_ms(NOW + 1).bits() - 1));
        assert_eq!(clock.next(), Hlc::at_ms(NOW + 1));
    }

    #[test]
    fn a_wall_clock_before_this_code_existed_is_not_believed() {
        let clock = HlcClock::new(Arc::new(ManualClock::new(5)));
        assert_eq!(clock.now_ms(), EARLIEST_MS);
    }
}
