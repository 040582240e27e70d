//! Each limit of a session, at the limit.

use super::*;

#[test]
fn a_run_without_a_signature_ends_the_session_past_its_limit() {
    let [one, _] = replicas();
    let length = 500_000;
    let count = UNPROVEN_BYTES_MAX / (length + HEADER_LEN);
    let entries = run(1, 1, None, count + 2, length, 0);
    let mut puppet = Puppet::greeted(&one, 1);
    for entry in &entries[..count] {
        puppet.send(&[entries_frame(std::slice::from_ref(entry))]).expect("within the limit");
    }
    let over = entries_frame(&entries[count..=count]);
    assert_eq!(puppet.code_after(&[over]), Code::Limit);
}

#[test]
fn entries_that_wait_are_dropped_past_their_limit_and_the_session_goes_on() {
    let [one, _] = replicas();
    let length = 500_000;
    let count = WAITING_BYTES_MAX / (length + HEADER_LEN);
    let mut tip = None;
    let mut entries = Vec::new();
    for _ in 0..count + 2 {
        let entry = run(1, 1, tip, 1, length, 0).remove(0);
        tip = Some(Tip { seq: entry.header().seq, id: entry.id() });
        entries.push(entry);
    }
    let mut puppet = Puppet::greeted(&one, 1);
    for entry in &entries[1..=count] {
        puppet.send(&[entries_frame(std::slice::from_ref(entry))]).expect("within the limit");
    }
    assert_eq!(puppet.session.sync.as_ref().expect("greeted").receive.waiting_len(), count);
    puppet.send(&[entries_frame(&entries[count + 1..])]).expect("goes on");
    assert_eq!(puppet.session.sync.as_ref().expect("greeted").receive.waiting_len(), 0);
}

#[test]
fn silence_until_the_handshake_deadline_ends_the_session() {
    let [one, _] = replicas();
    let mut session = relay(&one);
    assert_eq!(session.deadline(), Some(HANDSHAKE_MS));
    session.poke(HANDSHAKE_MS - 1).expect("in time");
    assert!(session.poke(HANDSHAKE_MS).is_err());
    let mut puppet = Puppet::client(&one);
    assert!(puppet.session.poke(HANDSHAKE_MS).is_err());
    let puppet = Puppet::greeted(&one, 1);
    assert_eq!(puppet.session.deadline(), None);
}

#[test]
fn entries_without_acknowledgement_end_the_session_after_a_while() {
    let [one, _] = replicas();
    one.write(1, 1, 1, 10);
    let mut puppet = Puppet::greeted(&one, 2);
    puppet.send(&[Frame::Root(Root { root: [0; 32], arrivals: 0, seen: 0 })]).expect("fine");
    assert_eq!(puppet.session.deadline(), Some(STALL_MS));
    puppet.session.poke(STALL_MS - 1).expect("in time");
    let error = puppet.session.poke(STALL_MS).expect_err("too late");
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::Timeout));
}

#[test]
fn bytes_before_authentication_are_limited() {
    let [one, _] = replicas();
    let mut session = relay(&one);
    let error = session.receive(&vec![0; UNAUTHENTICATED_BYTES_MAX + 1], 0).expect_err("too many");
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::Limit));
    let mut session = relay(&one);
    let error = session.receive(&vec![0; UNAUTHENTICATED_BYTES_MAX], 0).expect_err("garbage");
    assert!(matches!(error, SessionError::Noise(_)));
}

#[test]
fn a_message_past_the_limit_ends_the_session() {
    let [one, _] = replicas();
    let mut puppet = Puppet::greeted(&one, 1);
    let error = puppet.session.receive(&vec![0; MESSAGE_MAX + 1], 0).expect_err("too long");
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::Limit));
}

#[test]
fn sixty_four_ranges_may_be_outstanding_and_no_more() {
    let [one, _] = replicas();
    let range = |number: u8| (stream(1), signer(number).device(), Tip { seq: 0, id: EntryId::ZERO });
    let want = |count: u8| Frame::Want(Want((0..count).map(range).collect()));
    let most = u8::try_from(WANT_RANGES_MAX).expect("64");
    Puppet::greeted(&one, 1).send(&[want(most)]).expect("at the limit");
    assert_eq!(Puppet::greeted(&one, 1).code_after(&[want(most), want(1)]), Code::Limit);
}

#[test]
fn nodes_of_a_walk_are_limited() {
    let [one, _] = replicas();
    let most = WALK_PATHS_MAX;
    let walk = |count: usize| Frame::Walk(vec![Path::ROOT; count]);
    let mut puppet = Puppet::greeted(&one, 1);
    for _ in 0..WALK_NODES_MAX / most {
        puppet.send(&[walk(most)]).expect("within the limit");
        puppet.take();
    }
    assert_eq!(puppet.code_after(&[walk(1)]), Code::Limit);
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_dropped() {
    let [one, _] = replicas();
    for device in 0..=250 {
        one.write(device, 1, 1, 10);
    }
    let mut puppet = Puppet::greeted(&one, 1);
    let walk = Frame::Walk(vec![Path::ROOT; 1_000]);
    let mut error = None;
    for _ in 0..20 {
        error = puppet.send(std::slice::from_ref(&walk)).err();
        if error.is_some() {
            break;
        }
        assert!(puppet.session.outbox.bytes() <= OUTBOX_BYTES_MAX);
    }
    assert!(matches!(error, Some(SessionError::Closed(closing)) if closing.code == Code::Limit));
}

#[test]
fn no_more_is_sent_than_the_window_without_acknowledgement() {
    let [one, _] = replicas();
    for _ in 0..40 {
        one.write(1, 1, 1, 500_000);
    }
    let mut puppet = Puppet::greeted(&one, 2);
    puppet.send(&[Frame::Root(Root { root: [0; 32], arrivals: 0, seen: 0 })]).expect("fine");
    let mut batches = 0;
    let mut bytes = 0;
    let mut count = |frames: Vec<Frame>| {
        for frame in frames {
            if let Frame::Entries { batch, .. } = frame {
                batches += 1;
                bytes += batch.len();
            }
        }
        (batches, bytes)
    };
    for _ in 0..30 {
        puppet.session.poke(0).expect("open");
        count(puppet.take());
    }
    let (sent, bytes) = count(Vec::new());
    assert!((WINDOW_BYTES..WINDOW_BYTES + BATCH_BYTES).contains(&bytes), "{bytes}");
    let ack = Ack { batches: sent, taken: Taken::All };
    puppet.send(&[Frame::Ack(ack)]).expect("fine");
    assert!(count(puppet.take()).0 > sent);
}

#[test]
fn four_walks_without_progress_end_the_session() {
    let [one, other] = replicas();
    one.write(1, 1, 2, 10);
    let mut session = client(&one, 1);
    let secret = RelaySecret::from_bytes(RELAY_SECRET);
    let mut handshake = Handshake::new(&Party::Relay { secret: &secret }, random(3)).expect("good key");
    handshake.read(&session.transmit().expect("first")).expect("good");
    session.receive(&handshake.write().expect("second"), 0).expect("good");
    let (channel, hash) = handshake.finish().expect("done");
    let mut puppet = Puppet { session, channel, hash };
    other.write(2, 1, 1, 10);
    let hello = Hello {
        initiator: false,
        workspace: WORKSPACE,
        device: DeviceId::ZERO,
        signature: [0; 64],
        epoch: [2; 16],
        arrivals: 1,
        cursor: None,
        streams: Filter::All,
    };
    puppet.send(&[Frame::Hello(hello)]).expect("fine");
    let leaves = one.frontier().0.leaves(&Path::ROOT);
    let mut walks = 0;
    let error = loop {
        let mut seen = 0;
        let mut answer = Vec::new();
        for frame in puppet.take() {
            if let Frame::Walk(paths) = frame {
                walks += 1;
                let content = Content::Leaves(leaves.clone());
                answer.push(Frame::Node(Node { path: paths[0], content }));
            }
            seen = walks;
        }
        answer.push(different_root(seen));
        if let Err(error) = puppet.send(&answer) {
            break error;
        }
        assert!(walks <= ROUNDS_MAX);
    };
    assert!(matches!(error, SessionError::Closed(closing) if closing.code == Code::NoProgress));
    assert_eq!(walks, ROUNDS_MAX);
}
