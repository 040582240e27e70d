//! Keys: what keeps a workspace readable by its members only.
//!
//! * [`vault`] keeps the device seed at rest, under a passphrase or a raw key.
//! * [`device`] derives a device's signing and receiving keys from the seed, per workspace.
//! * [`epoch`] is the life of an epoch key: commitment, wraps to devices, the name key beside it.
//! * [`keyring`] learns epoch keys from the directory and picks the one to write with.
//! * [`payload`] pads, compresses and seals what an entry carries.
//! * [`words`] writes a secret down for a person.
//! * [`cobblestone`] is the one symmetric construction under all of them.
//!
//! Secrets live in [`Secret`] or in types that wipe themselves, are never shown by `Debug`, and
//! never appear in errors. Nothing here reads files, clocks or the network, or knows what the
//! operations inside a payload mean.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tidelog_log::env::{Random, random_array};
use zeroize::Zeroizing;

pub(crate) mod cobblestone;
pub(crate) mod device;
pub(crate) mod epoch;
pub(crate) mod keyring;
pub(crate) mod payload;
pub(crate) mod vault;
pub(crate) mod words;

/// Bytes of every symmetric key, seed and X25519 key.
pub(crate) const KEY_LEN: usize = 32;

/// 32 secret bytes, wiped when dropped.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<[u8; KEY_LEN]>);

impl Secret {
    /// Takes over secret bytes.
    pub(crate) fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Random bytes.
    pub(crate) fn generate(random: &dyn Random) -> Self {
        Self::new(random_array(random))
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(..)")
    }
}

/// HKDF-SHA256, extract and expand, to 32 bytes.
fn hkdf(secret: &Secret, salt: &[u8], info: &[u8]) -> Secret {
    let mut output = Zeroizing::new([0; KEY_LEN]);
    Hkdf::<Sha256>::new(Some(salt), secret.as_bytes())
        .expand(info, &mut *output)
        .expect("32 bytes are within HKDF's limit");
    Secret(output)
}

/// HKDF-SHA256, expand only, to 32 bytes: for a key that is uniformly random.
fn expand(key: &Secret, info: &[u8]) -> Secret {
    let mut output = Zeroizing::new([0; KEY_LEN]);
    Hkdf::<Sha256>::from_prk(key.as_bytes())
        .expect("a key has the length of a hash")
        .expand(info, &mut *output)
        .expect("32 bytes are within HKDF's limit");
    Secret(output)
}

/// HMAC-SHA256 over the concatenation of the parts.
fn hmac_sha256(key: &Secret, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The first `N` bytes of a longer array.
fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
    *bytes.first_chunk().expect("a hash is longer than what is taken of it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_of_itself() {
        assert_eq!(format!("{:?}", Secret::new([0xAB; 32])), "Secret(..)");
    }
}
