"""The table of measurements: rows from the lines of benchmarks, whether a target is met, and Markdown."""

import re
from typing import NamedTuple

MARK = "bench: "

NUMBER = r"(\d[\d,]*(?:\.\d+)?)"
CLAUSE = re.compile(rf"(?P<label>[a-z]\w*(?: [a-z]\w*)*? )?(?P<sign><=|>=) {NUMBER} ?(?P<unit>.*)")


class Row(NamedTuple):
    """One measurement, as its benchmark words it."""

    name: str
    value: str
    target: str


def rows(lines: list[str]) -> list[Row]:
    """The measurements among the lines that a program printed."""
    found = []
    for line in lines:
        cells = [cell.strip() for cell in line.removeprefix(MARK).split("|")]
        if line.startswith(MARK) and len(cells) == 3:
            found.append(Row(*cells))
    return found


def number(text: str) -> float:
    return float(text.replace(",", ""))


def holds(clause: str, value: str) -> bool | None:
    """Whether a value meets one clause of a target, `>= 0.65 of the floor`; None if the two have no unit in common."""
    parsed = CLAUSE.fullmatch(clause.strip())
    if parsed is None:
        return None
    label, unit = parsed["label"] or "", parsed["unit"]
    # The words behind the first two only explain: "<= 500 B with history".
    for words in (unit, " ".join(unit.split()[:2]), unit.split()[0] if unit else ""):
        measured = re.search(rf"{re.escape(label)}(-?){NUMBER} ?{re.escape(words)}(?!\w)", value)
        if measured:
            limit, found = number(parsed.group(3)), number(measured[1] + measured[2])
            return found <= limit if parsed["sign"] == "<=" else found >= limit
    return None


def resolved(row: Row, measured: list[Row]) -> Row:
    """The row with a target in numbers, if it is what the same call costs in Rust and something more."""
    more = re.fullmatch(rf"<= Rust \+ {NUMBER} us", row.target)
    same = [other for other in measured if other.name == "Rust: " + row.name.partition(": ")[2]]
    cost = re.fullmatch(rf"{NUMBER} us", same[-1].value) if same else None
    if more is None or cost is None:
        return row
    return row._replace(target=f"<= {number(more[1]) + number(cost[1]):.2f} us (Rust + {more[1]} us)")


def met(row: Row) -> str:
    """`yes`, `no` or `in part`; nothing where there is no target, or none that can be read."""
    answers = [holds(clause, row.value) for clause in re.split(r", (?=[a-z0-9 ]*[<>]=)", row.target)]
    known = [answer for answer in answers if answer is not None]
    if not known:
        return ""
    return "yes" if all(known) else "in part" if any(known) else "no"


def plain(measured: list[Row]) -> str:
    """The table for a terminal."""
    table = [("measured", "value", "target", "met")] + [(*row, met(row)) for row in measured]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def markdown(measured: list[Row]) -> str:
    """The table for `docs/benchmarks.md`."""
    table = [("measured", "value", "target", "met"), ("---",) * 4]
    table += [(*("" if cell == "-" else cell for cell in row), met(row)) for row in measured]
    return "\n".join("| " + " | ".join(row) + " |" for row in table) + "\n"
