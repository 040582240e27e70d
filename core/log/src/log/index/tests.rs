use super::*;
use crate::pages::PlainPages;
use crate::state::State;
use crate::storage::{MemoryStorage, Storage as _};

fn state() -> State {
    let file = MemoryStorage::new().open("state", true).expect("opens");
    State::open(PlainPages::new(file)).expect("opens")
}

fn order(places: &[(u32, u64, u64)]) -> State {
    let state = state();
    state.update::<_, StateError>(false, |batch| put_order(batch, places.iter().copied())).expect("writes");
    state
}

fn visited(state: &State, chain: u32, from: u64, to: u64, most: usize) -> Vec<(u64, u64)> {
    let mut visited = Vec::new();
    chain_order(&state.view().expect("view"), chain, from, to, &mut |seq, arrival| {
        visited.push((seq, arrival));
        if visited.len() == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .expect("reads");
    visited
}

#[test]
fn a_part_of_a_chain_is_found_wherever_its_runs_begin() {
    let last = u64::from(RUN_MAX) * 3;
    let places: Vec<_> = (1..=last).map(|seq| (7, seq, seq + 10)).collect();
    let state = order(&places);
    for from in [1, 2, u64::from(RUN_MAX), u64::from(RUN_MAX) + 1, last] {
        let wanted: Vec<_> = (from..=last).map(|seq| (seq, seq + 10)).collect();
        assert_eq!(visited(&state, 7, from, u64::MAX, usize::MAX), wanted);
        assert_eq!(visited(&state, 7, from, from, usize::MAX), [(from, from + 10)]);
    }
    assert_eq!(visited(&state, 7, last + 1, u64::MAX, usize::MAX), []);
    assert_eq!(visited(&state, 8, 1, u64::MAX, usize::MAX), []);
    assert_eq!(visited(&state, 7, 2, u64::MAX, 2), [(2, 12), (3, 13)], "a visitor may stop");
}

#[test]
fn entries_of_one_chain_fill_rows_of_the_largest_run() {
    let places: Vec<_> = (1..=u64::from(RUN_MAX) + 1).map(|seq| (7, seq, seq)).collect();
    let state = order(&places);
    let mut rows = 0;
    let view = state.view().expect("view");
    view.prefix(ORDER, &[], &mut |_, _| {
        rows += 1;
        ControlFlow::Continue(())
    })
    .expect("reads");
    assert_eq!(rows, 2);
}

#[test]
fn branches_side_by_side_are_visited_by_place() {
    // Two branches from place 3 on, the second of which came later, and another chain in between.
    let first = (1..=5).map(|seq| (7, seq, seq));
    let between = [(8, 1, 6)];
    let second = (3..=6).map(|seq| (7, seq, seq + 4));
    let state = order(&first.chain(between).chain(second).collect::<Vec<_>>());
    let all = [(1, 1), (2, 2), (3, 3), (3, 7), (4, 4), (4, 8), (5, 5), (5, 9), (6, 10)];
    assert_eq!(visited(&state, 7, 1, u64::MAX, usize::MAX), all);
    assert_eq!(visited(&state, 7, 4, 5, usize::MAX), all[4..8]);
    assert_eq!(visited(&state, 7, 4, 5, 1), all[4..5]);
    assert_eq!(visited(&state, 8, 1, u64::MAX, usize::MAX), [(1, 6)]);
}

#[test]
fn entries_whose_ids_start_alike_are_told_apart() {
    let state = state();
    let id = |last: u8| {
        let mut id = [9; 32];
        id[31] = last;
        EntryId(id)
    };
    let place = Place { segment: 1, offset: 2, length: 3 };
    state
        .update::<_, StateError>(false, |batch| {
            (1..=3).try_for_each(|arrival: u8| {
                let entry = NewEntry { arrival: arrival.into(), id: id(arrival), place, fold: None };
                put_entry(batch, &entry)
            })
        })
        .expect("writes");
    let view = state.view().expect("view");
    for arrival in 1..=3 {
        assert_eq!(arrival_of(&view, &id(arrival)).expect("reads"), Some(arrival.into()));
    }
    assert_eq!(arrival_of(&view, &id(4)).expect("reads"), None);
}
