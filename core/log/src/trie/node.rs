//! A persistent 16-ary hash trie whose shape follows from its keys alone.
//!
//! A subtree with one key is that key's value, at whatever depth; one with more keys is a branch.
//! Depth is bounded by the 64 nibbles of a key, so recursion is too.

use std::sync::{Arc, OnceLock};

use super::path::{Nibbles, nibble};
use super::{EMPTY, TAG_NODE};
use crate::crypto::sha256;

/// What a trie holds.
pub(super) trait Value: Clone {
    /// Where the value stands; two values of one trie with equal keys are the same thing.
    fn key(&self) -> [u8; 32];
    /// Commits to the key and all else.
    fn hash(&self) -> [u8; 32];
    /// How many leaves of the whole frontier it stands for.
    fn weight(&self) -> usize;
}

#[derive(Debug, Clone)]
struct Held<V> {
    key: [u8; 32],
    value: V,
    hash: OnceLock<[u8; 32]>,
}

#[derive(Debug, Clone)]
struct Branch<V> {
    children: [Option<Subtree<V>>; 16],
    weight: usize,
    hash: OnceLock<[u8; 32]>,
}

#[derive(Debug)]
enum Subtree<V> {
    Held(Arc<Held<V>>),
    Branch(Arc<Branch<V>>),
}

// Not derived: sharing a subtree needs no copy of its values.
impl<V> Clone for Subtree<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Held(held) => Self::Held(Arc::clone(held)),
            Self::Branch(branch) => Self::Branch(Arc::clone(branch)),
        }
    }
}

impl<V: Value> Subtree<V> {
    fn hash(&self) -> [u8; 32] {
        match self {
            Self::Held(held) => *held.hash.get_or_init(|| held.value.hash()),
            Self::Branch(branch) => *branch.hash.get_or_init(|| branch.compute_hash()),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::Held(held) => held.value.weight(),
            Self::Branch(branch) => branch.weight,
        }
    }

    fn insert(&mut self, depth: usize, new: Arc<Held<V>>) {
        match self {
            Self::Held(held) if held.key == new.key => *held = new,
            Self::Held(held) => {
                let mut branch = Branch { children: Default::default(), weight: 0, hash: OnceLock::new() };
                branch.children[nibble(&held.key, depth)] = Some(Self::Held(Arc::clone(held)));
                branch.insert(depth, new);
                *self = Self::Branch(Arc::new(branch));
            }
            Self::Branch(branch) => Arc::make_mut(branch).insert(depth, new),
        }
    }

    /// Removes a key that is held; what remains is `None` if that was the only one.
    fn remove(self, depth: usize, key: &[u8; 32]) -> Option<Self> {
        match self {
            Self::Held(_) => None,
            Self::Branch(mut branch) => {
                let inner = Arc::make_mut(&mut branch);
                let slot = &mut inner.children[nibble(key, depth)];
                *slot = slot.take().and_then(|child| child.remove(depth + 1, key));
                inner.changed();
                let mut present = inner.children.iter().flatten();
                match (present.next(), present.next()) {
                    (Some(Self::Held(last)), None) => Some(Self::Held(Arc::clone(last))),
                    _ => Some(Self::Branch(branch)),
                }
            }
        }
    }

    fn collect<'t>(&'t self, into: &mut Vec<&'t V>) {
        match self {
            Self::Held(held) => into.push(&held.value),
            Self::Branch(branch) => branch.children.iter().flatten().for_each(|child| child.collect(into)),
        }
    }
}

impl<V: Value> Branch<V> {
    fn insert(&mut self, depth: usize, new: Arc<Held<V>>) {
        match &mut self.children[nibble(&new.key, depth)] {
            Some(child) => child.insert(depth + 1, new),
            empty => *empty = Some(Subtree::Held(new)),
        }
        self.changed();
    }

    fn changed(&mut self) {
        self.weight = self.children.iter().flatten().map(Subtree::weight).sum();
        self.hash = OnceLock::new();
    }

    fn compute_hash(&self) -> [u8; 32] {
        let mut present = 0u16;
        let mut hashes = Vec::with_capacity(16 * 32);
        for (index, child) in self.children.iter().enumerate() {
            if let Some(child) = child {
                present |= 1 << index;
                hashes.extend_from_slice(&child.hash());
            }
        }
        sha256(&[&TAG_NODE, &present.to_le_bytes(), &hashes])
    }
}

/// The trie. Cloning shares everything.
#[derive(Debug, Clone)]
pub(super) struct Trie<V>(Option<Subtree<V>>);

impl<V> Default for Trie<V> {
    fn default() -> Self {
        Self(None)
    }
}

impl<V: Value> Trie<V> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Adds a value, or replaces the one with its key.
    pub(super) fn insert(&mut self, value: V) {
        let new = Arc::new(Held { key: value.key(), value, hash: OnceLock::new() });
        match &mut self.0 {
            Some(root) => root.insert(0, new),
            empty => *empty = Some(Subtree::Held(new)),
        }
    }

    /// Removes the value with a key, if there is one.
    pub(super) fn remove(&mut self, key: &[u8; 32]) {
        if self.get(key).is_some() {
            self.0 = self.0.take().and_then(|root| root.remove(0, key));
        }
    }

    /// The value with a key.
    pub(super) fn get(&self, key: &[u8; 32]) -> Option<&V> {
        let mut subtree = self.0.as_ref()?;
        let mut depth = 0;
        loop {
            match subtree {
                Subtree::Held(held) => return (held.key == *key).then_some(&held.value),
                Subtree::Branch(branch) => subtree = branch.children[nibble(key, depth)].as_ref()?,
            }
            depth += 1;
        }
    }

    /// The subtree of all keys that begin with the nibbles.
    fn at(&self, nibbles: &Nibbles) -> Option<&Subtree<V>> {
        let mut subtree = self.0.as_ref()?;
        for depth in 0..nibbles.len() {
            match subtree {
                Subtree::Held(held) => return nibbles.is_prefix_of(&held.key).then_some(subtree),
                Subtree::Branch(branch) => subtree = branch.children[nibbles.at(depth)].as_ref()?,
            }
        }
        Some(subtree)
    }

    /// The hash of a subtree.
    pub(super) fn hash(&self, nibbles: &Nibbles) -> [u8; 32] {
        self.at(nibbles).map_or(EMPTY, Subtree::hash)
    }

    /// The leaves of the whole frontier that a subtree stands for.
    pub(super) fn weight(&self, nibbles: &Nibbles) -> usize {
        self.at(nibbles).map_or(0, Subtree::weight)
    }

    /// The hashes of the children, if the subtree has more than one key.
    pub(super) fn children(&self, nibbles: &Nibbles) -> Option<[Option<[u8; 32]>; 16]> {
        match self.at(nibbles)? {
            Subtree::Held(_) => None,
            Subtree::Branch(branch) => {
                Some(std::array::from_fn(|index| branch.children[index].as_ref().map(Subtree::hash)))
            }
        }
    }

    /// The value, if the subtree has exactly one.
    pub(super) fn only(&self, nibbles: &Nibbles) -> Option<&V> {
        match self.at(nibbles)? {
            Subtree::Held(held) => Some(&held.value),
            Subtree::Branch(_) => None,
        }
    }

    /// All values of a subtree, in key order.
    pub(super) fn below(&self, nibbles: &Nibbles) -> Vec<&V> {
        let mut values = Vec::new();
        if let Some(subtree) = self.at(nibbles) {
            subtree.collect(&mut values);
        }
        values
    }
}
