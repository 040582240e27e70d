//! The vault: a device's secrets at rest, under a passphrase or a key the application keeps.
//!
//! ```text
//! offset size field
//!    0    8   magic      "TIDEVALT"
//!    8    1   version    1
//!    9    1   kdf        1 Argon2id over a passphrase; 2 raw 32-byte key
//!   10    4   m_kib      Argon2id memory in KiB      (zero for a raw key)
//!   14    4   t          Argon2id passes             (zero for a raw key)
//!   18    4   p          Argon2id lanes              (zero for a raw key)
//!   22   16   salt       of Argon2id                 (zeros for a raw key)
//!   38   ..   Cobblestone-256(key, context = bytes 0..38, content)
//! content = seed 32 | incarnation 16 | home 32 | held u8 | root secret 32 | next incarnation 16 | next home 32
//! ```
//!
//! Of the content, bit 0 of `held` says whether the root secret is there, bit 1 whether the next life
//! is; what is not held is left out. A home of zeros is none.
//!
//! Parameters are checked before any memory is spent: above the ceiling the file is crafted to
//! exhaust the machine, below the floor it was downgraded to be guessed. The passphrase is taken as
//! its UTF-8 bytes; nothing normalises it. Files are the caller's.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use subtle::ConstantTimeEq as _;
use tidelog_log::env::{Random, random_array};
use zeroize::Zeroizing;

use super::cobblestone::{self, SALT_LEN};
use super::device::INCARNATION_LEN;
use super::{KEY_LEN, Secret};
use crate::error::{Error, ErrorKind};

const MAGIC: [u8; 8] = *b"TIDEVALT";
const VERSION: u8 = 1;
const KDF_ARGON2ID: u8 = 1;
const KDF_RAW: u8 = 2;
const KDF_SALT_LEN: usize = 16;
const HEADER_LEN: usize = 38;
const HOME_LEN: usize = 32;
const HOLDS_ROOT: u8 = 1;
const HOLDS_NEXT: u8 = 2;
const CONTENT_LEN_MAX: usize =
    KEY_LEN + INCARNATION_LEN + HOME_LEN + 1 + KEY_LEN + INCARNATION_LEN + HOME_LEN;

/// Longest vault that this version writes, in bytes: a longer file is none.
pub(crate) const VAULT_LEN_MAX: usize = HEADER_LEN + cobblestone::sealed_len(CONTENT_LEN_MAX);

/// What opens a workspace on this device.
///
/// ```
/// # async fn run(folder: &std::path::Path) -> tidelog::Result<()> {
/// use tidelog::{Environment, ErrorKind, Key, Workspace};
///
/// let path = folder.join("notes.tide");
/// let kept = Environment::folder(&path).random_key(); // for the platform's keystore
/// Workspace::create(&path, Key::raw(kept), "Notes").await?.shutdown().await?;
///
/// let opened = Workspace::open(&path, Key::passphrase("correct horse")).await;
/// assert!(opened.is_err_and(|error| error.kind() == ErrorKind::WrongKey));
/// assert!(Workspace::open(&path, Key::raw(kept)).await.is_ok());
/// # Ok(())
/// # }
/// # let folder = tempfile::tempdir().unwrap();
/// # tokio::runtime::Runtime::new().unwrap().block_on(run(folder.path())).unwrap();
/// ```
#[derive(Clone)]
pub struct Key(KeyKind);

#[derive(Clone)]
enum KeyKind {
    Passphrase(Zeroizing<String>),
    Raw(Secret),
}

impl Key {
    /// A passphrase, stretched by Argon2id.
    #[must_use]
    pub fn passphrase(passphrase: impl Into<String>) -> Self {
        Self(KeyKind::Passphrase(Zeroizing::new(passphrase.into())))
    }

    /// 32 random bytes that the application keeps, for example in the platform's keystore.
    #[must_use]
    pub fn raw(bytes: [u8; KEY_LEN]) -> Self {
        Self(KeyKind::Raw(Secret::new(bytes)))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(..)")
    }
}

/// What Argon2id costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Memory in KiB.
    pub(crate) memory_kib: u32,
    /// Passes over the memory.
    pub(crate) passes: u32,
    /// Lanes.
    pub(crate) lanes: u32,
}

impl Cost {
    /// What new vaults use: 64 MiB, 3 passes.
    pub(crate) const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
    /// The least that is opened: 19 MiB, 2 passes.
    pub(crate) const FLOOR: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };
    /// The most that is opened: 1 GiB, 10 passes, 4 lanes.
    pub(crate) const CEILING: Self = Self { memory_kib: 1024 * 1024, passes: 10, lanes: 4 };

    fn is_acceptable(&self) -> bool {
        (Self::FLOOR.memory_kib..=Self::CEILING.memory_kib).contains(&self.memory_kib)
            && (Self::FLOOR.passes..=Self::CEILING.passes).contains(&self.passes)
            && (Self::FLOOR.lanes..=Self::CEILING.lanes).contains(&self.lanes)
    }
}

/// Why a vault does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VaultError {
    #[error("the vault file is not a vault")]
    NotAVault,
    #[error("the vault was written by a newer version")]
    NewerFormat,
    #[error("the vault demands key stretching outside of the accepted bounds")]
    Cost,
    #[error("the key does not open the vault")]
    WrongKey,
    #[error("the vault opens with a passphrase, not with a raw key")]
    NeedsPassphrase,
    #[error("the vault opens with a raw key, not with a passphrase")]
    NeedsRawKey,
    #[error("a passphrase must not be empty")]
    EmptyPassphrase,
    #[error("there is not enough memory to stretch the passphrase")]
    Memory,
}

impl From<VaultError> for Error {
    fn from(error: VaultError) -> Self {
        let kind = match error {
            VaultError::NotAVault | VaultError::Cost => ErrorKind::Corrupt,
            VaultError::NewerFormat => ErrorKind::NewerFormat,
            VaultError::WrongKey | VaultError::NeedsPassphrase | VaultError::NeedsRawKey => {
                ErrorKind::WrongKey
            }
            VaultError::EmptyPassphrase => ErrorKind::InvalidArgument,
            VaultError::Memory => ErrorKind::Io,
        };
        Self::new(kind, error.to_string())
    }
}

/// Where a vault's log is, hashed: a copy of the folder is somewhere else.
pub(crate) type Home = [u8; HOME_LEN];

/// One life of a device: copies that go on apart live apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// Tells this life from the others; the keys are derived with it.
    pub(crate) incarnation: [u8; INCARNATION_LEN],
    /// Where it is lived; `None` before that is known, and in a backup.
    pub(crate) home: Option<Home>,
}

/// The secrets of a device in one workspace.
#[derive(Debug, Clone)]
pub(crate) struct Vault {
    /// The master seed of the device's keys.
    pub(crate) seed: Secret,
    /// The present life of the device.
    pub(crate) life: Life,
    /// The root secret, on the device that created the workspace, until the words that stand for it
    /// are confirmed.
    pub(crate) root: Option<Secret>,
    /// The life that is about to begin: a copy was found, and its admission may be on its way.
    pub(crate) next: Option<Life>,
}

/// What seals a vault file: a [`Key`], stretched if it is a passphrase, and the header that says how.
#[derive(Debug, Clone)]
pub(crate) struct VaultKey {
    header: Header,
    secret: Secret,
}

impl VaultKey {
    /// Makes ready to seal under a key. With a passphrase this takes time and memory on purpose;
    /// `cost` says how much.
    ///
    /// # Errors
    ///
    /// [`VaultError::EmptyPassphrase`], or [`VaultError::Cost`] or [`VaultError::Memory`] for what
    /// Argon2id may not or cannot spend.
    pub(crate) fn new(key: &Key, cost: Cost, random: &dyn Random) -> Result<Self, VaultError> {
        let header = match &key.0 {
            KeyKind::Passphrase(_) => Header { kdf: Kdf::Argon2id(cost), salt: random_array(random) },
            KeyKind::Raw(_) => Header { kdf: Kdf::Raw, salt: [0; KDF_SALT_LEN] },
        };
        Ok(Self { secret: header.key(key)?, header })
    }

    /// Whether this was made of the given key.
    ///
    /// # Errors
    ///
    /// [`VaultError::Memory`].
    pub(crate) fn is_of(&self, key: &Key) -> Result<bool, VaultError> {
        match self.header.key(key) {
            Ok(secret) => Ok(self.secret.as_bytes().ct_eq(secret.as_bytes()).into()),
            Err(VaultError::Memory) => Err(VaultError::Memory),
            Err(_) => Ok(false),
        }
    }

    /// Whether it was made of a passphrase.
    pub(crate) fn is_passphrase(&self) -> bool {
        self.header.kdf != Kdf::Raw
    }
}

impl Vault {
    /// New secrets, for a device that joins.
    pub(crate) fn generate(random: &dyn Random) -> Self {
        let life = Life { incarnation: random_array(random), home: None };
        Self { seed: Secret::generate(random), life, root: None, next: None }
    }

    /// The bytes of the vault file.
    pub(crate) fn seal(&self, key: &VaultKey, random: &dyn Random) -> Vec<u8> {
        let header = key.header.encode();
        let mut content = Zeroizing::new(Vec::with_capacity(CONTENT_LEN_MAX));
        content.extend_from_slice(self.seed.as_bytes());
        self.life.encode(&mut content);
        let root = if self.root.is_some() { HOLDS_ROOT } else { 0 };
        let next = if self.next.is_some() { HOLDS_NEXT } else { 0 };
        content.push(root | next);
        if let Some(root) = &self.root {
            content.extend_from_slice(root.as_bytes());
        }
        if let Some(next) = &self.next {
            next.encode(&mut content);
        }
        let salt: [u8; SALT_LEN] = random_array(random);
        [&header[..], &cobblestone::seal(&key.secret, &[&header], salt, &content)].concat()
    }

    /// Opens the bytes of a vault file. With a passphrase this takes time and memory on purpose.
    ///
    /// # Errors
    ///
    /// See [`VaultError`].
    pub(crate) fn open(bytes: &[u8], key: &Key) -> Result<(Self, VaultKey), VaultError> {
        let header = Header::decode(bytes)?;
        let key = VaultKey { secret: header.key(key)?, header };
        Ok((Self::unseal(bytes, &key.secret)?, key))
    }

    fn unseal(bytes: &[u8], sealing_key: &Secret) -> Result<Self, VaultError> {
        let (header, sealed) = bytes.split_at_checked(HEADER_LEN).ok_or(VaultError::NotAVault)?;
        let content = cobblestone::open(sealing_key, &[header], sealed).map_err(|_| VaultError::WrongKey)?;
        Self::decode(&Zeroizing::new(content)).ok_or(VaultError::NotAVault)
    }

    fn decode(content: &[u8]) -> Option<Self> {
        let (seed, rest) = content.split_first_chunk()?;
        let (life, rest) = Life::decode(rest)?;
        let ([held], mut rest) = rest.split_first_chunk()?;
        let mut root = None;
        if held & HOLDS_ROOT != 0 {
            let (secret, after) = rest.split_first_chunk()?;
            (root, rest) = (Some(Secret::new(*secret)), after);
        }
        let mut next = None;
        if held & HOLDS_NEXT != 0 {
            let (life, after) = Life::decode(rest)?;
            (next, rest) = (Some(life), after);
        }
        let canonical = rest.is_empty() && held & !(HOLDS_ROOT | HOLDS_NEXT) == 0;
        canonical.then(|| Self { seed: Secret::new(*seed), life, root, next })
    }
}

impl Life {
    fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.incarnation);
        bytes.extend_from_slice(&self.home.unwrap_or_default());
    }

    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (incarnation, rest) = bytes.split_first_chunk()?;
        let (home, rest) = rest.split_first_chunk::<HOME_LEN>()?;
        let home = Some(*home).filter(|home| *home != Home::default());
        Some((Self { incarnation: *incarnation, home }, rest))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kdf {
    Argon2id(Cost),
    Raw,
}

/// What stands in the clear.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    kdf: Kdf,
    salt: [u8; KDF_SALT_LEN],
}

impl Header {
    fn encode(&self) -> [u8; HEADER_LEN] {
        let (kdf, cost) = match self.kdf {
            Kdf::Argon2id(cost) => (KDF_ARGON2ID, cost),
            Kdf::Raw => (KDF_RAW, Cost { memory_kib: 0, passes: 0, lanes: 0 }),
        };
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = VERSION;
        bytes[9] = kdf;
        bytes[10..14].copy_from_slice(&cost.memory_kib.to_le_bytes());
        bytes[14..18].copy_from_slice(&cost.passes.to_le_bytes());
        bytes[18..22].copy_from_slice(&cost.lanes.to_le_bytes());
        bytes[22..].copy_from_slice(&self.salt);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let bytes = bytes.first_chunk::<HEADER_LEN>().ok_or(VaultError::NotAVault)?;
        if bytes[..8] != MAGIC {
            return Err(VaultError::NotAVault);
        }
        if bytes[8] != VERSION {
            return Err(VaultError::NewerFormat);
        }
        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let cost = Cost { memory_kib: number(10), passes: number(14), lanes: number(18) };
        let salt = bytes[22..].try_into().expect("the rest of the header");
        let header = match bytes[9] {
            KDF_ARGON2ID if cost.is_acceptable() => Self { kdf: Kdf::Argon2id(cost), salt },
            KDF_ARGON2ID => return Err(VaultError::Cost),
            KDF_RAW => Self { kdf: Kdf::Raw, salt },
            _ => return Err(VaultError::NewerFormat),
        };
        if header.encode() == *bytes { Ok(header) } else { Err(VaultError::NotAVault) }
    }

    /// The key that seals the content.
    fn key(&self, key: &Key) -> Result<Secret, VaultError> {
        match (self.kdf, &key.0) {
            (Kdf::Argon2id(cost), KeyKind::Passphrase(passphrase)) => stretch(passphrase, cost, &self.salt),
            (Kdf::Raw, KeyKind::Raw(secret)) => Ok(secret.clone()),
            (Kdf::Argon2id(_), KeyKind::Raw(_)) => Err(VaultError::NeedsPassphrase),
            (Kdf::Raw, KeyKind::Passphrase(_)) => Err(VaultError::NeedsRawKey),
        }
    }
}

fn stretch(passphrase: &str, cost: Cost, salt: &[u8]) -> Result<Secret, VaultError> {
    if passphrase.is_empty() {
        return Err(VaultError::EmptyPassphrase);
    }
    if !cost.is_acceptable() {
        return Err(VaultError::Cost);
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(KEY_LEN))
        .expect("acceptable costs are valid ones");
    let mut output = Zeroizing::new([0; KEY_LEN]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut *output)
        .map_err(|_| VaultError::Memory)?;
    Ok(Secret(output))
}

#[cfg(test)]
mod tests;
