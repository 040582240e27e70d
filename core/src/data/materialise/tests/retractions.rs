//! Entries that count no longer, and again.

use super::*;

fn retract(replica: &mut Replica, arrivals: &[u64]) {
    replica.materialiser.take_back(&replica.tables, arrivals, &replica.log).expect("takes back");
    replica.materialiser.publish();
}

fn restore(replica: &mut Replica, log: &[Entry], arrival: u64) {
    let entry = &log[usize::try_from(arrival).expect("small") - 1];
    replica.materialiser.add(&replica.tables, arrival, entry).expect("applies");
    replica.materialiser.publish();
}

/// What is shown, without the rows that outlive their entries.
fn remaining(replica: &Replica) -> Shown {
    let mut shown = replica.shown();
    shown.items.retain(|_, (version, ..)| version.entry != EntryId::ZERO);
    let rows = replica.tables.0.borrow();
    let changes =
        rows.iter().filter(|((table, _), _)| *table == CHANGES).map(|(_, value)| strip_arrival(value));
    let there = |change: &ChangeRow| match change {
        ChangeRow::Item(row) => shown.items.contains_key(row),
        ChangeRow::Unread { .. } => true,
    };
    let changes = changes.filter(there).collect();
    Shown { collections: Vec::new(), changes, ..shown }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_is_left_is_as_if_the_others_had_never_been_applied(
        (steps, order, lost, back) in steps().prop_flat_map(|steps| {
            let count = steps.len() + 3;
            let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
            let lost = proptest::collection::vec(any::<bool>(), count);
            let back = proptest::collection::vec(any::<bool>(), count);
            (Just(steps), order, lost, back)
        }),
        late_key: bool,
        late_time: bool,
        at_once: bool,
    ) {
        let entries = entries(&steps);
        let mut replica = Replica::new();
        let log: Vec<Entry> = order.iter().map(|index| entries[*index].clone()).collect();
        if !late_key {
            replica.learn(2);
        }
        if !late_time {
            replica.advance_to(NOW + 60 * 60_000);
        }
        log.iter().for_each(|entry| replica.add(entry));
        let gone: Vec<u64> = (1u64..).zip(&lost).filter(|(_, lost)| **lost).map(|(arrival, _)| arrival).collect();
        if at_once {
            retract(&mut replica, &gone);
        } else {
            gone.iter().for_each(|arrival| retract(&mut replica, &[*arrival]));
        }
        for (arrival, _) in (1u64..).zip(&back).filter(|(arrival, back)| **back && gone.contains(arrival)) {
            restore(&mut replica, &log, arrival);
        }
        replica.learn(2);
        replica.advance_to(NOW + 4 * 60 * 60_000);
        let counts = |index: usize| !lost[index] || back[index];
        let kept: Vec<Entry> = log.iter().enumerate().filter(|(index, _)| counts(*index)).map(|(_, entry)| entry.clone()).collect();
        let expected = remaining(&in_order(&kept));
        prop_assert_eq!(remaining(&replica), expected);
        prop_assert!(replica.tables.0.borrow().keys().all(|(table, _)| !table.starts_with("waiting")));
    }
}

#[test]
fn a_hidden_value_comes_back_and_watchers_hear_of_it() {
    let mut replica = Replica::new();
    let log = [entry(1, hlc(NOW), 0, &put("k", 1)), entry(2, hlc(NOW + 1), 1, &put("k", 2))];
    log.iter().for_each(|entry| replica.add(entry));
    replica.events();
    retract(&mut replica, &[2]);
    assert_eq!(replica.value("k"), Some(1));
    assert_eq!(replica.events(), [(EventKind::Put, "k".to_owned())]);
    retract(&mut replica, &[1]);
    assert_eq!(replica.value("k"), None);
    assert_eq!(replica.events(), [(EventKind::Delete, "k".to_owned())]);
    restore(&mut replica, &log, 2);
    assert_eq!(replica.value("k"), Some(2));
    assert_eq!(replica.events(), [(EventKind::Put, "k".to_owned())]);
}
