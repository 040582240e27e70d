//! Invites: the link that lets a device ask to join, and the secrets derived from it.
//!
//! ```text
//! tidelog:join?w=<workspace>&s=<secret>&k=<relay key>[&u=<user>]&h=<directory heads, comma>&r=<relay url>
//! ```
//!
//! Ids and keys are lower-case hexadecimal. The URL comes last and needs no escaping: it is the
//! rest of the text. Whoever holds the link can ask to join, and with pre-approval will be
//! admitted, so it is as secret as a password until it is used or has expired.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha256;
use tidelog_log::ids::{EntryId, UserId, WorkspaceId};
use zeroize::Zeroizing;

use crate::error::{Error, ErrorKind, Result};
use crate::keys::Secret;
use crate::net::RelayAddress;

const SCHEME: &str = "tidelog:join?";
/// Longest link that is read, in bytes.
const LINK_BYTES_MAX: usize = 4096;
/// Directory heads that a link names at most.
const HEADS_MAX: usize = 16;

/// What a link says.
#[derive(Clone)]
pub(crate) struct InviteLink {
    pub(crate) workspace: WorkspaceId,
    secret: Zeroizing<[u8; 32]>,
    /// The relay's static Noise key.
    pub(crate) relay_key: [u8; 32],
    /// Set if the invite adds a device to this user, instead of a new user.
    pub(crate) user: Option<UserId>,
    /// The inviter's directory heads: the joiner has not caught up before it holds them.
    pub(crate) heads: Vec<EntryId>,
    pub(crate) relay_url: String,
}

impl fmt::Debug for InviteLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("InviteLink").field("workspace", &self.workspace).finish_non_exhaustive()
    }
}

impl InviteLink {
    pub(crate) fn new(
        workspace: WorkspaceId,
        secret: [u8; 32],
        relay: (String, [u8; 32]),
        user: Option<UserId>,
        heads: Vec<EntryId>,
    ) -> Self {
        let (relay_url, relay_key) = relay;
        Self { workspace, secret: Zeroizing::new(secret), relay_key, user, heads, relay_url }
    }

    /// The link as text.
    pub(crate) fn to_uri(&self) -> String {
        let user = self.user.map(|user| format!("&u={user}")).unwrap_or_default();
        let heads: Vec<String> = self.heads.iter().take(HEADS_MAX).map(ToString::to_string).collect();
        format!(
            "{SCHEME}w={}&s={}&k={}{user}&h={}&r={}",
            self.workspace,
            EntryId(*self.secret),
            EntryId(self.relay_key),
            heads.join(","),
            self.relay_url,
        )
    }

    /// Reads a link.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let invalid =
            |what: &str| Error::new(ErrorKind::InviteInvalid, format!("this is not an invite link: {what}"));
        if text.len() > LINK_BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        let query =
            text.strip_prefix(SCHEME).ok_or_else(|| invalid("it does not start with `tidelog:join?`"))?;
        let (fields, relay_url) = query.split_once("&r=").ok_or_else(|| invalid("it names no relay"))?;
        RelayAddress::parse(relay_url).map_err(|error| invalid(&error.to_string()))?;
        let field =
            |name: &str| fields.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        let key = |name: &str| -> Result<[u8; 32]> {
            let text = field(name).ok_or_else(|| invalid("it is incomplete"))?;
            text.parse::<EntryId>().map(|id| id.0).map_err(|_| invalid("it is damaged"))
        };
        let heads = field("h").unwrap_or_default().split(',').filter(|head| !head.is_empty());
        Ok(Self {
            workspace: WorkspaceId(key("w")?),
            secret: Zeroizing::new(key("s")?),
            relay_key: key("k")?,
            user: field("u").map(str::parse).transpose().map_err(|_| invalid("it is damaged"))?,
            heads: heads
                .take(HEADS_MAX)
                .map(|head| head.parse().map_err(|_| invalid("it is damaged")))
                .collect::<Result<_>>()?,
            relay_url: relay_url.to_owned(),
        })
    }

    /// Name of the mailbox at the relay.
    pub(crate) fn mailbox(&self) -> [u8; 16] {
        let mut id = [0; 16];
        self.expand("mail box", &mut id);
        id
    }

    /// What opens the mailbox; the relay knows its hash.
    pub(crate) fn token(&self) -> [u8; 32] {
        let mut token = [0; 32];
        self.expand("mail token", &mut token);
        token
    }

    /// Seals what is put into the mailbox.
    pub(crate) fn mail_key(&self) -> Secret {
        let mut key = [0; 32];
        self.expand("mail key", &mut key);
        Secret::new(key)
    }

    fn expand(&self, label: &str, output: &mut [u8]) {
        Hkdf::<Sha256>::new(Some(&self.workspace.0), &self.secret[..])
            .expand_multi_info(&[b"TIDE1 ", label.as_bytes()], output)
            .expect("outputs are shorter than 255 blocks");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(user: Option<UserId>) -> InviteLink {
        let relay = ("wss://relay.example.org/a?token=b=c%26d".to_owned(), [3; 32]);
        InviteLink::new(WorkspaceId([1; 32]), [2; 32], relay, user, vec![EntryId([4; 32]), EntryId([5; 32])])
    }

    #[test]
    fn a_link_round_trips_whatever_its_url_holds() {
        for user in [None, Some(UserId([6; 16]))] {
            let link = link(user);
            let read = InviteLink::parse(&format!(" {}\n", link.to_uri())).expect("reads");
            assert_eq!(read.to_uri(), link.to_uri());
            assert_eq!(read.relay_url, link.relay_url);
            assert_eq!((read.user, read.heads.len()), (user, 2));
            assert_eq!(read.token(), link.token());
        }
    }

    #[test]
    fn damaged_links_are_refused_with_a_reason() {
        let uri = link(None).to_uri();
        let no_relay = uri.replace("wss://", "https://");
        let long = "x".repeat(LINK_BYTES_MAX + 1);
        for bad in ["", "http://x", &uri[..40], &uri.replace("w=01", "w=zz"), &no_relay, &long] {
            assert_eq!(InviteLink::parse(bad).expect_err("refused").kind(), ErrorKind::InviteInvalid);
        }
    }

    #[test]
    fn a_link_never_shows_its_secret_in_debug_output() {
        assert!(!format!("{:?}", link(None)).contains(&"02".repeat(8)));
    }
}
