//! Documents as programs hold them.

use std::fmt;

use super::edit::Edit;
use crate::data::address::Scope;
use crate::data::database::Database;
use crate::data::history::{self, Version};
use crate::data::read;
use crate::data::watch::{Interest, Watch};
use crate::error::Result;
use crate::value::Value;

/// One document of a collection with the policy `document`: maps, lists, text and counters, whose
/// concurrent changes all merge. It comes into being with its first change.
///
/// Paths lead through maps and lists, as `address.city` and `todos.0.done`. Every writing method is
/// one entry; [`Document::change`] makes several changes in one.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::{CollectionOptions, Policy, Value, Workspace};
///
/// # use tidelog::{InviteOptions, Key};
/// # let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
/// # let (path, key) = (folder.join("bob.tide"), Key::raw([2; 32]));
/// # let invite = ada.invite(InviteOptions { auto_approve: true, ..InviteOptions::default() }).await?;
/// # let request = Workspace::ask_to_join(&path, key.clone(), &invite.uri, "Bob").await?;
/// # let asked = ada.receive_request(&request).await?;
/// # let bob = Workspace::finish_joining(&path, key, ada.welcome(&asked.id).await?).await?;
/// let options = CollectionOptions::default().policy(Policy::Document);
/// let plans = |device: &Workspace| {
///     device.database("main").collection_with::<Value>("plans", options.clone())
/// };
/// let (here, there) = (plans(&ada).document("harbour")?, plans(&bob).document("harbour")?);
/// here.splice_text("text", 0, 0, "Meet at noon").await?;
/// ada.sync_with(&bob).await?;
///
/// here.splice_text("text", 5, 2, "before").await?;
/// there.splice_text("text", 12, 0, ", at the quay").await?;
/// ada.sync_with(&bob).await?;
/// assert_eq!(here.text("text")?.as_deref(), Some("Meet before noon, at the quay"));
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Clone)]
pub struct Document {
    database: Database,
    scope: Scope,
    key: String,
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Document({:?} in {:?})", self.key, self.database)
    }
}

impl Document {
    pub(crate) fn new(database: Database, scope: Scope, key: &str) -> Self {
        Self { database, scope, key: key.to_owned() }
    }

    /// The key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is at a path; the empty path is the whole document.
    ///
    /// # Errors
    ///
    /// [`crate::ErrorKind::InvalidArgument`] if the path is malformed.
    pub fn get(&self, path: &str) -> Result<Option<Value>> {
        read::document(&self.database.engine, &self.scope, &self.key, |open| open.get(path))
    }

    /// The text at a path; `None` if there is none.
    ///
    /// # Errors
    ///
    /// As [`Document::get`].
    pub fn text(&self, path: &str) -> Result<Option<String>> {
        Ok(match self.get(path)? {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        })
    }

    /// Makes several changes as one. What `change` reads includes what it changed. If it fails
    /// nothing is changed. It must not use the database.
    ///
    /// # Errors
    ///
    /// Those of `change` and of [`crate::Collection::put`].
    pub async fn change<T>(&self, change: impl FnOnce(&mut Edit<'_>) -> Result<T>) -> Result<T> {
        let work = |writer: &mut crate::data::write::Writer<'_>| writer.edit(&self.scope, &self.key, change);
        Ok(self.database.engine.write(&self.database.id()?, work).await?.0)
    }

    /// [`Edit::set`], as one change.
    ///
    /// # Errors
    ///
    /// As [`Edit::set`] and [`Document::change`].
    pub async fn set(&self, path: &str, value: &Value) -> Result<()> {
        self.change(|edit| edit.set(path, value)).await
    }

    /// [`Edit::delete`], as one change.
    ///
    /// # Errors
    ///
    /// As [`Edit::delete`] and [`Document::change`].
    pub async fn delete(&self, path: &str) -> Result<bool> {
        self.change(|edit| edit.delete(path)).await
    }

    /// [`Edit::insert`], as one change.
    ///
    /// # Errors
    ///
    /// As [`Edit::insert`] and [`Document::change`].
    pub async fn insert(&self, path: &str, position: usize, value: &Value) -> Result<()> {
        self.change(|edit| edit.insert(path, position, value)).await
    }

    /// [`Edit::splice_text`], as one change.
    ///
    /// # Errors
    ///
    /// As [`Edit::splice_text`] and [`Document::change`].
    pub async fn splice_text(&self, path: &str, position: usize, delete: usize, insert: &str) -> Result<()> {
        self.change(|edit| edit.splice_text(path, position, delete, insert)).await
    }

    /// [`Edit::increment`], as one change.
    ///
    /// # Errors
    ///
    /// As [`Edit::increment`] and [`Document::change`].
    pub async fn increment(&self, path: &str, by: i64) -> Result<()> {
        self.change(|edit| edit.increment(path, by)).await
    }

    /// The changes that nothing rests on yet, as hexadecimal hashes in order. Equal heads mean equal
    /// documents.
    ///
    /// # Errors
    ///
    /// If the tables cannot be read.
    pub fn heads(&self) -> Result<Vec<String>> {
        read::document(&self.database.engine, &self.scope, &self.key, |open| {
            Ok(open.heads().iter().map(ToString::to_string).collect())
        })
    }

    /// The entries behind the document, the oldest first.
    ///
    /// # Errors
    ///
    /// If the log or the tables cannot be read.
    pub fn history(&self) -> Result<Vec<Version>> {
        history::of(&self.database.engine, &self.scope, &self.key)
    }

    /// Watches the document: one event for every change of what is shown of it.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let interest =
            Interest { scope: Some(self.scope.clone()), key: Some(self.key.clone()), ..Interest::default() };
        self.database.engine.shared.hub.watch(interest)
    }
}
