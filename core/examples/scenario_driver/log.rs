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
            entries(&ids, &log.entries(&ids)?)
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
        "relay_entry_ids" => ok(w.remote_log(&log, relay)?.entry_ids().await?),
        "relay_missing" => ok(w.remote_log(&log, relay)?.missing(&given::<Vec<_>>(&c["ids"])?).await?),
        "relay_entries" => {
            let ids: Vec<EntryId> = given(&c["ids"])?;
            entries(&ids, &w.remote_log(&log, relay)?.entries(&ids).await?)
        }
        "relay_append" => ok(w.remote_log(&log, relay)?.append(&bytes(&c["entry"])?).await?),
        "relay_changes_since" => {
            let limit = given::<Option<_>>(&c["limit"])?.unwrap_or(usize::MAX);
            ok(w.remote_log(&log, relay)?.changes_since(c["cursor"].as_str(), limit).await?)
        }
        word => panic!("unknown word {word}"),
    }
}

fn entries(ids: &[EntryId], held: &[Option<Vec<u8>>]) -> Result<Json> {
    let lacks = ids.iter().zip(held).filter(|(_, held)| held.is_none()).map(|(id, _)| id);
    let entries = ok(held.iter().flatten().cloned().map(Value::Bytes).collect::<Vec<_>>())?;
    ok(json!({ "missing": lacks.collect::<Vec<_>>(), "entries": entries }))
}
fn moved(received: usize, sent: usize) -> Result<Json> {
    ok(json!({ "received": received, "sent": sent }))
}
fn reported(report: SyncReport) -> Result<Json> {
    ok(json!({ "received": report.received, "sent": report.sent }))
}
