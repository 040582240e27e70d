//! Documents. Positions in text are UTF-16 code units, as in the strings of the hosts.

use std::sync::Arc;

use tidelog_api::{Edit, Value, Version};

use crate::error::Result;
use crate::stream::Watch;

/// One document.
#[derive(Debug, uniffi::Object)]
pub struct Document(pub(crate) tidelog_api::Document);

#[uniffi::export]
impl Document {
    /// What a path leads to; the whole document without one.
    pub async fn get(&self, path: Option<String>) -> Result<Option<Value>> {
        Ok(self.0.get(path).await?)
    }

    /// The text that a path leads to.
    pub async fn text(&self, path: String) -> Result<Option<String>> {
        Ok(self.0.text(path).await?)
    }

    /// Makes several edits as one change, with positions in text in UTF-16 code units, as hosts count whose
    /// strings are UTF-16. A position within a surrogate pair is the one before it.
    pub async fn change(&self, edits: Vec<Edit>) -> Result<()> {
        Ok(self.0.change_utf16(edits).await?)
    }

    /// The latest changes, which name the whole content.
    pub async fn heads(&self) -> Result<Vec<String>> {
        Ok(self.0.heads().await?)
    }

    /// The entries behind the document, the oldest first.
    pub async fn history(&self) -> Result<Vec<Version>> {
        Ok(self.0.history().await?)
    }

    /// Its changes from now on.
    pub fn watch(&self) -> Result<Arc<Watch>> {
        Ok(Arc::new(Watch(self.0.watch()?)))
    }
}
