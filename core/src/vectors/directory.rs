//! One directory body for each operation: `directory.json`.

use serde_json::{Map, Value as Json, json};
use tidelog_log::crypto::Signer;
use tidelog_log::directory::{
    Body, CircleSettings, Cut, DeviceCert, History, Op, Policy, Purged, Role, SEALED_KEY_LEN, Wrap, user_id,
};
use tidelog_log::ids::{CircleId, DeviceId, EntryId, KeyId, StreamId, UserId, WorkspaceId};

use super::{golden, hex};
use crate::keys::Secret;
use crate::keys::device::DeviceKeys;

/// The operations, each with its fields as `docs/format.md` names them.
fn operations() -> Vec<(&'static str, Op, Json)> {
    let (device, user, circle) = (DeviceId([1; 32]), UserId([2; 16]), CircleId([3; 16]));
    let (stream, id, key_id) = (StreamId([4; 16]), EntryId([5; 32]), KeyId([6; 16]));
    let cert = DeviceCert { sign_pk: device, kem_pk: [7; 32], caps: 8, cert_version: 9, self_sig: [10; 64] };
    let certificate = described(&cert);
    let cuts = vec![Cut { device, stream, seq: 11, id }];
    let wraps = vec![Wrap { device, enc: [12; 32], ct: [13; 48] }];
    let wrapped = json!([{ "device": hex(device.0), "enc": hex([12; 32]), "ct": hex([13; 48]) }]);
    let settings = CircleSettings { history: History::Full, for_root: false };
    let purged = json!([{ "device": hex(device.0), "seq": "11", "id": hex(id.0) }]);
    let cut = json!([{ "device": hex(device.0), "stream": hex(stream.0), "seq": "11", "id": hex(id.0) }]);
    let (in_user, in_circle) = (hex(user.0), hex(circle.0));
    vec![
        (
            "Genesis",
            Op::Genesis { root_pk: device, root_kem_pk: [14; 32], name_commit: [15; 32], policy: vec![] },
            json!({
                "root_pk": hex(device.0),
                "root_kem_pk": hex([14; 32]),
                "name_commit": hex([15; 32]),
                "policy": "",
            }),
        ),
        (
            "AddUser",
            Op::AddUser { user, role: Role::Owner, certs: vec![cert.clone()] },
            json!({ "user": in_user, "role": 3, "certificates": [certificate] }),
        ),
        ("AddDevice", Op::AddDevice { user, cert }, json!({ "user": in_user, "certificate": certificate })),
        (
            "SetRole",
            Op::SetRole { user, role: Role::Reader, cuts: cuts.clone() },
            json!({ "user": in_user, "role": 0, "cuts": cut }),
        ),
        (
            "RemoveDevice",
            Op::RemoveDevice { device, cuts: cuts.clone() },
            json!({ "device": hex(device.0), "cuts": cut }),
        ),
        ("RemoveUser", Op::RemoveUser { user, cuts: cuts.clone() }, json!({ "user": in_user, "cuts": cut })),
        ("AmendCut", Op::AmendCut { cuts: cuts.clone() }, json!({ "cuts": cut })),
        (
            "CircleNew",
            Op::CircleNew { circle, settings, name_commit: [15; 32] },
            json!({ "circle": in_circle, "settings": 3, "name_commit": hex([15; 32]) }),
        ),
        (
            "CircleAdd",
            Op::CircleAdd { circle, user, role: Role::Writer },
            json!({ "circle": in_circle, "user": in_user, "role": 1 }),
        ),
        (
            "CircleRemove",
            Op::CircleRemove { circle, user, cuts },
            json!({ "circle": in_circle, "user": in_user, "cuts": cut }),
        ),
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
            json!({
                "circle": in_circle,
                "epoch": 16,
                "key_id": hex(key_id.0),
                "commit": hex([17; 32]),
                "name_wrap": hex([18; SEALED_KEY_LEN]),
                "previous": [{ "key_id": hex(key_id.0), "prev_wrap": hex([19; SEALED_KEY_LEN]) }],
                "wraps": wrapped,
            }),
        ),
        (
            "KeyGrant",
            Op::KeyGrant { circle, key_id, wraps },
            json!({ "circle": in_circle, "key_id": hex(key_id.0), "wraps": wrapped }),
        ),
        (
            "RelaySet",
            Op::RelaySet { relay_pk: [20; 32], url: "wss://relay.example.org".into() },
            json!({ "relay_pk": hex([20; 32]), "url": "wss://relay.example.org" }),
        ),
        ("RelayUnset", Op::RelayUnset { relay_pk: [20; 32] }, json!({ "relay_pk": hex([20; 32]) })),
        (
            "Policy",
            Op::Policy(Policy { rotate_days: 21, rotate_entries: 22 }),
            json!({ "rotate_days": 21, "rotate_entries": 22 }),
        ),
        (
            "Purge",
            Op::Purge { stream, entries: vec![Purged { device, seq: 11, id }] },
            json!({ "stream": hex(stream.0), "entries": purged }),
        ),
    ]
}

fn described(cert: &DeviceCert) -> Json {
    json!({
        "sign_pk": hex(cert.sign_pk.0),
        "kem_pk": hex(cert.kem_pk),
        "caps": cert.caps,
        "cert_version": cert.cert_version.to_string(),
        "self_sig": hex(cert.self_sig),
    })
}

/// A certificate that is good, of the device in `keys.json`: those above stand for any bytes.
fn certificate() -> Json {
    let workspace = WorkspaceId([0x57; 32]);
    let keys = DeviceKeys::derive(&Secret::new([0x5E; 32]), &workspace, &[0x1C; 16]);
    let user = user_id(&workspace, &keys.device());
    let cert = DeviceCert::issue(&keys, keys.kem().public(), &workspace, &user);
    assert!(cert.verify(&workspace, &user).is_some());
    json!({
        "workspace": hex(workspace.0),
        "user": hex(user.0),
        "bytes": hex(cert.encode()),
        "fields": described(&cert),
    })
}

#[test]
fn directory_bodies_are_those_of_the_vectors() {
    let (mut bodies, mut fields) = (Map::new(), Map::new());
    for (name, op, mut named) in operations() {
        let body = Body { parents: vec![EntryId([5; 32])], ops: vec![op] };
        let bytes = body.encode().expect("within the limits");
        assert_eq!(Body::decode(&bytes), Ok(body));
        bodies.insert(name.into(), Json::String(hex(bytes)));
        named["operation"] = name.into();
        fields.insert(name.into(), json!({ "version": 1, "parents": [hex([5; 32])], "ops": [named] }));
    }
    golden("directory.json", &json!({ "bodies": bodies, "fields": fields, "certificate": certificate() }));
}
