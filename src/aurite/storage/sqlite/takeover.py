"""Upgrading a SQLite file of Aurite 0.4 where it is: today's tables beside the old ones, which are kept under other names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import apsw

from aurite.errors import StorageError
from aurite.storage.engine import now
from aurite.storage.legacy.tables import KEPT, OLD_TABLES, LegacySource
from aurite.storage.schema import EMPTY, back_up, make_current
from aurite.storage.sqlite.database import BUSY_TIMEOUT
from aurite.storage.sqlite.errors import translate
from aurite.storage.sqlite.legacy import SqliteOldDatabase, holds_0_4
from aurite.storage.sqlite.moving import SqliteTarget
from aurite.storage.write_lock import WriteLock


class SqliteTakeover:
    """See ``Takeover``; a backup is made beside the file first, and kept. Once upgraded, only its owner can read the file."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def location(self) -> str:
        return str(self.path)

    @contextmanager
    def conversion(self) -> Iterator[tuple[LegacySource, SqliteTarget] | None]:
        if not self._is_of_0_4():
            yield None
            return
        with self._alone() as connection:
            if not holds_0_4(connection):  # another process was faster
                yield None
                return
            _require_free_names(connection, self.location)
            back_up(connection, self.path, "schema-0.4")
            connection.execute("BEGIN IMMEDIATE").fetchall()
            old = SqliteOldDatabase(connection)
            for table in filter(old.has, OLD_TABLES):
                connection.execute(f"ALTER TABLE {table} RENAME TO {KEPT}{table}").fetchall()
            make_current(connection, EMPTY, now())
            connection.execute("UPDATE store_meta SET writer = 'migrate'").fetchall()
            target = SqliteTarget(connection, self.path)
            yield LegacySource(old, location=self.location, identity=target.identity, prefix=KEPT), target
            if target.committed:
                with suppress(OSError):  # where it belongs to somebody else, aurite db check tells so
                    self.path.chmod(0o600)

    def kept(self) -> dict[str, int]:
        if not self.path.is_file():
            return {}
        with self._opened() as connection:
            return _kept(connection)

    def drop_kept(self) -> dict[str, int]:
        with self._alone() as connection:
            connection.execute("BEGIN IMMEDIATE").fetchall()
            found = _kept(connection)
            for table in found:
                connection.execute(f"DROP TABLE {table}").fetchall()
            connection.execute("COMMIT").fetchall()
            return found

    def _is_of_0_4(self) -> bool:
        if not self.path.is_file():
            return False
        with self._opened() as connection:
            return holds_0_4(connection)

    @contextmanager
    def _alone(self) -> Iterator[apsw.Connection]:
        """A connection while no other process of Aurite writes."""
        with closing(WriteLock(self.path.with_name(self.path.name + ".wlock"))) as lock, lock.held(), self._opened() as connection:
            yield connection

    @contextmanager
    def _opened(self) -> Iterator[apsw.Connection]:
        """A connection; what it leaves uncommitted is undone."""
        try:
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                connection.set_busy_timeout(BUSY_TIMEOUT)
                yield connection
            finally:
                if connection.in_transaction:
                    with suppress(apsw.Error):
                        connection.execute("ROLLBACK").fetchall()
                connection.close()
        except apsw.Error as error:
            raise translate(error, self.path) from error


def _kept(connection: apsw.Connection) -> dict[str, int]:
    if holds_0_4(connection):
        return {}
    columns = {
        KEPT + table: connection.execute(f"SELECT name FROM pragma_table_info('{KEPT}{table}')").fetchall() for table in OLD_TABLES
    }
    return {
        KEPT + table: connection.execute(f"SELECT count(*) FROM {KEPT}{table}").get
        for table, sign in OLD_TABLES.items()
        if (sign,) in columns[KEPT + table]
    }


def _require_free_names(connection: apsw.Connection, location: str) -> None:
    names = [KEPT + name for name in OLD_TABLES]
    marks = ", ".join("?" * len(names))
    taken = connection.execute(f"SELECT name FROM sqlite_master WHERE name IN ({marks})", names).fetchall()
    if taken:
        raise StorageError(
            f"the database {location} has {taken[0][0]} already, the name under which an old table is to be kept",
            next_step="Rename it, or copy the database into a new one with aurite migrate",
        )
