"""Behind a PgBouncer in transaction mode the stores keep the same contracts: nothing that Aurite needs outlives a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aurite.errors import StorageError, StoreUnavailableError
from aurite.model.records import Author, NewMessage, NewRun, NewSession, Put, SessionFilter
from aurite.storage.components import SqlComponentStore
from aurite.storage.ports import ComponentStore, SessionStore
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from aurite.testing import ComponentStoreContract, SessionStoreContract
from aurite.testing.samples import llm_document
from tests.clusters import Server
from tests.postgres.bouncer import PROGRAM, PgBouncer
from tests.postgres.conftest import Manage, Open
from tests.postgres.programs import PostgresWorker, hand, seconds_until, told
from tests.processes.programs import all_at_once

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="this machine has no pgbouncer (apt-get install pgbouncer)")


@pytest.fixture(scope="module")
def server(postgres_server: Server) -> PostgresTarget:
    return postgres_server.target("postgres")


@pytest.fixture(scope="module")
def bouncer(server: PostgresTarget) -> Iterator[PgBouncer]:
    with PgBouncer(server) as running:
        yield running


def behind(bouncer: PgBouncer, target: PostgresTarget, **fields: object) -> PostgresTarget:
    return replace(target, host="127.0.0.1", port=bouncer.port, password=None, pgbouncer=True, **fields)  # type: ignore[arg-type]  # any


def have_two_connections(database: PostgresDatabase) -> None:
    """Have PgBouncer open two connections to the server, which it then uses in turn."""
    with database.snapshot() as one, database.snapshot() as other:
        assert one.rows("SELECT pg_backend_pid()") != other.rows("SELECT pg_backend_pid()")


VARIANTS: dict[str, dict[str, object]] = {
    "plain": {},
    "schema and time-out": {"schema": 'its "own" schema', "statement_timeout": 30},
}


@pytest.fixture(scope="module", params=VARIANTS)
def shared(request: pytest.FixtureRequest, postgres_server: Server, bouncer: PgBouncer) -> Iterator[PostgresTarget]:
    """One database for many tests, reached through PgBouncer: making one for each would take longer than the tests."""
    name = postgres_server.create_database()
    target = behind(bouncer, postgres_server.target(name), **VARIANTS[request.param])
    database = PostgresDatabase(target, watch=False)
    have_two_connections(database)
    yield target
    database.close()
    postgres_server.drop_database(name)


@pytest.fixture
def wiped(shared: PostgresTarget, postgres_server: Server) -> PostgresTarget:
    """The same database with nothing in it."""
    direct = postgres_server.target(shared.dbname, schema=shared.schema)
    with hand(direct) as connection, connection.transaction():
        connection.execute("SELECT set_config('aurite.writer', 'test', true)")
        for table in ("sessions", "components", "component_revisions"):
            connection.execute(f"DELETE FROM {table}")
        connection.execute("UPDATE store_meta SET config_version = 0")
    return shared


class TestComponents(ComponentStoreContract):
    @pytest.fixture(autouse=True)
    def _target(self, wiped: PostgresTarget) -> None:
        self.target = wiped

    def open_store(self, folder: Path) -> ComponentStore:  # noqa: ARG002 - what two views share is the database
        return SqlComponentStore(PostgresDatabase(self.target, force_refresh=True))


class TestSessions(SessionStoreContract):
    @pytest.fixture(autouse=True)
    def _target(self, wiped: PostgresTarget) -> None:
        self.target = wiped

    def open_store(self, folder: Path) -> SessionStore:  # noqa: ARG002 - what two views share is the database
        return SqlSessionStore(PostgresDatabase(self.target, force_refresh=True))


def test_two_transactions_in_a_row_really_run_on_two_connections(
    bouncer: PgBouncer, postgres: PostgresTarget, opened: Open
) -> None:
    """What the others rest on: what one transaction leaves on its connection is not there for the next."""
    database = opened(behind(bouncer, postgres), watch=False)
    have_two_connections(database)
    pids = {database.read("SELECT pg_backend_pid()")[0][0] for _ in range(10)}
    assert len(pids) > 1


def test_without_the_setting_statements_prepared_on_one_connection_are_missed_on_another(
    bouncer: PgBouncer, postgres: PostgresTarget, opened: Open
) -> None:
    """The control run: the same requests, with what only works on a connection of one's own."""
    unaware = opened(replace(behind(bouncer, postgres), pgbouncer=False), watch=False)
    aware = opened(behind(bouncer, postgres), watch=False)
    have_two_connections(aware)
    for database, fails in ((aware, False), (unaware, True)):
        errors = 0
        for _ in range(20):
            try:
                database.read("SELECT name FROM components WHERE name = $1", "a")
            except StorageError:
                errors += 1
        assert bool(errors) is fails


def test_schema_and_time_out_hold_in_every_transaction(bouncer: PgBouncer, postgres_server: Server, opened: Open) -> None:
    name = postgres_server.create_database()
    database = opened(behind(bouncer, postgres_server.target(name), schema="own", statement_timeout=17), watch=False)
    with hand(behind(bouncer, postgres_server.target(name))) as other:
        for _ in range(10):
            assert database.read("SELECT current_schema()::text, current_setting('statement_timeout')") == [("own", "17s")]
            assert other.execute("SELECT current_schema()::text, current_setting('statement_timeout')").fetchone() == (
                "public",
                "0",
            )
    database.close()
    postgres_server.drop_database(name)


def test_the_mark_of_a_write_is_not_left_to_somebody_elses_transaction(
    bouncer: PgBouncer, postgres: PostgresTarget, opened: Open
) -> None:
    target = behind(bouncer, postgres)
    store = SqlComponentStore(opened(target, watch=False))
    with hand(target) as connection:
        for number in range(6):
            store.write([Put("llm", "a", llm_document("a", v=number))], author=Author("cli"))
            connection.execute("UPDATE components SET document = %s", [llm_document("a", v=-number)], prepare=False)
    assert [revision.writer for revision in store.history("llm", "a")] == ["sql", "cli"] * 6


def test_another_process_sees_changes_by_polling(bouncer: PgBouncer, postgres: PostgresTarget, managed: Manage) -> None:
    target = behind(bouncer, postgres)
    manager, other = managed(target), managed(target)
    manager.create_component("llm", {"name": "a", "provider": "p", "model": "m"})
    seconds_until(lambda: other.get_component("llm", "a") is not None, within=5)


@pytest.mark.slow
def test_eight_processes_start_and_write_through_it_at_once(bouncer: PgBouncer, postgres_server: Server, opened: Open) -> None:
    name = postgres_server.create_database()
    target = behind(bouncer, postgres_server.target(name), schema="own")
    assert all_at_once("open-database", [(told(target),)] * 8, PostgresWorker) == [[0]] * 8
    all_at_once("create", [(told(target), writer, 10) for writer in range(8)], PostgresWorker)
    all_at_once("append", [(told(target), "agent-x", writer, 10) for writer in range(8)], PostgresWorker)
    database = opened(target, watch=False)
    assert SqlComponentStore(database).load().version == 80
    assert [each.seq for each in SqlSessionStore(database).messages("agent-x")] == list(range(1, 161))
    assert database.check() == []
    database.close()
    postgres_server.drop_database(name)


def test_connections_that_the_server_ends_behind_it_cost_one_clear_error_each_at_most(
    bouncer: PgBouncer, postgres: PostgresTarget, opened: Open
) -> None:
    database = opened(behind(bouncer, postgres), watch=False)
    sessions = SqlSessionStore(database)
    sessions.start_run(NewSession("agent-x", "agent", "a"), NewRun("run"))
    with hand(postgres) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        failed = []
        for _ in range(6):
            try:
                sessions.append("agent-x", [NewMessage("user", "{}")])
            except StorageError as error:
                failed.append(error)
    assert len(failed) <= 3
    assert sessions.count(SessionFilter()) == 1
    assert len(sessions.messages("agent-x")) >= 6 - len(failed)


def test_what_it_refuses_is_told_in_the_same_words(bouncer: PgBouncer, postgres: PostgresTarget) -> None:
    with pytest.raises(StoreUnavailableError, match="database 'nothing here' does not exist"):
        PostgresDatabase(behind(bouncer, replace(postgres, dbname="nothing here")), watch=False)
    with pytest.raises(StoreUnavailableError, match=r"user 'nobody' does not exist|authentication failed"):
        PostgresDatabase(behind(bouncer, replace(postgres, user="nobody")), watch=False)


def test_a_pgbouncer_that_is_restarted_costs_no_restart_of_aurite(postgres: PostgresTarget, opened: Open) -> None:
    with PgBouncer(postgres) as first:
        target = behind(first, postgres)
        database = opened(target, watch=False)
        sessions = SqlSessionStore(database)
        sessions.start_run(NewSession("agent-x", "agent", "a"), NewRun("run"))
    with pytest.raises(StoreUnavailableError, match="connection refused"):
        sessions.append("agent-x", [NewMessage("user", "{}")])
    with PgBouncer(postgres, port=first.port):
        assert sessions.append("agent-x", [NewMessage("user", "{}")]) == 1
