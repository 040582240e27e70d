//! The table of attacks against a relay behind a socket: members with valid keys bring it what was
//! crafted, some without knowing of the removals, in either order. Whatever it was told first, whoever
//! syncs with it afterwards shows what counts and nothing else.

#[path = "../../../log/tests/attacks/attacks.rs"]
mod table;
#[allow(dead_code, reason = "the tests of the log use more of it")]
#[path = "../../../log/tests/attacks/world.rs"]
mod world;

use tidelog_log::directory::{Body, Op, Role};
use tidelog_log::entry::{Entry, Kind};
use tidelog_log::frames::Code;
use tidelog_log::session::SessionError;

use self::world::{OTHER, OWNER, Place, STRANGER, WRITER, World};
use super::client::sync;
use super::wire::{Site, start};

/// Whether an entry takes something from somebody, or gives it back.
fn is_removal(entry: &Entry) -> bool {
    let takes = |op: &Op| {
        matches!(
            op,
            Op::RemoveUser { .. } | Op::RemoveDevice { .. } | Op::SetRole { .. } | Op::AmendCut { .. }
        )
    };
    entry.header().kind == Kind::Directory
        && Body::decode(entry.payload()).is_ok_and(|body| body.ops.iter().any(takes))
}

async fn meet(site: &Site, world: &World, place: &Place, device: u8) -> Result<(), SessionError> {
    sync(&site.address, site.key, &place.log, world.workspace.device(device)).await
}

/// A replica that has all it holds from a relay. That met one member who knows everything and one who
/// knows of no removal and so offers what was written after it, in an order that the number chooses.
fn places(world: &World, order: u64) -> Vec<Place> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let site = start(|_| ()).await;
        let (unaware, aware, fresh) =
            (world.replica(100 + order), world.replica(200 + order), world.replica(300 + order));
        let without: Vec<Entry> = world.entries.iter().filter(|entry| !is_removal(entry)).cloned().collect();
        unaware.deliver(&without, order);
        aware.deliver(&world.entries, order);
        let mut members = [&unaware, &aware];
        members.rotate_left(usize::from(order % 2 == 1));
        for member in members.into_iter().chain([&fresh]) {
            meet(&site, world, member, OWNER).await.expect("a member");
        }
        meet(&site, world, &unaware, OWNER).await.expect("a member");
        assert_eq!(unaware.root(), fresh.root(), "who knew of no removal does now");
        vec![fresh]
    })
}

fn is_sent_away(result: Result<(), SessionError>, with: Code) -> bool {
    match result {
        Err(SessionError::ClosedByPeer(closing) | SessionError::Closed(closing)) => closing.code == with,
        _ => false,
    }
}

#[tokio::test]
async fn a_removed_device_gets_no_session_and_what_others_bring_of_it_is_not_stored() {
    let (mut world, head) = World::new(60);
    let kept = world.write(WRITER, head);
    let common = world.entries.len();
    let late = world.write(WRITER, head);
    let op = world.remove(WRITER, vec![world.cut(kept)]);
    world.directory_entry(OWNER, &[head], vec![op]);
    let (aware, unaware) = (world.replica(1), world.replica(2));
    aware.deliver(&world.entries[..common], 0);
    aware.deliver(&world.entries[common + 1..], 0);
    unaware.deliver(&world.entries[..=common], 0);
    let site = start(|_| ()).await;
    meet(&site, &world, &aware, OWNER).await.expect("a member");
    for _ in 0..2 {
        let refused = meet(&site, &world, &unaware, WRITER).await;
        assert!(is_sent_away(refused, Code::Removed), "also when it comes again");
    }
    assert_eq!(unaware.counting().len(), 2, "it was told nothing");
    meet(&site, &world, &unaware, OTHER).await.expect("another member, who does not know of it yet");
    assert_eq!(unaware.counting().len(), 1, "it does now");
    let fresh = world.replica(3);
    meet(&site, &world, &fresh, OWNER).await.expect("a member");
    assert!(fresh.log.entry(&late).expect("reads").is_none(), "the relay does not have it");
    assert!(fresh.log.entry(&kept).expect("reads").is_some());
}

#[tokio::test]
async fn who_was_added_by_somebody_that_was_removed_meanwhile_gets_no_session() {
    let (mut world, head) = World::new(61);
    let add = world.workspace.add_user(STRANGER, Role::Writer);
    let planted = world.directory_entry(world::ADMIN, &[head], vec![add]);
    world.write(STRANGER, planted);
    let before = world.entries.len();
    let op = world.remove(world::ADMIN, vec![]);
    world.directory_entry(OWNER, &[head], vec![op]);
    let (accomplice, aware) = (world.replica(1), world.replica(2));
    accomplice.deliver(&world.entries[..before], 0);
    aware.deliver(&world.entries, 0);
    let site = start(|_| ()).await;
    meet(&site, &world, &aware, OWNER).await.expect("a member");
    let refused = meet(&site, &world, &accomplice, STRANGER).await;
    assert!(refused.is_err(), "it is no member, and what it brings makes it none");
    let fresh = world.replica(3);
    meet(&site, &world, &fresh, OWNER).await.expect("a member");
    assert!(fresh.counting().is_empty());
}
