//! What a relay is told by its operator, and the limits it keeps whatever it is told.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidelog_log::crypto::sha256;
use tidelog_log::env::{Clock, Random, SystemClock, SystemRandom};
use tidelog_log::ids::WorkspaceId;

/// From the first byte of a connection until its session is authenticated.
pub(crate) const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// From then until the device at the other end must be a member.
pub(crate) const ADMISSION_TIME: Duration = Duration::from_secs(30);
/// Sessions of one address that are not authenticated yet.
pub(crate) const UNAUTHENTICATED_SESSIONS_MAX: usize = 8;
/// Bytes read from a connection that is not authenticated yet: the HTTP request, and the 4 KiB
/// that a session may say before it is authenticated.
pub(crate) const UNAUTHENTICATED_BYTES_MAX: usize = 16 * 1024;
/// Messages of a connection that wait for the socket.
pub(crate) const OUTBOUND_MESSAGES_MAX: usize = 2;
/// Time for one message to leave for the network.
pub(crate) const SEND_TIME: Duration = Duration::from_secs(30);
/// How often a peer is asked for a sign of life.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(30);
/// Silence after which a peer is taken for gone.
pub(crate) const SILENCE_TIME: Duration = Duration::from_secs(75);
/// Signals of a workspace that a slow session may lag behind before it misses some.
pub(crate) const SIGNALS_MAX: usize = 64;
/// Read buffer of a WebSocket connection, in bytes.
pub(crate) const READ_BUFFER_BYTES: usize = 8 * 1024;
/// Sessions that may block on storage at the same time.
pub(crate) const BLOCKING_SESSIONS_MAX: usize = 64;
/// Seconds after which clients of a stopping relay should come back.
pub(crate) const RESTART_S: u32 = 2;
/// How long a stopping relay waits for its connections to finish.
pub(crate) const SHUTDOWN_TIME: Duration = Duration::from_secs(10);
/// How long a workspace stays open after its last session left, in milliseconds.
pub(crate) const WORKSPACE_IDLE_MS: u64 = 60_000;
/// How often idle workspaces are closed and expired mailboxes removed.
pub(crate) const SWEEP_INTERVAL: Duration = Duration::from_secs(20);
/// Storage that one workspace may take unless the operator says otherwise, in bytes.
pub const QUOTA_BYTES_DEFAULT: u64 = 10 * 1024 * 1024 * 1024;
/// What a workspace's log may take beyond its quota for entries of the directory's stream, in bytes: who
/// filled the quota must not be safe from being removed.
pub(crate) const DIRECTORY_RESERVE_BYTES: u64 = 16 * 1024 * 1024;
/// Connections at a time unless the operator says otherwise.
pub const CONNECTIONS_DEFAULT: usize = 10_000;
/// Shortest token that admits new workspaces, in characters.
pub(crate) const TOKEN_LEN_MIN: usize = 16;

/// How a relay runs.
#[derive(Clone)]
pub struct Config {
    /// The folder that holds everything the relay keeps; made if it is missing.
    pub data: PathBuf,
    /// Which workspaces are taken that the relay does not hold yet.
    pub admission: Admission,
    /// Storage that one workspace may take, in bytes.
    pub quota_bytes: u64,
    /// Connections at a time, of any kind.
    pub connections_max: usize,
    /// Takes a client's address from the last `X-Forwarded-For`: only behind a reverse proxy.
    pub behind_proxy: bool,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The source of randomness.
    pub random: Arc<dyn Random>,
}

impl Config {
    /// The default configuration for a data folder: it admits no new workspace.
    #[must_use]
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            admission: Admission::default(),
            quota_bytes: QUOTA_BYTES_DEFAULT,
            connections_max: CONNECTIONS_DEFAULT,
            behind_proxy: false,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Config").field("data", &self.data).finish_non_exhaustive()
    }
}

/// Which new workspaces are taken: those for which any of the three says so. Workspaces that the
/// relay holds are always served.
#[derive(Debug, Clone, Default)]
pub struct Admission {
    /// Workspaces by name.
    pub workspaces: Vec<WorkspaceId>,
    /// Every workspace of a client that shows this token.
    pub token: Option<Token>,
    /// Every workspace.
    pub open: bool,
}

impl Admission {
    /// Whether a new workspace is taken from a client that showed `token`.
    pub(crate) fn admits(&self, workspace: &WorkspaceId, token: Option<&str>) -> bool {
        self.open
            || self.workspaces.contains(workspace)
            || matches!((&self.token, token), (Some(known), Some(shown)) if known.is(shown))
    }
}

/// A token that admits new workspaces, kept as its hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(..)")
    }
}

impl Token {
    /// The token with this text; white space around it does not count. `None` if it is shorter
    /// than 16 characters or holds what an HTTP header cannot carry.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let sound = text.len() >= TOKEN_LEN_MIN && text.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| Self::hash(text))
    }

    /// Compares hashes, so that the time it takes says nothing about the token.
    fn is(&self, text: &str) -> bool {
        *self == Self::hash(text)
    }

    fn hash(text: &str) -> Self {
        Self(sha256(&[text.as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_admission_suffices_and_none_admits_nothing() {
        let (mine, other) = (WorkspaceId([1; 32]), WorkspaceId([2; 32]));
        let token = Some("0123456789abcdef");
        let none = Admission::default();
        assert!(!none.admits(&mine, token));
        let listed = Admission { workspaces: vec![mine], ..Admission::default() };
        assert!(listed.admits(&mine, None) && !listed.admits(&other, token));
        let by_token = Admission { token: Token::new(" 0123456789abcdef\n"), ..Admission::default() };
        assert!(by_token.admits(&other, token));
        assert!(!by_token.admits(&other, Some("0123456789abcdeF")) && !by_token.admits(&other, None));
        assert!(Admission { open: true, ..Admission::default() }.admits(&other, None));
    }

    #[test]
    fn a_token_has_a_least_length_and_printable_characters() {
        assert!(Token::new(&"x".repeat(TOKEN_LEN_MIN)).is_some());
        assert!(Token::new(&"x".repeat(TOKEN_LEN_MIN - 1)).is_none());
        assert!(Token::new("0123456789 abcdef").is_none());
        assert_eq!(format!("{:?}", Token::new("0123456789abcdef")), "Some(Token(..))");
    }
}
