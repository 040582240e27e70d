//! Commands on who belongs to the workspace: `members, devices, set-role, remove-user, remove-device,
//! excluded, accept-excluded`.
//!
//! A user or device is named by its id, or by the beginning of one that no other has, as tables print
//! it; a user also by its name, if only one has it.

use std::path::Path;

use serde_json::{Value, json};
use tidelog::{DeviceId, RemovalReport, UserId, Workspace};

use crate::args;
use crate::data::time;
use crate::output::Output;
use crate::passphrase::Source;
use crate::{Failure, Outcome, Result};

/// Least digits of an id that name something: fewer are typed by mistake too easily.
const DIGITS_MIN: usize = 6;

pub(crate) async fn members(path: &Path, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(path, source.key()?).await?;
    let members = workspace.members()?;
    workspace.shutdown().await?;
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for member in members {
        let devices: Vec<String> = member.devices.iter().map(|device| output.id(device)).collect();
        let devices = if output.is_json() { json!(devices) } else { json!(devices.join(" ")) };
        rows.push(vec![
            json!(member.profile),
            json!(member.role.to_string()),
            devices,
            me(member.me, output),
            json!(member.user.to_string()),
        ]);
    }
    output.table(&["name", "role", "devices", "me", "user"], &rows);
    Ok(Outcome::Done)
}

pub(crate) async fn devices(path: &Path, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(path, source.key()?).await?;
    let (devices, members) = (workspace.devices(), workspace.members()?);
    workspace.shutdown().await?;
    let name = |user: &UserId| members.iter().find(|member| member.user == *user)?.profile.clone();
    let added_by = |device: &DeviceId| {
        let is_device = devices.iter().any(|known| known.device == *device);
        if is_device || output.is_json() { output.id(device) } else { "root, or gone".to_owned() }
    };
    let rows: Vec<Vec<Value>> = devices
        .iter()
        .map(|device| {
            vec![
                json!(output.id(&device.device)),
                json!(name(&device.user)),
                json!(added_by(&device.added_by)),
                me(device.me, output),
                json!(device.user.to_string()),
            ]
        })
        .collect();
    output.table(&["device", "name", "added_by", "me", "user"], &rows);
    Ok(Outcome::Done)
}

fn me(me: bool, output: &Output) -> Value {
    if output.is_json() { json!(me) } else { json!(if me { "you" } else { "" }) }
}

pub(crate) async fn set_role(command: &args::SetRole, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let user = user(&workspace, &command.user)?;
    let role = command.role.role();
    workspace.set_role(user, role).await?;
    workspace.shutdown().await?;
    let line = json!({ "user": user.to_string(), "role": role.to_string() });
    output.done(&line, "done; the others know it once this device and they have synced");
    Ok(Outcome::Done)
}

pub(crate) async fn remove_user(command: &args::RemoveUser, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let user = user(&workspace, &command.user)?;
    let report = workspace.remove_user(user).await?;
    workspace.shutdown().await?;
    tell(&json!({ "user": user.to_string() }), &report, output);
    Ok(Outcome::Done)
}

pub(crate) async fn remove_device(command: &args::RemoveDevice, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let known = workspace.devices().into_iter().map(|device| device.device);
    let device = one_of(known, "device", &command.device)?;
    let report = workspace.remove_device(device).await?;
    workspace.shutdown().await?;
    tell(&json!({ "device": device.to_string() }), &report, output);
    Ok(Outcome::Done)
}

fn tell(removed: &Value, report: &RemovalReport, output: &Output) {
    let mut line = json!({
        "cuts": report.cuts,
        "claimed": report.claimed,
        "entries": report.entries,
        "keys_renewed": report.keys_renewed,
        "advice": report.advice,
    });
    if let (Some(line), Some(removed)) = (line.as_object_mut(), removed.as_object()) {
        line.extend(removed.clone());
    }
    output.done(&line, "removed; what it wrote before stays, what it writes from now on is shown nowhere");
    output.note("run `tidelog sync` now, so that the relay and the others know it");
    if report.claimed > 0 {
        let text = format!("{} chains end at entries that this device has not got yet", report.claimed);
        output.note(&text);
    }
    if !report.keys_renewed {
        output.note("new keys are made by whoever writes next");
    }
    if let (Some(advice), false) = (&report.advice, output.is_json()) {
        output.warning(advice);
    }
}

pub(crate) async fn excluded(path: &Path, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(path, source.key()?).await?;
    let (excluded, members) = (workspace.excluded()?, workspace.members()?);
    workspace.shutdown().await?;
    if excluded.is_empty() {
        output.note("everything that this device holds is shown");
        return Ok(Outcome::Done);
    }
    let name = |user: &UserId| members.iter().find(|member| member.user == *user)?.profile.clone();
    let rows: Vec<Vec<Value>> = excluded
        .iter()
        .map(|entry| {
            let short = |id: String| if output.is_json() { id } else { id.chars().take(8).collect() };
            vec![
                json!(entry.reason.name()),
                json!(entry.database),
                json!(entry.seq),
                json!(entry.user.as_ref().and_then(name)),
                json!(output.id(&entry.device)),
                json!(short(entry.entry.to_string())),
                json!(entry.user.map(|user| short(user.to_string()))),
                if output.is_json() { json!(entry.due_ms) } else { json!(entry.due_ms.map(time)) },
            ]
        })
        .collect();
    let due = if output.is_json() { "due_ms" } else { "due" };
    output.table(&["reason", "database", "seq", "name", "device", "entry", "user", due], &rows);
    Ok(Outcome::Done)
}

pub(crate) async fn accept_excluded(
    command: &args::AcceptExcluded,
    source: &Source,
    output: &Output,
) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let known = workspace.excluded()?.into_iter().map(|entry| entry.device);
    let device = one_of(known, "device with excluded entries", &command.device)?;
    let accepted = workspace.accept_excluded(device).await?;
    workspace.shutdown().await?;
    let line = json!({ "device": device.to_string(), "accepted": accepted });
    output.done(&line, &format!("{accepted} entries count after all"));
    Ok(Outcome::Done)
}

/// The user that a text names.
pub(crate) fn user(workspace: &Workspace, text: &str) -> Result<UserId> {
    let members = workspace.members()?;
    let named: Vec<UserId> = members
        .iter()
        .filter(|member| member.profile.as_deref() == Some(text))
        .map(|member| member.user)
        .collect();
    match named[..] {
        [user] => Ok(user),
        [] => one_of(members.into_iter().map(|member| member.user), "user", text),
        _ => Err(Failure::usage(format!("several users are named `{text}`: give the id of one"))),
    }
}

/// The one id that begins with a text.
fn one_of<Id>(known: impl Iterator<Item = Id>, what: &str, text: &str) -> Result<Id>
where
    Id: Copy + Ord + ToString,
{
    let mut found: Vec<Id> = known.filter(|id| id.to_string().starts_with(text)).collect();
    found.sort_unstable();
    found.dedup();
    match found[..] {
        [id] if text.len() >= DIGITS_MIN => Ok(id),
        [] => Err(Failure { code: "not_found", text: format!("there is no {what} `{text}`") }),
        _ => Err(Failure::usage(format!(
            "`{text}` does not name one {what}: give {DIGITS_MIN} digits of its id or more"
        ))),
    }
}
