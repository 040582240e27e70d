//! A workspace in memory that can lose power, fail and fill up at any operation, for tests.
//!
//! Keeps apart what is durable from what is only written, by the rules of [`super`]: content becomes
//! durable by `sync` of its file, names by `sync_folder`. [`MemoryStorage::crash_image`] is what a disk
//! may hold after the power went: everything durable, and of the rest any part, sector by sector.
//! Contents share their pages, so that an image costs little more than what was not yet synced.
//!
//! Two counters number what happens. *Operations* are all calls, reads too: a fault is aimed at one of
//! them. *Changes* are those that alter the disk: between any two a crash can be imagined.

mod disk;

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use disk::{Change, Content, Crash, Durable, FileId, Node};

use super::{LockError, Origin, Storage, StorageFile};

/// Bytes that a disk writes all or not at all.
pub const SECTOR_LEN: usize = disk::SECTOR;

/// How long an injected fault lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// One operation fails, the next one works.
    Once,
    /// That operation and all later ones fail.
    Lasting,
}

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryStorage {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    /// What the running program sees.
    names: disk::Names,
    files: disk::Files,
    /// What a crash would leave.
    durable: Durable,
    recording: Option<Recording>,
    operations: u64,
    changes: u64,
    fault: Option<(u64, ErrorKind, Fault)>,
    capacity: Option<u64>,
    /// Places that cannot be read.
    unreadable: Vec<(FileId, std::ops::Range<u64>)>,
    read_only: bool,
    locked: bool,
    machine: String,
}

/// Every change since the start, and how far a replay of them has come.
#[derive(Debug, Default)]
struct Recording {
    changes: Vec<Change>,
    replayed: usize,
    replay: Durable,
}

impl MemoryStorage {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty disk that remembers every change, for [`Self::crash_image_after`].
    #[must_use]
    pub fn recording() -> Self {
        let storage = Self::new();
        storage.disk().recording = Some(Recording::default());
        storage
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls so far, reads and failed ones included.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// Calls so far that altered the disk, or tried to make it durable.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.disk().changes
    }

    /// Makes the operation with this number (the next one has [`Self::operations`]) fail. A failing write
    /// writes half of its bytes; a failing sync leaves some of the unsynced writes undurable for good.
    pub fn fail_at(&self, operation: u64, kind: ErrorKind, fault: Fault) {
        self.disk().fault = Some((operation, kind, fault));
    }

    /// Ends an injected fault.
    pub fn heal(&self) {
        self.disk().fault = None;
    }

    /// Limits the bytes that files may occupy, in whole pages of 4 KiB; `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.disk().capacity = bytes;
    }

    /// Bytes that files occupy, in whole pages of 4 KiB. Space never written does not count.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.disk().used()
    }

    /// Refuses every change, as a medium mounted for reading does.
    pub fn set_read_only(&self, read_only: bool) {
        self.disk().read_only = read_only;
    }

    /// A disk as a power loss now may leave it; `seed` chooses what of the unsynced changes survives.
    #[must_use]
    pub fn crash_image(&self, seed: u64) -> Self {
        Self::after_crash(&self.disk().durable, seed)
    }

    /// As [`Self::crash_image`], had the power gone after the first `changes` changes. Cheapest when
    /// asked for in rising order.
    ///
    /// # Panics
    ///
    /// If this disk does not record, or has not seen as many changes.
    #[must_use]
    pub fn crash_image_after(&self, changes: u64, seed: u64) -> Self {
        let mut disk = self.disk();
        let recording = disk.recording.as_mut().expect("only a recording disk knows its past");
        let target = usize::try_from(changes).expect("fits in memory");
        if target < recording.replayed {
            recording.replay = Durable::default();
            recording.replayed = 0;
        }
        for change in &recording.changes[recording.replayed..target] {
            recording.replay.apply(change);
        }
        recording.replayed = target;
        Self::after_crash(&recording.replay, seed)
    }

    fn after_crash(durable: &Durable, seed: u64) -> Self {
        let (names, files) = durable.image(&mut Crash::new(seed));
        let durable = Durable::settled(names.clone(), files.clone());
        let disk = Disk { names, files, durable, ..Disk::default() };
        Self { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Overwrites bytes behind everybody's back, as decay or an attacker would. Counts as nothing.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn damage(&self, path: &str, offset: u64, bytes: &[u8]) {
        let mut disk = self.disk();
        let file = disk.file(path).expect("the file to damage exists");
        Arc::make_mut(disk.files.entry(file).or_default()).write(offset, bytes);
        disk.durable.damage(file, offset, bytes);
    }

    /// The files as they are now, durable, on another machine.
    #[must_use]
    pub fn copy_to(&self, machine: &str) -> Self {
        let disk = self.disk();
        let (names, files) = (disk.names.clone(), disk.files.clone());
        let durable = Durable::settled(names.clone(), files.clone());
        let disk = Disk { names, files, durable, machine: machine.to_owned(), ..Disk::default() };
        Self { disk: Arc::new(Mutex::new(disk)) }
    }

    /// Makes a range of a file unreadable for good, as a worn-out sector does. Counts as nothing.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    pub fn wear_out(&self, path: &str, range: std::ops::Range<u64>) {
        let mut disk = self.disk();
        let file = disk.file(path).expect("the file to wear out exists");
        disk.unreadable.push((file, range));
    }

    /// The content of a file as a reader sees it now, or `None` if it is missing. Counts as nothing.
    #[must_use]
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let disk = self.disk();
        let content = disk.files.get(&disk.file(path)?)?;
        let mut bytes = vec![0; usize::try_from(content.len()).expect("fits in memory")];
        content.read(0, &mut bytes);
        Some(bytes)
    }
}

impl Disk {
    fn used(&self) -> u64 {
        self.files.values().map(|content| content.used()).sum()
    }

    fn file(&self, path: &str) -> Option<FileId> {
        match self.names.get(path) {
            Some(Node::File(file)) => Some(*file),
            _ => None,
        }
    }

    /// Counts an operation and says whether it has to fail.
    fn begin(&mut self) -> io::Result<()> {
        let number = self.operations;
        self.operations += 1;
        match self.fault {
            Some((at, kind, Fault::Once)) if number == at => Err(kind.into()),
            Some((at, kind, Fault::Lasting)) if number >= at => Err(kind.into()),
            _ => Ok(()),
        }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.read_only { Err(ErrorKind::ReadOnlyFilesystem.into()) } else { Ok(()) }
    }

    fn record(&mut self, change: Change) {
        self.changes += 1;
        self.durable.apply(&change);
        if let Some(recording) = &mut self.recording {
            recording.changes.push(change);
        }
    }

    /// Writes as many of the bytes as the fault and the free space let through.
    fn write(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let begun = self.begin();
        self.check_writable()?;
        let allowed = if begun.is_err() { bytes.len() / 2 } else { bytes.len() };
        let free = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()));
        let content = Arc::make_mut(self.files.entry(file).or_default());
        let fitting = content.fitting(offset, allowed, free);
        if fitting > 0 || bytes.is_empty() {
            content.write(offset, &bytes[..fitting]);
            self.record(Change::Write { file, offset, bytes: bytes[..fitting].into() });
        }
        begun?;
        if fitting < bytes.len() { Err(ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn rename_node(&mut self, path: &str, node: Option<Node>) {
        match node.clone() {
            Some(node) => self.names.insert(path.to_owned(), node),
            None => self.names.remove(path),
        };
        self.record(Change::Name { path: path.to_owned(), node });
    }
}

fn not_found() -> io::Error {
    ErrorKind::NotFound.into()
}

impl Storage for MemoryStorage {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut disk = self.disk();
        disk.begin()?;
        let inside = |(path, node): (&String, &Node)| {
            let (parent, name) = disk::split(path);
            (parent == folder && matches!(node, Node::File(_))).then(|| name.to_owned())
        };
        Ok(disk.names.iter().filter_map(inside).collect())
    }

    fn create_folder(&self, folder: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        match disk.names.get(folder) {
            _ if folder.is_empty() => Ok(()),
            Some(Node::Folder) => Ok(()),
            Some(Node::File(_)) => Err(ErrorKind::InvalidInput.into()),
            None => {
                disk.check_writable()?;
                disk.rename_node(folder, Some(Node::Folder));
                Ok(())
            }
        }
    }

    fn open(&self, path: &str, create: bool) -> io::Result<Arc<dyn StorageFile>> {
        let mut disk = self.disk();
        disk.begin()?;
        let file = match disk.names.get(path) {
            Some(Node::File(file)) => *file,
            Some(Node::Folder) => return Err(ErrorKind::InvalidInput.into()),
            None if !create => return Err(not_found()),
            None => {
                disk.check_writable()?;
                let (parent, _) = disk::split(path);
                if !parent.is_empty() && !matches!(disk.names.get(parent), Some(Node::Folder)) {
                    return Err(not_found());
                }
                let file = disk.files.keys().next_back().map_or(0, |last| last + 1);
                disk.files.insert(file, Arc::new(Content::default()));
                disk.rename_node(path, Some(Node::File(file)));
                file
            }
        };
        Ok(Arc::new(MemoryFile { storage: self.clone(), file }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        disk.check_writable()?;
        let file = disk.file(from).ok_or_else(not_found)?;
        disk.names.remove(from);
        disk.names.insert(to.to_owned(), Node::File(file));
        disk.record(Change::Rename { from: from.to_owned(), to: to.to_owned(), file });
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        disk.check_writable()?;
        disk.file(path).ok_or_else(not_found)?;
        disk.rename_node(path, None);
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        let mut disk = self.disk();
        disk.begin()?;
        disk.record(Change::SyncFolder { folder: folder.to_owned() });
        Ok(())
    }

    fn origin(&self, path: &str) -> io::Result<Origin> {
        let mut disk = self.disk();
        disk.begin()?;
        let file = disk.file(path).ok_or_else(not_found)?;
        Ok(Origin { machine: disk.machine.clone(), file, born_ns: 0 })
    }

    fn lock(&self) -> Result<Box<dyn Send + Sync>, LockError> {
        let mut disk = self.disk();
        disk.begin()?;
        if disk.locked {
            return Err(LockError::Held { pid: Some(std::process::id()) });
        }
        disk.locked = true;
        Ok(Box::new(MemoryLock(self.clone())))
    }
}

#[derive(Debug)]
struct MemoryLock(MemoryStorage);

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.disk().locked = false;
    }
}

#[derive(Debug)]
struct MemoryFile {
    storage: MemoryStorage,
    file: FileId,
}

impl StorageFile for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        let mut disk = self.storage.disk();
        disk.begin()?;
        Ok(disk.files.get(&self.file).map_or(0, |content| content.len()))
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut disk = self.storage.disk();
        disk.begin()?;
        let content = disk.files.get(&self.file).ok_or_else(not_found)?;
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > content.len()) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let read = offset..offset + bytes.len() as u64;
        let meets = |(file, bad): &(FileId, std::ops::Range<u64>)| {
            *file == self.file && bad.start < read.end && read.start < bad.end
        };
        if disk.unreadable.iter().any(meets) {
            return Err(io::Error::other("a sector cannot be read"));
        }
        content.read(offset, bytes);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.storage.disk().write(self.file, offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut disk = self.storage.disk();
        disk.begin()?;
        disk.check_writable()?;
        Arc::make_mut(disk.files.entry(self.file).or_default()).set_len(len);
        disk.record(Change::SetLen { file: self.file, len });
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = self.storage.disk();
        let begun = disk.begin();
        disk.check_writable()?;
        let seed = disk.operations;
        disk.record(match begun {
            Ok(()) => Change::Sync { file: self.file },
            Err(_) => Change::FailedSync { file: self.file, seed },
        });
        begun
    }
}
