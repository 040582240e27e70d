"""The packages that users install: how each is built, and how it is tried.

Every package is tried as a user would: installed into an empty folder outside the repository, where the first program
of README.md runs. What is built is of this machine's platform; the others are built by the same commands on theirs.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import native
import swift_toolchain
from native import ROOT
from suites import NODE_WANTED, must, need, node_tools, python_tools, release_build, swift_tools

OUT = native.target_dir() / "package"
NODE = ROOT / "node"


def first_program(language: str, fence: str) -> str:
    """The first program in this language, as README.md has it."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^### {re.escape(language)}\n+```{fence}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise RuntimeError(f"README.md has no first program in {language}")
    return found[1]


@contextmanager
def empty_folder() -> Iterator[Path]:
    """A folder that no program of the repository is above of."""
    with tempfile.TemporaryDirectory(prefix="tidelog-package-") as folder:
        yield Path(folder).resolve()


def fresh(name: str) -> Path:
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def plain_environment() -> dict[str, str]:
    """Without what could lead a program back into the repository."""
    hidden = ("PYTHONPATH", "NODE_PATH", "CLASSPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
    return {key: value for key, value in os.environ.items() if key not in hidden}


def show(command: list, cwd: Path) -> str:
    """Runs a program of a user and returns what it printed."""
    command = [str(part) for part in command]
    print("$ " + " ".join(command), flush=True)
    done = subprocess.run(
        command, cwd=cwd, env=plain_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


# Python


def build_wheel() -> list[Path]:
    """An abi3 wheel; on Linux with the manylinux tag that its symbols allow, which maturin finds out."""
    out = fresh("python")
    interpreter = python_tools()
    must(interpreter, "-m", "maturin", "build", "--release", "--locked", "--out", out, cwd=ROOT / "python")
    return sorted(out.glob("*.whl"))


def try_wheel(packages: list[Path]) -> None:
    (wheel,) = packages
    with empty_folder() as folder:
        venv.create(folder / "env", with_pip=True)
        interpreter = folder / "env" / native.venv_python().relative_to(ROOT / ".venv")
        show([interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel, "pydantic"], folder)
        program = folder / "first.py"
        program.write_text(first_program("Python", "python"), encoding="utf-8")
        if "Calibrate sensor" not in show([interpreter, program], folder):
            raise RuntimeError("the first program in Python did not print its item")


# Node


def build_npm() -> list[Path]:
    """The package, and beside it one with the native module of this platform, which npm picks by system and CPU."""
    npm = need("npm", NODE_WANTED)
    release_build()
    node_tools("release")
    out, stage = fresh("node"), fresh("node-stage")
    manifest = json.loads((NODE / "package.json").read_text(encoding="utf-8"))
    version, name = manifest["version"], manifest["napi"]["packageName"]
    triple = native.host_triple()
    told = subprocess.run(
        ["node", "--input-type=module", "--eval", PLATFORM_OF, triple], cwd=NODE, check=True, capture_output=True
    )
    tags = json.loads(told.stdout)
    platforms = [f"{name}-{tag['platformArchABI']}" for tag in tags["all"]]

    for file in manifest["files"]:
        source = NODE / file
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, stage / file)
    public = {key: value for key, value in manifest.items() if key not in ("scripts", "devDependencies", "overrides")}
    public["optionalDependencies"] = dict.fromkeys(platforms, version)
    (stage / "package.json").write_text(json.dumps(public, indent=2) + "\n", encoding="utf-8")
    shutil.copy2(NODE / "README.md", stage / "README.md")

    here = tags["here"]
    part = fresh("node-stage-platform")
    addon = f"{manifest['napi']['binaryName']}.{here['platformArchABI']}.node"
    shutil.copy2(NODE / addon, part / addon)
    only = {
        "name": f"{name}-{here['platformArchABI']}",
        "version": version,
        "description": f"The native module of {name} for {triple}",
        "license": manifest["license"],
        "repository": manifest["repository"],
        "main": addon,
        "files": [addon],
        "os": [here["platform"]],
        "cpu": [here["arch"]],
        **({"libc": ["glibc"]} if here["abi"] == "gnu" else {}),
        "engines": manifest["engines"],
    }
    (part / "package.json").write_text(json.dumps(only, indent=2) + "\n", encoding="utf-8")
    for folder in (part, stage):
        shutil.copy2(ROOT / "LICENSE", folder / "LICENSE")
        must(npm, "pack", "--silent", "--pack-destination", out, cwd=folder)
    return sorted(out.glob("*.tgz"))


PLATFORM_OF = """
import { readFile } from 'node:fs/promises'
import { parseTriple } from '@napi-rs/cli'
const { napi } = JSON.parse(await readFile('package.json', 'utf8'))
console.log(JSON.stringify({ here: parseTriple(process.argv[1]), all: napi.targets.map(parseTriple) }))
"""


def try_npm(packages: list[Path]) -> None:
    npm = need("npm", NODE_WANTED)
    versions = json.loads((NODE / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    tools = [f"{tool}@{versions[tool]}" for tool in ("typescript", "zod", "@types/node")]
    with empty_folder() as folder:
        (folder / "package.json").write_text('{"type": "module", "private": true}\n', encoding="utf-8")
        (folder / "first.ts").write_text(first_program("Node", "ts"), encoding="utf-8")
        show([npm, "install", "--silent", "--no-audit", "--no-fund", *packages, *tools], folder)
        # `await using` is compiled for a Node that does not know it yet.
        compiler = folder / "node_modules" / "typescript" / "bin" / "tsc"
        options = ["--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,esnext.disposable"]
        show(["node", compiler, *options, "--types", "node", "first.ts"], folder)
        if "Calibrate sensor" not in show(["node", "first.js"], folder):
            raise RuntimeError("the first program in Node did not print its item")


# Kotlin

KOTLIN = ROOT / "kotlin"
JNA_SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
JNA_MACHINES = {"x86_64": "x86-64", "AMD64": "x86-64", "arm64": "aarch64"}
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>user</groupId><artifactId>first</artifactId><version>1</version>
  <repositories><repository><id>local</id><url>file://{repository}</url></repository></repositories>
  <dependencies>
    <dependency><groupId>io.tidelog</groupId><artifactId>tidelog</artifactId><version>{version}</version></dependency>
  </dependencies>
  <build>
    <sourceDirectory>src</sourceDirectory>
    <plugins>
      <plugin>
        <groupId>org.jetbrains.kotlin</groupId><artifactId>kotlin-maven-plugin</artifactId><version>{kotlin}</version>
        <extensions>true</extensions>
        <configuration>
          <jvmTarget>17</jvmTarget>
          <compilerPlugins><plugin>kotlinx-serialization</plugin></compilerPlugins>
        </configuration>
        <dependencies>
          <dependency>
            <groupId>org.jetbrains.kotlin</groupId><artifactId>kotlin-maven-serialization</artifactId>
            <version>{kotlin}</version>
          </dependency>
        </dependencies>
      </plugin>
      <plugin>
        <groupId>org.codehaus.mojo</groupId><artifactId>exec-maven-plugin</artifactId><version>3.6.2</version>
        <configuration><mainClass>FirstKt</mainClass></configuration>
      </plugin>
    </plugins>
  </build>
</project>
"""


def pom_value(name: str) -> str:
    """The first value of an element of kotlin/pom.xml."""
    found = re.search(rf"<{name}>([^<]+)</{name}>", (KOTLIN / "pom.xml").read_text(encoding="utf-8"))
    if found is None:
        raise RuntimeError(f"kotlin/pom.xml has no {name}")
    return found[1]


def undocumented(told: str) -> list[str]:
    """What Dokka found public and undocumented, but for what the compiler adds to every enum."""
    names = re.findall(r"^\[WARNING\] Undocumented: (\S+)", told, re.MULTILINE)
    return [name for name in names if not re.search(r"/(values|valueOf|entries)/#", name)]


def build_maven() -> list[Path]:
    """A jar with the native library of this platform inside, where JNA looks for it, its documentation and its pom."""
    maven = need("mvn", "install Maven and a JDK from 17 on")
    release_build()
    generated = native.generate("kotlin", "release")
    out = fresh("kotlin")
    options = ["-B", "-ntp", "-Dmaven.test.skip=true", f"-Dtidelog.generated={generated}"]
    if silent := undocumented(show([maven, *options, "clean", "package", "dokka:dokka"], KOTLIN)):
        raise RuntimeError("public in Kotlin without a word: " + ", ".join(silent))
    version = pom_value("version")
    jar, documentation = (out / f"tidelog-{version}{kind}.jar" for kind in ("", "-javadoc"))
    shutil.copy2(KOTLIN / "target" / jar.name, jar)
    with zipfile.ZipFile(documentation, "w", zipfile.ZIP_DEFLATED) as archive:
        pages = KOTLIN / "target" / "dokka"
        for page in sorted(path for path in pages.rglob("*") if path.is_file()):
            archive.write(page, page.relative_to(pages))
    system, machine = platform.system(), platform.machine()
    library = native.built_module("tidelog_uniffi", "release")
    with zipfile.ZipFile(jar, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.write(library, f"{JNA_SYSTEMS[system]}-{JNA_MACHINES.get(machine, machine)}/{library.name}")
    pom = out / f"tidelog-{version}.pom"
    shutil.copy2(KOTLIN / "pom.xml", pom)
    return [jar, documentation, pom]


def try_maven(packages: list[Path]) -> None:
    maven = need("mvn", "install Maven and a JDK from 17 on")
    version = pom_value("version")
    with empty_folder() as folder:
        place = folder / "repository" / "io" / "tidelog" / "tidelog" / version
        place.mkdir(parents=True)
        for package in packages:
            shutil.copy2(package, place / package.name)
        (folder / "src").mkdir()
        (folder / "src" / "First.kt").write_text(first_program("Kotlin", "kotlin"), encoding="utf-8")
        pom = POM.format(repository=folder / "repository", version=version, kotlin=pom_value("kotlin.version"))
        (folder / "pom.xml").write_text(pom, encoding="utf-8")
        # What an earlier try left in Maven's own store would be taken instead.
        shutil.rmtree(Path.home() / ".m2" / "repository" / "io" / "tidelog", ignore_errors=True)
        try:
            printed = show([maven, "-B", "-q", "-ntp", "compile", "exec:java"], folder)
        finally:
            shutil.rmtree(Path.home() / ".m2" / "repository" / "io" / "tidelog", ignore_errors=True)
        if "Calibrate sensor" not in printed:
            raise RuntimeError("the first program in Kotlin did not print its item")


# Swift

SWIFT = ROOT / "swift"
USER_PACKAGE = """// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "First",
    platforms: [.macOS(.v14)],
    dependencies: [.package(path: "tidelog")],
    targets: [.executableTarget(name: "First", dependencies: [.product(name: "Tidelog", package: "tidelog")])]
)
"""


def build_swift() -> list[Path]:
    """An archive of the package for this platform: its sources, the generated module and the native library."""
    release_build()
    swift_tools("release")
    out, stage = fresh("swift"), fresh("swift-stage") / "tidelog"
    stage.mkdir()
    for part in ("Sources", "Native"):
        shutil.copytree(SWIFT / part, stage / part)
    manifest = (SWIFT / "Package.swift").read_text(encoding="utf-8")
    # The targets of tests, benchmarks and the demo stay here.
    ours = ("Tests/", "Benchmarks/", "DemoDevice", ".testTarget(")
    kept = [line for line in manifest.splitlines(keepends=True) if not any(part in line for part in ours)]
    (stage / "Package.swift").write_text("".join(kept), encoding="utf-8")
    shutil.copy2(ROOT / "LICENSE", stage / "LICENSE")
    archive = out / f"tidelog-swift-{pom_value('version')}-{native.host_triple()}.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(stage, "tidelog")
    return [archive]


def try_swift(packages: list[Path]) -> None:
    (archive,) = packages
    with empty_folder() as folder:
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        (folder / "Package.swift").write_text(USER_PACKAGE, encoding="utf-8")
        source = folder / "Sources" / "First"
        source.mkdir(parents=True)
        (source / "main.swift").write_text(first_program("Swift", "swift"), encoding="utf-8")
        if "Calibrate sensor" not in show(swift_toolchain.command("swift", "run", "--quiet", "First"), folder):
            raise RuntimeError("the first program in Swift did not print its item")


PACKAGES: dict[str, tuple[Callable[[], list[Path]], Callable[[list[Path]], None]]] = {
    "wheel": (build_wheel, try_wheel),
    "npm": (build_npm, try_npm),
    "maven": (build_maven, try_maven),
    "swift": (build_swift, try_swift),
}
