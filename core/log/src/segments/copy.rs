//! Copies of a log: what of each segment counts at one moment, and the header of a log of its own.
//!
//! Bytes that count never change: a segment only grows, until the next one begins. So copying the parts
//! in any order, at any speed, gives the log as it was when the parts were listed.

use super::{LOG_FOLDER, Place, SegmentError, Segments, header};
use crate::entry::Entry;
use crate::segments::RecoveryReport;

/// Bytes of the header that each segment begins with.
pub const HEADER_BYTES: usize = header::LEN as usize;

/// As much of a segment as counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentPart {
    /// Number of the segment.
    pub number: u32,
    /// Bytes that count, from the beginning of the file.
    pub bytes: u32,
}

/// The path of a segment's file in the folder of its workspace.
#[must_use]
pub fn segment_path(number: u32) -> String {
    format!("{LOG_FOLDER}/{number:08}.seg")
}

/// The header of a segment with another epoch, for a copy that is a log of its own; `None` if it is no
/// header.
#[must_use]
pub fn with_epoch(bytes: &[u8; HEADER_BYTES], epoch: [u8; 16]) -> Option<[u8; HEADER_BYTES]> {
    let header = header::SegmentHeader::decode(bytes).ok()?;
    Some(header::SegmentHeader { epoch, ..header }.encode())
}

impl Segments {
    /// What of each segment counts now. All of it is durable.
    ///
    /// # Errors
    ///
    /// [`SegmentError::Closed`] after [`Segments::close`], or before [`Segments::recover`]; what the
    /// storage reports.
    pub fn parts(&self) -> Result<Vec<SegmentPart>, SegmentError> {
        // Held to the end: nothing is appended meanwhile.
        let writer = self.writer();
        let writer = writer.as_ref().ok_or(SegmentError::Closed)?;
        let files = self.read_files();
        let mut parts = Vec::with_capacity(files.len());
        for (&number, segment) in files.range(..=writer.segment) {
            let length = u32::try_from(segment.file.len()?).unwrap_or(u32::MAX);
            let end = if number == writer.segment { Some(writer.position) } else { segment.end };
            parts.push(SegmentPart { number, bytes: end.unwrap_or(length).min(length) });
        }
        Ok(parts)
    }

    /// Reads bytes of a segment as they are, damaged or not.
    ///
    /// # Errors
    ///
    /// What the storage reports.
    pub fn read_part(&self, number: u32, offset: u64, bytes: &mut [u8]) -> Result<(), SegmentError> {
        Ok(self.file(number).read_at(offset, bytes)?)
    }

    /// Passes over a log that nobody writes to, without changing a byte of it, and hands every entry to
    /// `visit`.
    ///
    /// # Errors
    ///
    /// What the storage reports. What `visit` returns.
    pub fn inspect<E: From<SegmentError>>(
        &self,
        visit: &mut dyn FnMut(Place, Entry) -> Result<(), E>,
    ) -> Result<RecoveryReport, E> {
        self.pass(None, None, visit).map(|(report, _)| report)
    }
}
