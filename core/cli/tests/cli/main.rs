//! The program `tidelog` from outside: what it prints, what it leaves, how it exits. Workspaces have
//! raw keys, because stretching a passphrase takes time by design; passphrases have tests of their own.

#![allow(clippy::disallowed_methods, reason = "how long a program takes is what is tested")]

mod circles;
mod data;
mod import;
mod invites;
mod members;
mod query;
mod recovery;
mod share;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Variables that would change what the program does.
const VARIABLES: [&str; 5] = [
    "TIDELOG_PASSPHRASE",
    "TIDELOG_PASSPHRASE_FILE",
    "TIDELOG_NEW_PASSPHRASE",
    "TIDELOG_BACKUP_PASSPHRASE",
    "RUST_LOG",
];
/// The workspace of most tests, below the folder of the test.
const WORKSPACE: &str = "notes.tide";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidelog"));
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A folder with a key; commands run in it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    /// With a workspace.
    fn new() -> Self {
        let desk = Self::empty();
        desk.run(&["init", WORKSPACE, "--name", "Notes", "--profile", "Ada"]).done();
        desk
    }

    fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("key"), [7; 32]).expect("writes");
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writes");
    }

    /// The program with these arguments and the key, its output as JSON.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program();
        command.current_dir(self.folder.path()).args(arguments).args(["--json", "--key-file", "key"]);
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        run(&mut self.command(arguments))
    }

    /// The program with these arguments and the key, its output as people see it.
    fn say(&self, arguments: &[&str]) -> Said {
        say(program().current_dir(self.folder.path()).args(arguments).args(["--key-file", "key"]))
    }

    /// The segments of the log.
    fn log_files(&self) -> Vec<PathBuf> {
        files(&self.path(WORKSPACE).join("log"))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

fn run(command: &mut Command) -> Run {
    Run::new(command.output().expect("the program runs"))
}

/// A program that was run with `--json`: every line it printed is one JSON value.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    out: Vec<Value>,
    err: Vec<Value>,
}

impl Run {
    fn new(output: Output) -> Self {
        Self { code: output.status.code(), out: lines(&output.stdout), err: lines(&output.stderr) }
    }

    /// The one result of a command that did what it was told.
    fn done(&self) -> &Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.out.len(), 1, "{self:?}");
        &self.out[0]
    }

    /// The results of a command that did what it was told.
    fn all(&self) -> &[Value] {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.out
    }

    /// Asserts how a command failed, and what it said of it.
    #[track_caller]
    fn failed(&self, exit: i32, code: &str, says: &str) {
        assert_eq!(self.code, Some(exit), "{self:?}");
        let error = self.err.last().unwrap_or(&Value::Null);
        assert_eq!(error["error"], code, "{self:?}");
        assert!(error["message"].as_str().is_some_and(|text| text.contains(says)), "{self:?}");
    }
}

fn say(command: &mut Command) -> Said {
    let output = command.output().expect("the program runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A program that was run without `--json`.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    /// Asserts how a command ended, and all that it said: results, then the rest.
    #[track_caller]
    fn is(&self, exit: i32, out: &str, err: &str) {
        assert_eq!((self.code, &*self.out, &*self.err), (Some(exit), out, err));
    }
}

fn lines(text: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(text).expect("UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

/// A program that runs until it is told to stop.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn new(command: &mut Command) -> Self {
        let mut child = command.spawn().expect("the program runs");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("reads");
        line
    }

    /// What Ctrl-C sends.
    #[cfg(unix)]
    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill runs").success());
    }

    fn end(mut self) -> Run {
        let mut out = Vec::new();
        std::io::Read::read_to_end(&mut self.out, &mut out).expect("reads");
        let output = self.child.wait_with_output().expect("ends");
        Run::new(Output { stdout: out, ..output })
    }
}
