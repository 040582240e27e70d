//! Hashes, domain tags and strict Ed25519: what a replica needs to check a log it cannot read.
//!
//! Every domain tag is 16 ASCII bytes, zero-padded on the right; no tag is a prefix of another.
//! A public key is accepted only if it decodes, re-encodes to the same 32 bytes, is not of small
//! order and is torsion-free; signatures are checked with `verify_strict` only. Batch and strict
//! verification disagree on crafted keys, and replicas that disagree on an entry diverge.
//!
//! Nothing here knows a secret, save the [`Signer`] that callers bring.

pub mod noise;

use std::fmt;

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::ids::DeviceId;

/// A domain tag: ASCII text, zero-padded to 16 bytes.
///
/// # Panics
///
/// At compile time, if the text is longer than 16 bytes.
#[must_use]
pub const fn tag(text: &str) -> [u8; 16] {
    let bytes = text.as_bytes();
    assert!(bytes.len() <= 16, "a tag has at most 16 bytes");
    let mut tag = [0; 16];
    let mut index = 0;
    while index < bytes.len() {
        tag[index] = bytes[index];
        index += 1;
    }
    tag
}

/// SHA-256 over the concatenation of the parts.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Makes Ed25519 signatures for one device; the secret stays with whoever implements this.
pub trait Signer: Send + Sync {
    /// The device whose key signs.
    fn device(&self) -> DeviceId;
    /// The signature over a message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// An Ed25519 public key that passed the acceptance rules.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.device())
    }
}

impl PublicKey {
    /// Accepts a key, or `None` if it is not canonical, of small order, or has a torsion part.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Option<Self> {
        let point = CompressedEdwardsY(*bytes).decompress()?;
        if point.compress().as_bytes() != bytes || point.is_small_order() || !point.is_torsion_free() {
            return None;
        }
        VerifyingKey::from_bytes(bytes).ok().map(Self)
    }

    /// Whether the signature is good under the strict rules.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }

    /// The device that this key names.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        DeviceId(self.0.to_bytes())
    }
}

/// A signer with its key in memory, for tests.
#[cfg(any(test, feature = "test-util"))]
pub struct TestSigner(ed25519_dalek::SigningKey);

#[cfg(any(test, feature = "test-util"))]
impl TestSigner {
    /// The signer of a 32-byte seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&seed))
    }
}

#[cfg(any(test, feature = "test-util"))]
impl Signer for TestSigner {
    fn device(&self) -> DeviceId {
        DeviceId(self.0.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        use ed25519_dalek::Signer as _;
        self.0.sign(message).to_bytes()
    }
}
