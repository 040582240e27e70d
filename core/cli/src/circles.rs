//! Commands on circles and their keys: `circles, create-circle, add-to-circle, remove-from-circle,
//! policy`; and which circle a text names.
//!
//! A circle is named by its name, if only one has it, or by its id.

use std::path::Path;

use serde_json::{Value, json};
use tidelog::{Circle, CircleId, CircleMember, CircleOptions, History, Member, Workspace};

use crate::args;
use crate::members::user;
use crate::output::Output;
use crate::passphrase::Source;
use crate::{Failure, Outcome, Result};

pub(crate) async fn circles(path: &Path, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(path, source.key()?).await?;
    let (circles, members) = (workspace.circles()?, workspace.members()?);
    let databases = |circle: &Circle| circle.readable.then(|| workspace.databases_in(circle.id)).transpose();
    let databases = circles.iter().map(databases).collect::<tidelog::Result<Vec<_>>>()?;
    workspace.shutdown().await?;
    if circles.is_empty() {
        output.note("there is no circle");
    }
    let rows: Vec<Vec<Value>> = circles
        .iter()
        .zip(databases)
        .map(|(circle, databases)| {
            vec![
                json!(circle.name),
                json!(history(circle.history)),
                either(circle.recoverable, "recoverable", output),
                members_of(circle, &members, output),
                if output.is_json() {
                    json!(databases)
                } else {
                    json!(databases.map_or_else(|| "not yours".to_owned(), |names| names.join(", ")))
                },
                json!(circle.id.to_string()),
            ]
        })
        .collect();
    output.table(&["name", "history", "recoverable", "members", "databases", "circle"], &rows);
    Ok(Outcome::Done)
}

/// Who is in a circle, and as what.
fn members_of(circle: &Circle, members: &[Member], output: &Output) -> Value {
    let name = |user| members.iter().find(|member| member.user == user)?.profile.clone();
    if output.is_json() {
        let one = |member: &CircleMember| {
            json!({
                "user": member.user.to_string(),
                "name": name(member.user),
                "role": member.role.to_string(),
            })
        };
        return circle.members.iter().map(one).collect();
    }
    let one = |member: &CircleMember| {
        let name = name(member.user).unwrap_or_else(|| member.user.to_string()[..8].to_owned());
        format!("{name} ({})", member.role)
    };
    json!(circle.members.iter().map(one).collect::<Vec<_>>().join(", "))
}

/// A yes or no: for people its name, or nothing.
fn either(value: bool, name: &str, output: &Output) -> Value {
    if output.is_json() { json!(value) } else { json!(if value { name } else { "" }) }
}

const fn history(history: History) -> &'static str {
    match history {
        History::Full => "full",
        History::FromJoin => "from_join",
    }
}

pub(crate) async fn create(command: &args::CreateCircle, source: &Source, output: &Output) -> Result {
    let options = CircleOptions {
        history: match command.history {
            args::CircleHistory::Full => History::Full,
            args::CircleHistory::FromJoin => History::FromJoin,
        },
        recoverable: !command.not_recoverable,
    };
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let circle = workspace.create_circle(&command.name, options).await?;
    workspace.shutdown().await?;
    if output.is_json() {
        output.value(&json!({
            "circle": circle.id.to_string(),
            "name": circle.name,
            "history": history(circle.history),
            "recoverable": circle.recoverable,
        }));
    } else {
        output.result(&Value::Null, || circle.id.to_string());
        output.note("only you are in it: take others in with `add-to-circle`, write with `put --circle`");
    }
    Ok(Outcome::Done)
}

pub(crate) async fn add(command: &args::AddToCircle, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let circle = find(&workspace, &command.circle)?;
    let (user, role) = (user(&workspace, &command.user)?, command.role.role());
    workspace.add_to_circle(circle, user, role).await?;
    workspace.shutdown().await?;
    let line = json!({ "circle": circle.to_string(), "user": user.to_string(), "role": role.to_string() });
    output.done(&line, "done; the others know it once this device and they have synced");
    Ok(Outcome::Done)
}

pub(crate) async fn remove(command: &args::RemoveFromCircle, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let circle = find(&workspace, &command.circle)?;
    let user = user(&workspace, &command.user)?;
    workspace.remove_from_circle(circle, user).await?;
    workspace.shutdown().await?;
    let line = json!({ "circle": circle.to_string(), "user": user.to_string() });
    output.done(&line, "removed; what it holds it keeps, what is written there from now on it cannot read");
    output.note("run `tidelog sync` now, so that the relay and the others know it");
    Ok(Outcome::Done)
}

pub(crate) async fn policy(command: &args::Policy, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let mut policy = workspace.policy();
    if command.rotate_days.is_some() || command.rotate_entries.is_some() {
        policy.rotate_days = command.rotate_days.unwrap_or(policy.rotate_days);
        policy.rotate_entries = command.rotate_entries.unwrap_or(policy.rotate_entries);
        workspace.set_policy(policy).await?;
    }
    workspace.shutdown().await?;
    output.value(&json!({ "rotate_days": policy.rotate_days, "rotate_entries": policy.rotate_entries }));
    Ok(Outcome::Done)
}

/// The circle that a text names.
pub(crate) fn find(workspace: &Workspace, text: &str) -> Result<CircleId> {
    let circles = workspace.circles()?;
    let named = |circle: &&Circle| circle.name.as_deref() == Some(text) || circle.id.to_string() == text;
    match circles.iter().filter(named).map(|circle| circle.id).collect::<Vec<_>>()[..] {
        [circle] => Ok(circle),
        [] => {
            Err(Failure { code: "not_found", text: format!("there is no circle `{text}` for this device") })
        }
        _ => Err(Failure::usage(format!("there are several circles `{text}`: give the id of one"))),
    }
}
