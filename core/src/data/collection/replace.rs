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
