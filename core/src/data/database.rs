//! A database: a handle that names one, and what it gives access to.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidelog_log::ids::{CircleId, StreamId};
use tidelog_log::log::LogError;

use super::address::{Policy, check_name, rows_of};
use super::changes::Log;
use super::collection::{Collection, CollectionOptions};
use super::tables::{self, COLLECTIONS};
use super::transaction::Transaction;
use super::watch::{Interest, Watch};
use super::write::{DatabaseId, catalogue_scope};
use super::{query::Query, read};
use crate::engine::Engine;
use crate::error::Result;

/// A database of a workspace: the unit of sync, and of what a transaction can change together.
///
/// A handle costs nothing and may name a database that nobody wrote to yet. Names have 1 to 255
/// bytes of UTF-8 and no control characters; `/` makes them hierarchical by convention.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::Policy;
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let database = workspace.database("projects/harbour");
/// database.collection::<u32>("depths").put("quay", &4).await?;
/// assert_eq!(workspace.databases()?, ["projects/harbour"]);
/// assert_eq!(database.collections()?, [("depths".to_owned(), Policy::Lww)]);
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Clone)]
pub struct Database {
    pub(crate) engine: Arc<Engine>,
    circle: CircleId,
    /// None is the circle's catalogue.
    name: Option<Arc<str>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Database({:?})", self.name())
    }
}

impl Database {
    /// The database with a name in a circle.
    pub(crate) fn new(engine: Arc<Engine>, circle: CircleId, name: &str) -> Self {
        Self { engine, circle, name: Some(name.into()) }
    }

    /// A circle's database in stream zero: the names of its databases; in circle zero those of the
    /// workspace and of its members too.
    pub(crate) const fn catalogue(engine: Arc<Engine>, circle: CircleId) -> Self {
        Self { engine, circle, name: None }
    }

    /// The names of all databases of a circle that were ever written to, in order.
    pub(crate) fn names(engine: &Engine, circle: &CircleId) -> Result<Vec<String>> {
        let plan = super::query::Plan::new(&Query::new())?;
        let page = read::query(engine, &catalogue_scope(circle), &plan)?;
        Ok(page.rows.into_iter().map(|row| row.key).collect())
    }

    /// Remembers the names of all databases, so that events can tell them.
    pub(crate) fn learn_names(engine: &Engine) -> Result<()> {
        for circle in engine.named_circles() {
            for name in Self::names(engine, &circle)? {
                engine.shared.hub.set_name(engine.stream_in(&circle, &name)?, &circle, &name);
            }
        }
        Ok(())
    }

    /// The name; empty for the catalogue.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// The circle whose database it is; [`CircleId::WORKSPACE`] if all members share it.
    #[must_use]
    pub const fn circle(&self) -> CircleId {
        self.circle
    }

    /// A collection of last-writer-wins items, with the key of an item in its field `id`.
    #[must_use]
    pub fn collection<T: Serialize + DeserializeOwned>(&self, name: &str) -> Collection<T> {
        self.collection_with(name, CollectionOptions::default())
    }

    /// A collection with a policy and a key field of choice.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use serde_json::{Value, json};
    /// use tidelog::CollectionOptions;
    ///
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// let options = CollectionOptions::default().key_field(Some("isbn"));
    /// let books = workspace.database("main").collection_with::<Value>("books", options);
    /// books.put_value(&json!({"isbn": "0-14-043237-7", "title": "Persuasion"})).await?;
    /// assert_eq!(books.get("0-14-043237-7")?.map(|book| book["title"] == "Persuasion"), Some(true));
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    #[must_use]
    pub fn collection_with<T: Serialize + DeserializeOwned>(
        &self,
        name: &str,
        options: CollectionOptions,
    ) -> Collection<T> {
        Collection::new(self.clone(), name, options)
    }

    /// The collections that have, or once had, items, with the policies they are used under; in
    /// order.
    ///
    /// # Errors
    ///
    /// If the tables cannot be read.
    pub fn collections(&self) -> Result<Vec<(String, Policy)>> {
        let stream = self.id()?.rows;
        let rows = tables::keys(&self.engine.view()?, COLLECTIONS, &stream.0).map_err(LogError::from)?;
        let parse = |row: &[u8]| {
            let (policy, name) = row.get(StreamId::LENGTH + 1..)?.split_last()?;
            Some((String::from_utf8(name.to_vec()).ok()?, Policy::from_number(*policy)?))
        };
        let collections: BTreeSet<_> = rows.iter().filter_map(|row| parse(row)).collect();
        Ok(collections.into_iter().collect())
    }

    /// A transaction: writes to any collections of this database that become one entry.
    #[must_use]
    pub fn transaction(&self) -> Transaction {
        Transaction::new(self.clone())
    }

    /// Watches every item of the database.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidArgument`] if the database's name is none.
    pub fn watch(&self) -> Result<Watch> {
        let interest = Interest { rows: Some(self.id()?.rows), ..Interest::default() };
        Ok(self.engine.shared.hub.watch(interest))
    }

    /// The entries of the database, as they are.
    #[must_use]
    pub fn log(&self) -> Log {
        Log::new(self.clone())
    }

    /// What reading and writing need of the database.
    pub(crate) fn id(&self) -> Result<DatabaseId> {
        match &self.name {
            Some(name) => self.engine.database_id(self.circle, name),
            None => Ok(DatabaseId::catalogue(self.circle)),
        }
    }
}

impl Engine {
    /// What reading and writing need of the database with a name in a circle.
    pub(crate) fn database_id(&self, circle: CircleId, name: &str) -> Result<DatabaseId> {
        check_name("database", name)?;
        let stream = self.stream_in(&circle, name)?;
        self.shared.hub.set_name(stream, &circle, name);
        Ok(DatabaseId { stream, circle, rows: rows_of(stream, &circle), name: Some(name.into()) })
    }
}
