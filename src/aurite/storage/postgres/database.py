"""A PostgreSQL database as an engine of the SQL stores."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from aurite.errors import StorageError
from aurite.model.records import Problem
from aurite.storage.engine import Row, Transaction
from aurite.storage.postgres.connections import Connection, Connections, local_settings
from aurite.storage.postgres.errors import connection_lost, outcome_unknown, translate
from aurite.storage.postgres.listener import Listener
from aurite.storage.postgres.target import PostgresTarget

T = TypeVar("T")

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Each statement sees what others have committed before it: writers wait for each other, whatever the database's own level is."""

REPLICA_RESTS = 10.0
"""Seconds for which a replica that failed is not asked again: one that does not answer would make every listing slow."""


class ConnectionTransaction:
    """Statements inside a transaction that the database has begun."""

    def __init__(self, connection: Connection) -> None:
        self._execute = connection.execute
        self._connection = connection

    def rows(self, statement: str, *values: Any) -> list[Row]:
        return self._execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> Row | None:
        return self._execute(statement, values).fetchone()

    def run(self, statement: str, *values: Any) -> None:
        self._execute(statement, values)

    def now(self) -> int:
        row = self._execute("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint").fetchone()
        instant: int = row[0] if row else 0
        return instant

    def run_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(statement, rows)


class PostgresDatabase:
    """One database on a server, for all threads of a process; the schema is created where there is none.

    Args:
        target: where it is, and how to connect.
        force_refresh: ask the database for the counter at each look, instead of hearing of changes.
        watch: hear of changes by other processes on a connection of its own. Without it, for a process that ends soon, the counter
            is asked for when the last look was more than two seconds ago.
        auto_upgrade: upgrade an older schema without being asked.
        replica: a read replica that serves the listing of sessions.
        as_it_is: leave the schema alone, whichever it is: for looking at it and for upgrading it.

    Raises:
        StorageError: the server cannot be reached, or the schema is one that this version cannot use.
    """

    dialect = "postgresql"

    def __init__(
        self,
        target: PostgresTarget,
        *,
        force_refresh: bool = False,
        watch: bool = True,
        auto_upgrade: bool = False,
        replica: PostgresTarget | None = None,
        as_it_is: bool = False,
    ) -> None:
        from aurite.storage.postgres.schema import prepare

        self.target = target
        self._connections = Connections(target)
        self._replica = Connections(replica) if replica else None
        self._replica_rests_until = 0.0
        self._force_refresh = force_refresh
        self._local = local_settings(target, is_local=True) if target.pgbouncer else ("", [])
        self._listener = Listener(target, self._read_config_version, watch=watch)
        if as_it_is:
            return
        try:
            prepare(self, auto_upgrade=auto_upgrade)
        except BaseException:
            self.close()
            raise

    @property
    def location(self) -> str:
        return self.target.location

    @property
    def seconds_waited(self) -> float:
        """How long callers have waited for a connection, taken together."""
        return self._connections.seconds_waited

    @property
    def connections_in_use(self) -> int:
        """How many connections of this process are leased at this moment."""
        return self._connections.in_use

    def config_version(self) -> int:
        if self._force_refresh:
            return self._read_config_version()
        return self._listener.version()

    def note_config_version(self, version: int) -> None:
        self._listener.note(version)

    def read(self, statement: str, *values: Any) -> list[Row]:
        return self._single(self._connections, statement, values, writes=False)

    def read_somewhat_late(self, statement: str, *values: Any) -> list[Row]:
        """All rows of one statement that may miss the newest writes: asked of the replica, where there is one that answers."""
        if self._replica is not None and time.monotonic() >= self._replica_rests_until:
            try:
                return self._single(self._replica, statement, values, writes=False)
            except StorageError:  # the primary can always answer
                self._replica_rests_until = time.monotonic() + REPLICA_RESTS
        return self.read(statement, *values)

    def write(self, statement: str, *values: Any) -> list[Row]:
        return self._single(self._connections, statement, values, writes=True)

    def write_small(self, work: Callable[[Transaction], T]) -> T:
        with self.transaction() as transaction:  # the server brings the commits of several connections to disk together
            return work(transaction)

    @contextmanager
    def snapshot(self) -> Iterator[ConnectionTransaction]:
        with self._transaction("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as work:
            yield work

    @contextmanager
    def transaction(self) -> Iterator[ConnectionTransaction]:
        with self._transaction(BEGIN) as work:
            yield work

    def status(self) -> dict[str, object]:
        """Where it is, versions, rows per table, and sizes."""
        from aurite.storage.postgres.care import describe

        return {**describe(self), "config_version_here": self._listener.known}

    def check(self) -> list[Problem]:
        """What is wrong with the database; empty where all is well."""
        from aurite.storage.postgres.care import examine

        return examine(self)

    def close(self) -> None:
        """Stop listening and close the connections."""
        self._listener.close()
        self._connections.close()
        if self._replica is not None:
            self._replica.close()

    def _read_config_version(self) -> int:
        version: int = self.read("SELECT config_version FROM store_meta")[0][0]
        self._listener.note(version)
        return version

    def _single(self, connections: Connections, statement: str, values: Sequence[Any], *, writes: bool) -> list[Row]:
        if self._local[0]:
            return self._single_in_transaction(connections, statement, values)
        with connections.lease() as connection:
            try:
                return connection.execute(statement, values).fetchall()
            except psycopg.errors.SerializationFailure:
                pass  # a database whose own isolation level does not wait for the other writer: taken back, so done again
            except (psycopg.Error, UnicodeEncodeError) as error:
                if writes and connection.closed:
                    raise outcome_unknown(self.target) from error
                raise translate(error, self.target) from error
        return self._single_in_transaction(connections, statement, values)

    def _single_in_transaction(self, connections: Connections, statement: str, values: Sequence[Any]) -> list[Row]:
        with self._transaction(BEGIN, connections) as work:
            return work.rows(statement, *values)

    @contextmanager
    def _transaction(self, begin: str, connections: Connections | None = None) -> Iterator[ConnectionTransaction]:
        with (connections or self._connections).lease() as connection:
            try:
                connection.execute(begin)
                if self._local[0]:
                    connection.execute(*self._local)
                yield ConnectionTransaction(connection)
            except (psycopg.Error, UnicodeEncodeError) as error:
                raise connection_lost(self.target) if connection.closed else translate(error, self.target) from error
            try:
                connection.execute("COMMIT")
            except psycopg.Error as error:
                raise outcome_unknown(self.target) if connection.closed else translate(error, self.target) from error
