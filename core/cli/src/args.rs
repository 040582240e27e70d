//! The command line: what can be asked for, and the help that explains it.

mod members;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use self::members::{
    AcceptExcluded, AddToCircle, CircleHistory, CreateCircle, Policy, RemoveDevice, RemoveFromCircle,
    RemoveUser, SetRole,
};

/// Local-first, end-to-end-encrypted data.
#[derive(Debug, Parser)]
#[command(name = "tidelog", version, about, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    /// Print results as JSON, one value a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Print results only
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Read the passphrase from the first line of this file [else: TIDELOG_PASSPHRASE, else a prompt]
    #[arg(long, global = true, value_name = "FILE", env = "TIDELOG_PASSPHRASE_FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Use the 32 raw bytes (or 64 hexadecimal digits) of this file as the key, with no passphrase
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "passphrase_file")]
    pub(crate) key_file: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the item is not there, 4 damage found.
The passphrase is never an argument, so that it does not end up in the shell's history.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a workspace
    Init(Init),
    /// Put the records of a file (JSON array, JSON lines, CSV, or what `export` printed) into a collection
    Import(Import),
    /// Write one item
    Put(Put),
    /// Print one item
    Get(Item),
    /// Delete one item
    Delete(Item),
    /// Print the items that match, e.g. 'year >= 1999 and genres contains Drama'
    Query(Query),
    /// Print changes as they happen, until Ctrl-C
    Watch(Watch),
    /// Print the newest entries of the log
    Log(Log),
    /// Print who changed an item, when, and to what
    History(Item),
    /// Make a link that lets somebody join
    Invite(Invite),
    /// Join a workspace with a link
    Join(Join),
    /// Print the invites of this device that can still be used
    Invites(Folder),
    /// Take an invite back: nobody is admitted with it any more
    Withdraw(Withdraw),
    /// Print who asks to join
    Requests(Requests),
    /// Admit somebody who asks to join
    Approve(Approve),
    /// Print the members and their devices
    Members(Folder),
    /// Print the devices of all members
    Devices(Folder),
    /// Give a member another role
    SetRole(SetRole),
    /// Remove a member with all devices, for good
    RemoveUser(RemoveUser),
    /// Remove a device that was lost, stolen or given away, for good
    RemoveDevice(RemoveDevice),
    /// Print the circles, who is in them, and the databases of yours
    Circles(Folder),
    /// Make a circle: some of the members, with databases that only they read
    CreateCircle(CreateCircle),
    /// Take a member into a circle, or give one who is in it another role there
    AddToCircle(AddToCircle),
    /// Take a member out of a circle
    RemoveFromCircle(RemoveFromCircle),
    /// Print, or with options set, when members make new keys by themselves
    Policy(Policy),
    /// Print what this device holds and does not show, and why
    Excluded(Folder),
    /// Let count what a removed device wrote before it knew, as far as this device holds it
    AcceptExcluded(AcceptExcluded),
    /// Sync with relays: once, or with --live until Ctrl-C
    Sync(Sync),
    /// Run a relay: stores and forwards encrypted entries, holds no keys
    ServeRelay(tidelog_relay::Options),
    /// Check everything on disk
    Verify(Folder),
    /// Print figures of the workspace
    Stats(Folder),
    /// Print all items of a collection as JSON lines, which `import` reads
    Export(Export),
    /// Change the passphrase, or the raw key, that opens the workspace on this device
    Passphrase(Passphrase),
    /// Print the words that bring the workspace back when every device is lost
    RecoveryWords(RecoveryWords),
    /// Type the recovery words in again; right ones are erased from this device
    ConfirmRecoveryWords(ConfirmRecoveryWords),
    /// Copy the workspace into a folder; again into the same one, only what is new
    Backup(Backup),
    /// Check a backup without restoring it
    VerifyBackup(VerifyBackup),
    /// Make the workspace of a backup anew in an empty folder
    Restore(Restore),
    /// Get a workspace back with recovery words
    Recover(Recover),
    /// Let a restored or copied workspace be written without having met a peer
    ConfirmOnlyCopy(Folder),
}

#[derive(Debug, Args)]
pub(crate) struct Folder {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
}

/// A collection of a workspace.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The collection, e.g. main/movies
    #[arg(value_name = "DATABASE/COLLECTION")]
    pub(crate) target: String,
    /// Circle that the database belongs to, by name or id [default: all members]
    #[arg(long, value_name = "NAME")]
    pub(crate) circle: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Folder of the new workspace
    pub(crate) path: PathBuf,
    /// Name of the workspace, which all members see
    #[arg(long)]
    pub(crate) name: String,
    /// Your name, which all members see
    #[arg(long)]
    pub(crate) profile: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The file; .gz is not unpacked; `-` is standard input
    pub(crate) file: PathBuf,
    /// Field whose value is the key [default: id]; records without one get a key made from their content
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// What the file holds [default: by its name and first character]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One JSON array of objects
    Json,
    /// One JSON object a line
    Jsonl,
    /// Comma-separated, with a header line; all values become text
    Csv,
    /// What `export` prints: {"key": .., "value": ..} a line. Recognised by its first line, unless
    /// --key or --format says otherwise
    Export,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    #[command(flatten)]
    pub(crate) item: Item,
    /// The value as JSON; `-` reads it from standard input
    pub(crate) value: String,
}

#[derive(Debug, Args)]
pub(crate) struct Item {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Key of the item
    pub(crate) key: String,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Conditions (field, then = != < <= > >= contains prefix in, then a JSON value or one word) with
    /// `not` before and `and`, `or` between them, or a JSON filter
    pub(crate) condition: Option<String>,
    /// Field to sort by; `-field` for the largest first; may be given several times
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    pub(crate) sort: Vec<String>,
    /// Most items to print
    #[arg(long)]
    pub(crate) limit: Option<usize>,
    /// Items to leave out at the beginning
    #[arg(long, default_value_t = 0)]
    pub(crate) offset: usize,
    /// Print only how many match
    #[arg(long)]
    pub(crate) count: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Databases to watch, e.g. main or chat/** [default: all]
    #[arg(default_value = "**")]
    pub(crate) pattern: String,
    /// Only databases of this circle, by name or id [default: of all, and of every circle of yours]
    #[arg(long, value_name = "NAME")]
    pub(crate) circle: Option<String>,
    /// Print the present items first
    #[arg(long)]
    pub(crate) initial: bool,
    /// Also stay connected to this relay, or to those of the workspace with no URL
    #[arg(long, value_name = "URL", num_args = 0..=1)]
    pub(crate) live: Option<Option<String>>,
}

#[derive(Debug, Args)]
pub(crate) struct Log {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Most entries to print
    #[arg(long, default_value_t = 20)]
    pub(crate) limit: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// What the new member may do
    #[arg(long, value_enum, default_value_t = NewcomerRole::Writer)]
    pub(crate) role: NewcomerRole,
    /// Relay where the two sides meet, e.g. wss://relay.example.org [default: that of the workspace]
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<String>,
    /// Name no relay: the two sides exchange files
    #[arg(long, conflicts_with = "relay")]
    pub(crate) no_relay: bool,
    /// How long the link is open, at most 30d: a number with s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "1d")]
    pub(crate) expires: Span,
    /// How often the link can be used
    #[arg(long, default_value_t = 1)]
    pub(crate) uses: u32,
    /// Admit whoever asks with the link while this device syncs, without `approve`
    #[arg(long)]
    pub(crate) auto_approve: bool,
    /// Circle that the new member comes into, by name or id; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) circle: Vec<String>,
    /// The link is for another device of yours, not for another person
    #[arg(long)]
    pub(crate) my_device: bool,
    /// Do not print the QR code
    #[arg(long)]
    pub(crate) no_qr: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewcomerRole {
    /// May read
    Reader,
    /// May read and write
    Writer,
    /// May also admit others
    Admin,
}

impl NewcomerRole {
    pub(crate) const fn role(self) -> tidelog::Role {
        match self {
            Self::Reader => tidelog::Role::Reader,
            Self::Writer => tidelog::Role::Writer,
            Self::Admin => tidelog::Role::Admin,
        }
    }
}

/// A length of time, as `90s`, `30m`, `2h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// Milliseconds.
    pub(crate) ms: u64,
}

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [("s", 1_000), ("m", 60 * 1_000), ("h", 60 * 60 * 1_000), ("d", 24 * 60 * 60 * 1_000)];
        let parsed = units
            .iter()
            .find_map(|(unit, unit_ms)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(*unit_ms));
        parsed.map(|ms| Self { ms }).ok_or("a time is a number with s, m, h or d, like 2h")
    }
}

#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The invite, as `invites` prints it
    pub(crate) invite: String,
}

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// Folder of the new workspace
    pub(crate) path: PathBuf,
    /// The link; `-` reads it from standard input, which keeps it out of the shell's history
    #[arg(required_unless_present = "welcome_file")]
    pub(crate) link: Option<String>,
    /// Your name, which all members see [default: that of the system's user; with a link for another
    /// device of yours, the name you have already]
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// Seconds to wait for approval; joining can be repeated
    #[arg(long, default_value_t = 300)]
    pub(crate) wait: u64,
    /// Write the request into this file, for whoever invited you, instead of asking at a relay
    #[arg(long, value_name = "FILE")]
    pub(crate) request_file: Option<PathBuf>,
    /// End a joining that was begun with --request-file, with the welcome that came back
    #[arg(long, value_name = "FILE", conflicts_with_all = ["link", "profile", "request_file"])]
    pub(crate) welcome_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Requests {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Print the request of this file, instead of asking the relays
    #[arg(long, value_name = "FILE")]
    pub(crate) request_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The request, as `requests` prints it
    #[arg(required_unless_present = "request_file")]
    pub(crate) request: Option<String>,
    /// The file with the request, as `join --request-file` wrote it
    #[arg(long, value_name = "FILE", conflicts_with = "request")]
    pub(crate) request_file: Option<PathBuf>,
    /// Write what the new member needs to begin into this file
    #[arg(long, value_name = "FILE", requires = "request_file")]
    pub(crate) welcome_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Sync {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The relay [default: those of the workspace]
    pub(crate) url: Option<String>,
    /// Stay connected until Ctrl-C
    #[arg(long)]
    pub(crate) live: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Passphrase {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Read the new passphrase from the first line of this file [else: TIDELOG_NEW_PASSPHRASE, else a prompt]
    #[arg(long, value_name = "FILE")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// Use the 32 raw bytes (or 64 hexadecimal digits) of this file as the new key, with no passphrase
    #[arg(long, value_name = "FILE", conflicts_with = "new_passphrase_file")]
    pub(crate) new_key_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RecoveryWords {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Make new words that stand for a device of yours, instead of those of the workspace's root
    #[arg(long)]
    pub(crate) device: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfirmRecoveryWords {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Read the words from this file [else: a prompt, or standard input]
    #[arg(long, value_name = "FILE")]
    pub(crate) words_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Folder of the backup
    pub(crate) to: PathBuf,
    /// Read the backup's own passphrase from the first line of this file [else:
    /// TIDELOG_BACKUP_PASSPHRASE, else the workspace's passphrase]
    #[arg(long, value_name = "FILE")]
    pub(crate) backup_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyBackup {
    /// Folder of the backup
    pub(crate) from: PathBuf,
    /// Also try the passphrase in the first line of this file, or in TIDELOG_BACKUP_PASSPHRASE
    #[arg(long, value_name = "FILE")]
    pub(crate) backup_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// Folder of the backup
    pub(crate) from: PathBuf,
    /// Folder of the new workspace
    pub(crate) path: PathBuf,
    /// Read the backup's own passphrase from the first line of this file [else:
    /// TIDELOG_BACKUP_PASSPHRASE, else the same passphrase opens both]
    #[arg(long, value_name = "FILE")]
    pub(crate) backup_passphrase_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Recover {
    /// Folder of the new workspace
    pub(crate) path: PathBuf,
    /// A backup, or the workspace of another member
    #[arg(long, value_name = "FOLDER")]
    pub(crate) from: Option<PathBuf>,
    /// A relay that has the workspace
    #[arg(long, value_name = "URL")]
    pub(crate) relay: Option<String>,
    /// Which of the relay's workspaces, as `recovery-words` prints it
    #[arg(long, value_name = "ID")]
    pub(crate) workspace: Option<String>,
    /// Read the words from this file [else: a prompt, or standard input]
    #[arg(long, value_name = "FILE")]
    pub(crate) words_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_with_a_unit() {
        for (text, ms) in [("90s", 90_000), ("30m", 1_800_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
            assert_eq!(text.parse(), Ok(Span { ms }));
        }
        for bad in ["", "h", "2", "2 h", "-1h", "1w", "18446744073709551615d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
