//! What a session at a relay needs of the relay.

use std::sync::Arc;

use super::bans::Bans;
use super::replica::Replica;
use crate::frames::{BoxId, Closing, MailError};
use crate::ids::{DeviceId, WorkspaceId};

/// A message in a mailbox, with its slot.
pub type Letter = (u32, Vec<u8>);

/// The relay: its workspaces and its mailboxes. Methods may block on storage.
pub trait Host: Send + Sync {
    /// The replica of a workspace, made if it is new and welcome. The device has proven its key.
    ///
    /// # Errors
    ///
    /// The reason to close with: an unknown workspace, a quota, or trouble of the relay's own.
    fn open(&self, workspace: &WorkspaceId, device: &DeviceId) -> Result<Arc<dyn Replica>, Closing>;

    /// The peers that the relay keeps out.
    fn bans(&self) -> &Bans;

    /// Opens a mailbox for a member of the workspace, or extends it; an expiry of 0 closes it.
    /// Returns what it holds.
    ///
    /// # Errors
    ///
    /// If the relay takes no mail, or another workspace has the box.
    fn mail_open(
        &self,
        workspace: &WorkspaceId,
        mailbox: BoxId,
        token_hash: [u8; 32],
        expires_ms: u64,
    ) -> Result<Vec<Letter>, MailError>;

    /// Leaves a message; returns its slot. The relay tells the sessions that watch the box.
    ///
    /// # Errors
    ///
    /// If the box is not open for this token, or full.
    fn mail_put(&self, mailbox: BoxId, token: &[u8; 32], message: Vec<u8>) -> Result<u32, MailError>;

    /// The messages after a slot.
    ///
    /// # Errors
    ///
    /// If the box is not open for this token.
    fn mail_get(&self, mailbox: BoxId, token: &[u8; 32], after: u32) -> Result<Vec<Letter>, MailError>;
}
