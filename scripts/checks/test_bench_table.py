"""The table of measurements: what is a measurement, and when its target is met."""

import unittest

import bench_table
from bench_table import Row


class Tables(unittest.TestCase):
    def test_only_marked_lines_of_three_cells_are_measurements(self) -> None:
        lines = ["Finished", "bench: a | 1 ms | <= 2 ms", "bench: broken", "  bench: b | 1 | -"]
        self.assertEqual(bench_table.rows(lines), [Row("a", "1 ms", "<= 2 ms")])

    def test_a_target_is_met_by_the_number_with_its_unit(self) -> None:
        cases = [
            ("52,900 docs/s, 0.46 of the floor", ">= 0.65 of the floor, >= 50,000 docs/s", "in part"),
            ("20,600 docs/s, 0.18 of the floor", ">= 0.65 of the floor, >= 50,000 docs/s", "no"),
            ("52900 docs/s, 0.66 of the floor", ">= 0.65 of the floor, >= 50,000 docs/s", "yes"),
            ("5306 us, 0.95x one durable redb commit", "<= 1.3x", "yes"),
            ("602 B/doc for 200 B of plaintext", "<= 500 B/doc with history", "no"),
            ("p50 1.24 ms, p99 2.16 ms", "p50 <= 0.6 ms, p99 <= 3 ms", "in part"),
            ("1093 B", "<= 2 KB", ""),
            ("10.4 MB", "<= 6 MB", "no"),
            ("-128 B a document", "<= 12 B", "yes"),
            ("5.20 us", "<= 5.14 us (Rust + 2 us)", "no"),
            ("537,000 entries/s", "-", ""),
        ]
        for value, target, answer in cases:
            self.assertEqual(bench_table.met(Row("x", value, target)), answer, value)

    def test_a_target_over_the_same_call_in_rust_becomes_a_number(self) -> None:
        rust, python = Row("Rust: get", "3.14 us", "-"), Row("Python: get", "5.20 us", "<= Rust + 2 us")
        self.assertEqual(bench_table.resolved(python, [rust, python]).target, "<= 5.14 us (Rust + 2 us)")
        self.assertEqual(bench_table.resolved(python, [python]), python)
        self.assertEqual(bench_table.resolved(rust, [rust]), rust)

    def test_markdown_has_a_row_for_each_measurement(self) -> None:
        lines = bench_table.markdown([Row("a", "1 ms", "<= 2 ms"), Row("b", "3", "-")]).splitlines()
        self.assertEqual(lines[0], "| measured | value | target | met |")
        self.assertEqual(lines[2:], ["| a | 1 ms | <= 2 ms | yes |", "| b | 3 |  |  |"])


if __name__ == "__main__":
    unittest.main()
