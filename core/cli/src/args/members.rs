//! What can be asked for about members, their devices and circles.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::NewcomerRole;

#[derive(Debug, Args)]
pub(crate) struct SetRole {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The user: its name, or the beginning of its id, as `members` prints them
    pub(crate) user: String,
    /// What it may do from now on
    #[arg(value_enum)]
    pub(crate) role: MemberRole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MemberRole {
    /// May read
    Reader,
    /// May read and write
    Writer,
    /// May also admit and remove others
    Admin,
    /// May do everything; given on the device that still keeps the recovery words of the workspace
    Owner,
}

impl MemberRole {
    pub(crate) const fn role(self) -> tidelog::Role {
        match self {
            Self::Reader => tidelog::Role::Reader,
            Self::Writer => tidelog::Role::Writer,
            Self::Admin => tidelog::Role::Admin,
            Self::Owner => tidelog::Role::Owner,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct RemoveUser {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The user: its name, or the beginning of its id, as `members` prints them
    pub(crate) user: String,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveDevice {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The device: the beginning of its id, as `devices` prints it
    pub(crate) device: String,
}

#[derive(Debug, Args)]
pub(crate) struct CreateCircle {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Name of the circle, which only its members see
    pub(crate) name: String,
    /// What newcomers may read
    #[arg(long, value_enum, default_value_t = CircleHistory::Full)]
    pub(crate) history: CircleHistory,
    /// The recovery words of the workspace do not recover what is written in it
    #[arg(long)]
    pub(crate) not_recoverable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CircleHistory {
    /// Everything
    Full,
    /// What is there when they join, and what is written after that
    FromJoin,
}

#[derive(Debug, Args)]
pub(crate) struct AddToCircle {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The circle: its name, or its id, as `circles` prints them
    pub(crate) circle: String,
    /// The user: its name, or the beginning of its id, as `members` prints them
    pub(crate) user: String,
    /// What it may do there, if it may do as much in the workspace
    #[arg(value_enum)]
    pub(crate) role: NewcomerRole,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveFromCircle {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The circle: its name, or its id, as `circles` prints them
    pub(crate) circle: String,
    /// The user: its name, or the beginning of its id, as `members` prints them
    pub(crate) user: String,
}

#[derive(Debug, Args)]
pub(crate) struct Policy {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// Days after which the key is replaced with the next write; 0 for never
    #[arg(long, value_name = "DAYS")]
    pub(crate) rotate_days: Option<u16>,
    /// Entries after which the key is replaced; 0 for never
    #[arg(long, value_name = "ENTRIES")]
    pub(crate) rotate_entries: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct AcceptExcluded {
    /// Folder of the workspace
    pub(crate) path: PathBuf,
    /// The device: the beginning of its id, as `excluded` prints it
    pub(crate) device: String,
}
