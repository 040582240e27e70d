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

    /// Makes several edits as one change, with positions in text in UTF-16 code units, as hosts count whose strings
    /// are UTF-16. A position within a surrogate pair is the one before it.
    ///
    /// # Errors
    ///
    /// As [`change`](Self::change).
    pub fn change_utf16(&self, edits: Vec<Edit>) -> Call<()> {
        let core = Arc::clone(&self.core);
        Call::task(async move {
            Ok(core
                .change(|document| {
                    edits.into_iter().try_for_each(|edit| apply(document, &in_scalars(document, edit)?))
                })
                .await?)
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

/// The same edit with positions in Unicode scalar values, in the text as the edits before it left it.
fn in_scalars(document: &tidelog::Edit<'_>, edit: Edit) -> tidelog::Result<Edit> {
    let Edit::SpliceText { path, position, delete, text } = edit else { return Ok(edit) };
    let Some(Value::Text(before)) = document.get(&path)? else {
        return Ok(Edit::SpliceText { path, position, delete, text });
    };
    let start = scalars(&before, position);
    let end = scalars(&before, position.saturating_add(delete));
    Ok(Edit::SpliceText { path, position: start, delete: end - start, text })
}

/// How many whole characters of a text are in its first UTF-16 code units; those beyond its end count as one each.
fn scalars(text: &str, units: u64) -> u64 {
    let (mut count, mut left) = (0, units);
    for character in text.chars() {
        let length = character.len_utf16() as u64;
        if length > left {
            return count;
        }
        left -= length;
        count += 1;
    }
    count + left
}

/// A position; what this machine cannot count to is beyond the end of any document.
fn index(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::scalars;

    #[test]
    fn utf16_units_are_counted_as_characters() {
        let text = "a\u{1f40e}\u{e9}b";
        let counted: Vec<u64> = (0..=7).map(|units| scalars(text, units)).collect();
        assert_eq!(counted, [0, 1, 1, 2, 3, 4, 5, 6]);
    }
}
