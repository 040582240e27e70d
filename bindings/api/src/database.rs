//! Databases and transactions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidelog::Value;

use crate::call::Call;
use crate::collection::Collection;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Log;
use crate::runtime::{Handle, Held, guard, handle};
use crate::stream::Stream;
use crate::types::{CollectionOptions, Item, Watch};

/// A database: collections that are synced, or not, as a whole.
#[derive(Debug, Clone)]
pub struct Database {
    core: Handle<tidelog::Database>,
    workspace: Handle<tidelog::Workspace>,
}

impl Database {
    pub(crate) fn new(core: tidelog::Database, workspace: Handle<tidelog::Workspace>) -> Self {
        Self { core: handle(core), workspace }
    }

    /// Its name.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](ErrorKind::Forked).
    pub fn name(&self) -> Result<String> {
        guard(|| Ok(self.core.name().to_owned()))
    }

    /// A collection; it need not exist yet.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for an impossible name.
    pub fn collection(&self, name: &str, options: CollectionOptions) -> Result<Collection> {
        guard(|| Ok(Collection::new(self.core.collection_with(name, options.into()))))
    }

    /// The names of its collections.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn collections(&self) -> Call<Vec<String>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.collections()?.into_iter().map(|(name, _)| name).collect()))
    }

    /// A batch of writes that takes effect as a whole, or not at all.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](ErrorKind::Forked).
    pub fn transaction(&self) -> Result<Transaction> {
        guard(|| {
            let core = Held::new(self.core.transaction());
            Ok(Transaction { core: Arc::new(Mutex::new(Some(core))) })
        })
    }

    /// Changes of its items from now on.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](ErrorKind::InvalidArgument) for an impossible name.
    pub fn watch(&self) -> Result<Watch> {
        guard(|| Ok(Stream::new(self.core.watch()?)))
    }

    /// The entries under it.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](ErrorKind::Forked).
    pub fn log(&self) -> Result<Log> {
        guard(|| Ok(Log::new(self.core.log(), Arc::clone(&self.workspace))))
    }
}

type Batch = Arc<Mutex<Option<Held<tidelog::Transaction>>>>;

/// Writes to any collections of one database that take effect together. Reads its own writes.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// `None` once committed or rolled back.
    core: Batch,
}

impl Transaction {
    /// A collection within the transaction.
    #[must_use]
    pub fn collection(&self, name: &str, options: CollectionOptions) -> TransactionCollection {
        TransactionCollection { core: Arc::clone(&self.core), name: name.into(), options }
    }

    /// Writes all of it as one entry, durable when the call ends, and gives its id; `None` if there
    /// was nothing to write.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](ErrorKind::TooLarge), [`Closed`](ErrorKind::Closed) if it has ended before, and
    /// those of [`Collection::put`].
    pub fn commit(&self) -> Call<Option<String>> {
        let core = Arc::clone(&self.core);
        Call::task(async move {
            let transaction = lock(&core).take().ok_or_else(ended)?;
            Ok(transaction.into_inner().commit().await?.map(|entry| entry.to_string()))
        })
    }

    /// Forgets its writes. Does nothing after its end.
    pub fn roll_back(&self) {
        lock(&self.core).take();
    }
}

/// A collection within a transaction.
#[derive(Debug, Clone)]
pub struct TransactionCollection {
    core: Batch,
    name: Arc<str>,
    options: CollectionOptions,
}

impl TransactionCollection {
    /// Adds a write of an item; without a key, under the one in its key field.
    ///
    /// # Errors
    ///
    /// As [`Collection::put`], and [`Closed`](ErrorKind::Closed) after the transaction's end.
    pub fn put(&self, key: Option<String>, value: Value) -> Call<()> {
        self.call(move |collection| match key {
            Some(key) => collection.put(&key, &value),
            None => collection.put_value(&value),
        })
    }

    /// Adds a write of a new item, as [`Collection::insert`].
    ///
    /// # Errors
    ///
    /// As [`Collection::insert`], and [`Closed`](ErrorKind::Closed) after the transaction's end.
    pub fn insert(&self, value: Value) -> Call<Item> {
        self.call(move |collection| collection.insert_item(value)).map(Item::from)
    }

    /// Adds a replacement of some fields.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is no item, and those of [`put`](Self::put).
    pub fn patch(&self, key: String, fields: Value) -> Call<()> {
        self.call(move |collection| collection.patch(&key, &fields))
    }

    /// Adds a removal. False if there is no item.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put).
    pub fn delete(&self, key: String) -> Call<bool> {
        self.call(move |collection| collection.delete(&key))
    }

    /// The item as it would be after the commit.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace, and [`Closed`](ErrorKind::Closed) after the transaction's end.
    pub fn get(&self, key: String) -> Call<Option<Value>> {
        self.call(move |collection| collection.get(&key))
    }

    /// Reads look into the files of the workspace, so everything here may block.
    fn call<T: Send + 'static>(
        &self,
        action: impl FnOnce(&mut tidelog::TransactionCollection<'_, Value>) -> tidelog::Result<T> + Send + 'static,
    ) -> Call<T> {
        let Self { core, name, options } = self.clone();
        Call::blocking(move || {
            let mut slot = lock(&core);
            let transaction = slot.as_mut().ok_or_else(ended)?.get_mut();
            let mut collection = transaction.collection_with(&name, options.into());
            Ok(action(&mut collection)?)
        })
    }
}

fn lock(batch: &Batch) -> MutexGuard<'_, Option<Held<tidelog::Transaction>>> {
    batch.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ended() -> Error {
    Error::new(ErrorKind::Closed, "the transaction has ended: it was committed or rolled back")
}
