//! What the engine tells its user when a relay cannot be used, and what to do about it.

use std::time::Duration;

use tidelog_log::crypto::noise::NoiseError;
use tidelog_log::frames::{Closing, Code};
use tidelog_log::session::SessionError;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::http::{Response, StatusCode, header};

use crate::error::{Error, ErrorKind};
use crate::net::RelayAddress;

/// Longest wait that a relay may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// A meeting with a relay failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: Error,
    /// The relay is busy, and asks to be left alone for this long.
    pub(super) retry_after: Option<Duration>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { error, retry_after: None }
    }
}

impl Failure {
    fn after(seconds: u64, error: Error) -> Self {
        let wait = Duration::from_secs(seconds).min(RETRY_AFTER_MAX);
        Self { error, retry_after: (seconds > 0).then_some(wait) }
    }

    /// The relay could not be asked for a session.
    pub(super) fn dial(address: &RelayAddress, error: tungstenite::Error) -> Self {
        if let tungstenite::Error::Http(response) = &error {
            return refused(address, response);
        }
        let message = match &error {
            tungstenite::Error::Tls(_) => format!("no trusted TLS connection to the relay {address}"),
            _ => format!("cannot reach the relay {address}"),
        };
        Error::new(ErrorKind::Network, message).with_source(error).into()
    }

    /// The session ended with an error.
    pub(super) fn session(address: &RelayAddress, error: SessionError) -> Self {
        match error {
            SessionError::ClosedByPeer(closing) => closed(address, &closing),
            SessionError::Closed(closing) => {
                let kind = match closing.code {
                    Code::Timeout => ErrorKind::Timeout,
                    Code::Internal => ErrorKind::Internal,
                    _ => ErrorKind::Protocol,
                };
                let message = format!("ended the session with the relay {address}: {}", closing.reason);
                Error::new(kind, message).into()
            }
            SessionError::Noise(NoiseError::Handshake) => wrong_key(address).into(),
            error @ (SessionError::Noise(_) | SessionError::Over) => {
                let message = format!("the connection to the relay {address} was tampered with");
                Error::new(ErrorKind::Protocol, message).with_source(error).into()
            }
            SessionError::Replica(error) => {
                Error::new(ErrorKind::Io, "the log failed during sync").with_source(error).into()
            }
        }
    }

    /// The connection ended without a word.
    pub(super) fn lost(address: &RelayAddress, source: Option<tungstenite::Error>) -> Self {
        let error = Error::new(ErrorKind::Network, format!("lost the connection to the relay {address}"));
        match source {
            Some(source) => error.with_source(source).into(),
            None => error.into(),
        }
    }
}

/// The relay has another key than the one that was expected.
pub(super) fn wrong_key(address: &RelayAddress) -> Error {
    let message = format!(
        "the relay {address} has another key than expected; if it was set up anew, use the address \
         with its new key after `#`"
    );
    Error::new(ErrorKind::RelayRefused, message)
}

/// Nobody vouches for the relay's key.
pub(super) fn no_key(address: &RelayAddress) -> Error {
    let message = format!(
        "the key of the relay {address} is not known, and a connection without TLS cannot vouch for it; \
         add `#` and the key that the relay printed when it started, or use wss://"
    );
    Error::new(ErrorKind::RelayRefused, message)
}

fn refused(address: &RelayAddress, response: &Response<Option<Vec<u8>>>) -> Failure {
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = response.headers().get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(1);
        let message = format!("the relay {address} is busy; try again later");
        return Failure::after(seconds, Error::new(ErrorKind::RelayRefused, message));
    }
    let message = match status {
        StatusCode::NOT_FOUND => format!("there is no relay at {address}; check the path"),
        _ => format!("{address} answers with status {status} instead of a session"),
    };
    Error::new(ErrorKind::RelayRefused, message).into()
}

fn closed(address: &RelayAddress, closing: &Closing) -> Failure {
    let reason = &closing.reason;
    let (kind, message) = match closing.code {
        Code::UnknownWorkspace => (
            ErrorKind::RelayRefused,
            format!(
                "the relay {address} does not take this workspace; its operator can list it, give you a \
                 token to put after `?token=`, or start the relay with --open"
            ),
        ),
        Code::NotAdmitted => {
            (ErrorKind::NotAdmitted, format!("at the relay {address} this device is no member: {reason}"))
        }
        Code::Removed => {
            (ErrorKind::NotAdmitted, format!("at the relay {address} this session is over: {reason}"))
        }
        Code::Quota => (ErrorKind::QuotaExceeded, format!("the relay {address} has no room: {reason}")),
        Code::Timeout => (ErrorKind::Timeout, format!("the relay {address} gave up waiting: {reason}")),
        Code::Unavailable => (ErrorKind::Network, format!("the relay {address} is away: {reason}")),
        Code::Internal => (ErrorKind::RelayRefused, format!("the relay {address} has a problem: {reason}")),
        Code::Banned => (
            ErrorKind::RelayRefused,
            format!("the relay {address} takes nothing from this device for now: {reason}"),
        ),
        Code::Protocol | Code::Authentication | Code::Limit | Code::BadEntry | Code::NoProgress => {
            (ErrorKind::Protocol, format!("the relay {address} ended the session: {reason}"))
        }
    };
    Failure::after(closing.retry_after_s.into(), Error::new(kind, message))
}
