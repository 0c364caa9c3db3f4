"""Several processes on one PostgreSQL database: nothing is lost, nobody starves, and a kill leaves nothing half done."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import pytest

from aurite.errors import SessionNotFoundError
from aurite.model.jsontext import decode
from aurite.model.records import NewMessage, NewRun, NewSession, RunEnd
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.schema import CURRENT
from aurite.storage.sessions import SqlSessionStore
from tests.clusters import Server
from tests.postgres.conftest import Open
from tests.postgres.programs import PostgresWorker, hand, seconds_until, told
from tests.processes.programs import all_at_once

PROCESSES = 8


@pytest.mark.slow
@pytest.mark.parametrize("schema", [None, "a schema that is not there"])
def test_eight_processes_start_on_an_empty_database_at_once(postgres_server: Server, opened: Open, schema: str | None) -> None:
    for _ in range(2):
        name = postgres_server.create_database()
        target = postgres_server.target(name, schema=schema)
        assert all_at_once("open-database", [(told(target),)] * PROCESSES, PostgresWorker) == [[0]] * PROCESSES
        database = opened(target, watch=False)
        assert database.check() == []
        assert database.read("SELECT count(*) FROM store_meta") == [(1,)]
        steps = CURRENT["postgresql"]
        assert database.read("SELECT count(*), max(version) FROM schema_migrations") == [(steps, steps)]
        database.close()
        postgres_server.drop_database(name)


@pytest.mark.slow
def test_eight_processes_create_four_hundred_components_and_all_progress(postgres: PostgresTarget, opened: Open) -> None:
    stamps = all_at_once("create", [(told(postgres), writer, 50) for writer in range(PROCESSES)], PostgresWorker)
    database = opened(postgres, watch=False)
    snapshot = SqlComponentStore(database).load()
    assert set(snapshot.components) == {("llm", f"{writer}-{number}") for writer in range(PROCESSES) for number in range(50)}
    assert sorted(found.revision for found in snapshot.components.values()) == list(range(1, 401))
    assert snapshot.version == 400
    assert database.check() == []
    first_to_end = min(done[-1] for done in stamps)
    assert all(sum(instant <= first_to_end for instant in done) >= 5 for done in stamps)


@pytest.mark.slow
def test_eight_processes_append_to_one_session_and_lose_nothing(postgres: PostgresTarget, opened: Open) -> None:
    last = all_at_once("append", [(told(postgres), "agent-x", writer, 25) for writer in range(PROCESSES)], PostgresWorker)
    database = opened(postgres, watch=False)
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


@pytest.mark.slow
def test_a_kill_in_mid_write_leaves_the_database_as_before_or_after(postgres: PostgresTarget, opened: Open) -> None:
    chance = random.Random(4)
    end = time.monotonic() + 8
    stored, rounds = -1, 0
    database = opened(postgres, watch=False)
    while time.monotonic() < end:
        with PostgresWorker("churn", told(replace(postgres, parameters={"application_name": "churn"})), stored + 1) as worker:
            assert worker.line() == "ready"
            time.sleep(chance.uniform(0, 0.2))
            reported = worker.kill()
        acknowledged = reported[-1] if reported else stored
        _wait_until_it_is_gone(postgres)
        assert database.check() == []
        snapshot = SqlComponentStore(database).load()
        values = {found.config()["v"] for found in snapshot.components.values()}
        assert len(values) <= 1, "two components that are written together differ"
        assert {found.revision for found in snapshot.components.values()} <= {snapshot.version}
        contents = [decode(found.document)["content"][:2] for found in SqlSessionStore(database).messages("agent-churn")]
        assert [part for _, part in contents] == [0, 1] * (len(contents) // 2)
        components = int(str(values.pop())) if values else -1
        messages = contents[-1][0] if contents else -1
        assert acknowledged <= messages <= components <= acknowledged + 1
        stored, rounds = components, rounds + 1
    assert rounds >= 5


def _wait_until_it_is_gone(target: PostgresTarget) -> None:
    """The server notices a dead client when it next speaks to it; what it is doing it may yet finish."""
    with hand(target) as connection:
        query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'churn'"
        seconds_until(lambda: not connection.execute(query).fetchall(), within=10)


def test_a_forked_child_uses_and_hears_of_the_database_beside_its_parent(postgres: PostgresTarget, opened: Open) -> None:
    with PostgresWorker("fork", told(postgres), 20) as worker:
        assert worker.wait() == [[True, 0]], "parent and child do not see the same, or used one connection"
    database = opened(postgres, watch=False)
    names = {name for _, name in SqlComponentStore(database).load().components}
    assert names == {"before", "after", *(f"{who}-{number}" for who in ("parent", "child") for number in range(20))}
    assert database.check() == []


def _append_for_ever(sessions: SqlSessionStore) -> None:
    while True:
        sessions.append("agent-x", [NewMessage("user", "{}")])


def test_a_session_deleted_under_an_appender_is_told_and_nothing_comes_back(postgres: PostgresTarget, opened: Open) -> None:
    database, other = opened(postgres, watch=False), opened(postgres, watch=False)
    sessions = SqlSessionStore(database)
    for attempt in range(5):
        run = f"run-{attempt}"
        sessions.start_run(NewSession("agent-x", "agent", "a"), NewRun(run))
        with ThreadPoolExecutor(1) as executor:
            appending = executor.submit(_append_for_ever, sessions)
            seconds_until(lambda: bool(sessions.last_messages("agent-x", 1)), within=10)
            deleted = SqlSessionStore(other).delete(["agent-x"])
            with pytest.raises(SessionNotFoundError, match="agent-x"):
                appending.result(timeout=10)
        assert deleted.session_ids == ("agent-x",)
        with pytest.raises(SessionNotFoundError):
            sessions.end_run("agent-x", run, RunEnd("completed"))
        assert sessions.get("agent-x") is None
        assert sessions.messages("agent-x") == []
    assert database.check() == []
