//! `serve-relay`: the relay of its own package, under this command.

use std::io::Write as _;

use serde_json::json;

use crate::output::Output;
use crate::{Failure, Outcome, Result};

pub(crate) async fn serve(options: tidelog_relay::Options, output: &Output) -> Result {
    // Whoever started the relay waits for this line; a relay goes on when nobody reads it.
    let announce = |line: &str| {
        let line = if output.is_json() { as_json(line) } else { line.to_owned() };
        let mut out = std::io::stdout();
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    };
    tidelog_relay::run(options, announce)
        .await
        .map(|()| Outcome::Done)
        .map_err(|error| Failure { code: "io", text: error.to_string() })
}

/// `listening on URL key KEY` as JSON.
fn as_json(line: &str) -> String {
    let said = line.strip_prefix("listening on ").and_then(|said| said.split_once(" key "));
    let (url, key) = said.unwrap_or((line, ""));
    json!({ "url": url, "key": key }).to_string()
}
