"""Cargo.lock holds a crate twice only where scripts/duplicate-crates.txt says why."""

import re
import unittest
from collections import defaultdict

from checks.rust_source import ROOT


def locked() -> dict[str, set[str]]:
    """Crates locked in several versions, each version without its last part."""
    versions = defaultdict(set)
    text = (ROOT / "Cargo.lock").read_text()
    for name, version in re.findall(r'name = "(.+)"\nversion = "(\d+\.\d+)', text):
        versions[name].add(version)
    return {name: found for name, found in versions.items() if len(found) > 1}


def allowed() -> dict[str, set[str]]:
    lines = (ROOT / "scripts" / "duplicate-crates.txt").read_text().splitlines()
    rows = [re.fullmatch(r"([\w-]+):\s+([\d. ]+?)\s+# \S.*", line) for line in lines if line and line[0] != "#"]
    return {row[1]: set(row[2].split()) for row in rows}


class Duplicates(unittest.TestCase):
    def test_every_duplicate_crate_is_allowed_with_a_reason(self):
        self.assertEqual(locked(), allowed())
