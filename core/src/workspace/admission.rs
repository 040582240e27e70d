//! Admitting: the directory first, then the circles of the invite, by hand or at once.

use std::sync::{Arc, Weak};

use tidelog_log::frames::BoxId;

use super::create::blocking;
use super::desk::Owed;
use super::{Inner, Workspace};
use crate::error::{ErrorKind, Result};
use crate::net::{MailDesk, OpenBox};

impl Workspace {
    /// Admits whoever asked, and takes them into the circles of the invite. Whoever is a member by
    /// another invite is taken nowhere: this one, which may be over, did not bring them here.
    pub(super) async fn admit(&self, request: &str) -> Result<()> {
        let (desk, id) = (Arc::clone(&self.inner.desk), request.to_owned());
        blocking(move || desk.admit(&id)).await?;
        let Some(asked) = self.inner.desk.asked(request) else { return Ok(()) };
        for owed in self.inner.desk.owed().into_iter().filter(|owed| owed.user == asked.user) {
            self.lead_on(&owed).await?;
        }
        Ok(())
    }

    /// Takes those into the circles of their invites whose admission was interrupted.
    pub(super) async fn finish_admissions(&self) {
        for owed in self.inner.desk.owed() {
            if let Err(error) = self.lead_on(&owed).await {
                tracing::warn!(%error, "somebody who was admitted could not be taken into a circle");
            }
        }
    }

    /// Takes somebody who was admitted into the circles of its invite; into those that it is in already
    /// once more, in case that was not finished.
    async fn lead_on(&self, owed: &Owed) -> Result<()> {
        for circle in &owed.circles {
            let present = self.inner.engine.log.directory().role_in_circle(&owed.user, circle);
            self.add_to_circle(*circle, owed.user, present.unwrap_or(owed.role)).await?;
        }
        self.inner.desk.settle(owed)
    }

    /// Admits everybody whose invite says so.
    async fn admit_preapproved(&self) {
        self.finish_admissions().await;
        for request in self.inner.desk.preapproved() {
            match self.admit(&request).await {
                // Others were faster with the last use.
                Err(error) if error.kind() == ErrorKind::InviteExpired => {}
                Err(error) => tracing::warn!(%error, "a pre-approved request was not carried out"),
                Ok(()) => {}
            }
        }
    }
}

/// What links see of the desk. Letters that admit somebody at once do so in a task of their own.
pub(super) struct DeskHandle(pub(super) Weak<Inner>);

impl MailDesk for DeskHandle {
    fn boxes(&self) -> Vec<OpenBox> {
        self.0.upgrade().map(|inner| inner.desk.boxes()).unwrap_or_default()
    }

    fn letter(&self, mailbox: BoxId, _slot: u32, letter: Vec<u8>) {
        let Some(inner) = self.0.upgrade() else { return };
        if inner.desk.take(mailbox, &letter) {
            tokio::spawn(async move { Workspace { inner }.admit_preapproved().await });
        }
    }
}
