//! The attacks.

use std::collections::BTreeSet;

use tidelog_log::directory::{Op, Role, Wrap, key_id};
use tidelog_log::ids::{CircleId, StreamId};
use tidelog_log::log::Exclusion;
use tidelog_log::session::Replica;
use tidelog_log::trie::Filter;

use super::world::{ADMIN, OTHER, OWNER, SPARE, STRANGER, STREAM, WRITER, World, set};

#[test]
fn what_a_removed_writer_backdates_is_excluded_everywhere() {
    let (mut world, head) = World::new(1);
    let kept: Vec<_> = (0..3).map(|_| world.write(WRITER, head)).collect();
    let op = world.remove(WRITER, vec![world.cut(kept[2])]);
    let removed = world.directory_entry(OWNER, &[head], vec![op]);
    let before = world.entries.len();
    world.write(WRITER, head);
    world.write(WRITER, head);
    let after = world.write(OTHER, removed);
    world.assert_counts(&[&kept[..], &[after]].concat());

    // Who had taken the later entries before the removal came keeps them, and offers them to nobody.
    let place = world.replica(50);
    let late = world.since(before);
    place.deliver(&world.entries[..before - 1], 0);
    place.take(late[..2].to_vec());
    assert_eq!(place.counting().len(), 5);
    let arrivals = place.log.arrivals();
    place.take(vec![world.entries[before - 1].clone()]);
    assert_eq!(place.counting(), set(&kept));
    assert_eq!(place.reason(late[0].id()), Some(Exclusion::Removed));
    assert_eq!(place.log.arrivals(), arrivals + 1);
    let offered = place.log.entries_after(0, &Filter::All, usize::MAX).expect("reads");
    assert!(offered.iter().all(|(_, entry)| !late[..2].contains(entry)));
    assert_eq!(place.take(late[..2].to_vec()).known.len(), 2);

    // Who had not takes none of them, and so they fill no disk.
    let place = world.relay(51);
    place.deliver(&world.entries[..before], 0);
    let arrivals = place.log.arrivals();
    let receipt = place.take(late[..2].to_vec());
    assert_eq!((receipt.excluded.len(), receipt.stored.len(), receipt.refused.len()), (2, 0, 0));
    assert_eq!(place.log.arrivals(), arrivals);
}

#[test]
fn a_stream_that_a_removal_does_not_name_is_cut_before_its_first_entry() {
    let (mut world, head) = World::new(2);
    world.write(WRITER, head);
    let op = world.remove(WRITER, vec![]);
    world.directory_entry(ADMIN, &[head], vec![op]);
    world.assert_counts(&[]);
}

#[test]
fn what_a_removed_admin_does_aside_is_void_and_its_accomplices_write_nothing() {
    let (mut world, head) = World::new(5);
    let honest = world.write(WRITER, head);
    let op = world.remove(ADMIN, vec![]);
    let removed = world.directory_entry(OWNER, &[head], vec![op]);
    let ops = vec![
        world.workspace.add_user(STRANGER, Role::Writer),
        world.remove(WRITER, vec![]),
        Op::RelaySet { relay_pk: [1; 32], url: "ws://evil".into() },
    ];
    let planted = world.directory_entry(ADMIN, &[head], ops);
    world.write(STRANGER, planted);
    let more = Op::AddDevice { user: world.user(STRANGER), cert: world.cert(SPARE, STRANGER) };
    let grown = world.directory_entry(STRANGER, &[planted], vec![more]);
    world.write(SPARE, grown);
    let after = world.write(WRITER, removed);
    for place in world.assert_counts(&[honest, after]) {
        let directory = place.log.directory();
        assert_eq!(directory.role(&world.device(STRANGER)), None);
        assert_eq!(directory.role(&world.device(SPARE)), None);
        assert_eq!(directory.role(&world.device(WRITER)), Some(Role::Writer));
        assert_eq!(directory.relays(), vec![]);
        assert!(!directory.heads().contains(&grown), "nobody builds on it");
        let chain = place.log.frontier().0;
        assert!(chain.tips(&StreamId::DIRECTORY, &world.device(ADMIN)).is_empty(), "nor is it offered");
    }
}

#[test]
fn what_is_written_in_stream_zero_under_a_void_entry_keeps_that_nowhere_whoever_wrote_it() {
    for above in [Some(true), Some(false), None] {
        let (mut world, head) = World::new(44);
        let admin = world.device(ADMIN);
        // The admin itself, or somebody it adds whose id is above its own, or below.
        let author = above.map_or(ADMIN, |above| {
            let mut strangers = STRANGER..u8::MAX;
            strangers.find(|number| (world.device(*number) > admin) == above).expect("either is soon found")
        });
        let ops = above.map(|_| world.workspace.add_user(author, Role::Writer)).into_iter().collect();
        let planted = world.directory_entry(ADMIN, &[head], ops);
        world.write_in(StreamId::DIRECTORY, author, planted);
        let grown = world.entries.len();
        let op = world.remove(ADMIN, vec![]);
        let removed = world.directory_entry(OWNER, &[head], vec![op]);
        let after = world.write(WRITER, removed);
        let places = world.assert_counts(&[after]);
        // All of it in one delivery, after the removal and before it.
        let (late, at_once) = (world.relay(50), world.relay(51));
        late.deliver(&world.since(grown), 0);
        let common = grown - 2;
        late.deliver(&world.entries[..common], 0);
        late.deliver(&world.since(grown), 0);
        late.take(world.entries[common..grown].to_vec());
        at_once.take(world.entries.clone());
        for place in [&late, &at_once] {
            assert_eq!(place.root(), places[0].root());
            assert!(place.log.frontier().0.tips(&StreamId::DIRECTORY, &admin).is_empty(), "nobody offers it");
        }
    }
}

#[test]
fn a_void_entry_that_an_honest_one_builds_on_stays_where_all_can_get_it() {
    let (mut world, head) = World::new(6);
    let add = world.workspace.add_user(STRANGER, Role::Writer);
    let planted = world.directory_entry(ADMIN, &[head], vec![add]);
    // The writer knows of no removal yet: it acts under the admin's entry, and writes to the directory.
    let written = world.write(WRITER, planted);
    let merged = world.directory_entry(OTHER, &[planted], vec![]);
    let op = world.remove(ADMIN, vec![]);
    let removed = world.directory_entry(OWNER, &[head], vec![op]);
    let stranger = world.write(STRANGER, planted);
    let head = world.directory_entry(OTHER, &[merged, removed], vec![]);
    let after = world.write(OTHER, head);
    for place in world.assert_counts(&[written, after]) {
        let tips = place.log.frontier().0.tips(&StreamId::DIRECTORY, &world.device(ADMIN)).to_vec();
        assert_eq!(tips.first().map(|tip| tip.id), Some(planted));
        assert_eq!(place.log.directory().role(&world.device(STRANGER)), None);
        assert!(!place.counting().contains(&stranger));
    }
}

#[test]
fn a_member_goes_on_writing_where_it_had_built_on_what_is_void_now() {
    let (mut world, head) = World::new(22);
    let add = world.workspace.add_user(STRANGER, Role::Writer);
    let planted = world.directory_entry(ADMIN, &[head], vec![add]);
    let written = world.write(WRITER, planted);
    let op = world.remove(ADMIN, vec![]);
    world.directory_entry(OWNER, &[head], vec![op]);
    let place = world.replica(50);
    place.deliver(&world.entries, 0);
    let draft = || world.workspace.draft(WRITER, STREAM, vec![1; 40]);
    let next = place.log.commit_blocking(vec![draft()]).expect("writes")[0].id;
    assert_eq!(place.counting(), set(&[written, next]));
    let directory = place.log.directory();
    let merge = place.log.entry(&next).expect("reads").expect("held").header().auth;
    assert!(directory.in_past(&planted, &merge), "nobody moves back");
    assert_eq!(directory.heads(), [merge]);
    let length = directory.len();
    place.log.commit_blocking(vec![draft()]).expect("writes");
    assert_eq!(place.log.directory().len(), length, "one merge is enough");
}

#[test]
fn an_owner_replayed_under_old_parents_gives_an_admin_nothing() {
    let (mut world, head) = World::new(7);
    let add = world.workspace.add_user(SPARE, Role::Writer);
    let joined = world.directory_entry(OTHER, &[head], vec![add]);
    let raise = Op::SetRole { user: world.user(SPARE), role: Role::Admin, cuts: vec![] };
    let raised = world.directory_entry(OWNER, &[joined], vec![raise]);
    let (user, certs) = (world.user(SPARE), vec![world.cert(SPARE, SPARE)]);
    let replay = Op::AddUser { user, role: Role::Reader, certs };
    let accomplice = Op::AddDevice { user, cert: world.cert(STRANGER, SPARE) };
    let planted = world.directory_entry(ADMIN, &[head], vec![replay, accomplice]);
    world.write(STRANGER, planted);
    let good = world.write(SPARE, raised);
    for place in world.assert_counts(&[good]) {
        assert_eq!(place.log.directory().role(&world.device(SPARE)), Some(Role::Admin));
        assert_eq!(place.log.directory().role(&world.device(STRANGER)), None);
    }
}

#[test]
fn a_stolen_laptop_goes_on_issuing_operations_in_vain() {
    let (mut world, head) = World::new(8);
    // The owner's phone adds the laptop, which makes it senior.
    let laptop = Op::AddDevice { user: world.user(OWNER), cert: world.cert(STRANGER, OWNER) };
    let added = world.directory_entry(OWNER, &[head], vec![laptop]);
    let kept = world.write(STRANGER, added);
    let op = Op::RemoveDevice { device: world.device(STRANGER), cuts: vec![world.cut(kept)] };
    let removed = world.directory_entry(OWNER, &[added], vec![op]);
    let accomplice = Op::AddDevice { user: world.user(OWNER), cert: world.cert(SPARE, OWNER) };
    let back = Op::RemoveDevice { device: world.device(OWNER), cuts: vec![] };
    let ops = vec![accomplice, back, world.remove(WRITER, vec![])];
    let evil = world.directory_entry(STRANGER, &[added], ops);
    world.write(STRANGER, added);
    world.write(SPARE, evil);
    let after = world.write(OWNER, removed);
    for place in world.assert_counts(&[kept, after]) {
        let directory = place.log.directory();
        assert_eq!(directory.role(&world.device(OWNER)), Some(Role::Owner));
        assert_eq!(directory.role(&world.device(WRITER)), Some(Role::Writer));
        assert!(directory.is_removed(&world.device(STRANGER)));
        assert_eq!(directory.role(&world.device(SPARE)), None);
    }
}

#[test]
fn a_stolen_senior_device_is_removed_by_a_junior_only_for_what_knows_of_it() {
    let (mut world, head) = World::new(9);
    let laptop = Op::AddDevice { user: world.user(WRITER), cert: world.cert(STRANGER, WRITER) };
    let added = world.directory_entry(WRITER, &[head], vec![laptop]);
    let op = Op::RemoveDevice { device: world.device(WRITER), cuts: vec![] };
    world.directory_entry(STRANGER, &[added], vec![op]);
    let spare = Op::AddDevice { user: world.user(WRITER), cert: world.cert(SPARE, WRITER) };
    world.directory_entry(WRITER, &[added], vec![spare]);
    let directory = world.directory();
    assert!(directory.is_removed(&world.device(WRITER)));
    assert_eq!(directory.role(&world.device(SPARE)), Some(Role::Writer), "a higher class has to decide");
    // An admin can: the same removal from above voids what the thief did aside.
    let op = Op::RemoveDevice { device: world.device(WRITER), cuts: vec![] };
    world.directory_entry(ADMIN, &[added], vec![op]);
    assert_eq!(world.directory().role(&world.device(SPARE)), None);
    assert_eq!(world.directory().role(&world.device(STRANGER)), Some(Role::Writer));
}

#[test]
fn an_admin_gives_a_member_a_device_in_vain() {
    let (mut world, head) = World::new(42);
    // In its name it would read and write whatever the member may, in circles the admin is not in too.
    let planted = Op::AddDevice { user: world.user(WRITER), cert: world.cert(STRANGER, WRITER) };
    let planted = world.directory_entry(ADMIN, &[head], vec![planted]);
    world.write(STRANGER, planted);
    let own = Op::AddDevice { user: world.user(WRITER), cert: world.cert(SPARE, WRITER) };
    let own = world.directory_entry(WRITER, &[planted], vec![own]);
    let kept = world.write(SPARE, own);
    for place in world.assert_counts(&[kept]) {
        let directory = place.log.directory();
        assert_eq!(directory.role(&world.device(STRANGER)), None);
        let recipients = directory.recipients(&CircleId::WORKSPACE);
        assert!(recipients.iter().any(|(device, _)| *device == world.device(SPARE)));
        assert!(
            recipients.iter().all(|(device, _)| *device != world.device(STRANGER)),
            "nobody gives it keys"
        );
    }
}

#[test]
fn an_admin_that_admits_somebody_too_gives_it_no_device_of_its_own() {
    let (mut world, head) = World::new(46);
    let add = world.workspace.add_user(SPARE, Role::Writer);
    let joined = world.directory_entry(OTHER, &[head], vec![add]);
    // Of two additions by equals both count: the other admin brings a device along.
    let certs = vec![world.cert(SPARE, SPARE), world.cert(STRANGER, SPARE)];
    let add = Op::AddUser { user: world.user(SPARE), role: Role::Writer, certs };
    let planted = world.directory_entry(ADMIN, &[head], vec![add]);
    world.write(STRANGER, planted);
    let kept = world.write(SPARE, joined);
    for place in world.assert_counts(&[kept]) {
        let directory = place.log.directory();
        assert_eq!(directory.user(&world.user(SPARE)).expect("a member").devices, [world.device(SPARE)]);
    }
}

#[test]
fn two_admins_cannot_remove_each_other_and_an_owner_decides() {
    let (mut world, head) = World::new(10);
    let one = world.directory_entry(ADMIN, &[head], vec![world.remove(OTHER, vec![])]);
    let two = world.directory_entry(OTHER, &[head], vec![world.remove(ADMIN, vec![])]);
    let first = world.write(ADMIN, one);
    let second = world.write(OTHER, two);
    for place in world.assert_counts(&[first, second]) {
        for admin in [ADMIN, OTHER] {
            assert_eq!(place.log.directory().role(&world.device(admin)), Some(Role::Admin));
        }
    }
    let op = world.remove(ADMIN, vec![world.cut(first)]);
    world.directory_entry(OWNER, &[one, two], vec![op]);
    for place in world.assert_counts(&[first, second]) {
        assert!(place.log.directory().is_removed(&world.device(ADMIN)));
        assert_eq!(place.log.directory().role(&world.device(OTHER)), Some(Role::Admin));
    }
}

fn epoch(number: u8, recipients: &[tidelog_log::ids::DeviceId]) -> Op {
    let commit = [number; 32];
    Op::KeyEpoch {
        circle: CircleId::WORKSPACE,
        epoch: 1,
        key_id: key_id(&commit),
        commit,
        name_wrap: [0; 104],
        prev: vec![],
        wraps: recipients.iter().map(|device| Wrap { device: *device, enc: [0; 32], ct: [0; 48] }).collect(),
    }
}

#[test]
fn an_epoch_wrapped_to_its_author_only_is_nobodys_choice() {
    let (mut world, head) = World::new(11);
    let own = world.device(WRITER);
    world.directory_entry(WRITER, &[head], vec![epoch(1, &[own])]);
    let directory = world.directory();
    let readers = directory.readers(&key_id(&[1; 32]));
    let recipients: BTreeSet<_> =
        directory.recipients(&CircleId::WORKSPACE).into_iter().map(|(device, _)| device).collect();
    assert_eq!(readers, BTreeSet::from([own]));
    assert_ne!(readers, recipients);
    assert!(recipients.contains(&world.device(OWNER)) && recipients.len() == 5, "four devices and the root");
}

#[test]
fn an_epoch_for_a_removed_device_is_no_key_to_write_with() {
    let (mut world, head) = World::new(12);
    let gone = world.device(WRITER);
    let removed = world.directory_entry(OWNER, &[head], vec![world.remove(WRITER, vec![])]);
    world.directory_entry(ADMIN, &[removed], vec![epoch(1, &[gone])]);
    assert!(world.directory().epochs(&CircleId::WORKSPACE).is_empty());
    assert_eq!(world.directory().known_epochs(&CircleId::WORKSPACE).len(), 1, "but one may read with it");
}

#[test]
fn different_keys_under_one_commitment_name_their_author() {
    let (mut world, head) = World::new(13);
    let members = [world.device(OWNER), world.device(OTHER)];
    let made = world.directory_entry(ADMIN, &[head], vec![epoch(1, &members)]);
    let directory = world.directory();
    let epochs = directory.epochs(&CircleId::WORKSPACE);
    assert_eq!((epochs[0].entry, epochs[0].author), (made, world.device(ADMIN)));
    assert_eq!(epochs[0].commit, [1; 32], "what a wrap opens to is held against this, signed by the author");
}

#[test]
fn a_replica_that_a_removal_is_hidden_from_retracts_when_it_comes() {
    let (mut world, head) = World::new(14);
    let kept = world.write(WRITER, head);
    let op = world.remove(WRITER, vec![world.cut(kept)]);
    world.directory_entry(OWNER, &[head], vec![op]);
    let late = world.write(WRITER, head);
    for (place, seed) in [(world.replica(50), 0), (world.relay(51), 3)] {
        let hidden = world
            .entries
            .iter()
            .filter(|entry| entry.header().author != world.device(OWNER) || entry.header().seq == 1);
        place.deliver(&hidden.cloned().collect::<Vec<_>>(), seed);
        assert_eq!(place.counting(), set(&[kept, late]));
        place.deliver(&world.entries, seed);
        assert_eq!(place.counting(), set(&[kept]));
    }
    world.assert_counts(&[kept]);
}

#[test]
fn an_amended_cut_brings_entries_back_that_are_held() {
    let (mut world, head) = World::new(15);
    let kept: Vec<_> = (0..4).map(|_| world.write(WRITER, head)).collect();
    let op = world.remove(WRITER, vec![world.cut(kept[0])]);
    let removed = world.directory_entry(ADMIN, &[head], vec![op]);
    let place = world.replica(50);
    place.deliver(&world.entries, 0);
    assert_eq!(place.counting(), set(&kept[..1]));
    let arrivals = place.log.arrivals();
    let amend = Op::AmendCut { cuts: vec![world.cut(kept[2])] };
    world.directory_entry(OTHER, &[removed], vec![amend]);
    place.take(vec![world.entries.last().expect("made").clone()]);
    assert_eq!(place.counting(), set(&kept[..3]), "nothing had to be fetched");
    assert_eq!(place.log.arrivals(), arrivals + 1);
    world.assert_counts(&kept[..3]);
    // Nobody below the remover can.
    let amend = Op::AmendCut { cuts: vec![world.cut(kept[3])] };
    let spare = world.workspace.add_user(SPARE, Role::Writer);
    let joined = world.directory_entry(OTHER, &[], vec![spare]);
    world.directory_entry(SPARE, &[joined], vec![amend]);
    world.assert_counts(&kept[..3]);
}

#[test]
fn what_a_device_wrote_whose_addition_is_void_counts_as_far_as_an_admin_vouches() {
    let (mut world, head) = World::new(16);
    let add = world.workspace.add_user(STRANGER, Role::Writer);
    let planted = world.directory_entry(ADMIN, &[head], vec![add]);
    let written: Vec<_> = (0..3).map(|_| world.write(STRANGER, planted)).collect();
    let op = world.remove(ADMIN, vec![]);
    let removed = world.directory_entry(OWNER, &[head], vec![op]);
    world.assert_counts(&[]);
    let amend = Op::AmendCut { cuts: vec![world.cut(written[1])] };
    world.directory_entry(OTHER, &[removed, planted], vec![amend]);
    world.assert_counts(&written[..2]);
}

#[test]
fn a_demoted_writer_is_cut_until_it_may_write_again() {
    let (mut world, head) = World::new(17);
    let kept = world.write(WRITER, head);
    let demote = Op::SetRole { user: world.user(WRITER), role: Role::Reader, cuts: vec![world.cut(kept)] };
    let demoted = world.directory_entry(ADMIN, &[head], vec![demote]);
    let between = world.write(WRITER, head);
    world.assert_counts(&[kept]);
    let promote = Op::SetRole { user: world.user(WRITER), role: Role::Writer, cuts: vec![] };
    let promoted = world.directory_entry(ADMIN, &[demoted], vec![promote]);
    let again = world.write(WRITER, promoted);
    let places = world.assert_counts(&[kept, again]);
    assert_eq!(places[0].reason(between), Some(Exclusion::Demoted), "it is held: a later one builds on it");
}

#[test]
fn replayed_and_reordered_entries_change_nothing() {
    let (mut world, head) = World::new(18);
    let kept = world.write(WRITER, head);
    let op = world.remove(WRITER, vec![world.cut(kept)]);
    let removed = world.directory_entry(OWNER, &[head], vec![op]);
    let other = world.write(OTHER, removed);
    let places = world.assert_counts(&[kept, other]);
    for place in &places {
        let (root, arrivals) = (place.root(), place.log.arrivals());
        for seed in 20..23 {
            place.deliver(&world.entries, seed);
        }
        assert_eq!((place.root(), place.log.arrivals()), (root, arrivals));
    }
}

#[test]
fn a_removed_device_and_a_removed_user_do_not_return() {
    let (mut world, head) = World::new(19);
    let op = world.remove(WRITER, vec![]);
    let removed = world.directory_entry(OWNER, &[head], vec![op]);
    let again = world.workspace.add_user(WRITER, Role::Writer);
    let back = world.directory_entry(OWNER, &[removed], vec![again]);
    world.write(WRITER, back);
    for place in world.assert_counts(&[]) {
        assert_eq!(place.log.directory().role(&world.device(WRITER)), None);
    }
}

#[test]
fn a_malicious_owner_is_not_stopped() {
    let (mut world, head) = World::new(20);
    let lost = world.write(WRITER, head);
    let ops = [ADMIN, OTHER, WRITER].map(|number| world.remove(number, vec![])).to_vec();
    world.directory_entry(OWNER, &[head], ops);
    let places = world.assert_counts(&[]);
    assert_eq!(places[0].log.directory().users().len(), 1);
    assert!(!places[0].counting().contains(&lost));
}

#[test]
fn a_rebuilt_state_knows_again_what_does_not_count() {
    let (mut world, head) = World::new(21);
    let kept = world.write(WRITER, head);
    let late = world.write(WRITER, head);
    let op = world.remove(WRITER, vec![world.cut(kept)]);
    world.directory_entry(OWNER, &[head], vec![op]);
    let storage = tidelog_log::storage::MemoryStorage::new();
    let options = |seed| world.workspace.options(std::sync::Arc::new(storage.clone()), seed);
    let log = tidelog_log::log::Log::create(options(1), world.workspace.id()).expect("creates");
    log.receive_blocking(world.entries.clone()[..5].to_vec()).expect("stores");
    log.receive_blocking(world.entries.clone()[5..].to_vec()).expect("stores");
    let (root, excluded) = (log.frontier().0.root(&Filter::All), log.excluded().expect("reads"));
    assert_eq!(excluded.iter().map(|excluded| excluded.entry).collect::<Vec<_>>(), [late]);
    log.shutdown();
    for rebuild in [false, true] {
        if rebuild {
            tidelog_log::storage::Storage::remove(&storage, "state.redb").expect("removes");
        }
        let log = tidelog_log::log::Log::open(options(1)).expect("opens");
        assert_eq!(log.frontier().0.root(&Filter::All), root);
        assert_eq!(log.excluded().expect("reads"), excluded);
        let offered = log.entries_after(0, &Filter::All, usize::MAX).expect("reads");
        assert!(offered.iter().all(|(_, entry)| entry.id() != late));
        log.shutdown();
    }
}

#[test]
fn a_void_entry_that_shows_a_device_as_somebody_elses_takes_nothing_from_it() {
    let (mut world, head) = World::new(40);
    let before = world.write(WRITER, head);
    let shown = Op::AddDevice { user: world.user(ADMIN), cert: world.cert(WRITER, ADMIN) };
    let void = world.directory_entry(ADMIN, &[head], vec![shown]);
    let op = world.remove(ADMIN, vec![]);
    let removed = world.directory_entry(OWNER, &[head], vec![op]);
    let after = world.write(WRITER, removed);
    world.assert_counts(&[before, after]);
    // Who had the void entry before the removal keeps it, and nobody takes it after.
    let (early, late) = (world.relay(50), world.relay(51));
    early.deliver(&world.entries, 0);
    let rest: Vec<_> = world.entries.iter().filter(|entry| entry.id() != void).cloned().collect();
    late.deliver(&rest, 0);
    late.deliver(&world.entries, 0);
    for (place, holds) in [(early, true), (late, false)] {
        assert_eq!(place.log.entry(&void).expect("reads").is_some(), holds);
        assert_eq!(place.counting(), set(&[before, after]));
    }
}

#[test]
fn a_device_shown_as_somebody_elses_where_that_is_built_on_is_nobodys() {
    let (mut world, head) = World::new(41);
    world.write(WRITER, head);
    let shown = Op::AddDevice { user: world.user(ADMIN), cert: world.cert(WRITER, ADMIN) };
    let void = world.directory_entry(ADMIN, &[head], vec![shown]);
    world.directory_entry(OTHER, &[void], vec![]);
    let op = world.remove(ADMIN, vec![]);
    world.directory_entry(OWNER, &[head], vec![op]);
    for place in world.assert_counts(&[]) {
        assert_eq!(place.log.directory().role(&world.device(WRITER)), None);
    }
}
