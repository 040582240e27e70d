"""Builds what the demo runs, in release, without test features: the two programs and the native modules."""

import native
import suites


def main() -> None:
    suites.release_build()
    native.place_python("release")
    suites.node_tools("release")


if __name__ == "__main__":
    main()
