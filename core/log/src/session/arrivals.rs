//! A set of arrival numbers, kept as ranges.

use std::collections::BTreeMap;

/// Arrival numbers; neighbours cost nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrivals(BTreeMap<u64, u64>);

impl Arrivals {
    pub(super) fn insert(&mut self, arrival: u64) {
        let (mut first, mut last) = (arrival, arrival);
        if let Some((&start, &end)) = self.0.range(..=arrival).next_back() {
            if end >= arrival {
                return;
            }
            if end + 1 == arrival {
                first = start;
            }
        }
        if let Some(end) = arrival.checked_add(1).and_then(|next| self.0.remove(&next)) {
            last = end;
        }
        self.0.insert(first, last);
    }

    pub(super) fn contains(&self, arrival: u64) -> bool {
        self.0.range(..=arrival).next_back().is_some_and(|(_, end)| *end >= arrival)
    }

    /// The last number of the run that follows `arrival` without a gap; `arrival` itself if the
    /// next one is not in the set.
    pub(super) fn run_after(&self, arrival: u64) -> u64 {
        let next = arrival.saturating_add(1);
        match self.0.range(..=next).next_back() {
            Some((_, &end)) if end >= next => end,
            _ => arrival,
        }
    }

    /// Forgets the ranges that lie below a number as a whole.
    pub(super) fn forget_below(&mut self, arrival: u64) {
        while let Some(entry) = self.0.first_entry() {
            if *entry.get() >= arrival {
                break;
            }
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_a_set(numbers in proptest::collection::vec(1u64..60, 0..60), below in 0u64..60) {
            let mut arrivals = Arrivals::default();
            let mut set = BTreeSet::new();
            for number in numbers {
                arrivals.insert(number);
                set.insert(number);
            }
            for number in 0..62 {
                prop_assert_eq!(arrivals.contains(number), set.contains(&number));
                let run = (number + 1..).take_while(|next| set.contains(next)).last().unwrap_or(number);
                prop_assert_eq!(arrivals.run_after(number), run);
            }
            arrivals.forget_below(below);
            for number in below..62 {
                prop_assert_eq!(arrivals.contains(number), set.contains(&number));
            }
        }
    }

    #[test]
    fn neighbours_are_one_range() {
        let mut arrivals = Arrivals::default();
        for number in [1, 3, 2, 5, 4] {
            arrivals.insert(number);
        }
        assert_eq!(arrivals.0.len(), 1);
    }
}
