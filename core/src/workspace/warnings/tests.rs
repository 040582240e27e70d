//! Claims about warnings: each is there while its cause is, and only then.

use tidelog_log::directory::{Body, Op, Role, user_id};
use tidelog_log::entry::{Entry, Header, Kind, payload_hash};
use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::ids::{CircleId, KeyId};
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::START_MS;

use super::*;
use crate::keys::keyring::Recipient;
use crate::value::Value;
use crate::workspace::invite_link::InviteLink;
use crate::workspace::join::prepare;
use crate::workspace::testing::{created, held, items, on, opened, raw, take};
use crate::workspace::{Environment, create::Start};

/// Further ahead than what is shown at once, in milliseconds.
const AHEAD_MS: u64 = 60 * 60 * 1_000;
const DAY_MS: u64 = 24 * AHEAD_MS;

/// Brings all that one holds to another.
fn give(from: &Workspace, to: &Workspace) {
    let entries = from.inner.engine.log.ids_after(0).expect("reads").into_iter();
    let entries = entries.filter_map(|(arrival, _)| from.inner.engine.log.entry_at(arrival).expect("reads"));
    to.inner.engine.log.receive_blocking(entries.collect()).expect("stores");
}

/// Another user's device, admitted by hand.
async fn guest(host: &Workspace, environment: Environment) -> Workspace {
    let heads = host.inner.engine.log.directory().heads();
    let link = InviteLink::new(host.id(), [1; 32], None, None, heads);
    let (guest, how) = prepare(environment, &raw(2), &link).expect("an empty disk");
    assert!(how == Start::Create);
    let theirs = &guest.inner.engine;
    let user = user_id(&host.id(), &theirs.device());
    let recipient = Recipient { device: theirs.device(), kem: theirs.keys().kem().public() };
    let mut ops = vec![Op::AddUser { user, role: Role::Writer, certs: vec![theirs.certificate(user)] }];
    let ours = &host.inner.engine;
    ops.extend({
        let keyring = ours.keyring.read().expect("sound");
        let directory = ours.log.directory();
        keyring.grants(CircleId::WORKSPACE, &directory, &[recipient], &*ours.random).expect("seals")
    });
    ours.commit_directory(ops).await.expect("an owner");
    give(host, &guest);
    guest
}

fn ahead(seed: u64, by_ms: u64) -> Environment {
    let random = Arc::new(SeededRandom::new(seed));
    let clock = Arc::new(ManualClock::new(START_MS + by_ms));
    Environment::test(Arc::new(MemoryStorage::new()), clock, random)
}

/// An entry of this device with an operation that no version knows yet.
fn of_the_future(workspace: &Workspace) -> Entry {
    let engine = &workspace.inner.engine;
    let parents = engine.log.directory().heads();
    let (auth, mut payload) = (parents[0], Body { parents, ops: Vec::new() }.encode().expect("fits"));
    let count = payload.len() - 2;
    payload[count..].copy_from_slice(&1_u16.to_le_bytes());
    payload.extend_from_slice(&[0xee, 0, 0, 0, 0]);
    let frontier = engine.log.frontier().0;
    let last = frontier.tips(&StreamId::DIRECTORY, &engine.device()).first().copied();
    let mut header = Header {
        kind: Kind::Directory,
        prunable: false,
        covered: false,
        payload_len: u32::try_from(payload.len()).expect("small"),
        seq: last.map_or(1, |tip| tip.seq + 1),
        workspace: workspace.id(),
        author: engine.device(),
        prev: last.map_or(EntryId::ZERO, |tip| tip.id),
        auth,
        stream: StreamId::DIRECTORY,
        key_id: KeyId::ZERO,
        payload_hash: payload_hash(&payload),
        signature: [0; 64],
    };
    header.sign(&*engine.signer());
    Entry::new(header, payload).expect("well-formed")
}

async fn remove(host: &Workspace, device: DeviceId) {
    let cuts = host.inner.engine.log.cuts_for(&[device]);
    host.inner.engine.commit_directory(vec![Op::RemoveDevice { device, cuts }]).await.expect("an owner");
}

#[tokio::test]
async fn what_a_newer_version_wrote_asks_for_an_upgrade_until_its_author_is_gone() {
    let host = created(&MemoryStorage::new()).await;
    let guest = guest(&host, ahead(2, 0)).await;
    let newer = of_the_future(&guest);
    let receipt = host.inner.engine.log.receive_blocking(vec![newer.clone()]).expect("judges");
    assert_eq!(receipt.refused.len(), 1);
    let device = guest.inner.engine.device();
    let expected = Warning {
        kind: WarningKind::UpgradeNeeded,
        device: Some(device),
        user: Some(guest.me().expect("a member").user),
        database: Some(String::new()),
        entry: Some(newer.id()),
        text: UPGRADE_NEEDED.to_owned(),
    };
    assert_eq!(host.warnings().expect("computes"), [expected]);
    assert_eq!(host.sync_with(&guest).await.expect("syncs").held, 1);
    assert_eq!(guest.warnings().expect("computes"), []);
    remove(&host, device).await;
    assert_eq!(host.warnings().expect("computes"), []);
}

#[tokio::test]
async fn a_clock_is_behind_once_two_other_users_are_ahead_and_until_it_is_set_right() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let (storage, random) = (Arc::new(MemoryStorage::new()), Arc::new(SeededRandom::new(1)));
    let environment = Environment::test(storage, Arc::clone(&clock) as Arc<_>, random);
    let host = Workspace::create_in(environment, raw(1), "Test").await.expect("creates");
    let one = guest(&host, ahead(2, AHEAD_MS)).await;
    for key in ["a", "b"] {
        items(&one).put(key, &Value::Int(1)).await.expect("writes");
    }
    give(&one, &host);
    assert_eq!(items(&host).get("a").expect("reads"), None);
    assert_eq!(host.warnings().expect("computes"), [], "one user may be wrong");
    let two = guest(&host, ahead(3, AHEAD_MS)).await;
    items(&two).put("c", &Value::Int(1)).await.expect("writes");
    give(&two, &host);
    let found = host.warnings().expect("computes");
    assert_eq!(found.iter().map(|warning| warning.kind).collect::<Vec<_>>(), [WarningKind::ClockBehind]);
    clock.advance(AHEAD_MS);
    assert_eq!(host.warnings().expect("computes"), []);
}

/// Which branch the cut picks follows from the ids, and so from the seed.
#[tokio::test]
async fn a_fork_is_told_until_its_device_is_removed_whichever_branch_the_cut_picks() {
    for seed in 2..10 {
        let host = created(&MemoryStorage::new()).await;
        let disk = MemoryStorage::new();
        let original = guest(&host, on(&disk, seed)).await;
        let device = original.inner.engine.device();
        original.set_profile("original").await.expect("writes");
        let copy = opened(&disk.copy_to("other machine"), raw(2)).await.expect("opens");
        original.set_profile("still the original").await.expect("writes");
        copy.confirm_only_copy().await.expect("its last act");
        give(&original, &host);
        assert_eq!(host.warnings().expect("computes"), []);
        give(&copy, &host);
        let [found] = &host.warnings().expect("computes")[..] else { panic!("one warning") };
        assert_eq!((found.kind, found.device), (WarningKind::Fork, Some(device)));
        assert_eq!(found.database.as_deref(), Some(""));
        assert_eq!(found.user, Some(original.me().expect("a member").user));
        assert!(found.entry.is_some());
        remove(&host, device).await;
        assert_eq!(host.warnings().expect("computes"), []);
    }
}

#[tokio::test]
async fn a_fork_is_told_after_opening_again() {
    let place = MemoryStorage::new();
    let host = created(&place).await;
    let disk = MemoryStorage::new();
    let original = guest(&host, on(&disk, 2)).await;
    let copy = opened(&disk.copy_to("other machine"), raw(2)).await.expect("opens");
    original.set_profile("original").await.expect("writes");
    copy.confirm_only_copy().await.expect("its last act");
    give(&original, &host);
    give(&copy, &host);
    let before = host.warnings().expect("computes");
    assert_eq!(before.len(), 1);
    host.shutdown().await.expect("closes");
    assert_eq!(opened(&place, raw(1)).await.expect("opens").warnings().expect("computes"), before);
}

/// A member whose clock the test moves, with an item and, a day later, a beacon.
async fn claiming(host: &Workspace) -> Workspace {
    let clock = Arc::new(ManualClock::new(START_MS));
    let (storage, random) = (Arc::new(MemoryStorage::new()), Arc::new(SeededRandom::new(2)));
    let guest = guest(host, Environment::test(storage, Arc::clone(&clock) as Arc<_>, random)).await;
    items(&guest).put("claimed", &Value::Int(1)).await.expect("writes");
    assert!(!guest.inner.engine.write_beacon_if_due().expect("writes"), "not on the first day");
    clock.advance(DAY_MS);
    assert!(guest.inner.engine.write_beacon_if_due().expect("writes"));
    guest
}

#[tokio::test]
async fn what_a_relay_hides_from_this_device_is_told_until_it_comes() {
    let host = created(&MemoryStorage::new()).await;
    let guest = claiming(&host).await;
    let mut entries = held(&guest);
    let beacon = entries.pop().expect("some");
    let hidden = entries.pop().expect("some");
    entries.push(beacon);
    take(&host, entries);
    assert_eq!(host.warnings().expect("computes"), [], "it may be on its way");
    host.inner.engine.met_relay();
    let expected = Warning {
        kind: WarningKind::Withheld,
        device: Some(guest.inner.engine.device()),
        user: Some(guest.me().expect("a member").user),
        database: Some("main".to_owned()),
        entry: Some(hidden.id()),
        text: WITHHELD.to_owned(),
    };
    assert_eq!(host.warnings().expect("computes"), [expected]);
    take(&host, vec![hidden]);
    assert_eq!(host.warnings().expect("computes"), []);
}

#[tokio::test]
async fn a_device_that_tells_this_one_another_history_is_told_as_a_fork() {
    let host = created(&MemoryStorage::new()).await;
    let guest = claiming(&host).await;
    let mut entries = held(&guest);
    let claimed = entries.len() - 2;
    let one = entries[claimed].clone();
    let (mut header, payload) = (one.header().clone(), vec![7; one.payload().len()]);
    header.payload_hash = payload_hash(&payload);
    header.sign(&*guest.inner.engine.signer());
    entries[claimed] = Entry::new(header, payload).expect("well-formed");
    take(&host, entries);
    let [found] = &host.warnings().expect("computes")[..] else { panic!("one warning") };
    assert_eq!((found.kind, found.entry, &found.text[..]), (WarningKind::Fork, Some(one.id()), FORK));
    take(&host, vec![one]);
    assert_eq!(host.warnings().expect("computes").len(), 1, "both are held: that is a fork like any other");
    remove(&host, guest.inner.engine.device()).await;
    assert_eq!(host.warnings().expect("computes"), []);
}
