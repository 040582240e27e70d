"""Proof that the methods which clippy.toml refuses are refused.

Clippy ignores a path that it cannot resolve, so a rename in a dependency would disarm the rule in silence. This lints
a crate that calls every one of them, with the locked versions.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from checks.rust_source import ROOT

MANIFEST = """\
[package]
name = "lint-probe"
version = "0.0.0"
edition = "2024"

[dependencies]
ed25519-dalek = { version = "*", features = ["batch"] }
rand = "*"

[workspace]
"""
SOURCE = """\
//! Calls every method that clippy.toml refuses.
#![deny(clippy::disallowed_methods)]
use ed25519_dalek::{Signature, Verifier, VerifyingKey};

pub fn single(key: &VerifyingKey, signature: &Signature) -> bool {
    <VerifyingKey as Verifier<Signature>>::verify(key, b"", signature).is_ok()
}
pub fn method(key: &VerifyingKey, signature: &Signature) -> bool {
    key.verify(b"", signature).is_ok()
}
pub fn batch(key: VerifyingKey, signature: Signature) -> bool {
    ed25519_dalek::verify_batch(&[b""], &[signature], &[key]).is_ok()
}
pub fn clocks() -> (std::time::SystemTime, std::time::Instant) {
    (std::time::SystemTime::now(), std::time::Instant::now())
}
pub fn width(number: usize) -> Vec<u8> {
    number.to_le_bytes().to_vec()
}
pub fn chance() -> u8 {
    let _ = rand::rng();
    rand::random()
}
"""


def refused() -> set[str]:
    return set(re.findall(r'path = "([^"]+)"', (ROOT / "clippy.toml").read_text()))


class Lints(unittest.TestCase):
    def test_every_disallowed_method_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            probe = Path(folder)
            (probe / "Cargo.toml").write_text(MANIFEST)
            (probe / "src").mkdir()
            (probe / "src" / "lib.rs").write_text(SOURCE)
            shutil.copy(ROOT / "Cargo.lock", probe)
            environment = {**os.environ, "CLIPPY_CONF_DIR": str(ROOT)}
            environment["CARGO_TARGET_DIR"] = str(
                Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "lint-probe"
            )
            lint = subprocess.run(
                ["cargo", "clippy", "--quiet"], cwd=probe, env=environment, capture_output=True, text=True
            )
        found = set(re.findall(r"use of a disallowed method `([^`]+)`", lint.stderr))
        self.assertEqual(refused() - found, set(), lint.stderr[-2000:])
