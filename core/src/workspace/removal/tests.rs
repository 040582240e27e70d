//! Claims about roles and removals, on disks in memory.

use tidelog_log::directory::Body;
use tidelog_log::ids::{EntryId, StreamId};
use tidelog_log::storage::MemoryStorage;

use super::super::testing::{admitted, created, held, items, put, shown, take};
use super::*;
use crate::value::Value;

async fn owner() -> Workspace {
    created(&MemoryStorage::new()).await
}

fn user(workspace: &Workspace) -> UserId {
    workspace.me().expect("is a member").user
}

fn kind<T>(result: Result<T>) -> ErrorKind {
    result.map(|_| ()).expect_err("refused").kind()
}

#[tokio::test]
async fn what_a_removed_user_wrote_before_stays_and_what_it_writes_later_is_shown_nowhere() {
    let owner = owner().await;
    let (guest, third) =
        (admitted(&owner, 20, Some(Role::Writer)).await, admitted(&owner, 21, Some(Role::Writer)).await);
    put(&guest, "before").await;
    guest.sync_with(&owner).await.expect("syncs");
    third.sync_with(&owner).await.expect("syncs");
    let report = owner.remove_user(user(&guest)).await.expect("removes");
    assert_eq!((report.cuts, report.entries, report.keys_renewed), (1, 1, true));
    assert_eq!(report.advice, None);
    put(&guest, "after").await;
    // The third, which has not heard of it, takes what the guest wrote and shows it until it has.
    guest.sync_with(&third).await.expect("syncs");
    assert_eq!(shown(&third), ["after", "before", "first"]);
    third.sync_with(&owner).await.expect("syncs");
    for workspace in [&owner, &third] {
        assert_eq!(shown(workspace), ["before", "first"]);
        assert_eq!(workspace.members().expect("reads").len(), 2);
    }
    put(&owner, "not for the guest").await;
    assert_eq!(kind(guest.sync_with(&owner).await), ErrorKind::NotAdmitted, "it is sent away");
    assert!(!shown(&guest).contains(&"not for the guest".to_owned()));
}

#[tokio::test]
async fn what_is_written_after_a_removal_is_sealed_under_a_key_that_the_removed_device_does_not_get() {
    let owner = owner().await;
    let guest = admitted(&owner, 20, Some(Role::Writer)).await;
    let old = owner.inner.engine.log.directory();
    owner.remove_device(guest.inner.engine.device()).await.expect("removes");
    let directory = owner.inner.engine.log.directory();
    let newest = directory.epochs(&tidelog_log::ids::CircleId::WORKSPACE);
    let newest = newest.last().expect("there are keys");
    assert_eq!(
        newest.epoch,
        1 + old.epochs(&tidelog_log::ids::CircleId::WORKSPACE).last().expect("some").epoch
    );
    let readers = directory.readers(&newest.key_id);
    assert!(readers.contains(&owner.inner.engine.device()));
    assert!(!readers.contains(&guest.inner.engine.device()));
    let before = owner.inner.engine.log.arrivals();
    put(&owner, "secret").await;
    let entry = owner.inner.engine.log.entry_at(before + 1).expect("reads").expect("is there");
    assert_eq!(entry.header().key_id, newest.key_id);
}

#[tokio::test]
async fn a_reader_made_of_a_writer_writes_no_more_until_it_may_again() {
    let owner = owner().await;
    let guest = admitted(&owner, 20, Some(Role::Writer)).await;
    put(&guest, "before").await;
    guest.sync_with(&owner).await.expect("syncs");
    owner.set_role(user(&guest), Role::Reader).await.expect("demotes");
    put(&guest, "aside").await;
    guest.sync_with(&owner).await.expect("syncs");
    for workspace in [&owner, &guest] {
        assert_eq!(shown(workspace), ["before", "first"]);
    }
    let refused = items(&guest).put("refused", &Value::Int(1)).await;
    assert_eq!(kind(refused), ErrorKind::NotAuthorized);
    owner.set_role(user(&guest), Role::Admin).await.expect("promotes");
    guest.sync_with(&owner).await.expect("syncs");
    put(&guest, "again").await;
    guest.sync_with(&owner).await.expect("syncs");
    assert_eq!(shown(&owner), ["again", "before", "first"]);
    assert_eq!(guest.me().expect("is a member").role, Role::Admin);
}

#[tokio::test]
async fn who_is_not_above_the_other_is_told_so_and_nothing_is_written() {
    let owner = owner().await;
    let (admin, other, writer) = (
        admitted(&owner, 20, Some(Role::Admin)).await,
        admitted(&owner, 21, Some(Role::Admin)).await,
        admitted(&owner, 22, Some(Role::Writer)).await,
    );
    for workspace in [&admin, &writer] {
        workspace.sync_with(&owner).await.expect("syncs");
    }
    let before = admin.inner.engine.log.arrivals();
    assert_eq!(kind(admin.remove_user(user(&other)).await), ErrorKind::NotAuthorized);
    assert_eq!(kind(admin.remove_user(user(&owner)).await), ErrorKind::NotAuthorized);
    assert_eq!(kind(admin.set_role(user(&other), Role::Reader).await), ErrorKind::NotAuthorized);
    assert_eq!(kind(admin.set_role(user(&writer), Role::Admin).await), ErrorKind::NotAuthorized);
    let device = other.inner.engine.device();
    let error = admin.remove_device(device).await.expect_err("refused");
    assert!(error.to_string().contains("ask a member above"), "{error}");
    assert_eq!(kind(writer.remove_user(user(&admin)).await), ErrorKind::NotAuthorized);
    assert_eq!(admin.inner.engine.log.arrivals(), before);
}

#[tokio::test]
async fn whoever_is_not_there_cannot_be_removed_nor_given_a_role() {
    let owner = owner().await;
    let guest = admitted(&owner, 20, Some(Role::Writer)).await;
    let (stranger, nobody) = (DeviceId([9; 32]), UserId([9; 16]));
    assert_eq!(kind(owner.remove_device(stranger).await), ErrorKind::NotFound);
    assert_eq!(kind(owner.remove_user(nobody).await), ErrorKind::NotFound);
    assert_eq!(kind(owner.set_role(nobody, Role::Reader).await), ErrorKind::NotFound);
    let (user, device) = (user(&guest), guest.inner.engine.device());
    owner.remove_user(user).await.expect("removes");
    assert_eq!(kind(owner.remove_user(user).await), ErrorKind::NotFound, "it is removed already");
    assert_eq!(kind(owner.remove_device(device).await), ErrorKind::NotFound);
    assert_eq!(kind(owner.set_role(user, Role::Reader).await), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_last_owner_stays_and_one_of_two_can_go() {
    let owner = owner().await;
    let guest = admitted(&owner, 20, Some(Role::Writer)).await;
    let me = user(&owner);
    let error = owner.remove_user(me).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::NotAuthorized);
    assert!(error.to_string().contains("last owner"), "{error}");
    assert_eq!(kind(owner.set_role(me, Role::Writer).await), ErrorKind::NotAuthorized);
    // The root, whose words are kept here as long as nobody confirmed them, makes owners.
    owner.set_role(user(&guest), Role::Owner).await.expect("the root makes it an owner");
    guest.sync_with(&owner).await.expect("syncs");
    assert_eq!(guest.me().expect("is a member").role, Role::Owner);
    let words = owner.recovery_words().expect("kept");
    owner.confirm_recovery_words(&words).await.expect("confirms");
    let error = owner.set_role(user(&guest), Role::Writer).await.expect_err("an equal");
    assert_eq!(error.kind(), ErrorKind::NotAuthorized);
    guest.remove_user(user(&guest)).await.expect("one of two owners leaves");
    assert_eq!(kind(guest.me()), ErrorKind::NotAdmitted);
}

#[tokio::test]
async fn a_senior_device_removes_a_junior_one_for_good_and_the_other_way_round_it_is_told_what_remains() {
    let owner = owner().await;
    let first = admitted(&owner, 20, Some(Role::Writer)).await;
    let second = admitted(&first, 21, None).await;
    owner.sync_with(&first).await.expect("syncs");
    let report = second.remove_device(first.inner.engine.device()).await.expect("removes");
    assert!(report.advice.expect("is told").contains("Ask an owner or admin"));
    second.sync_with(&owner).await.expect("syncs");
    // Without knowing of it the first adds a third, which counts: the removal is by a junior.
    let third = admitted(&first, 22, None).await;
    take(&second, held(&third));
    let has = |workspace: &Workspace, device: &Workspace| {
        let device = device.inner.engine.device();
        workspace.devices().iter().any(|info| info.device == device)
    };
    assert!(has(&second, &third) && !has(&second, &first));
    // The owner removes it again, from above, and what it did aside is void.
    let report = owner.remove_device(first.inner.engine.device()).await.expect("removes it again");
    assert_eq!(report.advice, None);
    second.sync_with(&owner).await.expect("syncs");
    for workspace in [&owner, &second] {
        assert!(!has(workspace, &third) && has(workspace, &second));
    }
    let error = owner.remove_device(first.inner.engine.device()).await.expect_err("for good by now");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_removal_of_a_user_cuts_its_earlier_devices_too() {
    let owner = owner().await;
    let first = admitted(&owner, 20, Some(Role::Writer)).await;
    let second = admitted(&first, 21, None).await;
    for (workspace, key) in [(&first, "by the first"), (&second, "by the second")] {
        put(workspace, key).await;
        workspace.sync_with(&owner).await.expect("syncs");
    }
    owner.remove_device(first.inner.engine.device()).await.expect("removes");
    owner.remove_user(user(&second)).await.expect("removes");
    assert_eq!(shown(&owner), ["by the first", "by the second", "first"]);
}

#[test]
fn cuts_that_do_not_fit_follow_in_amendments() {
    let cut = |number: usize| Cut {
        device: DeviceId([1; 32]),
        stream: StreamId(u128::try_from(number).expect("small").to_le_bytes()),
        seq: 1,
        id: EntryId([2; 32]),
    };
    let all: Vec<Cut> = (0..2 * CUTS_MAX + 1).map(cut).collect();
    let remove = |cuts| Op::RemoveDevice { device: DeviceId([1; 32]), cuts };
    for (count, lengths) in
        [(0, vec![0]), (CUTS_MAX, vec![CUTS_MAX]), (2 * CUTS_MAX + 1, vec![CUTS_MAX, CUTS_MAX, 1])]
    {
        let entries = divide(all[..count].to_vec(), CUTS_MAX, remove);
        let cuts: Vec<Vec<Cut>> = entries
            .iter()
            .enumerate()
            .map(|(number, ops)| match &ops[..] {
                [Op::RemoveDevice { cuts, .. }] if number == 0 => cuts.clone(),
                [Op::AmendCut { cuts }] if number > 0 => cuts.clone(),
                other => panic!("unexpected {other:?}"),
            })
            .collect();
        assert_eq!(cuts.iter().map(Vec::len).collect::<Vec<_>>(), lengths);
        assert_eq!(cuts.concat(), all[..count]);
        for ops in entries {
            let parents = (0..16).map(|number| EntryId([number; 32])).collect();
            Body { parents, ops }.encode().expect("fits with every parent an entry can have");
        }
    }
}

#[tokio::test]
async fn an_amended_removal_counts_for_every_stream_that_it_names() {
    let owner = owner().await;
    let guest = admitted(&owner, 20, Some(Role::Writer)).await;
    let streams = 6;
    for number in 0..streams {
        let items = guest.database(&format!("number {number}")).collection::<Value>("items");
        items.put("one", &Value::Int(number)).await.expect("writes");
    }
    guest.sync_with(&owner).await.expect("syncs");
    let engine = &owner.inner.engine;
    let device = guest.inner.engine.device();
    let entries = divide(engine.log.cuts_for(&[device]), 2, |cuts| Op::RemoveDevice { device, cuts });
    assert_eq!(entries.len(), 4, "six databases and stream zero");
    engine.commit_directory_entries(&engine.signer(), entries).await.expect("writes");
    for number in 0..streams {
        let items = owner.database(&format!("number {number}")).collection::<Value>("items");
        assert_eq!(items.get("one").expect("reads"), Some(Value::Int(number)));
    }
    assert_eq!(engine.log.excluded().expect("reads"), []);
}
