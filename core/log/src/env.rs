//! Clock and randomness: inputs of the engine, so that every run can be repeated.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Wall-clock time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> u64;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A source of unpredictable bytes.
pub trait Random: Send + Sync + fmt::Debug {
    /// Fills `bytes`.
    ///
    /// # Panics
    ///
    /// If the operating system has no randomness to give: no key or nonce may be made then.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// An array of random bytes.
#[must_use]
pub fn random_array<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    bytes
}

/// How far the clock of tests is ahead.
#[cfg(any(test, feature = "test-util"))]
static AHEAD_MS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// The operating system's clock, moved forward for the whole process by [`MovedClock::advance`]:
/// for tests that cannot give each workspace a clock of its own.
#[cfg(any(test, feature = "test-util"))]
#[derive(Debug, Clone, Copy, Default)]
pub struct MovedClock;

#[cfg(any(test, feature = "test-util"))]
impl MovedClock {
    /// Moves the clock forward.
    pub fn advance(ms: u64) {
        AHEAD_MS.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Clock for MovedClock {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms().saturating_add(AHEAD_MS.load(std::sync::atomic::Ordering::SeqCst))
    }
}

/// A clock that stands still until a test moves it.
#[cfg(any(test, feature = "test-util"))]
#[derive(Debug)]
pub struct ManualClock(std::sync::atomic::AtomicU64);

#[cfg(any(test, feature = "test-util"))]
impl ManualClock {
    /// A clock at the given time.
    #[must_use]
    pub fn new(now_ms: u64) -> Self {
        Self(now_ms.into())
    }

    /// Moves the clock forward.
    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
    }

    /// Sets the clock, also back.
    pub fn set(&self, now_ms: u64) {
        self.0.store(now_ms, std::sync::atomic::Ordering::SeqCst);
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// A repeatable generator (SHA-256 in counter mode), for tests only.
#[cfg(any(test, feature = "test-util"))]
#[derive(Debug)]
pub struct SeededRandom {
    seed: u64,
    counter: std::sync::atomic::AtomicU64,
}

#[cfg(any(test, feature = "test-util"))]
impl SeededRandom {
    /// The generator of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: 0.into() }
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let counter = self.counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let block = crate::crypto::sha256(&[&self.seed.to_le_bytes(), &counter.to_le_bytes()]);
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}
