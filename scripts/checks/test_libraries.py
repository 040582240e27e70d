"""What may be shipped in a package for phones is told from what may not."""

import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from libraries import PAGE_16K, alignment, exported, problems

SOURCE = "int uniffi_tidelog_hello(void) { return 1; }\n"
STRANGE = SOURCE + "int tidelog_secret(void) { return 2; }\n"


@unittest.skipUnless(shutil.which("cc") and shutil.which("readelf"), "needs a C compiler for ELF")
class Libraries(unittest.TestCase):
    def library(self, source: str, page: int) -> Path:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "lib.so"
        command = ["cc", "-shared", "-fPIC", "-x", "c", "-", f"-Wl,-z,max-page-size={page}", "-o", str(path)]
        subprocess.run(command, input=source, text=True, check=True)
        return path

    def found(self, source: str, page: int) -> list:
        return problems(self.library(source, page), wanted_kind="ELF", alignment_min=PAGE_16K)

    def test_a_library_aligned_to_16_kib_that_exports_what_it_should_passes(self):
        self.assertEqual(self.found(SOURCE, PAGE_16K), [])

    def test_an_alignment_below_16_kib_is_found(self):
        self.assertEqual(alignment(self.library(SOURCE, 4096)), 4096)
        self.assertRegex(self.found(SOURCE, 4096)[0], "aligned to 4096")

    def test_an_export_that_is_not_of_the_binding_is_found(self):
        self.assertIn("tidelog_secret", exported(self.library(STRANGE, PAGE_16K)))
        self.assertRegex(self.found(STRANGE, PAGE_16K)[0], "tidelog_secret")

    def test_a_library_without_the_binding_is_found(self):
        self.assertRegex(self.found("int nothing;\n", PAGE_16K)[0], "exports nothing")

    def test_another_kind_of_file_is_found(self):
        found = problems(self.library(SOURCE, PAGE_16K), wanted_kind="Mach-O", alignment_min=PAGE_16K)
        self.assertRegex(found[0], "not Mach-O")
