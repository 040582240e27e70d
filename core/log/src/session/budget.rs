//! How much work a session may do before others have their turn.

use super::limits::WORK_UNITS_MAX;

/// What is left of one turn. Work is counted, not timed, so that every run can be repeated.
#[derive(Debug)]
pub(super) struct Budget(u64);

impl Default for Budget {
    fn default() -> Self {
        Self(WORK_UNITS_MAX)
    }
}

impl Budget {
    /// Counts work, also what goes beyond the budget: a piece of work is done as a whole.
    pub(super) const fn spend(&mut self, units: u64) {
        self.0 = self.0.saturating_sub(units);
    }

    /// Whether the turn is over.
    pub(super) const fn is_spent(&self) -> bool {
        self.0 == 0
    }
}
