"""A connection that breaks, a server that dies and limits that are hit cost one clear error at most; nothing is lost or half done.

Each fault has a control run: without the fault, or without what guards against it, the same steps end otherwise.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest

from aurite.config.manager import ConfigManager
from aurite.errors import (
    AuriteError,
    ComponentExistsError,
    OutcomeUnknownError,
    StoreBusyError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
)
from aurite.model.records import Author, NewMessage, NewRun, NewSession, Put, SessionFilter
from aurite.storage.components import SqlComponentStore
from aurite.storage.postgres import connections
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from aurite.testing.samples import llm_document
from tests.clusters import Cluster, Connection
from tests.postgres.conftest import Open
from tests.postgres.programs import backends_of, hand, seconds_until
from tests.postgres.proxy import Proxy

AUTHOR = Author("python")
SECRET_ROW = "the content of a row"


def put(database: PostgresDatabase, name: str, value: object = 0) -> None:
    SqlComponentStore(database).write([Put("llm", name, llm_document(name, v=str(value)))], author=AUTHOR)


def start(database: PostgresDatabase, session_id: str = "agent-x") -> None:
    SqlSessionStore(database).start_run(NewSession(session_id, "agent", "weather"), NewRun(f"run-{session_id}"))


def append(database: PostgresDatabase, content: str) -> int:
    return SqlSessionStore(database).append("agent-x", [NewMessage("user", f'{{"role": "user", "content": "{content}"}}')])


def contents(target: PostgresTarget) -> list[str]:
    with hand(target) as connection:
        return [text for (text,) in connection.execute("SELECT content FROM readable_messages ORDER BY seq").fetchall()]


def names(target: PostgresTarget) -> list[str]:
    with hand(target) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM components ORDER BY name").fetchall()]


def called(target: PostgresTarget, name: str = "aurite") -> PostgresTarget:
    return replace(target, parameters={**target.parameters, "application_name": name})


def terminate(connection: Connection, name: str = "aurite") -> int:
    """How many of Aurite's connections were ended, once they are gone."""
    ended = backends_of(connection, name)
    for pid in ended:
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
    seconds_until(lambda: not set(ended) & set(backends_of(connection, name)), within=10)
    return len(ended)


def in_threads(how_many: int, work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(how_many)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fill_the_pool(database: PostgresDatabase, how_many: int) -> None:
    """Have that many idle connections."""
    gate = threading.Barrier(how_many)

    def lease() -> None:
        with database.snapshot() as view:
            view.rows("SELECT 1")
            gate.wait(timeout=20)

    in_threads(how_many, lease)


# Backends that are terminated.


def test_connections_ended_between_two_requests_fail_none(postgres: PostgresTarget, opened: Open) -> None:
    database = opened(called(postgres), watch=False)
    start(database)
    with hand(postgres) as connection:
        for number in range(3):
            fill_the_pool(database, 4)
            assert terminate(connection) == 4
            put(database, "a", number)
            append(database, f"{number}")
            assert SqlSessionStore(database).list(SessionFilter(), limit=5).sessions
            assert database.config_version() == number + 1
    assert contents(postgres) == ["0", "1", "2"]


def test_without_the_look_before_use_they_would_fail(
    postgres: PostgresTarget, opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = opened(called(postgres), watch=False)
    monkeypatch.setattr(connections, "_is_working", lambda *_, **__: True)
    with hand(postgres) as connection:
        put(database, "a")
        terminate(connection)
        with pytest.raises(StoreUnavailableError):
            put(database, "b")


@pytest.mark.parametrize("ended", [True, False], ids=["ended", "control"])
def test_a_connection_ended_inside_a_transaction_is_one_error_and_nothing_is_written(
    postgres: PostgresTarget, opened: Open, ended: bool
) -> None:
    database = opened(called(postgres), watch=False)

    def write() -> None:
        with hand(postgres) as connection, database.transaction() as work:
            work.run("INSERT INTO sessions VALUES ('x', 'x', NULL, 'agent', 'n', 'running', NULL, 0, 0, 0)")
            if ended:
                assert terminate(connection) == 1
            work.run("UPDATE sessions SET title = $1", SECRET_ROW)

    if ended:
        with pytest.raises(StoreUnavailableError, match="lost; nothing of this was written") as raised:
            write()
        assert raised.value.next_step is not None
        assert SECRET_ROW not in str(raised.value)
        assert not isinstance(raised.value, OutcomeUnknownError)
    else:
        write()
    assert SqlSessionStore(database).count(SessionFilter()) == (0 if ended else 1)
    start(database, "agent-next")
    assert SqlSessionStore(database).get("agent-next") is not None


def test_a_session_that_the_server_ends_for_idling_in_a_transaction_is_told_as_lost(postgres: PostgresTarget, opened: Open) -> None:
    with hand(postgres) as connection:
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET idle_in_transaction_session_timeout = 200")
    database = opened(postgres, watch=False)

    def write_slowly() -> None:
        with database.transaction() as work:
            work.run("INSERT INTO sessions VALUES ('x', 'x', NULL, 'agent', 'n', 'running', NULL, 0, 0, 0)")
            time.sleep(1)
            work.run("UPDATE sessions SET title = 'x'")

    with pytest.raises(StoreUnavailableError, match="nothing of this was written"):
        write_slowly()
    assert SqlSessionStore(database).count(SessionFilter()) == 0


# A server that dies.


@pytest.mark.parametrize("mode", ["immediate", "fast"])
def test_a_server_that_is_started_again_costs_no_request_and_no_restart(
    spare: Cluster, harmed: PostgresTarget, opened: Open, mode: str
) -> None:
    database = opened(harmed, watch=False)
    start(database)
    acknowledged = []
    for number in range(2):
        fill_the_pool(database, 3)
        append(database, f"{number}")
        acknowledged.append(f"{number}")
        put(database, f"{number}")
        spare.stop(mode)
        with pytest.raises(StoreUnavailableError, match="connection refused") as raised:
            append(database, "while it is away")
        assert "AURITE_DB_HOST" in str(raised.value.next_step)
        spare.start()
        append(database, "again")
        acknowledged.append("again")
    assert contents(harmed) == acknowledged
    assert names(harmed) == ["0", "1"]
    assert database.check() == []


def test_a_server_that_dies_under_eight_writers_loses_nothing_that_was_acknowledged(
    spare: Cluster, harmed: PostgresTarget, opened: Open
) -> None:
    database = opened(replace(harmed, pool_size=4), watch=False)
    start(database)
    stop = threading.Event()
    acknowledged: list[str] = []
    failed: list[AuriteError] = []
    others: list[BaseException] = []
    numbers = iter(range(10**9))

    def write() -> None:
        while not stop.is_set():
            content = f"{next(numbers)}"
            try:
                append(database, content)
            except AuriteError as error:
                failed.append(error)
                stop.wait(0.02)  # a caller that comes again does not come at once
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the test is about
                others.append(error)
                return
            else:
                acknowledged.append(content)

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    try:
        seconds_until(lambda: len(acknowledged) > 100, within=20)
        spare.stop("immediate")
        at_the_stop = len(failed)
        time.sleep(0.2)
        spare.start()
        before, failed_before = len(acknowledged), len(failed)
        seconds_until(lambda: len(acknowledged) > before + 100, within=20)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert others == []
    assert at_the_stop >= 0
    assert len(failed) - failed_before <= 8, "requests fail though the server is back"
    kept = contents(harmed)
    assert set(acknowledged) <= set(kept), "an acknowledged write is gone"
    assert len(kept) == len(set(kept))
    unsure = [error for error in failed if isinstance(error, OutcomeUnknownError)]
    assert len(kept) - len(acknowledged) <= len(unsure), "a write was told as failed, and is there"
    assert {type(error) for error in failed} <= {OutcomeUnknownError, StoreUnavailableError}
    assert database.check() == []


# A line that is cut.


@pytest.fixture
def proxy(spare: Cluster) -> Iterator[Proxy]:
    with Proxy(spare.port) as line:
        yield line


@pytest.mark.parametrize("arrives", [True, False], ids=["written", "not written"])
@pytest.mark.parametrize("what", ["transaction", "one statement"])
def test_a_line_cut_after_the_commit_was_sent_leaves_the_outcome_unknown_and_says_so(
    harmed: PostgresTarget, opened: Open, proxy: Proxy, arrives: bool, what: str
) -> None:
    database = opened(replace(harmed, port=proxy.port), watch=False)
    start(database)

    def write() -> None:
        if what == "transaction":
            put(database, "a")
        else:
            append(database, SECRET_ROW)

    proxy.cut_after = b"COMMIT\0" if what == "transaction" else b"WITH counted AS"
    proxy.swallow = not arrives
    with pytest.raises(OutcomeUnknownError, match="may or may not be there") as raised:
        write()
    assert proxy.cuts == 1
    assert SECRET_ROW not in str(raised.value)
    assert "Look whether it is there" in str(raised.value.next_step)
    there = names(harmed) if what == "transaction" else contents(harmed)
    assert bool(there) is arrives
    write()  # the next request needs nothing but itself
    assert names(harmed) if what == "transaction" else contents(harmed)
    assert database.check() == []


def test_a_line_cut_before_the_commit_was_sent_is_no_unknown_outcome(harmed: PostgresTarget, opened: Open, proxy: Proxy) -> None:
    database = opened(replace(harmed, port=proxy.port), watch=False)
    proxy.cut_after, proxy.swallow = b"INSERT INTO components", True
    with pytest.raises(StoreUnavailableError, match="nothing of this was written"):
        put(database, "a")
    assert names(harmed) == []
    put(database, "a")  # the control: the same through the same proxy, which now cuts nothing
    assert names(harmed) == ["a"]


def test_a_read_whose_line_is_cut_is_told_as_a_lost_connection(harmed: PostgresTarget, opened: Open, proxy: Proxy) -> None:
    database = opened(replace(harmed, port=proxy.port), watch=False)
    start(database)
    proxy.cut_after = b"FROM sessions"
    with pytest.raises(StoreUnavailableError, match="was lost"):
        SqlSessionStore(database).get("agent-x")
    assert SqlSessionStore(database).get("agent-x") is not None


# Limits.


@contextmanager
def somebody_locks(target: PostgresTarget, table: str) -> Iterator[None]:
    with hand(target) as connection, connection.transaction(force_rollback=True):
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize("pgbouncer", [False, True], ids=["direct", "per transaction"])
def test_a_statement_that_takes_longer_than_its_time_out_is_ended(postgres: PostgresTarget, opened: Open, pgbouncer: bool) -> None:
    database = opened(replace(postgres, statement_timeout=0.3, pgbouncer=pgbouncer), watch=False)
    start(database)
    with somebody_locks(postgres, "messages"):
        started = time.monotonic()
        for request in (lambda: append(database, SECRET_ROW), lambda: SqlSessionStore(database).messages("agent-x")):
            with pytest.raises(StoreBusyError, match="statement time-out") as raised:
                request()
            assert "AURITE_DB_STATEMENT_TIMEOUT" in str(raised.value.next_step)
            assert SECRET_ROW not in str(raised.value)
        assert time.monotonic() - started < 5
    assert append(database, "x") == 1  # the control, and: what was ended left nothing


def test_the_servers_own_time_outs_are_told_apart(postgres: PostgresTarget, opened: Open) -> None:
    with hand(postgres) as connection:
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET statement_timeout = 300")
    database = opened(postgres, watch=False)
    start(database)
    with somebody_locks(postgres, "messages"), pytest.raises(StoreBusyError, match="statement time-out"):
        append(database, "x")
    with hand(postgres) as connection:
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET statement_timeout = 0")
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET lock_timeout = 300")
    other = opened(postgres, watch=False)
    with somebody_locks(postgres, "messages"), pytest.raises(StoreBusyError, match="holds a lock"):
        append(other, "x")
    assert append(other, "x") == 1


def test_two_clients_that_wait_for_each_other_are_told_so(postgres: PostgresTarget, opened: Open) -> None:
    with hand(postgres) as connection:
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET deadlock_timeout = 100")
    database = opened(postgres, watch=False)
    start(database)
    put(database, "a")
    got: list[BaseException | None] = []

    def other() -> None:
        try:
            with database.transaction() as work:
                work.run("UPDATE components SET writer = 'x'")
                gate.wait(timeout=10)
                work.run("UPDATE runs SET error = 'x'")
        except StoreBusyError as error:
            got.append(error)

    gate = threading.Barrier(2)
    thread = threading.Thread(target=other)
    thread.start()
    try:
        with database.transaction() as work:
            work.run("UPDATE runs SET error = 'x'")
            gate.wait(timeout=10)
            work.run("UPDATE components SET writer = 'x'")
    except StoreBusyError as error:
        got.append(error)
    thread.join()
    assert len(got) == 1
    assert "two clients waited for each other" in str(got[0])


def test_a_read_only_database_serves_reads_and_refuses_writes_by_name(postgres: PostgresTarget, opened: Open) -> None:
    before = opened(postgres, watch=False)
    start(before)
    put(before, "a")
    before.close()
    with hand(postgres) as connection:
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET default_transaction_read_only = on")
    database = opened(postgres)
    for request in (lambda: put(database, "b"), lambda: append(database, "x"), lambda: start(database, "agent-y")):
        with pytest.raises(StoreReadOnlyError, match="read-only") as raised:
            request()
        assert "AURITE_DB_HOST" in str(raised.value.next_step)
    assert SqlSessionStore(database).get("agent-x") is not None
    assert list(SqlComponentStore(database).load().components) == [("llm", "a")]
    assert database.config_version() == 1
    with hand(postgres) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET default_transaction_read_only = off")
    put(opened(postgres, watch=False), "b")  # the control
    assert names(postgres) == ["a", "b"]


def test_an_empty_read_only_database_is_told_as_such(empty_postgres: PostgresTarget) -> None:
    with hand(empty_postgres) as connection:
        connection.execute(f"ALTER DATABASE {empty_postgres.dbname} SET default_transaction_read_only = on")
    with pytest.raises(StoreReadOnlyError, match="read-only"):
        PostgresDatabase(empty_postgres, watch=False)


def test_a_pool_that_is_used_up_is_told_within_its_time_out(postgres: PostgresTarget, opened: Open) -> None:
    database = opened(replace(postgres, pool_size=2, pool_timeout=0.5), watch=False)
    with database.snapshot() as view:
        view.rows("SELECT 1")
        start(database)  # the control: one is left
        with database.snapshot() as other:
            other.rows("SELECT 1")
            started = time.monotonic()
            with pytest.raises(StoreBusyError, match="all 2 connections") as raised:
                put(database, "a")
            assert 0.4 < time.monotonic() - started < 3
            assert "AURITE_DB_POOL_SIZE" in str(raised.value.next_step)
    put(database, "a")
    assert names(postgres) == ["a"]


def test_one_connection_is_enough_for_everything(postgres: PostgresTarget, opened: Open) -> None:
    database = opened(replace(postgres, pool_size=1, pool_timeout=1))
    start(database)
    for number in range(3):
        put(database, f"{number}")
        append(database, f"{number}")
    assert len(SqlComponentStore(database).load().components) == 3
    assert [session.message_count for session in SqlSessionStore(database).iterate(SessionFilter())] == [3]
    assert database.check() == []
    assert database.status()["config_version"] == 3
    SqlSessionStore(database).delete(["agent-x"])


def test_a_failed_connection_attempt_gives_its_place_in_the_pool_back(spare: Cluster, harmed: PostgresTarget, opened: Open) -> None:
    database = opened(replace(harmed, pool_size=1, pool_timeout=0.5), watch=False)
    spare.stop()
    try:
        for _ in range(3):
            with pytest.raises(StoreUnavailableError, match="connection refused"):
                put(database, "a")
    finally:
        spare.start()
    put(database, "a")


def test_a_full_disk_keeps_nothing_of_the_write_and_the_next_one_works(postgres: PostgresTarget, opened: Open) -> None:
    """The server says 53100 wherever a file cannot grow; a trigger says it here, in the middle of a write of several rows."""
    database = opened(postgres, watch=False)
    start(database)
    with hand(postgres) as connection:
        connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'could not extend file: %', NEW.document USING ERRCODE = '53100'; END $$"
        )
        connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON messages FOR EACH ROW WHEN (NEW.seq > 1) EXECUTE FUNCTION full_disk()"
        )
        connection.execute(
            "CREATE TRIGGER full_disk BEFORE INSERT ON components FOR EACH ROW WHEN (NEW.name > 'a') EXECUTE FUNCTION full_disk()"
        )
    message = NewMessage("user", f'{{"content": "{SECRET_ROW}"}}')
    for request in (
        lambda: SqlSessionStore(database).append("agent-x", [message, message]),
        lambda: SqlComponentStore(database).write(
            [Put("llm", name, llm_document(name, v=SECRET_ROW)) for name in ("a", "b")], author=AUTHOR
        ),
    ):
        with pytest.raises(StoreFullError, match=r"disk of .* is full; nothing of this write was kept") as raised:
            request()
        assert SECRET_ROW not in str(raised.value)
    assert contents(postgres) == []
    assert names(postgres) == []
    assert database.config_version() == 0
    assert append(database, "x") == 1  # the control: one row fits
    put(database, "a")
    assert names(postgres) == ["a"]
    assert database.check() == []


def test_too_many_connections_are_told_as_such(postgres: PostgresTarget) -> None:
    role = f"two_{postgres.dbname}"
    few = replace(postgres, user=role)
    with hand(postgres) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 1")
        connection.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        try:
            with psycopg.connect(**few.connect_arguments()):
                with pytest.raises(StoreUnavailableError, match="too many connections") as raised:
                    PostgresDatabase(few, watch=False)
                assert "AURITE_DB_POOL_SIZE" in str(raised.value.next_step)
            seconds_until(
                lambda: not connection.execute("SELECT 1 FROM pg_stat_activity WHERE usename = %s", [role]).fetchall(), within=5
            )
            PostgresDatabase(few, watch=False).close()  # the control
        finally:
            connection.execute(f"DROP OWNED BY {role}")
            connection.execute(f"DROP ROLE {role}")


# Settings of a server that was made for somebody else.


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
@pytest.mark.parametrize("pgbouncer", [False, True], ids=["direct", "per transaction"])
def test_writers_wait_for_each_other_whatever_the_databases_isolation_level(
    postgres: PostgresTarget, opened: Open, level: str, pgbouncer: bool
) -> None:
    with hand(postgres) as connection:
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET default_transaction_isolation = '{level}'")
    database = opened(replace(postgres, pgbouncer=pgbouncer), watch=False)
    start(database)

    def write(writer: int) -> None:
        for number in range(15):
            append(database, f"{writer} {number}")
            put(database, f"{writer} {number}")

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(write, range(4)))
    assert len(contents(postgres)) == len(names(postgres)) == 60


def test_a_database_without_a_schema_to_make_tables_in_is_told_the_variable(empty_postgres: PostgresTarget) -> None:
    with hand(empty_postgres) as connection:
        connection.execute(f"ALTER DATABASE {empty_postgres.dbname} SET search_path = nowhere")
    with pytest.raises(StoreUnavailableError, match="no schema of the search path exists") as raised:
        PostgresDatabase(empty_postgres, watch=False)
    assert "AURITE_DB_SCHEMA" in (raised.value.next_step or "")


def test_instants_are_the_same_whatever_the_servers_time_zone(postgres: PostgresTarget, opened: Open) -> None:
    with hand(postgres) as connection:
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET timezone = 'Pacific/Kiritimati'")
        connection.execute(f"ALTER DATABASE {postgres.dbname} SET datestyle = 'German'")
    database = opened(postgres, watch=False)
    start(database)
    append(database, "x")
    (message,) = SqlSessionStore(database).messages("agent-x")
    assert abs(message.created_at / 1e6 - time.time()) < 600


# Memory, and the end.


def test_after_a_write_with_an_unknown_outcome_memory_holds_what_the_store_holds(
    harmed: PostgresTarget, opened: Open, proxy: Proxy
) -> None:
    database = opened(replace(harmed, port=proxy.port))
    manager = ConfigManager(SqlComponentStore(database), author=AUTHOR)
    manager.create_component("llm", {"name": "a", "provider": "p", "model": "m"})
    proxy.cut_after = b"COMMIT\0"
    with pytest.raises(OutcomeUnknownError):
        manager.create_component("llm", {"name": "b", "provider": "p", "model": "m"})
    seconds_until(lambda: manager.get_component("llm", "b") is not None, within=5)
    with pytest.raises(ComponentExistsError):
        manager.create_component("llm", {"name": "b", "provider": "p", "model": "m"})


def test_a_database_that_is_closed_leaves_no_connection_and_no_thread(postgres: PostgresTarget) -> None:
    database = PostgresDatabase(called(postgres, "to be closed"))
    put(database, "a")
    assert database.config_version() == 1
    with hand(postgres) as connection:
        assert len(backends_of(connection, "to be closed")) == 2  # the pool's and the listener's
        with database.snapshot() as view:
            database.close()
            assert view.rows("SELECT 1") == [(1,)]  # what is under way may end
        seconds_until(lambda: not backends_of(connection, "to be closed"), within=5)
    assert not [thread for thread in threading.enumerate() if thread.name == "aurite-listener" and thread.is_alive()]
    database.close()
    with pytest.raises(StoreUnavailableError, match="were closed"):
        put(database, "b")
