//! Payloads: what an entry carries, compressed, padded and sealed.
//!
//! ```text
//! payload    = Cobblestone-256(K_e, context = "TIDE1 entry ctx" | header bytes 0..176, plaintext)
//! plaintext  = real_len u32 | bytes, real_len of them | zeros
//!              to the Padme size of (real_len + 4), 64 at least
//! bytes      = codec u8 | hlc u64 | operations
//! codec      = 1, operations as they are; or 81 hex, operations compressed:
//!              raw_len u32 | LZ4 block of exactly raw_len bytes
//! salt       = HMAC-SHA256(hedge, random 32 | header bytes 0..176 | plaintext)[0..24]
//! ```
//!
//! Padding hides sizes to about 12 percent. The compressed form must be the shorter one, and
//! raw_len is checked against [`OPERATIONS_LEN_MAX`] before memory is reserved. The hedged salt
//! keeps a copied machine with a repeated random state from using a nonce on two payloads.
//!
//! A payload is bound to everything in its header but the hash of itself and the signature: under
//! another author, workspace, stream or position it does not open. What the operations mean is
//! for the data layer.

use tidelog_log::crypto::tag;
use tidelog_log::entry::{CONTEXT_LEN, DATA_PAYLOAD_MAX, Entry};
use tidelog_log::env::{Random, random_array};

use super::cobblestone::{self, sealed_len};
use super::epoch::EpochKey;
use super::{first, hmac_sha256};

const TAG_CONTEXT: [u8; 16] = tag("TIDE1 entry ctx");

/// Longest operations of one entry, in bytes, before compression.
pub(crate) const OPERATIONS_LEN_MAX: usize = 1 << 20;

const CODEC: u8 = 1;
const CODEC_LZ4: u8 = CODEC | 0x80;
const LEN_LEN: usize = 4;
const HEAD_LEN: usize = 1 + 8;
const PLAINTEXT_LEN_MIN: usize = 64;

/// Why operations do not become a payload, or a payload does not become operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PayloadError {
    #[error("the operations do not fit into one entry")]
    TooLarge,
    #[error("the payload does not open under this key at this place")]
    Open,
    #[error("the payload was written by a newer version")]
    Codec,
    #[error("the payload is malformed: {0}")]
    Malformed(&'static str),
}

/// A plaintext, padded and ready to be sealed once its place in the log is known.
pub(crate) struct Plaintext(Vec<u8>);

impl Plaintext {
    /// Compresses operations if that pays, and pads them.
    ///
    /// # Errors
    ///
    /// [`PayloadError::TooLarge`] if they exceed [`OPERATIONS_LEN_MAX`], or an entry's payload.
    pub(crate) fn new(hlc: u64, operations: &[u8]) -> Result<Self, PayloadError> {
        if operations.len() > OPERATIONS_LEN_MAX {
            return Err(PayloadError::TooLarge);
        }
        let raw_size = padded_len(LEN_LEN + HEAD_LEN + operations.len());
        let compressed = (raw_size > PLAINTEXT_LEN_MIN)
            .then(|| lz4_flex::block::compress_prepend_size(operations))
            .filter(|compressed| padded_len(LEN_LEN + HEAD_LEN + compressed.len()) < raw_size);
        let (codec, body) = match &compressed {
            Some(compressed) => (CODEC_LZ4, compressed.as_slice()),
            None => (CODEC, operations),
        };
        let real_len = u32::try_from(HEAD_LEN + body.len()).expect("about 1 MiB at most");
        let size = padded_len(LEN_LEN + HEAD_LEN + body.len());
        if sealed_len(size) > DATA_PAYLOAD_MAX {
            return Err(PayloadError::TooLarge);
        }
        let mut plaintext = Vec::with_capacity(size);
        plaintext.extend_from_slice(&real_len.to_le_bytes());
        plaintext.push(codec);
        plaintext.extend_from_slice(&hlc.to_le_bytes());
        plaintext.extend_from_slice(body);
        plaintext.resize(size, 0);
        Ok(Self(plaintext))
    }

    /// A plaintext that this code may not have written, to see readers refuse it.
    #[cfg(test)]
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    #[cfg(test)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The length of the payload that sealing will give: it stands in the header, which the seal
    /// is bound to.
    pub(crate) fn payload_len(&self) -> u32 {
        u32::try_from(sealed_len(self.0.len())).expect("about 1 MiB at most")
    }

    /// Seals the plaintext for the entry whose header starts with `context`.
    pub(crate) fn seal(&self, key: &EpochKey, context: &[u8; CONTEXT_LEN], random: &dyn Random) -> Vec<u8> {
        let fresh: [u8; 32] = random_array(random);
        let salt = first(&hmac_sha256(key.hedge(), &[&fresh, context, &self.0]));
        cobblestone::seal(key.secret(), &[&TAG_CONTEXT, context], salt, &self.0)
    }
}

/// What an entry's payload held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The hybrid logical clock of the write: 48 bits of milliseconds, 16 bits of counter.
    pub(crate) hlc: u64,
    /// The operations, decompressed.
    pub(crate) operations: Vec<u8>,
}

/// Opens the payload of an entry with its epoch key.
///
/// # Errors
///
/// [`PayloadError`], the same on every replica: such a payload is skipped by all alike.
pub(crate) fn open(key: &EpochKey, entry: &Entry) -> Result<Opened, PayloadError> {
    let context = entry.header().context();
    let plaintext = cobblestone::open(key.secret(), &[&TAG_CONTEXT, &context], entry.payload())
        .map_err(|_| PayloadError::Open)?;
    decode(&plaintext)
}

/// Reads a plaintext.
pub(crate) fn decode(plaintext: &[u8]) -> Result<Opened, PayloadError> {
    let truncated = PayloadError::Malformed("truncated");
    let (real_len, rest) = plaintext.split_first_chunk().ok_or(truncated)?;
    let real_len = u32::from_le_bytes(*real_len) as usize;
    let (bytes, padding) = rest.split_at_checked(real_len).ok_or(truncated)?;
    if plaintext.len() != padded_len(LEN_LEN + real_len) {
        return Err(PayloadError::Malformed("padded length"));
    }
    if padding.iter().any(|&byte| byte != 0) {
        return Err(PayloadError::Malformed("padding"));
    }
    let ([codec], rest) = bytes.split_first_chunk().ok_or(truncated)?;
    let (hlc, body) = rest.split_first_chunk().ok_or(truncated)?;
    let operations = match *codec {
        CODEC => body.to_vec(),
        CODEC_LZ4 => decompress(body)?,
        _ => return Err(PayloadError::Codec),
    };
    Ok(Opened { hlc: u64::from_le_bytes(*hlc), operations })
}

fn decompress(body: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let (raw_len, block) = body.split_first_chunk().ok_or(PayloadError::Malformed("truncated"))?;
    let raw_len = u32::from_le_bytes(*raw_len) as usize;
    if raw_len > OPERATIONS_LEN_MAX {
        return Err(PayloadError::Malformed("decompressed length"));
    }
    if raw_len <= body.len() {
        return Err(PayloadError::Malformed("compressed form is not the shorter one"));
    }
    let mut operations = vec![0; raw_len];
    match lz4_flex::block::decompress_into(block, &mut operations) {
        Ok(written) if written == raw_len => Ok(operations),
        _ => Err(PayloadError::Malformed("compressed data")),
    }
}

/// The size that so many bytes are padded to (Padme): at least 64, then keeping only as many
/// leading bits as hide the rest within about 12 percent.
fn padded_len(len: usize) -> usize {
    if len <= PLAINTEXT_LEN_MIN {
        return PLAINTEXT_LEN_MIN;
    }
    let exponent = len.ilog2();
    let kept = exponent.ilog2() + 1;
    let mask = (1 << (exponent - kept)) - 1;
    (len + mask) & !mask
}

#[cfg(test)]
mod tests;
