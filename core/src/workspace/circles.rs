//! Circles: some of the members, with keys and databases of their own.
//!
//! Who is in a circle is in the directory, for everybody to check. What it is called and which
//! databases it has is sealed under its keys, like all that is in these: whoever is not in it holds
//! and relays its entries, and sees that there is a circle, and who is in it.

use std::sync::{Arc, PoisonError};

use serde::{Deserialize, Serialize};
use tidelog_log::directory::{self, CUTS_MAX, CircleSettings, Directory, Op, Role};
pub use tidelog_log::directory::{History, Policy as KeyPolicy};
use tidelog_log::env::random_array;
use tidelog_log::ids::{CircleId, StreamId, UserId};

use super::Workspace;
use super::create::check_label;
use super::removal::divide;
use crate::data::{Collection, Database};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::keyring::{Keyring, devices_of};
use crate::value::Value;

/// Collection of a circle's catalogue with the circle's name.
const ABOUT: &str = "circle";
const NAME: &str = "name";

/// How a circle is made. It stays that way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CircleOptions {
    /// What newcomers may read: everything, or what is written after they joined, with what is there
    /// at that time written again for them.
    pub history: History,
    /// Whether the recovery words recover its data too.
    pub recoverable: bool,
}

impl Default for CircleOptions {
    /// Newcomers read everything, and the recovery words recover it.
    fn default() -> Self {
        Self { history: History::Full, recoverable: true }
    }
}

/// A circle of members with keys of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Circle {
    /// The circle.
    pub id: CircleId,
    /// Its name, if this device can read it.
    pub name: Option<String>,
    /// What newcomers may read.
    pub history: History,
    /// Whether the recovery words recover its data too.
    pub recoverable: bool,
    /// Its members and what they may do there, by id.
    pub members: Vec<CircleMember>,
    /// Whether this device reads what is written in it.
    pub readable: bool,
}

/// A user in a circle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CircleMember {
    /// The user.
    pub user: UserId,
    /// What it may do there.
    pub role: Role,
}

impl Workspace {
    /// Makes a circle of this device's user alone, who may add others.
    ///
    /// # Errors
    ///
    /// `invalid_argument` for an impossible name; `not_authorized` unless this user is an admin or
    /// owner; or what writing reports.
    ///
    /// # Cancellation
    ///
    /// A circle that was begun may be there without a name.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::{CircleOptions, Key, Workspace};
    ///
    /// let workspace = Workspace::create(folder.join("clinic.tide"), Key::raw([7; 32]), "Clinic").await?;
    /// let board = workspace.create_circle("Board", CircleOptions::default()).await?;
    /// let minutes = workspace.database_in("minutes", board.id).collection::<String>("2026");
    /// minutes.put("january", &"Nothing was decided.".to_owned()).await?;
    /// assert_eq!(workspace.databases_in(board.id)?, ["minutes"]);
    /// assert!(workspace.databases()?.is_empty());
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn create_circle(&self, name: &str, options: CircleOptions) -> Result<Circle> {
        check_label("circle name", name)?;
        let engine = &self.inner.engine;
        let user = engine.user()?;
        let id = CircleId(random_array(&*engine.random));
        let settings = CircleSettings { history: options.history, for_root: options.recoverable };
        let directory = engine.log.directory();
        let ops = Keyring::new_circle(id, settings, &user, &directory, &*engine.random)?;
        commit(engine, ops).await?;
        let about: Collection<Value> = self.circle_catalogue(id).collection(ABOUT);
        about.put(NAME, &Value::Text(name.to_owned())).await?;
        self.circle(id)
    }

    /// The circles of the workspace, by id; also those that this device is not in.
    ///
    /// # Errors
    ///
    /// `closed`, or `corrupt` if the state cannot be read.
    pub fn circles(&self) -> Result<Vec<Circle>> {
        let circles = self.inner.engine.log.directory().circles().into_iter();
        circles
            .filter(|circle| circle.id != CircleId::WORKSPACE)
            .map(|circle| self.described(circle))
            .collect()
    }

    /// Takes a user into a circle, or gives one who is in it another role there. What it may do in the
    /// workspace stays the limit. Where newcomers may read only what is written after they joined, what
    /// the circle's databases show is written again for them; repeat the call if that was interrupted.
    ///
    /// Items that other users own in these databases are theirs to write again.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no such circle or user; `not_authorized` unless this device is in the
    /// circle and may write there, and its user is above the role; or what writing reports.
    ///
    /// # Cancellation
    ///
    /// The user may be in the circle, and what is written again be written in part.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::{CircleOptions, Role};
    ///
    /// # use tidelog::{InviteOptions, Key, Workspace};
    /// # let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
    /// # let (path, key) = (folder.join("bob.tide"), Key::raw([2; 32]));
    /// # let invite = ada.invite(InviteOptions { auto_approve: true, ..InviteOptions::default() }).await?;
    /// # let request = Workspace::ask_to_join(&path, key.clone(), &invite.uri, "Bob").await?;
    /// # let asked = ada.receive_request(&request).await?;
    /// # let bob = Workspace::finish_joining(&path, key, ada.welcome(&asked.id).await?).await?;
    /// let board = ada.create_circle("Board", CircleOptions::default()).await?;
    /// let user = bob.me()?.user;
    /// ada.add_to_circle(board.id, user, Role::Writer).await?;
    /// ada.sync_with(&bob).await?;
    /// assert_eq!(bob.circles()?[0].name.as_deref(), Some("Board"));
    ///
    /// ada.remove_from_circle(board.id, user).await?;
    /// assert_eq!(ada.circles()?[0].members.len(), 1);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn add_to_circle(&self, circle: CircleId, user: UserId, role: Role) -> Result<()> {
        let engine = &self.inner.engine;
        let directory = engine.log.directory();
        let settings = known(&directory, &circle)?.settings;
        if directory.user(&user).is_none() {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no user {user}")));
        }
        engine.check_writer(&circle, &directory)?;
        let mut ops = Vec::new();
        let present = directory.role_in_circle(&user, &circle);
        if settings.history == History::FromJoin && present.is_none() {
            engine.publish(circle).await?;
        }
        if present != Some(role) {
            ops.push(Op::CircleAdd { circle, user, role });
        }
        if present.is_none() {
            let keyring = engine.keyring.read().unwrap_or_else(PoisonError::into_inner);
            match settings.history {
                History::Full => {
                    let devices = devices_of(&directory, &user);
                    ops.extend(keyring.grants(circle, &directory, &devices, &*engine.random)?);
                }
                History::FromJoin => {
                    ops.push(keyring.next_epoch_with(circle, &user, &directory, &*engine.random)?);
                }
            }
        }
        if !ops.is_empty() {
            commit(engine, ops).await?;
        }
        if settings.history == History::FromJoin && present.is_none_or(|present| present == role) {
            engine.restate(circle).await?;
        }
        Ok(())
    }

    /// Takes a user out of a circle: what it has it keeps, later keys it does not get, and what it
    /// writes there from now on counts nowhere. What this device has of it counts.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no such circle, or the user is not in it; `not_authorized` unless the
    /// user is this device's own or of a lower role in the workspace; or what writing reports.
    ///
    /// # Cancellation
    ///
    /// The user may be out of the circle and a new key not made; it is before anybody writes.
    pub async fn remove_from_circle(&self, circle: CircleId, user: UserId) -> Result<()> {
        let engine = &self.inner.engine;
        let directory = engine.log.directory();
        known(&directory, &circle)?;
        if directory.role_in_circle(&user, &circle).is_none() {
            let text = format!("the user {user} is not in the circle {circle}");
            return Err(Error::new(ErrorKind::NotFound, text));
        }
        let mut cuts = engine.log.cuts_for(&directory.devices_of(&user));
        cuts.retain(|cut| engine.may_be_of(&cut.stream, &circle));
        let entries = divide(cuts, CUTS_MAX, |cuts| Op::CircleRemove { circle, user, cuts });
        let signer = engine.signer();
        engine.check_intent(&*signer, &entries[0])?;
        engine.commit_directory_entries(&signer, entries).await?;
        engine.renew_keys().await
    }

    /// When members make new keys without another reason.
    #[must_use]
    pub fn policy(&self) -> KeyPolicy {
        self.inner.engine.log.directory().policy()
    }

    /// Sets when members make new keys without another reason: before the first write at so many days
    /// after a device saw a key used for the first time, or after so many entries; zero is never.
    ///
    /// # Errors
    ///
    /// `not_authorized` unless this user is an owner; or what writing reports.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::KeyPolicy;
    ///
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// workspace.set_policy(KeyPolicy { rotate_days: 30, ..workspace.policy() }).await?;
    /// assert_eq!(workspace.policy().rotate_days, 30);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn set_policy(&self, policy: KeyPolicy) -> Result<()> {
        let engine = &self.inner.engine;
        commit(engine, vec![Op::Policy(policy)]).await
    }

    fn circle(&self, id: CircleId) -> Result<Circle> {
        self.described(known(&self.inner.engine.log.directory(), &id)?)
    }

    fn described(&self, circle: directory::Circle) -> Result<Circle> {
        let engine = &self.inner.engine;
        let named = engine.stream_in(&circle.id, "").is_ok();
        let about: Collection<Value> = self.circle_catalogue(circle.id).collection(ABOUT);
        let name = match about.get(NAME)? {
            Some(Value::Text(name)) => Some(name),
            _ => None,
        };
        let user = engine.user()?;
        Ok(Circle {
            id: circle.id,
            name,
            history: circle.settings.history,
            recoverable: circle.settings.for_root,
            readable: named && circle.members.iter().any(|(member, _)| *member == user),
            members: circle.members.into_iter().map(|(user, role)| CircleMember { user, role }).collect(),
        })
    }

    fn circle_catalogue(&self, circle: CircleId) -> Database {
        Database::catalogue(Arc::clone(&self.inner.engine), circle)
    }
}

impl Engine {
    /// Whether entries of a circle may be in a stream, as far as this device can tell.
    fn may_be_of(&self, stream: &StreamId, circle: &CircleId) -> bool {
        self.shared.hub.circle(*stream).is_none_or(|known| known == *circle)
    }
}

/// A circle that somebody made.
pub(super) fn known(directory: &Directory, id: &CircleId) -> Result<directory::Circle> {
    let circle = directory.circle(id).filter(|circle| circle.id != CircleId::WORKSPACE);
    circle.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no circle {id}")))
}

/// Writes operations to the directory that count, or says why they would not.
async fn commit(engine: &Engine, ops: Vec<Op>) -> Result<()> {
    engine.check_intent(&*engine.signer(), &ops)?;
    engine.commit_directory(ops).await
}

#[cfg(test)]
mod tests;
