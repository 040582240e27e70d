//! The bytes of directory bodies.

use super::super::*;
use super::support::{Author, wrap};
use crate::ids::{CircleId, StreamId, UserId};
use proptest::collection::vec;
use proptest::prelude::*;

fn certs() -> impl Strategy<Value = DeviceCert> {
    vec(any::<u8>(), CERT_LEN).prop_map(|bytes| DeviceCert::decode(&bytes.try_into().expect("length")))
}

fn wraps() -> impl Strategy<Value = Vec<Wrap>> {
    let wrap = (any::<[u8; 32]>(), any::<[u8; 32]>(), any::<[u8; 24]>()).prop_map(|(device, enc, half)| {
        let ct = std::array::from_fn(|index| half[index % 24]);
        Wrap { device: DeviceId(device), enc, ct }
    });
    vec(wrap, 0..4)
}

fn sealed() -> impl Strategy<Value = [u8; SEALED_KEY_LEN]> {
    vec(any::<u8>(), SEALED_KEY_LEN).prop_map(|bytes| bytes.try_into().expect("length"))
}

fn ops() -> impl Strategy<Value = Op> {
    let key = any::<[u8; 32]>;
    let circle = || any::<[u8; 16]>().prop_map(CircleId);
    let key_id = || any::<[u8; 16]>().prop_map(KeyId);
    let user = || any::<[u8; 16]>().prop_map(UserId);
    let role = prop::sample::select(&Role::ALL[..]);
    prop_oneof![
        (key(), key(), key(), vec(any::<u8>(), 0..20)).prop_map(
            |(root_pk, root_kem_pk, name_commit, policy)| {
                Op::Genesis { root_pk: DeviceId(root_pk), root_kem_pk, name_commit, policy }
            }
        ),
        (user(), role, vec(certs(), 0..4)).prop_map(|(user, role, certs)| Op::AddUser { user, role, certs }),
        (user(), certs()).prop_map(|(user, cert)| Op::AddDevice { user, cert }),
        (circle(), any::<u32>(), key_id(), key(), sealed(), vec((key_id(), sealed()), 0..3), wraps())
            .prop_map(|(circle, epoch, key_id, commit, name_wrap, prev, wraps)| Op::KeyEpoch {
                circle,
                epoch,
                key_id,
                commit,
                name_wrap,
                prev,
                wraps
            }),
        (circle(), key_id(), wraps()).prop_map(|(circle, key_id, wraps)| Op::KeyGrant {
            circle,
            key_id,
            wraps
        }),
        (key(), "[a-z:/]{1,20}").prop_map(|(relay_pk, url)| Op::RelaySet { relay_pk, url }),
        key().prop_map(|relay_pk| Op::RelayUnset { relay_pk }),
        removals(),
    ]
}

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    let cut = (any::<[u8; 32]>(), any::<[u8; 16]>(), any::<u64>(), any::<[u8; 32]>()).prop_map(
        |(device, stream, seq, id)| Cut {
            device: DeviceId(device),
            stream: StreamId(stream),
            seq,
            id: EntryId(id),
        },
    );
    vec(cut, 0..4)
}

/// Operations that take away, circles, and rules.
fn removals() -> impl Strategy<Value = Op> {
    let circle = || any::<[u8; 16]>().prop_map(CircleId);
    let user = || any::<[u8; 16]>().prop_map(UserId);
    let device = || any::<[u8; 32]>().prop_map(DeviceId);
    let role = || prop::sample::select(&Role::ALL[..]);
    let settings = (any::<bool>(), any::<bool>()).prop_map(|(full, for_root)| CircleSettings {
        history: if full { History::Full } else { History::FromJoin },
        for_root,
    });
    let purged = (device(), any::<u64>(), any::<[u8; 32]>()).prop_map(|(device, seq, id)| Purged {
        device,
        seq,
        id: EntryId(id),
    });
    prop_oneof![
        (user(), role(), cuts()).prop_map(|(user, role, cuts)| Op::SetRole { user, role, cuts }),
        (device(), cuts()).prop_map(|(device, cuts)| Op::RemoveDevice { device, cuts }),
        (user(), cuts()).prop_map(|(user, cuts)| Op::RemoveUser { user, cuts }),
        cuts().prop_map(|cuts| Op::AmendCut { cuts }),
        (circle(), settings, any::<[u8; 32]>()).prop_map(|(circle, settings, name_commit)| Op::CircleNew {
            circle,
            settings,
            name_commit
        }),
        (circle(), user(), role()).prop_map(|(circle, user, role)| Op::CircleAdd { circle, user, role }),
        (circle(), user(), cuts()).prop_map(|(circle, user, cuts)| Op::CircleRemove { circle, user, cuts }),
        (any::<u16>(), any::<u32>())
            .prop_map(|(rotate_days, rotate_entries)| Op::Policy(Policy { rotate_days, rotate_entries })),
        (any::<[u8; 16]>(), vec(purged, 0..4))
            .prop_map(|(stream, entries)| Op::Purge { stream: StreamId(stream), entries }),
    ]
}

fn bodies() -> impl Strategy<Value = Body> {
    (prop::collection::btree_set(any::<[u8; 32]>(), 0..4), vec(ops(), 0..5))
        .prop_map(|(parents, ops)| Body { parents: parents.into_iter().map(EntryId).collect(), ops })
}

proptest! {
    #[test]
    fn bodies_round_trip(body in bodies()) {
        let bytes = body.encode().expect("within the limits");
        prop_assert_eq!(Body::decode(&bytes), Ok(body));
    }

    #[test]
    fn every_truncation_and_extension_is_refused(body in bodies()) {
        let mut bytes = body.encode().expect("within the limits");
        for length in 0..bytes.len() {
            prop_assert!(Body::decode(&bytes[..length]).is_err());
        }
        bytes.push(0);
        prop_assert!(Body::decode(&bytes).is_err());
    }

    #[test]
    fn a_changed_body_decodes_to_itself_or_not_at_all(body in bodies(), bit: prop::sample::Index) {
        let mut bytes = body.encode().expect("within the limits");
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = Body::decode(&bytes) {
            prop_assert_ne!(&changed, &body);
            prop_assert_eq!(changed.encode(), Ok(bytes));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..200), op in 0u8..16) {
        let _ = Body::decode(&bytes);
        let mut framed = vec![1, 0, 1, 0, op];
        framed.extend_from_slice(&u32::try_from(bytes.len()).expect("small").to_le_bytes());
        framed.extend_from_slice(&bytes);
        if let Ok(body) = Body::decode(&framed) {
            prop_assert_eq!(body.encode(), Ok(framed));
        }
    }
}

fn parents(count: usize) -> Vec<EntryId> {
    (0..count).map(|index| EntryId([u8::try_from(index).expect("small"); 32])).collect()
}

fn body_of(op: Op) -> Body {
    Body { parents: vec![], ops: vec![op] }
}

fn round_trips(body: &Body) -> bool {
    body.encode().is_ok_and(|bytes| Body::decode(&bytes).as_ref() == Ok(body))
}

#[test]
fn each_count_is_taken_at_its_limit_and_refused_above() {
    let unset = Op::RelayUnset { relay_pk: [0; 32] };
    let cert = Author::new(1).cert(&WorkspaceId([1; 32]), &UserId([1; 16]));
    let add =
        |count| Op::AddUser { user: UserId([1; 16]), role: Role::Reader, certs: vec![cert.clone(); count] };
    let genesis = |count| Op::Genesis {
        root_pk: DeviceId([0; 32]),
        root_kem_pk: [0; 32],
        name_commit: [0; 32],
        policy: vec![0; count],
    };
    let relay = |count: usize| Op::RelaySet { relay_pk: [0; 32], url: "u".repeat(count) };
    let epoch = |count: usize| Op::KeyEpoch {
        circle: CircleId::WORKSPACE,
        epoch: 1,
        key_id: KeyId::ZERO,
        commit: [0; 32],
        name_wrap: [0; SEALED_KEY_LEN],
        prev: vec![(KeyId::ZERO, [0; SEALED_KEY_LEN]); count],
        wraps: vec![],
    };
    let with_parents = |count| Body { parents: parents(count), ops: vec![] };
    let with_ops = |count| Body { parents: vec![], ops: vec![unset.clone(); count] };
    let cases: [(&dyn Fn(usize) -> Body, usize); 6] = [
        (&with_parents, PARENTS_MAX),
        (&with_ops, OPS_MAX),
        (&|count| body_of(add(count)), CERTS_MAX),
        (&|count| body_of(genesis(count)), POLICY_LEN_MAX),
        (&|count| body_of(relay(count)), URL_LEN_MAX),
        (&|count| body_of(epoch(count)), PREV_MAX),
    ];
    for (number, (body, limit)) in cases.into_iter().enumerate() {
        assert!(round_trips(&body(limit)), "case {number}");
        assert!(matches!(body(limit + 1).encode(), Err(BodyError::TooLarge(_))), "case {number}");
    }
}

#[test]
fn counts_above_their_limit_are_refused_when_read() {
    let parents_over = [vec![1, 17], vec![0; 17 * 32 + 2]].concat();
    assert_eq!(Body::decode(&parents_over), Err(BodyError::TooLarge("parents")));
    let ops_over = [1, 0, 1, 1];
    assert_eq!(Body::decode(&ops_over), Err(BodyError::TooLarge("operations")));
    let length = u32::try_from(18 + 17 * CERT_LEN).expect("small").to_le_bytes();
    let certs_over = [&[1, 0, 1, 0, 1][..], &length, &[0; 17], &[17], &[0; 17 * CERT_LEN]].concat();
    assert_eq!(Body::decode(&certs_over), Err(BodyError::TooLarge("certificates")));
}

#[test]
fn a_body_as_large_as_an_entry_may_be_is_taken_and_one_more_wrap_is_not() {
    let grant = |count: usize| {
        body_of(Op::KeyGrant {
            circle: CircleId::WORKSPACE,
            key_id: KeyId::ZERO,
            wraps: vec![wrap(&DeviceId([1; 32])); count],
        })
    };
    let most = (crate::entry::DIRECTORY_PAYLOAD_MAX - 4 - 5 - 34) / 112;
    assert!(round_trips(&grant(most)));
    assert_eq!(grant(most + 1).encode(), Err(BodyError::TooLarge("bytes")));
}

#[test]
fn a_count_without_its_bytes_is_refused_before_anything_is_allocated() {
    let mut bytes = vec![1, 0, 1, 0, 11];
    bytes.extend_from_slice(&34u32.to_le_bytes());
    bytes.extend_from_slice(&[0; 32]);
    bytes.extend_from_slice(&u16::MAX.to_le_bytes());
    assert_eq!(Body::decode(&bytes), Err(BodyError::Malformed("length")));
}

#[test]
fn the_bytes_of_each_operation_are_those_of_the_table() {
    let (device, user, circle) = (DeviceId([1; 32]), UserId([2; 16]), CircleId([3; 16]));
    let (stream, id) = (StreamId([4; 16]), EntryId([5; 32]));
    let cuts = vec![Cut { device, stream, seq: 6, id }];
    let cut = [&[1, 0][..], &[1; 32], &[4; 16], &[6, 0, 0, 0, 0, 0, 0, 0], &[5; 32]].concat();
    let settings = CircleSettings { history: History::Full, for_root: false };
    let entries = vec![Purged { device, seq: 6, id }];
    let cases: [(Op, u8, Vec<u8>); 9] = [
        (Op::SetRole { user, role: Role::Admin, cuts: cuts.clone() }, 3, [&[2; 16][..], &[2], &cut].concat()),
        (Op::RemoveDevice { device, cuts: cuts.clone() }, 4, [&[1; 32][..], &cut].concat()),
        (Op::RemoveUser { user, cuts: cuts.clone() }, 5, [&[2; 16][..], &cut].concat()),
        (Op::AmendCut { cuts: cuts.clone() }, 6, cut.clone()),
        (
            Op::CircleNew { circle, settings, name_commit: [7; 32] },
            7,
            [&[3; 16][..], &[3], &[7; 32]].concat(),
        ),
        (Op::CircleAdd { circle, user, role: Role::Writer }, 8, [&[3; 16][..], &[2; 16], &[1]].concat()),
        (Op::CircleRemove { circle, user, cuts }, 9, [&[3; 16][..], &[2; 16], &cut].concat()),
        (Op::Policy(Policy { rotate_days: 258, rotate_entries: 3 }), 14, vec![2, 1, 3, 0, 0, 0]),
        (
            Op::Purge { stream, entries },
            15,
            [&[4; 16][..], &[1, 0], &[1; 32], &[6, 0, 0, 0, 0, 0, 0, 0], &[5; 32]].concat(),
        ),
    ];
    for (op, tag, fields) in cases {
        let length = u32::try_from(fields.len()).expect("small").to_le_bytes();
        let bytes = [&[1, 0, 1, 0, tag][..], &length, &fields].concat();
        assert_eq!(body_of(op.clone()).encode(), Ok(bytes.clone()), "{op:?}");
        assert_eq!(Body::decode(&bytes), Ok(body_of(op)));
    }
}

#[test]
fn unknown_settings_of_a_circle_are_refused() {
    let settings = CircleSettings { history: History::FromJoin, for_root: true };
    let op = Op::CircleNew { circle: CircleId([1; 16]), settings, name_commit: [0; 32] };
    let mut bytes = body_of(op).encode().expect("fits");
    let at = bytes.len() - 33;
    for byte in [4, 0x80, 0xff] {
        bytes[at] = byte;
        assert_eq!(Body::decode(&bytes), Err(BodyError::Malformed("circle settings")));
    }
}

#[test]
fn repeated_parents_are_refused() {
    let body = Body { parents: vec![EntryId([1; 32]); 2], ops: vec![] };
    assert_eq!(body.encode(), Err(BodyError::Malformed("parents")));
    let bytes = [&[1, 2][..], &[1; 64], &[0, 0]].concat();
    assert_eq!(Body::decode(&bytes), Err(BodyError::Malformed("parents")));
}

#[test]
fn unknown_operations_and_versions_ask_for_an_upgrade() {
    for tag in [16, 17, 255] {
        assert_eq!(Body::decode(&[1, 0, 1, 0, tag, 0, 0, 0, 0]), Err(BodyError::Unsupported));
    }
    assert_eq!(Body::decode(&[2, 0, 0, 0]), Err(BodyError::Unsupported));
}

#[test]
fn a_url_is_text_without_control_characters() {
    for url in ["", "ws://a\n", "\u{7f}"] {
        let op = Op::RelaySet { relay_pk: [0; 32], url: url.into() };
        assert_eq!(body_of(op).encode(), Err(BodyError::Malformed("url")));
    }
    let mut bytes = body_of(Op::RelaySet { relay_pk: [0; 32], url: "a".into() }).encode().expect("fits");
    *bytes.last_mut().expect("not empty") = 0xFF;
    assert_eq!(Body::decode(&bytes), Err(BodyError::Malformed("url")));
}

#[test]
fn roles_have_names_and_an_order() {
    for role in Role::ALL {
        assert_eq!(role.to_string().parse(), Ok(role));
    }
    assert_eq!("Owner".parse::<Role>(), Err(ParseRoleError));
    assert!(Role::Owner > Role::Admin && Role::Admin > Role::Writer && Role::Writer > Role::Reader);
}
