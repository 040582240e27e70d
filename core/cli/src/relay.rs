//! `serve-relay`: the relay of its own package, under this command.

use std::io::Write as _;

use crate::{Failure, Outcome, Result};

pub(crate) async fn serve(options: tidelog_relay::Options) -> Result {
    // Whoever started the relay waits for this line.
    let announce = |line: &str| {
        let mut out = std::io::stdout();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    tidelog_relay::run(options, announce)
        .await
        .map(|()| Outcome::Done)
        .map_err(|error| Failure { code: "io", text: error.to_string() })
}
