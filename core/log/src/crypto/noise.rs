//! The encrypted channel of a sync session: Noise NK to a relay, Noise NNpsk0 between peers.
//!
//! The primitives are those of this project (25519, AES-256-GCM, SHA-256), given to `snow` by an
//! own resolver, so that no second generation of cryptographic crates is linked. The final
//! handshake hash binds what is signed afterwards to this channel.
//!
//! One transport message (a binary WebSocket message, or whatever carries the session) is a run of
//! Noise messages:
//!
//! ```text
//! size field
//!    2   length of the Noise message, u16 little-endian, 1..=65,535
//!   ..   Noise message
//! ```
//!
//! This module neither knows nor cares what the plaintext means, and keeps no buffers.

use std::fmt;
use std::sync::Arc;

use aes_gcm::aead::{AeadInOut, KeyInit, Nonce, Tag, inout::InOutBuf};
use aes_gcm::{Aes256Gcm, Key};
use sha2::{Digest, Sha256};
use snow::params::{CipherChoice, DHChoice, HashChoice, NoiseParams};
use snow::resolvers::CryptoResolver;
use snow::types::{Cipher, Dh, Hash, Random as SnowRandom};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::env::{Random, random_array};

/// Largest transport message, in bytes.
pub const MESSAGE_MAX: usize = 1024 * 1024 + 64 * 1024;
/// Largest Noise message, in bytes.
pub const NOISE_MESSAGE_MAX: usize = 65_535;
/// Largest plaintext whose ciphertext fits one transport message, in bytes.
pub const PLAINTEXT_MAX: usize = MESSAGE_MAX - MESSAGE_MAX.div_ceil(RECORD_MAX) * RECORD_OVERHEAD;

const PROLOGUE: &[u8] = b"TIDE1 sync 1";
const PATTERN_RELAY: &str = "Noise_NK_25519_AESGCM_SHA256";
const PATTERN_PEER: &str = "Noise_NNpsk0_25519_AESGCM_SHA256";
const TAG_LEN: usize = 16;
const LENGTH_LEN: usize = 2;
/// A Noise message with its length.
const RECORD_MAX: usize = LENGTH_LEN + NOISE_MESSAGE_MAX;
const RECORD_OVERHEAD: usize = LENGTH_LEN + TAG_LEN;

/// The channel can not be set up, or a message is not what the peer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoiseError {
    /// The handshake fails: another relay key, another pre-shared key, or another protocol.
    #[error("handshake failed: the other side has another key or speaks another protocol")]
    Handshake,
    /// A message was altered, repeated or reordered on its way.
    #[error("message is not authentic")]
    NotAuthentic,
    /// The framing is broken or a length is out of bounds.
    #[error("message has a wrong length")]
    Length,
}

/// A relay's own secret: its Noise identity, and the only secret a relay has.
pub struct RelaySecret(StaticSecret);

impl fmt::Debug for RelaySecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RelaySecret(..)")
    }
}

impl RelaySecret {
    /// The secret kept as these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(StaticSecret::from(bytes))
    }

    /// A fresh secret.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        Self(StaticSecret::from(random_array::<32>(random)))
    }

    /// The bytes to keep.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public key by which clients know the relay.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        PublicKey::from(&self.0).to_bytes()
    }
}

/// Who this side is in a handshake.
#[derive(Debug)]
pub enum Party<'a> {
    /// Opens a channel to the relay with this public key.
    Client {
        /// The relay's public key.
        relay: &'a [u8; 32],
    },
    /// Is the relay.
    Relay {
        /// The relay's secret.
        secret: &'a RelaySecret,
    },
    /// Opens a channel to a peer that holds the same pre-shared key.
    PeerInitiator {
        /// Derived from the workspace's name key.
        psk: &'a Psk,
    },
    /// Is opened by a peer that holds the same pre-shared key.
    PeerResponder {
        /// Derived from the workspace's name key.
        psk: &'a Psk,
    },
}

/// A pre-shared key between the members of a workspace.
pub struct Psk(Zeroizing<[u8; 32]>);

impl fmt::Debug for Psk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Psk(..)")
    }
}

impl Psk {
    /// The key with these bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }
}

/// A handshake in progress: two messages, the initiator's first.
pub struct Handshake(Box<snow::HandshakeState>);

impl fmt::Debug for Handshake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Handshake(..)")
    }
}

impl Handshake {
    /// Starts a handshake.
    ///
    /// # Errors
    ///
    /// [`NoiseError::Handshake`] if a key is unusable.
    pub fn new(party: &Party<'_>, random: Arc<dyn Random>) -> Result<Self, NoiseError> {
        Self::build(party, random).map(Box::new).map(Self).map_err(|_| NoiseError::Handshake)
    }

    fn build(party: &Party<'_>, random: Arc<dyn Random>) -> Result<snow::HandshakeState, snow::Error> {
        let builder = |pattern: &str| -> Result<snow::Builder<'_>, snow::Error> {
            let params: NoiseParams = pattern.parse()?;
            snow::Builder::with_resolver(params, Box::new(Resolver(random))).prologue(PROLOGUE)
        };
        match party {
            Party::Client { relay } => {
                builder(PATTERN_RELAY)?.remote_public_key(relay.as_slice())?.build_initiator()
            }
            Party::Relay { secret } => {
                builder(PATTERN_RELAY)?.local_private_key(secret.0.as_bytes())?.build_responder()
            }
            Party::PeerInitiator { psk } => builder(PATTERN_PEER)?.psk(0, &psk.0)?.build_initiator(),
            Party::PeerResponder { psk } => builder(PATTERN_PEER)?.psk(0, &psk.0)?.build_responder(),
        }
    }

    /// Whether this side writes the next message.
    #[must_use]
    pub fn is_my_turn(&self) -> bool {
        self.0.is_my_turn() && !self.is_finished()
    }

    /// Whether both messages have passed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_handshake_finished()
    }

    /// The next handshake message, as a run of one Noise message.
    ///
    /// # Errors
    ///
    /// [`NoiseError::Handshake`] if it is not this side's turn, or the peer's key is unusable.
    pub fn write(&mut self) -> Result<Vec<u8>, NoiseError> {
        let mut buffer = [0; HANDSHAKE_MAX];
        let length = self.0.write_message(&[], &mut buffer).map_err(|_| NoiseError::Handshake)?;
        let mut message = Vec::with_capacity(LENGTH_LEN + length);
        push_record(&mut message, &buffer[..length]);
        Ok(message)
    }

    /// Takes the first Noise message of a transport message as the peer's handshake message;
    /// returns what follows it.
    ///
    /// # Errors
    ///
    /// [`NoiseError::Length`] for a broken frame; [`NoiseError::Handshake`] otherwise.
    pub fn read<'m>(&mut self, message: &'m [u8]) -> Result<&'m [u8], NoiseError> {
        let (record, rest) = split_record(message)?;
        let mut payload = [0; HANDSHAKE_MAX];
        match self.0.read_message(record, &mut payload) {
            Ok(0) => Ok(rest),
            _ => Err(NoiseError::Handshake),
        }
    }

    /// The channel, and the hash that names this handshake and no other.
    ///
    /// # Errors
    ///
    /// [`NoiseError::Handshake`] if a message is still to come.
    pub fn finish(self) -> Result<(Channel, [u8; 32]), NoiseError> {
        let hash = self.0.get_handshake_hash().try_into().map_err(|_| NoiseError::Handshake)?;
        let transport = self.0.into_transport_mode().map_err(|_| NoiseError::Handshake)?;
        Ok((Channel(Box::new(transport)), hash))
    }
}

/// Room for a handshake message of either pattern: an ephemeral key and an empty payload's tag.
const HANDSHAKE_MAX: usize = 32 + TAG_LEN;

/// An established channel. Messages arrive whole, once and in order, or not at all.
pub struct Channel(Box<snow::TransportState>);

impl fmt::Debug for Channel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Channel(..)")
    }
}

impl Channel {
    /// Seals a plaintext into a run of Noise messages and appends it to a transport message.
    ///
    /// # Errors
    ///
    /// [`NoiseError::Length`] if the plaintext is larger than [`PLAINTEXT_MAX`];
    /// [`NoiseError::NotAuthentic`] after 2^64 messages.
    pub fn seal(&mut self, plaintext: &[u8], message: &mut Vec<u8>) -> Result<(), NoiseError> {
        if plaintext.len() > PLAINTEXT_MAX {
            return Err(NoiseError::Length);
        }
        let mut record = vec![0; plaintext.len().min(NOISE_MESSAGE_MAX - TAG_LEN) + TAG_LEN];
        message.reserve(sealed_len(plaintext.len()));
        for chunk in plaintext.chunks(NOISE_MESSAGE_MAX - TAG_LEN) {
            let length = self.0.write_message(chunk, &mut record).map_err(|_| NoiseError::NotAuthentic)?;
            push_record(message, &record[..length]);
        }
        Ok(())
    }

    /// Opens a run of Noise messages.
    ///
    /// # Errors
    ///
    /// [`NoiseError::Length`] if it is larger than [`MESSAGE_MAX`] or not a run;
    /// [`NoiseError::NotAuthentic`] if it is not what the peer sealed next.
    pub fn open(&mut self, message: &[u8]) -> Result<Vec<u8>, NoiseError> {
        if message.len() > MESSAGE_MAX {
            return Err(NoiseError::Length);
        }
        let mut plaintext = vec![0; message.len()];
        let mut filled = 0;
        let mut rest = message;
        while !rest.is_empty() {
            let (record, after) = split_record(rest)?;
            let length = self
                .0
                .read_message(record, &mut plaintext[filled..])
                .map_err(|_| NoiseError::NotAuthentic)?;
            filled += length;
            rest = after;
        }
        plaintext.truncate(filled);
        Ok(plaintext)
    }
}

/// Bytes of the run of Noise messages that seals a plaintext of `length` bytes.
#[must_use]
pub const fn sealed_len(length: usize) -> usize {
    length + length.div_ceil(NOISE_MESSAGE_MAX - TAG_LEN) * RECORD_OVERHEAD
}

fn push_record(message: &mut Vec<u8>, record: &[u8]) {
    let length = u16::try_from(record.len()).expect("a Noise message has at most 65,535 bytes");
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(record);
}

fn split_record(message: &[u8]) -> Result<(&[u8], &[u8]), NoiseError> {
    let (length, rest) = message.split_first_chunk::<LENGTH_LEN>().ok_or(NoiseError::Length)?;
    let length = usize::from(u16::from_le_bytes(*length));
    if length == 0 {
        return Err(NoiseError::Length);
    }
    rest.split_at_checked(length).ok_or(NoiseError::Length)
}

/// Gives `snow` the primitives of this project.
struct Resolver(Arc<dyn Random>);

impl CryptoResolver for Resolver {
    fn resolve_rng(&self) -> Option<Box<dyn SnowRandom>> {
        Some(Box::new(Generator(self.0.clone())))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        matches!(choice, DHChoice::Curve25519).then(|| Box::new(X25519::default()) as Box<dyn Dh>)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        matches!(choice, HashChoice::SHA256).then(|| Box::new(Sha256Hash::default()) as Box<dyn Hash>)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        matches!(choice, CipherChoice::AESGCM).then(|| Box::new(AesGcm(None)) as Box<dyn Cipher>)
    }
}

struct Generator(Arc<dyn Random>);

impl SnowRandom for Generator {
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[derive(Default)]
struct X25519 {
    secret: Zeroizing<[u8; 32]>,
    public: [u8; 32],
}

impl Dh for X25519 {
    fn name(&self) -> &'static str {
        "25519"
    }

    fn pub_len(&self) -> usize {
        32
    }

    fn priv_len(&self) -> usize {
        32
    }

    fn set(&mut self, secret: &[u8]) {
        self.secret.copy_from_slice(secret);
        self.public = PublicKey::from(&StaticSecret::from(*self.secret)).to_bytes();
    }

    fn generate(&mut self, random: &mut dyn SnowRandom) -> Result<(), snow::Error> {
        let mut secret = Zeroizing::new([0; 32]);
        random.try_fill_bytes(secret.as_mut_slice())?;
        self.set(secret.as_slice());
        Ok(())
    }

    fn pubkey(&self) -> &[u8] {
        &self.public
    }

    fn privkey(&self) -> &[u8] {
        self.secret.as_slice()
    }

    fn dh(&self, public: &[u8], shared: &mut [u8]) -> Result<(), snow::Error> {
        let public: [u8; 32] = public.get(..32).and_then(|key| key.try_into().ok()).ok_or(snow::Error::Dh)?;
        let secret = StaticSecret::from(*self.secret).diffie_hellman(&PublicKey::from(public));
        if !secret.was_contributory() {
            return Err(snow::Error::Dh);
        }
        shared[..32].copy_from_slice(secret.as_bytes());
        Ok(())
    }
}

#[derive(Default)]
struct Sha256Hash(Sha256);

impl Hash for Sha256Hash {
    fn name(&self) -> &'static str {
        "SHA256"
    }

    fn block_len(&self) -> usize {
        64
    }

    fn hash_len(&self) -> usize {
        32
    }

    fn reset(&mut self) {
        self.0 = Sha256::new();
    }

    fn input(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn result(&mut self, out: &mut [u8]) {
        out[..32].copy_from_slice(&std::mem::take(&mut self.0).finalize());
    }
}

/// AES-256-GCM with its key schedule computed once per key.
struct AesGcm(Option<Aes256Gcm>);

impl AesGcm {
    fn cipher(&self) -> &Aes256Gcm {
        self.0.as_ref().expect("snow sets a key before it encrypts or decrypts")
    }

    /// Noise: 32 zero bits, then the counter, big-endian.
    fn nonce(counter: u64) -> Nonce<Aes256Gcm> {
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&counter.to_be_bytes());
        nonce.into()
    }
}

impl Cipher for AesGcm {
    fn name(&self) -> &'static str {
        "AESGCM"
    }

    fn set(&mut self, key: &[u8; 32]) {
        self.0 = Some(Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key)));
    }

    fn encrypt(&self, counter: u64, associated: &[u8], plaintext: &[u8], out: &mut [u8]) -> usize {
        let length = plaintext.len();
        let buffer = InOutBuf::new(plaintext, &mut out[..length]).expect("both have the same length");
        let tag = self
            .cipher()
            .encrypt_inout_detached(&Self::nonce(counter), associated, buffer)
            .expect("a Noise message is shorter than the limit of AES-GCM");
        out[length..length + TAG_LEN].copy_from_slice(&tag);
        length + TAG_LEN
    }

    fn decrypt(
        &self,
        counter: u64,
        associated: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, snow::Error> {
        let (body, tag) = ciphertext.split_last_chunk::<TAG_LEN>().ok_or(snow::Error::Decrypt)?;
        let out = out.get_mut(..body.len()).ok_or(snow::Error::Decrypt)?;
        let buffer = InOutBuf::new(body, out).map_err(|_| snow::Error::Decrypt)?;
        self.cipher()
            .decrypt_inout_detached(&Self::nonce(counter), associated, buffer, &Tag::<Aes256Gcm>::from(*tag))
            .map_err(|_| snow::Error::Decrypt)?;
        Ok(body.len())
    }
}

#[cfg(test)]
mod tests;
