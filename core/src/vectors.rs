//! Golden vectors: what every language and every later version must agree on.
//!
//! Each test computes the content of a file in `tests/vectors` and compares; with the environment
//! variable `TIDELOG_BLESS=1` it writes the file instead. A change there is a change of format.

use data_encoding::HEXLOWER;
use serde_json::Value as Json;

mod beacon;
mod directory;
mod entry;
mod errors;
mod keys;
mod payload;
mod types;
mod values;

/// Compares with a file of `tests/vectors`, or writes it.
fn golden(file: &str, computed: &Json) {
    let path = format!("{}/../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = format!("{computed:#}\n");
    if std::env::var_os("TIDELOG_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &text).expect("the file can be written");
    }
    let found = std::fs::read_to_string(&path).expect("the file is checked in");
    assert!(found == text, "{file} differs from what is computed; TIDELOG_BLESS=1 writes it");
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    HEXLOWER.encode(bytes.as_ref())
}
