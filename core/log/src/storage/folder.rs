//! A workspace in a folder of the operating system's file system.
//!
//! Refuses what it did not put there: a path that leaves the folder, and a symbolic link, device or pipe
//! in the place of a file or subfolder. The workspace folder itself may be reached through links.
//! On Unix the files it makes are for their owner only.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::{LOCK_FILE, LockError, Origin, Storage, StorageFile, is_write_protection};

/// Longest process id that a lock file can hold, in digits.
const PID_DIGITS_MAX: u64 = 10;

/// Longest name of a machine, in bytes.
const MACHINE_BYTES_MAX: usize = 64;

/// A folder that exists.
#[derive(Debug, Clone)]
pub struct FolderStorage {
    root: PathBuf,
}

impl FolderStorage {
    /// The storage in a folder. The folder need not exist until the first file is made:
    /// [`Storage::create_folder`] with an empty path makes it.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { root: path.into() }
    }

    /// The full path of a relative one, if every part of it is an ordinary name and every folder on the
    /// way is a folder.
    fn resolve(&self, relative: &str) -> io::Result<PathBuf> {
        let mut path = self.root.clone();
        if relative.is_empty() {
            return Ok(path);
        }
        let mut parts = relative.split('/').peekable();
        while let Some(part) = parts.next() {
            let ordinary = !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']);
            if !ordinary {
                return Err(surprise(relative, "is not a path inside the workspace"));
            }
            path.push(part);
            if parts.peek().is_some() && kind_of(&path)?.is_some_and(|kind| !kind.is_dir()) {
                return Err(surprise(relative, "is not in a folder"));
            }
        }
        Ok(path)
    }

    /// As [`Self::resolve`], for a path that has to be a folder or nothing.
    fn resolve_folder(&self, relative: &str) -> io::Result<PathBuf> {
        let path = self.resolve(relative)?;
        // The workspace folder itself may be reached through a link.
        if !relative.is_empty() && kind_of(&path)?.is_some_and(|kind| !kind.is_dir()) {
            return Err(surprise(relative, "is not a folder"));
        }
        Ok(path)
    }

    /// As [`Self::resolve`], for a path that has to be a plain file or nothing.
    fn resolve_file(&self, relative: &str) -> io::Result<PathBuf> {
        let path = self.resolve(relative)?;
        if kind_of(&path)?.is_some_and(|kind| !kind.is_file()) {
            return Err(surprise(relative, "is not a plain file"));
        }
        Ok(path)
    }
}

/// What has a name, without following a link; `None` if nothing has it.
fn kind_of(path: &Path) -> io::Result<Option<fs::FileType>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn surprise(relative: &str, problem: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, format!("{relative:?} {problem}"))
}

impl Storage for FolderStorage {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(self.resolve_folder(folder)?) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        let path = self.resolve_folder(folder)?;
        if folder.is_empty() {
            return fs::create_dir_all(path);
        }
        match fs::create_dir(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn StorageFile>> {
        let full = self.resolve_file(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(create).truncate(false);
        // What is in a workspace is nobody else's business, sealed or not.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&full) {
            Ok(file) => Ok(Arc::new(FolderFile { file, refusal: None })),
            Err(error) if is_write_protection(&error) => {
                let refusal = Some(error.kind());
                let file = File::open(&full).map_err(|_| error)?;
                Ok(Arc::new(FolderFile { file, refusal }))
            }
            Err(error) => Err(error),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.resolve_file(from)?, self.resolve_file(to)?)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        fs::remove_file(self.resolve_file(path)?)
    }

    #[cfg(unix)]
    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.resolve_folder(folder)?)?.sync_all()
    }

    /// Windows has no call for this; NTFS journals names by itself.
    #[cfg(not(unix))]
    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.resolve_folder(folder).map(drop)
    }

    fn origin(&self, path: &str) -> io::Result<Origin> {
        let metadata = fs::metadata(self.resolve_file(path)?)?;
        let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        let born_ns = born.map_or(0, |born| u64::try_from(born.as_nanos()).unwrap_or(u64::MAX));
        Ok(Origin { machine: machine(), file: file_number(&metadata), born_ns })
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError> {
        let path = self.resolve_file(LOCK_FILE)?;
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let (mut file, writable) = match opened {
            Ok(file) => (file, true),
            Err(error) if is_write_protection(&error) => match File::open(&path) {
                Ok(file) => (file, false),
                // Nobody can write to a read-only medium, so there is nobody to exclude.
                Err(_) if error.kind() == ErrorKind::ReadOnlyFilesystem => return Ok(Box::new(())),
                Err(_) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LockError::Held { pid: read_pid(&mut file) }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        if writable {
            // The lock holds without it; the process id only makes for a better message.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        }
        Ok(Box::new(file))
    }
}

#[cfg(unix)]
fn file_number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn file_number(_: &fs::Metadata) -> u64 {
    0
}

/// A name of this machine that its copies and restarts keep and others do not have; empty where there
/// is none to be had without asking the operating system in ways of its own.
fn machine() -> String {
    let read = |path| fs::read_to_string(path).ok();
    let name = if cfg!(windows) {
        std::env::var("COMPUTERNAME").ok()
    } else {
        read("/etc/machine-id").or_else(|| read("/var/lib/dbus/machine-id"))
    };
    name.map(|name| name.trim().to_owned()).filter(|name| name.len() <= MACHINE_BYTES_MAX).unwrap_or_default()
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_DIGITS_MAX).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

#[derive(Debug)]
struct FolderFile {
    file: File,
    /// Set if the file could only be opened for reading: how writing to it fails.
    refusal: Option<ErrorKind>,
}

impl FolderFile {
    fn writable(&self) -> io::Result<&File> {
        match self.refusal {
            None => Ok(&self.file),
            Some(kind) => Err(kind.into()),
        }
    }
}

impl StorageFile for FolderFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, bytes, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, mut offset: u64, mut bytes: &mut [u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_read(&self.file, bytes, offset) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    bytes = &mut bytes[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self.writable()?, bytes, offset)
    }

    #[cfg(windows)]
    fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        let file = self.writable()?;
        while !bytes.is_empty() {
            match std::os::windows::fs::FileExt::seek_write(file, bytes, offset) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = &bytes[count..];
                    offset += count as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writable()?.set_len(len)
    }

    /// On Apple systems the standard library asks for `F_FULLFSYNC`, elsewhere for `fdatasync` or its like.
    fn sync(&self) -> io::Result<()> {
        self.writable()?.sync_data()
    }
}
