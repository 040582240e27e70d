//! How workspaces open, close, and leave.

use tidelog_log::directory::Role;
use tidelog_log::env::ManualClock;
use tidelog_log::log::Draft;
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::TestWorkspace;

use super::*;

struct House {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    metrics: Arc<Metrics>,
    tenants: Tenants,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::new(1_000_000));
        let metrics = Arc::new(Metrics::default());
        let config = Config { clock: Arc::clone(&clock) as Arc<dyn Clock>, ..Config::new(folder.path()) };
        let tenants = Tenants::new(folder.path().to_owned(), &config, Arc::clone(&metrics));
        Self { folder, clock, metrics, tenants }
    }

    /// Two sweeps: the first finds who is idle, the second who has been so for long enough.
    fn sweep_after(&self, ms: u64) {
        self.tenants.sweep();
        self.clock.advance(ms);
        self.tenants.sweep();
    }

    fn folders(&self) -> usize {
        fs::read_dir(self.folder.path()).expect("reads").count()
    }

    fn open(&self) -> u64 {
        self.metrics.workspaces_open.get()
    }
}

/// Gives a tenant the first two entries of its workspace.
fn fill(tenant: &Tenant, workspace: &TestWorkspace) {
    let source = workspace.founder_log(Arc::new(MemoryStorage::new()), 1);
    let entries = (1..=2).map(|arrival| source.entry_at(arrival).expect("reads").expect("held")).collect();
    let receipt = Replica::receive(tenant, entries).expect("stores");
    assert_eq!(receipt.stored.len(), 2);
}

#[test]
fn a_workspace_that_is_not_held_opens_only_if_it_is_welcome() {
    let house = House::new();
    let id = TestWorkspace::new(1).id();
    assert!(matches!(house.tenants.open(id, false), Err(TenantError::Unknown)));
    assert_eq!(house.folders(), 0);
    assert!(house.tenants.open(id, true).is_ok());
    assert!(house.tenants.open(id, false).is_ok(), "it is held now");
}

#[test]
fn all_sessions_of_a_workspace_share_one_log() {
    let house = House::new();
    let id = TestWorkspace::new(1).id();
    let first = house.tenants.open(id, true).expect("opens");
    let second = house.tenants.open(id, true).expect("opens");
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(house.open(), 1);
}

#[test]
fn a_workspace_closes_after_its_idle_time_and_opens_again_with_what_it_had() {
    let house = House::new();
    let workspace = TestWorkspace::new(1);
    let tenant = house.tenants.open(workspace.id(), true).expect("opens");
    fill(&tenant, &workspace);
    house.sweep_after(WORKSPACE_IDLE_MS);
    assert_eq!(house.open(), 1, "somebody is there");
    drop(tenant);
    house.sweep_after(WORKSPACE_IDLE_MS - 1);
    assert_eq!(house.open(), 1);
    house.sweep_after(1);
    assert_eq!(house.open(), 0);
    assert!(lock(&house.tenants.table).places.is_empty());
    let tenant = house.tenants.open(workspace.id(), false).expect("opens");
    assert_eq!(tenant.arrivals(), 2);
}

#[test]
fn a_visit_starts_the_idle_time_anew() {
    let house = House::new();
    let workspace = TestWorkspace::new(1);
    fill(&house.tenants.open(workspace.id(), true).expect("opens"), &workspace);
    house.sweep_after(WORKSPACE_IDLE_MS - 1);
    drop(house.tenants.open(workspace.id(), false).expect("opens"));
    house.sweep_after(WORKSPACE_IDLE_MS - 1);
    assert_eq!(house.open(), 1);
}

#[test]
fn a_workspace_that_never_got_an_entry_leaves_nothing_behind() {
    let house = House::new();
    drop(house.tenants.open(TestWorkspace::new(1).id(), true).expect("opens"));
    assert_eq!(house.folders(), 1);
    house.sweep_after(WORKSPACE_IDLE_MS);
    assert_eq!(house.folders(), 0);
}

#[test]
fn a_making_that_was_cut_short_is_made_good() {
    let house = House::new();
    let id = TestWorkspace::new(1).id();
    fs::create_dir(house.tenants.folder(&id)).expect("makes a folder");
    assert!(matches!(house.tenants.open(id, false), Err(TenantError::Unknown)));
    assert!(house.tenants.open(id, true).is_ok());
}

#[test]
fn nothing_opens_once_the_relay_stops() {
    let house = House::new();
    let workspace = TestWorkspace::new(1);
    fill(&house.tenants.open(workspace.id(), true).expect("opens"), &workspace);
    house.tenants.stop();
    assert_eq!(house.open(), 0);
    assert!(matches!(house.tenants.open(workspace.id(), true), Err(TenantError::Stopping)));
}

#[test]
fn the_log_tells_that_it_grew() {
    let house = House::new();
    let workspace = TestWorkspace::new(1);
    let tenant = house.tenants.open(workspace.id(), true).expect("opens");
    let grown = tenant.grown();
    assert!(!grown.has_changed().expect("open"));
    fill(&tenant, &workspace);
    assert!(grown.has_changed().expect("open"));
}

/// A log with four entries: the two of [`fill`], one of a user's data, and one of the directory.
fn source(workspace: &TestWorkspace) -> Log {
    let source = workspace.founder_log(Arc::new(MemoryStorage::new()), 1);
    let admission = Draft::directory(workspace.device(0), vec![workspace.add_user(1, Role::Writer)]);
    source
        .commit_blocking(vec![workspace.draft(0, StreamId([7; 16]), vec![1; 300]), admission])
        .expect("commits");
    source
}

fn entry(source: &Log, arrival: u64) -> Entry {
    source.entry_at(arrival).expect("reads").expect("held")
}

/// A tenant that holds the first two entries of its workspace and has room for so many more bytes.
fn with_room(workspace: &TestWorkspace, room: u64) -> Tenant {
    let log = workspace.empty_log(Arc::new(MemoryStorage::new()), 2);
    let mut tenant = Tenant::new(log, u64::MAX, Arc::new(Metrics::default()));
    fill(&tenant, workspace);
    tenant.quota_bytes = tenant.log.disk_bytes().expect("reads") + room;
    tenant
}

#[test]
fn a_workspace_takes_what_fits_its_quota_and_not_a_byte_more() {
    let workspace = TestWorkspace::new(1);
    let data = entry(&source(&workspace), 3);
    let exact = data.len() as u64;
    for (room, stored) in [(exact, 1), (exact - 1, 0)] {
        let receipt = Replica::receive(&with_room(&workspace, room), vec![data.clone()]).expect("answers");
        assert_eq!(receipt.stored.len(), stored);
        assert!(receipt.refused.iter().all(|refused| refused.fault == Fault::Quota));
        assert_eq!(receipt.refused.len(), 1 - stored);
    }
}

#[test]
fn who_fills_the_quota_can_still_be_removed() {
    let workspace = TestWorkspace::new(1);
    let source = source(&workspace);
    let (data, directory) = (entry(&source, 3), entry(&source, 4));
    let tenant = with_room(&workspace, 0);
    let receipt = Replica::receive(&tenant, vec![data.clone(), directory.clone()]).expect("answers");
    assert_eq!(receipt.stored.len(), 1);
    assert!(tenant.position(&directory.id()).expect("reads").is_some());
    let refused: Vec<_> = receipt.refused.iter().map(|refused| (refused.entry, refused.fault)).collect();
    assert_eq!(refused, [(data.id(), Fault::Quota)]);
}

#[test]
fn what_the_directory_has_beyond_the_quota_has_an_end() {
    let workspace = TestWorkspace::new(1);
    let source = source(&workspace);
    let tenant = with_room(&workspace, 0);
    let most = tenant.quota_bytes + DIRECTORY_RESERVE_BYTES;
    Replica::receive(&tenant, vec![entry(&source, 4)]).expect("answers");
    let mebibyte = || workspace.draft(0, StreamId::DIRECTORY, vec![1; 1024 * 1024]);
    let mut stored = 0;
    for arrival in 5..=5 + DIRECTORY_RESERVE_BYTES / (1024 * 1024) {
        source.commit_blocking(vec![mebibyte()]).expect("commits");
        let receipt = Replica::receive(&tenant, vec![entry(&source, arrival)]).expect("answers");
        stored += receipt.stored.len();
        assert_eq!(receipt.refused.len(), 1 - receipt.stored.len());
        assert!(receipt.refused.iter().all(|refused| refused.fault == Fault::Quota));
    }
    let used = tenant.log.disk_bytes().expect("reads");
    assert!(stored > 0 && used <= most + 1024 * 1024, "{stored} entries, {used} of {most} bytes");
    let last = entry(&source, 5 + DIRECTORY_RESERVE_BYTES / (1024 * 1024));
    assert_eq!(tenant.position(&last.id()).expect("reads"), None);
}
