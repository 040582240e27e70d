//! Joining by hand: requests and welcomes that go without a relay.

use std::sync::Arc;

use tidelog_api::JoinRequest;

use crate::error::Result;
use crate::key::Key;
use crate::workspace::Workspace;

#[uniffi::export]
impl Workspace {
    /// Ends what `ask_to_join` began in a folder, with the welcome that came back.
    #[uniffi::constructor]
    pub async fn finish_joining(path: String, key: Arc<Key>, welcome: Vec<u8>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Workspace::finish_joining(path, key.0.clone(), welcome).await?)))
    }

    /// Takes in a request that came by hand, from `ask_to_join`.
    pub async fn receive_request(&self, request: Vec<u8>) -> Result<JoinRequest> {
        Ok(self.0.receive_request(request).await?)
    }

    /// What a device whose request was approved needs to begin.
    pub async fn welcome(&self, request: String) -> Result<Vec<u8>> {
        Ok(self.0.welcome(request).await?)
    }
}

/// Begins to join by hand: makes the device's keys in the folder and gives its request.
#[uniffi::export]
pub async fn ask_to_join(path: String, key: Arc<Key>, invite: String, profile: String) -> Result<Vec<u8>> {
    Ok(tidelog_api::Workspace::ask_to_join(path, key.0.clone(), invite, profile).await?)
}
