//! Each rule by itself.

use super::super::*;
use super::support::{Author, Fixture, kem_key, key_epoch, wrap};

const CIRCLE: CircleId = CircleId::WORKSPACE;

/// A workspace with one owner.
fn owned() -> (Fixture, Author) {
    let mut fixture = Fixture::new();
    let owner = Author::new(1);
    let add = fixture.add_user(Role::Owner, &[&owner]);
    fixture.root_writes(vec![add]);
    (fixture, owner)
}

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
    let add = fixture.add_user(Role::Admin, &[&admin]);
    fixture.write(&mut owner, vec![add]);
    let add = fixture.add_user(Role::Admin, &[&peer]);
    fixture.write(&mut admin, vec![add.clone()]);
    assert_eq!(role(&fixture, &peer), None);
    fixture.write(&mut owner, vec![add]);
    assert_eq!(role(&fixture, &peer), Some(Role::Admin));
    let add = fixture.add_user(Role::Writer, &[&writer]);
    fixture.write(&mut peer, vec![add]);
    assert_eq!(role(&fixture, &writer), Some(Role::Writer));
}
