//! Up to where entries count, and who may move that.

use super::super::*;
use super::support::{Author, Fixture, peopled};
use crate::ids::StreamId;

const STREAM: StreamId = StreamId([4; 16]);

fn cut(device: &Author, seq: u64, id: u8) -> Cut {
    Cut { device: device.id(), stream: STREAM, seq, id: EntryId([id; 32]) }
}

fn limit(fixture: &Fixture, device: &Author) -> Option<(u64, u8)> {
    let limits = fixture.directory.limits(&device.id(), &STREAM);
    assert_eq!(limits.len(), 1);
    limits[0].cut.map(|(seq, id)| (seq, id.0[0]))
}

#[test]
fn a_cut_holds_for_its_stream_and_all_other_streams_are_cut_at_nothing() {
    let (mut fixture, [mut owner, _, writer, _]) = peopled();
    let op = Op::RemoveDevice { device: writer.id(), cuts: vec![cut(&writer, 5, 1)] };
    fixture.write(&mut owner, vec![op]);
    assert_eq!(limit(&fixture, &writer), Some((5, 1)));
    let other = fixture.directory.limits(&writer.id(), &StreamId([9; 16]));
    assert_eq!(other.iter().map(|limit| limit.cut).collect::<Vec<_>>(), [None]);
    assert!(fixture.directory.limits(&owner.id(), &STREAM).is_empty());
}

#[test]
fn the_furthest_cut_by_the_removers_class_holds() {
    let (mut fixture, [mut owner, mut admin, writer, reader]) = peopled();
    let op = Op::RemoveUser { user: fixture.user(&writer), cuts: vec![cut(&writer, 5, 9)] };
    fixture.write(&mut admin, vec![op]);
    let amend = |seq, id| vec![Op::AmendCut { cuts: vec![cut(&writer, seq, id)] }];
    fixture.write(&mut owner, amend(5, 3));
    assert_eq!(limit(&fixture, &writer), Some((5, 3)), "of equal numbers the smallest id");
    fixture.write(&mut owner, amend(4, 1));
    assert_eq!(limit(&fixture, &writer), Some((5, 3)), "no amendment takes anything back");
    fixture.write(&mut admin, amend(7, 8));
    assert_eq!(limit(&fixture, &writer), Some((7, 8)));
    let mut reader = reader;
    fixture.write(&mut reader, amend(9, 1));
    assert_eq!(limit(&fixture, &writer), Some((7, 8)), "by a lower class");
}

#[test]
fn what_a_writer_removed_of_its_own_no_other_writer_amends() {
    let (mut fixture, [mut owner, _, mut writer, _]) = peopled();
    let (laptop, mut other) = (Author::new(20), Author::new(21));
    let user = fixture.user(&writer);
    let ops = vec![fixture.add_user(Role::Writer, &other)];
    fixture.write(&mut owner, ops);
    let op = Op::AddDevice { user, cert: laptop.cert(&fixture.workspace, &user) };
    fixture.write(&mut writer, vec![op]);
    let op = Op::RemoveDevice { device: laptop.id(), cuts: vec![cut(&laptop, 2, 1)] };
    fixture.write(&mut writer, vec![op]);
    let amend = |seq| vec![Op::AmendCut { cuts: vec![cut(&laptop, seq, 1)] }];
    fixture.write(&mut other, amend(9));
    assert_eq!(limit(&fixture, &laptop), Some((2, 1)));
    fixture.write(&mut writer, amend(3));
    assert_eq!(limit(&fixture, &laptop), Some((3, 1)));
    fixture.write(&mut owner, amend(4));
    assert_eq!(limit(&fixture, &laptop), Some((4, 1)));
}

#[test]
fn an_amendment_that_does_not_know_of_the_removal_is_none() {
    let (mut fixture, [mut owner, mut admin, writer, _]) = peopled();
    let heads = fixture.directory.heads();
    let op = Op::RemoveUser { user: fixture.user(&writer), cuts: vec![] };
    fixture.write_under(&mut admin, heads.clone(), vec![op]);
    fixture.write_under(&mut owner, heads, vec![Op::AmendCut { cuts: vec![cut(&writer, 1, 1)] }]);
    assert_eq!(limit(&fixture, &writer), None);
}

#[test]
fn each_removal_of_a_device_binds_and_touches_it() {
    let (mut fixture, [mut owner, mut admin, writer, reader]) = peopled();
    fixture.directory.take_touched();
    let heads = fixture.directory.heads();
    for (author, seq) in [(&mut owner, 5), (&mut admin, 2)] {
        let op = Op::RemoveDevice { device: writer.id(), cuts: vec![cut(&writer, seq, 1)] };
        fixture.write_under(author, heads.clone(), vec![op]);
    }
    let cuts: Vec<_> =
        fixture.directory.limits(&writer.id(), &STREAM).iter().map(|limit| limit.cut).collect();
    assert_eq!(cuts, [Some((2, EntryId([1; 32]))), Some((5, EntryId([1; 32])))]);
    let touched = fixture.directory.take_touched();
    assert!(touched.contains(&writer.id()) && !touched.contains(&reader.id()));
    assert!(fixture.directory.take_touched().is_empty());
}
