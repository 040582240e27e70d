//! Mailboxes and signals.

use super::*;

#[test]
fn signals_reach_members_and_keep_to_their_size() {
    let [one, other] = replicas();
    one.write(1, 1, 1, 10);
    let mut pair = synced(&one, &other);
    assert!(pair.one.signal(vec![7; SIGNAL_MAX]));
    assert!(!pair.one.signal(vec![7; SIGNAL_MAX + 1]));
    assert!(!pair.one.signal(Vec::new()));
    pair.run();
    assert!(events(&mut pair.other).contains(&SessionEvent::Signal(vec![7; SIGNAL_MAX])));
}

#[test]
fn a_joiner_leaves_a_letter_and_the_member_hears_of_it() {
    let [one, other] = replicas();
    let mailbox = BoxId([4; 16]);
    let mut members = synced(&one, &other);
    members.one.mail_open(mailbox, [5; 32], 1_000);
    members.run();
    let letter = SessionEvent::Mail { mailbox, slot: 1, message: b"waiting".to_vec() };
    assert!(events(&mut members.one).contains(&letter));
    assert!(events(&mut members.other).contains(&SessionEvent::MailWatched(mailbox)));

    let relay_key = RelaySecret::from_bytes(RELAY_SECRET).public();
    let joiner =
        Session::new(Role::Client { relay: relay_key, member: None }, random(5), 0).expect("good key");
    let mut joining = Pair::new(joiner, relay(&other));
    assert!(joining.one.mail_put(mailbox, [1; 32], b"let me in".to_vec()));
    joining.one.mail_get(mailbox, [2; 32], 0);
    joining.run();
    let events_of_joiner = events(&mut joining.one);
    assert!(events_of_joiner.contains(&SessionEvent::MailResult { mailbox, slot: 2, result: Ok(()) }));
    let refused = SessionEvent::MailResult { mailbox, slot: 0, result: Err(MailError::NotOpen) };
    assert!(events_of_joiner.contains(&refused));
    assert_eq!(joining.other.deadline(), None);

    members.other.push_mail(mailbox, 2, b"let me in".to_vec());
    members.other.push_mail(BoxId([9; 16]), 1, b"not watched".to_vec());
    members.run();
    let letters =
        events(&mut members.one).into_iter().filter(|event| matches!(event, SessionEvent::Mail { .. }));
    assert_eq!(letters.count(), 1);
}

#[test]
fn a_wrong_token_does_not_prolong_a_session() {
    let [one, _] = replicas();
    let mut puppet = Puppet::client(&one);
    puppet.send(&[Frame::MailGet { mailbox: BoxId([1; 16]), token: [2; 32], after: 0 }]).expect("answered");
    assert_eq!(puppet.session.deadline(), Some(HANDSHAKE_MS));
    let open = Frame::MailOpen { mailbox: BoxId([1; 16]), token_hash: [0; 32], expires_ms: 9 };
    puppet.take();
    puppet.send(&[open]).expect("answered");
    let refused = Frame::MailResult { mailbox: BoxId([1; 16]), slot: 0, result: Err(MailError::Unavailable) };
    assert_eq!(puppet.take(), [refused]);
}

#[test]
fn a_session_watches_a_limited_number_of_boxes() {
    let [one, _] = replicas();
    let mut puppet = Puppet::client(&one);
    let get = |number: usize| Frame::MailGet {
        mailbox: BoxId([u8::try_from(number).expect("below 256"); 16]),
        token: [1; 32],
        after: 0,
    };
    for number in 0..WATCHED_MAX {
        puppet.send(&[get(number)]).expect("answered");
    }
    puppet.take();
    puppet.send(&[get(WATCHED_MAX)]).expect("answered");
    assert!(matches!(&puppet.take()[..], [Frame::MailResult { result: Err(MailError::Unavailable), .. }]));
}
