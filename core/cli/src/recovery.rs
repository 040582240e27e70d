//! Commands for what must not be lost: `passphrase, recovery-words, confirm-recovery-words, backup,
//! verify-backup, restore, recover, confirm-only-copy`.

use std::io::IsTerminal as _;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::json;
use tidelog::{BackupKey, Key, RecoverFrom, Workspace};

use crate::args;
use crate::output::Output;
use crate::passphrase::Source;
use crate::{Failure, Outcome, Result};

pub(crate) async fn passphrase(command: &args::Passphrase, source: &Source, output: &Output) -> Result {
    let old = source.key()?;
    let new = Source::new_one(command.new_passphrase_file.clone(), command.new_key_file.clone());
    let workspace = Workspace::open(&command.path, old).await?;
    workspace.change_passphrase(None, new.new_key()?).await?;
    let id = workspace.id().to_string();
    workspace.shutdown().await?;
    let text = "the new one opens the workspace on this device; backups keep the one they were made with";
    output.done(&json!({ "workspace": id, "changed": true }), text);
    Ok(Outcome::Done)
}

pub(crate) async fn recovery_words(
    command: &args::RecoveryWords,
    source: &Source,
    output: &Output,
) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let words =
        if command.device { workspace.add_recovery_device().await? } else { workspace.recovery_words()? };
    let (id, relays) = (workspace.id().to_string(), workspace.relays());
    workspace.shutdown().await?;
    output.result(&json!({ "words": words, "workspace": id, "relays": relays }), || sheet(&words));
    output.note("write these words down, in this order, on paper that nobody else finds.");
    if command.device {
        output.note("whoever has them is a device of yours. They are not shown again.");
        output.note("other devices know them once this one has synced.");
    } else {
        output.note("whoever has them is above every owner of the workspace. Then run");
        output.note("`tidelog confirm-recovery-words`: that erases them from this device.");
    }
    output.note(&format!("the workspace to recover, no secret: {id}"));
    for relay in relays {
        output.note(&format!("its relay, no secret: {relay}"));
    }
    Ok(Outcome::Done)
}

/// Words in rows of four, with their numbers.
fn sheet(words: &str) -> String {
    let words: Vec<String> =
        words.split(' ').zip(1..).map(|(word, number)| format!("{number:2} {word:9}")).collect();
    let rows: Vec<String> = words.chunks(4).map(|row| row.join("  ").trim_end().to_owned()).collect();
    rows.join("\n")
}

pub(crate) async fn confirm_recovery_words(
    command: &args::ConfirmRecoveryWords,
    source: &Source,
    output: &Output,
) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    workspace.confirm_recovery_words(&words(command.words_file.as_deref())?).await?;
    let id = workspace.id().to_string();
    workspace.shutdown().await?;
    let line = json!({ "workspace": id, "confirmed": true });
    output.done(&line, "the words are right, and now on paper only");
    Ok(Outcome::Done)
}

/// Recovery words from a file, a prompt or standard input; numbers before words are left out.
fn words(file: Option<&Path>) -> Result<String> {
    let text = if let Some(path) = file {
        let what = || format!("cannot read the recovery words in {}", path.display());
        std::fs::read_to_string(path).map_err(|error| Failure::io(&what(), &error))?
    } else if std::io::stdin().is_terminal() {
        rpassword::prompt_password("Recovery words: ")
            .map_err(|error| Failure::io("cannot read the recovery words", &error))?
    } else {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| Failure::io("cannot read standard input", &error))?
    };
    let words = text.split_whitespace().filter(|word| word.parse::<u32>().is_err());
    Ok(words.collect::<Vec<_>>().join(" "))
}

pub(crate) async fn backup(command: &args::Backup, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(&command.path, source.key()?).await?;
    let key = Source::of_backup(command.backup_passphrase_file.clone()).given()?;
    let bar = output.progress(0, "copying");
    let shown = bar.clone();
    let told = move |done, total| {
        shown.set_length(total);
        shown.set_position(done);
        ControlFlow::Continue(())
    };
    let report = workspace.backup(&command.to, key, told).await?;
    bar.finish_and_clear();
    workspace.shutdown().await?;
    let line = json!({
        "entries": report.entries,
        "bytes": report.bytes,
        "copied": report.copied,
        "key": report.key.name(),
    });
    output.result(&line, || {
        format!("{} entries, {} bytes, {} of them copied now", report.entries, report.bytes, report.copied)
    });
    output.note(opens_with(report.key));
    Ok(Outcome::Done)
}

fn opens_with(key: BackupKey) -> &'static str {
    match key {
        BackupKey::Own => "it opens with the backup's own passphrase",
        BackupKey::Workspace => "it opens with the passphrase that the workspace had when it was made",
        BackupKey::RecoveryWords => {
            "it carries no secrets and comes back with the recovery words only: give a passphrase for it"
        }
    }
}

pub(crate) async fn verify_backup(command: &args::VerifyBackup, output: &Output) -> Result {
    let key = Source::of_backup(command.backup_passphrase_file.clone()).given()?;
    let bar = output.progress(0, "verifying");
    let shown = bar.clone();
    let told = move |done, total| {
        shown.set_length(total);
        shown.set_position(done);
        ControlFlow::Continue(())
    };
    let info = Workspace::verify_backup(&command.from, key, told).await?;
    bar.finish_and_clear();
    let line = json!({
        "workspace": info.workspace.to_string(),
        "made_ms": info.made_ms,
        "entries": info.entries,
        "bytes": info.bytes,
        "key": info.key.name(),
        "problems": info.problems,
    });
    output.result(&line, || {
        let found = if info.problems.is_empty() { "all sound" } else { "damaged" };
        format!("{} entries, {} bytes: {found}", info.entries, info.bytes)
    });
    output.note(opens_with(info.key));
    if !output.is_json() {
        info.problems.iter().for_each(|problem| output.warning(problem));
    }
    Ok(if info.problems.is_empty() { Outcome::Done } else { Outcome::Damaged })
}

pub(crate) async fn restore(command: &args::Restore, source: &Source, output: &Output) -> Result {
    let (backup_key, key): (Key, Option<Key>) =
        match Source::of_backup(command.backup_passphrase_file.clone()).given()? {
            Some(own) => (own, Some(source.new_key()?)),
            None => (source.key()?, None),
        };
    let bar = output.progress(0, "restoring");
    let shown = bar.clone();
    let told = move |done, total| {
        shown.set_length(total);
        shown.set_position(done);
        ControlFlow::Continue(())
    };
    let workspace = Workspace::restore(&command.from, &command.path, backup_key, key, told).await?;
    bar.finish_and_clear();
    let stats = workspace.stats()?;
    workspace.shutdown().await?;
    output.result(&json!({ "entries": stats.entries }), || format!("{} entries restored", stats.entries));
    output.note("it can be read, and written once it has met a peer: `tidelog sync`. If there is none, and");
    output.note("no other copy of the device is in use: `tidelog confirm-only-copy`.");
    Ok(Outcome::Done)
}

pub(crate) async fn recover(command: &args::Recover, source: &Source, output: &Output) -> Result {
    let from = match (&command.from, &command.relay, &command.workspace) {
        (Some(folder), None, None) => RecoverFrom::Folder(folder.clone()),
        (None, Some(url), Some(id)) => {
            let workspace = id
                .parse()
                .map_err(|_| Failure::usage("--workspace is the workspace's id, 64 hexadecimal digits"))?;
            RecoverFrom::Relay { url: url.clone(), workspace }
        }
        _ => return Err(Failure::usage("give --from FOLDER, or both --relay URL and --workspace ID")),
    };
    let key = if command.path.join("vault").exists() { source.key()? } else { source.new_key()? };
    let words = words(command.words_file.as_deref())?;
    let workspace = Workspace::recover(&command.path, key, &words, from).await?;
    let me = workspace.me()?;
    let stats = workspace.stats()?;
    workspace.shutdown().await?;
    let line = json!({ "user": me.user.to_string(), "role": me.role.to_string(), "entries": stats.entries });
    output.result(&line, || {
        format!("{} entries recovered; this is a new device of the {} {}", stats.entries, me.role, me.user)
    });
    output.note("the devices that were lost are members still: see `tidelog members`");
    Ok(Outcome::Done)
}

pub(crate) async fn confirm_only_copy(path: &Path, source: &Source, output: &Output) -> Result {
    let workspace = Workspace::open(path, source.key()?).await?;
    let was = workspace.restored();
    workspace.confirm_only_copy().await?;
    let still = workspace.restored();
    let id = workspace.id().to_string();
    workspace.shutdown().await?;
    let text = match (was, still) {
        (false, _) => "this is no copy: nothing to do",
        (true, false) => "goes on as a new device of the same user",
        (true, true) => "the role of this user does not allow writing: it stays as it is",
    };
    output.done(&json!({ "workspace": id, "was_restored": was, "restored": still }), text);
    Ok(Outcome::Done)
}
