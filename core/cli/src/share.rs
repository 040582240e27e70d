//! Commands on the workspace itself: `init, sync, verify, stats`.

use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use serde_json::{Value, json};
use tidelog::{LinkState, Workspace};

use crate::args;
use crate::output::Output;
use crate::passphrase::Source;
use crate::{Failure, Outcome, Result};

pub(crate) async fn init(command: &args::Init, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::create(&command.path, source.new_key()?, &command.name).await?;
    if let Some(profile) = &command.profile {
        workspace.set_profile(profile).await?;
    }
    let id = workspace.id().to_string();
    workspace.shutdown().await?;
    output.result(&json!({ "workspace": id }), || {
        format!("made the workspace `{}` in {}", command.name, command.path.display())
    });
    Ok(Outcome::Done)
}

pub(crate) async fn sync(command: &args::Sync, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let urls = relays(&workspace, command.url.as_deref())?;
    if command.live {
        return live(&workspace, &urls, output).await;
    }
    let mut last = None;
    for url in &urls {
        match workspace.sync(url).await {
            Ok(report) => {
                let line = json!({
                    "relay": url,
                    "sent": report.sent,
                    "received": report.received,
                    "bytes_sent": report.bytes_sent,
                    "bytes_received": report.bytes_received,
                    "held": report.held,
                    "held_there": report.held_there,
                });
                output.result(&line, || {
                    let bytes = report.bytes_sent + report.bytes_received;
                    format!("{url}: {} sent, {} received, {bytes} bytes", report.sent, report.received)
                });
            }
            Err(error) => {
                if urls.len() > 1 {
                    output.warning(&crate::reasons(&error));
                }
                last = Some(error);
            }
        }
    }
    if last.is_none() {
        workspace.warnings()?.iter().for_each(|warning| output.warning(&warning.text));
    }
    workspace.shutdown().await?;
    last.map_or(Ok(Outcome::Done), |error| Err(error.into()))
}

async fn live(workspace: &Workspace, urls: &[String], output: &Output) -> Result {
    let links = urls.iter().map(|url| workspace.connect(url)).collect::<tidelog::Result<Vec<_>>>()?;
    output.note("connected until Ctrl-C");
    let mut told: Vec<(Option<LinkState>, Option<String>)> = vec![(None, None); links.len()];
    let (mut was_live, mut warned) = (false, Vec::new());
    let mut stop = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
            _ = &mut stop => break,
        }
        let warnings = workspace.warnings()?;
        for warning in warnings.iter().filter(|warning| !warned.contains(*warning)) {
            output.warning(&warning.text);
        }
        warned = warnings;
        for ((link, url), (last, trouble)) in links.iter().zip(urls).zip(&mut told) {
            let error = link.last_error().map(|error| error.to_string());
            if *trouble != error {
                if let Some(text) = &error {
                    output.warning(text);
                }
                *trouble = error;
            }
            let state = link.state();
            was_live |= state == LinkState::Live;
            if *last != Some(state) {
                *last = Some(state);
                let line = state_line(url, state, link.pending());
                output.result(&line, || format!("{url}: {}", in_words(state)));
            }
        }
    }
    was_live |= links.iter().any(|link| link.state() == LinkState::Live);
    let trouble = links.iter().find_map(tidelog::Link::last_error);
    for link in &links {
        link.stop().await;
    }
    workspace.shutdown().await?;
    match trouble {
        _ if was_live => Ok(Outcome::Done),
        Some(error) => Err(error.into()),
        None => Err(Failure { code: "cancelled", text: "ended before any relay was reached".into() }),
    }
}

/// A state has the name here that every language gives it.
fn state_line(url: &str, state: LinkState, pending: u64) -> Value {
    json!({ "relay": url, "state": state, "pending": pending })
}

/// A state for people.
fn in_words(state: LinkState) -> &'static str {
    match state {
        LinkState::Offline => "offline",
        LinkState::Connecting => "connecting",
        LinkState::CatchingUp => "catching up",
        LinkState::Live => "live",
    }
}

/// The relay given, or those of the workspace.
pub(crate) fn relays(workspace: &Workspace, url: Option<&str>) -> Result<Vec<String>> {
    if let Some(url) = url {
        return Ok(vec![url.to_owned()]);
    }
    let known = workspace.relays();
    if known.is_empty() {
        return Err(Failure::usage(
            "the workspace knows no relay yet: give its URL, like wss://relay.example.org",
        ));
    }
    Ok(known)
}

pub(crate) async fn verify(path: &std::path::Path, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(path, source.key()?).await?;
    let bar = output.progress(0, "verifying");
    let shown = bar.clone();
    let report = workspace
        .verify(move |done, total| {
            shown.set_length(total);
            shown.set_position(done);
            ControlFlow::Continue(())
        })
        .await?;
    bar.finish_and_clear();
    workspace.shutdown().await?;
    let line = json!({
        "entries": report.entries,
        "bytes": report.bytes,
        "signatures": report.signatures,
        "damaged": report.damaged,
        "problems": report.problems,
    });
    output.result(&line, || {
        let found =
            if report.damaged == 0 { "all sound".into() } else { format!("{} damaged", report.damaged) };
        format!(
            "{} entries, {} bytes, {} signatures: {found}",
            report.entries, report.bytes, report.signatures
        )
    });
    if !output.is_json() {
        report.problems.iter().for_each(|problem| output.warning(problem));
    }
    Ok(if report.damaged == 0 { Outcome::Done } else { Outcome::Damaged })
}

pub(crate) async fn stats(path: &std::path::Path, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(path, source.key()?).await?;
    let stats = workspace.stats()?;
    let databases = workspace.databases()?;
    let name = workspace.name()?;
    let warnings = workspace.warnings()?;
    workspace.shutdown().await?;
    let line = json!({
        "name": name,
        "entries": stats.entries,
        "log_bytes": stats.log_bytes,
        "databases": databases,
        "users": stats.users,
        "devices": stats.devices,
        "root": stats.root.to_string(),
        "warnings": warnings,
    });
    output.value(&line);
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_has_the_name_of_all_languages_in_json() {
        let all = [LinkState::Offline, LinkState::Connecting, LinkState::CatchingUp, LinkState::Live];
        let named = |state| state_line("ws://127.0.0.1:1", state, 0)["state"].clone();
        assert_eq!(all.map(named), ["offline", "connecting", "catching-up", "live"]);
        assert_eq!(all.map(in_words), ["offline", "connecting", "catching up", "live"]);
    }
}
