//! A collection: items under keys, of one Rust type.

mod replace;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidelog_log::ids::UserId;

use super::address::{Policy, Scope, check_key, check_name, not_everybody};
use super::database::Database;
use super::history::{self, Version};
use super::live::Live;
use super::operation::OPERATIONS_BYTES_MAX;
use super::query::{Plan, Query, Row};
use super::watch::{Event, EventKind, Interest, Watch};
use super::write::Writer;
use super::{key, read, tables};
use crate::document::handle::Document;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Value, from_value, to_value};

/// How a collection is used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CollectionOptions {
    /// How concurrent writes to one item merge. Part of the collection's identity.
    pub policy: Policy,
    /// The field of a record that holds its key; `None` if the records do not hold it.
    pub key_field: Option<String>,
}

impl Default for CollectionOptions {
    /// Last writer wins, with the key in the field `id`.
    fn default() -> Self {
        Self { policy: Policy::Lww, key_field: Some("id".to_owned()) }
    }
}

impl CollectionOptions {
    /// Uses another policy.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Takes the key from another field, or from none.
    #[must_use]
    pub fn key_field(mut self, field: Option<&str>) -> Self {
        self.key_field = field.map(str::to_owned);
        self
    }
}

/// An item of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item<T> {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: T,
}

/// Some of a query's results, and how to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items, in order.
    pub items: Vec<Item<T>>,
    /// Continues the result when given to the same query; `None` at its end.
    pub cursor: Option<String>,
}

/// What [`Collection::put_many`] wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Summary {
    /// Items put.
    pub items: usize,
    /// Entries they were split into; each is atomic by itself.
    pub entries: usize,
}

/// A collection of items of type `T`. Use [`Value`] to take them as they are.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use serde::{Deserialize, Serialize};
/// use serde_json::json;
///
/// #[derive(Serialize, Deserialize)]
/// struct Todo { #[serde(default)] id: String, title: String }
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let todos = workspace.database("main").collection::<Todo>("todos");
/// let todo = todos.insert(Todo { id: String::new(), title: "Calibrate".to_owned() }).await?;
/// todos.patch(&todo.id, &json!({"title": "Calibrate sensor"})).await?;
/// assert_eq!(todos.get(&todo.id)?.map(|todo| todo.title).as_deref(), Some("Calibrate sensor"));
/// assert!(todos.delete(&todo.id).await?);
/// assert!(todos.all()?.is_empty());
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
pub struct Collection<T> {
    database: Database,
    name: Arc<str>,
    options: Arc<CollectionOptions>,
    owner: Option<UserId>,
    items: PhantomData<fn() -> T>,
}

impl<T> Clone for Collection<T> {
    fn clone(&self) -> Self {
        Self {
            database: self.database.clone(),
            name: Arc::clone(&self.name),
            options: Arc::clone(&self.options),
            owner: self.owner,
            items: PhantomData,
        }
    }
}

impl<T> fmt::Debug for Collection<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Collection({:?} in {:?})", self.name, self.database)
    }
}

impl<T: Serialize + DeserializeOwned> Collection<T> {
    pub(super) fn new(database: Database, name: &str, options: CollectionOptions) -> Self {
        Self { database, name: name.into(), options: options.into(), owner: None, items: PhantomData }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// My own items in this collection: others can read them, only my devices can write them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAdmitted`] if this device is no member yet.
    pub fn own(&self) -> Result<Self> {
        Ok(self.of(self.engine().user()?))
    }

    /// The own items of a user.
    #[must_use]
    pub fn of(&self, user: UserId) -> Self {
        Self { owner: Some(user), ..self.clone() }
    }

    /// Puts a value under a key, whatever was there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the value's key field holds another key;
    /// [`ErrorKind::InvalidValue`] if it cannot be stored; [`ErrorKind::TooLarge`] beyond 1 MiB;
    /// [`ErrorKind::PolicyConflict`] if the collection has items of another policy only;
    /// [`ErrorKind::NotAuthorized`] if this device may not write it.
    pub async fn put(&self, key: &str, value: &T) -> Result<()> {
        let value = key::keyed(to_value(value)?, key, self.key_field())?;
        let scope = self.writable()?;
        self.write(|writer| writer.put(&scope, key, &value)).await
    }

    /// Puts a record under the key that its key field holds.
    ///
    /// # Errors
    ///
    /// As [`Collection::put`]; [`ErrorKind::InvalidArgument`] if it holds none.
    pub async fn put_value(&self, value: &T) -> Result<()> {
        let value = to_value(value)?;
        let key = key::of(&value, self.key_field())?;
        let scope = self.writable()?;
        self.write(|writer| writer.put(&scope, &key, &value)).await
    }

    /// Puts many values, split into entries of up to 1 MiB, and says how many these were. A value
    /// without a key is put under the one in its key field, or a new one. If it fails, the entries
    /// written before stay, and the error says how many items they have.
    ///
    /// # Errors
    ///
    /// As [`Collection::put`].
    pub async fn put_many(&self, items: impl IntoIterator<Item = (Option<String>, T)>) -> Result<Summary> {
        let scope = self.writable()?;
        let mut summary = Summary::default();
        let mut batch = Vec::new();
        let mut bytes = 0;
        for (key, value) in items {
            let prepared = to_value(&value).and_then(|value| self.keyed_or_new(key, value));
            let (key, value) = prepared.map_err(|error| after(summary, error))?;
            let size =
                crate::value::cbor::encode(&value).map_err(Error::from)?.len() + key.len() + ITEM_HEADS;
            if bytes + size > BATCH_BYTES_MAX && !batch.is_empty() {
                self.put_batch(&scope, std::mem::take(&mut batch), &mut summary).await?;
                bytes = 0;
            }
            bytes += size;
            batch.push((key, value));
        }
        if !batch.is_empty() {
            self.put_batch(&scope, batch, &mut summary).await?;
        }
        Ok(summary)
    }

    async fn put_batch(
        &self,
        scope: &Scope,
        batch: Vec<(String, Value)>,
        summary: &mut Summary,
    ) -> Result<()> {
        self.write(|writer| batch.iter().try_for_each(|(key, value)| writer.put(scope, key, value)))
            .await
            .map_err(|error| after(*summary, error))?;
        summary.items += batch.len();
        summary.entries += 1;
        Ok(())
    }

    fn keyed_or_new(&self, key: Option<String>, value: Value) -> Result<(String, Value)> {
        match key {
            Some(key) => key::keyed(value, &key, self.key_field()).map(|value| (key, value)),
            None => key::make(value, self.key_field(), self.engine()),
        }
    }

    /// Adds a record under the key in its key field; under a new one, a UUID in order of time, if
    /// that is missing or empty. Gives the record with its key.
    ///
    /// # Errors
    ///
    /// As [`Collection::put`]; [`ErrorKind::AlreadyExists`] if there is an item with its key.
    pub async fn insert(&self, value: T) -> Result<T> {
        Ok(self.insert_item(value).await?.value)
    }

    /// [`Collection::insert`], which gives the key beside the record: for records that do not hold it.
    ///
    /// # Errors
    ///
    /// As [`Collection::insert`].
    pub async fn insert_item(&self, value: T) -> Result<Item<T>> {
        let (key, value) = key::make(to_value(&value)?, self.key_field(), self.engine())?;
        let scope = self.writable()?;
        self.write(|writer| {
            if writer.get(&scope, &key)?.is_some() {
                return Err(Error::new(
                    ErrorKind::AlreadyExists,
                    format!("`{}` has an item with this key already", scope.collection),
                ));
            }
            writer.put(&scope, &key, &value)
        })
        .await?;
        Ok(Item { key, value: from_value(value)? })
    }

    /// The value under a key; `None` if there is none, or one that is no `T`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the key is none.
    pub fn get(&self, key: &str) -> Result<Option<T>> {
        let value = self.get_raw(key)?;
        Ok(value.and_then(|value| read::fitting(&self.name, key, value)))
    }

    /// The value under a key as it is stored, whether it is a `T` or not.
    ///
    /// # Errors
    ///
    /// As [`Collection::get`].
    pub fn get_raw(&self, key: &str) -> Result<Option<Value>> {
        check_key(key)?;
        let scope = self.scope()?;
        let view = self.engine().view()?;
        let value = read::item(self.engine(), &view, &scope, key)?;
        if value.is_none() {
            read::check_policy(&view, &scope)?;
        }
        Ok(value)
    }

    /// The first item of a query.
    ///
    /// # Errors
    ///
    /// As [`Collection::query`].
    pub fn first(&self, query: &Query) -> Result<Option<Item<T>>> {
        Ok(self.query(&query.clone().limit(1))?.pop())
    }

    /// All items, in the order of their keys.
    ///
    /// # Errors
    ///
    /// As [`Collection::query`].
    pub fn all(&self) -> Result<Vec<Item<T>>> {
        self.query(&Query::new())
    }

    /// The items that a query takes, in its order. Those that are no `T` are left out, which the log
    /// tells.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`], saying what is wrong with the query.
    pub fn query(&self, query: &Query) -> Result<Vec<Item<T>>> {
        Ok(self.page(query)?.items)
    }

    /// The items that a query takes, and a cursor for those after its limit.
    ///
    /// # Errors
    ///
    /// As [`Collection::query`].
    pub fn page(&self, query: &Query) -> Result<Page<T>> {
        let page = read::query(self.engine(), &self.scope()?, &Plan::new(query)?)?;
        Ok(Page { items: typed(&self.name, page.rows), cursor: page.cursor })
    }

    /// How many items a query is about, whatever its limit, offset and cursor.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`], saying what is wrong with the query.
    pub fn count(&self, query: &Query) -> Result<usize> {
        read::count(self.engine(), &self.scope()?, &Plan::new(query)?)
    }

    /// The result of a query that keeps itself up to date.
    ///
    /// # Errors
    ///
    /// As [`Collection::query`].
    pub fn live(&self, query: &Query) -> Result<Live<T>> {
        Live::new(Arc::clone(self.engine()), self.scope()?, Plan::new(query)?)
    }

    /// Sets some fields of an item and leaves the others.
    ///
    /// # Errors
    ///
    /// As [`Collection::put`]; [`ErrorKind::NotFound`] if there is no item;
    /// [`ErrorKind::InvalidArgument`] if the patch is no map, or changes the key field.
    pub async fn patch(&self, key: &str, fields: &impl Serialize) -> Result<()> {
        let fields = to_value(fields)?;
        if self.key_field().and_then(|field| fields.get(field)).is_some() {
            key::keyed(fields.clone(), key, self.key_field())?;
        }
        let scope = self.writable()?;
        self.write(|writer| writer.patch(&scope, key, &fields)).await
    }

    /// Reads an item, lets `change` make another one of it, and writes that; no other write of this
    /// device comes between. `None` in is an item that is missing or no `T`, `None` out deletes it. `change` must not
    /// use the database.
    ///
    /// # Errors
    ///
    /// As [`Collection::put`].
    pub async fn update(&self, key: &str, change: impl FnOnce(Option<T>) -> Option<T>) -> Result<Option<T>> {
        check_key(key)?;
        let scope = self.writable()?;
        self.write(|writer| {
            let old = writer.get(&scope, key)?.and_then(|old| read::fitting(&self.name, key, old));
            let Some(new) = change(old) else {
                writer.delete(&scope, key)?;
                return Ok(None);
            };
            let value = key::keyed(to_value(&new)?, key, self.key_field())?;
            writer.put(&scope, key, &value)?;
            from_value(value).map(Some)
        })
        .await
    }

    /// Deletes an item and says whether it was there.
    ///
    /// # Errors
    ///
    /// As [`Collection::put`].
    pub async fn delete(&self, key: &str) -> Result<bool> {
        let scope = self.writable()?;
        self.write(|writer| writer.delete(&scope, key)).await
    }

    /// The document under a key, to be changed in small steps. Only for the policy `document`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::PolicyConflict`] for another policy.
    pub fn document(&self, key: &str) -> Result<Document> {
        check_key(key)?;
        if self.options.policy != Policy::Document {
            return Err(Error::new(
                ErrorKind::PolicyConflict,
                format!("`{}` is used as {}: it has no documents", self.name, self.options.policy.name()),
            ));
        }
        Ok(Document::new(self.database.clone(), self.scope()?, key))
    }

    /// Watches the collection, or one item of it. With `current` the items that are there come
    /// first, as [`EventKind::Current`].
    ///
    /// # Errors
    ///
    /// If the tables cannot be read.
    pub fn watch(&self, key: Option<&str>, current: bool) -> Result<Watch> {
        let scope = self.scope()?;
        let interest =
            Interest { scope: Some(scope.clone()), key: key.map(str::to_owned), ..Interest::default() };
        // Subscribed before the state is read: an event may repeat what is read, none is missed.
        let mut watch = self.engine().shared.hub.watch(interest);
        if current {
            let query = key.map_or_else(Query::new, |key| Query::new().ids([key]));
            let page = read::query(self.engine(), &scope, &Plan::new(&query)?)?;
            let view = self.engine().view()?;
            for row in page.rows {
                let Some(item) = tables::item(&view, &scope.item_row(&row.key))? else { continue };
                watch.begin_with(Event {
                    kind: EventKind::Current,
                    database: Some(self.database.name().to_owned()),
                    circle: not_everybody(self.database.circle()),
                    collection: scope.collection.clone(),
                    owner: scope.owner,
                    key: row.key,
                    old: None,
                    new: (scope.policy == Policy::Lww).then_some(row.value),
                    author: item.author,
                    hlc_ms: item.version.hlc.ms(),
                    local: item.author == self.engine().device(),
                    entry: item.version.entry,
                });
            }
        }
        Ok(watch)
    }

    /// The entries behind an item, the oldest version first.
    ///
    /// # Errors
    ///
    /// If the log or the tables cannot be read.
    pub fn history(&self, key: &str) -> Result<Vec<Version>> {
        check_key(key)?;
        history::of(self.engine(), &self.scope()?, key)
    }

    fn engine(&self) -> &Arc<Engine> {
        &self.database.engine
    }

    fn key_field(&self) -> Option<&str> {
        self.options.key_field.as_deref()
    }

    /// Where the items are.
    pub(super) fn scope(&self) -> Result<Scope> {
        check_name("collection", &self.name)?;
        Ok(Scope {
            stream: self.database.id()?.rows,
            collection: self.name.to_string(),
            policy: self.options.policy,
            owner: self.owner,
        })
    }

    /// Where the items are, if this device may write there as far as it is about owners.
    pub(super) fn writable(&self) -> Result<Scope> {
        if let Some(owner) = self.owner
            && owner != self.engine().user()?
        {
            return Err(Error::new(ErrorKind::NotAuthorized, "only its own user can write an own item"));
        }
        self.scope()
    }

    async fn write<R>(&self, work: impl FnOnce(&mut Writer<'_>) -> Result<R>) -> Result<R> {
        Ok(self.engine().write(&self.database.id()?, work).await?.0)
    }
}

/// Bytes of the operations that `put_many` gathers for one entry: room is left for the group's head.
const BATCH_BYTES_MAX: usize = OPERATIONS_BYTES_MAX - 1024;

/// Bytes that an item takes in an entry beside its key and value.
const ITEM_HEADS: usize = 16;

fn after(summary: Summary, error: Error) -> Error {
    if summary.items == 0 {
        return error;
    }
    Error::new(error.kind(), format!("{error}; the {} items before are written", summary.items))
        .with_source(error)
}

/// The items that rows hold, if they are `T`.
fn typed<T: DeserializeOwned>(collection: &str, rows: Vec<Row>) -> Vec<Item<T>> {
    let fitting =
        |row: Row| Some(Item { value: read::fitting(collection, &row.key, row.value)?, key: row.key });
    rows.into_iter().filter_map(fitting).collect()
}
