//! A file of derived data that goes on in memory while the disk refuses to be written.
//!
//! redb gives up for good after one failed write, but the state must stay readable on a full disk, and
//! go on when there is room. So the first write that the disk refuses, and all after it, are held in
//! memory, in blocks that lie over the file's own bytes. Each [`StorageFile::sync`] tries to bring them
//! to the disk; while that is refused it answers as if it had been done: what is lost with the process
//! is derived again from the log.
//!
//! Until then the file keeps the last state that was synced. While the blocks are written it has no
//! header, so that a crash leaves a file that nobody takes for sound, and it is built anew.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{StorageFile, is_write_protection};

/// Bytes of a block, in memory and in a file.
const BLOCK_BYTES: usize = 4096;
const BLOCK_LEN: u64 = BLOCK_BYTES as u64;
/// Most bytes that are held in memory; then writing fails as it does on the disk.
const HELD_BYTES_MAX: u64 = 256 * 1024 * 1024;

type Block = [u8; BLOCK_BYTES];

/// A file, and what could not be written to it.
#[derive(Debug)]
pub(crate) struct OverlayFile {
    file: Arc<dyn StorageFile>,
    held: RwLock<Option<Held>>,
}

/// What lies over the file.
#[derive(Debug)]
struct Held {
    /// The length that the file is to have.
    length: u64,
    /// So many of the file's own bytes show where no block lies over them.
    shown: u64,
    /// By number.
    blocks: BTreeMap<u64, Box<Block>>,
}

impl OverlayFile {
    /// Nothing is held at first.
    pub(crate) fn new(file: Arc<dyn StorageFile>) -> Self {
        Self { file, held: RwLock::default() }
    }

    /// Over no file at all, since the medium made none: everything is held.
    pub(crate) fn in_memory(refusal: ErrorKind) -> Self {
        Self::new(Arc::new(NoFile(refusal)))
    }

    fn read(&self) -> RwLockReadGuard<'_, Option<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<Held>> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries the disk unless something is held already, and begins to hold if it refuses.
    fn change(
        &self,
        on_disk: impl FnOnce(&dyn StorageFile) -> io::Result<()>,
        in_memory: impl FnOnce(&dyn StorageFile, &mut Held) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut held = self.write();
        if held.is_none() {
            match on_disk(&*self.file) {
                Err(error) if is_refusal(&error) => {
                    tracing::warn!(%error, "the state goes on in memory until the disk takes it");
                    let length = self.file.len()?;
                    *held = Some(Held { length, shown: length, blocks: BTreeMap::new() });
                }
                done => return done,
            }
        }
        in_memory(&*self.file, held.as_mut().expect("held since the disk refused"))
    }
}

impl Held {
    /// Reads bytes that are within the length.
    fn read(&self, file: &dyn StorageFile, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let own = usize::try_from(self.shown.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        if own > 0 {
            file.read_at(offset, &mut bytes[..own])?;
        }
        bytes[own..].fill(0);
        for (number, at, part) in parts(offset, bytes.len()) {
            if let Some(block) = self.blocks.get(&number) {
                bytes[part.clone()].copy_from_slice(&block[at..at + part.len()]);
            }
        }
        Ok(())
    }

    fn write(&mut self, file: &dyn StorageFile, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.length = self.length.max(offset.saturating_add(bytes.len() as u64));
        for (number, at, part) in parts(offset, bytes.len()) {
            self.block(file, number)?[at..at + part.len()].copy_from_slice(&bytes[part]);
        }
        Ok(())
    }

    /// The block of a number, with what the file shows there if it is new.
    fn block(&mut self, file: &dyn StorageFile, number: u64) -> io::Result<&mut Block> {
        if !self.blocks.contains_key(&number) {
            if (self.blocks.len() as u64 + 1) * BLOCK_LEN > HELD_BYTES_MAX {
                return Err(ErrorKind::StorageFull.into());
            }
            let mut block = Box::new([0; BLOCK_BYTES]);
            self.read(file, number * BLOCK_LEN, &mut block[..])?;
            self.blocks.insert(number, block);
        }
        Ok(self.blocks.get_mut(&number).expect("it is there by now"))
    }

    fn set_len(&mut self, length: u64) {
        self.shown = self.shown.min(length);
        self.blocks.retain(|number, _| number * BLOCK_LEN < length);
        if let Some(last) = self.blocks.get_mut(&(length / BLOCK_LEN)) {
            // What is cut off does not come back when the file grows.
            let kept = usize::try_from(length % BLOCK_LEN).expect("less than a block");
            last[kept..].fill(0);
        }
        self.length = length;
    }

    /// Brings everything to the disk.
    fn settle(&mut self, file: &dyn StorageFile) -> io::Result<()> {
        let length = self.length;
        let bytes_of = |number: u64| {
            let start = number * BLOCK_LEN;
            let kept = length.saturating_sub(start).min(BLOCK_LEN);
            (start, usize::try_from(kept).expect("at most a block"))
        };
        let (_, first) = bytes_of(0);
        self.block(file, 0)?;
        file.write_at(0, &vec![0; first])?;
        file.sync()?;
        // Cut first: what the file had beyond what shows must not come back.
        file.set_len(self.shown)?;
        file.set_len(self.length)?;
        for (number, block) in self.blocks.iter().skip(1) {
            let (start, kept) = bytes_of(*number);
            file.write_at(start, &block[..kept])?;
        }
        file.sync()?;
        file.write_at(0, &self.blocks[&0][..first])?;
        file.sync()
    }
}

impl StorageFile for OverlayFile {
    fn len(&self) -> io::Result<u64> {
        match &*self.read() {
            Some(held) => Ok(held.length),
            None => self.file.len(),
        }
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        match &*self.read() {
            None => self.file.read_at(offset, bytes),
            Some(held) if offset.saturating_add(bytes.len() as u64) > held.length => {
                Err(ErrorKind::UnexpectedEof.into())
            }
            Some(held) => held.read(&*self.file, offset, bytes),
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(|file| file.write_at(offset, bytes), |file, held| held.write(file, offset, bytes))
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.change(
            |file| file.set_len(length),
            |_, held| {
                held.set_len(length);
                Ok(())
            },
        )
    }

    fn sync(&self) -> io::Result<()> {
        let mut held = self.write();
        let Some(waiting) = &mut *held else {
            return match self.file.sync() {
                // What cannot be written was not: it is as durable as ever.
                Err(error) if is_write_protection(&error) => Ok(()),
                synced => synced,
            };
        };
        match waiting.settle(&*self.file) {
            Ok(()) => *held = None,
            Err(error) if is_refusal(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// An empty file that cannot be made.
#[derive(Debug)]
struct NoFile(ErrorKind);

impl StorageFile for NoFile {
    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn read_at(&self, _: u64, bytes: &mut [u8]) -> io::Result<()> {
        if bytes.is_empty() { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    fn write_at(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(self.0.into())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(self.0.into())
    }

    fn sync(&self) -> io::Result<()> {
        Err(self.0.into())
    }
}

/// Whether the disk works, but takes no more, for now or ever.
fn is_refusal(error: &io::Error) -> bool {
    is_write_protection(error) || matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// The blocks that a range touches: number, where in the block, and where in the range.
fn parts(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done as u64;
        let within = usize::try_from(at % BLOCK_LEN).expect("less than a block");
        let take = (length - done).min(BLOCK_BYTES - within);
        let part = done..done + take;
        done += take;
        (take > 0).then_some((at / BLOCK_LEN, within, part))
    })
}

#[cfg(test)]
mod tests;
