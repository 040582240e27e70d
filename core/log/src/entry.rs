//! One log entry: its bytes, its id, and the checks that need nothing but the entry itself.
//!
//! ```text
//! offset size field
//!    0    1   version        0x01
//!    1    1   suite          0x01
//!    2    1   kind           0 data, 1 directory, 2 checkpoint, 3 beacon; others are refused
//!    3    1   flags          bit 0 payload may be pruned; bit 1 covered (signature is zeros)
//!    4    4   payload_len    u32
//!    8    8   seq            u64, 1,2,3.. per (author, stream)
//!   16   32   workspace      id of the genesis entry (zeros inside genesis itself)
//!   48   32   author         device Ed25519 public key
//!   80   32   prev           id of the author's entry seq-1 in this stream; zeros iff seq = 1
//!  112   32   auth           directory entry whose past the author acts under (zeros in genesis)
//!  144   16   stream
//!  160   16   key_id         zeros iff the payload is plaintext (directory)
//!  176   32   payload_hash   SHA-256("TIDE1 payload" | payload)
//!  208   64   signature      Ed25519 over "TIDE1 entry sig" | bytes 0..208
//!  272   ..   payload
//! id = SHA-256("TIDE1 entry id" | bytes 0..272)
//! ```
//!
//! Integers are little-endian. One id names exactly one byte string: bytes are never re-encoded,
//! and whatever does not decode to a value that encodes to the same bytes is refused. A covered
//! entry carries no signature of its own; a later one of its chain vouches for it through `prev`.

use crate::crypto::{PublicKey, Signer, sha256, tag};
use crate::ids::{DeviceId, EntryId, KeyId, StreamId, WorkspaceId};

/// Bytes of a header, signature included.
pub const HEADER_LEN: usize = 272;
/// Bytes of a header that a payload's encryption is bound to.
pub const CONTEXT_LEN: usize = 176;
/// Bytes of a header that the signature covers.
pub const SIGNED_LEN: usize = 208;
/// Largest payload of a data entry: 1 MiB of padded plaintext and its encryption.
pub const DATA_PAYLOAD_MAX: usize = 1_049_656;
/// Largest payload of a directory entry.
pub const DIRECTORY_PAYLOAD_MAX: usize = 256 * 1024;
/// Format version that this code reads and writes.
pub const VERSION: u8 = 1;
/// Cipher suite that this code reads and writes.
pub const SUITE: u8 = 1;

const TAG_PAYLOAD: [u8; 16] = tag("TIDE1 payload");
const TAG_SIGNATURE: [u8; 16] = tag("TIDE1 entry sig");
const TAG_ID: [u8; 16] = tag("TIDE1 entry id");

/// Why bytes are not an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Fewer bytes than a header, or not as many as the header announces.
    #[error("entry has a wrong length")]
    Length,
    /// Written by a newer version or with another cipher suite.
    #[error("entry was written by a newer version: upgrade needed")]
    Unsupported,
    /// A field has a value that the format does not allow.
    #[error("entry is malformed: {0}")]
    Malformed(&'static str),
    /// The payload is larger than its kind allows.
    #[error("entry payload is too large")]
    TooLarge,
    /// The payload is not the one the header names.
    #[error("entry payload does not match its hash")]
    PayloadHash,
    /// The signature does not verify under the author's key.
    #[error("entry signature is invalid")]
    Signature,
}

/// What an entry carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Encrypted operations on a database, or on the catalogue in stream zero.
    Data = 0,
    /// Operations on the directory of members and keys, in plaintext.
    Directory = 1,
    /// Reserved for a summary of superseded history.
    Checkpoint = 2,
    /// A device's signed view of the chain tips it holds.
    Beacon = 3,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Data,
            1 => Self::Directory,
            2 => Self::Checkpoint,
            3 => Self::Beacon,
            _ => return None,
        })
    }

    /// The name of the kind.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Directory => "directory",
            Self::Checkpoint => "checkpoint",
            Self::Beacon => "beacon",
        }
    }

    /// Largest payload of this kind, in bytes.
    #[must_use]
    pub const fn payload_max(self) -> usize {
        match self {
            Self::Directory => DIRECTORY_PAYLOAD_MAX,
            Self::Data | Self::Checkpoint | Self::Beacon => DATA_PAYLOAD_MAX,
        }
    }
}

/// The fields of a header. Encodes to exactly [`HEADER_LEN`] bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// What the entry carries.
    pub kind: Kind,
    /// Whether the payload may be pruned once it is superseded.
    pub prunable: bool,
    /// Whether a later entry of the chain carries the signature.
    pub covered: bool,
    /// Length of the payload in bytes.
    pub payload_len: u32,
    /// Position in the author's chain of this stream, from 1.
    pub seq: u64,
    /// The workspace; zeros in its genesis entry.
    pub workspace: WorkspaceId,
    /// The device that wrote it.
    pub author: DeviceId,
    /// The author's entry before this one in the stream; zeros for the first.
    pub prev: EntryId,
    /// The directory entry under whose past the author acts.
    pub auth: EntryId,
    /// The stream.
    pub stream: StreamId,
    /// The epoch key that seals the payload; zeros for a directory entry.
    pub key_id: KeyId,
    /// Hash of the payload.
    pub payload_hash: [u8; 32],
    /// Signature, or zeros when covered.
    pub signature: [u8; 64],
}

/// The hash by which a header names its payload.
#[must_use]
pub fn payload_hash(payload: &[u8]) -> [u8; 32] {
    sha256(&[&TAG_PAYLOAD, payload])
}

impl Header {
    /// The header as bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0] = VERSION;
        bytes[1] = SUITE;
        bytes[2] = self.kind as u8;
        bytes[3] = u8::from(self.prunable) | u8::from(self.covered) << 1;
        bytes[4..8].copy_from_slice(&self.payload_len.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.seq.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.workspace.0);
        bytes[48..80].copy_from_slice(&self.author.0);
        bytes[80..112].copy_from_slice(&self.prev.0);
        bytes[112..144].copy_from_slice(&self.auth.0);
        bytes[144..160].copy_from_slice(&self.stream.0);
        bytes[160..176].copy_from_slice(&self.key_id.0);
        bytes[176..208].copy_from_slice(&self.payload_hash);
        bytes[208..272].copy_from_slice(&self.signature);
        bytes
    }

    /// Reads a header and checks every rule that its fields alone can break.
    ///
    /// # Errors
    ///
    /// [`EntryError::Unsupported`] for a newer version or suite; [`EntryError::Malformed`] or
    /// [`EntryError::TooLarge`] otherwise.
    pub fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, EntryError> {
        if bytes[0] != VERSION || bytes[1] != SUITE {
            return Err(EntryError::Unsupported);
        }
        let kind = Kind::from_byte(bytes[2]).ok_or(EntryError::Malformed("kind"))?;
        if bytes[3] & !3 != 0 {
            return Err(EntryError::Malformed("flags"));
        }
        let header = Self {
            kind,
            prunable: bytes[3] & 1 != 0,
            covered: bytes[3] & 2 != 0,
            payload_len: u32::from_le_bytes(field(bytes, 4)),
            seq: u64::from_le_bytes(field(bytes, 8)),
            workspace: WorkspaceId(field(bytes, 16)),
            author: DeviceId(field(bytes, 48)),
            prev: EntryId(field(bytes, 80)),
            auth: EntryId(field(bytes, 112)),
            stream: StreamId(field(bytes, 144)),
            key_id: KeyId(field(bytes, 160)),
            payload_hash: field(bytes, 176),
            signature: field(bytes, 208),
        };
        header.check()?;
        Ok(header)
    }

    fn check(&self) -> Result<(), EntryError> {
        if self.payload_len as usize > self.kind.payload_max() {
            return Err(EntryError::TooLarge);
        }
        let directory = self.kind == Kind::Directory;
        let genesis = self.is_genesis();
        let rules = [
            (self.seq != 0, "seq"),
            ((self.seq == 1) == self.prev.is_zero(), "prev"),
            (self.covered == (self.signature == [0; 64]), "signature of a covered entry"),
            (directory == self.key_id.is_zero(), "key id"),
            (!directory || self.stream == StreamId::DIRECTORY, "stream of a directory entry"),
            (genesis == self.auth.is_zero(), "auth"),
            (!genesis || (directory && self.seq == 1 && !self.covered), "genesis"),
        ];
        match rules.into_iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(EntryError::Malformed(rule)),
            None => Ok(()),
        }
    }

    /// Whether this is the first entry of a workspace, which names no workspace.
    #[must_use]
    pub fn is_genesis(&self) -> bool {
        self.workspace.is_zero()
    }

    /// The id of the entry with this header.
    #[must_use]
    pub fn id(&self) -> EntryId {
        EntryId(sha256(&[&TAG_ID, &self.encode()]))
    }

    /// The bytes that a payload's encryption is bound to: everything before the payload hash.
    #[must_use]
    pub fn context(&self) -> [u8; CONTEXT_LEN] {
        field(&self.encode(), 0)
    }

    /// Signs the header.
    pub fn sign(&mut self, signer: &dyn Signer) {
        self.signature = signer.sign(&self.signed_bytes());
    }

    /// Whether the header carries the author's good signature. False for a covered entry.
    #[must_use]
    pub fn verify(&self, author: &PublicKey) -> bool {
        !self.covered
            && author.device() == self.author
            && author.verify(&self.signed_bytes(), &self.signature)
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [&TAG_SIGNATURE[..], &self.encode()[..SIGNED_LEN]].concat()
    }
}

/// Copies the fixed-size field at an offset that the layout guarantees.
fn field<const N: usize>(bytes: &[u8; HEADER_LEN], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[offset..offset + N]);
    field
}

/// A well-formed entry whose payload is the one its header names.
///
/// Holding one says nothing about the author's right to write it, nor that it is proven by a
/// signature: that is for the log to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    header: Header,
    payload: Vec<u8>,
    id: EntryId,
}

impl Entry {
    /// Joins a header and its payload.
    ///
    /// # Errors
    ///
    /// If the header breaks a rule, or the payload is not the one it names.
    pub fn new(header: Header, payload: Vec<u8>) -> Result<Self, EntryError> {
        header.check()?;
        if payload.len() != header.payload_len as usize {
            return Err(EntryError::Length);
        }
        if payload_hash(&payload) != header.payload_hash {
            return Err(EntryError::PayloadHash);
        }
        let id = header.id();
        Ok(Self { header, payload, id })
    }

    /// Joins a payload and a header that was transmitted without the payload's hash, which is
    /// filled in. Whether it is the payload the author meant is then for the signature to say.
    ///
    /// # Errors
    ///
    /// If the header breaks a rule, or the payload has another length.
    pub fn restore(mut header: Header, payload: Vec<u8>) -> Result<Self, EntryError> {
        header.payload_hash = payload_hash(&payload);
        header.check()?;
        if payload.len() != header.payload_len as usize {
            return Err(EntryError::Length);
        }
        let id = header.id();
        Ok(Self { header, payload, id })
    }

    /// Reads an entry. The bytes must be one entry and nothing else.
    ///
    /// # Errors
    ///
    /// If the bytes are not an entry, or the payload is not the one its header names.
    pub fn decode(bytes: &[u8]) -> Result<Self, EntryError> {
        let (head, payload) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(EntryError::Length)?;
        let header = Header::decode(head)?;
        if payload.len() != header.payload_len as usize {
            return Err(EntryError::Length);
        }
        Self::new(header, payload.to_vec())
    }

    /// The entry as bytes: exactly those it was decoded from.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        bytes.extend_from_slice(&self.header.encode());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// Length in bytes, header included.
    #[must_use]
    pub fn len(&self) -> usize {
        HEADER_LEN + self.payload.len()
    }

    /// Never true: an entry has at least a header.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The payload: a ciphertext, or the plain body of a directory entry.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> EntryId {
        self.id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::TestSigner;
    use proptest::prelude::*;

    fn signed(payload: Vec<u8>, covered: bool) -> Entry {
        let signer = TestSigner::new([7; 32]);
        let mut header = Header {
            kind: Kind::Data,
            prunable: false,
            covered,
            payload_len: u32::try_from(payload.len()).expect("small"),
            seq: 2,
            workspace: WorkspaceId([1; 32]),
            author: signer.device(),
            prev: EntryId([2; 32]),
            auth: EntryId([3; 32]),
            stream: StreamId([4; 16]),
            key_id: KeyId([5; 16]),
            payload_hash: payload_hash(&payload),
            signature: [0; 64],
        };
        if !covered {
            header.sign(&signer);
        }
        Entry::new(header, payload).expect("well formed")
    }

    fn proven(bytes: &[u8]) -> bool {
        Entry::decode(bytes).is_ok_and(|entry| {
            PublicKey::new(entry.header().author.as_bytes()).is_some_and(|key| entry.header().verify(&key))
        })
    }

    proptest! {
        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(payload in proptest::collection::vec(any::<u8>(), 0..300), covered: bool) {
            let bytes = signed(payload, covered).encode();
            let entry = Entry::decode(&bytes).expect("round trip");
            prop_assert_eq!(entry.encode(), bytes);
        }

        #[test]
        fn arbitrary_headers_decode_to_themselves_or_not_at_all(mut bytes in proptest::collection::vec(any::<u8>(), HEADER_LEN), kind in 0u8..5, flags in 0u8..5) {
            bytes[..4].copy_from_slice(&[VERSION, SUITE, kind, flags]);
            let bytes: [u8; HEADER_LEN] = bytes.try_into().expect("length");
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(header.encode(), bytes);
            }
        }
    }

    #[test]
    fn every_single_bit_flip_is_refused() {
        let bytes = signed(b"payload".to_vec(), false).encode();
        assert!(proven(&bytes));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!proven(&flipped), "bit {bit}");
        }
    }

    #[test]
    fn truncated_and_extended_entries_are_refused() {
        let bytes = signed(b"payload".to_vec(), false).encode();
        for length in 0..bytes.len() {
            assert_eq!(Entry::decode(&bytes[..length]), Err(EntryError::Length));
        }
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(Entry::decode(&longer), Err(EntryError::Length));
    }

    #[test]
    fn a_newer_version_asks_for_an_upgrade() {
        let mut bytes = signed(vec![], false).encode();
        bytes[0] = 2;
        assert_eq!(Entry::decode(&bytes), Err(EntryError::Unsupported));
    }

    #[test]
    fn a_covered_entry_with_a_signature_is_malformed() {
        let mut header = signed(vec![], true).header().clone();
        header.signature[9] = 1;
        assert!(matches!(Entry::new(header, vec![]), Err(EntryError::Malformed(_))));
    }

    #[test]
    fn the_largest_payload_is_taken_and_one_more_byte_is_refused() {
        assert_eq!(signed(vec![0; DATA_PAYLOAD_MAX], false).payload().len(), DATA_PAYLOAD_MAX);
        let mut header = signed(vec![], false).header().clone();
        header.payload_len = u32::try_from(DATA_PAYLOAD_MAX + 1).expect("fits");
        assert_eq!(Header::decode(&header.encode()), Err(EntryError::TooLarge));
    }
}
