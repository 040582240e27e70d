//! Reading the frames of one segment in order, and finding the next one behind a damaged place.

use std::io;

use super::{CHECK_LEN, ENTRY_BYTES_MAX, FIRST_OF_APPEND, FRAME_HEAD_LEN, Place, Segment, Segments};
use crate::entry::{Entry, HEADER_LEN};
use crate::ids::WorkspaceId;
use crate::storage::StorageFile;

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// Bytes that are read one piece after the other where they cannot be read at once.
const PIECE_BYTES: usize = 4 << 10;
/// What stands in for bytes that cannot be read: no frame, no workspace id and no free space.
const UNREADABLE: u8 = 0xFF;
/// Bytes of a frame's word.
const WORD_LEN: u32 = 4;
/// Offset of the length of the entry's payload in a frame.
const PAYLOAD_LEN_OFFSET: u32 = FRAME_HEAD_LEN + 4;
/// Offset of the workspace id in a frame.
const WORKSPACE_OFFSET: u32 = FRAME_HEAD_LEN + 16;

/// A part of a segment that holds no readable entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damage {
    /// Number of the segment file.
    pub segment: u32,
    /// First damaged byte.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
}

/// What a pass over the log found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Entries visited.
    pub entries: u64,
    /// Bytes behind the last entry that were written by an append cut short. Nothing in them was
    /// acknowledged.
    pub torn_bytes: u64,
    /// Places that were durable and cannot be read any more.
    pub damaged: Vec<Damage>,
}

/// What is at an offset.
pub(super) enum Frame {
    Entry {
        entry: Box<Entry>,
        place: Place,
        /// Whether it is the first of its append.
        first: bool,
    },
    /// The mark of an orderly end.
    Closed,
    /// Neither.
    Nothing,
}

/// A segment file read through a buffer, up to a limit.
pub(super) struct Reader<'a> {
    segments: &'a Segments,
    segment: &'a Segment,
    number: u32,
    limit: u32,
    /// The buffered bytes, and the offset of the first.
    buffer: Vec<u8>,
    start: u32,
}

impl<'a> Reader<'a> {
    /// A reader of the bytes before `limit`, or of the whole file.
    pub(super) fn new(
        segments: &'a Segments,
        number: u32,
        segment: &'a Segment,
        limit: Option<u32>,
    ) -> io::Result<Self> {
        let length = u32::try_from(segment.file.len()?).unwrap_or(u32::MAX);
        let limit = limit.map_or(length, |limit| limit.min(length));
        Ok(Self { segments, segment, number, limit, buffer: Vec::new(), start: 0 })
    }

    pub(super) fn damage(&self, offset: u32, end: u32) -> Damage {
        Damage { segment: self.number, offset, length: end - offset }
    }

    /// Behind the last byte that is read.
    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// The bytes at an offset, or `None` if they go past the limit.
    fn bytes(&mut self, offset: u32, count: usize) -> io::Result<Option<&[u8]>> {
        let end = offset as usize + count;
        if end > self.limit as usize {
            return Ok(None);
        }
        if offset < self.start || end > self.start as usize + self.buffer.len() {
            let length = count.max(CHUNK_BYTES).min((self.limit - offset) as usize);
            self.buffer.resize(length, 0);
            self.start = offset;
            if let Err(error) = read_what_can_be(&*self.segment.file, offset, &mut self.buffer) {
                self.buffer.clear();
                return Err(error);
            }
        }
        let from = (offset - self.start) as usize;
        Ok(Some(&self.buffer[from..from + count]))
    }

    fn word(&mut self, offset: u32) -> io::Result<Option<u32>> {
        let bytes = self.bytes(offset, 4)?;
        Ok(bytes.map(|bytes| u32::from_le_bytes(bytes.try_into().expect("four bytes"))))
    }

    /// What is at an offset. An entry's own header says how long it is, so that a damaged word costs
    /// nothing.
    pub(super) fn frame(&mut self, offset: u32) -> io::Result<Frame> {
        let (Some(word), Some(payload)) =
            (self.word(offset)?, self.word(offset.saturating_add(PAYLOAD_LEN_OFFSET))?)
        else {
            return Ok(Frame::Nothing);
        };
        if word == FIRST_OF_APPEND {
            return Ok(Frame::Closed);
        }
        let payload = payload as usize;
        if payload > ENTRY_BYTES_MAX - HEADER_LEN {
            return Ok(Frame::Nothing);
        }
        let segments = self.segments;
        let checked = self.bytes(offset + WORD_LEN, CHECK_LEN + HEADER_LEN + payload)?;
        let Some(entry) = checked.and_then(|bytes| segments.decode(bytes)) else { return Ok(Frame::Nothing) };
        let length = u32::try_from(entry.len()).expect("an entry is bounded");
        Ok(Frame::Entry {
            entry: Box::new(entry),
            place: Place { segment: self.number, offset: offset + FRAME_HEAD_LEN, length },
            first: word == length | FIRST_OF_APPEND,
        })
    }

    /// The next offset after a damaged frame at which there is something, and whether what follows proves
    /// that the damaged place was durable once.
    pub(super) fn resume(&mut self, damaged: u32) -> io::Result<Option<(u32, bool)>> {
        let mut found = None;
        // Most damage leaves the frame's length alone.
        let length = self.word(damaged)?.unwrap_or(0) & !FIRST_OF_APPEND;
        let plausible = (HEADER_LEN..=ENTRY_BYTES_MAX).contains(&(length as usize));
        let behind = damaged.saturating_add(FRAME_HEAD_LEN).saturating_add(length);
        let mut at = if plausible { behind } else { damaged };
        if plausible && matches!(self.frame(at)?, Frame::Nothing) {
            at = damaged;
        }
        loop {
            match self.frame(at)? {
                Frame::Closed if at > damaged => return Ok(Some((found.unwrap_or(at), true))),
                Frame::Entry { first: true, .. } => return Ok(Some((found.unwrap_or(at), true))),
                Frame::Entry { place, .. } => {
                    found.get_or_insert(at);
                    at = place.offset + place.length;
                }
                Frame::Closed | Frame::Nothing => match self.search(at)? {
                    Some(next) => at = next,
                    None => return Ok(found.map(|at| (at, false))),
                },
            }
        }
    }

    /// The offset of the next whole frame after `from`.
    fn search(&mut self, from: u32) -> io::Result<Option<u32>> {
        let id = self.segments.workspace();
        let mut at = from.saturating_add(WORKSPACE_OFFSET + 1);
        while let Some(hit) = self.find(at, &id)? {
            let frame = hit - WORKSPACE_OFFSET;
            if matches!(self.frame(frame)?, Frame::Entry { .. }) {
                return Ok(Some(frame));
            }
            at = hit + 1;
        }
        Ok(None)
    }

    /// The offset of the next occurrence of the workspace id.
    fn find(&mut self, mut from: u32, id: &WorkspaceId) -> io::Result<Option<u32>> {
        loop {
            let count = CHUNK_BYTES.min(self.limit.saturating_sub(from) as usize);
            if count < WorkspaceId::LENGTH {
                return Ok(None);
            }
            let Some(bytes) = self.bytes(from, count)? else { return Ok(None) };
            if let Some(position) = position(bytes, id.as_bytes()) {
                return Ok(Some(from + u32::try_from(position).expect("within a chunk")));
            }
            from += u32::try_from(count - (WorkspaceId::LENGTH - 1)).expect("within a chunk");
        }
    }

    /// What of a range cannot be read.
    pub(super) fn unreadable(&self, from: u32, to: u32) -> Option<Damage> {
        let mut piece = vec![0; PIECE_BYTES];
        let mut found: Option<Damage> = None;
        let mut at = from;
        while at < to {
            let length = piece_at(at.into()).min((to - at) as usize);
            let end = at + u32::try_from(length).expect("a piece is small");
            if self.segment.file.read_at(at.into(), &mut piece[..length]).is_err() {
                let first = found.map_or(at, |damage| damage.offset);
                found = Some(self.damage(first, end));
            }
            at = end;
        }
        found
    }

    /// The offset behind the last byte that is not zero, at or after `from`.
    pub(super) fn used_end(&mut self, from: u32) -> io::Result<u32> {
        let (mut at, mut end) = (from, from);
        while at < self.limit {
            let count = CHUNK_BYTES.min((self.limit - at) as usize);
            let Some(bytes) = self.bytes(at, count)? else { break };
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                end = at + u32::try_from(last).expect("within a chunk") + 1;
            }
            at += u32::try_from(count).expect("within a chunk");
        }
        Ok(end)
    }
}

/// Bytes from an offset to the end of its piece: pieces are the same wherever reading starts.
fn piece_at(offset: u64) -> usize {
    PIECE_BYTES - usize::try_from(offset % PIECE_BYTES as u64).expect("less than a piece")
}

/// Reads bytes of a file; a piece that cannot be read becomes damage like any other. Fails if nothing
/// can be read: then it is not the medium that is worn.
fn read_what_can_be(file: &dyn StorageFile, offset: u32, bytes: &mut [u8]) -> io::Result<()> {
    let Err(error) = file.read_at(offset.into(), bytes) else { return Ok(()) };
    let mut read = false;
    let (mut at, mut rest) = (u64::from(offset), bytes);
    while !rest.is_empty() {
        let length = piece_at(at).min(rest.len());
        let (piece, behind) = rest.split_at_mut(length);
        match file.read_at(at, piece) {
            Ok(()) => read = true,
            Err(_) => piece.fill(UNREADABLE),
        }
        at += length as u64;
        rest = behind;
    }
    if read { Ok(()) } else { Err(error) }
}

fn position(bytes: &[u8], needle: &[u8; WorkspaceId::LENGTH]) -> Option<usize> {
    let mut from = 0;
    loop {
        let start = from + bytes.get(from..)?.iter().position(|byte| *byte == needle[0])?;
        if bytes.get(start..start + needle.len())? == needle {
            return Some(start);
        }
        from = start + 1;
    }
}
