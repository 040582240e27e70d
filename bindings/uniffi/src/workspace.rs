//! Workspaces.

use std::sync::Arc;

use tidelog_api::{
    Device, Invite, InviteOptions, JoinOptions, JoinRequest, Me, Member, Stats, SyncReport, VerifyReport,
    Warning, WatchOptions,
};

use crate::database::Database;
use crate::error::Result;
use crate::key::Key;
use crate::link::Link;
use crate::meter::Meter;
use crate::stream::Watch;

/// An open workspace.
#[derive(Debug, uniffi::Object)]
pub struct Workspace(pub(crate) tidelog_api::Workspace);

#[uniffi::export]
impl Workspace {
    /// Opens a workspace; with `create`, makes it under this name if there is none.
    #[uniffi::constructor]
    pub async fn open(path: String, key: Arc<Key>, create: Option<String>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Workspace::open(path, key.0.clone(), create).await?)))
    }

    /// Makes a workspace.
    #[uniffi::constructor]
    pub async fn create(path: String, key: Arc<Key>, name: String) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Workspace::create(path, key.0.clone(), name).await?)))
    }

    /// Joins the workspace of an invite. After an interruption it may be called again.
    #[uniffi::constructor]
    pub async fn join(
        path: String,
        key: Arc<Key>,
        invite: String,
        options: JoinOptions,
    ) -> Result<Arc<Self>> {
        Ok(Arc::new(Self(tidelog_api::Workspace::join(path, key.0.clone(), invite, options).await?)))
    }

    /// Its id.
    pub fn id(&self) -> Result<String> {
        Ok(self.0.id()?)
    }

    /// Its name.
    pub fn name(&self) -> Result<String> {
        Ok(self.0.name()?)
    }

    /// This device in it.
    pub fn me(&self) -> Result<Me> {
        Ok(self.0.me()?)
    }

    /// A database that all members share, or one of a circle; it comes into being with the first write.
    pub fn database(&self, name: String, circle: Option<String>) -> Result<Arc<Database>> {
        Ok(Arc::new(Database(self.0.database(&name, circle)?)))
    }

    /// The names of the databases that all members share, or of those of a circle.
    pub async fn databases(&self, circle: Option<String>) -> Result<Vec<String>> {
        Ok(self.0.databases(circle).await?)
    }

    /// Makes an invite.
    pub async fn invite(&self, options: InviteOptions) -> Result<Invite> {
        Ok(self.0.invite(options).await?)
    }

    /// The invites that hold.
    pub async fn invites(&self) -> Result<Vec<Invite>> {
        Ok(self.0.invites().await?)
    }

    /// Takes an invite back.
    pub async fn withdraw(&self, invite: String) -> Result<()> {
        Ok(self.0.withdraw(invite).await?)
    }

    /// The devices that ask to join with an invite of this device.
    pub async fn requests(&self) -> Result<Vec<JoinRequest>> {
        Ok(self.0.requests().await?)
    }

    /// Admits a device that asks.
    pub async fn approve(&self, request: String) -> Result<()> {
        Ok(self.0.approve(request).await?)
    }

    /// Gives this device's user a name that other members see.
    pub async fn set_profile(&self, name: String) -> Result<()> {
        Ok(self.0.set_profile(name).await?)
    }

    /// Its users.
    pub async fn members(&self) -> Result<Vec<Member>> {
        Ok(self.0.members().await?)
    }

    /// Its devices.
    pub async fn devices(&self) -> Result<Vec<Device>> {
        Ok(self.0.devices().await?)
    }

    /// Makes this replica and a relay equal, once.
    pub async fn sync(&self, url: String) -> Result<SyncReport> {
        Ok(self.0.sync(url).await?)
    }

    /// Makes this replica and another one in this process equal, once.
    pub async fn sync_with(&self, other: Arc<Self>) -> Result<SyncReport> {
        Ok(self.0.sync_with(&other.0).await?)
    }

    /// Keeps this replica and a relay equal from now on.
    pub fn connect(&self, url: String) -> Result<Arc<Link>> {
        Ok(Arc::new(Link(self.0.connect(&url)?)))
    }

    /// Changes of items from now on; with `initial`, first what is there when the stream is first asked.
    pub fn watch(&self, options: WatchOptions) -> Result<Arc<Watch>> {
        Ok(Arc::new(Watch(self.0.watch(options)?)))
    }

    /// Its figures.
    pub async fn stats(&self) -> Result<Stats> {
        Ok(self.0.stats().await?)
    }

    /// What is wrong now and worth telling a person; empty if all is well. Links tell new ones.
    pub async fn warnings(&self) -> Result<Vec<Warning>> {
        Ok(self.0.warnings().await?)
    }

    /// Reads everything on disk and checks it. The meter counts entries; a stopped one leaves a report of
    /// what was read until then.
    pub async fn verify(&self, meter: Arc<Meter>) -> Result<VerifyReport> {
        Ok(self.0.verify(meter.0.clone()).await?)
    }

    /// Ends links and streams, finishes what was begun and releases the folder. Afterwards every call fails
    /// with `closed`; a second shutdown does nothing.
    pub async fn shutdown(&self) -> Result<()> {
        Ok(self.0.shutdown().await?)
    }
}
