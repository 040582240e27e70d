//! Beginning a document anew: one change that makes all that is there, without what led to it.
//!
//! Such a change starts a *generation*: the changes that rest on it. It says what it stands for, the
//! *heads* in the generation that it replaces, and what the generations *before* it began with, the
//! oldest first; both are bound to it by its actor, which is their hash. It follows from what it
//! stands for alone: who begins the same state anew makes the same change.

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{
    ActorId, AutoCommit, Change, ChangeHash, ObjId, ObjType, ROOT, ReadDoc, ScalarValue, ValueRef,
};
use tidelog_log::crypto::{sha256, tag};

use super::{DocumentError, ENCODING, guarded, parse_change};
use crate::value::DEPTH_MAX;

/// Bytes of the hash of a change.
pub(crate) const HASH_LEN: usize = 32;

/// Most heads of a begin, and most generations that it names.
pub(crate) const HASHES_MAX: usize = 1024;

/// Hashes of changes as entries hold them.
pub(crate) type ChangeHashes = Vec<[u8; HASH_LEN]>;

const TAG_BEGIN: [u8; 16] = tag("TIDE1 doc begin");

/// A change that begins a document anew.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Begin {
    /// It stands for what these rest on, in the generation before it.
    pub(crate) heads: ChangeHashes,
    /// What the generations before it began with, the oldest first. Generation zero has no begin.
    pub(crate) before: ChangeHashes,
    /// The change itself.
    pub(crate) change: Change,
}

impl Begin {
    /// Reads a begin that somebody else made.
    ///
    /// # Errors
    ///
    /// If the bytes are not one change in plain form, it is too large, rests on something, or belongs
    /// to other hashes.
    pub(crate) fn parse(
        heads: ChangeHashes,
        before: ChangeHashes,
        change: &[u8],
    ) -> Result<Self, DocumentError> {
        let change = parse_change(change)?;
        let sound = change.deps().is_empty()
            && change.seq() == 1
            && change.start_op().get() == 1
            && *change.actor_id() == actor(&heads, &before);
        if sound { Ok(Self { heads, before, change }) } else { Err(DocumentError::Malformed) }
    }

    /// Begins a document anew; `None` if it is nested too deep, or a change cannot have it.
    pub(super) fn of(
        doc: &AutoCommit,
        heads: impl IntoIterator<Item = ChangeHash>,
        before: ChangeHashes,
    ) -> Option<Self> {
        let mut heads: ChangeHashes = heads.into_iter().map(|hash| hash.0).collect();
        heads.sort_unstable();
        if heads.is_empty() || heads.len() > HASHES_MAX {
            return None;
        }
        let mut new = AutoCommit::new_with_encoding(ENCODING);
        new.set_actor(actor(&heads, &before));
        let change = guarded(|| {
            copy_map(doc, &ROOT, &mut new, &ROOT, 1)?;
            let hash = match new.commit_with(CommitOptions::default().with_time(0)) {
                Some(hash) => hash,
                None => new.empty_change(CommitOptions::default().with_time(0)),
            };
            new.get_change_by_hash(&hash)
        })
        .flatten()?;
        let bytes = change.raw_bytes().to_vec();
        Self::parse(heads, before, &bytes).ok()
    }
}

fn actor(heads: &ChangeHashes, before: &ChangeHashes) -> ActorId {
    let count = (heads.len() as u64).to_be_bytes();
    let hash = sha256(&[&TAG_BEGIN, &count, heads.as_flattened(), before.as_flattened()]);
    ActorId::from(&hash[..16])
}

fn copy_map(from: &AutoCommit, object: &ObjId, to: &mut AutoCommit, new: &ObjId, depth: usize) -> Option<()> {
    for item in from.map_range(object, ..) {
        let key = item.key.as_ref();
        match &item.value {
            ValueRef::Scalar(scalar) => to.put(new, key, ScalarValue::from(scalar)).ok()?,
            ValueRef::Object(kind) => {
                let copy = to.put_object(new, key, *kind).ok()?;
                copy_into(from, &item.id(), *kind, to, &copy, depth + 1)?;
            }
        }
    }
    Some(())
}

fn copy_into(
    from: &AutoCommit,
    object: &ObjId,
    kind: ObjType,
    to: &mut AutoCommit,
    new: &ObjId,
    depth: usize,
) -> Option<()> {
    if depth > DEPTH_MAX {
        return None;
    }
    match kind {
        ObjType::Map | ObjType::Table => copy_map(from, object, to, new, depth),
        ObjType::Text => to.splice_text(new, 0, 0, &from.text(object).ok()?).ok(),
        ObjType::List => {
            for (place, item) in from.list_range(object, ..).enumerate() {
                match &item.value {
                    ValueRef::Scalar(scalar) => to.insert(new, place, ScalarValue::from(scalar)).ok()?,
                    ValueRef::Object(kind) => {
                        let copy = to.insert_object(new, place, *kind).ok()?;
                        copy_into(from, &item.id(), *kind, to, &copy, depth + 1)?;
                    }
                }
            }
            Some(())
        }
    }
}
