//! `beacon.json`: what beacons claim, as bytes, with what a reader refuses.

use serde_json::{Value as Json, json};
use tidelog_log::ids::{EntryId, StreamId};

use super::{golden, hex};
use crate::data::beacon::{Beacon, BeaconError, Tip};

fn beacon(heads: u8, tips: u8) -> Beacon {
    let tip = |n: u8| Tip {
        stream: StreamId([n; 16]),
        seq: u64::from(n) * 0x0102_0304_0506 + 1,
        id: EntryId([0xF0 | n; 32]),
    };
    Beacon { heads: (1..=heads).map(|n| EntryId([n; 32])).collect(), tips: (0..tips).map(tip).collect() }
}

fn refused(name: &str, bytes: &[u8], error: BeaconError) -> Json {
    assert_eq!(Beacon::decode(bytes), Err(error), "{name}");
    json!({ "name": name, "bytes": hex(bytes) })
}

#[test]
fn beacons() {
    let cases: Vec<Json> = [("nothing", 0, 0), ("heads", 2, 0), ("tips", 0, 2), ("both", 1, 3)]
        .into_iter()
        .map(|(name, heads, tips)| {
            let beacon = beacon(heads, tips);
            let bytes = beacon.encode();
            assert_eq!(Beacon::decode(&bytes).as_ref(), Ok(&beacon));
            let tip = |tip: &Tip| json!({ "stream": tip.stream.to_string(), "seq": tip.seq.to_string(), "id": tip.id.to_string() });
            json!({
                "name": name,
                "heads": beacon.heads.iter().map(ToString::to_string).collect::<Vec<_>>(),
                "tips": beacon.tips.iter().map(tip).collect::<Vec<_>>(),
                "bytes": hex(&bytes),
            })
        })
        .collect();
    let sound = beacon(2, 2).encode();
    let swapped = {
        let mut beacon = beacon(2, 2);
        beacon.heads.reverse();
        beacon.encode()
    };
    let refused = [
        refused("a newer version", &[&[2], &sound[1..]].concat(), BeaconError::Unsupported),
        refused("cut short", &sound[..sound.len() - 1], BeaconError::Malformed),
        refused("too long", &[&sound[..], &[0]].concat(), BeaconError::Malformed),
        refused("heads out of order", &swapped, BeaconError::Malformed),
    ];
    golden("beacon.json", &json!({ "cases": cases, "refused": refused }));
}
