//! Roles, who leaves, and what is held and not shown.

use std::fmt::Display;
use std::str::FromStr;

use super::Workspace;
use crate::call::Call;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{ExcludedEntry, RemovalReport};

fn parse<T: FromStr>(what: &str, text: &str) -> Result<T>
where
    T::Err: Display,
{
    text.parse().map_err(|error| Error::new(ErrorKind::InvalidArgument, format!("no {what}: {error}")))
}

impl Workspace {
    /// Gives a user another role: `reader`, `writer`, `admin` or `owner`. Of one that may not write any
    /// more, what it writes from now on counts nowhere.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such user,
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless this user is above both roles, or if no
    /// owner would be left.
    pub fn set_role(&self, user: String, role: String) -> Call<()> {
        self.task(|core| async move {
            let (user, role) = (parse("user", &user)?, parse("role", &role)?);
            Ok(core.set_role(user, role).await?)
        })
    }

    /// Removes a user with all devices, for good. What they write without knowing of it counts nowhere,
    /// and they get no later key; what they hold by now they keep.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such user, or it was removed before,
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless this user is above it, and if no owner
    /// would be left.
    pub fn remove_user(&self, user: String) -> Call<RemovalReport> {
        self.task(|core| async move { Ok(core.remove_user(parse("user", &user)?).await?.into()) })
    }

    /// Removes a device, for good: it was lost, stolen or given away.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such device, or it was removed before,
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless it is of this user or of one below it.
    pub fn remove_device(&self, device: String) -> Call<RemovalReport> {
        self.task(|core| async move { Ok(core.remove_device(parse("device", &device)?).await?.into()) })
    }

    /// The entries that this device holds and does not show, in order of arrival, with the reason. Each
    /// is shown once the reason is gone, without another sync.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn excluded(&self) -> Call<Vec<ExcludedEntry>> {
        self.blocking(|core| Ok(core.excluded()?.into_iter().map(ExcludedEntry::from).collect()))
    }

    /// Lets everything count that a removed or demoted device wrote before it knew, as far as it is held
    /// here by now. Gives how many entries that brought back.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if nothing of the device is excluded that could count,
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless this user has at least the role of
    /// whoever removed it.
    pub fn accept_excluded(&self, device: String) -> Call<u64> {
        self.task(|core| async move { Ok(core.accept_excluded(parse("device", &device)?).await?) })
    }
}
