//! Welcomes that are not what they should be, and what they leave behind.

use tidelog_log::env::SeededRandom;
use tidelog_log::storage::MemoryStorage;

use super::*;
use crate::value::Value;
use crate::workspace::testing::{created, items, on, raw};
use crate::workspace::{Environment, InviteOptions, Workspace};

/// Ada, who has admitted Bob, and what Bob needs to begin.
struct Pair {
    ada: Workspace,
    environment: Environment,
    link: InviteLink,
    device: DeviceId,
    request: String,
}

async fn admitted() -> Pair {
    let ada = created(&MemoryStorage::new()).await;
    let invite = ada.invite(InviteOptions::default()).await.expect("invites");
    let environment = on(&MemoryStorage::new(), 5);
    let request = Workspace::ask_to_join_in(environment.clone(), raw(2), &invite.uri, "Bob").await;
    let request = ada.receive_request(&request.expect("asks")).await.expect("takes in");
    ada.approve(&request.id).await.expect("approves");
    let link = InviteLink::parse(&invite.uri).expect("a link");
    Pair { ada, environment, link, device: request.device, request: request.id }
}

impl Pair {
    async fn finish(&self, welcome: Vec<u8>) -> Result<Workspace> {
        Workspace::finish_joining_in(self.environment.clone(), raw(2), welcome).await
    }

    async fn refused(&self, welcome: Vec<u8>) -> ErrorKind {
        self.finish(welcome).await.expect_err("refused").kind()
    }

    fn log(&self) -> &Log {
        &self.ada.inner.engine.log
    }

    fn sealed(&self, plain: &[u8]) -> Vec<u8> {
        seal(&self.link, &self.device, plain, &SeededRandom::new(6))
    }

    /// What is refused leaves the folder as good as before.
    async fn a_good_one_is_still_taken(&self) {
        let welcome = self.ada.welcome(&self.request).await.expect("welcomes");
        let bob = self.finish(welcome).await.expect("joins");
        assert_eq!(items(&bob).get("first").expect("reads"), Some(Value::Int(1)));
    }
}

#[tokio::test]
async fn a_welcome_of_another_workspace_or_device_is_refused() {
    let pair = admitted().await;
    let elsewhere = InviteLink::new([9; 32].into(), [8; 32], None, None, Vec::new());
    let foreign = seal(&elsewhere, &pair.device, &[], &SeededRandom::new(6));
    assert_eq!(pair.refused(foreign).await, ErrorKind::InviteInvalid);
    let for_another = seal(&pair.link, &[9; 32].into(), &[], &SeededRandom::new(6));
    assert_eq!(pair.refused(for_another).await, ErrorKind::InviteInvalid);
    let invite = pair.ada.invite(InviteOptions::default()).await.expect("invites");
    let later = InviteLink::parse(&invite.uri).expect("a link");
    let under_another = seal(&later, &pair.device, &[], &SeededRandom::new(6));
    assert_eq!(pair.refused(under_another).await, ErrorKind::Corrupt);
    pair.a_good_one_is_still_taken().await;
}

#[tokio::test]
async fn a_welcome_that_was_cut_or_altered_anywhere_is_refused() {
    let pair = admitted().await;
    let welcome = pair.ada.welcome(&pair.request).await.expect("welcomes");
    for at in (0..welcome.len()).step_by(welcome.len() / 97).chain(0..HEAD_LEN + 60) {
        let kind = pair.refused(welcome[..at].to_vec()).await;
        assert!(matches!(kind, ErrorKind::Corrupt | ErrorKind::InviteInvalid), "cut at {at}: {kind}");
        let mut altered = welcome.clone();
        altered[at] ^= 0x10;
        let expected = match at {
            8..12 => ErrorKind::NewerFormat,
            0..HEAD_LEN => ErrorKind::InviteInvalid,
            _ => ErrorKind::Corrupt,
        };
        assert_eq!(pair.refused(altered).await, expected, "altered at {at}");
    }
    let longer = [&welcome[..], &[0]].concat();
    assert_eq!(pair.refused(longer).await, ErrorKind::Corrupt);
    pair.a_good_one_is_still_taken().await;
}

#[tokio::test]
async fn a_welcome_that_is_too_long_is_not_even_looked_at() {
    let pair = admitted().await;
    assert_eq!(pair.refused(vec![0; WELCOME_BYTES_MAX + 1]).await, ErrorKind::TooLarge);
    assert_eq!(pair.refused(vec![0; WELCOME_BYTES_MAX]).await, ErrorKind::InviteInvalid);
}

#[tokio::test]
async fn an_inviter_cannot_smuggle_anything_in() {
    let pair = admitted().await;
    let limits = Limits { whole: WELCOME_BYTES_MAX, data: DATA_BYTES };
    let good = batches(pair.log(), limits).expect("packs");
    // Sealed by the inviter itself, so only the checks of the entries stand in the way.
    assert_eq!(pair.refused(pair.sealed(&[])).await, ErrorKind::NotAdmitted);
    let mut without_genesis = Vec::new();
    let (_, mut entries) = next(pair.log(), 0, &Filter::All).expect("reads").expect("has entries");
    entries.remove(0);
    push(&mut without_genesis, &entries);
    assert_eq!(pair.refused(pair.sealed(&without_genesis)).await, ErrorKind::Protocol);
    // From here on the log holds what was sound.
    assert_eq!(pair.refused(pair.sealed(&good[..3])).await, ErrorKind::Corrupt);
    assert_eq!(pair.refused(pair.sealed(&good[..good.len() - 1])).await, ErrorKind::Corrupt);
    assert_eq!(pair.refused(pair.sealed(&u32::MAX.to_le_bytes())).await, ErrorKind::Corrupt);
    let mut forged = good.clone();
    *forged.last_mut().expect("has bytes") ^= 1;
    assert_eq!(pair.refused(pair.sealed(&forged)).await, ErrorKind::Protocol);
    pair.a_good_one_is_still_taken().await;
}

#[tokio::test]
async fn entries_that_nothing_vouches_for_are_not_piled_up() {
    let pair = admitted().await;
    // The shortest records there are: covered, of the chain before, with an empty payload.
    let mut batch = vec![1 | 1 << 3 | 2 << 4];
    batch.extend_from_slice(&[3; 32]);
    batch.extend_from_slice(&[4; 16]);
    batch.extend_from_slice(&[1, 0]);
    batch.extend([1 << 3 | 1, 0].repeat(8_000));
    let length = u32::try_from(batch.len()).expect("short");
    let plain = [&length.to_le_bytes()[..], &batch].concat().repeat(4);
    assert_eq!(pair.refused(pair.sealed(&plain)).await, ErrorKind::Corrupt);
}

#[tokio::test]
async fn data_that_do_not_fit_come_with_the_first_sync() {
    let pair = admitted().await;
    let small = batches(pair.log(), Limits { whole: WELCOME_BYTES_MAX, data: 0 }).expect("packs");
    let bob = pair.finish(pair.sealed(&small)).await.expect("joins");
    assert_eq!(bob.databases().expect("reads"), ["main"]);
    assert_eq!(items(&bob).get("first").expect("reads"), None);
    pair.ada.sync_with(&bob).await.expect("syncs");
    assert_eq!(items(&bob).get("first").expect("reads"), Some(Value::Int(1)));
}

#[tokio::test]
async fn members_and_names_that_do_not_fit_are_told_so() {
    let pair = admitted().await;
    let refused = batches(pair.log(), Limits { whole: 1_000, data: 0 }).expect_err("too much");
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
}

#[tokio::test]
async fn many_entries_are_packed_in_many_batches_and_all_arrive() {
    let pair = admitted().await;
    let text = "x".repeat(2_000);
    for chunk in 0..40 {
        let values = (0..100).map(|number| (format!("{chunk}-{number}"), Value::Text(text.clone())));
        let values: Vec<_> = values.collect();
        let mut transaction = pair.ada.database("main").transaction();
        let mut items = transaction.collection::<Value>("items");
        for (key, value) in &values {
            items.put(key, value).expect("fits");
        }
        transaction.commit().await.expect("writes");
    }
    let bob = pair.finish(pair.ada.welcome(&pair.request).await.expect("welcomes")).await.expect("joins");
    assert_eq!(items(&bob).count(&crate::Query::new()).expect("counts"), 4_001);
}
