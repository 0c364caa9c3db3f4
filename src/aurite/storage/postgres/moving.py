"""A PostgreSQL database as the source or target of a move."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg

from aurite.errors import AuriteError, NotAuriteDatabaseError, SchemaOutdatedError
from aurite.model.records import Problem
from aurite.storage.legacy.tables import LegacySource
from aurite.storage.merging import clash_statement, clashing_runs, merge_statements, merged_rows, staging_name
from aurite.storage.postgres.connections import Connection, connect, local_settings
from aurite.storage.postgres.database import BEGIN, ConnectionTransaction
from aurite.storage.postgres.errors import connection_lost, outcome_unknown, translate
from aurite.storage.postgres.legacy import PostgresOldDatabase
from aurite.storage.postgres.schema import OF_0_4, pending, require_usable, schema_version, upgrade_within
from aurite.storage.postgres.target import PostgresTarget
from aurite.storage.schema import EMPTY
from aurite.storage.tables import TABLES, Table

_CHUNK = 64 * 1024


class PostgresMovable:
    """A database on a server to move out of or into."""

    def __init__(self, target: PostgresTarget) -> None:
        self._target = target

    @property
    def location(self) -> str:
        return self._target.location

    def is_plainly(self, identity: tuple[object, ...]) -> bool:  # noqa: ARG002 - only a server knows which database it has
        return False

    @contextmanager
    def source(self) -> Iterator[_Source | LegacySource]:
        with in_transaction(self._target, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection:
            version = schema_version(ConnectionTransaction(connection))
            if version == OF_0_4:
                yield _Source(connection, self._target).of_0_4()
                return
            require_usable(version, self.location)
            if version == EMPTY:
                raise NotAuriteDatabaseError(
                    f"the database {self.location} has no tables of Aurite", next_step="Check AURITE_DB_NAME and AURITE_DB_SCHEMA"
                )
            self._require_current(version)
            yield _Source(connection, self._target)

    @contextmanager
    def target(self, *, dry_run: bool = False) -> Iterator[PostgresMoveTarget]:  # noqa: ARG002 - a transaction leaves nothing behind
        with in_transaction(self._target, BEGIN) as connection:
            work = ConnectionTransaction(connection)
            version = schema_version(work)
            require_usable(version, self.location)
            if version == EMPTY:
                upgrade_within(work, self._target)
            else:
                self._require_current(version)
            # Readers go on; whoever would write waits until the move is done or undone.
            connection.execute(f"LOCK TABLE store_meta, {', '.join(TABLES)} IN SHARE ROW EXCLUSIVE MODE")
            connection.execute("SELECT set_config('aurite.writer', 'migrate', true)")
            yield PostgresMoveTarget(connection, self._target)

    def _require_current(self, version: int) -> None:
        if pending(version):
            raise SchemaOutdatedError(
                f"the database {self.location} has schema {version}, older than this version's",
                next_step="Upgrade it first: aurite db upgrade",
            )


@contextmanager
def in_transaction(target: PostgresTarget, begin: str) -> Iterator[Connection]:
    """A connection of its own inside a transaction; closed afterwards, and what is not committed by then is undone."""
    connection = connect(target)
    try:
        connection.execute(begin)
        statement, values = local_settings(target, is_local=True) if target.pgbouncer else ("", [])
        if statement:
            connection.execute(statement, values)
        yield connection
    except (psycopg.Error, UnicodeEncodeError) as error:
        raise _told(error, connection, target) from error
    finally:
        with suppress(psycopg.Error):
            connection.close()  # and with it whatever was not committed


class _Rows:
    """What source and target have in common: reading."""

    def __init__(self, connection: Connection, target: PostgresTarget) -> None:
        self._connection = connection
        self._target = target

    @property
    def location(self) -> str:
        return self._target.location

    @property
    def identity(self) -> tuple[object, ...]:
        found = self._one(
            "SELECT (SELECT system_identifier FROM pg_control_system()),"
            " (SELECT oid FROM pg_database WHERE datname = current_database()), current_schema()"
        )
        return ("postgresql", *found)

    def config_version(self) -> int:
        version: int = self._one("SELECT config_version FROM store_meta")[0]
        return version

    def count(self, table: Table) -> int:
        found: int = self._one(f"SELECT count(*) FROM {table.name}")[0]
        return found

    def _one(self, statement: str) -> tuple[Any, ...]:
        return self._connection.execute(statement).fetchone() or (None,)

    def _copied_out(self, table: Table, source: str) -> Iterator[bytes]:
        statement = f"COPY (SELECT {', '.join(table.columns)} FROM {source} ORDER BY {', '.join(table.key)}) TO STDOUT"
        try:
            with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
                for block in copy:  # the server sends one row in each
                    yield bytes(block)
        except psycopg.Error as error:  # here, or it would be told of the database that the lines go to
            raise _told(error, self._connection, self._target) from error


class _Source(_Rows):
    def of_0_4(self) -> LegacySource:
        """The same database, where Aurite 0.4 wrote it."""
        return LegacySource(PostgresOldDatabase(self._connection), location=self.location, identity=self.identity)

    def lines(self, table: Table) -> Iterator[bytes]:
        return self._copied_out(table, table.name)

    def misfits(self, table: Table, *, thorough: bool = False) -> Iterator[Problem]:  # noqa: ARG002 - the columns' types see to it
        return iter(())


class PostgresMoveTarget(_Rows):
    """A database inside one transaction; the triggers for edits by hand keep still."""

    def load(self, table: Table, lines: Iterable[bytes]) -> None:
        self._copy_in(table, table.name, lines)

    def stage(self, table: Table, lines: Iterable[bytes]) -> None:
        stage = staging_name(table)
        self._connection.execute(
            f"CREATE TEMP TABLE {stage} ON COMMIT DROP AS SELECT {', '.join(table.columns)} FROM {table.name} WITH NO DATA"
        )
        self._copy_in(table, stage, lines)

    def conflicts(self) -> dict[str, int]:
        statements = merge_statements(replace=False, version=0).conflicts
        return {unit: self._one(statement)[0] for unit, statement in statements.items()}

    def clashes(self, *, replace: bool) -> list[Problem]:
        return clashing_runs(self._connection.execute(clash_statement(replace=replace)).fetchall())

    def merge(self, *, replace: bool, version: int) -> None:
        for statement in merge_statements(replace=replace, version=version).steps:
            self._connection.execute(statement)

    def lines(self, table: Table, *, staged: bool = False, merged: bool = False) -> Iterator[bytes]:
        if merged:
            return self._copied_out(table, merged_rows(table))
        return self._copied_out(table, staging_name(table) if staged else table.name)

    def commit(self, *, version: int) -> None:
        self._connection.execute("UPDATE store_meta SET config_version = $1", [version])
        self._connection.execute("SELECT pg_notify('aurite_config', $1)", [str(version)])
        try:
            self._connection.execute("COMMIT")
        except psycopg.Error as error:
            raise outcome_unknown(self._target) if self._connection.closed else translate(error, self._target) from error

    def _copy_in(self, table: Table, name: str, lines: Iterable[bytes]) -> None:
        statement = f"COPY {name} ({', '.join(table.columns)}) FROM STDIN"
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for chunk in _chunks(lines):
                copy.write(chunk)


def _told(error: psycopg.Error | UnicodeEncodeError, connection: Connection, target: PostgresTarget) -> AuriteError:
    return connection_lost(target) if connection.closed else translate(error, target)


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines joined to pieces of some size: one call per line would cost more than the line."""
    gathered: list[bytes] = []
    size = 0
    for line in lines:
        gathered.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield b"".join(gathered)
            gathered, size = [], 0
    if gathered:
        yield b"".join(gathered)
