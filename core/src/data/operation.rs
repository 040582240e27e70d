//! Operations: what one entry does to a database, as bytes.
//!
//! ```text
//! operations = [ group, .. ]                 at least one group
//! group      = [ collection, policy, owner, [ operation, .. ] ]
//!              collection  text, 1 to 255 bytes, no control characters
//!              policy      0 lww, 2 document; other numbers need a newer version
//!              owner       null, or the 16 bytes of a user id
//!              at least one operation; a group differs from the one before it in its first three
//! operation  = [ 0, key, value ]             put a value            (lww)
//!            | [ 1, key ]                    delete                 (lww, document)
//!            | [ 2, key, change ]            one Automerge change   (document), as bytes
//!            | [ 3, key, heads, before, change ]
//!                                            the document begins anew (document), see `document::begin`
//!              key         text, 1 to 512 bytes
//!              heads       1 to 1024 hashes of changes, 32 bytes each, in ascending order, as one
//!                          byte string
//!              before      0 to 1024 hashes likewise, no two alike, in any order
//! ```
//!
//! Deterministic CBOR, so one list of operations has one form: `decode(b) = Ok(v)` implies
//! `encode(v) = b`. An operation's *index* counts through all groups of its entry.

use tidelog_log::ids::{StreamId, UserId};

use super::address::{Policy, Scope, is_key, is_name};
use crate::document::begin::{ChangeHashes, HASH_LEN, HASHES_MAX};
use crate::value::ValueError;
use crate::value::cbor::{Decoder, Encoder};
#[cfg(test)]
use crate::value::{Value, cbor};

/// Most bytes that the operations of one entry may take. With the length, codec and time in front
/// of them they fill 1 MiB, the largest plaintext of an entry.
pub(crate) const OPERATIONS_BYTES_MAX: usize = 1024 * 1024 - 4 - 9;

const TAG_PUT: u64 = 0;
const TAG_DELETE: u64 = 1;
const TAG_CHANGE: u64 = 2;
const TAG_BEGIN: u64 = 3;

/// Why bytes are not operations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OperationError {
    /// The bytes are not the one form of any list of operations.
    #[error("operations are malformed: {0}")]
    Malformed(&'static str),
    /// The CBOR underneath is not canonical.
    #[error("operations are malformed: {0}")]
    Cbor(#[from] ValueError),
    /// A newer version wrote them.
    #[error("operations were written by a newer version: upgrade needed")]
    Unsupported,
}

/// What happens to one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// The item becomes this value, as canonical CBOR.
    Put(Vec<u8>),
    /// The item goes.
    Delete,
    /// This Automerge change is one of the document's.
    Change(Vec<u8>),
    /// The document begins anew with this Automerge change.
    Begin {
        /// What the change stands for: all that these rest on, in the generation before it.
        heads: ChangeHashes,
        /// What the generations before it began with, the oldest first.
        before: ChangeHashes,
        /// The change.
        change: Vec<u8>,
    },
}

impl Action {
    /// The action that puts a value.
    #[cfg(test)]
    pub(crate) fn put(value: &Value) -> Result<Self, ValueError> {
        cbor::encode(value).map(Self::Put)
    }

    const fn fits(&self, policy: Policy) -> bool {
        match (self, policy) {
            (Self::Delete, _) => true,
            (Self::Put(_), policy) => matches!(policy, Policy::Lww),
            (Self::Change(_) | Self::Begin { .. }, policy) => matches!(policy, Policy::Document),
        }
    }

    fn body_len(&self) -> usize {
        match self {
            Self::Put(bytes) | Self::Change(bytes) => bytes.len(),
            Self::Delete => 0,
            Self::Begin { heads, before, change } => {
                const HEADS: usize = 3 + 3;
                HEADS + HASH_LEN * (heads.len() + before.len()) + change.len()
            }
        }
    }
}

/// One operation on one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The item's key.
    pub(crate) key: String,
    /// What happens to it.
    pub(crate) action: Action,
}

impl Operation {
    /// An upper bound on the bytes that the operation takes in its group.
    fn len_bound(&self) -> usize {
        // Heads of the list, the tag, the key and the body.
        const HEADS: usize = 1 + 1 + 3 + 5;
        HEADS + self.key.len() + self.action.body_len()
    }
}

/// Consecutive operations on one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Name of the collection.
    pub(crate) collection: String,
    /// Its policy.
    pub(crate) policy: Policy,
    /// The user whose own items these are.
    pub(crate) owner: Option<UserId>,
    /// What happens, in order.
    pub(crate) operations: Vec<Operation>,
}

impl Group {
    fn same_target(&self, other: &Self) -> bool {
        self.collection == other.collection && self.policy == other.policy && self.owner == other.owner
    }

    /// An upper bound on the bytes that the group takes without its operations.
    fn len_bound(&self) -> usize {
        // Heads of both lists and the name, the policy and the owner; and of the list of groups.
        const HEADS: usize = 1 + 2 + 1 + 17 + 5 + 5;
        HEADS + self.collection.len()
    }

    /// The scope of the group's items in a stream.
    pub(crate) fn scope(&self, stream: StreamId) -> Scope {
        Scope { stream, collection: self.collection.clone(), policy: self.policy, owner: self.owner }
    }
}

/// The operations of one entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Operations(Vec<Group>);

impl Operations {
    /// One operation alone.
    #[cfg(test)]
    pub(crate) fn one(scope: &Scope, key: &str, action: Action) -> Self {
        let mut operations = Self::default();
        operations.push(scope, key, action);
        operations
    }

    /// Appends an operation, and gives an upper bound on the bytes that it adds. Names and keys are
    /// checked by the caller.
    pub(crate) fn push(&mut self, scope: &Scope, key: &str, action: Action) -> usize {
        debug_assert!(action.fits(scope.policy), "the action is one of the policy");
        let operation = Operation { key: key.to_owned(), action };
        let group = Group {
            collection: scope.collection.clone(),
            policy: scope.policy,
            owner: scope.owner,
            operations: vec![],
        };
        let mut added = operation.len_bound();
        if !self.0.last().is_some_and(|last| last.same_target(&group)) {
            added += group.len_bound();
            self.0.push(group);
        }
        self.0.last_mut().expect("there is a group by now").operations.push(operation);
        added
    }

    /// The groups in order.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.0
    }

    /// The groups in order, to take apart.
    pub(crate) fn into_groups(self) -> Vec<Group> {
        self.0
    }

    /// Whether there is no operation.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The operation with an index, and its group.
    pub(crate) fn get(&self, index: u32) -> Option<(&Group, &Operation)> {
        let mut index = usize::try_from(index).ok()?;
        for group in &self.0 {
            match group.operations.get(index) {
                Some(operation) => return Some((group, operation)),
                None => index -= group.operations.len(),
            }
        }
        None
    }

    /// The operations as bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::default();
        encoder.list(self.0.len());
        for group in &self.0 {
            encoder.list(4);
            encoder.text(&group.collection);
            encoder.unsigned(group.policy.number().into());
            match group.owner {
                None => encoder.null(),
                Some(owner) => encoder.bytes(&owner.0),
            }
            encoder.list(group.operations.len());
            for operation in &group.operations {
                encode_operation(&mut encoder, operation);
            }
        }
        encoder.into_bytes()
    }

    /// Reads operations. The bytes must be their one form and nothing else.
    ///
    /// # Errors
    ///
    /// If they are not; [`OperationError::Unsupported`] if a newer version may know better.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, OperationError> {
        let mut decoder = Decoder::new(bytes);
        let mut operations = Self::default();
        let groups = decoder.list()?;
        ensure(groups > 0, "no groups")?;
        for _ in 0..groups {
            let group = decode_group(&mut decoder)?;
            let repeated = operations.0.last().is_some_and(|last| last.same_target(&group));
            ensure(!repeated, "two groups that should be one")?;
            operations.0.push(group);
        }
        decoder.finish()?;
        Ok(operations)
    }
}

fn ensure(holds: bool, otherwise: &'static str) -> Result<(), OperationError> {
    if holds { Ok(()) } else { Err(OperationError::Malformed(otherwise)) }
}

fn encode_operation(encoder: &mut Encoder, operation: &Operation) {
    let (tag, length) = match &operation.action {
        Action::Put(_) => (TAG_PUT, 3),
        Action::Delete => (TAG_DELETE, 2),
        Action::Change(_) => (TAG_CHANGE, 3),
        Action::Begin { .. } => (TAG_BEGIN, 5),
    };
    encoder.list(length);
    encoder.unsigned(tag);
    encoder.text(&operation.key);
    match &operation.action {
        Action::Put(value) => encoder.encoded(value),
        Action::Delete => {}
        Action::Change(change) => encoder.bytes(change),
        Action::Begin { heads, before, change } => {
            encoder.bytes(heads.as_flattened());
            encoder.bytes(before.as_flattened());
            encoder.bytes(change);
        }
    }
}

fn decode_group(decoder: &mut Decoder<'_>) -> Result<Group, OperationError> {
    ensure(decoder.list()? == 4, "a group has four parts")?;
    let collection = decoder.text()?.to_owned();
    ensure(is_name(&collection), "collection name")?;
    let policy = u8::try_from(decoder.unsigned()?).ok().and_then(Policy::from_number);
    let policy = policy.ok_or(OperationError::Unsupported)?;
    let owner = if decoder.null() {
        None
    } else {
        let owner = decoder.bytes()?.try_into().map_err(|_| OperationError::Malformed("owner"))?;
        Some(UserId(owner))
    };
    let count = decoder.list()?;
    ensure(count > 0, "a group without operations")?;
    let mut group = Group { collection, policy, owner, operations: Vec::new() };
    for _ in 0..count {
        let operation = decode_operation(decoder)?;
        ensure(operation.action.fits(policy), "operation of another policy")?;
        group.operations.push(operation);
    }
    Ok(group)
}

fn decode_operation(decoder: &mut Decoder<'_>) -> Result<Operation, OperationError> {
    let length = decoder.list()?;
    let tag = decoder.unsigned()?;
    let key = match tag {
        TAG_PUT | TAG_DELETE | TAG_CHANGE | TAG_BEGIN => decoder.text()?.to_owned(),
        _ => return Err(OperationError::Unsupported),
    };
    ensure(is_key(&key), "item key")?;
    let (action, expected) = match tag {
        TAG_PUT => (Action::Put(decoder.value_bytes()?.to_vec()), 3),
        TAG_DELETE => (Action::Delete, 2),
        TAG_BEGIN => (decode_begin(decoder)?, 5),
        _ => (Action::Change(decoder.bytes()?.to_vec()), 3),
    };
    ensure(length == expected, "length of an operation")?;
    Ok(Operation { key, action })
}

fn decode_begin(decoder: &mut Decoder<'_>) -> Result<Action, OperationError> {
    let heads = decode_hashes(decoder)?;
    ensure(!heads.is_empty() && heads.is_sorted_by(|a, b| a < b), "heads of a document")?;
    let before = decode_hashes(decoder)?;
    let mut sorted = before.clone();
    sorted.sort_unstable();
    ensure(sorted.is_sorted_by(|a, b| a < b), "generations of a document")?;
    Ok(Action::Begin { heads, before, change: decoder.bytes()?.to_vec() })
}

fn decode_hashes(decoder: &mut Decoder<'_>) -> Result<ChangeHashes, OperationError> {
    let (hashes, rest) = decoder.bytes()?.as_chunks();
    ensure(rest.is_empty() && hashes.len() <= HASHES_MAX, "hashes of changes")?;
    Ok(hashes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::address::{KEY_BYTES_MAX, NAME_BYTES_MAX};
    use super::*;
    use proptest::prelude::*;

    fn scope(collection: &str, policy: Policy, owner: Option<UserId>) -> Scope {
        Scope { stream: StreamId::ZERO, collection: collection.into(), policy, owner }
    }

    fn put(number: i64) -> Action {
        Action::put(&Value::Int(number)).expect("finite")
    }

    fn arbitrary_operations() -> impl Strategy<Value = Operations> {
        let step = ("[a-c]{1,2}", any::<bool>(), proptest::option::of(0u8..2), "[x-z]{1,3}", any::<i64>());
        proptest::collection::vec(step, 1..20).prop_map(|steps| {
            let mut operations = Operations::default();
            for (collection, document, owner, key, number) in steps {
                let policy = if document { Policy::Document } else { Policy::Lww };
                let action = match (number % 3, document) {
                    (0, _) => Action::Delete,
                    (_, false) => put(number),
                    (1, true) => Action::Begin {
                        heads: (0..=number.unsigned_abs().to_le_bytes()[0] % 5)
                            .map(|head| [head; 32])
                            .collect(),
                        before: (0..number.unsigned_abs().to_le_bytes()[1] % 5)
                            .map(|hash| [9 - hash; 32])
                            .collect(),
                        change: number.to_le_bytes().to_vec(),
                    },
                    (_, true) => Action::Change(number.to_le_bytes().to_vec()),
                };
                let owner = owner.map(|byte| UserId([byte; 16]));
                operations.push(&scope(&collection, policy, owner), &key, action);
            }
            operations
        })
    }

    proptest! {
        #[test]
        fn operations_round_trip(operations in arbitrary_operations()) {
            prop_assert_eq!(Operations::decode(&operations.encode()), Ok(operations));
        }

        #[test]
        fn whatever_decodes_encodes_to_the_same_bytes(
            operations in arbitrary_operations(),
            at: prop::sample::Index,
            byte: u8,
        ) {
            let mut bytes = operations.encode();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(decoded) = Operations::decode(&bytes) {
                prop_assert_eq!(decoded.encode(), bytes);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Operations::decode(&bytes);
        }

        #[test]
        fn the_length_bound_holds(operations in arbitrary_operations()) {
            let mut again = Operations::default();
            let mut bound = 0;
            for group in operations.groups() {
                for operation in &group.operations {
                    let scope = group.scope(StreamId::ZERO);
                    bound += again.push(&scope, &operation.key, operation.action.clone());
                }
            }
            prop_assert!(again.encode().len() <= bound);
        }
    }

    #[test]
    fn an_index_counts_through_all_groups() {
        let mut operations = Operations::default();
        operations.push(&scope("a", Policy::Lww, None), "k0", put(0));
        operations.push(&scope("a", Policy::Lww, None), "k1", put(1));
        operations.push(&scope("b", Policy::Lww, None), "k2", put(2));
        assert_eq!(operations.groups().len(), 2);
        let keys: Vec<_> =
            (0..4).map(|index| operations.get(index).map(|(_, operation)| operation.key.as_str())).collect();
        assert_eq!(keys, [Some("k0"), Some("k1"), Some("k2"), None]);
    }

    #[test]
    fn an_unknown_policy_or_operation_asks_for_an_upgrade() {
        let bytes = Operations::one(&scope("c", Policy::Lww, None), "k", Action::Delete).encode();
        // 81 84 61 'c' 00 f6 81 82 01 61 'k'
        assert_eq!(bytes, [0x81, 0x84, 0x61, b'c', 0x00, 0xF6, 0x81, 0x82, 0x01, 0x61, b'k']);
        for (position, value) in [(4, 1), (8, 9)] {
            let mut newer = bytes.clone();
            newer[position] = value;
            assert_eq!(Operations::decode(&newer), Err(OperationError::Unsupported));
        }
    }

    #[test]
    fn malformed_operations_are_refused() {
        let malformed = |operations: &Operations| Operations::decode(&operations.encode()).is_err();
        let group = |collection: &str, policy, operations| Group {
            collection: collection.into(),
            policy,
            owner: None,
            operations,
        };
        let delete = |key: &str| Operation { key: key.into(), action: Action::Delete };
        assert!(!malformed(&Operations(vec![group("c", Policy::Lww, vec![delete("k")])])));
        assert!(malformed(&Operations(vec![])), "nothing");
        assert!(malformed(&Operations(vec![group("c", Policy::Lww, vec![])])), "empty group");
        assert!(malformed(&Operations(vec![group("", Policy::Lww, vec![delete("k")])])), "no name");
        assert!(malformed(&Operations(vec![group("a\u{7}", Policy::Lww, vec![delete("k")])])), "control");
        assert!(malformed(&Operations(vec![group("c", Policy::Lww, vec![delete("")])])), "no key");
        let twice = group("c", Policy::Lww, vec![delete("k")]);
        assert!(malformed(&Operations(vec![twice.clone(), twice])), "split group");
        let foreign = Operation { key: "k".into(), action: put(1) };
        assert!(malformed(&Operations(vec![group("c", Policy::Document, vec![foreign])])), "policy");
    }

    #[test]
    fn a_begin_with_hashes_out_of_order_twice_cut_or_too_many_is_refused() {
        let read = |heads: &[[u8; 32]], before: &[[u8; 32]]| {
            let begin = Action::Begin { heads: heads.to_vec(), before: before.to_vec(), change: vec![1] };
            Operations::decode(&Operations::one(&scope("c", Policy::Document, None), "k", begin).encode())
        };
        let many = |count: usize| -> Vec<[u8; 32]> {
            let hash = |number: usize| {
                let mut hash = [0; 32];
                hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
                hash
            };
            (0..count).map(hash).collect()
        };
        assert!(read(&[[1; 32], [2; 32]], &[[2; 32], [1; 32]]).is_ok());
        assert!(read(&many(HASHES_MAX), &many(HASHES_MAX)).is_ok());
        assert!(read(&many(HASHES_MAX + 1), &[]).is_err());
        assert!(read(&many(1), &many(HASHES_MAX + 1)).is_err());
        assert!(read(&[], &[]).is_err(), "it stands for nothing");
        assert!(read(&[[2; 32], [1; 32]], &[]).is_err());
        assert!(read(&[[1; 32], [1; 32]], &[]).is_err());
        assert!(read(&[[1; 32]], &[[1; 32], [2; 32], [1; 32]]).is_err());
        let begin = Action::Begin { heads: vec![[1; 32]], before: vec![], change: vec![] };
        let mut bytes = Operations::one(&scope("c", Policy::Document, None), "k", begin).encode();
        let length = bytes.iter().position(|byte| *byte == 0x58).expect("the length of the heads");
        bytes[length + 1] -= 1;
        bytes.remove(length + 2);
        assert!(Operations::decode(&bytes).is_err(), "a hash of 31 bytes");
    }

    #[test]
    fn names_and_keys_at_their_limits_are_taken_and_longer_ones_refused() {
        let encoded = |name: usize, key: usize| {
            Operations(vec![Group {
                collection: "n".repeat(name),
                policy: Policy::Lww,
                owner: None,
                operations: vec![Operation { key: "k".repeat(key), action: Action::Delete }],
            }])
            .encode()
        };
        assert!(Operations::decode(&encoded(NAME_BYTES_MAX, KEY_BYTES_MAX)).is_ok());
        assert!(Operations::decode(&encoded(NAME_BYTES_MAX + 1, 1)).is_err());
        assert!(Operations::decode(&encoded(1, KEY_BYTES_MAX + 1)).is_err());
    }
}
