"""Items: writing, reading, querying, watching."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest
import tidelog


@dataclass
class Film:
    id: str
    title: str
    year: int


FILMS = [Film("alien", "Alien", 1979), Film("blade", "Blade Runner", 1982), Film("cube", "Cube", 1997)]

Films = tidelog.Collection[Film, Film]


@pytest.fixture
def films(database: tidelog.Database) -> Films:
    films = database.collection("films", Film)
    films.put_many(FILMS)
    return films


def test_items_outlive_the_workspace(tmp_path: Any) -> None:
    with tidelog.open(tmp_path / "a.tide", key=bytes(32), create="Films") as workspace:
        workspace.database("main").collection("films", Film).put(FILMS[0])
    with tidelog.open(tmp_path / "a.tide", key=bytes(32), create="never used") as workspace:
        assert workspace.name == "Films"
        assert workspace.databases() == ["main"]
        assert workspace.database("main").collections() == ["films"]
        assert workspace.database("main").collection("films", Film).get("alien") == FILMS[0]


def test_a_passphrase_or_a_function_opens_too(tmp_path: Any) -> None:
    with tidelog.create(tmp_path / "a.tide", "A", passphrase="correct horse"):
        pass
    with tidelog.open(tmp_path / "a.tide", passphrase="correct horse"):
        pass
    with tidelog.create(tmp_path / "b.tide", "B", key=lambda: bytes(32)):
        pass


def test_reading_what_is_not_there(films: Films) -> None:
    assert films.get("dune") is None
    assert films.delete("dune") is False
    assert films.first({"year": 1}) is None
    with pytest.raises(tidelog.NotFoundError):
        films.patch("dune", year=2021)


def test_put_replaces_and_delete_removes(films: Films) -> None:
    films.put(Film("alien", "Aliens", 1986))
    assert films.get("alien") == Film("alien", "Aliens", 1986)
    assert films.delete("alien") is True
    assert films.get("alien") is None


def test_put_under_a_key_fills_it_in_and_refuses_another(database: tidelog.Database) -> None:
    films = database.collection("films", key="id")
    films.put("a", {"title": "A"})
    assert films.get("a") == {"id": "a", "title": "A"}
    with pytest.raises(tidelog.InvalidArgumentError):
        films.put("a", {"id": "b"})
    with pytest.raises(tidelog.InvalidArgumentError):
        films.put({"title": "no key"})


def test_insert_makes_keys_and_refuses_a_taken_one(films: Films, database: tidelog.Database) -> None:
    film = films.insert(Film("", "Dune", 2021))
    assert film.id
    assert films.get(film.id) == film
    with pytest.raises(tidelog.AlreadyExistsError):
        films.insert(FILMS[0])
    notes = database.collection("notes")
    note = notes.insert("a note without fields")
    assert notes.get(note.key) == "a note without fields"


def test_put_many_says_what_it_did(database: tidelog.Database) -> None:
    films = database.collection("films", Film)
    summary = films.put_many(Film(str(number), "t", number) for number in range(500))
    assert summary.items == 500
    assert summary.entries < 500
    assert films.count() == 500
    assert database.collection("notes").put_many({"a": 1, "b": 2}).items == 2


def test_queries_filter_sort_and_page(films: Films) -> None:
    assert films.query({"year": {"ge": 1982}}, sort="-year") == [FILMS[2], FILMS[1]]
    assert films.query({"or": [{"title": {"prefix": "A"}}, {"title": "Cube"}]}, sort=["title"]) == [FILMS[0], FILMS[2]]
    assert films.query(ids=["cube", "dune"]) == [FILMS[2]]
    assert films.count({"year": {"lt": 1990}}) == 2
    assert films.first(sort="-year") == FILMS[2]
    page = films.query(sort="year", limit=2)
    assert page == FILMS[:2]
    assert films.query(sort="year", limit=2, cursor=page.cursor) == FILMS[2:]
    assert films.query(sort="year", offset=1) == FILMS[1:]


def test_a_query_that_makes_no_sense_says_where(films: Films) -> None:
    with pytest.raises(tidelog.InvalidArgumentError, match="year"):
        films.query({"year": {"gte": 1999}})
    with pytest.raises(tidelog.InvalidArgumentError, match="limit"):
        films.query(limit=-1)
    with pytest.raises(tidelog.InvalidArgumentError, match="offset"):
        films.query(offset=2**32)


def test_update_sees_the_item_and_replaces_or_deletes_it(films: Films) -> None:
    updated = films.update("alien", lambda film: Film("alien", film.title + "!", film.year) if film else None)
    assert updated == films.get("alien") == Film("alien", "Alien!", 1979)
    assert films.update("dune", lambda film: film or Film("", "Dune", 2021)) == Film("dune", "Dune", 2021)
    assert films.update("alien", lambda film: None) is None
    assert films.get("alien") is None


def test_updates_from_many_threads_lose_nothing(database: tidelog.Database) -> None:
    counters = database.collection("counters")
    counters.put("n", 0)
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        for _ in range(10):
            counters.update("n", lambda value: (value or 0) + 1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.get("n") == 40


def test_a_transaction_is_seen_as_a_whole_or_not_at_all(films: Films, database: tidelog.Database) -> None:
    notes = database.collection("notes")
    with database.transaction() as transaction:
        inside = transaction.collection(films)
        inside.patch("alien", year=1980)
        inside.delete("cube")
        dune = inside.insert(Film("", "Dune", 2021))
        inside.put(Film("e", "Eraser", 1996))
        transaction.collection(notes).put("n", "note")
        assert inside.get("alien") == Film("alien", "Alien", 1980)
        assert inside.get("cube") is None
        assert films.get("cube") is not None
    assert films.get("alien") == Film("alien", "Alien", 1980)
    assert films.get(dune.id) == dune
    assert films.get("cube") is None
    assert notes.get("n") == "note"


def test_a_transaction_that_fails_changes_nothing(films: Films, database: tidelog.Database) -> None:
    with pytest.raises(RuntimeError), database.transaction() as transaction:
        transaction.collection(films).delete("alien")
        raise RuntimeError
    assert films.get("alien") is not None
    with pytest.raises(tidelog.ClosedError):
        transaction.commit()


def test_history_tells_every_version(films: Films, workspace: tidelog.Workspace) -> None:
    films.patch("alien", year=1980)
    films.delete("alien")
    versions = films.history("alien")
    assert [version.kind for version in versions] == ["put", "put", "delete"]
    assert versions[1].value["year"] == 1980
    assert all(version.local and version.author == workspace.me.device for version in versions)
    assert versions[0].time <= versions[1].time <= versions[2].time


def test_own_items_are_apart(films: Films, workspace: tidelog.Workspace) -> None:
    films.own().put(Film("alien", "mine", 1))
    assert films.get("alien") == FILMS[0]
    assert films.of(workspace.me.user).get("alien") == Film("alien", "mine", 1)
    with pytest.raises(tidelog.InvalidArgumentError):
        films.of("nobody")


def test_watching_gives_one_event_for_each_change(films: Films) -> None:
    with films.watch() as watch, films.watch("alien") as one:
        films.put(Film("alien", "Alien", 1980))
        films.delete("cube")
        first, second = next(watch), next(watch)
        assert isinstance(first, tidelog.Event)
        assert (first.kind, first.key, first.old, first.new) == ("put", "alien", FILMS[0], Film("alien", "Alien", 1980))
        assert first.local
        assert isinstance(second, tidelog.Event)
        assert (second.kind, second.key, second.old, second.new) == ("delete", "cube", FILMS[2], None)
        only = next(one)
        assert isinstance(only, tidelog.Event)
        assert only.entry == first.entry


def test_a_watch_can_begin_with_what_is_there(films: Films, workspace: tidelog.Workspace) -> None:
    with films.watch(initial=True) as watch:
        events = [next(watch) for _ in FILMS]
    assert [(event.kind, event.new) for event in events if isinstance(event, tidelog.Event)] == [
        ("current", film) for film in FILMS
    ]
    with workspace.watch("ma*", initial=True) as everything:
        event = next(everything)
        assert isinstance(event, tidelog.Event)
        assert (event.database, event.collection, event.key) == ("main", "films", "alien")


def test_a_slow_reader_is_told_what_it_missed(films: Films) -> None:
    with films.watch() as watch:
        films.put_many(Film(str(number), "t", number) for number in range(5000))
        event = next(watch)
        assert isinstance(event, tidelog.Lagged)
        assert event.lost > 0


def test_a_live_list_follows_its_query(films: Films) -> None:
    with films.live({"year": {"ge": 1980}}, sort="year") as live:
        assert next(live) == FILMS[1:]
        films.put(Film("dune", "Dune", 2021))
        assert next(live) == [*FILMS[1:], Film("dune", "Dune", 2021)]
        films.delete("blade")
        assert [film.id for film in next(live)] == ["cube", "dune"]


def test_stopping_ends_an_iteration_on_another_thread(films: Films) -> None:
    watch = films.watch()
    seen: list[object] = []
    thread = threading.Thread(target=lambda: seen.extend(watch))
    thread.start()
    watch.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert seen == []


def test_a_policy_is_part_of_a_collection(films: Films, database: tidelog.Database) -> None:
    with pytest.raises(tidelog.PolicyConflictError):
        database.collection("films", policy="document").document("alien").set("title", "Alien")
    with pytest.raises(tidelog.InvalidArgumentError):
        database.collection("films", policy="newest")  # type: ignore[call-overload]


def test_figures_and_verification(films: Films, workspace: tidelog.Workspace) -> None:
    stats = workspace.stats()
    assert stats.users == stats.devices == 1
    assert stats.entries > 0
    report = workspace.verify()
    assert report.entries == stats.entries
    assert report.problems == []
    assert workspace.me.role == "owner"
    assert [member.me for member in workspace.members()] == [True]
