//! Joining without a relay: the request goes one way, the welcome comes back, by a file, a chat, or
//! whatever the two sides have.

use std::path::Path;
use std::sync::Arc;

use super::create::{Start, blocking, check_label, open};
use super::invite_link::InviteLink;
use super::invites::JoinRequest;
use super::join::{forget, prepare};
use super::local::Joining;
use super::{Environment, Workspace, welcome};
use crate::error::{Error, ErrorKind, Result};
use crate::keys::vault::Key;

impl Workspace {
    /// Begins to join with a link, by hand: makes the device's keys in the folder, and returns its
    /// request, at most 4 KiB, to be brought to whoever made the invite by any way. Only they can
    /// read it. May be repeated, also with another link to the same workspace: the device stays the
    /// same, and the newest link counts. Also for links that name a relay.
    ///
    /// # Errors
    ///
    /// `invite_invalid`; `already_exists` if the folder holds another workspace, or this one
    /// complete; `wrong_key` if it holds a joining that was begun with another key;
    /// `invalid_argument` for an impossible name.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::{InviteOptions, Key, Workspace};
    ///
    /// let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
    /// let invite = ada.invite(InviteOptions::default()).await?;
    ///
    /// let path = folder.join("bob.tide");
    /// let request = Workspace::ask_to_join(&path, Key::raw([2; 32]), &invite.uri, "Bob").await?;
    ///
    /// let asked = ada.receive_request(&request).await?;
    /// assert_eq!(asked.profile, "Bob");
    /// ada.approve(&asked.id).await?;
    /// let welcome = ada.welcome(&asked.id).await?;
    ///
    /// let bob = Workspace::finish_joining(&path, Key::raw([2; 32]), welcome).await?;
    /// assert_eq!(bob.name()?, "Notes");
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn ask_to_join(
        path: impl AsRef<Path>,
        key: Key,
        invite: &str,
        profile: &str,
    ) -> Result<Vec<u8>> {
        Self::ask_to_join_in(Environment::folder(path), key, invite, profile).await
    }

    /// [`Workspace::ask_to_join`] in an environment of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::ask_to_join`].
    pub async fn ask_to_join_in(
        environment: Environment,
        key: Key,
        invite: &str,
        profile: &str,
    ) -> Result<Vec<u8>> {
        if !profile.is_empty() {
            check_label("profile name", profile)?;
        }
        let link = InviteLink::parse(invite)?;
        let joining = Joining { uri: link.to_uri(), profile: profile.to_owned() };
        blocking(move || {
            let storage = Arc::clone(&environment.storage);
            let (workspace, how) = prepare(environment, &key, &link)?;
            let asked = workspace.write_request(&link, joining);
            workspace.close();
            if asked.is_err() && how == Start::Create {
                forget(&*storage);
            }
            asked
        })
        .await
    }

    fn write_request(&self, link: &InviteLink, joining: Joining) -> Result<Vec<u8>> {
        if self.inner.engine.user().is_ok() {
            return Err(complete());
        }
        let letter = self.letter(link, &joining.profile)?;
        self.inner.desk.change(|local| local.joining = Some(joining))?;
        Ok(letter)
    }

    /// Takes in a request that came by hand, from [`Workspace::ask_to_join`]. From then on it can be
    /// approved and welcomed until the workspace is closed; after that it is taken in again. If the
    /// invite says so, it is approved at once.
    ///
    /// # Errors
    ///
    /// `invite_invalid` for what is no request with an invite that this device made;
    /// `invite_expired` if the invite was withdrawn, used up or has expired, unless the asker was
    /// admitted before; `too_large` if 64 wait for this invite already; what approving brings.
    pub async fn receive_request(&self, request: &[u8]) -> Result<JoinRequest> {
        let desk = &self.inner.desk;
        let request = desk.receive(request)?;
        let member = self.inner.engine.log.directory().is_member(&request.device);
        if !member && desk.is_preapproved(&request.id) {
            self.admit(&request.id).await?;
        }
        Ok(request)
    }

    /// What somebody whose request was approved needs to begin, to be brought to them by any way,
    /// at most 64 MiB: who is a member, the keys, the names, and of the data what fits into 16 MiB,
    /// oldest first; the rest comes with the first sync. Only they can read it.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no such request; `not_admitted` if it was not approved; `too_large`
    /// if members and names alone exceed the limit; `closed`, or what the disk reports.
    pub async fn welcome(&self, request: &str) -> Result<Vec<u8>> {
        let missing = || {
            let text = "there is no such request to join: take it in with `receive_request` first";
            Error::new(ErrorKind::NotFound, text)
        };
        let asked = self.inner.desk.asked(request).ok_or_else(missing)?;
        let engine = Arc::clone(&self.inner.engine);
        if !engine.log.directory().is_member(&asked.request.device) {
            let text = "the request was not approved yet: approve it first";
            return Err(Error::new(ErrorKind::NotAdmitted, text));
        }
        blocking(move || welcome::pack(&engine.log, &asked.link, &asked.request.device, &*engine.random))
            .await
    }

    /// Ends what [`Workspace::ask_to_join`] began in a folder, with the welcome that came back.
    /// After an error the folder still waits for a welcome, and this can be repeated.
    ///
    /// # Errors
    ///
    /// `invite_invalid` for what is no welcome, or one for another device or workspace; `corrupt` if
    /// it is damaged or not whole; `newer_format`, `too_large`, `protocol`; `not_admitted` if it does
    /// not admit this device; `already_exists` if the workspace is complete; `invalid_argument` if
    /// nobody asked to join from this folder; `not_a_workspace`, `wrong_key`, `already_open`.
    pub async fn finish_joining(path: impl AsRef<Path>, key: Key, welcome: Vec<u8>) -> Result<Self> {
        Self::finish_joining_in(Environment::folder(path), key, welcome).await
    }

    /// [`Workspace::finish_joining`] in an environment of the caller's.
    ///
    /// # Errors
    ///
    /// Those of [`Workspace::finish_joining`].
    pub async fn finish_joining_in(environment: Environment, key: Key, welcome: Vec<u8>) -> Result<Self> {
        let workspace = blocking(move || open(environment, &key)).await?;
        let finished = workspace.take_welcome(welcome).await;
        if finished.is_err() {
            workspace.shutdown().await?;
        }
        finished.map(|()| workspace)
    }

    async fn take_welcome(&self, welcome: Vec<u8>) -> Result<()> {
        let joining = self.inner.desk.local().joining;
        let Some(joining) = joining else {
            let unasked = || {
                let text = "nobody asked to join from this folder by hand: begin with `ask_to_join`";
                Error::new(ErrorKind::InvalidArgument, text)
            };
            return Err(if self.inner.engine.user().is_ok() { complete() } else { unasked() });
        };
        let link = InviteLink::parse(&joining.uri)?;
        let engine = Arc::clone(&self.inner.engine);
        blocking({
            let link = link.clone();
            move || welcome::unpack(&engine.log, &link, &engine.device(), &welcome)
        })
        .await?;
        if !self.is_admitted(&link) {
            let text = "the welcome does not admit this device: have it made again, after approving";
            return Err(Error::new(ErrorKind::NotAdmitted, text));
        }
        self.settle_down(&joining.profile).await
    }
}

fn complete() -> Error {
    Error::new(ErrorKind::AlreadyExists, "the folder holds this workspace already, complete: open it")
}

#[cfg(test)]
mod tests;
