//! Sessions of devices that are removed.

use super::*;

fn is_removed(error: Option<&SessionError>, by_peer: bool) -> bool {
    match error {
        Some(SessionError::Closed(closing)) => !by_peer && closing.code == Code::Removed,
        Some(SessionError::ClosedByPeer(closing)) => by_peer && closing.code == Code::Removed,
        _ => false,
    }
}

#[test]
fn a_removed_device_is_told_so_at_its_greeting_and_gets_nothing() {
    let [one, other] = replicas();
    other.write(2, 1, 5, 10);
    other.remove_from(1, 0);
    one.write(1, 1, 2, 10);
    let mut pair = Pair::new(client(&one, 1), relay(&other));
    let errors = pair.run();
    assert!(is_removed(errors[1].as_ref(), false), "{errors:?}");
    assert!(is_removed(errors[0].as_ref(), true), "{errors:?}");
    assert_eq!((one.len(), other.len()), (2, 5));
}

#[test]
fn a_session_ends_when_the_removal_of_its_device_lands() {
    let [one, other] = replicas();
    one.write(1, 1, 2, 10);
    other.remove_from(1, 3);
    let mut pair = synced(&one, &other);
    pair.other.poke(0).expect("still a member");
    other.write(2, 1, 1, 10);
    let error = pair.other.poke(0);
    assert!(is_removed(error.as_ref().err(), false), "{error:?}");
    assert!(pair.other.is_over());
    let errors = pair.run();
    assert!(is_removed(errors[0].as_ref(), true), "{errors:?}");
    assert_eq!(one.len(), 2, "nothing is sent after it");
}

#[test]
fn a_device_that_learns_of_its_own_removal_leaves() {
    let [one, other] = replicas();
    one.write(1, 1, 2, 10);
    one.remove_from(1, 3);
    let mut pair = synced(&one, &other);
    other.write(2, 1, 1, 10);
    pair.other.poke(0).expect("sends it");
    let errors = pair.run();
    assert!(is_removed(errors[0].as_ref(), false), "{errors:?}");
    assert_eq!(one.len(), 3);
}

#[test]
fn two_members_part_when_one_is_removed() {
    let [one, other] = replicas();
    one.write(1, 1, 2, 10);
    other.remove_from(1, 3);
    let mut pair = Pair::new(peer(&one, 1, true), peer(&other, 2, false));
    pair.sync();
    other.write(2, 1, 1, 10);
    assert!(is_removed(pair.other.poke(0).as_ref().err(), false));
}
