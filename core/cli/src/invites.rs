//! Commands that bring devices together: `invite, invites, withdraw, join, requests, approve`.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};
use tidelog::{InviteOptions, JoinOptions, JoinRequest, Role, Workspace};

use crate::args;
use crate::circles::find;
use crate::data::time;
use crate::output::Output;
use crate::passphrase::Source;
use crate::share::relays;
use crate::{Failure, Outcome, Result};

/// More than any file that is read here may hold, in bytes: what is longer is refused by what reads it.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024 + 1;
/// Where systems say who uses them.
const USER_VARIABLES: [&str; 3] = ["USER", "LOGNAME", "USERNAME"];

pub(crate) async fn invite(command: &args::Invite, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let relay = match command.no_relay {
        true => None,
        false => Some(relays(&workspace, command.relay.as_deref()).map_err(without_relay)?.swap_remove(0)),
    };
    let options = InviteOptions {
        role: command.role.role(),
        relay,
        expires_in_ms: command.expires.ms,
        auto_approve: command.auto_approve,
        uses: command.uses,
        same_user: command.my_device,
        circles: command.circle.iter().map(|name| find(&workspace, name)).collect::<Result<_>>()?,
    };
    let invite = workspace.invite(options).await?;
    workspace.shutdown().await?;
    if output.is_json() {
        output.value(&json!({ "id": invite.id, "uri": invite.uri, "expires_ms": invite.expires_ms }));
        return Ok(Outcome::Done);
    }
    if !command.no_qr
        && std::io::stderr().is_terminal()
        && let Ok(code) = QrCode::new(&invite.uri)
    {
        output.note(&code.render::<Dense1x2>().quiet_zone(true).build());
    }
    output.note("whoever has this link can ask to join; send it by a way you trust:");
    output.result(&Value::Null, || invite.uri.clone());
    output.note(match (invite.relay, command.auto_approve) {
        (Some(_), true) => "who joins is admitted while this device runs `tidelog sync --live`",
        (Some(_), false) => "then run `tidelog requests` and `tidelog approve`",
        (None, _) => {
            "they run `tidelog join FOLDER LINK --request-file FILE` and send you the file; then run \
             `tidelog approve --request-file FILE --welcome-file FILE` and send that one back"
        }
    });
    Ok(Outcome::Done)
}

fn without_relay(failure: Failure) -> Failure {
    Failure { text: format!("{}; or --no-relay, to join by files", failure.text), ..failure }
}

pub(crate) async fn invites(path: &Path, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(path, source.key()?).await?;
    let invites = workspace.invites();
    workspace.shutdown().await?;
    if invites.is_empty() {
        output.note("no invite is open");
    }
    for invite in invites.iter().filter(|_| output.is_json()) {
        output.value(&json!({
            "id": invite.id,
            "uri": invite.uri,
            "role": invite.role.to_string(),
            "my_device": invite.same_user,
            "uses_left": invite.uses_left,
            "expires_ms": invite.expires_ms,
            "auto_approve": invite.auto_approve,
            "relay": invite.relay,
            "circles": invite.circles.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }));
    }
    if !invites.is_empty() && !output.is_json() {
        let row = |invite: &tidelog::Invite| {
            vec![
                json!(invite.id),
                json!(whom(invite.role, invite.same_user)),
                json!(invite.uses_left),
                json!(time(invite.expires_ms)),
                json!(if invite.auto_approve { "at once" } else { "by hand" }),
                json!(invite.relay.as_deref().unwrap_or("by files")),
            ]
        };
        let rows: Vec<Vec<Value>> = invites.iter().map(row).collect();
        output.table(&["invite", "for a", "uses left", "until", "approved", "relay"], &rows);
    }
    Ok(Outcome::Done)
}

/// Whom an invite is for.
fn whom(role: Role, same_user: bool) -> String {
    if same_user { "device of yours".to_owned() } else { role.to_string() }
}

pub(crate) async fn withdraw(command: &args::Withdraw, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let relay = workspace.invites().into_iter().find(|invite| invite.id == command.invite);
    workspace.withdraw(&command.invite)?;
    if let Some(relay) = relay.and_then(|invite| invite.relay)
        && let Err(error) = workspace.sync(&relay).await
    {
        let why = crate::reasons(&error);
        output.warning(&format!("withdrawn here; the relay learns of it with the next sync: {why}"));
    }
    workspace.shutdown().await?;
    output.done(&json!({ "withdrawn": command.invite }), "withdrawn");
    Ok(Outcome::Done)
}

pub(crate) async fn join(command: &args::Join, source: &Source, output: &Output) -> Result {
    let path = &command.path;
    if let Some(file) = &command.welcome_file {
        let welcome = read_file("welcome", file)?;
        return joined(Workspace::finish_joining(path, source.key()?, welcome).await?, output).await;
    }
    let link = link(command)?;
    let profile = command.profile.clone().unwrap_or_else(|| name_for(&link));
    if command.profile.is_none() && !profile.is_empty() {
        output.note(&format!("you are `{profile}` to the others, unless --profile says another name"));
    }
    let key = if path.join("vault").exists() { source.key()? } else { source.new_key()? };
    if let Some(file) = &command.request_file {
        let request = Workspace::ask_to_join(path, key, &link, &profile).await?;
        write_file("request", file, &request)?;
        let next = format!(
            "send {} to whoever invited you; when a welcome comes back, run `tidelog join {} --welcome-file FILE`",
            file.display(),
            path.display()
        );
        output.done(&json!({ "request_file": file }), &next);
        return Ok(Outcome::Done);
    }
    output.note("asking to join; waiting for approval (Ctrl-C stops, repeating goes on)");
    let options = JoinOptions { profile, timeout_ms: Some(command.wait.saturating_mul(1_000)) };
    let workspace = tokio::select! {
        joined = Workspace::join(path, key, &link, options) => joined?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure { code: "cancelled", text: "stopped; repeat the command to go on".into() });
        }
    };
    joined(workspace, output).await
}

fn link(command: &args::Join) -> Result<String> {
    match command.link.as_deref() {
        Some("-") => std::io::read_to_string(std::io::stdin())
            .map_err(|error| Failure::io("cannot read standard input", &error)),
        link => Ok(link.unwrap_or_default().to_owned()),
    }
}

/// The name of somebody who gave none: that of the system's user. Nobody is renamed by a link for
/// another device of the same user, which names that user.
fn name_for(link: &str) -> String {
    let fields = link.split("&r=").next().unwrap_or_default();
    if fields.contains("&u=") {
        return String::new();
    }
    let names = USER_VARIABLES.iter().filter_map(|variable| std::env::var(variable).ok());
    names.map(|name| name.trim().to_owned()).find(|name| !name.is_empty()).unwrap_or_else(|| "device".into())
}

async fn joined(workspace: Workspace, output: &Output) -> Result {
    let (id, name) = (workspace.id().to_string(), workspace.name()?);
    workspace.shutdown().await?;
    output.result(&json!({ "workspace": id, "name": name }), || format!("joined `{name}`"));
    Ok(Outcome::Done)
}

pub(crate) async fn requests(command: &args::Requests, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let requests = match &command.request_file {
        Some(file) => vec![workspace.receive_request(&read_file("request", file)?).await?],
        None => workspace.requests().await?,
    };
    workspace.shutdown().await?;
    if requests.is_empty() {
        output.note("nobody asks to join");
    }
    let row = |request: &JoinRequest| {
        let asked = match output.is_json() {
            true => json!(request.requested_ms),
            false => json!(time(request.requested_ms)),
        };
        let whom = match output.is_json() {
            true => json!(request.role.to_string()),
            false => json!(whom(request.role, request.same_user)),
        };
        vec![json!(request.id), json!(request.profile), whom, asked]
    };
    let rows: Vec<Vec<Value>> = requests.iter().map(row).collect();
    if !rows.is_empty() {
        output.table(&["request", "profile", "role", "asked"], &rows);
    }
    Ok(Outcome::Done)
}

pub(crate) async fn approve(command: &args::Approve, source: &Source, output: &Output) -> Result {
    let request = command.request_file.as_deref().map(|file| read_file("request", file)).transpose()?;
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let id = match (request, &command.request) {
        (Some(request), _) => workspace.receive_request(&request).await?.id,
        (None, id) => id.clone().unwrap_or_default(),
    };
    workspace.approve(&id).await?;
    let welcome = match &command.welcome_file {
        Some(file) => Some((file, workspace.welcome(&id).await?)),
        None => None,
    };
    workspace.shutdown().await?;
    let mut next = "admitted".to_owned();
    if let Some((file, welcome)) = &welcome {
        write_file("welcome", file, welcome)?;
        next = format!(
            "admitted; send {} to them, who then run `tidelog join FOLDER --welcome-file FILE`",
            file.display()
        );
    }
    output.done(&json!({ "admitted": id }), &next);
    Ok(Outcome::Done)
}

fn read_file(what: &str, path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes));
    read.map_err(|error| Failure::io(&format!("cannot read the {what} file {}", path.display()), &error))?;
    Ok(bytes)
}

fn write_file(what: &str, path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(|error| {
        let text = format!("cannot write the {what} file {}; repeat the command to go on", path.display());
        Failure::io(&text, &error)
    })
}
