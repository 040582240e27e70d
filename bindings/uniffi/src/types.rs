//! The records and enums of `tidelog-api`, described for UniFFI. There are no copies of them: a field that is missing
//! here does not compile.

use tidelog_api::{
    BackupInfo, BackupReport, Change, Changes, Circle, CircleMember, CircleOptions, CollectionOptions,
    Device, Edit, Entries, ErrorKind, Event, ExcludedEntry, Invite, InviteOptions, Item, JoinOptions,
    JoinRequest, KeyPolicy, LinkEvent, LinkState, LogChange, LogEvent, LogLevel, LogLine, Me, Member,
    NewItem, Page, Policy, Progress, Query, RecoverFrom, RemovalReport, Stats, Summary, SyncReport, Transfer,
    Value, VerifyReport, Version, Warning, WatchOptions,
};

#[uniffi::remote(Enum)]
pub enum Policy {
    Lww,
    Document,
}

#[uniffi::remote(Record)]
pub struct CollectionOptions {
    pub policy: Policy,
    pub key_field: Option<String>,
}

#[uniffi::remote(Record)]
pub struct NewItem {
    pub key: Option<String>,
    pub value: Value,
}

#[uniffi::remote(Record)]
pub struct Item {
    pub key: String,
    pub value: Value,
}

#[uniffi::remote(Record)]
pub struct Query {
    pub filter: Value,
    pub sort: Vec<String>,
    pub limit: Option<u32>,
    pub offset: u32,
    pub cursor: Option<String>,
    pub ids: Option<Vec<String>>,
}

#[uniffi::remote(Record)]
pub struct Page {
    pub items: Vec<Item>,
    pub cursor: Option<String>,
}

#[uniffi::remote(Record)]
pub struct Summary {
    pub items: u64,
    pub entries: u64,
}

#[uniffi::remote(Record)]
pub struct Version {
    pub entry: String,
    pub author: String,
    pub user: Option<String>,
    pub hlc_ms: i64,
    pub kind: String,
    pub value: Option<Value>,
    pub local: bool,
}

#[uniffi::remote(Record)]
pub struct WatchOptions {
    pub pattern: Option<String>,
    pub initial: bool,
}

#[uniffi::remote(Record)]
pub struct Change {
    pub kind: String,
    pub database: Option<String>,
    pub circle: Option<String>,
    pub collection: String,
    pub owner: Option<String>,
    pub key: String,
    pub old: Option<Value>,
    pub new: Option<Value>,
    pub author: String,
    pub hlc_ms: i64,
    pub local: bool,
    pub entry: String,
}

#[uniffi::remote(Enum)]
pub enum Event {
    Change(Change),
    Lagged(u64),
}

#[uniffi::remote(Enum)]
pub enum Edit {
    Set { path: String, value: Value },
    Delete { path: String },
    Insert { path: String, position: u64, value: Value },
    SpliceText { path: String, position: u64, delete: u64, text: String },
    Increment { path: String, by: i64 },
}

#[uniffi::remote(Record)]
pub struct Me {
    pub user: String,
    pub device: String,
    pub role: String,
    pub profile: Option<String>,
}

#[uniffi::remote(Record)]
pub struct JoinOptions {
    pub profile: String,
    pub timeout_ms: Option<u64>,
}

#[uniffi::remote(Record)]
pub struct InviteOptions {
    pub relay: Option<String>,
    pub role: Option<String>,
    pub expires_in_ms: Option<u64>,
    pub auto_approve: bool,
    pub uses: Option<u32>,
    pub same_user: bool,
    pub circles: Vec<String>,
}

#[uniffi::remote(Record)]
pub struct Invite {
    pub id: String,
    pub uri: String,
    pub expires_ms: i64,
    pub role: String,
    pub relay: Option<String>,
    pub uses_left: u32,
    pub auto_approve: bool,
    pub same_user: bool,
    pub circles: Vec<String>,
}

#[uniffi::remote(Record)]
pub struct JoinRequest {
    pub id: String,
    pub profile: String,
    pub device: String,
    pub role: String,
    pub same_user: bool,
    pub circles: Vec<String>,
    pub requested_ms: i64,
}

#[uniffi::remote(Record)]
pub struct Member {
    pub user: String,
    pub role: String,
    pub profile: Option<String>,
    pub devices: Vec<String>,
    pub me: bool,
}

#[uniffi::remote(Record)]
pub struct Device {
    pub device: String,
    pub user: String,
    pub added_by: String,
    pub me: bool,
}

#[uniffi::remote(Record)]
pub struct RemovalReport {
    pub cuts: u64,
    pub claimed: u64,
    pub entries: u64,
    pub keys_renewed: bool,
    pub advice: Option<String>,
}

#[uniffi::remote(Record)]
pub struct ExcludedEntry {
    pub entry: String,
    pub device: String,
    pub user: Option<String>,
    pub database: Option<String>,
    pub seq: u64,
    pub reason: String,
    pub due_ms: Option<i64>,
}

#[uniffi::remote(Record)]
pub struct CircleOptions {
    pub history: Option<String>,
    pub recoverable: Option<bool>,
}

#[uniffi::remote(Record)]
pub struct Circle {
    pub id: String,
    pub name: Option<String>,
    pub history: String,
    pub recoverable: bool,
    pub members: Vec<CircleMember>,
    pub readable: bool,
}

#[uniffi::remote(Record)]
pub struct CircleMember {
    pub user: String,
    pub role: String,
}

#[uniffi::remote(Record)]
pub struct KeyPolicy {
    pub rotate_days: u16,
    pub rotate_entries: u32,
}

#[uniffi::remote(Record)]
pub struct SyncReport {
    pub sent: u64,
    pub received: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub round_trips: u64,
    pub held: u64,
    pub held_there: bool,
}

#[uniffi::remote(Enum)]
pub enum LinkState {
    Offline,
    Connecting,
    CatchingUp,
    Live,
}

#[uniffi::remote(Record)]
pub struct Progress {
    pub received: u64,
    pub received_total: u64,
    pub sent: u64,
    pub sent_total: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
}

#[uniffi::remote(Record)]
pub struct Warning {
    pub kind: String,
    pub device: Option<String>,
    pub user: Option<String>,
    pub database: Option<String>,
    pub entry: Option<String>,
    pub text: String,
}

#[uniffi::remote(Enum)]
pub enum LinkEvent {
    State(LinkState),
    Progress(Progress),
    Failed { code: String, reason: String },
    Warned(Warning),
    Lagged(u64),
}

#[uniffi::remote(Enum)]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[uniffi::remote(Record)]
pub struct LogLine {
    pub level: LogLevel,
    pub target: String,
    pub text: String,
}

#[uniffi::remote(Enum)]
pub enum LogEvent {
    Line(LogLine),
    Lagged(u64),
}

#[uniffi::remote(Record)]
pub struct Stats {
    pub entries: u64,
    pub log_bytes: u64,
    pub streams: u64,
    pub chains: u64,
    pub users: u64,
    pub devices: u64,
    pub root: String,
}

#[uniffi::remote(Record)]
pub struct VerifyReport {
    pub entries: u64,
    pub bytes: u64,
    pub signatures: u64,
    pub damaged: u64,
    pub problems: Vec<String>,
}

#[uniffi::remote(Record)]
pub struct BackupReport {
    pub entries: u64,
    pub bytes: u64,
    pub copied: u64,
    pub key: String,
}

#[uniffi::remote(Record)]
pub struct BackupInfo {
    pub workspace: String,
    pub made_ms: i64,
    pub entries: u64,
    pub bytes: u64,
    pub key: String,
    pub problems: Vec<String>,
}

#[uniffi::remote(Record)]
pub struct RecoverFrom {
    pub folder: Option<String>,
    pub relay: Option<String>,
    pub workspace: Option<String>,
}

#[uniffi::remote(Record)]
pub struct Entries {
    pub entries: Vec<Vec<u8>>,
    pub missing: Vec<String>,
}

#[uniffi::remote(Record)]
pub struct LogChange {
    pub kind: String,
    pub collection: String,
    pub owner: Option<String>,
    pub key: String,
    pub entry: String,
    pub author: String,
    pub arrival: u64,
}

#[uniffi::remote(Record)]
pub struct Changes {
    pub items: Vec<LogChange>,
    pub cursor: String,
}

#[uniffi::remote(Record)]
pub struct Transfer {
    pub received: u64,
    pub sent: u64,
}

#[uniffi::remote(Enum)]
pub enum ErrorKind {
    NotFound,
    AlreadyExists,
    AlreadyOpen,
    WrongKey,
    NotAWorkspace,
    NewerFormat,
    UpgradeNeeded,
    ReadOnly,
    Restored,
    DiskFull,
    Io,
    Corrupt,
    TooLarge,
    InvalidArgument,
    InvalidValue,
    PolicyConflict,
    NotAuthorized,
    NotAdmitted,
    InviteInvalid,
    InviteExpired,
    Timeout,
    RelayRefused,
    Network,
    Protocol,
    QuotaExceeded,
    Closed,
    Internal,
    Forked,
}
