//! How the changes that were applied get into Automerge's document: in one go when it is looked at, those that
//! are not sound set aside; and anew from all changes, when two contradict each other.

use std::collections::{BTreeMap, HashMap, HashSet};

use automerge::{Change, ChangeHash};

use super::sound::Batch;
use super::{CHANGE_OPERATIONS_MAX, OpenDocument, guarded};

impl OpenDocument {
    /// Lets Automerge take up the changes applied since the last time. Those that are not sound, and what
    /// rests on them, are set aside.
    pub(super) fn settle(&mut self) {
        let batch = std::mem::take(&mut self.unsettled);
        if batch.is_empty() {
            return;
        }
        let mut sound = Batch::new(&mut self.doc);
        let unsound = batch.iter().filter(|change| !self.soundness.check(change, &mut sound));
        let mut unsound: HashSet<_> = unsound.map(Change::hash).collect();
        self.soundness.rest();
        self.take_up_all(&batch, &mut unsound);
        if unsound.is_empty() {
            return;
        }
        self.count();
        for change in batch {
            if unsound.contains(&change.hash()) {
                tracing::warn!(change = %change.hash(), "a document change is not sound");
                self.wait(change);
            }
        }
    }

    /// Takes up the changes that rest on nothing unsound. If that fails, the halves are tried, down to the
    /// changes that are the cause.
    fn take_up_all(&mut self, changes: &[Change], unsound: &mut HashSet<ChangeHash>) {
        let mut sound = Vec::new();
        for change in changes {
            if change.deps().iter().chain([&change.hash()]).any(|hash| unsound.contains(hash)) {
                unsound.insert(change.hash());
            } else {
                sound.push(change.clone());
            }
        }
        // Each operation takes memory meanwhile, however small the changes are.
        let operations: usize = sound.iter().map(Change::len).sum();
        if sound.is_empty() || (operations <= CHANGE_OPERATIONS_MAX && self.take_up(&sound)) {
            return;
        }
        if let [change] = &sound[..] {
            unsound.insert(change.hash());
            return;
        }
        let (first, second) = sound.split_at(sound.len() / 2);
        self.take_up_all(first, unsound);
        self.take_up_all(second, unsound);
    }

    /// Automerge works on a copy, which is dropped if that fails, or if it does not give the changes back
    /// as they were: a document that does not could be neither stored nor computed anew.
    pub(super) fn take_up(&mut self, changes: &[Change]) -> bool {
        let before = self.doc.get_heads();
        let mut copy = self.doc.clone();
        let done = guarded(|| {
            copy.apply_changes(changes.to_vec()).is_ok() && {
                let given: HashSet<_> = copy.get_changes(&before).iter().map(Change::hash).collect();
                changes.iter().all(|change| given.contains(&change.hash()))
            }
        });
        let done = done.unwrap_or(false);
        if done {
            self.doc = copy;
        }
        done
    }

    /// What is in `doc`, each after what it rests on; `None` if it does not give that.
    pub(super) fn changes(&mut self) -> Option<Vec<Change>> {
        let doc = &mut self.doc;
        let changes = guarded(|| doc.get_changes(&[]));
        if changes.is_none() {
            tracing::warn!("a document does not give its changes");
        }
        changes
    }

    /// Computes from all changes held which count: of those with one actor and sequence number the
    /// one with the smallest hash, if all that it rests on counts.
    pub(super) fn recompute(&mut self) {
        let Some(applied) = self.changes() else { return };
        let ahead = std::mem::take(&mut self.ahead);
        let mut all: BTreeMap<ChangeHash, Change> = std::mem::take(&mut self.waiting);
        let applied = applied.into_iter().chain(std::mem::take(&mut self.unsettled));
        all.extend(applied.map(|change| (change.hash(), change)));
        ahead.iter().for_each(|change| drop(all.remove(&change.hash())));
        let mut fresh = Self::empty();
        for hash in causal_order(&all) {
            fresh.accept(all.remove(&hash).expect("the order is of these changes"));
        }
        all.into_values().for_each(|change| fresh.wait(change));
        fresh.settle();
        for change in ahead {
            fresh.take_up(std::slice::from_ref(&change));
            fresh.ahead.push(change);
        }
        *self = fresh;
    }
}

/// The changes that count, each after all it rests on.
fn causal_order(all: &BTreeMap<ChangeHash, Change>) -> Vec<ChangeHash> {
    // The map is in order of hashes, so the first to claim a place has the smallest.
    let mut places = HashSet::new();
    let candidates: Vec<_> =
        all.iter().filter(|(_, change)| places.insert((change.actor_id().clone(), change.seq()))).collect();
    let mut missing: HashMap<ChangeHash, usize> = HashMap::new();
    let mut dependents: HashMap<ChangeHash, Vec<ChangeHash>> = HashMap::new();
    let mut ready = Vec::new();
    for (hash, change) in candidates {
        let deps: HashSet<_> = change.deps().iter().collect();
        if deps.is_empty() {
            ready.push(*hash);
        }
        missing.insert(*hash, deps.len());
        deps.into_iter().for_each(|dep| dependents.entry(*dep).or_default().push(*hash));
    }
    let mut order = Vec::new();
    while let Some(hash) = ready.pop() {
        for dependent in dependents.remove(&hash).unwrap_or_default() {
            let count = missing.get_mut(&dependent).expect("every dependent is counted");
            *count -= 1;
            if *count == 0 {
                ready.push(dependent);
            }
        }
        order.push(hash);
    }
    order
}
