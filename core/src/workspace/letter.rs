//! The letter of a device that asks to join, sealed under the secret of the invite: the same bytes
//! whether a relay's mailbox brings them or a person does.

use serde::{Deserialize, Serialize};
use tidelog_log::crypto::tag;
use tidelog_log::directory::{CERT_LEN, DeviceCert, user_id};
use tidelog_log::frames::MAIL_MAX;

use super::create::{LABEL_BYTES_MAX, check_label};
use super::invite_link::InviteLink;
use crate::error::Result;
use crate::keys::cobblestone;
use crate::value::{cbor, from_value, to_value};

const TAG_LETTER: [u8; 16] = tag("TIDE1 join");

/// The longest letter fits into a mailbox: names are bounded.
const _: () = assert!(MAIL_MAX >= 2 * CERT_LEN + LABEL_BYTES_MAX + 512);

/// What a joiner says.
#[derive(Serialize, Deserialize)]
pub(super) struct Letter {
    pub(super) profile: String,
    cert: String,
    pub(super) requested_ms: u64,
}

impl Letter {
    pub(super) fn new(profile: &str, cert: &DeviceCert, requested_ms: u64) -> Self {
        let cert = cert.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        Self { profile: profile.to_owned(), cert, requested_ms }
    }

    /// The letter as everybody but the inviter sees it.
    pub(super) fn seal(&self, link: &InviteLink, salt: [u8; cobblestone::SALT_LEN]) -> Result<Vec<u8>> {
        let plain = cbor::encode(&to_value(self)?)?;
        Ok(cobblestone::seal(&link.mail_key(), &[&TAG_LETTER, &link.workspace.0], salt, &plain))
    }

    /// Opens a letter that was sealed under this link; `None` for any other bytes, and for a
    /// certificate or a name that nobody may have.
    pub(super) fn open(link: &InviteLink, sealed: &[u8]) -> Option<(Self, DeviceCert)> {
        if sealed.len() > MAIL_MAX {
            return None;
        }
        let plain = cobblestone::open(&link.mail_key(), &[&TAG_LETTER, &link.workspace.0], sealed).ok()?;
        let letter: Self = from_value(cbor::decode(&plain).ok()?).ok()?;
        if !letter.profile.is_empty() && check_label("profile name", &letter.profile).is_err() {
            return None;
        }
        let cert = decode_cert(&letter.cert)?;
        let user = link.user.unwrap_or_else(|| user_id(&link.workspace, &cert.sign_pk));
        cert.verify(&link.workspace, &user)?;
        Some((letter, cert))
    }
}

fn decode_cert(text: &str) -> Option<DeviceCert> {
    if text.len() != CERT_LEN * 2 {
        return None;
    }
    let mut bytes = [0; CERT_LEN];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(DeviceCert::decode(&bytes))
}

#[cfg(test)]
mod tests {
    use tidelog_log::ids::WorkspaceId;

    use super::*;
    use crate::keys::Secret;
    use crate::keys::device::DeviceKeys;

    const WORKSPACE: WorkspaceId = WorkspaceId([1; 32]);

    fn link() -> InviteLink {
        InviteLink::new(WORKSPACE, [2; 32], None, None, Vec::new())
    }

    fn sealed(profile: &str) -> Vec<u8> {
        let keys = DeviceKeys::derive(&Secret::new([3; 32]), &WORKSPACE, &[0; 16]);
        let user = user_id(&WORKSPACE, &tidelog_log::crypto::Signer::device(&keys));
        let cert = DeviceCert::issue(&keys, keys.kem().public(), &WORKSPACE, &user);
        Letter::new(profile, &cert, 5).seal(&link(), [4; cobblestone::SALT_LEN]).expect("seals")
    }

    #[test]
    fn a_letter_opens_under_its_own_invite_only() {
        let letter = sealed("Bob");
        assert!(Letter::open(&link(), &letter).is_some_and(|(read, _)| read.profile == "Bob"));
        let other = InviteLink::new(WORKSPACE, [9; 32], None, None, Vec::new());
        assert!(Letter::open(&other, &letter).is_none());
        let elsewhere = InviteLink::new(WorkspaceId([9; 32]), [2; 32], None, None, Vec::new());
        assert!(Letter::open(&elsewhere, &letter).is_none());
    }

    #[test]
    fn a_name_that_nobody_may_have_makes_no_letter() {
        let longest = "x".repeat(LABEL_BYTES_MAX);
        for good in ["", "Bob", &longest] {
            assert!(Letter::open(&link(), &sealed(good)).is_some(), "{good:?}");
        }
        for bad in ["\u{1b}[2Jroot", " ", &format!("{longest}x")] {
            assert!(Letter::open(&link(), &sealed(bad)).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn a_certificate_for_another_user_makes_no_letter() {
        let same_user = InviteLink::new(WORKSPACE, [2; 32], None, Some([7; 16].into()), Vec::new());
        assert!(Letter::open(&same_user, &sealed("Bob")).is_none());
    }

    #[test]
    fn the_longest_letter_fits_into_a_mailbox() {
        assert!(sealed(&"x".repeat(LABEL_BYTES_MAX)).len() <= MAIL_MAX);
    }
}
