"""Every file of vectors is read by the tests of each of the five languages, so that a new one cannot be forgotten."""

import unittest

from checks.rust_source import ROOT

VECTORS = ROOT / "tests" / "vectors"
TESTS = {
    "Rust": ("core", "*.rs"),
    "Python": ("python/tests", "*.py"),
    "Node": ("node/test", "*.ts"),
    "Swift": ("swift/Tests/TidelogTests", "*.swift"),
    "Kotlin": ("kotlin/src/test", "*.kt"),
}


def files():
    return sorted(path.name for path in VECTORS.rglob("*.json"))


def sources():
    """The text of each language's tests."""
    found = {language: sorted((ROOT / folder).rglob(pattern)) for language, (folder, pattern) in TESTS.items()}
    return {
        language: "\n".join(path.read_text(encoding="utf-8") for path in paths) for language, paths in found.items()
    }


def unread(names, texts):
    """Each file with each language whose tests do not name it in a string: prose in comments has other quotes."""

    def reads(text, name):
        return any(f"{before}{name}{after}" in text for before in "\"'/" for after in "\"'")

    return [(name, language) for name in names for language, text in texts.items() if not reads(text, name)]


class Vectors(unittest.TestCase):
    def test_every_file_is_read_in_every_language(self):
        self.assertGreater(len(files()), 11)
        self.assertEqual(unread(files(), sources()), [])

    def test_a_file_that_a_language_does_not_read_is_told(self):
        texts = sources()
        self.assertEqual(unread(["new.json"], texts), [("new.json", language) for language in TESTS])
        for name in files():
            for language in TESTS:
                without = {**texts, language: texts[language].replace(name, "other.json")}
                self.assertEqual(unread(files(), without), [(name, language)])

    def test_a_comment_reads_nothing(self):
        self.assertEqual(unread(["new.json"], {"Rust": "//! `new.json`: what is new."}), [("new.json", "Rust")])

    def test_the_format_names_every_file(self):
        text = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
        section = text[text.index("\n## Vectors\n") :]
        own = [path.name for path in sorted(VECTORS.glob("*.json"))]
        self.assertEqual([name for name in own if f"`{name}`" not in section], [])
