//! What a peer may not do, and what it may not do yet.

use super::*;

#[test]
fn a_signature_over_another_channel_is_refused() {
    let [one, _] = replicas();
    let mut puppet = Puppet::client(&one);
    puppet.hash[0] ^= 1;
    let elsewhere = puppet.hello(1);
    assert_eq!(puppet.code_after(&[Frame::Hello(elsewhere)]), Code::Authentication);
    let mut puppet = Puppet::client(&one);
    let mut forged = puppet.hello(1);
    forged.device = signer(2).device();
    assert_eq!(puppet.code_after(&[Frame::Hello(forged)]), Code::Authentication);
}

#[test]
fn a_peer_that_names_our_own_device_is_refused() {
    let [one, other] = replicas();
    let mut pair = Pair::new(peer(&one, 1, true), peer(&other, 1, false));
    let [error, _] = pair.run();
    assert!(matches!(error, Some(SessionError::Closed(closing)) if closing.code == Code::Authentication));
}

#[test]
fn an_unknown_workspace_is_refused() {
    let [one, _] = replicas();
    let mut puppet = Puppet::client(&one);
    let workspace = WorkspaceId([1; 32]);
    let signature = signer(1).sign(&Hello::signed(&workspace, true, &puppet.hash));
    let hello = Hello { workspace, signature, ..puppet.hello(1) };
    assert_eq!(puppet.code_after(&[Frame::Hello(hello)]), Code::UnknownWorkspace);
}

#[test]
fn frames_out_of_place_end_the_session() {
    let [one, _] = replicas();
    assert_eq!(Puppet::client(&one).code_after(&[different_root(0)]), Code::Protocol);
    let path = Path::ROOT;
    let node = Node { path, content: Content::Empty };
    let branch = Branch {
        stream: stream(1),
        device: signer(1).device(),
        points: vec![Tip { seq: 1, id: EntryId([1; 32]) }],
    };
    let ack = Ack { batches: 1, taken: Taken::All };
    let mail = Frame::Mail { mailbox: BoxId([1; 16]), slot: 1, message: vec![1] };
    for frame in
        [Frame::Node(node), Frame::Branch(branch), Frame::Ack(ack), mail, Frame::Resume { arrival: 0 }]
    {
        assert_eq!(Puppet::greeted(&one, 1).code_after(&[frame]), Code::Protocol);
    }
    let mut puppet = Puppet::greeted(&one, 1);
    let again = puppet.hello(1);
    assert_eq!(puppet.code_after(&[Frame::Hello(again)]), Code::Protocol);
}

#[test]
fn bytes_that_are_no_frame_end_the_session() {
    let [one, _] = replicas();
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    let mut message = Vec::new();
    puppet.channel.seal(&[99, 0, 0, 0, 0], &mut message).expect("fits");
    assert!(puppet.session.receive(&message, 0).is_err());
    assert!(matches!(&puppet.take()[..], [Frame::Error(closing)] if closing.code == Code::Protocol));
    assert!(matches!(puppet.session.receive(&message, 0), Err(SessionError::Over)));
}

#[test]
fn a_bad_entry_stops_its_chain_and_the_rest_of_the_batch_lands() {
    let [one, _] = replicas();
    let mut bad = run(2, 1, None, 1, 10, 0);
    let mut header = bad[0].header().clone();
    header.signature[3] ^= 1;
    bad[0] = Entry::new(header, bad[0].payload().to_vec()).expect("well formed");
    let entries = [bad, run(3, 1, None, 4, 10, 0)].concat();
    let mut puppet = Puppet::greeted(&one, 1);
    assert_eq!(puppet.code_after(&[entries_frame(&entries)]), Code::BadEntry);
    assert_eq!(one.len(), 4);
    let events = events(&mut puppet.session);
    assert!(events.iter().any(|event| matches!(event, SessionEvent::Refused(_))));
    assert!(events.iter().any(|event| matches!(event, SessionEvent::Stored(4))));
}

#[test]
fn a_full_workspace_is_told() {
    let [one, _] = replicas();
    one.set_quota(2);
    let mut puppet = Puppet::greeted(&one, 1);
    assert_eq!(puppet.code_after(&[entries_frame(&run(1, 1, None, 3, 10, 0))]), Code::Quota);
}

#[test]
fn a_chain_of_a_newer_version_is_reported_and_the_others_go_on() {
    let [one, other] = replicas();
    one.write(1, 1, 2, 10);
    one.write(2, 1, 2, 10);
    other.be_too_old_for(2);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    assert!(pair.run().iter().all(Option::is_none));
    assert!(events(&mut pair.other).iter().any(|event| matches!(event, SessionEvent::Refused(_))));
    one.write(1, 1, 1, 10);
    other.write(3, 1, 1, 10);
    pair.poke();
    assert!(pair.run().iter().all(Option::is_none));
    assert_eq!((one.len(), other.len()), (6, 4));
    assert!(!pair.one.is_synced() && !pair.one.is_over());
}

#[test]
fn trouble_of_the_own_storage_is_not_blamed_on_the_peer() {
    let [one, _] = replicas();
    one.fail();
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    let error = puppet.send(&[entries_frame(&run(1, 1, None, 3, 10, 0))]).expect_err("ends");
    assert!(matches!(error, SessionError::Replica(_)));
    assert!(matches!(&puppet.take()[..], [Frame::Error(closing)] if closing.code == Code::Internal));
}

#[test]
fn entries_wait_for_what_they_build_on_and_are_not_acknowledged_as_held_before() {
    let [one, _] = replicas();
    let first = run(1, 1, None, 2, 10, 0);
    let tip = Tip { seq: 2, id: first[1].id() };
    let second = run(1, 1, Some(tip), 2, 10, 0);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    puppet.send(&[entries_frame(&second)]).expect("fine");
    let acks = |frames: Vec<Frame>| -> Vec<bool> {
        frames
            .into_iter()
            .filter_map(
                |frame| if let Frame::Ack(ack) = frame { Some(ack.taken == Taken::All) } else { None },
            )
            .collect()
    };
    assert_eq!((acks(puppet.take()), one.len()), (vec![false], 0));
    puppet.send(&[entries_frame(&first)]).expect("fine");
    assert_eq!((acks(puppet.take()), one.len()), (vec![true], 4));
}

#[test]
fn a_run_is_stored_and_acknowledged_once_a_signature_vouches_for_it() {
    let [one, _] = replicas();
    let entries = run(1, 1, None, 3, 10, 0);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    puppet.send(&[entries_frame(&entries[..2])]).expect("fine");
    assert_eq!((puppet.take(), one.len()), (vec![], 0));
    puppet.send(&[entries_frame(&entries[2..])]).expect("fine");
    assert_eq!(one.len(), 3);
    assert!(matches!(&puppet.take()[..], [Frame::Ack(ack)] if ack.taken == Taken::All && ack.batches == 2));
}

#[test]
fn a_stranger_gets_nothing_and_is_sent_away_unless_it_brings_its_admission() {
    let [one, other] = replicas();
    other.write(2, 1, 5, 10);
    other.estrange(1, 9);
    one.write(1, 1, 2, 10);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    let [_, error] = pair.run();
    assert!(matches!(error, Some(SessionError::Closed(closing)) if closing.code == Code::NotAdmitted));
    assert_eq!((one.len(), other.len()), (2, 7));
    one.write(1, 1, 2, 10);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    pair.sync();
    assert_eq!((one.len(), other.len()), (9, 9));
}

#[test]
fn a_stranger_may_not_walk_or_want_or_signal() {
    let [one, _] = replicas();
    one.write(2, 1, 5, 10);
    one.estrange(1, 100);
    let walk = Frame::Walk(vec![Path::ROOT]);
    assert_eq!(Puppet::greeted(&one, 1).code_after(&[walk]), Code::NotAdmitted);
    let start = Tip { seq: 0, id: EntryId::ZERO };
    let want = Want(vec![(stream(1), signer(2).device(), start)]);
    assert_eq!(Puppet::greeted(&one, 1).code_after(&[Frame::Want(want)]), Code::NotAdmitted);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.send(&[Frame::Signal(vec![1])]).expect("ignored");
    assert!(!events(&mut puppet.session).contains(&SessionEvent::Signal(vec![1])));
    puppet.send(&[different_root(0)]).expect("may bring what it has");
    let frames = puppet.take();
    assert!(
        !frames.iter().any(|frame| matches!(frame, Frame::Node(_) | Frame::Entries { .. })),
        "{frames:?}"
    );
}

#[test]
fn a_stranger_brings_a_limited_amount() {
    let [one, _] = replicas();
    one.estrange(1, 1_000);
    let mut puppet = Puppet::greeted(&one, 1);
    let mut tip = None;
    let mut bytes = 0;
    let code = loop {
        let entry = run(2, 1, tip, 1, 1_000_000, 0).remove(0);
        tip = Some(Tip { seq: entry.header().seq, id: entry.id() });
        let frame = entries_frame(std::slice::from_ref(&entry));
        let Frame::Entries { batch, .. } = &frame else { unreachable!() };
        bytes += batch.len();
        if bytes > UNADMITTED_BYTES_MAX {
            break puppet.code_after(&[frame]);
        }
        puppet.send(&[frame]).expect("within the limit");
    };
    assert_eq!(code, Code::NotAdmitted);
}
