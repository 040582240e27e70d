use std::collections::BTreeSet;

use super::*;
use crate::batch::BATCH_ENTRIES_MAX;
use crate::ids::{DeviceId, EntryId, StreamId, WorkspaceId};
use crate::session::Cursor;
use crate::trie::{Filter, Leaf, Tip};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use serde_json::Value;

fn encode(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes);
    bytes
}

fn tip(seq: u64) -> Tip {
    Tip { seq, id: EntryId([u8::try_from(seq % 255).expect("below 255") + 1; 32]) }
}

fn path() -> impl Strategy<Value = Path> {
    (any::<Option<[u8; 16]>>(), vec(0u8..16, 0..=64)).prop_map(|(stream, nibbles)| {
        let root = stream.map_or(Path::ROOT, |stream| Path::stream(StreamId(stream)));
        nibbles.into_iter().fold(root, |path, nibble| path.child(nibble).expect("at most 64"))
    })
}

fn streams() -> impl Strategy<Value = Filter> {
    btree_set(any::<[u8; 16]>(), 0..HELLO_STREAMS_MAX).prop_map(|ids| {
        let named = ids.into_iter().map(StreamId).chain([StreamId::DIRECTORY]);
        Filter::Streams(named.collect())
    })
}

fn hello() -> impl Strategy<Value = Frame> {
    let filter = prop_oneof![Just(Filter::All), streams()];
    let ids = any::<([u8; 32], [u8; 32], [u8; 16])>();
    (any::<bool>(), ids, any::<Option<(u8, u64)>>(), filter).prop_map(
        |(initiator, (workspace, device, epoch), cursor, streams)| {
            let cursor =
                cursor.map(|(epoch, arrival)| Cursor { epoch: [epoch.saturating_add(1); 16], arrival });
            Frame::Hello(Hello {
                initiator,
                workspace: WorkspaceId(workspace),
                device: DeviceId(device),
                signature: [7; 64],
                epoch,
                arrivals: 5,
                cursor,
                streams,
            })
        },
    )
}

fn leaf() -> impl Strategy<Value = Leaf> {
    (0u8..3, any::<[u8; 32]>(), btree_set(any::<u64>(), 1..5)).prop_map(|(stream, device, seqs)| Leaf {
        stream: StreamId([stream; 16]),
        device: DeviceId(device),
        tips: seqs.into_iter().map(tip).collect(),
    })
}

fn node() -> impl Strategy<Value = Frame> {
    let branch = any::<[Option<[u8; 32]>; 16]>()
        .prop_filter("not empty", |children| children.iter().any(Option::is_some))
        .prop_map(|children| Content::Branch(Box::new(children)));
    let content = prop_oneof![
        Just(Content::Empty),
        branch,
        any::<[u8; 16]>().prop_map(|stream| Content::Stream(StreamId(stream))),
        vec(leaf(), 1..NODE_LEAVES_MAX).prop_map(Content::Leaves),
    ];
    (path(), content).prop_map(|(path, content)| Frame::Node(Node { path, content }))
}

fn want() -> impl Strategy<Value = Frame> {
    vec((0u8..3, any::<[u8; 32]>(), 1u64..), 1..=WANT_RANGES_MAX).prop_map(|ranges| {
        let range = |(stream, device, seq)| (StreamId([stream; 16]), DeviceId(device), tip(seq));
        Frame::Want(Want(ranges.into_iter().map(range).collect()))
    })
}

fn branch() -> impl Strategy<Value = Frame> {
    (any::<[u8; 32]>(), btree_set(1u64.., 1..=BRANCH_POINTS_MAX)).prop_map(|(device, seqs)| {
        let points = seqs.into_iter().rev().map(tip).collect();
        Frame::Branch(Branch { stream: StreamId([1; 16]), device: DeviceId(device), points })
    })
}

fn mail() -> impl Strategy<Value = Frame> {
    let message = || vec(any::<u8>(), 1..300);
    let mailbox = BoxId([3; 16]);
    prop_oneof![
        any::<([u8; 32], u64)>().prop_map(move |(token_hash, expires_ms)| Frame::MailOpen {
            mailbox,
            token_hash,
            expires_ms
        }),
        (any::<[u8; 32]>(), message()).prop_map(move |(token, message)| Frame::MailPut {
            mailbox,
            token,
            message
        }),
        any::<([u8; 32], u32)>().prop_map(move |(token, after)| Frame::MailGet { mailbox, token, after }),
        (any::<u32>(), message()).prop_map(move |(slot, message)| Frame::Mail { mailbox, slot, message }),
        (any::<u32>(), 0u8..4).prop_map(move |(slot, code)| Frame::MailResult {
            mailbox,
            slot,
            result: mail::decode_result(code).expect("known"),
        }),
    ]
}

fn asking() -> impl Strategy<Value = Frame> {
    let id = || any::<[u8; 32]>().prop_map(EntryId);
    let after = (any::<[u8; 16]>(), any::<u64>())
        .prop_map(|(stream, arrival)| Select::After { stream: StreamId(stream), arrival });
    let select = prop_oneof![after, vec(id(), 1..5).prop_map(Select::Ids)];
    prop_oneof![
        (any::<bool>(), select).prop_map(|(whole, select)| Frame::Ask(Ask { whole, select })),
        (any::<u64>(), vec((any::<u64>(), id()), 0..5))
            .prop_map(|(through, ids)| Frame::Listed(Listed { through, ids })),
        (any::<u64>(), vec(any::<u64>(), 0..5), vec(any::<u8>(), 0..50))
            .prop_map(|(through, arrivals, batch)| Frame::Given(Given { through, arrivals, batch })),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    prop_oneof![
        hello(),
        any::<u64>().prop_map(|arrival| Frame::Resume { arrival }),
        any::<([u8; 32], u64, u32)>().prop_map(|(root, arrivals, seen)| Frame::Root(Root {
            root,
            arrivals,
            seen
        })),
        vec(path(), 1..20).prop_map(Frame::Walk),
        node(),
        want(),
        branch(),
        (any::<u64>(), vec(any::<u8>(), 0..300))
            .prop_map(|(arrival, batch)| Frame::Entries { arrival, batch }),
        (any::<u32>(), prop_oneof![Just(Taken::Partly), Just(Taken::All), Just(Taken::LeftOut)])
            .prop_map(|(batches, taken)| Frame::Ack(Ack { batches, taken })),
        vec(any::<u8>(), 1..300).prop_map(Frame::Signal),
        mail(),
        (0usize..11, any::<u32>(), "[ -~]{0,200}").prop_map(|(code, retry_after_s, reason)| {
            Frame::Error(Closing { code: Code::ALL[code], retry_after_s, reason })
        }),
        Just(Frame::Bye),
        asking(),
    ]
}

proptest! {
    #[test]
    fn frames_round_trip_and_leave_what_follows(frame in frame(), after in vec(any::<u8>(), 0..4)) {
        let bytes = [encode(&frame), after.clone()].concat();
        prop_assert_eq!(Frame::decode(&bytes), Ok((frame, &after[..])));
    }

    #[test]
    fn whatever_decodes_encodes_to_the_same_bytes(frame in frame(), at: prop::sample::Index, value: u8) {
        let mut bytes = encode(&frame);
        let at = at.index(bytes.len());
        bytes[at] = value;
        if let Ok((frame, rest)) = Frame::decode(&bytes) {
            prop_assert_eq!([encode(&frame), rest.to_vec()].concat(), bytes);
        }
    }

    #[test]
    fn truncated_frames_are_refused(frame in frame(), length: prop::sample::Index) {
        let bytes = encode(&frame);
        prop_assert!(Frame::decode(&bytes[..length.index(bytes.len())]).is_err());
    }

    #[test]
    fn arbitrary_bodies_are_refused_or_bijective(number in 0u8..22, body in vec(any::<u8>(), 0..200)) {
        let mut bytes = vec![number];
        bytes.extend_from_slice(&u32::try_from(body.len()).expect("small").to_le_bytes());
        bytes.extend_from_slice(&body);
        if let Ok((frame, rest)) = Frame::decode(&bytes) {
            prop_assert!(rest.is_empty());
            prop_assert_eq!(encode(&frame), bytes);
        }
    }
}

#[test]
fn every_type_is_refused_one_byte_over_its_limit_before_its_body_is_read() {
    for number in 1..=20 {
        let max = u32::try_from(body_max(number).expect("known")).expect("fits");
        let mut bytes = vec![number];
        bytes.extend_from_slice(&(max + 1).to_le_bytes());
        assert_eq!(Frame::decode(&bytes), Err(FrameError::Length), "{number}");
    }
    assert_eq!(Frame::decode(&[21, 0, 0, 0, 0]), Err(FrameError::UnknownType));
}

#[test]
fn the_largest_of_each_list_fits_and_one_more_is_refused() {
    let leaf = |device: u8, tips: u64| Leaf {
        stream: StreamId([device; 16]),
        device: DeviceId([device; 32]),
        tips: (1..=tips).map(tip).collect(),
    };
    let leaves = |count: u8| {
        let leaves = (0..count).map(|device| leaf(device, LEAF_TIPS_MAX as u64)).collect();
        Frame::Node(Node { path: Path::ROOT, content: Content::Leaves(leaves) })
    };
    let want = |count: usize| {
        let range = |seq: usize| {
            (StreamId([u8::from(seq.is_multiple_of(2)); 16]), DeviceId([1; 32]), tip(seq as u64 + 1))
        };
        Frame::Want(Want((0..count).map(range).collect()))
    };
    let branch = |count: u64| {
        let points = (1..=count).rev().map(tip).collect();
        Frame::Branch(Branch { stream: StreamId([1; 16]), device: DeviceId([1; 32]), points })
    };
    let walk = |count: usize| Frame::Walk(vec![Path::ROOT; count]);
    let at_limit = [
        leaves(u8::try_from(NODE_LEAVES_MAX).expect("64")),
        want(WANT_RANGES_MAX),
        branch(BRANCH_POINTS_MAX as u64),
        walk(WALK_PATHS_MAX),
        Frame::Signal(vec![1; SIGNAL_MAX]),
        Frame::Mail { mailbox: BoxId([1; 16]), slot: 1, message: vec![1; MAIL_MAX] },
        Frame::Error(Closing::new(Code::Limit, &"x".repeat(REASON_MAX + 1))),
    ];
    for frame in at_limit {
        assert_eq!(Frame::decode(&encode(&frame)), Ok((frame, &[][..])));
    }
    let over = [
        leaves(u8::try_from(NODE_LEAVES_MAX + 1).expect("65")),
        want(WANT_RANGES_MAX + 1),
        branch(BRANCH_POINTS_MAX as u64 + 1),
        walk(WALK_PATHS_MAX + 1),
        Frame::Node(Node {
            path: Path::ROOT,
            content: Content::Leaves(vec![leaf(1, LEAF_TIPS_MAX as u64 + 1)]),
        }),
    ];
    for frame in over {
        let mut body = Vec::new();
        frame.encode_body(&mut body);
        let decoded = Frame::decode_body(frame.number(), &mut Reader::new(&body));
        assert_eq!(decoded, Err(FrameError::Malformed));
    }
}

#[test]
fn a_hello_names_at_most_128_streams_and_always_stream_zero() {
    let hello = |ids: BTreeSet<StreamId>| {
        let mut body = Vec::new();
        Hello {
            initiator: true,
            workspace: WorkspaceId([1; 32]),
            device: DeviceId([2; 32]),
            signature: [3; 64],
            epoch: [4; 16],
            arrivals: 5,
            cursor: None,
            streams: Filter::Streams(ids),
        }
        .encode(&mut body);
        Hello::decode(&mut Reader::new(&body))
    };
    let ids = |count: u8| (0..count).map(|id| StreamId([id; 16]));
    assert!(hello(ids(128).collect()).is_ok());
    assert_eq!(hello(ids(129).collect()), Err(FrameError::Malformed));
    assert_eq!(hello(ids(3).skip(1).collect()), Err(FrameError::Malformed));
}

#[test]
fn words_of_an_error_that_do_not_print_are_left_out() {
    assert_eq!(Closing::new(Code::Protocol, "a\nb\u{1f40c}c").reason, "abc");
}

/// One frame of each kind, as `tests/vectors/frames.json` has it.
fn samples() -> Vec<(&'static str, Frame)> {
    let mailbox = BoxId([0xb0; 16]);
    let (stream, device) = (StreamId([0x51; 16]), DeviceId([0xd1; 32]));
    let hello = Hello {
        initiator: true,
        workspace: WorkspaceId([0x11; 32]),
        device,
        signature: [0x22; 64],
        epoch: [0x33; 16],
        arrivals: 0x0102_0304,
        cursor: Some(Cursor { epoch: [0x44; 16], arrival: 1_000_000 }),
        streams: Filter::All,
    };
    let partial = Hello {
        initiator: false,
        cursor: None,
        streams: Filter::Streams([StreamId::DIRECTORY, stream].into()),
        ..hello.clone()
    };
    let mut children = Box::new([None; 16]);
    children[1] = Some([0xaa; 32]);
    children[15] = Some([0xbb; 32]);
    let deep = Path::stream(stream).child(0xa).and_then(|path| path.child(5)).expect("short");
    let other = Leaf { stream: StreamId([0x52; 16]), device, tips: vec![tip(1)] };
    let leaves = vec![
        Leaf { stream, device, tips: vec![tip(3)] },
        Leaf { stream, device: DeviceId([0xd2; 32]), tips: vec![tip(5), tip(6)] },
        other,
    ];
    let node = |path, content| Frame::Node(Node { path, content });
    vec![
        ("hello of a device that resumes", Frame::Hello(hello)),
        ("hello of a partial replica", Frame::Hello(partial)),
        ("resume", Frame::Resume { arrival: 7 }),
        ("root", Frame::Root(Root { root: [0x55; 32], arrivals: 9, seen: 2 })),
        ("walk", Frame::Walk(vec![Path::ROOT, deep])),
        ("node that is empty", node(Path::ROOT, Content::Empty)),
        ("node that branches", node(deep, Content::Branch(children))),
        ("node that is one stream", node(Path::ROOT, Content::Stream(stream))),
        ("node with its leaves", node(Path::stream(stream), Content::Leaves(leaves))),
        (
            "want",
            Frame::Want(Want(vec![
                (stream, device, tip(3)),
                (stream, DeviceId([0xd2; 32]), Tip { seq: 0, id: EntryId::ZERO }),
            ])),
        ),
        (
            "branch",
            Frame::Branch(Branch { stream, device, points: vec![tip(9), tip(8), tip(7), tip(5), tip(1)] }),
        ),
        ("entries", Frame::Entries { arrival: 12, batch: vec![1, 2, 3] }),
        ("ack", Frame::Ack(Ack { batches: 3, taken: Taken::All })),
        ("signal", Frame::Signal(b"sealed".to_vec())),
        ("mail open", Frame::MailOpen { mailbox, token_hash: [0x66; 32], expires_ms: 1_800_000_000_000 }),
        ("mail put", Frame::MailPut { mailbox, token: [0x77; 32], message: b"sealed".to_vec() }),
        ("mail get", Frame::MailGet { mailbox, token: [0x77; 32], after: 1 }),
        ("mail", Frame::Mail { mailbox, slot: 2, message: b"sealed".to_vec() }),
        ("mail result", Frame::MailResult { mailbox, slot: 0, result: Err(MailError::Full) }),
        (
            "error",
            Frame::Error(Closing {
                code: Code::Quota,
                retry_after_s: 60,
                reason: "workspace is full".into(),
            }),
        ),
        ("bye", Frame::Bye),
        (
            "ask for ids of a stream",
            Frame::Ask(Ask { whole: false, select: Select::After { stream, arrival: 0x0102_0304 } }),
        ),
        ("ask for entries", Frame::Ask(Ask { whole: true, select: Select::Ids(vec![tip(1).id, tip(2).id]) })),
        ("listed", Frame::Listed(Listed { through: 9, ids: vec![(7, tip(1).id), (9, tip(2).id)] })),
        ("given", Frame::Given(Given { through: 9, arrivals: vec![7, 9], batch: vec![1, 2, 3] })),
    ]
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hexadecimal(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("digits")).collect()
}

#[test]
fn frames_have_their_golden_bytes() {
    let file: Value =
        serde_json::from_str(include_str!("../../../../tests/vectors/frames.json")).expect("json");
    let good = file["frames"].as_array().expect("list");
    let samples = samples();
    assert_eq!(good.len(), samples.len());
    for (vector, (name, frame)) in good.iter().zip(samples) {
        assert_eq!(vector["name"], name);
        assert_eq!(vector["bytes"], hexadecimal(&encode(&frame)), "{name}");
    }
    for vector in file["refused"].as_array().expect("list") {
        let bytes = from_hexadecimal(vector["bytes"].as_str().expect("text"));
        assert!(Frame::decode(&bytes).is_err(), "{}", vector["name"]);
    }
}

#[test]
fn as_many_ids_as_may_be_asked_for_fit_a_question_and_no_more() {
    let ask = |count| Frame::Ask(Ask { whole: true, select: Select::Ids(vec![EntryId([1; 32]); count]) });
    let bytes = encode(&ask(ASK_IDS_MAX));
    assert_eq!(Frame::decode(&bytes), Ok((ask(ASK_IDS_MAX), &[][..])));
    let mut more = encode(&ask(1));
    more[7..9].copy_from_slice(&u16::try_from(ASK_IDS_MAX + 1).expect("fits").to_le_bytes());
    assert_eq!(Frame::decode(&more), Err(FrameError::Malformed));
    more[7..9].copy_from_slice(&[0, 0]);
    assert_eq!(Frame::decode(&more), Err(FrameError::Malformed), "a question asks for something");
}

#[test]
fn an_answer_of_more_entries_than_a_batch_has_is_refused() {
    let most = Frame::Listed(Listed { through: 1, ids: vec![(1, EntryId([1; 32])); BATCH_ENTRIES_MAX] });
    let mut bytes = encode(&most);
    assert_eq!(Frame::decode(&bytes), Ok((most, &[][..])));
    bytes[13..15].copy_from_slice(&u16::try_from(BATCH_ENTRIES_MAX + 1).expect("fits").to_le_bytes());
    assert_eq!(Frame::decode(&bytes), Err(FrameError::Malformed));
}
