//! Where a workspace's bytes live: one folder of files behind a trait, so that every fault can be injected.
//!
//! [`FolderStorage`] is a real folder; `MemoryStorage` (feature `test-util`) keeps apart what is durable
//! and what a power loss may take. Paths are relative to the folder, with `/` between parts; nothing
//! outside the folder can be named. All calls block.
//!
//! Durability: bytes are durable after [`StorageFile::sync`] returned, a name (created, renamed or removed)
//! after [`Storage::sync_folder`] of the folder that holds it returned. Nothing else is promised, not even
//! the order in which unsynced writes reach the disk. After a failed `sync` the bytes written since the
//! last good one may never reach the disk, whatever later calls say.

mod folder;
#[cfg(any(test, feature = "test-util"))]
mod memory;
mod overlay;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

pub use folder::FolderStorage;
#[cfg(any(test, feature = "test-util"))]
pub use memory::{Fault, MemoryStorage, SECTOR_LEN};
pub(crate) use overlay::OverlayFile;

/// Name of the file that is locked while a workspace is open.
pub const LOCK_FILE: &str = "lock";

/// One folder and the files in it.
pub trait Storage: Send + Sync + Debug {
    /// Names of the files in a folder, sorted. A missing folder is empty; subfolders are not listed.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Makes a folder. Fine if it exists.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or something else has its name.
    fn create_folder(&self, folder: &str) -> io::Result<()>;

    /// Opens a file, making an empty one if it is missing and `create` is set. A file that may only be
    /// read is opened all the same; writing to it fails.
    ///
    /// # Errors
    ///
    /// `NotFound` if it is missing and `create` is not set; `InvalidInput` if the path is not a plain file's.
    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn StorageFile>>;

    /// Renames a file within its folder, replacing what has the new name.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Makes the names in a folder durable. The empty path is the workspace folder itself.
    ///
    /// # Errors
    ///
    /// If the operating system cannot promise it.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;

    /// What tells a file from a copy of it in another place, or of another time.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no such file.
    fn origin(&self, path: &str) -> io::Result<Origin>;

    /// Locks the folder for one opener, until the guard is dropped or the process ends.
    ///
    /// # Errors
    ///
    /// [`LockError::Held`] if somebody has it, in this process or another.
    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError>;
}

/// Where a file is, as far as a copy of it would be elsewhere. What is not known is empty or zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The machine, at most 64 bytes.
    pub machine: String,
    /// The file's number in its file system.
    pub file: u64,
    /// When the file was made, in nanoseconds since 1970.
    pub born_ns: u64,
}

/// An open file. Reads and writes carry their offset and may come from many threads.
pub trait StorageFile: Send + Sync + Debug {
    /// Length in bytes.
    ///
    /// # Errors
    ///
    /// If the operating system does not say.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    ///
    /// # Errors
    ///
    /// As [`StorageFile::len`].
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `bytes` from the offset on.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` if the file is shorter.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes all bytes at the offset, growing the file if needed; a gap reads as zeros.
    ///
    /// # Errors
    ///
    /// After an error any part of the bytes may have been written. `StorageFull` when the disk is full,
    /// `ReadOnlyFilesystem` or `PermissionDenied` when the file may only be read.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts or extends the file; new bytes are zero.
    ///
    /// # Errors
    ///
    /// As [`StorageFile::write_at`].
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes content and length durable (`fdatasync`; `F_FULLFSYNC` on Apple systems).
    ///
    /// # Errors
    ///
    /// Then nothing written since the last good sync can be relied on, now or later.
    fn sync(&self) -> io::Result<()>;
}

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it open.
    #[error("workspace is already open{}", held_by(*pid))]
    Held {
        /// The process that has it, if it could be told.
        pid: Option<u32>,
    },
    /// The lock file could not be made or locked.
    #[error("could not lock the workspace")]
    Io(#[from] io::Error),
}

/// Whether an error says that a file may be read but not written.
pub(crate) fn is_write_protection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

fn held_by(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" in process {pid}")).unwrap_or_default()
}

/// Reads a whole file of at most `bytes_max` bytes, or `None` if it is missing.
///
/// # Errors
///
/// `FileTooLarge` if it is longer; else what the storage reports.
pub fn read_file(storage: &dyn Storage, path: &str, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match storage.open(path, false) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let length = usize::try_from(file.len()?).ok().filter(|length| *length <= bytes_max);
    let mut bytes = vec![0; length.ok_or(io::ErrorKind::FileTooLarge)?];
    file.read_at(0, &mut bytes)?;
    Ok(Some(bytes))
}

/// Replaces a file by another content at once: whatever happens, the file has either all of the old or
/// all of the new bytes, and the new ones durably on return.
///
/// # Errors
///
/// What the storage reports. The old content is then still there.
pub fn replace_file(storage: &dyn Storage, path: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!("{path}.tmp");
    let file = storage.open(&temporary, true)?;
    file.set_len(0)?;
    file.write_at(0, bytes)?;
    file.sync()?;
    storage.rename(&temporary, path)?;
    storage.sync_folder(path.rsplit_once('/').map_or("", |(folder, _)| folder))
}
