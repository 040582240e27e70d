//! Claims about relays that answer with something else than what they hold.

use std::sync::Arc;
use std::time::Duration;

use tidelog_log::directory::Role;
use tidelog_log::entry::payload_hash;
use tidelog_log::ids::DeviceId;
use tidelog_log::session::{Cursor as PeerCursor, Membership, Receipt, Replica, ReplicaError};
use tidelog_log::storage::MemoryStorage;
use tidelog_log::trie::Frontier;

use super::*;
use crate::net::host::TestRelay;
use crate::workspace::testing::{admit, admitted, created, held, on, put, stranger, take};

/// Far longer than anything here takes: a call that does not end fails.
const LIMIT: Duration = Duration::from_secs(60);

/// What a relay does to an answer about a stream; given where the question begins, and the truth.
type Lie = Box<dyn Fn(u64, Vec<(u64, Entry)>) -> Vec<(u64, Entry)> + Send + Sync>;

/// A log that is shown as it is, but for what is asked about one stream.
struct Liar {
    log: Arc<dyn Replica>,
    stream: StreamId,
    lie: Lie,
}

impl Replica for Liar {
    fn workspace(&self) -> tidelog_log::ids::WorkspaceId {
        self.log.workspace()
    }

    fn epoch(&self) -> [u8; 16] {
        self.log.epoch()
    }

    fn arrivals(&self) -> u64 {
        self.log.arrivals()
    }

    fn membership(&self, device: &DeviceId) -> Membership {
        self.log.membership(device)
    }

    fn frontier(&self) -> (Frontier, u64) {
        self.log.frontier()
    }

    fn entries_after(
        &self,
        arrival: u64,
        filter: &Filter,
        max_bytes: usize,
    ) -> std::result::Result<Vec<(u64, Entry)>, ReplicaError> {
        let truth = self.log.entries_after(arrival, filter, max_bytes)?;
        Ok(if *filter == Filter::some([self.stream]) { (self.lie)(arrival, truth) } else { truth })
    }

    fn branch(
        &self,
        stream: StreamId,
        device: DeviceId,
        tip: &EntryId,
        after_seq: u64,
        max_bytes: usize,
    ) -> std::result::Result<Vec<Entry>, ReplicaError> {
        self.log.branch(stream, device, tip, after_seq, max_bytes)
    }

    fn id_on_branch(
        &self,
        stream: StreamId,
        device: DeviceId,
        tip: &EntryId,
        seq: u64,
    ) -> std::result::Result<Option<EntryId>, ReplicaError> {
        self.log.id_on_branch(stream, device, tip, seq)
    }

    fn position(&self, id: &EntryId) -> std::result::Result<Option<u64>, ReplicaError> {
        self.log.position(id)
    }

    fn receive(&self, entries: Vec<Entry>) -> std::result::Result<Receipt, ReplicaError> {
        self.log.receive(entries)
    }

    fn cursor(&self, peer: &[u8; 32]) -> Option<PeerCursor> {
        self.log.cursor(peer)
    }

    fn set_cursor(&self, peer: &[u8; 32], cursor: PeerCursor) {
        self.log.set_cursor(peer, cursor);
    }
}

/// An owner with three items, and a member that knows of the database and holds nothing of it.
async fn pair() -> (Workspace, Workspace, StreamId) {
    let owner = created(&MemoryStorage::new()).await;
    let guest = admitted(&owner, 20, Some(Role::Writer)).await;
    put(&owner, "second").await;
    put(&owner, "third").await;
    let stream = owner.inner.engine.stream("main").expect("is named");
    let of_directory = |entry: &Entry| entry.header().stream == StreamId::DIRECTORY;
    take(&guest, held(&owner).into_iter().filter(of_directory).collect());
    (owner, guest, stream)
}

async fn relay(owner: &Workspace, stream: StreamId, lie: Lie) -> TestRelay {
    let log: Arc<dyn Replica> = Arc::clone(&owner.inner.engine.log) as Arc<_>;
    TestRelay::start(Arc::new(Liar { log, stream, lie })).await
}

fn remote(guest: &Workspace, relay: &TestRelay) -> RemoteLog {
    guest.remote_log(&guest.database("main").log(), relay.url()).expect("a relay")
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("in time")
}

/// What listing and reading say of a relay.
async fn kinds(guest: &Workspace, relay: &TestRelay) -> [Option<ErrorKind>; 2] {
    let remote = remote(guest, relay);
    let listed = within(remote.entry_ids()).await.err().map(|error| error.kind());
    let read = within(remote.changes_since(None, 100)).await.err().map(|error| error.kind());
    [listed, read]
}

#[tokio::test]
async fn an_honest_relay_is_read_to_the_end() {
    let (owner, guest, stream) = pair().await;
    let relay = relay(&owner, stream, Box::new(|_, truth| truth)).await;
    let remote = remote(&guest, &relay);
    let ids = within(remote.entry_ids()).await.expect("lists");
    assert_eq!(ids, owner.database("main").log().entry_ids().expect("lists"));
    let changes = within(remote.changes_since(None, 100)).await.expect("reads");
    let mut keys: Vec<String> = changes.items.into_iter().map(|change| change.key).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["first", "second", "third"]);
    let unknown = EntryId([9; 32]);
    assert_eq!(within(remote.missing(&[ids[0], unknown, ids[2]])).await.expect("asks"), [unknown]);
    let bytes = within(remote.entries(&[unknown, ids[1]])).await.expect("reads");
    let second = owner.inner.engine.log.entry(&ids[1]).expect("reads").expect("is held");
    assert_eq!(bytes, [None, Some(second.encode())]);
}

#[tokio::test]
async fn a_relay_that_tells_the_same_for_ever_is_left() {
    let (owner, guest, stream) = pair().await;
    let first = held(&owner).into_iter().find(|entry| entry.header().stream == stream).expect("some");
    let again: Lie = Box::new(move |arrival, _| vec![(arrival + 1, first.clone())]);
    let relay = relay(&owner, stream, again).await;
    assert_eq!(kinds(&guest, &relay).await, [Some(ErrorKind::Protocol); 2]);
}

#[tokio::test]
async fn a_relay_that_gives_entries_of_another_database_is_left() {
    let (owner, guest, stream) = pair().await;
    owner.database("other").collection("items").put("foreign", &crate::Value::Int(1)).await.expect("writes");
    let foreign = held(&owner).pop().expect("some");
    assert_ne!(foreign.header().stream, stream);
    let relay = relay(&owner, stream, Box::new(move |arrival, _| vec![(arrival + 1, foreign.clone())])).await;
    let read = within(remote(&guest, &relay).changes_since(None, 100)).await;
    assert_eq!(read.expect_err("foreign").kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_relay_whose_numbers_do_not_rise_is_left() {
    let (owner, guest, stream) = pair().await;
    let stays: Lie =
        Box::new(|arrival, truth| truth.into_iter().map(|(_, entry)| (arrival, entry)).collect());
    let relay = relay(&owner, stream, stays).await;
    assert_eq!(kinds(&guest, &relay).await, [Some(ErrorKind::Protocol); 2]);
}

#[tokio::test]
async fn a_relay_that_gives_what_no_member_signed_is_left() {
    let (owner, guest, stream) = pair().await;
    let forger = stranger(&owner, on(&MemoryStorage::new(), 30));
    let signer = forger.inner.engine.signer();
    let forge = move |entry: &Entry| {
        let (mut header, payload) = (entry.header().clone(), vec![7; entry.payload().len()]);
        header.payload_hash = payload_hash(&payload);
        header.sign(&*signer);
        Entry::new(header, payload).expect("well-formed")
    };
    let lie: Lie =
        Box::new(move |_, truth| truth.iter().map(|(arrival, entry)| (*arrival, forge(entry))).collect());
    let relay = relay(&owner, stream, lie).await;
    let read = within(remote(&guest, &relay).changes_since(None, 100)).await;
    assert_eq!(read.expect_err("forged").kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_relay_that_never_shows_the_signature_of_a_chain_is_left() {
    let (owner, guest, stream) = pair().await;
    let unsigned = |entry: &Entry| {
        let mut header = entry.header().clone();
        (header.covered, header.signature) = (true, [0; 64]);
        Entry::new(header, entry.payload().to_vec()).expect("well-formed")
    };
    let lie: Lie =
        Box::new(move |_, truth| truth.iter().map(|(arrival, entry)| (*arrival, unsigned(entry))).collect());
    let relay = relay(&owner, stream, lie).await;
    let read = within(remote(&guest, &relay).changes_since(None, 100)).await;
    assert_eq!(read.expect_err("unproven").kind(), ErrorKind::Protocol);
}

#[test]
fn a_list_ends_at_its_limit_and_names_nothing_twice() {
    let id = |number: u8| EntryId([number; 32]);
    let take = |found: &[u8]| {
        let (mut ids, mut seen) = (vec![id(1)], [id(1)].into());
        gather(&mut ids, &mut seen, found.iter().map(|number| id(*number)), 3).map(|()| ids.len())
    };
    assert_eq!(take(&[2, 3]).expect("at the limit"), 3);
    assert_eq!(take(&[2, 3, 4]).expect_err("one more").kind(), ErrorKind::TooLarge);
    assert_eq!(take(&[2, 1]).expect_err("twice").kind(), ErrorKind::Protocol);
}

#[tokio::test]
async fn a_device_that_is_not_admitted_reads_nothing() {
    let (owner, _, stream) = pair().await;
    let stranger = stranger(&owner, on(&MemoryStorage::new(), 31));
    let relay = relay(&owner, stream, Box::new(|_, truth| truth)).await;
    let dial = stranger.dial(relay.url()).expect("a relay");
    let log = RemoteLog { workspace: stranger.clone(), stream, circle: CircleId::WORKSPACE, dial };
    assert_eq!(within(log.entry_ids()).await.expect_err("a stranger").kind(), ErrorKind::NotAdmitted);
    admit(&owner, &stranger, Some(Role::Reader)).await;
    assert_eq!(within(log.entry_ids()).await.expect("a member").len(), 3);
}
