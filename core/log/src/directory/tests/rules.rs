//! Which additions of users and devices count, rule by rule.

use super::super::*;
use super::support::{Author, Fixture, kem_key, key_epoch, owned, peopled, wrap};
use crate::ids::CircleId;

const CIRCLE: CircleId = CircleId::WORKSPACE;

fn role(fixture: &Fixture, device: &Author) -> Option<Role> {
    fixture.directory.role(&device.id())
}

#[test]
fn a_workspace_begins_with_root_owner_and_epoch() {
    let (mut fixture, mut owner) = owned();
    let next = fixture.directory.next_epoch(&CIRCLE).expect("numbers left");
    assert_eq!(next, NextEpoch { epoch: 1, prev: vec![] });
    let epoch = key_epoch(1, &next, &[owner.id(), fixture.root.id()]);
    let id = fixture.write(&mut owner, vec![epoch]);
    let directory = &fixture.directory;
    assert_eq!(directory.heads(), vec![id]);
    assert_eq!(directory.epochs(&CIRCLE).len(), 1);
    let key = directory.epochs(&CIRCLE)[0].key_id;
    assert_eq!(directory.wraps(&key, &owner.id()), vec![&wrap(&owner.id())]);
    assert_eq!(directory.root().map(|root| root.pk), Some(fixture.root.id()));
    assert_eq!(directory.name_commit(), Some([7; 32]));
    let user = User { id: fixture.user(&owner), role: Role::Owner, devices: vec![owner.id()] };
    assert_eq!(directory.users(), vec![user]);
    assert_eq!(
        directory.device(&owner.id()),
        Some(Device {
            id: owner.id(),
            user: fixture.user(&owner),
            kem_pk: kem_key(&owner.id()),
            added_by: fixture.root.id()
        })
    );
}

#[test]
fn a_role_is_given_from_above_only() {
    let (mut fixture, mut owner) = owned();
    let (mut admin, mut peer, writer) = (Author::new(2), Author::new(3), Author::new(4));
    let add = fixture.add_user(Role::Admin, &admin);
    fixture.write(&mut owner, vec![add]);
    let add = fixture.add_user(Role::Admin, &peer);
    fixture.write(&mut admin, vec![add.clone()]);
    assert_eq!(role(&fixture, &peer), None);
    fixture.write(&mut owner, vec![add]);
    assert_eq!(role(&fixture, &peer), Some(Role::Admin));
    let add = fixture.add_user(Role::Writer, &writer);
    fixture.write(&mut peer, vec![add]);
    assert_eq!(role(&fixture, &writer), Some(Role::Writer));
}

#[test]
fn nobody_below_counts_whatever_they_write() {
    let (mut fixture, [owner, _, mut writer, mut reader]) = peopled();
    let (stranger, second) = (Author::new(5), Author::new(6));
    let owner_user = fixture.user(&owner);
    for author in [&mut writer, &mut reader] {
        let ops = vec![
            fixture.add_user(Role::Writer, &stranger),
            Op::AddDevice { user: owner_user, cert: second.cert(&fixture.workspace, &owner_user) },
            Op::RelaySet { relay_pk: [1; 32], url: "ws://a".into() },
        ];
        fixture.write(author, ops);
    }
    assert_eq!(role(&fixture, &stranger), None);
    assert_eq!(role(&fixture, &second), None);
    assert_eq!(fixture.directory.relays(), vec![]);
    assert_eq!(fixture.directory.revisions(), 0);
}

#[test]
fn an_owner_replayed_under_old_parents_gives_an_admin_nothing() {
    let mut fixture = Fixture::new();
    let (mut first, mut admin) = (Author::new(1), Author::new(2));
    let ops = vec![fixture.add_user(Role::Owner, &first)];
    fixture.root_writes(ops);
    let ops = vec![fixture.add_user(Role::Admin, &admin)];
    let old = fixture.write(&mut first, ops);

    let second = Author::new(3);
    let add = fixture.add_user(Role::Owner, &second);
    fixture.root_writes(vec![add]);
    let (mut accomplice, third) = (Author::new(4), Author::new(5));
    let user = fixture.user(&second);
    let cert = |device: &Author| device.cert(&fixture.workspace, &user);
    let replayed = Op::AddUser { user, role: Role::Writer, certs: vec![cert(&second)] };
    let helped = Op::AddDevice { user, cert: cert(&accomplice) };
    let more = Op::AddDevice { user, cert: cert(&third) };
    let planted = fixture.write_under(&mut admin, vec![old], vec![replayed, helped]);
    let grown = fixture.write_under(&mut accomplice, vec![planted], vec![more]);

    assert_eq!(role(&fixture, &second), Some(Role::Owner));
    assert_eq!(role(&fixture, &accomplice), None);
    assert_eq!(role(&fixture, &third), None, "what rests on a void addition is void");
    assert!(!fixture.directory.is_active(&accomplice.id(), &planted));
    assert!(!fixture.directory.is_active(&third.id(), &grown));
}

#[test]
fn an_addition_that_arrives_late_from_above_takes_back_what_counted() {
    let (mut fixture, [mut owner, mut admin, ..]) = peopled();
    let heads = fixture.directory.heads();
    let (mut joiner, extra) = (Author::new(5), Author::new(6));
    let add = fixture.add_user(Role::Writer, &joiner);
    fixture.write_under(&mut admin, heads.clone(), vec![add]);
    let user = fixture.user(&joiner);
    let more = Op::AddDevice { user, cert: extra.cert(&fixture.workspace, &user) };
    let at = fixture.write(&mut joiner, vec![more]);
    assert_eq!(role(&fixture, &extra), Some(Role::Writer));
    let snapshot = fixture.directory.clone();

    let add = fixture.add_user(Role::Reader, &joiner);
    fixture.write_under(&mut owner, heads, vec![add]);
    assert_eq!(role(&fixture, &joiner), Some(Role::Reader));
    assert_eq!(role(&fixture, &extra), None);
    assert_eq!(fixture.directory.role_at(&joiner.id(), &at), None);
    assert_eq!(fixture.directory.revisions(), 1);
    assert_eq!(snapshot.role(&extra.id()), Some(Role::Writer), "a snapshot stays as it was");
}

#[test]
fn among_equals_the_lowest_role_wins() {
    let (mut fixture, [mut owner, mut admin, ..]) = peopled();
    let mut other = Author::new(5);
    let add = fixture.add_user(Role::Admin, &other);
    fixture.write(&mut owner, vec![add]);
    let heads = fixture.directory.heads();
    let joiner = Author::new(6);
    let high = fixture.add_user(Role::Writer, &joiner);
    let low = fixture.add_user(Role::Reader, &joiner);
    fixture.write_under(&mut admin, heads.clone(), vec![high]);
    fixture.write_under(&mut other, heads, vec![low]);
    assert_eq!(role(&fixture, &joiner), Some(Role::Reader));
}

#[test]
fn adding_a_member_again_is_void_from_the_same_class_and_counts_from_above() {
    let (mut fixture, [mut owner, mut admin, ..]) = peopled();
    let joiner = Author::new(5);
    let add = fixture.add_user(Role::Writer, &joiner);
    fixture.write(&mut admin, vec![add.clone(), add]);
    let again = fixture.add_user(Role::Reader, &joiner);
    fixture.write(&mut admin, vec![again]);
    assert_eq!(role(&fixture, &joiner), Some(Role::Writer));
    let raised = fixture.add_user(Role::Admin, &joiner);
    fixture.write(&mut owner, vec![raised]);
    assert_eq!(role(&fixture, &joiner), Some(Role::Admin));
}

#[test]
fn a_device_with_certificates_for_two_users_counts_for_neither() {
    let (mut fixture, [mut owner, _, writer, mut reader]) = peopled();
    let before = fixture.directory.heads()[0];
    let other = fixture.user(&owner);
    let cert = writer.cert(&fixture.workspace, &other);
    fixture.write(&mut owner, vec![Op::AddDevice { user: other, cert }]);
    assert_eq!(role(&fixture, &writer), None);
    assert_eq!(fixture.directory.role_at(&writer.id(), &before), Some(Role::Writer));
    assert_eq!(fixture.directory.user(&other).expect("owner").devices, vec![owner.id()]);
    // Its own signature is the proof, whoever shows it.
    let cert = owner.cert(&fixture.workspace, &fixture.user(&reader));
    let user = fixture.user(&reader);
    fixture.write(&mut reader, vec![Op::AddDevice { user, cert }]);
    assert_eq!(role(&fixture, &owner), None);
}

#[test]
fn a_user_comes_with_the_one_device_that_names_it() {
    let (mut fixture, [mut owner, ..]) = peopled();
    let (one, two) = (Author::new(5), Author::new(6));
    let user = fixture.user(&one);
    let (first, second) = (one.cert(&fixture.workspace, &user), two.cert(&fixture.workspace, &user));
    let foreign = one.cert(&fixture.workspace, &fixture.user(&two));
    // Who admits somebody gives it no device of another's.
    for certs in [vec![], vec![second.clone()], vec![foreign], vec![first.clone(), second]] {
        fixture.write(&mut owner, vec![Op::AddUser { user, role: Role::Writer, certs }]);
        assert_eq!(role(&fixture, &one), None);
    }
    fixture.write(&mut owner, vec![Op::AddUser { user, role: Role::Writer, certs: vec![first] }]);
    assert_eq!(role(&fixture, &one), Some(Role::Writer));
    assert_eq!(role(&fixture, &two), None);
}

#[test]
fn a_device_is_added_by_its_own_user_or_the_root_and_by_nobody_else_however_high() {
    let (mut fixture, [mut owner, mut admin, mut writer, mut reader]) = peopled();
    let user = fixture.user(&writer);
    let (own, foreign, by_root) = (Author::new(5), [6, 7, 8].map(Author::new), Author::new(9));
    let add = |device: &Author| Op::AddDevice { user, cert: device.cert(&fixture.workspace, &user) };
    let (by_itself, at_last) = (add(&own), add(&by_root));
    let by_others = foreign.each_ref().map(add);
    fixture.write(&mut writer, vec![by_itself]);
    for (author, op) in [&mut owner, &mut admin, &mut reader].into_iter().zip(by_others) {
        fixture.write(author, vec![op]);
    }
    fixture.root_writes(vec![at_last]);
    for device in [&own, &by_root] {
        assert_eq!(role(&fixture, device), Some(Role::Writer));
    }
    for device in &foreign {
        assert_eq!(role(&fixture, device), None);
    }
    assert_eq!(fixture.directory.device(&by_root.id()).expect("active").added_by, fixture.root.id());
}

#[test]
fn of_two_certificates_of_a_device_the_higher_version_counts() {
    let (mut fixture, [_, _, mut writer, _]) = peopled();
    let user = fixture.user(&writer);
    let mut cert = writer.cert(&fixture.workspace, &user);
    cert.kem_pk = [8; 32];
    cert.cert_version = 2;
    fixture.write(&mut writer, vec![Op::AddDevice { user, cert: cert.clone() }]);
    assert_eq!(fixture.directory.device(&writer.id()).expect("active").kem_pk, kem_key(&writer.id()));
    let signed = DeviceCert::decode(&cert.encode());
    let reissued = writer.reissue(signed, &fixture.workspace, &user);
    fixture.write(&mut writer, vec![Op::AddDevice { user, cert: reissued }]);
    assert_eq!(fixture.directory.device(&writer.id()).expect("active").kem_pk, [8; 32]);
}
