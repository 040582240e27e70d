//! Cobblestone-256: the one symmetric construction (C2SP "chunked-encryption", SHA-512, AES-256-GCM).
//!
//! ```text
//! offset size field
//!    0   24   salt           never twice under one key with different data
//!   24   32   commitment     to key, salt and context
//!   56   ..   chunks         each 16,384 bytes of plaintext and a 16-byte tag; the last is shorter,
//!                            and may be empty
//! key 32 | base nonce 12 | commitment 32 = HKDF-Expand-SHA512(input key,
//!     "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM" | 00 | salt | context)
//! nonce of chunk i = base nonce XOR i (big-endian)
//! ```
//!
//! A ciphertext commits to its key and context, so it has one plaintext. Messages are whole in
//! memory here; the limit of their size is the caller's.

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce, Tag};
use hmac::{Hmac, Mac as _};
use sha2::Sha512;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{KEY_LEN, Secret};

/// Bytes of a salt.
pub(crate) const SALT_LEN: usize = 24;
const COMMITMENT_LEN: usize = 32;
/// Bytes of salt and commitment, with which a ciphertext begins.
pub(crate) const PREFIX_LEN: usize = SALT_LEN + COMMITMENT_LEN;
const CHUNK_LEN: usize = 16 * 1024;
const TAG_LEN: usize = 16;
const NONCE_LEN: usize = 12;
const LABEL: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";

/// A ciphertext does not open: another key or context, or altered bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("ciphertext does not open under this key and context")]
pub(crate) struct SealError;

/// Length of the ciphertext of so many bytes.
pub(crate) const fn sealed_len(plaintext_len: usize) -> usize {
    PREFIX_LEN + plaintext_len + TAG_LEN * (plaintext_len / CHUNK_LEN + 1)
}

/// Encrypts under a key and a context, which is the concatenation of its parts.
///
/// The salt must not repeat under one key with different data.
pub(crate) fn seal(key: &Secret, context: &[&[u8]], salt: [u8; SALT_LEN], plaintext: &[u8]) -> Vec<u8> {
    let message = Message::derive(key, context, &salt);
    let mut sealed = Vec::with_capacity(sealed_len(plaintext.len()));
    sealed.extend_from_slice(&salt);
    sealed.extend_from_slice(&message.commitment);
    let full = plaintext.chunks_exact(CHUNK_LEN);
    let last = full.remainder();
    for (number, chunk) in (0..).zip(full.chain([last])) {
        let start = sealed.len();
        sealed.extend_from_slice(chunk);
        let tag = message
            .cipher
            .encrypt_inout_detached(&message.nonce(number), &[], (&mut sealed[start..]).into())
            .expect("a chunk is within AES-GCM's limit");
        sealed.extend_from_slice(&tag);
    }
    sealed
}

/// Decrypts what [`seal`] made under the same key and context.
///
/// # Errors
///
/// [`SealError`] for anything else.
pub(crate) fn open(key: &Secret, context: &[&[u8]], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (salt, rest) = sealed.split_first_chunk::<SALT_LEN>().ok_or(SealError)?;
    let (commitment, chunks) = rest.split_first_chunk::<COMMITMENT_LEN>().ok_or(SealError)?;
    let message = Message::derive(key, context, salt);
    if !bool::from(message.commitment.ct_eq(commitment)) {
        return Err(SealError);
    }
    let mut plaintext = Vec::with_capacity(chunks.len());
    let full = chunks.chunks_exact(CHUNK_LEN + TAG_LEN);
    let last = full.remainder();
    for (number, chunk) in (0..).zip(full.chain([last])) {
        let (body, tag) = chunk.split_last_chunk::<TAG_LEN>().ok_or(SealError)?;
        let start = plaintext.len();
        plaintext.extend_from_slice(body);
        message
            .cipher
            .decrypt_inout_detached(
                &message.nonce(number),
                &[],
                (&mut plaintext[start..]).into(),
                &Tag::from(*tag),
            )
            .map_err(|_| SealError)?;
    }
    Ok(plaintext)
}

/// What is derived anew for each message.
struct Message {
    cipher: Aes256Gcm,
    base_nonce: [u8; NONCE_LEN],
    commitment: [u8; COMMITMENT_LEN],
}

impl Message {
    fn derive(key: &Secret, context: &[&[u8]], salt: &[u8; SALT_LEN]) -> Self {
        // HKDF-Expand to 76 bytes by hand: the `hkdf` crate wants a key as long as the hash.
        let first = block(key, &[], salt, context, 1);
        let second = block(key, &*first, salt, context, 2);
        let mut output = Zeroizing::new([0; 128]);
        output[..64].copy_from_slice(&*first);
        output[64..].copy_from_slice(&*second);
        let (cipher_key, rest) = output.split_first_chunk::<KEY_LEN>().expect("128 bytes");
        let (base_nonce, rest) = rest.split_first_chunk().expect("96 bytes");
        let commitment = rest.first_chunk().expect("84 bytes");
        Self { cipher: Aes256Gcm::new(cipher_key.into()), base_nonce: *base_nonce, commitment: *commitment }
    }

    fn nonce(&self, number: u64) -> Nonce<aes_gcm::aead::consts::U12> {
        let mut nonce = self.base_nonce;
        for (byte, mask) in nonce[NONCE_LEN - 8..].iter_mut().zip(number.to_be_bytes()) {
            *byte ^= mask;
        }
        nonce.into()
    }
}

/// One block of HKDF-Expand-SHA512.
fn block(
    key: &Secret,
    previous: &[u8],
    salt: &[u8; SALT_LEN],
    context: &[&[u8]],
    counter: u8,
) -> Zeroizing<[u8; 64]> {
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(previous);
    mac.update(LABEL);
    mac.update(salt);
    for part in context {
        mac.update(part);
    }
    mac.update(&[counter]);
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests;
