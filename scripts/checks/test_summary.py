"""The counts that the last line of `make test` adds up, on the output of each runner."""

import unittest

import summary
from summary import Tally

CARGO = """\
     Running unittests src/lib.rs (target/debug/deps/tidelog-1)
test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s
     Running tests/store.rs (target/debug/deps/store-2)
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
   Doc-tests tidelog
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
"""
CARGO_CRASH = """\
     Running unittests src/lib.rs (target/debug/deps/tidelog-1)
error: test failed, to rerun pass `--lib`
  process didn't exit successfully: (signal: 6, SIGABRT: process abort signal)
     Running tests/store.rs (target/debug/deps/store-2)
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
"""
SWIFT = """\
Test Suite 'All tests' passed at 2026-11-21 11:17:00.992
\t Executed 0 tests, with 0 failures (0 unexpected) in 0.0 (0.0) seconds
\u25c7 Test run started.
\u25c7 Suite Values started.
\u25c7 Test dates() started.
\u2718 Test clock() skipped.
\u2718 Test kdf() skipped: "libcrypto is too old"
\u25c7 Passing 1 argument text \u2192 "passed after 1 seconds" to parses(_:)
\u2718 Test parses(_:) recorded an issue with 1 argument text \u2192 "x" at a.swift:10:51: Expectation failed: false
\u2718 Test parses(_:) failed after 0.003 seconds with 1 issue.
\u2714 Test dates() passed after 0.003 seconds.
\u2714 Test "a name in words" with 3 test cases passed after 0.003 seconds.
\u2718 Suite Values failed after 0.004 seconds with 1 issue.
\u2718 Test run with 4 tests failed after 0.004 seconds with 1 issue.
"""
NODE = "".join(f"\u2139 {line}\n" for line in ("tests 6", "pass 3", "fail 1", "cancelled 1", "skipped 1", "todo 0"))


class Summary(unittest.TestCase):
    def test_cargo_targets_and_doc_tests_are_added(self):
        self.assertEqual(summary.cargo(CARGO.splitlines()), Tally(9, 2, 1))

    def test_a_cargo_target_that_died_is_a_failure(self):
        self.assertEqual(summary.cargo(CARGO_CRASH.splitlines()), Tally(1, 1, 0))

    def test_the_last_cargo_target_may_die_too(self):
        self.assertEqual(summary.cargo(CARGO_CRASH.splitlines()[:3]), Tally(0, 1, 0))

    def test_pytest_words_are_sorted_into_three(self):
        lines = ["F.s", "1 failed, 3 passed, 2 skipped, 1 xfailed, 1 error in 0.52s"]
        self.assertEqual(summary.pytest(lines), Tally(3, 2, 3))

    def test_pytest_framed_summary_is_read(self):
        self.assertEqual(summary.pytest(["===== 12 passed, 1 warning in 61.20s (0:01:01) ====="]), Tally(12, 0, 0))

    def test_unittest_bad_and_skipped_are_not_passed(self):
        lines = ["Ran 7 tests in 0.1s", "", "FAILED (failures=1, errors=2, skipped=1)"]
        self.assertEqual(summary.unittest(lines), Tally(3, 3, 1))
        self.assertEqual(summary.unittest(["Ran 1 test in 0.1s", "", "OK"]), Tally(1, 0, 0))

    def test_node_block_is_read(self):
        self.assertEqual(summary.node(NODE.splitlines()), Tally(3, 2, 1))

    def test_swift_tests_are_counted_and_suites_are_not(self):
        self.assertEqual(summary.swift(SWIFT.splitlines()), Tally(2, 1, 2))

    def test_a_crash_without_a_summary_is_a_failure(self):
        for reader in (summary.cargo, summary.pytest, summary.unittest, summary.node, summary.swift):
            self.assertEqual(summary.settle(reader(["Segmentation fault"]), 139), Tally(0, 1, 0))

    def test_a_bad_exit_after_passed_tests_is_a_failure(self):
        self.assertEqual(summary.settle(Tally(5, 0, 0), 1), Tally(5, 1, 0))

    def test_counted_failures_are_not_counted_twice(self):
        self.assertEqual(summary.settle(Tally(5, 2, 0), 1), Tally(5, 2, 0))

    def test_surefire_is_read_from_the_sum_after_the_classes(self):
        classes = [
            "[INFO] Tests run: 3, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 1.2 s -- in io.tidelog.ATest",
            "[ERROR] Tests run: 4, Failures: 1, Errors: 1, Skipped: 1, Time elapsed: 2 s <<< FAILURE! -- in B",
        ]
        self.assertEqual(
            summary.surefire([*classes, "[ERROR] Tests run: 7, Failures: 1, Errors: 1, Skipped: 1"]), Tally(4, 2, 1)
        )
        self.assertEqual(summary.surefire(["[INFO] Tests run: 7, Failures: 0, Errors: 0, Skipped: 0"]), Tally(7, 0, 0))
        self.assertEqual(summary.surefire(classes), Tally())
        runs = [
            "[INFO] Tests run: 7, Failures: 0, Errors: 0, Skipped: 0",
            "[INFO] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0",
        ]
        self.assertEqual(summary.surefire(runs), Tally(8, 0, 0))

    def test_a_run_of_no_test_is_a_failure(self):
        self.assertEqual(summary.settle(Tally(), 0), Tally(0, 1, 0))

    def test_the_sum_names_skips_only_when_there_are_some(self):
        self.assertEqual(str(Tally(3, 0, 0)), "3 passed, 0 failed")
        self.assertEqual(str(Tally(3, 1, 2)), "3 passed, 1 failed, 2 skipped")
