//! Crafts entries, and delivers them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tidelog_log::crypto::{Signer, TestSigner, sha256};
use tidelog_log::directory::{Body, Cut, DeviceCert, Directory, Op, Role};
use tidelog_log::entry::{Entry, Header, Kind, payload_hash};
use tidelog_log::ids::{DeviceId, EntryId, KeyId, StreamId, UserId};
use tidelog_log::log::{Apply, Exclusion, Held, Log, LogError};
use tidelog_log::session::{Fault, Receipt};
use tidelog_log::state::StateBatch;
use tidelog_log::storage::MemoryStorage;
use tidelog_log::testing::TestWorkspace;
use tidelog_log::trie::Filter;

pub(crate) const STREAM: StreamId = StreamId([5; 16]);
pub(crate) const KEY: KeyId = KeyId([1; 16]);
/// Orders of delivery that each attack is tried in.
const ORDERS: u64 = 6;

pub(crate) const OWNER: u8 = 0;
pub(crate) const ADMIN: u8 = 1;
pub(crate) const WRITER: u8 = 2;
pub(crate) const OTHER: u8 = 3;
/// Devices that nobody has added yet.
pub(crate) const STRANGER: u8 = 10;
pub(crate) const SPARE: u8 = 11;

/// Ids to compare with.
pub(crate) fn set(ids: &[EntryId]) -> BTreeSet<EntryId> {
    ids.iter().copied().collect()
}

/// A workspace and everything that anybody ever signed in it.
pub(crate) struct World {
    pub(crate) workspace: TestWorkspace,
    pub(crate) entries: Vec<Entry>,
    /// The last entry of each chain, as its author sees it.
    last: BTreeMap<(u8, StreamId), (u64, EntryId)>,
    /// The directory as somebody sees it who knows all of it.
    directory: Directory,
}

impl World {
    /// An owner, two admins (the second is [`OTHER`]) and a writer; returns the head all know.
    pub(crate) fn new(seed: u64) -> (Self, EntryId) {
        let workspace = TestWorkspace::new(seed);
        let log = workspace.founder_log(Arc::new(MemoryStorage::new()), 1);
        let entries: Vec<Entry> =
            (1..=log.arrivals()).filter_map(|arrival| log.entry_at(arrival).expect("reads")).collect();
        let directory = log.directory();
        let head = entries.last().expect("founded").id();
        let mut world = Self { workspace, entries, last: BTreeMap::new(), directory };
        let add = |number, role| world.workspace.add_user(number, role);
        let ops = vec![add(ADMIN, Role::Admin), add(OTHER, Role::Admin), add(WRITER, Role::Writer)];
        let head = world.directory_entry(OWNER, &[head], ops);
        (world, head)
    }

    pub(crate) fn device(&self, number: u8) -> DeviceId {
        self.workspace.device(number).device()
    }

    pub(crate) fn user(&self, number: u8) -> UserId {
        self.workspace.user(number)
    }

    /// A certificate of a device for the user of another.
    pub(crate) fn cert(&self, device: u8, user: u8) -> DeviceCert {
        let signer = self.workspace.device(device);
        DeviceCert::issue(&*signer, [device.wrapping_add(9); 32], &self.workspace.id(), &self.user(user))
    }

    fn seal(&mut self, author: u8, mut header: Header, payload: Vec<u8>) -> EntryId {
        let signer: Arc<TestSigner> = self.workspace.device(author);
        let chain = (author, header.stream);
        let (seq, prev) = self.last.get(&chain).copied().unwrap_or((0, EntryId::ZERO));
        (header.seq, header.prev) = (seq + 1, prev);
        header.payload_len = u32::try_from(payload.len()).expect("small");
        header.payload_hash = payload_hash(&payload);
        header.sign(&*signer);
        let entry = Entry::new(header, payload).expect("well formed");
        let id = entry.id();
        self.last.insert(chain, (seq + 1, id));
        self.entries.push(entry);
        id
    }

    fn header(&self, author: u8, kind: Kind, stream: StreamId, auth: EntryId) -> Header {
        Header {
            kind,
            prunable: false,
            covered: false,
            payload_len: 0,
            seq: 0,
            workspace: self.workspace.id(),
            author: self.device(author),
            prev: EntryId::ZERO,
            auth,
            stream,
            key_id: if kind == Kind::Directory { KeyId::ZERO } else { KEY },
            payload_hash: [0; 32],
            signature: [0; 64],
        }
    }

    /// An entry of the directory under any parents; the author's own last one is added.
    pub(crate) fn directory_entry(&mut self, author: u8, parents: &[EntryId], ops: Vec<Op>) -> EntryId {
        let previous = self.last.get(&(author, StreamId::DIRECTORY)).map(|(_, id)| *id);
        let mut parents = parents.to_vec();
        parents.extend(previous.filter(|own| !parents.contains(own)));
        let header = self.header(author, Kind::Directory, StreamId::DIRECTORY, parents[0]);
        let payload = Body { parents, ops }.encode().expect("fits");
        let id = self.seal(author, header, payload);
        let entry = self.entries.last().expect("just made");
        self.directory.insert(entry, previous).expect("can be held");
        id
    }

    /// A data entry under any entry of the directory.
    pub(crate) fn write(&mut self, author: u8, auth: EntryId) -> EntryId {
        self.write_in(STREAM, author, auth)
    }

    /// A data entry in any stream.
    pub(crate) fn write_in(&mut self, stream: StreamId, author: u8, auth: EntryId) -> EntryId {
        let header = self.header(author, Kind::Data, stream, auth);
        let payload = vec![u8::try_from(self.entries.len() % 256).expect("a byte"); 40];
        self.seal(author, header, payload)
    }

    /// Lets an author forget its later entries, so that the next one forks.
    pub(crate) fn rewind(&mut self, author: u8, stream: StreamId, to: EntryId) {
        let entry = self.entries.iter().find(|entry| entry.id() == to).expect("made before");
        self.last.insert((author, stream), (entry.header().seq, to));
    }

    /// The cut of a device at one of its entries.
    pub(crate) fn cut(&self, at: EntryId) -> Cut {
        let entry = self.entries.iter().find(|entry| entry.id() == at).expect("made before");
        let header = entry.header();
        Cut { device: header.author, stream: header.stream, seq: header.seq, id: at }
    }

    pub(crate) fn remove(&self, number: u8, cuts: Vec<Cut>) -> Op {
        Op::RemoveUser { user: self.user(number), cuts }
    }

    /// The entries made since there were so many.
    pub(crate) fn since(&self, count: usize) -> Vec<Entry> {
        self.entries[count..].to_vec()
    }

    pub(crate) fn replica(&self, seed: u64) -> Place {
        let counting = Counting::default();
        let mut options = self.workspace.options(Arc::new(MemoryStorage::new()), seed);
        options.apply = Some(Box::new(Recorder(counting.clone())));
        let log = Arc::new(Log::create(options, self.workspace.id()).expect("creates"));
        Place { log, counting: Some(counting) }
    }

    pub(crate) fn relay(&self, seed: u64) -> Place {
        let log = Arc::new(self.workspace.empty_log(Arc::new(MemoryStorage::new()), 1_000 + seed));
        Place { log, counting: None }
    }

    /// Delivers everything in several orders; the data entries that count in the end are these,
    /// everywhere.
    pub(crate) fn assert_counts(&self, expected: &[EntryId]) -> Vec<Place> {
        let expected: BTreeSet<EntryId> = expected.iter().copied().collect();
        let mut places = Vec::new();
        for order in 0..ORDERS {
            for place in super::places(self, order) {
                place.assert_counts(&expected);
                places.push(place);
            }
        }
        let roots: BTreeSet<_> = places.iter().map(Place::root).collect();
        assert_eq!(roots.len(), 1, "all orders of arrival end with the same frontier");
        let standing = |place: &Place| {
            let directory = place.log.directory();
            (directory.users(), directory.heads())
        };
        let first = places.first().map(standing);
        assert!(places.iter().all(|place| Some(standing(place)) == first), "and with the same members");
        places
    }

    /// The present state as everybody sees it in the end.
    pub(crate) fn directory(&self) -> Directory {
        let place = self.relay(99);
        place.deliver(&self.entries, 0);
        place.log.directory()
    }
}

/// The data entries that were applied and not taken back.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counting(Arc<Mutex<BTreeMap<u64, EntryId>>>);

struct Recorder(Counting);

impl Apply for Recorder {
    fn apply(&mut self, _: &StateBatch<'_>, arrival: u64, entry: &Entry) -> Result<(), LogError> {
        if entry.header().kind == Kind::Data {
            let before = self.0.0.lock().expect("sound").insert(arrival, entry.id());
            assert_eq!(before, None, "an entry is applied once");
        }
        Ok(())
    }

    fn retract(&mut self, _: &StateBatch<'_>, arrivals: &[u64], held: &dyn Held) -> Result<(), LogError> {
        for arrival in arrivals {
            let entry = held.entry(*arrival)?;
            if entry.header().kind == Kind::Data {
                let before = self.0.0.lock().expect("sound").remove(arrival);
                assert_eq!(before, Some(entry.id()), "only what was applied is taken back");
            }
        }
        Ok(())
    }

    fn directory_changed(&mut self, _: &StateBatch<'_>, _: &Directory, _: &dyn Held) -> Result<(), LogError> {
        Ok(())
    }

    fn due(&self, _: u64) -> bool {
        false
    }

    fn tick(&mut self, _: &StateBatch<'_>, _: u64, _: &dyn Held) -> Result<(), LogError> {
        Ok(())
    }

    fn committed(&mut self) {}
}

/// A log somewhere.
pub(crate) struct Place {
    pub(crate) log: Arc<Log>,
    counting: Option<Counting>,
}

impl Place {
    pub(crate) fn take(&self, entries: Vec<Entry>) -> Receipt {
        self.log.receive_blocking(entries).expect("storage works")
    }

    /// Hands over entries one by one in an order chosen by a seed, again and again until none is
    /// taken; then what is left at once.
    pub(crate) fn deliver(&self, entries: &[Entry], seed: u64) {
        let mut open = entries.to_vec();
        if seed > 0 {
            open.sort_by_key(|entry| sha256(&[&seed.to_le_bytes(), &entry.id().0]));
        }
        loop {
            let before = open.len();
            open.retain(|entry| {
                let receipt = self.take(vec![entry.clone()]);
                assert!(receipt.refused.iter().all(|refused| refused.fault != Fault::Invalid), "{receipt:?}");
                receipt.stored.is_empty() && receipt.known.is_empty()
            });
            if open.len() == before {
                open.sort_by_key(|entry| entry.header().seq);
                let receipt = self.take(open.clone());
                if receipt.stored.is_empty() {
                    return;
                }
                let waiting: BTreeSet<EntryId> = receipt
                    .missing
                    .iter()
                    .map(|missing| missing.entry)
                    .chain(receipt.excluded.iter().copied())
                    .collect();
                open.retain(|entry| waiting.contains(&entry.id()));
            }
        }
    }

    pub(crate) fn root(&self) -> [u8; 32] {
        self.log.frontier().0.root(&Filter::All)
    }

    /// The data entries that are held and count.
    pub(crate) fn counting(&self) -> BTreeSet<EntryId> {
        let excluded: BTreeSet<EntryId> =
            self.log.excluded().expect("reads").into_iter().map(|excluded| excluded.entry).collect();
        let held = (1..=self.log.arrivals()).filter_map(|arrival| self.log.entry_at(arrival).expect("reads"));
        let counts = |entry: &Entry| entry.header().kind == Kind::Data && !excluded.contains(&entry.id());
        let counting = held.filter(counts).map(|entry| entry.id()).collect();
        if let Some(applied) = &self.counting {
            let applied: BTreeSet<EntryId> = applied.0.lock().expect("sound").values().copied().collect();
            assert_eq!(applied, counting, "the engine has what counts");
        }
        counting
    }

    pub(crate) fn assert_counts(&self, expected: &BTreeSet<EntryId>) {
        assert_eq!(&self.counting(), expected);
    }

    /// Why a held entry does not count.
    pub(crate) fn reason(&self, id: EntryId) -> Option<Exclusion> {
        let excluded = self.log.excluded().expect("reads");
        excluded.into_iter().find(|excluded| excluded.entry == id).map(|excluded| excluded.reason)
    }
}
