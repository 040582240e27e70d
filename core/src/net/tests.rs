//! Meeting real relays over real sockets, in one process.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tidelog_log::crypto::sha256;
use tidelog_log::directory::Role;
use tidelog_log::env::{SystemClock, SystemRandom};
use tidelog_log::ids::{EntryId, StreamId};
use tidelog_log::log::{Draft, Log, Subscription};
use tidelog_log::session::Letter;
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::TestWorkspace;
use tidelog_relay::{Admission, Config, Relay, Token};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::Connection;
use super::*;
use crate::error::ErrorKind;
use crate::warning::WarningKind;

/// Far longer than anything here takes: a test that hangs fails.
const LIMIT: Duration = Duration::from_secs(60);
const STREAM: StreamId = StreamId([5; 16]);
const BOX: BoxId = BoxId([6; 16]);
const TOKEN: [u8; 32] = [7; 32];
const FAR_MS: u64 = u64::MAX;

/// A relay that runs until it is stopped or dropped.
struct Site {
    folder: TempDir,
    address: String,
    key: [u8; 32],
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Site {
    async fn start(configure: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self::start_in(folder, "127.0.0.1:0", configure).await
    }

    async fn open() -> Self {
        Self::start(|config| config.admission.open = true).await
    }

    async fn start_in(folder: TempDir, listen: &str, configure: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(folder.path());
        configure(&mut config);
        let relay = Relay::open(config).expect("opens");
        let listener = TcpListener::bind(listen).await.expect("listens");
        let address = format!("ws://{}", listener.local_addr().expect("an address"));
        let key = relay.key();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            relay.serve(listener, async move { drop(stopped.await) }).await.expect("serves");
        });
        Self { folder, address, key, stop, task }
    }

    /// Stops the relay in an orderly way; returns its folder and the address it had.
    async fn stop(self) -> (TempDir, String) {
        let _ = self.stop.send(());
        within(self.task).await.expect("ends");
        (self.folder, self.address.replace("ws://", ""))
    }

    fn dial(&self) -> Dial {
        dial(&self.address)
    }
}

fn dial(address: &str) -> Dial {
    Dial {
        address: RelayAddress::parse(address).expect("an address"),
        known_key: None,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.expect("in time")
}

/// Boxes to hold open, and the letters that came.
#[derive(Default)]
struct Desk {
    boxes: Mutex<Vec<OpenBox>>,
    letters: Mutex<Vec<Letter>>,
    came: watch::Sender<u64>,
}

impl MailDesk for Desk {
    fn boxes(&self) -> Vec<OpenBox> {
        self.boxes.lock().expect("sound").clone()
    }

    fn letter(&self, _: BoxId, slot: u32, letter: Vec<u8>) {
        let mut letters = self.letters.lock().expect("sound");
        if !letters.contains(&(slot, letter.clone())) {
            letters.push((slot, letter));
        }
        self.came.send_modify(|count| *count += 1);
    }
}

/// A device with its log.
struct Device {
    log: Arc<Log>,
    party: Party,
    desk: Arc<Desk>,
    changed: watch::Sender<u64>,
    _subscription: Subscription,
}

impl Device {
    fn new(workspace: &TestWorkspace, number: u8, log: Log) -> Self {
        let log = Arc::new(log);
        let changed = watch::Sender::new(0);
        let notify = changed.clone();
        let subscription = log.subscribe(Arc::new(move || notify.send_modify(|count| *count += 1)));
        let desk = Arc::new(Desk::default());
        let party = Party {
            bans: Arc::default(),
            replica: Arc::clone(&log) as Arc<dyn Replica>,
            signer: workspace.device(number),
            changed: changed.subscribe(),
            mail: Arc::clone(&desk) as Arc<dyn MailDesk>,
            streams: Filter::All,
            direction: Direction::Both,
            synced: Arc::new(|| {}),
            warnings: Arc::new(Vec::new),
        };
        Self { log, party, desk, changed, _subscription: subscription }
    }

    /// The owner, with device 1 added as a writer.
    fn owner(workspace: &TestWorkspace) -> Self {
        let log = workspace.founder_log(Arc::new(MemoryStorage::new()), 1);
        let add = workspace.add_user(1, Role::Writer);
        log.commit_blocking(vec![Draft::directory(workspace.device(0), vec![add])]).expect("commits");
        Self::new(workspace, 0, log)
    }

    /// Another device, with an empty log.
    fn other(workspace: &TestWorkspace, number: u8) -> Self {
        let log = workspace.empty_log(Arc::new(MemoryStorage::new()), u64::from(number) + 1);
        Self::new(workspace, number, log)
    }

    fn write(&self, workspace: &TestWorkspace, number: u8, payload: &[u8]) -> EntryId {
        let draft = workspace.draft(number, STREAM, payload.to_vec());
        self.log.commit_blocking(vec![draft]).expect("commits")[0].id
    }

    fn root(&self) -> [u8; 32] {
        Replica::frontier(&*self.log).0.root(&Filter::All)
    }

    async fn holds(&self, id: EntryId) {
        let mut changed = self.changed.subscribe();
        within(changed.wait_for(|_| self.log.entry(&id).expect("reads").is_some())).await.expect("open");
    }

    fn hold_box_open(&self) {
        let token_hash = sha256(&[&TOKEN]);
        self.desk.boxes.lock().expect("sound").push(OpenBox { mailbox: BOX, token_hash, expires_ms: FAR_MS });
        self.changed.send_modify(|count| *count += 1);
    }
}

async fn wait_until_nothing_is_pending(link: &Link) {
    let mut events = link.events();
    while link.pending() > 0 {
        within(events.next()).await.expect("the link goes on");
    }
}

#[tokio::test]
async fn a_busy_relay_is_asked_again_by_who_syncs_and_who_invites_and_who_joins_and_who_reads() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(1);
    let (owner, dial) = (Device::owner(&workspace), site.dial());
    within(sync_once(&dial, &owner.party)).await.expect("syncs");
    // As many as the relay lets wait, none of which says who it is.
    let silent = || tokio_tungstenite::connect_async(format!("{}/sync", site.address));
    let guests = within(futures_util::future::join_all((0..8).map(|_| silent()))).await;
    assert!(guests.iter().all(Result::is_ok));
    let refused = within(Connection::dial(&dial, None)).await.err().expect("the relay is busy");
    assert!(refused.retry_after.is_some(), "and says so");
    let they_leave = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        drop(guests);
    };
    let (synced, key, letter, read, ()) = within(async {
        tokio::join!(
            sync_once(&dial, &owner.party),
            relay_key(&dial, &owner.party),
            put_letter(&dial, BOX, TOKEN, vec![1]),
            Remote::open(&dial, &owner.party),
            they_leave,
        )
    })
    .await;
    synced.expect("syncs");
    assert_eq!(key.expect("a key"), site.key);
    assert_eq!(letter.expect_err("no such box is open").kind(), ErrorKind::InviteExpired);
    read.expect("opens");
}

#[tokio::test]
async fn two_devices_that_meet_the_same_relay_hold_the_same() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(1);
    let (owner, other) = (Device::owner(&workspace), Device::other(&workspace, 1));
    owner.write(&workspace, 0, b"one");
    let sent = within(sync_once(&site.dial(), &owner.party)).await.expect("syncs");
    assert_eq!((sent.sent, sent.received), (owner.log.arrivals(), 0));
    let taken = within(sync_once(&site.dial(), &other.party)).await.expect("syncs");
    assert_eq!((taken.sent, taken.received), (0, owner.log.arrivals()));
    assert_eq!(owner.root(), other.root());
    other.write(&workspace, 1, b"two");
    within(sync_once(&site.dial(), &other.party)).await.expect("syncs");
    within(sync_once(&site.dial(), &owner.party)).await.expect("syncs");
    assert_eq!(owner.root(), other.root());
    let idle = within(sync_once(&site.dial(), &owner.party)).await.expect("syncs");
    assert_eq!((idle.sent, idle.received), (0, 0));
    site.stop().await;
}

#[tokio::test]
async fn what_is_written_goes_over_live_links_at_once_in_both_directions() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(2);
    let (owner, other) = (Device::owner(&workspace), Device::other(&workspace, 1));
    let owner_link = Link::start(site.dial(), owner.party.clone());
    owner_link.wait_live(LIMIT).await.expect("live");
    let other_link = Link::start(site.dial(), other.party.clone());
    other_link.wait_live(LIMIT).await.expect("live");
    let there = owner.write(&workspace, 0, b"there");
    other.holds(there).await;
    let back = other.write(&workspace, 1, b"back");
    owner.holds(back).await;
    wait_until_nothing_is_pending(&owner_link).await;
    wait_until_nothing_is_pending(&other_link).await;
    assert_eq!(owner.root(), other.root());
    owner_link.stop().await;
    other_link.stop().await;
    assert_eq!(owner_link.state(), LinkState::Offline);
    site.stop().await;
}

#[tokio::test]
async fn a_link_comes_back_after_the_relay_was_away_and_sends_what_waited() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(3);
    let owner = Device::owner(&workspace);
    let link = Link::start(site.dial(), owner.party.clone());
    link.wait_live(LIMIT).await.expect("live");
    wait_until_nothing_is_pending(&link).await;
    let mut events = link.events();
    let (folder, listen) = site.stop().await;
    within(async { while !matches!(events.next().await, Some(LinkEvent::Failed { .. })) {} }).await;
    owner.write(&workspace, 0, b"offline");
    assert_eq!(link.pending(), 1);
    assert!(link.last_error().is_some());
    let site = Site::start_in(folder, &listen, |_| {}).await;
    link.wait_live(LIMIT).await.expect("live again");
    wait_until_nothing_is_pending(&link).await;
    assert!(link.last_error().is_none());
    link.stop().await;
    let other = Device::other(&workspace, 1);
    within(sync_once(&site.dial(), &other.party)).await.expect("syncs");
    assert_eq!(owner.root(), other.root());
    site.stop().await;
}

#[tokio::test]
async fn a_new_link_knows_what_the_relay_held_before_it_reaches_it() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(4);
    let owner = Device::owner(&workspace);
    let link = Link::start(site.dial(), owner.party.clone());
    link.wait_live(LIMIT).await.expect("live");
    wait_until_nothing_is_pending(&link).await;
    link.stop().await;
    let dial = site.dial();
    site.stop().await;
    owner.write(&workspace, 0, b"offline");
    let link = Link::start(dial, owner.party.clone());
    assert_eq!(link.pending(), 1);
    link.stop().await;
}

#[tokio::test]
async fn a_relay_takes_new_workspaces_by_token_or_name_only() {
    let workspace = TestWorkspace::new(5);
    let owner = Device::owner(&workspace);
    let token = "0123456789abcdef";
    let site = Site::start(|config| config.admission.token = Token::new(token)).await;
    let error = within(sync_once(&site.dial(), &owner.party)).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::RelayRefused);
    let wrong = dial(&format!("{}?token=0123456789abcdeX", site.address));
    assert!(within(sync_once(&wrong, &owner.party)).await.is_err());
    let right = dial(&format!("{}?token={token}", site.address));
    within(sync_once(&right, &owner.party)).await.expect("syncs");
    within(sync_once(&site.dial(), &owner.party)).await.expect("a workspace that is held needs no token");
    site.stop().await;
    let listed = Admission { workspaces: vec![workspace.id()], ..Admission::default() };
    let site = Site::start(|config| config.admission = listed).await;
    within(sync_once(&site.dial(), &owner.party)).await.expect("syncs");
    site.stop().await;
}

#[tokio::test]
async fn a_device_that_is_no_member_is_told_so() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(6);
    let (owner, stranger) = (Device::owner(&workspace), Device::other(&workspace, 9));
    within(sync_once(&site.dial(), &owner.party)).await.expect("syncs");
    let error = within(sync_once(&site.dial(), &stranger.party)).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::NotAdmitted);
    assert_eq!(stranger.log.arrivals(), 0);
    site.stop().await;
}

#[tokio::test]
async fn a_relay_with_another_key_is_refused() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(7);
    let owner = Device::owner(&workspace);
    let pinned = |key: [u8; 32]| dial(&format!("{}#{}", site.address, EntryId(key)));
    within(sync_once(&pinned(site.key), &owner.party)).await.expect("syncs");
    let error = within(sync_once(&pinned([3; 32]), &owner.party)).await.expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::RelayRefused);
    let known = Dial { known_key: Some([3; 32]), ..site.dial() };
    assert!(within(sync_once(&known, &owner.party)).await.is_err());
    let address_first = Dial { known_key: Some([3; 32]), ..pinned(site.key) };
    within(sync_once(&address_first, &owner.party)).await.expect("the address goes first");
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_reached_is_a_network_error_and_a_link_keeps_trying() {
    let workspace = TestWorkspace::new(8);
    let owner = Device::owner(&workspace);
    let unused = TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let nowhere = dial(&format!("ws://{}", unused.local_addr().expect("an address")));
    drop(unused);
    let error = within(sync_once(&nowhere, &owner.party)).await.expect_err("nobody there");
    assert_eq!(error.kind(), ErrorKind::Network);
    let link = Link::start(nowhere, owner.party.clone());
    let mut events = link.events();
    for _ in 0..2 {
        within(async { while !matches!(events.next().await, Some(LinkEvent::Failed { .. })) {} }).await;
    }
    let error = link.wait_live(Duration::ZERO).await.expect_err("not live");
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(link.last_error().map(|error| error.kind()), Some(ErrorKind::Network));
    link.stop().await;
    within(async { while events.next().await.is_some() {} }).await;
    assert_eq!(link.wait_live(LIMIT).await.expect_err("stopped").kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_workspace_beyond_its_quota_is_told_so_and_keeps_what_it_has() {
    let workspace = TestWorkspace::new(9);
    let owner = Device::owner(&workspace);
    let site = Site::start(|config| {
        config.admission.open = true;
        config.quota_bytes = 3 * 1024 * 1024;
    })
    .await;
    within(sync_once(&site.dial(), &owner.party)).await.expect("syncs");
    for number in 0..80 {
        owner.write(&workspace, 0, &[number; 50_000]);
    }
    let error = within(sync_once(&site.dial(), &owner.party)).await.expect_err("no room");
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    let other = Device::other(&workspace, 1);
    within(sync_once(&site.dial(), &other.party)).await.expect("what is there can be read");
    site.stop().await;
}

#[tokio::test]
async fn letters_reach_a_member_that_holds_the_box_open() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(10);
    let owner = Device::owner(&workspace);
    let before = within(put_letter(&site.dial(), BOX, TOKEN, b"too early".to_vec())).await;
    assert_eq!(before.expect_err("no box").kind(), ErrorKind::InviteExpired);
    owner.hold_box_open();
    within(sync_once(&site.dial(), &owner.party)).await.expect("opens the box");
    within(put_letter(&site.dial(), BOX, TOKEN, b"first".to_vec())).await.expect("taken");
    within(put_letter(&site.dial(), BOX, TOKEN, b"first".to_vec())).await.expect("once more");
    within(sync_once(&site.dial(), &owner.party)).await.expect("fetches");
    assert_eq!(*owner.desk.letters.lock().expect("sound"), [(1, b"first".to_vec())]);
    let link = Link::start(site.dial(), owner.party.clone());
    let mut came = owner.desk.came.subscribe();
    within(came.changed()).await.expect("open");
    within(put_letter(&site.dial(), BOX, TOKEN, b"second".to_vec())).await.expect("taken");
    within(came.wait_for(|_| owner.desk.letters.lock().expect("sound").len() == 2)).await.expect("open");
    assert!(within(put_letter(&site.dial(), BOX, [0; 32], b"third".to_vec())).await.is_err());
    link.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn a_box_that_is_wanted_later_opens_on_a_live_link_and_closes_when_it_is_not() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(11);
    let owner = Device::owner(&workspace);
    let link = Link::start(site.dial(), owner.party.clone());
    link.wait_live(LIMIT).await.expect("live");
    owner.hold_box_open();
    within(async { while put_letter(&site.dial(), BOX, TOKEN, b"x".to_vec()).await.is_err() {} }).await;
    owner.desk.boxes.lock().expect("sound").clear();
    owner.changed.send_modify(|count| *count += 1);
    within(async { while put_letter(&site.dial(), BOX, TOKEN, b"x".to_vec()).await.is_ok() {} }).await;
    link.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn a_letter_has_its_limits() {
    let site = Site::open().await;
    for length in [0, 4097] {
        let put = put_letter(&site.dial(), BOX, TOKEN, vec![1; length]).await;
        assert_eq!(put.expect_err("refused").kind(), ErrorKind::TooLarge);
    }
    site.stop().await;
}

#[tokio::test]
async fn a_link_tells_what_is_newly_wrong_once() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(12);
    let (owner, other) = (Device::owner(&workspace), Device::other(&workspace, 1));
    let wrong = Warning {
        kind: WarningKind::Fork,
        device: None,
        user: None,
        database: None,
        entry: None,
        text: "wrong".to_owned(),
    };
    let found = wrong.clone();
    let party = Party { warnings: Arc::new(move || vec![found.clone()]), ..other.party.clone() };
    let owner_link = Link::start(site.dial(), owner.party.clone());
    owner_link.wait_live(LIMIT).await.expect("live");
    let link = Link::start(site.dial(), party);
    let mut events = link.events();
    link.wait_live(LIMIT).await.expect("live");
    for payload in [b"one", b"two"] {
        let id = owner.write(&workspace, 0, payload);
        other.holds(id).await;
    }
    link.stop().await;
    let mut warned = Vec::new();
    while let Some(event) = events.next().await {
        warned.extend(if let LinkEvent::Warned(warning) = event { Some(warning) } else { None });
    }
    assert_eq!(warned, [wrong]);
    owner_link.stop().await;
    site.stop().await;
}

#[tokio::test]
async fn a_link_looks_for_what_is_wrong_after_both_sides_are_known_to_hold_the_same() {
    let site = Site::open().await;
    let workspace = TestWorkspace::new(13);
    let (owner, other) = (Device::owner(&workspace), Device::other(&workspace, 1));
    within(sync_once(&site.dial(), &owner.party)).await.expect("syncs");
    let kept_back = Warning {
        kind: WarningKind::Withheld,
        device: None,
        user: None,
        database: None,
        entry: None,
        text: "kept back".to_owned(),
    };
    let met = Arc::new(AtomicBool::new(false));
    let (meets, has_met, found) = (Arc::clone(&met), Arc::clone(&met), kept_back.clone());
    let party = Party {
        synced: Arc::new(move || meets.store(true, Ordering::SeqCst)),
        warnings: Arc::new(move || Vec::from_iter(has_met.load(Ordering::SeqCst).then(|| found.clone()))),
        ..other.party.clone()
    };
    let link = Link::start(site.dial(), party);
    let mut events = link.events();
    link.wait_live(LIMIT).await.expect("live");
    link.stop().await;
    let mut warned = Vec::new();
    while let Some(event) = events.next().await {
        warned.extend(if let LinkEvent::Warned(warning) = event { Some(warning) } else { None });
    }
    assert_eq!(warned, [kept_back]);
    site.stop().await;
}
