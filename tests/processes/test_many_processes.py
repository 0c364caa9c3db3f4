"""Several processes on one SQLite database: nothing is lost, nobody starves, no error is seen."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from aurite.model.jsontext import decode
from aurite.storage.components import SqlComponentStore
from aurite.storage.schema import CURRENT
from aurite.storage.sessions import SqlSessionStore
from aurite.storage.sqlite.database import SqliteDatabase
from tests.processes.programs import all_at_once

PROCESSES = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "aurite.db"


def test_eight_processes_start_on_an_empty_database_at_once(path: Path) -> None:
    for attempt in range(2):
        fresh = path.with_name(f"{attempt}.db")
        assert all_at_once("open-database", [(fresh,)] * PROCESSES) == [[0]] * PROCESSES
        database = SqliteDatabase(fresh)
        assert database.check() == []
        with database.snapshot() as view:
            assert view.rows("SELECT count(*) FROM store_meta") == [(1,)]
            assert view.rows("SELECT count(*), count(DISTINCT version) FROM schema_migrations") == [(CURRENT["sqlite"],) * 2]
        database.close()


def test_eight_processes_create_four_hundred_components_and_all_progress(path: Path) -> None:
    stamps = all_at_once("create", [(path, writer, 50) for writer in range(PROCESSES)])
    database = SqliteDatabase(path)
    snapshot = SqlComponentStore(database).load()
    assert set(snapshot.components) == {("llm", f"{writer}-{number}") for writer in range(PROCESSES) for number in range(50)}
    assert sorted(found.revision for found in snapshot.components.values()) == list(range(1, 401))
    assert snapshot.version == 400
    assert database.check() == []
    database.close()
    first_to_end = min(done[-1] for done in stamps)
    assert all(sum(instant <= first_to_end for instant in done) >= 5 for done in stamps)


def test_eight_processes_append_to_one_session_and_lose_nothing(path: Path) -> None:
    last = all_at_once("append", [(path, "agent-x", writer, 25) for writer in range(PROCESSES)])
    database = SqliteDatabase(path)
    store = SqlSessionStore(database)
    found = store.messages("agent-x")
    assert [each.seq for each in found] == list(range(1, 401))
    for writer, seqs in enumerate(last):
        assert all(before < after for before, after in pairwise(seqs))
        for number, seq in enumerate(seqs):
            together = [decode(each.document)["content"] for each in found[seq - 2 : seq]]
            assert together == [[writer, number, 0], [writer, number, 1]]
    session = store.get("agent-x")
    assert session is not None
    assert session.message_count == 400
    assert len(store.runs("agent-x")) == PROCESSES
    assert database.check() == []
    database.close()


def test_of_eight_hot_writers_none_starves_and_none_sees_an_error(path: Path) -> None:
    reports = [report for (report,) in all_at_once("hot", [(path, writer, 3) for writer in range(PROCESSES)])]
    done = [report["done"] for report in reports]
    assert min(done) >= max(done) / 5, done
    assert max(report["longest"] for report in reports) < 2
    database = SqliteDatabase(path)
    assert database.config_version() == sum(done)
    database.close()
