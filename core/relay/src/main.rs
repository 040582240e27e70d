//! The program `tidelog-relay`: runs a relay until it is told to stop.
//!
//! Standard output gets one line, `listening on ws://ADDRESS key KEY`; the log goes to standard
//! error. The exit status is 0 after an orderly stop, 1 if the relay cannot start or run, and 2 for
//! a wrong command line.

#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use tidelog_relay::Options;

/// Stores and forwards the encrypted entries of Tidelog workspaces. Holds no keys to them.
#[derive(Debug, Parser)]
#[command(
    name = "tidelog-relay",
    version,
    after_help = "A relay takes no new workspace unless --workspace, --token-file or --open says so.\n\
                  Clients connect to ws://HOST:PORT#KEY, or through a reverse proxy to wss://HOST.\n\
                  It also answers GET /healthz, /metrics and /.well-known/tidelog."
)]
struct Program {
    #[command(flatten)]
    options: Options,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Program::parse().options;
    match tidelog_relay::run(options, say).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // If standard error is gone there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "tidelog-relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whoever started the relay waits for this line, so it is not kept in a buffer.
fn say(line: &str) {
    let mut output = std::io::stdout();
    // A relay whose output nobody reads is a relay all the same.
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}
