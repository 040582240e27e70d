//! Databases and transactions.

use std::sync::Arc;

use tidelog_api::{CollectionOptions, Item, Value};

use crate::collection::Collection;
use crate::error::Result;
use crate::log::Log;
use crate::stream::Watch;

/// A database.
#[derive(Debug, uniffi::Object)]
pub struct Database(pub(crate) tidelog_api::Database);

#[uniffi::export]
impl Database {
    /// Its name.
    pub fn name(&self) -> Result<String> {
        Ok(self.0.name()?)
    }

    /// A collection; it need not exist yet.
    pub fn collection(&self, name: String, options: CollectionOptions) -> Result<Arc<Collection>> {
        Ok(Arc::new(Collection(self.0.collection(&name, options)?)))
    }

    /// The names of its collections.
    pub async fn collections(&self) -> Result<Vec<String>> {
        Ok(self.0.collections().await?)
    }

    /// A batch of writes that takes effect as a whole, or not at all.
    pub fn transaction(&self) -> Result<Arc<Transaction>> {
        Ok(Arc::new(Transaction(self.0.transaction()?)))
    }

    /// Changes of its items from now on.
    pub fn watch(&self) -> Result<Arc<Watch>> {
        Ok(Arc::new(Watch(self.0.watch()?)))
    }

    /// The entries under it.
    pub fn log(&self) -> Result<Arc<Log>> {
        Ok(Arc::new(Log(self.0.log()?)))
    }
}

/// Writes that take effect together.
#[derive(Debug, uniffi::Object)]
pub struct Transaction(pub(crate) tidelog_api::Transaction);

#[uniffi::export]
impl Transaction {
    /// A collection within the transaction.
    pub fn collection(&self, name: String, options: CollectionOptions) -> Result<Arc<TransactionCollection>> {
        Ok(Arc::new(TransactionCollection(self.0.collection(&name, options))))
    }

    /// Writes all of it as one entry, durable when the call ends, and gives its id; `None` if there was
    /// nothing to write.
    pub async fn commit(&self) -> Result<Option<String>> {
        Ok(self.0.commit().await?)
    }

    /// Forgets its writes. Does nothing after its end.
    pub fn roll_back(&self) -> Result<()> {
        self.0.roll_back();
        Ok(())
    }
}

/// A collection within a transaction.
#[derive(Debug, uniffi::Object)]
pub struct TransactionCollection(pub(crate) tidelog_api::TransactionCollection);

#[uniffi::export]
impl TransactionCollection {
    /// Adds a write of an item; without a key, under the one in its key field.
    pub async fn put(&self, key: Option<String>, value: Value) -> Result<()> {
        Ok(self.0.put(key, value).await?)
    }

    /// Adds a write of a new item, as [`Collection::insert`].
    pub async fn insert(&self, value: Value) -> Result<Item> {
        Ok(self.0.insert(value).await?)
    }

    /// Adds a replacement of some fields.
    pub async fn patch(&self, key: String, fields: Value) -> Result<()> {
        Ok(self.0.patch(key, fields).await?)
    }

    /// Adds a removal. False if there is no item.
    pub async fn delete(&self, key: String) -> Result<bool> {
        Ok(self.0.delete(key).await?)
    }

    /// The item as it would be after the commit.
    pub async fn get(&self, key: String) -> Result<Option<Value>> {
        Ok(self.0.get(key).await?)
    }
}
