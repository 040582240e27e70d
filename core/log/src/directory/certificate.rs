//! Device certificates: a device's word for the user it belongs to and the keys it uses.
//!
//! ```text
//! offset size field
//!    0   32   sign_pk        Ed25519 key, the device id
//!   32   32   kem_pk         X25519 key that epoch keys are wrapped to
//!   64    1   caps           reserved for abilities of the device; any value is kept
//!   65    8   cert_version   u64; of two certificates of one device the higher replaces the other
//!   73   64   self_sig       Ed25519 by sign_pk over "TIDE1 device crt" | workspace 32 | user 16 | bytes 0..73
//! ```
//!
//! A certificate grants nothing: it counts only inside an `AddUser` or `AddDevice` that does. As
//! the device itself signs for one user, two certificates for two users prove its own fault.

use x25519_dalek::x25519;

use crate::crypto::{PublicKey, Signer, sha256, tag};
use crate::ids::{DeviceId, UserId, WorkspaceId};

/// Bytes of an encoded certificate.
pub const CERT_LEN: usize = 137;
const CERT_SIGNED_LEN: usize = 73;

const TAG_USER: [u8; 16] = tag("TIDE1 user");
const TAG_CERT: [u8; 16] = tag("TIDE1 device crt");

/// The id of the user whose first device is given.
///
/// `SHA-256("TIDE1 user" | workspace 32 | first_device 32)`, the first 16 bytes.
#[must_use]
pub fn user_id(workspace: &WorkspaceId, first_device: &DeviceId) -> UserId {
    let hash = sha256(&[&TAG_USER, &workspace.0, &first_device.0]);
    UserId(std::array::from_fn(|index| hash[index]))
}

/// Whether keys can be wrapped to this X25519 key: points of small order give an all-zero secret,
/// whatever the other side, and would stop every later epoch.
pub(super) fn is_usable_kem_key(kem_pk: &[u8; 32]) -> bool {
    x25519([1; 32], *kem_pk) != [0; 32]
}

/// A device's certificate for one user of one workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCert {
    /// The device: its signing key.
    pub sign_pk: DeviceId,
    /// The X25519 key that epoch keys are wrapped to.
    pub kem_pk: [u8; 32],
    /// Reserved for abilities of the device.
    pub caps: u8,
    /// Of two certificates of one device, the higher version replaces the other.
    pub cert_version: u64,
    /// The device's signature.
    pub self_sig: [u8; 64],
}

impl DeviceCert {
    /// Certifies the signer's device, with version 1 and no capabilities.
    #[must_use]
    pub fn issue(signer: &dyn Signer, kem_pk: [u8; 32], workspace: &WorkspaceId, user: &UserId) -> Self {
        let mut cert = Self { sign_pk: signer.device(), kem_pk, caps: 0, cert_version: 1, self_sig: [0; 64] };
        cert.self_sig = signer.sign(&cert.signed_bytes(workspace, user));
        cert
    }

    /// Checks keys and signature; the device's public key if both are good.
    #[must_use]
    pub fn verify(&self, workspace: &WorkspaceId, user: &UserId) -> Option<PublicKey> {
        let key = PublicKey::new(&self.sign_pk.0)?;
        let good = is_usable_kem_key(&self.kem_pk)
            && key.verify(&self.signed_bytes(workspace, user), &self.self_sig);
        good.then_some(key)
    }

    /// The certificate as bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; CERT_LEN] {
        let mut bytes = [0; CERT_LEN];
        bytes[..32].copy_from_slice(&self.sign_pk.0);
        bytes[32..64].copy_from_slice(&self.kem_pk);
        bytes[64] = self.caps;
        bytes[65..73].copy_from_slice(&self.cert_version.to_le_bytes());
        bytes[73..].copy_from_slice(&self.self_sig);
        bytes
    }

    /// Reads a certificate; any bytes are one. [`DeviceCert::verify`] says what it is worth.
    #[must_use]
    pub fn decode(bytes: &[u8; CERT_LEN]) -> Self {
        Self {
            sign_pk: DeviceId(field(bytes, 0)),
            kem_pk: field(bytes, 32),
            caps: bytes[64],
            cert_version: u64::from_le_bytes(field(bytes, 65)),
            self_sig: field(bytes, 73),
        }
    }

    fn signed_bytes(&self, workspace: &WorkspaceId, user: &UserId) -> Vec<u8> {
        [&TAG_CERT[..], &workspace.0, &user.0, &self.encode()[..CERT_SIGNED_LEN]].concat()
    }
}

/// Copies the fixed-size field at an offset that the layout guarantees.
fn field<const N: usize>(bytes: &[u8; CERT_LEN], offset: usize) -> [u8; N] {
    std::array::from_fn(|index| bytes[offset + index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::TestSigner;
    use proptest::prelude::*;

    const WORKSPACE: WorkspaceId = WorkspaceId([1; 32]);
    const USER: UserId = UserId([2; 16]);

    fn cert() -> DeviceCert {
        DeviceCert::issue(&TestSigner::new([3; 32]), [9; 32], &WORKSPACE, &USER)
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), CERT_LEN)) {
            let bytes: [u8; CERT_LEN] = bytes.try_into().expect("length");
            prop_assert_eq!(DeviceCert::decode(&bytes).encode(), bytes);
        }
    }

    #[test]
    fn every_single_bit_flip_is_refused() {
        let bytes = cert().encode();
        assert!(DeviceCert::decode(&bytes).verify(&WORKSPACE, &USER).is_some());
        for bit in 0..CERT_LEN * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(DeviceCert::decode(&flipped).verify(&WORKSPACE, &USER).is_none(), "bit {bit}");
        }
    }

    #[test]
    fn a_certificate_is_for_one_user_of_one_workspace() {
        assert!(cert().verify(&WORKSPACE, &UserId([3; 16])).is_none());
        assert!(cert().verify(&WorkspaceId([2; 32]), &USER).is_none());
    }

    #[test]
    fn a_key_that_nothing_can_be_wrapped_to_is_refused() {
        let signer = TestSigner::new([3; 32]);
        for kem_pk in [[0; 32], {
            let mut one = [0; 32];
            one[0] = 1;
            one
        }] {
            assert!(
                DeviceCert::issue(&signer, kem_pk, &WORKSPACE, &USER).verify(&WORKSPACE, &USER).is_none()
            );
        }
    }
}
