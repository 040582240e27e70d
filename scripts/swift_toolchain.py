"""Swift: the machine's own toolchain or, as root on Debian, Debian trixie in a folder, entered by chroot.

    python3 scripts/swift_toolchain.py COMMAND ...      runs a command where there is a Swift

The folder is made once, by debootstrap, in `.cache/`. Whoever enters it does so in a mount namespace of its own: what
is mounted there vanishes with the last process that uses it, however that process ends.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import native

SWIFT_MIN = (6, 0)
RELEASE = "trixie"
PACKAGES = ["swiftlang", "libc6-dev", "libstdc++-14-dev", "libssl-dev"]
"""The compiler, what it compiles and links against, and the libcrypto of the tests."""

FOLDER = native.ROOT / ".cache" / f"swift-{RELEASE}"
RECIPE = f"{RELEASE}: {' '.join(PACKAGES)}\n"
"""What a finished folder says in its file `recipe`; a folder that says something else is made again."""

ENTER = """
root=$1 home=$2; shift 2
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do mkdir -p "$root$1"; mount --bind "$1" "$root$1"; shift; done
shift
exec chroot "$root" sh -c 'cd "$1"; shift; exec "$@"' sh "$home" "$@"
"""


class NoSwift(Exception):
    """Why this machine cannot have Swift."""


def version_of(text: str) -> tuple[int, int]:
    """The version that `swift --version` names."""
    match = re.search(r"Swift version (\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def own_swift() -> bool:
    """Whether the machine has a Swift that is new enough."""
    swift = shutil.which("swift")
    if swift is None:
        return False
    result = subprocess.run([swift, "--version"], capture_output=True, text=True)
    return result.returncode == 0 and version_of(result.stdout + result.stderr) >= SWIFT_MIN


def os_release(text: str) -> dict[str, str]:
    """The fields of /etc/os-release."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name: value.strip('"') for name, value in pairs}


def why_no_folder() -> str | None:
    """Why this machine cannot make the folder."""
    release = Path("/etc/os-release")
    if not release.exists() or os_release(release.read_text()).get("ID") != "debian":
        return "and this is not Debian, where it can be fetched"
    if os.geteuid() != 0:
        return "and only root can fetch it"
    return None


def prepare() -> None:
    """Makes sure that `command` has a Swift to name.

    Raises NoSwift with the reason if there is none and there cannot be.
    """
    if own_swift():
        return
    reason = why_no_folder()
    if reason is not None:
        wanted = ".".join(map(str, SWIFT_MIN))
        raise NoSwift(f"Swift {wanted} or newer is not installed, {reason}")
    make_folder()


def command(*command) -> list[str]:
    """A command that runs in the current folder with the Swift that `prepare` found.

    It becomes the program that it names, so that signals reach that. Of the files outside Debian's folder it sees the
    checkout, the target folder and the temporary folder.
    """
    return [sys.executable, str(Path(__file__).resolve()), *(str(word) for word in command)]


def become(words: list[str]) -> None:
    if not own_swift():
        shared = {native.ROOT, native.target_dir().resolve(), Path(tempfile.gettempdir()).resolve()}
        inside = ["sh", "-ec", ENTER, "sh", str(FOLDER), os.getcwd(), *sorted(map(str, shared)), "--"]
        words = ["unshare", "--mount", "--propagation", "private", *inside, *words]
    os.execvp(words[0], words)


def write_launcher(program: Path, launcher: Path) -> None:
    """Writes a script that runs a program which was built here, with the libraries of the folder but outside of it:
    the program sees what is mounted meanwhile."""
    words = [program]
    if not own_swift():
        loader = next((FOLDER / "usr" / "lib").glob("*-linux-gnu/ld-linux-*.so.*"))
        libraries = [loader.parent, FOLDER / "usr" / "libexec" / "swift" / "lib" / "swift" / "linux"]
        words = [loader, "--library-path", ":".join(map(str, libraries)), program]
    launcher.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, words))} "$@"\n')
    launcher.chmod(0o755)


def make_folder() -> None:
    """Makes the folder, unless it is there. One that was left unfinished is made again."""
    FOLDER.parent.mkdir(exist_ok=True)
    with locked(FOLDER.with_suffix(".lock")):
        recipe = FOLDER / "recipe"
        if recipe.exists() and recipe.read_text() == RECIPE:
            return
        for leftover in FOLDER.parent.glob(f"{FOLDER.name}*"):
            if leftover.is_dir():
                print(f"removing {leftover}: it is old or unfinished", flush=True)
                shutil.rmtree(leftover)
        if shutil.which("debootstrap") is None:
            run("apt-get", "update")
            run("apt-get", "install", "--yes", "--no-install-recommends", "debootstrap")
        fresh = FOLDER.with_name(FOLDER.name + ".unfinished")
        private = ["unshare", "--mount", "--propagation", "private"]
        run(*private, "debootstrap", "--variant=minbase", RELEASE, fresh, mirror())
        # The folder can be made again at any time, so dpkg need not wait for the disk after each file.
        (fresh / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
        install = f"apt-get install --yes --no-install-recommends {' '.join(PACKAGES)} && apt-get clean"
        mounts = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"'
        run(*private, "sh", "-ec", f'{mounts} && exec chroot "$0" sh -ec "{install}"', fresh)
        (fresh / "recipe").write_text(RECIPE)
        fresh.rename(FOLDER)


@contextmanager
def locked(path: Path):
    """Keeps a second process from making the same folder at the same time."""
    import fcntl  # Not on Windows, which has no chroot either.

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def mirror() -> str:
    """The address from which apt on this machine gets Debian."""
    wanted = os_release(Path("/etc/os-release").read_text()).get("VERSION_CODENAME")
    targets = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"]
    listed = subprocess.run(targets, check=True, capture_output=True, text=True).stdout
    for line in listed.splitlines():
        address, release, component = line.split()
        if (release, component) == (wanted, "main"):
            return address
    raise NoSwift(f"apt of this machine names no mirror with {wanted} main")


def run(*command) -> None:
    """A step of making the folder, through the proxy of apt if it has one."""
    words = [str(word) for word in command]
    print("$ " + " ".join(words), flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    shell = subprocess.run(
        ["apt-config", "shell", "http_proxy", "Acquire::http::Proxy"], check=True, capture_output=True, text=True
    ).stdout
    if match := re.match(r"http_proxy='(.*)'", shell):
        environment["http_proxy"] = match[1]
    subprocess.run(words, check=True, env=environment, stdin=subprocess.DEVNULL, stdout=sys.stdout, stderr=sys.stdout)


if __name__ == "__main__":
    become(sys.argv[1:])
