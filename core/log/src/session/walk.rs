//! The walk through the peer's frontier, and what it leads to.
//!
//! The initiator walks, for both directions: it asks for the nodes that differ, wants what it
//! lacks, and then, knowing what the peer holds, sends what the peer lacks. Each side walks and is
//! walked on a snapshot of its frontier. The responder only answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::budget::Budget;
use super::event::Direction;
use super::limits::{NODE_UNITS, OUTBOX_BYTES_MAX, ROUNDS_MAX, WALK_NODES_MAX};
use super::send::Range;
use super::sync::{Out, Stop, Sync, close};
use crate::frames::{
    Branch, Code, Content, Frame, NODE_LEAVES_MAX, Node, WALK_PATHS_MAX, WANT_RANGES_MAX, Want,
};
use crate::ids::{DeviceId, StreamId};
use crate::trie::{self, EMPTY, Filter, Frontier, Leaf, Path, Tip};

type Chain = (StreamId, DeviceId);

/// A walk in progress.
#[derive(Debug)]
struct Active {
    frontier: Frontier,
    arrivals: u64,
    /// Paths asked for and not answered.
    asked: BTreeSet<Path>,
    /// Paths to ask for next.
    next: Vec<Path>,
    /// The peer's tips of each chain that differs.
    different: BTreeMap<Chain, Vec<Tip>>,
    /// Chains still to be wanted, stream zero first.
    wants: VecDeque<(StreamId, DeviceId, Tip)>,
    /// Whether a Want is being served.
    wanting: bool,
}

/// The state of walks on both ends.
#[derive(Debug, Default)]
pub(super) struct Walk {
    active: Option<Active>,
    /// What the peer walks on, and our newest arrival in it.
    serving: Option<(Frontier, u64)>,
    /// Paths that the peer asked for and that are not answered yet.
    unanswered: VecDeque<Path>,
    nodes: usize,
    rounds: u32,
    last_roots: Option<([u8; 32], [u8; 32])>,
}

impl Walk {
    pub(super) const fn is_active(&self) -> bool {
        self.active.is_some()
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The peer is done walking; returns our newest arrival that it saw.
    pub(super) fn end_serving(&mut self) -> Option<u64> {
        self.serving.take().map(|(_, arrivals)| arrivals)
    }

    fn count(&mut self, nodes: usize) -> Result<(), Stop> {
        self.nodes += nodes;
        if self.nodes > WALK_NODES_MAX {
            return Err(close(Code::Limit, "too many nodes are walked"));
        }
        Ok(())
    }
}

/// Where walks over these streams start.
fn start_paths(filter: &Filter) -> Vec<Path> {
    match filter {
        Filter::All => vec![Path::ROOT],
        Filter::Streams(streams) => streams.iter().copied().map(Path::stream).collect(),
    }
}

fn answer(frontier: &Frontier, path: Path) -> Node {
    let content = match frontier.count(&path) {
        0 => Content::Empty,
        1..=NODE_LEAVES_MAX => Content::Leaves(frontier.leaves(&path)),
        _ => match frontier.node(&path) {
            trie::Node::Branch(children) => Content::Branch(children),
            trie::Node::Stream(stream) => Content::Stream(stream),
            // More than one chain stands here, so it is neither of these.
            trie::Node::Empty | trie::Node::Leaf(_) => Content::Empty,
        },
    };
    Node { path, content }
}

impl Sync {
    fn served_frontier(&mut self) -> &Frontier {
        let serving = self.walk.serving.get_or_insert_with(|| {
            let (frontier, arrivals) = self.replica.frontier();
            (frontier.select(&self.filter), arrivals)
        });
        &serving.0
    }

    fn answer_paths(&mut self, paths: &[Path], out: &mut Out<'_>) -> Result<(), Stop> {
        let frontier = self.served_frontier();
        for path in paths {
            let node = answer(frontier, *path);
            let below = match &node.content {
                Content::Stream(stream) => Some(Path::stream(*stream)),
                _ => None,
            };
            out.outbox.push(&Frame::Node(node));
            if let Some(below) = below {
                out.outbox.push(&Frame::Node(answer(frontier, below)));
            }
            if out.outbox.bytes() > OUTBOX_BYTES_MAX {
                return Err(close(Code::Limit, "too much is asked for and not read"));
            }
        }
        Ok(())
    }

    /// Shows the top of the own tree unasked, when it is clear that the peer will ask.
    pub(super) fn offer_top(&mut self, out: &mut Out<'_>) -> Result<(), Stop> {
        self.answer_paths(&start_paths(&self.filter), out)
    }

    /// The peer asks for nodes.
    pub(super) fn on_walk(&mut self, paths: Vec<Path>) -> Result<(), Stop> {
        self.seen_frames += 1;
        if self.initiator {
            return Err(close(Code::Protocol, "walk from a responder"));
        }
        if !self.admitted {
            return Err(close(Code::NotAdmitted, "this device is not a member of the workspace"));
        }
        self.walk.count(paths.len())?;
        self.walk.unanswered.extend(paths);
        Ok(())
    }

    /// Answers paths, as many as there is time for.
    pub(super) fn answer_walk(&mut self, budget: &mut Budget, out: &mut Out<'_>) -> Result<(), Stop> {
        while !budget.is_spent()
            && let Some(path) = self.walk.unanswered.pop_front()
        {
            budget.spend(NODE_UNITS);
            self.answer_paths(&[path], out)?;
        }
        Ok(())
    }

    /// Begins a walk, unless too many have led nowhere, or it is known that this one will.
    pub(super) fn start_walk(&mut self, their_root: [u8; 32], out: &mut Out<'_>) -> Result<(), Stop> {
        if self.receive.left_out || self.send.left_out {
            return Ok(());
        }
        let own_root = self.replica.frontier().0.root(&self.filter);
        if self.walk.last_roots.replace((own_root, their_root)) == Some((own_root, their_root)) {
            self.walk.rounds += 1;
            if self.walk.rounds >= ROUNDS_MAX {
                return Err(close(Code::NoProgress, "both sides differ and cannot become equal"));
            }
        } else {
            self.walk.rounds = 0;
        }
        let paths = start_paths(&self.filter);
        self.begin_walk();
        self.ask(paths, out);
        Ok(())
    }

    fn begin_walk(&mut self) -> &mut Active {
        let (frontier, arrivals) = self.replica.frontier();
        self.walk.active.insert(Active {
            frontier: frontier.select(&self.filter),
            arrivals,
            asked: BTreeSet::new(),
            next: Vec::new(),
            different: BTreeMap::new(),
            wants: VecDeque::new(),
            wanting: false,
        })
    }

    fn ask(&mut self, paths: Vec<Path>, out: &mut Out<'_>) {
        for chunk in paths.chunks(WALK_PATHS_MAX) {
            out.outbox.push(&Frame::Walk(chunk.to_vec()));
            self.sent_frames += 1;
        }
        if let Some(active) = &mut self.walk.active {
            active.asked.extend(paths);
        }
    }

    /// The peer shows a node.
    pub(super) fn on_node(&mut self, node: Node, out: &mut Out<'_>) -> Result<(), Stop> {
        if !self.initiator {
            return Err(close(Code::Protocol, "node from an initiator"));
        }
        self.walk.count(1)?;
        let top = start_paths(&self.filter);
        if self.walk.active.is_none() && self.sent_frames == 0 && top.contains(&node.path) {
            self.begin_walk().asked.extend(top);
        }
        let unasked = || close(Code::Protocol, "node that was not asked for");
        let active = self.walk.active.as_mut().ok_or_else(unasked)?;
        if !active.asked.remove(&node.path) {
            return Err(unasked());
        }
        active.compare(node)?;
        if !active.asked.is_empty() {
            return Ok(());
        }
        let next = std::mem::take(&mut active.next);
        if next.is_empty() {
            return self.plan_wants(out);
        }
        self.ask(next, out);
        Ok(())
    }

    /// All differences are known: what is lacking here is wanted, unless entries only go there.
    fn plan_wants(&mut self, out: &mut Out<'_>) -> Result<(), Stop> {
        let Some(active) = &mut self.walk.active else { return Ok(()) };
        let current = self.replica.frontier().0;
        for ((stream, device), theirs) in &active.different {
            let mut lacking = false;
            for tip in theirs.iter().filter(|_| self.direction != Direction::Push) {
                lacking |= self.replica.position(&tip.id)?.is_none();
            }
            if lacking && self.filter.contains(stream) {
                let own = current.tips(stream, device).last().copied();
                active.wants.push_back((*stream, *device, own.unwrap_or(START)));
            }
        }
        self.send_wants(out)
    }

    fn send_wants(&mut self, out: &mut Out<'_>) -> Result<(), Stop> {
        let Some(active) = &mut self.walk.active else { return Ok(()) };
        let count = active.wants.len().min(WANT_RANGES_MAX);
        if count == 0 {
            return self.finish_walk(out);
        }
        let mut ranges: Vec<_> = active.wants.drain(..count).collect();
        ranges.sort_by_key(|(stream, ..)| *stream);
        active.wanting = true;
        out.outbox.push(&Frame::Want(Want(ranges)));
        self.sent_frames += 1;
        Ok(())
    }

    /// The peer has nothing more to send for now: the Want, if there was one, is served.
    pub(super) fn on_wants_served(&mut self, out: &mut Out<'_>) -> Result<(), Stop> {
        let served = self.walk.active.as_mut().is_some_and(|active| std::mem::take(&mut active.wanting));
        if served { self.send_wants(out) } else { Ok(()) }
    }

    /// A branch of the peer's does not contain what we hold: we go on from where it parted.
    pub(super) fn on_branch(&mut self, branch: &Branch) -> Result<(), Stop> {
        self.walk.count(1)?;
        let mut common = START;
        for point in &branch.points {
            if self.replica.position(&point.id)?.is_some() {
                common = *point;
                break;
            }
        }
        let held = branch.points.first().is_some_and(|tip| *tip == common);
        match &mut self.walk.active {
            Some(active) if active.wanting => {
                if !held {
                    active.wants.push_back((branch.stream, branch.device, common));
                }
                Ok(())
            }
            _ => Err(close(Code::Protocol, "branch that was not asked for")),
        }
    }

    /// Everything wanted has come: the peer gets what it lacks, unless entries only come here. Then
    /// roots are compared; they stay different where entries go one way.
    fn finish_walk(&mut self, out: &mut Out<'_>) -> Result<(), Stop> {
        let Some(active) = self.walk.active.take() else { return Ok(()) };
        if !self.admitted {
            return Err(close(Code::NotAdmitted, "the other device is not a member of the workspace"));
        }
        let current = self.replica.frontier().0;
        for ((stream, device), theirs) in &active.different {
            for tip in current.tips(stream, device) {
                if self.direction != Direction::Pull && !theirs.contains(tip) {
                    let after = self.parting(*stream, *device, tip, theirs)?;
                    let range = Range::Branch { stream: *stream, device: *device, tip: tip.id, after };
                    self.send.push_range(range);
                }
            }
        }
        self.send.start_at(active.arrivals);
        match self.direction {
            Direction::Both => self.want_root(),
            Direction::Pull | Direction::Push => self.reach(out),
        }
        Ok(())
    }

    /// The last sequence number that a branch of ours shares with any branch of the peer's.
    fn parting(&self, stream: StreamId, device: DeviceId, own: &Tip, theirs: &[Tip]) -> Result<u64, Stop> {
        let mut parting = 0;
        for tip in theirs {
            if self.replica.position(&tip.id)?.is_none() {
                continue;
            }
            let shared = |seq| -> Result<bool, Stop> {
                let ours = self.replica.id_on_branch(stream, device, &own.id, seq)?;
                Ok(ours.is_some() && ours == self.replica.id_on_branch(stream, device, &tip.id, seq)?)
            };
            let mut high = own.seq.min(tip.seq);
            if high > parting && shared(high)? {
                parting = high;
            }
            while parting + 1 < high {
                let middle = parting + (high - parting) / 2;
                if shared(middle)? {
                    parting = middle;
                } else {
                    high = middle;
                }
            }
        }
        Ok(parting)
    }
}

/// The point before a chain's first entry.
const START: Tip = Tip { seq: 0, id: crate::ids::EntryId::ZERO };

impl Active {
    /// Notes where the peer's node differs from ours.
    fn compare(&mut self, node: Node) -> Result<(), Stop> {
        let Node { path, content } = node;
        match content {
            Content::Empty => self.lacking_there(&path),
            Content::Branch(children) => {
                for (child, theirs) in (0u8..).zip(*children) {
                    let Some(below) = path.child(child) else {
                        return Err(close(Code::Protocol, "branch below a whole key"));
                    };
                    let own = self.frontier.hash(&below);
                    match theirs {
                        None if own != EMPTY => self.lacking_there(&below),
                        Some(theirs) if theirs != own => self.next.push(below),
                        _ => {}
                    }
                }
            }
            Content::Stream(stream) => {
                if matches!(path, Path::Devices(..)) {
                    return Err(close(Code::Protocol, "stream inside a stream"));
                }
                for leaf in self.frontier.leaves(&path) {
                    if leaf.stream != stream {
                        self.differs(leaf, Vec::new());
                    }
                }
                self.asked.insert(Path::stream(stream));
            }
            Content::Leaves(leaves) => {
                let mut own: BTreeMap<Chain, Leaf> = self
                    .frontier
                    .leaves(&path)
                    .into_iter()
                    .map(|leaf| ((leaf.stream, leaf.device), leaf))
                    .collect();
                for leaf in leaves {
                    let same =
                        own.remove(&(leaf.stream, leaf.device)).is_some_and(|own| own.tips == leaf.tips);
                    if !same {
                        let tips = leaf.tips.clone();
                        self.differs(leaf, tips);
                    }
                }
                for leaf in own.into_values() {
                    self.differs(leaf, Vec::new());
                }
            }
        }
        Ok(())
    }

    fn lacking_there(&mut self, path: &Path) {
        for leaf in self.frontier.leaves(path) {
            self.differs(leaf, Vec::new());
        }
    }

    fn differs(&mut self, leaf: Leaf, theirs: Vec<Tip>) {
        self.different.insert((leaf.stream, leaf.device), theirs);
    }
}
