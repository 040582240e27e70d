//! Mailboxes: how a joiner and a member leave letters for each other before they can sync.
//!
//! A member's session opens a box at the relay with the hash of a token; whoever shows the token
//! leaves and takes letters. The relay sees neither the secret the token comes from nor what the
//! letters say.

use super::event::SessionEvent;
use super::host::Host;
use super::limits::{OUTBOX_BYTES_MAX, WATCHED_MAX};
use super::sync::{Stop, close};
use super::{Link, Role, Session};
use crate::frames::{BoxId, Code, Frame, MAIL_MAX, MailError};

impl Session {
    /// Opens a mailbox at the relay, extends it, or with an expiry of 0 closes it. Its letters come
    /// as events, those that come later too. Only for a member; answered by an event.
    pub fn mail_open(&mut self, mailbox: BoxId, token_hash: [u8; 32], expires_ms: u64) {
        self.ask_relay(Frame::MailOpen { mailbox, token_hash, expires_ms });
    }

    /// Leaves a letter of 1 to [`MAIL_MAX`] bytes; answered by an event. Returns whether the length
    /// is allowed.
    pub fn mail_put(&mut self, mailbox: BoxId, token: [u8; 32], message: Vec<u8>) -> bool {
        let fits = (1..=MAIL_MAX).contains(&message.len());
        if fits {
            self.ask_relay(Frame::MailPut { mailbox, token, message });
        }
        fits
    }

    /// Asks for the letters after a slot, and for those to come; answered by events.
    pub fn mail_get(&mut self, mailbox: BoxId, token: [u8; 32], after: u32) {
        self.ask_relay(Frame::MailGet { mailbox, token, after });
    }

    /// At a relay: a letter was left in a box that this session watches. Ignored if it does not.
    pub fn push_mail(&mut self, mailbox: BoxId, slot: u32, message: Vec<u8>) {
        let room = self.outbox.bytes() < OUTBOX_BYTES_MAX;
        if self.watched.contains(&mailbox) && !self.over && room {
            self.outbox.push(&Frame::Mail { mailbox, slot, message });
        }
    }

    fn ask_relay(&mut self, frame: Frame) {
        match self.link {
            Link::Handshake(_) => self.queued.push(frame),
            Link::Open { .. } if !self.over => {
                self.outbox.push(&frame);
            }
            Link::Open { .. } | Link::Closed => {}
        }
    }

    pub(super) fn to_client(&self) -> Result<(), Stop> {
        match self.role {
            Role::Client { .. } => Ok(()),
            Role::Relay { .. } | Role::Peer { .. } => Err(no_letters()),
        }
    }

    fn mail_host(&self) -> Result<&dyn Host, Stop> {
        if self.outbox.bytes() > OUTBOX_BYTES_MAX {
            return Err(close(Code::Limit, "too much is asked for and not read"));
        }
        match &self.role {
            Role::Relay { host, .. } => Ok(&**host),
            Role::Client { .. } | Role::Peer { .. } => Err(no_letters()),
        }
    }

    pub(super) fn on_mail_open(
        &mut self,
        mailbox: BoxId,
        token_hash: [u8; 32],
        expires_ms: u64,
    ) -> Result<(), Stop> {
        let host = self.mail_host()?;
        let member = self.sync.as_ref().filter(|sync| sync.admitted);
        let workspace = member.map(|sync| sync.replica.workspace());
        let letters = match workspace {
            Some(workspace) if self.may_watch(mailbox) => {
                host.mail_open(&workspace, mailbox, token_hash, expires_ms)
            }
            _ => Err(MailError::Unavailable),
        };
        if expires_ms == 0 {
            self.watched.remove(&mailbox);
        } else if letters.is_ok() {
            self.watch(mailbox);
        }
        self.answer(mailbox, letters);
        Ok(())
    }

    pub(super) fn on_mail_put(
        &mut self,
        mailbox: BoxId,
        token: &[u8; 32],
        message: Vec<u8>,
    ) -> Result<(), Stop> {
        let put = self.mail_host()?.mail_put(mailbox, token, message);
        self.authenticated |= put.is_ok();
        let slot = put.unwrap_or(0);
        self.outbox.push(&Frame::MailResult { mailbox, slot, result: put.map(|_| ()) });
        Ok(())
    }

    pub(super) fn on_mail_get(&mut self, mailbox: BoxId, token: &[u8; 32], after: u32) -> Result<(), Stop> {
        let host = self.mail_host()?;
        let letters = if self.may_watch(mailbox) {
            host.mail_get(mailbox, token, after)
        } else {
            Err(MailError::Unavailable)
        };
        if letters.is_ok() {
            self.authenticated = true;
            self.watch(mailbox);
        }
        self.answer(mailbox, letters);
        Ok(())
    }

    fn may_watch(&self, mailbox: BoxId) -> bool {
        self.watched.len() < WATCHED_MAX || self.watched.contains(&mailbox)
    }

    fn watch(&mut self, mailbox: BoxId) {
        if self.watched.insert(mailbox) {
            self.events.push_back(SessionEvent::MailWatched(mailbox));
        }
    }

    fn answer(&mut self, mailbox: BoxId, letters: Result<Vec<(u32, Vec<u8>)>, MailError>) {
        let result = letters.as_ref().map(|_| ()).map_err(|error| *error);
        self.outbox.push(&Frame::MailResult { mailbox, slot: 0, result });
        for (slot, message) in letters.unwrap_or_default() {
            self.outbox.push(&Frame::Mail { mailbox, slot, message });
        }
    }
}

fn no_letters() -> Stop {
    close(Code::Protocol, "only a relay keeps letters")
}
