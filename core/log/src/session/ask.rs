//! Reading a log of the other side without taking it over: asking, and answering from the replica.
//!
//! An answer is whole as far as it says, so that whoever asks goes on from there. Nothing is kept
//! between two questions.

use super::Session;
use super::budget::Budget;
use super::event::SessionEvent;
use super::limits::{GIVEN_BYTES, LOOKUP_UNITS, OUTBOX_BYTES_MAX, READ_UNITS};
use super::sync::{Out, Stop, Sync, close};
use crate::batch::{BATCH_ENTRIES_MAX, BatchWriter, decode_batch};
use crate::entry::Entry;
use crate::frames::{Ask, Code, Frame, Given, Listed, Select};
use crate::ids::EntryId;
use crate::trie::Filter;

impl Session {
    /// Asks for what the peer's log holds; the answer comes as [`SessionEvent::Listed`] or
    /// [`SessionEvent::Given`]. Answers come in the order of the questions. Returns whether the
    /// question was taken: not before both sides have greeted.
    pub fn ask(&mut self, ask: Ask) -> bool {
        let ready = self.greeted && self.sync.is_some() && !self.over;
        if ready {
            self.outbox.push(&Frame::Ask(ask));
        }
        ready
    }

    /// Sends a signed entry that the peer may lack, whatever streams the session is about. Returns
    /// whether it was taken: not before both sides have greeted.
    pub fn offer(&mut self, entry: Entry) -> bool {
        let Some(sync) = self.sync.as_mut().filter(|_| self.greeted && !self.over) else { return false };
        sync.send.offer(entry);
        true
    }

    /// Whether entries are to be sent, or sent and not acknowledged yet.
    #[must_use]
    pub fn is_sending(&self) -> bool {
        self.sync.as_ref().is_some_and(|sync| sync.send.is_busy(sync.replica.arrivals()))
    }

    /// The epoch of the peer's arrival numbers, once it has greeted.
    #[must_use]
    pub fn peer_epoch(&self) -> Option<[u8; 16]> {
        self.sync.as_ref().filter(|_| self.greeted).map(|sync| sync.receive.epoch())
    }
}

impl Sync {
    /// Answers a question, at most with what fits one frame.
    pub(super) fn on_ask(&mut self, ask: Ask, budget: &mut Budget, out: &mut Out<'_>) -> Result<(), Stop> {
        if !self.admitted {
            return Err(close(Code::NotAdmitted, "this device is not a member of the workspace"));
        }
        if out.outbox.bytes() > OUTBOX_BYTES_MAX {
            return Err(close(Code::Limit, "too much is asked for and not read"));
        }
        let frame = match ask {
            Ask { whole, select: Select::After { stream, arrival } } => {
                budget.spend(READ_UNITS);
                let held = self.replica.arrivals();
                let mut entries = Vec::new();
                if self.offered.contains(&stream) && arrival < held {
                    let filter = Filter::some([stream]);
                    entries = self.replica.entries_after(arrival, &filter, GIVEN_BYTES)?;
                }
                let through = entries.last().map_or(held.max(arrival), |(last, _)| *last);
                answer(whole, entries, through)
            }
            Ask { whole: false, select: Select::Ids(ids) } => {
                budget.spend(LOOKUP_UNITS * ids.len() as u64);
                let mut held = Vec::new();
                for id in &ids {
                    held.extend(self.replica.position(id)?.map(|arrival| (arrival, *id)));
                }
                Frame::Listed(Listed { through: ids.len() as u64, ids: held })
            }
            Ask { whole: true, select: Select::Ids(ids) } => self.give(&ids, budget)?,
        };
        out.outbox.push(&frame);
        Ok(())
    }

    /// As many of these entries as fit one frame.
    fn give(&self, ids: &[EntryId], budget: &mut Budget) -> Result<Frame, Stop> {
        let mut given = Given { through: 0, arrivals: Vec::new(), batch: Vec::new() };
        let mut writer = BatchWriter::new();
        for id in ids {
            budget.spend(LOOKUP_UNITS);
            if let Some(arrival) = self.replica.position(id)? {
                // The replica leaves out what it does not offer: then the next one comes first.
                let found = self.replica.entries_after(arrival - 1, &self.offered, 1)?.into_iter().next();
                if let Some((_, entry)) = found.filter(|(found, _)| *found == arrival) {
                    if !writer.push(&entry, GIVEN_BYTES) {
                        break;
                    }
                    given.arrivals.push(arrival);
                }
            }
            given.through += 1;
        }
        given.batch = writer.finish();
        Ok(Frame::Given(given))
    }

    /// The peer answered with ids.
    pub(super) fn on_listed(&self, listed: Listed, out: &mut Out<'_>) {
        out.events.push_back(SessionEvent::Listed { through: listed.through, ids: listed.ids });
    }

    /// The peer answered with entries, of which nothing is believed yet.
    pub(super) fn on_given(&self, given: &Given, out: &mut Out<'_>) -> Result<(), Stop> {
        let entries = decode_batch(self.replica.workspace(), &given.batch)
            .map_err(|error| close(Code::BadEntry, &error.to_string()))?;
        if entries.len() != given.arrivals.len() {
            return Err(close(Code::Protocol, "an answer has other entries than it says"));
        }
        let entries = given.arrivals.iter().copied().zip(entries).collect();
        out.events.push_back(SessionEvent::Given { through: given.through, entries });
        Ok(())
    }
}

/// Answers with entries in order of arrival, all up to `through`, or with their ids.
fn answer(whole: bool, mut entries: Vec<(u64, Entry)>, mut through: u64) -> Frame {
    if entries.len() > BATCH_ENTRIES_MAX {
        entries.truncate(BATCH_ENTRIES_MAX);
        through = entries.last().map_or(through, |(last, _)| *last);
    }
    if !whole {
        let ids = entries.into_iter().map(|(arrival, entry)| (arrival, entry.id())).collect();
        return Frame::Listed(Listed { through, ids });
    }
    let mut writer = BatchWriter::new();
    let mut arrivals: Vec<u64> = Vec::new();
    for (arrival, entry) in &entries {
        if !writer.push(entry, GIVEN_BYTES) {
            through = arrivals.last().copied().unwrap_or(through);
            break;
        }
        arrivals.push(*arrival);
    }
    Frame::Given(Given { through, arrivals, batch: writer.finish() })
}
