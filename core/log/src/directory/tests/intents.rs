//! What is said of operations before they are written is what becomes of them.

use super::super::*;
use super::support::{Author, Fixture, peopled};
use crate::ids::{CircleId, UserId};

#[test]
fn objections_say_what_is_wrong() {
    let (mut fixture, [mut owner, admin, writer, reader]) = peopled();
    let workspace = fixture.workspace;
    let user = |device: &Author| user_id(&workspace, &device.id());
    let stranger = Author::new(30);
    let remove = |device: &Author| Op::RemoveUser { user: user(device), cuts: vec![] };
    let check = |directory: &Directory, author: &Author, op: Op| directory.check_ops(&author.id(), &[op]);
    let directory = fixture.directory.clone();
    assert_eq!(check(&directory, &admin, remove(&writer)), Ok(()));
    assert_eq!(check(&directory, &writer, remove(&admin)), Err(Objection::NotAuthorized));
    assert_eq!(check(&directory, &admin, remove(&stranger)), Err(Objection::UnknownUser(user(&stranger))));
    assert_eq!(check(&directory, &stranger, remove(&writer)), Err(Objection::NotActive));
    assert_eq!(check(&directory, &owner, remove(&owner)), Err(Objection::LastOwner));
    let demote = Op::SetRole { user: user(&owner), role: Role::Reader, cuts: vec![] };
    assert_eq!(check(&directory, &owner, demote), Err(Objection::LastOwner));
    let raise = Op::SetRole { user: user(&writer), role: Role::Admin, cuts: vec![] };
    assert_eq!(check(&directory, &admin, raise.clone()), Err(Objection::NotAuthorized));
    assert_eq!(check(&directory, &owner, raise), Ok(()));
    let device = Op::RemoveDevice { device: stranger.id(), cuts: vec![] };
    assert_eq!(check(&directory, &owner, device), Err(Objection::UnknownDevice(stranger.id())));
    let circle = CircleId([1; 16]);
    let add = Op::CircleAdd { circle, user: user(&reader), role: Role::Reader };
    assert_eq!(check(&directory, &owner, add), Err(Objection::UnknownCircle(circle)));
    let mut cert = stranger.cert(&fixture.workspace, &user(&stranger));
    cert.self_sig[0] ^= 1;
    let bad = Op::AddUser { user: user(&stranger), role: Role::Reader, certs: vec![cert] };
    assert_eq!(check(&directory, &owner, bad), Err(Objection::Certificate));
    let policy = Op::Policy(Policy { rotate_days: 1, rotate_entries: 1 });
    assert_eq!(check(&directory, &admin, policy.clone()), Err(Objection::NotAuthorized));
    assert_eq!(check(&directory, &owner, policy), Ok(()));

    let gone = Op::RemoveDevice { device: writer.id(), cuts: vec![] };
    fixture.write(&mut owner, vec![remove(&reader), gone.clone()]);
    assert_eq!(check(&fixture.directory, &owner, remove(&reader)), Err(Objection::Removed));
    assert_eq!(check(&fixture.directory, &owner, gone), Err(Objection::Removed));
    let back = fixture.add_user(Role::Reader, &reader);
    assert_eq!(check(&fixture.directory, &owner, back), Err(Objection::Removed));
    assert_eq!(fixture.directory.len(), directory.len() + 1, "nothing was written by asking");
}

#[test]
fn a_purge_is_for_owners_and_for_the_entries_own_user() {
    let (mut fixture, [mut owner, mut admin, mut writer, _]) = peopled();
    let stream = crate::ids::StreamId([2; 16]);
    let purged = Purged { device: writer.id(), seq: 1, id: EntryId([1; 32]) };
    let op = Op::Purge { stream, entries: vec![purged] };
    for (author, counts) in [(&mut admin, false), (&mut writer, true), (&mut owner, true)] {
        assert_eq!(fixture.directory.check_ops(&author.id(), std::slice::from_ref(&op)).is_ok(), counts);
        let mut apart = fixture.directory.clone();
        let (previous, seq) = (author.last, author.seq);
        let entry = author.entry(&fixture.workspace, apart.parents_for(previous), vec![op.clone()]);
        (author.last, author.seq) = (previous, seq);
        apart.insert(&entry, previous).expect("held");
        assert_eq!(apart.purged(&stream).contains(&purged), counts);
    }
    fixture.write(&mut owner, vec![op]);
    assert_eq!(fixture.directory.purged(&stream).len(), 1);
}

#[test]
fn the_policy_is_that_of_an_owner_who_knew_the_others() {
    let (mut fixture, [mut owner, mut admin, ..]) = peopled();
    let policy = |rotate_days| Policy { rotate_days, rotate_entries: 5 };
    assert_eq!(fixture.directory.policy(), Policy::default());
    fixture.write(&mut admin, vec![Op::Policy(policy(1))]);
    assert_eq!(fixture.directory.policy(), Policy::default());
    fixture.write(&mut owner, vec![Op::Policy(policy(2))]);
    let heads = fixture.directory.heads();
    fixture.write_under(&mut owner, heads.clone(), vec![Op::Policy(policy(3))]);
    assert_eq!(fixture.directory.policy(), policy(3));
    fixture.root_writes(vec![Op::Policy(policy(4))]);
    assert_eq!(fixture.directory.policy(), policy(4));
    assert_eq!(fixture.directory.user(&UserId([0; 16])), None);
}

#[test]
fn a_device_that_an_equal_removed_can_be_removed_again_from_above_and_then_for_good() {
    let (mut fixture, [mut owner, mut admin, mut writer, _]) = peopled();
    let user = fixture.user(&writer);
    let mut laptop = Author::new(30);
    let cert = laptop.cert(&fixture.workspace, &user);
    fixture.write(&mut writer, vec![Op::AddDevice { user, cert }]);
    let directory = fixture.directory.clone();
    for (remover, device, outranks) in [
        (&writer, &laptop, true),
        (&laptop, &writer, false),
        (&laptop, &laptop, false),
        (&admin, &writer, true),
        (&writer, &admin, false),
        (&owner, &admin, true),
    ] {
        assert_eq!(directory.outranks(&remover.id(), &device.id()), outranks);
    }
    let gone = Op::RemoveDevice { device: writer.id(), cuts: vec![] };
    let check = |fixture: &Fixture, author: &Author| {
        fixture.directory.check_ops(&author.id(), std::slice::from_ref(&gone))
    };
    fixture.write(&mut laptop, vec![gone.clone()]);
    assert_eq!(check(&fixture, &laptop), Err(Objection::Removed), "it would change nothing");
    assert_eq!(check(&fixture, &admin), Ok(()));
    assert!(fixture.directory.outranks(&admin.id(), &writer.id()), "also when it was removed before");
    fixture.write(&mut admin, vec![gone.clone()]);
    assert_eq!(check(&fixture, &admin), Err(Objection::Removed));
    assert_eq!(check(&fixture, &owner), Err(Objection::Removed));
    let again = Op::RemoveUser { user, cuts: vec![] };
    fixture.write(&mut owner, vec![again]);
    assert_eq!(check(&fixture, &owner), Err(Objection::Removed));
    assert_eq!(fixture.directory.devices_of(&user).len(), 2, "removed ones are known all the same");
}

#[test]
fn an_amendment_counts_if_it_moves_a_cut() {
    let (mut fixture, [owner, mut admin, writer, reader]) = peopled();
    let stream = crate::ids::StreamId([2; 16]);
    let amend = |device: &Author, seq| Op::AmendCut {
        cuts: vec![Cut { device: device.id(), stream, seq, id: EntryId([1; 32]) }],
    };
    let check = |fixture: &Fixture, author: &Author, op| fixture.directory.check_ops(&author.id(), &[op]);
    assert_eq!(
        check(&fixture, &owner, amend(&writer, 5)),
        Err(Objection::NotAuthorized),
        "it is not removed"
    );
    let cuts = vec![Cut { device: writer.id(), stream, seq: 3, id: EntryId([1; 32]) }];
    fixture.write(&mut admin, vec![Op::RemoveDevice { device: writer.id(), cuts }]);
    assert_eq!(check(&fixture, &admin, amend(&writer, 5)), Ok(()));
    assert_eq!(check(&fixture, &owner, amend(&writer, 5)), Ok(()));
    assert_eq!(
        check(&fixture, &owner, amend(&writer, 2)),
        Err(Objection::NotAuthorized),
        "cuts move on only"
    );
    assert_eq!(check(&fixture, &reader, amend(&writer, 5)), Err(Objection::NotAuthorized));
}

#[test]
fn an_entry_has_room_for_so_many_cuts_and_parents() {
    let cut = Cut {
        device: DeviceId([1; 32]),
        stream: crate::ids::StreamId([2; 16]),
        seq: 1,
        id: EntryId([1; 32]),
    };
    let parents = (0..16).map(|number| EntryId([number; 32])).collect();
    let ops = vec![Op::RemoveDevice { device: DeviceId([1; 32]), cuts: vec![cut; CUTS_MAX] }];
    let bytes = Body { parents, ops }.encode().expect("fits");
    assert!(crate::entry::DIRECTORY_PAYLOAD_MAX - bytes.len() < 1_024, "there is little room left");
}
