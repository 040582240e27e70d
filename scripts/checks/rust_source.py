"""Reads Rust source just far enough for the rules: files, code without comments and tests, and the modules it names."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TESTS = re.compile(r"#\[cfg\(test\)\]\s*(pub(\(\w+\))? )?mod \w+ \{")


def code(text: str) -> str:
    """The text without line comments and without what follows an inline test module."""
    if match := TESTS.search(text):
        text = text[: match.start()]
    return re.sub(r"//.*", "", text)


def sources(folder: str) -> dict[Path, str]:
    """The code of each file below the folder, tests left out; empty if there is no such folder."""
    base = ROOT / folder
    found, tests = {}, set()
    for path in sorted(base.rglob("*.rs")):
        text = path.read_text(encoding="utf-8")
        below = path.parent if path.name in ("lib.rs", "main.rs") else path.with_suffix("")
        tests |= {below / name for name in re.findall(r"#\[cfg\(test\)\]\s*mod (\w+);", text)}
        found[path] = code(text)
    return {
        path.relative_to(ROOT): text
        for path, text in found.items()
        if tests.isdisjoint({path.with_suffix(""), *path.parents}) and "tests" not in path.relative_to(base).parts
    }


def module(path: Path, folder: str) -> str:
    """The module that a file below a `src` folder holds: `log/open` for `src/log/open.rs`."""
    return path.relative_to(folder).with_suffix("").as_posix()


def modules_named(text: str, path: Path, folder: str) -> set[str]:
    """The top modules of its own crate that the code names, by `crate::` or by enough `super::`."""
    depth = len(path.relative_to(folder).with_suffix("").parts)
    roots = ["crate::", "super::" * depth]
    named = set()
    for root in roots:
        for match in re.finditer(r"(?<![\w:])" + root, text):
            named |= set(first_names(text[match.end() :]))
    return {name for name in named if name.islower()}


def first_names(tree: str) -> list[str]:
    """The first name of each path of a use tree: `a`, or `a` and `b` of `{a::x, b::{y, z}}`."""
    if not tree.startswith("{"):
        return re.findall(r"^\w+", tree)
    names, depth, start = [], 0, 1
    for at, letter in enumerate(tree):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if (letter == "," and depth == 1) or depth == 0:
            names += re.findall(r"^\s*(\w+)", tree[start:at])
            start = at + 1
        if depth == 0:
            break
    return names
