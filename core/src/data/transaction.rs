//! Transactions: writes that become one entry, on every replica or on none.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidelog_log::ids::EntryId;

use super::address::Scope;
use super::collection::{CollectionOptions, Item};
use super::database::Database;
use super::{Collection, key, read};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Value, from_value, to_value};

/// What a transaction will do to an item.
#[derive(Debug, Clone)]
enum Intent {
    Put(Value),
    /// Like a put, of an item that must not be there.
    Insert(Value),
    Patch(Value),
    Delete,
}

/// Writes to one database that are made together by [`Transaction::commit`], or not at all if it is
/// dropped. Reads see what was written in the transaction before.
///
/// Patches are applied to the items as they are at the time of the commit.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// # let database = workspace.database("main");
/// # database.collection::<u32>("accounts").put("b", &5).await?;
/// let mut transaction = database.transaction();
/// transaction.collection::<u32>("accounts").put("a", &5)?;
/// transaction.collection::<u32>("accounts").delete("b")?;
/// assert_eq!(database.collection::<u32>("accounts").get("a")?, None); // not yet
///
/// transaction.commit().await?;
/// assert_eq!(database.collection::<u32>("accounts").get("a")?, Some(5));
/// assert_eq!(database.collection::<u32>("accounts").get("b")?, None);
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
pub struct Transaction {
    database: Database,
    intents: Vec<(Scope, String, Intent)>,
}

impl fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Transaction({} writes in {:?})", self.intents.len(), self.database)
    }
}

impl Transaction {
    pub(super) const fn new(database: Database) -> Self {
        Self { database, intents: Vec::new() }
    }

    /// A collection, as the transaction sees it.
    pub fn collection<T: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
    ) -> TransactionCollection<'_, T> {
        self.collection_with(name, CollectionOptions::default())
    }

    /// A collection with a policy and a key field of choice, as the transaction sees it.
    pub fn collection_with<T: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
        options: CollectionOptions,
    ) -> TransactionCollection<'_, T> {
        let collection = self.database.collection_with(name, options.clone());
        TransactionCollection { transaction: self, collection, options, items: PhantomData }
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.intents.is_empty()
    }

    /// Writes everything as one entry and gives its id; `None` if there was nothing to write.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::TooLarge`] beyond 1 MiB; [`ErrorKind::NotFound`] if an item to patch is gone;
    /// [`ErrorKind::AlreadyExists`] if one to insert is there; and those of [`Collection::put`].
    /// Nothing is written then.
    pub async fn commit(self) -> Result<Option<EntryId>> {
        let Self { database, intents } = self;
        let id = database.id()?;
        let work = |writer: &mut super::write::Writer<'_>| {
            intents.iter().try_for_each(|(scope, key, intent)| match intent {
                Intent::Put(value) => writer.put(scope, key, value),
                Intent::Insert(_) if writer.get(scope, key)?.is_some() => Err(exists(scope)),
                Intent::Insert(value) => writer.put(scope, key, value),
                Intent::Patch(fields) => writer.patch(scope, key, fields),
                Intent::Delete => writer.delete(scope, key).map(drop),
            })
        };
        let ((), committed) = database.engine.write(&id, work).await?;
        Ok(committed.map(|committed| committed.id))
    }

    /// An item as the transaction sees it.
    fn read(&self, collection: &Collection<Value>, scope: &Scope, key: &str) -> Result<Option<Value>> {
        let mine = |(s, k, _): &&(Scope, String, Intent)| s == scope && k == key;
        let mut value = collection.get(key)?;
        for (_, _, intent) in self.intents.iter().filter(mine) {
            value = match (intent, value) {
                (Intent::Put(new) | Intent::Insert(new), _) => Some(new.clone()),
                (Intent::Patch(Value::Map(fields)), Some(Value::Map(mut map))) => {
                    map.extend(fields.clone());
                    Some(Value::Map(map))
                }
                (Intent::Patch(_), old) => old,
                (Intent::Delete, _) => None,
            };
        }
        Ok(value)
    }
}

/// A collection inside a [`Transaction`].
#[derive(Debug)]
pub struct TransactionCollection<'t, T> {
    transaction: &'t mut Transaction,
    collection: Collection<Value>,
    options: CollectionOptions,
    items: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> TransactionCollection<'_, T> {
    /// My own items in this collection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotAdmitted`] if this device is no member yet.
    pub fn own(mut self) -> Result<Self> {
        self.collection = self.collection.own()?;
        Ok(self)
    }

    /// Puts a value under a key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] if the value's key field holds another key;
    /// [`ErrorKind::InvalidValue`] if it cannot be stored.
    pub fn put(&mut self, key: &str, value: &T) -> Result<()> {
        let value = key::keyed(to_value(value)?, key, self.options.key_field.as_deref())?;
        self.intend(key, Intent::Put(value))
    }

    /// Puts a record under the key that its key field holds.
    ///
    /// # Errors
    ///
    /// As [`TransactionCollection::put`]; [`ErrorKind::InvalidArgument`] if it holds none.
    pub fn put_value(&mut self, value: &T) -> Result<()> {
        let value = to_value(value)?;
        let key = key::of(&value, self.options.key_field.as_deref())?;
        self.intend(&key, Intent::Put(value))
    }

    /// Adds a record under the key in its key field, or a new one, and gives it with its key.
    ///
    /// # Errors
    ///
    /// As [`TransactionCollection::put`]; [`ErrorKind::AlreadyExists`] if its key is taken.
    pub fn insert(&mut self, value: T) -> Result<T> {
        Ok(self.insert_item(value)?.value)
    }

    /// [`TransactionCollection::insert`], which gives the key beside the record.
    ///
    /// # Errors
    ///
    /// As [`TransactionCollection::insert`].
    pub fn insert_item(&mut self, value: T) -> Result<Item<T>> {
        let engine = &self.transaction.database.engine;
        let (key, value) = key::make(to_value(&value)?, self.options.key_field.as_deref(), engine)?;
        if self.value(&key)?.is_some() {
            return Err(exists(&self.collection.scope()?));
        }
        self.intend(&key, Intent::Insert(value.clone()))?;
        Ok(Item { key, value: from_value(value)? })
    }

    /// Sets some fields of an item and leaves the others.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotFound`] if there is no item; [`ErrorKind::InvalidArgument`] if the patch is
    /// no map, or changes the key field.
    pub fn patch(&mut self, key: &str, fields: &impl Serialize) -> Result<()> {
        let fields = to_value(fields)?;
        let Value::Map(_) = fields else {
            return Err(Error::new(ErrorKind::InvalidArgument, "a patch is a map of fields"));
        };
        let field = self.options.key_field.as_deref();
        if field.and_then(|field| fields.get(field)).is_some() {
            key::keyed(fields.clone(), key, field)?;
        }
        if self.value(key)?.is_none() {
            return Err(Error::new(ErrorKind::NotFound, "there is no item with this key to patch"));
        }
        self.intend(key, Intent::Patch(fields))
    }

    /// Deletes an item and says whether it was there.
    ///
    /// # Errors
    ///
    /// If the key is none, or the tables cannot be read.
    pub fn delete(&mut self, key: &str) -> Result<bool> {
        let there = self.value(key)?.is_some();
        if there {
            self.intend(key, Intent::Delete)?;
        }
        Ok(there)
    }

    /// The value under a key, as the transaction sees it.
    ///
    /// # Errors
    ///
    /// As [`Collection::get`].
    pub fn get(&self, key: &str) -> Result<Option<T>> {
        let value = self.value(key)?;
        Ok(value.and_then(|value| read::fitting(self.collection.name(), key, value)))
    }

    fn value(&self, key: &str) -> Result<Option<Value>> {
        self.transaction.read(&self.collection, &self.collection.scope()?, key)
    }

    fn intend(&mut self, key: &str, intent: Intent) -> Result<()> {
        super::address::check_key(key)?;
        let scope = self.collection.writable()?;
        self.transaction.intents.push((scope, key.to_owned(), intent));
        Ok(())
    }
}

fn exists(scope: &Scope) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("`{}` has an item with this key already", scope.collection))
}
