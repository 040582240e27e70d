//! The log as a whole: writing, receiving, reopening, rebuilding.

mod forks;
mod read_only;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use super::*;
use crate::crypto::Signer as _;
use crate::directory::{Body, Op, Role};
use crate::entry::payload_hash;
use crate::env::SeededRandom;
use crate::ids::{EntryId, StreamId};
use crate::session::{Fault, Replica};
use crate::storage::{MemoryStorage, Storage as _};
use crate::testing::TestWorkspace;
use crate::trie::Filter;

const STREAM: StreamId = StreamId([5; 16]);

fn founded(workspace: &TestWorkspace) -> (MemoryStorage, Log) {
    let storage = MemoryStorage::new();
    let log = workspace.founder_log(Arc::new(storage.clone()), 1);
    (storage, log)
}

fn write(log: &Log, workspace: &TestWorkspace, count: u8) -> Vec<EntryId> {
    let drafts = (0..count).map(|number| workspace.draft(0, STREAM, vec![number; 100])).collect();
    log.commit_blocking(drafts).expect("commits").into_iter().map(|committed| committed.id).collect()
}

fn all_entries(log: &Log) -> Vec<Entry> {
    (1..=log.arrivals()).map(|arrival| log.entry_at(arrival).expect("reads").expect("held")).collect()
}

#[test]
fn a_commit_is_one_chain_with_one_signature_at_its_end() {
    let workspace = TestWorkspace::new(1);
    let (_, log) = founded(&workspace);
    write(&log, &workspace, 5);
    let entries: Vec<Entry> =
        all_entries(&log).into_iter().filter(|entry| entry.header().stream == STREAM).collect();
    let covered: Vec<bool> = entries.iter().map(|entry| entry.header().covered).collect();
    assert_eq!(covered, [true, true, true, true, false]);
    assert!(entries.windows(2).all(|pair| pair[1].header().prev == pair[0].id()));
    assert_eq!(entries[4].header().seq, 5);
}

#[test]
fn a_long_group_is_signed_often_enough_to_be_cut() {
    let workspace = TestWorkspace::new(1);
    let (_, log) = founded(&workspace);
    let drafts = (0..40).map(|_| workspace.draft(0, STREAM, vec![0; 10_000])).collect();
    log.commit_blocking(drafts).expect("commits");
    let mut arrival = 0;
    while arrival < log.arrivals() {
        let batch = log.entries_after(arrival, &Filter::All, 20_000).expect("reads");
        let bytes: usize = batch.iter().map(|(_, entry)| entry.len()).sum();
        assert!(bytes < 20_000 + 2 * 128 * 1024, "{bytes}");
        let (last, entry) = batch.last().expect("at least one");
        assert!(!entry.header().covered);
        arrival = *last;
    }
}

#[test]
fn another_replica_takes_everything_and_then_has_the_same_root() {
    let workspace = TestWorkspace::new(2);
    let (_, log) = founded(&workspace);
    write(&log, &workspace, 20);
    let other = workspace.empty_log(Arc::new(MemoryStorage::new()), 2);
    let receipt = other.receive_blocking(all_entries(&log)).expect("stores");
    assert_eq!((receipt.stored.len(), receipt.refused.len(), receipt.missing.len()), (22, 0, 0));
    assert_eq!(other.frontier().0.root(&Filter::All), log.frontier().0.root(&Filter::All));
    let again = other.receive_blocking(all_entries(&log)).expect("stores");
    assert_eq!((again.stored.len(), again.known.len()), (0, 22));
}

#[test]
fn an_unsigned_end_of_a_run_is_not_stored() {
    let workspace = TestWorkspace::new(3);
    let (_, log) = founded(&workspace);
    write(&log, &workspace, 3);
    let other = workspace.empty_log(Arc::new(MemoryStorage::new()), 2);
    let mut entries = all_entries(&log);
    entries.pop();
    let receipt = other.receive_blocking(entries).expect("stores");
    assert_eq!(receipt.stored.len(), 2);
    assert!(receipt.refused.iter().all(|refused| refused.fault == Fault::Signature));
    assert_eq!(receipt.refused.len(), 2);
}

#[test]
fn a_bad_signature_refuses_its_run_and_no_other() {
    let workspace = TestWorkspace::new(4);
    let (_, log) = founded(&workspace);
    write(&log, &workspace, 2);
    let other_stream = StreamId([6; 16]);
    log.commit_blocking(vec![workspace.draft(0, other_stream, vec![1])]).expect("commits");
    let entries = all_entries(&log).into_iter().map(|entry| {
        if entry.header().stream != STREAM || entry.header().covered {
            return entry;
        }
        let mut header = entry.header().clone();
        header.signature[0] ^= 1;
        Entry::new(header, entry.payload().to_vec()).expect("well formed")
    });
    let other = workspace.empty_log(Arc::new(MemoryStorage::new()), 2);
    let receipt = other.receive_blocking(entries.collect()).expect("stores");
    assert_eq!((receipt.stored.len(), receipt.refused.len()), (3, 2));
    assert!(other.frontier().0.tips(&STREAM, &workspace.device(0).device()).is_empty());
}

#[test]
fn strangers_and_readers_cannot_write() {
    let workspace = TestWorkspace::new(5);
    let (_, log) = founded(&workspace);
    let stranger = log.commit_blocking(vec![workspace.draft(1, STREAM, vec![1])]);
    assert!(matches!(stranger, Err(LogError::NotAuthorized(_))));
    let add = workspace.add_user(1, Role::Reader);
    log.commit_blocking(vec![Draft::directory(workspace.device(0), vec![add])]).expect("commits");
    let reader = log.commit_blocking(vec![workspace.draft(1, STREAM, vec![1])]);
    assert!(matches!(reader, Err(LogError::NotAuthorized(_))));
}

#[test]
fn an_entry_whose_past_is_missing_waits_for_it() {
    let workspace = TestWorkspace::new(6);
    let (_, log) = founded(&workspace);
    write(&log, &workspace, 1);
    write(&log, &workspace, 1);
    let entries = all_entries(&log);
    let other = workspace.empty_log(Arc::new(MemoryStorage::new()), 2);
    let (last, before) = entries.split_last().expect("entries");
    let receipt = other.receive_blocking(vec![last.clone()]).expect("answers");
    assert_eq!(receipt.missing.len(), 1);
    assert_eq!(receipt.missing[0].needs, last.header().auth);
    other.receive_blocking(before[..before.len() - 1].to_vec()).expect("stores");
    let receipt = other.receive_blocking(vec![last.clone()]).expect("answers");
    assert_eq!(receipt.missing[0].needs, last.header().prev);
    other.receive_blocking(before.to_vec()).expect("stores");
    assert_eq!(other.receive_blocking(vec![last.clone()]).expect("stores").stored, [4]);
}

#[test]
fn a_forked_chain_keeps_both_branches_and_serves_each() {
    let workspace = TestWorkspace::new(7);
    let (storage, log) = founded(&workspace);
    write(&log, &workspace, 2);
    log.shutdown();
    let copy = Log::open(workspace.options(Arc::new(storage.crash_image(0)), 9)).expect("opens");
    let log = Log::open(workspace.options(Arc::new(storage.clone()), 1)).expect("opens");
    write(&log, &workspace, 2);
    let fork = copy.commit_blocking(vec![workspace.draft(0, STREAM, vec![77])]).expect("commits")[0].id;
    let device = workspace.device(0).device();
    let receipt = log.receive_blocking(all_entries(&copy)).expect("stores");
    assert_eq!(receipt.stored.len(), 1);
    copy.receive_blocking(all_entries(&log)).expect("stores");
    assert_eq!(log.frontier().0.tips(&STREAM, &device).len(), 2);
    assert_eq!(log.frontier().0.root(&Filter::All), copy.frontier().0.root(&Filter::All));
    let branch = log.branch(STREAM, device, &fork, 1, usize::MAX).expect("reads");
    assert_eq!(branch.iter().map(|entry| entry.header().seq).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(branch[1].id(), fork);
    assert_eq!(log.id_on_branch(STREAM, device, &fork, 3).expect("reads"), Some(fork));
    assert_eq!(log.id_on_branch(STREAM, device, &fork, 4).expect("reads"), None);
}

#[test]
fn a_reopened_log_goes_on_where_it_was() {
    let workspace = TestWorkspace::new(8);
    let (storage, log) = founded(&workspace);
    let ids = write(&log, &workspace, 3);
    let root = log.frontier().0.root(&Filter::All);
    log.shutdown();
    let log = Log::open(workspace.options(Arc::new(storage), 1)).expect("opens");
    assert_eq!(log.frontier().0.root(&Filter::All), root);
    assert_eq!(log.arrivals(), 5);
    write(&log, &workspace, 1);
    let last = log.entry_at(6).expect("reads").expect("held");
    assert_eq!((last.header().prev, last.header().seq), (ids[2], 4));
}

#[test]
fn a_lost_or_foreign_state_is_built_anew_from_the_segments() {
    let workspace = TestWorkspace::new(9);
    let (storage, log) = founded(&workspace);
    write(&log, &workspace, 30);
    let root = log.frontier().0.root(&Filter::All);
    log.shutdown();
    storage.remove("state.redb").expect("removes");
    let log = Log::open(workspace.options(Arc::new(storage.clone()), 1)).expect("opens");
    assert_eq!((log.frontier().0.root(&Filter::All), log.arrivals()), (root, 32));
    log.shutdown();
    storage.damage("state.redb", 0, &[0xFF; 4096]);
    let log = Log::open(workspace.options(Arc::new(storage.clone()), 1)).expect("opens");
    assert_eq!((log.frontier().0.root(&Filter::All), log.arrivals()), (root, 32));
    log.shutdown();
    let mut options = workspace.options(Arc::new(storage), 1);
    options.rows_version = 1;
    assert_eq!(Log::open(options).expect("opens").arrivals(), 32);
}

#[test]
fn an_entry_smuggled_into_the_segments_is_not_taken_when_the_state_is_rebuilt() {
    let workspace = TestWorkspace::new(10);
    let (storage, log) = founded(&workspace);
    write(&log, &workspace, 1);
    let good = log.entry_at(3).expect("reads").expect("held");
    let mut header = good.header().clone();
    header.prev = good.id();
    header.seq = 2;
    header.signature = [1; 64];
    let forged = Entry::new(header, good.payload().to_vec()).expect("well formed");
    log.inner.shared.segments.append(&[forged]).expect("appends");
    log.shutdown();
    let log = Log::open(workspace.options(Arc::new(storage), 1)).expect("opens");
    assert_eq!(log.arrivals(), 3);
}

#[test]
fn verify_finds_nothing_in_a_sound_log_and_names_what_was_damaged() {
    let workspace = TestWorkspace::new(11);
    let (storage, log) = founded(&workspace);
    write(&log, &workspace, 10);
    let report = log.verify(&mut |_, _| ControlFlow::Continue(())).expect("reads");
    assert_eq!((report.entries, report.damaged), (12, 0));
    let view = log.view().expect("view");
    let (_, place) = index::entry_at(&view, 7).expect("reads").expect("indexed");
    storage.damage("log/00000001.seg", u64::from(place.offset) + 300, &[0xFF; 8]);
    assert!(log.entry_at(7).is_err());
    let report = log.verify(&mut |_, _| ControlFlow::Continue(())).expect("reads");
    assert!(report.damaged > 0 && !report.problems.is_empty());
}

#[test]
fn a_verification_that_is_broken_off_reports_what_it_read() {
    let workspace = TestWorkspace::new(11);
    let (_, log) = founded(&workspace);
    write(&log, &workspace, 10);
    let mut told = Vec::new();
    let mut progress = |read, total| {
        told.push((read, total));
        if read < 5 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let report = log.verify(&mut progress).expect("reads");
    assert_eq!((report.entries, report.damaged), (5, 0));
    assert_eq!(told, [(1, 12), (2, 12), (3, 12), (4, 12), (5, 12)]);
}

#[test]
fn verify_finds_no_fault_with_what_is_written_while_it_reads() {
    let workspace = TestWorkspace::new(11);
    let (_, log) = founded(&workspace);
    write(&log, &workspace, 10);
    let mut writing = |_, _| {
        write(&log, &workspace, 1);
        ControlFlow::Continue(())
    };
    assert_eq!(log.verify(&mut writing).expect("reads").problems, [""; 0]);
    let before = log.view().expect("view");
    let count = log.arrivals();
    write(&log, &workspace, 3);
    let report = log.verify_as_of(&before, &mut |_, _| ControlFlow::Continue(())).expect("reads");
    assert_eq!((report.entries, report.problems), (count, vec![]));
}

#[test]
fn a_closed_log_answers_closed_and_frees_its_folder() {
    let workspace = TestWorkspace::new(12);
    let (storage, log) = founded(&workspace);
    let second = Log::open(workspace.options(Arc::new(storage.clone()), 2));
    assert!(matches!(second, Err(LogError::AlreadyOpen { .. })));
    log.shutdown();
    log.shutdown();
    let late = log.commit_blocking(vec![workspace.draft(0, STREAM, vec![1])]);
    assert!(matches!(late, Err(LogError::Closed)));
    assert!(Log::open(workspace.options(Arc::new(storage), 2)).is_ok());
}

#[test]
fn a_closed_log_that_is_still_held_writes_nothing_over_what_a_later_opener_wrote() {
    let workspace = TestWorkspace::new(16);
    let (storage, closed) = founded(&workspace);
    write(&closed, &workspace, 1);
    closed.shutdown();
    let log = Log::open(workspace.options(Arc::new(storage.clone()), 1)).expect("opens");
    let id = write(&log, &workspace, 1)[0];
    drop(closed);
    assert!(log.verify(&mut |_, _| ControlFlow::Continue(())).expect("reads").problems.is_empty());
    log.shutdown();
    let log = Log::open(workspace.options(Arc::new(storage), 1)).expect("opens");
    assert!(log.entry(&id).expect("reads").is_some());
    assert!(matches!(write_closed(&log, &workspace), Err(LogError::Closed)));
}

/// What a closed log answers to a write and to reads.
fn write_closed(log: &Log, workspace: &TestWorkspace) -> Result<Vec<Committed>, LogError> {
    log.shutdown();
    assert!(matches!(log.entry_at(1), Err(LogError::Closed)));
    assert!(matches!(log.verify(&mut |_, _| ControlFlow::Continue(())), Err(LogError::Closed)));
    log.commit_blocking(vec![workspace.draft(0, STREAM, vec![1])])
}

#[test]
fn concurrent_writers_share_groups_and_each_hears_of_its_own_entry() {
    let workspace = TestWorkspace::new(13);
    let mut options = workspace.options(Arc::new(MemoryStorage::new()), 1);
    options.threaded = true;
    let log = Log::create(options, workspace.id()).expect("creates");
    let founder = workspace.founder_log(Arc::new(MemoryStorage::new()), 2);
    log.receive_blocking(all_entries(&founder)).expect("stores");
    let (sender, receiver) = sync_channel(200);
    for number in 0..200 {
        let sender = sender.clone();
        let done: Done<_> = Box::new(move |result| sender.send(result).expect("the test waits"));
        log.commit(vec![workspace.draft(0, STREAM, vec![number])], done);
    }
    let mut arrivals: Vec<u64> =
        (0..200).map(|_| receiver.recv().expect("answers").expect("commits")[0].arrival).collect();
    arrivals.sort_unstable();
    assert_eq!(arrivals, (3..203).collect::<Vec<_>>());
}

#[test]
fn a_draft_that_is_too_large_is_refused_and_its_neighbours_are_written() {
    let workspace = TestWorkspace::new(14);
    let (_, log) = founded(&workspace);
    let large = workspace.draft(0, STREAM, vec![0; crate::entry::DATA_PAYLOAD_MAX + 1]);
    assert!(matches!(log.commit_blocking(vec![large]), Err(LogError::TooLarge(_))));
    assert_eq!(write(&log, &workspace, 1).len(), 1);
}

#[test]
fn a_subscription_hears_of_changes_until_it_is_dropped() {
    let workspace = TestWorkspace::new(15);
    let (_, log) = founded(&workspace);
    let (sender, receiver) = sync_channel(10);
    let subscription = log.subscribe(Arc::new(move || sender.send(()).expect("the test waits")));
    write(&log, &workspace, 1);
    assert!(receiver.try_recv().is_ok());
    drop(subscription);
    write(&log, &workspace, 1);
    assert!(receiver.try_recv().is_err());
}

/// A log that holds these entries.
fn replica_of(workspace: &TestWorkspace, number: u64, entries: &[Entry]) -> Log {
    let log = workspace.empty_log(Arc::new(MemoryStorage::new()), number);
    let receipt = log.receive_blocking(entries.to_vec()).expect("stores");
    assert!(receipt.refused.is_empty() && receipt.missing.is_empty(), "{receipt:?}");
    log
}

#[test]
fn a_directory_entry_waits_for_the_parent_that_certifies_its_author() {
    let workspace = TestWorkspace::new(11);
    let (_, founder) = founded(&workspace);
    let commit = |log: &Log, author: u8, ops: Vec<Op>| {
        let drafts = vec![Draft::directory(workspace.device(author), ops)];
        let committed = log.commit_blocking(drafts).expect("commits");
        log.entry(&committed[0].id).expect("reads").expect("held")
    };
    commit(&founder, 0, vec![workspace.add_user(1, Role::Admin)]);
    let base = all_entries(&founder);
    // Two at the same time: one certifies device 2, the other one is the newer head of device 2.
    let certifies = commit(&founder, 0, vec![workspace.add_user(2, Role::Writer)]);
    let newer = commit(&replica_of(&workspace, 2, &base), 1, vec![workspace.add_user(3, Role::Reader)]);
    let all = [&base[..], &[certifies.clone(), newer.clone()]].concat();
    let merges = commit(&replica_of(&workspace, 3, &all), 2, Vec::new());
    assert_eq!(merges.header().auth, newer.id(), "its first parent does not know its author");

    let late = replica_of(&workspace, 4, &[&base[..], &[newer]].concat());
    let receipt = late.receive_blocking(vec![merges.clone()]).expect("stores");
    assert_eq!(receipt.refused, []);
    assert_eq!((receipt.missing[0].entry, receipt.missing[0].needs), (merges.id(), certifies.id()));
    let receipt = late.receive_blocking(vec![merges, certifies]).expect("stores");
    assert_eq!((receipt.stored.len(), receipt.missing.len()), (2, 0), "whichever comes first");
}

#[test]
fn a_directory_entry_of_a_stranger_is_refused_once_its_parents_are_held() {
    let workspace = TestWorkspace::new(12);
    let (_, founder) = founded(&workspace);
    let base = all_entries(&founder);
    founder
        .commit_blocking(vec![Draft::directory(
            workspace.device(0),
            vec![workspace.add_user(2, Role::Admin)],
        )])
        .expect("commits");
    let own = vec![Draft::directory(workspace.device(2), vec![workspace.add_user(3, Role::Reader)])];
    let entry = founder.commit_blocking(own).expect("commits")[0].id;
    let entry = founder.entry(&entry).expect("reads").expect("held");
    let mut header = entry.header().clone();
    let parents = vec![base.last().expect("founded").id()];
    header.auth = parents[0];
    let payload = Body { parents, ops: Vec::new() }.encode().expect("encodes");
    header.payload_len = u32::try_from(payload.len()).expect("small");
    header.payload_hash = payload_hash(&payload);
    header.sign(&*workspace.device(2));
    let stranger = Entry::new(header, payload).expect("well formed");
    let log = replica_of(&workspace, 2, &base);
    let receipt = log.receive_blocking(vec![stranger]).expect("stores");
    assert_eq!((receipt.missing.len(), receipt.refused[0].fault), (0, Fault::NotAllowed));
}
