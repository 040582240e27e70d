//! What an application should tell the person who uses it: findings about members, devices and
//! peers that no single call can report as its error.

use std::fmt;

use tidelog_log::ids::{DeviceId, EntryId, UserId};

/// What a [`Warning`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WarningKind {
    /// A member uses a newer version: what it wrote from here on is held back until this device is
    /// upgraded.
    UpgradeNeeded,
    /// Entries of at least two other users are in this device's future: its clock is behind.
    ClockBehind,
    /// A device wrote two entries in one place of its chain: it was copied, or lies.
    Fork,
    /// A member published keys that are not those it committed to.
    KeyMismatch,
    /// A device claims entries that no peer gives out: somebody shows different histories.
    Withheld,
}

impl WarningKind {
    /// The name, the same in every language.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UpgradeNeeded => "upgrade_needed",
            Self::ClockBehind => "clock_behind",
            Self::Fork => "fork",
            Self::KeyMismatch => "key_mismatch",
            Self::Withheld => "withheld",
        }
    }
}

impl fmt::Display for WarningKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Something that is wrong now. It goes when its cause is gone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[non_exhaustive]
pub struct Warning {
    /// What it is about.
    pub kind: WarningKind,
    /// The device concerned, if it is one.
    pub device: Option<DeviceId>,
    /// The user whose device it is, if the directory knows.
    pub user: Option<UserId>,
    /// Name of the database concerned, if it is one and this device knows its name; empty for the
    /// directory and the catalogue.
    pub database: Option<String>,
    /// The entry that shows it, if one does.
    pub entry: Option<EntryId>,
    /// What it means and what to do about it, in one sentence, without secrets.
    pub text: String,
}
