//! Roles, who leaves, and what is held and not shown.

use tidelog_api::{ExcludedEntry, RemovalReport};

use crate::error::Result;
use crate::workspace::Workspace;

#[uniffi::export]
impl Workspace {
    /// Gives a user another role.
    pub async fn set_role(&self, user: String, role: String) -> Result<()> {
        Ok(self.0.set_role(user, role).await?)
    }

    /// Removes a user with all devices, for good.
    pub async fn remove_user(&self, user: String) -> Result<RemovalReport> {
        Ok(self.0.remove_user(user).await?)
    }

    /// Removes a device, for good.
    pub async fn remove_device(&self, device: String) -> Result<RemovalReport> {
        Ok(self.0.remove_device(device).await?)
    }

    /// The entries that this device holds and does not show, in order of arrival, with the reason.
    pub async fn excluded(&self) -> Result<Vec<ExcludedEntry>> {
        Ok(self.0.excluded().await?)
    }

    /// Lets everything count that a removed or demoted device wrote before it knew; gives how many entries
    /// that brought back.
    pub async fn accept_excluded(&self, device: String) -> Result<u64> {
        Ok(self.0.accept_excluded(device).await?)
    }
}
