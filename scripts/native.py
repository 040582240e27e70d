"""The one Rust build that every suite shares, and where its native modules go.

The native modules are built together with the tests, with the features of the whole workspace, and copied
into the packages. Released modules are built by maturin and napi, without `test-util`.
"""

import filecmp
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FEATURES = ["--workspace", "--all-features", "--locked"]
BUILD = [*FEATURES, "--lib", "--bins", "--tests", "--examples"]
"""What `cargo build` is given: the targets of `cargo test`, and the modules and programs it does not link itself."""

RELEASED = ["tidelog-cli", "tidelog-relay", "tidelog-pyo3", "tidelog-napi", "tidelog-uniffi", "tidelog-bindgen"]
"""The packages with the programs and native modules that users get, and what generates modules from them."""

NAPI_TYPES = "napi-types"
"""The folder below the target folder where `#[napi]` notes the TypeScript declaration of each exported item."""


def target_dir() -> Path:
    return Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


def host_triple() -> str:
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.removeprefix("host: ") for line in version.splitlines() if line.startswith("host: "))


def venv_python() -> Path:
    return ROOT / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def built_module(name: str, profile: str = "debug") -> Path:
    """Where cargo leaves the dynamic library of this crate name."""
    pattern = {"Windows": "{}.dll", "Darwin": "lib{}.dylib"}.get(platform.system(), "lib{}.so")
    return target_dir() / profile / pattern.format(name)


def place(source: Path, destination: Path) -> None:
    """Replaces the file instead of writing into it: a running program may have the old one mapped."""
    fresh = destination.with_name(destination.name + ".fresh")
    shutil.copy2(source, fresh)
    os.replace(fresh, destination)


def place_python(profile: str = "debug") -> None:
    suffix = ".pyd" if sys.platform == "win32" else ".abi3.so"
    place(built_module("_tidelog", profile), ROOT / "python" / "src" / "tidelog" / f"_tidelog{suffix}")


def bindgen(word: str, *rest: str | Path, profile: str = "debug") -> None:
    """Runs the generator on the library that was built. Of a stripped one it reads the archive."""
    program = target_dir() / profile / ("tidelog-bindgen.exe" if os.name == "nt" else "tidelog-bindgen")
    archive = target_dir() / profile / "libtidelog_uniffi.a"
    library = built_module("tidelog_uniffi") if profile == "debug" else archive
    subprocess.run([program, word, library, *rest], check=True)


def generate(language: str, profile: str = "debug") -> Path:
    """Makes the private module of the Kotlin or Swift package; returns its folder."""
    folder = target_dir().resolve() / "bindgen" / profile / language
    bindgen(language, folder, profile=profile)
    return folder


def place_swift(profile: str = "debug") -> None:
    """Gives the Swift package the library of this profile, and the module generated from it."""
    generated, package = generate("swift", profile), ROOT / "swift" / "Native"
    library = built_module("tidelog_uniffi", profile)
    for source, destination in (
        (generated / "TidelogFFI.swift", package / "TidelogFFI" / "TidelogFFI.swift"),
        (generated / "CTidelogFFI.h", package / "CTidelogFFI" / "CTidelogFFI.h"),
        (generated / "CTidelogFFI.modulemap", package / "CTidelogFFI" / "module.modulemap"),
        (library, package / library.name),
    ):
        destination.parent.mkdir(parents=True, exist_ok=True)
        # What did not change is not compiled again.
        if not destination.exists() or not filecmp.cmp(source, destination, shallow=False):
            place(source, destination)


def build_environment() -> dict[str, str]:
    """The environment of every cargo call: one that differed would compile the Node module again."""
    types = target_dir().resolve() / NAPI_TYPES
    types.mkdir(parents=True, exist_ok=True)
    return {"NAPI_TYPE_DEF_TMP_FOLDER": str(types)}
