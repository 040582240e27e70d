//! Who belongs to the workspace, and under what name.
//!
//! Who is a member is in the directory, which anybody can check. Names are not: they are items of
//! the catalogue, sealed like all data, each writable by its own user only.

use tidelog_log::directory::Role;
use tidelog_log::ids::{CircleId, DeviceId, UserId, WorkspaceId};

use super::Workspace;
use super::create::check_label;
use crate::data::{Collection, Database};
use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;

/// Collection of the catalogue with the workspace's name.
const ABOUT: &str = "workspace";
const NAME: &str = "name";
/// Collection of the catalogue with the users' names, each under its own user.
const PROFILES: &str = "profiles";

/// This device and its user.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let votes = workspace.database("main").collection::<String>("votes");
/// votes.own()?.put("lunch", &"soup".to_owned()).await?;
/// assert_eq!(votes.get("lunch")?, None); // what everybody may write is apart
/// assert_eq!(votes.of(workspace.me()?.user).get("lunch")?.as_deref(), Some("soup"));
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Me {
    /// The user.
    pub user: UserId,
    /// The device.
    pub device: DeviceId,
    /// What the user may do.
    pub role: Role,
    /// The user's name, if it gave one.
    pub profile: Option<String>,
}

/// A user of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Member {
    /// The user.
    pub user: UserId,
    /// What the user may do.
    pub role: Role,
    /// The user's name, if it gave one.
    pub profile: Option<String>,
    /// The user's devices.
    pub devices: Vec<DeviceId>,
    /// Whether it is the user of this device.
    pub me: bool,
}

/// A device of the workspace.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Device {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub user: UserId,
    /// The device, or root key, that added it.
    pub added_by: DeviceId,
    /// Whether it is this device.
    pub me: bool,
}

impl Workspace {
    /// The workspace's id, the same on every device.
    #[must_use]
    pub fn id(&self) -> WorkspaceId {
        self.inner.engine.workspace()
    }

    /// The workspace's name.
    ///
    /// # Errors
    ///
    /// `closed`, or `corrupt` if the state cannot be read.
    pub fn name(&self) -> Result<String> {
        let name = self.catalogue().collection::<Value>(ABOUT).get(NAME)?;
        Ok(match name {
            Some(Value::Text(name)) => name,
            _ => String::new(),
        })
    }

    /// Gives the workspace another name.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `not_authorized` for a reader, or what writing reports.
    pub async fn set_name(&self, name: &str) -> Result<()> {
        check_label("workspace name", name)?;
        let about: Collection<Value> = self.catalogue().collection(ABOUT);
        about.put(NAME, &Value::Text(name.to_owned())).await
    }

    /// This device and its user.
    ///
    /// # Errors
    ///
    /// `closed`, or `corrupt` if the state cannot be read.
    pub fn me(&self) -> Result<Me> {
        let engine = &self.inner.engine;
        let user = engine.user()?;
        let role = engine.log.directory().user(&user).map(|user| user.role);
        let role =
            role.ok_or_else(|| Error::new(ErrorKind::NotAdmitted, "this device is no member any more"))?;
        Ok(Me { user, device: engine.device(), role, profile: self.profile_of(user)? })
    }

    /// Gives this device's user a name that the other members see.
    ///
    /// # Errors
    ///
    /// `invalid_argument`, `not_authorized` for a reader, or what writing reports.
    pub async fn set_profile(&self, name: &str) -> Result<()> {
        check_label("profile name", name)?;
        let profiles: Collection<Value> = self.catalogue().collection(PROFILES);
        profiles.own()?.put(NAME, &Value::Text(name.to_owned())).await
    }

    /// The users of the workspace, by id.
    ///
    /// # Errors
    ///
    /// `closed`, or `corrupt` if the state cannot be read.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::Role;
    ///
    /// # use tidelog::{Key, Workspace};
    /// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
    /// workspace.set_profile("Ada").await?;
    /// let me = workspace.me()?;
    /// assert_eq!((me.role, me.profile.as_deref()), (Role::Owner, Some("Ada")));
    ///
    /// let members = workspace.members()?;
    /// assert_eq!((members[0].user, members[0].me), (me.user, true));
    /// assert_eq!(members[0].devices, [me.device]);
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub fn members(&self) -> Result<Vec<Member>> {
        let me = self.inner.engine.user()?;
        let users = self.inner.engine.log.directory().users();
        users
            .into_iter()
            .map(|user| {
                Ok(Member {
                    user: user.id,
                    role: user.role,
                    profile: self.profile_of(user.id)?,
                    devices: user.devices,
                    me: user.id == me,
                })
            })
            .collect()
    }

    /// The devices of the workspace, by user, then id.
    #[must_use]
    pub fn devices(&self) -> Vec<Device> {
        let directory = self.inner.engine.log.directory();
        let me = self.inner.engine.device();
        let devices = directory.users().into_iter().flat_map(|user| user.devices);
        devices
            .filter_map(|id| directory.device(&id))
            .map(|device| Device {
                device: device.id,
                user: device.user,
                added_by: device.added_by,
                me: device.id == me,
            })
            .collect()
    }

    fn profile_of(&self, user: UserId) -> Result<Option<String>> {
        let profiles: Collection<Value> = self.catalogue().collection(PROFILES);
        Ok(match profiles.of(user).get(NAME)? {
            Some(Value::Text(name)) => Some(name),
            _ => None,
        })
    }

    /// The hidden database of stream zero that all members share.
    fn catalogue(&self) -> Database {
        Database::catalogue(std::sync::Arc::clone(&self.inner.engine), CircleId::WORKSPACE)
    }
}
