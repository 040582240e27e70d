"""Builds what the demo runs, in release, without test features: the programs, the native modules and the devices."""

import json
import os

import native
import suites
import swift_toolchain
from native import ROOT
from suites import Missing, must


def kotlin_device() -> list[str]:
    """Compiles the device in Kotlin with the package, in a folder of their own."""
    build = ROOT / "kotlin" / "target" / "demo"
    instead = ["-Dtidelog.tests=../demo/kotlin", "-Dtidelog.drivers=none", "-Dtidelog.build=target/demo"]
    must(*suites.kotlin_tools("release"), "-q", *instead, "test-compile", cwd=ROOT / "kotlin")
    classes = os.pathsep.join(str(build / part) for part in ("classes", "test-classes", "libs/*"))
    library = native.built_module("tidelog_uniffi", "release").resolve().parent
    return ["java", f"-Djna.library.path={library}", "-cp", classes, "io.tidelog.demo.DeviceKt"]


def swift_device() -> list[str]:
    suites.swift_tools("release")
    package = ["--package-path", ROOT / "swift", "--configuration", "release", "--product", "DemoDevice"]
    must(*swift_toolchain.command("swift", "build", *package))
    program = ROOT / "swift" / ".build" / "release" / "DemoDevice"
    launcher = ROOT / "swift" / ".build" / "demo-device"
    swift_toolchain.write_launcher(program, launcher)
    return [str(launcher)]


def main() -> None:
    suites.release_build()
    native.place_python("release")
    suites.node_tools("release")
    commands, missing = {"Node": ["node", str(ROOT / "demo" / "node_device.mjs")]}, {}
    for language, build in (("Kotlin", kotlin_device), ("Swift", swift_device)):
        try:
            commands[language] = build()
        except Missing as reason:
            missing[language] = str(reason)
    devices = {"commands": commands, "missing": missing}
    (native.target_dir() / "demo-devices.json").write_text(json.dumps(devices, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
