//! What two honest ends come to, and at what price.

use super::*;

#[test]
fn an_empty_relay_gets_everything_in_one_go() {
    let [one, other] = replicas();
    for device in 1..4 {
        one.write(device, device % 2, 10, 100);
    }
    let pair = synced(&one, &other);
    assert_eq!((other.len(), pair.one.peer_has()), (30, 30));
}

#[test]
fn an_empty_device_gets_everything_in_one_round_trip() {
    let [one, other] = replicas();
    other.write(1, 1, 50, 100);
    let pair = synced(&one, &other);
    assert_eq!(one.len(), 50);
    // Handshake, greeting and root; the answer; acknowledgement and root; acknowledgement of that.
    assert!(pair.messages[0] <= 3 && pair.messages[1] <= 3, "{:?}", pair.messages);
}

#[test]
fn two_that_never_met_exchange_what_each_lacks() {
    let [one, other] = replicas();
    one.write(1, 1, 20, 50);
    other.write(2, 1, 30, 50);
    other.write(2, 0, 3, 50);
    synced(&one, &other);
    assert_eq!((one.len(), other.len()), (53, 53));
}

#[test]
fn peers_sync_like_device_and_relay() {
    let [one, other] = replicas();
    one.write(1, 1, 20, 50);
    other.write(2, 1, 30, 50);
    let mut pair = Pair::new(peer(&one, 1, true), peer(&other, 2, false));
    pair.sync();
    assert_eq!((one.len(), other.len()), (50, 50));
}

#[test]
fn new_entries_are_pushed_live_and_acknowledged() {
    let [one, other] = replicas();
    one.write(1, 1, 5, 50);
    let mut pair = synced(&one, &other);
    one.write(1, 1, 1, 50);
    other.write(2, 1, 2, 50);
    pair.poke();
    pair.sync();
    assert_eq!(one.root(), other.root());
    assert_eq!((pair.one.peer_has(), pair.other.peer_has()), (8, 8));
}

#[test]
fn a_known_peer_gets_what_is_new_in_one_round_trip() {
    let [one, other] = replicas();
    one.write(1, 1, 100, 50);
    synced(&one, &other);
    other.write(2, 1, 10, 50);
    let payloads = 10 * 50;
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    let hello = pair.one.transmit().expect("handshake");
    pair.other.receive(&hello, 0).expect("good");
    let answer = pair.other.transmit().expect("handshake");
    pair.one.receive(&answer, 0).expect("good");
    let greeting = pair.one.transmit().expect("greeting");
    pair.other.receive(&greeting, 0).expect("good");
    let entries = pair.other.transmit().expect("entries");
    pair.one.receive(&entries, 0).expect("good");
    assert_eq!(one.root(), other.root());
    assert!(entries.len() - hello_bytes() <= payloads + 256, "{}", entries.len());
    pair.sync();
}

/// Bytes of a greeting of all streams, with the Noise message that it comes in.
fn hello_bytes() -> usize {
    2 + 16 + 5 + 1 + 32 + 32 + 64 + 16 + 8 + 16 + 8 + 2
}

#[test]
fn equal_logs_need_one_round_trip_and_128_bytes_after_the_handshake() {
    let [one, other] = replicas();
    one.write(1, 1, 100, 50);
    synced(&one, &other);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    let first = pair.one.transmit().expect("handshake");
    pair.other.receive(&first, 0).expect("good");
    let answer = pair.other.transmit().expect("handshake");
    pair.one.receive(&answer, 0).expect("good");
    pair.sync();
    assert_eq!(pair.messages, [1, 1]);
    let bytes = pair.bytes[0] + pair.bytes[1] - 2 * hello_bytes();
    assert!(bytes <= 128, "{bytes}");
}

#[test]
fn a_restored_replica_is_walked() {
    let [one, other] = replicas();
    for device in 1..=200 {
        one.write(device, device % 7, 3, 20);
    }
    synced(&one, &other);
    one.forget_cursors();
    other.forget_cursors();
    one.write(5, 5, 4, 20);
    other.write(9, 2, 4, 20);
    other.write(201, 3, 4, 20);
    let pair = synced(&one, &other);
    assert_eq!(one.len(), 612);
    let bytes = pair.bytes[0] + pair.bytes[1];
    assert!(bytes < 30_000, "{bytes}");
}

#[test]
fn forks_reach_the_other_side_with_all_their_branches() {
    let [one, other] = replicas();
    one.write(1, 1, 40, 20);
    synced(&one, &other);
    let fork = one.tips(1, 1)[0];
    for (replica, variant) in [(&one, 1), (&other, 2)] {
        let entries = run(1, 1, Some(fork), 5, 20, variant);
        replica.receive(entries).expect("stored");
    }
    synced(&one, &other);
    assert_eq!(one.tips(1, 1).len(), 2);
    one.forget_cursors();
    other.forget_cursors();
    let deep = run(1, 1, None, 30, 20, 3);
    one.receive(deep).expect("stored");
    let deep = run(1, 1, None, 30, 20, 4);
    other.receive(deep).expect("stored");
    synced(&one, &other);
    assert_eq!(one.tips(1, 1).len(), 4);
}

#[test]
fn a_partial_replica_gets_its_streams_and_stream_zero_only() {
    let [one, other] = replicas();
    for number in 0..4 {
        other.write(1, number, 5, 20);
    }
    let mut partial = member(&one, 2);
    partial.streams = Filter::Streams([StreamId::DIRECTORY, stream(2)].into());
    let relay_key = RelaySecret::from_bytes(RELAY_SECRET).public();
    let role = Role::Client { relay: relay_key, member: Some(partial) };
    let device = Session::new(role, random(1), 0).expect("a good key");
    let mut pair = Pair::new(device, relay(&other));
    pair.sync();
    assert_eq!(one.len(), 10);
    other.write(1, 3, 1, 20);
    other.write(1, 2, 1, 20);
    pair.poke();
    pair.sync();
    assert_eq!(one.len(), 11);
}

#[test]
fn much_data_flows_within_the_window() {
    let [one, other] = replicas();
    for _ in 0..30 {
        one.write(1, 1, 2, 400_000);
    }
    let pair = synced(&one, &other);
    assert_eq!(other.len(), 60);
    assert!(pair.messages[0] >= 24);
}

#[test]
fn goodbye_ends_both_sides_and_leaves_the_cursor() {
    let [one, other] = replicas();
    other.write(2, 1, 3, 10);
    let mut pair = synced(&one, &other);
    pair.one.close(None, 0);
    pair.run();
    assert!(pair.one.is_over() && pair.other.is_over());
    assert_eq!(events(&mut pair.other).last(), Some(&SessionEvent::Closed(None)));
    let relay_key = RelaySecret::from_bytes(RELAY_SECRET).public();
    assert_eq!(one.cursor(&relay_key), Some(Cursor { epoch: [2; 16], arrival: 3 }));
    assert!(matches!(pair.one.poke(0), Err(SessionError::Over)));
}

#[test]
fn equal_roots_of_a_puppet_are_believed_once_and_cost_one_answer() {
    let [one, _] = replicas();
    one.write(1, 1, 3, 10);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.take();
    puppet.send(&[root_of(&one, 0)]).expect("fine");
    assert!(matches!(&puppet.take()[..], [Frame::Root(_)]));
    assert!(puppet.session.is_synced());
    puppet.send(&[root_of(&one, 0)]).expect("fine");
    assert_eq!(puppet.take(), []);
}

#[test]
fn an_acknowledgement_of_a_part_proves_nothing_until_roots_are_equal() {
    let [one, _] = replicas();
    one.write(1, 1, 3, 10);
    for (taken, held) in [(Taken::Partly, 0), (Taken::LeftOut, 0), (Taken::All, 3)] {
        let mut puppet = Puppet::greeted(&one, 2);
        puppet.send(&[Frame::Root(Root { root: [0; 32], arrivals: 0, seen: 0 })]).expect("fine");
        puppet.take();
        puppet.send(&[Frame::Ack(Ack { batches: 1, taken })]).expect("fine");
        assert_eq!(puppet.session.peer_has(), held, "{taken:?}");
        puppet.send(&[root_of(&one, 1)]).expect("fine");
        assert_eq!(puppet.session.peer_has(), 3);
    }
}

#[test]
fn the_cursor_does_not_move_over_a_gap() {
    let [one, _] = replicas();
    let first = run(3, 1, None, 1, 10, 0);
    let tip = Tip { seq: 1, id: first[0].id() };
    let second = run(3, 1, Some(tip), 1, 10, 0);
    let whole = run(4, 1, None, 1, 10, 0);
    let streamed = |arrival, entries: &[Entry]| match entries_frame(entries) {
        Frame::Entries { batch, .. } => Frame::Entries { arrival, batch },
        other => other,
    };
    let device = signer(1).device();
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.send(&[streamed(7, &second)]).expect("waits");
    puppet.send(&[streamed(8, &whole)]).expect("stored");
    puppet.session.close(None, 0);
    assert_eq!(one.cursor(&device.0), None);
    let mut puppet = Puppet::greeted(&one, 1);
    puppet.send(&[streamed(8, &[first, second].concat())]).expect("stored");
    assert_eq!(one.cursor(&device.0), Some(Cursor { epoch: [9; 16], arrival: 8 }));
}

#[test]
fn of_a_long_fork_only_what_lies_behind_the_common_point_is_served() {
    let [one, other] = replicas();
    for _ in 0..8 {
        one.write(1, 1, 100, 20);
    }
    synced(&one, &other);
    let fork = one.tips(1, 1)[0];
    for (replica, variant) in [(&one, 1), (&other, 2)] {
        let entries = run(1, 1, Some(fork), 100, 20, variant);
        replica.receive(entries).expect("stored");
    }
    one.forget_cursors();
    other.forget_cursors();
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    pair.sync();
    assert_eq!(one.tips(1, 1).len(), 2);
    for session in [&mut pair.one, &mut pair.other] {
        let received = events(session).into_iter().filter_map(|event| match event {
            SessionEvent::Progress(progress) => Some(progress.received),
            _ => None,
        });
        let received = received.max().expect("entries came");
        assert!((100..=128).contains(&received), "{received} of 900 for a fork of 100");
    }
}

/// A device that syncs one stream with a relay, one way.
fn one_way(one: &Arc<MemoryReplica>, other: &Arc<MemoryReplica>, direction: Direction) -> Pair {
    let mut part = member(one, 2);
    part.streams = Filter::Streams([StreamId::DIRECTORY, stream(2)].into());
    part.direction = direction;
    let relay_key = RelaySecret::from_bytes(RELAY_SECRET).public();
    let role = Role::Client { relay: relay_key, member: Some(part) };
    let device = Session::new(role, random(1), 0).expect("a good key");
    let mut pair = Pair::new(device, relay(other));
    pair.run();
    assert!(pair.one.is_synced(), "{direction:?}");
    pair
}

/// Two replicas that share the directory and the start of a chain, and each have more of their own.
fn parted() -> [Arc<MemoryReplica>; 2] {
    let [one, other] = replicas();
    other.write(1, 0, 2, 20);
    other.write(1, 2, 3, 20);
    synced(&one, &other);
    one.write(2, 2, 4, 20);
    one.write(2, 3, 5, 20);
    other.write(1, 2, 6, 20);
    other.write(1, 3, 7, 20);
    [one, other]
}

#[test]
fn a_pull_takes_one_stream_and_gives_nothing() {
    let [one, other] = parted();
    one_way(&one, &other, Direction::Pull);
    assert_eq!((one.len(), other.len()), (5 + 9 + 6, 5 + 13));
    one_way(&one, &other, Direction::Pull);
    assert_eq!((one.len(), other.len()), (20, 18));
}

#[test]
fn a_push_gives_one_stream_and_takes_nothing() {
    let [one, other] = parted();
    one_way(&one, &other, Direction::Push);
    assert_eq!((one.len(), other.len()), (5 + 9, 5 + 13 + 4));
    one_way(&one, &other, Direction::Push);
    assert_eq!((one.len(), other.len()), (14, 22));
}

#[test]
fn what_one_way_left_out_comes_with_the_next_sync_of_everything() {
    for direction in [Direction::Pull, Direction::Push, Direction::Both] {
        let [one, other] = parted();
        one_way(&one, &other, direction);
        synced(&one, &other);
        assert_eq!((one.len(), other.len()), (27, 27), "{direction:?}");
    }
}

#[test]
fn a_push_takes_nothing_though_it_is_known_where_the_other_stopped() {
    let [one, other] = parted();
    one_way(&one, &other, Direction::Pull);
    other.write(1, 2, 8, 20);
    one_way(&one, &other, Direction::Push);
    assert_eq!((one.len(), other.len()), (20, 18 + 8 + 4));
}

#[test]
fn a_pull_from_an_empty_replica_and_a_push_to_one_end() {
    let [one, other] = replicas();
    one.write(1, 2, 3, 20);
    one_way(&one, &other, Direction::Pull);
    assert_eq!(other.len(), 0);
    one_way(&one, &other, Direction::Push);
    assert_eq!(other.len(), 3);
}
