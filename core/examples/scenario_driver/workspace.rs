//! Words about the workspace, its members and its links.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tidelog::{Result, Value, Workspace};

use crate::words::{bytes, given, measured, ok, tell, text};
use crate::{Role, data, key, streams};

/// Plays one command. Words about another role get its workspace.
pub(crate) async fn play(role: &mut Role, other: Option<&Workspace>, c: &Json) -> Result<Json> {
    let w = role.workspace().clone();
    let (relay, id) = (text(c, "relay"), text(c, "id"));
    match text(c, "op") {
        "shutdown" => ok(w.shutdown().await?),
        "identity" => ok(json!({ "id": w.id(), "name": w.name()? })),
        "me" => ok(w.me()?),
        "set_profile" => ok(w.set_profile(text(c, "name")).await?),
        "members" => ok(w.members()?),
        "devices" => ok(w.devices()),
        "set_role" => ok(w.set_role(given(&c["user"])?, given(&c["role"])?).await?),
        "remove_user" => ok(w.remove_user(given(&c["user"])?).await?),
        "remove_device" => ok(w.remove_device(given(&c["device"])?).await?),
        "excluded" => ok(w.excluded()?),
        "accept_excluded" => ok(w.accept_excluded(given(&c["device"])?).await?),
        "invite" => ok(w.invite(given(c)?).await?),
        "invites" => ok(w.invites()),
        "withdraw" => ok(w.withdraw(id)?),
        "requests" => ok(w.requests().await?),
        "approve" => ok(w.approve(id).await?),
        "receive_request" => ok(w.receive_request(&bytes(&c["request"])?).await?),
        "welcome" => ok(Value::Bytes(w.welcome(id).await?)),
        "databases" if c["circle"].is_null() => ok(w.databases()?),
        "databases" => ok(w.databases_in(given(&c["circle"])?)?),
        "create_circle" => ok(w.create_circle(text(c, "name"), given(c)?).await?),
        "circles" => ok(w.circles()?),
        "add_to_circle" => {
            let (circle, user) = (given(&c["circle"])?, given(&c["user"])?);
            ok(w.add_to_circle(circle, user, given(&c["role"])?).await?)
        }
        "remove_from_circle" => ok(w.remove_from_circle(given(&c["circle"])?, given(&c["user"])?).await?),
        "policy" => ok(w.policy()),
        "set_policy" => ok(w.set_policy(given(c)?).await?),
        "stats" => ok(w.stats()?),
        "warnings" => ok(w.warnings()?),
        "verify" => measured(w.verify(tell).await?),
        "change_passphrase" => {
            let new = key(c, "").expect("scenarios give a new key");
            ok(w.change_passphrase(key(c, "old_"), new).await?)
        }
        "recovery_words" => ok(w.recovery_words()?),
        "confirm_recovery_words" => ok(w.confirm_recovery_words(text(c, "words")).await?),
        "add_recovery_device" => ok(w.add_recovery_device().await?),
        "backup" => measured(w.backup(text(c, "to"), key(c, ""), tell).await?),
        "restored" => ok(w.restored()),
        "confirm_only_copy" => ok(w.confirm_only_copy().await?),
        "sync" => ok(w.sync(relay).await?),
        "sync_with" => ok(w.sync_with(other.expect("scenarios name a role")).await?),
        "connect" => ok(role.link = Some(w.connect(relay)?)),
        "wait_live" | "link_state" | "link_events" | "stop" => link(role, c).await,
        _ => data::play(role, other, c).await,
    }
}

async fn link(role: &mut Role, c: &Json) -> Result<Json> {
    let Some(link) = role.link.clone() else { return ok(()) };
    match text(c, "op") {
        "wait_live" => ok(link.wait_live(Duration::from_millis(given(&c["timeout_ms"])?)).await?),
        "link_state" => {
            let (progress, error) = (link.progress(), link.last_error().map(|error| error.kind()));
            let (state, pending) = (link.state(), link.pending());
            ok(json!({ "state": state, "pending": pending, "last_error": error, "progress": progress }))
        }
        "link_events" => role.hear(c, streams::link(link.events())),
        _ => ok(link.stop().await),
    }
}
