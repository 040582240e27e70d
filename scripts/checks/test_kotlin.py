"""The Gradle files, which are not run here, name the versions of the Maven build, which is."""

import re
import unittest

import packages

from checks.rust_source import ROOT

POM = (ROOT / "kotlin" / "pom.xml").read_text(encoding="utf-8")
GRADLE = (ROOT / "kotlin" / "build.gradle.kts").read_text(encoding="utf-8")

SAME = {
    "kotlin.version": [r'kotlin\("android"\) version "([^"]+)"', r'serialization"\) version "([^"]+)"'],
    "coroutines.version": [r"kotlinx-coroutines-core:([^\"]+)"],
    "serialization.version": [r"kotlinx-serialization-core:([^\"]+)"],
    "jna.version": [r"jna:jna:([^@\"]+)@aar"],
}


class Kotlin(unittest.TestCase):
    def test_gradle_and_maven_use_the_same_versions(self):
        for name, patterns in SAME.items():
            wanted = re.search(rf"<{name}>(.+?)</{name}>", POM)[1]
            for pattern in patterns:
                self.assertEqual(re.findall(pattern, GRADLE), [wanted], name)

    def test_the_first_program_is_one_that_compiles(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        program = re.search(r"^### Kotlin\n\n```kotlin\n(.*?)^```$", readme, re.DOTALL | re.MULTILINE)[1]
        compiled = ROOT / "kotlin" / "src" / "test" / "kotlin" / "FirstProgram.kt"
        self.assertEqual(compiled.read_text(encoding="utf-8"), program)

    def test_the_package_has_the_version_of_the_crates(self):
        crates = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)[1]
        self.assertIn(f"<artifactId>tidelog</artifactId>\n  <version>{crates}</version>", POM)

    def test_what_dokka_finds_without_a_word_counts_but_for_what_every_enum_has(self):
        told = """[INFO] Creating pages
[WARNING] Undocumented: io.tidelog/Role/values/#/ (JVM)
[WARNING] Undocumented: io.tidelog/Role/valueOf/#kotlin.String/ (JVM)
[WARNING] Undocumented: io.tidelog/Role/entries/#/ (JVM)
[WARNING] Undocumented: io.tidelog/Item/values/ (JVM)
[WARNING] No cast needed."""
        self.assertEqual(packages.undocumented(told), ["io.tidelog/Item/values/"])
