//! Words about logs.

use serde_json::{Value as Json, json};
use tidelog::{Direction, EntryId, Result, SyncReport, Value, Workspace};

use crate::data::database;
use crate::words::{bytes, given, ok, text};

/// Plays one command. Words about another role get its workspace.
pub(crate) async fn play(w: &Workspace, other: Option<&Workspace>, c: &Json) -> Result<Json> {
    let (log, relay) = (database(w, c).log(), text(c, "relay"));
    let other = || database(other.expect("scenarios name a role"), c).log();
    match text(c, "op") {
        "entry_ids" => ok(log.entry_ids()?),
        "missing" => ok(log.missing(&given::<Vec<_>>(&c["ids"])?)?),
        "entries" => {
            let ids: Vec<EntryId> = given(&c["ids"])?;
            let held = log.entries(&ids)?;
            let lacks = ids.iter().zip(&held).filter(|(_, held)| held.is_none()).map(|(id, _)| id);
            let entries = ok(held.iter().flatten().cloned().map(Value::Bytes).collect::<Vec<_>>())?;
            ok(json!({ "missing": lacks.collect::<Vec<_>>(), "entries": entries }))
        }
        "append" => ok(log.append(&bytes(&c["entry"])?)?),
        "changes_since" => {
            let limit = given::<Option<_>>(&c["limit"])?.unwrap_or(usize::MAX);
            ok(log.changes_since(c["cursor"].as_str(), limit)?)
        }
        "pull_from" => moved(log.pull_from(&other())?, 0),
        "push_to" => moved(0, log.push_to(&other())?),
        "log_sync_with" => log.sync_with(&other()).and_then(|(received, sent)| moved(received, sent)),
        "pull_from_relay" => reported(w.exchange(&log, relay, Direction::Pull).await?),
        "push_to_relay" => reported(w.exchange(&log, relay, Direction::Push).await?),
        "log_sync_with_relay" => reported(w.exchange(&log, relay, Direction::Both).await?),
        word => panic!("unknown word {word}"),
    }
}

fn moved(received: usize, sent: usize) -> Result<Json> {
    ok(json!({ "received": received, "sent": sent }))
}
fn reported(report: SyncReport) -> Result<Json> {
    ok(json!({ "received": report.received, "sent": report.sent }))
}
