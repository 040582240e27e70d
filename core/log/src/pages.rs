//! The state file under redb: page by page, encrypted on a device, plain on a relay.
//!
//! [`EncryptedPages`] keeps each 4 KiB page of redb in a slot of its own:
//!
//! ```text
//! offset                 size   field
//!    0                    512   header slot: nonce 12 | ciphertext 484 | tag 16, of redb's 320-byte
//!                               header and zeros; one sector, since redb relies on writing it at once
//!  512 + 4124 * (n - 1)  4124   page n (1, 2, ..): nonce 12 | ciphertext 4096 | tag 16
//! AES-256-GCM; nonce random at every write; additional data = "TIDE1 state page" | n u64 (0: header)
//! ```
//!
//! Every bit that is read was authenticated: a flipped bit, a page in the wrong place and a page never
//! written are `InvalidData`, upon which the owner drops the file and builds it anew, with a new key. What
//! is not detected is an older version of the same page: redb's own checksums are for that. The key is
//! for one file and 2^32 writes at most.
//!
//! Neither backend locks: the workspace lock keeps a second opener out.

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use aes_gcm::aead::AeadInOut as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce, Tag};
use redb::StorageBackend;

use crate::crypto::tag;
use crate::env::Random;
use crate::storage::StorageFile;

const PAGE_LEN: usize = 4096;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;
const SEAL_LEN: usize = NONCE_LEN + TAG_LEN;
/// Bytes of a page on the disk.
const SLOT_LEN: usize = PAGE_LEN + SEAL_LEN;
/// Bytes of the header slot: a sector.
const HEADER_SLOT_LEN: usize = 512;
/// Most bytes that fit into the header.
const HEADER_LEN_MAX: usize = HEADER_SLOT_LEN - SEAL_LEN;
const TAG_PAGE: [u8; 16] = tag("TIDE1 state page");

/// A redb file whose bytes are on the disk as they are.
#[derive(Debug)]
pub struct PlainPages {
    file: Arc<dyn StorageFile>,
}

impl PlainPages {
    /// The pages in a file; an empty file is an empty database.
    #[must_use]
    pub fn new(file: Arc<dyn StorageFile>) -> Self {
        Self { file }
    }
}

impl StorageBackend for PlainPages {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, data)
    }
}

/// A redb file whose pages are encrypted one by one.
pub struct EncryptedPages {
    file: Arc<dyn StorageFile>,
    /// Holds the key; overwritten on drop.
    cipher: Aes256Gcm,
    random: Arc<dyn Random>,
}

impl fmt::Debug for EncryptedPages {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EncryptedPages").field("file", &self.file).finish_non_exhaustive()
    }
}

impl EncryptedPages {
    /// The pages in a file; an empty file is an empty database. Use a key for one file only.
    #[must_use]
    pub fn new(file: Arc<dyn StorageFile>, key: &[u8; 32], random: Arc<dyn Random>) -> Self {
        Self { file, cipher: Aes256Gcm::new(key.into()), random }
    }

    /// Encrypts a page into its slot, whose nonce is filled in already.
    fn seal(&self, number: u64, slot: &mut [u8]) {
        let (nonce, rest) = slot.split_first_chunk_mut::<NONCE_LEN>().expect("a slot holds a nonce");
        let (page, tag) = rest.split_last_chunk_mut::<TAG_LEN>().expect("a slot holds a tag");
        let sealed = self
            .cipher
            .encrypt_inout_detached(&Nonce::from(*nonce), &associated(number), page.into())
            .expect("a page is far below the limit of the cipher");
        *tag = sealed.into();
    }

    /// Decrypts a slot in place and returns the page in it.
    fn open<'a>(&self, number: u64, slot: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let (nonce, rest) = slot.split_first_chunk_mut::<NONCE_LEN>().expect("a slot holds a nonce");
        let (page, tag) = rest.split_last_chunk_mut::<TAG_LEN>().expect("a slot holds a tag");
        self.cipher
            .decrypt_inout_detached(
                &Nonce::from(*nonce),
                &associated(number),
                (&mut *page).into(),
                &Tag::from(*tag),
            )
            .map_err(|_| damaged(format!("page {number} of the state file is damaged")))?;
        Ok(page)
    }

    fn read_header(&self, offset: usize, out: &mut [u8]) -> io::Result<()> {
        let mut slot = [0; HEADER_SLOT_LEN];
        self.file.read_at(0, &mut slot)?;
        let header = self.open(0, &mut slot)?;
        out.copy_from_slice(&header[offset..offset + out.len()]);
        Ok(())
    }

    fn write_header(&self, data: &[u8]) -> io::Result<()> {
        let mut slot = [0; HEADER_SLOT_LEN];
        self.random.fill(&mut slot[..NONCE_LEN]);
        slot[NONCE_LEN..NONCE_LEN + data.len()].copy_from_slice(data);
        self.seal(0, &mut slot);
        self.file.write_at(0, &slot)
    }
}

impl StorageBackend for EncryptedPages {
    fn len(&self) -> io::Result<u64> {
        let length = self.file.len()?;
        if length == 0 {
            return Ok(0);
        }
        let slots =
            length.checked_sub(HEADER_SLOT_LEN as u64).filter(|slots| slots.is_multiple_of(SLOT_LEN as u64));
        let slots = slots.ok_or_else(|| damaged("state file ends within a page".to_owned()))?;
        Ok((slots / SLOT_LEN as u64 + 1) * PAGE_LEN as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let end = offset.saturating_add(out.len() as u64);
        if end <= HEADER_LEN_MAX as u64 {
            return self.read_header(usize::try_from(offset).expect("below the header's end"), out);
        }
        let first = page_number(offset, out.len())?;
        let mut slots = vec![0; out.len() / PAGE_LEN * SLOT_LEN];
        self.file.read_at(slot_offset(first), &mut slots)?;
        let pages = out.chunks_exact_mut(PAGE_LEN).zip(slots.chunks_exact_mut(SLOT_LEN));
        for ((page, slot), number) in pages.zip(first..) {
            page.copy_from_slice(self.open(number, slot)?);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return self.file.set_len(0);
        }
        if !len.is_multiple_of(PAGE_LEN as u64) {
            return Err(unexpected());
        }
        self.file.set_len(slot_offset(len / PAGE_LEN as u64))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset == 0 && data.len() <= HEADER_LEN_MAX {
            return self.write_header(data);
        }
        let first = page_number(offset, data.len())?;
        let mut nonces = vec![0; data.len() / PAGE_LEN * NONCE_LEN];
        self.random.fill(&mut nonces);
        let mut slots = Vec::with_capacity(data.len() / PAGE_LEN * SLOT_LEN);
        for ((page, nonce), number) in
            data.chunks_exact(PAGE_LEN).zip(nonces.chunks_exact(NONCE_LEN)).zip(first..)
        {
            let start = slots.len();
            slots.extend_from_slice(nonce);
            slots.extend_from_slice(page);
            slots.extend_from_slice(&[0; TAG_LEN]);
            self.seal(number, &mut slots[start..]);
        }
        self.file.write_at(slot_offset(first), &slots)
    }
}

/// What binds a page to its place.
fn associated(number: u64) -> [u8; 24] {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&TAG_PAGE);
    bytes[16..].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// The number of the first page of an access that covers whole pages behind the header.
fn page_number(offset: u64, length: usize) -> io::Result<u64> {
    let whole = offset.is_multiple_of(PAGE_LEN as u64) && length.is_multiple_of(PAGE_LEN);
    if whole && offset > 0 { Ok(offset / PAGE_LEN as u64) } else { Err(unexpected()) }
}

/// Where the slot of a page starts, which is where the slots of those before it end.
fn slot_offset(number: u64) -> u64 {
    HEADER_SLOT_LEN as u64 + (number - 1) * SLOT_LEN as u64
}

fn damaged(message: String) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, message)
}

/// redb reads and writes its header and whole pages, nothing else.
fn unexpected() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "access to the state file is not to whole pages")
}

#[cfg(test)]
mod tests;
