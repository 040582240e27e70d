//! The databases of a workspace, and watching several of them at once.

use std::sync::Arc;

use super::Workspace;
use crate::data::watch::{Interest, Pattern};
use crate::data::{CollectionOptions, Database, EventKind, Notice, Watch};
use crate::error::Result;
use crate::value::Value;

/// What to watch.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct WatchOptions {
    /// Which databases: `*` in it stands for anything but `/`, `**` for anything.
    pub pattern: String,
    /// Whether the items that are there come first, as [`EventKind::Current`].
    pub initial: bool,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { pattern: "**".to_owned(), initial: false }
    }
}

impl Workspace {
    /// The database of a name; it comes into being with the first write.
    #[must_use]
    pub fn database(&self, name: &str) -> Database {
        Database::new(Arc::clone(&self.inner.engine), name)
    }

    /// The names of all databases that were ever written to, in order.
    ///
    /// # Errors
    ///
    /// `closed`, or `corrupt` if the state cannot be read.
    pub fn databases(&self) -> Result<Vec<String>> {
        Database::names(&self.inner.engine)
    }

    /// Watches all databases whose names match a pattern, those to come included.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for a pattern that no name can match; `closed`, or `corrupt` if the state
    /// cannot be read.
    pub fn watch(&self, options: &WatchOptions) -> Result<Watch> {
        let pattern = Pattern::parse(&options.pattern)?;
        let interest = Interest { pattern: Some(pattern.clone()), ..Interest::default() };
        let mut watch = self.inner.engine.shared.hub.watch(interest);
        if options.initial {
            for name in self.databases()?.iter().filter(|name| pattern.matches(name)) {
                let database = self.database(name);
                for (collection, policy) in database.collections()? {
                    let options = CollectionOptions::default().policy(policy);
                    let mut items =
                        database.collection_with::<Value>(&collection, options).watch(None, true)?;
                    while let Some(Notice::Event(event)) = items.next_now() {
                        if event.kind == EventKind::Current {
                            watch.begin_with(event);
                        }
                    }
                }
            }
        }
        Ok(watch)
    }
}
