//! What somebody who watches a device sees: exactly one event for each change of what is shown.

use std::collections::{BTreeMap, BTreeSet};

use tidelog_log::ids::{EntryId, UserId};

use super::device::{BOARD, COLLECTIONS, owners};
use crate::data::{Collection, CollectionOptions, Database, EventKind, Notice, Policy, Watch};
use crate::value::Value;
use crate::workspace::Workspace;

/// An item: database, collection, owner, key.
type Place = (&'static str, &'static str, Option<UserId>, String);

/// What is shown of an item: the value, or for a document its heads.
#[derive(Debug, Clone, PartialEq)]
enum Shown {
    Value(Value),
    Document(Vec<String>),
}

/// Follows the watches of all databases.
pub(super) struct Observer {
    watches: Vec<(&'static str, Database, Watch)>,
    /// What is shown, as far as the events told.
    told: BTreeMap<Place, Shown>,
    /// Which entry changed which item, and how: once each.
    seen: BTreeSet<(Place, EntryId, &'static str)>,
}

impl Observer {
    pub(super) fn new(workspace: &Workspace, databases: Vec<(&'static str, Database)>) -> Self {
        let watch = |(name, database): (&'static str, Database)| {
            let watch = database.watch().expect("may be read");
            (name, database, watch)
        };
        let mut observer = Self {
            watches: databases.into_iter().map(watch).collect(),
            told: BTreeMap::new(),
            seen: BTreeSet::new(),
        };
        observer.told = observer.shown(workspace);
        observer
    }

    /// Whether it follows these databases.
    pub(super) fn watches(&self, databases: &[(&'static str, Database)]) -> bool {
        let names = databases.iter().map(|(name, _)| name);
        names.eq(self.watches.iter().map(|(name, ..)| name))
    }

    /// Takes the events since the last time; what they tell must be what is there.
    /// Where entries are taken back, the one before is shown again.
    pub(super) fn check(&mut self, workspace: &Workspace, takes_back: bool) {
        let mut changed = BTreeSet::new();
        for (database, _, watch) in &mut self.watches {
            while let Some(notice) = watch.next_now() {
                let Notice::Event(event) = notice else { panic!("few events: {notice:?}") };
                if event.kind == EventKind::Unreadable {
                    continue;
                }
                let (collection, policy) = *COLLECTIONS
                    .iter()
                    .find(|(name, _)| *name == event.collection)
                    .expect("no other collection");
                let place = (*database, collection, event.owner, event.key);
                let fresh = self.seen.insert((place.clone(), event.entry, event.kind.name()));
                assert!(fresh || takes_back, "one event for a change: {place:?}");
                assert_eq!(event.circle.is_some(), *database == BOARD, "whose it is at {place:?}");
                if policy == Policy::Document {
                    changed.insert(place);
                    continue;
                }
                let old = self.told.get(&place).cloned();
                assert_eq!(old, event.old.map(Shown::Value), "what was there before at {place:?}");
                match event.new {
                    Some(new) => drop(self.told.insert(place, Shown::Value(new))),
                    None => drop(self.told.remove(&place)),
                }
            }
        }
        let now = self.shown(workspace);
        for place in self.told.keys().chain(now.keys()) {
            let same = self.told.get(place) == now.get(place);
            assert_ne!(same, changed.contains(place), "an event exactly if {place:?} changed");
        }
        self.told = now;
    }

    /// What the databases show.
    fn shown(&self, workspace: &Workspace) -> BTreeMap<Place, Shown> {
        let mut shown = BTreeMap::new();
        let owners = owners(workspace);
        for (database, handle, _) in &self.watches {
            for (name, policy) in COLLECTIONS {
                let options = CollectionOptions::default().policy(policy).key_field(None);
                let collection: Collection<Value> = handle.collection_with(name, options);
                // Documents are nobody's own here.
                for owner in owners.iter().take(if policy == Policy::Lww { usize::MAX } else { 1 }) {
                    let collection = owner.map_or_else(|| collection.clone(), |user| collection.of(user));
                    for item in collection.all().expect("reads") {
                        let value = match policy {
                            Policy::Lww => Shown::Value(item.value),
                            Policy::Document => {
                                let document = collection.document(&item.key).expect("a document");
                                Shown::Document(document.heads().expect("reads"))
                            }
                        };
                        shown.insert((*database, name, *owner, item.key), value);
                    }
                }
            }
        }
        shown
    }
}
