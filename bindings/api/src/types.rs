//! The plain structs and enums that cross the boundary.

mod circles;

use tidelog::Value;

pub(crate) use self::circles::circle_id;
pub use self::circles::{Circle, CircleMember, CircleOptions, KeyPolicy};
use crate::stream::Stream;
use crate::warnings::Warning;

/// What merges concurrent writes to the items of a collection; part of the collection's identity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policy {
    /// An item is one value; the last write wins.
    #[default]
    Lww,
    /// An item is a document whose concurrent edits merge.
    Document,
}

/// How a collection is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollectionOptions {
    /// What merges concurrent writes.
    pub policy: Policy,
    /// The field of an item that is its key.
    pub key_field: Option<String>,
}

/// An item to write. Without a key the value holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    /// The key.
    pub key: Option<String>,
    /// The value.
    pub value: Value,
}

/// An item with its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The key.
    pub key: String,
    /// The value.
    pub value: Value,
}

/// Which items a query gives, and in which order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    /// Conditions, such as `{"year": {"ge": 1999}}`; null or an empty map takes every item.
    pub filter: Value,
    /// Fields to sort by, `-field` for descending; then by key.
    pub sort: Vec<String>,
    /// Most items to give.
    pub limit: Option<u32>,
    /// Items to leave out at the beginning.
    pub offset: u32,
    /// Where an earlier query with the same filter and order stopped.
    pub cursor: Option<String>,
    /// Only items with these keys.
    pub ids: Option<Vec<String>>,
}

/// What a query gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The items.
    pub items: Vec<Item>,
    /// Where the next query goes on, if the limit left items out.
    pub cursor: Option<String>,
}

/// What writing many items did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Items written.
    pub items: u64,
    /// Entries they were written in.
    pub entries: u64,
}

/// One entry in the history of an item.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// The entry.
    pub entry: String,
    /// The device that wrote it.
    pub author: String,
    /// The user of that device, if it is known.
    pub user: Option<String>,
    /// When, by the author's clock.
    pub hlc_ms: i64,
    /// What it did: `put`, `delete`, or `change` of a document.
    pub kind: String,
    /// The value it put.
    pub value: Option<Value>,
    /// Whether this device wrote it.
    pub local: bool,
}

/// What a watch of a workspace observes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchOptions {
    /// A pattern of database names, such as `chat/**`: `*` stands for anything but `/`, `**` for
    /// anything. Without one, all databases.
    pub pattern: Option<String>,
    /// Whether the items there already come first.
    pub initial: bool,
}

/// A change of the state of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What happened: `current` (it is there already), `put`, `delete`, `merge` (a document took up
    /// changes), or `unreadable` (an entry cannot be shown: its key is missing, or it is invalid).
    pub kind: String,
    /// The database, if this device knows its name.
    pub database: Option<String>,
    /// The circle whose database it is; `None` if all members share it. Databases of several circles may
    /// have one name.
    pub circle: Option<String>,
    /// The collection; empty for an unreadable entry.
    pub collection: String,
    /// The user whose own item it is.
    pub owner: Option<String>,
    /// The item; empty for an unreadable entry.
    pub key: String,
    /// The value before. Documents carry none: read what is needed.
    pub old: Option<Value>,
    /// The value now. Documents carry none: read what is needed.
    pub new: Option<Value>,
    /// The device that wrote the entry.
    pub author: String,
    /// When, by the author's clock.
    pub hlc_ms: i64,
    /// Whether this device wrote it.
    pub local: bool,
    /// The entry.
    pub entry: String,
}

/// An event of a watch.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "nearly all events are changes, and each is kept alone")]
pub enum Event {
    /// An item changed.
    Change(Change),
    /// The reader was too slow, and so many changes were dropped: read the state again.
    Lagged(u64),
}

/// Changes of items, as they happen.
pub type Watch = Stream<Event>;

/// The result of a query, first as it is, then again after every change of it.
pub type Live = Stream<Vec<Item>>;

/// An edit of a document. Paths are fields and positions joined by dots.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Replaces what the path leads to.
    Set {
        /// Where.
        path: String,
        /// The new content.
        value: Value,
    },
    /// Removes what the path leads to.
    Delete {
        /// Where.
        path: String,
    },
    /// Inserts into a list.
    Insert {
        /// The list.
        path: String,
        /// Before which position.
        position: u64,
        /// What.
        value: Value,
    },
    /// Replaces a part of a text.
    SpliceText {
        /// The text.
        path: String,
        /// The first character, in Unicode scalar values.
        position: u64,
        /// Characters to remove, in Unicode scalar values.
        delete: u64,
        /// Text to put there.
        text: String,
    },
    /// Adds to a counter; a missing one is made.
    Increment {
        /// The counter.
        path: String,
        /// How much, may be negative.
        by: i64,
    },
}

/// This device in its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The user.
    pub user: String,
    /// The device.
    pub device: String,
    /// The role: `reader`, `writer`, `admin` or `owner`.
    pub role: String,
    /// The user's name, if it gave one.
    pub profile: Option<String>,
}

/// How a device joins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JoinOptions {
    /// The name to show to whoever approves.
    pub profile: String,
    /// How long to wait for approval; without it, until it comes.
    pub timeout_ms: Option<u64>,
}

/// What an invite allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InviteOptions {
    /// The relay to meet at. Without one, request and welcome go from hand to hand.
    pub relay: Option<String>,
    /// `reader`, `writer` (without saying so) or `admin`.
    pub role: Option<String>,
    /// How long it is open, at most 30 days; without saying so, a day.
    pub expires_in_ms: Option<u64>,
    /// Whether whoever asks is admitted at once: while this device is connected to the relay, or
    /// when it takes the request in.
    pub auto_approve: bool,
    /// How often it can be used; without saying so, once.
    pub uses: Option<u32>,
    /// Whether it is for another device of this user, instead of for another user.
    pub same_user: bool,
    /// The circles that the new user comes into, with the same role.
    pub circles: Vec<String>,
}

/// An invite.
#[derive(Clone, PartialEq, Eq)]
pub struct Invite {
    /// Its name.
    pub id: String,
    /// The link: a secret for whom it is meant.
    pub uri: String,
    /// When it ends.
    pub expires_ms: i64,
    /// The role that it grants.
    pub role: String,
    /// The relay to meet at, if it names one.
    pub relay: Option<String>,
    /// How often it can still be used.
    pub uses_left: u32,
    /// Whether whoever asks is admitted at once.
    pub auto_approve: bool,
    /// Whether it is for another device of this user.
    pub same_user: bool,
    /// The circles that the new user comes into.
    pub circles: Vec<String>,
}

impl std::fmt::Debug for Invite {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Invite").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A device that asks to join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// What to approve.
    pub id: String,
    /// The name it gave itself: nothing vouches for it.
    pub profile: String,
    /// The device.
    pub device: String,
    /// The role it will have.
    pub role: String,
    /// Whether it is to be another device of this user.
    pub same_user: bool,
    /// The circles that the invite leads into.
    pub circles: Vec<String>,
    /// When it asked, by its clock.
    pub requested_ms: i64,
}

/// A user of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The user.
    pub user: String,
    /// The role.
    pub role: String,
    /// The user's name, if it gave one.
    pub profile: Option<String>,
    /// The user's devices.
    pub devices: Vec<String>,
    /// Whether this device is one of them.
    pub me: bool,
}

/// What a removal did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemovalReport {
    /// Chains of the removed devices, each with the last entry that counts.
    pub cuts: u64,
    /// Of these, how many end at an entry that this device does not hold: the removed device claimed
    /// it in its last beacon.
    pub claimed: u64,
    /// Entries of the directory that were written for it, those of new keys not included.
    pub entries: u64,
    /// Whether new keys are there already. If not, the next writer makes them first.
    pub keys_renewed: bool,
    /// What remains to be done, in words: the removed device is of the same user and as senior as
    /// this one, so that what it does without knowing of the removal still counts.
    pub advice: Option<String>,
}

/// An entry that is held and not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExcludedEntry {
    /// The entry.
    pub entry: String,
    /// The device that wrote it.
    pub device: String,
    /// The user of that device, if it is known.
    pub user: Option<String>,
    /// The database, if this device knows its name; empty for the catalogue and the directory.
    pub database: Option<String>,
    /// Its place in the chain of its device.
    pub seq: u64,
    /// Why: `removed`, `demoted`, `left_circle`, `fork`, `not_member`, `not_writer`, `not_in_circle`,
    /// `void`, `deferred`, `missing_key`, `invalid` or `upgrade_needed`.
    pub reason: String,
    /// For a deferred one: when it is shown.
    pub due_ms: Option<i64>,
}

/// A device of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device.
    pub device: String,
    /// Its user.
    pub user: String,
    /// The device, or root key, that admitted it.
    pub added_by: String,
    /// Whether it is this one.
    pub me: bool,
}

/// What a sync did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Entries sent.
    pub sent: u64,
    /// Entries received.
    pub received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Times the protocol waited for the peer.
    pub round_trips: u64,
    /// Chains of entries that this device cannot advance until it is upgraded.
    pub held: u64,
    /// Whether the peer leaves entries of this device out until it is upgraded, or because a chain
    /// forked too often.
    pub held_there: bool,
}

/// How a live link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected; it will try again.
    Offline,
    /// Connecting.
    Connecting,
    /// Connected, and not yet equal.
    CatchingUp,
    /// Equal; changes pass as they are made.
    Live,
}

impl LinkState {
    /// The name in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Connecting => "connecting",
            Self::CatchingUp => "catching-up",
            Self::Live => "live",
        }
    }
}

/// How far the present connection of a link has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries received.
    pub received: u64,
    /// Entries received and still expected, as far as is known.
    pub received_total: u64,
    /// Entries sent.
    pub sent: u64,
    /// Entries sent and still to send.
    pub sent_total: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
}

/// An event of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// It has another state.
    State(LinkState),
    /// It got on.
    Progress(Progress),
    /// Something failed; it goes on by itself.
    Failed {
        /// Code of the error.
        code: String,
        /// What happened.
        reason: String,
    },
    /// Something is wrong that was not before: see `Workspace.warnings`.
    Warned(Warning),
    /// The reader was too slow, and so many events were dropped.
    Lagged(u64),
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be, and was dealt with.
    Warn,
    /// Something of note happened.
    Info,
    /// For whoever looks for a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// Every level, the gravest first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The name in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// What the engine logged. Holds no key, passphrase or application data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How much it matters.
    pub level: LogLevel,
    /// The module it comes from.
    pub target: String,
    /// What happened.
    pub text: String,
}

/// An event of the engine's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogEvent {
    /// A line.
    Line(LogLine),
    /// The reader was too slow, and so many lines were dropped.
    Lagged(u64),
}

/// Figures of a workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Entries held.
    pub entries: u64,
    /// Bytes of the log on disk, preallocated space included.
    pub log_bytes: u64,
    /// Streams that have entries.
    pub streams: u64,
    /// Chains, one for each device and stream it wrote to.
    pub chains: u64,
    /// Users.
    pub users: u64,
    /// Devices.
    pub devices: u64,
    /// Stands for everything held: equal on two replicas exactly if they hold the same.
    pub root: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Entries checked.
    pub entries: u64,
    /// Bytes checked.
    pub bytes: u64,
    /// Signatures checked; one vouches for all entries before it in its chain.
    pub signatures: u64,
    /// Number of problems.
    pub damaged: u64,
    /// The first problems, in words.
    pub problems: Vec<String>,
}

/// What a backup copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupReport {
    /// Entries in the backup.
    pub entries: u64,
    /// Bytes of its log.
    pub bytes: u64,
    /// Bytes that were copied this time.
    pub copied: u64,
    /// What opens it: `own` (its own key), `workspace` (the passphrase that the workspace had then)
    /// or `recovery_words` (nothing in it).
    pub key: String,
}

/// What is in a backup, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupInfo {
    /// Id of the workspace that it is of.
    pub workspace: String,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: i64,
    /// Entries found in it.
    pub entries: u64,
    /// Bytes of its log.
    pub bytes: u64,
    /// What opens it, as in [`BackupReport`].
    pub key: String,
    /// What is damaged; empty if it is sound.
    pub problems: Vec<String>,
}

/// Where a lost workspace still is: a folder, or a relay and the workspace's id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoverFrom {
    /// A backup, or the folder of another member's workspace.
    pub folder: Option<String>,
    /// URL of a relay.
    pub relay: Option<String>,
    /// Id of the workspace at the relay.
    pub workspace: Option<String>,
}

/// Entries asked of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    /// Those it has, in the order asked for.
    pub entries: Vec<Vec<u8>>,
    /// The ids of those it lacks.
    pub missing: Vec<String>,
}

/// One item at its latest change, or one entry that cannot be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChange {
    /// What became of it: `put`, `delete`, or for an entry `missing_key` or `invalid`.
    pub kind: String,
    /// The collection; empty for an entry.
    pub collection: String,
    /// The user whose own item it is.
    pub owner: Option<String>,
    /// The item; empty for an entry.
    pub key: String,
    /// The entry with the item's highest version, or the entry itself.
    pub entry: String,
    /// The device that wrote the entry that made the change.
    pub author: String,
    /// The number of that entry in this replica's order of arrival.
    pub arrival: u64,
}

/// Changes after a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The changes, the earliest first.
    pub items: Vec<LogChange>,
    /// Where to go on.
    pub cursor: String,
}

/// What moving entries between two logs did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Entries that were new here.
    pub received: u64,
    /// Entries that were new there.
    pub sent: u64,
}
