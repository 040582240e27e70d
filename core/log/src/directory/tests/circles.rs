//! Who is in a circle, and what its keys are worth.

use super::super::*;
use super::support::{Author, Fixture, peopled, wrap};
use crate::crypto::sha256;
use crate::ids::{CircleId, StreamId};

const CIRCLE: CircleId = CircleId([8; 16]);

fn new(settings: CircleSettings) -> Op {
    Op::CircleNew { circle: CIRCLE, settings, name_commit: [3; 32] }
}

fn add(fixture: &Fixture, device: &Author, role: Role) -> Op {
    Op::CircleAdd { circle: CIRCLE, user: fixture.user(device), role }
}

fn epoch(number: u8, circle: CircleId, next: &NextEpoch, devices: &[&Author]) -> Op {
    let commit = sha256(&[b"circle key", &[number]]);
    Op::KeyEpoch {
        circle,
        epoch: next.epoch,
        key_id: key_id(&commit),
        commit,
        name_wrap: [0; SEALED_KEY_LEN],
        prev: next.prev.iter().map(|key| (*key, [0; SEALED_KEY_LEN])).collect(),
        wraps: devices.iter().map(|device| wrap(&device.id())).collect(),
    }
}

fn role(fixture: &Fixture, device: &Author) -> Option<Role> {
    fixture.directory.role_in_circle(&fixture.user(device), &CIRCLE)
}

/// A circle of admin and writer, with its first key, all made in one entry.
fn circled() -> (Fixture, [Author; 4]) {
    let (mut fixture, [owner, mut admin, writer, reader]) = peopled();
    let first = NextEpoch { epoch: 1, prev: vec![] };
    let ops = vec![
        new(CircleSettings { history: History::FromJoin, for_root: false }),
        add(&fixture, &writer, Role::Writer),
        epoch(1, CIRCLE, &first, &[&admin, &writer]),
    ];
    fixture.write(&mut admin, ops);
    (fixture, [owner, admin, writer, reader])
}

#[test]
fn a_circle_is_made_with_members_and_key_in_one_entry() {
    let (fixture, [owner, admin, writer, reader]) = circled();
    let circle = fixture.directory.circle(&CIRCLE).expect("made");
    assert_eq!(circle.settings, CircleSettings { history: History::FromJoin, for_root: false });
    assert_eq!((circle.name_commit, circle.members.len()), ([3; 32], 2));
    assert_eq!((role(&fixture, &admin), role(&fixture, &writer)), (Some(Role::Writer), Some(Role::Writer)));
    assert_eq!((role(&fixture, &owner), role(&fixture, &reader)), (None, None));
    assert_eq!(fixture.directory.epochs(&CIRCLE).len(), 1);
    let recipients: Vec<_> =
        fixture.directory.recipients(&CIRCLE).into_iter().map(|(device, _)| device).collect();
    let mut expected = vec![admin.id(), writer.id()];
    expected.sort();
    assert_eq!(recipients, expected, "not the root: the circle was made without it");
    assert_eq!(fixture.directory.circles().len(), 2);
}

#[test]
fn keys_of_a_circle_are_for_its_members_by_its_writers() {
    let (mut fixture, [mut owner, mut admin, mut writer, reader]) = circled();
    let next = fixture.directory.next_epoch(&CIRCLE).expect("numbers left");
    assert_eq!(next.epoch, 2);
    fixture.write(&mut owner, vec![epoch(2, CIRCLE, &next, &[&admin, &writer])]);
    assert_eq!(fixture.directory.epochs(&CIRCLE).len(), 1, "by somebody outside");
    let root = Author::new(0);
    for (number, others) in [(3, vec![&reader]), (4, vec![&root])] {
        let next = fixture.directory.next_epoch(&CIRCLE).expect("numbers left");
        let devices = [&[&admin, &writer][..], &others].concat();
        let op = epoch(number, CIRCLE, &next, &devices);
        fixture.write(&mut admin, vec![op]);
        assert_eq!(fixture.directory.epochs(&CIRCLE).len(), 1, "to somebody outside");
    }
    let next = fixture.directory.next_epoch(&CIRCLE).expect("numbers left");
    fixture.write(&mut writer, vec![epoch(5, CIRCLE, &next, &[])]);
    assert_eq!(fixture.directory.epochs(&CIRCLE).len(), 2);
}

#[test]
fn an_admin_outside_does_not_let_itself_in_and_an_owner_may() {
    let (mut fixture, [mut owner, ..]) = circled();
    let mut other = Author::new(9);
    let op = fixture.add_user(Role::Admin, &other);
    fixture.write(&mut owner, vec![op]);
    let op = add(&fixture, &other, Role::Writer);
    fixture.write(&mut other, vec![op.clone()]);
    assert_eq!(role(&fixture, &other), None);
    fixture.write(&mut owner, vec![op]);
    assert_eq!(role(&fixture, &other), Some(Role::Writer));
}

#[test]
fn of_an_addition_and_a_removal_aside_the_removal_stands_until_somebody_knows_of_it() {
    let (mut fixture, [mut owner, mut admin, writer, _]) = circled();
    let heads = fixture.directory.heads();
    let remove = Op::CircleRemove { circle: CIRCLE, user: fixture.user(&writer), cuts: vec![] };
    let again = add(&fixture, &writer, Role::Writer);
    fixture.write_under(&mut owner, heads.clone(), vec![remove]);
    fixture.write_under(&mut admin, heads, vec![again.clone()]);
    assert_eq!(role(&fixture, &writer), None);
    fixture.write(&mut admin, vec![again]);
    assert_eq!(role(&fixture, &writer), Some(Role::Writer));
}

#[test]
fn a_role_in_a_circle_is_at_most_that_in_the_workspace_and_ends_with_it() {
    let (mut fixture, [mut owner, mut admin, writer, reader]) = circled();
    let op = add(&fixture, &reader, Role::Writer);
    fixture.write(&mut admin, vec![op]);
    assert_eq!(role(&fixture, &reader), Some(Role::Reader));
    let gone = Op::RemoveUser { user: fixture.user(&writer), cuts: vec![] };
    fixture.write(&mut owner, vec![gone]);
    assert_eq!(role(&fixture, &writer), None);
}

#[test]
fn to_write_with_a_key_one_must_be_a_writer_of_its_circle() {
    let (mut fixture, [owner, _, mut writer, _]) = circled();
    let head = fixture.write(&mut writer, vec![]);
    let key = fixture.directory.epochs(&CIRCLE)[0].key_id;
    assert_eq!(fixture.directory.may_write(&writer.id(), &head, &key), Ok(()));
    assert_eq!(fixture.directory.may_write(&owner.id(), &head, &key), Err(Refusal::NotInCircle));
    assert!(fixture.directory.is_writer_of(&writer.id(), &CIRCLE, &head));
    assert!(!fixture.directory.is_writer_of(&owner.id(), &CIRCLE, &head));
    assert_eq!(fixture.directory.circles_of_key(&key).into_iter().collect::<Vec<_>>(), [CIRCLE]);
}

#[test]
fn leaving_a_circle_binds_what_is_written_with_its_keys_only() {
    let (mut fixture, [mut owner, _, mut writer, _]) = circled();
    let head = fixture.write(&mut writer, vec![]);
    let key = fixture.directory.epochs(&CIRCLE)[0].key_id;
    let stream = StreamId([4; 16]);
    let cut = Cut { device: writer.id(), stream, seq: 3, id: EntryId([6; 32]) };
    let remove = Op::CircleRemove { circle: CIRCLE, user: fixture.user(&writer), cuts: vec![cut] };
    let removed = fixture.write(&mut owner, vec![remove]);
    let limits = fixture.directory.limits(&writer.id(), &stream);
    assert_eq!(limits.len(), 1);
    assert_eq!((limits[0].cause, limits[0].cut), (Cause::LeftCircle(CIRCLE), Some((3, EntryId([6; 32])))));
    let mut header = fixture.entries[1].0.header().clone();
    (header.kind, header.author, header.auth, header.stream) = (Kind::Data, writer.id(), head, stream);
    header.key_id = key;
    assert!(fixture.directory.binds(&limits[0], &header));
    header.key_id = KeyId([1; 16]);
    assert!(!fixture.directory.binds(&limits[0], &header));
    let back = add(&fixture, &writer, Role::Writer);
    let again = fixture.write_under(&mut owner, vec![removed], vec![back]);
    (header.key_id, header.auth) = (key, again);
    assert!(!fixture.directory.binds(&limits[0], &header), "who let it in again knew of the removal");
}

#[test]
fn a_key_is_of_the_circle_that_its_user_knew_whatever_is_said_of_it_aside() {
    let (mut fixture, [mut owner, _, mut writer, mut reader]) = circled();
    let before = fixture.directory.heads();
    let next_of_circle = fixture.directory.next_epoch(&CIRCLE).expect("numbers left");
    let next = fixture.directory.next_epoch(&CircleId::WORKSPACE).expect("numbers left");
    fixture.write(&mut owner, vec![epoch(9, CircleId::WORKSPACE, &next, &[&writer])]);
    let key = fixture.directory.epochs(&CircleId::WORKSPACE).last().expect("some").key_id;
    let head = fixture.write(&mut writer, vec![]);
    let remove = Op::CircleRemove { circle: CIRCLE, user: fixture.user(&writer), cuts: vec![] };
    fixture.write(&mut owner, vec![remove]);
    fixture.write_under(&mut reader, before, vec![epoch(9, CIRCLE, &next_of_circle, &[])]);
    assert_eq!(fixture.directory.circles_of_key(&key).len(), 2, "it is published twice");
    let stream = StreamId([4; 16]);
    let limits = fixture.directory.limits(&writer.id(), &stream);
    assert_eq!(limits.len(), 1);
    let mut header = fixture.entries[1].0.header().clone();
    (header.kind, header.author, header.auth, header.stream) = (Kind::Data, writer.id(), head, stream);
    header.key_id = key;
    assert!(!fixture.directory.binds(&limits[0], &header), "a reader took nothing from it");
}
