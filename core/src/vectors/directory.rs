//! One directory body for each operation: `directory.json`.

use serde_json::{Map, Value as Json, json};
use tidelog_log::directory::{
    Body, CircleSettings, Cut, DeviceCert, History, Op, Policy, Purged, Role, SEALED_KEY_LEN, Wrap,
};
use tidelog_log::ids::{CircleId, DeviceId, EntryId, KeyId, StreamId, UserId};

use super::{golden, hex};

fn operations() -> Vec<(&'static str, Op)> {
    let (device, user, circle) = (DeviceId([1; 32]), UserId([2; 16]), CircleId([3; 16]));
    let (stream, id, key_id) = (StreamId([4; 16]), EntryId([5; 32]), KeyId([6; 16]));
    let cert = DeviceCert { sign_pk: device, kem_pk: [7; 32], caps: 8, cert_version: 9, self_sig: [10; 64] };
    let cuts = vec![Cut { device, stream, seq: 11, id }];
    let wraps = vec![Wrap { device, enc: [12; 32], ct: [13; 48] }];
    let settings = CircleSettings { history: History::Full, for_root: false };
    vec![
        (
            "Genesis",
            Op::Genesis { root_pk: device, root_kem_pk: [14; 32], name_commit: [15; 32], policy: vec![] },
        ),
        ("AddUser", Op::AddUser { user, role: Role::Owner, certs: vec![cert.clone()] }),
        ("AddDevice", Op::AddDevice { user, cert }),
        ("SetRole", Op::SetRole { user, role: Role::Reader, cuts: cuts.clone() }),
        ("RemoveDevice", Op::RemoveDevice { device, cuts: cuts.clone() }),
        ("RemoveUser", Op::RemoveUser { user, cuts: cuts.clone() }),
        ("AmendCut", Op::AmendCut { cuts: cuts.clone() }),
        ("CircleNew", Op::CircleNew { circle, settings, name_commit: [15; 32] }),
        ("CircleAdd", Op::CircleAdd { circle, user, role: Role::Writer }),
        ("CircleRemove", Op::CircleRemove { circle, user, cuts }),
        (
            "KeyEpoch",
            Op::KeyEpoch {
                circle,
                epoch: 16,
                key_id,
                commit: [17; 32],
                name_wrap: [18; SEALED_KEY_LEN],
                prev: vec![(key_id, [19; SEALED_KEY_LEN])],
                wraps: wraps.clone(),
            },
        ),
        ("KeyGrant", Op::KeyGrant { circle, key_id, wraps }),
        ("RelaySet", Op::RelaySet { relay_pk: [20; 32], url: "wss://relay.example.org".into() }),
        ("RelayUnset", Op::RelayUnset { relay_pk: [20; 32] }),
        ("Policy", Op::Policy(Policy { rotate_days: 21, rotate_entries: 22 })),
        ("Purge", Op::Purge { stream, entries: vec![Purged { device, seq: 11, id }] }),
    ]
}

#[test]
fn directory_bodies_are_those_of_the_vectors() {
    let mut bodies = Map::new();
    for (name, op) in operations() {
        let body = Body { parents: vec![EntryId([5; 32])], ops: vec![op] };
        let bytes = body.encode().expect("within the limits");
        assert_eq!(Body::decode(&bytes), Ok(body));
        bodies.insert(name.into(), Json::String(hex(bytes)));
    }
    golden("directory.json", &json!({ "bodies": bodies }));
}
