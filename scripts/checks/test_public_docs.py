"""Everything public in the Kotlin and Swift packages says what it is: the comments reach KDoc and DocC."""

import re
import unittest
from collections.abc import Iterator
from pathlib import Path

from checks.rust_source import ROOT

KOTLIN = ROOT / "kotlin" / "src" / "main" / "kotlin"
SWIFT = ROOT / "swift" / "Sources" / "Tidelog"

KOTLIN_PUBLIC = re.compile(
    r"\s*public (?!sealed class TidelogException\b.*\{$).*\b(fun|val|var|class|interface|object)\b"
)
KOTLIN_TYPE = re.compile(r"( *)public (data class|enum class)")
KOTLIN_PART = {"data class": re.compile(r"\s*(public )?val \w+:"), "enum class": re.compile(r"\s*[A-Z][A-Z_]*[,;(]")}
SWIFT_PUBLIC = re.compile(r"\s*public (?:static |final |nonisolated |mutating |indirect )*(?!extension)\w+")
SWIFT_ENUM = re.compile(r"( *)public (?:indirect )?enum ")
SWIFT_CASE = re.compile(r"\s*case \w+")


def is_documented(lines: list[str], number: int, ending: str) -> bool:
    """Whether the line above says something, past attributes and annotations."""
    above = number - 1
    while above >= 0 and lines[above].strip().startswith("@"):
        above -= 1
    text = lines[above].strip() if above >= 0 else ""
    return text.endswith("*/") if ending == "*/" else text.startswith(ending)


def silent_kotlin(lines: list[str]) -> Iterator[int]:
    """The numbers of the lines that declare something public without a word."""
    kind, depth = None, ""
    for number, line in enumerate(lines):
        if kind and re.match(rf"{depth}[)}}]", line):
            kind = None
        wanted = KOTLIN_PUBLIC.match(line) or (kind and KOTLIN_PART[kind].match(line))
        if wanted and "override" not in line and not is_documented(lines, number, "*/"):
            yield number
        if (begun := KOTLIN_TYPE.match(line)) and line.rstrip().endswith(("(", "{")):
            depth, kind = begun[1], begun[2]


def silent_swift(lines: list[str]) -> Iterator[int]:
    inside = None
    for number, line in enumerate(lines):
        if inside is not None and line.startswith(f"{inside}}}"):
            inside = None
        case = inside is not None and SWIFT_CASE.match(line) and line.startswith(f"{inside}    case")
        if (SWIFT_PUBLIC.match(line) or case) and not is_documented(lines, number, "///"):
            yield number
        if begun := SWIFT_ENUM.match(line):
            inside = begun[1]


def silent(folder: Path, pattern: str, find) -> list[str]:
    found = []
    for path in sorted(folder.rglob(pattern)):
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [f"{path.name}:{number + 1}: {lines[number].strip()}" for number in find(lines)]
    return found


class PublicDocs(unittest.TestCase):
    def test_everything_public_in_kotlin_is_documented(self):
        self.assertEqual(silent(KOTLIN, "*.kt", silent_kotlin), [])

    def test_everything_public_in_swift_is_documented(self):
        self.assertEqual(silent(SWIFT, "*.swift", silent_swift), [])

    def test_what_says_nothing_is_found(self):
        kotlin = [
            "/** A. */",
            "public data class A(",
            "    val b: Int,",
            ")",
            "public fun c() {}",
            "@X",
            "public val d = 1",
        ]
        self.assertEqual(list(silent_kotlin(kotlin)), [2, 4, 6])
        swift = ["/// A.", "public enum A {", "    case b", "    /// C.", "    case c", "}", "public func d() {}"]
        self.assertEqual(list(silent_swift(swift)), [2, 6])
