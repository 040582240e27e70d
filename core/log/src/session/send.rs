//! The sending half of a sync: entries in their order of arrival, and ranges of chains.
//!
//! What came from the peer in this session is not sent back. Entries are read from the replica only
//! as fast as the peer acknowledges them.

use std::collections::VecDeque;

use super::arrivals::Arrivals;
use super::budget::Budget;
use super::event::{Direction, SessionEvent};
use super::limits::{BATCH_BYTES, LOOKUP_UNITS, OUTBOX_BYTES, READ_UNITS, WINDOW_BYTES};
use super::sync::{Out, Stop, Sync, close};
use crate::batch::BatchWriter;
use crate::entry::Entry;
use crate::frames::{Ack, Branch, Code, Frame, Taken, WANT_RANGES_MAX, Want};
use crate::ids::{DeviceId, EntryId, StreamId};
use crate::trie::Tip;

/// A part of the frontier that the peer lacks or asks for.
#[derive(Debug, Clone)]
pub(super) enum Range {
    /// What a chain has beyond a point, on whatever branches.
    Wanted { stream: StreamId, device: DeviceId, point: Tip },
    /// One branch, after a sequence number.
    Branch { stream: StreamId, device: DeviceId, tip: EntryId, after: u64 },
}

/// A batch on its way.
#[derive(Debug)]
struct InFlight {
    number: u32,
    bytes: usize,
    /// Everything up to here was sent, if the batch belongs to the stream of arrivals.
    arrival: Option<u64>,
}

/// What was sent, what is to be sent, and what the peer is known to hold.
#[derive(Debug)]
pub(super) struct Sending {
    /// Everything up to here was sent or need not be; `None` while it is unknown where to start.
    sent: Option<u64>,
    /// Entries read and not yet in a batch, with the arrival that holds once they are sent.
    ready: VecDeque<(Option<u64>, Entry)>,
    ranges: VecDeque<Range>,
    wanted: usize,
    pub(super) from_peer: Arrivals,
    batches: u32,
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    waiting_since: Option<u64>,
    /// The peer holds everything up to here; `None` while unknown.
    held: Option<u64>,
    /// A batch was not taken as a whole: acknowledgements prove nothing until roots are equal.
    pub(super) doubtful: bool,
    /// The peer leaves some entries out.
    pub(super) left_out: bool,
    pub(super) entries: u64,
}

impl Sending {
    /// A replica without entries knows that the peer lacks nothing of it.
    pub(super) fn new(arrivals: u64) -> Self {
        let known = (arrivals == 0).then_some(0);
        Self {
            sent: known,
            ready: VecDeque::new(),
            ranges: VecDeque::new(),
            wanted: 0,
            from_peer: Arrivals::default(),
            batches: 0,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            waiting_since: None,
            held: known,
            doubtful: false,
            left_out: false,
            entries: 0,
        }
    }

    /// The peer holds everything up to here, by its own word. A number we never gave is ignored.
    pub(super) fn resume(&mut self, arrival: u64, arrivals: u64) {
        if self.sent.is_none() && arrival <= arrivals {
            self.sent = Some(arrival);
            self.held = Some(arrival);
        }
    }

    /// Everything up to here was sent by other means.
    pub(super) fn start_at(&mut self, arrival: u64) {
        self.sent = self.sent.max(Some(arrival));
    }

    /// The peer holds everything up to here, proven by equal roots.
    pub(super) fn confirm(&mut self, arrival: u64, out: &mut Out<'_>) {
        self.start_at(arrival);
        self.doubtful = false;
        self.hold(arrival, out);
    }

    fn hold(&mut self, arrival: u64, out: &mut Out<'_>) {
        let before = self.held;
        let held = self.from_peer.run_after(before.unwrap_or(0).max(arrival));
        self.from_peer.forget_below(held.min(self.sent.unwrap_or(0)));
        self.held = Some(held);
        if before != self.held {
            out.events.push_back(SessionEvent::Acked(held));
        }
    }

    /// Everything up to here is held by the peer; 0 while nothing is known.
    pub(super) fn held(&self) -> u64 {
        // What came from the peer since the last acknowledgement it holds too.
        self.held.map_or(0, |held| self.from_peer.run_after(held))
    }

    pub(super) const fn is_started(&self) -> bool {
        self.sent.is_some()
    }

    /// Whether something is still to be put into a batch.
    pub(super) fn is_unsent(&self, arrivals: u64, admitted: bool) -> bool {
        let behind = self.sent.is_some_and(|sent| sent < arrivals);
        admitted && (behind || !self.ready.is_empty() || !self.ranges.is_empty())
    }

    /// Whether something is unsent or not acknowledged.
    pub(super) fn is_busy(&self, arrivals: u64) -> bool {
        !self.in_flight.is_empty() || self.is_unsent(arrivals, true)
    }

    /// How many entries are still to be sent, as far as is known.
    pub(super) fn remaining(&self, arrivals: u64) -> u64 {
        self.sent.map_or(0, |sent| arrivals.saturating_sub(sent)) + self.ready.len() as u64
    }

    pub(super) const fn has_room(&self, outbox_bytes: usize) -> bool {
        outbox_bytes < OUTBOX_BYTES && self.in_flight_bytes < WINDOW_BYTES
    }

    pub(super) const fn waiting_since(&self) -> Option<u64> {
        self.waiting_since
    }

    /// Sends an entry by itself.
    pub(super) fn offer(&mut self, entry: Entry) {
        self.ready.push_back((None, entry));
    }

    pub(super) fn push_range(&mut self, range: Range) {
        self.wanted += usize::from(matches!(range, Range::Wanted { .. }));
        self.ranges.push_back(range);
    }

    /// Packs entries that are ready into one frame.
    fn pack(&mut self, now_ms: u64) -> Frame {
        let mut writer = BatchWriter::new();
        let mut arrival = None;
        while let Some((through, entry)) = self.ready.front() {
            if !writer.push(entry, BATCH_BYTES) {
                break;
            }
            arrival = *through;
            self.ready.pop_front();
        }
        self.entries += writer.entries() as u64;
        let batch = writer.finish();
        self.batches += 1;
        self.in_flight_bytes += batch.len();
        self.in_flight.push_back(InFlight { number: self.batches, bytes: batch.len(), arrival });
        self.waiting_since.get_or_insert(now_ms);
        Frame::Entries { arrival: arrival.unwrap_or(0), batch }
    }
}

impl Sync {
    /// Sends the next batch, or reads for it. Returns whether there was something to do.
    pub(super) fn send_entries(&mut self, budget: &mut Budget, out: &mut Out<'_>) -> Result<bool, Stop> {
        if !self.admitted {
            return Ok(false);
        }
        if !self.send.ready.is_empty() {
            let frame = self.send.pack(out.now_ms);
            out.outbox.push(&frame);
            self.sent_frames += 1;
            self.report(out);
            return Ok(true);
        }
        match self.send.ranges.pop_front() {
            Some(Range::Wanted { stream, device, point }) => {
                self.send.wanted -= 1;
                self.resolve((stream, device), point, budget, out)?;
                Ok(true)
            }
            Some(Range::Branch { stream, device, tip, after }) => {
                budget.spend(READ_UNITS);
                self.read_branch(stream, device, tip, after)?;
                Ok(true)
            }
            None => self.read_arrivals(budget),
        }
    }

    fn read_arrivals(&mut self, budget: &mut Budget) -> Result<bool, Stop> {
        let arrivals = self.replica.arrivals();
        if self.direction == Direction::Pull {
            self.send.start_at(arrivals);
        }
        let Some(sent) = self.send.sent.filter(|sent| *sent < arrivals) else { return Ok(false) };
        budget.spend(READ_UNITS);
        let entries = self.replica.entries_after(sent, &self.filter, BATCH_BYTES)?;
        let through = entries.last().map_or(arrivals, |(arrival, _)| *arrival);
        self.send.sent = Some(through);
        let new = entries.into_iter().filter(|(arrival, _)| !self.send.from_peer.contains(*arrival));
        self.send.ready.extend(new.map(|(arrival, entry)| (Some(arrival), entry)));
        if let Some((last, _)) = self.send.ready.back_mut() {
            *last = Some(through);
        }
        Ok(true)
    }

    fn read_branch(
        &mut self,
        stream: StreamId,
        device: DeviceId,
        tip: EntryId,
        after: u64,
    ) -> Result<(), Stop> {
        let entries = self.replica.branch(stream, device, &tip, after, BATCH_BYTES)?;
        let Some(last) = entries.last() else { return Ok(()) };
        if last.id() != tip {
            let after = last.header().seq;
            self.send.ranges.push_front(Range::Branch { stream, device, tip, after });
        }
        self.send.ready.extend(entries.into_iter().map(|entry| (None, entry)));
        Ok(())
    }

    /// The peer asks for chains beyond points of its own.
    pub(super) fn on_want(&mut self, want: Want) -> Result<(), Stop> {
        self.seen_frames += 1;
        if !self.admitted {
            return Err(close(Code::NotAdmitted, "this device is not a member of the workspace"));
        }
        if self.send.wanted + want.0.len() > WANT_RANGES_MAX {
            return Err(close(Code::Limit, "too many ranges are asked for at once"));
        }
        for (stream, device, point) in want.0 {
            self.send.push_range(Range::Wanted { stream, device, point });
        }
        self.want_root();
        Ok(())
    }

    /// Queues each branch of a chain that goes on from the point, and shows points of the others.
    fn resolve(
        &mut self,
        (stream, device): (StreamId, DeviceId),
        point: Tip,
        budget: &mut Budget,
        out: &mut Out<'_>,
    ) -> Result<(), Stop> {
        if !self.filter.contains(&stream) {
            return Ok(());
        }
        for tip in self.replica.frontier().0.tips(&stream, &device) {
            budget.spend(LOOKUP_UNITS);
            let continues = point.seq == 0
                || self.replica.id_on_branch(stream, device, &tip.id, point.seq)? == Some(point.id);
            if continues {
                let range = Range::Branch { stream, device, tip: tip.id, after: point.seq };
                self.send.push_range(range);
            } else {
                let points = self.points(stream, device, tip)?;
                budget.spend(LOOKUP_UNITS * points.len() as u64);
                out.outbox.push(&Frame::Branch(Branch { stream, device, points }));
            }
        }
        Ok(())
    }

    /// A branch's tip, and its entries at distances 1, 2, 4 and so on, down to the first.
    fn points(&self, stream: StreamId, device: DeviceId, tip: &Tip) -> Result<Vec<Tip>, Stop> {
        let mut points = vec![*tip];
        let mut distance = 1;
        while points.last().is_some_and(|point| point.seq > 1) {
            let seq = tip.seq.saturating_sub(distance).max(1);
            let Some(id) = self.replica.id_on_branch(stream, device, &tip.id, seq)? else { break };
            points.push(Tip { seq, id });
            distance = distance.saturating_mul(2);
        }
        Ok(points)
    }

    /// The peer took batches in.
    pub(super) fn on_ack(&mut self, ack: Ack, out: &mut Out<'_>) -> Result<(), Stop> {
        if ack.batches > self.send.batches {
            return Err(close(Code::Protocol, "acknowledgement of what was never sent"));
        }
        self.send.doubtful |= ack.taken != Taken::All;
        self.send.left_out |= ack.taken == Taken::LeftOut;
        let mut arrival = None;
        while let Some(batch) = self.send.in_flight.front().filter(|batch| batch.number <= ack.batches) {
            self.send.in_flight_bytes -= batch.bytes;
            arrival = batch.arrival.or(arrival);
            self.send.in_flight.pop_front();
        }
        self.send.waiting_since = (!self.send.in_flight.is_empty()).then_some(out.now_ms);
        if let (Some(arrival), false) = (arrival, self.send.doubtful) {
            self.send.hold(arrival, out);
        }
        Ok(())
    }
}
