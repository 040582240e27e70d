//! The `tidelog` command: a workspace from the shell.
//!
//! Thin over the engine's public API: it reads arguments, asks for the passphrase, prints. Results
//! go to standard output (with `--json`, one JSON value a line), everything else to standard error.
//!
//! Exit codes: 0 done; 1 failed; 2 wrong usage; 3 the item is not there; 4 damage was found.

#![forbid(unsafe_code)]

mod args;
mod circles;
mod data;
mod import;
mod invites;
mod members;
mod output;
mod passphrase;
mod recovery;
mod relay;
mod share;
mod target;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};
use output::Output;

/// How a command ended, if not with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    NotThere,
    Damaged,
}

/// Why a command failed: one sentence for a person, and the stable code behind it if there is one.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

impl Failure {
    /// What was asked for makes no sense.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { code: "invalid_argument", text: text.into() }
    }

    /// A file other than the workspace's cannot be read or written.
    pub(crate) fn io(what: &str, error: &std::io::Error) -> Self {
        Self { code: "io", text: format!("{what}: {error}") }
    }
}

impl From<tidelog::Error> for Failure {
    fn from(error: tidelog::Error) -> Self {
        Self { code: error.kind().code(), text: reasons(&error) }
    }
}

/// An error and what is underneath it, without saying anything twice.
pub(crate) fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}

/// The result of a command.
pub(crate) type Result<T = Outcome> = std::result::Result<T, Failure>;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_usage(&error),
    };
    let output = Output::new(arguments.json, arguments.quiet);
    if !matches!(arguments.command, Command::ServeRelay(_)) {
        start_logging(arguments.json);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let result = runtime.map_err(|error| Failure::io("cannot start", &error)).and_then(|runtime| {
        let result = runtime.block_on(run(arguments, &output));
        // Blocking reads of standard input must not keep the process.
        runtime.shutdown_background();
        result
    });
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::NotThere) => ExitCode::from(3),
        Ok(Outcome::Damaged) => ExitCode::from(4),
        Err(failure) => {
            output.failure(&failure);
            ExitCode::from(if matches!(failure.code, "invalid_argument" | "invalid_value") { 2 } else { 1 })
        }
    }
}

/// Arguments that make no command; also `--help` and `--version`.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        Output::new(true, false).failure(&Failure::usage(text));
        return ExitCode::from(2);
    }
    error.exit()
}

/// Warnings of the engine on standard error, more with `RUST_LOG`.
fn start_logging(json: bool) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("error"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if json { log.json().init() } else { log.init() }
}

async fn run(arguments: Arguments, output: &Output) -> Result {
    let source = passphrase::Source::new(arguments.passphrase_file, arguments.key_file);
    match arguments.command {
        Command::Init(command) => share::init(&command, &source, output).await,
        Command::Import(command) => import::run(&command, &source, output).await,
        Command::Put(command) => data::put(&command, &source, output).await,
        Command::Get(command) => data::get(&command, &source, output).await,
        Command::Delete(command) => data::delete(&command, &source, output).await,
        Command::Query(command) => data::query(&command, &source, output).await,
        Command::Export(command) => data::export(&command, &source, output).await,
        Command::History(command) => data::history(&command, &source, output).await,
        Command::Watch(command) => data::watch(&command, &source, output).await,
        Command::Log(command) => data::log(&command, &source, output).await,
        Command::Invite(command) => invites::invite(&command, &source, output).await,
        Command::Join(command) => invites::join(&command, &source, output).await,
        Command::Requests(command) => invites::requests(&command, &source, output).await,
        Command::Invites(command) => invites::invites(&command.path, &source, output).await,
        Command::Withdraw(command) => invites::withdraw(&command, &source, output).await,
        Command::Approve(command) => invites::approve(&command, &source, output).await,
        Command::Members(command) => members::members(&command.path, &source, output).await,
        Command::Devices(command) => members::devices(&command.path, &source, output).await,
        Command::SetRole(command) => members::set_role(&command, &source, output).await,
        Command::RemoveUser(command) => members::remove_user(&command, &source, output).await,
        Command::RemoveDevice(command) => members::remove_device(&command, &source, output).await,
        Command::Circles(command) => circles::circles(&command.path, &source, output).await,
        Command::CreateCircle(command) => circles::create(&command, &source, output).await,
        Command::AddToCircle(command) => circles::add(&command, &source, output).await,
        Command::RemoveFromCircle(command) => circles::remove(&command, &source, output).await,
        Command::Policy(command) => circles::policy(&command, &source, output).await,
        Command::Excluded(command) => members::excluded(&command.path, &source, output).await,
        Command::AcceptExcluded(command) => members::accept_excluded(&command, &source, output).await,
        Command::Sync(command) => share::sync(&command, &source, output).await,
        Command::Verify(command) => share::verify(&command.path, &source, output).await,
        Command::Stats(command) => share::stats(&command.path, &source, output).await,
        Command::ServeRelay(command) => relay::serve(command, output).await,
        Command::Passphrase(command) => recovery::passphrase(&command, &source, output).await,
        Command::RecoveryWords(command) => recovery::recovery_words(&command, &source, output).await,
        Command::ConfirmRecoveryWords(command) => {
            recovery::confirm_recovery_words(&command, &source, output).await
        }
        Command::Backup(command) => recovery::backup(&command, &source, output).await,
        Command::VerifyBackup(command) => recovery::verify_backup(&command, output).await,
        Command::Restore(command) => recovery::restore(&command, &source, output).await,
        Command::Recover(command) => recovery::recover(&command, &source, output).await,
        Command::ConfirmOnlyCopy(command) => {
            recovery::confirm_only_copy(&command.path, &source, output).await
        }
    }
}
