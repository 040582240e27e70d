#!/usr/bin/env python3
"""Installs node/node_modules from the lock file; does nothing if that is up to date."""

import os
import shutil
import subprocess

from native import ROOT

LOCK = ROOT / "node" / "package-lock.json"
INSTALLED = ROOT / "node" / "node_modules" / "installed-lock.json"


def main() -> None:
    if INSTALLED.exists() and INSTALLED.read_bytes() == LOCK.read_bytes():
        return
    npm = shutil.which("npm") or "npm"
    subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=LOCK.parent, stdin=subprocess.DEVNULL, check=True)
    shutil.copyfile(LOCK, INSTALLED)


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
