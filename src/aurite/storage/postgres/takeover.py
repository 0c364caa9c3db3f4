"""Upgrading a PostgreSQL database of Aurite 0.4 where it is: today's tables beside the old ones, which are kept by other names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

import psycopg

from aurite.errors import StorageError
from aurite.storage.legacy.tables import KEPT, OLD_TABLES, LegacySource
from aurite.storage.postgres.connections import Connection
from aurite.storage.postgres.database import BEGIN, ConnectionTransaction
from aurite.storage.postgres.errors import outcome_unknown, translate
from aurite.storage.postgres.legacy import PostgresOldDatabase
from aurite.storage.postgres.moving import PostgresMoveTarget, in_transaction
from aurite.storage.postgres.schema import OF_0_4, lock_schema, schema_version, upgrade_within
from aurite.storage.postgres.target import PostgresTarget, quoted
from aurite.storage.tables import Table

_BATCH = 500


class PostgresTakeover:
    """See ``Takeover``."""

    def __init__(self, target: PostgresTarget) -> None:
        self._target = target

    @property
    def location(self) -> str:
        return self._target.location

    @contextmanager
    def conversion(self) -> Iterator[tuple[LegacySource, PostgresMoveTarget] | None]:
        with in_transaction(self._target, BEGIN) as connection:
            work = ConnectionTransaction(connection)
            if schema_version(work) != OF_0_4:
                yield None
                return
            lock_schema(work, self._target)
            if schema_version(work) != OF_0_4:  # another process was faster
                yield None
                return
            old = PostgresOldDatabase(connection)
            self._rename(connection, old)
            upgrade_within(work, self._target)
            connection.execute("SELECT set_config('aurite.writer', 'migrate', true)")
            target = _InPlace(connection, self._target)
            yield LegacySource(old, location=self.location, identity=target.identity, prefix=KEPT), target

    def kept(self) -> dict[str, int]:
        with in_transaction(self._target, "BEGIN READ ONLY") as connection:
            return _kept(connection)

    def drop_kept(self) -> dict[str, int]:
        with in_transaction(self._target, BEGIN) as connection:
            found = _kept(connection)
            for table in found:
                connection.execute(f"DROP TABLE {table}")
            try:
                connection.execute("COMMIT")
            except psycopg.Error as error:
                raise outcome_unknown(self._target) if connection.closed else translate(error, self._target) from error
            return found

    def _rename(self, connection: Connection, old: PostgresOldDatabase) -> None:
        """Tables, and what belongs to them by a name that today's tables want: indexes with their constraints, and sequences."""
        for table in filter(old.has, OLD_TABLES):
            if old.has(KEPT + table):
                raise StorageError(
                    f"the database {self.location} has {KEPT}{table} already, the name under which an old table is to be kept",
                    next_step="Rename it, or copy the database into a new one with aurite migrate",
                )
            parts = connection.execute(
                "SELECT oid::regclass::text, relname::text, relkind::text FROM pg_class WHERE oid IN"
                " (SELECT indexrelid FROM pg_index WHERE indrelid = $1::text::regclass"
                "  UNION SELECT objid FROM pg_depend WHERE refobjid = $1::text::regclass AND classid = 'pg_class'::regclass)"
                " AND relkind IN ('i', 'S') ORDER BY relname",
                [table],
            ).fetchall()
            for part, name, kind in parts:
                what = "INDEX" if kind == "i" else "SEQUENCE"
                connection.execute(f"ALTER {what} {part} RENAME TO {quoted(_kept_name(name))}")
            connection.execute(f"ALTER TABLE {table} RENAME TO {KEPT}{table}")


class _InPlace(PostgresMoveTarget):
    """A target on the connection that its rows are read from: it does one thing at a time, so they come and go in batches."""

    def load(self, table: Table, lines: Iterable[bytes]) -> None:
        waiting = iter(lines)
        while batch := list(islice(waiting, _BATCH)):
            super().load(table, batch)


def _kept(connection: Connection) -> dict[str, int]:
    if schema_version(ConnectionTransaction(connection)) == OF_0_4:
        return {}
    found = {}
    for table, sign in OLD_TABLES.items():
        column = "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname = $2 AND NOT attisdropped"
        if connection.execute(column, [KEPT + table, sign]).fetchone():
            (found[KEPT + table],) = connection.execute(f"SELECT count(*) FROM {KEPT}{table}").fetchone() or (0,)
    return found


def _kept_name(name: str) -> str:
    # PostgreSQL cuts names at 63 bytes; a cut one might be taken.
    return (KEPT + name).encode()[:63].decode(errors="ignore")
