//! Collections: items by key.

use std::ops::ControlFlow;
use std::sync::Arc;

use tidelog::Value;

use crate::call::Call;
use crate::convert::user_id;
use crate::document::Document;
use crate::error::Result;
use crate::meter::Meter;
use crate::runtime::{Handle, guard, handle};
use crate::stream::{Deferred, Source, Stream};
use crate::types::{Item, Live, NewItem, Page, Query, Summary, Version, Watch};

/// The items of a database under one name.
#[derive(Debug, Clone)]
pub struct Collection {
    core: Handle<tidelog::Collection<Value>>,
}

impl Collection {
    pub(crate) fn new(core: tidelog::Collection<Value>) -> Self {
        Self { core: handle(core) }
    }

    /// Its name.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](crate::ErrorKind::Forked).
    pub fn name(&self) -> Result<String> {
        guard(|| Ok(self.core.name().to_owned()))
    }

    /// Writes an item; without a key, under the one in its key field. It is durable when the call
    /// ends.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`](crate::ErrorKind::InvalidValue),
    /// [`PolicyConflict`](crate::ErrorKind::PolicyConflict),
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized),
    /// [`TooLarge`](crate::ErrorKind::TooLarge) and those of writing to disk.
    pub fn put(&self, key: Option<String>, value: Value) -> Call<()> {
        let core = Arc::clone(&self.core);
        Call::task(async move {
            match key {
                Some(key) => core.put(&key, &value).await?,
                None => core.put_value(&value).await?,
            }
            Ok(())
        })
    }

    /// Writes many items, in as few entries as they fit into; one without any key gets a new one.
    /// The meter counts items; a stopped one leaves those written that were handed on until then.
    ///
    /// # Errors
    ///
    /// As [`put`](Self::put); the reason says how many items were written before.
    pub fn put_many(&self, items: Vec<NewItem>, meter: Meter) -> Call<Summary> {
        let core = Arc::clone(&self.core);
        Call::task(async move {
            let total = items.len() as u64;
            let handed_on = (0..).zip(items).map_while(|(done, item)| match meter.tell(done, total) {
                ControlFlow::Continue(()) => Some((item.key, item.value)),
                ControlFlow::Break(()) => None,
            });
            let summary = core.put_many(handed_on).await?;
            // Whether it was stopped no longer matters.
            let _ = meter.tell(summary.items as u64, total);
            Ok(summary.into())
        })
    }

    /// Writes a new item under the key in its key field; under a new one, filled in, if that is
    /// missing or empty.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) if the key is taken, and those of
    /// [`put`](Self::put).
    pub fn insert(&self, value: Value) -> Call<Item> {
        let core = Arc::clone(&self.core);
        Call::task(async move { Ok(core.insert_item(value).await?.into()) })
    }

    /// The item of a key.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn get(&self, key: String) -> Call<Option<Value>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.get(&key)?))
    }

    /// The first item of a query.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub fn first(&self, query: Query) -> Call<Option<Item>> {
        let query = Query { limit: Some(1), ..query };
        self.query(query).map(|page| page.items.into_iter().next())
    }

    /// All items, by key.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn all(&self) -> Call<Vec<Item>> {
        self.query(Query::default()).map(|page| page.items)
    }

    /// The items that match.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if the query makes no sense; the
    /// reason says where.
    pub fn query(&self, query: Query) -> Call<Page> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.page(&query.into())?.into()))
    }

    /// How many items match.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query).
    pub fn count(&self, query: Query) -> Call<u64> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.count(&query.into())? as u64))
    }

    /// Replaces some fields of an item that is there.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if it is not, and those of [`put`](Self::put).
    pub fn patch(&self, key: String, fields: Value) -> Call<()> {
        let core = Arc::clone(&self.core);
        Call::task(async move { Ok(core.patch(&key, &fields).await?) })
    }

    /// Removes an item. False if there was none.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub fn delete(&self, key: String) -> Call<bool> {
        let core = Arc::clone(&self.core);
        Call::task(async move { Ok(core.delete(&key).await?) })
    }

    /// Replaces an item if it still has the expected value; `None` is an item that is not there.
    /// False if another write came first.
    ///
    /// The host's `update(key, fn)` reads, computes and replaces until this says true.
    ///
    /// # Errors
    ///
    /// Those of [`put`](Self::put).
    pub fn replace(&self, key: String, expected: Option<Value>, value: Option<Value>) -> Call<bool> {
        let core = Arc::clone(&self.core);
        Call::task(async move { Ok(core.replace(&key, expected.as_ref(), value).await?) })
    }

    /// The result of a query, kept up to date.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](crate::ErrorKind::Forked); those of [`query`](Self::query) come with the
    /// first result.
    pub fn live(&self, query: Query) -> Result<Live> {
        let core = Arc::clone(&self.core);
        guard(|| Ok(Stream::new(Deferred::new(move || Ok(Lists::new(core.live(&query.into())?))))))
    }

    /// Changes of one item, or of all, from now on; with `initial`, first what is there when the
    /// stream is first asked.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an impossible name.
    pub fn watch(&self, key: Option<String>, initial: bool) -> Result<Watch> {
        guard(|| {
            if !initial {
                return Ok(Stream::new(self.core.watch(key.as_deref(), false)?));
            }
            let core = Arc::clone(&self.core);
            Ok(Stream::new(Deferred::new(move || Ok(core.watch(key.as_deref(), true)?))))
        })
    }

    /// The entries behind an item, the oldest first.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn history(&self, key: String) -> Call<Vec<Version>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.history(&key)?.into_iter().map(Version::from).collect()))
    }

    /// The items that only this user can write.
    ///
    /// # Errors
    ///
    /// [`NotAdmitted`](crate::ErrorKind::NotAdmitted) before this device has a user.
    pub fn own(&self) -> Result<Self> {
        guard(|| Ok(Self::new(self.core.own()?)))
    }

    /// The items that only the given user can write.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for what is not a user id.
    pub fn of(&self, user: &str) -> Result<Self> {
        let user = user_id(user)?;
        guard(|| Ok(Self::new(self.core.of(user))))
    }

    /// A document of a collection with the policy `document`.
    ///
    /// # Errors
    ///
    /// [`PolicyConflict`](crate::ErrorKind::PolicyConflict) if it has another.
    pub fn document(&self, key: &str) -> Result<Document> {
        guard(|| Ok(Document::new(self.core.document(key)?)))
    }
}

/// A live list, with its first result as the first event.
struct Lists {
    core: tidelog::Live<Value>,
    begun: bool,
}

impl Lists {
    const fn new(core: tidelog::Live<Value>) -> Self {
        Self { core, begun: false }
    }
}

impl Source for Lists {
    type Event = Vec<Item>;

    async fn next(&mut self) -> Result<Option<Vec<Item>>> {
        let items = if self.begun { self.core.next().await? } else { Some(self.core.current()) };
        self.begun = true;
        Ok(items.map(|items| items.iter().cloned().map(Item::from).collect()))
    }
}
