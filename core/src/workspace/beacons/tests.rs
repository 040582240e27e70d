//! Claims about beacons, on disks in memory.

use tidelog_log::directory::Op;
use tidelog_log::entry::{Entry, Kind, payload_hash};
use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::START_MS;

use super::super::testing::{admit, admitted, created, grant, held, on, put, shown, stranger, take};
use super::super::{Environment, Workspace};
use super::*;
use crate::warning::WarningKind;

/// An owner, and a member with a clock that the test moves.
async fn pair(seed: u64) -> (Workspace, Workspace, Arc<ManualClock>) {
    let owner = created(&MemoryStorage::new()).await;
    let (guest, clock) = member(&owner, seed).await;
    (owner, guest, clock)
}

async fn member(owner: &Workspace, seed: u64) -> (Workspace, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(START_MS));
    let random = Arc::new(SeededRandom::new(seed));
    let environment = Environment::test(Arc::new(MemoryStorage::new()), Arc::clone(&clock) as Arc<_>, random);
    let guest = stranger(owner, environment);
    let cert = admit(owner, &guest, Some(Role::Writer)).await;
    grant(owner, &cert).await;
    take(&guest, held(owner));
    (guest, clock)
}

fn beacon(workspace: &Workspace) -> bool {
    workspace.inner.engine.write_beacon_if_due().expect("writes")
}

/// Writes a beacon a day after it was first thought of.
fn beacon_after_a_day(workspace: &Workspace, clock: &ManualClock) -> Entry {
    beacon(workspace);
    clock.advance(BEACON_EVERY_MS);
    assert!(beacon(workspace));
    held(workspace).pop().expect("some")
}

fn is_of(workspace: &Workspace, entry: &Entry) -> bool {
    entry.header().author == workspace.inner.engine.device()
}

fn differ(workspace: &Workspace) -> Vec<Differing> {
    workspace.inner.engine.histories_differ().expect("reads")
}

#[tokio::test]
async fn a_device_writes_one_beacon_a_day_and_only_if_there_is_news() {
    let (_, guest, clock) = pair(20).await;
    assert!(!beacon(&guest), "not on the first day");
    clock.advance(BEACON_EVERY_MS - 1);
    assert!(!beacon(&guest));
    clock.advance(1);
    assert!(beacon(&guest));
    let entry = held(&guest).pop().expect("some");
    assert_eq!((entry.header().kind, entry.header().stream), (Kind::Beacon, StreamId::DIRECTORY));
    put(&guest, "news").await;
    assert!(!beacon(&guest), "not twice a day");
    clock.advance(BEACON_EVERY_MS);
    assert!(beacon(&guest));
    clock.advance(BEACON_EVERY_MS);
    assert!(!beacon(&guest), "a beacon is no news itself");
    assert_eq!(shown(&guest), ["first", "news"], "it is no data");
    assert_eq!(guest.excluded().expect("reads"), []);
}

#[tokio::test]
async fn a_reader_writes_none() {
    let owner = created(&MemoryStorage::new()).await;
    let (guest, clock) = member(&owner, 20).await;
    owner.set_role(guest.me().expect("is a member").user, Role::Reader).await.expect("demotes");
    take(&guest, held(&owner));
    beacon(&guest);
    clock.advance(BEACON_EVERY_MS);
    assert!(!beacon(&guest));
}

#[tokio::test]
async fn a_removal_cuts_where_the_last_beacon_says_and_what_comes_later_up_to_there_counts() {
    let (owner, guest, clock) = pair(20).await;
    put(&guest, "synced").await;
    guest.sync_with(&owner).await.expect("syncs");
    put(&guest, "claimed").await;
    let beacon = beacon_after_a_day(&guest, &clock);
    put(&guest, "neither").await;
    take(&owner, vec![beacon]);
    let device = guest.inner.engine.device();
    let report = owner.remove_device(device).await.expect("removes");
    assert_eq!(report.claimed, 1);
    take(&owner, held(&guest));
    assert_eq!(shown(&owner), ["claimed", "first", "synced"]);
}

#[tokio::test]
async fn a_removal_believes_no_claim_that_goes_too_far_or_is_of_a_stream_that_nobody_knows() {
    for (far, stream, claimed) in [(256, None, 1), (257, None, 0), (1, Some(StreamId([7; 16])), 0)] {
        let (owner, guest, _) = pair(20).await;
        put(&guest, "synced").await;
        guest.sync_with(&owner).await.expect("syncs");
        let engine = &guest.inner.engine;
        let stream = stream.unwrap_or_else(|| engine.stream("main").expect("is named"));
        let tips = vec![Tip { stream, seq: 1 + far, id: EntryId([7; 32]) }];
        let beacon = Beacon { heads: Vec::new(), tips }.encode();
        let draft = engine.beacon_draft(&beacon).expect("fits").expect("there is a key");
        engine.log.commit_blocking(vec![draft]).expect("writes");
        take(&owner, held(&guest));
        let report = owner.remove_device(engine.device()).await.expect("removes");
        assert_eq!(report.claimed, claimed, "{far} entries ahead");
    }
}

#[tokio::test]
async fn a_relay_that_keeps_entries_back_is_exposed_until_it_hands_them_out() {
    let (owner, guest, clock) = pair(20).await;
    put(&guest, "kept back").await;
    let entry = held(&guest).pop().expect("some");
    beacon_after_a_day(&guest, &clock);
    let hidden = |other: &Entry| other.id() == entry.id();
    take(&owner, held(&guest).into_iter().filter(|other| !hidden(other)).collect());
    assert_eq!(differ(&owner), [], "they may be on their way");
    owner.inner.engine.met_relay();
    let expected = Differing {
        device: guest.inner.engine.device(),
        stream: entry.header().stream,
        entry: entry.id(),
        difference: Difference::Withheld,
    };
    assert_eq!(differ(&owner), [expected]);
    let warnings = owner.warnings().expect("reads");
    let told: Vec<_> = warnings.iter().map(|warning| (warning.kind, warning.device, warning.entry)).collect();
    assert_eq!(told, [(WarningKind::Withheld, Some(expected.device), Some(expected.entry))]);
    take(&owner, vec![entry]);
    assert_eq!(differ(&owner), []);
    assert_eq!(owner.warnings().expect("reads"), []);
}

#[tokio::test]
async fn a_demotion_that_is_hidden_from_a_member_is_exposed_by_the_heads_in_a_beacon() {
    let (owner, guest, clock) = pair(20).await;
    let admin = admitted(&owner, 30, Some(Role::Admin)).await;
    let writer = admitted(&owner, 31, Some(Role::Writer)).await;
    let victim = stranger(&owner, on(&MemoryStorage::new(), 32));
    for workspace in [&guest, &admin] {
        take(workspace, held(&owner));
    }
    take(&victim, held(&owner));
    // Two heads: the demotion, and something else that was done aside.
    admin.set_role(writer.me().expect("is a member").user, Role::Reader).await.expect("demotes");
    let demotion = held(&admin).pop().expect("some");
    let aside = Op::RelaySet { relay_pk: [7; 32], url: "wss://relay.example.org/".into() };
    owner.inner.engine.commit_directory(vec![aside]).await.expect("writes");
    take(&guest, held(&admin));
    take(&guest, held(&owner));
    let beacon = beacon_after_a_day(&guest, &clock);
    assert_ne!(beacon.header().auth, demotion.id());
    take(&owner, vec![beacon]);
    owner.inner.engine.met_relay();
    let found: Vec<_> = differ(&owner).into_iter().map(|found| (found.entry, found.difference)).collect();
    assert_eq!(found, [(demotion.id(), Difference::Withheld)]);
    take(&owner, vec![demotion]);
    assert_eq!(differ(&owner), []);
}

#[tokio::test]
async fn nobody_takes_a_beacon_of_who_knows_of_a_removal_without_that() {
    let (owner, guest, clock) = pair(20).await;
    let third = admitted(&owner, 30, Some(Role::Writer)).await;
    let before = held(&owner).len();
    owner.remove_user(third.me().expect("is a member").user).await.expect("removes");
    let hidden: Vec<Entry> = held(&owner).split_off(before);
    take(&guest, held(&owner));
    let beacon = beacon_after_a_day(&guest, &clock);
    let receipt = take(&third, vec![beacon]);
    let needs: Vec<EntryId> = receipt.missing.iter().map(|missing| missing.needs).collect();
    assert_eq!(needs, [hidden.last().expect("the new keys").id()], "it is told what is kept from it");
}

#[tokio::test]
async fn a_device_that_tells_two_histories_is_exposed_by_its_beacon() {
    let (owner, guest, clock) = pair(20).await;
    put(&guest, "one").await;
    let one = held(&guest).pop().expect("some");
    let mut header = one.header().clone();
    let payload = vec![7; one.payload().len()];
    header.payload_hash = payload_hash(&payload);
    header.sign(&*guest.inner.engine.signer());
    let other = Entry::new(header, payload).expect("well formed");
    beacon_after_a_day(&guest, &clock);
    let told: Vec<Entry> = held(&guest)
        .into_iter()
        .map(|entry| if entry.id() == one.id() { other.clone() } else { entry })
        .collect();
    take(&owner, told);
    assert!(held(&owner).iter().any(|entry| entry.id() == other.id() && is_of(&guest, entry)));
    let found: Vec<_> = differ(&owner).into_iter().map(|found| (found.entry, found.difference)).collect();
    assert_eq!(found, [(one.id(), Difference::Fork)]);
    take(&owner, vec![one]);
    assert_eq!(differ(&owner), [], "both are held: that is a fork like any other");
}
