//! Reading a log of the other side without taking it over: asking, and answering from the replica.
//!
//! An answer is whole as far as it says, so that whoever asks goes on from there. The side that answers
//! keeps nothing between two questions; the side that asks keeps them until they are answered, and takes
//! no answer that does not fit: what it says may still be a lie, but it leads on.

use super::Session;
use super::budget::Budget;
use super::event::SessionEvent;
use super::limits::{ASKS_MAX, GIVEN_BYTES, LOOKUP_UNITS, OUTBOX_BYTES_MAX, READ_UNITS};
use super::sync::{Out, Stop, Sync, close};
use crate::batch::{BATCH_ENTRIES_MAX, BatchWriter, decode_batch};
use crate::entry::Entry;
use crate::frames::{Ask, Code, Frame, Given, Listed, Select};
use crate::ids::EntryId;
use crate::trie::Filter;

impl Session {
    /// Asks for what the peer's log holds; the answer comes as [`SessionEvent::Listed`] or
    /// [`SessionEvent::Given`]. Answers come in the order of the questions. Returns whether the
    /// question was taken: not before both sides have greeted, nor while [`ASKS_MAX`] wait for their
    /// answers.
    pub fn ask(&mut self, ask: Ask) -> bool {
        let Some(sync) = self.sync.as_mut().filter(|_| self.greeted && !self.over) else { return false };
        let taken = sync.asked.len() < ASKS_MAX;
        if taken {
            self.outbox.push(&Frame::Ask(ask.clone()));
            sync.asked.push_back(ask);
        }
        taken
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
                    held.extend(self.position(id)?.map(|arrival| (arrival, *id)));
                }
                Frame::Listed(Listed { through: ids.len() as u64, ids: held })
            }
            Ask { whole: true, select: Select::Ids(ids) } => self.give(&ids, budget)?,
        };
        out.outbox.push(&frame);
        Ok(())
    }

    /// The arrival number of an entry of the streams that this side shows.
    fn position(&self, id: &EntryId) -> Result<Option<u64>, Stop> {
        let position = self.replica.position(id)?;
        Ok(match position {
            Some(arrival) if self.offered != Filter::All => self.entry_at(arrival)?.map(|_| arrival),
            position => position,
        })
    }

    /// An entry by its arrival number, unless it is not shown.
    fn entry_at(&self, arrival: u64) -> Result<Option<Entry>, Stop> {
        // The replica leaves out what it does not offer: then the next one comes first.
        let found = self.replica.entries_after(arrival - 1, &self.offered, 1)?.into_iter().next();
        Ok(found.filter(|(found, _)| *found == arrival).map(|(_, entry)| entry))
    }

    /// As many of these entries as fit one frame.
    fn give(&self, ids: &[EntryId], budget: &mut Budget) -> Result<Frame, Stop> {
        let mut given = Given { through: 0, arrivals: Vec::new(), batch: Vec::new() };
        let mut writer = BatchWriter::new();
        for id in ids {
            budget.spend(LOOKUP_UNITS);
            if let Some(arrival) = self.replica.position(id)?
                && let Some(entry) = self.entry_at(arrival)?
            {
                if !writer.push(&entry, GIVEN_BYTES) {
                    break;
                }
                given.arrivals.push(arrival);
            }
            given.through += 1;
        }
        given.batch = writer.finish();
        Ok(Frame::Given(given))
    }

    /// The peer answered with ids.
    pub(super) fn on_listed(&mut self, listed: Listed, out: &mut Out<'_>) -> Result<(), Stop> {
        let select = self.answered(false)?;
        if !select.is_answered_by(listed.through, listed.ids.iter().copied()) {
            return Err(unfit());
        }
        out.events.push_back(SessionEvent::Listed { through: listed.through, ids: listed.ids });
        Ok(())
    }

    /// The peer answered with entries, of which nothing is believed yet but that they were asked for.
    pub(super) fn on_given(&mut self, given: &Given, out: &mut Out<'_>) -> Result<(), Stop> {
        let select = self.answered(true)?;
        let entries = decode_batch(self.replica.workspace(), &given.batch)
            .map_err(|error| close(Code::BadEntry, &error.to_string()))?;
        if entries.len() != given.arrivals.len() {
            return Err(close(Code::Protocol, "an answer has other entries than it says"));
        }
        let ids = given.arrivals.iter().copied().zip(entries.iter().map(Entry::id));
        let is_foreign = |entry: &Entry| matches!(&select, Select::After { stream, .. } if entry.header().stream != *stream);
        if !select.is_answered_by(given.through, ids) || entries.iter().any(is_foreign) {
            return Err(unfit());
        }
        let entries = given.arrivals.iter().copied().zip(entries).collect();
        out.events.push_back(SessionEvent::Given { through: given.through, entries });
        Ok(())
    }

    /// What the oldest question was about, which an answer of this form is to.
    fn answered(&mut self, whole: bool) -> Result<Select, Stop> {
        let ask = self.asked.pop_front().filter(|ask| ask.whole == whole);
        ask.map(|ask| ask.select).ok_or_else(|| close(Code::Protocol, "an answer to no question"))
    }
}

fn unfit() -> Stop {
    close(Code::Protocol, "an answer does not fit its question")
}

impl Select {
    /// Whether these may be the arrival numbers and ids of an answer, in its order. It gets on: of a stream
    /// the numbers rise, from where the question begins to what the answer says; of ids at least one was
    /// looked at.
    fn is_answered_by(&self, through: u64, found: impl Iterator<Item = (u64, EntryId)>) -> bool {
        match self {
            Self::After { arrival, .. } => {
                let mut last = *arrival;
                for (number, _) in found {
                    if number <= last {
                        return false;
                    }
                    last = number;
                }
                last <= through
            }
            Self::Ids(ids) => {
                let looked_at = usize::try_from(through).ok().and_then(|count| ids.get(..count));
                let Some(mut rest) = looked_at.filter(|ids| !ids.is_empty()).map(|ids| ids.iter()) else {
                    return false;
                };
                let mut found = found;
                found.all(|(_, id)| rest.any(|asked| *asked == id))
            }
        }
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
