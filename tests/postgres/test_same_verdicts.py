"""PostgreSQL says the same as SQLite to the same requests, and gives back what went in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurite.model.records import Change, SessionFilter
from aurite.storage.components import SqlComponentStore
from aurite.storage.ports import ComponentStore, SessionStore
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.sessions import SqlSessionStore
from tests.clusters import Connection, Server
from tests.contracts.stores import sqlite_components, sqlite_sessions
from tests.contracts.test_round_trips import Components, Sessions
from tests.contracts.test_round_trips import test_a_component_comes_back_as_it_went_in as test_a_component  # noqa: F401 - run here too
from tests.contracts.test_round_trips import test_a_session_comes_back_as_it_went_in as test_a_session  # noqa: F401 - run here too
from tests.contracts.test_same_verdicts import Request, changes, everything, filters, histories, verdict, written
from tests.postgres.programs import hand

SLOWLY = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def target(postgres_server: Server, postgres_template: str) -> Iterator[PostgresTarget]:
    """One database for all examples of a test."""
    name = postgres_server.create_database(template=postgres_template)
    yield postgres_server.target(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module")
def components(target: PostgresTarget) -> Iterator[Components]:
    views = [PostgresDatabase(target, force_refresh=True) for _ in range(2)]
    yield SqlComponentStore(views[0]), SqlComponentStore(views[1])
    for view in views:
        view.close()


@pytest.fixture(scope="module")
def sessions(target: PostgresTarget) -> Iterator[Sessions]:
    views = [PostgresDatabase(target, force_refresh=True) for _ in range(2)]
    yield SqlSessionStore(views[0]), SqlSessionStore(views[1])
    for view in views:
        view.close()


@pytest.fixture(scope="module")
def connection(target: PostgresTarget) -> Iterator[Connection]:
    with hand(target) as connection:
        yield connection


def wipe(connection: Connection) -> None:
    with connection.transaction():
        connection.execute("SELECT set_config('aurite.writer', 'test', true)")
        for table in ("sessions", "components", "component_revisions"):
            connection.execute(f"DELETE FROM {table}")


@settings(max_examples=40, deadline=None, suppress_health_check=SLOWLY)
@given(batches=st.lists(st.lists(changes(), max_size=4), min_size=1, max_size=8))
def test_components_are_judged_and_ordered_alike(
    components: Components, connection: Connection, batches: list[list[Change]]
) -> None:
    wipe(connection)
    with TemporaryDirectory() as folder:
        stores: list[ComponentStore] = [components[0], sqlite_components(Path(folder))]
        for batch in batches:
            one, other = (written(store, batch) for store in stores)
            assert one == other
        one, other = ([(key, found.document) for key, found in store.load().components.items()] for store in stores)
        assert one == other
        stores[1].close()


# Sessions. PostgreSQL stamps with its own clock; a function of that name that comes first on the search path is the test's clock.


@pytest.fixture(scope="module")
def clocked(target: PostgresTarget, connection: Connection) -> Iterator[tuple[SessionStore, Callable[[int], None]]]:
    """A store, and what sets the clock of its database to microseconds since 1970."""
    connection.execute("CREATE TABLE test_clock (instant BIGINT)")
    connection.execute("INSERT INTO test_clock VALUES (0)")
    connection.execute(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE"
        " AS $$ SELECT timestamptz 'epoch' + instant * interval '1 microsecond' FROM public.test_clock $$"
    )
    connection.execute(f"ALTER DATABASE {target.dbname} SET search_path = public, pg_catalog")
    database = PostgresDatabase(target, force_refresh=True)

    def set_clock(instant: int) -> None:
        connection.execute("UPDATE test_clock SET instant = %s", [instant])

    yield SqlSessionStore(database), set_clock
    database.close()
    connection.execute(f"ALTER DATABASE {target.dbname} RESET search_path")
    connection.execute("DROP FUNCTION public.clock_timestamp")


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=SLOWLY)
@given(history=histories(), wanted=filters, reference=st.sampled_from(["x", "y", "base", "agent-x", "nothing", "z"]))
def test_sessions_are_judged_and_ordered_alike(
    clocked: tuple[SessionStore, Callable[[int], None]],
    connection: Connection,
    history: list[tuple[int, Request]],
    wanted: SessionFilter,
    reference: str,
) -> None:
    wipe(connection)
    now = 1000
    postgres, set_clock = clocked
    with ExitStack() as opened:
        sqlite = sqlite_sessions(Path(opened.enter_context(TemporaryDirectory())), lambda: now)
        opened.callback(sqlite.close)
        for pause, request in history:
            now += pause
            set_clock(now)
            one, other = (verdict(partial(request, store)) for store in (postgres, sqlite))
            assert one == other
        assert everything(postgres, wanted, reference) == everything(sqlite, wanted, reference)
