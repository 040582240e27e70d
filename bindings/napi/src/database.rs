//! Databases and transactions.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

use crate::call::promise;
use crate::collection::Collection;
use crate::error::OrThrow as _;
use crate::log::Log;
use crate::options::CollectionOptions;
use crate::record::Item;
use crate::stream::Watch;
use crate::value::{Data, Maybe};

/// Collections that are synced as a whole.
#[napi]
pub struct Database(pub(crate) tidelog_api::Database);

#[napi]
impl Database {
    /// Its name.
    #[napi(catch_unwind)]
    pub fn name(&self) -> Result<String> {
        self.0.name().or_throw()
    }

    /// A collection.
    #[napi(catch_unwind)]
    pub fn collection(&self, name: String, options: CollectionOptions) -> Result<Collection> {
        Ok(Collection(self.0.collection(&name, options.into()).or_throw()?))
    }

    /// The names of its collections.
    #[napi(catch_unwind)]
    pub fn collections<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Vec<String>>> {
        promise(env, self.0.collections(), |names| names)
    }

    /// A batch of writes.
    #[napi(catch_unwind)]
    pub fn transaction(&self) -> Result<Transaction> {
        Ok(Transaction(self.0.transaction().or_throw()?))
    }

    /// Changes of its items from now on.
    #[napi(catch_unwind)]
    pub fn watch(&self) -> Result<Watch> {
        Ok(self.0.watch().or_throw()?.into())
    }

    /// The entries under it.
    #[napi(catch_unwind)]
    pub fn log(&self) -> Result<Log> {
        Ok(Log(self.0.log().or_throw()?))
    }
}

/// Writes that take effect together.
#[napi]
pub struct Transaction(tidelog_api::Transaction);

#[napi]
impl Transaction {
    /// A collection within the transaction.
    #[napi(catch_unwind)]
    pub fn collection(&self, name: String, options: CollectionOptions) -> Result<TransactionCollection> {
        Ok(TransactionCollection(self.0.collection(&name, options.into())))
    }

    /// Writes all of it as one entry.
    #[napi(catch_unwind)]
    pub fn commit<'env>(&self, env: &'env Env) -> Result<PromiseRaw<'env, Option<String>>> {
        promise(env, self.0.commit(), |entry| entry)
    }

    /// Forgets its writes.
    #[napi(catch_unwind)]
    pub fn roll_back(&self) -> Result<()> {
        self.0.roll_back();
        Ok(())
    }
}

/// A collection within a transaction.
#[napi]
pub struct TransactionCollection(tidelog_api::TransactionCollection);

#[napi]
impl TransactionCollection {
    /// Adds a write of an item.
    #[napi(catch_unwind, ts_args_type = "key: string | null, value: unknown")]
    pub fn put<'env>(
        &self,
        env: &'env Env,
        key: Option<String>,
        value: Data,
    ) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.put(key, value.0), |()| ())
    }

    /// Adds a write of a new item.
    #[napi(catch_unwind, ts_args_type = "value: unknown")]
    pub fn insert<'env>(&self, env: &'env Env, value: Data) -> Result<PromiseRaw<'env, Item>> {
        promise(env, self.0.insert(value.0), Item::from)
    }

    /// Adds a replacement of some fields.
    #[napi(catch_unwind, ts_args_type = "key: string, fields: unknown")]
    pub fn patch<'env>(&self, env: &'env Env, key: String, fields: Data) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.patch(key, fields.0), |()| ())
    }

    /// Adds a removal.
    #[napi(catch_unwind)]
    pub fn delete<'env>(&self, env: &'env Env, key: String) -> Result<PromiseRaw<'env, bool>> {
        promise(env, self.0.delete(key), |was_there| was_there)
    }

    /// The item as it would be after the commit.
    #[napi(catch_unwind, ts_return_type = "Promise<unknown>")]
    pub fn get<'env>(&self, env: &'env Env, key: String) -> Result<PromiseRaw<'env, Maybe>> {
        promise(env, self.0.get(key), Maybe)
    }
}
