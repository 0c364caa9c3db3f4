"""After any history of changes, by Aurite and by hand, two processes, a fresh one and SQL hold the same on PostgreSQL too."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from aurite.config.manager import ConfigManager
from aurite.model.jsontext import check, decode
from aurite.storage.components import SqlComponentStore
from aurite.storage.engine import Engine
from aurite.storage.postgres.database import PostgresDatabase
from aurite.storage.postgres.target import PostgresTarget
from tests.clusters import Connection
from tests.contracts.test_any_history import AUTHOR, Histories, config_of, names, types, values
from tests.postgres.programs import hand, seconds_until

SOON = 10.0
"""Far above what NOTIFY takes: what is tested here is that the counter comes, not when."""


class PostgresHistories(Histories):
    """The same two managers and foreign program; what one does, the others hear of after a moment."""

    target: ClassVar[PostgresTarget]
    connection: ClassVar[Connection]

    @initialize()
    def start(self) -> None:
        with self.connection.transaction():
            self.sql("SELECT set_config('aurite.writer', 'test', true)")
            self.sql("DELETE FROM components")
            self.sql("DELETE FROM component_revisions")
            self.sql("UPDATE store_meta SET config_version = 0")
        self.databases = [PostgresDatabase(self.target) for _ in range(2)]  # type: ignore[misc]  # of the other engine
        self.managers = [ConfigManager(SqlComponentStore(database), author=AUTHOR) for database in self.databases]
        self.expected = {}
        self.misfits = {}

    def teardown(self) -> None:
        for database in self.databases:
            assert database.check() == []
            database.close()

    def sql(self, statement: str, *parameters: Any) -> list[list[Any]]:
        statement = statement.replace("?", "%s").replace("INSERT OR REPLACE", "INSERT")
        if statement.startswith("INSERT INTO components"):
            statement += " ON CONFLICT (type, name) DO UPDATE SET document = excluded.document"
        cursor = self.connection.execute(statement.encode(), parameters or None)
        return [list(row) for row in cursor.fetchall()] if cursor.description else []

    # What only PostgreSQL has.

    @rule()
    def truncate_by_hand(self) -> None:
        if self.expected or self.misfits:
            self.sql("TRUNCATE components")
            self.expected.clear()
            self.misfits.clear()

    @rule(value=values)
    def update_many_by_hand(self, value: Any) -> None:
        documents = {key: check({**decode(document), "v": value}) for key, document in self.expected.items()}
        self.sql(
            "UPDATE components SET document = new.document"
            " FROM unnest(%s::text[], %s::text[], %s::text[]) AS new (type, name, document)"
            " WHERE components.type = new.type AND components.name = new.name",
            [type_ for type_, _ in documents],
            [name for _, name in documents],
            list(documents.values()),
        )
        self.expected.update(documents)

    @rule(type_=types, old=names, new=names, value=values)
    def change_two_in_one_transaction_by_hand(self, type_: str, old: str, new: str, value: Any) -> None:
        document = check(config_of(type_, new, value))
        with self.connection.transaction():
            self.sql("DELETE FROM components WHERE type = ? AND name = ?", type_, old)
            self.sql("INSERT OR REPLACE INTO components (type, name, document) VALUES (?, ?, ?)", type_, new, document)
        for name in (old, new):
            self.expected.pop((type_, name), None)
            self.misfits.pop((type_, name), None)
        self.expected[type_, new] = document

    # What holds all the time.

    @invariant()
    def memory_a_fresh_manager_and_sql_are_the_same(self) -> None:
        [[counter]] = self.sql("SELECT config_version FROM store_meta")
        for database in self.databases:
            seconds_until(partial(_stands_at, database, counter), within=SOON)
        another = PostgresDatabase(self.target, watch=False)
        fresh = ConfigManager(SqlComponentStore(another), author=AUTHOR)
        for manager in self.managers:
            assert manager.components() == fresh.components()
            assert manager.problems() == fresh.problems()
            assert manager.version == fresh.version == counter
        another.close()
        assert {component.key: component.document for component in fresh.components()} == self.expected
        assert {(problem.type, problem.name) for problem in fresh.problems()} == set(self.misfits)
        rows = self.sql("SELECT type, name, document FROM components ORDER BY type, name")
        assert {(type_, name): document for type_, name, document in rows} == self.expected | self.misfits
        assert [(type_, name) for type_, name, _ in rows] == sorted(self.expected | self.misfits)


def _stands_at(database: Engine, counter: int) -> bool:
    return database.config_version() == counter


@pytest.mark.slow
def test_after_any_history_two_processes_a_fresh_one_and_sql_are_the_same(postgres: PostgresTarget) -> None:
    with hand(postgres) as connection:

        class WithServer(PostgresHistories):
            pass

        WithServer.target, WithServer.connection = postgres, connection
        run_state_machine_as_test(
            WithServer,
            settings=settings(max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]),
        )
