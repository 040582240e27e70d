//! The structs about circles and their keys, and what they are to the engine.

use tidelog::CircleId;

use crate::error::{Error, Result};

/// How a circle is made. It stays that way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CircleOptions {
    /// What newcomers may read: `full` (everything, also without saying so), or `from_join` (what is
    /// written after they joined, with what is there at that time written again for them).
    pub history: Option<String>,
    /// Whether the recovery words recover its data too; they do without saying so.
    pub recoverable: Option<bool>,
}

/// A circle of members with keys and databases of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle {
    /// The circle.
    pub id: String,
    /// Its name, if this device can read it.
    pub name: Option<String>,
    /// What newcomers may read: `full` or `from_join`.
    pub history: String,
    /// Whether the recovery words recover its data too.
    pub recoverable: bool,
    /// Its members, by user.
    pub members: Vec<CircleMember>,
    /// Whether this device reads what is written in it.
    pub readable: bool,
}

/// A member of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CircleMember {
    /// The user.
    pub user: String,
    /// What the user may do in the circle.
    pub role: String,
}

/// When members make new keys without another reason. Zero is never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Days after which a key is replaced, from when a device first saw it used.
    pub rotate_days: u16,
    /// Entries after which a key is replaced.
    pub rotate_entries: u32,
}

/// The circle that a text names.
pub(crate) fn circle_id(text: &str) -> Result<CircleId> {
    text.parse().map_err(|_| Error::invalid_argument("a circle is named by the id that `circles` gives"))
}

impl TryFrom<CircleOptions> for tidelog::CircleOptions {
    type Error = Error;

    fn try_from(options: CircleOptions) -> Result<Self> {
        let mut core = Self::default();
        core.history = match options.history.as_deref() {
            None => core.history,
            Some("full") => tidelog::History::Full,
            Some("from_join") => tidelog::History::FromJoin,
            Some(_) => {
                return Err(Error::invalid_argument("the history of a circle is `full` or `from_join`"));
            }
        };
        core.recoverable = options.recoverable.unwrap_or(core.recoverable);
        Ok(core)
    }
}

impl From<tidelog::Circle> for Circle {
    fn from(circle: tidelog::Circle) -> Self {
        let member = |member: tidelog::CircleMember| CircleMember {
            user: member.user.to_string(),
            role: member.role.to_string(),
        };
        Self {
            id: circle.id.to_string(),
            name: circle.name,
            history: match circle.history {
                tidelog::History::Full => "full".to_owned(),
                tidelog::History::FromJoin => "from_join".to_owned(),
            },
            recoverable: circle.recoverable,
            members: circle.members.into_iter().map(member).collect(),
            readable: circle.readable,
        }
    }
}

impl From<tidelog::KeyPolicy> for KeyPolicy {
    fn from(policy: tidelog::KeyPolicy) -> Self {
        Self { rotate_days: policy.rotate_days, rotate_entries: policy.rotate_entries }
    }
}
