#!/usr/bin/env python3
"""Makes `.venv` with the development tools of python/requirements-dev.txt, and with `tidelog` importable from source.

Does nothing if it is up to date: the requirements it installed are kept beside it.
"""

import subprocess
import sys
import venv

from native import ROOT, venv_python

REQUIREMENTS = ROOT / "python" / "requirements-dev.txt"
INSTALLED = ROOT / ".venv" / "installed.txt"


def main() -> None:
    wanted = sys.version + "\n" + REQUIREMENTS.read_text()
    if INSTALLED.exists() and INSTALLED.read_text() == wanted:
        return
    print(f"making {INSTALLED.parent}", flush=True)
    venv.create(INSTALLED.parent, with_pip=True, clear=True)
    pip = [venv_python(), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]
    subprocess.run([*pip, "--requirement", REQUIREMENTS], check=True)
    site = subprocess.run(
        [venv_python(), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    with open(f"{site}/tidelog-source.pth", "w") as link:
        link.write(str(ROOT / "python" / "src") + "\n")
    INSTALLED.write_text(wanted)


if __name__ == "__main__":
    main()
