"""Pruning deletes what the rule says and nothing else, on files, SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurite.errors import StorageError
from aurite.model.records import DeletedSessions, NewMessage, NewRun, NewSession, Page, RunEnd, SessionFilter, SessionKind
from aurite.storage.ports import SessionStore
from aurite.storage.session_files.store import FileSessionStore
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from aurite.transfer.retention import Pruned, Retention, prune
from tests.transfer.conftest import NewStore


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.instant = 0

    def __call__(self) -> int:
        return self.instant


class Log:
    """A store with sessions of which a test says when they were active."""

    def __init__(self, store: SessionStore, at: Callable[[str, int], None]) -> None:
        self.store = store
        self._at = at
        self._runs = count(1)

    def add(
        self,
        session_id: str,
        active: int,
        *,
        name: str = "a",
        kind: SessionKind = "agent",
        parent: str | None = None,
        base: str | None = None,
        ended: bool = True,
        messages: int = 1,
    ) -> None:
        run = NewRun(f"run-{next(self._runs)}")
        texts = [NewMessage("user", '{"role":"user"}')] * messages
        self._at(session_id, active)
        self.store.start_run(NewSession(session_id, kind, name, base_session_id=base, parent_session_id=parent), run, texts)
        if ended:
            self.store.end_run(session_id, run.run_id, RunEnd("completed"))
        self._at(session_id, active)

    def workflow(self, base: str, active: int, *, steps: tuple[int, ...]) -> None:
        self.add(f"workflow-{base}", active, kind="workflow", base=base, name="w")
        for number, instant in enumerate(steps):
            self.add(f"workflow-{base}-{number}", instant, parent=f"workflow-{base}", base=base)

    def left(self) -> list[str]:
        return sorted(session.session_id for session in self.store.iterate(SessionFilter()))


@pytest.fixture(params=["files", "sqlite", "postgresql"])
def log(request: pytest.FixtureRequest, new_store: NewStore, tmp_path: Path) -> Iterator[Log]:
    clock = Clock()

    def set_clock(_session_id: str, instant: int) -> None:
        clock.instant = instant

    if request.param == "postgresql":
        database = new_store("postgresql", schema=True)

        def set_row(session_id: str, instant: int) -> None:
            # The server's clock wrote it.
            database.sql(f"UPDATE sessions SET active_at = {instant}, created_at = {instant} WHERE session_id = '{session_id}'")

        with closing(SqlSessionStore(database.engine())) as store:
            yield Log(store, set_row)
        return
    store_: SessionStore = (
        FileSessionStore(tmp_path / "cache", clock=clock)
        if request.param == "files"
        else SqlSessionStore(SqliteDatabase(tmp_path / "a.db", clock=clock))
    )
    with closing(store_):
        yield Log(store_, set_clock)


def test_what_was_not_active_since_goes_and_what_was_stays(log: Log) -> None:
    for number in range(6):
        log.add(f"s{number}", 100 + number)
    pruned = prune(log.store, Retention(idle_since=103))
    assert pruned == Pruned(sessions=3, messages=3, batches=1, running=0)
    assert log.left() == ["s3", "s4", "s5"]


def test_the_most_recently_active_are_kept(log: Log) -> None:
    for number, active in enumerate([105, 101, 103, 100, 104, 102]):
        log.add(f"s{number}", active)
    assert prune(log.store, Retention(keep=2)).sessions == 4
    assert log.left() == ["s0", "s4"]
    assert prune(log.store, Retention(keep=2)).sessions == 0
    assert prune(log.store, Retention(keep=0)).sessions == 2
    assert log.left() == []


def test_with_both_limits_only_what_breaks_both_goes(log: Log) -> None:
    for number in range(6):
        log.add(f"s{number}", 100 + number)
    assert prune(log.store, Retention(idle_since=105, keep=3)).sessions == 3
    assert log.left() == ["s3", "s4", "s5"]
    assert prune(log.store, Retention(idle_since=104, keep=1)).sessions == 1
    assert log.left() == ["s4", "s5"]


def test_a_workflow_counts_once_and_takes_its_steps_along(log: Log) -> None:
    log.workflow("old", 100, steps=(100, 101, 102))
    log.workflow("new", 200, steps=(200, 201, 202))
    log.add("single", 150)
    # Without counting once, the steps of "new" alone would fill what is kept.
    assert prune(log.store, Retention(keep=2)) == Pruned(sessions=4, messages=4, batches=1, running=0)
    assert log.left() == ["single", "workflow-new", "workflow-new-0", "workflow-new-1", "workflow-new-2"]


def test_a_workflow_with_a_step_that_was_active_lately_is_not_old(log: Log) -> None:
    log.workflow("w", 100, steps=(100, 300))
    log.workflow("v", 100, steps=(100, 150))
    prune(log.store, Retention(idle_since=200))
    assert log.left() == ["workflow-w", "workflow-w-0", "workflow-w-1"]


def test_a_step_is_never_pruned_by_itself(log: Log) -> None:
    log.workflow("w", 300, steps=(100, 100))
    assert prune(log.store, Retention(idle_since=200, filter=SessionFilter(agent="a"))).sessions == 0
    assert len(log.left()) == 3


def test_a_session_that_runs_stays_unless_it_is_included(log: Log) -> None:
    log.add("running", 100, ended=False)
    log.add("ran twice", 100, ended=False)
    log.add("ran twice", 100)  # its latest run has ended, an earlier one has not
    log.workflow("w", 100, steps=(100,))
    log.add("workflow-w-1", 100, parent="workflow-w", base="w", ended=False)
    log.add("done", 100)

    assert prune(log.store, Retention(idle_since=200)) == Pruned(sessions=1, messages=1, batches=1, running=3)
    assert log.left() == ["ran twice", "running", "workflow-w", "workflow-w-0", "workflow-w-1"]
    assert prune(log.store, Retention(idle_since=200, include_running=True)).sessions == 5
    assert log.left() == []


def test_a_filter_bounds_what_goes_and_what_is_counted(log: Log) -> None:
    for number in range(4):
        log.add(f"a{number}", 100 + number, name="a")
        log.add(f"b{number}", 200 + number, name="b")
    log.store.tag("b0", add=["x"])
    log.workflow("w", 50, steps=(50,))
    prune(log.store, Retention(keep=1, filter=SessionFilter(agent="a")))
    assert log.left() == ["a3", "b0", "b1", "b2", "b3", "workflow-w", "workflow-w-0"]
    prune(log.store, Retention(keep=0, filter=SessionFilter(tag="x")))
    prune(log.store, Retention(keep=0, filter=SessionFilter(workflow="w")))
    prune(log.store, Retention(keep=0, filter=SessionFilter(status="failed")))
    assert log.left() == ["a3", "b1", "b2", "b3"]


def test_a_dry_run_says_the_same_and_deletes_nothing(log: Log) -> None:
    for number in range(5):
        log.add(f"s{number}", 100 + number, messages=number)
    log.workflow("w", 90, steps=(90, 90))
    rule, told = Retention(keep=2), list[tuple[int, int]]()
    before = log.left()
    looked = prune(log.store, rule, batch=2, dry_run=True, progress=lambda sessions, messages: told.append((sessions, messages)))
    assert log.left() == before
    assert looked == prune(log.store, rule, batch=2)
    assert looked == Pruned(sessions=6, messages=6, batches=2, running=0)
    assert told == [(2, 3), (6, 6)]


def test_many_batches_and_pages_reach_every_session(log: Log) -> None:
    for number in range(520):
        log.add(f"s{number:03}", 1000 + number // 3)
    pruned = prune(log.store, Retention(keep=7), batch=50)
    assert (pruned.sessions, pruned.batches) == (513, 11)
    assert len(log.left()) == 7


class Others:
    """A store in which somebody else does something just before each deletion, and whose listings may be behind."""

    def __init__(self, store: SessionStore, *, before_delete: Callable[[], None] = lambda: None, page: Page | None = None) -> None:
        self._store = store
        self._before_delete = before_delete
        self._page = page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def list(self, *arguments: Any, **named: Any) -> Page:
        return self._page or self._store.list(*arguments, **named)

    def delete(self, session_ids: Sequence[str], *, dry_run: bool = False) -> DeletedSessions:
        self._before_delete()
        return self._store.delete(session_ids, dry_run=dry_run)


def test_what_somebody_else_deletes_meanwhile_hinders_nothing(log: Log) -> None:
    for number in range(4):
        log.add(f"s{number}", 100)
    others = iter(["s1", "s2"])

    def delete_another() -> None:
        for session_id in others:
            log.store.delete([session_id])
            break

    store = cast("SessionStore", Others(log.store, before_delete=delete_another))
    assert prune(store, Retention(keep=0)).sessions == 2
    assert log.left() == []


def test_what_is_used_after_the_listing_stays(log: Log) -> None:
    for number in range(3):
        log.add(f"s{number}", 100)
    behind = Page(log.store.list(SessionFilter(), limit=10, order="active").sessions, None)
    log.add("s1", 500)
    store = cast("SessionStore", Others(log.store, page=behind))
    assert prune(store, Retention(keep=0)).sessions == 2
    assert log.left() == ["s1"]


class FailingError(StorageError):
    """What a store raises in this test."""


def test_a_failure_keeps_the_batches_before_it(log: Log) -> None:
    for number in range(6):
        log.add(f"s{number}", 100 + number)
    deletions = count(1)

    def fail() -> None:
        if next(deletions) == 4:  # each batch looks first, then deletes
            raise FailingError("the store failed")

    with pytest.raises(FailingError):
        prune(cast("SessionStore", Others(log.store, before_delete=fail)), Retention(keep=0), batch=2)
    assert log.left() == ["s0", "s1", "s2", "s3"]


@dataclass(frozen=True)
class Planned:
    """A session that a property test makes: when it was active, below which earlier one, and whether a run goes on."""

    active: int
    below: int | None
    ended: bool


plans = st.lists(
    st.builds(Planned, st.integers(1, 9), st.one_of(st.none(), st.integers(0, 5)), st.sampled_from([True, True, True, False])),
    max_size=10,
)


def expected(planned: Sequence[Planned], idle_since: int | None, keep: int | None, *, include_running: bool) -> list[str]:
    """Who stays, by the words of the rule."""
    root = list(range(len(planned)))
    for number, one in enumerate(planned):
        if one.below is not None and one.below < number:
            root[number] = root[one.below]
    roots = sorted(set(root), key=lambda number: (-planned[number].active, f"s{number}"))
    gone = set()
    for place, number in enumerate(roots):
        family = [planned[other] for other in range(len(planned)) if root[other] == number]
        is_old = idle_since is None or all(one.active < idle_since for one in family)
        is_beyond = keep is None or place >= keep
        if is_old and is_beyond and (include_running or all(one.ended for one in family)):
            gone.add(number)
    return sorted(f"s{number}" for number in range(len(planned)) if root[number] not in gone)


@settings(max_examples=60, deadline=None)
@given(
    planned=plans,
    idle_since=st.one_of(st.none(), st.integers(0, 10)),
    keep=st.one_of(st.none(), st.integers(0, 5)),
    include_running=st.booleans(),
    batch=st.integers(1, 4),
    in_files=st.booleans(),
)
def test_any_sessions_go_or_stay_by_the_words_of_the_rule(
    *, planned: list[Planned], idle_since: int | None, keep: int | None, include_running: bool, batch: int, in_files: bool
) -> None:
    with TemporaryDirectory() as folder:
        clock = Clock()
        path = Path(folder) / "kept"
        store: SessionStore = (
            FileSessionStore(path, clock=clock)
            if in_files
            else SqlSessionStore(SqliteDatabase(path, clock=clock, synchronous="OFF"))
        )
        with closing(store):
            log = Log(store, lambda _, instant: setattr(clock, "instant", instant))
            for number, one in enumerate(planned):
                parent = f"s{one.below}" if one.below is not None and one.below < number else None
                log.add(f"s{number}", one.active, parent=parent, ended=one.ended)
            rule = Retention(idle_since=idle_since, keep=keep, include_running=include_running)
            looked = prune(store, rule, batch=batch, dry_run=True)
            assert looked == prune(store, rule, batch=batch)
            assert log.left() == expected(planned, idle_since, keep, include_running=include_running)
            assert looked.sessions == len(planned) - len(log.left())
