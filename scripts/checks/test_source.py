"""Rules of style that no linter keeps."""

import unittest

from checks.rust_source import ROOT

SOURCES = [
    path
    for folder in ("core", "bindings")
    for path in sorted((ROOT / folder).rglob("*.rs"))
    if "target" not in path.relative_to(ROOT).parts
]


def names(paths) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


class Source(unittest.TestCase):
    def test_every_rust_file_says_first_what_it_is_for(self):
        silent = (path for path in SOURCES if not path.read_text(encoding="utf-8").startswith("//!"))
        self.assertEqual(names(path for path in silent if path.name != "tests.rs"), [])

    def test_rust_source_is_ascii(self):
        self.assertEqual(names(path for path in SOURCES if not path.read_bytes().isascii()), [])
