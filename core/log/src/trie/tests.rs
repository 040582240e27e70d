use super::*;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Model = BTreeMap<(u8, u8), Vec<(u8, u8)>>;

fn stream(number: u8) -> StreamId {
    StreamId([number; 16])
}

fn device(number: u32) -> DeviceId {
    DeviceId(sha256(&[&number.to_le_bytes()]))
}

fn tips(list: &[(u8, u8)]) -> Vec<Tip> {
    list.iter().map(|(seq, id)| Tip { seq: u64::from(*seq), id: EntryId([*id; 32]) }).collect()
}

fn frontier<'m>(model: impl IntoIterator<Item = (&'m (u8, u8), &'m Vec<(u8, u8)>)>) -> Frontier {
    let mut frontier = Frontier::new();
    for ((stream_number, device_number), list) in model {
        frontier.set(stream(*stream_number), device(u32::from(*device_number)), tips(list));
    }
    frontier
}

fn models() -> impl Strategy<Value = Model> {
    btree_map((0u8..6, 0u8..40), vec((0u8..4, 0u8..4), 1..3), 0..60)
}

/// The chains that differ, found as a session finds them: by comparing hashes from the root down.
fn walk(mine: &Frontier, theirs: &Frontier, path: &Path, found: &mut Vec<Leaf>) {
    if mine.hash(path) == theirs.hash(path) {
        return;
    }
    match theirs.node(path) {
        Node::Empty => {}
        Node::Stream(stream) => walk(mine, theirs, &Path::stream(stream), found),
        Node::Leaf(leaf) => {
            if mine.tips(&leaf.stream, &leaf.device) != leaf.tips {
                found.push(leaf);
            }
        }
        Node::Branch(children) => {
            for (nibble, child) in (0u8..).zip(*children) {
                let path = path.child(nibble).expect("above a whole key");
                if child.is_some_and(|hash| hash != mine.hash(&path)) {
                    walk(mine, theirs, &path, found);
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn roots_are_equal_exactly_for_equal_chains(one in models(), other in models()) {
        let (first, second) = (frontier(&one), frontier(&other));
        let normal = |model: &Model| -> Vec<_> {
            model.iter().map(|(key, list)| (*key, list.iter().copied().collect::<BTreeSet<_>>())).collect()
        };
        prop_assert_eq!(normal(&one) == normal(&other), first == second);
    }

    #[test]
    fn the_order_of_changes_does_not_matter(model in models(), extra in models(), seed: u64) {
        let mut shuffled: Vec<_> = model.iter().collect();
        shuffled.sort_by_key(|(key, _)| sha256(&[&seed.to_le_bytes(), &[key.0, key.1]]));
        let mut other = frontier(&extra);
        for (stream_number, device_number) in extra.keys() {
            other.set(stream(*stream_number), device(u32::from(*device_number)), vec![]);
        }
        prop_assert_eq!(other.root(&Filter::All), EMPTY);
        for (key, list) in shuffled {
            other.set(stream(key.0), device(u32::from(key.1)), tips(list));
        }
        prop_assert_eq!(&other, &frontier(&model));
        prop_assert_eq!(other.leaf_count(), model.len());
        prop_assert_eq!(other.iter().count(), model.len());
    }

    #[test]
    fn a_single_change_changes_the_root(model in models(), which: prop::sample::Index, id in 4u8..9) {
        prop_assume!(!model.is_empty());
        let before = frontier(&model);
        let mut after = before.clone();
        let key = *which.get(&model.keys().copied().collect::<Vec<_>>());
        after.set(stream(key.0), device(u32::from(key.1)), tips(&[(1, id)]));
        prop_assert_ne!(before.root(&Filter::All), after.root(&Filter::All));
        prop_assert_eq!(&before, &frontier(&model), "a clone is not changed");
    }

    #[test]
    fn a_walk_finds_exactly_the_chains_that_differ(one in models(), other in models()) {
        let (mine, theirs) = (frontier(&one), frontier(&other));
        let mut found = Vec::new();
        walk(&mine, &theirs, &Path::ROOT, &mut found);
        let mut expected: Vec<_> =
            theirs.iter().filter(|leaf| mine.tips(&leaf.stream, &leaf.device) != leaf.tips).cloned().collect();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn leaves_and_counts_of_a_path_are_those_below_it(model in models()) {
        let whole = frontier(&model);
        let mut by_child = Vec::new();
        for nibble in 0..16 {
            let path = Path::ROOT.child(nibble).expect("a nibble");
            prop_assert_eq!(whole.leaves(&path).len(), whole.count(&path));
            by_child.extend(whole.leaves(&path));
        }
        prop_assert_eq!(by_child, whole.leaves(&Path::ROOT));
    }

    #[test]
    fn a_filter_sees_its_streams_only(model in models(), chosen in prop::collection::btree_set(0u8..6, 0..4)) {
        let filter = Filter::Streams(chosen.iter().copied().map(stream).collect());
        let part = frontier(model.iter().filter(|((number, _), _)| chosen.contains(number)));
        prop_assert_eq!(frontier(&model).root(&filter), part.root(&Filter::All));
        prop_assert_eq!(frontier(&model).select(&filter).leaf_count(), part.leaf_count());
    }

    #[test]
    fn a_path_that_decodes_encodes_to_the_same_bytes(bytes in vec(any::<u8>(), 0..PATH_LEN_MAX + 2), kind in 0u8..3) {
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = kind;
        }
        if let Ok(path) = Path::decode(&bytes) {
            prop_assert_eq!(path.encode(), bytes);
        }
    }

    #[test]
    fn paths_round_trip(nibbles in vec(0u8..16, 0..=64), in_stream: bool) {
        let mut path = if in_stream { Path::stream(stream(9)) } else { Path::ROOT };
        for nibble in nibbles {
            path = path.child(nibble).expect("at most 64 nibbles");
        }
        let bytes = path.encode();
        prop_assert!(bytes.len() <= PATH_LEN_MAX);
        prop_assert_eq!(Path::decode(&bytes), Ok(path));
        prop_assert_eq!(Path::decode(&bytes[..bytes.len() - 1]).ok(), None);
    }
}

#[test]
fn a_path_is_as_long_as_a_key_and_no_longer() {
    let mut path = Path::stream(stream(1));
    for _ in 0..64 {
        path = path.child(15).expect("within a key");
    }
    assert_eq!(path.child(0), None);
    assert_eq!(path.encode().len(), PATH_LEN_MAX);
    let mut longer = path.encode();
    longer[17] = 65;
    longer.push(0);
    assert_eq!(Path::decode(&longer), Err(PathError));
}

#[test]
fn an_unused_nibble_must_be_zero() {
    assert_eq!(Path::decode(&[0, 1, 0xA0]), Ok(Path::ROOT.child(10).expect("a nibble")));
    assert_eq!(Path::decode(&[0, 1, 0xA1]), Err(PathError));
}

#[test]
fn keys_with_a_long_common_prefix_are_kept_apart() {
    #[derive(Debug, Clone, PartialEq)]
    struct Raw([u8; 32]);
    impl Value for Raw {
        fn key(&self) -> [u8; 32] {
            self.0
        }
        fn hash(&self) -> [u8; 32] {
            sha256(&[&self.0])
        }
        fn weight(&self) -> usize {
            1
        }
    }
    let mut last = [0; 32];
    last[31] = 1;
    let mut trie = Trie::default();
    trie.insert(Raw([0; 32]));
    let alone = trie.hash(&Nibbles::EMPTY);
    trie.insert(Raw(last));
    assert_eq!(trie.weight(&Nibbles::EMPTY), 2);
    assert_eq!(trie.get(&last), Some(&Raw(last)));
    trie.remove(&last);
    assert_eq!(trie.hash(&Nibbles::EMPTY), alone, "a removal leaves no trace");
}

#[test]
fn the_hashes_are_those_of_the_byte_table() {
    let mut one = Frontier::new();
    assert_eq!(one.root(&Filter::All), EMPTY);
    let (stream, device, tip) = (stream(1), device(1), Tip { seq: 7, id: EntryId([2; 32]) });
    one.set(stream, device, vec![tip]);
    let leaf = sha256(&[
        b"TIDE1 trie leaf\0",
        &stream.0,
        &device.0,
        &1u32.to_le_bytes(),
        &7u64.to_le_bytes(),
        &tip.id.0,
    ]);
    let top = sha256(&[b"TIDE1 trie top\0\0", &stream.0, &leaf]);
    assert_eq!(one.hash(&Path::stream(stream)), leaf);
    assert_eq!(one.root(&Filter::All), top);

    let other = StreamId([3; 16]);
    one.set(other, device, vec![tip]);
    let nibble = |stream: StreamId| sha256(&[b"TIDE1 trie key\0\0", &stream.0])[0] >> 4;
    let (low, high) = (stream.min(other), stream.max(other));
    assert_ne!(nibble(low), nibble(high), "chosen to part at the first nibble");
    let Node::Branch(children) = one.node(&Path::ROOT) else { panic!("two streams make a branch") };
    let present = (1u16 << nibble(low)) | (1 << nibble(high));
    let hashes: Vec<u8> = children.iter().flatten().flatten().copied().collect();
    assert_eq!(hashes.len(), 64);
    assert_eq!(one.root(&Filter::All), sha256(&[b"TIDE1 trie node\0", &present.to_le_bytes(), &hashes]));
}

#[test]
fn a_change_among_65536_chains_recomputes_one_path() {
    let mut whole = Frontier::new();
    for number in 0..65_536 {
        let tip = Tip { seq: 1, id: EntryId([1; 32]) };
        whole.set(stream(u8::try_from(number % 16).expect("small")), device(number), vec![tip]);
    }
    assert_eq!(whole.leaf_count(), 65_536);
    let before = whole.root(&Filter::All);
    let other = whole.clone();
    whole.set(stream(0), device(0), tips(&[(2, 2)]));
    assert_ne!(whole.root(&Filter::All), before);
    let mut found = Vec::new();
    walk(&other, &whole, &Path::ROOT, &mut found);
    assert_eq!(found.len(), 1);
    assert_eq!(other.root(&Filter::All), before);
}
