//! Roles, and who leaves: what is asked of the directory before it is written, and how far the
//! entries of those count who lose their standing.
//!
//! A removal names, for every stream, the last entry of each device that counts: its **cut**. Cuts
//! come from this replica, then from what the device itself claimed in its last beacon. Those that
//! do not fit the entry of the removal follow in amendments, which become visible with it. New epoch
//! keys follow at once; whoever is interrupted before has them made with the next write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidelog_log::crypto::Signer;
use tidelog_log::directory::{CUTS_MAX, Cut, Objection, Op, Role};
use tidelog_log::ids::{DeviceId, StreamId, UserId};

use super::Workspace;
use super::create::blocking;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::device::RootKeys;

/// How many entries beyond those held a device's own claim can make count, in each stream.
const CLAIM_AHEAD_MAX: u64 = 256;

/// What a removal did.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct RemovalReport {
    /// Chains of the removed devices, each with the last entry that counts.
    pub cuts: u64,
    /// Of these, how many end at an entry that this device does not hold: the removed device claimed
    /// it in its last beacon.
    pub claimed: u64,
    /// Entries of the directory that were written for it, those of new keys not included.
    pub entries: u64,
    /// Whether new keys are there already. If not, the next writer makes them first.
    pub keys_renewed: bool,
    /// What remains to be done, in words: the removed device is of the same user and as senior as this
    /// one, so that what it does without knowing of the removal still counts.
    pub advice: Option<String>,
}

impl Workspace {
    /// Gives a user another role. Of one that may not write any more, what it writes from now on
    /// counts nowhere.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no such user; `not_authorized` unless this user is above both roles, or
    /// if no owner would be left; or what writing reports.
    ///
    /// # Cancellation
    ///
    /// Once begun, it takes place.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// use tidelog::{ErrorKind, Role};
    ///
    /// # use tidelog::{InviteOptions, Key, Workspace};
    /// # let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
    /// # let (path, key) = (folder.join("bob.tide"), Key::raw([2; 32]));
    /// # let invite = ada.invite(InviteOptions { auto_approve: true, ..InviteOptions::default() }).await?;
    /// # let request = Workspace::ask_to_join(&path, key.clone(), &invite.uri, "Bob").await?;
    /// # let asked = ada.receive_request(&request).await?;
    /// # let bob = Workspace::finish_joining(&path, key, ada.welcome(&asked.id).await?).await?;
    /// ada.set_role(bob.me()?.user, Role::Reader).await?;
    /// ada.sync_with(&bob).await?;
    /// assert_eq!(bob.me()?.role, Role::Reader);
    ///
    /// let notes = bob.database("main").collection::<String>("notes");
    /// let written = notes.put("tide", &"Low at six.".to_owned()).await;
    /// assert!(written.is_err_and(|error| error.kind() == ErrorKind::NotAuthorized));
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn set_role(&self, user: UserId, role: Role) -> Result<()> {
        let engine = &self.inner.engine;
        let directory = engine.log.directory();
        let before = directory.user(&user).map(|user| user.role);
        if before == Some(role) {
            return Ok(());
        }
        let demoted = role < Role::Writer && before.is_some_and(|before| before >= Role::Writer);
        let devices = if demoted { directory.devices_of(&user) } else { Vec::new() };
        let op = move |cuts| Op::SetRole { user, role, cuts };
        let signer = self.signer_for(role == Role::Owner || before == Some(Role::Owner))?;
        self.write_with_cuts(signer, devices, op).await.map(drop)
    }

    /// Removes a user with all devices, for good. What they write without knowing of it counts
    /// nowhere, and they get no later key; what they hold by now they keep. An invite can bring the
    /// person back, as another user.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no such user, or it was removed before; `not_authorized` unless this
    /// user is above it, or it is this user, and if no owner would be left; or what writing reports.
    ///
    /// # Cancellation
    ///
    /// Once begun, it takes place.
    ///
    /// # Example
    ///
    /// ```
    /// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
    /// # use tidelog::{InviteOptions, Key, Workspace};
    /// # let ada = Workspace::create(folder.join("ada.tide"), Key::raw([1; 32]), "Notes").await?;
    /// # let (path, key) = (folder.join("bob.tide"), Key::raw([2; 32]));
    /// # let invite = ada.invite(InviteOptions { auto_approve: true, ..InviteOptions::default() }).await?;
    /// # let request = Workspace::ask_to_join(&path, key.clone(), &invite.uri, "Bob").await?;
    /// # let asked = ada.receive_request(&request).await?;
    /// # let bob = Workspace::finish_joining(&path, key, ada.welcome(&asked.id).await?).await?;
    /// let report = ada.remove_user(bob.me()?.user).await?;
    /// assert!(report.keys_renewed); // Bob gets no later key
    /// assert_eq!(ada.members()?.len(), 1);
    /// assert!(bob.sync_with(&ada).await.is_err());
    /// # Ok(())
    /// # }
    /// # let folder = tempfile::tempdir().unwrap();
    /// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
    /// ```
    pub async fn remove_user(&self, user: UserId) -> Result<RemovalReport> {
        let directory = self.inner.engine.log.directory();
        let is_owner = directory.user(&user).is_some_and(|user| user.role == Role::Owner);
        let (signer, devices) = (self.signer_for(is_owner)?, directory.devices_of(&user));
        let op = move |cuts| Op::RemoveUser { user, cuts };
        let report = self.write_with_cuts(signer, devices, op).await?;
        Ok(RemovalReport { keys_renewed: self.renew().await, ..report })
    }

    /// Removes a device, for good: it was lost, stolen or given away. As [`Workspace::remove_user`].
    ///
    /// # Errors
    ///
    /// `not_found` if there is no such device, or it was removed before; `not_authorized` unless it is
    /// of this user or of one below it; or what writing reports.
    ///
    /// # Cancellation
    ///
    /// Once begun, it takes place.
    pub async fn remove_device(&self, device: DeviceId) -> Result<RemovalReport> {
        let directory = self.inner.engine.log.directory();
        let signer = self.signer_for(directory.role(&device) == Some(Role::Owner))?;
        let me = signer.device();
        let stands_aside = device != me && !directory.outranks(&me, &device);
        let op = move |cuts| Op::RemoveDevice { device, cuts };
        let report = self.write_with_cuts(signer, vec![device], op).await?;
        let advice = stands_aside.then(|| match directory.role(&me) {
            Some(Role::Owner) => ADVICE_OWNER.to_owned(),
            _ => ADVICE.to_owned(),
        });
        Ok(RemovalReport { keys_renewed: self.renew().await, advice, ..report })
    }

    /// Writes an operation with the cuts of devices, in as few entries as they fit, after the directory
    /// was asked whether it would count.
    async fn write_with_cuts(
        &self,
        signer: Arc<dyn Signer>,
        devices: Vec<DeviceId>,
        op: impl FnOnce(Vec<Cut>) -> Op + Send + 'static,
    ) -> Result<RemovalReport> {
        let engine = Arc::clone(&self.inner.engine);
        let asked = Arc::clone(&signer);
        let (entries, report) = blocking(move || {
            let (cuts, claimed) = cuts_of(&engine, &devices)?;
            let report = RemovalReport { cuts: cuts.len() as u64, claimed, ..RemovalReport::default() };
            let entries = divide(cuts, CUTS_MAX, op);
            engine.check_intent(&*asked, &entries[0])?;
            Ok((entries, report))
        })
        .await?;
        let count = entries.len() as u64;
        self.inner.engine.commit_directory_entries(&signer, entries).await?;
        Ok(RemovalReport { entries: count, ..report })
    }

    /// Who signs what is about a user: the root key for an owner, if it is still kept on this device,
    /// else the device.
    fn signer_for(&self, is_owner: bool) -> Result<Arc<dyn Signer>> {
        let root = self.inner.custody.look(|vault| vault.root.as_ref().map(RootKeys::derive))?;
        Ok(match root.filter(|_| is_owner && !self.restored()) {
            Some(root) => Arc::new(root),
            None => self.inner.engine.signer(),
        })
    }

    /// Makes new keys after somebody left, if this device may and can. Until somebody did, nobody
    /// writes: so this may fail.
    async fn renew(&self) -> bool {
        let engine = &self.inner.engine;
        if engine.log.directory().role(&engine.device()).is_none_or(|role| role < Role::Writer) {
            return false;
        }
        match engine.renew_keys().await {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(%error, "no new keys after a removal; the next writer makes them");
                false
            }
        }
    }
}

const ADVICE: &str = "this device does not outrank the removed one: what that does without knowing of the \
    removal still counts. Ask an owner or admin above this user to remove it too";
const ADVICE_OWNER: &str = "this device does not outrank the removed one: what that does without knowing of \
    the removal still counts. Make sure that every member syncs soon, and look at `members` and `devices` then";

/// The last entries of devices in every stream, and how many of them are claimed by the device and
/// not held.
///
/// Whoever stole the device may have written its last beacon, and as long as a chain is not held up to
/// its cut, what leads there cannot be told from what is made up. So a claim goes only so far, and
/// only in streams that are known here; and none leads behind the cut of an earlier removal.
fn cuts_of(engine: &Engine, devices: &[DeviceId]) -> Result<(Vec<Cut>, u64)> {
    let directory = engine.log.directory();
    let mut cuts: BTreeMap<(DeviceId, StreamId), Cut> =
        engine.log.cuts_for(devices).into_iter().map(|cut| ((cut.device, cut.stream), cut)).collect();
    let claims = engine.claims_of(devices)?;
    let (frontier, _) = engine.log.frontier();
    let known: BTreeSet<StreamId> = frontier.iter().map(|leaf| leaf.stream).collect();
    let mut claimed = 0;
    for claim in claims.into_iter().filter(|claim| known.contains(&claim.stream)) {
        let chain = (claim.device, claim.stream);
        let held = cuts.get(&chain).map_or(0, |held| held.seq);
        let ahead = claim.seq.saturating_sub(held);
        if (1..=CLAIM_AHEAD_MAX).contains(&ahead) && directory.limits(&claim.device, &claim.stream).is_empty()
        {
            claimed += 1;
            cuts.insert(chain, claim);
        }
    }
    Ok((cuts.into_values().collect(), claimed))
}

/// Entries of the directory: one operation with the first cuts, and amendments with the others.
pub(super) fn divide(cuts: Vec<Cut>, cuts_max: usize, op: impl FnOnce(Vec<Cut>) -> Op) -> Vec<Vec<Op>> {
    let mut rest = cuts.into_iter().peekable();
    let mut entries = vec![vec![op(rest.by_ref().take(cuts_max).collect())]];
    while rest.peek().is_some() {
        entries.push(vec![Op::AmendCut { cuts: rest.by_ref().take(cuts_max).collect() }]);
    }
    entries
}

impl Engine {
    /// Asks the directory whether operations of a device, or of the root, would count.
    pub(crate) fn check_intent(&self, author: &dyn Signer, ops: &[Op]) -> Result<()> {
        let directory = self.log.directory();
        directory.check_ops(&author.device(), ops).map_err(|objection| {
            let role = directory.role(&self.device());
            refused(objection, role, ops)
        })
    }
}

/// What to do about an objection, in words.
fn refused(objection: Objection, role: Option<Role>, ops: &[Op]) -> Error {
    let role = role.map_or_else(|| "nobody".to_owned(), |role| role.to_string());
    let (kind, hint) = match objection {
        Objection::NotActive => (ErrorKind::NotAdmitted, "join again with an invite".to_owned()),
        Objection::UnknownUser(_) | Objection::UnknownDevice(_) | Objection::UnknownCircle(_) => {
            (ErrorKind::NotFound, "see who there is with `members` and `devices`".to_owned())
        }
        Objection::Removed => (ErrorKind::NotFound, "an invite can bring the person back".to_owned()),
        Objection::LastOwner => {
            let hint = "give the role of owner to somebody else first";
            (ErrorKind::NotAuthorized, hint.to_owned())
        }
        Objection::Certificate => (ErrorKind::InvalidArgument, "let the device ask anew".to_owned()),
        Objection::NotAuthorized => {
            let hint = match ops {
                [Op::SetRole { role: Role::Owner, .. }] => {
                    "only the root of the workspace makes an owner, on the device that still keeps its recovery \
                     words"
                        .to_owned()
                }
                [Op::AmendCut { .. }] => format!(
                    "this user is {role}: ask whoever removed the device, or somebody of that role or above"
                ),
                [Op::Policy(_)] => format!("this user is {role}: ask an owner"),
                [Op::CircleNew { .. }] => format!("this user is {role}: ask an admin"),
                [Op::CircleAdd { .. } | Op::CircleRemove { .. }] => {
                    "ask a writer of the circle with a higher role than the user, or an owner".to_owned()
                }
                _ => format!("this user is {role}: ask a member above the one it is about"),
            };
            (ErrorKind::NotAuthorized, hint)
        }
    };
    Error::new(kind, format!("{objection}; {hint}")).with_source(objection)
}

#[cfg(test)]
mod tests;
