"""A read replica serves the listing of sessions, and nothing that must show one's own writes; without it the primary does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from aurite.errors import StoreReadOnlyError
from aurite.model.records import NewMessage, NewRun, NewSession, SessionFilter
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres import database
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from tests.clusters import Cluster, free_port
from tests.postgres.conftest import Open
from tests.postgres.programs import hand, seconds_until


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Cluster, Cluster]]:
    """A primary and its streaming replica."""
    settings = {"wal_level": "replica", "hot_standby_feedback": "on", "max_connections": "30"}
    primary = Cluster(settings=settings).start()
    replica = Cluster(settings=settings, copy_of=primary).start()
    yield primary, replica
    replica.remove()
    primary.remove()


@pytest.fixture
def primary(servers: tuple[Cluster, Cluster]) -> Iterator[PostgresTarget]:
    server, copy = servers
    name = server.create_database()
    target = server.target(name)
    PostgresDatabase(target, watch=False).close()
    resume(copy, name)
    yield target
    with copy.connect() as connection:
        connection.execute("SELECT pg_wal_replay_resume()")
    server.drop_database(name)


def resume(copy: Cluster, dbname: str) -> None:
    """Let the replica catch up, and wait until it knows the database."""
    with copy.connect() as connection:
        connection.execute("SELECT pg_wal_replay_resume()")

        def is_there() -> bool:
            return bool(connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [dbname]).fetchall())

        seconds_until(is_there, within=20)


def caught_up(primary: PostgresTarget, copy: Cluster) -> None:
    """Wait until the replica shows all that was committed."""
    with hand(primary) as writing, hand(replace(primary, port=copy.port)) as reading:
        last = writing.execute("SELECT pg_current_wal_lsn()").fetchone()
        assert last is not None
        replayed = "SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn"
        seconds_until(lambda: reading.execute(replayed, [last[0]]).fetchone() == (True,), within=20)


def pause(copy: Cluster) -> None:
    """Have the replica stand still: whatever it shows from now on is old."""
    with copy.connect() as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        seconds_until(lambda: connection.execute("SELECT pg_get_wal_replay_pause_state()").fetchone() == ("paused",), within=10)


def start(sessions: SqlSessionStore, session_id: str) -> None:
    sessions.start_run(NewSession(session_id, "agent", "a"), NewRun(f"run of {session_id}"), [NewMessage("user", "{}")])


def listed(sessions: SqlSessionStore) -> list[str]:
    return sorted(session.session_id for session in sessions.list(SessionFilter(), limit=10).sessions)


def test_listing_is_served_by_the_replica_and_everything_else_is_not(
    servers: tuple[Cluster, Cluster], primary: PostgresTarget, opened: Open
) -> None:
    _, copy = servers
    with_replica = opened(primary, replica=replace(primary, port=copy.port))
    sessions = SqlSessionStore(with_replica)
    start(sessions, "agent-x")
    caught_up(primary, copy)
    pause(copy)
    start(sessions, "agent-y")
    assert listed(sessions) == ["agent-x"], "the listing does not come from the replica"
    assert sessions.count(SessionFilter()) == 1
    assert [session.session_id for session in sessions.iterate(SessionFilter())] == ["agent-x"]
    without = SqlSessionStore(opened(primary, watch=False))
    assert listed(without) == ["agent-x", "agent-y"]  # the control: without a replica, the same listing shows it

    found = sessions.get("agent-y")
    assert found is not None
    assert sessions.find("y") == found
    assert len(sessions.messages("agent-y")) == len(sessions.last_messages("agent-y", 5)) == 1
    assert len(sessions.runs("agent-y")) == 1
    assert sessions.append("agent-y", [NewMessage("user", "{}")]) == 2
    assert sessions.tag("agent-y", add=["t"]).tags == ("t",)
    assert SqlComponentStore(with_replica).load().version == 0
    assert sessions.delete(["agent-y"]).messages == 2
    resume(copy, primary.dbname)
    seconds_until(lambda: listed(sessions) == ["agent-x"], within=20)


def test_a_replica_that_is_gone_leaves_the_listing_to_the_primary_and_is_used_again_when_it_is_back(
    servers: tuple[Cluster, Cluster], primary: PostgresTarget, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, copy = servers
    monkeypatch.setattr(database, "REPLICA_RESTS", 0.5)
    sessions = SqlSessionStore(opened(primary, replica=replace(primary, port=copy.port)))
    start(sessions, "agent-x")
    caught_up(primary, copy)
    assert listed(sessions) == ["agent-x"]
    copy.stop("immediate")
    try:
        for number in range(3):
            start(sessions, f"agent-{number}")
            assert f"agent-{number}" in listed(sessions), "the listing shows less than the primary has"
        assert sessions.count(SessionFilter()) == 4
    finally:
        copy.start()
    caught_up(primary, copy)
    pause(copy)
    start(sessions, "agent-y")
    seconds_until(lambda: "agent-y" not in listed(sessions), within=5)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "127.0.0.1"])
def test_a_replica_that_was_never_there_costs_nothing_but_itself(primary: PostgresTarget, opened: Open, host: str) -> None:
    sessions = SqlSessionStore(opened(primary, replica=replace(primary, host=host, port=free_port())))
    start(sessions, "agent-x")
    assert listed(sessions) == ["agent-x"]


def test_a_replica_that_does_not_answer_is_not_asked_again_and_again(primary: PostgresTarget, opened: Open) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nowhere = replace(primary, port=silent.getsockname()[1], parameters={"connect_timeout": "2"})
        sessions = SqlSessionStore(opened(primary, replica=nowhere))
        start(sessions, "agent-x")
        started = time.monotonic()
        for _ in range(10):
            assert listed(sessions) == ["agent-x"]
        assert time.monotonic() - started < 5, "each listing waits for it anew"


def test_a_replica_taken_for_the_primary_is_told_as_read_only_and_can_still_be_read(
    servers: tuple[Cluster, Cluster], primary: PostgresTarget, opened: Open
) -> None:
    _, copy = servers
    start(SqlSessionStore(opened(primary, watch=False)), "agent-x")
    caught_up(primary, copy)
    standby = opened(replace(primary, port=copy.port))
    sessions = SqlSessionStore(standby)
    assert listed(sessions) == ["agent-x"]
    with pytest.raises(StoreReadOnlyError, match="standby"):
        start(sessions, "agent-y")
    assert standby.config_version() == 0
    with hand(primary) as connection:
        connection.execute("INSERT INTO components (type, name, document) VALUES ('llm', 'a', '{}')")
    seconds_until(lambda: standby.config_version() == 1, within=10)  # LISTEN is not to be had there, so by polling
