//! From the engine's types to those that cross the boundary, and back.

use tidelog::Value;

use crate::error::{Error, Result};
use crate::stream::Source;
use crate::types::circle_id;
use crate::types::{
    BackupInfo, BackupReport, Change, Changes, CollectionOptions, Device, Event, ExcludedEntry, Invite,
    InviteOptions, Item, JoinOptions, JoinRequest, LinkEvent, LinkState, LogChange, Me, Member, Page, Policy,
    Progress, Query, RemovalReport, Stats, Summary, SyncReport, VerifyReport, Version, WatchOptions,
};

/// A time of the engine; what is beyond the years that a host can name is the last of them.
fn time_ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn text(id: impl ToString) -> String {
    id.to_string()
}

/// The role that a text names.
pub(crate) fn role(text: &str) -> Result<tidelog::Role> {
    text.parse().map_err(|_| Error::invalid_argument("a role is `reader`, `writer`, `admin` or `owner`"))
}

/// The user that a text names.
pub(crate) fn user_id(text: &str) -> Result<tidelog::UserId> {
    text.parse().map_err(|_| Error::invalid_argument("a user is named by the id that `members` gives"))
}

impl From<Policy> for tidelog::Policy {
    fn from(policy: Policy) -> Self {
        match policy {
            Policy::Lww => Self::Lww,
            Policy::Document => Self::Document,
        }
    }
}

impl From<CollectionOptions> for tidelog::CollectionOptions {
    fn from(options: CollectionOptions) -> Self {
        Self::default().policy(options.policy.into()).key_field(options.key_field.as_deref())
    }
}

impl From<Query> for tidelog::Query {
    fn from(query: Query) -> Self {
        let mut core = Self::new().sort(query.sort).offset(query.offset as usize);
        core.filter = query.filter;
        core.limit = query.limit.map(|limit| limit as usize);
        core.cursor = query.cursor;
        core.ids = query.ids;
        core
    }
}

impl From<tidelog::Item<Value>> for Item {
    fn from(item: tidelog::Item<Value>) -> Self {
        Self { key: item.key, value: item.value }
    }
}

impl From<tidelog::Page<Value>> for Page {
    fn from(page: tidelog::Page<Value>) -> Self {
        Self { items: page.items.into_iter().map(Item::from).collect(), cursor: page.cursor }
    }
}

impl From<tidelog::Summary> for Summary {
    fn from(summary: tidelog::Summary) -> Self {
        Self { items: summary.items as u64, entries: summary.entries as u64 }
    }
}

impl From<tidelog::Version> for Version {
    fn from(version: tidelog::Version) -> Self {
        Self {
            entry: text(version.entry),
            author: text(version.author),
            user: version.user.map(text),
            hlc_ms: time_ms(version.hlc_ms),
            kind: version.kind.name().to_owned(),
            value: version.value,
            local: version.local,
        }
    }
}

impl From<WatchOptions> for tidelog::WatchOptions {
    fn from(options: WatchOptions) -> Self {
        let all = Self::default();
        Self { pattern: options.pattern.unwrap_or(all.pattern), initial: options.initial }
    }
}

impl From<tidelog::Notice> for Event {
    fn from(notice: tidelog::Notice) -> Self {
        match notice {
            tidelog::Notice::Event(event) => Self::Change(Change {
                kind: event.kind.name().to_owned(),
                database: event.database,
                circle: event.circle.map(text),
                collection: event.collection,
                owner: event.owner.map(text),
                key: event.key,
                old: event.old,
                new: event.new,
                author: text(event.author),
                hlc_ms: time_ms(event.hlc_ms),
                local: event.local,
                entry: text(event.entry),
            }),
            tidelog::Notice::Lagged(lost) => Self::Lagged(lost),
        }
    }
}

impl Source for tidelog::Watch {
    type Event = Event;

    async fn next(&mut self) -> Result<Option<Event>> {
        Ok(self.next().await.map(Event::from))
    }
}

impl From<tidelog::Me> for Me {
    fn from(me: tidelog::Me) -> Self {
        Self { user: text(me.user), device: text(me.device), role: text(me.role), profile: me.profile }
    }
}

impl From<JoinOptions> for tidelog::JoinOptions {
    fn from(options: JoinOptions) -> Self {
        Self { profile: options.profile, timeout_ms: options.timeout_ms }
    }
}

impl TryFrom<InviteOptions> for tidelog::InviteOptions {
    type Error = Error;

    fn try_from(options: InviteOptions) -> Result<Self> {
        let mut core = Self { relay: options.relay, ..Self::default() };
        if let Some(named) = options.role {
            core.role = role(&named)?;
        }
        core.expires_in_ms = options.expires_in_ms.unwrap_or(core.expires_in_ms);
        core.auto_approve = options.auto_approve;
        core.uses = options.uses.unwrap_or(core.uses);
        core.same_user = options.same_user;
        core.circles = options.circles.iter().map(|id| circle_id(id)).collect::<Result<_>>()?;
        Ok(core)
    }
}

impl From<tidelog::Invite> for Invite {
    fn from(invite: tidelog::Invite) -> Self {
        Self {
            id: invite.id,
            uri: invite.uri,
            expires_ms: time_ms(invite.expires_ms),
            role: text(invite.role),
            relay: invite.relay,
            uses_left: invite.uses_left,
            auto_approve: invite.auto_approve,
            same_user: invite.same_user,
            circles: invite.circles.into_iter().map(text).collect(),
        }
    }
}

impl From<tidelog::JoinRequest> for JoinRequest {
    fn from(request: tidelog::JoinRequest) -> Self {
        Self {
            id: request.id,
            profile: request.profile,
            device: text(request.device),
            role: text(request.role),
            same_user: request.same_user,
            circles: request.circles.into_iter().map(text).collect(),
            requested_ms: time_ms(request.requested_ms),
        }
    }
}

impl From<tidelog::Member> for Member {
    fn from(member: tidelog::Member) -> Self {
        Self {
            user: text(member.user),
            role: text(member.role),
            profile: member.profile,
            devices: member.devices.into_iter().map(text).collect(),
            me: member.me,
        }
    }
}

impl From<tidelog::Device> for Device {
    fn from(device: tidelog::Device) -> Self {
        Self {
            device: text(device.device),
            user: text(device.user),
            added_by: text(device.added_by),
            me: device.me,
        }
    }
}

impl From<tidelog::RemovalReport> for RemovalReport {
    fn from(report: tidelog::RemovalReport) -> Self {
        Self {
            cuts: report.cuts,
            claimed: report.claimed,
            entries: report.entries,
            keys_renewed: report.keys_renewed,
            advice: report.advice,
        }
    }
}

impl From<tidelog::ExcludedEntry> for ExcludedEntry {
    fn from(excluded: tidelog::ExcludedEntry) -> Self {
        Self {
            entry: text(excluded.entry),
            device: text(excluded.device),
            user: excluded.user.map(text),
            database: excluded.database,
            seq: excluded.seq,
            reason: excluded.reason.name().to_owned(),
            due_ms: excluded.due_ms.map(time_ms),
        }
    }
}

impl From<tidelog::SyncReport> for SyncReport {
    fn from(report: tidelog::SyncReport) -> Self {
        Self {
            sent: report.sent,
            received: report.received,
            bytes_sent: report.bytes_sent,
            bytes_received: report.bytes_received,
            round_trips: report.round_trips.into(),
            held: report.held,
            held_there: report.held_there,
        }
    }
}

impl From<tidelog::Stats> for Stats {
    fn from(stats: tidelog::Stats) -> Self {
        Self {
            entries: stats.entries,
            log_bytes: stats.log_bytes,
            streams: stats.streams as u64,
            chains: stats.chains as u64,
            users: stats.users as u64,
            devices: stats.devices as u64,
            root: text(stats.root),
        }
    }
}

impl From<tidelog::BackupReport> for BackupReport {
    fn from(report: tidelog::BackupReport) -> Self {
        let tidelog::BackupReport { entries, bytes, copied, key } = report;
        Self { entries, bytes, copied, key: key.name().to_owned() }
    }
}

impl From<tidelog::BackupInfo> for BackupInfo {
    fn from(info: tidelog::BackupInfo) -> Self {
        let tidelog::BackupInfo { workspace, made_ms, entries, bytes, key, problems } = info;
        let (workspace, key) = (workspace.to_string(), key.name().to_owned());
        Self { workspace, made_ms: time_ms(made_ms), entries, bytes, key, problems }
    }
}

impl From<tidelog::VerifyReport> for VerifyReport {
    fn from(report: tidelog::VerifyReport) -> Self {
        Self {
            entries: report.entries,
            bytes: report.bytes,
            signatures: report.signatures,
            damaged: report.damaged,
            problems: report.problems,
        }
    }
}

impl From<tidelog::LinkState> for LinkState {
    fn from(state: tidelog::LinkState) -> Self {
        match state {
            tidelog::LinkState::Offline => Self::Offline,
            tidelog::LinkState::Connecting => Self::Connecting,
            tidelog::LinkState::CatchingUp => Self::CatchingUp,
            tidelog::LinkState::Live => Self::Live,
        }
    }
}

impl From<tidelog::Progress> for Progress {
    fn from(progress: tidelog::Progress) -> Self {
        Self {
            received: progress.received,
            received_total: progress.received_total,
            sent: progress.sent,
            sent_total: progress.sent_total,
            bytes_received: progress.bytes_received,
            bytes_sent: progress.bytes_sent,
        }
    }
}

impl From<tidelog::LinkEvent> for LinkEvent {
    fn from(event: tidelog::LinkEvent) -> Self {
        match event {
            tidelog::LinkEvent::State(state) => Self::State(state.into()),
            tidelog::LinkEvent::Progress(progress) => Self::Progress(progress.into()),
            tidelog::LinkEvent::Failed { kind, message } => {
                Self::Failed { code: kind.code().to_owned(), reason: message }
            }
            tidelog::LinkEvent::Warned(warning) => Self::Warned(warning.into()),
            tidelog::LinkEvent::Lagged(lost) => Self::Lagged(lost),
        }
    }
}

impl From<tidelog::Change> for LogChange {
    fn from(change: tidelog::Change) -> Self {
        Self {
            kind: change.kind.name().to_owned(),
            collection: change.collection,
            owner: change.owner.map(text),
            key: change.key,
            entry: text(change.entry),
            author: text(change.author),
            arrival: change.arrival,
        }
    }
}

impl From<tidelog::Changes> for Changes {
    fn from(changes: tidelog::Changes) -> Self {
        Self { items: changes.items.into_iter().map(LogChange::from).collect(), cursor: changes.cursor }
    }
}
