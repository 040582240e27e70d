//! The plain objects that JavaScript gets.
//!
//! Counts and times are `number`: what this library counts stays far below 2^53.

use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use tidelog_api as api;

use crate::value::{Data, Maybe};

/// A count as a number.
#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 nobody counts")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "no clock counts beyond 2^53 ms")]
fn time(ms: i64) -> f64 {
    ms as f64
}

/// Converts a list.
pub(crate) fn all<T, U: From<T>>(items: Vec<T>) -> Vec<U> {
    items.into_iter().map(U::from).collect()
}

/// Declares objects that JavaScript gets, field by field as in `tidelog-api`.
macro_rules! given {
    ($($(#[$doc:meta])* $name:ident { $($(#[$attribute:meta])* $field:ident: $type:ty = $convert:expr,)* })*) => {
        $(
            $(#[$doc])*
            #[napi(object, object_from_js = false)]
            #[allow(unreachable_pub, reason = "some are given by functions only, which are not public to Rust")]
            pub struct $name {
                $($(#[$attribute])* pub $field: $type,)*
            }

            impl From<api::$name> for $name {
                fn from(given: api::$name) -> Self {
                    Self { $($field: ($convert)(given.$field),)* }
                }
            }
        )*
    };
}

/// As it is.
fn same<T>(value: T) -> T {
    value
}

given! {
    /// An item with its key.
    Item {
        key: String = same,
        #[napi(ts_type = "unknown")]
        value: Data = Data,
    }
    /// What a query gave.
    Page {
        items: Vec<Item> = all,
        cursor: Option<String> = same,
    }
    /// What writing many items did.
    Summary {
        items: f64 = number,
        entries: f64 = number,
    }
    /// One entry in the history of an item.
    Version {
        entry: String = same,
        author: String = same,
        user: Option<String> = same,
        hlc_ms: f64 = time,
        kind: String = same,
        #[napi(ts_type = "unknown")]
        value: Maybe = Maybe,
        local: bool = same,
    }
    /// A change of one item.
    Change {
        kind: String = same,
        database: Option<String> = same,
        circle: Option<String> = same,
        collection: String = same,
        owner: Option<String> = same,
        key: String = same,
        #[napi(ts_type = "unknown")]
        old: Maybe = Maybe,
        #[napi(ts_type = "unknown")]
        new: Maybe = Maybe,
        author: String = same,
        hlc_ms: f64 = time,
        local: bool = same,
        entry: String = same,
    }
    /// This device.
    Me {
        user: String = same,
        device: String = same,
        role: String = same,
        profile: Option<String> = same,
    }
    /// An invite.
    Invite {
        id: String = same,
        uri: String = same,
        expires_ms: f64 = time,
        role: String = same,
        relay: Option<String> = same,
        uses_left: u32 = same,
        auto_approve: bool = same,
        same_user: bool = same,
        circles: Vec<String> = same,
    }
    /// A device that asks to join.
    JoinRequest {
        id: String = same,
        profile: String = same,
        device: String = same,
        role: String = same,
        same_user: bool = same,
        circles: Vec<String> = same,
        requested_ms: f64 = time,
    }
    /// A user.
    Member {
        user: String = same,
        role: String = same,
        profile: Option<String> = same,
        devices: Vec<String> = same,
        me: bool = same,
    }
    /// A device.
    Device {
        device: String = same,
        user: String = same,
        added_by: String = same,
        me: bool = same,
    }
    /// What a removal did.
    RemovalReport {
        cuts: f64 = number,
        claimed: f64 = number,
        entries: f64 = number,
        keys_renewed: bool = same,
        advice: Option<String> = same,
    }
    /// An entry that is held and not shown.
    ExcludedEntry {
        entry: String = same,
        device: String = same,
        user: Option<String> = same,
        database: Option<String> = same,
        seq: f64 = number,
        reason: String = same,
        due_ms: Option<f64> = |due: Option<i64>| due.map(time),
    }
    /// A member of a circle.
    CircleMember {
        user: String = same,
        role: String = same,
    }
    /// Some of the members, with databases of their own.
    Circle {
        id: String = same,
        name: Option<String> = same,
        history: String = same,
        recoverable: bool = same,
        members: Vec<CircleMember> = all,
        readable: bool = same,
    }
    /// When members make new keys.
    KeyPolicy {
        rotate_days: u16 = same,
        rotate_entries: u32 = same,
    }
    /// What a sync did.
    SyncReport {
        sent: f64 = number,
        received: f64 = number,
        bytes_sent: f64 = number,
        bytes_received: f64 = number,
        round_trips: f64 = number,
        held: f64 = number,
        held_there: bool = same,
    }
    /// Something that is wrong.
    Warning {
        kind: String = same,
        device: Option<String> = same,
        user: Option<String> = same,
        database: Option<String> = same,
        entry: Option<String> = same,
        text: String = same,
    }
    /// How far a link has come.
    Progress {
        received: f64 = number,
        received_total: f64 = number,
        sent: f64 = number,
        sent_total: f64 = number,
        bytes_received: f64 = number,
        bytes_sent: f64 = number,
    }
    /// Figures of a workspace.
    Stats {
        entries: f64 = number,
        log_bytes: f64 = number,
        streams: f64 = number,
        chains: f64 = number,
        users: f64 = number,
        devices: f64 = number,
        root: String = same,
    }
    /// What a verification found.
    VerifyReport {
        entries: f64 = number,
        bytes: f64 = number,
        signatures: f64 = number,
        damaged: f64 = number,
        problems: Vec<String> = same,
    }
    /// What a backup copied.
    BackupReport {
        entries: f64 = number,
        bytes: f64 = number,
        copied: f64 = number,
        key: String = same,
    }
    /// What is in a backup.
    BackupInfo {
        workspace: String = same,
        made_ms: f64 = time,
        entries: f64 = number,
        bytes: f64 = number,
        key: String = same,
        problems: Vec<String> = same,
    }
    /// Entries asked of a log.
    Entries {
        entries: Vec<Uint8Array> = all,
        missing: Vec<String> = same,
    }
    /// One item at its latest change.
    LogChange {
        kind: String = same,
        collection: String = same,
        owner: Option<String> = same,
        key: String = same,
        entry: String = same,
        author: String = same,
        arrival: f64 = number,
    }
    /// Changes after a cursor.
    Changes {
        items: Vec<LogChange> = all,
        cursor: String = same,
    }
    /// What moving entries between two logs did.
    Transfer {
        received: f64 = number,
        sent: f64 = number,
    }
}

/// An event of a watch: one of the fields is there.
#[napi(object, object_from_js = false)]
pub struct Notice {
    pub change: Option<Change>,
    pub lagged: Option<f64>,
}

impl From<api::Event> for Notice {
    fn from(event: api::Event) -> Self {
        match event {
            api::Event::Change(change) => Self { change: Some(change.into()), lagged: None },
            api::Event::Lagged(lost) => Self { change: None, lagged: Some(number(lost)) },
        }
    }
}

/// What interrupted a link.
#[napi(object, object_from_js = false)]
pub struct Failure {
    pub code: String,
    pub reason: String,
}

/// An event of a link: one of the fields is there.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct LinkEvent {
    pub state: Option<String>,
    pub progress: Option<Progress>,
    pub failed: Option<Failure>,
    pub warned: Option<Warning>,
    pub lagged: Option<f64>,
}

impl From<api::LinkEvent> for LinkEvent {
    fn from(event: api::LinkEvent) -> Self {
        match event {
            api::LinkEvent::State(state) => Self { state: Some(state.name().to_owned()), ..Self::default() },
            api::LinkEvent::Progress(progress) => Self { progress: Some(progress.into()), ..Self::default() },
            api::LinkEvent::Failed { code, reason } => {
                Self { failed: Some(Failure { code, reason }), ..Self::default() }
            }
            api::LinkEvent::Warned(warning) => Self { warned: Some(warning.into()), ..Self::default() },
            api::LinkEvent::Lagged(lost) => Self { lagged: Some(number(lost)), ..Self::default() },
        }
    }
}

/// An event of the engine's log: a line, or how many are missing.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct LogEvent {
    pub level: Option<String>,
    pub target: Option<String>,
    pub text: Option<String>,
    pub lagged: Option<f64>,
}

impl From<api::LogEvent> for LogEvent {
    fn from(event: api::LogEvent) -> Self {
        match event {
            api::LogEvent::Line(api::LogLine { level, target, text }) => Self {
                level: Some(level.name().to_owned()),
                target: Some(target),
                text: Some(text),
                lagged: None,
            },
            api::LogEvent::Lagged(lost) => Self { lagged: Some(number(lost)), ..Self::default() },
        }
    }
}
