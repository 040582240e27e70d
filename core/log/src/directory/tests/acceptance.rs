//! Which directory entries are held, and which data entries are accepted.

use super::super::*;
use super::support::{Author, Fixture, kem_key, peopled};
use crate::ids::StreamId;

fn refused(fixture: &Fixture, author: &mut Author, parents: Vec<EntryId>, ops: Vec<Op>) -> DirectoryError {
    let previous = author.last;
    let entry = author.entry(&fixture.workspace, parents, ops);
    fixture.directory.clone().insert(&entry, previous).expect_err("refused")
}

#[test]
fn an_author_must_be_certified_in_the_past() {
    let (mut fixture, [mut owner, ..]) = peopled();
    let old = fixture.directory.heads();
    let mut joiner = Author::new(5);
    assert_eq!(refused(&fixture, &mut joiner, old.clone(), vec![]), DirectoryError::UnknownAuthor);
    let add = fixture.add_user(Role::Reader, &joiner);
    let added = fixture.write(&mut owner, vec![add]);
    let mut joiner = Author::new(5);
    assert_eq!(refused(&fixture, &mut joiner, old, vec![]), DirectoryError::UnknownAuthor);
    let mut joiner = Author::new(5);
    fixture.write_under(&mut joiner, vec![added], vec![]);
}

#[test]
fn missing_parents_are_named_and_nothing_changes() {
    let (fixture, [mut owner, ..]) = peopled();
    let absent = EntryId([9; 32]);
    let parents = vec![owner.last.expect("written"), absent];
    assert_eq!(refused(&fixture, &mut owner, parents, vec![]), DirectoryError::Missing(absent));
}

#[test]
fn an_entry_may_not_go_behind_its_authors_last_one() {
    let (fixture, [mut owner, ..]) = peopled();
    let genesis = EntryId(fixture.workspace.0);
    assert_eq!(refused(&fixture, &mut owner, vec![genesis], vec![]), DirectoryError::MovesBack);
    let entry = owner.entry(&fixture.workspace, fixture.directory.heads(), vec![]);
    assert_eq!(fixture.directory.clone().insert(&entry, None), Err(DirectoryError::MovesBack));
}

#[test]
fn the_first_parent_is_the_auth() {
    let (fixture, [mut owner, ..]) = peopled();
    let previous = owner.last;
    let head = previous.expect("written");
    let genesis = EntryId(fixture.workspace.0);
    for parents in [vec![], vec![head], vec![head, genesis]] {
        let entry = owner.entry_with(&fixture.workspace, parents, vec![], |header| header.auth = genesis);
        assert_eq!(fixture.directory.clone().insert(&entry, previous), Err(DirectoryError::Parents));
    }
}

#[test]
fn entries_of_other_workspaces_and_kinds_are_foreign() {
    let (fixture, [mut owner, ..]) = peopled();
    let heads = fixture.directory.heads();
    let previous = owner.last;
    let entry = owner.entry(&WorkspaceId([9; 32]), heads.clone(), vec![]);
    assert_eq!(fixture.directory.clone().insert(&entry, previous), Err(DirectoryError::Foreign));
    let entry = owner.entry_with(&fixture.workspace, heads, vec![], |header| {
        header.kind = Kind::Data;
        header.key_id = KeyId([1; 16]);
    });
    assert_eq!(fixture.directory.clone().insert(&entry, previous), Err(DirectoryError::Foreign));
}

#[test]
fn genesis_stands_alone_and_first() {
    let fixture = Fixture::new();
    let genesis = Op::Genesis {
        root_pk: fixture.root.id(),
        root_kem_pk: kem_key(&fixture.root.id()),
        name_commit: [7; 32],
        policy: vec![],
    };
    let mut root = Author::new(0);
    let entry = root.entry(&WorkspaceId::ZERO, vec![], vec![genesis.clone(), genesis.clone()]);
    let mut directory = Directory::new(WorkspaceId(entry.id().0));
    assert_eq!(directory.insert(&entry, None), Err(DirectoryError::Genesis));
    let mut stranger = Author::new(1);
    let entry = stranger.entry(&WorkspaceId::ZERO, vec![], vec![genesis.clone()]);
    let mut directory = Directory::new(WorkspaceId(entry.id().0));
    assert_eq!(directory.insert(&entry, None), Err(DirectoryError::Genesis));
    let (fixture, [mut owner, ..]) = peopled();
    let heads = fixture.directory.heads();
    assert_eq!(refused(&fixture, &mut owner, heads, vec![genesis.clone()]), DirectoryError::Genesis);
    let mut other = Directory::new(WorkspaceId([1; 32]));
    let entry = Author::new(0).entry(&WorkspaceId::ZERO, vec![], vec![genesis]);
    assert_eq!(other.insert(&entry, None), Err(DirectoryError::Foreign));
    assert!(other.is_empty());
}

#[test]
fn an_entry_held_already_changes_nothing() {
    let (mut fixture, _) = peopled();
    let length = fixture.directory.len();
    for (entry, previous) in fixture.entries.clone() {
        fixture.directory.insert(&entry, previous).expect("held");
    }
    assert_eq!(fixture.directory.len(), length);
}

#[test]
fn parents_are_heads_that_keep_the_authors_last_and_at_most_sixteen() {
    let (mut fixture, [mut owner, ..]) = peopled();
    let base = owner.last.expect("written");
    let mut devices: Vec<_> = (10..10 + 20).map(Author::new).collect();
    let ops = devices.iter().map(|device| fixture.add_user(Role::Writer, device)).collect();
    let base = { fixture.write_under(&mut owner, vec![base], ops) };
    for device in &mut devices {
        fixture.write_under(device, vec![base], vec![]);
    }
    let own = devices[3].last;
    let parents = fixture.directory.parents_for(own);
    assert_eq!(fixture.directory.heads().len(), 20);
    assert_eq!(parents.len(), PARENTS_MAX);
    assert_eq!(parents.first().copied(), own);
    fixture.write(&mut devices[3], vec![]);
    assert_eq!(fixture.directory.heads().len(), 5);
}

fn header(fixture: &Fixture, author: &Author, auth: EntryId) -> Header {
    let mut header = fixture.entries[1].0.header().clone();
    (header.kind, header.author, header.auth) = (Kind::Data, author.id(), auth);
    (header.stream, header.key_id) = (StreamId([1; 16]), KeyId([1; 16]));
    header
}

#[test]
fn data_is_accepted_from_writers_where_they_are_active() {
    let (fixture, [owner, admin, writer, reader]) = peopled();
    let head = fixture.directory.heads()[0];
    let check = |author: &Author, auth, previous| {
        fixture.directory.check_data(&header(&fixture, author, auth), previous)
    };
    for author in [&owner, &admin, &writer] {
        assert_eq!(check(author, head, None), Ok(()));
        assert_eq!(check(author, head, Some(head)), Ok(()));
    }
    let genesis = EntryId(fixture.workspace.0);
    assert_eq!(check(&reader, head, None), Err(Refusal::NotWriter));
    assert_eq!(check(&writer, genesis, None), Err(Refusal::NotActive));
    assert_eq!(check(&fixture.root, head, None), Err(Refusal::NotActive));
    let absent = EntryId([9; 32]);
    assert_eq!(check(&writer, absent, None), Err(Refusal::AuthMissing(absent)));
    assert_eq!(check(&owner, genesis, Some(head)), Err(Refusal::MovesBack));
}

#[test]
fn a_device_acts_under_the_newest_head_where_it_may_write() {
    let (mut fixture, [mut owner, mut admin, mut writer, _]) = peopled();
    let base = fixture.directory.heads();
    let joiner = Author::new(5);
    let add = fixture.add_user(Role::Writer, &joiner);
    let added = fixture.write_under(&mut owner, base.clone(), vec![add]);
    let other = fixture.write_under(&mut admin, base.clone(), vec![]);
    assert_eq!(fixture.directory.auth_for(&joiner.id(), None, &KeyId::ZERO), Some(added));
    assert_eq!(fixture.directory.auth_for(&writer.id(), None, &KeyId::ZERO), Some(other));
    assert_eq!(fixture.directory.auth_for(&writer.id(), Some(added), &KeyId::ZERO), Some(added));
    let merged = fixture.write(&mut writer, vec![]);
    assert_eq!(fixture.directory.auth_for(&joiner.id(), Some(added), &KeyId::ZERO), Some(merged));
    assert_eq!(fixture.directory.auth_for(&Author::new(9).id(), None, &KeyId::ZERO), None);
}
