"""The test suites: what each needs, how it is started, and which reader counts its results.

All Rust code is built by one `cargo build` (`workspace_build`): a build of one package alone would choose other
features for shared dependencies and compile most of them again.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import native
import summary
import swift_toolchain
from summary import Tally

ROOT = Path(__file__).resolve().parent.parent
JDK_MIN = 17
NODE_MIN = 20
NODE_WANTED = f"Node {NODE_MIN} or newer is needed"
SUITE_SECONDS_MAX = 45 * 60
"""A suite that hangs is ended after this long, so that the others still report."""


class Missing(Exception):
    """A toolchain that this machine lacks."""


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def attempt(name: str, suite: Callable[[], Tally]) -> Tally:
    """Runs a suite; whatever becomes of it, the caller goes on with the next."""
    print(f"\n== {name}", flush=True)
    try:
        return suite()
    except Missing as missing:
        print(f"SKIPPED {name}: {missing}", flush=True)
        return Tally(failed=1) if in_ci() else Tally(skipped=1)
    except Exception as error:
        print(f"FAILED {name}: {error}", flush=True)
        return Tally(failed=1)


def need(tool: str, why: str) -> str:
    path = shutil.which(tool)
    if path is None:
        raise Missing(f"{tool} is not installed ({why})")
    return path


def run(*command, cwd=ROOT, env=None) -> tuple[int, list[str]]:
    """Runs a command, printing what it prints; returns its exit code and its lines."""
    command = [str(part) for part in command]
    print("$ " + " ".join(command), flush=True)
    command[0] = shutil.which(command[0]) or command[0]  # On Windows npm is npm.cmd.
    plain = {"CARGO_TERM_COLOR": "never", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env={**os.environ, **plain, **native.build_environment(), **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )

    def end():
        print(f"ended after {SUITE_SECONDS_MAX} s", flush=True)
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()

    timer = threading.Timer(SUITE_SECONDS_MAX, end)
    timer.start()
    lines = []
    try:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line.rstrip("\n"))
        return process.wait(), lines
    finally:
        timer.cancel()
        process.stdout.close()


def must(*command, **options) -> None:
    """Runs a set-up step; the suite fails if it does."""
    code, _ = run(*command, **options)
    if code != 0:
        raise RuntimeError(f"{command[0]} ended with {code}")


def counted(reader, *command, **options) -> Tally:
    """Runs a test command and counts its tests."""
    code, lines = run(*command, **options)
    return summary.settle(reader(lines), code)


def workspace_build() -> None:
    must(need("cargo", "install Rust with rustup"), "build", *native.BUILD)


def release_build() -> None:
    """Builds the programs and native modules as users get them: optimised, without test features."""
    packages = [argument for package in native.RELEASED for argument in ("--package", package)]
    must(need("cargo", "install Rust with rustup"), "build", "--release", "--locked", *packages)


def checks() -> Tally:
    """Rules about the repository itself, and the tests of this runner."""
    need("cargo", "install Rust with rustup")
    return counted(
        summary.unittest,
        sys.executable,
        "-m",
        "unittest",
        "discover",
        "-s",
        "scripts/checks",
        "-t",
        "scripts",
    )


def rust() -> Tally:
    workspace_build()
    return counted(summary.cargo, "cargo", "test", *native.FEATURES, "--no-fail-fast")


def python_tools() -> Path:
    """The virtual environment's interpreter, with the development tools installed."""
    must(sys.executable, "scripts/setup_python.py")
    return native.venv_python()


def python() -> Tally:
    interpreter = python_tools()
    workspace_build()
    native.place_python()
    return counted(summary.pytest, interpreter, "-m", "pytest", "-q", cwd=ROOT / "python")


def node() -> Tally:
    node_tools()
    tests = sorted(str(path.relative_to(ROOT / "node")) for path in ROOT.glob("node/build/test/*.test.js"))
    return counted(summary.node, "node", "--test", "--test-reporter=spec", *tests, cwd=ROOT / "node")


def node_tools(profile: str = "debug") -> None:
    """Installs the Node tools, takes over the addon of this profile, and compiles the package and its tests."""
    npm, node = need("npm", NODE_WANTED), need("node", NODE_WANTED)
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < NODE_MIN:
        raise Missing(f"{NODE_WANTED}, this is {version}")
    must(sys.executable, "scripts/setup_node.py")
    if profile == "debug":
        workspace_build()
    must(
        "node",
        "scripts/place-native.mjs",
        native.built_module("tidelog_napi", profile),
        native.host_triple(),
        cwd=ROOT / "node",
    )
    must(npm, "run", "--silent", "build", cwd=ROOT / "node")
    must(npm, "run", "--silent", "build:test", cwd=ROOT / "node")


def swift() -> Tally:
    swift_tools()
    return counted(summary.swift, *swift_toolchain.command("swift", "test"), cwd=ROOT / "swift") + swift_docs()


def swift_docs() -> Tally:
    """What DocC is made from says something of everything that an application sees."""
    options = ["--minimum-access-level", "public", "--skip-synthesized-members"]
    must(*swift_toolchain.command("swift", "package", "dump-symbol-graph", *options), cwd=ROOT / "swift")
    (graph,) = ROOT.glob("swift/.build/*/symbolgraph/Tidelog.symbols.json")
    symbols = json.loads(graph.read_text(encoding="utf-8"))["symbols"]
    silent = [".".join(symbol["pathComponents"]) for symbol in symbols if not symbol.get("docComment")]
    print(f"{len(symbols)} public symbols of Swift, without a word: {', '.join(silent) or 'none'}", flush=True)
    return Tally(failed=1) if silent or not symbols else Tally(passed=1)


def swift_tools(profile: str = "debug") -> None:
    """Finds a Swift or fetches one, and gives the package the native library of this profile."""
    try:
        swift_toolchain.prepare()
    except swift_toolchain.NoSwift as reason:
        raise Missing(str(reason)) from None
    if profile == "debug":
        workspace_build()
    native.place_swift(profile)


def swift_driver() -> None:
    """Builds the program that plays scenarios in Swift."""
    swift_tools()
    package = ROOT / "swift"
    must(*swift_toolchain.command("swift", "build", "--product", "ScenarioDriver"), cwd=package)
    program = package / ".build" / "debug" / "ScenarioDriver"
    swift_toolchain.write_launcher(program, program.parents[1] / "scenario-driver")


def kotlin() -> Tally:
    return counted(summary.surefire, *kotlin_tools(), "test", cwd=ROOT / "kotlin")


def kotlin_tools(profile: str = "debug") -> tuple[str, ...]:
    """Generates the private module; returns how Maven is called for a library of this profile."""
    maven, javac = need("mvn", "Maven builds the Kotlin package"), need("javac", f"JDK {JDK_MIN} or newer is needed")
    version = subprocess.run([javac, "-version"], check=True, capture_output=True, text=True).stdout.split()[-1]
    if int(version.split(".")[0]) < JDK_MIN:
        raise Missing(f"JDK {JDK_MIN} or newer is needed, this is {version}")
    if profile == "debug":
        workspace_build()
    generated = native.generate("kotlin", profile)
    library = native.built_module("tidelog_uniffi", profile).resolve().parent
    return maven, "-B", "-ntp", f"-Dtidelog.generated={generated}", f"-Dtidelog.native={library}"


def kotlin_driver() -> None:
    """Compiles the program that plays scenarios in Kotlin."""
    must(*kotlin_tools(), "-q", "test-compile", cwd=ROOT / "kotlin")


def scenarios() -> Tally:
    """Scenarios that mix the languages against a real relay."""
    interpreter = python_tools()
    workspace_build()
    native.place_python()
    node_tools()
    for language, build in (("Swift", swift_driver), ("Kotlin", kotlin_driver)):
        try:
            build()
        except Missing as missing:
            if in_ci() and os.name != "nt":
                raise
            print(f"SKIPPED {language} in scenarios: {missing}", flush=True)
    return counted(
        summary.pytest, interpreter, "-m", "pytest", "-q", "-c", "python/pyproject.toml", "--rootdir", ".", "tests"
    )


def packages() -> Tally:
    """The dry runs of the packages for phones, which cannot be built here."""
    workspace_build()
    tally = Tally()
    for script in ("scripts/xcframework", "scripts/aar"):
        code, _ = run(sys.executable, script, "--dry-run")
        tally += Tally(passed=1) if code == 0 else Tally(failed=1)
    return tally


SUITES = {
    "checks": checks,
    "rust": rust,
    "python": python,
    "node": node,
    "swift": swift,
    "kotlin": kotlin,
    "scenarios": scenarios,
    "packages": packages,
}
