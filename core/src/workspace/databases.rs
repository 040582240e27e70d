//! The databases of a workspace, and watching several of them at once.

use std::sync::Arc;

use tidelog_log::ids::CircleId;

use super::Workspace;
use crate::data::watch::{Interest, Pattern};
use crate::data::{CollectionOptions, Database, EventKind, Notice, Watch};
use crate::error::Result;
use crate::value::Value;

/// What to watch.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::{EventKind, Notice, WatchOptions};
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// for name in ["projects/harbour", "diary"] {
///     workspace.database(name).collection::<bool>("flags").put("open", &true).await?;
/// }
/// let options = WatchOptions { pattern: "projects/*".to_owned(), initial: true };
/// let mut watch = workspace.watch(&options)?;
/// let Some(Notice::Event(event)) = watch.next_now() else { panic!("an item is there") };
/// assert_eq!(event.kind, EventKind::Current);
/// assert_eq!(event.database.as_deref(), Some("projects/harbour"));
/// assert_eq!(watch.next_now(), None);
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
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
    /// The database of a name that all members share; it comes into being with the first write.
    #[must_use]
    pub fn database(&self, name: &str) -> Database {
        self.database_in(name, CircleId::WORKSPACE)
    }

    /// The database of a name in a circle; it comes into being with the first write. It is another one
    /// than those of that name in other circles. Whoever is not in the circle gets `not_authorized` from
    /// whatever is done with it.
    #[must_use]
    pub fn database_in(&self, name: &str, circle: CircleId) -> Database {
        Database::new(Arc::clone(&self.inner.engine), circle, name)
    }

    /// The names of all databases that all members share and that were ever written to, in order.
    ///
    /// # Errors
    ///
    /// `closed`, or `corrupt` if the state cannot be read.
    pub fn databases(&self) -> Result<Vec<String>> {
        self.databases_in(CircleId::WORKSPACE)
    }

    /// The names of all databases of a circle that were ever written to, in order.
    ///
    /// # Errors
    ///
    /// `not_authorized` if this device is not in the circle; `closed`, or `corrupt` if the state cannot
    /// be read.
    pub fn databases_in(&self, circle: CircleId) -> Result<Vec<String>> {
        self.inner.engine.stream_in(&circle, "")?;
        Database::names(&self.inner.engine, &circle)
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
            for circle in self.inner.engine.named_circles() {
                for name in self.databases_in(circle)?.iter().filter(|name| pattern.matches(name)) {
                    begin_with_items(&mut watch, &self.database_in(name, circle))?;
                }
            }
        }
        Ok(watch)
    }
}

/// Lets a watch begin with the items that a database has.
fn begin_with_items(watch: &mut Watch, database: &Database) -> Result<()> {
    for (collection, policy) in database.collections()? {
        let options = CollectionOptions::default().policy(policy);
        let mut items = database.collection_with::<Value>(&collection, options).watch(None, true)?;
        while let Some(Notice::Event(event)) = items.next_now() {
            if event.kind == EventKind::Current {
                watch.begin_with(event);
            }
        }
    }
    Ok(())
}
