//! The command line of a relay, for its own program and for `tidelog serve-relay`.

use std::fs;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use tidelog_log::ids::WorkspaceId;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::config::{Admission, CONNECTIONS_DEFAULT, Config, QUOTA_BYTES_DEFAULT, Token};
use crate::relay::{Relay, RelayError};
use crate::signals;

/// Largest token file that is read, in bytes.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// How a relay is run from the command line.
#[derive(Debug, Clone, Args)]
#[allow(clippy::doc_markdown, reason = "these comments are the help text")]
pub struct Options {
    /// Folder that holds everything the relay keeps; made if it is missing
    #[arg(long, value_name = "FOLDER", env = "TIDELOG_RELAY_DATA")]
    pub data: PathBuf,
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7777", env = "TIDELOG_RELAY_LISTEN")]
    pub listen: SocketAddr,
    /// Take this new workspace; may be repeated. Workspaces already held are always served
    #[arg(long = "workspace", value_name = "ID")]
    pub workspaces: Vec<WorkspaceId>,
    /// Take new workspaces from clients that show the token in this file (their address ends in ?token=..)
    #[arg(long, value_name = "FILE", env = "TIDELOG_RELAY_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// Take every new workspace
    #[arg(long)]
    pub open: bool,
    /// Storage that one workspace may take, such as 500M or 10G
    #[arg(long, value_name = "SIZE", default_value_t = Size(QUOTA_BYTES_DEFAULT))]
    pub quota: Size,
    /// Connections at a time
    #[arg(long, value_name = "NUMBER", default_value_t = CONNECTIONS_DEFAULT)]
    pub connections: usize,
    /// Take client addresses from X-Forwarded-For: only behind a reverse proxy that sets it
    #[arg(long)]
    pub behind_proxy: bool,
    /// How to write the log, which goes to standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What to log: error, warn, info, debug or trace, also by module
    #[arg(long, value_name = "LEVEL", default_value = "info", env = "TIDELOG_LOG")]
    pub log_level: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object in each line.
    Json,
}

/// A number of bytes, with `K`, `M`, `G` or `T` for powers of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected a number of bytes such as 500M or 10G".to_owned();
        let unit = text.chars().next_back().filter(|last| !last.is_ascii_digit());
        let shift = match unit.map(|unit| unit.to_ascii_uppercase()) {
            None => 0,
            Some('K') => 10,
            Some('M') => 20,
            Some('G') => 30,
            Some('T') => 40,
            Some(_) => return Err(wrong()),
        };
        let digits = &text[..text.len() - unit.map_or(0, char::len_utf8)];
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(wrong)
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut value = self.0;
        let mut unit = 0;
        while unit < 4 && value != 0 && value.is_multiple_of(1024) {
            value /= 1024;
            unit += 1;
        }
        write!(formatter, "{value}{}", ["", "K", "M", "G", "T"][unit])
    }
}

impl Options {
    fn config(&self) -> Result<Config, RelayError> {
        let token = self.token_file.as_deref().map(read_token).transpose()?;
        Ok(Config {
            admission: Admission { workspaces: self.workspaces.clone(), token, open: self.open },
            quota_bytes: self.quota.0,
            connections_max: self.connections,
            behind_proxy: self.behind_proxy,
            ..Config::new(&self.data)
        })
    }

    /// Sets up the log for the process. Does nothing if there is one.
    fn start_log(&self) {
        let filter = EnvFilter::try_new(&self.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
        let _ = match self.log_format {
            LogFormat::Text => log.try_init(),
            LogFormat::Json => log.json().try_init(),
        };
    }
}

/// Runs a relay until the process is told to stop (interrupt or terminate; a second time ends it at
/// once). `announce` gets the one line that says where the relay listens and what its key is.
///
/// # Errors
///
/// If the relay cannot start, or fails while it serves.
pub async fn run(options: Options, announce: impl FnOnce(&str)) -> Result<(), RelayError> {
    options.start_log();
    let config = options.config()?;
    let stop = signals::stop().map_err(RelayError::System)?;
    let relay = tokio::task::spawn_blocking(move || Relay::open(config))
        .await
        .map_err(|error| RelayError::System(error.into()))??;
    let bad_address = |source| RelayError::Listen { address: options.listen.to_string(), source };
    let listener = TcpListener::bind(options.listen).await.map_err(bad_address)?;
    let address = listener.local_addr().map_err(bad_address)?;
    if !options.listen.ip().is_loopback() {
        tracing::info!("reachable from other machines without TLS of its own; see docs/relay.md");
    }
    announce(&format!("listening on ws://{address} key {}", relay.key_text()));
    relay.serve(listener, stop).await
}

fn read_token(file: &Path) -> Result<Token, RelayError> {
    let bad = |reason: String| RelayError::Token { file: file.to_owned(), reason };
    let length = fs::metadata(file).map_err(|error| bad(error.to_string()))?.len();
    if length > TOKEN_FILE_BYTES_MAX {
        return Err(bad("it is too long".into()));
    }
    let text = fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    Token::new(&text)
        .ok_or_else(|| bad("it needs at least 16 printable characters, without spaces between them".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_and_print() {
        for (text, bytes) in [("0", 0), ("1000", 1000), ("1K", 1024), ("500m", 500 << 20), ("10G", 10 << 30)]
        {
            let size: Size = text.parse().expect(text);
            assert_eq!(size.0, bytes);
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for text in ["", "K", "-1", "1.5G", "1X", "99999999T", "1KB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_token_file_is_read_or_refused_with_its_reason() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("token");
        assert!(read_token(&file).is_err());
        for (text, good) in [("0123456789abcdef\n", true), ("short", false), (&"x".repeat(4097), false)] {
            fs::write(&file, text).expect("writes");
            assert_eq!(read_token(&file).is_ok(), good, "{text}");
        }
    }
}
