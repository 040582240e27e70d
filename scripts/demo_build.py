"""Builds what the demo runs, in release, without test features: the two programs and the two native modules."""

import os
import subprocess

import native
import suites

PACKAGES = ["tidelog-cli", "tidelog-relay", "tidelog-pyo3", "tidelog-napi"]


def main() -> None:
    packages = [argument for package in PACKAGES for argument in ("--package", package)]
    subprocess.run(
        ["cargo", "build", "--release", "--locked", *packages],
        cwd=native.ROOT,
        env={**os.environ, **native.build_environment()},
        check=True,
    )
    native.place_python("release")
    suites.node_tools("release")


if __name__ == "__main__":
    main()
