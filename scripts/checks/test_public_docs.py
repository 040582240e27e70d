"""Everything public in the Kotlin, Swift and Node packages says what it is, for KDoc, DocC and editors."""

import re
import unittest
from collections.abc import Iterator
from pathlib import Path

from checks.rust_source import ROOT

KOTLIN = ROOT / "kotlin" / "src" / "main" / "kotlin"
SWIFT = ROOT / "swift" / "Sources" / "Tidelog"
NODE = ROOT / "node"

KOTLIN_PUBLIC = re.compile(
    r"\s*public (?!sealed class TidelogException\b.*\{$).*\b(fun|val|var|class|interface|object)\b"
)
KOTLIN_TYPE = re.compile(r"( *)public (data class|enum class)")
KOTLIN_PART = {"data class": re.compile(r"\s*(public )?val \w+:"), "enum class": re.compile(r"\s*[A-Z][A-Z_]*[,;(]")}
SWIFT_PUBLIC = re.compile(r"\s*public (?:static |final |nonisolated |mutating |indirect )*(?!extension)\w+")
SWIFT_ENUM = re.compile(r"( *)public (?:indirect )?enum ")
SWIFT_CASE = re.compile(r"\s*case \w+")
NODE_NAME = r"(\w+|'[^']+'|\[[\w.]+\])"
NODE_TOP = re.compile(
    r"(?P<export>export (?:default |declare )?)?(?:abstract |async )*"
    r"(?P<kind>class|interface|type|function|const|let|enum)\*? (?P<name>\w+)"
)
NODE_PART = {
    "class": re.compile(
        r"  (?:(?:public|static|abstract|override|readonly|declare|async|get|set|accessor) )*"
        rf"\*?{NODE_NAME}[?!]?(?:[(<:;=]| =|$)"
    ),
    "interface": re.compile(rf" {{2,}}(?:(?:readonly|get|set) )*{NODE_NAME}\??[(<:]"),
    "type": re.compile(rf" {{2,}}(?:readonly )?{NODE_NAME}\??:"),
    "enum": re.compile(rf"  {NODE_NAME}(?:,| =|$)"),
}
NODE_RAW = re.compile(r"\s*(?:/\*)?\*+ r#*\"")


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


def is_told(lines: list[str], number: int) -> bool:
    """Whether a comment for editors ends right above the line."""
    above = number - 1
    if above < 0 or not lines[above].rstrip().endswith("*/"):
        return False
    while above > 0 and "/*" not in lines[above]:
        above -= 1
    return lines[above].lstrip().startswith("/**")


def silent_node(lines: list[str]) -> Iterator[int]:
    """The numbers of the lines that declare something exported, or a part of it, without a word.

    Classes count even if they are not exported: others that are extend them. Overloads share the words of the first.
    """
    kind, last, depth = None, None, 0
    for number, line in enumerate(lines):
        if re.match(r"\s*(/\*|\*|//)", line):
            continue
        if line.strip() and not line.startswith(" "):
            top = NODE_TOP.match(line)
            wanted = top if top and (top["export"] or top["kind"] == "class") else None
            if wanted and top["name"] != last and not is_told(lines, number):
                yield number
            one_line = top and top["kind"] != "type" and line.rstrip().endswith("}")
            kind = top["kind"] if wanted and not one_line else None
            last, depth = (top["name"] if wanted else None), 0
            continue
        part = NODE_PART[kind].match(line) if kind in NODE_PART and depth == 0 else None
        if part and part[1] != last and not is_told(lines, number):
            yield number
        last = part[1] if part else last
        if kind in ("interface", "type"):
            depth += line.count("(") - line.count(")")


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

    def test_everything_exported_in_node_is_documented(self):
        self.assertEqual(silent(NODE / "src", "*.ts", silent_node), [])

    def test_comments_of_the_native_module_of_node_are_no_rust_literals(self):
        lines = (NODE / "native.d.ts").read_text(encoding="utf-8").splitlines()
        self.assertEqual([line for line in lines if NODE_RAW.match(line)], [])
        self.assertTrue(NODE_RAW.match('/** r" A. */') and NODE_RAW.match(' * r#" A "b"."#'))

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

    def test_what_says_nothing_in_node_is_found(self):
        node = """\
/**
 * The file.
 */
import { a } from './a.js'
export type { B } from './b.js'

// No comment for editors.
export interface C<T> {
  readonly a: T
  /** B. */
  b(
    given: T,
    other: () => T,
  ): void
  c<U>(given: U): void
  /** D. */
  readonly 'd-e': {
    readonly f?: string
  }
}
/** E. */
export type E<T> =
  IsAny<T> extends true
    ? { readonly [field: string]: unknown }
    : { readonly [K in keyof T]?: T[K] } & {
        readonly and?: E<T>
      }
/** F. */
export class F extends G {
  readonly #a: string
  private b = 1
  c = 1
  static d?: string

  constructor(a: string) {
    super()
    this.e = a
  }

  /** E. */
  e(): void
  e(value?: string): void {
    if (value) return
    call(value)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {}
  private f(): void {}
  get g(): string {
    return ''
  }
}
/* No comment for editors. */
export function h(): void
export async function* i(): void {}
function j(): void {}
abstract class K {
}
""".splitlines()
        wanted = ["export interface C<T> {", "readonly a: T", "c<U>(given: U): void", "readonly f?: string"]
        wanted += ["readonly and?: E<T>", "c = 1", "static d?: string", "constructor(a: string) {"]
        wanted += ["async *[Symbol.asyncIterator](): AsyncGenerator<string> {}", "get g(): string {"]
        wanted += ["export function h(): void", "export async function* i(): void {}", "abstract class K {"]
        self.assertEqual([node[number].strip() for number in silent_node(node)], wanted)
