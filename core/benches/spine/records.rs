//! What is written in the benchmarks: real records, and records of one size.

use std::process::Command;

use tidelog::Value;

/// The packages of this very build, as cargo knows them, again and again under distinct keys.
pub(crate) fn real(count: usize) -> Vec<(String, Value)> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let arguments = ["metadata", "--format-version=1", "--locked", "--manifest-path", manifest];
    let output = Command::new(cargo).args(arguments).output().expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let graph: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = graph["packages"].as_array().expect("a list");
    let records: Vec<(String, serde_json::Value)> = packages.iter().map(record).collect();
    let numbered = (0..count).map(|number| (&records[number % records.len()], number / records.len()));
    numbered
        .map(|((name, record), round)| {
            let value = Value::from_json(&record.to_string()).expect("a value");
            (format!("{name}/{round}"), value)
        })
        .collect()
}

fn record(package: &serde_json::Value) -> (String, serde_json::Value) {
    let text = |field: &str| package[field].as_str().unwrap_or_default();
    let dependencies = package["dependencies"].as_array().expect("a list");
    let mut names: Vec<&str> = dependencies.iter().filter_map(|one| one["name"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let record = serde_json::json!({
        "name": text("name"),
        "version": text("version"),
        "license": text("license"),
        "description": text("description"),
        "authors": package["authors"],
        "dependencies": names,
    });
    (format!("{}@{}", text("name"), text("version")), record)
}

/// Records of about 200 bytes, of words, from a seed.
pub(crate) fn small(count: usize) -> Vec<(String, Value)> {
    const WORDS: [&str; 12] = [
        "tide",
        "harbour",
        "sensor",
        "north",
        "calibrated",
        "reading",
        "buoy",
        "salinity",
        "station",
        "drift",
        "log",
        "wave",
    ];
    let mut seed = 1_u64;
    (0..count)
        .map(|number| {
            let mut text = String::new();
            while text.len() < 150 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(WORDS[(seed >> 33) as usize % WORDS.len()]);
                text.push(' ');
            }
            let fields = [
                ("number", Value::Int(i64::try_from(number).expect("small"))),
                ("text", Value::Text(text)),
                ("station", Value::Text(format!("station-{}", number % 97))),
            ];
            let map = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            (format!("record-{number:07}"), Value::Map(map))
        })
        .collect()
}

/// The records as JSON, which is what the floor and the figures of bytes take for their content.
pub(crate) fn plain(records: &[(String, Value)]) -> Vec<Vec<u8>> {
    records.iter().map(|(_, value)| value.to_json().expect("JSON").into_bytes()).collect()
}

/// Bytes of the records as JSON.
pub(crate) fn bytes(records: &[(String, Value)]) -> usize {
    plain(records).iter().map(Vec::len).sum()
}
