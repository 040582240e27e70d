//! The desk: this device's invites, who asked with them, and admitting them.
//!
//! The [`Desk`] keeps the invites in a sealed file and the requests that came in memory; links and
//! syncs hold the invites' mailboxes open at their relays and bring it the letters, people bring
//! others by hand. Only the device that made an invite knows its secret, so only it can read who
//! asks.
//!
//! Admitting is one at a time. A use is taken before the directory is written and given back if
//! that fails: a crash in between loses a use, and never admits one more than the invite allows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidelog_log::crypto::sha256;
use tidelog_log::directory::{DeviceCert, Op, Role, user_id};
use tidelog_log::frames::BoxId;
use tidelog_log::ids::{CircleId, UserId};
use tidelog_log::storage::Storage;

use super::invite_link::InviteLink;
use super::invites::JoinRequest;
use super::letter::Letter;
use super::local::{InviteRecord, Local};
use super::recover::commit;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::keyring::Recipient;
use crate::net::OpenBox;

/// Requests that are kept for one invite.
const REQUESTS_MAX: usize = 64;
/// How long it is remembered what became of an invite after its end, in milliseconds: 30 days.
const REMEMBER_MS: u64 = 30 * 24 * 60 * 60 * 1_000;
/// Invites that admit nobody any more and are remembered all the same.
const REMEMBER_MAX: usize = 64;

/// A request that came, and what admitting it takes.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) request: JoinRequest,
    pub(super) link: InviteLink,
    pub(super) user: UserId,
    cert: DeviceCert,
    invite: String,
}

/// A user that an invite admitted, and the circles that it leads into.
pub(super) struct Owed {
    invite: String,
    pub(super) user: UserId,
    pub(super) role: Role,
    pub(super) circles: Vec<CircleId>,
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
    /// Held while somebody is admitted.
    admitting: Mutex<()>,
}

impl Desk {
    pub(super) fn new(engine: Arc<Engine>, storage: Arc<dyn Storage>) -> Result<Self> {
        let local = Local::load(&*storage, engine.keys().local_key())?;
        let state = Mutex::new(DeskState { local, asked: BTreeMap::new() });
        Ok(Self { engine, storage, state, admitting: Mutex::default() })
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

    /// Changes one invite in the sealed file.
    fn change_invite(&self, id: &str, change: impl Fn(&mut InviteRecord)) -> Result<()> {
        self.change(|local| local.invites.iter_mut().filter(|invite| invite.id == id).for_each(change))
    }

    /// What the sealed file says.
    pub(super) fn local(&self) -> Local {
        self.state().local.clone()
    }

    /// Why an invite of this device admits nobody any more; `None` if it does.
    fn closed(&self, invite: &str) -> Option<&'static str> {
        let now_ms = self.engine.wall.now_ms();
        let state = self.state();
        match state.local.invites.iter().find(|known| known.id == invite) {
            Some(known) => known.closed(now_ms),
            None => Some("is forgotten"),
        }
    }

    /// The invites that can still be used.
    pub(super) fn open_invites(&self) -> Vec<InviteRecord> {
        let now_ms = self.engine.wall.now_ms();
        self.local().invites.into_iter().filter(|invite| invite.closed(now_ms).is_none()).collect()
    }

    /// Keeps a new invite, and forgets what became of old ones.
    pub(super) fn keep(&self, record: InviteRecord) -> Result<()> {
        let now_ms = self.engine.wall.now_ms();
        self.change(|local| {
            local.invites.retain(|old| old.expires_ms.saturating_add(REMEMBER_MS) > now_ms);
            let closed = local.invites.iter().filter(|old| old.closed(now_ms).is_some()).count();
            let mut surplus = closed.saturating_sub(REMEMBER_MAX);
            local.invites.retain(|old| {
                let forget = surplus > 0 && old.closed(now_ms).is_some();
                surplus -= usize::from(forget);
                !forget
            });
            local.invites.push(record);
        })?;
        self.engine.changed.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Takes an invite back; whether there was one.
    pub(super) fn withdraw(&self, invite: &str) -> Result<bool> {
        if !self.local().invites.iter().any(|known| known.id == invite) {
            return Ok(false);
        }
        self.change_invite(invite, |known| known.withdrawn = true)?;
        self.engine.changed.send_modify(|count| *count += 1);
        Ok(true)
    }

    /// Who asks, is not a member yet, and can be admitted.
    pub(super) fn requests(&self) -> Vec<JoinRequest> {
        let directory = self.engine.log.directory();
        let asked: Vec<Asked> = self.state().asked.values().cloned().collect();
        let waits = |asked: &Asked| {
            !directory.is_member(&asked.request.device) && self.closed(&asked.invite).is_none()
        };
        asked.into_iter().filter(waits).map(|asked| asked.request).collect()
    }

    /// The mailboxes to hold open; also those of invites that are used up or withdrawn, so that the
    /// relay closes them.
    pub(super) fn boxes(&self) -> Vec<OpenBox> {
        let now_ms = self.engine.wall.now_ms();
        let invites = self.local().invites.into_iter();
        let boxes = invites.filter(|invite| invite.relay.is_some() && invite.expires_ms > now_ms);
        let boxes = boxes.filter_map(|invite| {
            let link = InviteLink::parse(&invite.uri).ok()?;
            Some(OpenBox {
                mailbox: BoxId(link.mailbox()),
                token_hash: sha256(&[&link.token()]),
                expires_ms: if invite.closed(now_ms).is_none() { invite.expires_ms } else { 0 },
            })
        });
        boxes.collect()
    }

    /// A request that came.
    pub(super) fn asked(&self, request: &str) -> Option<Asked> {
        self.state().asked.get(request).cloned()
    }

    /// Takes a letter from a mailbox; whether it is news.
    pub(super) fn take(&self, mailbox: BoxId, sealed: &[u8]) -> bool {
        let read = self.open_invites().into_iter().find_map(|invite| {
            let link = InviteLink::parse(&invite.uri).ok().filter(|link| link.mailbox() == mailbox.0)?;
            read(&invite, link, sealed)
        });
        read.is_some_and(|asked| matches!(self.note(asked), Ok(true)))
    }

    /// Takes a letter that came by hand.
    pub(super) fn receive(&self, sealed: &[u8]) -> Result<JoinRequest> {
        let read = self.local().invites.into_iter().find_map(|invite| {
            let link = InviteLink::parse(&invite.uri).ok()?;
            read(&invite, link, sealed)
        });
        let foreign = || {
            let text = "this is no request to join with an invite that this device made, or a damaged one";
            Error::new(ErrorKind::InviteInvalid, text)
        };
        let asked = read.ok_or_else(foreign)?;
        let request = asked.request.clone();
        // Whoever is a member may still need its welcome.
        if !self.engine.log.directory().is_member(&request.device)
            && let Some(why) = self.closed(&asked.invite)
        {
            return Err(too_late(why));
        }
        self.note(asked)?;
        Ok(request)
    }

    fn note(&self, asked: Asked) -> Result<bool> {
        let directory = self.engine.log.directory();
        let mut state = self.state();
        let id = asked.request.id.clone();
        if !state.asked.contains_key(&id) {
            let waiting =
                |known: &&Asked| known.invite == asked.invite && !directory.is_member(&known.request.device);
            if state.asked.values().filter(waiting).count() >= REQUESTS_MAX {
                let text = "too many ask to join with this invite: approve some, or make another one";
                return Err(Error::new(ErrorKind::TooLarge, text));
            }
        }
        // Who asks again with another invite may be admitted by that one.
        let invite = asked.invite.clone();
        Ok(state.asked.insert(id, asked).is_none_or(|before| before.invite != invite))
    }

    /// Writes whoever asked into the directory, with the keys. Blocks on the disk.
    pub(super) fn admit(&self, request: &str) -> Result<()> {
        let missing = || Error::new(ErrorKind::NotFound, "there is no such request to join");
        let _turn = self.admitting.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = self.asked(request).ok_or_else(missing)?;
        if self.engine.log.directory().is_member(&asked.request.device) {
            return Ok(());
        }
        if let Some(why) = self.closed(&asked.invite) {
            return Err(too_late(why));
        }
        let ops = self.admission(&asked)?;
        let user = asked.user.to_string();
        self.change_invite(&asked.invite, |invite| {
            invite.uses_left -= 1;
            // There already if the admission was begun before and did not come to its end.
            if !invite.circles.is_empty() && !invite.owed.contains(&user) {
                invite.owed.push(user.clone());
            }
        })?;
        let admitted = commit(&self.engine, &self.engine.signer(), ops).and_then(|()| {
            let member = self.engine.log.directory().is_member(&asked.request.device);
            member.then_some(()).ok_or_else(not_allowed)
        });
        if admitted.is_err() {
            self.change_invite(&asked.invite, |invite| {
                invite.uses_left += 1;
                invite.owed.retain(|owed| *owed != user);
            })?;
        }
        self.engine.changed.send_modify(|count| *count += 1);
        admitted
    }

    /// Whoever was admitted and is still to come into the circles of its invite.
    pub(super) fn owed(&self) -> Vec<Owed> {
        let directory = self.engine.log.directory();
        let mut all = Vec::new();
        for invite in self.local().invites {
            let Ok(role) = invite.role.parse() else { continue };
            let users = invite.owed.iter().filter_map(|user| user.parse().ok());
            // Others were about to be admitted, and were not.
            for user in users.filter(|user| directory.user(user).is_some()) {
                all.push(Owed { invite: invite.id.clone(), user, role, circles: invite.circles() });
            }
        }
        all
    }

    /// Notes that somebody is in all circles of its invite.
    pub(super) fn settle(&self, owed: &Owed) -> Result<()> {
        let user = owed.user.to_string();
        self.change_invite(&owed.invite, |invite| invite.owed.retain(|known| *known != user))
    }

    /// What is written to admit somebody.
    fn admission(&self, asked: &Asked) -> Result<Vec<Op>> {
        let engine = &*self.engine;
        let directory = engine.log.directory();
        let device = Recipient { device: asked.cert.sign_pk, kem: asked.cert.kem_pk };
        let keyring = engine.keyring.read().unwrap_or_else(PoisonError::into_inner);
        let mut ops = Vec::new();
        if asked.request.same_user {
            ops.push(Op::AddDevice { user: asked.user, cert: asked.cert.clone() });
            // A reader gives nobody keys: its new device waits for the next epoch.
            if directory.role(&engine.device()).is_some_and(|role| role >= Role::Writer) {
                ops.extend(keyring.grants_of_all(&directory, &asked.user, device, &*engine.random)?);
            }
        } else {
            let role = asked.request.role;
            ops.push(Op::AddUser { user: asked.user, role, certs: vec![asked.cert.clone()] });
            ops.extend(keyring.grants(CircleId::WORKSPACE, &directory, &[device], &*engine.random)?);
        }
        if directory.check_ops(&engine.device(), &ops[..1]).is_err() {
            return Err(not_allowed());
        }
        Ok(ops)
    }

    /// Whoever waits and is to be admitted at once.
    pub(super) fn preapproved(&self) -> Vec<String> {
        let waiting = self.requests().into_iter().map(|request| request.id);
        waiting.filter(|request| self.is_preapproved(request)).collect()
    }

    /// Whether the invite of a request says that whoever asks is admitted at once.
    pub(super) fn is_preapproved(&self, request: &str) -> bool {
        let invite = self.asked(request).map(|asked| asked.invite);
        self.local().invites.into_iter().any(|known| Some(known.id) == invite && known.auto_approve)
    }

    /// The relay of the invite that a request came with.
    pub(super) fn relay_of(&self, request: &str) -> Option<String> {
        let invite = self.asked(request)?.invite;
        self.local().invites.into_iter().find(|known| known.id == invite)?.relay
    }
}

/// Opens a letter under an invite.
fn read(invite: &InviteRecord, link: InviteLink, sealed: &[u8]) -> Option<Asked> {
    let (letter, cert) = Letter::open(&link, sealed)?;
    let request = JoinRequest {
        id: cert.sign_pk.to_string(),
        profile: letter.profile,
        device: cert.sign_pk,
        role: invite.role.parse().ok()?,
        same_user: link.user.is_some(),
        circles: invite.circles(),
        requested_ms: letter.requested_ms,
    };
    let user = link.user.unwrap_or_else(|| user_id(&link.workspace, &cert.sign_pk));
    Some(Asked { request, link, user, cert, invite: invite.id.clone() })
}

fn too_late(why: &str) -> Error {
    let text = format!("the invite of this request {why}: make another one, and ask with that");
    Error::new(ErrorKind::InviteExpired, text)
}

fn not_allowed() -> Error {
    let text = "the role of this user does not allow admitting, or the device was removed for good";
    Error::new(ErrorKind::NotAuthorized, text)
}
