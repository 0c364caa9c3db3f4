"""What grows with what: laws that hold on any machine, asserted with wide margins. ``python -m bench`` has the figures.

Each law compares two sizes, measured by turns, so that a busy machine slows both; the least of many times is what the work takes
when nobody disturbs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import pytest

from aurite.config.manager import ConfigManager
from aurite.model.records import Author, Create, NewMessage, NewRun, NewSession, SessionFilter
from aurite.storage.components import SqlComponentStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.testing.samples import agent_document

MESSAGE = NewMessage("user", '{"role":"user","content":"' + "x" * 450 + '"}')
PROMPT = "x" * 450


def by_turns(*works: Callable[[], object], rounds: int) -> list[float]:
    """The least seconds that each work took."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, seconds in zip(works, taken, strict=True):
            started = perf_counter()
            work()
            seconds.append(perf_counter() - started)
    return [min(seconds) for seconds in taken]


def start(store: SqlSessionStore, session_id: str, length: int) -> None:
    session = NewSession(session_id=session_id, kind="agent", name="Weather")
    store.start_run(session, NewRun(f"run-{session_id}"), [MESSAGE] * length)


@contextmanager
def sessions_in(path: Path) -> Iterator[SqlSessionStore]:
    store = SqlSessionStore(SqliteDatabase(path, synchronous="OFF"))  # the disk's moods are not what is measured
    yield store
    store.close()


@contextmanager
def components_in(path: Path, count: int) -> Iterator[SqlComponentStore]:
    store = SqlComponentStore(SqliteDatabase(path, synchronous="OFF"))
    names = [f"agent {number}" for number in range(count)]
    store.write([Create("agent", name, agent_document(name, system_prompt=PROMPT)) for name in names], author=Author("test"))
    yield store
    store.close()


def test_appending_to_a_long_session_costs_what_it_costs_in_a_short_one(tmp_path: Path) -> None:
    with sessions_in(tmp_path / "a.db") as store:
        start(store, "short", 0)
        start(store, "long", 5_000)
        short, long = by_turns(
            lambda: store.append("short", [MESSAGE]),
            lambda: store.append("long", [MESSAGE]),
            rounds=500,
        )
    assert long <= 1.5 * short


def test_the_end_of_a_long_session_is_read_as_fast_as_that_of_a_short_one(tmp_path: Path) -> None:
    with sessions_in(tmp_path / "a.db") as store:
        start(store, "short", 20)
        start(store, "long", 5_000)
        short, long = by_turns(
            lambda: store.last_messages("short", 20),
            lambda: store.last_messages("long", 20),
            rounds=200,
        )
    assert long <= 2 * short


def test_reading_a_session_takes_time_in_proportion_to_its_length(tmp_path: Path) -> None:
    with sessions_in(tmp_path / "a.db") as store:
        start(store, "short", 500)
        start(store, "long", 5_000)
        short, long = by_turns(lambda: store.messages("short"), lambda: store.messages("long"), rounds=15)
    assert long <= 10 * 2 * short


def test_reading_one_component_costs_the_same_whatever_the_size_of_the_index(tmp_path: Path) -> None:
    with components_in(tmp_path / "small.db", 100) as few, components_in(tmp_path / "large.db", 10_000) as many:
        small, large = (ConfigManager(store, author=Author("test")) for store in (few, many))
        of_few, of_many = by_turns(
            lambda: small.get_config("agent", "agent 50"),
            lambda: large.get_config("agent", "agent 50"),
            rounds=1_000,
        )
    assert of_many <= 2 * of_few


def test_another_process_sees_a_change_at_a_cost_far_below_loading_all(tmp_path: Path) -> None:
    with components_in(tmp_path / "a.db", 10_000) as store:
        reader = ConfigManager(store, author=Author("test"))
        writer = SqlComponentStore(SqliteDatabase(tmp_path / "a.db", synchronous="OFF"))
        changes = iter(range(100))

        def see_a_change() -> None:
            name = f"new {next(changes)}"
            writer.write([Create("agent", name, agent_document(name))], author=Author("other"))
            assert reader.get_config("agent", name) is not None

        one, everything = by_turns(see_a_change, store.load, rounds=10)
        writer.close()
    assert one <= everything / 3


def test_loading_an_index_takes_time_in_proportion_to_it(tmp_path: Path) -> None:
    with components_in(tmp_path / "small.db", 4_000) as few, components_in(tmp_path / "large.db", 20_000) as many:
        of_few, of_many = by_turns(few.load, many.load, rounds=7)
    assert of_many <= 5 * 3 * of_few  # besides, the smaller one may fit into caches


OLDEST = 1_200
"""What is looked for is among the oldest: without its index, all that came later is walked over."""

FILTERS = {
    "any": SessionFilter(),
    "agent": SessionFilter(agent="agent 3"),
    "workflow": SessionFilter(workflow="workflow 4"),
    "base": SessionFilter(base_session_id="base"),
    "parent": SessionFilter(parent_session_id="base"),
    "status": SessionFilter(status="failed"),
    "tag": SessionFilter(tag="release"),
    "since": SessionFilter(created_from=1_000_000),
    "until": SessionFilter(created_until=1_000_000),
}


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SqlSessionStore, SqlSessionStore]]:
    """A store of 2,000 sessions and one of 20,000."""
    folder = tmp_path_factory.mktemp("listed")
    with sessions_in(folder / "small.db") as few, sessions_in(folder / "large.db") as many:
        fill(folder / "small.db", 2_000)
        fill(folder / "large.db", 20_000)
        yield few, many


def fill(path: Path, count: int) -> None:
    database = SqliteDatabase(path, synchronous="OFF")
    rows = []
    for number in range(count):
        old = number < OLDEST
        kind = "agent" if number % 2 else "workflow"
        name = f"{kind} {number % 20}" if old else "another"
        status = "failed" if old and number % 10 == 3 else "completed"
        base, parent = ("base", "base") if old and number % 10 == 1 else (f"s{number}", None)
        rows.append((f"s{number}", base, parent, kind, name, status, number * 1_000, number * 1_000))
    with database.transaction() as work:
        work.run_many(
            "INSERT INTO sessions (session_id, base_session_id, parent_session_id, kind, name, status, created_at, active_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        work.run(
            "INSERT INTO session_tags (session_id, tag, created_at)"
            " SELECT session_id, CASE WHEN created_at < ? THEN 'release' ELSE 'later' END, created_at FROM sessions",
            OLDEST * 1_000,
        )
    database.close()


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
def test_listing_the_newest_costs_the_same_in_a_store_ten_times_larger(
    listed: tuple[SqlSessionStore, SqlSessionStore], wanted: SessionFilter
) -> None:
    few, many = listed
    assert len(few.list(wanted, limit=50).sessions) == len(many.list(wanted, limit=50).sessions) == 50
    of_few, of_many = by_turns(
        lambda: few.list(wanted, limit=50),
        lambda: many.list(wanted, limit=50),
        rounds=100,
    )
    assert of_many <= 2 * of_few


def test_listing_by_recent_activity_costs_the_same_in_a_store_ten_times_larger(
    listed: tuple[SqlSessionStore, SqlSessionStore],
) -> None:
    few, many = listed
    of_few, of_many = by_turns(
        lambda: few.list(SessionFilter(), limit=50, order="active"),
        lambda: many.list(SessionFilter(), limit=50, order="active"),
        rounds=100,
    )
    assert of_many <= 2 * of_few
