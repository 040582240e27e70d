//! Reading the log of the other side: what is answered to whom, and which answers are taken.

use super::*;
use crate::frames::{Ask, Given, Listed, Select};

fn after(whole: bool, in_stream: u8, arrival: u64) -> Ask {
    Ask { whole, select: Select::After { stream: stream(in_stream), arrival } }
}

fn about(whole: bool, ids: &[EntryId]) -> Ask {
    Ask { whole, select: Select::Ids(ids.to_vec()) }
}

/// Entries one to three are of stream one, the fourth is of stream two.
fn four(replica: &MemoryReplica) -> [EntryId; 4] {
    replica.write(1, 1, 3, 10);
    replica.write(1, 2, 1, 10);
    let entries = replica.entries_after(0, &Filter::All, usize::MAX).expect("reads");
    let ids: Vec<EntryId> = entries.iter().map(|(_, entry)| entry.id()).collect();
    ids.try_into().expect("four")
}

/// What a relay answers.
fn answer(puppet: &mut Puppet, ask: Ask) -> Frame {
    puppet.take();
    puppet.send(&[Frame::Ask(ask)]).expect("answers");
    let is_answer = |frame: &Frame| matches!(frame, Frame::Listed(_) | Frame::Given(_));
    let [answer] = <[Frame; 1]>::try_from(puppet.take().into_iter().filter(is_answer).collect::<Vec<_>>())
        .expect("one answer");
    answer
}

#[test]
fn what_a_stream_holds_is_listed_from_where_the_question_begins() {
    let [one, _] = replicas();
    let [first, second, third, _] = four(&one);
    let mut puppet = Puppet::greeted(&one, 2);
    let listed = |through, ids: &[(u64, EntryId)]| Frame::Listed(Listed { through, ids: ids.to_vec() });
    let all = [(1, first), (2, second), (3, third)];
    assert_eq!(answer(&mut puppet, after(false, 1, 0)), listed(3, &all));
    assert_eq!(answer(&mut puppet, after(false, 1, 2)), listed(3, &all[2..]));
    assert_eq!(answer(&mut puppet, after(false, 1, 3)), listed(4, &[]));
    assert_eq!(answer(&mut puppet, after(false, 1, 9)), listed(9, &[]));
    assert_eq!(answer(&mut puppet, after(false, 7, 0)), listed(4, &[]));
    let asked = [third, EntryId([9; 32]), first];
    assert_eq!(answer(&mut puppet, about(false, &asked)), listed(3, &[(3, third), (1, first)]));
}

#[test]
fn entries_are_given_as_they_were_asked_for() {
    let [one, _] = replicas();
    let [first, _, third, _] = four(&one);
    let mut puppet = Puppet::greeted(&one, 2);
    let entries = |frame| {
        let Frame::Given(Given { through, arrivals, batch }) = frame else { panic!("entries") };
        let entries = crate::batch::decode_batch(WORKSPACE, &batch).expect("a batch");
        let ids: Vec<EntryId> = entries.iter().map(Entry::id).collect();
        (through, arrivals, ids)
    };
    let asked = [third, EntryId([9; 32]), first];
    let given = entries(answer(&mut puppet, about(true, &asked)));
    assert_eq!(given, (3, vec![3, 1], vec![third, first]));
    assert_eq!(entries(answer(&mut puppet, after(true, 1, 2))), (3, vec![3], vec![third]));
}

#[test]
fn an_answer_stops_at_its_size_and_says_where_to_go_on() {
    let [one, _] = replicas();
    for _ in 0..3 {
        one.write(1, 1, 1, GIVEN_BYTES / 2);
    }
    let mut puppet = Puppet::greeted(&one, 2);
    let through = |frame| {
        let Frame::Given(given) = frame else { panic!("entries") };
        assert!(given.batch.len() <= GIVEN_BYTES);
        (given.through, given.arrivals)
    };
    assert_eq!(through(answer(&mut puppet, after(true, 1, 0))), (1, vec![1]));
    assert_eq!(through(answer(&mut puppet, after(true, 1, 1))), (2, vec![2]));
    let ids: Vec<EntryId> =
        one.entries_after(0, &Filter::All, usize::MAX).expect("reads").iter().map(|(_, e)| e.id()).collect();
    assert_eq!(through(answer(&mut puppet, about(true, &ids))), (1, vec![1]));
}

#[test]
fn nobody_asks_who_is_not_a_member_or_has_not_greeted() {
    let [one, _] = replicas();
    four(&one);
    let question = || Frame::Ask(after(true, 1, 0));
    assert_eq!(Puppet::client(&one).code_after(&[question()]), Code::Protocol);
    one.estrange(2, usize::MAX);
    let mut stranger = Puppet::greeted(&one, 2);
    assert_eq!(stranger.code_after(&[question()]), Code::NotAdmitted);
    assert_eq!(
        Puppet::greeted(&one, 2).code_after(&[Frame::Ask(about(false, &[EntryId::ZERO]))]),
        Code::NotAdmitted
    );
}

#[test]
fn answers_that_are_not_read_end_the_session_past_their_limit() {
    let [one, _] = replicas();
    one.write(1, 1, 1, GIVEN_BYTES - 1_000);
    let mut puppet = Puppet::greeted(&one, 2);
    let question = Frame::Ask(after(true, 1, 0));
    let fit = OUTBOX_BYTES_MAX / (GIVEN_BYTES - 1_000) + 1;
    for number in 0..fit {
        puppet.send(std::slice::from_ref(&question)).unwrap_or_else(|error| panic!("{number}: {error}"));
        assert!(puppet.session.outbox.bytes() <= OUTBOX_BYTES_MAX + GIVEN_BYTES);
    }
    let error = puppet.send(&[question]).expect_err("past the limit");
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::Limit));
}

#[test]
fn a_partial_replica_answers_only_about_the_streams_it_shows() {
    let [one, other] = replicas();
    let [first, .., fourth] = four(&one);
    let psk = || Psk::new(Zeroizing::new([3; 32]));
    let streams = Filter::some([StreamId::DIRECTORY, stream(1)]);
    let shows = Member { streams, ..member(&one, 1) };
    let role = Role::Peer { initiator: false, psk: psk(), member: shows };
    let mut pair = Pair::new(peer(&other, 2, true), Session::new(role, random(5), 0).expect("a good key"));
    pair.sync();
    events(&mut pair.one);
    for ask in
        [after(false, 2, 0), after(true, 2, 0), about(false, &[first, fourth]), about(true, &[fourth, first])]
    {
        assert!(pair.one.ask(ask));
    }
    pair.sync();
    let found: Vec<Vec<EntryId>> = events(&mut pair.one)
        .into_iter()
        .filter_map(|event| match event {
            SessionEvent::Listed { ids, .. } => Some(ids.into_iter().map(|(_, id)| id).collect()),
            SessionEvent::Given { entries, .. } => {
                Some(entries.iter().map(|(_, entry)| entry.id()).collect())
            }
            _ => None,
        })
        .collect();
    assert_eq!(found, [vec![], vec![], vec![first], vec![first]]);
}

#[test]
fn sixteen_questions_may_wait_and_no_more() {
    let [one, other] = replicas();
    let mut pair = synced(&one, &other);
    for _ in 0..ASKS_MAX {
        assert!(pair.one.ask(after(false, 1, 0)));
    }
    assert!(!pair.one.ask(after(false, 1, 0)));
    pair.sync();
    assert!(pair.one.ask(after(false, 1, 0)), "they were answered");
    let mut early = client(&one, 1);
    assert!(!early.ask(after(false, 1, 0)), "nobody greeted");
}

/// What becomes of a relay's answer to a question.
fn taken(ask: Option<&Ask>, answer: &Frame) -> Result<Vec<SessionEvent>, SessionError> {
    let [one, other] = replicas();
    let mut pair = synced(&one, &other);
    events(&mut pair.one);
    if let Some(ask) = ask {
        assert!(pair.one.ask(ask.clone()));
        // The relay does not hear it.
        while pair.one.transmit().is_some() {}
    }
    pair.other.outbox.push(answer);
    while let Some(message) = pair.other.transmit() {
        pair.one.receive(&message, 0)?;
    }
    Ok(events(&mut pair.one))
}

fn listed(through: u64, ids: &[(u64, EntryId)]) -> Frame {
    Frame::Listed(Listed { through, ids: ids.to_vec() })
}

fn given(through: u64, arrivals: &[u64], entries: &[Entry]) -> Frame {
    let mut writer = BatchWriter::new();
    assert!(entries.iter().all(|entry| writer.push(entry, usize::MAX)));
    Frame::Given(Given { through, arrivals: arrivals.to_vec(), batch: writer.finish() })
}

#[test]
fn an_answer_that_fits_its_question_is_told() {
    let entries = run(1, 1, None, 2, 10, 0);
    let [a, b] = [entries[0].id(), entries[1].id()];
    let good = [
        (after(false, 1, 3), listed(3, &[])),
        (after(false, 1, 3), listed(8, &[(4, a), (8, b)])),
        (about(false, &[a, b]), listed(2, &[])),
        (about(false, &[a, b]), listed(2, &[(9, a), (7, b)])),
        (about(false, &[a, b]), listed(1, &[(9, a)])),
        (after(true, 1, 3), given(8, &[4, 8], &entries)),
        (about(true, &[a, b]), given(2, &[2, 1], &entries)),
    ];
    for (ask, answer) in good {
        assert_eq!(taken(Some(&ask), &answer).expect("fits").len(), 1, "{ask:?} {answer:?}");
    }
}

#[test]
fn an_answer_that_does_not_fit_its_question_ends_the_session() {
    let entries = run(1, 1, None, 2, 10, 0);
    let [a, b] = [entries[0].id(), entries[1].id()];
    let lies = [
        (None, listed(0, &[])),
        (None, given(0, &[], &[])),
        (Some(after(true, 1, 0)), listed(1, &[(1, a)])),
        (Some(after(false, 1, 0)), given(1, &[1], &entries[1..])),
        // Numbers that do not rise, or go back, or past what the answer says.
        (Some(after(false, 1, 0)), listed(2, &[(2, a), (2, b)])),
        (Some(after(false, 1, 3)), listed(9, &[(3, a)])),
        (Some(after(false, 1, 3)), listed(2, &[])),
        (Some(after(false, 1, 0)), listed(1, &[(1, a), (2, b)])),
        // Ids that nobody asked about, another order, and answers about none or too many.
        (Some(about(false, &[a])), listed(1, &[(1, b)])),
        (Some(about(false, &[a, b])), listed(2, &[(2, b), (1, a)])),
        (Some(about(false, &[a, b])), listed(1, &[(2, b)])),
        (Some(about(false, &[a])), listed(0, &[])),
        (Some(about(false, &[a])), listed(2, &[(1, a)])),
        (Some(about(true, &[a])), given(1, &[1], &entries[1..])),
        // Entries of another stream, and more or fewer numbers than entries.
        (Some(after(true, 2, 0)), given(2, &[1, 2], &entries)),
        (Some(after(true, 1, 0)), given(2, &[1], &entries)),
        (Some(after(true, 1, 0)), given(2, &[1, 2], &entries[..1])),
    ];
    for (ask, answer) in lies {
        let error = taken(ask.as_ref(), &answer).expect_err("it lies");
        let closed = matches!(&error, SessionError::Closed(closing) if closing.code == Code::Protocol);
        assert!(closed, "{error:?}: {ask:?} {answer:?}");
    }
}
