"""Dependencies point downwards, and each dangerous dependency has one home (see ARCHITECTURE.md)."""

import json
import re
import subprocess
import unittest
from pathlib import Path

from checks.rust_source import ROOT, code, first_names, module, modules_named, sources

# What each module may name, beside itself. A new module gets a line here; a line for a submodule counts before that of
# the module it is in.
LOG = {
    "ids": set(),
    "wire": set(),
    "env": {"crypto"},
    "crypto": {"ids", "env"},
    "entry": {"ids", "crypto"},
    "batch": {"ids", "entry", "wire"},
    "trie": {"ids", "crypto", "wire"},
    "directory": {"ids", "crypto", "entry", "wire"},
    "storage": set(),
    "pages": {"crypto", "env", "storage"},
    "segments": {"ids", "crypto", "entry", "storage"},
    "state": {"pages", "storage"},
    # The session reaches storage through its trait `Replica` alone.
    "frames": {"ids", "crypto", "entry", "batch", "trie", "wire", "session"},
    "session": {"ids", "env", "crypto", "entry", "batch", "trie", "directory", "wire", "frames"},
}
LOG["log"] = set(LOG)
LOG["testing"] = set(LOG)
LOG["fuzz"] = set(LOG)

ENGINE = {
    "error": set(),
    "value": {"error"},
    "keys": {"error", "value"},
    "document": {"error", "value"},
    "data": {"error", "value", "keys", "document"},
    "warning": set(),
    "net": {"error", "warning"},
}
ENGINE["engine"] = set(ENGINE) - {"net"}
# Documents are stored in the tables of `data` and handed out by its handles.
ENGINE |= {f"document/{part}": ENGINE["document"] | {"data"} for part in ("cache", "edit", "handle")}
# The handles stand above the engine; how operations become items does not know it.
HANDLES = ("changes", "collection", "database", "history", "key", "live", "read", "restate", "write")
ENGINE |= {f"data/{part}": ENGINE["data"] | {"engine"} for part in HANDLES}
ENGINE["workspace"] = set(ENGINE)
ENGINE["fuzz"] = set(ENGINE)


def rows(*rows: str) -> dict[str, set[str]]:
    """Modules row by row, each of which may name those in its own row and in the rows before."""
    table, below = {}, set()
    for row in rows:
        below = below | set(row.split())
        table |= dict.fromkeys(row.split(), below)
    return table


RELAY = rows("config identity mailbox metrics signals", "door gate tenants", "connection http relay visitor", "options")
CLI = rows("args output passphrase", "share target", "circles data import invites members recovery relay")
# A function of the binary itself.
CLI = {name: allowed | {"reasons"} for name, allowed in CLI.items()}
API = rows(
    "error",
    "runtime warnings",
    "jobs clock",
    "call",
    "stream",
    "types",
    "convert key meter",
    "document",
    "collection link log logs remote_log",
    "database",
    "workspace",
)
HANDLED = "circles collection database document joining link log members opening recovery remote_log workspace"


def conversions(*rows_below: str, folder: str) -> dict[str, set[str]]:
    """What carries values over a boundary, and above it a module for each kind of handle."""
    there = {path.stem for path in Path(ROOT, folder).glob("*.rs")}
    return rows(*rows_below, " ".join(name for name in HANDLED.split() if name in there))


PYO3 = conversions("error exit", "value", "record", "event_loop key", "call", "stream", folder="bindings/pyo3/src")
NAPI = conversions("error", "value", "options record", "call key", "stream", folder="bindings/napi/src")
UNIFFI = conversions("error types value", "key meter stream", folder="bindings/uniffi/src")

CRATES = {
    "core/log/src": LOG,
    "core/src": ENGINE,
    "core/relay/src": RELAY,
    "core/cli/src": CLI,
    "bindings/api/src": API,
    "bindings/pyo3/src": PYO3,
    "bindings/napi/src": NAPI,
    "bindings/uniffi/src": UNIFFI,
}

# A pattern, where it is looked for, and the only files that may have it.
HOMES = [
    (r"(?<![.\w])redb\b", ["core", "bindings"], r"core/log/src/(state|pages)\b"),
    (r"\bautomerge\b", ["core", "bindings"], r"core/src/document\b"),
    (
        r"\b(tokio::net|tungstenite|tokio_tungstenite|TcpStream|TcpListener|UdpSocket)\b",
        ["core/src"],
        r"core/src/net\b",
    ),
    (r"\b(tokio|tungstenite|std::net)\b", ["core/log/src"], r"$^"),
    # Batch and non-strict verification accept what strict verification refuses, and replicas must agree.
    (r"\b(verify_batch|Verifier)\b", ["core", "bindings"], r"$^"),
    (r"\b(EpochKey|NameKey|DeviceKeys|RootKeys|Keyring|Vault|VaultKey)\b", ["core/log/src", "core/relay/src"], r"$^"),
]


def metadata() -> dict:
    command = ["cargo", "metadata", "--format-version=1", "--no-deps", "--locked"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


class Layers(unittest.TestCase):
    def test_modules_name_only_what_lies_below_them(self):
        wrong = []
        for folder, allowed in CRATES.items():
            for path, text in sources(folder).items():
                own = module(path, folder)
                top = own.split("/")[0]
                if top in ("lib", "main"):
                    continue
                lines = [line for line in allowed if own == line or own.startswith(line + "/")]
                if not lines:
                    wrong.append(f"{path}: `{top}` has no line in the table of layers")
                    continue
                for name in sorted(modules_named(text, path, folder) - allowed[max(lines, key=len)] - {top}):
                    wrong.append(f"{path}: `{own}` names `{name}`")
        self.assertEqual(wrong, [])

    def test_every_line_of_the_table_names_a_module(self):
        gone = [f"{folder}/{name}" for folder, table in CRATES.items() for name in table]
        gone = [place for place in gone if not Path(ROOT, f"{place}.rs").exists()]
        self.assertEqual(gone, [])

    def test_each_dangerous_dependency_stays_in_its_home(self):
        wrong = []
        for pattern, folders, home in HOMES:
            for path, text in {path: text for folder in folders for path, text in sources(folder).items()}.items():
                if "src" in path.parts and not re.match(home, path.as_posix()):
                    wrong += [f"{path}: {match[0]}" for match in re.finditer(pattern, text)]
        self.assertEqual(wrong, [])

    def test_log_and_relay_do_not_link_the_engine(self):
        packages = {package["name"]: package for package in metadata()["packages"]}
        for name, refused in {"tidelog-log": {"tidelog", "tokio"}, "tidelog-relay": {"tidelog"}}.items():
            used = {dependency["name"] for dependency in packages[name]["dependencies"] if dependency["kind"] is None}
            self.assertEqual(used & refused, set(), name)

    def test_released_packages_have_no_test_features(self):
        for name in ("tidelog-pyo3", "tidelog-napi", "tidelog-uniffi", "tidelog-cli", "tidelog-relay"):
            tree = ["cargo", "tree", "--locked", "--package", name, "--edges", "normal", "--format", "{lib} {f}"]
            shown = subprocess.run(tree, cwd=ROOT, check=True, capture_output=True, text=True).stdout
            self.assertIn("tidelog_log", shown)
            self.assertNotIn("test-util", shown, name)


class Reader(unittest.TestCase):
    """The rules above are only as good as what they read."""

    def named(self, text, path="core/log/src/session/driver.rs"):
        return modules_named(code(text), Path(path), "core/log/src")

    def test_every_way_to_name_a_module_is_seen(self):
        self.assertEqual(self.named("use crate::log::Log;"), {"log"})
        self.assertEqual(self.named("let x = crate::state::State::open();"), {"state"})
        self.assertEqual(
            self.named("use crate::{entry::{Entry, Kind}, state, log::Log as L};"), {"entry", "state", "log"}
        )
        self.assertEqual(self.named("use super::super::segments::Place;"), {"segments"})

    def test_neighbours_comments_and_tests_do_not_count(self):
        self.assertEqual(self.named("use super::replica::Replica; // crate::log"), set())
        self.assertEqual(self.named("/// See [`crate::log`].\nfn a() {}"), set())
        self.assertEqual(self.named("#[cfg(test)]\nmod tests { use crate::log::Log; }"), set())

    def test_use_trees_are_split_at_the_first_level(self):
        self.assertEqual(first_names("{a::b, c::{d, e}, f}; g"), ["a", "c", "f"])
        self.assertEqual(first_names("a::b;"), ["a"])
