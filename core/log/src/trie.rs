//! The frontier: which chain tips a replica holds, as a hash trie that two replicas compare.
//!
//! A frontier maps (stream, device) to the accepted tips of that device's chain: one, or several
//! after a fork. A tip names an entry, and an entry names its whole chain, so equal frontiers mean
//! equal sets of entries. The frontier is a 16-ary trie over streams; each stream holds a 16-ary
//! trie over devices. Its shape and its hashes follow from its content alone:
//!
//! ```text
//! key(x)       SHA-256("TIDE1 trie key" | x), x = stream 16 or device 32; nibbles high first
//! leaf         SHA-256("TIDE1 trie leaf" | stream 16 | device 32 | n u32 | (seq u64 | id 32) x n)
//! stream       SHA-256("TIDE1 trie top" | stream 16 | hash of its trie over devices 32)
//! branch       SHA-256("TIDE1 trie node" | present u16, bit i = child i | hash of each child present)
//! empty        32 zero bytes
//! ```
//!
//! A subtree with no key is empty, one with one key is that key's leaf or stream at whatever
//! depth, and one with more keys is a branch. Tips are sorted by sequence number, then id.
//! Integers are little-endian.
//!
//! A frontier is persistent: [`Clone`] and [`Frontier::select`] share what they can, and
//! [`Frontier::set`] replaces one path. Hashes are computed when asked for and kept until the
//! path changes. Nothing here judges entries: the log decides which tips are accepted.

mod node;
mod path;

use std::collections::BTreeSet;

pub use path::{Nibbles, PATH_LEN_MAX, Path, PathError};

use crate::crypto::{sha256, tag};
use crate::ids::{DeviceId, EntryId, StreamId};
use node::{Trie, Value};

/// The hash of an empty subtree.
pub const EMPTY: [u8; 32] = [0; 32];

const TAG_KEY: [u8; 16] = tag("TIDE1 trie key");
const TAG_LEAF: [u8; 16] = tag("TIDE1 trie leaf");
const TAG_STREAM: [u8; 16] = tag("TIDE1 trie top");
const TAG_NODE: [u8; 16] = tag("TIDE1 trie node");

/// Where a key stands in a trie.
fn key(bytes: &[u8]) -> [u8; 32] {
    sha256(&[&TAG_KEY, bytes])
}

/// The last accepted entry of a chain, or of one branch of it after a fork.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tip {
    /// Its sequence number.
    pub seq: u64,
    /// Its id.
    pub id: EntryId,
}

/// One chain of a frontier.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf {
    /// The stream.
    pub stream: StreamId,
    /// The device that writes the chain.
    pub device: DeviceId,
    /// Its accepted tips, sorted and distinct; never empty inside a frontier.
    pub tips: Vec<Tip>,
}

impl Value for Leaf {
    fn key(&self) -> [u8; 32] {
        key(&self.device.0)
    }

    fn hash(&self) -> [u8; 32] {
        let count = u32::try_from(self.tips.len()).expect("a chain has fewer than 2^32 branches");
        let mut tips = Vec::with_capacity(self.tips.len() * 40);
        for tip in &self.tips {
            tips.extend_from_slice(&tip.seq.to_le_bytes());
            tips.extend_from_slice(&tip.id.0);
        }
        sha256(&[&TAG_LEAF, &self.stream.0, &self.device.0, &count.to_le_bytes(), &tips])
    }

    fn weight(&self) -> usize {
        1
    }
}

/// One stream of a frontier, with its chains.
#[derive(Debug, Clone)]
struct Stream {
    id: StreamId,
    devices: Trie<Leaf>,
}

impl Value for Stream {
    fn key(&self) -> [u8; 32] {
        key(&self.id.0)
    }

    fn hash(&self) -> [u8; 32] {
        sha256(&[&TAG_STREAM, &self.id.0, &self.devices.hash(&Nibbles::EMPTY)])
    }

    fn weight(&self) -> usize {
        self.devices.weight(&Nibbles::EMPTY)
    }
}

/// Which streams a session is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Filter {
    /// All streams.
    #[default]
    All,
    /// These streams only.
    Streams(BTreeSet<StreamId>),
}

impl Filter {
    /// The given streams only.
    #[must_use]
    pub fn some(streams: impl IntoIterator<Item = StreamId>) -> Self {
        Self::Streams(streams.into_iter().collect())
    }

    /// Whether the stream is meant.
    #[must_use]
    pub fn contains(&self, stream: &StreamId) -> bool {
        match self {
            Self::All => true,
            Self::Streams(streams) => streams.contains(stream),
        }
    }
}

/// What stands at a [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Nothing.
    Empty,
    /// More than one key: the hash of each child that is not empty, by its nibble.
    Branch(Box<[Option<[u8; 32]>; 16]>),
    /// One stream: the walk goes on at [`Path::stream`].
    Stream(StreamId),
    /// One chain.
    Leaf(Leaf),
}

/// The accepted chain tips of a replica.
#[derive(Debug, Clone, Default)]
pub struct Frontier {
    streams: Trie<Stream>,
}

impl PartialEq for Frontier {
    fn eq(&self, other: &Self) -> bool {
        self.root(&Filter::All) == other.root(&Filter::All)
    }
}

impl Eq for Frontier {}

impl Frontier {
    /// A frontier without chains.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the tips of a chain; no tips remove it. Their order does not matter.
    pub fn set(&mut self, stream: StreamId, device: DeviceId, mut tips: Vec<Tip>) {
        tips.sort_unstable();
        tips.dedup();
        let mut devices = self.devices(&stream).cloned().unwrap_or_default();
        if tips.is_empty() {
            devices.remove(&key(&device.0));
        } else {
            devices.insert(Leaf { stream, device, tips });
        }
        if devices.is_empty() {
            self.streams.remove(&key(&stream.0));
        } else {
            self.streams.insert(Stream { id: stream, devices });
        }
    }

    /// The tips of a chain, sorted; empty if there is no such chain.
    #[must_use]
    pub fn tips(&self, stream: &StreamId, device: &DeviceId) -> &[Tip] {
        self.devices(stream).and_then(|devices| devices.get(&key(&device.0))).map_or(&[], |leaf| &leaf.tips)
    }

    /// The hash of all chains of the streams: equal if and only if the chains and their tips are.
    #[must_use]
    pub fn root(&self, filter: &Filter) -> [u8; 32] {
        match filter {
            Filter::All => self.streams.hash(&Nibbles::EMPTY),
            Filter::Streams(_) => self.select(filter).root(&Filter::All),
        }
    }

    /// The part of the frontier that lies in the streams, to be walked as it is now.
    #[must_use]
    pub fn select(&self, filter: &Filter) -> Self {
        let Filter::Streams(ids) = filter else { return self.clone() };
        let mut streams = Trie::default();
        for stream in ids.iter().filter_map(|id| self.streams.get(&key(&id.0))) {
            streams.insert(stream.clone());
        }
        Self { streams }
    }

    /// The number of chains.
    #[must_use]
    pub fn leaf_count(&self) -> usize {
        self.count(&Path::ROOT)
    }

    /// All chains, in the order of the trie.
    pub fn iter(&self) -> impl Iterator<Item = &Leaf> {
        self.below(&Path::ROOT)
    }

    /// What stands at a path.
    #[must_use]
    pub fn node(&self, path: &Path) -> Node {
        match path {
            Path::Streams(nibbles) => match self.streams.children(nibbles) {
                Some(children) => Node::Branch(Box::new(children)),
                None => self.streams.only(nibbles).map_or(Node::Empty, |stream| Node::Stream(stream.id)),
            },
            Path::Devices(stream, nibbles) => {
                let Some(devices) = self.devices(stream) else { return Node::Empty };
                match devices.children(nibbles) {
                    Some(children) => Node::Branch(Box::new(children)),
                    None => devices.only(nibbles).map_or(Node::Empty, |leaf| Node::Leaf(leaf.clone())),
                }
            }
        }
    }

    /// The hash of what stands at a path, as its parent holds it; [`EMPTY`] if nothing does.
    ///
    /// At [`Path::stream`] it is the hash of the trie over devices, which the hash of the stream
    /// is made from.
    #[must_use]
    pub fn hash(&self, path: &Path) -> [u8; 32] {
        match path {
            Path::Streams(nibbles) => self.streams.hash(nibbles),
            Path::Devices(stream, nibbles) => {
                self.devices(stream).map_or(EMPTY, |devices| devices.hash(nibbles))
            }
        }
    }

    /// The number of chains at and below a path.
    #[must_use]
    pub fn count(&self, path: &Path) -> usize {
        match path {
            Path::Streams(nibbles) => self.streams.weight(nibbles),
            Path::Devices(stream, nibbles) => {
                self.devices(stream).map_or(0, |devices| devices.weight(nibbles))
            }
        }
    }

    /// The chains at and below a path. Ask [`Frontier::count`] first: there may be many.
    #[must_use]
    pub fn leaves(&self, path: &Path) -> Vec<Leaf> {
        self.below(path).cloned().collect()
    }

    fn devices(&self, stream: &StreamId) -> Option<&Trie<Leaf>> {
        self.streams.get(&key(&stream.0)).map(|stream| &stream.devices)
    }

    fn below(&self, path: &Path) -> impl Iterator<Item = &Leaf> {
        let (streams, devices) = match path {
            Path::Streams(nibbles) => (self.streams.below(nibbles), Vec::new()),
            Path::Devices(stream, nibbles) => {
                (Vec::new(), self.devices(stream).map_or_else(Vec::new, |devices| devices.below(nibbles)))
            }
        };
        streams.into_iter().flat_map(|stream| stream.devices.below(&Nibbles::EMPTY)).chain(devices)
    }
}

#[cfg(test)]
mod tests;
