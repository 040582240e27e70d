"""Errors are one class for each code, the same codes as in every language."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tidelog
from conftest import KEY, ROOT
from tidelog import _errors, _tidelog

ERRORS = json.loads((ROOT / "tests" / "vectors" / "errors.json").read_text(encoding="utf-8"))["errors"]


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case["code"])
def test_the_class_of_a_code_is_public_and_carries_it(case: dict[str, str]) -> None:
    error = _errors.exception(case["code"], "why")
    assert type(error) is getattr(tidelog, case["python"])
    assert case["python"] in tidelog.__all__
    assert isinstance(error, tidelog.TidelogError)
    assert (error.code, str(error)) == (case["code"], "why")


def test_the_native_module_has_exactly_the_codes_of_the_vectors() -> None:
    assert sorted(_tidelog.error_codes()) == sorted(case["code"] for case in ERRORS)


def test_a_code_nobody_knows_is_internal() -> None:
    assert type(_errors.exception("brand_new", "why")) is tidelog.InternalError


def test_errors_of_a_kind_that_python_knows_are_of_that_kind() -> None:
    assert issubclass(tidelog.InvalidValueError, ValueError)
    assert issubclass(tidelog.InvalidArgumentError, ValueError)
    assert issubclass(tidelog.NotFoundError, LookupError)
    assert issubclass(tidelog.TimeoutError, TimeoutError)


def test_a_folder_without_a_workspace_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(tidelog.NotAWorkspaceError):
        tidelog.open(tmp_path / "nothing.tide", key=KEY)


def test_a_wrong_key_is_told_apart(tmp_path: Path) -> None:
    with tidelog.create(tmp_path / "notes.tide", "Notes", key=KEY):
        pass
    with pytest.raises(tidelog.WrongKeyError):
        tidelog.open(tmp_path / "notes.tide", key=bytes(32))


def test_a_second_opener_is_refused(tmp_path: Path, workspace: tidelog.Workspace) -> None:
    with pytest.raises(tidelog.AlreadyOpenError):
        tidelog.open(tmp_path / "notes.tide", key=KEY)


def test_a_second_workspace_in_a_folder_is_refused(tmp_path: Path) -> None:
    with tidelog.create(tmp_path / "notes.tide", "Notes", key=KEY):
        pass
    with pytest.raises(tidelog.AlreadyExistsError):
        tidelog.create(tmp_path / "notes.tide", "Notes", key=KEY)


@pytest.mark.parametrize("secrets", [{}, {"passphrase": "p", "key": KEY}, {"key": b"short"}])
def test_a_key_that_makes_no_sense_is_refused(tmp_path: Path, secrets: dict[str, object]) -> None:
    with pytest.raises(tidelog.InvalidArgumentError):
        tidelog.create(tmp_path / "notes.tide", "Notes", **secrets)  # type: ignore[arg-type]


def test_after_shutdown_every_call_says_closed(workspace: tidelog.Workspace) -> None:
    todos = workspace.database("main").collection("todos", key="id")
    todos.put({"id": "a"})
    workspace.shutdown()
    workspace.shutdown()
    for call in (
        lambda: todos.put({"id": "b"}),
        lambda: todos.get("a"),
        todos.all,
        lambda: list(todos.live()),
        workspace.databases,
        workspace.stats,
    ):
        with pytest.raises(tidelog.ClosedError):
            call()
    assert list(todos.watch()) == []


def test_arguments_that_make_no_sense_are_named(workspace: tidelog.Workspace, tmp_path: Path) -> None:
    database = workspace.database("main")
    items = database.collection("items")
    document = database.collection("pages", policy="document").document("p")
    itself: list[Any] = []
    itself.append(itself)
    wrong: list[tuple[type[Exception], str, Callable[[], object]]] = [
        (tidelog.InvalidArgumentError, "a key is 32 bytes", lambda: tidelog.open(tmp_path / "x", key=5)),  # type: ignore[arg-type]
        (tidelog.InvalidArgumentError, "a passphrase is text", lambda: tidelog.open(tmp_path / "x", passphrase=b"p")),  # type: ignore[arg-type]
        (tidelog.InvalidArgumentError, "`limit` is a whole number", lambda: items.query(limit=-1)),
        (tidelog.InvalidArgumentError, "`sort` is a field", lambda: items.query(sort=[5])),  # type: ignore[list-item]
        (tidelog.InvalidArgumentError, "`position` is a whole number", lambda: document.splice_text("t", -1, 0, "x")),
        (tidelog.InvalidValueError, "holds itself", lambda: items.put("k", itself)),
        (tidelog.InvalidValueError, "values of type object", lambda: items.put("k", object())),
    ]
    for kind, reason, call in wrong:
        with pytest.raises(kind, match=reason):
            call()
    assert items.all() == []


def test_null_is_a_value_that_can_be_updated(database: tidelog.Database) -> None:
    items = database.collection("items")
    items.put("k", None)
    assert items.all() == [tidelog.Item("k", None)]
    assert items.update("k", lambda value: {"was": value}) == {"was": None}
