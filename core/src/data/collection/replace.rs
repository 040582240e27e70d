//! Compare and replace: how a program that cannot pass a closure to [`Collection::update`] updates
//! an item.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Collection, check_key, key, to_value};
use crate::error::Result;

impl<T: Serialize + DeserializeOwned> Collection<T> {
    /// Replaces an item if it still is the expected one, and says whether it was; `None` is an item
    /// that is not there. Read, compute, and do this until it says true: no write is lost.
    ///
    /// # Errors
    ///
    /// As [`Collection::put`].
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// let stock = workspace.database("main").collection::<u32>("stock");
    /// stock.put("bolts", &5).await?;
    /// let left = stock.update("bolts", |bolts| bolts.map(|bolts| bolts - 1)).await?;
    /// assert_eq!(left, Some(4));
    ///
    /// assert!(!stock.replace("bolts", Some(&5), Some(3)).await?); // somebody took one meanwhile
    /// assert!(stock.replace("bolts", Some(&4), Some(3)).await?);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn replace(&self, key: &str, expected: Option<&T>, value: Option<T>) -> Result<bool> {
        check_key(key)?;
        let expected = expected.map(to_value).transpose()?;
        let keyed = |value| key::keyed(to_value(&value)?, key, self.key_field());
        let value = value.map(keyed).transpose()?;
        let scope = self.writable()?;
        self.write(|writer| {
            if writer.get(&scope, key)? != expected {
                return Ok(false);
            }
            match &value {
                Some(value) => writer.put(&scope, key, value)?,
                None => _ = writer.delete(&scope, key)?,
            }
            Ok(true)
        })
        .await
    }
}
