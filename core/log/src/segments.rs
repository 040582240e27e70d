//! The log on disk: append-only segment files of entries exactly as they travel.
//!
//! `log/00000001.seg`, `log/00000002.seg`, .. each hold a header (see `segments/header.rs`) and frames:
//!
//! ```text
//! size  field
//!    4  word       u32; bit 31 set in the first frame of an append; the rest is the entry's length
//!    4  check      first bytes of the entry's id: an entry's own hash covers its payload, not its header
//!   ..  entry      272-byte header and payload
//! ```
//!
//! Zeros follow the last frame, up to the end of the space taken in advance, or a frame word with nothing
//! but bit 31 set, written when the log is closed.
//!
//! Invariants:
//! * [`Segments::append`] returns after its bytes are durable. One append is one write into one file, and
//!   starts only when the one before is durable; so the start of an append, the closing mark, or a further
//!   segment proves that everything before it was durable.
//! * Every chain in an append ends with a signed entry. What is left of an append that was cut short is
//!   therefore kept only up to the last point where all its entries are proven; the rest was never
//!   acknowledged and is dropped.
//! * Recovery changes no byte. Behind a torn tail nothing is appended: the next append begins a new
//!   segment, whose header says how many bytes of the one before count. But what a killed process left in
//!   the page cache is not durable, and after a failed sync a further one proves nothing; so unless it
//!   finds the closing mark, recovery writes the last append once more as it is, and syncs it.
//! * Entries are self-verifying. A damaged place is skipped by searching for the next entry of this
//!   workspace, and reported.
//!
//! Knows neither chains nor permissions: whether an entry may be there is for the log to say.

mod copy;
mod header;
mod recover;
mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::entry::{DATA_PAYLOAD_MAX, Entry, HEADER_LEN};
use crate::ids::WorkspaceId;
use crate::storage::{Storage, StorageFile};

pub use copy::{HEADER_BYTES, SegmentPart, segment_path, with_epoch};
use header::{HeaderError, SegmentHeader};
pub use scan::{Damage, RecoveryReport};

/// Folder of the segment files.
pub const LOG_FOLDER: &str = "log";
/// Most bytes that one append may take, frame words included.
pub const APPEND_BYTES_MAX: usize = 64 << 20;

/// Size from which on the first segment is full; doubles with every further one.
const SEGMENT_BYTES_FIRST: u32 = 1 << 20;
/// Size from which on any segment is full.
const SEGMENT_BYTES_MAX: u32 = 64 << 20;
/// Space is taken in advance in steps of this many bytes, so that most appends neither lengthen the file
/// nor can find the disk full.
const EXTENT_BYTES: u32 = 256 << 10;
/// Largest entry in bytes.
const ENTRY_BYTES_MAX: usize = HEADER_LEN + DATA_PAYLOAD_MAX;
/// Bytes of a frame before its entry: word and check.
const FRAME_HEAD_LEN: u32 = 8;
/// Bytes of the check.
const CHECK_LEN: usize = 4;
/// Set in the word of the first frame of an append; alone, the mark of an orderly end.
const FIRST_OF_APPEND: u32 = 1 << 31;

/// Where an entry's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Number of the segment file.
    pub segment: u32,
    /// Offset of the entry's first byte in the file.
    pub offset: u32,
    /// Length of the entry in bytes.
    pub length: u32,
}

/// Why the log could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// A log is there already.
    #[error("there is a log in this folder already")]
    AlreadyExists,
    /// There is no log here.
    #[error("there is no log in this folder")]
    NotAWorkspace,
    /// Written by a newer version of this software.
    #[error("log has format {found}, which is newer than this version: upgrade needed")]
    NewerFormat {
        /// The format found.
        found: u32,
    },
    /// Not one segment can be recognised, or two disagree about whose they are.
    #[error("log is damaged: {0}")]
    Damaged(&'static str),
    /// The bytes at a place are not the entry that was written there.
    #[error("entry at byte {} of segment {} is damaged", .0.offset, .0.segment)]
    Corrupt(Place),
    /// There is no space. Nothing of the append is kept; reading goes on, and a later append may succeed.
    #[error("disk is full")]
    DiskFull,
    /// Writing failed twice, or is not permitted. Reading goes on; nothing is written until the log is
    /// opened again.
    #[error("log can only be read, since writing to it failed: {0}")]
    ReadOnly(ErrorKind),
    /// More than [`APPEND_BYTES_MAX`] in one append.
    #[error("append is too large")]
    TooLarge,
    /// The log was closed, or was opened and not yet recovered.
    #[error("log is closed")]
    Closed,
    /// The storage failed.
    #[error("could not access the log")]
    Io(#[from] io::Error),
}

/// The segment files of one workspace. Reading does not wait for appending.
#[derive(Debug)]
pub struct Segments {
    storage: Arc<dyn Storage>,
    workspace: WorkspaceId,
    epoch: [u8; 16],
    files: RwLock<BTreeMap<u32, Segment>>,
    /// `None` until [`Segments::recover`] found the end.
    writer: Mutex<Option<Writer>>,
}

#[derive(Debug, Clone)]
struct Segment {
    file: Arc<dyn StorageFile>,
    /// Bytes that count, once the next segment says so.
    end: Option<u32>,
    header_damaged: bool,
}

#[derive(Debug)]
struct Writer {
    segment: u32,
    /// Where the next frame goes.
    position: u32,
    /// Up to where the file has zeros to be overwritten; not below `position`.
    allocated: u32,
    /// Whether the segment must not be written to any more.
    abandoned: bool,
    /// Whether all is durable up to `position` and no closing mark says so.
    unmarked: bool,
    /// Why nothing is written any more.
    read_only: Option<ErrorKind>,
}

impl Writer {
    fn new(segment: u32, position: u32, allocated: u32) -> Self {
        Self { segment, position, allocated, abandoned: false, unmarked: false, read_only: None }
    }

    /// Whether an append of this many bytes belongs into a new segment.
    fn is_full(&self, length: u32) -> bool {
        let doublings = (self.segment - 1).min(SEGMENT_BYTES_MAX.ilog2());
        let capacity = SEGMENT_BYTES_FIRST
            .checked_shl(doublings)
            .map_or(SEGMENT_BYTES_MAX, |bytes| bytes.min(SEGMENT_BYTES_MAX));
        self.position > header::LEN && self.position + length > capacity
    }
}

/// How an attempt to append failed.
enum AppendFailure {
    /// For want of space; what was written of it is erased.
    Full,
    /// In any other way: the file is not to be trusted.
    Io(io::Error),
}

impl From<io::Error> for AppendFailure {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Io(error) }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

fn segment_number(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg").filter(|digits| digits.len() >= 8)?;
    let number = digits.parse().ok().filter(|number| *number > 0)?;
    (segment_path(number).ends_with(&format!("/{name}"))).then_some(number)
}

impl Segments {
    /// Makes the log of a new workspace. `epoch` tells this log from every other of the same workspace.
    ///
    /// # Errors
    ///
    /// [`SegmentError::AlreadyExists`], [`SegmentError::DiskFull`], or what the storage reports.
    pub fn create(
        storage: Arc<dyn Storage>,
        workspace: WorkspaceId,
        epoch: [u8; 16],
    ) -> Result<Self, SegmentError> {
        match Self::open(Arc::clone(&storage)) {
            Err(SegmentError::NotAWorkspace) => {}
            Ok(_) | Err(SegmentError::NewerFormat { .. } | SegmentError::Damaged(_)) => {
                return Err(SegmentError::AlreadyExists);
            }
            Err(error) => return Err(error),
        }
        storage.create_folder("")?;
        storage.create_folder(LOG_FOLDER)?;
        storage.sync_folder("")?;
        let segments = Self { storage, workspace, epoch, files: RwLock::default(), writer: Mutex::new(None) };
        let writer = segments.begin_segment(1, 0).map_err(|failure| match failure {
            AppendFailure::Full => SegmentError::DiskFull,
            AppendFailure::Io(error) => error.into(),
        })?;
        *segments.writer() = Some(writer);
        Ok(segments)
    }

    /// Opens the log of a workspace. Reads only the headers of the segments; [`Segments::recover`] has to
    /// be called before the first append.
    ///
    /// # Errors
    ///
    /// [`SegmentError::NotAWorkspace`], also for a log whose making was cut short;
    /// [`SegmentError::NewerFormat`]; [`SegmentError::Damaged`] if no header can be read or two disagree.
    pub fn open(storage: Arc<dyn Storage>) -> Result<Self, SegmentError> {
        let names = storage.list(LOG_FOLDER)?;
        let mut files = BTreeMap::new();
        let mut identity = None;
        let mut unreadable = None;
        for number in names.iter().filter_map(|name| segment_number(name)) {
            let file = storage.open(&segment_path(number), false)?;
            let read = SegmentHeader::read(file.as_ref(), number)
                .or_else(|_| SegmentHeader::read(file.as_ref(), number));
            // A worn sector costs the header only: the entries behind it may be sound.
            let header = read.unwrap_or_else(|error| {
                unreadable = Some(error);
                Err(HeaderError::Damaged)
            });
            let header = match header {
                Err(HeaderError::Newer(found)) => return Err(SegmentError::NewerFormat { found }),
                Err(HeaderError::Damaged) => None,
                Ok(header) => Some(header),
            };
            if header.is_none() && file.len()? <= u64::from(header::LEN) {
                // Its making was cut short; the first append would have come after.
                continue;
            }
            if let Some(header) = &header {
                let own = (header.workspace, header.epoch);
                if *identity.get_or_insert(own) != own {
                    return Err(SegmentError::Damaged("its segments belong to different logs"));
                }
                if let Some(before) = files.get_mut(&(number - 1)) {
                    let before: &mut Segment = before;
                    before.end = Some(header.previous_end);
                }
            }
            files.insert(number, Segment { file, end: None, header_damaged: header.is_none() });
        }
        let Some((workspace, epoch)) = identity else {
            if let Some(error) = unreadable {
                return Err(error.into());
            }
            let damaged = SegmentError::Damaged("no segment has a readable header");
            return Err(if files.is_empty() { SegmentError::NotAWorkspace } else { damaged });
        };
        Ok(Self { storage, workspace, epoch, files: RwLock::new(files), writer: Mutex::new(None) })
    }

    /// The workspace whose log this is.
    #[must_use]
    pub const fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// What tells this log from every other of the same workspace.
    #[must_use]
    pub const fn epoch(&self) -> [u8; 16] {
        self.epoch
    }

    /// Bytes that the segment files take on the disk.
    ///
    /// # Errors
    ///
    /// What the storage reports.
    pub fn disk_bytes(&self) -> Result<u64, SegmentError> {
        let files: Vec<_> = self.read_files().values().map(|segment| Arc::clone(&segment.file)).collect();
        files.iter().try_fold(0, |sum, file| Ok(sum + file.len()?))
    }

    /// Reads an entry back and checks that it is whole.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Corrupt`] if there is no entry at the place, or its bytes have changed.
    pub fn read(&self, place: Place) -> Result<Entry, SegmentError> {
        let corrupt = SegmentError::Corrupt(place);
        let length = place.length as usize;
        if !(HEADER_LEN..=ENTRY_BYTES_MAX).contains(&length) {
            return Err(corrupt);
        }
        let Some(file) = self.read_files().get(&place.segment).map(|segment| Arc::clone(&segment.file))
        else {
            return Err(corrupt);
        };
        let Some(start) = u64::from(place.offset).checked_sub(CHECK_LEN as u64) else { return Err(corrupt) };
        let mut bytes = vec![0; CHECK_LEN + length];
        match file.read_at(start, &mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(corrupt),
            read => read?,
        }
        self.decode(&bytes).ok_or(corrupt)
    }

    /// Appends entries; they are durable on return. Returns where each one is.
    ///
    /// Every chain among the entries has to end with a signed entry here, or recovery may take the append
    /// for one that was cut short.
    ///
    /// # Errors
    ///
    /// [`SegmentError::DiskFull`], [`SegmentError::ReadOnly`] or [`SegmentError::TooLarge`]. None of the
    /// entries then counts as written, though after a crash some may be found again.
    /// [`SegmentError::Closed`] after [`Segments::close`], or before [`Segments::recover`].
    pub fn append(&self, entries: &[Entry]) -> Result<Vec<Place>, SegmentError> {
        debug_assert!(ends_proven(entries), "every chain of an append ends with a signed entry");
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let (frames, mut places) = encode_frames(entries)?;
        let mut writer = self.writer();
        let writer = writer.as_mut().ok_or(SegmentError::Closed)?;
        if let Some(kind) = writer.read_only {
            return Err(SegmentError::ReadOnly(kind));
        }
        let start = self.write_or_move(writer, &frames)?;
        for place in &mut places {
            place.segment = writer.segment;
            place.offset += start;
        }
        Ok(places)
    }

    /// Closes the log, and leaves a mark, so that damage to the last append can be told from a torn
    /// tail. Later appends answer [`SegmentError::Closed`]. Must come before another opener may
    /// write; dropping the log does the same.
    pub fn close(&self) {
        let Some(writer) = self.writer().take() else { return };
        let has_space = writer.allocated - writer.position >= FRAME_HEAD_LEN;
        if writer.unmarked && !writer.abandoned && has_space {
            // Without the mark only the last append is worse protected.
            let _ =
                self.file(writer.segment).write_at(writer.position.into(), &FIRST_OF_APPEND.to_le_bytes());
        }
    }

    /// Writes frames at the end, in a new segment if the present one fails. Returns where they start.
    fn write_or_move(&self, writer: &mut Writer, frames: &[u8]) -> Result<u32, SegmentError> {
        let first_failure = match self.write(writer, frames) {
            Ok(start) => return Ok(start),
            Err(AppendFailure::Full) => return Err(SegmentError::DiskFull),
            Err(AppendFailure::Io(error)) => error,
        };
        tracing::warn!(segment = writer.segment, error = %first_failure, "append failed, trying a new segment");
        writer.abandoned = true;
        match self.write(writer, frames) {
            Ok(start) => Ok(start),
            Err(AppendFailure::Full) => Err(SegmentError::DiskFull),
            Err(AppendFailure::Io(error)) => {
                writer.abandoned = true;
                writer.read_only = Some(error.kind());
                Err(SegmentError::ReadOnly(error.kind()))
            }
        }
    }

    fn write(&self, writer: &mut Writer, frames: &[u8]) -> Result<u32, AppendFailure> {
        let length = u32::try_from(frames.len()).expect("an append is bounded");
        if writer.abandoned || writer.is_full(length) {
            // From here on the next segment may be there, with a header that says where this one ends.
            writer.abandoned = true;
            *writer = self.begin_segment(writer.segment + 1, writer.position)?;
        }
        let file = self.file(writer.segment);
        let start = writer.position;
        let end = start + length;
        let result = if end <= writer.allocated {
            file.write_at(start.into(), frames)
        } else {
            let mut padded = frames.to_vec();
            padded.resize((end.next_multiple_of(EXTENT_BYTES) - start) as usize, 0);
            file.write_at(start.into(), &padded)
        };
        if let Err(error) = result {
            // The space taken before stays, so that on a full disk a smaller append can still be made.
            writer.abandoned = erase(file.as_ref(), start, writer.allocated).is_err();
            return Err(error.into());
        }
        if let Err(error) = file.sync() {
            // Whatever the reason, this file is not written to again; erasing only keeps the next opener
            // from finding what was not acknowledged.
            let _ = erase(file.as_ref(), start, writer.allocated);
            return Err(AppendFailure::Io(error));
        }
        writer.position = end;
        writer.allocated = writer.allocated.max(end.next_multiple_of(EXTENT_BYTES));
        writer.unmarked = true;
        Ok(start)
    }

    /// Makes an empty segment, durably, of which the one before counts `previous_end` bytes.
    fn begin_segment(&self, number: u32, previous_end: u32) -> Result<Writer, AppendFailure> {
        let file = self.storage.open(&segment_path(number), true)?;
        let header = SegmentHeader { number, workspace: self.workspace, epoch: self.epoch, previous_end };
        file.set_len(0)?;
        file.write_at(0, &header.encode())?;
        file.sync()?;
        self.storage.sync_folder(LOG_FOLDER)?;
        let mut files = self.files.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = files.get_mut(&(number - 1)) {
            before.end = Some(previous_end);
        }
        files.insert(number, Segment { file, end: None, header_damaged: false });
        Ok(Writer::new(number, header::LEN, header::LEN))
    }

    /// The entry behind its check, if both are whole and it belongs to this workspace.
    fn decode(&self, bytes: &[u8]) -> Option<Entry> {
        let (check, entry) = bytes.split_at_checked(CHECK_LEN)?;
        let entry = Entry::decode(entry).ok()?;
        let own = entry.header().workspace == self.workspace
            || (entry.header().is_genesis() && entry.id().0 == self.workspace.0);
        (own && entry.id().0.starts_with(check)).then_some(entry)
    }

    fn file(&self, number: u32) -> Arc<dyn StorageFile> {
        Arc::clone(&self.read_files().get(&number).expect("segments are never closed").file)
    }

    fn read_files(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<u32, Segment>> {
        self.files.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.close();
    }
}

/// Overwrites a range with zeros and makes it the end of the file.
fn erase(file: &dyn StorageFile, start: u32, end: u32) -> io::Result<()> {
    file.write_at(start.into(), &vec![0; (end - start) as usize])?;
    file.set_len(end.into())
}

/// The frames of an append, and where in them each entry is.
fn encode_frames(entries: &[Entry]) -> Result<(Vec<u8>, Vec<Place>), SegmentError> {
    let total: usize = entries.iter().map(|entry| FRAME_HEAD_LEN as usize + entry.len()).sum();
    if total > APPEND_BYTES_MAX {
        return Err(SegmentError::TooLarge);
    }
    let mut frames = Vec::with_capacity(total);
    let mut places = Vec::with_capacity(entries.len());
    for entry in entries {
        let length = u32::try_from(entry.len()).expect("an entry is bounded");
        let mark = if frames.is_empty() { FIRST_OF_APPEND } else { 0 };
        frames.extend_from_slice(&(length | mark).to_le_bytes());
        frames.extend_from_slice(&entry.id().0[..CHECK_LEN]);
        let offset = u32::try_from(frames.len()).expect("an append is bounded");
        places.push(Place { segment: 0, offset, length });
        frames.extend_from_slice(&entry.encode());
    }
    Ok((frames, places))
}

fn ends_proven(entries: &[Entry]) -> bool {
    let mut unproven = recover::Unproven::default();
    entries.iter().for_each(|entry| unproven.note(entry));
    unproven.is_empty()
}
