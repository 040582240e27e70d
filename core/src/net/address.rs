//! Addresses of relays, as people write and share them.
//!
//! ```text
//! ws://host:port/path?token=...#key        wss://host/path?token=...#key
//! ```
//!
//! The token, if there is one, lets the relay take a new workspace; the key, 64 hexadecimal
//! digits, is the relay's own. Neither reaches the relay in the request line: the token travels as
//! a header, the key not at all. Where a path is given, the relay is taken to live below it.

use std::fmt;
use std::net::IpAddr;

use tidelog_log::ids::EntryId;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Uri, header};
use tokio_tungstenite::tungstenite::{
    ClientRequestBuilder, client::IntoClientRequest, handshake::client::Request,
};

use crate::error::{Error, ErrorKind, Result};

/// Longest address that is read, in bytes.
const ADDRESS_BYTES_MAX: usize = 2048;
/// Where a relay serves sessions, below its path.
const SYNC_PATH: &str = "/sync";

/// A relay's address, checked.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RelayAddress {
    secure: bool,
    /// Host and port, as in a URL.
    authority: String,
    host: String,
    path: String,
    token: Option<String>,
    key: Option<[u8; 32]>,
}

impl fmt::Debug for RelayAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RelayAddress({self})")
    }
}

/// Without the token, which is a secret of the operator's clients, and without the key.
impl fmt::Display for RelayAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "wss" } else { "ws" };
        write!(formatter, "{scheme}://{}{}", self.authority, self.path)
    }
}

impl RelayAddress {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidArgument`] with what is wrong in words.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(invalid("it is too long"));
        }
        let (url, key) = match text.split_once('#') {
            Some((url, key)) => (url, Some(parse_key(key)?)),
            None => (text, None),
        };
        let uri: Uri = url.parse().map_err(|_| invalid("it is not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("wss") => true,
            Some("ws") => false,
            _ => return Err(invalid("it does not start with `wss://` or `ws://`")),
        };
        let authority = uri.authority().ok_or_else(|| invalid("it names no host"))?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(invalid("its host is not understood"));
        }
        Ok(Self {
            secure,
            authority: authority.as_str().to_owned(),
            host: authority.host().to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
            token: uri.query().map(parse_query).transpose()?,
            key,
        })
    }

    /// The key in the address, if it has one.
    pub(crate) fn key(&self) -> Option<[u8; 32]> {
        self.key
    }

    /// Whether a key that the relay tells over this connection can be believed: nobody else can be
    /// at the other end.
    pub(crate) fn vouches_for_key(&self) -> bool {
        self.secure || self.is_loopback()
    }

    fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }

    /// The request that asks for a WebSocket.
    pub(crate) fn request(&self) -> Result<Request> {
        let uri = format!("{self}{SYNC_PATH}").parse().map_err(|_| invalid("it is not a URL"))?;
        let mut request =
            ClientRequestBuilder::new(uri).into_client_request().map_err(|_| invalid("it is not a URL"))?;
        if let Some(token) = &self.token {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| invalid("its token has characters that cannot be sent"))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }
}

fn parse_key(text: &str) -> Result<[u8; 32]> {
    let key: EntryId = text.parse().map_err(|_| invalid("what follows `#` is not a relay's key"))?;
    Ok(key.0)
}

fn parse_query(query: &str) -> Result<String> {
    let token = query.strip_prefix("token=").filter(|token| !token.is_empty() && !token.contains('&'));
    let sound = |token: &&str| token.bytes().all(|byte| byte.is_ascii_graphic());
    token.filter(sound).map(str::to_owned).ok_or_else(|| invalid("after `?` only `token=` is understood"))
}

fn invalid(what: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("this is not the address of a relay: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> RelayAddress {
        RelayAddress::parse(text).expect("an address")
    }

    #[test]
    fn the_relay_is_asked_below_its_path() {
        for (text, asked) in [
            ("ws://localhost:7777", "ws://localhost:7777/sync"),
            ("wss://relay.example.org/", "wss://relay.example.org/sync"),
            (" wss://example.org/tidelog/?token=abc#", "wss://example.org/tidelog/sync"),
        ] {
            let text = text.replace('#', &format!("#{}", "0a".repeat(32)));
            assert_eq!(parse(&text).request().expect("a request").uri(), asked);
        }
    }

    #[test]
    fn the_token_travels_as_a_header_and_is_never_shown() {
        let address = parse("wss://example.org?token=0123456789abcdef");
        let request = address.request().expect("a request");
        assert_eq!(request.headers()[header::AUTHORIZATION], "Bearer 0123456789abcdef");
        assert!(!request.uri().to_string().contains("0123"));
        assert!(!format!("{address} {address:?}").contains("0123"));
    }

    #[test]
    fn the_key_is_what_follows_the_number_sign() {
        assert_eq!(parse("ws://10.0.0.1").key(), None);
        assert_eq!(parse(&format!("ws://10.0.0.1#{}", "0a".repeat(32))).key(), Some([10; 32]));
    }

    #[test]
    fn a_key_is_believed_over_tls_and_on_this_machine_only() {
        for text in ["wss://example.org", "ws://localhost:1", "ws://127.0.0.2", "ws://[::1]:80"] {
            assert!(parse(text).vouches_for_key(), "{text}");
        }
        for text in ["ws://example.org", "ws://10.0.0.1", "ws://localhost.example.org", "ws://[::2]"] {
            assert!(!parse(text).vouches_for_key(), "{text}");
        }
    }

    #[test]
    fn other_text_is_refused_with_a_reason() {
        let long = format!("ws://{}", "x".repeat(ADDRESS_BYTES_MAX));
        for text in [
            "",
            "relay",
            "http://example.org",
            "ws://",
            "ws:///sync",
            "ws://a:b@host",
            "ws://host#00",
            "ws://host?x=1",
            "ws://host?token=",
            "ws://host?token=a&b=c",
            &long,
        ] {
            let error = RelayAddress::parse(text).expect_err(text);
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
    }
}
