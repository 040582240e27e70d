//! A naive second implementation of which additions count: explicit sets, everything from
//! scratch. Sets of entries are bit masks, so it takes at most 64 entries.

use super::super::Role;
use crate::ids::{DeviceId, UserId};

/// An `AddUser` (with a role) or `AddDevice` of the entry with number `node`.
#[derive(Debug, Clone)]
pub(super) struct Addition {
    pub(super) node: usize,
    pub(super) user: UserId,
    pub(super) role: Option<Role>,
    pub(super) devices: Vec<DeviceId>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) root: Option<DeviceId>,
    pub(super) authors: Vec<DeviceId>,
    pub(super) parents: Vec<Vec<usize>>,
    /// Of each entry, without itself.
    pub(super) pasts: Vec<u64>,
    pub(super) additions: Vec<Addition>,
}

/// Per addition, the author's class if it is valid.
pub(super) type Verdicts = Vec<Option<u8>>;

impl Model {
    pub(super) fn add_entry(&mut self, author: DeviceId, parents: &[usize]) -> usize {
        let past = parents.iter().fold(0, |past, &parent| past | self.pasts[parent] | 1 << parent);
        self.authors.push(author);
        self.parents.push(parents.to_vec());
        self.pasts.push(past);
        self.pasts.len() - 1
    }

    pub(super) fn upto(&self, node: usize) -> u64 {
        self.pasts[node] | 1 << node
    }

    pub(super) fn certifies(&self, device: &DeviceId, view: u64) -> bool {
        self.additions
            .iter()
            .any(|addition| view >> addition.node & 1 == 1 && addition.devices.contains(device))
    }

    pub(super) fn role_of_user(&self, valid: &Verdicts, user: &UserId, view: u64) -> Option<Role> {
        let given = || {
            self.additions
                .iter()
                .zip(valid)
                .filter(|(addition, _)| addition.user == *user && view >> addition.node & 1 == 1)
                .filter_map(|(addition, class)| Some(((*class)?, addition.role?)))
        };
        let highest = given().map(|(class, _)| class).max()?;
        given().filter(|(class, _)| *class == highest).map(|(_, role)| role).min()
    }

    pub(super) fn standing(&self, valid: &Verdicts, device: &DeviceId, view: u64) -> Option<(UserId, Role)> {
        let certified = || {
            self.additions
                .iter()
                .zip(valid)
                .filter(|(addition, _)| addition.devices.contains(device) && view >> addition.node & 1 == 1)
        };
        let user = certified().next()?.0.user;
        if certified().any(|(addition, _)| addition.user != user) {
            return None;
        }
        let counts = certified().any(|(addition, class)| {
            class.is_some()
                && (addition.role.is_some()
                    || self.role_of_user(valid, &user, self.pasts[addition.node]).is_some())
        });
        counts.then(|| self.role_of_user(valid, &user, view)).flatten().map(|role| (user, role))
    }

    pub(super) fn class(&self, valid: &Verdicts, device: &DeviceId, view: u64) -> Option<u8> {
        if self.root == Some(*device) {
            return Some(4);
        }
        self.standing(valid, device, view).map(|(_, role)| role as u8)
    }

    /// Which additions are valid.
    pub(super) fn fold(&self) -> Verdicts {
        let mut valid = vec![None; self.additions.len()];
        for class in (0..=4).rev() {
            // Pasts first: entries are numbered so.
            for (index, addition) in self.additions.iter().enumerate() {
                let past = self.pasts[addition.node];
                let author = self.authors[addition.node];
                if self.class(&valid, &author, past) != Some(class) {
                    continue;
                }
                let before = |other: &Addition| past >> other.node & 1 == 1;
                let after = |other: &Addition| self.pasts[other.node] >> addition.node & 1 == 1;
                let users_added = || {
                    let of_user = self.additions.iter().zip(&valid).filter(|(o, _)| o.user == addition.user);
                    of_user.filter_map(|(other, class)| Some((other, (*class)?, other.role?)))
                };
                let own = self.standing(&valid, &author, past).is_some_and(|(user, _)| user == addition.user);
                let allowed = match addition.role {
                    Some(role) => {
                        (role as u8) < class
                            && users_added().all(|(other, theirs, _)| {
                                (theirs < class || !before(other)) && (theirs <= class || after(other))
                            })
                    }
                    None => own || users_added().all(|(other, _, role)| (role as u8) < class || after(other)),
                };
                valid[index] = allowed.then_some(class);
            }
        }
        valid
    }
}
