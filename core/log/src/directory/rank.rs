//! Ranks: who outranks whom, and at which level an entry is judged.
//!
//! A rank is a class (root 4, owner 3, admin 2, writer 1, reader 0) and, inside a user, seniority:
//! depth 0 for devices named by `AddUser` or added by the root, else one more than that of
//! the device of the same user that added it, at most [`DEPTH_MAX`]. Levels number the ranks from
//! the top: 0 for the root, then one for each class and depth.

use super::body::Role;
use crate::ids::UserId;

/// Standing of an author: the number of its role, or [`ROOT_CLASS`].
pub(super) type Class = u8;
/// The class of the root key.
pub(super) const ROOT_CLASS: Class = 4;
/// Devices deeper than this are equals.
pub(super) const DEPTH_MAX: u8 = 3;

/// A step of the evaluation: 0 is the highest.
pub(super) type Level = u8;
/// The number of levels.
pub(super) const LEVELS: Level = 1 + ROOT_CLASS * (DEPTH_MAX + 1);
/// The level at which everything is decided.
pub(super) const LAST: Level = LEVELS - 1;

/// What an author may do where it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Authority {
    /// The author's user; `None` for the root.
    pub(super) user: Option<UserId>,
    pub(super) class: Class,
    pub(super) depth: u8,
}

impl Authority {
    pub(super) const ROOT: Self = Self { user: None, class: ROOT_CLASS, depth: 0 };

    pub(super) const fn level(&self) -> Level {
        if self.class >= ROOT_CLASS {
            0
        } else {
            1 + (ROOT_CLASS - 1 - self.class) * (DEPTH_MAX + 1) + self.depth
        }
    }

    pub(super) const fn may(&self, role: Role) -> bool {
        self.class >= role as Class
    }

    /// Whether a removal by it voids what the other did without knowing of it: it is of a higher class,
    /// or a senior device of the same user.
    pub(super) fn outranks(&self, other: &Self) -> bool {
        self.class > other.class
            || (self.class == other.class
                && self.user.is_some()
                && self.user == other.user
                && self.depth < other.depth)
    }

    /// Whether it acts for this user.
    pub(super) fn is_of(&self, user: &UserId) -> bool {
        self.user.as_ref() == Some(user)
    }
}

/// A value for each level, equal on most.
#[derive(Debug, Clone)]
pub(super) struct Steps<T> {
    first: T,
    later: Vec<(Level, T)>,
}

impl<T: Copy + PartialEq> Steps<T> {
    pub(super) const fn new(value: T) -> Self {
        Self { first: value, later: Vec::new() }
    }

    pub(super) fn at(&self, level: Level) -> T {
        self.later.iter().rfind(|(from, _)| *from <= level).map_or(self.first, |(_, value)| *value)
    }

    /// Sets the value from a level on, down to the last. Levels come in order.
    pub(super) fn set_from(&mut self, level: Level, value: T) {
        if level == 0 {
            *self = Self::new(value);
        } else if self.at(level) != value {
            self.later.push((level, value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_class_then_depth() {
        let mut level = 0;
        assert_eq!(Authority::ROOT.level(), 0);
        for class in (0..ROOT_CLASS).rev() {
            for depth in 0..=DEPTH_MAX {
                level += 1;
                assert_eq!(Authority { user: None, class, depth }.level(), level);
            }
        }
        assert_eq!(level, LAST);
    }

    #[test]
    fn a_step_holds_from_its_level_on() {
        let mut steps = Steps::new(1);
        steps.set_from(3, 1);
        steps.set_from(5, 2);
        steps.set_from(9, 1);
        assert_eq!([0, 3, 5, 8, 9, LAST].map(|level| steps.at(level)), [1, 1, 2, 2, 1, 1]);
        steps.set_from(0, 7);
        assert_eq!(steps.at(LAST), 7);
    }
}
