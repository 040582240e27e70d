//! Invites: the link that lets a device ask to join, and the secrets derived from it.
//!
//! ```text
//! tidelog:join?w=<workspace>&s=<secret>[&k=<relay key>][&u=<user>]&h=<directory heads, comma>[&r=<relay url>]
//! ```
//!
//! Ids and keys are lower-case hexadecimal. The URL comes last and needs no escaping: it is the
//! rest of the text. A link without a relay has neither key nor URL. Whoever holds the link can ask to join, and with pre-approval will be
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

/// Where the two sides of an invite meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meeting {
    /// URL of the relay.
    pub(crate) url: String,
    /// The relay's static Noise key.
    pub(crate) key: [u8; 32],
}

/// What a link says.
#[derive(Clone)]
pub(crate) struct InviteLink {
    pub(crate) workspace: WorkspaceId,
    secret: Zeroizing<[u8; 32]>,
    /// The relay with the invite's mailbox; without one, requests go from hand to hand.
    pub(crate) relay: Option<Meeting>,
    /// Set if the invite adds a device to this user, instead of a new user.
    pub(crate) user: Option<UserId>,
    /// The inviter's directory heads: the joiner has not caught up before it holds them.
    pub(crate) heads: Vec<EntryId>,
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
        relay: Option<Meeting>,
        user: Option<UserId>,
        heads: Vec<EntryId>,
    ) -> Self {
        Self { workspace, secret: Zeroizing::new(secret), relay, user, heads }
    }

    /// The link as text.
    pub(crate) fn to_uri(&self) -> String {
        let user = self.user.map(|user| format!("&u={user}")).unwrap_or_default();
        let heads: Vec<String> = self.heads.iter().take(HEADS_MAX).map(ToString::to_string).collect();
        let key = self.relay.as_ref().map(|relay| format!("&k={}", EntryId(relay.key))).unwrap_or_default();
        let url = self.relay.as_ref().map(|relay| format!("&r={}", relay.url)).unwrap_or_default();
        format!(
            "{SCHEME}w={}&s={}{key}{user}&h={}{url}",
            self.workspace,
            EntryId(*self.secret),
            heads.join(","),
        )
    }

    /// Reads a link.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let invalid =
            |what: &str| Error::new(ErrorKind::InviteInvalid, format!("this is not an invite link: {what}"));
        let incomplete = || invalid("it is incomplete");
        let damaged = || invalid("it is damaged");
        if text.len() > LINK_BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        let query =
            text.strip_prefix(SCHEME).ok_or_else(|| invalid("it does not start with `tidelog:join?`"))?;
        let (fields, url) = match query.split_once("&r=") {
            Some((fields, url)) => (fields, Some(url)),
            None => (query, None),
        };
        let field =
            |name: &str| fields.split('&').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
        let key = |text: &str| text.parse::<EntryId>().map(|id| id.0).map_err(|_| damaged());
        // A key without a URL, or a link that ends before the heads, was cut off.
        let relay = match (field("k"), url) {
            (Some(text), Some(url)) => {
                RelayAddress::parse(url).map_err(|error| invalid(&error.to_string()))?;
                Some(Meeting { url: url.to_owned(), key: key(text)? })
            }
            (None, None) => None,
            _ => return Err(incomplete()),
        };
        let heads = field("h").ok_or_else(incomplete)?.split(',').filter(|head| !head.is_empty());
        Ok(Self {
            workspace: WorkspaceId(key(field("w").ok_or_else(incomplete)?)?),
            secret: Zeroizing::new(key(field("s").ok_or_else(incomplete)?)?),
            relay,
            user: field("u").map(str::parse).transpose().map_err(|_| damaged())?,
            heads: heads
                .take(HEADS_MAX)
                .map(|head| head.parse().map_err(|_| damaged()))
                .collect::<Result<_>>()?,
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
        self.key("mail key")
    }

    /// Seals what whoever was admitted begins with.
    pub(crate) fn welcome_key(&self) -> Secret {
        self.key("welcome")
    }

    fn key(&self, label: &str) -> Secret {
        let mut key = [0; 32];
        self.expand(label, &mut key);
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

    fn link(relay: Option<Meeting>, user: Option<UserId>) -> InviteLink {
        let heads = vec![EntryId([4; 32]), EntryId([5; 32])];
        InviteLink::new(WorkspaceId([1; 32]), [2; 32], relay, user, heads)
    }

    fn meeting() -> Option<Meeting> {
        Some(Meeting { url: "wss://relay.example.org/a?token=b=c%26d".to_owned(), key: [3; 32] })
    }

    #[test]
    fn a_link_round_trips_whatever_its_url_holds() {
        for (relay, user) in [
            (meeting(), None),
            (meeting(), Some(UserId([6; 16]))),
            (None, None),
            (None, Some(UserId([6; 16]))),
        ] {
            let link = link(relay.clone(), user);
            let read = InviteLink::parse(&format!(" {}\n", link.to_uri())).expect("reads");
            assert_eq!(read.to_uri(), link.to_uri());
            assert_eq!(read.relay, relay);
            assert_eq!((read.user, read.heads.len()), (user, 2));
            assert_eq!(read.token(), link.token());
        }
    }

    #[test]
    fn damaged_links_are_refused_with_a_reason() {
        let uri = link(meeting(), None).to_uri();
        let wrong_url = uri.replace("wss://", "https://");
        let no_key = uri.replace("&k=03", "&x=03");
        let long = "x".repeat(LINK_BYTES_MAX + 1);
        for bad in ["", "http://x", &uri[..40], &uri.replace("w=01", "w=zz"), &wrong_url, &no_key, &long] {
            assert_eq!(InviteLink::parse(bad).expect_err("refused").kind(), ErrorKind::InviteInvalid);
        }
    }

    #[test]
    fn a_link_that_was_cut_off_is_never_one_without_a_relay() {
        let uri = link(meeting(), None).to_uri();
        let whole = uri.find("&r=").expect("has a URL") + "&r=wss://r".len();
        for end in 0..whole {
            let cut = InviteLink::parse(&uri[..end]);
            assert!(cut.is_err() || cut.is_ok_and(|link| link.relay.is_some()), "cut off at {end}");
        }
    }

    #[test]
    fn the_keys_of_a_link_differ() {
        let link = link(None, None);
        let keys = [*link.mail_key().as_bytes(), *link.welcome_key().as_bytes(), link.token()];
        assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    }

    #[test]
    fn a_link_never_shows_its_secret_in_debug_output() {
        assert!(!format!("{:?}", link(meeting(), None)).contains(&"02".repeat(8)));
    }
}
