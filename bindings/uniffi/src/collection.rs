//! Collections.

use std::sync::Arc;

use tidelog_api::{Item, NewItem, Page, Query, Summary, Value, Version};

use crate::document::Document;
use crate::error::Result;
use crate::meter::Meter;
use crate::stream::{Live, Watch};

/// Items by key.
#[derive(Debug, uniffi::Object)]
pub struct Collection(pub(crate) tidelog_api::Collection);

#[uniffi::export]
impl Collection {
    /// Its name.
    pub fn name(&self) -> Result<String> {
        Ok(self.0.name()?)
    }

    /// Writes an item; without a key, under the one in its key field. It is durable when the call ends.
    pub async fn put(&self, key: Option<String>, value: Value) -> Result<()> {
        Ok(self.0.put(key, value).await?)
    }

    /// Writes many items, in as few entries as they fit into; one without any key gets a new one. The meter
    /// counts items; a stopped one leaves those written that were handed on until then.
    pub async fn put_many(&self, items: Vec<NewItem>, meter: Arc<Meter>) -> Result<Summary> {
        Ok(self.0.put_many(items, meter.0.clone()).await?)
    }

    /// Writes a new item under the key in its key field; under a new one, filled in, if that is missing or
    /// empty.
    pub async fn insert(&self, value: Value) -> Result<Item> {
        Ok(self.0.insert(value).await?)
    }

    /// The item of a key.
    pub async fn get(&self, key: String) -> Result<Option<Value>> {
        Ok(self.0.get(key).await?)
    }

    /// The items that match.
    pub async fn query(&self, query: Query) -> Result<Page> {
        Ok(self.0.query(query).await?)
    }

    /// How many items match.
    pub async fn count(&self, query: Query) -> Result<u64> {
        Ok(self.0.count(query).await?)
    }

    /// Replaces some fields of an item that is there.
    pub async fn patch(&self, key: String, fields: Value) -> Result<()> {
        Ok(self.0.patch(key, fields).await?)
    }

    /// Removes an item. False if there was none.
    pub async fn delete(&self, key: String) -> Result<bool> {
        Ok(self.0.delete(key).await?)
    }

    /// Replaces an item if it still has the expected value; `None` is an item that is not there. False if
    /// another write came first.
    pub async fn replace(&self, key: String, expected: Option<Value>, value: Option<Value>) -> Result<bool> {
        Ok(self.0.replace(key, expected, value).await?)
    }

    /// The result of a query, kept up to date.
    pub fn live(&self, query: Query) -> Result<Arc<Live>> {
        Ok(Arc::new(Live(self.0.live(query)?)))
    }

    /// Changes of one item, or of all, from now on; with `initial`, first what is there when the stream is
    /// first asked.
    pub fn watch(&self, key: Option<String>, initial: bool) -> Result<Arc<Watch>> {
        Ok(Arc::new(Watch(self.0.watch(key, initial)?)))
    }

    /// The entries behind an item, the oldest first.
    pub async fn history(&self, key: String) -> Result<Vec<Version>> {
        Ok(self.0.history(key).await?)
    }

    /// The items that only this user can write.
    pub fn own(&self) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(self.0.own()?)))
    }

    /// The items that only the given user can write.
    pub fn of(&self, user: String) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(self.0.of(&user)?)))
    }

    /// A document of a collection with the policy `document`.
    pub fn document(&self, key: String) -> Result<Arc<Document>> {
        Ok(Arc::new(Document(self.0.document(&key)?)))
    }
}
