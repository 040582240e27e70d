"""Checks of a built native library: what it is, how it is aligned, and what it exports."""

import re
import subprocess
from pathlib import Path

PAGE_16K = 16 * 1024
"""Devices with pages of 16 KiB load no library whose segments are aligned to less."""

FOREIGN = re.compile(r"^_?(ffi_tidelog|uniffi_tidelog|UNIFFI_META|uniffi_internal)")
"""The names that the library for Swift and Kotlin exports."""


def output(*command) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def kind(library: Path) -> str:
    """What `file` says that it is."""
    return output("file", "--brief", library).strip()


def alignment(library: Path, readelf: str = "readelf") -> int:
    """The smallest alignment of an ELF library's loaded segments, in bytes."""
    found = [line.split()[-1] for line in output(readelf, "-lW", library).splitlines() if line.split()[:1] == ["LOAD"]]
    if not found:
        raise ValueError(f"{library.name} has no loaded segment")
    return min(int(value, 16) for value in found)


def exported(library: Path, nm: str = "nm") -> list[str]:
    """The names that a dynamic library exports, sorted."""
    lines = output(nm, "--dynamic", "--defined-only", "--format=posix", library).splitlines()
    return sorted(line.split()[0] for line in lines if line.strip())


def problems(library: Path, *, wanted_kind: str, alignment_min: int, readelf: str = "readelf", nm: str = "nm") -> list:
    """What is wrong with an ELF library; an empty list if it may be shipped."""
    found = []
    if wanted_kind not in kind(library):
        found.append(f"{library.name} is {kind(library)}, not {wanted_kind}")
    if alignment(library, readelf) < alignment_min:
        found.append(f"{library.name} is aligned to {alignment(library, readelf)} bytes, not {alignment_min}")
    names = exported(library, nm)
    if not any(FOREIGN.match(name) for name in names):
        found.append(f"{library.name} exports nothing for Swift and Kotlin")
    strange = [name for name in names if not FOREIGN.match(name)]
    if strange:
        found.append(f"{library.name} exports more than it should: {', '.join(strange[:5])}")
    return found
