//! Ask, Listed and Given: reading a log of the other side, without taking it over.
//!
//! ```text
//! Ask     form u8 (0 ids, 1 entries) | select u8 | what is meant
//!         select 0: stream 16 | after u64                      the stream's entries in order of arrival
//!         select 1: n u16 (1..=4,096) | id 32 x n              these entries
//! Listed  through u64 | n u16 (0..=8,192) | (arrival u64 | id 32) x n
//! Given   through u64 | n u16 (0..=8,192) | arrival u64 x n | batch
//! ```
//!
//! Each Ask is answered at once by one frame of the form asked for. Of a stream, `through` is the
//! arrival up to which the answer is whole; of given ids, how many of them were looked at. What is not
//! held is left out.

use super::FrameError;
use crate::batch::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};
use crate::ids::{EntryId, StreamId};
use crate::wire::Reader;

/// Most ids in one Ask.
pub const ASK_IDS_MAX: usize = 4_096;

const ARRIVAL_LEN: usize = 8;
pub(super) const ASK_BODY_MAX: usize = 2 + 2 + ASK_IDS_MAX * EntryId::LENGTH;
pub(super) const LISTED_BODY_MAX: usize =
    ARRIVAL_LEN + 2 + BATCH_ENTRIES_MAX * (ARRIVAL_LEN + EntryId::LENGTH);
pub(super) const GIVEN_BODY_MAX: usize = ARRIVAL_LEN + 2 + BATCH_ENTRIES_MAX * ARRIVAL_LEN + BATCH_BYTES_MAX;

/// Asks for entries, or for their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Whether whole entries are wanted.
    pub whole: bool,
    /// Which ones.
    pub select: Select,
}

/// Which entries are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// Those of a stream that arrived after a number.
    After {
        /// The stream.
        stream: StreamId,
        /// The arrival number.
        arrival: u64,
    },
    /// These; at least one, at most [`ASK_IDS_MAX`].
    Ids(Vec<EntryId>),
}

/// Answers an Ask for ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// How far the answer goes.
    pub through: u64,
    /// Arrival number and id of each entry held.
    pub ids: Vec<(u64, EntryId)>,
}

/// Answers an Ask for entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// How far the answer goes.
    pub through: u64,
    /// Arrival numbers, one for each entry of the batch.
    pub arrivals: Vec<u64>,
    /// The entries, as [`crate::batch`] has them.
    pub batch: Vec<u8>,
}

fn push_count(count: usize, bytes: &mut Vec<u8>) {
    let count = u16::try_from(count).expect("limits of asking are below 2^16");
    bytes.extend_from_slice(&count.to_le_bytes());
}

fn count(body: &mut Reader<'_>, max: usize) -> Result<usize, FrameError> {
    let count = usize::from(body.u16()?);
    if count > max { Err(FrameError::Malformed) } else { Ok(count) }
}

/// Takes records of one length, none of which is allocated before all are there.
fn records<const N: usize>(body: &mut Reader<'_>, count: usize) -> Result<Vec<[u8; N]>, FrameError> {
    let bytes = body.take(count * N)?;
    Ok(bytes.as_chunks().0.to_vec())
}

impl Ask {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.push(u8::from(self.whole));
        match &self.select {
            Select::After { stream, arrival } => {
                bytes.push(0);
                bytes.extend_from_slice(&stream.0);
                bytes.extend_from_slice(&arrival.to_le_bytes());
            }
            Select::Ids(ids) => {
                bytes.push(1);
                push_count(ids.len(), bytes);
                ids.iter().for_each(|id| bytes.extend_from_slice(&id.0));
            }
        }
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let whole = match body.u8()? {
            0 => false,
            1 => true,
            _ => return Err(FrameError::Malformed),
        };
        let select = match body.u8()? {
            0 => Select::After { stream: StreamId(body.array()?), arrival: body.u64()? },
            1 => {
                let count = count(body, ASK_IDS_MAX)?;
                if count == 0 {
                    return Err(FrameError::Malformed);
                }
                Select::Ids(records(body, count)?.into_iter().map(EntryId).collect())
            }
            _ => return Err(FrameError::Malformed),
        };
        Ok(Self { whole, select })
    }
}

impl Listed {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.through.to_le_bytes());
        push_count(self.ids.len(), bytes);
        for (arrival, id) in &self.ids {
            bytes.extend_from_slice(&arrival.to_le_bytes());
            bytes.extend_from_slice(&id.0);
        }
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let through = body.u64()?;
        let count = count(body, BATCH_ENTRIES_MAX)?;
        let mut ids = Reader::new(body.take(count * (ARRIVAL_LEN + EntryId::LENGTH))?);
        let ids =
            (0..count).map(|_| Ok((ids.u64()?, EntryId(ids.array()?)))).collect::<Result<_, FrameError>>()?;
        Ok(Self { through, ids })
    }
}

impl Given {
    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.through.to_le_bytes());
        push_count(self.arrivals.len(), bytes);
        self.arrivals.iter().for_each(|arrival| bytes.extend_from_slice(&arrival.to_le_bytes()));
        bytes.extend_from_slice(&self.batch);
    }

    pub(super) fn decode(body: &mut Reader<'_>) -> Result<Self, FrameError> {
        let through = body.u64()?;
        let count = count(body, BATCH_ENTRIES_MAX)?;
        let arrivals = records(body, count)?.into_iter().map(u64::from_le_bytes).collect();
        Ok(Self { through, arrivals, batch: body.rest().to_vec() })
    }
}
