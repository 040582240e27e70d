//! The keys of a device in one workspace, and the keys of the workspace's root.
//!
//! ```text
//! device, from its 32-byte seed, per workspace W and incarnation I:
//!   HKDF-SHA256(seed, salt = W | I, info = "TIDE1 dev sign")   -> Ed25519 seed: the device id
//!   HKDF-SHA256(seed, salt = W | I, info = "TIDE1 dev kem")    -> X25519 secret: receives wraps
//!   HKDF-SHA256(seed, salt = W, info = "TIDE1 dev local")      -> key of local files, in every life
//! root, from its 32-byte secret, before W is known:
//!   HKDF-SHA256(secret, salt = none, info = "TIDE1 root sign") -> Ed25519 seed
//!   HKDF-SHA256(secret, salt = none, info = "TIDE1 root kem")  -> X25519 secret
//! ```
//!
//! Keys per workspace keep a relay from linking one person across workspaces.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use hpke::{Deserializable as _, Kem as _, Serializable as _, kem::X25519HkdfSha256};
use tidelog_log::crypto::{Signer, tag};
use tidelog_log::ids::{DeviceId, WorkspaceId};

use super::{KEY_LEN, Secret, hkdf};

const TAG_DEVICE_SIGN: [u8; 16] = tag("TIDE1 dev sign");
const TAG_DEVICE_KEM: [u8; 16] = tag("TIDE1 dev kem");
const TAG_DEVICE_LOCAL: [u8; 16] = tag("TIDE1 dev local");
const TAG_ROOT_SIGN: [u8; 16] = tag("TIDE1 root sign");
const TAG_ROOT_KEM: [u8; 16] = tag("TIDE1 root kem");

/// Bytes that tell one life of a device from its copies.
pub(crate) const INCARNATION_LEN: usize = 16;

type PrivateKey = <X25519HkdfSha256 as hpke::Kem>::PrivateKey;

/// Signs and receives for one device of one workspace. The key that receives is [`KemSecret`].
pub(crate) struct DeviceKeys {
    sign: SigningKey,
    kem: KemSecret,
    local: Secret,
}

impl DeviceKeys {
    /// Derives the keys of a seed for a workspace and an incarnation.
    pub(crate) fn derive(
        seed: &Secret,
        workspace: &WorkspaceId,
        incarnation: &[u8; INCARNATION_LEN],
    ) -> Self {
        let salt = [&workspace.0[..], incarnation].concat();
        Self {
            sign: SigningKey::from_bytes(hkdf(seed, &salt, &TAG_DEVICE_SIGN).as_bytes()),
            kem: KemSecret::new(&hkdf(seed, &salt, &TAG_DEVICE_KEM)),
            local: hkdf(seed, &workspace.0, &TAG_DEVICE_LOCAL),
        }
    }

    /// The key that receives wraps.
    pub(crate) fn kem(&self) -> &KemSecret {
        &self.kem
    }

    /// The key that encrypts this device's own files, which never leave it.
    pub(crate) fn local_key(&self) -> &Secret {
        &self.local
    }
}

/// Signs and receives for the root of a workspace.
pub(crate) struct RootKeys {
    sign: SigningKey,
    kem: KemSecret,
}

impl RootKeys {
    /// Derives the keys of the root secret.
    pub(crate) fn derive(secret: &Secret) -> Self {
        Self {
            sign: SigningKey::from_bytes(hkdf(secret, &[], &TAG_ROOT_SIGN).as_bytes()),
            kem: KemSecret::new(&hkdf(secret, &[], &TAG_ROOT_KEM)),
        }
    }

    /// The key that receives wraps.
    pub(crate) fn kem(&self) -> &KemSecret {
        &self.kem
    }
}

macro_rules! signer {
    ($($keys:ident),*) => {
        $(
            impl Signer for $keys {
                fn device(&self) -> DeviceId {
                    DeviceId(self.sign.verifying_key().to_bytes())
                }

                fn sign(&self, message: &[u8]) -> [u8; 64] {
                    self.sign.sign(message).to_bytes()
                }
            }

            impl fmt::Debug for $keys {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(formatter, "{}({})", stringify!($keys), self.device())
                }
            }
        )*
    };
}

signer!(DeviceKeys, RootKeys);

/// Whoever epoch keys are wrapped to: a device, or the root.
pub(crate) trait KeyHolder: Signer + fmt::Debug {
    /// The key that receives wraps.
    fn kem(&self) -> &KemSecret;
}

impl KeyHolder for DeviceKeys {
    fn kem(&self) -> &KemSecret {
        &self.kem
    }
}

impl KeyHolder for RootKeys {
    fn kem(&self) -> &KemSecret {
        &self.kem
    }
}

/// The X25519 secret that opens wraps.
pub(crate) struct KemSecret(PrivateKey);

impl KemSecret {
    fn new(secret: &Secret) -> Self {
        Self(PrivateKey::from_bytes(secret.as_bytes()).expect("an X25519 secret is any 32 bytes"))
    }

    /// The public key, for certificates.
    pub(crate) fn public(&self) -> [u8; KEY_LEN] {
        X25519HkdfSha256::sk_to_pk(&self.0).to_bytes().into()
    }

    pub(super) fn private(&self) -> &PrivateKey {
        &self.0
    }
}

impl fmt::Debug for KemSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KemSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidelog_log::crypto::PublicKey;

    fn keys(seed: u8, workspace: u8, incarnation: u8) -> DeviceKeys {
        DeviceKeys::derive(
            &Secret::new([seed; 32]),
            &WorkspaceId([workspace; 32]),
            &[incarnation; INCARNATION_LEN],
        )
    }

    #[test]
    fn every_input_changes_every_key_that_others_see_and_files_stay_readable_in_the_next_life() {
        let base = keys(1, 2, 3);
        for other in [keys(9, 2, 3), keys(1, 9, 3), keys(1, 2, 9)] {
            assert_ne!(base.device(), other.device());
            assert_ne!(base.kem().public(), other.kem().public());
        }
        for other in [keys(9, 2, 3), keys(1, 9, 3)] {
            assert_ne!(base.local_key().as_bytes(), other.local_key().as_bytes());
        }
        assert_eq!(base.local_key().as_bytes(), keys(1, 2, 9).local_key().as_bytes());
        assert_eq!(base.device(), keys(1, 2, 3).device());
    }

    #[test]
    fn signatures_pass_the_strict_rules() {
        let keys = keys(1, 2, 3);
        let public = PublicKey::new(keys.device().as_bytes()).expect("acceptable");
        assert!(public.verify(b"message", &Signer::sign(&keys, b"message")));
        assert!(!public.verify(b"other", &Signer::sign(&keys, b"message")));
    }

    #[test]
    fn debug_shows_the_public_key_only() {
        let keys = keys(1, 2, 3);
        assert_eq!(format!("{keys:?}"), format!("DeviceKeys({})", keys.device()));
        assert_eq!(format!("{:?}", keys.kem()), "KemSecret(..)");
    }
}
