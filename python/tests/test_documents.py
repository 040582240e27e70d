"""Documents: edits by path, text counted as Python counts."""

import pytest
import tidelog


@pytest.fixture
def document(database: tidelog.Database) -> tidelog.Document:
    return database.collection("notes", policy="document").document("a")


def test_edits_build_a_document(document: tidelog.Document) -> None:
    with document.change() as edits:
        edits.set("title", "Notes")
        edits.set("tasks", [{"name": "one"}])
        edits.insert("tasks", 1, {"name": "two"})
        edits.increment("views", 2)
    document.increment("views")
    document.delete("tasks.0")
    assert document.get() == {"title": "Notes", "tasks": [{"name": "two"}], "views": 3}
    assert document.get("tasks.0.name") == "two"
    assert document.get("nothing") is None


def test_text_positions_are_those_of_python(document: tidelog.Document) -> None:
    text = "a\U0001f30a\u00e9e\u0301z"
    document.set("body", text)
    position = text.index("z")
    document.splice_text("body", position, 1, "\U0001f642!")
    assert document.text("body") == text[:position] + "\U0001f642!"


def test_a_change_is_one_entry_and_all_or_nothing(document: tidelog.Document, database: tidelog.Database) -> None:
    document.set("n", 1)
    entries = len(database.log().entry_ids())
    with pytest.raises(tidelog.TidelogError), document.change() as edits:
        edits.set("n", 2)
        edits.splice_text("n", 0, 0, "a number has no text")
    assert document.get("n") == 1
    with pytest.raises(RuntimeError), document.change() as edits:
        edits.set("n", 3)
        raise RuntimeError
    assert document.get("n") == 1
    assert len(database.log().entry_ids()) == entries


def test_a_document_tells_its_history_and_changes(document: tidelog.Document) -> None:
    with document.watch() as watch:
        document.set("n", 1)
        event = next(watch)
        assert isinstance(event, tidelog.Event)
        assert (event.kind, event.key) == ("merge", "a")
    heads = document.heads()
    document.set("n", 2)
    assert document.heads() != heads
    assert [version.kind for version in document.history()] == ["change", "change"]


def test_only_collections_of_documents_have_them(database: tidelog.Database) -> None:
    with pytest.raises(tidelog.PolicyConflictError):
        database.collection("items").document("a")
