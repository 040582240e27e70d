//! Documents: items whose concurrent edits merge.

use std::sync::Arc;

use tidelog::Value;

use crate::call::Call;
use crate::error::Result;
use crate::runtime::{Handle, guard, handle};
use crate::stream::Stream;
use crate::types::{Edit, Version, Watch};

/// One document. Paths are fields and positions joined by dots: `tasks.0.title`.
#[derive(Debug, Clone)]
pub struct Document {
    core: Handle<tidelog::Document>,
}

impl Document {
    pub(crate) fn new(core: tidelog::Document) -> Self {
        Self { core: handle(core) }
    }

    /// What a path leads to; the whole document without one.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for a malformed path.
    pub fn get(&self, path: Option<String>) -> Call<Option<Value>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.get(path.as_deref().unwrap_or_default())?))
    }

    /// The text that a path leads to.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if there is something else.
    pub fn text(&self, path: String) -> Call<Option<String>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.text(&path)?))
    }

    /// Makes one edit.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn edit(&self, edit: Edit) -> Call<()> {
        self.change(vec![edit])
    }

    /// Makes several edits as one change: all or none.
    ///
    /// # Errors
    ///
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) if a path leads nowhere, or to
    /// something that cannot be edited so.
    pub fn change(&self, edits: Vec<Edit>) -> Call<()> {
        let core = Arc::clone(&self.core);
        Call::task(async move {
            Ok(core.change(|document| edits.iter().try_for_each(|edit| apply(document, edit))).await?)
        })
    }

    /// The latest changes, which name the whole content.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn heads(&self) -> Call<Vec<String>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.heads()?))
    }

    /// The entries behind the document, the oldest first.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn history(&self) -> Call<Vec<Version>> {
        let core = Arc::clone(&self.core);
        Call::blocking(move || Ok(core.history()?.into_iter().map(Version::from).collect()))
    }

    /// Its changes from now on.
    ///
    /// # Errors
    ///
    /// Only [`Forked`](crate::ErrorKind::Forked).
    pub fn watch(&self) -> Result<Watch> {
        guard(|| Ok(Stream::new(self.core.watch())))
    }
}

fn apply(document: &mut tidelog::Edit<'_>, edit: &Edit) -> tidelog::Result<()> {
    match edit {
        Edit::Set { path, value } => document.set(path, value),
        Edit::Delete { path } => document.delete(path).map(drop),
        Edit::Insert { path, position, value } => document.insert(path, index(*position), value),
        Edit::SpliceText { path, position, delete, text } => {
            document.splice_text(path, index(*position), index(*delete), text)
        }
        Edit::Increment { path, by } => document.increment(path, *by),
    }
}

/// A position; what this machine cannot count to is beyond the end of any document.
fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
