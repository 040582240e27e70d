//! Claims about what is held and not shown, on disks in memory.

use tidelog_log::directory::Role;
use tidelog_log::env::{ManualClock, SeededRandom};
use tidelog_log::storage::{MemoryStorage, Storage as _};
use tidelog_log::testing::START_MS;

use super::super::testing::{
    admit, admitted, created, grant, held, items, on, opened, put, raw, shown, stranger, take,
};
use super::super::{Environment, Workspace};
use super::*;

async fn owner() -> Workspace {
    created(&MemoryStorage::new()).await
}

fn reasons(workspace: &Workspace) -> Vec<ExclusionReason> {
    workspace.excluded().expect("reads").into_iter().map(|entry| entry.reason).collect()
}

#[tokio::test]
async fn without_its_key_an_entry_is_listed_and_it_is_shown_when_the_grant_comes() {
    let owner = owner().await;
    let guest = stranger(&owner, on(&MemoryStorage::new(), 20));
    let cert = admit(&owner, &guest, Some(Role::Writer)).await;
    take(&guest, held(&owner));
    let excluded = guest.excluded().expect("reads");
    assert!(!excluded.is_empty());
    for entry in &excluded {
        assert_eq!(entry.reason, ExclusionReason::MissingKey);
        assert_eq!(entry.user, Some(owner.me().expect("is a member").user));
    }
    let last = excluded.last().expect("not empty");
    assert_eq!((last.device, last.seq), (owner.inner.engine.device(), 1));
    assert_eq!(last.database, None, "its name is sealed too");
    grant(&owner, &cert).await;
    take(&guest, held(&owner).pop().into_iter().collect());
    assert_eq!(guest.excluded().expect("reads"), []);
    assert_eq!(shown(&guest), ["first"]);
}

#[tokio::test]
async fn an_entry_of_the_future_is_listed_with_its_time_and_shown_when_that_comes() {
    let clock = Arc::new(ManualClock::new(START_MS));
    let random = Arc::new(SeededRandom::new(1));
    let environment = Environment::test(Arc::new(MemoryStorage::new()), Arc::clone(&clock) as Arc<_>, random);
    let owner = Workspace::create_in(environment, raw(1), "Test").await.expect("creates");
    // Ten years ahead, and ten years behind.
    let decade_ms: u64 = 3_652 * 24 * 60 * 60 * 1_000;
    let mut guests = Vec::new();
    for (seed, now_ms) in [(20, START_MS + decade_ms), (21, START_MS - decade_ms)] {
        let random = Arc::new(SeededRandom::new(seed));
        let clock = Arc::new(ManualClock::new(now_ms));
        let guest = stranger(&owner, Environment::test(Arc::new(MemoryStorage::new()), clock, random));
        let cert = admit(&owner, &guest, Some(Role::Writer)).await;
        grant(&owner, &cert).await;
        take(&guest, held(&owner));
        put(&guest, &format!("of {seed}")).await;
        guests.push(guest);
    }
    for guest in &guests {
        guest.sync_with(&owner).await.expect("syncs");
    }
    assert_eq!(shown(&owner), ["of 21"]);
    let excluded = owner.excluded().expect("reads");
    assert!(excluded.iter().all(|entry| entry.reason == ExclusionReason::Deferred), "{excluded:?}");
    let last = excluded.last().expect("listed");
    assert_eq!(last.database.as_deref(), Some("main"));
    assert!(last.due_ms.is_some_and(|due_ms| due_ms >= START_MS + decade_ms), "{last:?}");
    // What the owner writes is not pulled along.
    put(&owner, "of the owner").await;
    let version = items(&owner).history("of the owner").expect("reads").pop().expect("was written");
    assert!(version.hlc_ms < START_MS + 60_000, "{version:?}");
    clock.set(START_MS + decade_ms);
    owner.inner.engine.log.tick().expect("ticks");
    assert_eq!(owner.excluded().expect("reads"), []);
    assert_eq!(shown(&owner), ["of 20", "of 21", "of the owner"]);
}

/// A guest that two admins know, whose last item only the second one holds; the first removes it.
async fn late(role: Option<Role>) -> (Workspace, Workspace, Workspace, Workspace, MemoryStorage) {
    let owner = owner().await;
    let storage = MemoryStorage::new();
    let second = stranger(&owner, on(&storage, 31));
    let cert = admit(&owner, &second, Some(Role::Admin)).await;
    grant(&owner, &cert).await;
    take(&second, held(&owner));
    let first = admitted(&owner, 30, Some(Role::Admin)).await;
    let guest = admitted(&owner, 20, Some(Role::Writer)).await;
    put(&guest, "before").await;
    for workspace in [&first, &second] {
        workspace.sync_with(&owner).await.expect("syncs");
        workspace.sync_with(&guest).await.expect("syncs");
    }
    put(&guest, "late").await;
    second.sync_with(&guest).await.expect("syncs");
    assert_eq!(shown(&second), ["before", "first", "late"]);
    let user = guest.me().expect("is a member").user;
    match role {
        Some(role) => first.set_role(user, role).await.expect("demotes"),
        None => drop(first.remove_user(user).await.expect("removes")),
    }
    second.sync_with(&first).await.expect("syncs");
    (owner, first, second, guest, storage)
}

#[tokio::test]
async fn what_comes_after_the_cut_is_listed_and_counts_for_all_once_an_admin_accepts_it() {
    for (role, reason) in [(None, ExclusionReason::Removed), (Some(Role::Reader), ExclusionReason::Demoted)] {
        let (owner, first, second, guest, storage) = late(role).await;
        let device = guest.inner.engine.device();
        for workspace in [&first, &second] {
            assert_eq!(shown(workspace), ["before", "first"]);
        }
        assert_eq!(reasons(&first), [], "what comes too late is not taken");
        assert_eq!(reasons(&second), [reason]);
        let error = first.accept_excluded(device).await.expect_err("it is not held there");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        // A state that is built anew says the same.
        let before = second.excluded().expect("reads");
        assert_eq!((before[0].seq, before[0].database.as_deref()), (2, Some("main")));
        second.shutdown().await.expect("closes");
        storage.remove("state.redb").expect("is there");
        let second = opened(&storage, raw(1)).await.expect("opens");
        assert_eq!(second.excluded().expect("reads"), before);
        assert_eq!(second.accept_excluded(device).await.expect("accepts"), 1);
        assert_eq!(second.excluded().expect("reads"), []);
        assert_eq!(shown(&second), ["before", "first", "late"]);
        for workspace in [&first, &owner] {
            second.sync_with(workspace).await.expect("syncs");
            assert_eq!(shown(workspace), ["before", "first", "late"]);
        }
    }
}

#[tokio::test]
async fn nobody_below_the_remover_lets_more_of_the_removed_count() {
    let owner = owner().await;
    let admin = admitted(&owner, 30, Some(Role::Admin)).await;
    let guest = admitted(&owner, 20, Some(Role::Writer)).await;
    admin.sync_with(&owner).await.expect("syncs");
    put(&guest, "late").await;
    admin.sync_with(&guest).await.expect("syncs");
    let device = guest.inner.engine.device();
    owner.remove_device(device).await.expect("removes");
    admin.sync_with(&owner).await.expect("syncs");
    assert_eq!(reasons(&admin).last(), Some(&ExclusionReason::Removed));
    let before = admin.inner.engine.log.arrivals();
    let error = admin.accept_excluded(device).await.expect_err("an owner removed it");
    assert_eq!(error.kind(), ErrorKind::NotAuthorized);
    assert_eq!(admin.inner.engine.log.arrivals(), before, "nothing was written");
}

#[tokio::test]
async fn what_makes_no_sense_and_what_is_of_a_newer_version_is_listed_apart() {
    let owner = owner().await;
    let engine = &owner.inner.engine;
    let main = owner.database("main").id().expect("named");
    let never = || Box::new(|| None);
    // A group of one operation that this version does not know, on the key `k` of the collection `c`.
    let newer = vec![0x81, 0x84, 0x61, b'c', 0x00, 0xF6, 0x81, 0x82, 0x09, 0x61, b'k'];
    engine.submit(&main, newer, never(), |_| {}).expect("seals").written().await.expect("writes");
    engine
        .submit(&main, b"garbage".to_vec(), never(), |_| {})
        .expect("seals")
        .written()
        .await
        .expect("writes");
    assert_eq!(reasons(&owner), [ExclusionReason::UpgradeNeeded, ExclusionReason::Invalid]);
    assert_eq!(shown(&owner), ["first"]);
}

#[test]
fn what_an_author_lacked_has_a_name_of_its_own() {
    let named = |reason, refusal| {
        let excluded = Excluded {
            entry: EntryId([0; 32]),
            arrival: 1,
            device: DeviceId([0; 32]),
            stream: StreamId([1; 16]),
            seq: 1,
            reason,
            refusal,
        };
        ExclusionReason::of(&excluded).name()
    };
    assert_eq!(named(Exclusion::Removed, None), "removed");
    assert_eq!(named(Exclusion::Demoted, None), "demoted");
    assert_eq!(named(Exclusion::LeftCircle, None), "left_circle");
    assert_eq!(named(Exclusion::Fork, None), "fork");
    assert_eq!(named(Exclusion::NotAuthorized, None), "void");
    assert_eq!(named(Exclusion::NotAuthorized, Some(Refusal::NotActive)), "not_member");
    assert_eq!(named(Exclusion::NotAuthorized, Some(Refusal::NotWriter)), "not_writer");
    assert_eq!(named(Exclusion::NotAuthorized, Some(Refusal::NotInCircle)), "not_in_circle");
}
