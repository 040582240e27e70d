//! A replica in memory, for tests of the session alone: it checks what links entries, and
//! signatures, but no rights.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use crate::crypto::{PublicKey, Signer, TestSigner};
use crate::entry::{Entry, Header, Kind, payload_hash};
use crate::ids::{DeviceId, EntryId, KeyId, StreamId, WorkspaceId};
use crate::session::{Cursor, Fault, Membership, Missing, Receipt, Refused, Replica, ReplicaError};
use crate::trie::{Filter, Frontier, Tip};

pub(super) const WORKSPACE: WorkspaceId = WorkspaceId([0x77; 32]);
/// The only directory entry, which all others rest on: held by all, named by nobody.
const AUTH: EntryId = EntryId([0xaa; 32]);

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    positions: HashMap<EntryId, u64>,
    frontier: Frontier,
    cursors: HashMap<[u8; 32], Cursor>,
    strangers: HashSet<DeviceId>,
    admits_from: Option<usize>,
    removed_from: Option<(DeviceId, usize)>,
    quota: Option<usize>,
    too_old_for: Option<DeviceId>,
    excludes: Option<DeviceId>,
    handed: usize,
    fails: bool,
}

pub(super) struct MemoryReplica {
    epoch: [u8; 16],
    state: Mutex<State>,
}

pub(super) fn signer(device: u8) -> TestSigner {
    TestSigner::new([device; 32])
}

pub(super) fn stream(number: u8) -> StreamId {
    StreamId([number; 16])
}

impl MemoryReplica {
    pub(super) fn new(epoch: u8) -> Self {
        Self { epoch: [epoch; 16], state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the lock")
    }

    /// Makes a run of a device in a stream: covered entries and a signed one.
    pub(super) fn write(&self, device: u8, in_stream: u8, count: usize, payload_len: usize) {
        let tip = self.state().frontier.tips(&stream(in_stream), &signer(device).device()).last().copied();
        let entries = run(device, in_stream, tip, count, payload_len, 0);
        assert_eq!(self.receive(entries).expect("no storage to fail").stored.len(), count);
    }

    pub(super) fn tips(&self, device: u8, in_stream: u8) -> Vec<Tip> {
        self.state().frontier.tips(&stream(in_stream), &signer(device).device()).to_vec()
    }

    pub(super) fn root(&self) -> [u8; 32] {
        self.state().frontier.root(&Filter::All)
    }

    pub(super) fn len(&self) -> usize {
        self.state().entries.len()
    }

    /// Treats a device as no member until this many entries are held.
    pub(super) fn estrange(&self, device: u8, until: usize) {
        self.state().strangers.insert(signer(device).device());
        self.state().admits_from = Some(until);
    }

    /// Says that a device was removed, once there are so many entries.
    pub(super) fn remove_from(&self, device: u8, count: usize) {
        self.state().removed_from = Some((signer(device).device(), count));
    }

    pub(super) fn set_quota(&self, entries: usize) {
        self.state().quota = Some(entries);
    }

    /// Takes the entries of a device for those of a newer version.
    pub(super) fn be_too_old_for(&self, device: u8) {
        self.state().too_old_for = Some(signer(device).device());
    }

    /// Stores nothing of a device, since it does not count.
    pub(super) fn exclude(&self, device: u8) {
        self.state().excludes = Some(signer(device).device());
    }

    /// How many entries were handed over, those included that were before.
    pub(super) fn handed(&self) -> usize {
        self.state().handed
    }

    pub(super) fn fail(&self) {
        self.state().fails = true;
    }

    pub(super) fn forget_cursors(&self) {
        self.state().cursors.clear();
    }
}

/// Entries that go on from a tip; `variant` makes others of the same place.
pub(super) fn run(
    device: u8,
    in_stream: u8,
    tip: Option<Tip>,
    count: usize,
    payload_len: usize,
    variant: u8,
) -> Vec<Entry> {
    let signer = signer(device);
    let mut before = tip.unwrap_or(Tip { seq: 0, id: EntryId::ZERO });
    let mut entries = Vec::new();
    for index in 0..count {
        let payload = vec![variant; payload_len];
        let mut header = Header {
            kind: Kind::Data,
            prunable: false,
            covered: index + 1 < count,
            payload_len: u32::try_from(payload_len).expect("small"),
            seq: before.seq + 1,
            workspace: WORKSPACE,
            author: signer.device(),
            prev: before.id,
            auth: AUTH,
            stream: stream(in_stream),
            key_id: KeyId([1; 16]),
            payload_hash: payload_hash(&payload),
            signature: [0; 64],
        };
        if !header.covered {
            header.sign(&signer);
        }
        let entry = Entry::new(header, payload).expect("well formed");
        before = Tip { seq: entry.header().seq, id: entry.id() };
        entries.push(entry);
    }
    entries
}

impl State {
    fn add(&mut self, entry: Entry) -> u64 {
        let header = entry.header();
        let (stream, device) = (header.stream, header.author);
        let mut tips = self.frontier.tips(&stream, &device).to_vec();
        tips.retain(|tip| tip.id != header.prev);
        tips.push(Tip { seq: header.seq, id: entry.id() });
        self.frontier.set(stream, device, tips);
        let arrival = self.entries.len() as u64 + 1;
        self.positions.insert(entry.id(), arrival);
        self.entries.push(entry);
        arrival
    }

    fn entry(&self, id: &EntryId) -> Option<&Entry> {
        self.positions.get(id).map(|arrival| &self.entries[usize::try_from(arrival - 1).expect("small")])
    }

    fn branch(&self, tip: &EntryId) -> Vec<Entry> {
        let mut branch = Vec::new();
        let mut id = *tip;
        while let Some(entry) = self.entry(&id) {
            branch.push(entry.clone());
            id = entry.header().prev;
        }
        branch.reverse();
        branch
    }
}

/// As many as fit, and then on to a signed one.
fn fitting(entries: impl Iterator<Item = Entry>, max_bytes: usize) -> Vec<Entry> {
    let mut taken: Vec<Entry> = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        let closed = taken.last().is_some_and(|last| !last.header().covered);
        if closed && bytes + entry.len() > max_bytes {
            break;
        }
        bytes += entry.len();
        taken.push(entry);
    }
    taken
}

impl Replica for MemoryReplica {
    fn workspace(&self) -> WorkspaceId {
        WORKSPACE
    }

    fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    fn arrivals(&self) -> u64 {
        self.state().entries.len() as u64
    }

    fn membership(&self, device: &DeviceId) -> Membership {
        let state = self.state();
        let grown = state.admits_from.is_some_and(|count| state.entries.len() >= count);
        if state
            .removed_from
            .is_some_and(|(removed, count)| removed == *device && state.entries.len() >= count)
        {
            Membership::Removed
        } else if !state.strangers.contains(device) || grown {
            Membership::Active
        } else {
            Membership::Unknown
        }
    }

    fn frontier(&self) -> (Frontier, u64) {
        let state = self.state();
        (state.frontier.clone(), state.entries.len() as u64)
    }

    fn entries_after(
        &self,
        arrival: u64,
        filter: &Filter,
        max_bytes: usize,
    ) -> Result<Vec<(u64, Entry)>, ReplicaError> {
        let state = self.state();
        let later = state.entries.iter().skip(usize::try_from(arrival)?);
        let wanted = later.filter(|entry| filter.contains(&entry.header().stream)).cloned();
        let entries = fitting(wanted, max_bytes);
        Ok(entries.into_iter().map(|entry| (state.positions[&entry.id()], entry)).collect())
    }

    fn branch(
        &self,
        _stream: StreamId,
        _device: DeviceId,
        tip: &EntryId,
        after_seq: u64,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, ReplicaError> {
        let branch = self.state().branch(tip);
        Ok(fitting(branch.into_iter().filter(|entry| entry.header().seq > after_seq), max_bytes))
    }

    fn id_on_branch(
        &self,
        _stream: StreamId,
        _device: DeviceId,
        tip: &EntryId,
        seq: u64,
    ) -> Result<Option<EntryId>, ReplicaError> {
        Ok(self.state().branch(tip).iter().find(|entry| entry.header().seq == seq).map(Entry::id))
    }

    fn position(&self, id: &EntryId) -> Result<Option<u64>, ReplicaError> {
        Ok(self.state().positions.get(id).copied())
    }

    fn receive(&self, entries: Vec<Entry>) -> Result<Receipt, ReplicaError> {
        let mut state = self.state();
        if state.fails {
            return Err("the disk is on fire".into());
        }
        state.handed += entries.len();
        let mut receipt = Receipt::default();
        let mut bad = HashSet::new();
        for entry in entries {
            let (id, header) = (entry.id(), entry.header());
            let key = PublicKey::new(header.author.as_bytes()).expect("a key of a test");
            if let Some(arrival) = state.positions.get(&id) {
                receipt.known.push(*arrival);
            } else if bad.contains(&header.prev) || !header.covered && !header.verify(&key) {
                bad.insert(id);
                let reason = "entry signature is invalid".to_owned();
                receipt.refused.push(Refused { entry: id, fault: Fault::Signature, reason });
            } else if state.too_old_for == Some(header.author) {
                let reason = "upgrade needed".to_owned();
                receipt.refused.push(Refused { entry: id, fault: Fault::UpgradeNeeded, reason });
            } else if state.excludes == Some(header.author) {
                receipt.excluded.push(id);
            } else if header.seq > 1 && !state.positions.contains_key(&header.prev) {
                receipt.missing.push(Missing { entry: id, needs: header.prev });
            } else if state.quota.is_some_and(|quota| state.entries.len() >= quota) {
                let reason = "workspace is full".to_owned();
                receipt.refused.push(Refused { entry: id, fault: Fault::Quota, reason });
            } else {
                receipt.stored.push(state.add(entry));
            }
        }
        Ok(receipt)
    }

    fn cursor(&self, peer: &[u8; 32]) -> Option<Cursor> {
        self.state().cursors.get(peer).copied()
    }

    fn set_cursor(&self, peer: &[u8; 32], cursor: Cursor) {
        self.state().cursors.insert(*peer, cursor);
    }
}
