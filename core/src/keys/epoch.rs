//! Epoch keys and name keys: how they are named, committed to, and handed over.
//!
//! ```text
//! K_e        = 32 random bytes per circle and epoch
//! commit     = HKDF-Expand(K_e, "TIDE1 key commit")            signed in the directory
//! key_id     = SHA-256(commit)[0..16]                          lookup tag in every entry header
//! hedge      = HKDF-Expand(K_e, "TIDE1 hedge")
//! wrap       = HPKE(recipient's X25519 key, info, K_e) = enc 32 | ct 48
//!   info     = "TIDE1 keywrap" | W 32 | circle 16 | epoch u32 | key_id 16 | commit 32 | recipient 32
//! prev_wrap  = Cobblestone-256(K_e, "TIDE1 prev wrap" | W | circle | epoch | key_id | prev key_id, K_prev)
//!
//! N_c        = 32 random bytes per circle
//! name_commit = HKDF-Expand(N_c, "TIDE1 name key")             signed in the directory
//! name_wrap  = Cobblestone-256(K_e, "TIDE1 name wrap" | W | circle | epoch | key_id, N_c)
//! stream     = HMAC-SHA256(N_c, "TIDE1 stream" | database name)[0..16]
//! psk        = HKDF-Expand(N_c, "TIDE1 peer psk")              between peers, of circle 0
//! ```
//!
//! HPKE is RFC 9180 base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM, and an
//! empty AAD. Whoever opens a wrap checks the commitment, so handing different keys to different
//! members under one epoch is caught, and provable by the signed directory entry.

use std::convert::Infallible;

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem, OpModeR, OpModeS, Serializable as _};
use tidelog_log::crypto::tag;
use tidelog_log::directory::{SEALED_KEY_LEN, Wrap, key_id};
use tidelog_log::env::{Random, random_array};
use tidelog_log::ids::{CircleId, DeviceId, KeyId, StreamId, WorkspaceId};
use zeroize::Zeroizing;

use super::cobblestone;
use super::device::KemSecret;
use super::{KEY_LEN, Secret, expand, first, hmac_sha256};

const TAG_COMMIT: [u8; 16] = tag("TIDE1 key commit");
const TAG_HEDGE: [u8; 16] = tag("TIDE1 hedge");
const TAG_WRAP: [u8; 16] = tag("TIDE1 keywrap");
const TAG_PREVIOUS: [u8; 16] = tag("TIDE1 prev wrap");
const TAG_NAME_COMMIT: [u8; 16] = tag("TIDE1 name key");
const TAG_NAME_WRAP: [u8; 16] = tag("TIDE1 name wrap");
const TAG_STREAM: [u8; 16] = tag("TIDE1 stream");
const TAG_PSK: [u8; 16] = tag("TIDE1 peer psk");

const _: () = assert!(SEALED_KEY_LEN == cobblestone::sealed_len(KEY_LEN));

type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Why a wrapped key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrapError {
    #[error("the wrap was made for another device, circle or epoch, or is damaged")]
    Open,
    #[error("the wrapped key is not the one its author committed to")]
    Commitment,
    #[error("the recipient's key cannot receive wraps")]
    Recipient,
}

/// An epoch key with what is derived from it.
#[derive(Debug, Clone)]
pub(crate) struct EpochKey {
    key: Secret,
    hedge: Secret,
    commit: [u8; 32],
}

impl EpochKey {
    /// Takes over the key of an epoch.
    pub(crate) fn new(key: Secret) -> Self {
        let commit = *expand(&key, &TAG_COMMIT).as_bytes();
        Self { hedge: expand(&key, &TAG_HEDGE), commit, key }
    }

    /// A random key.
    pub(crate) fn generate(random: &dyn Random) -> Self {
        Self::new(Secret::generate(random))
    }

    /// The public commitment to the key.
    pub(crate) fn commit(&self) -> [u8; 32] {
        self.commit
    }

    /// The public name of the key.
    pub(crate) fn id(&self) -> KeyId {
        key_id(&self.commit)
    }

    /// The secret itself, to seal with.
    pub(crate) fn secret(&self) -> &Secret {
        &self.key
    }

    /// The key that hedges salts.
    pub(crate) fn hedge(&self) -> &Secret {
        &self.hedge
    }
}

/// Where a key belongs: all wraps are bound to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EpochLabel {
    /// The workspace.
    pub(crate) workspace: WorkspaceId,
    /// The circle.
    pub(crate) circle: CircleId,
    /// The number of the epoch in its circle.
    pub(crate) epoch: u32,
    /// The commitment published for the key.
    pub(crate) commit: [u8; 32],
}

impl EpochLabel {
    /// The name of the key.
    pub(crate) fn key_id(&self) -> KeyId {
        key_id(&self.commit)
    }

    /// `tag | W | circle | epoch | key_id`, the start of every context.
    fn context(&self, tag: &[u8; 16]) -> Vec<u8> {
        let epoch = self.epoch.to_le_bytes();
        [&tag[..], &self.workspace.0, &self.circle.0, &epoch, &self.key_id().0].concat()
    }

    fn wrap_info(&self, recipient: &DeviceId) -> Vec<u8> {
        [&self.context(&TAG_WRAP)[..], &self.commit, &recipient.0].concat()
    }
}

/// Wraps an epoch key to a device.
///
/// # Errors
///
/// [`WrapError::Recipient`] if the device's public key is of small order.
pub(crate) fn wrap(
    key: &EpochKey,
    label: &EpochLabel,
    recipient: &DeviceId,
    recipient_kem: &[u8; KEY_LEN],
    random: &dyn Random,
) -> Result<Wrap, WrapError> {
    let public = PublicKey::from_bytes(recipient_kem).map_err(|_| WrapError::Recipient)?;
    let (enc, sealed) = hpke::single_shot_seal_with_rng::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        &label.wrap_info(recipient),
        key.secret().as_bytes(),
        &[],
        &mut Source(random),
    )
    .map_err(|_| WrapError::Recipient)?;
    let ct = sealed.try_into().expect("32 bytes and a tag of 16");
    Ok(Wrap { device: *recipient, enc: enc.to_bytes().into(), ct })
}

/// Opens a wrap, and checks that it holds the key that was committed to.
///
/// # Errors
///
/// [`WrapError::Open`] or [`WrapError::Commitment`].
pub(crate) fn unwrap(label: &EpochLabel, kem: &KemSecret, wrap: &Wrap) -> Result<EpochKey, WrapError> {
    let enc = EncappedKey::from_bytes(&wrap.enc).map_err(|_| WrapError::Open)?;
    let key = hpke::single_shot_open::<AesGcm256, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        kem.private(),
        &enc,
        &label.wrap_info(&wrap.device),
        &wrap.ct,
        &[],
    )
    .map_err(|_| WrapError::Open)?;
    committed(Zeroizing::new(key), &label.commit)
}

/// Seals the key of an earlier epoch, in the place of the one with this id, under a later one of the
/// circle.
pub(crate) fn seal_previous(
    key: &EpochKey,
    label: &EpochLabel,
    previous_id: &KeyId,
    previous: &EpochKey,
    random: &dyn Random,
) -> [u8; SEALED_KEY_LEN] {
    let context = label.context(&TAG_PREVIOUS);
    seal_key(key, &[&context, &previous_id.0], previous.secret(), random)
}

/// Opens the key of an earlier epoch, and checks that it has this commitment.
///
/// # Errors
///
/// [`WrapError::Open`] or [`WrapError::Commitment`].
pub(crate) fn open_previous(
    key: &EpochKey,
    label: &EpochLabel,
    previous_commit: &[u8; 32],
    sealed: &[u8; SEALED_KEY_LEN],
) -> Result<EpochKey, WrapError> {
    let context = label.context(&TAG_PREVIOUS);
    let opened = cobblestone::open(key.secret(), &[&context, &key_id(previous_commit).0], sealed);
    committed(Zeroizing::new(opened.map_err(|_| WrapError::Open)?), previous_commit)
}

/// The bytes as the key with this commitment.
fn committed(bytes: Zeroizing<Vec<u8>>, commit: &[u8; 32]) -> Result<EpochKey, WrapError> {
    let bytes: [u8; KEY_LEN] = bytes.as_slice().try_into().map_err(|_| WrapError::Open)?;
    let key = EpochKey::new(Secret::new(bytes));
    if key.commit == *commit { Ok(key) } else { Err(WrapError::Commitment) }
}

fn seal_key(key: &EpochKey, context: &[&[u8]], sealed: &Secret, random: &dyn Random) -> [u8; SEALED_KEY_LEN] {
    let sealed = cobblestone::seal(key.secret(), context, random_array(random), sealed.as_bytes());
    sealed.try_into().expect("the sealed length of a key")
}

/// The key by which the members of a circle name its databases.
#[derive(Debug, Clone)]
pub(crate) struct NameKey(Secret);

impl NameKey {
    /// Takes over the name key of a circle.
    pub(crate) fn new(key: Secret) -> Self {
        Self(key)
    }

    /// A random key.
    pub(crate) fn generate(random: &dyn Random) -> Self {
        Self::new(Secret::generate(random))
    }

    /// The public commitment to the key.
    pub(crate) fn commit(&self) -> [u8; 32] {
        *expand(&self.0, &TAG_NAME_COMMIT).as_bytes()
    }

    /// The stream of a database.
    pub(crate) fn stream_id(&self, database: &str) -> StreamId {
        StreamId(first(&hmac_sha256(&self.0, &[&TAG_STREAM, database.as_bytes()])))
    }

    /// The key that peers share before they know each other.
    pub(crate) fn psk(&self) -> Secret {
        expand(&self.0, &TAG_PSK)
    }

    /// Seals the name key under an epoch key.
    pub(crate) fn seal(
        &self,
        key: &EpochKey,
        label: &EpochLabel,
        random: &dyn Random,
    ) -> [u8; SEALED_KEY_LEN] {
        seal_key(key, &[&label.context(&TAG_NAME_WRAP)], &self.0, random)
    }

    /// Opens the name key with an epoch key, and checks that it has this commitment.
    ///
    /// # Errors
    ///
    /// [`WrapError::Open`] or [`WrapError::Commitment`].
    pub(crate) fn open(
        key: &EpochKey,
        label: &EpochLabel,
        name_commit: &[u8; 32],
        sealed: &[u8; SEALED_KEY_LEN],
    ) -> Result<Self, WrapError> {
        let opened = cobblestone::open(key.secret(), &[&label.context(&TAG_NAME_WRAP)], sealed);
        let opened = Zeroizing::new(opened.map_err(|_| WrapError::Open)?);
        let bytes: [u8; KEY_LEN] = opened.as_slice().try_into().map_err(|_| WrapError::Open)?;
        let name = Self::new(Secret::new(bytes));
        if name.commit() == *name_commit { Ok(name) } else { Err(WrapError::Commitment) }
    }
}

/// The engine's randomness in the shape that HPKE wants.
struct Source<'r>(&'r dyn Random);

impl TryRng for Source<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(random_array(self.0)))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(random_array(self.0)))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Source<'_> {}

#[cfg(test)]
mod tests;
