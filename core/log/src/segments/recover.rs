//! Passing over the log: after a restart to find its end, or to check all of it.

use std::collections::HashSet;
use std::io;

use super::scan::{Damage, Frame, Reader, RecoveryReport};
use super::{FRAME_HEAD_LEN, LOG_FOLDER, Place, Segment, SegmentError, Segments, Writer, header};
use crate::entry::Entry;
use crate::ids::EntryId;
use crate::storage::is_write_protection;

/// Covered entries whose signed end has not come yet.
#[derive(Debug, Default)]
pub(super) struct Unproven(HashSet<EntryId>);

impl Unproven {
    pub(super) fn note(&mut self, entry: &Entry) {
        self.0.remove(&entry.header().prev);
        if entry.header().covered {
            self.0.insert(entry.id());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What a pass hands each entry to.
type Visit<'a, E> = dyn FnMut(Place, Entry) -> Result<(), E> + 'a;

/// A pass over the log.
struct Pass<'a, E> {
    visit: &'a mut Visit<'a, E>,
    report: RecoveryReport,
    /// Entries of the present append that nothing proves yet.
    waiting: Vec<(Place, Entry)>,
    unproven: Unproven,
}

impl<E: From<SegmentError>> Pass<'_, E> {
    fn take(&mut self, place: Place, entry: Entry) -> Result<(), E> {
        self.unproven.note(&entry);
        self.waiting.push((place, entry));
        if self.unproven.is_empty() { self.release() } else { Ok(()) }
    }

    /// Visits what waits: it is proven, or known to have been durable.
    fn release(&mut self) -> Result<(), E> {
        self.unproven = Unproven::default();
        for (place, entry) in self.waiting.drain(..) {
            self.report.entries += 1;
            (self.visit)(place, entry)?;
        }
        Ok(())
    }
}

/// Where the entries of a segment end.
pub(super) struct End {
    /// Start of the last append that counts, or of the part of it that was passed over.
    append: u32,
    /// Behind the last entry that counts.
    position: u32,
    /// Behind the last byte that is not zero, the mark of an orderly end aside.
    used: u32,
    limit: u32,
    /// Whether the mark of an orderly end is there.
    closed: bool,
}

impl Segments {
    /// Finds the end of the log after it was opened, and hands the entries behind `from` (the last one the
    /// caller has applied; all of them if `None`) to `visit`, in the order in which they were appended.
    ///
    /// Everything that an append ever returned for is visited, save what is damaged. Of an append that was
    /// cut short, which can only be the last one, the longest part is visited in which every entry is
    /// proven: signed, or named as `prev` by an entry of the part, and so on to a signed one. The rest is
    /// forgotten. A frame that cannot be read ends the log if it belongs to the last append and no closing
    /// mark follows; anywhere else it is damage, and the pass goes on behind it. What was visited is
    /// durable on return, unless the medium cannot be written.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Corrupt`] if `from` is not the place of an entry: the caller has applied what this
    /// log does not hold, and has to begin anew. What the storage reports. What `visit` returns.
    pub fn recover<E: From<SegmentError>>(
        &self,
        from: Option<Place>,
        visit: &mut dyn FnMut(Place, Entry) -> Result<(), E>,
    ) -> Result<RecoveryReport, E> {
        if let Some(place) = from {
            self.read(place)?;
        }
        let (report, end) = self.pass(from, None, visit)?;
        let (number, end) = end.ok_or(SegmentError::NotAWorkspace)?;
        let mut writer = Writer::new(number, end.position, end.limit.max(end.position));
        let header_damaged = self.read_files()[&number].header_damaged;
        writer.abandoned = end.used > end.position || header_damaged;
        if !end.closed {
            match self.settle(number, &end, header_damaged) {
                Err(error) if is_write_protection(&error) => {}
                settled => settled.map_err(SegmentError::from)?,
            }
            writer.unmarked = true;
        }
        *self.writer() = Some(writer);
        Ok(report)
    }

    /// Makes durable what was found in the last segment, and the names that lead there: writes the header
    /// and the last append as they were read, so that the sync means them.
    fn settle(&self, number: u32, end: &End, header_damaged: bool) -> io::Result<()> {
        let file = self.file(number);
        let header = if header_damaged { 0..0 } else { 0..header::LEN };
        for range in [header, end.append..end.position] {
            let mut bytes = vec![0; range.len()];
            if let Err(error) = file.read_at(range.start.into(), &mut bytes) {
                // What cannot be read cannot be written as it was; the sync below means the rest.
                tracing::warn!(segment = number, %error, "a part of the log cannot be read");
                continue;
            }
            file.write_at(range.start.into(), &bytes)?;
        }
        file.sync()?;
        self.storage.sync_folder(LOG_FOLDER)?;
        self.storage.sync_folder("")
    }

    /// Reads the whole log and hands every entry to `visit`, with what is damaged in the report.
    ///
    /// # Errors
    ///
    /// What the storage reports. What `visit` returns. [`SegmentError::Closed`] after
    /// [`Segments::close`], or before [`Segments::recover`].
    pub fn scan<E: From<SegmentError>>(
        &self,
        visit: &mut dyn FnMut(Place, Entry) -> Result<(), E>,
    ) -> Result<RecoveryReport, E> {
        let (segment, position) = {
            let writer = self.writer();
            let writer = writer.as_ref().ok_or(SegmentError::Closed)?;
            (writer.segment, writer.position)
        };
        self.pass(None, Some((segment, position)), visit).map(|(report, _)| report)
    }

    /// Passes over the segments, up to `known_end` or until the last one ends.
    pub(super) fn pass<E: From<SegmentError>>(
        &self,
        from: Option<Place>,
        known_end: Option<(u32, u32)>,
        visit: &mut dyn FnMut(Place, Entry) -> Result<(), E>,
    ) -> Result<(RecoveryReport, Option<(u32, End)>), E> {
        let first = from.map_or(1, |place| place.segment);
        let last = known_end.map_or(u32::MAX, |(segment, _)| segment);
        let segments: Vec<(u32, Segment)> = self
            .read_files()
            .range(first..=last)
            .map(|(number, segment)| (*number, segment.clone()))
            .collect();
        let mut pass = Pass {
            visit,
            report: RecoveryReport::default(),
            waiting: Vec::new(),
            unproven: Unproven::default(),
        };
        let mut end = None;
        let mut expected = first;
        for (index, (number, segment)) in segments.iter().enumerate() {
            if *number > expected {
                pass.report.damaged.push(Damage { segment: expected, offset: 0, length: 0 });
            }
            expected = number + 1;
            let is_last = index + 1 == segments.len();
            let limit = known_end.filter(|_| is_last).map(|(_, position)| position).or(segment.end);
            let start = from.filter(|place| place.segment == *number);
            let start = start.map_or(header::LEN, |place| place.offset + place.length);
            if segment.header_damaged {
                pass.report.damaged.push(Damage { segment: *number, offset: 0, length: header::LEN });
            }
            let mut reader = Reader::new(self, *number, segment, limit).map_err(SegmentError::from)?;
            let found = self.pass_segment(&mut pass, &mut reader, start, is_last && known_end.is_none())?;
            end = Some((*number, found));
        }
        Ok((pass.report, end))
    }

    /// Passes over one segment from `start` on. If its end is open, what the last append left unproven is
    /// forgotten.
    fn pass_segment<E: From<SegmentError>>(
        &self,
        pass: &mut Pass<'_, E>,
        reader: &mut Reader<'_>,
        start: u32,
        open_end: bool,
    ) -> Result<End, E> {
        let (mut at, mut kept) = (start, start);
        let (mut append, mut mark) = (start, 0);
        loop {
            match reader.frame(at).map_err(SegmentError::from)? {
                Frame::Entry { entry, place, first } => {
                    if first {
                        pass.release()?;
                        (kept, append) = (at, at);
                    }
                    pass.take(place, *entry)?;
                    at = place.offset + place.length;
                    if pass.unproven.is_empty() {
                        kept = at;
                    }
                    continue;
                }
                Frame::Closed => {
                    pass.release()?;
                    kept = at;
                    mark = FRAME_HEAD_LEN;
                }
                Frame::Nothing => {}
            }
            match reader.resume(at).map_err(SegmentError::from)? {
                // No write that was cut short leaves a place that cannot be read.
                Some((next, durable)) if durable || !open_end || reader.unreadable(at, next).is_some() => {
                    pass.release()?;
                    pass.report.damaged.push(reader.damage(at, next));
                    at = next;
                    mark = 0;
                }
                _ => break,
            }
        }
        // Where the end cannot be read, what comes before it was durable: it is damage that ends the log.
        let worn = open_end && reader.unreadable(at, reader.limit()).is_some();
        if worn {
            pass.release()?;
            kept = at;
        }
        let position = if open_end { kept } else { at };
        if !open_end {
            pass.release()?;
        }
        pass.waiting.clear();
        pass.unproven = Unproven::default();
        let used = reader.used_end(position + mark).map_err(SegmentError::from)?;
        let used = if used == position + mark { position } else { used };
        if open_end && !worn {
            pass.report.torn_bytes = (used - position).into();
        } else if used > position {
            pass.report.damaged.push(reader.damage(position, used));
        }
        Ok(End { append: append.min(position), position, used, limit: reader.limit(), closed: mark > 0 })
    }
}
