"""Models: what is written must fit, what is read is one."""

import dataclasses
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Optional, TypedDict, cast
from uuid import UUID, uuid4

import pytest
import tidelog
from pydantic import BaseModel, Field


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Step:
    name: str
    minutes: float = 1.0


@dataclasses.dataclass
class Task:
    title: str
    id: str = ""
    done: bool = False
    due: Optional[datetime] = None  # noqa: UP045 - both spellings of it are to work.
    price: Decimal = Decimal(0)
    colour: Colour = Colour.RED
    token: UUID | None = None
    steps: list[Step] = dataclasses.field(default_factory=list)
    tags: set[str] = dataclasses.field(default_factory=set)
    size: tuple[int, int] = (0, 0)
    notes: dict[str, int] = dataclasses.field(default_factory=dict)
    state: Literal["open", "closed"] = "open"
    blob: bytes = b""


class Todo(BaseModel):
    id: str = ""
    title: str
    due: datetime | None = None
    done: bool = False
    price: Decimal = Decimal(0)
    colour: Colour = Colour.RED
    blob: bytes = b""
    priority: int = Field(default=0, ge=0, alias="prio")


class Movie(TypedDict):
    title: str
    year: int


FULL = Task(
    title="Calibrate",
    done=True,
    due=datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=timezone.utc),
    price=Decimal("19.90"),
    colour=Colour.BLUE,
    token=uuid4(),
    steps=[Step("warm up", 2), Step("measure", 2.5)],
    tags={"a", "b"},
    size=(3, 4),
    notes={"x": 1},
    state="closed",
    blob=b"\x00\xff",
)


def test_a_dataclass_comes_back_equal_with_its_key(database: tidelog.Database) -> None:
    tasks = database.collection("tasks", Task)
    task = tasks.insert(FULL)
    assert task.id
    assert task == dataclasses.replace(FULL, id=task.id)
    assert tasks.get(task.id) == task
    assert tasks.all() == [task]


def test_a_pydantic_model_comes_back_equal_with_its_key(database: tidelog.Database) -> None:
    todos = database.collection("todos", Todo)
    moment = datetime(2024, 2, 29, 12, 34, 56, 789000, tzinfo=timezone.utc)
    todo = todos.insert(Todo(title="a", due=moment, price=Decimal("1.50"), colour=Colour.BLUE, blob=b"\xff", prio=3))
    assert todo.id
    assert todos.get(todo.id) == todo
    assert (todo.due, todo.price, todo.colour, todo.blob, todo.priority) == (
        moment,
        Decimal("1.50"),
        Colour.BLUE,
        b"\xff",
        3,
    )
    assert todos.get_raw(todo.id)["prio"] == 3
    todos.patch(todo.id, priority=5, done=True)
    assert todos.get(todo.id) == todo.model_copy(update={"priority": 5, "done": True})


def test_a_typed_dictionary_without_id_gives_items(database: tidelog.Database) -> None:
    movies = database.collection("movies", Movie)
    movies.put("alien", {"title": "Alien", "year": 1979})
    assert movies.all() == [tidelog.Item("alien", {"title": "Alien", "year": 1979})]
    assert movies.insert({"title": "Cube", "year": 1997}).value["title"] == "Cube"


def test_any_field_can_be_the_key(database: tidelog.Database) -> None:
    movies = database.collection("movies", Movie, key="title")
    movies.put({"title": "Alien", "year": 1979})
    assert movies.get("Alien") == {"title": "Alien", "year": 1979}
    with pytest.raises(tidelog.InvalidArgumentError):
        database.collection("movies", Movie, key="name")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"title": 5}, "title"),
        ({"due": datetime(2024, 1, 1)}, "time zone"),
        ({"due": "soon"}, "due"),
        ({"colour": "green"}, "colour"),
        ({"steps": [Step(name=1)]}, r"steps\.0\.name"),  # type: ignore[arg-type]
        ({"size": (1,)}, "size"),
        ({"state": "lost"}, "state"),
        ({"notes": {"x": "y"}}, r"notes\.x"),
    ],
    ids=str,
)
def test_a_dataclass_that_does_not_fit_is_refused_with_its_place(
    database: tidelog.Database, changes: dict[str, Any], path: str
) -> None:
    tasks = database.collection("tasks", Task)
    with pytest.raises(tidelog.InvalidValueError, match=path):
        tasks.insert(dataclasses.replace(FULL, **changes))
    assert tasks.all() == []


def test_a_pydantic_model_changed_into_an_invalid_one_is_refused(database: tidelog.Database) -> None:
    todos = database.collection("todos", Todo)
    todo = Todo(id="a", title="a")
    todo.priority = -1
    with pytest.raises(tidelog.InvalidValueError, match="prio"):
        todos.put(todo)
    assert todos.all() == []


def test_every_kind_of_local_write_is_validated(database: tidelog.Database) -> None:
    todos = database.collection("todos", Todo)
    todos.put(Todo(id="a", title="a"))
    bad: Any = {"id": "a", "title": 5}
    with database.transaction() as transaction:
        inside = transaction.collection(todos)
        for write in (
            lambda: todos.put(bad),
            lambda: todos.put("a", bad),
            lambda: todos.put_many([bad]),
            lambda: todos.insert(bad),
            lambda: todos.patch("a", title=5),
            lambda: todos.update("a", lambda _: bad),
            lambda: inside.put(bad),
            lambda: inside.insert(bad),
            lambda: inside.patch("a", title=5),
        ):
            with pytest.raises(tidelog.InvalidValueError):
                write()
    assert todos.all() == [Todo(id="a", title="a")]


def test_an_item_that_does_not_fit_is_left_out_and_can_be_read_raw(
    database: tidelog.Database, caplog: pytest.LogCaptureFixture
) -> None:
    database.collection("todos").put("bad", {"id": "bad", "title": 98765})
    todos = database.collection("todos", Todo)
    todos.put(Todo(id="good", title="good"))
    assert [todo.id for todo in todos.all()] == ["good"]
    assert todos.get("bad") is None
    assert todos.first() == todos.get("good")
    assert todos.get_raw("bad") == {"id": "bad", "title": 98765}
    assert "item `bad` of collection `todos` is left out" in caplog.text
    assert "98765" not in caplog.text, "no value is logged"


def test_fields_of_a_newer_version_of_the_application_do_no_harm(database: tidelog.Database) -> None:
    database.collection("tasks").put("a", {"id": "a", "title": "t", "new_field": 1})
    assert database.collection("tasks", Task).get("a") == Task(id="a", title="t")


def test_a_dataclass_may_contain_itself(database: tidelog.Database) -> None:
    nodes = database.collection("nodes", Node)
    tree = Node("root", [Node("leaf", [])])
    nodes.put("tree", tree)
    assert nodes.get("tree") == tree


@dataclasses.dataclass
class Node:
    name: str
    children: "list[Node]"


def test_a_model_that_nothing_plain_stands_for_is_refused_at_once(database: tidelog.Database) -> None:
    @dataclasses.dataclass
    class Odd:
        stream: complex

    for model in (Odd, int, "Todo"):
        with pytest.raises(tidelog.InvalidArgumentError):
            database.collection("odd", cast("type[Odd]", model))
