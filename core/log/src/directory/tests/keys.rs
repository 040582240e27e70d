//! Which epochs, grants and relays count.

use super::super::*;
use super::support::{Author, Fixture, key_epoch, peopled, wrap};
use crate::ids::CircleId;

const CIRCLE: CircleId = CircleId::WORKSPACE;

fn next(fixture: &Fixture) -> NextEpoch {
    fixture.directory.next_epoch(&CIRCLE).expect("numbers left")
}

fn numbers(fixture: &Fixture) -> Vec<u32> {
    fixture.directory.epochs(&CIRCLE).iter().map(|epoch| epoch.epoch).collect()
}

#[test]
fn writers_make_epochs_and_readers_and_the_root_do_not() {
    let (mut fixture, [.., mut writer, mut reader]) = peopled();
    let epoch = key_epoch(1, &next(&fixture), &[]);
    fixture.write(&mut reader, vec![epoch.clone()]);
    fixture.root_writes(vec![epoch]);
    assert_eq!(numbers(&fixture), [0; 0]);
    let epoch = key_epoch(2, &next(&fixture), &[reader.id()]);
    fixture.write(&mut writer, vec![epoch]);
    assert_eq!(numbers(&fixture), [1]);
}

#[test]
fn an_epoch_must_fit_its_key_its_number_and_its_recipients() {
    let (mut fixture, [mut owner, ..]) = peopled();
    let first = key_epoch(1, &next(&fixture), &[owner.id()]);
    fixture.write(&mut owner, vec![first.clone()]);
    let good = key_epoch(2, &next(&fixture), &[owner.id(), fixture.root.id()]);
    type Change = fn(&mut CircleId, &mut u32, &mut KeyId, &mut Vec<(KeyId, [u8; 104])>, &mut Vec<Wrap>);
    let changes: [Change; 7] = [
        |circle, _, _, _, _| circle.0[0] = 1,
        |_, epoch, _, _, _| *epoch += 1,
        |_, epoch, _, _, _| *epoch -= 1,
        |_, _, key_id, _, _| key_id.0[0] ^= 1,
        |_, _, _, prev, _| prev.clear(),
        |_, _, _, prev, _| prev.push(prev[0]),
        |_, _, _, _, wraps| wraps.push(wrap(&Author::new(9).id())),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut bad = good.clone();
        let Op::KeyEpoch { circle, epoch, key_id, prev, wraps, .. } = &mut bad else { unreachable!() };
        change(circle, epoch, key_id, prev, wraps);
        fixture.write(&mut owner, vec![bad]);
        assert_eq!(numbers(&fixture), [1], "case {number}");
    }
    fixture.write(&mut owner, vec![first]);
    assert_eq!(numbers(&fixture), [1], "a key is published once");
    fixture.write(&mut owner, vec![good]);
    assert_eq!(numbers(&fixture), [1, 2]);
}

#[test]
fn an_epoch_that_leaves_out_an_earlier_one_is_void() {
    let (mut fixture, [mut owner, ..]) = peopled();
    let first = key_epoch(1, &next(&fixture), &[]);
    fixture.write(&mut owner, vec![first]);
    let alone = key_epoch(2, &NextEpoch { epoch: 1, prev: vec![] }, &[]);
    fixture.write(&mut owner, vec![alone]);
    assert_eq!(numbers(&fixture), [1]);
}

#[test]
fn concurrent_epochs_both_count_and_the_next_seals_both() {
    let (mut fixture, [mut owner, mut admin, mut writer, _]) = peopled();
    let heads = fixture.directory.heads();
    let free = next(&fixture);
    fixture.write_under(&mut owner, heads.clone(), vec![key_epoch(1, &free, &[])]);
    fixture.write_under(&mut admin, heads, vec![key_epoch(2, &free, &[])]);
    let both = next(&fixture);
    assert_eq!((both.epoch, both.prev.len()), (2, 2));
    let one = NextEpoch { epoch: 2, prev: both.prev[..1].to_vec() };
    fixture.write(&mut writer, vec![key_epoch(3, &one, &[])]);
    assert_eq!(numbers(&fixture), [1, 1], "it leaves one out");
    fixture.write(&mut writer, vec![key_epoch(4, &both, &[])]);
    assert_eq!(numbers(&fixture), [1, 1, 2]);
    assert_eq!(next(&fixture).prev.len(), 1);
}

#[test]
fn a_newcomer_is_added_and_granted_the_key_in_one_entry() {
    let (mut fixture, [mut owner, mut admin, _, mut reader]) = peopled();
    let epoch = key_epoch(1, &next(&fixture), &[]);
    fixture.write(&mut owner, vec![epoch]);
    let key_id = fixture.directory.epochs(&CIRCLE)[0].key_id;
    let joiner = Author::new(5);
    let grant = |device: &Author| Op::KeyGrant { circle: CIRCLE, key_id, wraps: vec![wrap(&device.id())] };
    let own = grant(&reader);
    fixture.write(&mut reader, vec![own]);
    assert!(!fixture.directory.readers(&key_id).contains(&reader.id()));
    fixture.write(&mut admin, vec![grant(&joiner)]);
    let ops = vec![grant(&joiner), fixture.add_user(Role::Reader, &joiner)];
    fixture.write(&mut admin, ops);
    assert_eq!(fixture.directory.wraps(&key_id, &joiner.id()), vec![&wrap(&joiner.id())]);
    assert!(fixture.directory.readers(&key_id).contains(&joiner.id()));
}

#[test]
fn a_grant_of_an_unknown_key_is_void() {
    let (mut fixture, [mut owner, ..]) = peopled();
    let key_id = KeyId([1; 16]);
    let grant = Op::KeyGrant { circle: CIRCLE, key_id, wraps: vec![wrap(&owner.id())] };
    fixture.write(&mut owner, vec![grant]);
    assert_eq!(fixture.directory.wraps(&key_id, &owner.id()), Vec::<&Wrap>::new());
}

fn set(url: &str) -> Op {
    Op::RelaySet { relay_pk: [1; 32], url: url.into() }
}

fn urls(fixture: &Fixture) -> Vec<String> {
    fixture.directory.relays().into_iter().map(|relay| relay.url).collect()
}

#[test]
fn the_last_setting_stands_and_can_be_taken_back() {
    let (mut fixture, [mut owner, mut admin, mut writer, _]) = peopled();
    fixture.write(&mut writer, vec![set("ws://writer")]);
    assert_eq!(urls(&fixture), Vec::<String>::new());
    fixture.write(&mut owner, vec![set("ws://one")]);
    fixture.write(&mut admin, vec![set("ws://two")]);
    assert_eq!(urls(&fixture), ["ws://two"]);
    fixture.write(&mut writer, vec![Op::RelayUnset { relay_pk: [1; 32] }]);
    assert_eq!(urls(&fixture), ["ws://two"]);
    fixture.write(&mut admin, vec![Op::RelayUnset { relay_pk: [1; 32] }]);
    assert_eq!(urls(&fixture), Vec::<String>::new());
    fixture.root_writes(vec![set("ws://three")]);
    assert_eq!(urls(&fixture), ["ws://three"]);
}

#[test]
fn of_concurrent_settings_the_highest_class_wins_and_a_set_survives_an_unset() {
    let (mut fixture, [mut owner, mut admin, ..]) = peopled();
    let base = fixture.write(&mut owner, vec![set("ws://base")]);
    fixture.write_under(&mut owner, vec![base], vec![set("ws://owner")]);
    let split = fixture.write_under(&mut admin, vec![base], vec![set("ws://admin")]);
    assert_eq!(urls(&fixture), ["ws://owner"]);
    fixture.write_under(&mut admin, vec![split], vec![Op::RelayUnset { relay_pk: [1; 32] }]);
    assert_eq!(urls(&fixture), ["ws://owner"]);
}
