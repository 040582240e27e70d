//! Forks of a chain that a removal cuts.

use tidelog_log::ids::EntryId;
use tidelog_log::log::{CHAIN_TIPS_MAX, Exclusion};
use tidelog_log::session::Fault;

use super::world::{OWNER, STREAM, WRITER, World, set};

#[test]
fn a_fork_below_the_cut_is_excluded() {
    let (mut world, head) = World::new(3);
    let kept: Vec<_> = (0..3).map(|_| world.write(WRITER, head)).collect();
    world.rewind(WRITER, STREAM, kept[0]);
    let fork: Vec<_> = (0..4).map(|_| world.write(WRITER, head)).collect();
    let op = world.remove(WRITER, vec![world.cut(kept[2])]);
    world.directory_entry(OWNER, &[head], vec![op]);
    world.assert_counts(&kept);
    let place = world.replica(50);
    place.deliver(&world.entries[..world.entries.len() - 1], 0);
    assert_eq!(place.counting().len(), 7, "until a cut picks one, both branches count");
    place.deliver(&world.entries, 0);
    assert_eq!(place.reason(fork[0]), Some(Exclusion::Fork));
    assert_eq!(place.reason(fork[3]), Some(Exclusion::Removed));
}

#[test]
fn no_number_of_false_branches_shuts_out_the_one_that_a_cut_names() {
    let (mut world, head) = World::new(45);
    let first = world.write(WRITER, head);
    for _ in 0..CHAIN_TIPS_MAX {
        world.write(WRITER, head);
        world.rewind(WRITER, STREAM, first);
    }
    let place = world.replica(50);
    place.take(world.entries.clone());
    assert_eq!(place.counting().len(), 1 + CHAIN_TIPS_MAX);
    let honest = world.entries.len();
    let kept = [first, world.write(WRITER, head), world.write(WRITER, head)];
    let refused = place.take(world.since(honest)).refused;
    assert_eq!(refused.first().map(|refused| refused.fault), Some(Fault::Flooded), "as long as all count");
    let op = world.remove(WRITER, vec![world.cut(kept[2])]);
    world.directory_entry(OWNER, &[head], vec![op]);
    place.take(world.since(honest + 2));
    assert_eq!(place.counting(), set(&kept[..1]), "which branch counts is not known yet");
    // In parts: the first one does not tell either.
    for entry in world.since(honest) {
        place.take(vec![entry]);
    }
    assert_eq!(place.counting(), set(&kept));
    assert_eq!(place.take(world.entries.clone()).known.len(), world.entries.len());
}

#[test]
fn while_the_chain_to_a_cut_is_not_held_only_what_is_before_a_known_fork_counts() {
    let (mut world, head) = World::new(4);
    let kept: Vec<_> = (0..3).map(|_| world.write(WRITER, head)).collect();
    let op = world.remove(WRITER, vec![world.cut(kept[2])]);
    world.directory_entry(OWNER, &[head], vec![op]);
    world.rewind(WRITER, STREAM, kept[0]);
    let fork = world.write(WRITER, head);
    let place = world.replica(50);
    let without = |ids: &[EntryId]| {
        let entries = world.entries.iter().filter(|entry| !ids.contains(&entry.id()));
        entries.cloned().collect::<Vec<_>>()
    };
    place.deliver(&without(&[kept[2], fork]), 0);
    assert_eq!(place.counting(), set(&kept[..2]), "what leads towards the cut counts");
    place.deliver(&without(&[kept[2]]), 0);
    assert_eq!(place.counting(), set(&kept[..1]), "with the false branch both are in doubt");
    place.deliver(&world.entries, 0);
    assert_eq!(place.counting(), set(&kept), "until the cut is held");
    // Nor does it help the false branch to come first.
    let place = world.replica(51);
    place.deliver(&without(&[kept[1], kept[2]]), 0);
    assert_eq!(place.counting(), set(&[kept[0], fork]));
    place.deliver(&world.entries, 0);
    assert_eq!(place.counting(), set(&kept));
    world.assert_counts(&kept);
}
