//! What one connection's session needs of the relay.

use std::sync::{Arc, OnceLock};

use tidelog_log::frames::{BoxId, Closing, Code, MailError};
use tidelog_log::ids::{DeviceId, WorkspaceId};
use tidelog_log::session::{Bans, Host, Letter, Replica};

use crate::config::RESTART_S;
use crate::relay::Shared;
use crate::tenants::{Tenant, TenantError};

/// The relay as one connection sees it: with the token that its client showed.
#[derive(Debug)]
pub(crate) struct Visitor {
    relay: Arc<Shared>,
    token: Option<String>,
    tenant: OnceLock<Arc<Tenant>>,
}

impl Visitor {
    pub(crate) fn new(relay: Arc<Shared>, token: Option<String>) -> Self {
        Self { relay, token, tenant: OnceLock::new() }
    }

    /// The workspace that the session opened, once it did.
    pub(crate) fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.tenant.get()
    }
}

impl Host for Visitor {
    fn open(&self, workspace: &WorkspaceId, device: &DeviceId) -> Result<Arc<dyn Replica>, Closing> {
        let welcome = self.relay.admission.admits(workspace, self.token.as_deref());
        let tenant = self.relay.tenants.open(*workspace, welcome).map_err(|error| match error {
            TenantError::Unknown => Closing::new(Code::UnknownWorkspace, &error.to_string()),
            TenantError::Stopping => {
                Closing { retry_after_s: RESTART_S, ..Closing::new(Code::Unavailable, &error.to_string()) }
            }
            TenantError::Log(error) => {
                // What is wrong with its disk is the operator's business, not the client's.
                tracing::error!(%workspace, %error, "a workspace could not be opened");
                Closing::new(Code::Internal, "the relay cannot open the workspace")
            }
        })?;
        tracing::debug!(%workspace, %device, "a device came");
        let tenant = self.tenant.get_or_init(|| tenant);
        Ok(Arc::clone(tenant) as Arc<dyn Replica>)
    }

    fn bans(&self) -> &Bans {
        &self.relay.bans
    }

    fn mail_open(
        &self,
        workspace: &WorkspaceId,
        mailbox: BoxId,
        token_hash: [u8; 32],
        expires_ms: u64,
    ) -> Result<Vec<Letter>, MailError> {
        self.relay.mail.open(*workspace, mailbox, token_hash, expires_ms)
    }

    fn mail_put(&self, mailbox: BoxId, token: &[u8; 32], message: Vec<u8>) -> Result<u32, MailError> {
        let slot = self.relay.mail.put(mailbox, token, &message)?;
        self.relay.metrics.letters_total.add(1);
        Ok(slot)
    }

    fn mail_get(&self, mailbox: BoxId, token: &[u8; 32], after: u32) -> Result<Vec<Letter>, MailError> {
        self.relay.mail.get(mailbox, token, after)
    }
}
