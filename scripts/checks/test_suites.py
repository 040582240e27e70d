"""The runner reports what went wrong with a suite, and goes on."""

import contextlib
import io
import os
import sys
import unittest
from unittest import mock

import suites
import summary
from summary import Tally


class Suites(unittest.TestCase):
    def attempt(self, suite, ci):
        self.printed = io.StringIO()
        with mock.patch.dict(os.environ, {"CI": ci}), contextlib.redirect_stdout(self.printed):
            return suites.attempt("example", suite)

    def test_a_missing_toolchain_is_a_loud_skip(self):
        suite = mock.Mock(side_effect=lambda: suites.need("no-such-tool", "it is an example"))
        self.assertEqual(self.attempt(suite, ci=""), Tally(skipped=1))
        self.assertIn("SKIPPED example: no-such-tool is not installed (it is an example)", self.printed.getvalue())

    def test_in_ci_a_missing_toolchain_is_a_failure(self):
        suite = mock.Mock(side_effect=suites.Missing("gone"))
        self.assertEqual(self.attempt(suite, ci="true"), Tally(failed=1))

    def test_a_failed_set_up_step_is_a_failure(self):
        suite = mock.Mock(side_effect=lambda: suites.must(sys.executable, "-c", "raise SystemExit(3)"))
        self.assertEqual(self.attempt(suite, ci=""), Tally(failed=1))

    def test_a_command_without_standard_input_cannot_wait_for_an_answer(self):
        with contextlib.redirect_stdout(io.StringIO()):
            code, lines = suites.run(sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))")
        self.assertEqual((code, lines), (0, ["''"]))

    def test_a_command_that_dies_counts_as_one_failure(self):
        with contextlib.redirect_stdout(io.StringIO()):
            tally = suites.counted(summary.pytest, sys.executable, "-c", "import os; os.abort()")
        self.assertEqual(tally, Tally(failed=1))

    def test_a_command_that_hangs_is_ended(self):
        with mock.patch.object(suites, "SUITE_SECONDS_MAX", 0.2), contextlib.redirect_stdout(io.StringIO()):
            code, _ = suites.run(sys.executable, "-c", "import threading; threading.Event().wait()")
        self.assertNotEqual(code, 0)
