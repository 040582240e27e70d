//! Circles: some of the members, with keys and databases of their own.

use tidelog_api::{Circle, CircleOptions, KeyPolicy};

use crate::error::Result;
use crate::workspace::Workspace;

#[uniffi::export]
impl Workspace {
    /// Makes a circle of this device's user alone, who may add others.
    pub async fn create_circle(&self, name: String, options: CircleOptions) -> Result<Circle> {
        Ok(self.0.create_circle(name, options).await?)
    }

    /// The circles, also those that this device is not in.
    pub async fn circles(&self) -> Result<Vec<Circle>> {
        Ok(self.0.circles().await?)
    }

    /// Takes a user into a circle, or gives one who is in it another role there.
    pub async fn add_to_circle(&self, circle: String, user: String, role: String) -> Result<()> {
        Ok(self.0.add_to_circle(circle, user, role).await?)
    }

    /// Takes a user out of a circle.
    pub async fn remove_from_circle(&self, circle: String, user: String) -> Result<()> {
        Ok(self.0.remove_from_circle(circle, user).await?)
    }

    /// When members make new keys without another reason.
    pub fn policy(&self) -> Result<KeyPolicy> {
        Ok(self.0.policy()?)
    }

    /// Sets when members make new keys without another reason. Zero is never.
    pub async fn set_policy(&self, rotate_days: u16, rotate_entries: u32) -> Result<()> {
        Ok(self.0.set_policy(rotate_days, rotate_entries).await?)
    }
}
