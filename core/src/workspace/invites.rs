//! Inviting: giving out links, hearing who asks with them, admitting.
//!
//! The [`Desk`] keeps this device's invites in a sealed file and the requests that came in memory;
//! links and syncs hold the invites' mailboxes open at their relays and bring it the letters.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tidelog_log::crypto::{sha256, tag};
use tidelog_log::directory::{CERT_LEN, DeviceCert, Op, Role, user_id};
use tidelog_log::env::random_array;
use tidelog_log::frames::{BoxId, MAIL_MAX};
use tidelog_log::ids::{CircleId, DeviceId, UserId};
use tidelog_log::storage::Storage;

use super::Workspace;
use super::invite_link::InviteLink;
use super::local::{InviteRecord, Local};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::cobblestone;
use crate::keys::keyring::Recipient;
use crate::net::{self, MailDesk, OpenBox};
use crate::value::{cbor, from_value, to_value};

const TAG_LETTER: [u8; 16] = tag("TIDE1 join");
/// Longest time an invite may be open, in milliseconds: 30 days.
const EXPIRY_MS_MAX: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Invites that a device may have open at once.
const INVITES_MAX: usize = 64;
/// Requests that are kept for one invite.
const REQUESTS_MAX: usize = 64;

/// What an invite allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InviteOptions {
    /// What the new user may do; must be below what this user may do.
    pub role: Role,
    /// URL of the relay where the two sides meet.
    pub relay: String,
    /// How long the invite is open, in milliseconds; at most 30 days.
    pub expires_in_ms: u64,
    /// Whether whoever asks is admitted at once, while this device is connected.
    pub auto_approve: bool,
    /// How often the invite can be used.
    pub uses: u32,
    /// Whether the invite is for another device of this user, instead of for another user.
    pub same_user: bool,
}

impl Default for InviteOptions {
    /// As [`InviteOptions::new`], with the relay still to be named.
    fn default() -> Self {
        Self::new("")
    }
}

impl InviteOptions {
    /// An invite for one new writer, open for a day, to be approved by hand.
    #[must_use]
    pub fn new(relay: impl Into<String>) -> Self {
        Self {
            role: Role::Writer,
            relay: relay.into(),
            expires_in_ms: 24 * 60 * 60 * 1_000,
            auto_approve: false,
            uses: 1,
            same_user: false,
        }
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
}

impl fmt::Debug for Invite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Invite({})", self.id)
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
    /// When it was asked, by the asker's clock, in milliseconds since 1970.
    pub requested_ms: u64,
}

/// What a joiner puts into the mailbox, sealed under the invite's secret.
#[derive(Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) profile: String,
    pub(super) cert: String,
    pub(super) requested_ms: u64,
}

impl Letter {
    /// The letter as the relay sees it.
    pub(super) fn seal(&self, link: &InviteLink, salt: [u8; cobblestone::SALT_LEN]) -> Result<Vec<u8>> {
        let plain = cbor::encode(&to_value(self)?)?;
        let context: &[&[u8]] = &[&TAG_LETTER, &link.workspace.0];
        Ok(cobblestone::seal(&link.mail_key(), context, salt, &plain))
    }

    fn open(link: &InviteLink, sealed: &[u8]) -> Option<(Self, DeviceCert)> {
        let context: &[&[u8]] = &[&TAG_LETTER, &link.workspace.0];
        let plain = cobblestone::open(&link.mail_key(), context, sealed).ok()?;
        let letter: Self = from_value(cbor::decode(&plain).ok()?).ok()?;
        let cert = decode_cert(&letter.cert)?;
        let user = link.user.unwrap_or_else(|| user_id(&link.workspace, &cert.sign_pk));
        cert.verify(&link.workspace, &user)?;
        Some((letter, cert))
    }
}

/// A certificate as hexadecimal text.
pub(super) fn encode_cert(cert: &DeviceCert) -> String {
    cert.encode().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode_cert(text: &str) -> Option<DeviceCert> {
    if text.len() != CERT_LEN * 2 {
        return None;
    }
    let mut bytes = [0; CERT_LEN];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(DeviceCert::decode(&bytes))
}

/// A request that came, and what admitting it takes.
#[derive(Debug, Clone)]
struct Asked {
    request: JoinRequest,
    cert: DeviceCert,
    user: UserId,
    invite: String,
}

struct DeskState {
    local: Local,
    asked: BTreeMap<String, Asked>,
}

/// This device's invites, and who asked with them.
pub(super) struct Desk {
    engine: Arc<Engine>,
    storage: Arc<dyn Storage>,
    state: Mutex<DeskState>,
}

impl Desk {
    pub(super) fn new(engine: Arc<Engine>, storage: Arc<dyn Storage>) -> Result<Self> {
        let local = Local::load(&*storage, engine.keys().local_key())?;
        let state = Mutex::new(DeskState { local, asked: BTreeMap::new() });
        Ok(Self { engine, storage, state })
    }

    fn state(&self) -> MutexGuard<'_, DeskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the sealed file.
    pub(super) fn change(&self, change: impl FnOnce(&mut Local)) -> Result<()> {
        let mut state = self.state();
        let mut local = state.local.clone();
        change(&mut local);
        local.save(&*self.storage, self.engine.keys().local_key(), &*self.engine.random)?;
        state.local = local;
        Ok(())
    }

    /// What the sealed file says.
    pub(super) fn local(&self) -> Local {
        self.state().local.clone()
    }

    fn open_invites(&self) -> Vec<(InviteRecord, InviteLink)> {
        let now = self.engine.wall.now_ms();
        let open = |invite: &InviteRecord| invite.uses_left > 0 && invite.expires_ms > now;
        let invites = self.local().invites.into_iter().filter(open);
        invites.filter_map(|invite| Some((invite.clone(), InviteLink::parse(&invite.uri).ok()?))).collect()
    }

    /// Who asks and is not a member yet.
    fn requests(&self) -> Vec<JoinRequest> {
        let directory = self.engine.log.directory();
        let asked = self.state().asked.values().map(|asked| asked.request.clone()).collect::<Vec<_>>();
        asked.into_iter().filter(|request| !directory.is_member(&request.device)).collect()
    }

    /// Writes whoever asked into the directory, with the keys.
    async fn admit(&self, id: &str) -> Result<()> {
        let missing = || Error::new(ErrorKind::NotFound, "there is no such request to join");
        let asked = self.state().asked.get(id).cloned().ok_or_else(missing)?;
        let directory = self.engine.log.directory();
        if directory.is_member(&asked.request.device) {
            return Ok(());
        }
        let recipient = Recipient { device: asked.cert.sign_pk, kem: asked.cert.kem_pk };
        let add = if directory.user(&asked.user).is_some() {
            Op::AddDevice { user: asked.user, cert: asked.cert }
        } else {
            Op::AddUser { user: asked.user, role: asked.request.role, certs: vec![asked.cert] }
        };
        let mut ops = vec![add];
        ops.extend({
            let keyring = self.engine.keyring.read().unwrap_or_else(PoisonError::into_inner);
            keyring.grants(CircleId::WORKSPACE, &directory, &[recipient], &*self.engine.random)?
        });
        self.engine.commit_directory(ops).await?;
        if !self.engine.log.directory().is_member(&asked.request.device) {
            return Err(Error::new(
                ErrorKind::NotAuthorized,
                "the role of this user does not allow admitting",
            ));
        }
        self.change(|local| {
            for invite in local.invites.iter_mut().filter(|invite| invite.id == asked.invite) {
                invite.uses_left = invite.uses_left.saturating_sub(1);
            }
        })?;
        self.engine.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Admits everybody whose invite says so.
    pub(super) async fn admit_preapproved(&self) {
        let preapproved: Vec<String> = {
            let state = self.state();
            let automatic = |id: &str| {
                let invite = state.local.invites.iter().find(|invite| invite.id == id);
                invite.is_some_and(|invite| invite.auto_approve && invite.uses_left > 0)
            };
            state
                .asked
                .values()
                .filter(|asked| automatic(&asked.invite))
                .map(|asked| asked.request.id.clone())
                .collect()
        };
        for id in preapproved {
            if let Err(error) = self.admit(&id).await {
                tracing::warn!(%error, "a pre-approved request was not admitted");
            }
        }
    }

    pub(super) fn take(&self, mailbox: BoxId, sealed: &[u8]) -> bool {
        let open = self.open_invites();
        let Some((invite, link)) = open.iter().find(|(_, link)| link.mailbox() == mailbox.0) else {
            return false;
        };
        let Some((letter, cert)) = Letter::open(link, sealed) else { return false };
        let Ok(role) = invite.role.parse() else { return false };
        let user = link.user.unwrap_or_else(|| user_id(&link.workspace, &cert.sign_pk));
        let id = cert.sign_pk.to_string();
        let request = JoinRequest {
            id: id.clone(),
            profile: letter.profile,
            device: cert.sign_pk,
            role,
            requested_ms: letter.requested_ms,
        };
        let mut state = self.state();
        if state.asked.len() >= REQUESTS_MAX && !state.asked.contains_key(&id) {
            return false;
        }
        let asked = Asked { request, cert, user, invite: invite.id.clone() };
        state.asked.insert(id, asked).is_none()
    }
}

/// What links see of the desk. Letters that admit somebody at once do so in a task of their own.
pub(super) struct DeskHandle(pub(super) Arc<Desk>);

impl MailDesk for DeskHandle {
    /// Also names the boxes of invites that are used up or withdrawn, so that the relay closes them.
    fn boxes(&self) -> Vec<OpenBox> {
        let now = self.0.engine.wall.now_ms();
        let invites = self.0.local().invites.into_iter().filter(|invite| invite.expires_ms > now);
        let boxes = invites.filter_map(|invite| {
            let link = InviteLink::parse(&invite.uri).ok()?;
            Some(OpenBox {
                mailbox: BoxId(link.mailbox()),
                token_hash: sha256(&[&link.token()]),
                expires_ms: if invite.uses_left > 0 { invite.expires_ms } else { 0 },
            })
        });
        boxes.collect()
    }

    fn letter(&self, mailbox: BoxId, _slot: u32, letter: Vec<u8>) {
        if self.0.take(mailbox, &letter) {
            let desk = Arc::clone(&self.0);
            tokio::spawn(async move { desk.admit_preapproved().await });
        }
    }
}

impl Workspace {
    /// Makes a link with which a new member can ask to join. The relay must be reachable, and gets
    /// what this device has, so that the new member finds it there.
    ///
    /// # Errors
    ///
    /// `not_authorized` unless this user is an admin or owner and above the role; `invalid_argument`
    /// for no uses or a time beyond 30 days; `network` and `relay_refused` from the relay.
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
        let desk = &self.inner.desk;
        if desk.open_invites().len() >= INVITES_MAX {
            return Err(Error::new(ErrorKind::TooLarge, "too many invites are open: withdraw some"));
        }
        let relay_key = self.meet(&options.relay).await?;
        let engine = &self.inner.engine;
        let random = &*engine.random;
        let link = InviteLink::new(
            engine.workspace(),
            random_array(random),
            (net::RelayAddress::parse(&options.relay)?.to_string(), relay_key),
            options.same_user.then_some(me.user),
            engine.log.directory().heads(),
        );
        let record = InviteRecord {
            id: short_id(random_array(random)),
            uri: link.to_uri(),
            role: options.role.to_string(),
            relay: options.relay.clone(),
            expires_ms: engine.wall.now_ms().saturating_add(options.expires_in_ms),
            auto_approve: options.auto_approve,
            uses_left: options.uses,
        };
        let invite = Invite { id: record.id.clone(), uri: record.uri.clone(), expires_ms: record.expires_ms };
        let now = engine.wall.now_ms();
        desk.change(|local| {
            local.invites.retain(|old| old.expires_ms > now);
            local.invites.push(record);
        })?;
        engine.changed.send_modify(|count| *count += 1);
        // The mailbox is open from here on.
        self.sync(&options.relay).await?;
        Ok(invite)
    }

    /// The invites of this device that can still be used.
    #[must_use]
    pub fn invites(&self) -> Vec<Invite> {
        let open = self.inner.desk.open_invites().into_iter();
        open.map(|(invite, _)| Invite { id: invite.id, uri: invite.uri, expires_ms: invite.expires_ms })
            .collect()
    }

    /// Takes an invite back.
    ///
    /// # Errors
    ///
    /// `not_found` if this device has no such invite.
    pub fn withdraw(&self, invite: &str) -> Result<()> {
        if !self.inner.desk.local().invites.iter().any(|known| known.id == invite) {
            return Err(Error::new(ErrorKind::NotFound, "there is no such invite on this device"));
        }
        self.inner.desk.change(|local| {
            local.invites.iter_mut().filter(|known| known.id == invite).for_each(|known| known.uses_left = 0);
        })?;
        self.inner.engine.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Who asks to join with an invite of this device. Asks the relays of the invites.
    ///
    /// # Errors
    ///
    /// `network` and `relay_refused` from the relays.
    pub async fn requests(&self) -> Result<Vec<JoinRequest>> {
        let mut asked = Vec::new();
        for (invite, _) in self.inner.desk.open_invites() {
            if asked.contains(&invite.relay) {
                continue;
            }
            self.sync(&invite.relay).await?;
            asked.push(invite.relay);
        }
        Ok(self.inner.desk.requests())
    }

    /// Admits somebody who asks to join, and tells the relay, so that they can go on at once.
    ///
    /// # Errors
    ///
    /// `not_found` if there is no such request; `not_authorized`; `network` if the relay could not
    /// be told: then they are admitted, and learn of it with the next sync.
    pub async fn approve(&self, request: &str) -> Result<()> {
        if !self.inner.desk.state().asked.contains_key(request) {
            self.requests().await?;
        }
        let invite = self.inner.desk.state().asked.get(request).map(|asked| asked.invite.clone());
        self.inner.desk.admit(request).await?;
        let invites = self.inner.desk.local().invites;
        match invites.into_iter().find(|known| Some(&known.id) == invite.as_ref()) {
            Some(invite) => self.sync(&invite.relay).await.map(drop),
            None => Ok(()),
        }
    }
}

fn short_id(bytes: [u8; 16]) -> String {
    UserId(bytes).to_string()
}

/// The longest letter fits into a mailbox: names are bounded.
const _: () = assert!(MAIL_MAX >= 2 * CERT_LEN + super::create::LABEL_BYTES_MAX + 512);
