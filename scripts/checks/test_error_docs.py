"""What an error code means is said in the same words in every language."""

import json
import re
import unittest

from checks.rust_source import ROOT

CODES = json.loads((ROOT / "tests" / "vectors" / "errors.json").read_text(encoding="utf-8"))["errors"]
RUST = r"((?:^ *///.*\n)+) *{kind}(?: = \"|,)"
PLACES = {
    "api": ("bindings/api/src/error.rs", RUST),
    "core": ("core/src/error.rs", RUST),
    "kotlin": (
        "kotlin/src/main/kotlin/io/tidelog/TidelogException.kt",
        r"/\*\*((?:(?!\*/)[^\0])*)\*/\n *public class {kind} ",
    ),
    "node": ("node/src/errors.ts", r"^ \* - `{code}`: (.*\n(?: \*   .*\n)*)"),
    "python": ("python/src/tidelog/_errors.py", r'^class {python}\(.*\n    """(.*)"""'),
    "swift": ("swift/Sources/Tidelog/TidelogError.swift", r"((?:^ *///.*\n)+) *case `?{swift}`?\("),
}


def meaning(text: str, pattern: str, names: dict[str, str]) -> str | None:
    """What a file says of a code, as one line."""
    for name, value in names.items():
        pattern = pattern.replace(f"{{{name}}}", re.escape(value))
    found = re.search(pattern, text, re.MULTILINE)
    return found and " ".join(re.sub(r"^ *(///|\*)", "", found[1], flags=re.MULTILINE).split())


def differences(texts: dict[str, str]) -> list[str]:
    """Where a language says something else of a code than the crate of the bindings does."""
    found = []
    for names in CODES:
        said = {place: meaning(text, PLACES[place][1], names) for place, text in texts.items()}
        wanted = said["api"]
        if names["code"] == "forked":
            # The engine does not know of it, and Kotlin adds that the JVM does not fork.
            del said["core"]
            said["kotlin"] = said["kotlin"] and said["kotlin"][: len(wanted or "")]
        found += [f"{names['code']}: {place}: {text}" for place, text in said.items() if not text or text != wanted]
    return found


def texts() -> dict[str, str]:
    return {place: (ROOT / path).read_text(encoding="utf-8") for place, (path, _) in PLACES.items()}


class ErrorDocs(unittest.TestCase):
    def test_every_code_means_the_same_in_every_language(self):
        self.assertGreater(len(CODES), 20)
        self.assertEqual(differences(texts()), [])

    def test_another_meaning_is_found(self):
        sentence = "The invite was withdrawn, is used up or has expired."
        for place, text in texts().items():
            self.assertIn(sentence, text)
            changed = {**texts(), place: text.replace(sentence, "The invite is too old.")}
            told = differences(changed)
            self.assertTrue(told and all(line.startswith("invite_expired: ") for line in told), place)
