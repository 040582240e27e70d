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

/// Single entries, each signed.
fn signed(count: usize) -> Vec<Entry> {
    let mut tip = None;
    let next = |_| {
        let entry = run(1, 1, tip, 1, 10, 0).remove(0);
        tip = Some(Tip { seq: entry.header().seq, id: entry.id() });
        entry
    };
    (0..count).map(next).collect()
}

#[test]
fn a_large_batch_is_taken_in_by_turns_of_ten_milliseconds() {
    let [one, _] = replicas();
    let turn = usize::try_from(WORK_UNITS_MAX / SIGNED_ENTRY_UNITS).expect("small");
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    puppet.send_only(&[entries_frame(&signed(2 * turn + 1))], 0).expect("fine");
    for taken in [turn, 2 * turn] {
        assert!((taken - 1..=taken).contains(&one.len()), "{} of {taken}", one.len());
        assert!(puppet.session.is_busy());
        assert_eq!(puppet.take(), [], "nothing is acknowledged before all of it is durable");
        puppet.session.poke(0).expect("goes on");
    }
    puppet.go_on(0).expect("goes on");
    assert_eq!(one.len(), 2 * turn + 1);
    assert!(matches!(&puppet.take()[..], [Frame::Ack(ack), ..] if ack.taken == Taken::All));
}

#[test]
fn a_batch_of_one_turn_leaves_nothing_for_another() {
    let [one, _] = replicas();
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.send_only(&[entries_frame(&run(1, 1, None, 500, 10, 0))], 0).expect("fine");
    assert!(!puppet.session.is_busy());
    assert_eq!(one.len(), 500);
}

#[test]
fn many_nodes_are_shown_by_turns_too() {
    let [one, _] = replicas();
    let turn = usize::try_from(WORK_UNITS_MAX / NODE_UNITS).expect("small");
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    puppet.send_only(&[Frame::Walk(vec![Path::ROOT; 2 * turn])], 0).expect("fine");
    let first = puppet.take().len();
    assert!((turn - 1..=turn).contains(&first), "{first}");
    assert!(puppet.session.is_busy());
    puppet.go_on(0).expect("goes on");
    assert_eq!(first + puppet.take().len(), 2 * turn);
}

#[test]
fn a_driver_that_does_not_let_it_go_on_loses_nothing() {
    let [one, _] = replicas();
    let entries = signed(300);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.send_only(&[entries_frame(&entries[..299])], 0).expect("fine");
    puppet.send_only(&[entries_frame(&entries[299..])], 0).expect("fine");
    assert_eq!(one.len(), 300);
}

/// Whoever sends an entry that nobody signed: the reason that it is told.
fn forge(bans: &Arc<Bans>, device: u8, now_ms: u64) -> Closing {
    let [one, _] = replicas();
    let mut header = run(2, 1, None, 1, 10, 0)[0].header().clone();
    header.signature[3] ^= 1;
    let forged = Entry::new(header, vec![0; 10]).expect("well formed");
    let mut puppet = Puppet::client_of(relay_with(&one, bans));
    let hello = puppet.hello(device);
    let sent = puppet
        .send_only(&[Frame::Hello(hello)], now_ms)
        .and_then(|()| puppet.send_only(&[entries_frame(&[forged])], now_ms));
    match sent.expect_err("the session ends") {
        SessionError::Closed(closing) => closing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn three_invalid_signatures_in_an_hour_keep_a_device_out_for_a_day() {
    let bans = Arc::default();
    assert_eq!(forge(&bans, 1, 1).code, Code::BadEntry);
    assert_eq!(forge(&bans, 1, 2).code, Code::BadEntry);
    let third = forge(&bans, 1, BAN_WITHIN_MS);
    assert_eq!((third.code, third.retry_after_s), (Code::Banned, 24 * 60 * 60));
    let [one, _] = replicas();
    let greeting = |device: u8, now_ms: u64| {
        let mut puppet = Puppet::client_of(relay_with(&one, &bans));
        let hello = puppet.hello(device);
        puppet.send_only(&[Frame::Hello(hello)], now_ms)
    };
    let error = greeting(1, BAN_WITHIN_MS + 1_000).expect_err("kept out");
    let expected = 24 * 60 * 60 - 1;
    assert!(matches!(
        error,
        SessionError::Closed(closing) if (closing.code, closing.retry_after_s) == (Code::Banned, expected)
    ));
    greeting(2, BAN_WITHIN_MS + 1_000).expect("others are not meant");
    greeting(1, BAN_WITHIN_MS + BAN_MS).expect("a day later it may come again");
}

#[test]
fn invalid_signatures_that_are_not_of_one_hour_only_end_sessions() {
    let bans = Arc::default();
    for now_ms in [1, 2, 1 + BAN_WITHIN_MS] {
        assert_eq!(forge(&bans, 1, now_ms).code, Code::BadEntry);
    }
}

#[test]
fn a_peer_is_kept_out_by_a_member_too() {
    let [one, other] = replicas();
    let pair = Pair::new(peer(&one, 1, true), peer(&other, 2, false));
    let bans = Arc::clone(&pair.one.role.member().expect("a member").bans);
    for _ in 0..BAN_SIGNATURES {
        bans.note(&Peer::Device(signer(2).device()), 0);
    }
    let mut pair = pair;
    let [error, told] = pair.run();
    assert!(matches!(error, Some(SessionError::Closed(closing)) if closing.code == Code::Banned));
    assert!(matches!(told, Some(SessionError::ClosedByPeer(closing)) if closing.code == Code::Banned));
}

#[test]
fn what_does_not_count_is_tried_again_so_often_and_no_more() {
    let [one, _] = replicas();
    one.exclude(2);
    let mut puppet = Puppet::greeted(&one, 1);
    let batches = usize::try_from(EXCLUDED_RETRIES_MAX).expect("small") + 50;
    for number in 0..batches {
        let variant = u8::try_from(number).expect("small");
        puppet.send(&[entries_frame(&run(2, 1, None, 1, 20, variant))]).expect("nobody is to blame");
    }
    let tries = (1..=usize::try_from(EXCLUDED_RETRIES_MAX).expect("small")).sum::<usize>();
    assert_eq!(one.handed(), batches + tries, "each once, and all that waited after each of the first");
}
