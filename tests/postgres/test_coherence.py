"""Every process sees what another changed within a moment, whatever became of its listening connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from aurite.config.manager import ConfigManager
from aurite.storage.postgres.listener import POLL_EVERY
from aurite.storage.postgres.target import PostgresTarget
from aurite.testing.samples import llm_document
from tests.clusters import Cluster, Connection
from tests.postgres.conftest import Manage
from tests.postgres.programs import PostgresWorker, backends_of, hand, listeners_of, seconds_until, told

CONFIG = {"provider": "offline", "model": "m"}
SOON = 1.0
"""Far above what NOTIFY takes, far below what polling takes at its worst."""
AFTER_A_POLL = POLL_EVERY + 3
"""One round of polling, with a wide margin for a busy machine."""


def put(manager: ConfigManager, name: str, value: object) -> None:
    manager.put_components([{"type": "llm", "name": name, "v": value, **CONFIG}])


def value_of(manager: ConfigManager, name: str) -> object:
    return (manager.get_config("llm", name) or {}).get("v")


def watched_changes(manager: ConfigManager, worker: PostgresWorker, how_many: int) -> list[float]:
    """Seconds from the end of each write until the other process saw it, the shortest first."""
    delays = []
    for number in range(how_many):
        put(manager, "a", number)
        written = time.monotonic()
        value, seen = worker.line()
        assert value == number
        delays.append(seen - written)
        assert sum(delays) < 30, delays[-5:]
    return sorted(delays)


def p99(delays: list[float]) -> float:
    return delays[int(len(delays) * 0.99) - 1]


def test_a_change_in_one_process_is_seen_by_another_at_once(postgres: PostgresTarget, managed: Manage) -> None:
    manager = managed(postgres)
    with PostgresWorker("watch", told(postgres), "hear") as worker:
        assert worker.line() == "ready"
        delays = watched_changes(manager, worker, 200)
        assert p99(delays) < SOON / 2, delays[-5:]
        assert delays[len(delays) // 2] < 0.2
        put(manager, "a", "end")
        worker.wait()


def test_without_being_notified_the_same_process_would_see_it_much_later(postgres: PostgresTarget, managed: Manage) -> None:
    """The control for the test above: there, it is NOTIFY that makes the difference."""
    manager = managed(postgres)
    put(manager, "a", 0)
    with hand(postgres) as connection, PostgresWorker("watch", told(postgres), "hear") as worker:
        assert worker.line() == "ready"
        time.sleep(0.2)  # away from the look at its start
        connection.execute("SET session_replication_role = replica")  # no trigger, no NOTIFY, but the counter
        connection.execute("UPDATE store_meta SET config_version = config_version + 1")
        connection.execute("UPDATE components SET document = %s", [llm_document("a", v=1)])
        connection.execute(
            "INSERT INTO component_revisions (revision, type, name, change, writer, changed_at)"
            " SELECT config_version, 'llm', 'a', 'update', 'sql', 0 FROM store_meta"
        )
        written = time.monotonic()
        value, seen = worker.line()
        assert value == 1
        assert 0.3 < seen - written < AFTER_A_POLL
        put(manager, "a", "end")
        worker.wait()


def test_a_listener_that_lost_its_connection_is_back_before_anyone_notices(postgres: PostgresTarget, managed: Manage) -> None:
    target = replace(postgres, parameters={"application_name": "worker"})
    manager = managed(postgres)
    put(manager, "a", "first")
    with hand(postgres) as connection, PostgresWorker("watch", told(target), "hear") as worker:
        assert worker.line() == "ready"
        for number in range(3):
            ended = backends_of(connection, "worker")
            assert ended
            for pid in ended:
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])
            put(manager, "a", number)
            written = time.monotonic()
            value, seen = worker.line()
            assert value == number
            assert seen - written < AFTER_A_POLL
            seconds_until(lambda: bool(listeners_of(connection)), within=AFTER_A_POLL)
        delays = watched_changes(manager, worker, 20)
        assert delays[-1] < SOON, "it polls, and does not listen any more"
        put(manager, "a", "end")
        worker.wait()


@pytest.mark.slow
def test_behind_pgbouncer_polling_finds_changes(postgres: PostgresTarget, managed: Manage) -> None:
    manager = managed(postgres)
    with PostgresWorker("watch", told(replace(postgres, pgbouncer=True)), "hear") as worker:
        assert worker.line() == "ready"
        delays = watched_changes(manager, worker, 3)
        assert delays[-1] < AFTER_A_POLL
        assert delays[-1] > SOON / 2, "what was asked not to listen seems to listen"
        put(manager, "a", "end")
        worker.wait()


def test_a_process_with_force_refresh_sees_every_change_on_its_next_read(postgres: PostgresTarget, managed: Manage) -> None:
    manager, other = managed(postgres), managed(postgres, force_refresh=True)
    with hand(postgres) as connection:
        for number in range(50):
            put(manager, "a", number)
            assert value_of(other, "a") == number
            connection.execute("UPDATE components SET document = %s", [llm_document("a", v=-number)])
            assert value_of(other, "a") == -number
        assert listeners_of(connection) != []  # the first manager's; the other one has none
        assert len(listeners_of(connection)) <= 2


def test_one_that_does_not_watch_sees_changes_once_its_last_look_is_old(postgres: PostgresTarget, managed: Manage) -> None:
    manager, other = managed(postgres), managed(postgres, watch=False)
    put(manager, "a", 1)
    assert seconds_until(lambda: value_of(other, "a") == 1, within=AFTER_A_POLL) > 0.5


HAND_EDITS: dict[str, tuple[str, list[object], dict[str, object]]] = {
    "insert": (
        "INSERT INTO components (type, name, document) VALUES ('llm', 'new', %s)",
        [llm_document("new", v=3)],
        {"a": 1, "b": 2, "new": 3},
    ),
    "update of one": ("UPDATE components SET document = %s WHERE name = 'a'", [llm_document("a", v=3)], {"a": 3, "b": 2}),
    "update of many": (
        "UPDATE components SET document = replace(replace(document, '\"v\":1', '\"v\":4'), '\"v\":2', '\"v\":4')",
        [],
        {"a": 4, "b": 4},
    ),
    "rename": (
        "UPDATE components SET name = 'c', document = %s WHERE name = 'a'",
        [llm_document("c", v=5)],
        {"b": 2, "c": 5},
    ),
    "insert or update": (
        "INSERT INTO components (type, name, document) VALUES ('llm', 'a', %s), ('llm', 'd', %s)"
        " ON CONFLICT (type, name) DO UPDATE SET document = excluded.document",
        [llm_document("a", v=6), llm_document("d", v=7)],
        {"a": 6, "b": 2, "d": 7},
    ),
    "delete": ("DELETE FROM components WHERE name = 'b'", [], {"a": 1}),
    "delete all": ("DELETE FROM components", [], {}),
    "truncate": ("TRUNCATE components", [], {}),
    "swap two": (
        "WITH away AS (DELETE FROM components WHERE name = 'a') UPDATE components SET name = 'z', document = %s WHERE name = 'b'",
        [llm_document("z", v=2)],
        {"z": 2},
    ),
}


@pytest.mark.parametrize("edit", HAND_EDITS)
def test_an_edit_by_hand_is_seen_as_soon(postgres: PostgresTarget, managed: Manage, edit: str) -> None:
    statement, values, expected = HAND_EDITS[edit]
    manager = managed(postgres)
    put(manager, "a", 1)
    put(manager, "b", 2)
    before = manager.version
    with hand(postgres) as connection:
        connection.execute(statement, values)
        seconds_until(lambda: manager.components() is not None and manager.version > before, within=SOON)
        assert {component.name: component.config()["v"] for component in manager.components()} == expected
        rows = connection.execute("SELECT DISTINCT revision FROM component_revisions").fetchall()
        counter = connection.execute("SELECT config_version FROM store_meta").fetchone()
        assert counter == (len(rows),), "a change has no number of its own, or a number no change"
    manager.refresh()
    assert {component.name: component.config()["v"] for component in manager.components()} == expected


def test_an_edit_by_hand_that_is_rolled_back_is_never_seen(postgres: PostgresTarget, managed: Manage) -> None:
    manager = managed(postgres)
    put(manager, "a", 1)
    before = manager.version
    with hand(postgres) as connection:
        with connection.transaction(force_rollback=True):
            connection.execute("DELETE FROM components")
        with connection.transaction():
            connection.execute("INSERT INTO components (type, name, document) VALUES ('llm', 'b', %s)", [llm_document("b")])
            time.sleep(0.3)
            assert manager.get_component("llm", "b") is None, "what is not committed was seen"
            connection.execute("SELECT 1")
        seconds_until(lambda: manager.get_component("llm", "b") is not None, within=SOON)
    assert value_of(manager, "a") == 1
    assert manager.version == before + 1


def test_what_a_process_writes_it_reads_at_once(postgres: PostgresTarget, managed: Manage) -> None:
    for options in ({}, {"watch": False}):
        manager = managed(postgres, **options)
        for number in range(50):
            put(manager, "a", number)
            assert value_of(manager, "a") == number
            assert manager.version == managed_version(postgres)


def managed_version(target: PostgresTarget) -> int:
    with hand(target) as connection:
        row = connection.execute("SELECT config_version FROM store_meta").fetchone()
        assert row is not None
        version: int = row[0]
        return version


def test_a_listener_that_may_not_connect_leaves_reads_alone_and_polls(postgres: PostgresTarget, managed: Manage) -> None:
    with hand(postgres) as connection:
        role = f"few_{postgres.dbname}"
        connection.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        try:
            few = replace(postgres, user=role, pool_size=1, pool_timeout=5)
            manager = managed(few)  # its only connection is the pool's
            put(manager, "a", 1)
            assert value_of(manager, "a") == 1
            connection.execute("UPDATE components SET document = %s", [llm_document("a", v=2)])
            seconds_until(lambda: value_of(manager, "a") == 2, within=AFTER_A_POLL)
        finally:
            _forget_role(connection, role)


def _forget_role(connection: Connection, role: str) -> None:
    connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
    connection.execute(f"DROP OWNED BY {role}")
    connection.execute(f"DROP ROLE {role}")


def test_reads_go_on_while_the_server_is_away_and_changes_are_heard_once_it_is_back(
    spare: Cluster, harmed: PostgresTarget, managed: Manage
) -> None:
    manager = managed(harmed)
    put(manager, "a", 1)
    spare.stop("immediate")
    try:
        for _ in range(20):
            assert value_of(manager, "a") == 1
            time.sleep(0.01)
    finally:
        spare.start()
    with hand(harmed) as connection:
        connection.execute("UPDATE components SET document = %s", [llm_document("a", v=2)])
        seconds_until(lambda: value_of(manager, "a") == 2, within=AFTER_A_POLL)
        seconds_until(lambda: bool(listeners_of(connection)), within=AFTER_A_POLL)
        time.sleep(0.2)
        for number in range(5):
            connection.execute("UPDATE components SET document = %s", [llm_document("a", v=f"again {number}")])
            seconds_until(_shows(manager, f"again {number}"), within=SOON)


def _shows(manager: ConfigManager, value: object) -> Callable[[], bool]:
    return lambda: value_of(manager, "a") == value


def test_a_database_put_in_the_place_of_another_is_read_whole(postgres: PostgresTarget, managed: Manage) -> None:
    """As a restored backup is: its counter may be lower than the one in memory."""
    manager = managed(postgres)
    for number in range(5):
        put(manager, f"{number}", number)
    with hand(postgres) as connection, connection.transaction():
        connection.execute("SELECT set_config('aurite.writer', 'restore', true)")
        connection.execute("DELETE FROM components WHERE name <> '0'")
        connection.execute("DELETE FROM component_revisions WHERE revision > 1")
        connection.execute("UPDATE store_meta SET config_version = 1")
    seconds_until(lambda: [component.name for component in manager.components()] == ["0"], within=AFTER_A_POLL)
