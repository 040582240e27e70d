//! Admitting: the directory first, then the circles of the invite, by hand or at once.

use std::sync::{Arc, Weak};

use tidelog_log::frames::BoxId;

use super::create::blocking;
use super::{Inner, Workspace};
use crate::error::{ErrorKind, Result};
use crate::net::{MailDesk, OpenBox};

impl Workspace {
    /// Admits whoever asked, and takes them into the circles of the invite. Whoever is a member already
    /// is taken nowhere: the invite, which may be over, did not bring them here.
    pub(super) async fn admit(&self, request: &str) -> Result<()> {
        let (desk, id) = (Arc::clone(&self.inner.desk), request.to_owned());
        let directory = self.inner.engine.log.directory();
        let newcomer = desk.asked(request).filter(|asked| !directory.is_member(&asked.request.device));
        blocking(move || desk.admit(&id)).await?;
        let Some(asked) = newcomer else { return Ok(()) };
        for circle in asked.request.circles {
            self.add_to_circle(circle, asked.user, asked.request.role).await?;
        }
        Ok(())
    }

    /// Admits everybody whose invite says so.
    async fn admit_preapproved(&self) {
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
