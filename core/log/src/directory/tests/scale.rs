//! The cost of large directories. The limit is ten times what a machine needs that has nothing
//! else to do: it tells linear from quadratic, and little more.

use super::super::*;
use super::support::{Author, Fixture, key_epoch};
use crate::env::{Clock, SystemClock};
use crate::ids::CircleId;

const ENTRIES: usize = 10_000;
const LIMIT_MS: u64 = 10_000;

/// Folds the fixture's entries from nothing, without the checks of signatures that the log does.
fn assert_folds_in_time(fixture: &Fixture) -> Directory {
    let start = SystemClock.now_ms();
    let mut directory = Directory::new(fixture.workspace);
    for (entry, previous) in &fixture.entries {
        directory.insert(entry, *previous).expect("held before");
    }
    let elapsed = SystemClock.now_ms() - start;
    assert!(elapsed <= LIMIT_MS, "{elapsed} ms");
    directory
}

fn writers(fixture: &mut Fixture, count: u32) -> Vec<Author> {
    let mut owner = Author::new(1);
    let add = fixture.add_user(Role::Owner, &owner);
    fixture.root_writes(vec![add]);
    let writers: Vec<_> = (2..2 + count).map(Author::new).collect();
    let ops = writers.iter().map(|writer| fixture.add_user(Role::Writer, writer)).collect();
    fixture.write(&mut owner, ops);
    writers
}

#[test]
fn ten_thousand_entries_in_a_row_fold_in_linear_time() {
    let mut fixture = Fixture::new();
    let mut writers = writers(&mut fixture, 10);
    for number in 0..ENTRIES {
        let next = fixture.directory.next_epoch(&CircleId::WORKSPACE).expect("numbers left");
        let epoch = key_epoch(u32::try_from(number).expect("small"), &next, &[fixture.root.id()]);
        fixture.write(&mut writers[number % 10], vec![epoch]);
    }
    let directory = assert_folds_in_time(&fixture);
    assert_eq!(directory.epochs(&CircleId::WORKSPACE).len(), ENTRIES);
    let head = directory.heads()[0];
    assert!(directory.in_past(&EntryId(fixture.workspace.0), &head));
}

#[test]
fn fifty_devices_that_write_at_once_fold_in_linear_time() {
    let mut fixture = Fixture::new();
    let mut writers = writers(&mut fixture, 50);
    let mut heads = fixture.directory.heads();
    for _ in 0..ENTRIES / 50 {
        // Each merges some of what the others wrote in the round before.
        heads = writers
            .iter_mut()
            .enumerate()
            .map(|(number, writer)| {
                let mut parents: Vec<_> = writer.last.into_iter().collect();
                parents.extend((1..8).map(|step| heads[(number + step * step) % heads.len()]));
                parents.sort();
                parents.dedup();
                fixture.write_under(writer, parents, vec![])
            })
            .collect();
    }
    let directory = assert_folds_in_time(&fixture);
    assert_eq!(directory.heads().len(), 50);
}

#[test]
fn ten_thousand_branches_and_replays_fold_in_linear_time() {
    let mut fixture = Fixture::new();
    let mut writers = writers(&mut fixture, 1);
    let victim = Author::new(1);
    let replay = fixture.add_user(Role::Reader, &victim);
    let base = fixture.directory.heads();
    let writer = &mut writers[0];
    fixture.write_under(writer, base, vec![replay.clone()]);
    let fork = (writer.seq, writer.last);
    for _ in 0..ENTRIES {
        (writer.seq, writer.last) = fork;
        let unset = Op::RelayUnset { relay_pk: fixture.entries.last().expect("some").0.id().0 };
        fixture.write_under(writer, fork.1.into_iter().collect(), vec![replay.clone(), unset]);
    }
    let directory = assert_folds_in_time(&fixture);
    assert_eq!(directory.heads().len(), ENTRIES);
    assert_eq!(directory.role(&victim.id()), Some(Role::Owner));
}
