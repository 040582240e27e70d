//! The welcome: what a device that was admitted begins with where no relay brings it.
//!
//! ```text
//! size field
//!    8   magic "TIDEWELC"
//!    4   format, u32 little-endian: 1
//!   32   workspace
//!   32   the device it is for
//!   ..   sealed under a key of the invite's secret, with the fields above as its context:
//!          batches: length u32 little-endian | batch as on the wire
//! ```
//!
//! The batches hold all of stream zero, which is members, keys and names, in order of arrival; then
//! of the data as much as fits, oldest first. What does not fit comes with the next sync. Every
//! entry is checked by the reader as if a peer had sent it: the seal only keeps others from reading
//! who is a member.

use std::collections::HashSet;

use tidelog_log::batch::{BATCH_BYTES_MAX, BatchWriter, decode_batch};
use tidelog_log::crypto::tag;
use tidelog_log::entry::Entry;
use tidelog_log::env::{Random, random_array};
use tidelog_log::ids::{DeviceId, StreamId};
use tidelog_log::log::Log;
use tidelog_log::session::{Replica, ReplicaError};
use tidelog_log::trie::Filter;

use super::invite_link::InviteLink;
use crate::error::{Error, ErrorKind, Result};
use crate::keys::cobblestone;

/// Longest welcome, in bytes: 64 MiB.
pub(super) const WELCOME_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of batches up to which data are added to what has to be there: 16 MiB.
const DATA_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of entries that are read at once.
const READ_BYTES: usize = 1024 * 1024;
/// Entries without a signature of their own that are held until one comes that vouches for them.
const UNSIGNED_MAX: usize = 16_384;

const TAG_WELCOME: [u8; 16] = tag("TIDE1 welcome");
const MAGIC: &[u8; 8] = b"TIDEWELC";
const FORMAT: u32 = 1;
const HEAD_LEN: usize = 8 + 4 + 32 + 32;

/// The welcome of a device, from a log.
pub(super) fn pack(log: &Log, link: &InviteLink, device: &DeviceId, random: &dyn Random) -> Result<Vec<u8>> {
    let limits = Limits { whole: WELCOME_BYTES_MAX, data: DATA_BYTES };
    Ok(seal(link, device, &batches(log, limits)?, random))
}

#[derive(Clone, Copy)]
struct Limits {
    /// What the whole may take once it is sealed.
    whole: usize,
    /// What batches may take for data to be added.
    data: usize,
}

fn batches(log: &Log, limits: Limits) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    let mut after = 0;
    while let Some((last, entries)) = next(log, after, &Filter::some([StreamId::DIRECTORY]))? {
        push(&mut plain, &entries);
        after = last;
        if HEAD_LEN + cobblestone::sealed_len(plain.len()) > limits.whole {
            let text = "the members and names of this workspace do not fit into a welcome: let them join \
                        through a relay";
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
    }
    after = 0;
    while let Some((last, mut entries)) = next(log, after, &Filter::All)? {
        entries.retain(|entry| entry.header().stream != StreamId::DIRECTORY);
        let before = plain.len();
        push(&mut plain, &entries);
        after = last;
        if plain.len() > limits.data {
            plain.truncate(before);
            break;
        }
    }
    Ok(plain)
}

/// The entries after an arrival number, and the number of the last of them.
fn next(log: &Log, after: u64, filter: &Filter) -> Result<Option<(u64, Vec<Entry>)>> {
    let read = log.entries_after(after, filter, READ_BYTES).map_err(failed)?;
    let Some(last) = read.last().map(|(arrival, _)| *arrival) else { return Ok(None) };
    Ok(Some((last, read.into_iter().map(|(_, entry)| entry).collect())))
}

fn push(plain: &mut Vec<u8>, entries: &[Entry]) {
    let mut rest = entries;
    while !rest.is_empty() {
        let mut writer = BatchWriter::new();
        while rest.first().is_some_and(|entry| writer.push(entry, READ_BYTES)) {
            rest = &rest[1..];
        }
        let batch = writer.finish();
        let length = u32::try_from(batch.len()).expect("a batch is shorter than 4 GiB");
        plain.extend_from_slice(&length.to_le_bytes());
        plain.extend_from_slice(&batch);
    }
}

fn seal(link: &InviteLink, device: &DeviceId, plain: &[u8], random: &dyn Random) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_LEN + cobblestone::sealed_len(plain.len()));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&link.workspace.0);
    bytes.extend_from_slice(&device.0);
    let context: &[&[u8]] = &[&TAG_WELCOME, &bytes];
    let sealed = cobblestone::seal(&link.welcome_key(), context, random_array(random), plain);
    bytes.extend_from_slice(&sealed);
    bytes
}

/// Opens the welcome of a device and takes its entries into the log. What was taken before an error
/// was checked, and stays.
pub(super) fn unpack(log: &Log, link: &InviteLink, device: &DeviceId, welcome: &[u8]) -> Result<()> {
    let plain = open(link, device, welcome)?;
    let mut rest = &plain[..];
    let mut entries: Vec<Entry> = Vec::new();
    let mut unsigned = HashSet::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or_else(damaged)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| damaged())?;
        let (batch, after) = after.split_at_checked(length).ok_or_else(damaged)?;
        rest = after;
        if batch.len() > BATCH_BYTES_MAX {
            return Err(damaged());
        }
        for entry in decode_batch(link.workspace, batch).map_err(|error| damaged().with_source(error))? {
            let header = entry.header();
            let chain = (header.stream, header.author);
            if header.covered {
                unsigned.insert(chain)
            } else {
                unsigned.remove(&chain)
            };
            entries.push(entry);
        }
        if unsigned.is_empty() {
            take(log, std::mem::take(&mut entries))?;
        } else if entries.len() > UNSIGNED_MAX {
            return Err(damaged());
        }
    }
    take(log, entries)
}

fn take(log: &Log, entries: Vec<Entry>) -> Result<()> {
    let receipt = log.receive_blocking(entries)?;
    if let Some(refused) = receipt.refused.first().filter(|refused| !refused.fault.leaves_out()) {
        let text = format!("entry {} of the welcome is refused: {}", refused.entry, refused.reason);
        return Err(Error::new(ErrorKind::Protocol, text));
    }
    if receipt.missing.is_empty() {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Protocol, "entries are missing in the welcome: have another one made"))
    }
}

fn open(link: &InviteLink, device: &DeviceId, welcome: &[u8]) -> Result<Vec<u8>> {
    let invalid = |text: &str| Error::new(ErrorKind::InviteInvalid, text);
    if welcome.len() > WELCOME_BYTES_MAX {
        return Err(Error::new(ErrorKind::TooLarge, "a welcome has at most 64 MiB"));
    }
    let rest = welcome.strip_prefix(MAGIC).ok_or_else(|| invalid("this is not a welcome"))?;
    let (format, _) = rest.split_first_chunk().ok_or_else(damaged)?;
    if u32::from_le_bytes(*format) != FORMAT {
        let text = "the welcome was made by a newer version: install that version to join";
        return Err(Error::new(ErrorKind::NewerFormat, text));
    }
    let (head, sealed) = welcome.split_at_checked(HEAD_LEN).ok_or_else(damaged)?;
    if head[12..44] != link.workspace.0 {
        return Err(invalid("this welcome is to another workspace than the invite"));
    }
    if head[44..] != device.0 {
        return Err(invalid("this welcome is for another device, or for an earlier attempt to join"));
    }
    cobblestone::open(&link.welcome_key(), &[&TAG_WELCOME, head], sealed).map_err(|_| damaged())
}

fn damaged() -> Error {
    let text = "the welcome is damaged or not whole, or answers another invite: have it sent again";
    Error::new(ErrorKind::Corrupt, text)
}

fn failed(error: ReplicaError) -> Error {
    Error::new(ErrorKind::Io, "cannot read the log for the welcome").with_source(error)
}

#[cfg(test)]
mod tests;
