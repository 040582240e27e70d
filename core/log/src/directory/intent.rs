//! Whether an operation would count, asked before it is written.

use super::dag::{NodeIndex, View};
use super::fold::Fold;
use super::members::Act;
use super::rank::LAST;
use super::{Cut, Directory, Op, Role};
use crate::crypto::sha256;
use crate::ids::{CircleId, DeviceId, EntryId, UserId};

/// Why an operation would not count, or should not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The author is no active device.
    #[error("this device is not a member of the workspace")]
    NotActive,
    /// The author's class is too low, or the target's too high.
    #[error("the role of this device does not allow this")]
    NotAuthorized,
    /// The user is not known.
    #[error("there is no user {0}")]
    UnknownUser(UserId),
    /// The device is not known.
    #[error("there is no device {0}")]
    UnknownDevice(DeviceId),
    /// The circle is not known.
    #[error("there is no circle {0}")]
    UnknownCircle(CircleId),
    /// The user or device was removed, which is for good.
    #[error("it was removed for good")]
    Removed,
    /// No owner would be left; only the recovery words could help then.
    #[error("the last owner cannot be removed or demoted")]
    LastOwner,
    /// A certificate is not good for its user.
    #[error("a device certificate is not valid")]
    Certificate,
}

impl Directory {
    /// Whether operations by a device would count, in an entry on top of everything held.
    ///
    /// # Errors
    ///
    /// Why the first that would not does not, or why it should not be written.
    pub fn check_ops(&self, author: &DeviceId, ops: &[Op]) -> Result<(), Objection> {
        if !self.0.members.is_root(author) && !self.is_member(author) {
            return Err(Objection::NotActive);
        }
        ops.iter().try_for_each(|op| self.check_target(author, op))?;
        let mut fold = Fold::clone(&self.0);
        let parents: Vec<NodeIndex> = fold.members.heads.iter().map(|(node, _)| *node).collect();
        let id = EntryId(sha256(&[b"intent", &author.0]));
        let counted = fold.try_ops(id, *author, &parents, ops.to_vec());
        if let Some(op) = ops.iter().zip(&counted).find(|(_, counts)| !**counts).map(|(op, _)| op) {
            return Err(self.objection(op));
        }
        let owners =
            |fold: Fold| Self(fold.into()).users().iter().filter(|user| user.role == Role::Owner).count();
        let before = self.users().iter().filter(|user| user.role == Role::Owner).count();
        if before > 0 && owners(fold) == 0 { Err(Objection::LastOwner) } else { Ok(()) }
    }

    /// What an operation is about must exist. A device that was removed by an equal can be removed again
    /// by somebody who outranks it, which then also voids what it did aside.
    fn check_target(&self, author: &DeviceId, op: &Op) -> Result<(), Objection> {
        let Fold { dag, members, circles, .. } = &*self.0;
        let user_exists = |user: &UserId| {
            if members.is_user_removed(dag, user, View::Everything, LAST) {
                Err(Objection::Removed)
            } else if members.role(dag, user, View::Everything, LAST).is_none() {
                Err(Objection::UnknownUser(*user))
            } else {
                Ok(())
            }
        };
        let circle_exists = |circle: &CircleId| {
            if circles.made(dag, circle).is_some() { Ok(()) } else { Err(Objection::UnknownCircle(*circle)) }
        };
        match op {
            Op::SetRole { user, .. } | Op::RemoveUser { user, .. } | Op::AddDevice { user, .. } => {
                user_exists(user)
            }
            Op::AddUser { user, .. } if members.is_user_removed(dag, user, View::Everything, LAST) => {
                Err(Objection::Removed)
            }
            Op::RemoveDevice { device, .. } => match members.devices.get(device) {
                None => Err(Objection::UnknownDevice(*device)),
                Some(_) if !self.is_removed(device) => Ok(()),
                Some(_) if !members.is_removed_aside(dag, device) && self.outranks(author, device) => Ok(()),
                Some(_) => Err(Objection::Removed),
            },
            Op::CircleRemove { circle, .. } => circle_exists(circle),
            _ => Ok(()),
        }
    }

    fn objection(&self, op: &Op) -> Objection {
        let certs = match op {
            Op::AddUser { user, certs, .. } => certs.iter().map(|cert| (cert, user)).collect(),
            Op::AddDevice { user, cert } => vec![(cert, user)],
            _ => Vec::new(),
        };
        let bad = certs.iter().any(|(cert, user)| cert.verify(&self.0.workspace, user).is_none());
        match op {
            _ if bad => Objection::Certificate,
            Op::CircleAdd { circle, .. } if self.circle(circle).is_none() => {
                Objection::UnknownCircle(*circle)
            }
            _ => Objection::NotAuthorized,
        }
    }
}

impl Fold {
    /// Takes in operations as if they were in an entry, and says of each whether it counts.
    fn try_ops(&mut self, id: EntryId, author: DeviceId, parents: &[NodeIndex], ops: Vec<Op>) -> Vec<bool> {
        let node = self.dag.len();
        let wanted = ops.clone();
        self.apply(id, author, parents, ops);
        let deeds: Vec<_> = self.members.deeds_of(node).collect();
        let mut next = deeds.iter();
        let author = self.members.standings[node].authority.at(LAST);
        wanted
            .iter()
            .map(|op| match op {
                Op::AddUser { .. }
                | Op::AddDevice { .. }
                | Op::SetRole { .. }
                | Op::RemoveDevice { .. }
                | Op::RemoveUser { .. } => {
                    // An operation with a bad certificate makes no deed.
                    let deed = next.clone().next().filter(|deed| is_deed_of(op, &deed.act));
                    deed.is_some_and(|deed| {
                        next.next();
                        deed.counts_at(LAST)
                    })
                }
                Op::CircleNew { circle, .. }
                | Op::CircleAdd { circle, .. }
                | Op::CircleRemove { circle, .. } => self.circles.counts(circle, node),
                Op::KeyEpoch { circle, key_id, .. } => self
                    .keys
                    .of_circle(circle, true)
                    .iter()
                    .any(|epoch| epoch.entry == id && epoch.key_id == *key_id),
                Op::KeyGrant { key_id, wraps, .. } => {
                    let readers = self.keys.readers(key_id);
                    wraps.iter().all(|wrap| readers.contains(&wrap.device))
                }
                Op::RelaySet { .. } | Op::RelayUnset { .. } => {
                    author.is_some_and(|author| author.may(Role::Admin))
                }
                Op::Policy(_) => author.is_some_and(|author| author.may(Role::Owner)),
                Op::AmendCut { cuts } => cuts.iter().all(|cut| self.is_in_force(cut)),
                Op::Purge { stream, entries } => {
                    let purged = self.policies.purged(&self.dag, &self.members, stream);
                    entries.iter().all(|entry| purged.contains(entry))
                }
                Op::Genesis { .. } => false,
            })
            .collect()
    }
}

impl Fold {
    /// Whether the entries of a removed device, or one whose addition is void, count up to a cut.
    fn is_in_force(&self, cut: &Cut) -> bool {
        let Self { dag, members, circles, amendments, .. } = self;
        let wanted = Some((cut.seq, cut.id));
        let limits = amendments.limits(dag, members, circles, &cut.device, &cut.stream);
        limits.iter().any(|limit| limit.cut == wanted)
            || amendments.granted(dag, members, &cut.device, &cut.stream) == wanted
    }
}

/// Whether an operation became this.
fn is_deed_of(op: &Op, act: &Act) -> bool {
    match (op, act) {
        (Op::AddUser { certs, .. }, Act::AddUser { certs: shown, .. }) => certs[..] == shown[..],
        (Op::AddDevice { cert, .. }, Act::AddDevice { certs: shown, .. }) => shown[..] == [cert.clone()],
        (Op::SetRole { .. }, Act::SetRole { .. })
        | (Op::RemoveDevice { .. }, Act::RemoveDevice { .. })
        | (Op::RemoveUser { .. }, Act::RemoveUser { .. }) => true,
        _ => false,
    }
}
