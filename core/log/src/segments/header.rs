//! The first bytes of a segment file.
//!
//! ```text
//! offset size field
//!    0    8   magic          "TIDELOG" and a zero byte
//!    8    4   format         u32 = 1; this and the magic stay where they are in every format
//!   12    4   number         u32, that of the file name
//!   16   32   workspace
//!   48   16   epoch          random, made with the log
//!   64    4   previous_end   u32; bytes of the segment before that count; 0 in the first
//!   68   32   check          SHA-256("TIDE1 segment" | bytes 0..68)
//! ```

use std::io::{self, ErrorKind};

use crate::crypto::{sha256, tag};
use crate::ids::WorkspaceId;
use crate::storage::StorageFile;

/// Bytes of a segment header: where the first frame starts.
pub(super) const LEN: u32 = 100;
const LENGTH: usize = LEN as usize;
const CHECKED: usize = 68;
const MAGIC: [u8; 8] = *b"TIDELOG\0";
/// Format that this code reads and writes.
const FORMAT: u32 = 1;
const TAG: [u8; 16] = tag("TIDE1 segment");

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) number: u32,
    pub(super) workspace: WorkspaceId,
    pub(super) epoch: [u8; 16],
    pub(super) previous_end: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// Written in this newer format.
    Newer(u32),
    /// Not a header, or not the one of this file.
    Damaged,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.number.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.workspace.0);
        bytes[48..64].copy_from_slice(&self.epoch);
        bytes[64..68].copy_from_slice(&self.previous_end.to_le_bytes());
        let check = sha256(&[&TAG, &bytes[..CHECKED]]);
        bytes[CHECKED..].copy_from_slice(&check);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; LENGTH]) -> Result<Self, HeaderError> {
        if bytes[..8] != MAGIC {
            return Err(HeaderError::Damaged);
        }
        let header = Self {
            number: u32::from_le_bytes(field(bytes, 12)),
            workspace: WorkspaceId(field(bytes, 16)),
            epoch: field(bytes, 48),
            previous_end: u32::from_le_bytes(field(bytes, 64)),
        };
        let format = u32::from_le_bytes(field(bytes, 8));
        if header.encode()[CHECKED..] != bytes[CHECKED..] {
            // A check that holds for this format shows a flipped bit rather than a newer format.
            return Err(if format > FORMAT { HeaderError::Newer(format) } else { HeaderError::Damaged });
        }
        if format == FORMAT { Ok(header) } else { Err(HeaderError::Damaged) }
    }

    /// Reads the header of the segment with this number.
    pub(super) fn read(file: &dyn StorageFile, number: u32) -> io::Result<Result<Self, HeaderError>> {
        let mut bytes = [0; LENGTH];
        match file.read_at(0, &mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Err(HeaderError::Damaged)),
            read => read?,
        }
        let header = Self::decode(&bytes);
        Ok(header
            .and_then(|header| if header.number == number { Ok(header) } else { Err(HeaderError::Damaged) }))
    }
}

fn field<const N: usize>(bytes: &[u8; LENGTH], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[offset..offset + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader { number: 3, workspace: WorkspaceId([1; 32]), epoch: [2; 16], previous_end: 777 }
    }

    #[test]
    fn header_round_trips() {
        assert_eq!(SegmentHeader::decode(&header().encode()), Ok(header()));
    }

    #[test]
    fn every_single_bit_flip_is_damage() {
        for bit in 0..LENGTH * 8 {
            let mut bytes = header().encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Damaged), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_format_is_told_from_damage() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        bytes[CHECKED..].fill(7);
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderError::Newer(2)));
    }
}
