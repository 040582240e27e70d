//! What is wrong in a workspace and worth telling a person.

/// Something that is wrong now. It goes when its cause is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// `upgrade_needed`: a member uses a newer version, and what it wrote since is held back.
    /// `clock_behind`: entries of two other users are in the future here. `fork`: a device wrote
    /// twice in one place. `key_mismatch`: a member published other keys than it committed to.
    /// `withheld`: a device claims entries that no peer gives out.
    pub kind: String,
    /// The device concerned, if it is one.
    pub device: Option<String>,
    /// The user whose device it is, if known.
    pub user: Option<String>,
    /// Name of the database concerned, if it is one whose name is known; empty for the directory.
    pub database: Option<String>,
    /// The entry that shows it, if one does.
    pub entry: Option<String>,
    /// What it means and what to do about it.
    pub text: String,
}

impl From<tidelog::Warning> for Warning {
    fn from(warning: tidelog::Warning) -> Self {
        Self {
            kind: warning.kind.name().to_owned(),
            device: warning.device.map(|id| id.to_string()),
            user: warning.user.map(|id| id.to_string()),
            database: warning.database,
            entry: warning.entry.map(|id| id.to_string()),
            text: warning.text,
        }
    }
}
