//! Inviting: giving out links, hearing who asks with them, admitting.

use std::fmt;

use serde::{Deserialize, Serialize};
use tidelog_log::directory::Role;
use tidelog_log::env::random_array;
use tidelog_log::ids::{CircleId, DeviceId, UserId};

use super::Workspace;
use super::circles::known;
use super::invite_link::{InviteLink, Meeting};
use super::local::InviteRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::net::RelayAddress;

/// Longest time an invite may be open, in milliseconds: 30 days.
const EXPIRY_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Invites that a device may have open at once.
const INVITES_MAX: usize = 64;

/// Circles that one invite leads into.
const CIRCLES_MAX: usize = 64;

/// What an invite allows.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::{InviteOptions, Role};
///
/// # use tidelog::{Key, Workspace};
/// # let workspace = Workspace::create(folder.join("notes.tide"), Key::raw([7; 32]), "Notes").await?;
/// let options = InviteOptions { role: Role::Reader, uses: 3, ..InviteOptions::default() };
/// let invite = workspace.invite(options).await?;
/// assert!(invite.uri.starts_with("tidelog:join?")); // whoever has it can ask to join
/// assert_eq!(workspace.invites(), [invite.clone()]);
///
/// workspace.withdraw(&invite.id)?;
/// assert!(workspace.invites().is_empty());
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InviteOptions {
    /// What the new user may do; must be below what this user may do. Without effect if
    /// `same_user`.
    pub role: Role,
    /// URL of the relay where the two sides meet. Without one, request and welcome go from hand to
    /// hand: see [`Workspace::ask_to_join`].
    pub relay: Option<String>,
    /// How long the invite is open, in milliseconds; at most 30 days.
    pub expires_in_ms: u64,
    /// Whether whoever asks is admitted at once: while this device is connected to the relay, or
    /// when it takes the request in.
    pub auto_approve: bool,
    /// How often the invite can be used.
    pub uses: u32,
    /// Whether the invite is for another device of this user, instead of for another user.
    pub same_user: bool,
    /// The circles that the new user comes into, with the same role; this device must be able to
    /// write in them. At most 64, and none if `same_user`: another device is in its user's circles.
    pub circles: Vec<CircleId>,
}

impl Default for InviteOptions {
    /// An invite without a relay for one new writer, open for a day, to be approved by hand.
    fn default() -> Self {
        Self {
            role: Role::Writer,
            relay: None,
            expires_in_ms: 24 * 60 * 60 * 1_000,
            auto_approve: false,
            uses: 1,
            same_user: false,
            circles: Vec::new(),
        }
    }
}

impl InviteOptions {
    /// [`InviteOptions::default`] with a relay to meet at.
    #[must_use]
    pub fn new(relay: impl Into<String>) -> Self {
        Self { relay: Some(relay.into()), ..Self::default() }
    }
}

/// An open invite.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Invite {
    /// Names the invite on this device.
    pub id: String,
    /// The link to give to the new member; as secret as a password.
    pub uri: String,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: u64,
    /// What it grants.
    pub role: Role,
    /// URL of the relay where the two sides meet, if there is one.
    pub relay: Option<String>,
    /// How often it can still be used.
    pub uses_left: u32,
    /// Whether whoever asks is admitted at once.
    pub auto_approve: bool,
    /// Whether it is for another device of this user.
    pub same_user: bool,
    /// The circles that the new user comes into.
    pub circles: Vec<CircleId>,
}

impl fmt::Debug for Invite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Invite({})", self.id)
    }
}

impl Invite {
    /// What is told of a record; `None` for one that makes no sense.
    fn of(record: InviteRecord) -> Option<Self> {
        Some(Self {
            role: record.role.parse().ok()?,
            circles: record.circles(),
            same_user: InviteLink::parse(&record.uri).ok()?.user.is_some(),
            id: record.id,
            uri: record.uri,
            expires_ms: record.expires_ms,
            relay: record.relay,
            uses_left: record.uses_left,
            auto_approve: record.auto_approve,
        })
    }
}

/// Somebody who asks to join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JoinRequest {
    /// Names the request.
    pub id: String,
    /// The name that the asker gives; nothing proves it.
    pub profile: String,
    /// The asker's device.
    pub device: DeviceId,
    /// What the invite grants.
    pub role: Role,
    /// Whether it is to be another device of this user.
    pub same_user: bool,
    /// The circles that the invite leads into.
    pub circles: Vec<CircleId>,
    /// When it was asked, by the asker's clock, in milliseconds since 1970.
    pub requested_ms: u64,
}

impl Workspace {
    /// Makes a link with which a new member can ask to join. A relay must be reachable, and gets
    /// what this device has, so that the new member finds it there. Only this device sees who asks
    /// with the link, and can admit them.
    ///
    /// # Errors
    ///
    /// `not_authorized` unless this user is an admin or owner and above the role;
    /// `not_found` for a circle that does not exist, `not_admitted` or `not_authorized` for one that
    /// this device cannot write in; `invalid_argument` for no uses or a time beyond 30 days; `too_large` if 64 invites are open;
    /// `network` and `relay_refused` from the relay.
    pub async fn invite(&self, options: InviteOptions) -> Result<Invite> {
        let me = self.me()?;
        let invalid = |text: &str| Error::new(ErrorKind::InvalidArgument, text);
        if !options.same_user && (me.role < Role::Admin || options.role >= me.role) {
            let text = format!("a user of role {} cannot admit one of role {}", me.role, options.role);
            return Err(Error::new(ErrorKind::NotAuthorized, text));
        }
        if options.uses == 0 || options.expires_in_ms == 0 || options.expires_in_ms > EXPIRY_MS_MAX {
            return Err(invalid("an invite has at least one use, and is open for at most 30 days"));
        }
        self.check_circles(&options)?;
        let desk = &self.inner.desk;
        if desk.open_invites().len() >= INVITES_MAX {
            return Err(Error::new(ErrorKind::TooLarge, "too many invites are open: withdraw some"));
        }
        let meeting = match &options.relay {
            Some(relay) => {
                let key = self.meet(relay).await?;
                Some(Meeting { url: RelayAddress::parse(relay)?.to_string(), key })
            }
            None => None,
        };
        let engine = &self.inner.engine;
        let link = InviteLink::new(
            engine.workspace(),
            random_array(&*engine.random),
            meeting,
            options.same_user.then_some(me.user),
            engine.log.directory().heads(),
        );
        let role = if options.same_user { me.role } else { options.role };
        let record = InviteRecord {
            id: UserId(random_array(&*engine.random)).to_string(),
            uri: link.to_uri(),
            role: role.to_string(),
            relay: options.relay.clone(),
            expires_ms: engine.wall.now_ms().saturating_add(options.expires_in_ms),
            auto_approve: options.auto_approve,
            uses_left: options.uses,
            withdrawn: false,
            circles: options.circles.iter().map(ToString::to_string).collect(),
            owed: Vec::new(),
        };
        let invite = Invite::of(record.clone()).expect("a record made here makes sense");
        desk.keep(record)?;
        if let Some(relay) = &options.relay {
            // The mailbox is open from here on.
            self.sync(relay).await?;
        }
        Ok(invite)
    }

    fn check_circles(&self, options: &InviteOptions) -> Result<()> {
        if options.circles.len() > CIRCLES_MAX || (options.same_user && !options.circles.is_empty()) {
            let text = "an invite leads into at most 64 circles, and one for another device into none";
            return Err(Error::new(ErrorKind::InvalidArgument, text));
        }
        let directory = self.inner.engine.log.directory();
        options.circles.iter().try_for_each(|circle| {
            known(&directory, circle)?;
            self.inner.engine.check_writer(circle, &directory)
        })
    }

    /// The invites of this device that can still be used.
    #[must_use]
    pub fn invites(&self) -> Vec<Invite> {
        self.inner.desk.open_invites().into_iter().filter_map(Invite::of).collect()
    }

    /// Takes an invite back: nobody is admitted with it any more, also who asked before. At its
    /// relay it is closed with the next sync.
    ///
    /// # Errors
    ///
    /// `not_found` if this device has no such invite.
    pub fn withdraw(&self, invite: &str) -> Result<()> {
        let missing = || Error::new(ErrorKind::NotFound, "there is no such invite on this device");
        self.inner.desk.withdraw(invite)?.then_some(()).ok_or_else(missing)
    }

    /// Who asks to join with an open invite of this device. Asks the relays of the invites.
    ///
    /// # Errors
    ///
    /// `network` and `relay_refused` from the relays.
    pub async fn requests(&self) -> Result<Vec<JoinRequest>> {
        let mut relays: Vec<String> =
            self.inner.desk.open_invites().into_iter().filter_map(|invite| invite.relay).collect();
        relays.sort_unstable();
        relays.dedup();
        for relay in relays {
            self.sync(&relay).await?;
        }
        self.finish_admissions().await;
        Ok(self.inner.desk.requests())
    }

    /// Admits somebody who asks to join, takes them into the circles of the invite, and tells the relay
    /// of the invite, if it has one, so that they can go on at once.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no such request; `invite_expired` if the invite was withdrawn, used
    /// up or has expired meanwhile; `not_authorized`; `network` if the relay could not be told: then
    /// they are admitted, and learn of it with the next sync.
    ///
    /// # Cancellation
    ///
    /// Once begun, the admission takes place. Circles that are left out then follow when this is called
    /// again, or with the next [`Workspace::requests`].
    pub async fn approve(&self, request: &str) -> Result<()> {
        if self.inner.desk.asked(request).is_none() {
            self.requests().await?;
        }
        self.admit(request).await?;
        match self.inner.desk.relay_of(request) {
            Some(relay) => self.sync(&relay).await.map(drop),
            None => Ok(()),
        }
    }
}
