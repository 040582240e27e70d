//! What can be asked about the present state: who belongs to the workspace and its circles, which
//! keys there are, and how far the entries of those count who left.

use std::collections::BTreeSet;

use super::cuts::{self, Limit};
use super::dag::View;
use super::fold::Fold;
use super::rank::LAST;
use super::{Cause, CircleSettings, Directory, Epoch, NextEpoch, Policy, Purged, Relay, Role, Wrap};
use crate::entry::Header;
use crate::ids::{CircleId, DeviceId, EntryId, KeyId, StreamId, UserId};

/// The root keys of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// Signs genesis and the first user.
    pub pk: DeviceId,
    /// Receives every epoch key, for recovery.
    pub kem_pk: [u8; 32],
}

/// A member of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub id: UserId,
    /// What it may do.
    pub role: Role,
    /// Its active devices, sorted.
    pub devices: Vec<DeviceId>,
}

/// An active device of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The device.
    pub id: DeviceId,
    /// The user it belongs to.
    pub user: UserId,
    /// The X25519 key that epoch keys are wrapped to.
    pub kem_pk: [u8; 32],
    /// The device, or root key, that added it.
    pub added_by: DeviceId,
}

/// A circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle {
    /// The circle.
    pub id: CircleId,
    /// What stays as it was made.
    pub settings: CircleSettings,
    /// Commitment to its name key.
    pub name_commit: [u8; 32],
    /// Its members and what they may do there, sorted by id.
    pub members: Vec<(UserId, Role)>,
}

impl Directory {
    /// The root keys; `None` before genesis is held.
    #[must_use]
    pub fn root(&self) -> Option<Root> {
        self.0.root
    }

    /// The commitment to the name key of circle zero; `None` before genesis is held.
    #[must_use]
    pub fn name_commit(&self) -> Option<[u8; 32]> {
        self.0.name_commit
    }

    /// The members in the present state, sorted by id.
    #[must_use]
    pub fn users(&self) -> Vec<User> {
        let mut users: Vec<_> = self.0.members.users.keys().filter_map(|id| self.user(id)).collect();
        users.sort_by_key(|user| user.id);
        users
    }

    /// A member in the present state.
    #[must_use]
    pub fn user(&self, id: &UserId) -> Option<User> {
        let Fold { dag, members, .. } = &*self.0;
        if members.is_user_removed(dag, id, View::Everything, LAST) {
            return None;
        }
        let role = members.role(dag, id, View::Everything, LAST)?;
        let active = |device: &DeviceId| self.standing(device).is_some_and(|(user, _)| user == *id);
        let devices = members.devices_of(id).into_iter().filter(active).collect();
        Some(User { id: *id, role, devices })
    }

    /// A device that is active in the present state.
    #[must_use]
    pub fn device(&self, id: &DeviceId) -> Option<Device> {
        let (user, _) = self.standing(id)?;
        let (cert, added) = self.0.members.certificate(&self.0.dag, id, View::Everything)?;
        let added_by = self.0.dag.node(added).author;
        Some(Device { id: *id, user, kem_pk: cert.kem_pk, added_by })
    }

    /// The user whose device this is or was. `None` if nothing that counts, or is built on, certifies it,
    /// or for several users.
    #[must_use]
    pub fn owner_of(&self, device: &DeviceId) -> Option<UserId> {
        let Fold { dag, members, .. } = &*self.0;
        match members.users_of(dag, device, View::Everything)[..] {
            [user] => Some(user),
            _ => None,
        }
    }

    /// Every device that was ever certified for a user, where that counts or is built on, removed ones too,
    /// sorted.
    #[must_use]
    pub fn devices_of(&self, user: &UserId) -> Vec<DeviceId> {
        let Fold { dag, members, .. } = &*self.0;
        let is_shown = |device: &DeviceId| members.users_of(dag, device, View::Everything).contains(user);
        members.devices_of(user).into_iter().filter(is_shown).collect()
    }

    /// Whether a removal of a device by another one also voids what the device does without knowing of
    /// it (R2): between devices of one user only that by a senior one does.
    #[must_use]
    pub fn outranks(&self, remover: &DeviceId, device: &DeviceId) -> bool {
        let Fold { dag, members, .. } = &*self.0;
        let remover = members.authority(dag, remover, View::Everything, LAST);
        let target = members.last_authority(dag, device);
        remover.zip(target).is_some_and(|(remover, target)| remover.outranks(&target))
    }

    /// Whether a device was removed for good, with its user or alone.
    #[must_use]
    pub fn is_removed(&self, device: &DeviceId) -> bool {
        let Fold { dag, members, .. } = &*self.0;
        members.devices.get(device).is_some_and(|of_device| {
            let mut users = members.users_of(dag, device, View::Everything).into_iter();
            members.said(&of_device.removals.live, dag, View::Everything, LAST).next().is_some()
                || users.any(|user| members.is_user_removed(dag, &user, View::Everything, LAST))
        })
    }

    /// The role of a device's user in the present state, if the device is active.
    #[must_use]
    pub fn role(&self, device: &DeviceId) -> Option<Role> {
        self.standing(device).map(|(_, role)| role)
    }

    /// All circles, circle zero first, then by id.
    #[must_use]
    pub fn circles(&self) -> Vec<Circle> {
        let ids = [CircleId::WORKSPACE].into_iter().chain(self.0.circles.ids().copied());
        ids.filter_map(|id| self.circle(&id)).collect()
    }

    /// All circles with the commitments to their name keys, circle zero first, then by id.
    #[must_use]
    pub fn circle_names(&self) -> Vec<(CircleId, [u8; 32])> {
        let Fold { dag, circles, .. } = &*self.0;
        let made = circles.ids().filter_map(|id| Some((*id, circles.made(dag, id)?.1)));
        self.name_commit().map(|commit| (CircleId::WORKSPACE, commit)).into_iter().chain(made).collect()
    }

    /// A circle; circle zero has all members.
    #[must_use]
    pub fn circle(&self, id: &CircleId) -> Option<Circle> {
        let (settings, name_commit) = if *id == CircleId::WORKSPACE {
            (CircleSettings::WORKSPACE, self.0.name_commit?)
        } else {
            let (settings, name_commit, _) = self.0.circles.made(&self.0.dag, id)?;
            (settings, name_commit)
        };
        let users: BTreeSet<UserId> = if *id == CircleId::WORKSPACE {
            self.0.members.users.keys().copied().collect()
        } else {
            self.0.circles.users(id).copied().collect()
        };
        let role = |user: UserId| Some((user, self.role_in_circle(&user, id)?));
        Some(Circle { id: *id, settings, name_commit, members: users.into_iter().filter_map(role).collect() })
    }

    /// What a user may do in a circle: at most what it may in the workspace. `None` if it is not in
    /// the circle.
    #[must_use]
    pub fn role_in_circle(&self, user: &UserId, circle: &CircleId) -> Option<Role> {
        let Fold { dag, members, circles, .. } = &*self.0;
        circles.role(dag, members, circle, user, View::Everything)
    }

    /// Whether a device is active and a writer of a circle in the state of an entry and its past.
    #[must_use]
    pub fn is_writer_of(&self, device: &DeviceId, circle: &CircleId, at: &EntryId) -> bool {
        let Fold { dag, members, circles, .. } = &*self.0;
        let Some(view) = dag.find(at).map(|node| dag.upto(node)) else { return false };
        let user = members.standing(dag, device, view).map(|(user, _)| user);
        let role = user.and_then(|user| circles.role(dag, members, circle, &user, view));
        role.is_some_and(|role| role >= Role::Writer)
    }

    /// Whom an epoch key of a circle is wrapped to, with their X25519 keys: the active devices of its
    /// members, sorted, and the root unless the circle was made without it.
    #[must_use]
    pub fn recipients(&self, circle: &CircleId) -> Vec<(DeviceId, [u8; 32])> {
        let Some(circle) = self.circle(circle) else { return Vec::new() };
        let users = circle.members.iter().filter_map(|(user, _)| self.user(user));
        let devices: BTreeSet<_> = users.flat_map(|user| user.devices).collect();
        let devices = devices.into_iter().filter_map(|id| Some((id, self.device(&id)?.kem_pk)));
        let root = self.root().filter(|_| circle.settings.for_root).map(|root| (root.pk, root.kem_pk));
        devices.chain(root).collect()
    }

    /// The epochs of a circle that one may write with, by number, then key id.
    #[must_use]
    pub fn epochs(&self, circle: &CircleId) -> Vec<&Epoch> {
        self.0.keys.of_circle(circle, true)
    }

    /// All epochs of a circle whose keys may be needed for reading, by number, then key id: also
    /// those whose author lost its standing, since others wrote with them meanwhile.
    #[must_use]
    pub fn known_epochs(&self, circle: &CircleId) -> Vec<&Epoch> {
        self.0.keys.of_circle(circle, false)
    }

    /// The devices, or root, that a key was given to by valid epochs and grants. To write with it
    /// these must be the circle's [`Directory::recipients`]; the root may lack.
    #[must_use]
    pub fn readers(&self, key_id: &KeyId) -> BTreeSet<DeviceId> {
        self.0.keys.readers(key_id)
    }

    /// The circles that a key was published for.
    #[must_use]
    pub fn circles_of_key(&self, key_id: &KeyId) -> BTreeSet<CircleId> {
        self.0.keys.circles_of(&self.0.dag, key_id, View::Everything)
    }

    /// The circles that a key was published for in the state of an entry and its past. That never
    /// changes; none if the key is not known there, or the entry is not held.
    #[must_use]
    pub fn circles_of_key_at(&self, key_id: &KeyId, at: &EntryId) -> BTreeSet<CircleId> {
        let Fold { dag, keys, .. } = &*self.0;
        dag.find(at).map(|node| keys.circles_of(dag, key_id, dag.upto(node))).unwrap_or_default()
    }

    /// The number of a circle's next epoch and the epochs it must seal, for an entry whose past is
    /// everything held. `None` if the numbers are used up.
    #[must_use]
    pub fn next_epoch(&self, circle: &CircleId) -> Option<NextEpoch> {
        self.0.keys.next(&self.0.dag, circle)
    }

    /// An epoch key as wrapped to a device, by whatever epoch or grant. Each may be wrong: the
    /// epoch's commitment tells.
    #[must_use]
    pub fn wraps(&self, key_id: &KeyId, device: &DeviceId) -> Vec<&Wrap> {
        self.0.keys.wraps(key_id, device)
    }

    /// The relays in the present state, by key.
    #[must_use]
    pub fn relays(&self) -> Vec<Relay> {
        self.0.relays.current(&self.0.dag, &self.0.members)
    }

    /// The rules of the workspace in the present state.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.0.policies.current(&self.0.dag, &self.0.members)
    }

    /// The entries of a stream whose payloads are to be dropped, as far as the directory allows it.
    #[must_use]
    pub fn purged(&self, stream: &StreamId) -> BTreeSet<Purged> {
        self.0.policies.purged(&self.0.dag, &self.0.members, stream)
    }

    /// The points up to which entries of a device in a stream count, sorted; none if it was never
    /// removed. [`Directory::binds`] says which of them an entry must keep to.
    #[must_use]
    pub fn limits(&self, device: &DeviceId, stream: &StreamId) -> Vec<Limit> {
        let Fold { dag, members, circles, amendments, .. } = &*self.0;
        amendments.limits(dag, members, circles, device, stream)
    }

    /// Whether an entry that is not part of the directory must be at or before a limit's cut.
    #[must_use]
    pub fn binds(&self, limit: &Limit, header: &Header) -> bool {
        let Fold { dag, members, circles, keys, .. } = &*self.0;
        let (Some(removal), Some(auth)) = (dag.find(&limit.by), dag.find(&header.auth)) else { return true };
        // Whose key it is follows from what the author knew: or anybody could, aside, present a key of the
        // workspace as one of a circle that somebody left, and so have what it wrote excluded.
        if let Cause::LeftCircle(circle) = limit.cause
            && !keys.circles_of(dag, &header.key_id, dag.upto(auth)).contains(&circle)
        {
            return false;
        }
        cuts::binds(dag, members, circles, &header.author, (limit.cause, removal), dag.upto(auth))
    }

    /// The point up to which entries of a device in a stream count although its addition is void,
    /// because an admin vouches for them.
    #[must_use]
    pub fn granted(&self, device: &DeviceId, stream: &StreamId) -> Option<(u64, EntryId)> {
        let Fold { dag, members, amendments, .. } = &*self.0;
        amendments.granted(dag, members, device, stream)
    }

    pub(super) fn standing(&self, device: &DeviceId) -> Option<(UserId, Role)> {
        self.0.members.standing(&self.0.dag, device, View::Everything)
    }
}
