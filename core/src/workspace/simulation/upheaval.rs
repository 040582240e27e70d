//! Rights that change while the simulation runs: who is in the circle, who may write, who is removed.

use tidelog_log::directory::{CUTS_MAX, Cut, Op, Role};
use tidelog_log::ids::{CircleId, KeyId, UserId};

use super::device::{BOARD_MARK, DATABASES, Device};
use super::{World, now};
use crate::workspace::removal::divide;
use crate::workspace::testing::{held_by, take};

/// Devices that stay, at least: the founder and those that it meets.
const PRESENT_MIN: usize = 3;

impl World {
    /// The founder changes who may do what, as far as it knows who is there.
    pub(super) fn upheaval(&mut self) {
        let number = 1 + self.dice.below(self.devices.len() - 1);
        let directory = self.devices[0].log().directory();
        let user = self.devices[number].id().and_then(|device| directory.owner_of(&device));
        let Some(user) = user.and_then(|user| directory.user(&user)) else { return };
        let removed = self.devices[number].removed;
        let loses = match self.dice.below(10) {
            0..=4 if directory.role_in_circle(&user.id, &self.board).is_some() => {
                let founder = self.devices[0].workspace();
                now(founder.remove_from_circle(self.board, user.id)).expect("the founder is above");
                true
            }
            0..=4 if !removed => {
                let founder = self.devices[0].workspace();
                now(founder.add_to_circle(self.board, user.id, Role::Writer)).expect("a sound disk");
                self.devices[number].ever_in_board = true;
                false
            }
            5..=6 if user.role == Role::Writer => {
                let op = |cuts| Op::SetRole { user: user.id, role: Role::Reader, cuts };
                self.take_rights(user.id, op);
                true
            }
            5..=7 if user.role == Role::Reader => {
                self.take_rights(user.id, |_| Op::SetRole {
                    user: user.id,
                    role: Role::Writer,
                    cuts: vec![],
                });
                false
            }
            8 | 9 if self.present().count() > PRESENT_MIN && !removed => {
                if self.dice.chance(50) {
                    self.take_rights(user.id, |cuts| Op::RemoveUser { user: user.id, cuts });
                } else {
                    let device = self.devices[number].id().expect("its user is known");
                    self.take_rights(user.id, |cuts| Op::RemoveDevice { device, cuts });
                }
                self.devices[number].removed = true;
                true
            }
            _ => return,
        };
        if loses {
            for (other, device) in self.devices.iter_mut().enumerate() {
                device.suffer(other == number);
            }
        }
    }

    /// The founder writes an operation with the cuts of a user's devices, and new keys.
    fn take_rights(&self, user: UserId, op: impl FnOnce(Vec<Cut>) -> Op) {
        let engine = &self.devices[0].workspace().inner.engine;
        let cuts = engine.log.cuts_for(&engine.log.directory().devices_of(&user));
        let entries = divide(cuts, CUTS_MAX, op);
        let signer = engine.signer();
        engine.check_intent(&*signer, &entries[0]).expect("the founder is above");
        now(engine.commit_directory_entries(&signer, entries)).expect("a sound disk");
        now(engine.renew_keys()).expect("a sound disk");
    }

    /// Who never was in the circle holds none of its keys and shows nothing of it; who was removed
    /// cannot open what is written now, even if somebody hands it everything.
    pub(super) fn check_who_reads(&self) {
        let founder = &self.devices[0].workspace().inner.engine;
        let directory = founder.log.directory();
        let holds = |device: &Device, key: &KeyId| {
            let engine = &device.workspace().inner.engine;
            engine.keyring.read().expect("sound").get(key).is_some()
        };
        for device in self.devices.iter().filter(|device| !device.is_outsider()) {
            if device.removed {
                take(device.workspace(), held_by(&self.log(self.relay_node())));
            }
            if !device.ever_in_board {
                let epochs = directory.known_epochs(&self.board);
                assert!(!epochs.iter().any(|epoch| holds(device, &epoch.key_id)), "a key of the circle");
                let read = DATABASES.into_iter().filter(|database| !device.removed && device.holds(database));
                for shown in read.map(|database| device.view(database)) {
                    assert!(
                        !shown.values().any(|value| value.contains(BOARD_MARK)),
                        "something of the circle"
                    );
                }
            }
            for circle in [CircleId::WORKSPACE, self.board].into_iter().filter(|_| device.removed) {
                let keyring = founder.keyring.read().expect("sound");
                let key = keyring.writer_key(&circle, &directory).expect("the founder writes").id();
                drop(keyring);
                assert!(!holds(device, &key), "a key that was made after the removal");
            }
        }
    }
}
