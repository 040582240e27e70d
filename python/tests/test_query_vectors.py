"""The query grammar: every case of the vectors gives the same keys as in every other language."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tidelog
from conftest import KEY, ROOT

VECTORS = json.loads((ROOT / "tests" / "vectors" / "query.json").read_text(encoding="utf-8"))

Items = tidelog.Collection[Any, tidelog.Item[Any]]


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Items]:
    folder: Path = tmp_path_factory.mktemp("query") / "notes.tide"
    with tidelog.create(folder, "Notes", key=KEY) as workspace:
        items = workspace.database("main").collection("items")
        items.put_many(VECTORS["items"])
        yield items


def ask(items: Items, case: dict[str, Any]) -> tidelog.Page[tidelog.Item[Any]]:
    return items.query(
        case.get("where"),
        sort=case.get("sort", ()),
        limit=case.get("limit"),
        offset=case.get("offset", 0),
        ids=case.get("ids"),
    )


@pytest.mark.parametrize("case", VECTORS["queries"], ids=str)
def test_a_query_gives_its_keys_in_order(items: Items, case: dict[str, Any]) -> None:
    assert [item.key for item in ask(items, case)] == case["keys"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=str)
def test_a_query_that_makes_no_sense_says_where(items: Items, case: dict[str, Any]) -> None:
    with pytest.raises(tidelog.InvalidArgumentError) as refused:
        ask(items, case)
    assert case["says"] in str(refused.value)
