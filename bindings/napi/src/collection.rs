//! Collections.

use napi::Result;
use napi::bindgen_prelude::{Env, PromiseRaw};
use napi_derive::napi;

use crate::call::promise;
use crate::document::Document;
use crate::error::OrThrow as _;
use crate::options::{NewItem, Query};
use crate::record::{Item, Page, Summary, Version, all, number};
use crate::stream::{Live, Watch};
use crate::value::{Data, Maybe};

/// Items by key.
#[napi]
pub struct Collection(pub(crate) tidelog_api::Collection);

#[napi]
impl Collection {
    /// Writes an item.
    #[napi(catch_unwind, ts_args_type = "key: string | null, value: unknown")]
    pub fn put<'env>(
        &self,
        env: &'env Env,
        key: Option<String>,
        value: Data,
    ) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.put(key, value.0), |()| ())
    }

    /// Writes many items.
    #[napi(catch_unwind)]
    pub fn put_many<'env>(&self, env: &'env Env, items: Vec<NewItem>) -> Result<PromiseRaw<'env, Summary>> {
        let call = self.0.put_many(items.into_iter().map(Into::into).collect(), tidelog_api::Meter::new());
        promise(env, call, Summary::from)
    }

    /// Writes a new item.
    #[napi(catch_unwind, ts_args_type = "value: unknown")]
    pub fn insert<'env>(&self, env: &'env Env, value: Data) -> Result<PromiseRaw<'env, Item>> {
        promise(env, self.0.insert(value.0), Item::from)
    }

    /// The item of a key.
    #[napi(catch_unwind, ts_return_type = "Promise<unknown>")]
    pub fn get<'env>(&self, env: &'env Env, key: String) -> Result<PromiseRaw<'env, Maybe>> {
        promise(env, self.0.get(key), Maybe)
    }

    /// The items that match.
    #[napi(catch_unwind)]
    pub fn query<'env>(&self, env: &'env Env, query: Query) -> Result<PromiseRaw<'env, Page>> {
        promise(env, self.0.query(query.into()), Page::from)
    }

    /// How many items match.
    #[napi(catch_unwind)]
    pub fn count<'env>(&self, env: &'env Env, query: Query) -> Result<PromiseRaw<'env, f64>> {
        promise(env, self.0.count(query.into()), number)
    }

    /// Replaces some fields.
    #[napi(catch_unwind, ts_args_type = "key: string, fields: unknown")]
    pub fn patch<'env>(&self, env: &'env Env, key: String, fields: Data) -> Result<PromiseRaw<'env, ()>> {
        promise(env, self.0.patch(key, fields.0), |()| ())
    }

    /// Removes an item.
    #[napi(catch_unwind)]
    pub fn delete<'env>(&self, env: &'env Env, key: String) -> Result<PromiseRaw<'env, bool>> {
        promise(env, self.0.delete(key), |was_there| was_there)
    }

    /// Replaces an item if it still has the expected value; undefined stands for no item.
    #[napi(catch_unwind, ts_args_type = "key: string, expected: unknown, value: unknown")]
    pub fn replace<'env>(
        &self,
        env: &'env Env,
        key: String,
        expected: Maybe,
        value: Maybe,
    ) -> Result<PromiseRaw<'env, bool>> {
        promise(env, self.0.replace(key, expected.0, value.0), |replaced| replaced)
    }

    /// The result of a query, kept up to date.
    #[napi(catch_unwind)]
    pub fn live(&self, query: Query) -> Result<Live> {
        Ok(self.0.live(query.into()).or_throw()?.into())
    }

    /// Changes of one item, or of all.
    #[napi(catch_unwind)]
    pub fn watch(&self, key: Option<String>, initial: bool) -> Result<Watch> {
        Ok(self.0.watch(key, initial).or_throw()?.into())
    }

    /// The entries behind an item.
    #[napi(catch_unwind)]
    pub fn history<'env>(&self, env: &'env Env, key: String) -> Result<PromiseRaw<'env, Vec<Version>>> {
        promise(env, self.0.history(key), all)
    }

    /// The items that only this user can write.
    #[napi(catch_unwind)]
    pub fn own(&self) -> Result<Collection> {
        Ok(Collection(self.0.own().or_throw()?))
    }

    /// The items that only the given user can write.
    #[napi(catch_unwind)]
    pub fn of(&self, user: String) -> Result<Collection> {
        Ok(Collection(self.0.of(&user).or_throw()?))
    }

    /// A document.
    #[napi(catch_unwind)]
    pub fn document(&self, key: String) -> Result<Document> {
        Ok(Document(self.0.document(&key).or_throw()?))
    }
}
