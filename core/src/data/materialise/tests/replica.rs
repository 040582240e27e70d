//! A replica in memory, and random histories to give it.

use super::*;

/// Tables in memory.
#[derive(Debug, Default)]
pub(super) struct MemoryTables(pub(super) RefCell<Rows>);

impl StateRead for MemoryTables {
    fn get(&self, table: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.0.borrow().get(&(table, key.to_vec())).cloned())
    }

    fn range(
        &self,
        table: &'static str,
        from: &[u8],
        to: Option<&[u8]>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StateError> {
        let mut found = Vec::new();
        for ((name, row), value) in self.0.borrow().iter() {
            if *name == table && row.as_slice() >= from && to.is_none_or(|to| row.as_slice() < to) {
                found.push((row.clone(), value.clone()));
            }
        }
        if reverse {
            found.reverse();
        }
        for (row, value) in found {
            if visit(&row, &value).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Tables for MemoryTables {
    fn put(&self, table: &'static str, key: &[u8], value: &[u8]) -> Result<(), StateError> {
        self.0.borrow_mut().insert((table, key.to_vec()), value.to_vec());
        Ok(())
    }

    fn delete(&self, table: &'static str, key: &[u8]) -> Result<(), StateError> {
        self.0.borrow_mut().remove(&(table, key.to_vec()));
        Ok(())
    }
}

/// Keys for payloads in plaintext: held or not. A device's user has its first byte.
#[derive(Debug, Clone, Default)]
pub(super) struct PlainKeys(pub(super) Arc<Mutex<HashSet<KeyId>>>);

impl Unseal for PlainKeys {
    fn directory_changed(&mut self, _: &Directory) {}

    fn holds(&self, key: &KeyId) -> bool {
        self.0.lock().expect("sound").contains(key)
    }

    fn unseal(&self, entry: &Entry) -> Unsealed {
        if !self.holds(&entry.header().key_id) {
            return Unsealed::MissingKey;
        }
        match entry.payload().split_first_chunk() {
            Some((hlc, operations)) => Unsealed::Plain {
                hlc: Hlc::from_bits(u64::from_be_bytes(*hlc)),
                operations: operations.to_vec(),
            },
            None => Unsealed::Invalid,
        }
    }

    fn is_own(&self, device: &DeviceId) -> bool {
        *device == ME
    }

    fn user(&self, device: &DeviceId) -> Option<UserId> {
        Some(user(device.0[0]))
    }

    fn circle(&self, _: &Header) -> Option<CircleId> {
        Some(CircleId::WORKSPACE)
    }

    fn stream(&self, _: &CircleId, database: &str) -> Option<StreamId> {
        (database == "main").then_some(STREAM)
    }
}

pub(super) fn user(number: u8) -> UserId {
    UserId([number; 16])
}

pub(super) fn scope(policy: Policy) -> Scope {
    Scope { stream: STREAM, collection: policy.name().into(), policy, owner: None }
}

pub(super) fn hlc(ms: u64) -> Hlc {
    Hlc::from_bits(ms << 16)
}

/// An entry of a device, at a time, under key `key`, that `salt` tells from its like.
pub(super) fn sealed(device: u8, at: Hlc, key: u8, salt: u64, operations: &[u8]) -> Entry {
    let payload = [&at.bits().to_be_bytes()[..], operations].concat();
    let header = Header {
        kind: Kind::Data,
        prunable: false,
        covered: false,
        payload_len: u32::try_from(payload.len()).expect("small"),
        seq: 2 + salt,
        workspace: WorkspaceId([1; 32]),
        author: DeviceId([device; 32]),
        prev: EntryId([2; 32]),
        auth: EntryId([3; 32]),
        stream: STREAM,
        key_id: KeyId([key; 16]),
        payload_hash: payload_hash(&payload),
        signature: [9; 64],
    };
    Entry::new(header, payload).expect("well formed")
}

pub(super) fn entry(device: u8, at: Hlc, salt: u64, operations: &Operations) -> Entry {
    sealed(device, at, 1, salt, &operations.encode())
}

pub(super) fn put(key: &str, value: i64) -> Operations {
    Operations::one(&scope(Policy::Lww), key, Action::put(&Value::Int(value)).expect("finite"))
}

pub(super) fn delete(key: &str) -> Operations {
    Operations::one(&scope(Policy::Lww), key, Action::Delete)
}

pub(super) struct Replica {
    pub(super) tables: MemoryTables,
    pub(super) materialiser: Materialiser<PlainKeys>,
    pub(super) wall: Arc<ManualClock>,
    pub(super) keys: PlainKeys,
    pub(super) watch: Watch,
    pub(super) log: Entries,
}

/// The entries in order of arrival.
#[derive(Default)]
pub(super) struct Entries(pub(super) Vec<Entry>);

impl Held for Entries {
    fn entry(&self, arrival: u64) -> Result<Entry, LogError> {
        Ok(self.0[usize::try_from(arrival - 1).expect("small")].clone())
    }
}

impl Replica {
    pub(super) fn new() -> Self {
        let wall = Arc::new(ManualClock::new(NOW));
        let shared = Arc::new(Shared::default());
        let keys = PlainKeys::default();
        keys.0.lock().expect("sound").insert(KeyId([1; 16]));
        let watch = shared.hub.watch(Interest::default());
        let clock = Arc::new(HlcClock::new(wall.clone()));
        let random = Arc::new(SeededRandom::new(1));
        let materialiser = Materialiser::new(keys.clone(), clock, random, shared);
        Self { tables: MemoryTables::default(), materialiser, wall, keys, watch, log: Entries::default() }
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        self.log.0.push(entry.clone());
        self.materialiser.add(&self.tables, self.log.0.len() as u64, entry).expect("applies");
        self.materialiser.keep_position(&self.tables).expect("applies");
        self.materialiser.publish();
    }

    pub(super) fn learn(&mut self, key: u8) {
        self.keys.0.lock().expect("sound").insert(KeyId([key; 16]));
        let directory = Directory::new(WorkspaceId([1; 32]));
        self.materialiser.keys_changed(&self.tables, &directory, &self.log).expect("applies");
        self.materialiser.publish();
    }

    pub(super) fn advance_to(&mut self, ms: u64) {
        self.wall.set(ms);
        if self.materialiser.is_due() {
            self.materialiser.time_passed(&self.tables, &self.log).expect("applies");
            self.materialiser.publish();
        }
    }

    pub(super) fn events(&mut self) -> Vec<(EventKind, String)> {
        std::iter::from_fn(|| self.watch.next_now())
            .map(|notice| match notice {
                Notice::Event(event) => (event.kind, event.key),
                Notice::Lagged(_) => panic!("the watch is large enough"),
            })
            .collect()
    }

    pub(super) fn value(&self, key: &str) -> Option<i64> {
        let row = tables::item(&self.tables, &scope(Policy::Lww).item_row(key)).expect("reads")?;
        row.live.then(|| cbor::decode(&row.body).expect("value").as_int()).flatten()
    }

    pub(super) fn document(&self, key: &str) -> Option<String> {
        self.open(key).map(|mut open| open.value().expect("shallow").to_json().expect("text"))
    }

    pub(super) fn open(&self, key: &str) -> Option<Generations> {
        let scope = scope(Policy::Document);
        let row = tables::item(&self.tables, &scope.item_row(key)).expect("reads")?;
        let cached = Cached::load(&self.tables, &tables::part_row(&scope, key), 0).expect("loads");
        row.live.then_some(cached.document)
    }

    /// All that must not depend on the order of arrival.
    pub(super) fn shown(&self) -> Shown {
        let rows = self.tables.0.borrow();
        let of = |name: &'static str| rows.iter().filter(move |((table, _), _)| *table == name);
        let items = of(ITEMS).map(|((_, row), value)| {
            let item = ItemRow::decode(value).expect("row");
            let (scope, key) = Scope::parse_item_row(row).expect("row");
            let body = match scope.policy {
                // A change that loses every conflict shows in the heads only.
                Policy::Document => self.open(key).map(|mut open| {
                    let heads = open.shown().heads().clone();
                    format!("{:?} {heads:?}", open.value().expect("shallow")).into_bytes()
                }),
                Policy::Lww => Some(item.body),
            };
            (row.clone(), (item.version, item.live, body))
        });
        Shown {
            items: items.collect(),
            history: of(HISTORY).map(|((_, row), _)| row.clone()).collect(),
            collections: of(COLLECTIONS).map(|((_, row), _)| row.clone()).collect(),
            changes: of(CHANGES).map(|(_, value)| strip_arrival(value)).collect(),
        }
    }
}

pub(super) fn strip_arrival(value: &[u8]) -> ChangeRow {
    match ChangeRow::decode(value).expect("row") {
        ChangeRow::Unread { reason, entry, author, .. } => {
            ChangeRow::Unread { reason, arrival: 0, entry, author }
        }
        item @ ChangeRow::Item(_) => item,
    }
}

/// An item's version, whether it is there, and what it is.
pub(super) type ShownItem = (Version, bool, Option<Vec<u8>>);

#[derive(Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) items: BTreeMap<Vec<u8>, ShownItem>,
    pub(super) history: Vec<Vec<u8>>,
    pub(super) collections: Vec<Vec<u8>>,
    pub(super) changes: HashSetOf<ChangeRow>,
}

/// A multiset, by its debug form.
#[derive(Debug, PartialEq)]
pub(super) struct HashSetOf<T>(pub(super) BTreeMap<String, usize>, std::marker::PhantomData<T>);

impl<T: std::fmt::Debug> FromIterator<T> for HashSetOf<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut counts = BTreeMap::new();
        for item in items {
            *counts.entry(format!("{item:?}")).or_default() += 1;
        }
        Self(counts, std::marker::PhantomData)
    }
}

/// One step of a random history.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) device: u8,
    /// Minutes from now, also in the future.
    pub(super) minutes: u8,
    pub(super) key: u8,
    pub(super) late_key: bool,
    pub(super) action: u8,
    /// Whether the change was made from what all devices had made before.
    pub(super) merge: bool,
}

pub(super) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0u8..3, 0u8..25, 0u8..3, any::<bool>(), 0u8..9, any::<bool>()).prop_map(
        |(device, minutes, key, late_key, action, merge)| Step {
            device,
            minutes,
            key,
            late_key,
            action,
            merge,
        },
    );
    proptest::collection::vec(step, 1..25)
}

/// The entries of a history. Every device changes its own copy of the document, and now and then
/// takes over what the first one has.
pub(super) fn entries(steps: &[Step]) -> Vec<Entry> {
    let mut copies: Vec<Generations> = (0..3).map(|_| Generations::empty()).collect();
    let mut seen: Vec<Action> = Vec::new();
    let documents = scope(Policy::Document);
    let mut entries = Vec::new();
    for (salt, step) in steps.iter().enumerate() {
        let key = format!("k{}", step.key);
        let number = i64::try_from(salt).expect("small");
        let mut operations = Operations::default();
        match step.action {
            0 => operations = delete(&key),
            1 => operations = Operations::one(&documents, "doc", Action::Delete),
            2 | 3 | 8 => {
                let copy = &mut copies[usize::from(step.device)];
                if step.merge {
                    seen.iter().for_each(|action| take(copy, action));
                }
                let begin = if step.action == 8 { copy.renew() } else { None };
                let made = match begin {
                    Some(begin) => vec![Action::from(begin)],
                    None => edited(copy, step.device, &key, number),
                };
                for action in made {
                    take(copy, &action);
                    seen.push(action.clone());
                    operations.push(&documents, "doc", action);
                }
                if step.action == 3 {
                    operations.push(
                        &scope(Policy::Lww),
                        &key,
                        Action::put(&Value::Int(number)).expect("finite"),
                    );
                }
            }
            4 => {
                operations = put(&key, number);
                operations.push(&scope(Policy::Lww), &key, Action::Delete);
                operations.push(
                    &scope(Policy::Lww),
                    "both",
                    Action::put(&Value::Int(number)).expect("finite"),
                );
            }
            _ => operations = put(&key, number),
        }
        let at = hlc(NOW + u64::from(step.minutes) * 60_000);
        let key_id = if step.late_key { 2 } else { 1 };
        entries.push(sealed(
            step.device,
            at,
            key_id,
            u64::try_from(salt).expect("small"),
            &operations.encode(),
        ));
    }
    // A copy of the first entry under the name of a device that may not write it, and nonsense.
    let foreign = Scope { owner: Some(user(1)), ..scope(Policy::Lww) };
    entries.push(entry(2, hlc(NOW), 1000, &Operations::one(&foreign, "own", Action::Delete)));
    entries.push(entry(1, hlc(NOW), 1001, &Operations::one(&foreign, "own", Action::Delete)));
    entries.push(sealed(1, hlc(NOW), 1, 1002, b"nonsense"));
    entries
}

pub(super) fn take(document: &mut Generations, action: &Action) {
    match action.clone() {
        Action::Change(change) => drop(document.apply(parse_change(&change).expect("change"))),
        Action::Begin { heads, before, change } => {
            drop(document.begin(&Begin::parse(heads, before, &change).expect("begin")));
        }
        Action::Put(_) | Action::Delete => {}
    }
}

/// A change to a document, after what nobody else may know of it.
pub(super) fn edited(document: &mut Generations, device: u8, key: &str, number: i64) -> Vec<Action> {
    let actor = document.actor(&DeviceId([device; 32]), b"doc");
    let unpublished = document.unpublished();
    let (_, change) = document
        .shown()
        .edit(actor, |edit| {
            edit.splice_text("text", 0, 0, "x")?;
            edit.set(key, &Value::Int(number))
        })
        .expect("edits");
    let changes = unpublished.into_iter().chain(change);
    changes.map(|change| Action::Change(change.raw_bytes().to_vec())).collect()
}

pub(super) fn in_order(entries: &[Entry]) -> Replica {
    let mut replica = Replica::new();
    replica.learn(2);
    replica.advance_to(NOW + 60 * 60_000);
    entries.iter().for_each(|entry| replica.add(entry));
    replica
}
