//! Circles: some of the members, with keys and databases of their own.

use super::Workspace;
use crate::call::Call;
use crate::convert::{role, user_id};
use crate::error::Result;
use crate::runtime::guard;
use crate::types::{Circle, CircleOptions, KeyPolicy, circle_id};

impl Workspace {
    /// Makes a circle of this device's user alone, who may add others. Its name, the names of its
    /// databases and all that is in them are sealed for its members; the others carry it, and see that
    /// there is a circle and who is in it.
    ///
    /// # Errors
    ///
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless this user is an admin or owner,
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for an impossible name or option.
    pub fn create_circle(&self, name: String, options: CircleOptions) -> Call<Circle> {
        self.task(move |core| async move { Ok(core.create_circle(&name, options.try_into()?).await?.into()) })
    }

    /// The circles, also those that this device is not in.
    ///
    /// # Errors
    ///
    /// Those of reading the workspace.
    pub fn circles(&self) -> Call<Vec<Circle>> {
        self.blocking(|core| Ok(core.circles()?.into_iter().map(Circle::from).collect()))
    }

    /// Takes a user into a circle as `reader`, `writer` or `admin`, or gives one who is in it another
    /// role there. Where newcomers may read only what is written after they joined, what is there now is
    /// written again for them; repeat the call if that was interrupted.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such circle or user,
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless this device is in the circle and may
    /// write there, and its user is above the role.
    pub fn add_to_circle(&self, circle: String, user: String, role_there: String) -> Call<()> {
        self.task(move |core| async move {
            let (circle, user) = (circle_id(&circle)?, user_id(&user)?);
            Ok(core.add_to_circle(circle, user, role(&role_there)?).await?)
        })
    }

    /// Takes a user out of a circle: what it has it keeps, later keys it does not get, and what it
    /// writes there from now on counts nowhere.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is no such circle or the user is not in it,
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless the user is this device's own or of a
    /// lower role in the workspace.
    pub fn remove_from_circle(&self, circle: String, user: String) -> Call<()> {
        self.task(move |core| async move {
            Ok(core.remove_from_circle(circle_id(&circle)?, user_id(&user)?).await?)
        })
    }

    /// When members make new keys without another reason.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::ErrorKind::Closed) after shutdown.
    pub fn policy(&self) -> Result<KeyPolicy> {
        guard(|| Ok(self.open_core()?.policy().into()))
    }

    /// Sets when members make new keys without another reason: at the first write so many days after a
    /// device first saw a key used, or after so many entries. Zero is never.
    ///
    /// # Errors
    ///
    /// [`NotAuthorized`](crate::ErrorKind::NotAuthorized) unless this user is an owner.
    pub fn set_policy(&self, rotate_days: u16, rotate_entries: u32) -> Call<()> {
        let policy = tidelog::KeyPolicy { rotate_days, rotate_entries };
        self.task(move |core| async move { Ok(core.set_policy(policy).await?) })
    }
}
