//! Chains with branches: long ones, and too many of them.

use zeroize::Zeroizing;

use super::*;
use crate::crypto::noise::Psk;
use crate::session::{Direction, Member, Role as SessionRole, Session, SessionError, SessionEvent};

/// A chain of device 0 that goes on from what a log holds, on a copy of that log.
fn branch(workspace: &TestWorkspace, base: &[Entry], number: u64, lengths: &[u8]) -> Vec<Entry> {
    let copy = replica_of(workspace, number, base);
    for (index, length) in (0..).zip(lengths) {
        let payload = vec![index; 20 + usize::from(*length) + usize::try_from(number).expect("small")];
        copy.commit_blocking(vec![workspace.draft(0, STREAM, payload)]).expect("commits");
    }
    all_entries(&copy).split_off(base.len())
}

#[test]
fn an_entry_of_a_long_branch_is_found_whatever_else_has_its_number() {
    let workspace = TestWorkspace::new(31);
    let (_, log) = founded(&workspace);
    write(&log, &workspace, 100);
    let base = all_entries(&log);
    let mut branches = vec![branch(&workspace, &base, 2, &[1; 150]), branch(&workspace, &base, 3, &[2; 60])];
    // A branch of the first one, some way along it.
    let along = [&base[..], &branches[0][..40]].concat();
    let third = branch(&workspace, &along, 4, &[3; 90]);
    branches.push([&branches[0][..40], &third].concat());
    for entries in &branches {
        log.receive_blocking(entries.clone()).expect("stores");
    }
    let device = workspace.device(0).device();
    assert_eq!(log.frontier().0.tips(&STREAM, &device).len(), 3);
    let shared: Vec<&Entry> = base.iter().filter(|entry| entry.header().stream == STREAM).collect();
    for entries in &branches {
        let whole: Vec<&Entry> = shared.iter().copied().chain(entries).collect();
        let tip = whole.last().expect("entries").id();
        for (seq, entry) in (1..).zip(&whole) {
            let found = log.id_on_branch(STREAM, device, &tip, seq).expect("reads");
            assert_eq!(found, Some(entry.id()), "{seq} of {}", whole.len());
        }
        let past = whole.len() as u64 + 1;
        assert_eq!(log.id_on_branch(STREAM, device, &tip, past).expect("reads"), None);
        assert_eq!(log.id_on_branch(STREAM, device, &tip, 0).expect("reads"), None);
    }
}

/// A session between two logs; the errors of both ends.
fn meet(workspace: &TestWorkspace, logs: [(&Arc<Log>, u8); 2]) -> ([Session; 2], Vec<SessionError>) {
    let mut number = 0;
    let mut ends = logs.map(|(log, device)| {
        number += 1;
        let member = Member {
            replica: Arc::clone(log) as Arc<dyn Replica>,
            signer: workspace.device(device),
            streams: Filter::All,
            direction: Direction::Both,
            bans: Arc::default(),
        };
        let psk = Psk::new(Zeroizing::new([1; 32]));
        let role = SessionRole::Peer { initiator: number == 1, psk, member };
        Session::new(role, Arc::new(SeededRandom::new(number)), 0).expect("good keys")
    });
    let mut errors = Vec::new();
    loop {
        let mut silent = true;
        for (from, to) in [(0, 1), (1, 0)] {
            errors.extend(ends[from].poke(0).err().filter(|error| !matches!(error, SessionError::Over)));
            while let Some(message) = ends[from].transmit() {
                silent = false;
                errors.extend(ends[to].receive(&message, 0).err());
            }
        }
        if silent && ends.iter().all(|end| !end.is_busy()) {
            return (ends, errors);
        }
    }
}

#[test]
fn two_long_branches_meet_and_what_both_hold_is_not_sent_again() {
    let workspace = TestWorkspace::new(32);
    let (_, log) = founded(&workspace);
    log.commit_blocking(vec![Draft::directory(
        workspace.device(0),
        vec![workspace.add_user(1, Role::Writer)],
    )])
    .expect("commits");
    write(&log, &workspace, 200);
    for _ in 0..10 {
        write(&log, &workspace, 100);
    }
    let base = all_entries(&log);
    let [one, other] = [(2, 1), (3, 2)].map(|(number, length)| {
        let log = replica_of(&workspace, number, &base);
        log.receive_blocking(branch(&workspace, &base, 10 + number, &[length; 100])).expect("stores");
        Arc::new(log)
    });
    // Nobody knows where to resume: these two have never met.
    let (mut ends, errors) = meet(&workspace, [(&one, 0), (&other, 1)]);
    assert!(errors.is_empty(), "{errors:?}");
    assert!(ends.iter().all(Session::is_synced));
    assert_eq!(one.frontier().0.root(&Filter::All), other.frontier().0.root(&Filter::All));
    for end in &mut ends {
        let received = std::iter::from_fn(|| end.event())
            .filter_map(
                |event| if let SessionEvent::Progress(progress) = event { Some(progress) } else { None },
            )
            .last()
            .expect("entries came")
            .received;
        // The branch, and as much of what is shared as lies between two points of the search.
        assert!((100..=228).contains(&received), "{received} entries for a branch of 100");
    }
}

#[test]
fn a_chain_with_too_many_branches_waits_and_the_others_go_on() {
    let workspace = TestWorkspace::new(33);
    let (_, log) = founded(&workspace);
    log.commit_blocking(vec![Draft::directory(
        workspace.device(0),
        vec![workspace.add_user(1, Role::Writer)],
    )])
    .expect("commits");
    let base = all_entries(&log);
    let branches: Vec<Entry> = (0..=CHAIN_TIPS_MAX as u64)
        .map(|number| branch(&workspace, &base, 50 + number, &[0]).remove(0))
        .collect();
    let [one, other] = [(2, &branches[1..]), (3, &branches[..CHAIN_TIPS_MAX])]
        .map(|(number, held)| Arc::new(replica_of(&workspace, number, &[&base[..], held].concat())));
    let receipt = one.receive_blocking(branches[..1].to_vec()).expect("answers");
    assert_eq!((receipt.stored.len(), receipt.refused[0].fault), (0, Fault::Flooded));
    for (log, stream) in [(&one, 21), (&other, 22)] {
        log.commit_blocking(vec![workspace.draft(1, StreamId([stream; 16]), vec![stream])]).expect("commits");
    }
    let (ends, errors) = meet(&workspace, [(&one, 0), (&other, 1)]);
    assert!(errors.is_empty(), "{errors:?}");
    assert!(ends.iter().all(|end| !end.is_over() && !end.is_synced()));
    for log in [&one, &other] {
        for stream in [21, 22] {
            let device = workspace.device(1).device();
            assert_eq!(log.frontier().0.tips(&StreamId([stream; 16]), &device).len(), 1, "{stream}");
        }
    }
}
