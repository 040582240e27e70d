//! A device of the simulation: a workspace over a disk in memory, what it wrote, what it saw.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidelog_log::crypto::sha256;
use tidelog_log::env::{Clock as _, ManualClock, SeededRandom, random_array};
use tidelog_log::frames::BoxId;
use tidelog_log::ids::{CircleId, DeviceId, EntryId, StreamId, UserId, WorkspaceId};
use tidelog_log::log::Log;
use tidelog_log::session::{Direction, Member, Replica as _, Role, Session};
use tidelog_log::storage::{MemoryStorage, Storage as _};
use tidelog_log::testing::START_MS;
use tidelog_log::trie::Filter;

use super::observer::Observer;
use super::{Dice, after_stop, now};
use crate::data::{CHANGES_MAX, ChangeKind, Collection, CollectionOptions, Database, Policy};
use crate::error::{ErrorKind, Result};
use crate::keys::vault::Key;
use crate::value::Value;
use crate::workspace::create::{create, open};
use crate::workspace::invite_link::{InviteLink, Meeting};
use crate::workspace::join::prepare;
use crate::workspace::local::InviteRecord;
use crate::workspace::{CircleOptions, Environment, Workspace};

/// The databases that devices write to.
pub(super) const DATABASES: [&str; 2] = ["notes", "tasks"];
/// The database of the circle.
pub(super) const BOARD: &str = "minutes";
/// The collections of each, and their policies.
pub(super) const COLLECTIONS: [(&str, Policy); 2] = [("items", Policy::Lww), ("pages", Policy::Document)];
/// Keys of items, few, so that devices meet.
const KEYS: [&str; 4] = ["a", "b", "c", "d"];
/// Is part of every value, and must never be seen on a disk.
pub(super) const MARK: &str = "plaintext that nobody else may read";
/// Is besides part of every value in the circle.
pub(super) const BOARD_MARK: &str = "for the board";
const RELAY_URL: &str = "ws://relay.test:7777/";
/// How far some clocks are ahead: more than what others show at once.
const AHEAD_MS: u64 = 15 * 60 * 1_000;

pub(super) struct Device {
    number: usize,
    seed: u64,
    storage: MemoryStorage,
    clock: Arc<ManualClock>,
    workspace: Option<Workspace>,
    observer: Option<Observer>,
    /// The link it joins with, and whether its letter is there, or not needed.
    joining: Option<(InviteLink, bool)>,
    /// The only database it syncs; all if `None`.
    only: Option<&'static str>,
    /// The circle, once there is one.
    board: CircleId,
    /// Whether it was removed.
    pub(super) removed: bool,
    /// Whether what it writes may be taken back: it was removed, demoted or taken out of the circle.
    doubted: bool,
    /// Whether it ever was in the circle, as far as the founder knows.
    pub(super) ever_in_board: bool,
    /// Whether anybody was removed, demoted or taken out of the circle.
    upheaval: bool,
    promised: Vec<EntryId>,
    starts: u64,
    writes: u64,
}

/// What a database shows: each item and change by a name, in words.
pub(super) type View = BTreeMap<String, String>;

fn key() -> Key {
    Key::raw([7; 32])
}

fn options(policy: Policy) -> CollectionOptions {
    CollectionOptions::default().policy(policy).key_field(None)
}

impl Device {
    pub(super) fn new(seed: u64, number: usize, dice: &Dice) -> Self {
        let ahead = if number > 0 && dice.chance(25) { AHEAD_MS } else { dice.below(60_000) as u64 };
        let partial = number > 0 && dice.chance(25);
        Self {
            number,
            seed,
            storage: MemoryStorage::new(),
            clock: Arc::new(ManualClock::new(START_MS + ahead)),
            workspace: None,
            observer: None,
            joining: None,
            only: partial.then_some(DATABASES[dice.below(2)]),
            board: CircleId::WORKSPACE,
            removed: false,
            doubted: false,
            ever_in_board: number == 0,
            upheaval: false,
            promised: Vec::new(),
            starts: 0,
            writes: 0,
        }
    }

    fn environment(&mut self) -> Environment {
        self.starts += 1;
        let seed = sha256(&[
            &self.seed.to_le_bytes(),
            &[u8::try_from(self.number).expect("few devices")],
            &self.starts.to_le_bytes(),
        ]);
        let seed = u64::from_le_bytes(*seed.first_chunk().expect("32 bytes"));
        let random = Arc::new(SeededRandom::new(seed));
        Environment::test(Arc::new(self.storage.clone()), Arc::clone(&self.clock) as Arc<_>, random)
    }

    /// Makes the workspace.
    pub(super) fn found(&mut self) -> WorkspaceId {
        let workspace = create(self.environment(), &key()).expect("an empty disk");
        let id = workspace.id();
        self.start(workspace);
        id
    }

    /// Makes the circle, of this device alone.
    pub(super) fn found_circle(&self) -> CircleId {
        now(self.workspace().create_circle("board", CircleOptions::default())).expect("a sound disk").id
    }

    pub(super) const fn know_circle(&mut self, board: CircleId) {
        self.board = board;
    }

    /// Somebody lost rights, perhaps this device: what was shown may be taken back from now on.
    pub(super) fn suffer(&mut self, itself: bool) {
        self.upheaval = true;
        if itself {
            self.doubted = true;
            self.promised.clear();
        }
    }

    fn start(&mut self, workspace: Workspace) {
        self.workspace = Some(workspace);
        self.observer = None;
        self.observe();
    }

    pub(super) fn workspace(&self) -> &Workspace {
        self.workspace.as_ref().expect("the device is up")
    }

    /// Its key, once it has one.
    pub(super) fn id(&self) -> Option<DeviceId> {
        Some(self.workspace.as_ref()?.inner.engine.device())
    }

    /// What its user may do, in the circle or everywhere, as far as it knows.
    fn may_write(&self, database: &str) -> bool {
        let engine = &self.workspace().inner.engine;
        let circle = if database == BOARD { self.board } else { CircleId::WORKSPACE };
        engine.check_writer(&circle, &engine.log.directory()).is_ok()
    }

    /// Whether it reads the circle, as far as it knows.
    fn in_board(&self) -> bool {
        self.workspace().inner.engine.stream_in(&self.board, BOARD).is_ok()
            && self.workspace().circles().expect("reads").iter().any(|circle| circle.readable)
    }

    fn database(&self, name: &str) -> Database {
        let circle = if name == BOARD { self.board } else { CircleId::WORKSPACE };
        self.workspace().database_in(name, circle)
    }

    /// What it syncs and reads.
    fn databases(&self) -> Vec<&'static str> {
        let shared = DATABASES.into_iter().filter(|database| self.holds(database));
        shared.chain([BOARD].into_iter().filter(|database| self.holds(database))).collect()
    }

    pub(super) fn log(&self) -> Arc<Log> {
        Arc::clone(&self.workspace().inner.engine.log)
    }

    pub(super) const fn storage(&self) -> &MemoryStorage {
        &self.storage
    }

    pub(super) fn promised(&self) -> &[EntryId] {
        &self.promised
    }

    /// Whether nobody invited it yet.
    pub(super) const fn is_outsider(&self) -> bool {
        self.workspace.is_none()
    }

    /// Whether it was admitted and holds the keys.
    pub(super) fn is_member(&self) -> bool {
        self.workspace.as_ref().is_some_and(|workspace| {
            let engine = &workspace.inner.engine;
            engine.user().is_ok() && engine.stream("").is_ok()
        })
    }

    pub(super) fn advance(&self, ms: u64) {
        self.clock.advance(ms);
        self.tick();
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(super) fn set_clock(&self, now_ms: u64) {
        self.clock.set(now_ms);
    }

    /// Lets the log do what time brings.
    pub(super) fn tick(&self) {
        if let Some(workspace) = &self.workspace {
            workspace.inner.engine.log.tick().expect("a sound disk");
        }
    }

    /// Makes an invite for one new writer, admitted as soon as it asks.
    pub(super) fn invite(&self, relay_key: [u8; 32], dice: &Dice) -> InviteLink {
        let desk = &self.workspace().inner.desk;
        let heads = self.log().directory().heads();
        let relay = Meeting { url: RELAY_URL.to_owned(), key: relay_key };
        let link = InviteLink::new(self.workspace().id(), random_array(&*dice.0), Some(relay), None, heads);
        let record = InviteRecord {
            id: EntryId(link.token()).to_string(),
            uri: link.to_uri(),
            role: "writer".to_owned(),
            relay: Some(RELAY_URL.to_owned()),
            expires_ms: 2 * START_MS,
            auto_approve: true,
            uses_left: 1,
            withdrawn: false,
            circles: Vec::new(),
            owed: Vec::new(),
        };
        desk.change(|local| local.invites.push(record)).expect("a sound disk");
        link
    }

    /// Makes keys and an empty log, to join with an invite.
    pub(super) fn prepare(&mut self, link: InviteLink) {
        let (workspace, _) = prepare(self.environment(), &key(), &link).expect("an empty disk");
        self.joining = Some((link, false));
        self.start(workspace);
    }

    /// Whether its letter has done what it can: next time it comes as a member, or with the letter.
    pub(super) fn ask_no_more(&mut self, done: bool) {
        if let Some((_, arrived)) = &mut self.joining {
            *arrived = done;
        }
    }

    /// Its part in a session with the relay, and the streams that are synced.
    pub(super) fn client(&self, relay: [u8; 32]) -> Option<(Role, Filter)> {
        let workspace = self.workspace.as_ref()?;
        let asks = matches!(self.joining, Some((_, false)));
        let member = (!asks).then(|| member(workspace, self.filter()));
        Some((Role::Client { relay, member }, self.filter()))
    }

    /// Its part in a session with another member, if it knows what members know.
    pub(super) fn peer(&self, initiator: bool) -> Option<(Role, Filter)> {
        let workspace = self.workspace.as_ref()?;
        let psk = workspace.inner.engine.peer_psk().ok()?;
        Some((Role::Peer { initiator, psk, member: member(workspace, self.filter()) }, self.filter()))
    }

    /// The streams it syncs; before it knows their names, the directory.
    pub(super) fn filter(&self) -> Filter {
        let Some(only) = self.only else { return Filter::All };
        let stream = self.workspace.as_ref().and_then(|workspace| workspace.inner.engine.stream(only).ok());
        Filter::Streams(stream.into_iter().chain([StreamId::DIRECTORY]).collect())
    }

    /// Whether it syncs and reads a database.
    pub(super) fn holds(&self, database: &str) -> bool {
        match self.only {
            Some(only) => only == database,
            None => database != BOARD || self.in_board(),
        }
    }

    /// Opens the boxes of its invites, or leaves the letter that asks to be admitted.
    pub(super) fn send_letters(&self, session: &mut Session) {
        if let Some((link, false)) = &self.joining {
            let letter = self.workspace().letter(link, "guest").expect("encodes");
            assert!(session.mail_put(BoxId(link.mailbox()), link.token(), letter));
            return;
        }
        for invite in self.workspace().inner.desk.local().invites {
            let link = InviteLink::parse(&invite.uri).expect("made here");
            let expires_ms = if invite.uses_left > 0 { invite.expires_ms } else { 0 };
            session.mail_open(BoxId(link.mailbox()), sha256(&[&link.token()]), expires_ms);
        }
    }

    /// Admits whoever asks with an invite of this device.
    pub(super) fn take_letter(&mut self, mailbox: BoxId, letter: &[u8]) {
        let desk = &self.workspace().inner.desk;
        if desk.take(mailbox, letter) {
            for request in desk.preapproved() {
                desk.admit(&request).expect("a sound disk, and room for one");
            }
        }
    }

    /// Does something that a program might do.
    pub(super) fn write(&mut self, dice: &Dice) {
        if !self.is_member() {
            return;
        }
        let mut database = self.only.unwrap_or_else(|| dice.one_of(&DATABASES));
        if self.holds(BOARD) && dice.chance(30) {
            database = BOARD;
        }
        self.writes += 1;
        let whose = if database == BOARD { BOARD_MARK } else { "for all" };
        let value = format!("{MARK}, {whose}: {} of {}", self.writes, self.number);
        let may_write = self.may_write(database);
        let before = self.log().arrivals();
        let written = now(self.write_to(dice, database, &value));
        if let Err(error) = written {
            // Of what is there and what is not, or of paths in documents.
            let expected = [ErrorKind::NotFound, ErrorKind::AlreadyExists, ErrorKind::InvalidArgument];
            let refused = !may_write && error.kind() == ErrorKind::NotAuthorized;
            assert!(refused || expected.contains(&error.kind()), "{error:?}");
        }
        let ids = self.log().ids_after(before).expect("reads");
        assert!(may_write || ids.is_empty(), "nothing is written without the right");
        if !self.doubted {
            self.promised.extend(ids.into_iter().map(|(_, id)| id));
        }
    }

    async fn write_to(&self, dice: &Dice, database: &str, value: &str) -> Result<()> {
        let database = self.database(database);
        let items: Collection<Value> = database.collection_with("items", options(Policy::Lww));
        let pages: Collection<Value> = database.collection_with("pages", options(Policy::Document));
        let key = dice.one_of(&KEYS);
        let record = Value::Map(BTreeMap::from([
            ("text".to_owned(), Value::Text(value.to_owned())),
            ("number".to_owned(), Value::Int(dice.below(100) as i64)),
        ]));
        match dice.below(16) {
            0..=2 => items.put(key, &record).await,
            3 => items.own()?.put(key, &record).await,
            4 => items.delete(key).await.map(drop),
            5 => items.patch(key, &BTreeMap::from([("patched", value)])).await,
            6 => items.update(key, |old| old.map(|_| record)).await.map(drop),
            7 => {
                let many = KEYS.iter().map(|key| (Some((*key).to_owned()), record.clone()));
                items.put_many(many).await.map(drop)
            }
            8 => {
                let mut transaction = database.transaction();
                let mut items = transaction.collection_with::<Value>("items", options(Policy::Lww));
                items.put(key, &record)?;
                items.delete(dice.one_of(&KEYS))?;
                let mut pages = transaction.collection_with::<Value>("pages", options(Policy::Document));
                pages.put(key, &record)?;
                transaction.commit().await.map(drop)
            }
            9 => pages.put(key, &record).await,
            10 => pages.delete(key).await.map(drop),
            11 => pages.document(key)?.increment("count", 1 + dice.below(5) as i64).await,
            12 => pages.document(key)?.insert("list", 0, &Value::Text(value.to_owned())).await,
            13 => {
                pages.document(key)?.set(dice.one_of(&["number", "map.text", "text"]), &Value::Int(1)).await
            }
            _ => {
                let document = pages.document(key)?;
                let length = document.text("body")?.unwrap_or_default().chars().count();
                let place = dice.below(length + 1);
                let removed = dice.below(3).min(length - place);
                document.splice_text("body", place, removed, value).await
            }
        }
    }

    /// Writes under a key that all members hold, where it may; makes one if there is none.
    pub(super) fn write_last(&mut self) {
        for name in self.databases() {
            if self.may_write(name) {
                let database = self.database(name);
                let items: Collection<Value> = database.collection_with("items", options(Policy::Lww));
                now(items.put("last", &Value::Int(1))).expect("a member writes");
            }
        }
    }

    /// The device stops, cleanly or by power loss or both, perhaps loses what can be computed, and
    /// comes back from its disk.
    pub(super) fn restart(&mut self, dice: &Dice) {
        let Some(workspace) = self.workspace.take() else { return };
        if dice.chance(50) {
            workspace.inner.engine.close();
        }
        let storage = after_stop(&self.storage, dice);
        // Whatever the program still holds, it writes to a disk that nobody sees any more.
        drop(workspace);
        if dice.chance(20) {
            // It may be missing: then there is nothing to lose.
            let _ = storage.remove("state.redb");
        }
        self.come_back(storage);
        let log = self.log();
        for id in &self.promised {
            assert!(log.position(id).expect("reads").is_some(), "lost in a restart");
        }
    }

    fn come_back(&mut self, storage: MemoryStorage) {
        self.observer = None;
        self.storage = storage;
        let workspace = open(self.environment(), &key()).expect("a disk after a crash opens");
        self.start(workspace);
    }

    /// A copy of its disk, if it is a member.
    pub(super) fn backup(&self) -> Option<MemoryStorage> {
        self.is_member().then(|| self.storage.crash_image(0))
    }

    /// Goes on from a copy. What was written since is lost, unless others have it.
    pub(super) fn restore(&mut self, backup: MemoryStorage) {
        drop(self.workspace.take());
        self.come_back(backup);
        let log = self.log();
        self.promised.retain(|id| log.position(id).expect("reads").is_some());
    }

    /// Looks at what its watches told since the last time.
    pub(super) fn observe(&mut self) {
        if !self.is_member() {
            return;
        }
        let databases: Vec<_> =
            self.databases().into_iter().map(|name| (name, self.database(name))).collect();
        let workspace = self.workspace.as_ref().expect("a member is up");
        match &mut self.observer {
            Some(observer) if observer.watches(&databases) => observer.check(workspace, self.upheaval),
            other => *other = Some(Observer::new(workspace, databases)),
        }
    }

    /// Everything that a database shows.
    pub(super) fn view(&self, database: &str) -> View {
        let mut view = View::new();
        let workspace = self.workspace();
        let handle = self.database(database);
        for (name, policy) in COLLECTIONS {
            let collection: Collection<Value> = handle.collection_with(name, options(policy));
            for owner in owners(workspace) {
                let collection = owner.map_or_else(|| collection.clone(), |user| collection.of(user));
                for item in collection.all().expect("reads") {
                    let heads = (policy == Policy::Document)
                        .then(|| collection.document(&item.key).expect("a document").heads().expect("reads"));
                    let shown = format!("{:?} {heads:?}", item.value);
                    view.insert(format!("{name} {owner:?} {}", item.key), shown);
                }
                for key in KEYS {
                    let history = collection.history(key).expect("reads");
                    let history: Vec<_> =
                        history.iter().map(|version| (version.entry, version.kind, version.hlc_ms)).collect();
                    if !history.is_empty() {
                        view.insert(format!("history of {name} {owner:?} {key}"), format!("{history:?}"));
                    }
                }
            }
        }
        view.extend(self.changes(database));
        view.insert("names".to_owned(), format!("{:?}", workspace.databases().expect("reads")));
        let members: Vec<_> =
            workspace.members().expect("reads").into_iter().map(|member| member.user).collect();
        view.insert("members".to_owned(), format!("{members:?}"));
        view
    }

    /// The changes of a database from the start, a few at a time.
    fn changes(&self, database: &str) -> View {
        let log = self.database(database).log();
        let mut view = View::new();
        let mut cursor = None;
        loop {
            let changes = log.changes_since(cursor.as_deref(), CHANGES_MAX.min(7)).expect("reads");
            if changes.items.is_empty() {
                return view;
            }
            for change in changes.items {
                assert!(!matches!(change.kind, ChangeKind::MissingKey | ChangeKind::Invalid), "{change:?}");
                let name = format!("change of {} {:?} {}", change.collection, change.owner, change.key);
                let once = view.insert(name, format!("{:?} {}", change.kind, change.entry)).is_none();
                assert!(once, "an item is listed once, at its latest change");
            }
            cursor = Some(changes.cursor);
        }
    }

    /// What is computed anew from the log alone shows the same.
    pub(super) fn check_rebuilt(&mut self) {
        let databases = self.databases();
        let before: Vec<View> = databases.iter().map(|database| self.view(database)).collect();
        self.workspace.take().expect("up").inner.engine.close();
        self.storage.remove("state.redb").expect("is there");
        self.come_back(self.storage.clone());
        let after: Vec<View> = databases.iter().map(|database| self.view(database)).collect();
        assert_eq!(before, after, "computed anew from the log");
    }
}

fn member(workspace: &Workspace, streams: Filter) -> Member {
    let engine = &workspace.inner.engine;
    Member {
        replica: Arc::clone(&engine.log) as Arc<_>,
        signer: engine.signer(),
        streams,
        direction: Direction::Both,
        bans: Arc::clone(&engine.bans),
    }
}

/// Nobody, and everybody who may have own items: also whoever is gone.
pub(super) fn owners(workspace: &Workspace) -> Vec<Option<UserId>> {
    let engine = &workspace.inner.engine;
    let directory = engine.log.directory();
    let (frontier, _) = engine.log.frontier();
    let wrote = frontier.iter().filter_map(|leaf| directory.owner_of(&leaf.device));
    let users: BTreeSet<UserId> = wrote.chain(directory.users().into_iter().map(|user| user.id)).collect();
    [None].into_iter().chain(users.into_iter().map(Some)).collect()
}
